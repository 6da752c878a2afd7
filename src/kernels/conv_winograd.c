/* Winograd's convolution, forward and gradient by data: which shapes it serves, packing of filters, and the tasks (see conv_winograd.h).
 * A task transforms the inputs of its tiles, multiplies place by place, and transforms the products back; all of that stays in the
 * second-level cache.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv_winograd.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/vec_tables.h"

enum {
    LANES = 16,       /* filters that are transformed together */
    SKEW = 16,        /* floats between the places of a block, against addresses that meet in one set of a cache */
    TASK_ROWS = 8,    /* of the micro-kernel's tile, at most */
    TASKS_WANTED = 4, /* where there are few tiles */
};
#define TASK_BYTES (640 * 1024) /* transformed inputs and products of a task: a part of the second-level cache */

/* Rough speeds of one core, only their ratios matter: multiply-adds, what transforms move within caches, filters from memory. */
#define MACS_PER_S     1.0e11
#define MOVED_PER_S    1.0e11
#define WEIGHT_PER_S   2.5e10
#define GAIN_WANTED    0.9
#define CHANNELS_LEAST 16

static const gn_wino_table *table(void)
{
    switch (gn_vec_rung()) {
#ifdef GN_HAVE_AVX512
    case GN_VEC_AVX512:
        return &gn_wino__avx512;
#endif
#ifdef GN_HAVE_AVX2
    case GN_VEC_AVX2:
        return &gn_wino__avx2;
#endif
#ifdef GN_HAVE_NEON
    case GN_VEC_NEON:
        return &gn_wino__neon;
#endif
    default:
        return NULL;
    }
}

/* Seconds, roughly, of the products, the transforms and the filters. */
static double cost(const gn_wino *w, int64_t tiles)
{
    const double pairs = (double)w->C * w->K;
    return w->places * ((double)tiles * pairs / MACS_PER_S + 8.0 * (double)tiles * (w->C + w->K) / MOVED_PER_S +
                        4.0 * pairs / WEIGHT_PER_S);
}

static double direct_cost(const gn_wino *w)
{
    const double pairs = (double)w->C * w->K, pixels = (double)w->N * w->dst_h * w->dst_w;
    return 9 * (pixels * pairs / MACS_PER_S + 4 * pairs / WEIGHT_PER_S);
}

static void cut_tiles(gn_wino *w, int m)
{
    w->m = m;
    w->edge = m + 2;
    w->places = w->edge * w->edge;
    w->tiles_h = (w->dst_h + m - 1) / m;
    w->tiles_w = (w->dst_w + m - 1) / m;
    w->tiles = (int64_t)w->N * w->tiles_h * w->tiles_w;
}

/* per_task: tiles, 0: the model decides. */
static void cut_tasks(gn_wino *w, int per_task)
{
    const int mr = w->kernels->mr;
    w->nr = 2 * w->kernels->vec;
    w->panels = (w->K + w->nr - 1) / w->nr;
    w->columns = (w->K + w->kernels->vec - 1) / w->kernels->vec * w->kernels->vec;
    const int64_t rows = (w->tiles + TASKS_WANTED * mr - 1) / (TASKS_WANTED * mr);
    int most = TASK_BYTES / (4 * w->places * (w->C + w->K)) / mr;
    most = most < 1 ? 1 : most > TASK_ROWS ? TASK_ROWS : most;
    w->per_task = per_task > 0 ? per_task : mr * (rows < most ? (int)rows : most);
}

/* False: the direct sum is better, or has been chosen. */
static bool finish(gn_wino *w, gn_conv_choice choice)
{
    if (choice.algorithm != GN_CONV_MODEL && choice.algorithm != GN_CONV_WINOGRAD2 &&
        choice.algorithm != GN_CONV_WINOGRAD4)
        return false;
    w->kernels = gn_igemm_current();
    w->table = table();
    if (!w->table || w->C < CHANNELS_LEAST || w->K < CHANNELS_LEAST)
        return false;
    gn_wino large = *w;
    cut_tiles(w, 2);
    cut_tiles(&large, 4);
    const bool is_free = choice.algorithm == GN_CONV_MODEL;
    if (is_free ? cost(&large, large.tiles) < cost(w, w->tiles) : choice.algorithm == GN_CONV_WINOGRAD4)
        *w = large;
    cut_tasks(w, choice.pixels);
    return !is_free || cost(w, w->tiles) < GAIN_WANTED * direct_cost(w);
}

static bool is_plain_3x3(const gn_conv *p)
{
    return p->R == 3 && p->S == 3 && p->stride_h == 1 && p->stride_w == 1 && p->dil_h == 1 && p->dil_w == 1 &&
           p->groups == 1;
}

bool gn_wino_possible(const gn_conv *p)
{
    return is_plain_3x3(p) && table() && p->C >= CHANNELS_LEAST && p->K >= CHANNELS_LEAST;
}

bool gn_wino_forward(const gn_conv *p, gn_wino *w)
{
    if (!is_plain_3x3(p))
        return false;
    *w = (gn_wino){.N = p->N, .src_h = p->H, .src_w = p->W, .C = p->C, .dst_h = p->P, .dst_w = p->Q, .K = p->K};
    w->src_pixel = gn_conv_src_stride(p);
    w->dst_pixel = gn_conv_dst_stride(p);
    w->pad_top = p->pad_top;
    w->pad_left = p->pad_left;
    return finish(w, p->choice);
}

bool gn_wino_backward(const gn_conv *p, gn_wino *w)
{
    if (!is_plain_3x3(p))
        return false;
    *w = (gn_wino){.N = p->N, .src_h = p->P, .src_w = p->Q, .C = p->K, .dst_h = p->H, .dst_w = p->W, .K = p->C};
    w->src_pixel = p->K;
    w->dst_pixel = p->C;
    w->pad_top = 2 - p->pad_top;
    w->pad_left = 2 - p->pad_left;
    w->is_backward = true;
    return finish(w, (gn_conv_choice){0});
}

/* ---- filters: bias in whole vectors, then for every place the panels: C rows of ldb floats ---- */

static int panel_ldb(const gn_wino *w, int panel)
{
    const int rest = w->columns - panel * w->nr;
    return rest < w->nr ? rest : w->nr;
}

static size_t panel_offset(const gn_wino *w, int place, int panel)
{
    return (size_t)w->columns + (size_t)w->C * ((size_t)place * (size_t)w->columns + (size_t)panel * (size_t)w->nr);
}

size_t gn_wino_pack_bytes(const gn_wino *w)
{
    return sizeof(float) * panel_offset(w, w->places, 0);
}

/* The 3x3 numbers of row c and columns k..k+n-1; zeros in the other lanes. */
static void load_filters(const gn_wino *w, const float *weight, const float *scale, int c, int k, int n,
                         float (*g)[LANES])
{
    memset(g, 0, 9 * sizeof *g);
    for (int j = 0; j < n; j++) {
        const float *filter = w->is_backward ? weight + ((size_t)c * (size_t)w->K + (size_t)(k + j)) * 9
                                             : weight + ((size_t)(k + j) * (size_t)w->C + (size_t)c) * 9;
        const float factor = scale ? scale[k + j] : 1.0f;
        for (int i = 0; i < 9; i++)
            g[i][j] = filter[w->is_backward ? 8 - i : i] * factor;
    }
}

static void pack_lanes(const gn_wino *w, float (*g)[LANES], int panel, int c, int column, float *packed)
{
    const int ldb = panel_ldb(w, panel), n = ldb - column < LANES ? ldb - column : LANES;
    w->table->filters(w->m, g[0], LANES, packed + panel_offset(w, 0, panel) + (size_t)c * (size_t)ldb + column,
                      panel_offset(w, 1, panel) - panel_offset(w, 0, panel), (size_t)n);
}

void gn_wino_pack(const gn_wino *w, const float *weight, const float *bias, const float *scale, void *packed,
                  int panel_begin, int panel_end)
{
    float g[9][LANES];
    for (int panel = panel_begin; panel < panel_end; panel++) {
        const int ldb = panel_ldb(w, panel);
        for (int column = 0; column < ldb; column++) {
            const int k = panel * w->nr + column;
            ((float *)packed)[k] = bias && k < w->K ? bias[k] : 0.0f;
        }
        for (int c = 0; c < w->C; c++)
            for (int column = 0; column < ldb; column += LANES) {
                const int k = panel * w->nr + column;
                load_filters(w, weight, scale, c, k, w->K - k < LANES ? w->K - k : LANES, g);
                pack_lanes(w, g, panel, c, column, packed);
            }
    }
}

/* ---- tasks ---- */

int gn_wino_tasks(const gn_wino *w)
{
    return (int)((w->tiles + w->per_task - 1) / w->per_task);
}

static size_t inputs_stride(const gn_wino *w)
{
    return (size_t)w->per_task * (size_t)w->C + SKEW;
}

static size_t products_stride(const gn_wino *w)
{
    return (size_t)w->per_task * (size_t)w->K + SKEW;
}

size_t gn_wino_scratch_bytes(const gn_wino *w)
{
    return sizeof(float) * (size_t)w->places * (inputs_stride(w) + products_stride(w)) + GN_PAD_BYTES;
}

void gn_wino_point(const gn_wino *w, const float *image, const float *zeros, int i, int j, const float **rows)
{
    const int y0 = i * w->m - w->pad_top, x0 = j * w->m - w->pad_left;
    for (int r = 0; r < w->edge; r++) {
        const int y = y0 + r;
        const bool has_row = y >= 0 && y < w->src_h;
        for (int s = 0; s < w->edge; s++, rows++) {
            const int x = x0 + s;
            *rows = has_row && x >= 0 && x < w->src_w
                        ? image + ((size_t)y * (size_t)w->src_w + (size_t)x) * (size_t)w->src_pixel
                        : zeros;
        }
    }
}

static void transform_inputs(const gn_wino *w, const gn_conv_taps_call *call, int64_t first, int count, float *v)
{
    const float *rows[GN_WINO_PLACES_MAX];
    const int64_t per_image = (int64_t)w->tiles_h * w->tiles_w;
    const size_t image_floats = (size_t)w->src_h * (size_t)w->src_w * (size_t)w->src_pixel, stride = inputs_stride(w);
    for (int t = 0; t < count; t++) {
        const int64_t tile = first + t, n = tile / per_image;
        const int i = (int)(tile % per_image) / w->tiles_w, j = (int)(tile % per_image) % w->tiles_w;
        gn_wino_point(w, call->src + (size_t)n * image_floats, call->zeros, i, j, rows);
        w->table->inputs(w->m, rows, (size_t)w->C, v + (size_t)t * (size_t)w->C, stride);
    }
}

/* products[place][tile][k] = sum over c of inputs[place][tile][c] * filters[place][c][k] */
static void multiply(const gn_wino *w, const float *packed, int count, const float *v, float *products)
{
    const int mr = w->kernels->mr, blocks = (count + mr - 1) / mr;
    const float *rows[GN_IGEMM_MR_MAX];
    int64_t row_off[GN_IGEMM_MR_MAX];
    for (int i = 0; i < mr; i++)
        row_off[i] = (int64_t)i * w->K;
    for (int place = 0; place < w->places; place++)
        for (int b = 0; b < blocks; b++) {
            const int row = (int)gn_conv_cut(count, blocks, b), m = (int)gn_conv_cut(count, blocks, b + 1) - row;
            for (int i = 0; i < m; i++)
                rows[i] = v + (size_t)place * inputs_stride(w) + (size_t)(row + i) * (size_t)w->C;
            float *dst = products + (size_t)place * products_stride(w) + (size_t)row * (size_t)w->K;
            for (int panel = 0; panel < w->panels; panel++) {
                const int column = panel * w->nr;
                const gn_igemm_tile tile = {dst + column,
                                            NULL,
                                            NULL,
                                            row_off,
                                            {-INFINITY, INFINITY},
                                            m,
                                            w->K - column < w->nr ? w->K - column : w->nr,
                                            false,
                                            {0}};
                w->kernels->rows(&tile, rows, 1, w->C, packed + panel_offset(w, place, panel), panel_ldb(w, panel));
            }
        }
}

static void transform_results(const gn_wino *w, const gn_conv_taps_call *call, int64_t first, int count,
                              const float *products)
{
    ptrdiff_t at[GN_WINO_TILE_MAX];
    const int64_t per_image = (int64_t)w->tiles_h * w->tiles_w;
    gn_wino_results results = {NULL,           call->packed, products_stride(w), (size_t)w->K, call->dst,
                               call->residual, at,           call->clamp,        call->curve};
    for (int t = 0; t < count; t++) {
        const int64_t tile = first + t, n = tile / per_image;
        const int i = (int)(tile % per_image) / w->tiles_w, j = (int)(tile % per_image) % w->tiles_w;
        for (int r = 0; r < w->m; r++)
            for (int s = 0; s < w->m; s++) {
                const int y = i * w->m + r, x = j * w->m + s;
                at[r * w->m + s] =
                    y < w->dst_h && x < w->dst_w ? (((ptrdiff_t)n * w->dst_h + y) * w->dst_w + x) * w->dst_pixel : -1;
            }
        results.sums = products + (size_t)t * (size_t)w->K;
        w->table->results(w->m, &results);
    }
}

void gn_wino_task(const gn_wino *w, const gn_conv_taps_call *call, int task, void *scratch)
{
    float *v = scratch, *products = v + (size_t)w->places * inputs_stride(w);
    const int64_t first = (int64_t)task * w->per_task, rest = w->tiles - first;
    const int count = rest < w->per_task ? (int)rest : w->per_task;
    transform_inputs(w, call, first, count, v);
    multiply(w, call->packed, count, v, products);
    transform_results(w, call, first, count, products);
}
