/* Grouped 3x3 convolution by Winograd's tiles: which shapes it serves, packing, tasks (see conv_groups.h).
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv_groups.h"

#include <string.h>

#include "base/memory.h"
#include "kernels/vec_tables.h"

enum {
    LANES_MAX = 16,
    TILE = 4,
    EDGE_LEAST = 4,   /* smaller results have too few whole tiles */
    TASK_BLOCKS = 4,  /* blocks of channels of a task, at most */
    TASK_TILES = 28,  /* inputs and products of a task: half of the second-level cache */
    TASKS_WANTED = 8, /* as long as a task keeps some tiles */
    TILES_LEAST = 8,
    SKEW = 16, /* floats between places, against addresses that meet in one set of a cache */
};

static const gn_groups_table *table(int *lanes_out)
{
    switch (gn_vec_rung()) {
#ifdef GN_HAVE_AVX512
    case GN_VEC_AVX512:
        *lanes_out = 16;
        return &gn_groups__avx512;
#endif
#ifdef GN_HAVE_AVX2
    case GN_VEC_AVX2:
        *lanes_out = 8;
        return &gn_groups__avx2;
#endif
#ifdef GN_HAVE_NEON
    case GN_VEC_NEON:
        *lanes_out = 4;
        return &gn_groups__neon;
#endif
    default:
        return NULL;
    }
}

static void cut(gn_groups *g)
{
    g->block_cuts = (g->blocks + TASK_BLOCKS - 1) / TASK_BLOCKS;
    if (g->block_cuts > 2) /* counts that 2 and 4 threads divide */
        g->block_cuts = (g->block_cuts + 3) / 4 * 4;
    g->tile_cuts = (g->w.tiles + TASK_TILES - 1) / TASK_TILES;
    while (g->tile_cuts * g->block_cuts < TASKS_WANTED && g->w.tiles / g->tile_cuts >= 2 * TILES_LEAST)
        g->tile_cuts *= 2;
}

bool gn_groups_forward(const gn_conv *p, gn_groups *g)
{
    int lanes = 0;
    const int width = p->C / p->groups;
    const bool is_3x3 =
        p->R == 3 && p->S == 3 && p->stride_h == 1 && p->stride_w == 1 && p->dil_h == 1 && p->dil_w == 1;
    const bool is_chosen = p->choice.algorithm == GN_CONV_MODEL || p->choice.algorithm == GN_CONV_WINOGRAD4;
    if (!is_3x3 || !is_chosen || p->groups < 2 || p->C != p->K || p->P < EDGE_LEAST || p->Q < EDGE_LEAST)
        return false;
    *g = (gn_groups){.table = table(&lanes), .width = width, .block = lanes};
    /* at least half of a vector: of narrower groups most products would be with zeros */
    if (!g->table || width > lanes || 2 * width < lanes || lanes % width != 0)
        return false;
    g->blocks = (p->C + lanes - 1) / lanes;
    gn_wino *w = &g->w;
    *w = (gn_wino){.N = p->N, .src_h = p->H, .src_w = p->W, .C = p->C, .dst_h = p->P, .dst_w = p->Q, .K = p->K};
    w->table = gn_wino_transforms();
    w->src_pixel = gn_conv_src_stride(p);
    w->dst_pixel = gn_conv_dst_stride(p);
    w->pad_top = p->pad_top;
    w->pad_left = p->pad_left;
    w->m = TILE;
    w->edge = TILE + 2;
    w->places = w->edge * w->edge;
    w->tiles_h = (p->P + TILE - 1) / TILE;
    w->tiles_w = (p->Q + TILE - 1) / TILE;
    w->tiles = (int64_t)p->N * w->tiles_h * w->tiles_w;
    cut(g);
    return true;
}

/* ---- filters: bias of all blocks, then of every block its places: `block` rows of `block` floats ---- */

static size_t block_floats(const gn_groups *g)
{
    return (size_t)g->w.places * (size_t)g->block * (size_t)g->block;
}

static size_t block_offset(const gn_groups *g, int block)
{
    return (size_t)g->blocks * (size_t)g->block + (size_t)block * block_floats(g);
}

size_t gn_groups_pack_bytes(const gn_groups *g)
{
    return sizeof(float) * block_offset(g, g->blocks);
}

void gn_groups_pack(const gn_groups *g, const float *weight, const float *bias, const float *scale, float *packed,
                    int panel_begin, int panel_end)
{
    float taps[9][LANES_MAX];
    const int lanes = g->block, width = g->width;
    for (int panel = panel_begin; panel < panel_end; panel++) {
        const int first = panel * lanes;
        for (int j = 0; j < lanes; j++)
            packed[first + j] = bias && first + j < g->w.K ? bias[first + j] : 0.0f;
        for (int c = 0; c < lanes; c++) {
            memset(taps, 0, sizeof taps);
            for (int j = c / width * width; j < (c / width + 1) * width && first + j < g->w.K; j++) {
                const float *filter = weight + ((size_t)(first + j) * (size_t)width + (size_t)(c % width)) * 9;
                for (int i = 0; i < 9; i++)
                    taps[i][j] = filter[i] * (scale ? scale[first + j] : 1.0f);
            }
            g->w.table->filters(TILE, taps[0], LANES_MAX, packed + block_offset(g, panel) + c * lanes,
                                (size_t)lanes * (size_t)lanes, (size_t)lanes);
        }
    }
}

/* ---- tasks ---- */

int gn_groups_tasks(const gn_groups *g)
{
    return (int)g->tile_cuts * g->block_cuts;
}

/* Floats from one place to the next: all tiles of the largest task. */
static size_t place_stride(const gn_groups *g)
{
    const int64_t tiles = (g->w.tiles + g->tile_cuts - 1) / g->tile_cuts;
    const int blocks = (g->blocks + g->block_cuts - 1) / g->block_cuts;
    return (size_t)tiles * (size_t)(blocks * g->block) + SKEW;
}

size_t gn_groups_scratch_bytes(const gn_groups *g)
{
    return 2 * sizeof(float) * (size_t)g->w.places * place_stride(g) + GN_PAD_BYTES;
}

/* What a task owns: channels first..first+count-1 of tiles begin..end-1. */
typedef struct part {
    int first, count;
    int64_t begin, end;
} part;

static void find_tile(const gn_wino *w, int64_t tile, int64_t *n, int *i, int *j)
{
    const int64_t per_image = (int64_t)w->tiles_h * w->tiles_w;
    *n = tile / per_image;
    *i = (int)(tile % per_image) / w->tiles_w;
    *j = (int)(tile % per_image) % w->tiles_w;
}

static void transform_inputs(const gn_groups *g, const gn_conv_taps_call *call, const part *own, float *v)
{
    const float *rows[GN_WINO_PLACES_MAX];
    const gn_wino *w = &g->w;
    const size_t image = (size_t)w->src_h * (size_t)w->src_w * (size_t)w->src_pixel;
    for (int64_t tile = own->begin; tile < own->end; tile++, v += own->count) {
        int64_t n;
        int i, j;
        find_tile(w, tile, &n, &i, &j);
        gn_wino_point(w, call->src + own->first + (size_t)n * image, call->zeros, i, j, rows);
        w->table->inputs(TILE, rows, (size_t)own->count, v, place_stride(g));
    }
}

/* Asks for count floats that are wanted soon: in a network, filters come from far away. */
static void ask_for(const float *p, int count)
{
    for (int i = 0; i < count; i += 16)
        __builtin_prefetch(p + i, 0, 2);
}

static void multiply(const gn_groups *g, const float *packed, const part *own, const float *v, float *products)
{
    const int tiles = (int)(own->end - own->begin), lanes = g->block;
    for (int c = 0; c < own->count; c += lanes) {
        const float *b = packed + block_offset(g, (own->first + c) / lanes);
        const int n = own->count - c < lanes ? own->count - c : lanes;
        for (int place = 0; place < g->w.places; place++, b += lanes * lanes) {
            const size_t at = (size_t)place * place_stride(g) + (size_t)c;
            if (c + lanes < own->count)
                ask_for(b + block_floats(g), lanes * lanes);
            g->table->products(v + at, b, products + at, (size_t)own->count, tiles, n > lanes / 2 ? lanes : lanes / 2,
                               n);
        }
    }
}

static void transform_results(const gn_groups *g, const gn_conv_taps_call *call, const part *own, const float *products)
{
    const gn_wino *w = &g->w;
    ptrdiff_t at[GN_WINO_TILE_MAX];
    gn_wino_results results = {.sums = products,
                               .bias = call->packed + own->first,
                               .stride = place_stride(g),
                               .K = (size_t)own->count,
                               .dst = call->dst + own->first,
                               .residual = call->residual ? call->residual + own->first : NULL,
                               .at = at,
                               .clamp = call->clamp,
                               .curve = call->curve};
    for (int64_t tile = own->begin; tile < own->end; tile++, results.sums += own->count) {
        int64_t n;
        int i, j;
        find_tile(w, tile, &n, &i, &j);
        for (int r = 0; r < TILE; r++)
            for (int s = 0; s < TILE; s++) {
                const int y = i * TILE + r, x = j * TILE + s;
                at[r * TILE + s] =
                    y < w->dst_h && x < w->dst_w ? (((ptrdiff_t)n * w->dst_h + y) * w->dst_w + x) * w->dst_pixel : -1;
            }
        w->table->results(TILE, &results);
    }
}

void gn_groups_task(const gn_groups *g, const gn_conv_taps_call *call, int task, void *scratch)
{
    float *v = scratch, *products = v + (size_t)g->w.places * place_stride(g);
    const int cut = task % g->block_cuts, tile_cut = task / g->block_cuts;
    const int begin = (int)gn_conv_cut(g->blocks, g->block_cuts, cut) * g->block;
    const int end = (int)gn_conv_cut(g->blocks, g->block_cuts, cut + 1) * g->block;
    const part own = {begin, (end < g->w.C ? end : g->w.C) - begin,
                      gn_conv_cut(g->w.tiles, (int)g->tile_cuts, tile_cut),
                      gn_conv_cut(g->w.tiles, (int)g->tile_cuts, tile_cut + 1)};
    ask_for(call->packed + block_offset(g, begin / g->block), (int)block_floats(g));
    transform_inputs(g, call, &own, v);
    multiply(g, call->packed, &own, v, products);
    transform_results(g, call, &own, products);
}
