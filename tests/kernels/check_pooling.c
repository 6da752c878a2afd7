/* Checks pooling (kernels/pooling.h) against direct formulas: windows at borders, dilation, NaN, ties, adaptive cells that overlap.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "kernels/pooling.h"

static size_t src_floats(const gn_window *p)
{
    return (size_t)p->N * (size_t)p->H * (size_t)p->W * (size_t)p->C;
}

static size_t dst_floats(const gn_window *p)
{
    return (size_t)p->N * (size_t)p->P * (size_t)p->Q * (size_t)p->C;
}

static int64_t src_at(const gn_window *p, int n, int h, int w, int c)
{
    return (((int64_t)n * p->H + h) * p->W + w) * p->C + c;
}

static bool is_inside(const gn_window *p, int h, int w)
{
    return h >= 0 && h < p->H && w >= 0 && w < p->W;
}

/* One output: n, y, x, c from its flat index, and the input under tap 0. */
typedef struct place {
    int n, h0, w0, c;
} place;

static place place_of(const gn_window *p, size_t i)
{
    const int c = (int)(i % (size_t)p->C);
    const size_t pixel = i / (size_t)p->C;
    const int x = (int)(pixel % (size_t)p->Q), y = (int)(pixel / (size_t)p->Q % (size_t)p->P);
    return (place){(int)(pixel / (size_t)p->Q / (size_t)p->P), y * p->stride_h - p->pad_top,
                   x * p->stride_w - p->pad_left, c};
}

/* ---- maximum ---- */

static void formula_max(const gn_window *p, const float *src, float *dst, uint8_t *argmax)
{
    for (size_t i = 0; i < dst_floats(p); i++) {
        const place at = place_of(p, i);
        dst[i] = -INFINITY;
        argmax[i] = 0;
        bool found = false;
        for (int t = 0; t < p->R * p->S; t++) {
            const int h = at.h0 + t / p->S * p->dil_h, w = at.w0 + t % p->S * p->dil_w;
            if (!is_inside(p, h, w))
                continue;
            const float x = src[src_at(p, at.n, h, w, at.c)];
            if (!found || isnan(x) || (!isnan(dst[i]) && x > dst[i])) {
                dst[i] = x;
                argmax[i] = (uint8_t)t;
            }
            found = true;
        }
    }
}

/* Scatter: the other order than the kernels'. */
static void formula_max_backward(const gn_window *p, const float *ddst, const uint8_t *argmax, double *dsrc)
{
    for (size_t i = 0; i < dst_floats(p); i++) {
        const place at = place_of(p, i);
        const int h = at.h0 + argmax[i] / p->S * p->dil_h, w = at.w0 + argmax[i] % p->S * p->dil_w;
        if (is_inside(p, h, w))
            dsrc[src_at(p, at.n, h, w, at.c)] += (double)ddst[i];
    }
}

static void check_max(gn_check *c, const gn_window *p)
{
    const size_t n_src = src_floats(p), n_dst = dst_floats(p);
    float *src = check_random(c, n_src, -1, 1);
    for (size_t i = 0; i < n_src; i++) /* ties, and a few special values */
        src[i] = i % 97 == 5 ? NAN : i % 53 == 7 ? -INFINITY : (float)(int)(src[i] * 8);
    float *expected = check_dst(c, n_dst), *got = check_dst(c, n_dst), *plain = check_dst(c, n_dst);
    uint8_t *expected_arg = check_dst_bytes(c, n_dst), *arg = check_dst_bytes(c, n_dst);
    formula_max(p, src, expected, expected_arg);
    for (int t = gn_pool_tasks(p) - 1; t >= 0; t--) {
        gn_maxpool_fwd_task(p, src, got, arg, t);
        gn_maxpool_fwd_task(p, src, plain, NULL, t);
    }
    check_close(c, "maximum", got, expected, n_dst, 0, 0);
    check_close(c, "maximum without argmax", plain, expected, n_dst, 0, 0);
    check_same_bytes(c, "argmax", arg, expected_arg, n_dst);

    const float *ddst = check_random(c, n_dst, -1, 1);
    float *dsrc = check_dst(c, n_src);
    double *expected_dsrc = check_doubles(c, n_src);
    formula_max_backward(p, ddst, expected_arg, expected_dsrc);
    for (int t = gn_pool_bwd_tasks(p) - 1; t >= 0; t--)
        gn_maxpool_bwd_task(p, ddst, arg, dsrc, t);
    check_close_f64(c, "gradient", dsrc, expected_dsrc, n_src, 1e-6 * p->R * p->S, 0);
}

/* ---- average ---- */

/* Forward when dst is given, else the gradient from ddst to dsrc. */
static void formula_average(const gn_window *p, const float *src, double *dst, const float *ddst, double *dsrc)
{
    for (size_t i = 0; i < dst_floats(p); i++) {
        const place at = place_of(p, i);
        int count = 0;
        for (int t = 0; t < p->R * p->S; t++)
            count += is_inside(p, at.h0 + t / p->S * p->dil_h, at.w0 + t % p->S * p->dil_w);
        const double factor = p->count_padding ? 1.0 / (p->R * p->S) : count ? 1.0 / count : 0;
        for (int t = 0; t < p->R * p->S; t++) {
            const int h = at.h0 + t / p->S * p->dil_h, w = at.w0 + t % p->S * p->dil_w;
            if (is_inside(p, h, w) && dst)
                dst[i] += factor * (double)src[src_at(p, at.n, h, w, at.c)];
            else if (is_inside(p, h, w))
                dsrc[src_at(p, at.n, h, w, at.c)] += factor * (double)ddst[i];
        }
    }
}

static void check_average(gn_check *c, const gn_window *p)
{
    const size_t n_src = src_floats(p), n_dst = dst_floats(p);
    const float *src = check_random(c, n_src, -1, 1), *ddst = check_random(c, n_dst, -1, 1);
    double *expected = check_doubles(c, n_dst), *expected_dsrc = check_doubles(c, n_src);
    float *got = check_dst(c, n_dst), *dsrc = check_dst(c, n_src);
    formula_average(p, src, expected, NULL, NULL);
    formula_average(p, NULL, NULL, ddst, expected_dsrc);
    for (int t = gn_pool_tasks(p) - 1; t >= 0; t--)
        gn_avgpool_fwd_task(p, src, got, t);
    for (int t = gn_pool_bwd_tasks(p) - 1; t >= 0; t--)
        gn_avgpool_bwd_task(p, ddst, dsrc, t);
    check_close_f64(c, "average", got, expected, n_dst, 5e-7, 0);
    check_close_f64(c, "gradient", dsrc, expected_dsrc, n_src, 1e-6, 0);
}

static void formula_adaptive(const gn_window *p, const float *src, double *dst, const float *ddst, double *dsrc)
{
    for (size_t i = 0; i < dst_floats(p); i++) {
        const int c = (int)(i % (size_t)p->C), x = (int)(i / (size_t)p->C % (size_t)p->Q);
        const int y = (int)(i / (size_t)p->C / (size_t)p->Q % (size_t)p->P);
        const int n = (int)(i / (size_t)p->C / (size_t)p->Q / (size_t)p->P);
        const int h0 = (int)floor((double)y * p->H / p->P), h1 = (int)ceil((double)(y + 1) * p->H / p->P);
        const int w0 = (int)floor((double)x * p->W / p->Q), w1 = (int)ceil((double)(x + 1) * p->W / p->Q);
        for (int h = h0; h < h1; h++)
            for (int w = w0; w < w1; w++) {
                const double factor = 1.0 / ((h1 - h0) * (w1 - w0));
                dst[i] += factor * (double)src[src_at(p, n, h, w, c)];
                dsrc[src_at(p, n, h, w, c)] += factor * (double)ddst[i];
            }
    }
}

static void check_adaptive_pool(gn_check *c, const gn_window *p)
{
    const size_t n_src = src_floats(p), n_dst = dst_floats(p);
    const float *src = check_random(c, n_src, -1, 1), *ddst = check_random(c, n_dst, -1, 1);
    double *expected = check_doubles(c, n_dst), *expected_dsrc = check_doubles(c, n_src);
    float *got = check_dst(c, n_dst), *dsrc = check_dst(c, n_src);
    formula_adaptive(p, src, expected, ddst, expected_dsrc);
    for (int t = gn_adaptive_tasks(p) - 1; t >= 0; t--) {
        gn_adaptive_fwd_task(p, src, got, t);
        gn_adaptive_bwd_task(p, ddst, dsrc, t);
    }
    check_close_f64(c, "adaptive average", got, expected, n_dst, 3e-7, 0);
    check_close_f64(c, "gradient", dsrc, expected_dsrc, n_src, 1e-6, 0);
}

/* ---- timing ---- */

typedef struct bench_call {
    gn_window p;
    float *src, *dst;
    uint8_t *argmax;
} bench_call;

static void bench_max(void *arg)
{
    const bench_call *k = arg;
    for (int t = 0; t < gn_pool_tasks(&k->p); t++)
        gn_maxpool_fwd_task(&k->p, k->src, k->dst, k->argmax, t);
}
static void bench_max_backward(void *arg)
{
    const bench_call *k = arg;
    for (int t = 0; t < gn_pool_bwd_tasks(&k->p); t++)
        gn_maxpool_bwd_task(&k->p, k->dst, k->argmax, k->src, t);
}
static void bench_average(void *arg)
{
    const bench_call *k = arg;
    for (int t = 0; t < gn_pool_tasks(&k->p); t++)
        gn_avgpool_fwd_task(&k->p, k->src, k->dst, t);
}
static void bench_average_backward(void *arg)
{
    const bench_call *k = arg;
    for (int t = 0; t < gn_pool_bwd_tasks(&k->p); t++)
        gn_avgpool_bwd_task(&k->p, k->dst, k->src, t);
}
static void bench_global(void *arg)
{
    const bench_call *k = arg;
    gn_window p = k->p;
    p.P = p.Q = 1;
    for (int t = 0; t < gn_adaptive_tasks(&p); t++)
        gn_adaptive_fwd_task(&p, k->src, k->dst, t);
}

static void bench(gn_check *c, gn_window p)
{
    bench_call k = {p, check_random(c, src_floats(&p), -1, 1), check_dst(c, dst_floats(&p)),
                    check_dst_bytes(c, dst_floats(&p))};
    const double src = 4.0 * (double)src_floats(&p), dst = 4.0 * (double)dst_floats(&p);
    check_bench(c, "maximum with argmax", bench_max, &k, src + dst * 1.25, "B");
    check_bench(c, "maximum, gradient", bench_max_backward, &k, src + dst * 1.25, "B");
    check_bench(c, "average", bench_average, &k, src + dst, "B");
    check_bench(c, "average, gradient", bench_average_backward, &k, src + dst, "B");
    check_bench(c, "global average", bench_global, &k, src, "B");
}

static gn_window window(int N, int H, int W, int C, int filter, int stride, int pad, int dil)
{
    const int reach = dil * (filter - 1) + 1;
    return (gn_window){.N = N,
                       .H = H,
                       .W = W,
                       .C = C,
                       .P = (H + 2 * pad - reach) / stride + 1,
                       .Q = (W + 2 * pad - reach) / stride + 1,
                       .R = filter,
                       .S = filter,
                       .stride_h = stride,
                       .stride_w = stride,
                       .pad_top = pad,
                       .pad_left = pad,
                       .dil_h = dil,
                       .dil_w = dil};
}

static void check_windows(gn_check *c, int channels, int H, int W)
{
    static const int shapes[][4] = {/* filter, stride, pad, dilation */
                                    {2, 2, 0, 1}, {3, 2, 1, 1}, {3, 1, 1, 1}, {3, 1, 0, 1}, {5, 1, 2, 1},
                                    {3, 3, 1, 1}, {2, 3, 0, 1}, {3, 2, 2, 2}, {3, 4, 2, 2}, {1, 2, 0, 1}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int *s = shapes[i];
        gn_window p = window(2, H, W, channels, s[0], s[1], s[2], s[3]);
        if (i % 2) /* a bottom row and right column of windows that hang out, as with ceil_mode */
            p.P++, p.Q++;
        p.count_padding = i % 3 == 0;
        if (check_case(c, "max %dx%dx%d f%d s%d p%d d%d", H, W, channels, s[0], s[1], s[2], s[3]))
            check_max(c, &p);
        if (check_case(c, "average %dx%dx%d f%d s%d p%d d%d", H, W, channels, s[0], s[1], s[2], s[3]))
            check_average(c, &p);
    }
}

void check_pooling(gn_check *c)
{
    if (c->bench) {
        if (check_case(c, "n8 160x160x32 f3 s2"))
            bench(c, window(8, 160, 160, 32, 3, 2, 1, 1));
        if (check_case(c, "n1 112x112x64 f3 s2"))
            bench(c, window(1, 112, 112, 64, 3, 2, 1, 1));
        if (check_case(c, "n1 20x20x128 f5 s1"))
            bench(c, window(1, 20, 20, 128, 5, 1, 2, 1));
        return;
    }
    static const int channels[] = {1, 3, 8, 15, 16, 17, 33};
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        check_windows(c, channels[i], 7, 10);
        check_windows(c, channels[i], 8, 5);
    }
    gn_window empty = window(1, 5, 5, 3, 2, 2, 0, 1); /* the last windows lie outside altogether */
    empty.P = empty.Q = 4;
    if (check_case(c, "max outside"))
        check_max(c, &empty);
    if (check_case(c, "average outside"))
        check_average(c, &empty);
    const gn_window large = window(2, 60, 70, 96, 3, 2, 1, 1); /* several tasks */
    if (check_case(c, "max many tasks"))
        check_max(c, &large);
    static const int cells[][4] = {{7, 9, 1, 1}, {7, 9, 3, 2}, {7, 9, 7, 9}, {4, 5, 6, 8}, {20, 20, 6, 6}};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        for (size_t k = 0; k < 4; k++) {
            static const int widths[] = {1, 17, 96, 300};
            const gn_window p = {
                .N = 2, .H = cells[i][0], .W = cells[i][1], .P = cells[i][2], .Q = cells[i][3], .C = widths[k]};
            if (check_case(c, "adaptive %dx%dx%d to %dx%d", p.H, p.W, p.C, p.P, p.Q))
                check_adaptive_pool(c, &p);
        }
}
