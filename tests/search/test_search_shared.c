/* One search and three helping workers on a study that a PostgreSQL server keeps: two workers are killed, the server is restarted, and
 * every rung of every trial ends exactly once.  The runner trains nothing.
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

#include "../store/store_fixture.h"
#include "base/clock.h"
#include "search_fixture.h"

#define N_TRIALS  40
#define N_WORKERS 4

static int set_up(void **state)
{
    return search_make_folder(state) != 0 || fixture_set_up_server(state) != 0;
}

static int tear_down(void **state)
{
    return fixture_remove_folder(state) != 0 || search_remove_folder(state) != 0;
}

/* A process of its own: number 0 is the search, the others help. */
static pid_t start_worker(const gn_space *space, int number, const char *hash)
{
    const pid_t pid = fork();
    if (pid != 0)
        return pid;
    char name[32];
    gn_search_options o = search_options_for(space);
    gn_search_outcome outcome;
    gn_error err = {0};
    fake_runner fake = {.has_test_split = true, .hash = hash};
    snprintf(name, sizeof name, "worker-%d:%ld", number, (long)getpid());
    assert_int_equal(gn_stopping_parse("asha:2-18/3", &o.stopping, &err), GN_OK);
    o.sampler = GN_SAMPLER_RANDOM;
    o.n_trials = N_TRIALS;
    o.study_path = fixture_where;
    o.worker = name;
    o.is_worker = number > 0;
    o.lease_s = 1.5;
    const gn_status status = search_run(&fake, &o, &outcome, &err);
    if (status != GN_OK)
        print_message("%s: %s\n", name, err.message);
    _exit(status == GN_OK ? 0 : 1);
}

/* How often each rung of each trial was brought to its end; 1 wherever a result is. */
static void check_ends(void)
{
    gn_study *study = fixture_open(fixture_where, GN_STUDY_READ);
    gn_arena *arena = gn_arena_create(0);
    gn_trial *trial = NULL;
    gn_attempt *attempt = NULL;
    gn_result *result = NULL;
    size_t n_trials = 0, n_attempts = 0, n_results = 0, n_ends = 0, n_lost = 0, n_val = 0;
    assert_int_equal(gn_study_trials(study, arena, &trial, &n_trials, NULL), GN_OK);
    assert_int_equal(gn_study_attempts(study, 0, arena, &attempt, &n_attempts, NULL), GN_OK);
    assert_int_equal(gn_study_results(study, arena, &result, &n_results, NULL), GN_OK);
    assert_int_equal(n_trials, N_TRIALS);
    for (size_t i = 0; i < n_trials; i++)
        assert_int_equal(trial[i].state, GN_TRIAL_DONE);
    for (size_t i = 0; i < n_attempts; i++) {
        n_lost += attempt[i].outcome == GN_OUTCOME_LOST;
        assert_int_not_equal(attempt[i].outcome, GN_OUTCOME_RUNNING);
        for (size_t k = 0; k < i && attempt[i].outcome == GN_OUTCOME_DONE; k++)
            assert_false(attempt[k].outcome == GN_OUTCOME_DONE && attempt[k].trial == attempt[i].trial &&
                         attempt[k].stage == attempt[i].stage);
        n_ends += attempt[i].outcome == GN_OUTCOME_DONE;
    }
    for (size_t i = 0; i < n_results; i++)
        n_val += strcmp(result[i].split, "val") == 0;
    assert_int_equal(n_ends, n_val);
    assert_int_equal(n_results, n_val + 1); /* one winner saw the test split */
    print_message("%zu rungs ended, %zu attempts were lost\n", n_ends, n_lost);
    gn_arena_destroy(&arena);
    gn_study_close(&study);
}

static void test_workers_killed_and_server_restarted(void **state)
{
    (void)state;
    fixture_skip_without_study();
    gn_space *space = search_make_endless_space();
    pid_t pid[N_WORKERS];
    for (int i = 0; i < N_WORKERS; i++)
        pid[i] = start_worker(space, i, "h1");
    gn_sleep_ns(INT64_C(500000000));
    kill(pid[1], SIGKILL);
    gn_sleep_ns(INT64_C(150000000));
    assert_true(fixture_server_do("restart"));
    gn_sleep_ns(INT64_C(200000000));
    kill(pid[2], SIGKILL);
    for (int i = 0; i < N_WORKERS; i++) {
        int status = 0;
        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        if (i == 0 || i == 3)
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    check_ends();
    gn_space_destroy(&space);
}

/* A worker whose copy of the data set is another one must not train. */
static void test_other_data_is_refused(void **state)
{
    (void)state;
    fixture_skip_without_study();
    gn_space *space = search_make_endless_space();
    int status = 0;
    const pid_t search = start_worker(space, 0, "h1");
    gn_sleep_ns(INT64_C(500000000));
    const pid_t helper = start_worker(space, 1, "h2");
    assert_int_equal(waitpid(helper, &status, 0), helper);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    assert_int_equal(waitpid(search, &status, 0), search);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    gn_space_destroy(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_workers_killed_and_server_restarted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_data_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, fixture_server_stop);
}
