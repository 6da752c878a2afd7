/* Checks batch normalisation (kernels/batchnorm.h) against formulas in f64 that go over the rows twice, with means up to 4096 times
 * the deviation, and with every clamp and curve.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "check_curve.h"
#include "kernels/batchnorm.h"

static const gn_clamp open_clamp = {-INFINITY, INFINITY}, relu = {0.0F, INFINITY}, relu6 = {0.0F, 6.0F};

static size_t floats_of(const gn_bn *p)
{
    return (size_t)p->rows * (size_t)p->C;
}

/* Channel c has mean `offset` * (c % 3 - 1) and deviations between 0.3 and 1. */
static float *make_rows(gn_check *c, const gn_bn *p, float offset)
{
    float *x = check_random(c, floats_of(p), -1, 1);
    for (size_t i = 0; i < floats_of(p); i++) {
        const int channel = (int)(i % (size_t)p->C);
        x[i] = x[i] * (float)(0.5 + 1.2 * (channel % 7) / 7) + offset * (float)(channel % 3 - 1);
    }
    return x;
}

typedef struct moments {
    double *mean, *var; /* biased */
} moments;

static moments formula_moments(gn_check *c, const gn_bn *p, const float *x)
{
    const moments m = {check_doubles(c, (size_t)p->C), check_doubles(c, (size_t)p->C)};
    for (int ch = 0; ch < p->C; ch++) {
        for (int64_t r = 0; r < p->rows; r++)
            m.mean[ch] += (double)x[r * p->C + ch] / (double)p->rows;
        for (int64_t r = 0; r < p->rows; r++) {
            const double d = (double)x[r * p->C + ch] - m.mean[ch];
            m.var[ch] += d * d / (double)p->rows;
        }
    }
    return m;
}

static void run_forward(const gn_bn_fwd *call)
{
    for (int t = gn_bn_tasks(&call->p) - 1; t >= 0; t--)
        gn_bn_stats_task(call, t);
    gn_bn_stats_reduce(call);
    for (int t = gn_bn_tasks(&call->p) - 1; t >= 0; t--)
        gn_bn_normalise_task(call, t);
}

static void check_statistics(gn_check *c, const gn_bn_fwd *call, moments m)
{
    const gn_bn *p = &call->p;
    const double n = (double)p->rows, momentum = (double)p->momentum;
    for (int ch = 0; ch < p->C; ch++) {
        /* 1e-6 relative; the mean may be off by its own rounding and by 1e-6 deviations. */
        const double invstd = 1 / sqrt(m.var[ch] + (double)p->epsilon),
                     bound = 1e-6 * sqrt(m.var[ch]) + 0x1p-24 * fabs(m.mean[ch]);
        check_that(c, fabs((double)call->mean[ch] - m.mean[ch]) <= bound, "mean[%d] is %.9g, expected %.9g", ch,
                   (double)call->mean[ch], m.mean[ch]);
        check_that(c, fabs((double)call->invstd[ch] - invstd) <= 1e-6 * invstd, "invstd[%d] is %.9g, expected %.9g", ch,
                   (double)call->invstd[ch], invstd);
        const double mean = (1 - momentum) * (double)call->running_mean_in[ch] + momentum * m.mean[ch];
        const double var =
            (1 - momentum) * (double)call->running_var_in[ch] + momentum * m.var[ch] * (n > 1 ? n / (n - 1) : 1);
        check_that(c, fabs((double)call->running_mean[ch] - mean) <= momentum * bound + 1e-7 * (1 + fabs(mean)),
                   "running mean[%d] is %.9g, expected %.9g", ch, (double)call->running_mean[ch], mean);
        check_that(c, fabs((double)call->running_var[ch] - var) <= 2e-6 * var,
                   "running variance[%d] is %.9g, expected %.9g", ch, (double)call->running_var[ch], var);
    }
}

/* From the mean and invstd that were found, so that only the pass itself is judged. */
static void check_output(gn_check *c, const gn_bn_fwd *call)
{
    const gn_bn *p = &call->p;
    double *expected = check_doubles(c, floats_of(p));
    for (size_t i = 0; i < floats_of(p); i++) {
        const size_t ch = i % (size_t)p->C;
        const double y =
            ((double)call->x[i] - (double)call->mean[ch]) * (double)call->invstd[ch] * (double)call->scale[ch];
        expected[i] = check_curve(p->curve, y + (double)call->shift[ch]);
        expected[i] = fmin(fmax(expected[i], (double)p->clamp.lo), (double)p->clamp.hi);
    }
    check_close_f64(c, "y", call->y, expected, floats_of(p), 1e-5, 1e-6);
}

static void formula_backward(gn_check *c, const gn_bn_bwd *call, const float *y)
{
    const gn_bn *p = &call->p;
    const size_t n = floats_of(p), C = (size_t)p->C;
    double *shift = check_doubles(c, C), *scale = check_doubles(c, C), *dx = check_doubles(c, n),
           *g = check_doubles(c, n);
    double *size = check_doubles(c, C);
    for (size_t i = 0; i < n; i++) {
        const size_t ch = i % C;
        const double xhat = ((double)call->x[i] - (double)call->mean[ch]) * (double)call->invstd[ch];
        g[i] = p->clamp.lo < y[i] && y[i] < p->clamp.hi ? (double)call->dy[i] : 0;
        if (p->curve.kind != GN_CURVE_NONE)
            g[i] *= check_curve_slope(p->curve, xhat * (double)call->scale[ch] + (double)call->shift[ch]);
        shift[ch] += g[i];
        scale[ch] += g[i] * xhat;
        /* A slope carries the rounding of the value that it is taken at. */
        const double slope_size = p->curve.kind == GN_CURVE_NONE ? 0 : fabs((double)call->dy[i]);
        size[ch] += (fabs(g[i]) + slope_size) * (1 + fabs(xhat));
    }
    for (size_t i = 0; i < n; i++) {
        const size_t ch = i % C;
        const double xhat = ((double)call->x[i] - (double)call->mean[ch]) * (double)call->invstd[ch];
        const double mean = (shift[ch] + xhat * scale[ch]) / (double)p->rows;
        dx[i] = (double)call->scale[ch] * (double)call->invstd[ch] * (g[i] - mean);
    }
    check_close_scaled(c, "dshift", call->dshift, shift, size, C, 3e-7);
    check_close_scaled(c, "dscale", call->dscale, scale, size, C, 3e-7);
    check_close_f64(c, "dx", call->dx, dx, n, 1e-5, 1e-5);
}

static void run_backward(const gn_bn_bwd *call)
{
    for (int t = gn_bn_tasks(&call->p) - 1; t >= 0; t--)
        gn_bn_bwd_stats_task(call, t);
    gn_bn_bwd_reduce(call);
    for (int t = gn_bn_tasks(&call->p) - 1; t >= 0; t--)
        gn_bn_bwd_dx_task(call, t);
}

static gn_bn_fwd make_forward(gn_check *c, gn_bn p, float offset)
{
    const size_t C = (size_t)p.C;
    return (gn_bn_fwd){
        .p = p,
        .x = make_rows(c, &p, offset),
        .scale = check_random(c, C, 0.5F, 2),
        .shift = check_random(c, C, -1, 3),
        .running_mean_in = check_random(c, C, -1, 1),
        .running_var_in = check_random(c, C, 0.5F, 1),
        .y = check_dst(c, floats_of(&p)),
        .running_mean = check_dst(c, C),
        .running_var = check_dst(c, C),
        .mean = check_dst(c, C),
        .invstd = check_dst(c, C),
        .partial = check_scratch(c, gn_bn_partial_bytes(&p)),
    };
}

static gn_bn_bwd make_backward(gn_check *c, const gn_bn_fwd *forward, bool in_place)
{
    const gn_bn *p = &forward->p;
    float *dy = check_random(c, floats_of(p), -1, 1);
    return (gn_bn_bwd){
        .p = *p,
        .dy = dy,
        .x = forward->x,
        .scale = forward->scale,
        .shift = forward->shift,
        .mean = forward->mean,
        .invstd = forward->invstd,
        .dx = in_place ? dy : check_dst(c, floats_of(p)),
        .dscale = check_dst(c, (size_t)p->C),
        .dshift = check_dst(c, (size_t)p->C),
        .partial = check_scratch(c, gn_bn_partial_bytes(p)),
    };
}

static void check_one(gn_check *c, gn_bn p, float offset)
{
    const gn_bn_fwd forward = make_forward(c, p, offset);
    run_forward(&forward);
    check_statistics(c, &forward, formula_moments(c, &p, forward.x));
    check_output(c, &forward);
    const gn_bn_bwd apart = make_backward(c, &forward, false);
    run_backward(&apart);
    formula_backward(c, &apart, forward.y);
    gn_bn_bwd over = make_backward(c, &forward, true);
    memcpy(over.dx, apart.dy, floats_of(&p) * sizeof(float));
    run_backward(&over);
    check_same_bytes(c, "dx over dy", over.dx, apart.dx, floats_of(&p) * sizeof(float));
}

/* A NaN in one channel stays in that channel and passes the clamp. */
static void check_nan(gn_check *c)
{
    const gn_bn p = {.rows = 40, .C = 19, .epsilon = 1e-5F, .momentum = 0.1F, .clamp = relu6};
    const gn_bn_fwd forward = make_forward(c, p, 0);
    ((float *)(uintptr_t)forward.x)[3 * 19 + 17] = NAN;
    run_forward(&forward);
    for (size_t i = 0; i < floats_of(&p); i++)
        if (!check_that(c, isnan(forward.y[i]) == (i % 19 == 17), "y[%zu] is %g", i, (double)forward.y[i]))
            return;
}

/* ---- timing ---- */

typedef struct bench_call {
    gn_bn_fwd forward;
    gn_bn_bwd backward;
} bench_call;

static void bench_stats(void *arg)
{
    const bench_call *k = arg;
    for (int t = 0; t < gn_bn_tasks(&k->forward.p); t++)
        gn_bn_stats_task(&k->forward, t);
    gn_bn_stats_reduce(&k->forward);
}
static void bench_normalise(void *arg)
{
    const bench_call *k = arg;
    for (int t = 0; t < gn_bn_tasks(&k->forward.p); t++)
        gn_bn_normalise_task(&k->forward, t);
}
static void bench_bwd_stats(void *arg)
{
    const bench_call *k = arg;
    for (int t = 0; t < gn_bn_tasks(&k->forward.p); t++)
        gn_bn_bwd_stats_task(&k->backward, t);
    gn_bn_bwd_reduce(&k->backward);
}
static void bench_bwd_dx(void *arg)
{
    const bench_call *k = arg;
    for (int t = 0; t < gn_bn_tasks(&k->forward.p); t++)
        gn_bn_bwd_dx_task(&k->backward, t);
}

static void bench_curve(gn_check *c, gn_bn p)
{
    bench_call k = {.forward = make_forward(c, p, 0)};
    k.backward = make_backward(c, &k.forward, false);
    const double bytes = 4.0 * (double)floats_of(&p);
    check_bench(c, "normalise, silu", bench_normalise, &k, 2 * bytes, "B");
    check_bench(c, "backward sums, silu", bench_bwd_stats, &k, 2 * bytes, "B");
    check_bench(c, "backward dx, silu", bench_bwd_dx, &k, 3 * bytes, "B");
}

static void bench(gn_check *c, gn_bn p)
{
    bench_call k = {.forward = make_forward(c, p, 0)};
    k.backward = make_backward(c, &k.forward, false);
    const double bytes = 4.0 * (double)floats_of(&p);
    check_bench(c, "statistics", bench_stats, &k, bytes, "B");
    check_bench(c, "normalise, relu6", bench_normalise, &k, 2 * bytes, "B");
    check_bench(c, "backward sums, relu6", bench_bwd_stats, &k, 2 * bytes, "B");
    check_bench(c, "backward dx, relu6", bench_bwd_dx, &k, 3 * bytes, "B");
}

void check_batchnorm(gn_check *c)
{
    static const int64_t bench_sizes[][2] = {{32 * 64 * 64, 96}, {32 * 160 * 160, 16}, {3136, 64}, {1568, 960}};
    for (size_t i = 0; c->bench && i < sizeof bench_sizes / sizeof *bench_sizes; i++)
        if (check_case(c, "rows%d c%d", (int)bench_sizes[i][0], (int)bench_sizes[i][1])) {
            bench(c, (gn_bn){bench_sizes[i][0], (int)bench_sizes[i][1], 1e-5F, 0.1F, relu6, {0}});
            bench_curve(
                c, (gn_bn){bench_sizes[i][0], (int)bench_sizes[i][1], 1e-5F, 0.1F, open_clamp, {GN_CURVE_SILU, 0}});
        }
    if (c->bench)
        return;
    static const int channels[] = {1, 3, 8, 15, 16, 17, 33, 96};
    static const int64_t rows[] = {1, 2, 7, 8, 9, 50, 1031};
    static const float offsets[] = {0, 4096};
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
            for (size_t o = 0; o < 2; o++) {
                const gn_clamp clamp = (i + k) % 3 == 0 ? open_clamp : (i + k) % 3 == 1 ? relu : relu6;
                if (check_case(c, "rows%d c%d offset%g clamp%zu", (int)rows[k], channels[i], (double)offsets[o],
                               (i + k) % 3))
                    check_one(c, (gn_bn){rows[k], channels[i], 1e-3F, 0.1F, clamp, {0}}, offsets[o]);
            }
    static const int curve_rows[] = {2, 9, 300}, curve_channels[] = {1, 7, 16, 19, 130};
    for (int kind = GN_CURVE_SILU; kind < GN_CURVE_KINDS; kind++)
        for (size_t i = 0; i < 15; i++)
            if (check_case(c, "rows%d c%d curve%d", curve_rows[i % 3], curve_channels[i / 3], kind))
                check_one(c,
                          (gn_bn){curve_rows[i % 3], curve_channels[i / 3], 1e-3F, 0.1F, open_clamp,
                                  (gn_curve){(gn_curve_kind)kind, 0.125F}},
                          0);
    if (check_case(c, "many tasks"))
        check_one(c, (gn_bn){200003, 3, 1e-5F, 0.03F, relu6, {0}}, 100);
    if (check_case(c, "many tasks, silu"))
        check_one(c, (gn_bn){200003, 3, 1e-5F, 0.03F, open_clamp, {GN_CURVE_SILU, 0}}, 1);
    if (check_case(c, "wide"))
        check_one(c, (gn_bn){300, 1003, 1e-5F, 0.03F, relu, {0}}, 1);
    if (check_case(c, "nan"))
        check_nan(c);
}
