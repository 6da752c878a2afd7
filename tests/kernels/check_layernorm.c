/* Checks layer normalisation (kernels/layernorm.h) against formulas in f64, for widths around the vector sizes and means far from 0.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "kernels/layernorm.h"

static float *make_rows(gn_check *c, const gn_ln *p, float offset)
{
    const size_t n = (size_t)p->rows * (size_t)p->C;
    float *x = check_random(c, n, -1, 1);
    for (size_t i = 0; i < n; i++)
        x[i] += offset * (float)(i / (size_t)p->C % 3);
    return x;
}

static void moments(const gn_ln *p, const float *x, double *mean, double *invstd)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < p->C; i++)
        sum += (double)x[i] / p->C;
    for (int i = 0; i < p->C; i++)
        squares += ((double)x[i] - sum) * ((double)x[i] - sum) / p->C;
    *mean = sum;
    *invstd = 1 / sqrt(squares + (double)p->epsilon);
}

static void check_forward(gn_check *c, const gn_ln *p, const float *x, const float *scale, const float *shift,
                          double tol)
{
    const size_t rows = (size_t)p->rows, C = (size_t)p->C, n = rows * C;
    double *expected = check_doubles(c, n), *means = check_doubles(c, rows), *invstds = check_doubles(c, rows);
    for (size_t r = 0; r < rows; r++) {
        moments(p, x + r * C, &means[r], &invstds[r]);
        for (size_t i = r * C; i < (r + 1) * C; i++)
            expected[i] =
                ((double)x[i] - means[r]) * invstds[r] * (double)scale[i % C] + (shift ? (double)shift[i % C] : 0);
    }
    float *y = check_dst(c, n), *mean = check_dst(c, rows), *invstd = check_dst(c, rows), *in_place = check_dst(c, n);
    const gn_ln_fwd call = {*p, x, scale, shift, y, mean, invstd};
    for (int t = gn_ln_tasks(p) - 1; t >= 0; t--)
        gn_ln_fwd_task(&call, t);
    check_close_f64(c, "y", y, expected, n, tol, 1e-6);
    check_close_f64(c, "mean", mean, means, rows, tol, 1e-6);
    check_close_f64(c, "invstd", invstd, invstds, rows, 0, tol);
    memcpy(in_place, x, n * sizeof *x);
    const gn_ln_fwd over = {*p, in_place, scale, shift, in_place, NULL, NULL};
    for (int t = 0; t < gn_ln_tasks(p); t++)
        gn_ln_fwd_task(&over, t);
    check_same_bytes(c, "y over x", in_place, y, n * sizeof *y);
}

static void check_backward(gn_check *c, const gn_ln *p, const float *x, const float *scale, double tol)
{
    const size_t rows = (size_t)p->rows, C = (size_t)p->C, n = rows * C;
    const float *dy = check_random(c, n, -1, 1);
    double *dx = check_doubles(c, n), *dscale = check_doubles(c, C), *dshift = check_doubles(c, C);
    for (size_t r = 0; r < rows; r++) {
        double mean, invstd, sum = 0, projected = 0;
        moments(p, x + r * C, &mean, &invstd);
        for (size_t i = r * C; i < (r + 1) * C; i++) {
            const double xhat = ((double)x[i] - mean) * invstd, g = (double)dy[i] * (double)scale[i % C];
            sum += g / (double)C;
            projected += g * xhat / (double)C;
            dscale[i % C] += (double)dy[i] * xhat;
            dshift[i % C] += (double)dy[i];
        }
        for (size_t i = r * C; i < (r + 1) * C; i++)
            dx[i] = invstd * ((double)dy[i] * (double)scale[i % C] - sum - ((double)x[i] - mean) * invstd * projected);
    }
    float *got = check_dst(c, n), *got_scale = check_dst(c, C), *got_shift = check_dst(c, C), *over = check_dst(c, n);
    gn_ln_bwd call = {*p, dy, x, scale, got, got_scale, got_shift, check_scratch(c, gn_ln_partial_bytes(p))};
    for (int t = gn_ln_tasks(p) - 1; t >= 0; t--)
        gn_ln_bwd_task(&call, t);
    gn_ln_bwd_reduce(&call);
    const double most = 10 * sqrt((double)rows);
    check_close_f64(c, "dx", got, dx, n, 10 * tol, 1e-5);
    check_close_f64(c, "dscale", got_scale, dscale, C, tol * most, 1e-6);
    check_close_f64(c, "dshift", got_shift, dshift, C, 1e-6 * most, 1e-6);
    memcpy(over, dy, n * sizeof *dy);
    call.dy = call.dx = over;
    for (int t = 0; t < gn_ln_tasks(p); t++)
        gn_ln_bwd_task(&call, t);
    check_same_bytes(c, "dx over dy", over, got, n * sizeof *got);
}

typedef struct bench_call {
    gn_ln_fwd forward;
    gn_ln_bwd backward;
} bench_call;

static void bench_forward(void *arg)
{
    const bench_call *k = arg;
    for (int t = 0; t < gn_ln_tasks(&k->forward.p); t++)
        gn_ln_fwd_task(&k->forward, t);
}

static void bench_backward(void *arg)
{
    const bench_call *k = arg;
    for (int t = 0; t < gn_ln_tasks(&k->backward.p); t++)
        gn_ln_bwd_task(&k->backward, t);
    gn_ln_bwd_reduce(&k->backward);
}

static void bench(gn_check *c, const gn_ln *p)
{
    const size_t C = (size_t)p->C, n = (size_t)p->rows * C;
    const float *x = check_random(c, n, -1, 1), *scale = check_random(c, C, 0, 1);
    float *y = check_dst(c, n);
    bench_call k = {
        {*p, x, scale, scale, y, NULL, NULL},
        {*p, y, x, scale, check_dst(c, n), check_dst(c, C), check_dst(c, C), check_scratch(c, gn_ln_partial_bytes(p))}};
    check_bench(c, "forward", bench_forward, &k, 8.0 * (double)n, "B");
    check_bench(c, "backward", bench_backward, &k, 12.0 * (double)n, "B");
}

void check_layernorm(gn_check *c)
{
    static const struct {
        int rows, C;
        float offset;
    } shapes[] = {{1, 1, 0},   {3, 2, 1},   {5, 7, 10},   {2, 8, 0},     {4, 16, 3},   {7, 17, 100},
                  {33, 31, 1}, {65, 33, 5}, {40, 96, 10}, {300, 100, 1}, {9, 768, 50}, {700, 64, 0.5F}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes && !c->bench; i++) {
        const gn_ln p = {shapes[i].rows, shapes[i].C, 1e-5F};
        if (!check_case(c, "rows%d c%d offset%g", shapes[i].rows, shapes[i].C, (double)shapes[i].offset))
            continue;
        const float *x = make_rows(c, &p, shapes[i].offset), *scale = check_random(c, (size_t)p.C, -1, 1);
        const float *shift = check_random(c, (size_t)p.C, -1, 1);
        /* x - mean carries the rounding of the mean, which counts for more where the deviation is small. */
        const double tol = 2e-6 * (1 + (double)shapes[i].offset) * (p.C < 4 ? 300 : 3);
        check_forward(c, &p, x, scale, i % 2 ? shift : NULL, tol);
        check_backward(c, &p, x, scale, tol);
    }
    if (c->bench && check_case(c, "rows25088 c96"))
        bench(c, &(gn_ln){25088, 96, 1e-6F});
}
