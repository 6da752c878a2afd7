/* Leases, attempts and documents: who has which trial, and what is refused to those who lost it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store_fixture.h"

static gn_study *study;
static gn_arena *arena;

static void begin(void)
{
    fixture_skip_without_study();
    study = fixture_open(fixture_where, GN_STUDY_WRITE);
    arena = gn_arena_create(0);
}

static void end_test(void)
{
    gn_arena_destroy(&arena);
    gn_study_close(&study);
}

static gn_trial trial_of(int64_t id)
{
    gn_trial trial;
    assert_int_equal(gn_study_trial(study, id, arena, &trial, NULL), GN_OK);
    return trial;
}

static gn_attempt attempt_of(int64_t trial, size_t number)
{
    gn_attempt *list = NULL;
    size_t n = 0;
    assert_int_equal(gn_study_attempts(study, trial, arena, &list, &n, NULL), GN_OK);
    assert_true(number >= 1 && number <= n);
    return list[number - 1];
}

static gn_result result_of(int64_t trial, int stage, const gn_metric *metrics)
{
    return (gn_result){.trial = trial,
                       .stage = stage,
                       .split = "val",
                       .epochs = 10,
                       .best_epoch = 9,
                       .metrics = metrics,
                       .n_metrics = 1};
}

static size_t count_results(void)
{
    gn_result *list = NULL;
    size_t n = 0;
    assert_int_equal(gn_study_results(study, arena, &list, &n, NULL), GN_OK);
    return n;
}

static void test_claim_and_finish(void **state)
{
    (void)state;
    begin();
    const int64_t id = fixture_add_trial(study, "{\"a\":\"1\"}");
    const gn_metric metric = {"mean_iou", 0.5, NAN, NAN};
    const gn_result result = result_of(id, 1, &metric);
    int number = 0, other = 0;
    double before = 0, after = 0;
    gn_error err = {0};
    assert_int_equal(gn_study_now(study, &before, NULL), GN_OK);
    assert_int_equal(gn_study_claim(study, id, 1, "alice:1", 60, &number, NULL), GN_OK);
    assert_int_equal(gn_study_now(study, &after, NULL), GN_OK);
    assert_int_equal(number, 1);
    assert_int_equal(gn_study_claim(study, id, 1, "bob:2", 60, &other, &err), GN_EBUSY);
    assert_non_null(strstr(err.message, "alice:1 has it"));
    assert_int_equal(gn_study_claim(study, 99, 1, "bob:2", 60, &other, &err), GN_ENOENT);
    gn_attempt attempt = attempt_of(id, 1);
    assert_true(attempt.started_at >= before && attempt.started_at <= after && isnan(attempt.ended_at));
    assert_true(attempt.lease_until == attempt.started_at + 60 && attempt.outcome == GN_OUTCOME_RUNNING);
    assert_string_equal(attempt.worker, "alice:1");
    assert_int_equal(gn_study_heartbeat(study, id, number, 100, NULL), GN_OK);
    assert_true(attempt_of(id, 1).lease_until >= before + 100);

    const gn_attempt_end end = {.outcome = GN_OUTCOME_DONE,
                                .state = GN_TRIAL_WAITING,
                                .stage = 1,
                                .reason = "",
                                .seconds = 2.5,
                                .result = &result};
    assert_int_equal(gn_study_finish(study, id, number, &end, NULL), GN_OK);
    assert_int_equal(gn_study_finish(study, id, number, &end, NULL), GN_OK); /* the answer was lost on the way */
    const gn_trial trial = trial_of(id);
    assert_int_equal(trial.state, GN_TRIAL_WAITING);
    assert_int_equal(trial.stage, 1);
    assert_int_equal(trial.attempts, 1);
    assert_true(trial.seconds == 2.5);
    assert_string_equal(trial.worker, "alice:1");
    assert_int_equal(count_results(), 1);
    attempt = attempt_of(id, 1);
    assert_true(attempt.outcome == GN_OUTCOME_DONE && attempt.ended_at >= attempt.started_at);
    /* Its stage is finished: nobody gets it for that again. */
    assert_int_equal(gn_study_claim(study, id, 1, "bob:2", 60, &other, &err), GN_EBUSY);
    assert_non_null(strstr(err.message, "after stage 1"));
    assert_int_equal(gn_study_claim(study, id, 2, "bob:2", 60, &other, NULL), GN_OK);
    assert_int_equal(other, 2);
    end_test();
}

static void test_lost_lease(void **state)
{
    (void)state;
    begin();
    const int64_t id = fixture_add_trial(study, "{}"), kept = fixture_add_trial(study, "{\"a\":\"2\"}");
    const gn_metric metric = {"mean_iou", 0.5, NAN, NAN};
    const gn_result result = result_of(id, 1, &metric);
    int number = 0, again = 0, safe = 0;
    int64_t n = 0;
    gn_error err = {0};
    assert_int_equal(gn_study_claim(study, id, 1, "alice", 0.02, &number, NULL), GN_OK);
    assert_int_equal(gn_study_claim(study, kept, 1, "alice", 600, &safe, NULL), GN_OK);
    gn_sleep_ns(30 * 1000 * 1000);
    assert_int_equal(gn_study_expire(study, &n, NULL), GN_OK);
    assert_int_equal(n, 1);
    assert_int_equal(trial_of(id).state, GN_TRIAL_WAITING);
    assert_int_equal(trial_of(kept).state, GN_TRIAL_RUNNING);
    const gn_attempt lost = attempt_of(id, 1);
    assert_true(lost.outcome == GN_OUTCOME_LOST && lost.ended_at > lost.lease_until && lost.reason[0] != '\0');
    assert_int_equal(gn_study_claim(study, id, 1, "bob", 600, &again, NULL), GN_OK);
    assert_int_equal(again, 2);
    /* The one who lost it learns so, and can neither write a result nor change the trial. */
    assert_int_equal(gn_study_heartbeat(study, id, number, 600, &err), GN_EBUSY);
    assert_non_null(strstr(err.message, "lost its lease"));
    const gn_attempt_end end = {
        .outcome = GN_OUTCOME_DONE, .state = GN_TRIAL_DONE, .stage = 1, .reason = "", .seconds = 9, .result = &result};
    assert_int_equal(gn_study_finish(study, id, number, &end, &err), GN_EBUSY);
    assert_int_equal(count_results(), 0);
    assert_int_equal(trial_of(id).state, GN_TRIAL_RUNNING);
    assert_true(trial_of(id).seconds == 0);
    assert_int_equal(gn_study_finish(study, id, again, &end, NULL), GN_OK);
    assert_int_equal(count_results(), 1);
    /* Who knows that nobody works needs not wait. */
    assert_int_equal(gn_study_expire_all(study, &n, NULL), GN_OK);
    assert_int_equal(n, 1);
    assert_int_equal(trial_of(kept).state, GN_TRIAL_WAITING);
    end_test();
}

static void test_failed_and_stopped_attempts(void **state)
{
    (void)state;
    begin();
    const int64_t id = fixture_add_trial(study, "{}");
    int number = 0;
    assert_int_equal(gn_study_claim(study, id, 3, "alice", 60, &number, NULL), GN_OK);
    const gn_attempt_end stopped = {
        .outcome = GN_OUTCOME_STOPPED, .state = GN_TRIAL_STOPPED, .stage = -1, .reason = "interrupted", .seconds = NAN};
    assert_int_equal(gn_study_finish(study, id, number, &stopped, NULL), GN_OK);
    assert_int_equal(trial_of(id).state, GN_TRIAL_STOPPED);
    assert_int_equal(trial_of(id).stage, 0);
    assert_int_equal(gn_study_claim(study, id, 3, "bob", 60, &number, NULL), GN_OK);
    assert_int_equal(number, 2);
    assert_string_equal(trial_of(id).reason, "");
    const gn_attempt_end failed = {
        .outcome = GN_OUTCOME_FAILED, .state = GN_TRIAL_FAILED, .stage = -1, .reason = "out of memory", .seconds = 1};
    assert_int_equal(gn_study_finish(study, id, number, &failed, NULL), GN_OK);
    assert_string_equal(trial_of(id).reason, "out of memory");
    assert_string_equal(attempt_of(id, 2).reason, "out of memory");
    assert_int_equal(gn_study_claim(study, id, 3, "bob", 60, &number, NULL), GN_EBUSY);
    end_test();
}

/* A decision is one transaction: what was added and claimed in it vanishes together. */
static void test_decision_is_rolled_back_as_one(void **state)
{
    (void)state;
    begin();
    gn_trial *list = NULL;
    size_t n = 0;
    int number = 0;
    assert_int_equal(gn_study_begin(study, NULL), GN_OK);
    const int64_t id = fixture_add_trial(study, "{}");
    assert_int_equal(gn_study_claim(study, id, 1, "alice", 60, &number, NULL), GN_OK);
    gn_study_rollback(study);
    assert_int_equal(gn_study_trials(study, arena, &list, &n, NULL), GN_OK);
    assert_int_equal(n, 0);
    end_test();
}

static void test_removed_trial_takes_everything_along(void **state)
{
    (void)state;
    begin();
    const int64_t id = fixture_add_trial(study, "{}");
    const gn_metric metric = {"mean_iou", 0.5, NAN, NAN};
    const gn_result result = result_of(id, 1, &metric);
    gn_epoch *epochs = NULL;
    gn_attempt *attempts = NULL;
    gn_document *documents = NULL;
    size_t n = 0;
    int number = 0;
    assert_int_equal(gn_study_claim(study, id, 1, "alice", 60, &number, NULL), GN_OK);
    assert_int_equal(gn_study_put_epoch(study, &(gn_epoch){.trial = id, .epoch = 1}, NULL), GN_OK);
    assert_int_equal(gn_study_put_epoch(study, &(gn_epoch){.trial = id, .epoch = 1, .lr = 3}, NULL), GN_OK);
    assert_int_equal(gn_study_trial_epochs(study, id, arena, &epochs, &n, NULL), GN_OK);
    assert_true(n == 1 && epochs[0].lr == 3);
    assert_int_equal(gn_study_put_result(study, &result, NULL), GN_OK);
    assert_int_equal(gn_study_put_document(study, id, "curve", "[1]", NULL), GN_OK);
    assert_int_equal(gn_study_remove_trial(study, id, NULL), GN_OK);
    assert_int_equal(count_results(), 0);
    assert_int_equal(gn_study_epochs(study, arena, &epochs, &n, NULL), GN_OK);
    assert_int_equal(n, 0);
    assert_int_equal(gn_study_attempts(study, 0, arena, &attempts, &n, NULL), GN_OK);
    assert_int_equal(n, 0);
    assert_int_equal(gn_study_documents(study, 0, arena, &documents, &n, NULL), GN_OK);
    assert_int_equal(n, 0);
    assert_int_equal(gn_study_heartbeat(study, id, number, 60, NULL), GN_EBUSY);
    assert_int_equal(gn_study_remove_trial(study, id, NULL), GN_ENOENT);
    end_test();
}

static void test_documents(void **state)
{
    (void)state;
    begin();
    const int64_t a = fixture_add_trial(study, "{\"a\":\"1\"}"), b = fixture_add_trial(study, "{\"a\":\"2\"}");
    gn_document *list = NULL;
    const char *json = NULL;
    size_t n = 0;
    gn_error err = {0};
    assert_int_equal(gn_study_put_document(study, a, "pr", "{\"x\":[0,1]}", NULL), GN_OK);
    assert_int_equal(gn_study_put_document(study, a, "confusion", "[[1,\"\xC3\xBC\"]]", NULL), GN_OK);
    assert_int_equal(gn_study_put_document(study, b, "pr", "1", NULL), GN_OK);
    assert_int_equal(gn_study_put_document(study, a, "pr", "{\"x\":[0,1,2]}", NULL), GN_OK);
    assert_int_equal(gn_study_documents(study, a, arena, &list, &n, NULL), GN_OK);
    assert_int_equal(n, 2);
    assert_string_equal(list[0].name, "confusion");
    assert_int_equal(gn_study_documents(study, 0, arena, &list, &n, NULL), GN_OK);
    assert_int_equal(n, 3);
    assert_int_equal(gn_study_document(study, a, "pr", arena, &json, NULL), GN_OK);
    assert_string_equal(json, "{\"x\":[0,1,2]}");
    assert_int_equal(gn_study_document(study, b, "confusion", arena, &json, NULL), GN_OK);
    assert_null(json);
    assert_int_equal(gn_study_put_document(study, a, "pr", "{\"x\":[0,1,2}", &err), GN_EFORMAT);
    assert_non_null(strstr(err.message, "the document pr"));
    assert_int_equal(gn_study_put_document(study, 99, "pr", "1", &err), GN_EINVAL);
    const size_t bytes = GN_STUDY_DOCUMENT_MAX_BYTES + 2;
    char *large = gn_alloc(bytes);
    memset(large, ' ', bytes);
    large[0] = '1';
    large[bytes - 1] = '\0';
    assert_int_equal(gn_study_put_document(study, a, "pr", large, &err), GN_ELIMIT);
    large[bytes - 2] = '\0';
    assert_int_equal(gn_study_put_document(study, a, "pr", large, &err), GN_OK);
    gn_free(large);
    end_test();
}

static void test_origin_and_variant(void **state)
{
    (void)state;
    begin();
    int64_t id = 0, f32 = 0, silu = 0;
    gn_error err = {0};
    gn_trial trial = {.config = "{}", .bracket = 2, .origin = "tpe"};
    assert_int_equal(gn_study_add_trial(study, &trial, &id, NULL), GN_OK);
    assert_int_equal(trial_of(id).bracket, 2);
    assert_string_equal(trial_of(id).origin, "tpe");
    trial = (gn_trial){.config = "{\"a\":\"1\"}", .origin = "luck"};
    assert_int_equal(gn_study_add_trial(study, &trial, &id, &err), GN_EINVAL);
    gn_measurement m = gn_measurement_default();
    m.model = "resnet18";
    m.energy_mj = 12.5;
    m.clock_mhz = 1479;
    m.temperature_c = 61;
    assert_int_equal(gn_study_put_measurement(study, &m, &f32, NULL), GN_OK);
    m.variant = "activation=silu";
    assert_int_equal(gn_study_put_measurement(study, &m, &silu, NULL), GN_OK);
    assert_int_not_equal(f32, silu);
    gn_measurement *list = NULL;
    size_t n = 0;
    assert_int_equal(gn_study_measurements(study, arena, &list, &n, NULL), GN_OK);
    assert_int_equal(n, 2);
    assert_string_equal(list[1].variant, "activation=silu");
    assert_true(list[1].energy_mj == 12.5 && list[1].clock_mhz == 1479 && list[1].temperature_c == 61);
    end_test();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_BOTH(test_claim_and_finish),
        FIXTURE_BOTH(test_lost_lease),
        FIXTURE_BOTH(test_failed_and_stopped_attempts),
        FIXTURE_BOTH(test_decision_is_rolled_back_as_one),
        FIXTURE_BOTH(test_removed_trial_takes_everything_along),
        FIXTURE_BOTH(test_documents),
        FIXTURE_BOTH(test_origin_and_variant),
    };
    return cmocka_run_group_tests(tests, NULL, fixture_server_stop);
}
