/* Samplers: the grid and random draws, feasibility, exhaustion, purity, refusals.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "search/sampler.h"

static const bool only_first[] = {true, false, false};
static const gn_param small[] = {
    {.name = "model", .kind = GN_PARAM_CHOICE, .n_choices = 3, .parent = -1},
    {.name = "width", .kind = GN_PARAM_INT, .low = 1, .high = 4, .parent = 0, .when = only_first},
    {.name = "batch", .kind = GN_PARAM_CHOICE, .n_choices = 2, .parent = -1},
};
#define N_SMALL (sizeof small / sizeof *small)
enum { SMALL_COUNT = (4 + 2) * 2 };

/* A history that grows, and the points that it holds. */
typedef struct past {
    double point[64][4];
    double value[64][2];
    gn_observation list[64];
    size_t n;
} past;

static void add(past *p, const double *point, size_t n_params, double value)
{
    memcpy(p->point[p->n], point, n_params * sizeof *point);
    p->value[p->n][0] = value;
    p->value[p->n][1] = -value;
    p->list[p->n] = (gn_observation){p->point[p->n], p->value[p->n], 0};
    p->n++;
}

static const gn_sampler_kind kinds[] = {GN_SAMPLER_GRID, GN_SAMPLER_RANDOM, GN_SAMPLER_TPE, GN_SAMPLER_NSGA2};
#define N_KINDS (sizeof kinds / sizeof *kinds)

static void test_a_finite_space_is_gone_through_once(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_KINDS; k++)
        for (int objectives = 1; objectives <= 2; objectives++) {
            gn_sampler s = gn_sampler_default(kinds[k], 7);
            s.n_startup = 3;
            past p = {.n = 0};
            double point[N_SMALL];
            for (size_t i = 0; i < SMALL_COUNT; i++) {
                assert_int_equal(gn_sampler_propose(&s, small, N_SMALL, objectives, p.list, p.n, i, point, NULL),
                                 GN_OK);
                assert_true(gn_params_hold(small, N_SMALL, point));
                for (size_t j = 0; j < p.n; j++)
                    assert_false(gn_points_equal(p.point[j], point, N_SMALL));
                if (kinds[k] == GN_SAMPLER_GRID)
                    assert_int_equal(gn_params_number(small, N_SMALL, point), i);
                add(&p, point, N_SMALL, (double)(i % 5));
            }
            gn_error err = {0};
            assert_int_equal(gn_sampler_propose(&s, small, N_SMALL, objectives, p.list, p.n, SMALL_COUNT, point, &err),
                             GN_ENOENT);
            assert_non_null(strstr(err.message, "exhausted"));
        }
}

static bool is_even_batch(void *ctx, const double *point)
{
    (*(int *)ctx)++;
    return point[2] == 0;
}

static void test_what_is_not_feasible_is_never_proposed(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_KINDS; k++) {
        int calls = 0;
        gn_sampler s = gn_sampler_default(kinds[k], 3);
        past p = {.n = 0};
        double point[N_SMALL];
        s.n_startup = 3;
        s.is_feasible = is_even_batch;
        s.ctx = &calls;
        for (size_t i = 0; i < SMALL_COUNT / 2; i++) {
            assert_int_equal(gn_sampler_propose(&s, small, N_SMALL, 1, p.list, p.n, i, point, NULL), GN_OK);
            assert_true(point[2] == 0);
            add(&p, point, N_SMALL, 0);
        }
        gn_error err = {0};
        assert_int_equal(gn_sampler_propose(&s, small, N_SMALL, 1, p.list, p.n, p.n, point, &err), GN_ENOENT);
        assert_true(calls > 0 && calls < 1000);
    }
}

static bool never(void *ctx, const double *point)
{
    (void)ctx;
    (void)point;
    return false;
}

static void test_an_infinite_space_without_a_feasible_point_ends(void **state)
{
    (void)state;
    static const gn_param real = {.name = "lr0", .kind = GN_PARAM_REAL, .low = 0, .high = 1, .parent = -1};
    double point = 5;
    gn_error err = {0};
    for (size_t k = 1; k < N_KINDS; k++) {
        gn_sampler s = gn_sampler_default(kinds[k], 3);
        s.is_feasible = never;
        assert_int_equal(gn_sampler_propose(&s, &real, 1, 1, NULL, 0, 0, &point, &err), GN_ENOENT);
        assert_non_null(strstr(err.message, "10000"));
        assert_true(point == 5);
    }
}

static void test_random_draws_are_even(void **state)
{
    (void)state;
    static const gn_param p[] = {
        {.name = "r", .kind = GN_PARAM_REAL, .low = -1, .high = 3, .parent = -1},
        {.name = "l", .kind = GN_PARAM_REAL, .low = 1e-4, .high = 1e-2, .is_log = true, .parent = -1},
        {.name = "i", .kind = GN_PARAM_INT, .low = 2, .high = 5, .parent = -1},
        {.name = "g", .kind = GN_PARAM_INT, .low = 1, .high = 100, .is_log = true, .parent = -1},
        {.name = "c", .kind = GN_PARAM_CHOICE, .n_choices = 5, .parent = -1},
    };
    const gn_sampler s = gn_sampler_default(GN_SAMPLER_RANDOM, 11);
    int below[2] = {0}, ints[4] = {0}, choices[5] = {0}, small_ints = 0;
    enum { N = 20000 };
    for (uint64_t i = 0; i < N; i++) {
        double x[5];
        assert_int_equal(gn_sampler_propose(&s, p, 5, 1, NULL, 0, i, x, NULL), GN_OK);
        assert_true(gn_params_hold(p, 5, x));
        below[0] += x[0] < 0;    /* a quarter */
        below[1] += x[1] < 1e-3; /* half */
        ints[(int)x[2] - 2]++;
        small_ints += x[3] <= 10; /* log(10.5/0.5) / log(100.5/0.5) = 0.574 */
        choices[(int)x[4]]++;
    }
    /* Four deviations of a share of 20,000 draws are at most 0.015. */
    assert_true(fabs(below[0] / (double)N - 0.25) < 0.015);
    assert_true(fabs(below[1] / (double)N - 0.5) < 0.015);
    assert_true(fabs(small_ints / (double)N - 0.574) < 0.015);
    for (int i = 0; i < 4; i++)
        assert_true(fabs(ints[i] / (double)N - 0.25) < 0.015);
    for (int i = 0; i < 5; i++)
        assert_true(fabs(choices[i] / (double)N - 0.2) < 0.015);
}

/* --- finding what is good -------------------------------------------------------------------------------------------- */

static double branin(const double *x)
{
    const double valley = x[1] - 0.12918450914398066 * x[0] * x[0] + 1.5915494309189535 * x[0] - 6;
    return valley * valley + 9.602112642270262 * cos(x[0]) + 10 - 0.39788735772973816;
}

/* The mean over seeds of the best of 60 proposals. */
static double branin_by(gn_sampler_kind kind)
{
    static const gn_param plane[] = {{.name = "x", .kind = GN_PARAM_REAL, .low = -5, .high = 10, .parent = -1},
                                     {.name = "y", .kind = GN_PARAM_REAL, .low = 0, .high = 15, .parent = -1}};
    double mean = 0;
    for (uint64_t seed = 0; seed < 10; seed++) {
        const gn_sampler s = gn_sampler_default(kind, seed);
        past p = {.n = 0};
        double best = INFINITY, point[2];
        for (size_t i = 0; i < 60; i++) {
            assert_int_equal(gn_sampler_propose(&s, plane, 2, 1, p.list, p.n, i, point, NULL), GN_OK);
            add(&p, point, 2, branin(point));
            best = fmin(best, branin(point));
        }
        mean += best / 10;
    }
    return mean;
}

static void test_tpe_finds_branins_valleys(void **state)
{
    (void)state;
    const double at_random = branin_by(GN_SAMPLER_RANDOM), by_tpe = branin_by(GN_SAMPLER_TPE);
    assert_true(by_tpe < 0.3 && at_random > 2 * by_tpe);
}

/* Twenty points of which the smallest x are the best, then proposals; their mean x. */
static double mean_proposal(gn_sampler_kind kind, int objectives, bool has_rungs)
{
    static const gn_param line[] = {
        {.name = "x", .kind = GN_PARAM_REAL, .low = 0, .high = 1, .parent = -1},
        {.name = "n", .kind = GN_PARAM_INT, .low = 1, .high = 64, .is_log = true, .parent = -1}};
    gn_sampler s = gn_sampler_default(kind, 5);
    past p = {.n = 0};
    double mean = 0;
    s.n_startup = 10;
    for (int i = 0; i < 20; i++) {
        const double x = i / 19.0;
        add(&p, (const double[]){x, 1 + 3 * i}, 2, x);
        p.value[i][1] = x;
        p.list[i].rung = has_rungs && i >= 17; /* the longest trained are the best whatever the values of the others */
    }
    for (uint64_t i = 0; i < 40; i++) {
        double point[2], again[2];
        assert_int_equal(gn_sampler_propose(&s, line, 2, objectives, p.list, p.n, i, point, NULL), GN_OK);
        assert_int_equal(gn_sampler_propose(&s, line, 2, objectives, p.list, p.n, i, again, NULL), GN_OK);
        assert_memory_equal(point, again, sizeof point);
        assert_true(gn_params_hold(line, 2, point));
        mean += point[0] / 40;
    }
    return mean;
}

static void test_proposals_lie_near_what_was_good(void **state)
{
    (void)state;
    for (int objectives = 1; objectives <= 2; objectives++) {
        assert_true(mean_proposal(GN_SAMPLER_TPE, objectives, false) < 0.3);
        assert_true(mean_proposal(GN_SAMPLER_TPE, objectives, true) > 0.7);
        assert_true(mean_proposal(GN_SAMPLER_NSGA2, objectives, false) < 0.45);
        assert_true(mean_proposal(GN_SAMPLER_NSGA2, objectives, true) >
                    mean_proposal(GN_SAMPLER_NSGA2, objectives, false));
    }
    assert_true(fabs(mean_proposal(GN_SAMPLER_RANDOM, 1, false) - 0.5) < 0.15);
}

static void test_failed_and_running_points_keep_tpe_away(void **state)
{
    (void)state;
    static const gn_param line = {.name = "x", .kind = GN_PARAM_REAL, .low = 0, .high = 1, .parent = -1};
    gn_sampler s = gn_sampler_default(GN_SAMPLER_TPE, 5);
    past p = {.n = 0};
    int near[2] = {0};
    for (int i = 0; i < 6; i++) /* good at 0.3 and at 0.7 alike */
        add(&p, &(double){(i % 2 == 0 ? 0.28 : 0.68) + 0.01 * i}, 1, 0);
    for (int i = 0; i < 34; i++)
        add(&p, &(double){i * 13 % 34 / 33.0}, 1, 10);
    for (int i = 0; i < 20; i++) {
        add(&p, &(double){0.2 + 0.01 * i}, 1, NAN);
        if (i % 2 == 0)
            p.list[p.n - 1].value = NULL;
    }
    for (uint64_t i = 0; i < 50; i++) {
        double x;
        assert_int_equal(gn_sampler_propose(&s, &line, 1, 1, p.list, p.n, i, &x, NULL), GN_OK);
        near[0] += fabs(x - 0.3) < 0.1;
        near[1] += fabs(x - 0.7) < 0.1;
    }
    assert_true(near[1] > near[0]);
}

static void test_refusals(void **state)
{
    (void)state;
    static const gn_param real = {.name = "lr0", .kind = GN_PARAM_REAL, .low = 0, .high = 1, .parent = -1};
    gn_sampler s = gn_sampler_default(GN_SAMPLER_GRID, 1);
    gn_error err = {0};
    double point = 5;
    assert_int_equal(gn_sampler_propose(&s, &real, 1, 1, NULL, 0, 0, &point, &err), GN_EINVAL);
    assert_non_null(strstr(err.message, "lr0"));
    s = gn_sampler_default(GN_SAMPLER_RANDOM, 1);
    assert_int_equal(gn_sampler_propose(&s, &real, 0, 1, NULL, 0, 0, &point, NULL), GN_EINVAL);
    assert_int_equal(gn_sampler_propose(&s, &real, 1, 0, NULL, 0, 0, &point, NULL), GN_EINVAL);
    assert_int_equal(gn_sampler_propose(&s, &real, 1, 9, NULL, 0, 0, &point, NULL), GN_EINVAL);
    s.n_candidates = 0;
    assert_int_equal(gn_sampler_propose(&s, &real, 1, 1, NULL, 0, 0, &point, NULL), GN_EINVAL);
    s = gn_sampler_default(GN_SAMPLER_RANDOM, 1);
    s.population = 1;
    assert_int_equal(gn_sampler_propose(&s, &real, 1, 1, NULL, 0, 0, &point, NULL), GN_EINVAL);
    assert_true(point == 5);
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        gn_sampler_kind kind = GN_SAMPLER_GRID;
        assert_true(gn_sampler_parse(gn_sampler_name((gn_sampler_kind)i), &kind));
        assert_int_equal(kind, i);
    }
    gn_sampler_kind kind;
    assert_false(gn_sampler_parse("bayes", &kind));
    assert_string_equal(gn_sampler_name((gn_sampler_kind)9), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_finite_space_is_gone_through_once),
        cmocka_unit_test(test_what_is_not_feasible_is_never_proposed),
        cmocka_unit_test(test_an_infinite_space_without_a_feasible_point_ends),
        cmocka_unit_test(test_random_draws_are_even),
        cmocka_unit_test(test_tpe_finds_branins_valleys),
        cmocka_unit_test(test_proposals_lie_near_what_was_good),
        cmocka_unit_test(test_failed_and_running_points_keep_tpe_away),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
