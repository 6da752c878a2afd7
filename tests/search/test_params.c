/* Parameters of a search: what is refused, where a parameter applies, and the numbering of finite spaces.
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
#include "search/params.h"

#define CHOICE(count) .kind = GN_PARAM_CHOICE, .n_choices = (count), .parent = -1

/* Model a: width 2, rate 3; model b: rate 3; model c: depth 1..4, of which choice 1 of kind brings 2 more. */
static const bool only_a[] = {true, false, false}, a_and_b[] = {true, true, false}, only_c[] = {false, false, true};
static const bool second[] = {false, true};
static const gn_param tree[] = {
    {.name = "model", CHOICE(3)},
    {.name = "width", .kind = GN_PARAM_CHOICE, .n_choices = 2, .parent = 0, .when = only_a},
    {.name = "batch", CHOICE(2)},
    {.name = "rate", .kind = GN_PARAM_CHOICE, .n_choices = 3, .parent = 0, .when = a_and_b},
    {.name = "depth", .kind = GN_PARAM_INT, .low = 1, .high = 4, .parent = 0, .when = only_c},
    {.name = "kind", .kind = GN_PARAM_CHOICE, .n_choices = 2, .parent = 0, .when = only_c},
    {.name = "more", .kind = GN_PARAM_INT, .low = -1, .high = 0, .parent = 5, .when = second},
};
#define N_TREE (sizeof tree / sizeof *tree)

static void test_a_tree_is_counted_and_numbered(void **state)
{
    (void)state;
    enum { COUNT = 2 * (2 * 3 + 3 + 4 * (1 + 2)) };
    double points[COUNT][N_TREE];
    assert_int_equal(gn_params_check(tree, N_TREE, NULL), GN_OK);
    assert_int_equal(gn_params_count(tree, N_TREE), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        gn_params_point(tree, N_TREE, i, points[i]);
        assert_true(gn_params_hold(tree, N_TREE, points[i]));
        assert_int_equal(gn_params_number(tree, N_TREE, points[i]), i);
        for (size_t j = 0; j < i; j++)
            assert_false(gn_points_equal(points[i], points[j], N_TREE));
    }
    /* model a, width 0, batch 0, rate 0 come first; the last root runs fastest */
    assert_true(points[0][0] == 0 && points[0][1] == 0 && points[0][2] == 0 && points[0][3] == 0);
    assert_true(isnan(points[0][4]) && isnan(points[0][5]) && isnan(points[0][6]));
    assert_true(points[1][2] == 1);
    assert_true(points[COUNT - 1][0] == 2 && points[COUNT - 1][4] == 4 && points[COUNT - 1][5] == 1 &&
                points[COUNT - 1][6] == 0);
}

static void test_what_a_point_may_hold(void **state)
{
    (void)state;
    static const gn_param p[] = {
        {.name = "a", CHOICE(2)},
        {.name = "b", .kind = GN_PARAM_REAL, .low = 0, .high = 1, .parent = 0, .when = second}};
    assert_true(gn_params_hold(p, 2, (const double[]){0, NAN}));
    assert_true(gn_params_hold(p, 2, (const double[]){1, 1}));
    assert_false(gn_params_hold(p, 2, (const double[]){1, NAN}));
    assert_false(gn_params_hold(p, 2, (const double[]){0, 0.5}));
    assert_false(gn_params_hold(p, 2, (const double[]){1, 1.5}));
    assert_false(gn_params_hold(p, 2, (const double[]){2, NAN}));
    assert_false(gn_params_hold(p, 2, (const double[]){0.5, NAN}));
    assert_true(gn_params_count(p, 2) == UINT64_MAX);
}

static void test_counts_that_do_not_fit(void **state)
{
    (void)state;
    gn_param p[40];
    for (int i = 0; i < 40; i++)
        p[i] = (gn_param){.name = "x", CHOICE(3)};
    assert_true(gn_params_count(p, 39) == UINT64_C(4052555153018976267));
    assert_true(gn_params_count(p, 40) == UINT64_MAX);
    const gn_param one = {.kind = GN_PARAM_REAL, .low = 2, .high = 2, .parent = -1};
    assert_int_equal(gn_params_count(&one, 1), 1);
    const gn_param wide = {.kind = GN_PARAM_INT, .low = -GN_PARAM_MAX_INT, .high = GN_PARAM_MAX_INT, .parent = -1};
    assert_true(gn_params_count(&wide, 1) == (UINT64_C(1) << 54) + 1);
}

static void test_refusals_name_the_parameter(void **state)
{
    (void)state;
    static const gn_param bad[] = {
        {.name = "x", CHOICE(0)},
        {.name = "x", CHOICE(GN_PARAM_MAX_CHOICES + 1)},
        {.name = "x", .kind = (gn_param_kind)7, .parent = -1},
        {.name = "x", .kind = GN_PARAM_REAL, .low = 2, .high = 1, .parent = -1},
        {.name = "x", .kind = GN_PARAM_REAL, .low = 0, .high = INFINITY, .parent = -1},
        {.name = "x", .kind = GN_PARAM_REAL, .low = -1e308, .high = 1e308, .parent = -1},
        {.name = "x", .kind = GN_PARAM_REAL, .low = NAN, .high = 1, .parent = -1},
        {.name = "x", .kind = GN_PARAM_REAL, .low = 0, .high = 1, .is_log = true, .parent = -1},
        {.name = "x", .kind = GN_PARAM_INT, .low = 0.5, .high = 2, .parent = -1},
        {.name = "x", .kind = GN_PARAM_INT, .low = 0, .high = 1e16, .parent = -1},
        {.name = "x", CHOICE(2)},
        {.name = "x", .kind = GN_PARAM_CHOICE, .n_choices = 2, .parent = 0},
    };
    gn_param list[2] = {{.name = "first", .kind = GN_PARAM_REAL, .low = 0, .high = 1, .parent = -1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gn_error err = {0};
        list[1] = bad[i];
        if (i == 10) { /* a parent without choices */
            list[1].parent = 0;
            list[1].when = second;
        }
        if (gn_params_check(list, 2, &err) != GN_EINVAL)
            fail_msg("not refused: %zu", i);
        assert_non_null(strstr(err.message, "(x)"));
    }
    assert_int_equal(gn_params_check(list, 0, NULL), GN_EINVAL);
    assert_int_equal(gn_params_check(list, GN_PARAMS_MAX + 1, NULL), GN_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_tree_is_counted_and_numbered),
        cmocka_unit_test(test_what_a_point_may_hold),
        cmocka_unit_test(test_counts_that_do_not_fit),
        cmocka_unit_test(test_refusals_name_the_parameter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
