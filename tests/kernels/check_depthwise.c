/* Checks depthwise convolution (kernels/depthwise.h) against direct sums in f64 and times it on the layers of small detectors.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "check_curve.h"
#include "kernels/depthwise.h"

static size_t src_floats(const gn_conv *p)
{
    return (size_t)p->N * (size_t)p->H * (size_t)p->W * (size_t)p->C;
}

static size_t dst_floats(const gn_conv *p)
{
    return (size_t)p->N * (size_t)p->P * (size_t)p->Q * (size_t)p->C;
}

static size_t weight_floats(const gn_conv *p)
{
    return (size_t)p->R * (size_t)p->S * (size_t)p->C;
}

static gn_conv shape(int N, int H, int W, int C, int R, int S, int stride, int pad, int dil)
{
    gn_conv p = {.N = N,
                 .H = H,
                 .W = W,
                 .C = C,
                 .K = C,
                 .R = R,
                 .S = S,
                 .stride_h = stride,
                 .stride_w = stride,
                 .pad_top = pad,
                 .pad_left = pad,
                 .dil_h = dil,
                 .dil_w = dil,
                 .groups = C};
    p.P = (H + 2 * pad - dil * (R - 1) - 1) / stride + 1;
    p.Q = (W + 2 * pad - dil * (S - 1) - 1) / stride + 1;
    return p;
}

/* Every product src * weight -> dst once: whichever of the three is NULL in f32 is summed in f64, with the sum of absolutes. */
typedef struct formula {
    const float *src, *weight, *dst;
    double *sum, *absolute;
} formula;

static void visit(const gn_conv *p, const formula *f, int n, int y, int x, int t)
{
    const int h = y * p->stride_h - p->pad_top + t / p->S * p->dil_h,
              w = x * p->stride_w - p->pad_left + t % p->S * p->dil_w;
    if (h < 0 || h >= p->H || w < 0 || w >= p->W)
        return;
    for (int c = 0; c < p->C; c++) {
        const size_t at_src = (size_t)(((n * p->H + h) * p->W + w) * p->C + c),
                     at_weight = (size_t)(c * p->R * p->S + t);
        const size_t at_dst = (size_t)(((n * p->P + y) * p->Q + x) * p->C + c);
        const size_t to = !f->src ? at_src : !f->weight ? at_weight : at_dst;
        const double product = (f->src ? (double)f->src[at_src] : 1) * (f->weight ? (double)f->weight[at_weight] : 1) *
                               (f->dst ? (double)f->dst[at_dst] : 1);
        f->sum[to] += product;
        f->absolute[to] += fabs(product);
    }
}

static void visit_all(const gn_conv *p, const formula *f)
{
    for (int n = 0; n < p->N; n++)
        for (int y = 0; y < p->P; y++)
            for (int x = 0; x < p->Q; x++)
                for (int t = 0; t < p->R * p->S; t++)
                    visit(p, f, n, y, x, t);
}

static bool begin(gn_check *c, const gn_conv *p, const char *what)
{
    return check_case(c, "%s n%d %dx%dx%d f%dx%d s%dx%d p%d,%d d%d", what, p->N, p->H, p->W, p->C, p->R, p->S,
                      p->stride_h, p->stride_w, p->pad_top, p->pad_left, p->dil_h);
}

/* ---- forward ---- */

typedef struct fused {
    bool has_bias, has_scale, has_residual;
    gn_clamp clamp;
    gn_curve curve;
} fused;

static void check_forward(gn_check *c, const gn_conv *p, fused with)
{
    const size_t n = dst_floats(p), taps = (size_t)(p->R * p->S);
    const float *src = check_random(c, src_floats(p), -1, 1);
    float *w = check_random(c, weight_floats(p), -1, 1);
    const float *bias = check_random(c, (size_t)p->C, -1, 1), *scale = check_random(c, (size_t)p->C, 0.5F, 2);
    const float *residual = check_random(c, n, -1, 1);
    void *packed = check_scratch(c, gn_dw_pack_bytes(p));
    gn_dw_pack(p, w, with.has_bias ? bias : NULL, with.has_scale ? scale : NULL, packed);
    for (size_t i = 0; with.has_scale && i < weight_floats(p); i++)
        w[i] *= scale[i / taps];
    formula f = {src, w, NULL, check_doubles(c, n), check_doubles(c, n)};
    visit_all(p, &f);
    for (size_t i = 0; i < n; i++) {
        const double bent = check_curve(with.curve, f.sum[i] + (with.has_bias ? (double)bias[i % (size_t)p->C] : 0));
        const double more = with.has_residual ? (double)residual[i] : 0;
        f.sum[i] = fmin(fmax(bent + more, (double)with.clamp.lo), (double)with.clamp.hi);
        f.absolute[i] += 2;
    }
    gn_dw_fwd call = {*p, src, packed, with.has_residual ? residual : NULL, check_dst(c, n), with.clamp, with.curve};
    for (int t = gn_dw_fwd_tasks(p) - 1; t >= 0; t--)
        gn_dw_fwd_task(&call, t);
    check_close_scaled(c, "dst", call.dst, f.sum, f.absolute, n, ((double)taps + 4) * 0x1p-24);
}

/* NaN reaches exactly the outputs whose window holds it, in its channel, through the clamp. */
static void check_nan(gn_check *c)
{
    const gn_conv p = shape(1, 9, 11, 19, 3, 3, 1, 1, 1);
    float *src = check_random(c, src_floats(&p), -1, 1);
    src[(4 * 11 + 5) * 19 + 18] = NAN;
    void *packed = check_scratch(c, gn_dw_pack_bytes(&p));
    gn_dw_pack(&p, check_random(c, weight_floats(&p), -1, 1), NULL, NULL, packed);
    const gn_dw_fwd call = {p, src, packed, NULL, check_dst(c, dst_floats(&p)), {0, 6}, {0}};
    for (int t = 0; t < gn_dw_fwd_tasks(&p); t++)
        gn_dw_fwd_task(&call, t);
    for (int i = 0; i < (int)dst_floats(&p); i++) {
        const int y = i / 19 / 11, x = i / 19 % 11;
        const bool expected = i % 19 == 18 && y >= 3 && y <= 5 && x >= 4 && x <= 6;
        if (!check_that(c, isnan(call.dst[i]) == expected, "dst[%d,%d,%d] is %g", y, x, i % 19, (double)call.dst[i]))
            return;
    }
}

/* ---- gradients ---- */

static void check_backward_data(gn_check *c, const gn_conv *p, bool accumulate)
{
    const size_t n = src_floats(p);
    const float *ddst = check_random(c, dst_floats(p), -1, 1), *w = check_random(c, weight_floats(p), -1, 1);
    const float *before = check_random(c, n, -1, 1);
    void *packed = check_scratch(c, gn_dw_pack_bytes(p));
    gn_dw_pack(p, w, NULL, NULL, packed);
    formula f = {NULL, w, ddst, check_doubles(c, n), check_doubles(c, n)};
    visit_all(p, &f);
    gn_dw_bwd_data call = {*p, ddst, packed, check_dst(c, n), accumulate};
    for (size_t i = 0; i < n; i++) {
        f.absolute[i] += 1;
        if (accumulate) {
            f.sum[i] += (double)before[i];
            call.dsrc[i] = before[i];
        }
    }
    for (int t = gn_dw_bwd_data_tasks(p) - 1; t >= 0; t--)
        gn_dw_bwd_data_task(&call, t);
    check_close_scaled(c, "dsrc", call.dsrc, f.sum, f.absolute, n, (double)(p->R * p->S + 4) * 0x1p-24);
}

static void check_backward_weight(gn_check *c, const gn_conv *p, bool has_bias)
{
    const size_t n = weight_floats(p), C = (size_t)p->C;
    const float *src = check_random(c, src_floats(p), -1, 1), *ddst = check_random(c, dst_floats(p), -1, 1);
    formula f = {src, NULL, ddst, check_doubles(c, n), check_doubles(c, n)};
    visit_all(p, &f);
    double *bias = check_doubles(c, C), *bias_size = check_doubles(c, C);
    for (size_t i = 0; i < dst_floats(p); i++) {
        bias[i % C] += (double)ddst[i];
        bias_size[i % C] += fabs((double)ddst[i]);
    }
    const gn_dw_bwd_weight call = {*p,
                                   src,
                                   ddst,
                                   check_dst(c, n),
                                   has_bias ? check_dst(c, C) : NULL,
                                   check_scratch(c, gn_dw_bwd_weight_partial_bytes(p))};
    for (int t = gn_dw_bwd_weight_tasks(p) - 1; t >= 0; t--)
        gn_dw_bwd_weight_task(&call, t);
    for (int t = gn_dw_bwd_weight_reduce_tasks(p) - 1; t >= 0; t--)
        gn_dw_bwd_weight_reduce_task(&call, t);
    const double terms = (double)p->N * p->P * p->Q, bound = fmin(terms + 4, 4 * sqrt(terms) + 8) * 0x1p-24;
    check_close_scaled(c, "dw", call.dw, f.sum, f.absolute, n, bound);
    if (has_bias)
        check_close_scaled(c, "dbias", call.dbias, bias, bias_size, C, bound);
}

/* ---- shapes ---- */

static void check_shape(gn_check *c, const gn_conv *p, int i)
{
    const fused with = {i % 2 == 0,
                        i % 3 == 0,
                        i % 5 == 0,
                        i % 4 < 2 ? (gn_clamp){-INFINITY, INFINITY} : (gn_clamp){0, 0.5F},
                        {(gn_curve_kind)(i % 7 < GN_CURVE_KINDS ? i % 7 : 0), 0.125F}};
    if (begin(c, p, "forward"))
        check_forward(c, p, with);
    if (begin(c, p, "data"))
        check_backward_data(c, p, i % 2 == 0);
    if (begin(c, p, "weight"))
        check_backward_weight(c, p, i % 3 != 0);
}

static void check_shapes(gn_check *c)
{
    static const int channels[] = {1, 3, 8, 15, 16, 17, 33, 96};
    static const int windows[][5] = {
        /* R, S, stride, pad, dilation */
        {3, 3, 1, 1, 1}, {3, 3, 2, 1, 1}, {3, 3, 1, 0, 1}, {3, 3, 2, 0, 1}, {5, 5, 1, 2, 1}, {5, 5, 2, 2, 1},
        {3, 3, 1, 2, 2}, {3, 3, 2, 2, 2}, {3, 3, 3, 1, 1}, {7, 7, 1, 3, 1}, {7, 7, 2, 3, 1}, {1, 6, 1, 2, 1},
        {1, 5, 1, 2, 1}, {3, 1, 2, 1, 1}, {2, 2, 2, 0, 1}, {3, 3, 1, 3, 1}, {3, 3, 2, 3, 3}};
    static const int sizes[][2] = {{5, 13}, {9, 8}, {3, 4}, {12, 23}};
    int i = 0;
    for (size_t k = 0; k < sizeof channels / sizeof *channels; k++)
        for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
            for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
                const int *f = windows[w];
                const gn_conv p = shape(2, sizes[s][0], sizes[s][1], channels[k], f[0], f[1], f[2], f[3], f[4]);
                if (sizes[s][0] + 2 * f[3] > f[4] * (f[0] - 1) && sizes[s][1] + 2 * f[3] > f[4] * (f[1] - 1))
                    check_shape(c, &p, i++);
            }
    gn_conv p =
        shape(1, 11, 14, 24, 3, 3, 1, 1, 1); /* strides and padding that differ by direction, more padding below */
    p.stride_h = 2;
    p.pad_left = 0;
    p.P = 6;
    p.Q = 12;
    check_shape(c, &p, 0);
    p = shape(3, 41, 47, 40, 3, 3, 1, 1, 1); /* several tasks */
    check_shape(c, &p, 1);
    p = shape(3, 41, 47, 40, 3, 3, 2, 1, 1);
    check_shape(c, &p, 3);
    if (check_case(c, "nan"))
        check_nan(c);
}

/* ---- timing ---- */

typedef struct bench_call {
    gn_dw_fwd forward;
    gn_dw_bwd_data data;
    gn_dw_bwd_weight weight;
} bench_call;

static void bench_forward(void *arg)
{
    const bench_call *k = arg;
    for (int t = 0; t < gn_dw_fwd_tasks(&k->forward.p); t++)
        gn_dw_fwd_task(&k->forward, t);
}
static void bench_data(void *arg)
{
    const bench_call *k = arg;
    for (int t = 0; t < gn_dw_bwd_data_tasks(&k->forward.p); t++)
        gn_dw_bwd_data_task(&k->data, t);
}
static void bench_weight(void *arg)
{
    const bench_call *k = arg;
    for (int t = 0; t < gn_dw_bwd_weight_tasks(&k->forward.p); t++)
        gn_dw_bwd_weight_task(&k->weight, t);
    for (int t = 0; t < gn_dw_bwd_weight_reduce_tasks(&k->forward.p); t++)
        gn_dw_bwd_weight_reduce_task(&k->weight, t);
}

/* The traffic that cannot be avoided: input and output once each. */
static void bench(gn_check *c, gn_conv p)
{
    float *src = check_random(c, src_floats(&p), -1, 1), *dst = check_random(c, dst_floats(&p), -1, 1);
    float *w = check_random(c, weight_floats(&p), -1, 1);
    void *packed = check_scratch(c, gn_dw_pack_bytes(&p));
    gn_dw_pack(&p, w, NULL, NULL, packed);
    bench_call k = {
        {p, src, packed, NULL, dst, {0, 6}, {0}},
        {p, dst, packed, src, false},
        {p, src, dst, w, check_random(c, (size_t)p.C, 0, 1), check_scratch(c, gn_dw_bwd_weight_partial_bytes(&p))}};
    const double bytes = 4.0 * (double)(src_floats(&p) + dst_floats(&p)),
                 flop = 2.0 * p.R * p.S * (double)dst_floats(&p);
    char label[64];
    snprintf(label, sizeof label, "forward (%.1f Mflop)", flop * 1e-6);
    check_bench(c, label, bench_forward, &k, bytes, "B");
    check_bench(c, "gradient by data", bench_data, &k, bytes, "B");
    check_bench(c, "gradient by weights", bench_weight, &k, bytes, "B");
}

void check_depthwise(gn_check *c)
{
    if (!c->bench) {
        check_shapes(c);
        return;
    }
    static const int sizes[][5] = {/* N, H=W, C, filter, stride */
                                   {1, 112, 32, 3, 1}, {1, 112, 96, 3, 2}, {1, 56, 144, 3, 1}, {1, 28, 192, 3, 1},
                                   {1, 14, 576, 3, 1}, {1, 7, 960, 3, 1},  {1, 28, 192, 3, 2}, {1, 28, 120, 5, 1},
                                   {32, 64, 96, 3, 1}, {32, 64, 96, 3, 2}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int *s = sizes[i];
        if (check_case(c, "n%d %dx%dx%d f%d s%d", s[0], s[1], s[1], s[2], s[3], s[4])) {
            printf("%s\n", c->case_name);
            bench(c, shape(s[0], s[1], s[1], s[2], s[3], s[3], s[4], s[3] / 2, 1));
        }
    }
}
