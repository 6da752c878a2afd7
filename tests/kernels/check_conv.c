/* Checks convolution (kernels/conv.h) against a direct formula in f64 at every CPU level, and times the layers of known networks.
 * Bound of a sum of n products: the rigorous bound for any order of summation is n*2^-24 times the sum of absolute products;
 * errors of random sign grow as sqrt(n), so the smaller of n+4 and 4*sqrt(n)+8 is allowed.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "check_curve.h"
#include "check_conv_layers.h"
#include "kernels/conv.h"

#define UNIT_ROUNDOFF 0x1p-24
#define N_SHAPES_MAX  1200

static double sum_tolerance(double terms)
{
    const double rigorous = terms + 4, random = 4 * sqrt(terms) + 8;
    return (rigorous < random ? rigorous : random) * UNIT_ROUNDOFF;
}

/* ---- shapes ---- */

typedef struct shape_list {
    gn_conv shapes[N_SHAPES_MAX];
    int count;
} shape_list;

static void add(shape_list *l, gn_conv p, int pad_bottom, int pad_right)
{
    p.P = (p.H + p.pad_top + pad_bottom - p.dil_h * (p.R - 1) - 1) / p.stride_h + 1;
    p.Q = (p.W + p.pad_left + pad_right - p.dil_w * (p.S - 1) - 1) / p.stride_w + 1;
    if (l->count < N_SHAPES_MAX)
        l->shapes[l->count++] = p;
}

static void add_square(shape_list *l, int N, int size, int C, int K, int filter, int stride, int pad, int dil,
                       int groups)
{
    const gn_conv p = {.N = N,
                       .H = size,
                       .W = size,
                       .C = C,
                       .K = K,
                       .R = filter,
                       .S = filter,
                       .stride_h = stride,
                       .stride_w = stride,
                       .pad_top = pad,
                       .pad_left = pad,
                       .dil_h = dil,
                       .dil_w = dil,
                       .groups = groups};
    add(l, p, pad, pad);
}

static void fill_shapes(shape_list *l)
{
    /* tile-1, tile, tile+1, 2*tile+prime of all tiles in use (4, 6, 14 rows; 16 and 32 columns), as matrix products */
    static const int pixels[] = {1, 2, 3, 4, 5, 6, 7, 11, 13, 14, 15, 17, 31, 41};
    static const int columns[] = {1, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 37, 71};
    static const int depths[] = {1, 3, 5, 8, 19};
    l->count = 0;
    for (size_t i = 0; i < sizeof pixels / sizeof *pixels; i++)
        for (size_t j = 0; j < sizeof columns / sizeof *columns; j++)
            for (size_t k = 0; k < sizeof depths / sizeof *depths; k++)
                add_square(l, pixels[i], 1, depths[k], columns[j], 1, 1, 0, 1, 1);
    static const int windows[][5] = {
        /* filter, stride, pad, dilation, groups */
        {1, 1, 0, 1, 1}, {1, 2, 0, 1, 1},  {3, 1, 1, 1, 1}, {3, 2, 1, 1, 1}, {5, 1, 2, 1, 1}, {5, 2, 2, 1, 1},
        {7, 2, 3, 1, 1}, {11, 4, 2, 1, 1}, {3, 1, 1, 1, 2}, {3, 2, 1, 1, 2}, {3, 1, 2, 2, 1}, {3, 2, 2, 2, 1},
        {2, 2, 0, 1, 1}, {2, 3, 1, 1, 1},  {1, 1, 1, 1, 1}, {3, 1, 0, 1, 1}, {3, 4, 1, 3, 2}};
    static const int channels[][2] = {{1, 6}, {3, 16}, {3, 37}, {4, 32}, {6, 10}, {16, 24}, {20, 34}, {34, 20}};
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
        for (size_t j = 0; j < sizeof channels / sizeof *channels; j++) {
            const int *w = windows[i], *c = channels[j];
            if (c[0] % w[4] == 0 && c[1] % w[4] == 0)
                add_square(l, 2, 13, c[0], c[1], w[0], w[1], w[2], w[3], w[4]);
        }
    const gn_conv odd = {.N = 1,
                         .H = 9,
                         .W = 12,
                         .C = 5,
                         .K = 18,
                         .R = 2,
                         .S = 5,
                         .stride_h = 1,
                         .stride_w = 3,
                         .pad_top = 0,
                         .pad_left = 3,
                         .dil_h = 2,
                         .dil_w = 1,
                         .groups = 1};
    add(l, odd, 1, 1);
    gn_conv few = odd;
    few.C = 3;
    add(l, few, 1, 0);
    add_square(l, 1, 1, 300, 1000, 1, 1, 0, 1, 1);
    add_square(l, 1, 4, 130, 200, 3, 1, 1, 1, 1);
    add_square(l, 3, 40, 8, 40, 3, 1, 1, 1, 1);
    add_square(l, 1, 70, 3, 32, 3, 2, 1, 1, 1);
    add_square(l, 1, 3, 8, 8, 5, 1, 4, 1, 4);
    add_square(l, 1, 2, 6, 6, 1, 4, 0, 1, 1);
    /* 3x3 filters with stride 1: tiles of 2x2 and 4x4 results, cut at the border, pads of all sizes */
    static const int sides[] = {2, 3, 5, 8, 13, 20}, filters[][2] = {{16, 16}, {17, 33}, {48, 20}, {64, 80}};
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
        for (size_t j = 0; j < sizeof filters / sizeof *filters; j++)
            for (int pad = 0; pad < 3; pad++)
                if (sides[i] + 2 * pad >= 3)
                    add_square(l, j == 1 ? 3 : 1, sides[i], filters[j][0], filters[j][1], 3, 1, pad, 1, 1);
    add_square(l, 9, 21, 24, 40, 3, 1, 1, 1, 1);
    /* the same in groups of 4, 8 and 16 channels, which go through tiles of their own where a vector is so wide */
    static const int grouped[][2] = {{16, 4}, {16, 2}, {24, 3}, {40, 5}, {104, 13}, {16, 1}, {48, 3}, {80, 5}, {96, 6}};
    for (size_t i = 1; i < sizeof sides / sizeof *sides; i++)
        for (size_t j = 0; j < sizeof grouped / sizeof *grouped; j++)
            add_square(l, 1 + (int)(i + j) % 3, sides[i], grouped[j][0], grouped[j][0], 3, 1, (int)(i * 2 + j) % 3, 1,
                       grouped[j][1]);
    add_square(l, 1, 257, 5, 64, 1, 1, 0, 1, 1); /* more than 16 MiB: results past the caches */
    add_square(l, 1, 257, 64, 5, 1, 1, 0, 1, 1);
    add_square(l, 1, 257, 3, 64, 1, 1, 0, 1, 1);
}

static bool begin_case(gn_check *c, const gn_conv *p, const char *variant)
{
    return check_case(c, "%s n%d %dx%dx%d to %dx%dx%d f%dx%d s%dx%d p%d,%d d%dx%d g%d", variant, p->N, p->H, p->W, p->C,
                      p->P, p->Q, p->K, p->R, p->S, p->stride_h, p->stride_w, p->pad_top, p->pad_left, p->dil_h,
                      p->dil_w, p->groups);
}

static size_t src_floats(const gn_conv *p)
{
    return (size_t)p->N * (size_t)p->H * (size_t)p->W * (size_t)p->C;
}

static size_t dst_floats(const gn_conv *p)
{
    return (size_t)p->N * (size_t)p->P * (size_t)p->Q * (size_t)p->K;
}

static size_t weight_floats(const gn_conv *p)
{
    return (size_t)p->K * (size_t)(p->C / p->groups) * (size_t)p->R * (size_t)p->S;
}

/* ---- formulas: every product src[n,h,w,c] * weight[k,c,r,s] -> dst[n,p,q,k] is visited once ---- */

typedef struct visit {
    size_t src, weight, dst;
} visit;
typedef void (*visit_fn)(void *ctx, visit v);

static void visit_pixel(const gn_conv *p, int n, int i, int j, visit_fn fn, void *ctx)
{
    const int C = p->C / p->groups, K = p->K / p->groups;
    for (int r = 0; r < p->R; r++)
        for (int s = 0; s < p->S; s++) {
            const int h = i * p->stride_h - p->pad_top + r * p->dil_h, w = j * p->stride_w - p->pad_left + s * p->dil_w;
            if (h < 0 || h >= p->H || w < 0 || w >= p->W)
                continue;
            for (int k = 0; k < p->K; k++)
                for (int c = 0; c < C; c++) {
                    const visit v = {(size_t)(((n * p->H + h) * p->W + w) * p->C + k / K * C + c),
                                     (size_t)(((k * C + c) * p->R + r) * p->S + s),
                                     (size_t)(((n * p->P + i) * p->Q + j) * p->K + k)};
                    fn(ctx, v);
                }
        }
}

static void visit_all(const gn_conv *p, visit_fn fn, void *ctx)
{
    for (int n = 0; n < p->N; n++)
        for (int i = 0; i < p->P; i++)
            for (int j = 0; j < p->Q; j++)
                visit_pixel(p, n, i, j, fn, ctx);
}

typedef struct formula {
    const float *src, *weight, *dst; /* two of the three are given */
    double *sum, *absolute;
} formula;

static void sum_dst(void *ctx, visit v)
{
    formula *f = ctx;
    const double x = (double)f->src[v.src] * (double)f->weight[v.weight];
    f->sum[v.dst] += x;
    f->absolute[v.dst] += fabs(x);
}

static void sum_src(void *ctx, visit v)
{
    formula *f = ctx;
    const double x = (double)f->dst[v.dst] * (double)f->weight[v.weight];
    f->sum[v.src] += x;
    f->absolute[v.src] += fabs(x);
}

/* ---- forward ---- */

typedef struct forward_options {
    bool has_bias, has_scale, has_residual, is_in_place, is_plain;
    gn_clamp clamp;
    const char *name;
    gn_curve curve;
} forward_options;

static void *pack_forward(gn_check *c, const gn_conv *p, const float *w, const float *bias, const float *scale)
{
    void *packed = check_scratch(c, gn_conv_pack_bytes(p));
    const int panels = gn_conv_pack_panels(p);
    gn_conv_pack(p, w, bias, scale, packed, panels / 2, panels);
    gn_conv_pack(p, w, bias, scale, packed, 0, panels / 2);
    return packed;
}

/* In falling order: tasks must not depend on each other. */
static void run_forward(const gn_conv_fwd *call, bool is_plain, void *scratch)
{
    for (int i = gn_conv_fwd_tasks(&call->p) - 1; i >= 0; i--)
        if (is_plain)
            gn_conv_fwd_plain_task(call, i, scratch);
        else
            gn_conv_fwd_task(call, i, scratch);
}

static float *to_nhwc(gn_check *c, const gn_conv *p, const float *plain)
{
    float *x = check_zeros(c, src_floats(p));
    const size_t HW = (size_t)p->H * (size_t)p->W, C = (size_t)p->C;
    for (size_t n = 0; n < (size_t)p->N; n++)
        for (size_t i = 0; i < HW; i++)
            for (size_t k = 0; k < C; k++)
                x[(n * HW + i) * C + k] = plain[(n * C + k) * HW + i];
    return x;
}

/* Winograd's sums round with the numbers of a whole tile, so that a result of few terms (in a corner) may be as far off as its
 * neighbours: errors are judged by the largest sum of magnitudes. */
static void judge_by_tile(const gn_check *c, const gn_conv *p, double *absolute, size_t n)
{
    double most = 0;
    if (c->is_ref || p->R != 3 || p->S != 3 || p->stride_h != 1 || p->dil_h != 1 || (p->groups != 1 && p->C != p->K))
        return;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, absolute[i]);
    for (size_t i = 0; i < n; i++)
        absolute[i] = most;
}

static void check_forward_case(gn_check *c, const gn_conv *p, const forward_options *o)
{
    const size_t n_dst = dst_floats(p), K = (size_t)p->K;
    const float *src = check_random(c, src_floats(p), -1, 1), *w = check_random(c, weight_floats(p), -1, 1);
    const float *bias = o->has_bias ? check_random(c, K, -1, 1) : NULL,
                *scale = o->has_scale ? check_random(c, K, -2, 2) : NULL;
    const float *residual = o->has_residual ? check_random(c, n_dst, -3, 3) : NULL;
    float *dst = check_dst(c, n_dst);
    gn_conv_fwd call = {*p,  src,      pack_forward(c, p, w, bias, scale), residual,
                        dst, o->clamp, check_zeros(c, (size_t)p->C),       o->curve};
    if (o->is_in_place) {
        memcpy(dst, residual, n_dst * sizeof *dst);
        call.residual = dst;
    }
    run_forward(&call, o->is_plain, check_scratch(c, gn_conv_fwd_scratch_bytes(p)));
    formula f = {o->is_plain ? to_nhwc(c, p, src) : src, w, NULL, check_doubles(c, n_dst), check_doubles(c, n_dst)};
    visit_all(p, sum_dst, &f);
    for (size_t i = 0; i < n_dst; i++) {
        const double factor = scale ? (double)scale[i % K] : 1.0, add_to = bias ? (double)bias[i % K] : 0.0;
        const double more = residual ? (double)residual[i] : 0.0;
        f.sum[i] = check_curve(o->curve, f.sum[i] * factor + add_to) + more;
        f.sum[i] = fmin(fmax(f.sum[i], (double)o->clamp.lo), (double)o->clamp.hi);
        f.absolute[i] = f.absolute[i] * fabs(factor) + fabs(add_to) + fabs(more);
    }
    judge_by_tile(c, p, f.absolute, n_dst);
    check_close_scaled(c, "dst", dst, f.sum, f.absolute, n_dst,
                       sum_tolerance((double)(p->C / p->groups * p->R * p->S + 3)));
}

/* NaN and infinity must reach the result, also through a clamp. */
static void check_forward_nan(gn_check *c)
{
    shape_list l = {.count = 0};
    add_square(&l, 1, 5, 9, 20, 1, 1, 0, 1, 1);
    const gn_conv *p = &l.shapes[0];
    if (!begin_case(c, p, "nan"))
        return;
    float *src = check_random(c, src_floats(p), -1, 1), *w = check_random(c, weight_floats(p), -1, 1);
    float *dst = check_dst(c, dst_floats(p));
    src[3 * 9 + 4] = NAN;
    const gn_conv_fwd call = {*p, src, pack_forward(c, p, w, NULL, NULL), NULL, dst, {0, 6}, check_zeros(c, 9), {0}};
    run_forward(&call, false, check_scratch(c, gn_conv_fwd_scratch_bytes(p)));
    for (int i = 0; i < 25 * 20; i++)
        check_that(c, (i / 20 == 3) == (bool)isnan(dst[i]), "element %d is %g", i, (double)dst[i]);
}

static void bench_forward(gn_check *c);

void check_conv_forward(gn_check *c)
{
    static const forward_options options[] = {
        {true, false, false, false, false, {-INFINITY, INFINITY}, "bias", {0}},
        {true, true, true, false, false, {0, 6}, "scale, residual, clamp", {0}},
        {false, false, true, true, false, {0, INFINITY}, "in place", {0}},
        {true, false, true, false, false, {-INFINITY, INFINITY}, "silu", {GN_CURVE_SILU, 0}},
        {true, true, true, true, false, {-2, 2}, "hard_swish in place", {GN_CURVE_HARD_SWISH, 0}},
        {true, false, false, false, false, {-INFINITY, INFINITY}, "leaky_relu", {GN_CURVE_LEAKY_RELU, 0.125F}},
    };
    static shape_list l;
    if (c->bench) {
        bench_forward(c);
        return;
    }
    fill_shapes(&l);
    for (int i = 0; i < l.count; i++) {
        const forward_options *o = &options[i % 6];
        if (begin_case(c, &l.shapes[i], o->name))
            check_forward_case(c, &l.shapes[i], o);
        const forward_options plain = {true, false, false, false, true, {-1, INFINITY}, "plain", {GN_CURVE_SILU, 0}};
        if (gn_conv_fwd_takes_plain(&l.shapes[i]) && begin_case(c, &l.shapes[i], plain.name))
            check_forward_case(c, &l.shapes[i], &plain);
    }
    check_forward_nan(c);
}

/* ---- gradient by data ---- */

static void run_backward_data(const gn_conv_bwd_data *call, void *scratch)
{
    for (int i = gn_conv_bwd_data_tasks(&call->p) - 1; i >= 0; i--)
        gn_conv_bwd_data_task(call, i, scratch);
}

static void *pack_backward(gn_check *c, const gn_conv *p, const float *w)
{
    void *packed = check_scratch(c, gn_conv_bwd_data_pack_bytes(p));
    const int panels = gn_conv_bwd_data_pack_panels(p);
    gn_conv_bwd_data_pack(p, w, packed, panels / 2, panels);
    gn_conv_bwd_data_pack(p, w, packed, 0, panels / 2);
    return packed;
}

static void check_backward_data_case(gn_check *c, const gn_conv *p, bool accumulate)
{
    const size_t n_src = src_floats(p), n_dst = dst_floats(p);
    const float *ddst = check_random(c, n_dst, -1, 1), *w = check_random(c, weight_floats(p), -1, 1);
    const float *before = check_random(c, n_src, -2, 2);
    float *dsrc = check_dst(c, n_src);
    if (accumulate)
        memcpy(dsrc, before, n_src * sizeof *dsrc);
    const gn_conv_bwd_data call = {*p, ddst, pack_backward(c, p, w), dsrc, accumulate, check_zeros(c, (size_t)p->K)};
    run_backward_data(&call, check_scratch(c, gn_conv_bwd_data_scratch_bytes(p)));
    formula f = {NULL, w, ddst, check_doubles(c, n_src), check_doubles(c, n_src)};
    for (size_t i = 0; accumulate && i < n_src; i++) {
        f.sum[i] = (double)before[i];
        f.absolute[i] = fabs((double)before[i]);
    }
    visit_all(p, sum_src, &f);
    judge_by_tile(c, p, f.absolute, n_src);
    check_close_scaled(c, "dsrc", dsrc, f.sum, f.absolute, n_src,
                       sum_tolerance((double)(p->K / p->groups * p->R * p->S + 2)));
}

static void bench_backward_data(gn_check *c);

void check_conv_backward_data(gn_check *c)
{
    static shape_list l;
    if (c->bench) {
        bench_backward_data(c);
        return;
    }
    fill_shapes(&l);
    for (int i = 0; i < l.count; i++)
        if (begin_case(c, &l.shapes[i], i % 2 ? "accumulate" : "fresh"))
            check_backward_data_case(c, &l.shapes[i], i % 2);
}

/* ---- gradient by weights ---- */

static void sum_weight(void *ctx, visit v)
{
    formula *f = ctx;
    const double x = (double)f->src[v.src] * (double)f->dst[v.dst];
    f->sum[v.weight] += x;
    f->absolute[v.weight] += fabs(x);
}

static void run_backward_weight(const gn_conv_bwd_weight *call, void *scratch)
{
    for (int i = gn_conv_bwd_weight_tasks(&call->p) - 1; i >= 0; i--)
        gn_conv_bwd_weight_task(call, i, scratch);
    for (int i = gn_conv_bwd_weight_reduce_tasks(&call->p) - 1; i >= 0; i--)
        gn_conv_bwd_weight_reduce_task(call, i);
}

static void check_backward_weight_case(gn_check *c, const gn_conv *p, bool has_bias, bool is_plain)
{
    const size_t n_w = weight_floats(p), K = (size_t)p->K, pixels = dst_floats(p) / K;
    const float *src = check_random(c, src_floats(p), -1, 1), *ddst = check_random(c, dst_floats(p), -1, 1);
    float *dw = check_dst(c, n_w), *dbias = has_bias ? check_dst(c, K) : NULL;
    const gn_conv_bwd_weight call = {*p,
                                     src,
                                     ddst,
                                     dw,
                                     dbias,
                                     check_scratch(c, gn_conv_bwd_weight_partial_bytes(p)),
                                     check_zeros(c, (size_t)(p->C > p->K ? p->C : p->K)),
                                     is_plain};
    run_backward_weight(&call, check_scratch(c, gn_conv_bwd_weight_scratch_bytes(p)));
    formula f = {is_plain ? to_nhwc(c, p, src) : src, NULL, ddst, check_doubles(c, n_w), check_doubles(c, n_w)};
    visit_all(p, sum_weight, &f);
    check_close_scaled(c, "dw", dw, f.sum, f.absolute, n_w, sum_tolerance((double)pixels));
    if (!has_bias)
        return;
    double *sum = check_doubles(c, K), *absolute = check_doubles(c, K);
    for (size_t i = 0; i < pixels * K; i++) {
        sum[i % K] += (double)ddst[i];
        absolute[i % K] += fabs((double)ddst[i]);
    }
    check_close_scaled(c, "dbias", dbias, sum, absolute, K, sum_tolerance((double)pixels));
}

static void bench_backward_weight(gn_check *c);

void check_conv_backward_weight(gn_check *c)
{
    static shape_list l;
    if (c->bench) {
        bench_backward_weight(c);
        return;
    }
    fill_shapes(&l);
    add_square(&l, 5, 33, 7, 40, 1, 1, 0, 1, 1); /* several parts and chunks */
    add_square(&l, 5, 33, 40, 7, 3, 1, 1, 1, 1);
    add_square(&l, 3, 50, 12, 18, 3, 2, 1, 1, 2);
    add_square(&l, 1, 600, 3, 5, 3, 2, 1, 1, 1);
    for (int i = 0; i < l.count; i++) {
        if (begin_case(c, &l.shapes[i], i % 3 ? "dbias" : "bare"))
            check_backward_weight_case(c, &l.shapes[i], i % 3, false);
        if (gn_conv_fwd_takes_plain(&l.shapes[i]) && begin_case(c, &l.shapes[i], "plain"))
            check_backward_weight_case(c, &l.shapes[i], i % 2, true);
    }
}

/* ---- timing ---- */

typedef struct bench_call {
    gn_conv_fwd forward;
    gn_conv_bwd_data backward;
    gn_conv_bwd_weight weight;
    bool is_plain;
    void *scratch;
} bench_call;

static void bench_run_forward(void *arg)
{
    const bench_call *b = arg;
    run_forward(&b->forward, b->is_plain, b->scratch);
}

static void bench_run_backward_data(void *arg)
{
    const bench_call *b = arg;
    run_backward_data(&b->backward, b->scratch);
}

static void bench_run_backward_weight(void *arg)
{
    const bench_call *b = arg;
    run_backward_weight(&b->weight, b->scratch);
}

/* A layer of the list at this batch and picture size as a problem; false when it is not for dense convolution. */
static bool layer_problem(const conv_layer *layer, int N, int scale_num, int scale_den, gn_conv *p)
{
    const int size = layer->size == 1 ? 1 : (layer->size * scale_num + scale_den - 1) / scale_den;
    shape_list l = {.count = 0};
    add_square(&l, N, size, layer->C, layer->K, layer->filter, layer->stride, layer->pad, 1, 1);
    *p = l.shapes[0];
    return true;
}

static double flops(const gn_conv *p)
{
    return 2.0 * (double)dst_floats(p) * (p->C / p->groups) * p->R * p->S;
}

static void bench_label(const gn_conv *p, const char *network, char *label, size_t bytes)
{
    snprintf(label, bytes, "%s n%d %dx%d %d>%d f%d s%d", network, p->N, p->H, p->W, p->C, p->K, p->R, p->stride_h);
}

static void bench_forward_layer(gn_check *c, const conv_layer *layer, int N, int num, int den, double *total_s,
                                double *total_flop)
{
    gn_conv p;
    char label[128];
    layer_problem(layer, N, num, den, &p);
    bench_label(&p, layer->network, label, sizeof label);
    if (!check_case(c, "%s", label))
        return;
    const float *w = check_random(c, weight_floats(&p), -1, 1);
    bench_call b = {.is_plain = gn_conv_fwd_takes_plain(&p),
                    .scratch = check_scratch(c, gn_conv_fwd_scratch_bytes(&p))};
    b.forward = (gn_conv_fwd){p,
                              check_random(c, src_floats(&p), -1, 1),
                              pack_forward(c, &p, w, NULL, NULL),
                              NULL,
                              check_scratch(c, dst_floats(&p) * sizeof(float)),
                              {0, 6},
                              check_zeros(c, (size_t)p.C),
                              {0}};
    *total_s += layer->count * check_bench(c, label, bench_run_forward, &b, flops(&p), "flop");
    *total_flop += layer->count * flops(&p);
}

static void bench_forward(gn_check *c)
{
    static const int sizes[][3] = {{1, 1, 1}, {32, 4, 7}}; /* batch, and picture: 224 px, 128 px */
    for (int i = 0; i < 2; i++)
        for (const conv_layer *layer = conv_layers; layer->network; layer++) {
            double seconds = 0, flop = 0;
            bench_forward_layer(c, layer, sizes[i][0], sizes[i][1], sizes[i][2], &seconds, &flop);
        }
}

static void bench_backward_data(gn_check *c)
{
    for (const conv_layer *layer = conv_layers; layer->network; layer++) {
        gn_conv p;
        char label[128];
        layer_problem(layer, 32, 4, 7, &p);
        bench_label(&p, layer->network, label, sizeof label);
        if (layer->C <= 4 || !check_case(c, "%s", label)) /* nobody asks for the gradient of a picture */
            continue;
        const float *w = check_random(c, weight_floats(&p), -1, 1);
        bench_call b = {.scratch = check_scratch(c, gn_conv_bwd_data_scratch_bytes(&p))};
        b.backward = (gn_conv_bwd_data){p,
                                        check_random(c, dst_floats(&p), -1, 1),
                                        pack_backward(c, &p, w),
                                        check_scratch(c, src_floats(&p) * sizeof(float)),
                                        false,
                                        check_zeros(c, (size_t)p.K)};
        check_bench(c, label, bench_run_backward_data, &b, flops(&p), "flop");
    }
}

static void bench_backward_weight(gn_check *c)
{
    for (const conv_layer *layer = conv_layers; layer->network; layer++) {
        gn_conv p;
        char label[128];
        layer_problem(layer, 32, 4, 7, &p);
        bench_label(&p, layer->network, label, sizeof label);
        if (!check_case(c, "%s", label))
            continue;
        bench_call b = {.scratch = check_scratch(c, gn_conv_bwd_weight_scratch_bytes(&p))};
        b.weight = (gn_conv_bwd_weight){p,
                                        check_random(c, src_floats(&p), -1, 1),
                                        check_random(c, dst_floats(&p), -1, 1),
                                        check_dst(c, weight_floats(&p)),
                                        NULL,
                                        check_scratch(c, gn_conv_bwd_weight_partial_bytes(&p)),
                                        check_zeros(c, (size_t)(p.C > p.K ? p.C : p.K)),
                                        gn_conv_fwd_takes_plain(&p)};
        check_bench(c, label, bench_run_backward_weight, &b, flops(&p), "flop");
    }
}
