/* Writing measurements, trials, epochs, results and pictures into a study.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "store/store_db.h"
#include "store/study.h"

gn_measurement gn_measurement_default(void)
{
    return (gn_measurement){
        .model = "",
        .head = "",
        .precision = "",
        .variant = "",
        .target = "",
        .device = "",
        .note = "",
        .min_ms = NAN,
        .p50_ms = NAN,
        .p90_ms = NAN,
        .p99_ms = NAN,
        .preprocess_ms = NAN,
        .postprocess_ms = NAN,
        .total_p50_ms = NAN,
        .total_p90_ms = NAN,
        .total_p99_ms = NAN,
        .energy_mj = NAN,
        .clock_mhz = NAN,
        .temperature_c = NAN,
        .peak_bytes = -1,
        .params = -1,
        .macs = -1,
        .bytes = -1,
    };
}

static void bind_measurement(gn_stmt *stmt, const gn_measurement *m)
{
    gn_store_bind_text(stmt, 1, m->model);
    gn_store_bind_text(stmt, 2, m->head);
    gn_store_bind_i64(stmt, 3, m->imgsz);
    gn_store_bind_text(stmt, 4, m->precision);
    gn_store_bind_text(stmt, 5, m->variant);
    gn_store_bind_text(stmt, 6, m->target);
    gn_store_bind_i64(stmt, 7, m->threads);
    gn_store_bind_text(stmt, 8, m->device);
    gn_store_bind_i64(stmt, 9, m->warmup);
    gn_store_bind_i64(stmt, 10, m->runs);
    const double figure[] = {m->min_ms,        m->p50_ms,         m->p90_ms,       m->p99_ms,
                             m->preprocess_ms, m->postprocess_ms, m->total_p50_ms, m->total_p90_ms,
                             m->total_p99_ms,  m->energy_mj,      m->clock_mhz,    m->temperature_c};
    for (int i = 0; i < 12; i++)
        gn_store_bind_f64(stmt, 11 + i, figure[i]);
    gn_store_bind_count(stmt, 23, m->peak_bytes);
    gn_store_bind_count(stmt, 24, m->params);
    gn_store_bind_count(stmt, 25, m->macs);
    gn_store_bind_count(stmt, 26, m->bytes);
    gn_store_bind_i64(stmt, 27, m->is_valid);
    gn_store_bind_text(stmt, 28, m->note);
    gn_store_bind_i64(stmt, 29, m->measured_at);
}

gn_status gn_study_put_measurement(gn_study *study, const gn_measurement *measurement, int64_t *id_out, gn_error *err)
{
    gn_stmt *stmt = NULL;
    GN_TRY(gn_store_statement(
        study,
        "INSERT INTO measurement (model, head, imgsz, precision, variant, target, threads, device, warmup, runs,"
        " min_ms, p50_ms, p90_ms, p99_ms, preprocess_ms, postprocess_ms, total_p50_ms, total_p90_ms, total_p99_ms,"
        " energy_mj, clock_mhz, temperature_c, peak_bytes, params, macs, bytes, is_valid, note, measured_at)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (model, head, imgsz, precision, variant, target, threads) DO UPDATE SET device = excluded.device,"
        " warmup = excluded.warmup, runs = excluded.runs, min_ms = excluded.min_ms, p50_ms = excluded.p50_ms,"
        " p90_ms = excluded.p90_ms, p99_ms = excluded.p99_ms, preprocess_ms = excluded.preprocess_ms,"
        " postprocess_ms = excluded.postprocess_ms, total_p50_ms = excluded.total_p50_ms,"
        " total_p90_ms = excluded.total_p90_ms, total_p99_ms = excluded.total_p99_ms, energy_mj = excluded.energy_mj,"
        " clock_mhz = excluded.clock_mhz, temperature_c = excluded.temperature_c, peak_bytes = excluded.peak_bytes,"
        " params = excluded.params, macs = excluded.macs, bytes = excluded.bytes, is_valid = excluded.is_valid,"
        " note = excluded.note, measured_at = excluded.measured_at RETURNING id",
        &stmt, err));
    bind_measurement(stmt, measurement);
    return gn_store_run_for_i64(stmt, "writing a measurement", NULL, id_out, err);
}

const char *gn_trial_state_name(gn_trial_state state)
{
    switch (state) {
    case GN_TRIAL_WAITING:
        return "waiting";
    case GN_TRIAL_RUNNING:
        return "running";
    case GN_TRIAL_DONE:
        return "done";
    case GN_TRIAL_STOPPED:
        return "stopped";
    case GN_TRIAL_FAILED:
        return "failed";
    case GN_TRIAL_SCREENED:
        return "screened";
    }
    return "?";
}

gn_status gn_study_add_trial(gn_study *study, const gn_trial *trial, int64_t *id_out, gn_error *err)
{
    gn_stmt *stmt = NULL;
    /* The update changes nothing; without it there would be no row for a config that is there already. */
    GN_TRY(gn_store_statement(study,
                              "INSERT INTO trial (config, state, seed, bracket, origin) VALUES (?, 'waiting', ?, ?, ?)"
                              " ON CONFLICT (config) DO UPDATE SET seed = trial.seed RETURNING id",
                              &stmt, err));
    gn_store_bind_text(stmt, 1, trial->config);
    gn_store_bind_i64(stmt, 2, trial->seed);
    gn_store_bind_i64(stmt, 3, trial->bracket);
    gn_store_bind_text(stmt, 4, trial->origin != NULL ? trial->origin : "grid");
    return gn_store_run_for_i64(stmt, "adding a trial", NULL, id_out, err);
}

gn_status gn_study_remove_trial(gn_study *study, int64_t id, gn_error *err)
{
    gn_stmt *stmt = NULL;
    bool is_there = false;
    int64_t removed = 0;
    GN_TRY(gn_store_statement(study, "DELETE FROM trial WHERE id = ? RETURNING id", &stmt, err));
    gn_store_bind_i64(stmt, 1, id);
    GN_TRY(gn_store_run_for_i64(stmt, "removing a trial", &is_there, &removed, err));
    if (!is_there)
        return gn_fail_at(err, GN_ENOENT, study->path, 0, "removing trial %lld: the study has no such trial",
                          (long long)id);
    return GN_OK;
}

gn_status gn_study_set_trial_measurement(gn_study *study, int64_t trial, int64_t measurement, gn_error *err)
{
    gn_stmt *stmt = NULL;
    GN_TRY(gn_store_statement(study, "UPDATE trial SET measurement_id = ? WHERE id = ?", &stmt, err));
    gn_store_bind_i64(stmt, 1, measurement);
    gn_store_bind_i64(stmt, 2, trial);
    return gn_store_run(stmt, "writing a trial", err);
}

gn_status gn_study_set_trial_folder(gn_study *study, int64_t trial, const char *folder, gn_error *err)
{
    gn_stmt *stmt = NULL;
    GN_TRY(gn_store_statement(study, "UPDATE trial SET folder = ? WHERE id = ?", &stmt, err));
    gn_store_bind_text(stmt, 1, folder);
    gn_store_bind_i64(stmt, 2, trial);
    return gn_store_run(stmt, "writing a trial", err);
}

gn_status gn_study_set_trial_state(gn_study *study, int64_t trial, gn_trial_state state, const char *reason,
                                   gn_error *err)
{
    gn_stmt *stmt = NULL;
    GN_TRY(gn_store_statement(study, "UPDATE trial SET state = ?, reason = ? WHERE id = ?", &stmt, err));
    gn_store_bind_text(stmt, 1, gn_trial_state_name(state));
    gn_store_bind_text(stmt, 2, reason);
    gn_store_bind_i64(stmt, 3, trial);
    return gn_store_run(stmt, "writing a trial", err);
}

gn_status gn_study_set_trial_stage(gn_study *study, int64_t trial, int stage, gn_error *err)
{
    gn_stmt *stmt = NULL;
    GN_TRY(gn_store_statement(study, "UPDATE trial SET stage = ? WHERE id = ?", &stmt, err));
    gn_store_bind_i64(stmt, 1, stage);
    gn_store_bind_i64(stmt, 2, trial);
    return gn_store_run(stmt, "writing a trial", err);
}

gn_status gn_study_set_trial_bracket(gn_study *study, int64_t trial, int bracket, gn_error *err)
{
    gn_stmt *stmt = NULL;
    GN_TRY(gn_store_statement(study, "UPDATE trial SET bracket = ? WHERE id = ?", &stmt, err));
    gn_store_bind_i64(stmt, 1, bracket);
    gn_store_bind_i64(stmt, 2, trial);
    return gn_store_run(stmt, "writing a trial", err);
}

gn_status gn_study_add_trial_seconds(gn_study *study, int64_t trial, double seconds, gn_error *err)
{
    gn_stmt *stmt = NULL;
    GN_TRY(gn_store_statement(study, "UPDATE trial SET seconds = seconds + ? WHERE id = ?", &stmt, err));
    gn_store_bind_f64(stmt, 1, isfinite(seconds) ? seconds : 0);
    gn_store_bind_i64(stmt, 2, trial);
    return gn_store_run(stmt, "writing a trial", err);
}

gn_status gn_study_put_epoch(gn_study *study, const gn_epoch *epoch, gn_error *err)
{
    gn_stmt *stmt = NULL;
    GN_TRY(gn_store_statement(
        study,
        "INSERT INTO epoch (trial_id, epoch, seconds, train_loss, val_loss, mean_iou, box_precision50, map50, "
        "map50_95, lr)"
        " VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (trial_id, epoch) DO UPDATE SET seconds = excluded.seconds,"
        " train_loss = excluded.train_loss, val_loss = excluded.val_loss, mean_iou = excluded.mean_iou,"
        " box_precision50 = excluded.box_precision50, map50 = excluded.map50, map50_95 = excluded.map50_95,"
        " lr = excluded.lr",
        &stmt, err));
    gn_store_bind_i64(stmt, 1, epoch->trial);
    gn_store_bind_i64(stmt, 2, epoch->epoch);
    const double figure[] = {epoch->seconds,         epoch->train_loss, epoch->val_loss, epoch->mean_iou,
                             epoch->box_precision50, epoch->map50,      epoch->map50_95, epoch->lr};
    for (int i = 0; i < 8; i++)
        gn_store_bind_f64(stmt, 3 + i, figure[i]);
    return gn_store_run(stmt, "writing an epoch", err);
}

static gn_status put_result_row(gn_study *study, const gn_result *result, gn_error *err)
{
    gn_stmt *stmt = NULL;
    /* REPLACE would not remove the old row's metrics where the parent key stays; deleting does. */
    GN_TRY(gn_store_statement(study, "DELETE FROM result WHERE trial_id = ? AND stage = ? AND split = ?", &stmt, err));
    gn_store_bind_i64(stmt, 1, result->trial);
    gn_store_bind_i64(stmt, 2, result->stage);
    gn_store_bind_text(stmt, 3, result->split);
    GN_TRY(gn_store_run(stmt, "writing a result", err));
    GN_TRY(gn_store_statement(study,
                              "INSERT INTO result (trial_id, stage, split, epochs, best_epoch, images_per_s, seconds)"
                              " VALUES (?,?,?,?,?,?,?)",
                              &stmt, err));
    gn_store_bind_i64(stmt, 1, result->trial);
    gn_store_bind_i64(stmt, 2, result->stage);
    gn_store_bind_text(stmt, 3, result->split);
    gn_store_bind_i64(stmt, 4, result->epochs);
    gn_store_bind_i64(stmt, 5, result->best_epoch);
    gn_store_bind_f64(stmt, 6, result->images_per_s);
    gn_store_bind_f64(stmt, 7, result->seconds);
    return gn_store_run(stmt, "writing a result", err);
}

static gn_status put_metric(gn_study *study, const gn_result *result, const gn_metric *metric, gn_error *err)
{
    gn_stmt *stmt = NULL;
    GN_TRY(gn_store_statement(
        study, "INSERT INTO metric (trial_id, stage, split, name, value, low, high) VALUES (?,?,?,?,?,?,?)", &stmt,
        err));
    gn_store_bind_i64(stmt, 1, result->trial);
    gn_store_bind_i64(stmt, 2, result->stage);
    gn_store_bind_text(stmt, 3, result->split);
    gn_store_bind_text(stmt, 4, metric->name);
    gn_store_bind_f64(stmt, 5, metric->value);
    gn_store_bind_f64(stmt, 6, metric->low);
    gn_store_bind_f64(stmt, 7, metric->high);
    return gn_store_run(stmt, "writing a result", err);
}

gn_status gn_study_put_result(gn_study *study, const gn_result *result, gn_error *err)
{
    bool is_own = false;
    GN_TRY(gn_store_enter(study, &is_own, err));
    gn_status status = put_result_row(study, result, err);
    for (size_t i = 0; i < result->n_metrics && status == GN_OK; i++)
        status = put_metric(study, result, &result->metrics[i], err);
    return gn_store_leave(study, is_own, status, err);
}

gn_status gn_study_put_picture(gn_study *study, const gn_picture *picture, gn_error *err)
{
    if (picture->bytes > GN_STUDY_PICTURE_MAX_BYTES)
        return gn_fail(err, GN_ELIMIT, "keeping the picture %s in the study: it has %zu bytes, at most %zu are taken",
                       picture->name, picture->bytes, GN_STUDY_PICTURE_MAX_BYTES);
    if (picture->bytes < 4 || picture->jpeg[0] != 0xFF || picture->jpeg[1] != 0xD8)
        return gn_fail(err, GN_EFORMAT, "keeping the picture %s in the study: it is no JPEG", picture->name);
    gn_stmt *stmt = NULL;
    GN_TRY(gn_store_statement(
        study,
        "INSERT INTO picture (trial_id, name, caption, jpeg) VALUES (?,?,?,?)"
        " ON CONFLICT (trial_id, name) DO UPDATE SET caption = excluded.caption, jpeg = excluded.jpeg",
        &stmt, err));
    gn_store_bind_i64(stmt, 1, picture->trial);
    gn_store_bind_text(stmt, 2, picture->name);
    gn_store_bind_text(stmt, 3, picture->caption);
    gn_store_bind_blob(stmt, 4, picture->jpeg, picture->bytes);
    return gn_store_run(stmt, "writing a picture", err);
}

static gn_status check_json(const char *name, const char *json, size_t bytes, gn_error *err)
{
    const gn_json *root = NULL;
    gn_arena *arena = gn_arena_create(0);
    gn_status status =
        arena != NULL ? gn_json_parse(json, bytes, arena, &root, err) : gn_fail(err, GN_ENOMEM, "out of memory");
    if (status != GN_OK)
        gn_error_prefix(err, "keeping the document %s in the study", name);
    gn_arena_destroy(&arena);
    return status;
}

gn_status gn_study_put_document(gn_study *study, int64_t trial, const char *name, const char *json, gn_error *err)
{
    const size_t bytes = strlen(json);
    if (bytes > GN_STUDY_DOCUMENT_MAX_BYTES)
        return gn_fail(err, GN_ELIMIT, "keeping the document %s in the study: it has %zu bytes, at most %zu are taken",
                       name, bytes, GN_STUDY_DOCUMENT_MAX_BYTES);
    GN_TRY(check_json(name, json, bytes, err));
    gn_stmt *stmt = NULL;
    GN_TRY(gn_store_statement(study,
                              "INSERT INTO document (trial_id, name, json) VALUES (?,?,?)"
                              " ON CONFLICT (trial_id, name) DO UPDATE SET json = excluded.json",
                              &stmt, err));
    gn_store_bind_i64(stmt, 1, trial);
    gn_store_bind_text(stmt, 2, name);
    gn_store_bind_text(stmt, 3, json);
    return gn_store_run(stmt, "writing a document", err);
}
