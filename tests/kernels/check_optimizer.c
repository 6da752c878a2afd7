/* Checks the optimiser kernels (kernels/optimizer.h) against their formulas in f64, over several steps.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "kernels/optimizer.h"

enum { STEPS = 4 };

static void to_doubles(double *dst, const float *src, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = (double)src[i];
}

static float *copy_of(gn_check *c, const float *src, size_t n)
{
    float *dst = check_dst(c, n);
    memcpy(dst, src, n * sizeof *src);
    return dst;
}

static void formula_sgd(const gn_sgd_step *s, double *w, const float *g, double *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double grad = (double)s->grad_scale * (double)g[i] + (double)s->weight_decay * w[i];
        v[i] = s->first ? grad : (double)s->momentum * v[i] + grad;
        w[i] -= (double)s->lr * (s->nesterov ? grad + (double)s->momentum * v[i] : v[i]);
    }
}

static void check_sgd(gn_check *c, gn_sgd_step s, size_t n)
{
    const float *start = check_random(c, n, -1, 1);
    float *w = copy_of(c, start, n),
          *v = s.momentum > 0 ? check_dst(c, n) : NULL; /* NaN: the first step must not read v */
    double *expected = check_doubles(c, n), *velocity = check_doubles(c, n);
    to_doubles(expected, start, n);
    for (int t = 0; t < STEPS; t++) {
        const float *g = check_random(c, n, -4, 4);
        s.first = t == 0;
        gn_f32_sgd(&s, w, g, v, n);
        if (!v)
            s.first = true; /* the formula then keeps no velocity */
        formula_sgd(&s, expected, g, velocity, n);
    }
    check_close_f64(c, "weights", w, expected, n, STEPS * 3e-7, 0);
    if (v)
        check_close_f64(c, "velocity", v, velocity, n, STEPS * 2e-6, 0);
}

static void formula_adam(const gn_adam_step *s, double *w, const float *g, double *m, double *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double decay = (double)s->weight_decay;
        const double grad = (double)s->grad_scale * (double)g[i] + (s->decoupled ? 0 : decay * w[i]);
        if (s->decoupled)
            w[i] *= 1 - (double)s->lr * decay;
        m[i] = (double)s->beta1 * m[i] + (1 - (double)s->beta1) * grad;
        v[i] = (double)s->beta2 * v[i] + (1 - (double)s->beta2) * grad * grad;
        w[i] -= (double)s->lr / (double)s->bias1 * m[i] / (sqrt(v[i] / (double)s->bias2) + (double)s->epsilon);
    }
}

static void check_adam(gn_check *c, gn_adam_step s, size_t n)
{
    const float *start = check_random(c, n, -1, 1), *zeros = check_zeros(c, n);
    float *w = copy_of(c, start, n), *m = copy_of(c, zeros, n), *v = copy_of(c, zeros, n);
    double *expected = check_doubles(c, n), *mean = check_doubles(c, n), *square = check_doubles(c, n);
    to_doubles(expected, start, n);
    for (int t = 1; t <= STEPS; t++) {
        const float *g = check_random(c, n, -4, 4);
        s.bias1 = (float)(1 - pow((double)s.beta1, t));
        s.bias2 = (float)(1 - pow((double)s.beta2, t));
        gn_f32_adam(&s, w, g, m, v, n);
        formula_adam(&s, expected, g, mean, square, n);
    }
    /* A weight moves by about lr per step; m and v are sums of gradients up to 4 and squares up to 16.  1 - beta is exact in f32. */
    check_close_f64(c, "weights", w, expected, n, STEPS * (2e-7 + 2e-6 * (double)s.lr), 0);
    check_close_f64(c, "first moment", m, mean, n, STEPS * 1e-6, 0);
    check_close_f64(c, "second moment", v, square, n, 0, STEPS * 5e-7);
}

static void check_ema(gn_check *c, size_t n)
{
    const float *start = check_random(c, n, -1, 1), *w = check_random(c, n, -1, 1);
    float *e = copy_of(c, start, n);
    double *expected = check_doubles(c, n);
    for (size_t i = 0; i < n; i++)
        expected[i] = (double)0.9998F * (double)start[i] + (1 - (double)0.9998F) * (double)w[i];
    gn_f32_ema(0.9998F, e, w, n);
    check_close_f64(c, "average", e, expected, n, 2e-7, 0);
}

typedef struct bench_call {
    gn_sgd_step sgd;
    gn_adam_step adam;
    float *w, *g, *m, *v;
    size_t n;
} bench_call;

static void bench_sgd(void *arg)
{
    const bench_call *k = arg;
    gn_f32_sgd(&k->sgd, k->w, k->g, k->v, k->n);
}
static void bench_adam(void *arg)
{
    const bench_call *k = arg;
    gn_f32_adam(&k->adam, k->w, k->g, k->m, k->v, k->n);
}
static void bench_ema(void *arg)
{
    const bench_call *k = arg;
    gn_f32_ema(0.9998F, k->m, k->w, k->n);
}

static void bench(gn_check *c, size_t n)
{
    bench_call k = {
        .sgd = {.lr = 1e-6F, .momentum = 0.9F, .weight_decay = 1e-4F, .grad_scale = 1, .nesterov = true},
        .adam = {.lr = 1e-6F,
                 .beta1 = 0.9F,
                 .beta2 = 0.999F,
                 .epsilon = 1e-8F,
                 .weight_decay = 0.05F,
                 .grad_scale = 1,
                 .bias1 = 1,
                 .bias2 = 1,
                 .decoupled = true},
        .w = check_random(c, n, -1, 1),
        .g = check_random(c, n, -1, 1),
        .m = check_random(c, n, -1, 1),
        .v = check_random(c, n, 0, 1),
        .n = n,
    };
    check_bench(c, "sgd, nesterov", bench_sgd, &k, 20.0 * (double)n, "B");
    check_bench(c, "adamw", bench_adam, &k, 28.0 * (double)n, "B");
    check_bench(c, "ema", bench_ema, &k, 12.0 * (double)n, "B");
}

void check_optimizer(gn_check *c)
{
    static const size_t lengths[] = {1, 7, 8, 9, 15, 16, 17, 33, 1009};
    for (size_t k = 0; c->bench && k < 2; k++) {
        const size_t n = k ? 4u << 20 : 8192;
        if (check_case(c, "n%zu", n))
            bench(c, n);
    }
    for (size_t i = 0; !c->bench && i < sizeof lengths / sizeof *lengths; i++) {
        const size_t n = lengths[i];
        for (int variant = 0; variant < 4; variant++) {
            const gn_sgd_step sgd = {.lr = 0.01F,
                                     .momentum = variant ? 0.9F : 0,
                                     .weight_decay = variant == 2 ? 0.01F : 0,
                                     .grad_scale = variant == 3 ? 0.125F : 1,
                                     .nesterov = variant >= 2};
            if (check_case(c, "sgd%d n%zu", variant, n))
                check_sgd(c, sgd, n);
            const gn_adam_step adam = {.lr = 0.01F,
                                       .beta1 = 0.875F,
                                       .beta2 = 0.9990234375F,
                                       .epsilon = 1e-8F,
                                       .weight_decay = variant ? 0.05F : 0,
                                       .grad_scale = variant == 3 ? 0.125F : 1,
                                       .decoupled = variant == 2};
            if (check_case(c, "adam%d n%zu", variant, n))
                check_adam(c, adam, n);
        }
        if (check_case(c, "ema n%zu", n))
            check_ema(c, n);
    }
}
