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
    LANES = 16,     /* filters that are transformed together */
    SKEW = 16,      /* floats between the places of a block, against addresses that meet in one set of a cache */
    TASK_ROWS = 8,  /* of the micro-kernel's tile, in a task, at most */
    BLOCKS_MAX = 8, /* of panels */
};

/* Speeds of one core of a server of today, fitted to whole networks; only their ratios matter.  Multiply-adds from caches; what transforms move;
 * filters that come for the first time, from memory; filters that come again, from the last cache or from the second one. */
#define MACS_PER_S      1.36e11
#define INPUTS_2_PER_S  8.0e10 /* tiles of 2x2 */
#define RESULTS_2_PER_S 1.6e11
#define INPUTS_4_PER_S  4.5e10 /* of 4x4 */
#define RESULTS_4_PER_S 8.0e10
#define SPILL_BYTES     (400.0 * 1024) /* numbers of a task, that much of the second cache .. */
#define SPILLED         0.75           /* .. beyond which transforms have this part of their speed */
#define FAR_PER_S       4.0e10
#define MIDDLE_PER_S    1.3e11
#define FAR_THREADS     2 /* so many threads read memory faster than one */
#define AGAIN_PER_S     1.6e11
#define NEAR_PER_S      4.0e11
#define TASK_SECONDS    1.5e-6
#define LAST_PART       0.1 /* of a task: what others wait for the last one, on a machine that does other things, too */
#define FAR_BYTES       (16.0 * 1024 * 1024) /* filters larger than this do not stay in the last cache */
#define MIDDLE_BYTES    (3.0 * 1024 * 1024)  /* nor all those of a network that has larger ones */
#define NEAR_BYTES      (0.75 * 1024 * 1024)
#define GAIN_WANTED     0.9
#define CHANNELS_LEAST  16
/* Which algorithm computes, and so the bits, must not depend on the number of threads: the mean of one and of so many counts. */
#define USUAL_THREADS 2
/* Whose number nobody has said: enough tasks for some. */
#define THREADS_UNKNOWN 4

const gn_wino_table *gn_wino_transforms(void)
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

static void cut_tiles(gn_wino *w, int m)
{
    w->m = m;
    w->edge = m + 2;
    w->places = w->edge * w->edge;
    w->tiles_h = (w->dst_h + m - 1) / m;
    w->tiles_w = (w->dst_w + m - 1) / m;
    w->tiles = (int64_t)w->N * w->tiles_h * w->tiles_w;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Seconds, roughly, on so many threads.  Each task reads its filters, transforms its inputs and all of its results. */
static double cost(const gn_wino *w, int64_t cuts, int blocks, int threads)
{
    const double tiles = (double)w->tiles, C = w->C, K = w->K, places = w->places;
    const int64_t tasks = cuts * blocks;
    const double filters = 4 * places * C * K, again = (double)(cuts - 1) * filters;
    const double again_rate = filters / blocks < NEAR_BYTES ? NEAR_PER_S
                              : filters < FAR_BYTES         ? AGAIN_PER_S
                                                            : FAR_PER_S;
    const double scratch = 4 * places * (C + K / blocks) * tiles / (double)cuts;
    const double speed = scratch > SPILL_BYTES ? SPILLED : 1;
    const double inputs = w->m == 2 ? INPUTS_2_PER_S : INPUTS_4_PER_S,
                 results = w->m == 2 ? RESULTS_2_PER_S : RESULTS_4_PER_S;
    const double work = places * tiles * (C * K / MACS_PER_S + 8 * (C * blocks / inputs + K / results) / speed) +
                        (double)tasks * TASK_SECONDS;
    const double waves = (double)(divide_up(tasks, threads) * threads) / (double)tasks;
    const double uneven = (double)(divide_up(w->rows, cuts) * cuts) / (double)w->rows *
                          (double)(divide_up(w->panels, blocks) * blocks) / (double)w->panels;
    const double largest = waves * (tasks <= 2 * threads ? uneven : 1);
    const double ways = threads < FAR_THREADS ? threads : FAR_THREADS; /* to memory */
    const double wait = filters / (filters < MIDDLE_BYTES ? MIDDLE_PER_S : FAR_PER_S) / ways +
                        again / again_rate / (again_rate > FAR_PER_S ? threads : ways);
    const double last = threads > 1 ? LAST_PART * work / (double)tasks : 0;
    return work * largest / threads + last + wait;
}

/* The direct sum, however it is cut. */
static double direct_cost(const gn_wino *w, int threads)
{
    const double pairs = (double)w->C * w->K, pixels = (double)w->N * w->dst_h * w->dst_w;
    const double far = 36 * pairs < MIDDLE_BYTES ? MIDDLE_PER_S : FAR_PER_S;
    return 9 * (pixels * pairs / MACS_PER_S + 4 * pairs / far / 2) / threads;
}

static int64_t fewest_cuts(const gn_wino *w)
{
    return divide_up(w->rows, TASK_ROWS);
}

/* The best cut for so many threads. */
static double cut_tasks(gn_wino *w, int threads)
{
    double best = 0;
    for (int64_t rows = TASK_ROWS; rows >= 1; rows /= 2)
        for (int blocks = 1; blocks <= w->panels && blocks <= BLOCKS_MAX; blocks *= 2) {
            const int64_t cuts = divide_up(w->rows, rows);
            const double now = cost(w, cuts, blocks, threads);
            if (best > 0 && now >= best)
                continue;
            best = now;
            w->tile_blocks = (int)cuts;
            w->panel_blocks = blocks;
        }
    return best;
}

static void set_edge(gn_wino *w, int m)
{
    cut_tiles(w, m);
    w->rows = divide_up(w->tiles, w->kernels->mr);
    w->nr = 2 * w->kernels->vec;
    w->panels = (w->K + w->nr - 1) / w->nr;
    w->columns = (w->K + w->kernels->vec - 1) / w->kernels->vec * w->kernels->vec;
}

/* For one thread and for the usual number of threads; only ratios count. */
static double mean_cost(gn_wino *w)
{
    return cut_tasks(w, 1) * cut_tasks(w, USUAL_THREADS);
}

/* False: the direct sum is better, or has been chosen. */
static bool finish(gn_wino *w, gn_conv_choice choice, int threads)
{
    if (choice.algorithm != GN_CONV_MODEL && choice.algorithm != GN_CONV_WINOGRAD2 &&
        choice.algorithm != GN_CONV_WINOGRAD4)
        return false;
    w->kernels = gn_igemm_current();
    w->table = gn_wino_transforms();
    if (!w->table || w->C < CHANNELS_LEAST || w->K < CHANNELS_LEAST)
        return false;
    gn_wino large = *w;
    set_edge(w, 2);
    set_edge(&large, 4);
    if (choice.algorithm == GN_CONV_MODEL) {
        const double small_cost = mean_cost(w), large_cost = mean_cost(&large);
        const double least = large_cost < small_cost ? large_cost : small_cost;
        if (least >= GAIN_WANTED * direct_cost(w, 1) * direct_cost(w, USUAL_THREADS))
            return false;
        *w = large_cost < small_cost ? large : *w;
    } else if (choice.algorithm == GN_CONV_WINOGRAD4)
        *w = large;
    if (choice.pixels > 0) {
        w->tile_blocks = choice.pixels;
        w->panel_blocks = choice.panels;
    } else
        cut_tasks(w, threads);
    return true;
}

static bool is_plain_3x3(const gn_conv *p)
{
    return p->R == 3 && p->S == 3 && p->stride_h == 1 && p->stride_w == 1 && p->dil_h == 1 && p->dil_w == 1 &&
           p->groups == 1;
}

bool gn_wino_possible(const gn_conv *p)
{
    return is_plain_3x3(p) && gn_wino_transforms() && p->C >= CHANNELS_LEAST && p->K >= CHANNELS_LEAST;
}

bool gn_wino_takes_cut(const gn_conv *p, gn_conv_choice choice)
{
    gn_conv whole = *p;
    whole.choice = (gn_conv_choice){.algorithm = choice.algorithm};
    gn_wino w;
    return gn_wino_possible(p) && gn_wino_forward(&whole, &w) && choice.panels >= 1 && choice.panels <= w.panels &&
           choice.pixels >= fewest_cuts(&w) && choice.pixels <= w.rows;
}

bool gn_wino_forward(const gn_conv *p, gn_wino *w)
{
    return gn_wino_forward_for(p, 0, w);
}

bool gn_wino_backward(const gn_conv *p, gn_wino *w)
{
    return gn_wino_backward_for(p, 0, w);
}

bool gn_wino_forward_for(const gn_conv *p, int threads, gn_wino *w)
{
    if (!is_plain_3x3(p))
        return false;
    *w = (gn_wino){.N = p->N, .src_h = p->H, .src_w = p->W, .C = p->C, .dst_h = p->P, .dst_w = p->Q, .K = p->K};
    w->src_pixel = gn_conv_src_stride(p);
    w->dst_pixel = gn_conv_dst_stride(p);
    w->pad_top = p->pad_top;
    w->pad_left = p->pad_left;
    return finish(w, p->choice, threads > 0 ? threads : THREADS_UNKNOWN);
}

bool gn_wino_backward_for(const gn_conv *p, int threads, gn_wino *w)
{
    if (!is_plain_3x3(p))
        return false;
    *w = (gn_wino){.N = p->N, .src_h = p->P, .src_w = p->Q, .C = p->K, .dst_h = p->H, .dst_w = p->W, .K = p->C};
    w->src_pixel = p->K;
    w->dst_pixel = p->C;
    w->pad_top = 2 - p->pad_top;
    w->pad_left = 2 - p->pad_left;
    w->is_backward = true;
    return finish(w, p->choice, threads > 0 ? threads : THREADS_UNKNOWN);
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
    return w->tile_blocks * w->panel_blocks;
}

/* Channels of the results of the largest block of panels. */
static int block_columns(const gn_wino *w)
{
    const int columns = (int)divide_up(w->panels, w->panel_blocks) * w->nr;
    return columns < w->K ? columns : w->K;
}

/* Tiles of the largest task, at most. */
static int task_tiles(const gn_wino *w)
{
    return (int)divide_up(w->rows, w->tile_blocks) * w->kernels->mr;
}

static size_t inputs_stride(const gn_wino *w)
{
    return (size_t)task_tiles(w) * (size_t)w->C + SKEW;
}

static size_t products_stride(const gn_wino *w)
{
    return (size_t)task_tiles(w) * (size_t)block_columns(w) + SKEW;
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

/* Panels begin..end-1, and the channels `first`.. of the results that they make. */
typedef struct panel_block {
    int begin, end, first, count;
} panel_block;

static panel_block get_block(const gn_wino *w, int index)
{
    panel_block b = {.begin = (int)gn_conv_cut(w->panels, w->panel_blocks, index),
                     .end = (int)gn_conv_cut(w->panels, w->panel_blocks, index + 1)};
    b.first = b.begin * w->nr;
    b.count = (b.end * w->nr < w->K ? b.end * w->nr : w->K) - b.first;
    return b;
}

/* Rows begin..end-1 of a task, and its tiles. */
typedef struct row_block {
    int64_t begin, end, first;
    int count;
} row_block;

static int64_t first_tile(const gn_wino *w, int64_t row)
{
    return w->tiles * row / w->rows;
}

static row_block get_rows(const gn_wino *w, int index)
{
    row_block b = {.begin = gn_conv_cut(w->rows, w->tile_blocks, index),
                   .end = gn_conv_cut(w->rows, w->tile_blocks, index + 1)};
    b.first = first_tile(w, b.begin);
    b.count = (int)(first_tile(w, b.end) - b.first);
    return b;
}

/* One row of tiles at one place: products[tile][k] for the panels of the block. */
static void multiply_row(const gn_wino *w, const float *packed, panel_block block, int place, int m, const float *v,
                         float *dst)
{
    const float *rows[GN_IGEMM_MR_MAX];
    int64_t row_off[GN_IGEMM_MR_MAX];
    for (int i = 0; i < m; i++) {
        rows[i] = v + (size_t)i * (size_t)w->C;
        row_off[i] = (int64_t)i * block.count;
    }
    for (int panel = block.begin; panel < block.end; panel++) {
        const int column = panel * w->nr;
        const gn_igemm_tile tile = {dst + column - block.first,
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

/* products[place][tile][k] = sum over c of inputs[place][tile][c] * filters[place][c][first + k] */
static void multiply(const gn_wino *w, const float *packed, panel_block block, row_block tiles, const float *v,
                     float *products)
{
    for (int place = 0; place < w->places; place++)
        for (int64_t row = tiles.begin; row < tiles.end; row++) {
            const size_t at = (size_t)(first_tile(w, row) - tiles.first);
            multiply_row(w, packed, block, place, (int)(first_tile(w, row + 1) - first_tile(w, row)),
                         v + (size_t)place * inputs_stride(w) + at * (size_t)w->C,
                         products + (size_t)place * products_stride(w) + at * (size_t)block.count);
        }
}

static void transform_results(const gn_wino *w, const gn_conv_taps_call *call, panel_block block, int64_t first,
                              int count, const float *products)
{
    ptrdiff_t at[GN_WINO_TILE_MAX];
    const int64_t per_image = (int64_t)w->tiles_h * w->tiles_w;
    gn_wino_results results = {NULL,
                               call->packed + block.first,
                               products_stride(w),
                               (size_t)block.count,
                               call->dst + block.first,
                               call->residual ? call->residual + block.first : NULL,
                               at,
                               call->clamp,
                               call->curve};
    for (int t = 0; t < count; t++) {
        const int64_t tile = first + t, n = tile / per_image;
        const int i = (int)(tile % per_image) / w->tiles_w, j = (int)(tile % per_image) % w->tiles_w;
        for (int r = 0; r < w->m; r++)
            for (int s = 0; s < w->m; s++) {
                const int y = i * w->m + r, x = j * w->m + s;
                at[r * w->m + s] =
                    y < w->dst_h && x < w->dst_w ? (((ptrdiff_t)n * w->dst_h + y) * w->dst_w + x) * w->dst_pixel : -1;
            }
        results.sums = products + (size_t)t * (size_t)block.count;
        w->table->results(w->m, &results);
    }
}

void gn_wino_task(const gn_wino *w, const gn_conv_taps_call *call, int task, void *scratch)
{
    float *v = scratch, *products = v + (size_t)w->places * inputs_stride(w);
    const row_block tiles = get_rows(w, task % w->tile_blocks);
    const panel_block block = get_block(w, task / w->tile_blocks);
    transform_inputs(w, call, tiles.first, tiles.count, v);
    multiply(w, call->packed, block, tiles, v, products);
    transform_results(w, call, block, tiles.first, tiles.count, products);
}
