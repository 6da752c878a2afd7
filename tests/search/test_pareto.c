/* Fronts, crowding, hypervolume: cases worked out by hand, and random ones against the definitions.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "search/pareto.h"

#define MAX_ROWS 40

/* Random rows; coarse ones have many ties. */
static void draw_rows(gn_rng *rng, double *value, size_t n, int m, bool is_coarse)
{
    for (size_t i = 0; i < n * (size_t)m; i++)
        value[i] = is_coarse ? (double)gn_rng_below(rng, 4) : gn_rng_uniform(rng);
}

/* By definition: the longest chain of rows that dominate each other, ending here. */
static int depth(const double *value, size_t n, int m, size_t at)
{
    int deepest = 0;
    for (size_t j = 0; j < n; j++)
        if (gn_pareto_dominates(value + j * (size_t)m, value + at * (size_t)m, m)) {
            const int d = depth(value, n, m, j) + 1;
            deepest = d > deepest ? d : deepest;
        }
    return deepest;
}

static void test_ranks(void **state)
{
    (void)state;
    gn_arena *arena = gn_arena_create(0);
    /* b is on the front with a, c lies behind b, d equals a, e behind c */
    const double hand[] = {1, 4, 2, 2, 3, 3, 1, 4, 3, 5};
    const int expected[] = {0, 0, 1, 0, 2};
    int rank[MAX_ROWS];
    assert_int_equal(gn_pareto_rank(hand, 5, 2, rank, arena), GN_OK);
    assert_memory_equal(rank, expected, sizeof expected);
    size_t front[5], n_front = 0;
    assert_int_equal(gn_pareto_front(hand, 5, 2, front, &n_front, arena), GN_OK);
    assert_int_equal(n_front, 3);
    assert_true(front[0] == 0 && front[1] == 3 && front[2] == 1);
    gn_rng rng;
    gn_rng_init(&rng, 1, 2);
    for (int round = 0; round < 200; round++) {
        double value[MAX_ROWS * 4];
        const int m = 1 + round % 4;
        const size_t n = (size_t)gn_rng_below(&rng, m == 1 ? 12 : 24);
        draw_rows(&rng, value, n, m, round % 3 == 0);
        assert_int_equal(gn_pareto_rank(value, n, m, rank, arena), GN_OK);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(rank[i], depth(value, n, m, i));
    }
    gn_arena_destroy(&arena);
}

static void test_crowding(void **state)
{
    (void)state;
    gn_arena *arena = gn_arena_create(0);
    /* ranges 8 and 4: the row (2,2) lies between (0,4) and (4,1): 4/8 + 3/4; (4,1) between (2,2) and (8,0): 6/8 + 2/4 */
    const double hand[] = {4, 1, 0, 4, 8, 0, 2, 2};
    double distance[4];
    assert_int_equal(gn_pareto_crowding(hand, 4, 2, distance, arena), GN_OK);
    assert_true(distance[0] == 1.25 && isinf(distance[1]) && isinf(distance[2]) && distance[3] == 1.25);
    const double same[] = {1, 1, 1, 1, 1, 1};
    assert_int_equal(gn_pareto_crowding(same, 3, 2, distance, arena), GN_OK);
    assert_true(isinf(distance[0]) && distance[1] == 0 && isinf(distance[2]));
    assert_int_equal(gn_pareto_crowding(hand, 0, 2, distance, arena), GN_OK);
    gn_arena_destroy(&arena);
}

/* Cells of a grid of whole numbers 0..3 that some row dominates, each of volume 1. */
static double count_cells(const double *value, size_t n, int m)
{
    int count = 0, cells = 1;
    for (int k = 0; k < m; k++)
        cells *= 4;
    for (int cell = 0; cell < cells; cell++) {
        bool is_covered = false;
        for (size_t i = 0; i < n && !is_covered; i++) {
            int rest = cell;
            is_covered = true;
            for (int k = 0; k < m; k++, rest /= 4)
                is_covered = is_covered && value[i * (size_t)m + (size_t)k] <= rest % 4;
        }
        count += is_covered;
    }
    return count;
}

static double volume_of(const double *value, size_t n, int m, const double *reference, gn_arena *arena)
{
    double volume = NAN;
    assert_int_equal(gn_hypervolume(value, n, m, reference, &volume, arena), GN_OK);
    return volume;
}

static void test_hypervolume(void **state)
{
    (void)state;
    gn_arena *arena = gn_arena_create(0);
    static const double four[] = {4, 4, 4, 4, 4};
    const double hand[] = {1, 3, 2, 2, 3,
                           1, 3, 3, 5, 0}; /* (4-1)(4-3) + (4-2)(3-2) + (4-3)(2-1); the last is outside */
    assert_true(volume_of(hand, 5, 2, four, arena) == 6);
    assert_true(volume_of(hand, 0, 2, four, arena) == 0);
    gn_rng rng;
    gn_rng_init(&rng, 3, 4);
    for (int round = 0; round < 300; round++) {
        double value[12 * 5];
        const int m = 1 + round % 5;
        const size_t n = (size_t)gn_rng_below(&rng, 12);
        draw_rows(&rng, value, n, m, true);
        assert_true(fabs(volume_of(value, n, m, four, arena) - count_cells(value, n, m)) < 1e-9);
    }
    gn_arena_destroy(&arena);
}

/* By definition: each time the row with which the volume is largest. */
static void greedy(const double *value, size_t n, int m, const double *reference, size_t k, double *volume_out,
                   gn_arena *arena)
{
    double chosen[MAX_ROWS * 3];
    bool is_taken[MAX_ROWS] = {false};
    for (size_t i = 0; i < k; i++) {
        size_t best = SIZE_MAX;
        double most = -1;
        for (size_t j = 0; j < n; j++) {
            memcpy(chosen + i * (size_t)m, value + j * (size_t)m, (size_t)m * sizeof *value);
            const double volume = is_taken[j] ? -1 : volume_of(chosen, i + 1, m, reference, arena);
            if (volume > most + 1e-12) {
                most = volume;
                best = j;
            }
        }
        is_taken[best] = true;
        memcpy(chosen + i * (size_t)m, value + best * (size_t)m, (size_t)m * sizeof *value);
    }
    *volume_out = k > 0 ? volume_of(chosen, k, m, reference, arena) : 0;
}

static void test_subsets(void **state)
{
    (void)state;
    gn_arena *arena = gn_arena_create(0);
    static const double one[] = {1, 1, 1};
    gn_rng rng;
    gn_rng_init(&rng, 5, 6);
    for (int round = 0; round < 60; round++) {
        double value[16 * 3], kept[16 * 3], expected = 0;
        size_t index[16];
        bool is_taken[16] = {false};
        const int m = 2 + round % 2;
        const size_t n = (size_t)(1 + gn_rng_below(&rng, 16)), k = (size_t)gn_rng_below(&rng, (int64_t)n + 1);
        draw_rows(&rng, value, n, m, false);
        assert_int_equal(gn_hypervolume_subset(value, n, m, one, k, index, arena), GN_OK);
        greedy(value, n, m, one, k, &expected, arena);
        for (size_t i = 0; i < k; i++) {
            assert_true(index[i] < n && !is_taken[index[i]]);
            is_taken[index[i]] = true;
            memcpy(kept + i * (size_t)m, value + index[i] * (size_t)m, (size_t)m * sizeof *kept);
        }
        assert_true(fabs((k > 0 ? volume_of(kept, k, m, one, arena) : 0) - expected) < 1e-9);
    }
    gn_arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_crowding),
        cmocka_unit_test(test_hypervolume),
        cmocka_unit_test(test_subsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
