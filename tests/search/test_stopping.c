/* Stopping rules: text, ladders, and decisions on small cases worked out by hand.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "search/stopping.h"

/* --- text ----------------------------------------------------------------------------------------------------------- */

static void test_reads_and_writes(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"10:8,30:2,60", "10:8,30:2,60 trials=40"},
        {" 10 : 8 , 30 trials=84", "10:8,30 trials=84"},
        {"5", "5 trials=40"},
        {"stages:10:8,30:2,60 pareto trials=3", "10:8,30:2,60 trials=3 pareto"},
        {"asha:4-60/4", "asha:4-60/4 trials=40"},
        {"asha:60", "asha:3-60/4 trials=40"},
        {"asha:60/3 pareto", "asha:3-60/3 trials=40 pareto"},
        {"halving:1-27/3 trials=27", "halving:1-27/3 trials=27"},
        {"hyperband:1-81/3", "hyperband:1-81/3 trials=40"},
        {"median:4-60 grace=7", "median:4-60 trials=40 grace=7"},
        {"median:60", "median:6-60 trials=40 grace=5"},
        {"none:60", "none:60 trials=40"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        gn_stopping rule, again;
        char text[GN_STOPPING_TEXT];
        gn_error err = {0};
        if (gn_stopping_parse(pairs[i][0], &rule, &err) != GN_OK)
            fail_msg("%s", err.message);
        gn_stopping_format(&rule, text);
        assert_string_equal(text, pairs[i][1]);
        assert_int_equal(gn_stopping_parse(text, &again, NULL), GN_OK);
        assert_memory_equal(&rule, &again, sizeof rule);
    }
}

static void test_ladders(void **state)
{
    (void)state;
    gn_stopping r;
    assert_int_equal(gn_stopping_parse("asha:4-60/4", &r, NULL), GN_OK); /* 64 would be beyond the end */
    assert_int_equal(r.n_ladder, 3);
    assert_int_equal(r.epochs[0], 4);
    assert_int_equal(r.epochs[1], 16);
    assert_int_equal(r.epochs[2], 60);
    assert_int_equal(gn_stopping_parse("asha:4-66/4", &r, NULL), GN_OK); /* 64 is too near to 66 */
    assert_int_equal(r.n_ladder, 3);
    assert_int_equal(r.epochs[2], 66);
    assert_int_equal(gn_stopping_parse("hyperband:1-81/3", &r, NULL), GN_OK);
    assert_int_equal(r.n_ladder, 5);
    assert_int_equal(r.epochs[3], 27);
    assert_int_equal(gn_stopping_parse("halving:50-60/4", &r, NULL), GN_OK); /* the first rung stays */
    assert_int_equal(r.n_ladder, 2);
    assert_int_equal(gn_stopping_parse("asha:60-60/4", &r, NULL), GN_OK);
    assert_int_equal(r.n_ladder, 1);
    assert_int_equal(gn_stopping_parse("median:7-30", &r, NULL), GN_OK);
    assert_int_equal(r.n_ladder, 5);
    assert_int_equal(r.epochs[3], 28);
    assert_int_equal(r.epochs[4], 30);
    assert_int_equal(gn_stopping_parse("asha:1-100000/2", &r, NULL), GN_OK);
    assert_int_equal(r.epochs[r.n_ladder - 1], 100000);
}

static void test_refusals_say_what_was_expected(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "0",
                                      "10:8",
                                      "10,20",
                                      "10:8,",
                                      "10:0,20",
                                      "10:2,10",
                                      "10:2,20:3,30",
                                      "10;2",
                                      "asha",
                                      "asha:",
                                      "asha:4-",
                                      "asha:4-2/4",
                                      "asha:0-4/4",
                                      "asha:4-60/1",
                                      "asha:4-60/101",
                                      "asha:4-60/4x",
                                      "asha:4-60/4 trials=0",
                                      "asha:4-60 grace=4",
                                      "median:1-65",
                                      "median:4-60/2",
                                      "median:4-60 grace=0",
                                      "none:4-60",
                                      "none:0",
                                      "none:60 pareto",
                                      "asha:4-100001/4",
                                      "asha:4-99999999999/4",
                                      "bandit:3-4/2",
                                      "asha:4-60/4 trials=1000001"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gn_stopping rule = {.n_ladder = -1};
        gn_error err = {0};
        if (gn_stopping_parse(bad[i], &rule, &err) != GN_EINVAL)
            fail_msg("not refused: \"%s\"", bad[i]);
        assert_int_equal(rule.n_ladder, -1);
        assert_true(strlen(err.message) > 20);
    }
    gn_stopping rule;
    assert_int_equal(gn_stopping_make(GN_STOPPING_STAGES, 1, 2, 0, 0, &rule, NULL), GN_EINVAL);
    assert_int_equal(gn_stopping_make(GN_STOPPING_ASHA, 1, 2, 4, -1, &rule, NULL), GN_EINVAL);
}

/* --- decisions ------------------------------------------------------------------------------------------------------ */

#define RUNGS 3
/* Trials 1.. of networks 10..; NaN where a rung is not reached. */
typedef struct table {
    double score[32][RUNGS];
    gn_standing list[32];
    size_t n;
} table;

static void put(table *t, int64_t network, double a, double b, double c)
{
    gn_standing *s = &t->list[t->n];
    memcpy(t->score[t->n], (const double[]){a, b, c}, sizeof t->score[0]);
    *s = (gn_standing){.trial = (int64_t)t->n + 1, .network = network, .score = t->score[t->n], .cost = NAN};
    while (s->n_rungs < RUNGS && !isnan(s->score[s->n_rungs]))
        s->n_rungs++;
    t->n++;
}

static gn_next ask(const char *rule_text, const table *t)
{
    gn_stopping rule;
    gn_next next = {.kind = (gn_next_kind)99};
    assert_int_equal(gn_stopping_parse(rule_text, &rule, NULL), GN_OK);
    assert_int_equal(gn_stopping_next(&rule, t->list, t->n, &next, NULL), GN_OK);
    return next;
}

#define assert_next(next, k, trial_number, r)                                                                          \
    do {                                                                                                               \
        const gn_next got_ = (next);                                                                                   \
        assert_int_equal(got_.kind, k);                                                                                \
        if (got_.kind == GN_NEXT_CONTINUE)                                                                             \
            assert_int_equal(got_.index + 1, trial_number);                                                            \
        if (got_.kind <= GN_NEXT_CONTINUE)                                                                             \
            assert_int_equal(got_.rung, r);                                                                            \
    } while (0)

static void test_stages_keep_networks_by_their_best_trial(void **state)
{
    (void)state;
    const char *rule = "1:2,2:1,4 trials=5";
    table t = {.n = 0};
    assert_next(ask(rule, &t), GN_NEXT_START, 0, 0);
    put(&t, 10, 0.5, NAN, NAN);
    put(&t, 10, 0.6, NAN, NAN);
    put(&t, 20, 0.55, NAN, NAN);
    put(&t, 30, 0.1, NAN, NAN);
    assert_next(ask(rule, &t), GN_NEXT_START, 0, 0);
    put(&t, 40, NAN, NAN, NAN);
    t.list[4].is_running = true;
    assert_next(ask(rule, &t), GN_NEXT_WAIT, 0, 0);
    t.list[4].is_running = false; /* interrupted: it goes on first */
    assert_next(ask(rule, &t), GN_NEXT_CONTINUE, 5, 0);
    t.list[4].is_out = true;
    assert_next(ask(rule, &t), GN_NEXT_CONTINUE, 2, 1);
    t.list[1].is_running = true;
    assert_next(ask(rule, &t), GN_NEXT_CONTINUE, 3, 1);
    t.list[2].is_running = true;
    assert_next(ask(rule, &t), GN_NEXT_WAIT, 0, 0);
    t.list[1] = (gn_standing){.trial = 2, .network = 10, .n_rungs = 2, .score = t.score[1]};
    t.score[1][1] = 0.7;
    assert_next(ask(rule, &t), GN_NEXT_WAIT, 0, 0); /* the stage is not over */
    t.list[2].is_running = false;
    t.list[2].is_out = true; /* nobody moves up */
    assert_next(ask(rule, &t), GN_NEXT_CONTINUE, 2, 2);
    t.list[1].n_rungs = 3;
    t.score[1][2] = 0.8;
    assert_next(ask(rule, &t), GN_NEXT_END, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_and_writes),
        cmocka_unit_test(test_ladders),
        cmocka_unit_test(test_refusals_say_what_was_expected),
        cmocka_unit_test(test_stages_keep_networks_by_their_best_trial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
