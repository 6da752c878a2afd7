/* Samplers and stopping rules when memory runs out: the k-th allocation fails, for every k until none does; then the status says so, the
 * result is untouched, and nothing leaks.
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
#include "search/stopping.h"

static int left; /* allocations until one fails; negative: none does */

static void *alloc_or_fail(void *ctx, size_t bytes, size_t align)
{
    (void)ctx;
    if (left == 0)
        return NULL;
    left--;
    return aligned_alloc(align, (bytes + align - 1) / align * align);
}

static void give_back(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

enum { N = 60 };

static gn_status propose(gn_sampler_kind kind, int objectives, double *x, gn_error *err)
{
    static const gn_param params[] = {{.name = "a", .kind = GN_PARAM_CHOICE, .n_choices = 2, .parent = -1},
                                      {.name = "b", .kind = GN_PARAM_REAL, .low = 0, .high = 1, .parent = -1}};
    double point[N][2], value[N][2];
    gn_observation history[N];
    gn_sampler s = gn_sampler_default(kind, 1);
    s.n_startup = 10;
    for (int i = 0; i < N; i++) {
        point[i][0] = i % 2;
        point[i][1] = value[i][0] = i / 60.0;
        value[i][1] = fabs(0.5 - value[i][0]);
        history[i] = (gn_observation){point[i], value[i], 0};
    }
    return gn_sampler_propose(&s, params, 2, objectives, history, N, N, x, err);
}

static gn_status decide(const char *text, gn_next *next, gn_error *err)
{
    static double score[N][8];
    gn_standing list[N];
    gn_stopping rule;
    GN_TRY(gn_stopping_parse(text, &rule, err));
    for (int i = 0; i < N; i++) {
        score[i][0] = i * 7 % N;
        list[i] = (gn_standing){.trial = i, .network = i / 2, .n_rungs = 1, .score = score[i], .cost = i % 5};
    }
    return gn_stopping_next(&rule, list, N, next, err);
}

/* Runs question(which) until it is answered, with one more allocation each time. */
static void run_out_of_memory(gn_status (*question)(int which, bool *is_untouched), int which)
{
    const gn_allocator allocator = {alloc_or_fail, give_back, NULL};
    gn_status status = GN_ENOMEM;
    bool is_untouched = false;
    gn_set_allocator(&allocator);
    int k = 0;
    for (; status == GN_ENOMEM && k < 1000; k++) {
        left = k;
        status = question(which, &is_untouched);
        assert_true(is_untouched == (status != GN_OK));
        assert_int_equal(gn_memory_stats_get().live_bytes, 0);
    }
    gn_set_allocator(NULL);
    assert_int_equal(status, GN_OK);
    assert_true(k > 1);
}

static gn_status ask_sampler(int which, bool *is_untouched)
{
    double x[2] = {7, 7};
    const gn_status status = propose((gn_sampler_kind)(which / 2 + 1), 1 + which % 2, x, NULL);
    *is_untouched = x[0] == 7 && x[1] == 7;
    return status;
}

static gn_status ask_rule(int which, bool *is_untouched)
{
    static const char *const rules[] = {"1:9,2:4,8:2,16 trials=60", "asha:1-64/4 trials=60 pareto",
                                        "halving:1-27/3 trials=60", "median:2-16 trials=60 pareto",
                                        "hyperband:1-27/3 trials=60"};
    gn_next next = {.rung = -5};
    const gn_status status = decide(rules[which], &next, NULL);
    *is_untouched = next.rung == -5;
    return status;
}

static void test_samplers(void **state)
{
    (void)state;
    for (int which = 0; which < 6; which++)
        run_out_of_memory(ask_sampler, which);
}

static void test_rules(void **state)
{
    (void)state;
    for (int which = 0; which < 5; which++)
        run_out_of_memory(ask_rule, which);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samplers),
        cmocka_unit_test(test_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
