/* Importance of knobs against functions whose shares of variance are known.
 * With the argument `FILE` it reads a table (first line: levels of each factor, 0 for numbers; then lines of x... y) and prints the
 * shares, for tests/oracle/importance.py.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/rng.h"
#include "report/importance.h"

#define N 1500

static double x[N * 4], y[N];

static gn_importance compute(const gn_factor *factors, int n_factors, int n)
{
    gn_importance out;
    assert_int_equal(gn_importance_compute(factors, n_factors, x, y, n, 64, 0, &out), GN_OK);
    return out;
}

/* f = 4a + 2b with a, b uniform: variances 16/12 and 4/12, so 0.8 and 0.2; c does nothing. */
static void test_linear(void **state)
{
    (void)state;
    const gn_factor factors[3] = {{0}, {0}, {0}};
    gn_rng rng;
    gn_rng_init(&rng, 1, 0);
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < 3; k++)
            x[i * 3 + k] = gn_rng_uniform(&rng);
        y[i] = 4 * x[i * 3] + 2 * x[i * 3 + 1];
    }
    const gn_importance got = compute(factors, 3, N);
    assert_true(fabs(got.share[0] - 0.8) < 0.02);
    assert_true(fabs(got.share[1] - 0.2) < 0.02);
    assert_true(got.share[2] < 0.002);
    assert_true(got.r2 > 0.98);
}

/* Ishigami's function (Ishigami and Homma 1990), a = 7, b = 0.1: first-order shares 0.3139, 0.4424 and 0; the first and third factor
 * together hold 0.2437 beyond that. */
static void test_ishigami(void **state)
{
    (void)state;
    const gn_factor factors[3] = {{0}, {0}, {0}};
    const double pi = 3.14159265358979;
    gn_rng rng;
    gn_rng_init(&rng, 2, 0);
    for (int i = 0; i < N; i++) {
        double t[3];
        for (int k = 0; k < 3; k++) {
            x[i * 3 + k] = gn_rng_uniform(&rng);
            t[k] = (2 * x[i * 3 + k] - 1) * pi;
        }
        y[i] = sin(t[0]) + 7 * sin(t[1]) * sin(t[1]) + 0.1 * pow(t[2], 4) * sin(t[0]);
    }
    const gn_importance got = compute(factors, 3, N);
    assert_true(fabs(got.share[0] - 0.3139) < 0.05);
    assert_true(fabs(got.share[1] - 0.4424) < 0.06);
    assert_true(got.share[2] < 0.03);
    assert_true((got.pair[0].first == 0 && got.pair[0].second == 2) ||
                (got.pair[0].first == 2 && got.pair[0].second == 0));
    assert_true(fabs(got.pair[0].share - 0.2437) < 0.07);
    assert_true(got.pair[1].share < 0.06);
}

/* Levels with means 0, 1, 2, 5: variance 3.5; a number with slope 6: variance 3. */
static void test_categories(void **state)
{
    (void)state;
    static const double mean[4] = {2, 0, 5, 1};
    const gn_factor factors[2] = {{4}, {0}};
    gn_rng rng;
    gn_rng_init(&rng, 3, 0);
    for (int i = 0; i < N; i++) {
        x[i * 2] = (double)gn_rng_below(&rng, 4);
        x[i * 2 + 1] = gn_rng_uniform(&rng);
        y[i] = mean[(int)x[i * 2]] + 6 * x[i * 2 + 1];
    }
    const gn_importance got = compute(factors, 2, N);
    assert_true(fabs(got.share[0] - 3.5 / 6.5) < 0.02);
    assert_true(fabs(got.share[1] - 3.0 / 6.5) < 0.02);
}

/* A number that applies with one of two categories only: f = 4a there and 1 elsewhere.  Over the product of both domains the category's
 * means are 2 and 1 (variance 1/4), the number's marginal is 2a + 1/2 (variance 1/3), the whole variance is
 * 1/2 (16/3) + 1/2 - (3/2)^2 = 11/12. */
static void test_conditional(void **state)
{
    (void)state;
    const gn_factor factors[2] = {{2}, {0}};
    gn_rng rng;
    gn_rng_init(&rng, 4, 0);
    for (int i = 0; i < N; i++) {
        const bool applies = gn_rng_below(&rng, 2) == 1;
        const double a = gn_rng_uniform(&rng);
        x[i * 2] = applies;
        x[i * 2 + 1] = applies ? a : NAN;
        y[i] = applies ? 4 * a : 1;
    }
    const gn_importance got = compute(factors, 2, N);
    assert_true(fabs(got.share[0] - 3.0 / 11) < 0.03);
    assert_true(fabs(got.share[1] - 4.0 / 11) < 0.03);
    assert_true(fabs(got.pair[0].share - 4.0 / 11) < 0.03);
}

/* Noise alone is told by r2; the same seed gives the same bits; what makes no sense is refused. */
static void test_noise_and_refusals(void **state)
{
    (void)state;
    const gn_factor factors[2] = {{0}, {3}};
    gn_importance a, b;
    gn_rng rng;
    gn_rng_init(&rng, 5, 0);
    for (int i = 0; i < 200; i++) {
        x[i * 2] = gn_rng_uniform(&rng);
        x[i * 2 + 1] = (double)gn_rng_below(&rng, 3);
        y[i] = gn_rng_normal(&rng);
    }
    a = compute(factors, 2, 200);
    b = compute(factors, 2, 200);
    assert_true(a.r2 < 0.1);
    assert_memory_equal(a.share, b.share, sizeof a.share);
    x[1] = 3;
    assert_int_equal(gn_importance_compute(factors, 2, x, y, 200, 8, 0, &a), GN_EINVAL);
    x[1] = 2;
    y[7] = NAN;
    assert_int_equal(gn_importance_compute(factors, 2, x, y, 200, 8, 0, &a), GN_EINVAL);
    for (int i = 0; i < 200; i++)
        y[i] = 0.5;
    assert_int_equal(gn_importance_compute(factors, 2, x, y, 200, 8, 0, &a), GN_EINVAL);
    assert_int_equal(gn_importance_compute(factors, 0, x, y, 200, 8, 0, &a), GN_EINVAL);
}

static int print_shares(const char *path)
{
    gn_factor factors[GN_IMPORTANCE_FACTORS];
    gn_importance out;
    int n_factors = 0, n = 0;
    char line[1000], *at = line;
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(line, sizeof line, file) == NULL)
        return 1;
    for (char *end = at; n_factors < 4; at = end, n_factors++) {
        factors[n_factors].n_levels = (int)strtol(at, &end, 10);
        if (end == at)
            break;
    }
    while (n < N && fgets(line, sizeof line, file) != NULL) {
        at = line;
        for (int k = 0; k < n_factors; k++)
            x[n * n_factors + k] = strtod(at, &at);
        y[n++] = strtod(at, &at);
    }
    fclose(file);
    if (gn_importance_compute(factors, n_factors, x, y, n, 64, 0, &out) != GN_OK)
        return 1;
    for (int k = 0; k < n_factors; k++)
        printf("%.6f ", out.share[k]);
    printf("%.6f\n", out.r2);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && argv[1][0] != '-')
        return print_shares(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_ishigami),
        cmocka_unit_test(test_categories),
        cmocka_unit_test(test_conditional),
        cmocka_unit_test(test_noise_and_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
