/* The search with a runner that trains nothing: stages, screening, resume after a kill, failures.
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
#include "base/progress.h"
#include "search/search.h"
#include "search_fixture.h"

static void test_walk(void **state)
{
    (void)state;
    gn_space *space = search_make_space();
    gn_search_options o = search_options_for(space);
    gn_search_outcome outcome;
    gn_error err = {0};
    fake_runner fake = {.has_test_split = true};
    if (search_run(&fake, &o, &outcome, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(fake.n_measured, 3); /* networks, not trials */
    assert_false(fake.has_trained_while_measuring);
    /* Trials 1..6 are a,b,c x 0.001,0.01; the better rate of the better networks c (6) and b (4) goes on, best first. */
    assert_string_equal(fake.jobs, "1@4 2@4 3@4 4@4 5@4 6@4 6@10 4@10 ");
    assert_int_equal(fake.n_evaluated, 1);
    assert_int_equal(fake.n_scored, 2); /* the two that went through the last stage */
    assert_int_equal(outcome.winner, 6);
    assert_string_equal(outcome.winner_label, "c lr0=0.01");
    assert_true(fabs(outcome.score - fake_score("c", "0.01", 10)) < 1e-12);
    assert_true(gn_metrics_value(&outcome.test, "mean_iou") == 0.25 && outcome.total_p90_ms == 5);
    assert_int_equal(outcome.n_done, 6);
    char *data = NULL;
    size_t bytes = 0;
    assert_int_equal(gn_file_read(outcome.best_path, 100, &data, &bytes, NULL), GN_OK);
    assert_string_equal(data, "trial 6");
    gn_free(data);
    search_snapshot s = search_read_study();
    assert_int_equal(s.n_trials, 6);
    assert_int_equal(s.n_epochs, 4 * 4 + 2 * 10);
    assert_int_equal(s.n_results, 6 + 2 + 1);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(s.trial[i].state, GN_TRIAL_DONE);
        assert_int_equal(s.trial[i].stage, i == 3 || i == 5 ? 2 : 1);
        assert_int_equal(s.trial[i].seed, 3);
    }
    /* Only the winner has seen the test split. */
    for (size_t i = 0; i < s.n_results; i++)
        if (strcmp(s.result[i].split, "test") == 0)
            assert_int_equal(s.result[i].trial, 6);
    gn_arena_destroy(&s.arena);
    gn_space_destroy(&space);
}

static void test_finished_search_repeats_nothing(void **state)
{
    (void)state;
    gn_space *space = search_make_space();
    gn_search_options o = search_options_for(space);
    gn_search_outcome outcome, again;
    fake_runner fake = {.has_test_split = true}, second = {.has_test_split = true};
    assert_int_equal(search_run(&fake, &o, &outcome, NULL), GN_OK);
    assert_int_equal(search_run(&second, &o, &again, NULL), GN_OK);
    assert_int_equal(second.n_measured + second.n_trained + second.n_evaluated + second.n_scored, 0);
    assert_int_equal(again.winner, outcome.winner);
    assert_true(again.score == outcome.score && gn_metrics_value(&again.test, "mean_iou") == 0.25);
    gn_space_destroy(&space);
}

static void test_jobs_run_together_and_decide_the_same(void **state)
{
    (void)state;
    gn_space *space = search_make_space();
    gn_search_options o = search_options_for(space);
    o.jobs = 3;
    gn_search_outcome outcome;
    fake_runner fake = {.has_test_split = true};
    assert_int_equal(search_run(&fake, &o, &outcome, NULL), GN_OK);
    assert_int_equal(fake.max_running, 3);
    assert_int_equal(outcome.winner, 6);
    assert_int_equal(fake.n_trained, 8);
    gn_space_destroy(&space);
}

static void test_over_budget_is_never_trained(void **state)
{
    (void)state;
    gn_space *space = search_make_space();
    gn_search_options o = search_options_for(space);
    gn_search_outcome outcome;
    fake_runner fake = {.slow_model = "c", .has_test_split = true};
    assert_int_equal(search_run(&fake, &o, &outcome, NULL), GN_OK);
    assert_string_equal(fake.jobs, "1@4 2@4 3@4 4@4 4@10 2@10 ");
    assert_int_equal(outcome.winner, 4);
    assert_int_equal(outcome.n_screened, 2);
    search_snapshot s = search_read_study();
    assert_int_equal(s.trial[4].state, GN_TRIAL_SCREENED);
    assert_non_null(strstr(s.trial[4].reason, "50 ms is over the budget of 15 ms"));
    gn_arena_destroy(&s.arena);
    gn_space_destroy(&space);
}

static void test_nothing_keeps_the_budget(void **state)
{
    (void)state;
    gn_space *space = search_make_space();
    gn_search_options o = search_options_for(space);
    gn_search_outcome outcome;
    gn_error err = {0};
    fake_runner fake = {0};
    o.budget.latency_ms = 4;
    assert_int_equal(search_run(&fake, &o, &outcome, &err), GN_EFLOOR);
    assert_non_null(strstr(err.message, "no network keeps the budget"));
    assert_non_null(strstr(err.message, "p90 of 5 ms is over the budget of 4 ms"));
    assert_int_equal(fake.n_trained, 0);
    gn_space_destroy(&space);
}

static void test_unmeasurable_network_fails_alone(void **state)
{
    (void)state;
    gn_space *space = search_make_space();
    gn_search_options o = search_options_for(space);
    gn_search_outcome outcome;
    fake_runner fake = {.unmeasurable_model = "c", .has_test_split = true}, second = {.has_test_split = true};
    assert_int_equal(search_run(&fake, &o, &outcome, NULL), GN_OK);
    assert_int_equal(outcome.winner, 4);
    assert_int_equal(outcome.n_failed, 2);
    assert_non_null(strstr(search_said, "no such device"));
    o.is_retrying_failed = true;
    assert_int_equal(search_run(&second, &o, &outcome, NULL), GN_OK);
    assert_int_equal(second.n_measured, 1);
    assert_int_equal(outcome.winner, 6);
    gn_space_destroy(&space);
}

static void test_a_failing_network_costs_its_trials_only(void **state)
{
    (void)state;
    gn_space *space = search_make_space();
    gn_search_options o = search_options_for(space);
    gn_search_outcome outcome;
    fake_runner fake = {.failing_model = "c", .has_test_split = true}, second = {.has_test_split = true},
                third = {.has_test_split = true};
    assert_int_equal(search_run(&fake, &o, &outcome, NULL), GN_OK);
    assert_int_equal(outcome.winner, 4);
    assert_int_equal(outcome.n_failed, 2);
    search_snapshot s = search_read_study();
    assert_int_equal(s.trial[5].state, GN_TRIAL_FAILED);
    assert_string_equal(s.trial[5].reason, "killed by signal 9");
    gn_arena_destroy(&s.arena);
    /* What failed stays failed, unless asked. */
    assert_int_equal(search_run(&second, &o, &outcome, NULL), GN_OK);
    assert_int_equal(second.n_trained, 0);
    o.is_retrying_failed = true;
    assert_int_equal(search_run(&third, &o, &outcome, NULL), GN_OK);
    assert_string_equal(third.jobs, "5@4 6@4 6@10 ");
    assert_int_equal(outcome.winner, 6);
    gn_space_destroy(&space);
}

static void test_all_failing_says_the_first_cause(void **state)
{
    (void)state;
    gn_space *space = search_make_space();
    gn_search_options o = search_options_for(space);
    gn_search_outcome outcome;
    gn_error err = {0};
    fake_runner fake = {.is_failing_all = true}, second = {.is_failing_all = true};
    assert_int_equal(search_run(&fake, &o, &outcome, &err), GN_EWORKER);
    assert_non_null(strstr(err.message, "all 6 trials"));
    assert_non_null(strstr(err.message, "trial 1 (a lr0=0.001): killed by signal 9"));
    gn_error again = {0};
    assert_int_equal(search_run(&second, &o, &outcome, &again), GN_EWORKER);
    assert_int_equal(second.n_trained, 0);
    assert_non_null(strstr(again.message, "killed by signal 9"));
    gn_space_destroy(&space);
}

static void test_other_settings_are_refused(void **state)
{
    (void)state;
    gn_space *space = search_make_space();
    gn_search_options o = search_options_for(space);
    gn_search_outcome outcome;
    gn_error err = {0};
    fake_runner fake = {.has_test_split = true}, changed = {.hash = "h2"};
    assert_int_equal(search_run(&fake, &o, &outcome, NULL), GN_OK);
    o.budget.latency_ms = 20;
    assert_int_equal(search_run(&fake, &o, &outcome, &err), GN_EINVAL);
    assert_non_null(strstr(err.message, "budget_ms \"15\", now it is \"20\""));
    o.budget.latency_ms = 15;
    assert_int_equal(search_run(&changed, &o, &outcome, &err), GN_EINVAL);
    assert_non_null(strstr(err.message, "have changed"));
    gn_space_destroy(&space);
}

static void test_without_test_split_the_search_still_ends(void **state)
{
    (void)state;
    gn_space *space = search_make_space();
    gn_search_options o = search_options_for(space);
    gn_search_outcome outcome;
    fake_runner fake = {0};
    assert_int_equal(search_run(&fake, &o, &outcome, NULL), GN_OK);
    assert_int_equal(outcome.test.n, 0);
    assert_non_null(strstr(search_said, "no test pictures"));
    gn_space_destroy(&space);
}

static void test_stop_and_go_on(void **state)
{
    (void)state;
    gn_space *space = search_make_space();
    gn_search_options o = search_options_for(space);
    gn_search_outcome outcome;
    gn_error err = {0};
    fake_runner fake = {.stop_at_job = 3}, second = {.has_test_split = true};
    assert_int_equal(search_run(&fake, &o, &outcome, &err), GN_ECANCELED);
    assert_int_equal(fake.n_stopped, 1);
    search_snapshot s = search_read_study();
    assert_int_equal(s.trial[2].state, GN_TRIAL_STOPPED);
    gn_arena_destroy(&s.arena);
    gn_stop_clear();
    assert_int_equal(search_run(&second, &o, &outcome, NULL), GN_OK);
    assert_int_equal(second.n_measured, 0);
    assert_string_equal(second.jobs, "3@4 4@4 5@4 6@4 6@10 4@10 ");
    assert_int_equal(outcome.winner, 6);
    gn_space_destroy(&space);
}

/* Runs the search in a process of its own that dies as `fake` says. */
static void search_until_killed(fake_runner *fake, gn_search_options *o)
{
    const pid_t pid = fork();
    if (pid == 0) {
        gn_search_outcome outcome;
        search_run(fake, o, &outcome, NULL);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void test_kill_and_go_on(void **state)
{
    (void)state;
    gn_space *space = search_make_space();
    gn_search_options o = search_options_for(space);
    gn_search_outcome outcome;
    fake_runner in_measurement = {.die_at_measurement = 2}, in_stage_1 = {.die_at_job = 3},
                in_stage_2 = {.die_at_job = 6}, last = {.has_test_split = true};
    search_until_killed(&in_measurement, &o);
    search_snapshot s = search_read_study();
    assert_int_equal(s.n_measurements, 1);
    assert_int_equal(s.n_trials, 6);
    gn_arena_destroy(&s.arena);
    search_until_killed(&in_stage_1, &o);
    s = search_read_study();
    assert_int_equal(s.n_measurements, 3);
    assert_int_equal(s.trial[2].state, GN_TRIAL_RUNNING); /* nobody could say otherwise */
    gn_arena_destroy(&s.arena);
    search_until_killed(&in_stage_2, &o);
    if (search_run(&last, &o, &outcome, NULL) != GN_OK)
        fail_msg("the search does not go on");
    /* 3, 4, 5, 6 to epoch 4, then 6 to epoch 10 were jobs 1..5 of the one before; it died in the sixth. */
    assert_string_equal(last.jobs, "4@10 ");
    assert_int_equal(last.n_measured, 0);
    assert_int_equal(outcome.winner, 6);
    s = search_read_study();
    assert_int_equal(s.n_epochs, 4 * 4 + 2 * 10);
    assert_int_equal(s.n_results, 9);
    gn_arena_destroy(&s.arena);
    gn_space_destroy(&space);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, search_make_folder, search_remove_folder)
    const struct CMUnitTest tests[] = {
        CASE(test_walk),
        CASE(test_finished_search_repeats_nothing),
        CASE(test_jobs_run_together_and_decide_the_same),
        CASE(test_over_budget_is_never_trained),
        CASE(test_nothing_keeps_the_budget),
        CASE(test_unmeasurable_network_fails_alone),
        CASE(test_a_failing_network_costs_its_trials_only),
        CASE(test_all_failing_says_the_first_cause),
        CASE(test_other_settings_are_refused),
        CASE(test_without_test_split_the_search_still_ends),
        CASE(test_stop_and_go_on),
        CASE(test_kill_and_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
