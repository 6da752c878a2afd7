/* Checks the forward kernels that read or write a slice of the channels of larger pictures (src_stride, dst_stride of gn_conv and
 * gn_window) against the same kernels on dense pictures: the same bits, and nothing touched between the slices.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "kernels/conv.h"
#include "kernels/depthwise.h"
#include "kernels/pooling.h"

enum { SRC_MORE = 5, DST_MORE = 19 }; /* channels of the larger pictures that belong to others */

/* `pixels` rows of C floats, spread to rows of `stride`; what lies between is NaN. */
static float *spread(gn_check *c, const float *dense, size_t pixels, size_t C, size_t stride)
{
    float *x = check_dst(c, pixels * stride);
    for (size_t i = 0; i < pixels; i++)
        memcpy(x + i * stride, dense + i * C, C * sizeof *x);
    return x;
}

static void compare(gn_check *c, const float *strided, const float *dense, size_t pixels, size_t C, size_t stride)
{
    for (size_t i = 0; i < pixels; i++) {
        if (!check_that(c, memcmp(strided + i * stride, dense + i * C, C * sizeof *dense) == 0, "pixel %zu differs", i))
            return;
        for (size_t k = C; k < stride; k++)
            if (!check_that(c, isnan(strided[i * stride + k]), "pixel %zu: float %zu behind it is written", i, k - C))
                return;
    }
}

/* ---- convolution ---- */

static gn_conv conv(int N, int side, int C, int K, int filter, int stride, int groups)
{
    const int pad = filter / 2, out = (side + 2 * pad - filter) / stride + 1;
    return (gn_conv){.N = N,
                     .H = side,
                     .W = side + 1,
                     .C = C,
                     .P = out,
                     .Q = (side + 1 + 2 * pad - filter) / stride + 1,
                     .K = K,
                     .R = filter,
                     .S = filter,
                     .stride_h = stride,
                     .stride_w = stride,
                     .pad_top = pad,
                     .pad_left = pad,
                     .dil_h = 1,
                     .dil_w = 1,
                     .groups = groups};
}

static void run_conv(gn_check *c, const gn_conv *p, const float *w, const float *bias, const float *src,
                     const float *residual, float *dst)
{
    const gn_clamp clamp = {-1.5F, INFINITY};
    if (p->groups == p->C && p->K == p->C && p->groups > 1) {
        void *packed = check_scratch(c, gn_dw_pack_bytes(p));
        gn_dw_pack(p, w, bias, NULL, packed);
        const gn_dw_fwd call = {*p, src, packed, residual, dst, clamp, {GN_CURVE_SILU, 0}};
        for (int t = gn_dw_fwd_tasks(p) - 1; t >= 0; t--)
            gn_dw_fwd_task(&call, t);
        return;
    }
    void *packed = check_scratch(c, gn_conv_pack_bytes(p)), *scratch = check_scratch(c, gn_conv_fwd_scratch_bytes(p));
    gn_conv_pack(p, w, bias, NULL, packed, 0, gn_conv_pack_panels(p));
    const gn_conv_fwd call = {*p, src, packed, residual, dst, clamp, check_zeros(c, (size_t)p->C), {GN_CURVE_SILU, 0}};
    for (int t = gn_conv_fwd_tasks(p) - 1; t >= 0; t--)
        gn_conv_fwd_task(&call, t, scratch);
}

static void check_conv_case(gn_check *c, gn_conv p, bool has_residual)
{
    const size_t C = (size_t)p.C, K = (size_t)p.K, n_in = (size_t)(p.N * p.H * p.W), n_out = (size_t)(p.N * p.P * p.Q);
    const size_t src_stride = C + SRC_MORE, dst_stride = K + DST_MORE;
    const float *src = check_random(c, n_in * C, -1, 1), *bias = check_random(c, K, -1, 1);
    const float *w = check_random(c, K * C / (size_t)p.groups * (size_t)(p.R * p.S), -1, 1);
    const float *more = check_random(c, n_out * K, -1, 1);
    float *dense = check_dst(c, n_out * K), *strided = check_dst(c, n_out * dst_stride);
    run_conv(c, &p, w, bias, src, has_residual ? more : NULL, dense);
    const float *wide_src = spread(c, src, n_in, C, src_stride), *wide_more = spread(c, more, n_out, K, dst_stride);
    p.dst_stride = (int)dst_stride;
    run_conv(c, &p, w, bias, src, has_residual ? wide_more : NULL, strided);
    compare(c, strided, dense, n_out, K, dst_stride);
    if (p.C <= 4)
        return; /* few channels are summed in another order when they lie apart */
    strided = check_dst(c, n_out * dst_stride);
    p.src_stride = (int)src_stride;
    run_conv(c, &p, w, bias, wide_src, has_residual ? wide_more : NULL, strided);
    compare(c, strided, dense, n_out, K, dst_stride);
}

/* Few channels that lie apart: close to the dense sum. */
static void check_few_apart(gn_check *c)
{
    gn_conv p = conv(2, 7, 3, 20, 3, 2, 1);
    const size_t n_in = (size_t)(p.N * p.H * p.W), n_out = (size_t)(p.N * p.P * p.Q) * 20;
    const float *src = check_random(c, n_in * 3, -1, 1), *w = check_random(c, (size_t)20 * 27, -1, 1);
    float *dense = check_dst(c, n_out), *apart = check_dst(c, n_out);
    run_conv(c, &p, w, NULL, src, NULL, dense);
    p.src_stride = 7;
    run_conv(c, &p, w, NULL, spread(c, src, n_in, 3, 7), NULL, apart);
    check_close(c, "few channels apart", apart, dense, n_out, 1e-5, 0);
}

/* ---- pooling ---- */

typedef void (*pool_fn)(const gn_window *p, const float *src, float *dst);

static void run_max(const gn_window *p, const float *src, float *dst)
{
    for (int t = gn_pool_tasks(p) - 1; t >= 0; t--)
        gn_maxpool_fwd_task(p, src, dst, NULL, t);
}

static void run_average(const gn_window *p, const float *src, float *dst)
{
    for (int t = gn_pool_tasks(p) - 1; t >= 0; t--)
        gn_avgpool_fwd_task(p, src, dst, t);
}

static void run_adaptive(const gn_window *p, const float *src, float *dst)
{
    for (int t = gn_adaptive_tasks(p) - 1; t >= 0; t--)
        gn_adaptive_fwd_task(p, src, dst, t);
}

static void check_pool_case(gn_check *c, gn_window p, pool_fn fn)
{
    const size_t C = (size_t)p.C, n_in = (size_t)(p.N * p.H * p.W), n_out = (size_t)(p.N * p.P * p.Q);
    const float *src = check_random(c, n_in * C, -1, 1);
    float *dense = check_dst(c, n_out * C), *strided = check_dst(c, n_out * (C + DST_MORE));
    fn(&p, src, dense);
    p.src_stride = p.C + SRC_MORE;
    p.dst_stride = p.C + DST_MORE;
    fn(&p, spread(c, src, n_in, C, C + SRC_MORE), strided);
    compare(c, strided, dense, n_out, C, C + DST_MORE);
}

void check_strides(gn_check *c)
{
    static const int convs[][5] = {/* C, K, filter, stride, groups */
                                   {3, 20, 3, 2, 1},   {8, 24, 1, 1, 1},   {20, 37, 1, 1, 1},  {33, 16, 1, 2, 1},
                                   {16, 32, 3, 1, 1},  {17, 33, 3, 1, 1},  {64, 64, 3, 1, 1},  {20, 24, 3, 2, 1},
                                   {24, 48, 3, 1, 3},  {16, 16, 3, 1, 16}, {40, 40, 5, 1, 40}, {24, 24, 3, 2, 24},
                                   {96, 96, 7, 1, 96}, {12, 12, 2, 1, 12}};
    if (c->bench)
        return;
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
        const int *k = convs[i];
        for (int residual = 0; residual < 2; residual++)
            if (check_case(c, "conv %d to %d f%d s%d g%d r%d", k[0], k[1], k[2], k[3], k[4], residual))
                check_conv_case(c, conv(2, 13, k[0], k[1], k[2], k[3], k[4]), residual == 1);
    }
    if (check_case(c, "conv many tasks"))
        check_conv_case(c, conv(1, 70, 32, 40, 1, 1, 1), true);
    if (check_case(c, "conv few channels apart"))
        check_few_apart(c);
    static const int channels[] = {3, 16, 37};
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        gn_window p = {.N = 2,
                       .H = 9,
                       .W = 11,
                       .C = channels[i],
                       .P = 5,
                       .Q = 6,
                       .R = 3,
                       .S = 3,
                       .stride_h = 2,
                       .stride_w = 2,
                       .pad_top = 1,
                       .pad_left = 1,
                       .dil_h = 1,
                       .dil_w = 1};
        if (check_case(c, "max c%d", p.C))
            check_pool_case(c, p, run_max);
        if (check_case(c, "average c%d", p.C))
            check_pool_case(c, p, run_average);
        if (check_case(c, "adaptive c%d", p.C))
            check_pool_case(c, p, run_adaptive);
        p.P = p.Q = 1;
        if (check_case(c, "global c%d", p.C))
            check_pool_case(c, p, run_adaptive);
    }
}
