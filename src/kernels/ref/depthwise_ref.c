/* Depthwise convolution, plain C: the specification of depthwise.h, for a range of rows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/ref/curve_ref.h"
#include "kernels/vec_tables.h"

static void gn_f32_dw_fwd__ref(const gn_dw_fwd *call, gn_rows rows)
{
    const gn_conv *p = &call->p;
    const float *weight = call->packed, *bias = weight + (int64_t)p->R * p->S * p->C;
    for (int64_t row = rows.begin; row < rows.end; row++) {
        const int64_t n = row / p->P;
        const int h0 = (int)(row % p->P) * p->stride_h - p->pad_top;
        for (int64_t i = 0; i < (int64_t)p->Q * p->C; i++) {
            const int w0 = (int)(i / p->C) * p->stride_w - p->pad_left, c = (int)(i % p->C);
            const int64_t at = (row * p->Q + i / p->C) * gn_conv_dst_stride(p) + c;
            double sum = (double)bias[c];
            for (int t = 0; t < p->R * p->S; t++) {
                const int h = h0 + t / p->S * p->dil_h, w = w0 + t % p->S * p->dil_w;
                if (h >= 0 && h < p->H && w >= 0 && w < p->W)
                    sum += (double)call->src[((n * p->H + h) * p->W + w) * gn_conv_src_stride(p) + c] *
                           (double)weight[(int64_t)t * p->C + c];
            }
            sum = gn_curve_ref(call->curve, sum);
            if (call->residual)
                sum += (double)call->residual[at];
            const float y = (float)sum;
            const float above = y < call->clamp.lo ? call->clamp.lo : y;
            call->dst[at] = above > call->clamp.hi ? call->clamp.hi : above;
        }
    }
}

/* The output row (or column) whose tap t falls on input row `pos`, or -1. */
static int output_of(int pos, int pad, int t, int dil, int stride, int size)
{
    const int x = pos + pad - t * dil;
    return x >= 0 && x % stride == 0 && x / stride < size ? x / stride : -1;
}

static void gn_f32_dw_bwd_data__ref(const gn_dw_bwd_data *call, gn_rows rows)
{
    const gn_conv *p = &call->p;
    const float *weight = call->packed;
    for (int64_t row = rows.begin; row < rows.end; row++) {
        const int64_t n = row / p->H;
        for (int64_t i = 0; i < (int64_t)p->W * p->C; i++) {
            const int w = (int)(i / p->C), c = (int)(i % p->C);
            float *dsrc = call->dsrc + row * p->W * p->C + i;
            double sum = call->accumulate ? (double)*dsrc : 0.0;
            for (int t = 0; t < p->R * p->S; t++) {
                const int y = output_of((int)(row % p->H), p->pad_top, t / p->S, p->dil_h, p->stride_h, p->P);
                const int x = output_of(w, p->pad_left, t % p->S, p->dil_w, p->stride_w, p->Q);
                if (y >= 0 && x >= 0)
                    sum += (double)call->ddst[((n * p->P + y) * p->Q + x) * p->C + c] *
                           (double)weight[(int64_t)t * p->C + c];
            }
            *dsrc = (float)sum;
        }
    }
}

/* Sum over the rows' pixels of ddst times the source under tap t, for channel c. */
static double weight_sum(const gn_dw_bwd_weight *call, gn_rows rows, int t, int c)
{
    const gn_conv *p = &call->p;
    double sum = 0.0;
    for (int64_t row = rows.begin; row < rows.end; row++) {
        const int h = (int)(row % p->P) * p->stride_h - p->pad_top + t / p->S * p->dil_h;
        if (h < 0 || h >= p->H)
            continue;
        const float *src = call->src + (row / p->P * p->H + h) * p->W * p->C + c;
        const float *ddst = call->ddst + row * p->Q * p->C + c;
        for (int q = 0; q < p->Q; q++) {
            const int w = q * p->stride_w - p->pad_left + t % p->S * p->dil_w;
            if (w >= 0 && w < p->W)
                sum += (double)ddst[(int64_t)q * p->C] * src[(int64_t)w * p->C];
        }
    }
    return sum;
}

static void gn_f32_dw_bwd_weight__ref(const gn_dw_bwd_weight *call, gn_rows rows, float *partial)
{
    const gn_conv *p = &call->p;
    const int taps = p->R * p->S;
    for (int c = 0; c < p->C; c++) {
        for (int t = 0; t < taps; t++)
            partial[(int64_t)t * p->C + c] = (float)weight_sum(call, rows, t, c);
        double sum = 0.0;
        for (int64_t i = rows.begin * p->Q; i < rows.end * p->Q; i++)
            sum += call->ddst[i * p->C + c];
        partial[(int64_t)taps * p->C + c] = (float)sum;
    }
}

const gn_dw_table gn_dw__ref = {
    .fwd = gn_f32_dw_fwd__ref,
    .bwd_data = gn_f32_dw_bwd_data__ref,
    .bwd_weight = gn_f32_dw_bwd_weight__ref,
};
