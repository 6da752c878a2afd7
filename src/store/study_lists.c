/* Reading whole tables of a study into an arena, one function per table.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "store/store_db.h"
#include "store/study.h"

/* Fills one row; false when out of memory. */
typedef bool (*read_row_fn)(sqlite3_stmt *stmt, gn_arena *arena, void *row);

static gn_status out_of_memory(const gn_study *study, gn_error *err)
{
    return gn_fail_at(err, GN_ENOMEM, study->path, 0, "reading the study: out of memory");
}

/* count_sql counts the rows that list_sql gives: arrays in an arena cannot grow. */
static gn_status read_table(gn_study *study, const char *count_sql, const char *list_sql, read_row_fn read_row,
                            size_t row_bytes, gn_arena *arena, void **list_out, size_t *n_out, gn_error *err)
{
    sqlite3_stmt *stmt = NULL;
    bool has_row = false;
    GN_TRY(gn_store_statement(study, count_sql, &stmt, err));
    GN_TRY(gn_store_next(study, stmt, "reading the study", &has_row, err));
    const size_t limit = has_row ? (size_t)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    size_t bytes = 0;
    char *list = gn_mul_size(limit + 1, row_bytes, &bytes) ? gn_arena_alloc(arena, bytes) : NULL;
    if (list == NULL)
        return out_of_memory(study, err);
    GN_TRY(gn_store_statement(study, list_sql, &stmt, err));
    size_t n = 0;
    /* Rows that a writer added since the count are left for the next reader. */
    while (n < limit) {
        GN_TRY(gn_store_next(study, stmt, "reading the study", &has_row, err));
        if (!has_row)
            break;
        if (!read_row(stmt, arena, list + n * row_bytes)) {
            sqlite3_reset(stmt);
            return out_of_memory(study, err);
        }
        n++;
    }
    sqlite3_reset(stmt);
    *list_out = list;
    *n_out = n;
    return GN_OK;
}

static bool read_fact(sqlite3_stmt *stmt, gn_arena *arena, void *row)
{
    gn_study_fact *fact = row;
    fact->name = gn_store_text(stmt, 0, arena);
    fact->value = gn_store_text(stmt, 1, arena);
    return fact->name != NULL && fact->value != NULL;
}

gn_status gn_study_facts(gn_study *study, gn_arena *arena, gn_study_fact **facts_out, size_t *n_out, gn_error *err)
{
    void *list = NULL;
    GN_TRY(read_table(study, "SELECT count(*) FROM fact", "SELECT name, value FROM fact ORDER BY name", read_fact,
                      sizeof(gn_study_fact), arena, &list, n_out, err));
    *facts_out = list;
    return GN_OK;
}

static bool read_command(sqlite3_stmt *stmt, gn_arena *arena, void *row)
{
    gn_study_command *command = row;
    command->started_at = sqlite3_column_int64(stmt, 0);
    command->line = gn_store_text(stmt, 1, arena);
    return command->line != NULL;
}

gn_status gn_study_commands(gn_study *study, gn_arena *arena, gn_study_command **commands_out, size_t *n_out,
                            gn_error *err)
{
    void *list = NULL;
    GN_TRY(read_table(study, "SELECT count(*) FROM command", "SELECT started_at, line FROM command ORDER BY id",
                      read_command, sizeof(gn_study_command), arena, &list, n_out, err));
    *commands_out = list;
    return GN_OK;
}

static bool read_measurement(sqlite3_stmt *stmt, gn_arena *arena, void *row)
{
    gn_measurement *m = row;
    m->id = sqlite3_column_int64(stmt, 0);
    m->model = gn_store_text(stmt, 1, arena);
    m->head = gn_store_text(stmt, 2, arena);
    m->imgsz = sqlite3_column_int64(stmt, 3);
    m->precision = gn_store_text(stmt, 4, arena);
    m->target = gn_store_text(stmt, 5, arena);
    m->threads = sqlite3_column_int64(stmt, 6);
    m->device = gn_store_text(stmt, 7, arena);
    m->warmup = sqlite3_column_int64(stmt, 8);
    m->runs = sqlite3_column_int64(stmt, 9);
    double *const figure[] = {&m->min_ms,       &m->p50_ms,        &m->p90_ms,
                              &m->p99_ms,       &m->preprocess_ms, &m->postprocess_ms,
                              &m->total_p50_ms, &m->total_p90_ms,  &m->total_p99_ms};
    for (int i = 0; i < 9; i++)
        *figure[i] = gn_store_f64(stmt, 10 + i);
    m->peak_bytes = gn_store_count(stmt, 19);
    m->params = gn_store_count(stmt, 20);
    m->macs = gn_store_count(stmt, 21);
    m->bytes = gn_store_count(stmt, 22);
    m->is_valid = sqlite3_column_int(stmt, 23) != 0;
    m->note = gn_store_text(stmt, 24, arena);
    m->measured_at = sqlite3_column_int64(stmt, 25);
    return m->model != NULL && m->head != NULL && m->precision != NULL && m->target != NULL && m->device != NULL &&
           m->note != NULL;
}

gn_status gn_study_measurements(gn_study *study, gn_arena *arena, gn_measurement **list_out, size_t *n_out,
                                gn_error *err)
{
    void *list = NULL;
    GN_TRY(read_table(
        study, "SELECT count(*) FROM measurement",
        "SELECT id, model, head, imgsz, precision, target, threads, device, warmup, runs, min_ms, p50_ms, p90_ms, "
        "p99_ms,"
        " preprocess_ms, postprocess_ms, total_p50_ms, total_p90_ms, total_p99_ms, peak_bytes, params, macs, bytes,"
        " is_valid, note, measured_at FROM measurement ORDER BY id",
        read_measurement, sizeof(gn_measurement), arena, &list, n_out, err));
    *list_out = list;
    return GN_OK;
}

static bool read_trial(sqlite3_stmt *stmt, gn_arena *arena, void *row)
{
    gn_trial *trial = row;
    trial->id = sqlite3_column_int64(stmt, 0);
    trial->config = gn_store_text(stmt, 1, arena);
    trial->measurement_id = sqlite3_column_int64(stmt, 2);
    const char *state = gn_store_text(stmt, 3, arena);
    trial->stage = sqlite3_column_int(stmt, 4);
    trial->reason = gn_store_text(stmt, 5, arena);
    trial->folder = gn_store_text(stmt, 6, arena);
    trial->seed = sqlite3_column_int64(stmt, 7);
    trial->seconds = sqlite3_column_double(stmt, 8);
    if (trial->config == NULL || state == NULL || trial->reason == NULL || trial->folder == NULL)
        return false;
    for (int i = 0; i <= (int)GN_TRIAL_SCREENED; i++)
        if (strcmp(state, gn_trial_state_name((gn_trial_state)i)) == 0)
            trial->state = (gn_trial_state)i;
    return true;
}

gn_status gn_study_trials(gn_study *study, gn_arena *arena, gn_trial **list_out, size_t *n_out, gn_error *err)
{
    void *list = NULL;
    GN_TRY(read_table(
        study, "SELECT count(*) FROM trial",
        "SELECT id, config, measurement_id, state, stage, reason, folder, seed, seconds FROM trial ORDER BY id",
        read_trial, sizeof(gn_trial), arena, &list, n_out, err));
    *list_out = list;
    return GN_OK;
}

static bool read_epoch(sqlite3_stmt *stmt, gn_arena *arena, void *row)
{
    gn_epoch *e = row;
    (void)arena;
    e->trial = sqlite3_column_int64(stmt, 0);
    e->epoch = sqlite3_column_int64(stmt, 1);
    double *const figure[] = {&e->seconds,         &e->train_loss, &e->val_loss, &e->mean_iou,
                              &e->box_precision50, &e->map50,      &e->map50_95, &e->lr};
    for (int i = 0; i < 8; i++)
        *figure[i] = gn_store_f64(stmt, 2 + i);
    return true;
}

gn_status gn_study_epochs(gn_study *study, gn_arena *arena, gn_epoch **list_out, size_t *n_out, gn_error *err)
{
    void *list = NULL;
    GN_TRY(read_table(study, "SELECT count(*) FROM epoch",
                      "SELECT trial_id, epoch, seconds, train_loss, val_loss, mean_iou, box_precision50, map50, "
                      "map50_95, lr FROM epoch"
                      " ORDER BY trial_id, epoch",
                      read_epoch, sizeof(gn_epoch), arena, &list, n_out, err));
    *list_out = list;
    return GN_OK;
}

/* A metric with the key of the result that it belongs to. */
typedef struct metric_row {
    int64_t trial;
    int stage;
    const char *split;
    gn_metric metric;
} metric_row;

static bool read_metric(sqlite3_stmt *stmt, gn_arena *arena, void *row)
{
    metric_row *m = row;
    m->trial = sqlite3_column_int64(stmt, 0);
    m->stage = sqlite3_column_int(stmt, 1);
    m->split = gn_store_text(stmt, 2, arena);
    m->metric.name = gn_store_text(stmt, 3, arena);
    m->metric.value = gn_store_f64(stmt, 4);
    m->metric.low = gn_store_f64(stmt, 5);
    m->metric.high = gn_store_f64(stmt, 6);
    return m->split != NULL && m->metric.name != NULL;
}

static bool read_result(sqlite3_stmt *stmt, gn_arena *arena, void *row)
{
    gn_result *result = row;
    result->trial = sqlite3_column_int64(stmt, 0);
    result->stage = sqlite3_column_int(stmt, 1);
    result->split = gn_store_text(stmt, 2, arena);
    result->epochs = sqlite3_column_int64(stmt, 3);
    result->best_epoch = sqlite3_column_int64(stmt, 4);
    result->images_per_s = gn_store_f64(stmt, 5);
    result->seconds = gn_store_f64(stmt, 6);
    return result->split != NULL;
}

/* Both lists are in the order of (trial, stage, split), so one walk joins them. */
static gn_status join_metrics(const gn_study *study, gn_result *result, size_t n_results, const metric_row *row,
                              size_t n_rows, gn_arena *arena, gn_error *err)
{
    gn_metric *metric = gn_arena_alloc(arena, (n_rows + 1) * sizeof *metric);
    if (metric == NULL)
        return out_of_memory(study, err);
    size_t at = 0;
    for (size_t i = 0; i < n_results; i++) {
        result[i].metrics = metric + at;
        for (; at < n_rows && row[at].trial == result[i].trial && row[at].stage == result[i].stage &&
               strcmp(row[at].split, result[i].split) == 0;
             at++, result[i].n_metrics++)
            metric[at] = row[at].metric;
    }
    return GN_OK;
}

gn_status gn_study_results(gn_study *study, gn_arena *arena, gn_result **list_out, size_t *n_out, gn_error *err)
{
    void *results = NULL, *metrics = NULL;
    size_t n_results = 0, n_metrics = 0;
    GN_TRY(read_table(study, "SELECT count(*) FROM result",
                      "SELECT trial_id, stage, split, epochs, best_epoch, images_per_s, seconds FROM result"
                      " ORDER BY trial_id, stage, split",
                      read_result, sizeof(gn_result), arena, &results, &n_results, err));
    GN_TRY(read_table(
        study, "SELECT count(*) FROM metric",
        "SELECT trial_id, stage, split, name, value, low, high FROM metric ORDER BY trial_id, stage, split, name",
        read_metric, sizeof(metric_row), arena, &metrics, &n_metrics, err));
    GN_TRY(join_metrics(study, results, n_results, metrics, n_metrics, arena, err));
    *list_out = results;
    *n_out = n_results;
    return GN_OK;
}

double gn_result_metric(const gn_result *result, const char *name)
{
    for (size_t i = 0; i < result->n_metrics; i++)
        if (strcmp(result->metrics[i].name, name) == 0)
            return result->metrics[i].value;
    return NAN;
}

static bool read_picture(sqlite3_stmt *stmt, gn_arena *arena, void *row)
{
    gn_picture *picture = row;
    picture->trial = sqlite3_column_int64(stmt, 0);
    picture->name = gn_store_text(stmt, 1, arena);
    picture->caption = gn_store_text(stmt, 2, arena);
    const void *blob = sqlite3_column_blob(stmt, 3);
    picture->bytes = (size_t)sqlite3_column_bytes(stmt, 3);
    unsigned char *copy = gn_arena_alloc(arena, picture->bytes + 1);
    if (copy == NULL || picture->name == NULL || picture->caption == NULL)
        return false;
    if (picture->bytes > 0)
        memcpy(copy, blob, picture->bytes);
    picture->jpeg = copy;
    return true;
}

gn_status gn_study_pictures(gn_study *study, gn_arena *arena, gn_picture **list_out, size_t *n_out, gn_error *err)
{
    void *list = NULL;
    GN_TRY(read_table(study, "SELECT count(*) FROM picture",
                      "SELECT trial_id, name, caption, jpeg FROM picture ORDER BY id", read_picture, sizeof(gn_picture),
                      arena, &list, n_out, err));
    *list_out = list;
    return GN_OK;
}
