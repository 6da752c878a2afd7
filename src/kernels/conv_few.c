/* Convolution with at most four input channels: the padded copy of a block of picture rows, and the forward driver on it.
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

size_t gn_conv_few_scratch_bytes(const gn_conv *p)
{
    const gn_conv_few f = gn_conv_few_plan(p);
    return (f.floats + (size_t)(p->R * p->S * p->C)) * sizeof(float);
}

/* One row of the result, from tile to tile; all panels while the tile's pixels are near. */
static void run_row(const gn_conv_taps *t, const gn_conv_fwd *call, const float *corner, int step,
                    const int32_t *offsets, int64_t dst_off)
{
    const gn_conv *p = &call->p;
    const int tiles = (p->Q + t->kernels->mr - 1) / t->kernels->mr;
    const float *rows[GN_IGEMM_MR_MAX];
    int64_t row_off[GN_IGEMM_MR_MAX];
    for (int i = 0; i < tiles; i++) {
        const int q = (int)gn_conv_cut(p->Q, tiles, i), m = (int)gn_conv_cut(p->Q, tiles, i + 1) - q;
        for (int k = 0; k < m; k++) {
            rows[k] = corner + (ptrdiff_t)(q + k) * step;
            row_off[k] = dst_off + (int64_t)(q + k) * t->dst_pixel;
        }
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
}

void gn_conv_few_task(const gn_conv_fwd *call, bool is_plain, int task, void *scratch)
{
    const gn_conv *p = &call->p;
    gn_conv_taps t;
    gn_conv_taps_forward(p, &t);
    const gn_conv_few f = gn_conv_few_plan(p);
    float *copy = scratch;
    int32_t *offsets = (int32_t *)(void *)(copy + f.floats);
    const int n = task / f.blocks, block = task % f.blocks;
    const int rows = gn_conv_few_gather(p, &f, call->src, is_plain, n, block, copy, offsets);
    for (int i = 0; i < rows; i++) {
        int step;
        const float *corner = gn_conv_few_corner(p, &f, copy, is_plain, i, 0, &step);
        const int64_t row = (int64_t)n * p->P + block * f.rows + i;
        run_row(&t, call, corner, step, offsets, row * p->Q * t.dst_pixel);
    }
    t.kernels->fence();
}
