/* Convolution with at most four input channels: the padded copy of a block of picture rows, and the forward driver.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv_few.h"

#include <string.h>

#include "base/memory.h"

enum { CHANNELS_MAX = 4 };
#define COPY_BYTES_MAX (96 * 1024) /* of a block: a part of the second-level cache */
#define FLOATS_MAX     (16 * 1024 * 1024)

bool gn_conv_few_fits(const gn_conv *p)
{
    if (p->groups != 1 || p->src_stride > p->C || p->C > CHANNELS_MAX || (p->C == 4 && p->R * p->S == 1))
        return false;
    const gn_conv_few f = gn_conv_few_plan(p);
    return f.floats < FLOATS_MAX;
}

static size_t copy_floats(const gn_conv *p, int width, int src_rows)
{
    return (size_t)src_rows * (size_t)width * (size_t)p->C + GN_PAD_BYTES / sizeof(float);
}

gn_conv_few gn_conv_few_plan(const gn_conv *p)
{
    gn_conv_few f = {0};
    f.width = (p->Q - 1) * p->stride_w + (p->S - 1) * p->dil_w + 1;
    const int height = (p->R - 1) * p->dil_h + 1;
    f.rows = 1;
    while (f.rows < p->P && f.rows < 8 &&
           copy_floats(p, f.width, f.rows * p->stride_h + height) * sizeof(float) <= COPY_BYTES_MAX)
        f.rows++;
    f.blocks = (p->P + f.rows - 1) / f.rows;
    f.rows = (p->P + f.blocks - 1) / f.blocks;
    f.src_rows = (f.rows - 1) * p->stride_h + height;
    f.floats = copy_floats(p, f.width, f.src_rows);
    return f;
}

/* One row of `width` pixels of `depth` floats, of which the source has those from column 0 to W-1; it begins pad_left before. */
static void copy_row(float *dst, const float *src, int width, int W, int pad_left, int depth)
{
    const int begin = pad_left < 0 ? 0 : pad_left > width ? width : pad_left;
    int end = W + pad_left < width ? W + pad_left : width;
    end = end < begin ? begin : end;
    memset(dst, 0, (size_t)(begin * depth) * sizeof *dst);
    memcpy(dst + begin * depth, src + (ptrdiff_t)(begin - pad_left) * depth,
           (size_t)((end - begin) * depth) * sizeof *dst);
    memset(dst + end * depth, 0, (size_t)((width - end) * depth) * sizeof *dst);
}

int gn_conv_few_gather(const gn_conv *p, const gn_conv_few *f, const float *src, bool is_plain, int n, int block,
                       float *copy, int32_t *offsets)
{
    const int planes = is_plain ? p->C : 1, depth = is_plain ? 1 : p->C;
    const int first = block * f->rows;
    const int rows = first + f->rows < p->P ? f->rows : p->P - first;
    const size_t row_floats = (size_t)f->width * (size_t)depth, plane_floats = (size_t)f->src_rows * row_floats;
    src += (size_t)n * (size_t)p->C * (size_t)p->H * (size_t)p->W;
    const int used = (rows - 1) * p->stride_h + (p->R - 1) * p->dil_h + 1;
    for (int c = 0; c < planes; c++)
        for (int i = 0; i < used; i++) {
            const int y = first * p->stride_h - p->pad_top + i;
            float *dst = copy + (size_t)c * plane_floats + (size_t)i * row_floats;
            if (y < 0 || y >= p->H)
                memset(dst, 0, row_floats * sizeof *dst);
            else
                copy_row(dst, src + ((size_t)c * (size_t)p->H + (size_t)y) * (size_t)p->W * (size_t)depth, f->width,
                         p->W, p->pad_left, depth);
        }
    for (int r = 0; r < p->R; r++)
        for (int s = 0; s < p->S; s++)
            for (int c = 0; c < p->C; c++)
                *offsets++ = (int32_t)((size_t)(r * p->dil_h) * row_floats + (size_t)(s * p->dil_w * depth) +
                                       (size_t)c * (is_plain ? plane_floats : 1));
    return rows;
}

const float *gn_conv_few_corner(const gn_conv *p, const gn_conv_few *f, const float *copy, bool is_plain, int i, int q,
                                int *step)
{
    const int depth = is_plain ? 1 : p->C;
    *step = p->stride_w * depth;
    return copy + (size_t)(i * p->stride_h) * (size_t)f->width * (size_t)depth + (size_t)q * (size_t)*step;
}

int gn_conv_few_tasks(const gn_conv *p)
{
    return p->N * gn_conv_few_plan(p).blocks;
}

/* ---- forward ----
 * Pixels that see nothing but the picture read it where it lies; for a tile that reaches beyond, what it sees is copied. */

/* Where the values that a filter sees lie from its first one: in the picture, and in a tile's copy. */
typedef struct view {
    int32_t *in_picture, *in_copy; /* [R*S*C] */
    float *copy;
    size_t row, plane; /* floats of the copy from one row, one plane to the next */
    int depth, planes; /* plain pictures have planes of one channel */
} view;

static int copy_width(const gn_conv *p)
{
    return (GN_IGEMM_MR_MAX - 1) * p->stride_w + (p->S - 1) * p->dil_w + 1;
}

size_t gn_conv_few_scratch_bytes(const gn_conv *p)
{
    const size_t seen = (size_t)(p->R * p->S * p->C);
    return (2 * seen + (size_t)(p->R * p->C) * (size_t)copy_width(p)) * sizeof(float) + GN_PAD_BYTES;
}

static view make_view(const gn_conv *p, bool is_plain, void *scratch)
{
    view v = {.in_picture = scratch, .depth = is_plain ? 1 : p->C, .planes = is_plain ? p->C : 1};
    v.in_copy = v.in_picture + p->R * p->S * p->C;
    v.copy = (float *)(void *)(v.in_copy + p->R * p->S * p->C);
    v.row = (size_t)(copy_width(p) * v.depth);
    v.plane = (size_t)p->R * v.row;
    const size_t plane = is_plain ? (size_t)p->H * (size_t)p->W : 1, copy_plane = is_plain ? v.plane : 1;
    int i = 0;
    for (size_t r = 0; r < (size_t)p->R; r++)
        for (size_t s = 0; s < (size_t)p->S; s++)
            for (size_t c = 0; c < (size_t)p->C; c++, i++) {
                const size_t column = s * (size_t)(p->dil_w * v.depth);
                v.in_picture[i] = (int32_t)(r * (size_t)(p->dil_h * p->W * v.depth) + column + c * plane);
                v.in_copy[i] = (int32_t)(r * v.row + column + c * copy_plane);
            }
    return v;
}

/* Copies what m pixels see, the first of which has its filter at (y, x) of the picture, with zeros outside. */
static void copy_tile(const gn_conv *p, const view *v, const float *picture, int y, int x, int m)
{
    const int width = (m - 1) * p->stride_w + (p->S - 1) * p->dil_w + 1;
    for (int c = 0; c < v->planes; c++)
        for (int r = 0; r < p->R; r++) {
            const int h = y + r * p->dil_h;
            float *dst = v->copy + (size_t)c * v->plane + (size_t)r * v->row;
            if (h < 0 || h >= p->H)
                memset(dst, 0, (size_t)(width * v->depth) * sizeof *dst);
            else
                copy_row(dst, picture + ((size_t)c * (size_t)p->H + (size_t)h) * (size_t)(p->W * v->depth), width, p->W,
                         -x, v->depth);
        }
}

/* All panels of a tile. */
static void run_tile(const gn_conv_taps *t, const gn_conv_fwd *call, int m, const float *const *rows,
                     const int32_t *offsets, const int64_t *row_off)
{
    for (int j = 0; j < t->panels; j++) {
        const gn_conv_panel panel = gn_conv_taps_panel(t, j);
        const float *bias = (const float *)call->packed + panel.offset;
        const gn_igemm_tile tile = {call->dst + panel.column,
                                    call->residual ? call->residual + panel.column : NULL,
                                    bias,
                                    row_off,
                                    call->clamp,
                                    m,
                                    panel.n,
                                    t->bypass && call->residual != call->dst,
                                    call->curve};
        t->kernels->offsets(&tile, rows, offsets, t->taps * t->kc, bias + panel.ldb, panel.ldb);
    }
}

/* Row i of the result, from tile to tile. */
static void run_row(const gn_conv_taps *t, const gn_conv_fwd *call, const view *v, const float *picture, int i,
                    int64_t dst_off)
{
    const gn_conv *p = &call->p;
    const int tiles = (p->Q + t->kernels->mr - 1) / t->kernels->mr, y = i * p->stride_h - p->pad_top;
    const bool has_rows = y >= 0 && y + (p->R - 1) * p->dil_h < p->H;
    const float *rows[GN_IGEMM_MR_MAX];
    int64_t row_off[GN_IGEMM_MR_MAX];
    for (int j = 0; j < tiles; j++) {
        const int q = (int)gn_conv_cut(p->Q, tiles, j), m = (int)gn_conv_cut(p->Q, tiles, j + 1) - q;
        const int x = q * p->stride_w - p->pad_left, step = p->stride_w * v->depth;
        const bool is_inside = has_rows && x >= 0 && x + (m - 1) * p->stride_w + (p->S - 1) * p->dil_w < p->W;
        if (!is_inside)
            copy_tile(p, v, picture, y, x, m);
        const float *first = is_inside ? picture + ((size_t)y * (size_t)p->W + (size_t)x) * (size_t)v->depth : v->copy;
        for (int k = 0; k < m; k++) {
            rows[k] = first + (ptrdiff_t)k * step;
            row_off[k] = dst_off + (int64_t)(q + k) * t->dst_pixel;
        }
        run_tile(t, call, m, rows, is_inside ? v->in_picture : v->in_copy, row_off);
    }
}

void gn_conv_few_task(const gn_conv_fwd *call, bool is_plain, int task, void *scratch)
{
    const gn_conv *p = &call->p;
    gn_conv_taps t;
    gn_conv_taps_forward(p, &t);
    const gn_conv_few f = gn_conv_few_plan(p);
    const view v = make_view(p, is_plain, scratch);
    const int n = task / f.blocks, begin = task % f.blocks * f.rows;
    const int end = begin + f.rows < p->P ? begin + f.rows : p->P;
    const float *picture = call->src + (size_t)n * (size_t)p->C * (size_t)p->H * (size_t)p->W;
    for (int i = begin; i < end; i++)
        run_row(&t, call, &v, picture, i, ((int64_t)n * p->P + i) * p->Q * t.dst_pixel);
    t.kernels->fence();
}
