/* Convolution, gradient by weights: for every tap a product (channels x pixels) x (pixels x filters), summed over pixels.
 * Pixels are cut into `splits` parts with a partial result each, and the results of one part into taps and rows; chunks of pixels
 * stay in the second-level cache while all tiles of a task use them.  The micro-kernel vectorises over filters and broadcasts
 * channels, or the other way round, whichever wastes fewer lanes.  A second job adds the parts in order and writes [K,C,R,S]; a
 * single part of a 1x1 filter is the result as it stands.  3x3 filters with stride 1 go their own way (conv_winograd_weight.c).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels/conv_few.h"
#include "kernels/conv_winograd.h"
#include "kernels/conv_plan.h"

enum {
    CHUNK = 256,         /* pixels summed in registers before they go to memory: bounds the rounding error, too */
    SPLIT_PIXELS = 1024, /* per part at least: keeps the traffic of partial results near 3 % */
    TASKS_WANTED = 32,
    REDUCE_TASKS_MAX = 32,
    REDUCE_LANES = 16,
    LINE_FLOATS = 16, /* of a cache line */
};
#define TASK_FLOP 2.0e6
#define SWAP_GAIN 0.95 /* the order of [K,C,R,S] is left only for a gain of 5 % */

typedef struct weight_plan {
    const gn_igemm *kernels;
    bool is_few;     /* rows are all taps*C values of a pixel, found by offsets (conv_few.h) */
    bool is_swapped; /* tile rows are filters, columns channels: the order of [K,C,R,S], cheaper to reduce */
    bool is_touched; /* operands come from memory, not from caches, and in rows of several lines */
    bool is_direct;  /* one part that is the result: no second job */
    gn_conv_few few;
    int taps, C, K;    /* channels and filters per group */
    int rows, columns; /* of the results of one tap and group */
    int splits, tap_blocks, row_blocks;
    int64_t pixels;     /* N*P*Q; few: picture blocks */
    size_t part_floats; /* partial results of one split: [groups][taps][rows][columns], then dbias[K] */
    size_t bias_at;
} weight_plan;

/* Cycles per pixel of a product with so many rows and columns, from the limits of the micro-kernel: two multiply-adds or loads per
 * cycle, and no tile under the latency of a multiply-add. */
static double product_cost(const gn_igemm *k, int rows, int columns)
{
    const int tiles = (rows + k->mr - 1) / k->mr, nr = 2 * k->vec;
    const double m = (double)rows / tiles;
    const int rest = columns % nr, narrow = rest > 0 && rest <= k->vec, wide = columns / nr + (rest > k->vec);
    return tiles * (wide * fmax(m, 4) + narrow * fmax((m + 1) / 2, 4));
}

static int clamp_int(double x, int lo, int hi)
{
    return x < lo ? lo : x > hi ? hi : (int)x;
}

static weight_plan plan_get(const gn_conv *p)
{
    weight_plan w = {.kernels = gn_igemm_current(),
                     .is_few = gn_conv_few_fits(p),
                     .taps = p->R * p->S,
                     .C = p->C / p->groups,
                     .K = p->K / p->groups,
                     .tap_blocks = 1,
                     .row_blocks = 1};
    const double flop = 2.0 * p->N * p->P * p->Q * w.taps * w.C * p->K;
    const int want = clamp_int(flop / TASK_FLOP, 1, TASKS_WANTED);
    if (w.is_few) {
        w.few = gn_conv_few_plan(p);
        w.rows = w.taps * w.C;
        w.taps = 1;
        w.columns = w.K;
        w.pixels = (int64_t)p->N * w.few.blocks;
        w.splits = clamp_int((double)w.pixels, 1, want);
    } else {
        w.is_swapped = product_cost(w.kernels, w.K, w.C) * SWAP_GAIN <= product_cost(w.kernels, w.C, w.K);
        w.rows = w.is_swapped ? w.K : w.C;
        w.columns = w.is_swapped ? w.C : w.K;
        w.pixels = (int64_t)p->N * p->P * p->Q;
        w.splits = clamp_int((double)w.pixels / SPLIT_PIXELS, 1, want);
        const int tiles = (w.rows + w.kernels->mr - 1) / w.kernels->mr;
        w.tap_blocks = clamp_int((double)want / w.splits / p->groups, 1, w.taps);
        w.row_blocks = clamp_int((double)want / w.splits / p->groups / w.tap_blocks, 1, tiles);
        w.is_touched = 4.0 * (double)w.pixels * (p->C + p->K) > GN_CONV_CACHED_BYTES &&
                       (p->C > 2 * LINE_FLOATS || p->K > 2 * LINE_FLOATS);
        w.is_direct = w.is_swapped && w.taps == 1 && w.splits == 1;
    }
    w.bias_at = (size_t)p->groups * (size_t)w.taps * (size_t)w.rows * (size_t)w.columns;
    w.part_floats = w.bias_at + (size_t)p->K;
    return w;
}

size_t gn_conv_bwd_weight_partial_bytes(const gn_conv *p)
{
    if (gn_wino_weight_fits(p))
        return gn_wino_weight_partial_bytes(p);
    const weight_plan w = plan_get(p);
    return (size_t)w.splits * w.part_floats * sizeof(float);
}

int gn_conv_bwd_weight_tasks(const gn_conv *p)
{
    if (gn_wino_weight_fits(p))
        return gn_wino_weight_tasks(p);
    const weight_plan w = plan_get(p);
    return w.splits * p->groups * w.tap_blocks * w.row_blocks;
}

/* What a task computes: taps, rows and pixels of one group and part. */
typedef struct weight_task {
    int split, group, tap_begin, tap_end, row_begin, row_end;
    int64_t pixel_begin, pixel_end;
    float *part;
    float *dbias; /* [K] of the part when this task also sums dbias of its group, else NULL */
} weight_task;

static weight_task task_get(const gn_conv_bwd_weight *call, const weight_plan *w, int task)
{
    const int row_block = task % w->row_blocks, tap_block = task / w->row_blocks % w->tap_blocks;
    const int rest = task / w->row_blocks / w->tap_blocks;
    weight_task t = {.group = rest % call->p.groups, .split = rest / call->p.groups};
    const int tiles = (w->rows + w->kernels->mr - 1) / w->kernels->mr;
    t.tap_begin = (int)gn_conv_cut(w->taps, w->tap_blocks, tap_block);
    t.tap_end = (int)gn_conv_cut(w->taps, w->tap_blocks, tap_block + 1);
    t.row_begin = (int)gn_conv_cut(w->rows, tiles, (int)gn_conv_cut(tiles, w->row_blocks, row_block));
    t.row_end = (int)gn_conv_cut(w->rows, tiles, (int)gn_conv_cut(tiles, w->row_blocks, row_block + 1));
    t.pixel_begin = gn_conv_cut(w->pixels, w->splits, t.split);
    t.pixel_end = gn_conv_cut(w->pixels, w->splits, t.split + 1);
    t.part = w->is_direct ? call->dw : (float *)call->partial + (size_t)t.split * w->part_floats;
    if (call->dbias && row_block == 0 && tap_block == 0)
        t.dbias = w->is_direct ? call->dbias : t.part + w->bias_at;
    return t;
}

/* ---- general path ---- */

/* Pointers of one chunk: x[tap*CHUNK + i] and y[i]. */
typedef struct chunk_rows {
    const float **x, **y;
    const float **ones;
} chunk_rows;

/* count pixels of a row of results, the first of which sees column w0: those outside the picture see zeros. */
static void point_run(const gn_conv *p, const float *row, const float *zeros, int w0, int count, const float **x)
{
    const ptrdiff_t step = (ptrdiff_t)p->stride_w * p->C;
    int k = 0;
    for (; k < count && w0 < 0; k++, w0 += p->stride_w)
        x[k] = zeros;
    const int inside = w0 < p->W ? (p->W - 1 - w0) / p->stride_w + 1 : 0, end = k + inside < count ? k + inside : count;
    for (const float *at = row + (ptrdiff_t)w0 * p->C; k < end; k++, at += step)
        x[k] = at;
    for (; k < count; k++)
        x[k] = zeros;
}

/* Row by row, so that an address costs an addition. */
static void point_tap(const gn_conv_bwd_weight *call, int tap, int64_t first, int count, const float **x)
{
    const gn_conv *p = &call->p;
    const int dy = tap / p->S * p->dil_h - p->pad_top, dx = tap % p->S * p->dil_w - p->pad_left;
    const int64_t per_image = (int64_t)p->P * p->Q;
    int64_t n = first / per_image;
    int i = (int)(first % per_image / p->Q), j = (int)(first % p->Q);
    for (int k = 0; k < count;) {
        const int some = p->Q - j < count - k ? p->Q - j : count - k, h = i * p->stride_h + dy;
        if (h >= 0 && h < p->H)
            point_run(p, call->src + (size_t)(n * p->H + h) * (size_t)p->W * (size_t)p->C, call->zeros,
                      j * p->stride_w + dx, some, x + k);
        else
            for (int q = 0; q < some; q++)
                x[k + q] = call->zeros;
        k += some;
        j = 0;
        if (++i == p->P) {
            i = 0;
            n++;
        }
    }
}

static void point_chunk(const gn_conv_bwd_weight *call, const weight_task *t, int64_t first, int count,
                        const chunk_rows *rows)
{
    const float *y = call->ddst + first * call->p.K;
    for (int k = 0; k < count; k++, y += call->p.K)
        rows->y[k] = y;
    for (int tap = t->tap_begin; tap < t->tap_end; tap++)
        point_tap(call, tap, first, count, rows->x + (tap - t->tap_begin) * CHUNK);
}

/* part[tap][row][column] (+)= sum over the chunk, for one panel of columns. */
static void run_panel(const weight_plan *w, const weight_task *t, const chunk_rows *rows, int count, int column,
                      bool is_first)
{
    const int nr = 2 * w->kernels->vec, n = w->columns - column < nr ? w->columns - column : nr;
    const int count_rows = t->row_end - t->row_begin, tiles = (count_rows + w->kernels->mr - 1) / w->kernels->mr;
    const int64_t row_base = (int64_t)t->group * w->rows, column_base = (int64_t)t->group * w->columns + column;
    int64_t row_off[GN_IGEMM_MR_MAX];
    for (int i = 0; i < w->kernels->mr; i++)
        row_off[i] = (int64_t)i * w->columns;
    for (int tap = t->tap_begin; tap < t->tap_end; tap++) {
        const float **x = rows->x + (size_t)(tap - t->tap_begin) * CHUNK;
        const float *const *a = w->is_swapped ? rows->y : x, *const *b = w->is_swapped ? x : rows->y;
        for (int i = 0; i < tiles; i++) {
            const int row = t->row_begin + (int)gn_conv_cut(count_rows, tiles, i);
            const int m = t->row_begin + (int)gn_conv_cut(count_rows, tiles, i + 1) - row;
            const size_t place =
                ((size_t)(t->group * w->taps + tap) * (size_t)w->rows + (size_t)row) * (size_t)w->columns;
            float *dst = t->part + place + column;
            const gn_igemm_tile tile = {dst, is_first ? NULL : dst, NULL, row_off, {-INFINITY, INFINITY}, m, n, false,
                                        {0}};
            w->kernels->outer(&tile, a, b, row_base + row, column_base, count);
        }
    }
}

/* dbias of the chunk as a product with rows of one. */
static void run_bias(const weight_plan *w, const weight_task *t, const chunk_rows *rows, int count, bool is_first)
{
    static const int64_t row_off[1] = {0};
    const int nr = 2 * w->kernels->vec;
    for (int k = 0; k < w->K; k += nr) {
        const int column = t->group * w->K + k;
        float *dst = t->dbias + column;
        const gn_igemm_tile tile = {dst, is_first ? NULL : dst,         NULL,  row_off, {-INFINITY, INFINITY},
                                    1,   w->K - k < nr ? w->K - k : nr, false, {0}};
        w->kernels->outer(&tile, rows->ones, rows->y, 0, column, count);
    }
}

/* Reads one value per cache line of a chunk's rows in order.  The tiles would meet the lines of memory with gaps, a panel at a time,
 * which the prefetchers of the hardware follow at a third of this speed. */
static float touch(const float *const *rows, int count, int floats)
{
    float sum = 0;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < floats; k += LINE_FLOATS)
            sum += rows[i][k];
    return sum;
}

static void run_general(const gn_conv_bwd_weight *call, const weight_plan *w, const weight_task *t, void *scratch)
{
    static const float one = 1;
    chunk_rows rows = {.x = scratch};
    rows.y = rows.x + (size_t)w->taps * CHUNK;
    rows.ones = rows.y + CHUNK;
    for (int i = 0; i < CHUNK; i++)
        rows.ones[i] = &one;
    volatile float touched;
    for (int64_t first = t->pixel_begin; first < t->pixel_end; first += CHUNK) {
        const int count = t->pixel_end - first < CHUNK ? (int)(t->pixel_end - first) : CHUNK;
        point_chunk(call, t, first, count, &rows);
        if (w->is_touched) {
            touched = touch(rows.x + (size_t)(t->tap_end - t->tap_begin - 1) * CHUNK, count, call->p.C);
            touched = touch(rows.y, count, call->p.K);
        }
        for (int column = 0; column < w->columns; column += 2 * w->kernels->vec)
            run_panel(w, t, &rows, count, column, first == t->pixel_begin);
        if (t->dbias)
            run_bias(w, t, &rows, count, first == t->pixel_begin);
    }
    (void)touched;
}

/* ---- few channels ---- */

/* One row of output pixels: part[row][column] += sum over q of corner[offsets[row] + q*step] * ddst[q][column]. */
static void run_few_row(const weight_plan *w, float *part, const float *corner, const int32_t *offsets,
                        const int32_t *steps, int Q, const float *ddst, bool is_first)
{
    const int mr = w->kernels->mr, tiles = (w->rows + mr - 1) / mr, nr = 2 * w->kernels->vec;
    const float *rows[GN_IGEMM_MR_MAX];
    int64_t row_off[GN_IGEMM_MR_MAX];
    for (int i = 0; i < mr; i++)
        row_off[i] = (int64_t)i * w->columns;
    for (int i = 0; i < tiles; i++) {
        const int row = (int)gn_conv_cut(w->rows, tiles, i), m = (int)gn_conv_cut(w->rows, tiles, i + 1) - row;
        for (int k = 0; k < m; k++)
            rows[k] = corner + offsets[row + k];
        for (int column = 0; column < w->columns; column += nr) {
            float *dst = part + (size_t)row * (size_t)w->columns + column;
            const gn_igemm_tile tile = {dst,
                                        is_first ? NULL : dst,
                                        NULL,
                                        row_off,
                                        {-INFINITY, INFINITY},
                                        m,
                                        w->columns - column < nr ? w->columns - column : nr,
                                        false,
                                        {0}};
            w->kernels->offsets(&tile, rows, steps, Q, ddst + column, w->columns);
        }
    }
}

static void run_few_bias(const weight_plan *w, float *dbias, const float *ddst, int Q, bool is_first)
{
    static const float one = 1;
    static const int64_t row_off[1] = {0};
    const float *rows[1] = {&one};
    const int nr = 2 * w->kernels->vec;
    static const int32_t stay[CHUNK] = {0};
    for (int k = 0; k < w->columns; k += nr)
        for (int q = 0; q < Q; q += CHUNK) {
            float *dst = dbias + k;
            const gn_igemm_tile tile = {
                dst, is_first && q == 0 ? NULL : dst,           NULL,  row_off, {-INFINITY, INFINITY},
                1,   w->columns - k < nr ? w->columns - k : nr, false, {0}};
            w->kernels->offsets(&tile, rows, stay, Q - q < CHUNK ? Q - q : CHUNK,
                                ddst + (size_t)q * (size_t)w->columns + k, w->columns);
        }
}

static void run_few(const gn_conv_bwd_weight *call, const weight_plan *w, const weight_task *t, void *scratch)
{
    const gn_conv *p = &call->p;
    float *copy = scratch;
    int32_t *offsets = (int32_t *)(void *)(copy + w->few.floats), *steps = offsets + w->rows;
    bool is_first = true;
    for (int64_t item = t->pixel_begin; item < t->pixel_end; item++) {
        const int n = (int)(item / w->few.blocks), block = (int)(item % w->few.blocks);
        const int count = gn_conv_few_gather(p, &w->few, call->src, call->is_plain, n, block, copy, offsets);
        for (int i = 0; i < count; i++, is_first = false) {
            int step;
            const float *corner = gn_conv_few_corner(p, &w->few, copy, call->is_plain, i, 0, &step);
            const size_t row = (size_t)n * (size_t)p->P + (size_t)(block * w->few.rows + i);
            const float *ddst = call->ddst + row * (size_t)p->Q * (size_t)p->K;
            for (int q = 0; is_first && q < p->Q; q++)
                steps[q] = q * step;
            run_few_row(w, t->part, corner, offsets, steps, p->Q, ddst, is_first);
            if (t->dbias)
                run_few_bias(w, t->dbias, ddst, p->Q, is_first);
        }
    }
}

size_t gn_conv_bwd_weight_scratch_bytes(const gn_conv *p)
{
    if (gn_wino_weight_fits(p))
        return gn_wino_weight_scratch_bytes(p);
    const weight_plan w = plan_get(p);
    if (w.is_few)
        return (w.few.floats + (size_t)w.rows + (size_t)p->Q) * sizeof(float);
    return ((size_t)w.taps + 2) * CHUNK * sizeof(const float *);
}

void gn_conv_bwd_weight_task(const gn_conv_bwd_weight *call, int task, void *scratch)
{
    GN_ASSERT(!call->is_plain || gn_conv_few_fits(&call->p));
    if (gn_wino_weight_fits(&call->p)) {
        gn_wino_weight_task(call, task, scratch);
        return;
    }
    const weight_plan w = plan_get(&call->p);
    const weight_task t = task_get(call, &w, task);
    if (w.is_few)
        run_few(call, &w, &t, scratch);
    else
        run_general(call, &w, &t, scratch);
}

/* ---- second job: sum of the parts ---- */

static int reduce_units(const gn_conv *p)
{
    return p->groups * ((p->K / p->groups + REDUCE_LANES - 1) / REDUCE_LANES);
}

int gn_conv_bwd_weight_reduce_tasks(const gn_conv *p)
{
    if (gn_wino_weight_fits(p))
        return gn_wino_weight_reduce_tasks(p);
    const int units = reduce_units(p);
    return units < REDUCE_TASKS_MAX ? units : REDUCE_TASKS_MAX;
}

/* sum[j] over all parts of `lanes` neighbours at `src` of the first part, in the order of the parts. */
static void sum_parts(const float *src, int splits, size_t part_floats, int lanes, float *sum)
{
    if (lanes == REDUCE_LANES) {
        for (int j = 0; j < REDUCE_LANES; j++)
            sum[j] = src[j];
        for (int s = 1; s < splits; s++) {
            src += part_floats;
            for (int j = 0; j < REDUCE_LANES; j++)
                sum[j] += src[j];
        }
        return;
    }
    for (int j = 0; j < lanes; j++) {
        sum[j] = src[j];
        for (int s = 1; s < splits; s++)
            sum[j] += src[(size_t)s * part_floats + (size_t)j];
    }
}

/* Filters k..k+lanes-1 of a group, columns of the partial results being filters. */
static void reduce_filters(const gn_conv_bwd_weight *call, const weight_plan *w, int taps, int C, int group, int k,
                           int lanes)
{
    const size_t filter_floats = (size_t)C * (size_t)taps;
    const float *part = (const float *)call->partial + (size_t)group * filter_floats * (size_t)w->K + k;
    float *dw = call->dw + (size_t)(group * w->K + k) * filter_floats;
    float sum[REDUCE_LANES];
    for (int c = 0; c < C; c++)
        for (int tap = 0; tap < taps; tap++, dw++) {
            sum_parts(part + (size_t)(tap * C + c) * (size_t)w->K, w->splits, w->part_floats, lanes, sum);
            for (int j = 0; j < lanes; j++)
                dw[(size_t)j * filter_floats] = sum[j];
        }
}

/* The same with filters as rows and channels as columns. */
static void reduce_swapped(const gn_conv_bwd_weight *call, const weight_plan *w, int group, int k, int lanes)
{
    const size_t K = (size_t)w->K, C = (size_t)w->C, taps = (size_t)w->taps;
    float sum[REDUCE_LANES];
    for (size_t row = (size_t)k; row < (size_t)(k + lanes); row++)
        for (size_t tap = 0; tap < taps; tap++) {
            const float *part = (const float *)call->partial + (((size_t)group * taps + tap) * K + row) * C;
            float *dw = call->dw + (((size_t)group * K + row) * C) * taps + tap;
            for (size_t c = 0; c < C; c += REDUCE_LANES) {
                const int n = C - c < REDUCE_LANES ? (int)(C - c) : REDUCE_LANES;
                sum_parts(part + c, w->splits, w->part_floats, n, sum);
                for (int j = 0; j < n; j++)
                    dw[(c + (size_t)j) * taps] = sum[j];
            }
        }
}

void gn_conv_bwd_weight_reduce_task(const gn_conv_bwd_weight *call, int task)
{
    const gn_conv *p = &call->p;
    if (gn_wino_weight_fits(p)) {
        gn_wino_weight_reduce_task(call, task);
        return;
    }
    const weight_plan w = plan_get(p);
    if (w.is_direct)
        return;
    const int units = reduce_units(p), per_group = units / p->groups, tasks = gn_conv_bwd_weight_reduce_tasks(p);
    for (int i = (int)gn_conv_cut(units, tasks, task); i < (int)gn_conv_cut(units, tasks, task + 1); i++) {
        const int group = i / per_group, k = i % per_group * REDUCE_LANES;
        const int lanes = w.K - k < REDUCE_LANES ? w.K - k : REDUCE_LANES;
        if (w.is_swapped)
            reduce_swapped(call, &w, group, k, lanes);
        else
            reduce_filters(call, &w, p->R * p->S, w.C, group, k, lanes);
        if (call->dbias)
            sum_parts((const float *)call->partial + w.bias_at + group * w.K + k, w.splits, w.part_floats, lanes,
                      call->dbias + group * w.K + k);
    }
}
