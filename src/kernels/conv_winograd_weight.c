/* Winograd's convolution, gradient by weights: with y = A'[(G g) * (B' d)]A for a filter g, the gradient by g is
 * G'[sum over tiles of (A dy A') * (B' d B)]G.  The sums over tiles are a product (channels x tiles) x (tiles x filters) for every place.
 * Few channels: tiles are cut into `splits` parts with a partial result each; a second job adds the parts in order and transforms them to
 * [K,C,3,3].  Many channels, whose sums of all places would go to memory and back for every chunk of tiles: a task has a block of filters and
 * of channels, whose sums stay in the second-level cache, and transforms them itself; inputs and gradients are transformed once per block.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/conv_winograd.h"

enum {
    LANES = 16,
    SKEW = 16,
    CHUNK_TILES =
        96, /* whose transformed inputs and gradients are at work together: many, so that parts are read seldom */
    SPLITS_MAX = 16,
    SPLIT_CHUNKS = 2, /* of a part at least */
    REDUCE_TASKS_MAX = 32,
    BLOCK = 64, /* filters and channels of a block */
    TASKS_LEAST = 4,
};
#define CHUNK_BYTES       (1280 * 1024)
#define PARTS_BYTES       (4 * 1024 * 1024) /* partial results of all parts */
#define PART_BYTES_MAX    (1536 * 1024)     /* of one part; above, blocks */
#define BLOCK_CHUNK_BYTES (480 * 1024)

typedef struct weight_plan {
    gn_wino w;
    int chunk, splits;
    size_t part_floats, bias_at; /* part: [places][C][K], then dbias[K] */
    size_t input_stride, gradient_stride;
    bool is_blocked;
    int k_blocks, c_blocks, k_most, c_most; /* filters and channels of the largest block */
} weight_plan;

static void plan_blocks(weight_plan *plan)
{
    const gn_wino *w = &plan->w;
    const int large = (w->K + BLOCK - 1) / BLOCK * ((w->C + BLOCK - 1) / BLOCK),
              edge = large < TASKS_LEAST ? BLOCK / 2 : BLOCK;
    plan->is_blocked = true;
    plan->splits = 1;
    plan->k_blocks = (w->K + edge - 1) / edge;
    plan->c_blocks = (w->C + edge - 1) / edge;
    plan->k_most = (w->K + plan->k_blocks - 1) / plan->k_blocks;
    plan->c_most = (w->C + plan->c_blocks - 1) / plan->c_blocks;
    const int fit = BLOCK_CHUNK_BYTES / (4 * w->places * (plan->k_most + plan->c_most));
    plan->chunk = w->tiles < fit + fit / 2 ? (int)w->tiles : fit;
    plan->input_stride = (size_t)plan->chunk * (size_t)plan->c_most + SKEW;
    plan->gradient_stride = (size_t)plan->chunk * (size_t)plan->k_most + SKEW;
}

static bool plan_get(const gn_conv *p, weight_plan *plan)
{
    *plan = (weight_plan){0};
    gn_wino *w = &plan->w;
    if (!gn_wino_forward(p, w))
        return false;
    if (4 * (size_t)w->places * (size_t)w->C * (size_t)w->K > PART_BYTES_MAX) {
        plan_blocks(plan);
        return true;
    }
    const int fit = CHUNK_BYTES / (4 * w->places * (w->C + w->K));
    plan->chunk = fit < CHUNK_TILES ? fit : CHUNK_TILES;
    if (plan->chunk < 8)
        return false;
    plan->bias_at = (size_t)w->places * (size_t)w->C * (size_t)w->K;
    plan->part_floats = plan->bias_at + (size_t)w->K;
    const int64_t by_tiles = w->tiles / (SPLIT_CHUNKS * plan->chunk),
                  by_bytes = PARTS_BYTES / (int64_t)(4 * plan->part_floats);
    int64_t splits = by_tiles < by_bytes ? by_tiles : by_bytes;
    splits = splits < SPLITS_MAX ? splits : SPLITS_MAX;
    plan->splits = splits < 1 ? 1 : (int)splits;
    plan->input_stride = (size_t)plan->chunk * (size_t)w->C + SKEW;
    plan->gradient_stride = (size_t)plan->chunk * (size_t)w->K + SKEW;
    return true;
}

bool gn_wino_weight_fits(const gn_conv *p)
{
    weight_plan plan;
    return plan_get(p, &plan);
}

size_t gn_wino_weight_partial_bytes(const gn_conv *p)
{
    weight_plan plan;
    plan_get(p, &plan);
    return plan.is_blocked ? 0 : sizeof(float) * plan.part_floats * (size_t)plan.splits;
}

/* Places are shared out where there are few parts. */
static int place_blocks(const weight_plan *plan)
{
    return plan->splits >= 4 ? 1 : 4 / plan->splits;
}

int gn_wino_weight_tasks(const gn_conv *p)
{
    weight_plan plan;
    plan_get(p, &plan);
    return plan.is_blocked ? plan.k_blocks * plan.c_blocks : plan.splits * place_blocks(&plan);
}

/* Sums of a block: [places][filters][channels]. */
static size_t block_stride(const weight_plan *plan)
{
    return (size_t)plan->k_most * (size_t)plan->c_most + SKEW;
}

size_t gn_wino_weight_scratch_bytes(const gn_conv *p)
{
    weight_plan plan;
    plan_get(p, &plan);
    const size_t sums = plan.is_blocked ? (size_t)plan.w.places * block_stride(&plan) : 0;
    return sums * sizeof(float) + sizeof(float) * (size_t)plan.w.places * (plan.input_stride + plan.gradient_stride) +
           GN_PAD_BYTES + 2 * (size_t)plan.chunk * sizeof(const float *);
}

/* The m*m rows of dy of tile (i, j). */
static void point_gradients(const gn_wino *w, const float *image, const float *zeros, int i, int j, const float **rows)
{
    for (int r = 0; r < w->m; r++)
        for (int s = 0; s < w->m; s++) {
            const int y = i * w->m + r, x = j * w->m + s;
            *rows++ = y < w->dst_h && x < w->dst_w ? image + ((size_t)y * (size_t)w->dst_w + (size_t)x) * (size_t)w->K
                                                   : zeros;
        }
}

/* Channels and filters that a task transforms. */
typedef struct range {
    int c, n_c, k, n_k;
} range;

static void transform_chunk(const gn_conv_bwd_weight *call, const weight_plan *plan, range part, int64_t first,
                            int count, float *v, float *g)
{
    const gn_wino *w = &plan->w;
    const float *rows[GN_WINO_PLACES_MAX];
    const int64_t per_image = (int64_t)w->tiles_h * w->tiles_w;
    const size_t src_floats = (size_t)w->src_h * (size_t)w->src_w * (size_t)w->src_pixel,
                 dst_floats = (size_t)w->dst_h * (size_t)w->dst_w * (size_t)w->K;
    for (int t = 0; t < count; t++) {
        const int64_t tile = first + t, n = tile / per_image;
        const int i = (int)(tile % per_image) / w->tiles_w, j = (int)(tile % per_image) % w->tiles_w;
        gn_wino_point(w, call->src + (size_t)n * src_floats + part.c, call->zeros, i, j, rows);
        w->table->inputs(w->m, rows, (size_t)part.n_c, v + (size_t)t * (size_t)part.n_c, plan->input_stride);
        point_gradients(w, call->ddst + (size_t)n * dst_floats + part.k, call->zeros, i, j, rows);
        w->table->gradients(w->m, rows, (size_t)part.n_k, g + (size_t)t * (size_t)part.n_k, plan->gradient_stride);
    }
}

/* part[place][c][k] (+)= sum over the chunk's tiles, for one place. */
static void add_place(const weight_plan *plan, const float *const *inputs, const float *const *gradients, int place,
                      int count, float *part, bool is_first)
{
    const gn_wino *w = &plan->w;
    const int mr = w->kernels->mr, blocks = (w->C + mr - 1) / mr;
    int64_t row_off[GN_IGEMM_MR_MAX];
    for (int i = 0; i < mr; i++)
        row_off[i] = (int64_t)i * w->K;
    const int64_t a_off = (int64_t)place * (int64_t)plan->input_stride,
                  b_off = (int64_t)place * (int64_t)plan->gradient_stride;
    for (int column = 0; column < w->K; column += w->nr)
        for (int b = 0; b < blocks; b++) {
            const int row = (int)gn_conv_cut(w->C, blocks, b), m = (int)gn_conv_cut(w->C, blocks, b + 1) - row;
            float *dst = part + ((size_t)place * (size_t)w->C + (size_t)row) * (size_t)w->K + column;
            const gn_igemm_tile tile = {dst,
                                        is_first ? NULL : dst,
                                        NULL,
                                        row_off,
                                        {-INFINITY, INFINITY},
                                        m,
                                        w->K - column < w->nr ? w->K - column : w->nr,
                                        false,
                                        {0}};
            w->kernels->outer(&tile, inputs, gradients, a_off + row, b_off + column, count);
        }
}

/* Sums of dy over the tiles; rows of tiles lie in the picture. */
static void add_bias(const gn_conv_bwd_weight *call, const gn_wino *w, int64_t first, int count, float *dbias)
{
    const float *rows[GN_WINO_TILE_MAX];
    const int64_t per_image = (int64_t)w->tiles_h * w->tiles_w;
    const size_t dst_floats = (size_t)w->dst_h * (size_t)w->dst_w * (size_t)w->K;
    for (int t = 0; t < count; t++) {
        const int64_t tile = first + t, n = tile / per_image;
        const int i = (int)(tile % per_image) / w->tiles_w, j = (int)(tile % per_image) % w->tiles_w;
        point_gradients(w, call->ddst + (size_t)n * dst_floats, call->zeros, i, j, rows);
        for (int k = 0; k < w->K; k++) {
            float sum = 0;
            for (int r = 0; r < w->m * w->m; r++)
                sum += rows[r][k];
            dbias[k] += sum;
        }
    }
}

/* ---- blocks of filters and channels ---- */

/* sums[place][k][c] (+)= sum over the chunk's tiles. */
static void add_block(const weight_plan *plan, range part, const float *const *inputs, const float *const *gradients,
                      int count, float *sums, bool is_first)
{
    const gn_wino *w = &plan->w;
    const int mr = w->kernels->mr, blocks = (part.n_k + mr - 1) / mr;
    int64_t row_off[GN_IGEMM_MR_MAX];
    for (int i = 0; i < mr; i++)
        row_off[i] = (int64_t)i * part.n_c;
    for (int place = 0; place < w->places; place++)
        for (int column = 0; column < part.n_c; column += w->nr)
            for (int b = 0; b < blocks; b++) {
                const int row = (int)gn_conv_cut(part.n_k, blocks, b),
                          m = (int)gn_conv_cut(part.n_k, blocks, b + 1) - row;
                float *dst = sums + (size_t)place * block_stride(plan) + (size_t)row * (size_t)part.n_c + column;
                const gn_igemm_tile tile = {dst,
                                            is_first ? NULL : dst,
                                            NULL,
                                            row_off,
                                            {-INFINITY, INFINITY},
                                            m,
                                            part.n_c - column < w->nr ? part.n_c - column : w->nr,
                                            false,
                                            {0}};
                w->kernels->outer(&tile, gradients, inputs, (int64_t)place * (int64_t)plan->gradient_stride + row,
                                  (int64_t)place * (int64_t)plan->input_stride + column, count);
            }
}

static void write_block(const gn_conv_bwd_weight *call, const weight_plan *plan, range part, const float *sums)
{
    float g[9][LANES];
    for (int k = 0; k < part.n_k; k++)
        for (int c = 0; c < part.n_c; c += LANES) {
            const int n = part.n_c - c < LANES ? part.n_c - c : LANES;
            float *dw = call->dw + ((size_t)(part.k + k) * (size_t)plan->w.C + (size_t)(part.c + c)) * 9;
            plan->w.table->filter_gradients(plan->w.m, sums + (size_t)k * (size_t)part.n_c + c, block_stride(plan),
                                            g[0], LANES, (size_t)n);
            for (int j = 0; j < n; j++)
                for (int i = 0; i < 9; i++)
                    dw[9 * j + i] = g[i][j];
        }
}

/* dbias of the block's filters: sums of pictures, added up. */
static void write_bias(const gn_conv_bwd_weight *call, const weight_plan *plan, range part)
{
    const size_t pixels = (size_t)plan->w.dst_h * (size_t)plan->w.dst_w, K = (size_t)plan->w.K;
    for (int k = part.k; k < part.k + part.n_k; k += LANES) {
        const int n = part.k + part.n_k - k < LANES ? part.k + part.n_k - k : LANES;
        float total[LANES] = {0};
        for (size_t image = 0; image < (size_t)plan->w.N; image++) {
            const float *row = call->ddst + image * pixels * K + k;
            float sum[LANES] = {0};
            for (size_t i = 0; i < pixels; i++, row += K)
                for (int j = 0; j < n; j++)
                    sum[j] += row[j];
            for (int j = 0; j < n; j++)
                total[j] += sum[j];
        }
        memcpy(call->dbias + k, total, (size_t)n * sizeof *total);
    }
}

static void run_block(const gn_conv_bwd_weight *call, const weight_plan *plan, int task, float *scratch)
{
    const gn_wino *w = &plan->w;
    const int kb = task / plan->c_blocks, cb = task % plan->c_blocks;
    range part = {.c = (int)gn_conv_cut(w->C, plan->c_blocks, cb), .k = (int)gn_conv_cut(w->K, plan->k_blocks, kb)};
    part.n_c = (int)gn_conv_cut(w->C, plan->c_blocks, cb + 1) - part.c;
    part.n_k = (int)gn_conv_cut(w->K, plan->k_blocks, kb + 1) - part.k;
    float *v = scratch, *g = v + (size_t)w->places * plan->input_stride,
          *sums = g + (size_t)w->places * plan->gradient_stride + GN_PAD_BYTES / sizeof(float);
    const float **inputs = (const float **)(void *)(sums + (size_t)w->places * block_stride(plan)),
                **gradients = inputs + plan->chunk;
    for (int t = 0; t < plan->chunk; t++) {
        inputs[t] = v + (size_t)t * (size_t)part.n_c;
        gradients[t] = g + (size_t)t * (size_t)part.n_k;
    }
    for (int64_t first = 0; first < w->tiles; first += plan->chunk) {
        const int count = w->tiles - first < plan->chunk ? (int)(w->tiles - first) : plan->chunk;
        transform_chunk(call, plan, part, first, count, v, g);
        add_block(plan, part, inputs, gradients, count, sums, first == 0);
    }
    write_block(call, plan, part, sums);
    if (call->dbias && cb == 0)
        write_bias(call, plan, part);
}

void gn_wino_weight_task(const gn_conv_bwd_weight *call, int task, void *scratch)
{
    weight_plan plan;
    plan_get(&call->p, &plan);
    if (plan.is_blocked) {
        run_block(call, &plan, task, scratch);
        return;
    }
    const gn_wino *w = &plan.w;
    const int blocks = place_blocks(&plan), split = task / blocks, block = task % blocks;
    const int place_begin = (int)gn_conv_cut(w->places, blocks, block),
              place_end = (int)gn_conv_cut(w->places, blocks, block + 1);
    float *v = scratch, *g = v + (size_t)w->places * plan.input_stride;
    const float **inputs =
        (const float **)(void *)((char *)scratch +
                                 sizeof(float) * (size_t)w->places * (plan.input_stride + plan.gradient_stride) +
                                 GN_PAD_BYTES);
    const float **gradients = inputs + plan.chunk;
    for (int t = 0; t < plan.chunk; t++) {
        inputs[t] = v + (size_t)t * (size_t)w->C;
        gradients[t] = g + (size_t)t * (size_t)w->K;
    }
    float *part = (float *)call->partial + (size_t)split * plan.part_floats;
    const int64_t begin = gn_conv_cut(w->tiles, plan.splits, split),
                  end = gn_conv_cut(w->tiles, plan.splits, split + 1);
    if (block == 0)
        memset(part + plan.bias_at, 0, (size_t)w->K * sizeof *part);
    for (int64_t first = begin; first < end; first += plan.chunk) {
        const int count = end - first < plan.chunk ? (int)(end - first) : plan.chunk;
        transform_chunk(call, &plan, (range){0, w->C, 0, w->K}, first, count, v, g);
        for (int place = place_begin; place < place_end; place++)
            add_place(&plan, inputs, gradients, place, count, part, first == begin);
        if (call->dbias && block == 0)
            add_bias(call, w, first, count, part + plan.bias_at);
    }
}

/* ---- second job ---- */

int gn_wino_weight_reduce_tasks(const gn_conv *p)
{
    weight_plan plan;
    plan_get(p, &plan);
    if (plan.is_blocked)
        return 0;
    return p->C < REDUCE_TASKS_MAX ? p->C : REDUCE_TASKS_MAX;
}

/* Filters k..k+n-1, channel c. */
static void reduce_lanes(const gn_conv_bwd_weight *call, const weight_plan *plan, int c, int k, int n)
{
    const gn_wino *w = &plan->w;
    float u[GN_WINO_PLACES_MAX][LANES], g[9][LANES];
    memset(u, 0, sizeof u);
    for (int place = 0; place < w->places; place++) {
        const float *part =
            (const float *)call->partial + ((size_t)place * (size_t)w->C + (size_t)c) * (size_t)w->K + k;
        for (int s = 0; s < plan->splits; s++, part += plan->part_floats)
            for (int j = 0; j < n; j++)
                u[place][j] += part[j];
    }
    w->table->filter_gradients(w->m, u[0], LANES, g[0], LANES, (size_t)n);
    for (int j = 0; j < n; j++)
        for (int i = 0; i < 9; i++)
            call->dw[((size_t)(k + j) * (size_t)w->C + (size_t)c) * 9 + (size_t)i] = g[i][j];
}

void gn_wino_weight_reduce_task(const gn_conv_bwd_weight *call, int task)
{
    weight_plan plan;
    plan_get(&call->p, &plan);
    const int C = plan.w.C, K = plan.w.K, tasks = gn_wino_weight_reduce_tasks(&call->p);
    for (int c = (int)gn_conv_cut(C, tasks, task); c < (int)gn_conv_cut(C, tasks, task + 1); c++)
        for (int k = 0; k < K; k += LANES)
            reduce_lanes(call, &plan, c, k, K - k < LANES ? K - k : LANES);
    for (int k = 0; call->dbias && task == 0 && k < K; k++) {
        const float *part = (const float *)call->partial + plan.bias_at + k;
        call->dbias[k] = part[0];
        for (int s = 1; s < plan.splits; s++)
            call->dbias[k] += part[(size_t)s * plan.part_floats];
    }
}
