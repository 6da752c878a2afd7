/* Which worker has which trial: claims, heartbeats, ends and leases that ran out.  The row of the attempt is the lease: whoever finds
 * it no longer 'running' has lost the trial.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "store/store_db.h"
#include "store/study.h"

const char *gn_outcome_name(gn_outcome outcome)
{
    switch (outcome) {
    case GN_OUTCOME_RUNNING:
        return "running";
    case GN_OUTCOME_DONE:
        return "done";
    case GN_OUTCOME_FAILED:
        return "failed";
    case GN_OUTCOME_STOPPED:
        return "stopped";
    case GN_OUTCOME_LOST:
        return "lost";
    }
    return "?";
}

/* --- claiming ---------------------------------------------------------------------------------------------------- */

/* Says why the trial is not to be had. */
static gn_status refuse_claim(gn_study *study, int64_t trial, int stage, gn_error *err)
{
    gn_arena *arena = gn_arena_create(0);
    gn_trial row = {0};
    if (arena == NULL)
        return gn_fail(err, GN_ENOMEM, "claiming trial %lld: out of memory", (long long)trial);
    gn_status status = gn_study_trial(study, trial, arena, &row, err);
    if (status == GN_OK && row.state == GN_TRIAL_RUNNING)
        status = gn_fail_at(err, GN_EBUSY, study->path, 0, "claiming trial %lld: %s has it", (long long)trial,
                            row.worker[0] != '\0' ? row.worker : "another process");
    else if (status == GN_OK)
        status = gn_fail_at(err, GN_EBUSY, study->path, 0, "claiming trial %lld for stage %d: it is %s after stage %d",
                            (long long)trial, stage, gn_trial_state_name(row.state), row.stage);
    gn_arena_destroy(&arena);
    return status;
}

static gn_status take_trial(gn_study *study, int64_t trial, int stage, const char *worker, int64_t *number_out,
                            gn_error *err)
{
    gn_stmt *stmt = NULL;
    bool is_free = false;
    GN_TRY(gn_store_statement(study,
                              "UPDATE trial SET state = 'running', reason = '', attempts = attempts + 1, worker = ?"
                              " WHERE id = ? AND state IN ('waiting', 'stopped') AND stage < ? RETURNING attempts",
                              &stmt, err));
    gn_store_bind_text(stmt, 1, worker);
    gn_store_bind_i64(stmt, 2, trial);
    gn_store_bind_i64(stmt, 3, stage);
    GN_TRY(gn_store_run_for_i64(stmt, "claiming a trial", &is_free, number_out, err));
    return is_free ? GN_OK : refuse_claim(study, trial, stage, err);
}

static gn_status claim(gn_study *study, int64_t trial, int stage, const char *worker, double lease_seconds,
                       int64_t *number_out, gn_error *err)
{
    gn_stmt *stmt = NULL;
    double now = 0;
    GN_TRY(take_trial(study, trial, stage, worker, number_out, err));
    GN_TRY(gn_study_now(study, &now, err));
    GN_TRY(gn_store_statement(study,
                              "INSERT INTO attempt (trial_id, number, stage, worker, started_at, lease_until, outcome)"
                              " VALUES (?,?,?,?,?,?,'running')",
                              &stmt, err));
    gn_store_bind_i64(stmt, 1, trial);
    gn_store_bind_i64(stmt, 2, *number_out);
    gn_store_bind_i64(stmt, 3, stage);
    gn_store_bind_text(stmt, 4, worker);
    gn_store_bind_f64(stmt, 5, now);
    gn_store_bind_f64(stmt, 6, now + lease_seconds);
    return gn_store_run(stmt, "claiming a trial", err);
}

gn_status gn_study_claim(gn_study *study, int64_t trial, int stage, const char *worker, double lease_seconds,
                         int *number_out, gn_error *err)
{
    int64_t number = 0;
    bool is_own = false;
    GN_TRY(gn_store_enter(study, &is_own, err));
    const gn_status status = claim(study, trial, stage, worker, lease_seconds, &number, err);
    GN_TRY(gn_store_leave(study, is_own, status, err));
    *number_out = (int)number;
    return GN_OK;
}

/* --- keeping it -------------------------------------------------------------------------------------------------- */

static gn_status lease_lost(const gn_study *study, int64_t trial, int number, const char *doing, gn_error *err)
{
    return gn_fail_at(err, GN_EBUSY, study->path, 0,
                      "%s trial %lld: attempt %d lost its lease, which was not renewed in time; the trial belongs to "
                      "others now",
                      doing, (long long)trial, number);
}

gn_status gn_study_heartbeat(gn_study *study, int64_t trial, int number, double lease_seconds, gn_error *err)
{
    gn_stmt *stmt = NULL;
    bool is_ours = false;
    double now = 0;
    int64_t renewed = 0;
    GN_TRY(gn_study_now(study, &now, err));
    GN_TRY(gn_store_statement(study,
                              "UPDATE attempt SET lease_until = ? WHERE trial_id = ? AND number = ?"
                              " AND outcome = 'running' RETURNING number",
                              &stmt, err));
    gn_store_bind_f64(stmt, 1, now + lease_seconds);
    gn_store_bind_i64(stmt, 2, trial);
    gn_store_bind_i64(stmt, 3, number);
    GN_TRY(gn_store_run_for_i64(stmt, "renewing a lease", &is_ours, &renewed, err));
    return is_ours ? GN_OK : lease_lost(study, trial, number, "renewing the lease of", err);
}

/* --- its end ----------------------------------------------------------------------------------------------------- */

/* Closes the running attempt; *is_ours_out false when it is not running any more. */
static gn_status close_attempt(gn_study *study, int64_t trial, int number, const gn_attempt_end *end, bool *is_ours_out,
                               gn_error *err)
{
    gn_stmt *stmt = NULL;
    double now = 0;
    int64_t closed = 0;
    GN_TRY(gn_study_now(study, &now, err));
    GN_TRY(gn_store_statement(study,
                              "UPDATE attempt SET ended_at = ?, outcome = ?, reason = ? WHERE trial_id = ?"
                              " AND number = ? AND outcome = 'running' RETURNING number",
                              &stmt, err));
    gn_store_bind_f64(stmt, 1, now);
    gn_store_bind_text(stmt, 2, gn_outcome_name(end->outcome));
    gn_store_bind_text(stmt, 3, end->reason);
    gn_store_bind_i64(stmt, 4, trial);
    gn_store_bind_i64(stmt, 5, number);
    return gn_store_run_for_i64(stmt, "ending an attempt", is_ours_out, &closed, err);
}

/* An attempt that is not running was ended by its worker, who alone may write such an outcome, or was declared lost. */
static gn_status check_ended_before(gn_study *study, int64_t trial, int number, const gn_attempt_end *end,
                                    gn_error *err)
{
    gn_stmt *stmt = NULL;
    bool has_row = false;
    int64_t same = 0;
    GN_TRY(gn_store_statement(study, "SELECT count(*) FROM attempt WHERE trial_id = ? AND number = ? AND outcome = ?",
                              &stmt, err));
    gn_store_bind_i64(stmt, 1, trial);
    gn_store_bind_i64(stmt, 2, number);
    gn_store_bind_text(stmt, 3, gn_outcome_name(end->outcome));
    GN_TRY(gn_store_run_for_i64(stmt, "ending an attempt", &has_row, &same, err));
    return same == 1 ? GN_OK : lease_lost(study, trial, number, "ending", err);
}

static gn_status end_trial(gn_study *study, int64_t trial, const gn_attempt_end *end, gn_error *err)
{
    gn_stmt *stmt = NULL;
    GN_TRY(gn_store_statement(study,
                              "UPDATE trial SET state = ?, reason = ?, seconds = seconds + ?,"
                              " stage = coalesce(?, stage) WHERE id = ?",
                              &stmt, err));
    gn_store_bind_text(stmt, 1, gn_trial_state_name(end->state));
    gn_store_bind_text(stmt, 2, end->reason);
    gn_store_bind_f64(stmt, 3, isfinite(end->seconds) ? end->seconds : 0);
    gn_store_bind_count(stmt, 4, end->stage);
    gn_store_bind_i64(stmt, 5, trial);
    return gn_store_run(stmt, "ending a trial", err);
}

static gn_status finish(gn_study *study, int64_t trial, int number, const gn_attempt_end *end, gn_error *err)
{
    bool is_ours = false;
    GN_TRY(close_attempt(study, trial, number, end, &is_ours, err));
    if (!is_ours)
        return check_ended_before(study, trial, number, end, err);
    if (end->result != NULL)
        GN_TRY(gn_study_put_result(study, end->result, err));
    return end_trial(study, trial, end, err);
}

gn_status gn_study_finish(gn_study *study, int64_t trial, int number, const gn_attempt_end *end, gn_error *err)
{
    GN_ASSERT(end->outcome != GN_OUTCOME_RUNNING && end->outcome != GN_OUTCOME_LOST);
    GN_ASSERT(end->state != GN_TRIAL_RUNNING && (end->result == NULL || end->result->trial == trial));
    bool is_own = false;
    GN_TRY(gn_store_enter(study, &is_own, err));
    return gn_store_leave(study, is_own, finish(study, trial, number, end, err), err);
}

/* --- workers that are gone --------------------------------------------------------------------------------------- */

/* `before`: leases that end earlier are over. */
static gn_status expire(gn_study *study, double before, double now, int64_t *n_out, gn_error *err)
{
    gn_stmt *stmt = NULL;
    bool has_row = false;
    GN_TRY(gn_store_statement(study,
                              "UPDATE trial SET state = 'waiting' WHERE state = 'running' AND id IN"
                              " (SELECT trial_id FROM attempt WHERE outcome = 'running' AND lease_until < ?)",
                              &stmt, err));
    gn_store_bind_f64(stmt, 1, before);
    GN_TRY(gn_store_run(stmt, "looking for lost workers", err));
    GN_TRY(gn_store_statement(study,
                              "UPDATE attempt SET outcome = 'lost', ended_at = ?, reason = 'no heartbeat came in time'"
                              " WHERE outcome = 'running' AND lease_until < ? RETURNING number",
                              &stmt, err));
    gn_store_bind_f64(stmt, 1, now);
    gn_store_bind_f64(stmt, 2, before);
    for (*n_out = 0;; ++*n_out) {
        GN_TRY(gn_store_next(stmt, "looking for lost workers", &has_row, err));
        if (!has_row)
            return GN_OK;
    }
}

static gn_status expire_leases(gn_study *study, bool is_all, int64_t *n_out, gn_error *err)
{
    /* Later than any lease, and exact in every form of a number. */
    const double never = 9e15;
    bool is_own = false;
    double now = 0;
    int64_t n = 0;
    GN_TRY(gn_store_enter(study, &is_own, err));
    gn_status status = gn_study_now(study, &now, err);
    if (status == GN_OK)
        status = expire(study, is_all ? never : now, now, &n, err);
    GN_TRY(gn_store_leave(study, is_own, status, err));
    *n_out = n;
    return GN_OK;
}

gn_status gn_study_expire(gn_study *study, int64_t *n_out, gn_error *err)
{
    return expire_leases(study, false, n_out, err);
}

gn_status gn_study_expire_all(gn_study *study, int64_t *n_out, gn_error *err)
{
    return expire_leases(study, true, n_out, err);
}
