/* Several workers on one study, some of which are killed, while the server is restarted: every trial ends exactly once, and nothing is
 * half written.  Of a file there is one writer at a time, so its workers open it for each step.
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
#include <sqlite3.h>

#include "base/clock.h"
#include "base/rng.h"
#include "store_fixture.h"

#define MS        INT64_C(1000000)
#define N_METRICS 8
#define LEASE_S   1.0

static const char *const metric_names[N_METRICS] = {"loss",     "map50",     "map50_95", "map75",
                                                    "mean_iou", "precision", "recall",   "who"};

/* --- a worker ------------------------------------------------------------------------------------------------------ */

/* Where a worker tells that it finished a trial; -1: nobody listens. */
static int news_fd = -1;

typedef struct worker {
    char name[32];
    gn_study *study; /* of a file: NULL between two steps */
    gn_error err;
} worker;

/* Ends a worker that met something unexpected. */
static void give_up(const worker *w, const char *doing)
{
    print_error("worker %s, %s: %s\n", w->name, doing, w->err.message);
    _exit(1);
}

static void enter(worker *w)
{
    while (w->study == NULL) {
        const gn_status status = gn_study_open(fixture_where, GN_STUDY_WRITE, &w->study, &w->err);
        if (status == GN_OK)
            return;
        if (status != GN_EBUSY)
            give_up(w, "opening");
        gn_sleep_ns(MS);
    }
}

static void leave(worker *w)
{
    if (!gn_study_is_shared(w->study))
        gn_study_close(&w->study);
}

/* After a failure: true when the connection was lost and is back. */
static bool is_back(worker *w)
{
    gn_study_rollback(w->study);
    return gn_study_is_lost(w->study) && gn_study_reconnect(w->study, 30, &w->err) == GN_OK;
}

/* Reads the table and claims the first trial that waits.  *trial_out: 0 when none does. */
static gn_status decide(worker *w, int64_t *trial_out, int *number_out, bool *is_over_out)
{
    gn_arena *arena = gn_arena_create(0);
    gn_trial *list = NULL;
    size_t n = 0;
    int64_t n_lost = 0;
    *trial_out = 0;
    *is_over_out = true;
    gn_status status = gn_study_begin(w->study, &w->err);
    if (status == GN_OK)
        status = gn_study_expire(w->study, &n_lost, &w->err);
    if (status == GN_OK)
        status = gn_study_trials(w->study, arena, &list, &n, &w->err);
    for (size_t i = 0; i < n && status == GN_OK && *trial_out == 0; i++) {
        if (list[i].state == GN_TRIAL_WAITING) {
            *trial_out = list[i].id;
            status = gn_study_claim(w->study, list[i].id, 1, w->name, LEASE_S, number_out, &w->err);
        }
        *is_over_out = *is_over_out && list[i].state == GN_TRIAL_DONE;
    }
    if (status == GN_OK)
        status = gn_study_commit(w->study, &w->err);
    gn_arena_destroy(&arena);
    return status;
}

static gn_status finish(worker *w, int64_t trial, int number)
{
    gn_metric metric[N_METRICS];
    for (int i = 0; i < N_METRICS; i++)
        metric[i] = (gn_metric){metric_names[i], number, NAN, NAN};
    const gn_result result = {.trial = trial,
                              .stage = 1,
                              .split = "val",
                              .epochs = 1,
                              .best_epoch = 1,
                              .metrics = metric,
                              .n_metrics = N_METRICS};
    const gn_attempt_end end = {
        .outcome = GN_OUTCOME_DONE, .state = GN_TRIAL_DONE, .stage = 1, .reason = "", .seconds = 1, .result = &result};
    return gn_study_finish(w->study, trial, number, &end, &w->err);
}

/* Trains, heartbeats and writes the end; a lost lease means that the work is dropped. */
static void work(worker *w, int64_t trial, int number, gn_rng *rng)
{
    gn_sleep_ns(gn_rng_below(rng, 3) * MS);
    enter(w);
    gn_status status = gn_study_put_epoch(w->study, &(gn_epoch){.trial = trial, .epoch = 1, .lr = number}, &w->err);
    if (status == GN_OK)
        status = gn_study_heartbeat(w->study, trial, number, LEASE_S, &w->err);
    while (status == GN_OK && (status = finish(w, trial, number)) != GN_OK && is_back(w))
        status = GN_OK;
    if (status != GN_OK && status != GN_EBUSY && !is_back(w))
        give_up(w, "finishing");
    leave(w);
    if (status == GN_OK && news_fd >= 0 && write(news_fd, "x", 1) != 1)
        give_up(w, "telling");
}

static void run_worker(int index)
{
    worker w = {.study = NULL};
    gn_rng rng;
    gn_rng_init(&rng, (uint64_t)getpid(), 0);
    snprintf(w.name, sizeof w.name, "w%d:%ld", index, (long)getpid());
    for (bool is_over = false; !is_over;) {
        int64_t trial = 0;
        int number = 0;
        enter(&w);
        const gn_status status = decide(&w, &trial, &number, &is_over);
        if (status != GN_OK && !is_back(&w))
            give_up(&w, "deciding");
        is_over = is_over && status == GN_OK;
        leave(&w);
        if (status == GN_OK && trial != 0)
            work(&w, trial, number, &rng);
        else if (!is_over)
            gn_sleep_ns(5 * MS);
    }
    gn_study_close(&w.study);
    _exit(0);
}

/* --- what must hold whenever one looks ----------------------------------------------------------------------------- */

/* Every trial that is done has one attempt that did it and that attempt's whole result; the others have none. */
static size_t check_study(void)
{
    gn_study *study = fixture_open(fixture_where, GN_STUDY_READ);
    gn_arena *arena = gn_arena_create(0);
    gn_trial *trial = NULL;
    gn_result *result = NULL;
    gn_attempt *attempt = NULL;
    size_t n_trials = 0, n_results = 0, n_attempts = 0, r = 0, a = 0, n_done = 0;
    assert_int_equal(gn_study_begin(study, NULL), GN_OK);
    assert_int_equal(gn_study_trials(study, arena, &trial, &n_trials, NULL), GN_OK);
    assert_int_equal(gn_study_results(study, arena, &result, &n_results, NULL), GN_OK);
    assert_int_equal(gn_study_attempts(study, 0, arena, &attempt, &n_attempts, NULL), GN_OK);
    for (size_t i = 0; i < n_trials; i++) {
        int doers = 0, attempts = 0, doer = 0, running = 0;
        for (; a < n_attempts && attempt[a].trial == trial[i].id; a++) {
            attempts++;
            running += attempt[a].outcome == GN_OUTCOME_RUNNING;
            doers += attempt[a].outcome == GN_OUTCOME_DONE;
            doer = attempt[a].outcome == GN_OUTCOME_DONE ? attempt[a].number : doer;
        }
        assert_int_equal(attempts, trial[i].attempts);
        assert_int_equal(running, trial[i].state == GN_TRIAL_RUNNING);
        assert_int_equal(doers, trial[i].state == GN_TRIAL_DONE);
        assert_int_equal(doers, trial[i].stage);
        assert_true(trial[i].seconds == doers);
        if (doers == 0)
            continue;
        assert_true(r < n_results && result[r].trial == trial[i].id && result[r].n_metrics == N_METRICS);
        assert_true(gn_result_metric(&result[r++], "who") == doer);
        n_done++;
    }
    assert_int_equal(r, n_results);
    assert_int_equal(a, n_attempts);
    gn_arena_destroy(&arena);
    gn_study_close(&study);
    return n_done;
}

static void check_integrity(void)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    if (gn_study_is_server(fixture_where))
        return;
    assert_int_equal(sqlite3_open_v2(fixture_path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "ok");
    sqlite3_finalize(stmt);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA foreign_key_check", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

static void add_trials(int n)
{
    gn_study *study = fixture_open(fixture_where, GN_STUDY_WRITE);
    assert_int_equal(gn_study_begin(study, NULL), GN_OK);
    for (int i = 0; i < n; i++) {
        char config[32];
        snprintf(config, sizeof config, "{\"lr0\":\"%d\"}", i);
        fixture_add_trial(study, config);
    }
    assert_int_equal(gn_study_commit(study, NULL), GN_OK);
    gn_study_close(&study);
}

static pid_t start_worker(int index)
{
    const pid_t pid = fork();
    if (pid == 0)
        run_worker(index);
    assert_true(pid > 0);
    return pid;
}

static void kill_worker(pid_t pid)
{
    int status = 0;
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

/* --- the tests ----------------------------------------------------------------------------------------------------- */

static void test_workers_finish_every_trial_once(void **state)
{
    (void)state;
    fixture_skip_without_study();
    const bool is_server = gn_study_is_server(fixture_where);
    const int n_trials = is_server ? 500 : 100;
    gn_rng rng;
    gn_rng_init(&rng, (uint64_t)gn_now_ns(), 0);
    add_trials(n_trials);
    pid_t pid[4];
    for (int i = 0; i < 4; i++)
        pid[i] = start_worker(i);
    for (int i = 0; i < 2; i++) {
        gn_sleep_ns((100 + gn_rng_below(&rng, 200)) * MS);
        kill_worker(pid[i]);
        check_study();
        if (i == 0 && is_server)
            assert_true(fixture_server_do("restart"));
    }
    for (int i = 2; i < 4; i++) {
        int status = 0;
        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(check_study(), n_trials);
    check_integrity();
}

/* One worker at a time, killed in the middle of its work, twenty times. */
static void test_kills_leave_nothing_half_written(void **state)
{
    (void)state;
    fixture_skip_without_study();
    gn_rng rng;
    gn_rng_init(&rng, (uint64_t)gn_now_ns(), 0);
    add_trials(400);
    size_t done = 0;
    for (int round = 0; round < 20; round++) {
        int fds[2];
        char byte;
        assert_int_equal(pipe(fds), 0);
        news_fd = fds[1];
        const pid_t pid = start_worker(round);
        assert_int_equal(read(fds[0], &byte, 1), 1);
        gn_sleep_ns(gn_rng_below(&rng, 20000) * 1000);
        kill_worker(pid);
        close(fds[0]);
        close(fds[1]);
        const size_t now_done = check_study();
        assert_true(now_done > done);
        done = now_done;
        check_integrity();
    }
    news_fd = -1;
    /* The next writer frees what the dead ones had. */
    gn_study *study = fixture_open(fixture_where, GN_STUDY_WRITE);
    int64_t n = 0;
    assert_int_equal(gn_study_expire_all(study, &n, NULL), GN_OK);
    assert_true(n <= 20);
    gn_study_close(&study);
    assert_int_equal(check_study(), done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_BOTH(test_workers_finish_every_trial_once),
        FIXTURE_BOTH(test_kills_leave_nothing_half_written),
    };
    return cmocka_run_group_tests(tests, NULL, fixture_server_stop);
}
