/* Pooling, plain C: the specification of pooling.h, for a range of rows.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels/vec_tables.h"

/* Tap t at row or column `pos` of the padded picture lies inside 0..size-1. */
static bool inside(int pos, int size)
{
    return pos >= 0 && pos < size;
}

static void gn_f32_maxpool_fwd__ref(const gn_window *p, const float *src, float *dst, uint8_t *argmax, gn_rows rows)
{
    for (int64_t row = rows.begin; row < rows.end; row++) {
        const int64_t n = row / p->P;
        const int h0 = (int)(row % p->P) * p->stride_h - p->pad_top;
        for (int64_t i = 0; i < (int64_t)p->Q * p->C; i++) {
            const int w0 = (int)(i / p->C) * p->stride_w - p->pad_left, c = (int)(i % p->C);
            float best = -INFINITY;
            int arg = -1;
            for (int t = 0; t < p->R * p->S; t++) {
                const int h = h0 + t / p->S * p->dil_h, w = w0 + t % p->S * p->dil_w;
                if (!inside(h, p->H) || !inside(w, p->W))
                    continue;
                const float x = src[((n * p->H + h) * p->W + w) * gn_window_src_stride(p) + c];
                if (arg < 0 || x > best || isnan(x)) {
                    best = x;
                    arg = t;
                }
            }
            dst[(row * p->Q + i / p->C) * gn_window_dst_stride(p) + c] = best;
            if (argmax)
                argmax[row * p->Q * p->C + i] = (uint8_t)(arg < 0 ? 0 : arg);
        }
    }
}

/* The output row (or column) whose tap t falls on input row `pos`, or -1. */
static int output_of(int pos, int pad, int t, int dil, int stride, int size)
{
    const int x = pos + pad - t * dil;
    return x >= 0 && x % stride == 0 && x / stride < size ? x / stride : -1;
}

static void gn_f32_maxpool_bwd__ref(const gn_window *p, const float *ddst, const uint8_t *argmax, float *dsrc,
                                    gn_rows rows)
{
    for (int64_t row = rows.begin; row < rows.end; row++) {
        const int64_t n = row / p->H;
        for (int64_t i = 0; i < (int64_t)p->W * p->C; i++) {
            const int w = (int)(i / p->C), c = (int)(i % p->C);
            float sum = 0.0f;
            for (int t = 0; t < p->R * p->S; t++) {
                const int y = output_of((int)(row % p->H), p->pad_top, t / p->S, p->dil_h, p->stride_h, p->P);
                const int x = output_of(w, p->pad_left, t % p->S, p->dil_w, p->stride_w, p->Q);
                if (y < 0 || x < 0)
                    continue;
                const int64_t at = ((n * p->P + y) * p->Q + x) * p->C + c;
                if (argmax[at] == t)
                    sum += ddst[at];
            }
            dsrc[row * p->W * p->C + i] = sum;
        }
    }
}

/* Taps of one dimension that fall inside the picture. */
static int taps_inside(int first, int taps, int dil, int size)
{
    int count = 0;
    for (int t = 0; t < taps; t++)
        count += inside(first + t * dil, size);
    return count;
}

/* What the sum over the window of output (y, x) is multiplied with. */
static float average_factor(const gn_window *p, int y, int x)
{
    if (p->count_padding)
        return 1.0f / (float)(p->R * p->S);
    const int count = taps_inside(y * p->stride_h - p->pad_top, p->R, p->dil_h, p->H) *
                      taps_inside(x * p->stride_w - p->pad_left, p->S, p->dil_w, p->W);
    return count > 0 ? 1.0f / (float)count : 0.0f;
}

static void gn_f32_avgpool_fwd__ref(const gn_window *p, const float *src, float *dst, gn_rows rows)
{
    for (int64_t row = rows.begin; row < rows.end; row++) {
        const int64_t n = row / p->P;
        const int y = (int)(row % p->P);
        for (int64_t i = 0; i < (int64_t)p->Q * p->C; i++) {
            const int x = (int)(i / p->C), c = (int)(i % p->C);
            float sum = 0.0f;
            for (int t = 0; t < p->R * p->S; t++) {
                const int h = y * p->stride_h - p->pad_top + t / p->S * p->dil_h;
                const int w = x * p->stride_w - p->pad_left + t % p->S * p->dil_w;
                if (inside(h, p->H) && inside(w, p->W))
                    sum += src[((n * p->H + h) * p->W + w) * gn_window_src_stride(p) + c];
            }
            dst[(row * p->Q + x) * gn_window_dst_stride(p) + c] = sum * average_factor(p, y, x);
        }
    }
}

static void gn_f32_avgpool_bwd__ref(const gn_window *p, const float *ddst, float *dsrc, gn_rows rows)
{
    for (int64_t row = rows.begin; row < rows.end; row++) {
        const int64_t n = row / p->H;
        for (int64_t i = 0; i < (int64_t)p->W * p->C; i++) {
            const int w = (int)(i / p->C), c = (int)(i % p->C);
            float sum = 0.0f;
            for (int t = 0; t < p->R * p->S; t++) {
                const int y = output_of((int)(row % p->H), p->pad_top, t / p->S, p->dil_h, p->stride_h, p->P);
                const int x = output_of(w, p->pad_left, t % p->S, p->dil_w, p->stride_w, p->Q);
                if (y >= 0 && x >= 0)
                    sum += ddst[((n * p->P + y) * p->Q + x) * p->C + c] * average_factor(p, y, x);
            }
            dsrc[row * p->W * p->C + i] = sum;
        }
    }
}

/* Cell i of `cells` covers first..last-1 of `size`. */
static int cell_first(int64_t i, int cells, int size)
{
    return (int)(i * size / cells);
}

static int cell_end(int64_t i, int cells, int size)
{
    return (int)(((i + 1) * size + cells - 1) / cells);
}

static void gn_f32_adaptive_fwd__ref(const gn_window *p, const float *src, float *dst, int n, gn_rows channels)
{
    const int64_t image = (int64_t)n * p->H * p->W;
    for (int64_t i = 0; i < (int64_t)p->P * p->Q; i++) {
        const int h0 = cell_first(i / p->Q, p->P, p->H), h1 = cell_end(i / p->Q, p->P, p->H);
        const int w0 = cell_first(i % p->Q, p->Q, p->W), w1 = cell_end(i % p->Q, p->Q, p->W);
        for (int64_t c = channels.begin; c < channels.end; c++) {
            double sum = 0.0;
            for (int h = h0; h < h1; h++)
                for (int w = w0; w < w1; w++)
                    sum += src[(image + (int64_t)h * p->W + w) * gn_window_src_stride(p) + c];
            dst[((int64_t)n * p->P * p->Q + i) * gn_window_dst_stride(p) + c] =
                (float)(sum / ((double)(h1 - h0) * (w1 - w0)));
        }
    }
}

static void gn_f32_adaptive_bwd__ref(const gn_window *p, const float *ddst, float *dsrc, int n, gn_rows channels)
{
    for (int64_t i = 0; i < (int64_t)p->H * p->W; i++) {
        const int h = (int)(i / p->W), w = (int)(i % p->W);
        for (int64_t c = channels.begin; c < channels.end; c++) {
            float sum = 0.0f;
            for (int64_t cell = 0; cell < (int64_t)p->P * p->Q; cell++) {
                const int h0 = cell_first(cell / p->Q, p->P, p->H), h1 = cell_end(cell / p->Q, p->P, p->H);
                const int w0 = cell_first(cell % p->Q, p->Q, p->W), w1 = cell_end(cell % p->Q, p->Q, p->W);
                if (h0 <= h && h < h1 && w0 <= w && w < w1)
                    sum += ddst[((int64_t)n * p->P * p->Q + cell) * p->C + c] *
                           (1.0f / ((float)(h1 - h0) * (float)(w1 - w0)));
            }
            dsrc[((int64_t)n * p->H * p->W + i) * p->C + c] = sum;
        }
    }
}

const gn_pool_table gn_pool__ref = {
    .max_fwd = gn_f32_maxpool_fwd__ref,
    .max_bwd = gn_f32_maxpool_bwd__ref,
    .avg_fwd = gn_f32_avgpool_fwd__ref,
    .avg_bwd = gn_f32_avgpool_bwd__ref,
    .adaptive_fwd = gn_f32_adaptive_fwd__ref,
    .adaptive_bwd = gn_f32_adaptive_bwd__ref,
};
