/* The search with samplers, stopping rules and limits, and a runner that trains nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "search_fixture.h"

static gn_search_options sampled(const gn_space *space, gn_sampler_kind sampler, const char *stopping, int64_t n_trials)
{
    gn_search_options o = search_options_for(space);
    gn_error err = {0};
    o.sampler = sampler;
    o.n_trials = n_trials;
    if (gn_stopping_parse(stopping, &o.stopping, &err) != GN_OK)
        fail_msg("%s", err.message);
    return o;
}

static void must_run(fake_runner *fake, gn_search_options *o, gn_search_outcome *outcome)
{
    gn_error err = {0};
    if (search_run(fake, o, outcome, &err) != GN_OK)
        fail_msg("%s", err.message);
}

/* Every sampler with every rule: all trials begin, and every result belongs to a rung that the rule has. */
static void test_every_sampler_with_every_rule(void **state)
{
    static const gn_sampler_kind samplers[] = {GN_SAMPLER_RANDOM, GN_SAMPLER_TPE, GN_SAMPLER_NSGA2};
    static const char *const rules[] = {"none:8",           "4:2,10",     "halving:2-18/3",    "asha:2-18/3",
                                        "hyperband:2-18/3", "median:2-8", "asha:2-18/3 pareto"};
    (void)state;
    gn_space *space = search_make_endless_space();
    for (size_t i = 0; i < sizeof samplers / sizeof samplers[0]; i++)
        for (size_t k = 0; k < sizeof rules / sizeof rules[0]; k++) {
            gn_search_options o = sampled(space, samplers[i], rules[k], 12);
            gn_search_outcome outcome;
            fake_runner fake = {.has_test_split = true, .is_quick = true};
            unlink(search_study_path);
            must_run(&fake, &o, &outcome);
            search_snapshot s = search_read_study();
            assert_int_equal(s.n_trials, 12);
            assert_int_equal(outcome.n_done, 12);
            for (size_t r = 0; r < s.n_results; r++)
                assert_int_equal(s.result[r].epochs, o.stopping.epochs[s.result[r].stage - 1]);
            for (size_t t = 0; t < s.n_trials; t++) {
                assert_string_equal(s.trial[t].origin, gn_sampler_name(samplers[i]));
                assert_true(s.trial[t].attempts >= 1 && s.trial[t].stage >= 1);
                /* Who came no farther is told why. */
                assert_true((s.trial[t].reason[0] != '\0') == (s.trial[t].stage < o.stopping.n_ladder));
            }
            assert_true(outcome.images == (int64_t)s.n_epochs * 10);
            gn_arena_destroy(&s.arena);
        }
    gn_space_destroy(&space);
}

static void test_tpe_finds_the_rate(void **state)
{
    (void)state;
    gn_space *space = search_make_endless_space();
    gn_search_options o = sampled(space, GN_SAMPLER_TPE, "none:4", 40);
    gn_search_outcome outcome;
    fake_runner fake = {.has_test_split = true, .is_quick = true};
    must_run(&fake, &o, &outcome);
    assert_true(outcome.score > fake_score("c", "0.01", 4) - 0.01);
    gn_space_destroy(&space);
}

/* Runs in a process of its own that dies at the n-th job; false when it came to its end. */
static bool dies_at(gn_search_options *o, int n)
{
    const pid_t pid = fork();
    if (pid == 0) {
        fake_runner fake = {.die_at_job = n, .has_test_split = true};
        gn_search_outcome outcome;
        _exit(search_run(&fake, o, &outcome, NULL) == GN_OK ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

/* Killed at its first, second, third, ... job, the search comes to the same trials and results as without. */
static void test_killed_again_and_again(void **state)
{
    (void)state;
    gn_space *space = search_make_endless_space();
    gn_search_options o = sampled(space, GN_SAMPLER_TPE, "asha:2-18/3", 15);
    gn_search_outcome whole, pieces;
    fake_runner fake = {.has_test_split = true}, rest = {.has_test_split = true};
    must_run(&fake, &o, &whole);
    search_snapshot a = search_read_study();
    unlink(search_study_path);
    for (int i = 0; i < 6; i++)
        assert_true(dies_at(&o, 1 + i % 3));
    must_run(&rest, &o, &pieces);
    search_snapshot b = search_read_study();
    assert_int_equal(pieces.winner, whole.winner);
    assert_int_equal(a.n_trials, b.n_trials);
    assert_int_equal(a.n_results, b.n_results);
    assert_int_equal(a.n_epochs, b.n_epochs);
    for (size_t i = 0; i < a.n_trials; i++) {
        assert_string_equal(a.trial[i].config, b.trial[i].config);
        assert_int_equal(a.trial[i].stage, b.trial[i].stage);
    }
    gn_arena_destroy(&a.arena);
    gn_arena_destroy(&b.arena);
    gn_space_destroy(&space);
}

static void test_more_trials_later(void **state)
{
    (void)state;
    gn_space *space = search_make_endless_space();
    gn_search_options o = sampled(space, GN_SAMPLER_RANDOM, "none:4", 5);
    gn_search_outcome outcome;
    fake_runner fake = {.has_test_split = true}, more = {.has_test_split = true};
    must_run(&fake, &o, &outcome);
    o.n_trials = 8;
    must_run(&more, &o, &outcome);
    assert_int_equal(more.n_trained, 3);
    assert_int_equal(outcome.n_done, 8);
    gn_space_destroy(&space);
}

static void test_a_finite_space_ends(void **state)
{
    (void)state;
    gn_space *space = search_make_space();
    gn_search_options o = sampled(space, GN_SAMPLER_RANDOM, "none:4", 100);
    gn_search_outcome outcome;
    fake_runner fake = {.has_test_split = true, .slow_model = "b"};
    must_run(&fake, &o, &outcome);
    assert_int_equal(outcome.n_done, 4); /* two of the three networks keep the budget, at two rates each */
    search_snapshot s = search_read_study();
    for (size_t i = 0; i < s.n_trials; i++)
        assert_null(strstr(s.trial[i].config, "\"b\""));
    gn_arena_destroy(&s.arena);
    gn_space_destroy(&space);
}

static void test_endless_space_wants_a_number(void **state)
{
    (void)state;
    gn_space *space = search_make_endless_space();
    gn_search_options o = sampled(space, GN_SAMPLER_RANDOM, "none:4", 0);
    gn_search_outcome outcome;
    gn_error err = {0};
    fake_runner fake = {0};
    assert_int_equal(search_run(&fake, &o, &outcome, &err), GN_EINVAL);
    assert_non_null(strstr(err.message, "--trials"));
    gn_space_destroy(&space);
}

static void test_a_crash_is_tried_again_once(void **state)
{
    (void)state;
    gn_space *space = search_make_space();
    gn_search_options o = sampled(space, GN_SAMPLER_GRID, "none:4", 0);
    gn_search_outcome outcome;
    fake_runner fake = {.has_test_split = true, .crashing_model = "b"};
    must_run(&fake, &o, &outcome);
    assert_int_equal(outcome.n_done, 6);
    assert_int_equal(fake.n_trained, 7);
    assert_non_null(strstr(search_said, "is tried again: killed by signal 11"));
    gn_study *study = NULL;
    gn_attempt *attempt = NULL;
    size_t n = 0;
    gn_arena *arena = gn_arena_create(0);
    assert_int_equal(gn_study_open(search_study_path, GN_STUDY_READ, &study, NULL), GN_OK);
    assert_int_equal(gn_study_attempts(study, 3, arena, &attempt, &n, NULL), GN_OK);
    assert_int_equal(n, 2);
    assert_int_equal(attempt[0].outcome, GN_OUTCOME_FAILED);
    assert_string_equal(attempt[0].reason, "killed by signal 11");
    assert_int_equal(attempt[1].outcome, GN_OUTCOME_DONE);
    gn_study_close(&study);
    gn_arena_destroy(&arena);
    gn_space_destroy(&space);
}

static void test_a_trial_may_take_so_long(void **state)
{
    (void)state;
    gn_space *space = search_make_space();
    gn_search_options o = sampled(space, GN_SAMPLER_GRID, "none:4", 0);
    gn_search_outcome outcome;
    fake_runner fake = {.has_test_split = true, .endless_model = "c"};
    o.trial_s = 0.2;
    must_run(&fake, &o, &outcome);
    assert_int_equal(outcome.n_done, 4);
    assert_int_equal(outcome.n_failed, 2);
    search_snapshot s = search_read_study();
    assert_non_null(strstr(s.trial[4].reason, "took longer than"));
    gn_arena_destroy(&s.arena);
    gn_space_destroy(&space);
}

static void test_time_is_up(void **state)
{
    (void)state;
    gn_space *space = search_make_space();
    gn_search_options o = sampled(space, GN_SAMPLER_GRID, "none:4", 0);
    gn_search_outcome outcome;
    fake_runner fake = {.has_test_split = true, .endless_model = "c"}, rest = {.has_test_split = true};
    o.time_s = 3;
    must_run(&fake, &o, &outcome);
    assert_true(outcome.is_out_of_time);
    assert_int_equal(outcome.winner, 4);
    assert_true(outcome.seconds < 60);
    search_snapshot s = search_read_study();
    assert_int_equal(s.trial[4].state, GN_TRIAL_STOPPED);
    gn_arena_destroy(&s.arena);
    /* With more time it goes on, and the winner may change. */
    o.time_s = 0;
    must_run(&rest, &o, &outcome);
    assert_int_equal(outcome.winner, 6);
    gn_space_destroy(&space);
}

static void test_budgets_of_memory_and_size(void **state)
{
    (void)state;
    gn_space *space = search_make_space();
    gn_search_options o = sampled(space, GN_SAMPLER_GRID, "none:4", 0);
    gn_search_outcome outcome;
    gn_error err = {0};
    fake_runner fake = {.has_test_split = true}, second = {.has_test_split = true}, third = {0};
    o.budget.memory_mb = 250;
    must_run(&fake, &o, &outcome);
    assert_int_equal(outcome.n_screened, 2);
    assert_int_equal(outcome.winner, 4);
    search_snapshot s = search_read_study();
    assert_string_equal(s.trial[4].reason, "peak memory of 300 MB is over the budget of 250 MB");
    gn_arena_destroy(&s.arena);
    unlink(search_study_path);
    o.budget = (gn_budget){.size_mb = 1.5};
    must_run(&second, &o, &outcome);
    assert_int_equal(outcome.n_screened, 4);
    unlink(search_study_path);
    o.budget = (gn_budget){.energy_mj = 3};
    assert_int_equal(search_run(&third, &o, &outcome, &err), GN_EFLOOR);
    assert_non_null(strstr(err.message, "does not tell its energy"));
    gn_space_destroy(&space);
}

static void test_target_that_cannot_be_reached(void **state)
{
    (void)state;
    gn_space *space = search_make_space();
    gn_search_options o = sampled(space, GN_SAMPLER_GRID, "none:4", 0);
    gn_search_outcome outcome;
    gn_error err = {0};
    fake_runner fake = {.target_away_at_measurement = 1}, middle = {.target_away_at_measurement = 2},
                back = {.has_test_split = true};
    assert_int_equal(search_run(&fake, &o, &outcome, &err), GN_EWORKER);
    assert_non_null(strstr(err.message, "nothing was trained: target 'ssh://nano': no answer"));
    assert_int_equal(search_run(&middle, &o, &outcome, &err), GN_EWORKER);
    assert_int_equal(fake.n_trained + middle.n_trained, 0);
    must_run(&back, &o, &outcome);
    assert_int_equal(back.n_measured, 2); /* what was measured before is kept */
    assert_int_equal(outcome.n_done, 6);
    gn_space_destroy(&space);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, search_make_folder, search_remove_folder)
    const struct CMUnitTest tests[] = {
        CASE(test_every_sampler_with_every_rule),
        CASE(test_tpe_finds_the_rate),

        CASE(test_killed_again_and_again),
        CASE(test_more_trials_later),
        CASE(test_a_finite_space_ends),
        CASE(test_endless_space_wants_a_number),
        CASE(test_a_crash_is_tried_again_once),
        CASE(test_a_trial_may_take_so_long),
        CASE(test_time_is_up),
        CASE(test_budgets_of_memory_and_size),
        CASE(test_target_that_cannot_be_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
