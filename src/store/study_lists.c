/* Reading whole tables of a study into an arena, one function per table.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "store/store_db.h"
#include "store/study.h"

/* Fills one row; false when out of memory. */
typedef bool (*read_row_fn)(gn_stmt *stmt, gn_arena *arena, void *row);

static gn_status out_of_memory(const gn_study *study, gn_error *err)
{
    return gn_fail_at(err, GN_ENOMEM, study->path, 0, "reading the study: out of memory");
}

/* What to read, and into rows of which kind.  count_sql counts the rows that list_sql gives: arrays in an arena cannot grow. */
typedef struct table_query {
    const char *count_sql, *list_sql;
    int64_t trial; /* bound to the one parameter of both; -1: they have none */
    read_row_fn read_row;
    size_t row_bytes;
} table_query;

static gn_status read_table(gn_study *study, const table_query *query, gn_arena *arena, void **list_out, size_t *n_out,
                            gn_error *err)
{
    gn_stmt *stmt = NULL;
    bool has_row = false;
    GN_TRY(gn_store_statement(study, query->count_sql, &stmt, err));
    if (query->trial >= 0)
        gn_store_bind_i64(stmt, 1, query->trial);
    GN_TRY(gn_store_next(stmt, "reading the study", &has_row, err));
    const size_t limit = has_row ? (size_t)gn_store_i64(stmt, 0) : 0;
    gn_store_reset(stmt);
    size_t bytes = 0;
    char *list = gn_mul_size(limit + 1, query->row_bytes, &bytes) ? gn_arena_alloc(arena, bytes) : NULL;
    if (list == NULL)
        return out_of_memory(study, err);
    GN_TRY(gn_store_statement(study, query->list_sql, &stmt, err));
    if (query->trial >= 0)
        gn_store_bind_i64(stmt, 1, query->trial);
    size_t n = 0;
    /* Rows that a writer added since the count are left for the next reader. */
    while (n < limit) {
        GN_TRY(gn_store_next(stmt, "reading the study", &has_row, err));
        if (!has_row)
            break;
        if (!query->read_row(stmt, arena, list + n * query->row_bytes)) {
            gn_store_reset(stmt);
            return out_of_memory(study, err);
        }
        n++;
    }
    gn_store_reset(stmt);
    *list_out = list;
    *n_out = n;
    return GN_OK;
}

static bool read_fact(gn_stmt *stmt, gn_arena *arena, void *row)
{
    gn_study_fact *fact = row;
    fact->name = gn_store_text(stmt, 0, arena);
    fact->value = gn_store_text(stmt, 1, arena);
    return fact->name != NULL && fact->value != NULL;
}

gn_status gn_study_facts(gn_study *study, gn_arena *arena, gn_study_fact **facts_out, size_t *n_out, gn_error *err)
{
    void *list = NULL;
    const table_query query = {.count_sql = "SELECT count(*) FROM fact",
                               .list_sql = "SELECT name, value FROM fact ORDER BY name",
                               .trial = -1,
                               .read_row = read_fact,
                               .row_bytes = sizeof(gn_study_fact)};
    GN_TRY(read_table(study, &query, arena, &list, n_out, err));
    *facts_out = list;
    return GN_OK;
}

static bool read_command(gn_stmt *stmt, gn_arena *arena, void *row)
{
    gn_study_command *command = row;
    command->started_at = gn_store_i64(stmt, 0);
    command->line = gn_store_text(stmt, 1, arena);
    return command->line != NULL;
}

gn_status gn_study_commands(gn_study *study, gn_arena *arena, gn_study_command **commands_out, size_t *n_out,
                            gn_error *err)
{
    void *list = NULL;
    const table_query query = {.count_sql = "SELECT count(*) FROM command",
                               .list_sql = "SELECT started_at, line FROM command ORDER BY id",
                               .trial = -1,
                               .read_row = read_command,
                               .row_bytes = sizeof(gn_study_command)};
    GN_TRY(read_table(study, &query, arena, &list, n_out, err));
    *commands_out = list;
    return GN_OK;
}

static bool read_measurement(gn_stmt *stmt, gn_arena *arena, void *row)
{
    gn_measurement *m = row;
    m->id = gn_store_i64(stmt, 0);
    m->model = gn_store_text(stmt, 1, arena);
    m->head = gn_store_text(stmt, 2, arena);
    m->imgsz = gn_store_i64(stmt, 3);
    m->precision = gn_store_text(stmt, 4, arena);
    m->variant = gn_store_text(stmt, 5, arena);
    m->target = gn_store_text(stmt, 6, arena);
    m->threads = gn_store_i64(stmt, 7);
    m->device = gn_store_text(stmt, 8, arena);
    m->warmup = gn_store_i64(stmt, 9);
    m->runs = gn_store_i64(stmt, 10);
    double *const figure[] = {&m->min_ms,        &m->p50_ms,         &m->p90_ms,       &m->p99_ms,
                              &m->preprocess_ms, &m->postprocess_ms, &m->total_p50_ms, &m->total_p90_ms,
                              &m->total_p99_ms,  &m->energy_mj,      &m->clock_mhz,    &m->temperature_c};
    for (int i = 0; i < 12; i++)
        *figure[i] = gn_store_f64(stmt, 11 + i);
    m->peak_bytes = gn_store_count(stmt, 23);
    m->params = gn_store_count(stmt, 24);
    m->macs = gn_store_count(stmt, 25);
    m->bytes = gn_store_count(stmt, 26);
    m->is_valid = gn_store_i64(stmt, 27) != 0;
    m->note = gn_store_text(stmt, 28, arena);
    m->measured_at = gn_store_i64(stmt, 29);
    return m->model != NULL && m->head != NULL && m->precision != NULL && m->variant != NULL && m->target != NULL &&
           m->device != NULL && m->note != NULL;
}

gn_status gn_study_measurements(gn_study *study, gn_arena *arena, gn_measurement **list_out, size_t *n_out,
                                gn_error *err)
{
    void *list = NULL;
    const table_query query = {
        .count_sql = "SELECT count(*) FROM measurement",
        .list_sql =
            "SELECT id, model, head, imgsz, precision, variant, target, threads, device, warmup, runs, min_ms, p50_ms, "
            "p90_ms,"
            " p99_ms, preprocess_ms, postprocess_ms, total_p50_ms, total_p90_ms, total_p99_ms, energy_mj, clock_mhz,"
            " temperature_c, peak_bytes, params, macs, bytes, is_valid, note, measured_at FROM measurement ORDER BY id",
        .trial = -1,
        .read_row = read_measurement,
        .row_bytes = sizeof(gn_measurement)};
    GN_TRY(read_table(study, &query, arena, &list, n_out, err));
    *list_out = list;
    return GN_OK;
}

static bool read_trial(gn_stmt *stmt, gn_arena *arena, void *row)
{
    gn_trial *trial = row;
    trial->id = gn_store_i64(stmt, 0);
    trial->config = gn_store_text(stmt, 1, arena);
    trial->measurement_id = gn_store_i64(stmt, 2);
    const char *state = gn_store_text(stmt, 3, arena);
    trial->stage = (int)gn_store_i64(stmt, 4);
    trial->reason = gn_store_text(stmt, 5, arena);
    trial->folder = gn_store_text(stmt, 6, arena);
    trial->seed = gn_store_i64(stmt, 7);
    trial->seconds = gn_store_f64(stmt, 8);
    trial->bracket = (int)gn_store_i64(stmt, 9);
    trial->origin = gn_store_text(stmt, 10, arena);
    trial->attempts = (int)gn_store_i64(stmt, 11);
    trial->worker = gn_store_text(stmt, 12, arena);
    if (trial->config == NULL || state == NULL || trial->reason == NULL || trial->folder == NULL ||
        trial->origin == NULL || trial->worker == NULL)
        return false;
    for (int i = 0; i <= (int)GN_TRIAL_SCREENED; i++)
        if (strcmp(state, gn_trial_state_name((gn_trial_state)i)) == 0)
            trial->state = (gn_trial_state)i;
    return true;
}

#define TRIAL_COLUMNS                                                                                                  \
    "SELECT id, config, measurement_id, state, stage, reason, folder, seed, seconds, bracket, origin, attempts, "      \
    "worker"                                                                                                           \
    " FROM trial"

gn_status gn_study_trials(gn_study *study, gn_arena *arena, gn_trial **list_out, size_t *n_out, gn_error *err)
{
    void *list = NULL;
    const table_query query = {.count_sql = "SELECT count(*) FROM trial",
                               .list_sql = TRIAL_COLUMNS " ORDER BY id",
                               .trial = -1,
                               .read_row = read_trial,
                               .row_bytes = sizeof(gn_trial)};
    GN_TRY(read_table(study, &query, arena, &list, n_out, err));
    *list_out = list;
    return GN_OK;
}

gn_status gn_study_trial(gn_study *study, int64_t id, gn_arena *arena, gn_trial *trial_out, gn_error *err)
{
    gn_stmt *stmt = NULL;
    bool has_row = false;
    gn_trial trial = {0};
    GN_TRY(gn_store_statement(study, TRIAL_COLUMNS " WHERE id = ?", &stmt, err));
    gn_store_bind_i64(stmt, 1, id);
    GN_TRY(gn_store_next(stmt, "reading a trial", &has_row, err));
    const bool is_whole = has_row && read_trial(stmt, arena, &trial);
    gn_store_reset(stmt);
    if (!has_row)
        return gn_fail_at(err, GN_ENOENT, study->path, 0, "reading trial %lld: the study has no such trial",
                          (long long)id);
    if (!is_whole)
        return out_of_memory(study, err);
    *trial_out = trial;
    return GN_OK;
}

static bool read_epoch(gn_stmt *stmt, gn_arena *arena, void *row)
{
    gn_epoch *e = row;
    (void)arena;
    e->trial = gn_store_i64(stmt, 0);
    e->epoch = gn_store_i64(stmt, 1);
    double *const figure[] = {&e->seconds,         &e->train_loss, &e->val_loss, &e->mean_iou,
                              &e->box_precision50, &e->map50,      &e->map50_95, &e->lr};
    for (int i = 0; i < 8; i++)
        *figure[i] = gn_store_f64(stmt, 2 + i);
    return true;
}

#define EPOCH_COLUMNS                                                                                                  \
    "SELECT trial_id, epoch, seconds, train_loss, val_loss, mean_iou, box_precision50, map50, map50_95, lr FROM epoch"

gn_status gn_study_epochs(gn_study *study, gn_arena *arena, gn_epoch **list_out, size_t *n_out, gn_error *err)
{
    void *list = NULL;
    const table_query query = {.count_sql = "SELECT count(*) FROM epoch",
                               .list_sql = EPOCH_COLUMNS " ORDER BY trial_id, epoch",
                               .trial = -1,
                               .read_row = read_epoch,
                               .row_bytes = sizeof(gn_epoch)};
    GN_TRY(read_table(study, &query, arena, &list, n_out, err));
    *list_out = list;
    return GN_OK;
}

gn_status gn_study_trial_epochs(gn_study *study, int64_t trial, gn_arena *arena, gn_epoch **list_out, size_t *n_out,
                                gn_error *err)
{
    void *list = NULL;
    const table_query query = {.count_sql = "SELECT count(*) FROM epoch WHERE trial_id = ?",
                               .list_sql = EPOCH_COLUMNS " WHERE trial_id = ? ORDER BY epoch",
                               .trial = trial,
                               .read_row = read_epoch,
                               .row_bytes = sizeof(gn_epoch)};
    GN_TRY(read_table(study, &query, arena, &list, n_out, err));
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

static bool read_metric(gn_stmt *stmt, gn_arena *arena, void *row)
{
    metric_row *m = row;
    m->trial = gn_store_i64(stmt, 0);
    m->stage = (int)gn_store_i64(stmt, 1);
    m->split = gn_store_text(stmt, 2, arena);
    m->metric.name = gn_store_text(stmt, 3, arena);
    m->metric.value = gn_store_f64(stmt, 4);
    m->metric.low = gn_store_f64(stmt, 5);
    m->metric.high = gn_store_f64(stmt, 6);
    return m->split != NULL && m->metric.name != NULL;
}

static bool read_result(gn_stmt *stmt, gn_arena *arena, void *row)
{
    gn_result *result = row;
    result->trial = gn_store_i64(stmt, 0);
    result->stage = (int)gn_store_i64(stmt, 1);
    result->split = gn_store_text(stmt, 2, arena);
    result->epochs = gn_store_i64(stmt, 3);
    result->best_epoch = gn_store_i64(stmt, 4);
    result->images_per_s = gn_store_f64(stmt, 5);
    result->seconds = gn_store_f64(stmt, 6);
    return result->split != NULL;
}

/* Less than 0: the metric belongs to an earlier result. */
static int compare_keys(const metric_row *row, const gn_result *result)
{
    if (row->trial != result->trial)
        return row->trial < result->trial ? -1 : 1;
    if (row->stage != result->stage)
        return row->stage < result->stage ? -1 : 1;
    return strcmp(row->split, result->split);
}

/* Both lists are in the order of (trial, stage, split), so one walk joins them.  Metrics of a result that a writer added since the
 * results were read are passed over. */
static gn_status join_metrics(const gn_study *study, gn_result *result, size_t n_results, const metric_row *row,
                              size_t n_rows, gn_arena *arena, gn_error *err)
{
    gn_metric *metric = gn_arena_alloc(arena, (n_rows + 1) * sizeof *metric);
    if (metric == NULL)
        return out_of_memory(study, err);
    size_t at = 0;
    for (size_t i = 0; i < n_results; i++) {
        while (at < n_rows && compare_keys(&row[at], &result[i]) < 0)
            at++;
        result[i].metrics = metric + at;
        for (; at < n_rows && compare_keys(&row[at], &result[i]) == 0; at++, result[i].n_metrics++)
            metric[at] = row[at].metric;
    }
    return GN_OK;
}

gn_status gn_study_results(gn_study *study, gn_arena *arena, gn_result **list_out, size_t *n_out, gn_error *err)
{
    void *results = NULL, *metrics = NULL;
    size_t n_results = 0, n_metrics = 0;
    const table_query result_query = {
        .count_sql = "SELECT count(*) FROM result",
        .list_sql = "SELECT trial_id, stage, split, epochs, best_epoch, images_per_s, seconds FROM result"
                    " ORDER BY trial_id, stage, split",
        .trial = -1,
        .read_row = read_result,
        .row_bytes = sizeof(gn_result)};
    const table_query metric_query = {.count_sql = "SELECT count(*) FROM metric",
                                      .list_sql = "SELECT trial_id, stage, split, name, value, low, high FROM metric"
                                                  " ORDER BY trial_id, stage, split, name",
                                      .trial = -1,
                                      .read_row = read_metric,
                                      .row_bytes = sizeof(metric_row)};
    GN_TRY(read_table(study, &result_query, arena, &results, &n_results, err));
    GN_TRY(read_table(study, &metric_query, arena, &metrics, &n_metrics, err));
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

static bool read_picture(gn_stmt *stmt, gn_arena *arena, void *row)
{
    gn_picture *picture = row;
    picture->trial = gn_store_i64(stmt, 0);
    picture->name = gn_store_text(stmt, 1, arena);
    picture->caption = gn_store_text(stmt, 2, arena);
    const void *blob = gn_store_blob(stmt, 3, &picture->bytes);
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
    const table_query query = {.count_sql = "SELECT count(*) FROM picture",
                               .list_sql = "SELECT trial_id, name, caption, jpeg FROM picture ORDER BY id",
                               .trial = -1,
                               .read_row = read_picture,
                               .row_bytes = sizeof(gn_picture)};
    GN_TRY(read_table(study, &query, arena, &list, n_out, err));
    *list_out = list;
    return GN_OK;
}

static bool read_document(gn_stmt *stmt, gn_arena *arena, void *row)
{
    gn_document *document = row;
    document->trial = gn_store_i64(stmt, 0);
    document->name = gn_store_text(stmt, 1, arena);
    return document->name != NULL;
}

gn_status gn_study_documents(gn_study *study, int64_t trial, gn_arena *arena, gn_document **list_out, size_t *n_out,
                             gn_error *err)
{
    void *list = NULL;
    const table_query query = {.count_sql = "SELECT count(*) FROM document WHERE trial_id = ?1 OR ?1 = 0",
                               .list_sql = "SELECT trial_id, name FROM document WHERE "
                                           "trial_id = ?1 OR ?1 = 0 ORDER BY trial_id, name",
                               .trial = trial,
                               .read_row = read_document,
                               .row_bytes = sizeof(gn_document)};
    GN_TRY(read_table(study, &query, arena, &list, n_out, err));
    *list_out = list;
    return GN_OK;
}

gn_status gn_study_document(gn_study *study, int64_t trial, const char *name, gn_arena *arena, const char **json_out,
                            gn_error *err)
{
    gn_stmt *stmt = NULL;
    bool has_row = false;
    GN_TRY(gn_store_statement(study, "SELECT json FROM document WHERE trial_id = ? AND name = ?", &stmt, err));
    gn_store_bind_i64(stmt, 1, trial);
    gn_store_bind_text(stmt, 2, name);
    GN_TRY(gn_store_next(stmt, "reading a document", &has_row, err));
    const char *json = has_row ? gn_store_text(stmt, 0, arena) : NULL;
    gn_store_reset(stmt);
    if (has_row && json == NULL)
        return out_of_memory(study, err);
    *json_out = json;
    return GN_OK;
}

static bool read_attempt(gn_stmt *stmt, gn_arena *arena, void *row)
{
    gn_attempt *attempt = row;
    attempt->trial = gn_store_i64(stmt, 0);
    attempt->number = (int)gn_store_i64(stmt, 1);
    attempt->stage = (int)gn_store_i64(stmt, 2);
    attempt->worker = gn_store_text(stmt, 3, arena);
    attempt->started_at = gn_store_f64(stmt, 4);
    attempt->ended_at = gn_store_f64(stmt, 5);
    attempt->lease_until = gn_store_f64(stmt, 6);
    const char *outcome = gn_store_text(stmt, 7, arena);
    attempt->reason = gn_store_text(stmt, 8, arena);
    if (attempt->worker == NULL || outcome == NULL || attempt->reason == NULL)
        return false;
    for (int i = 0; i <= (int)GN_OUTCOME_LOST; i++)
        if (strcmp(outcome, gn_outcome_name((gn_outcome)i)) == 0)
            attempt->outcome = (gn_outcome)i;
    return true;
}

gn_status gn_study_attempts(gn_study *study, int64_t trial, gn_arena *arena, gn_attempt **list_out, size_t *n_out,
                            gn_error *err)
{
    void *list = NULL;
    const table_query query = {
        .count_sql = "SELECT count(*) FROM attempt WHERE trial_id = ?1 OR ?1 = 0",
        .list_sql = "SELECT trial_id, number, stage, worker, started_at, ended_at, lease_until, outcome, reason FROM "
                    "attempt WHERE trial_id = ?1 OR ?1 = 0 ORDER BY trial_id, number",
        .trial = trial,
        .read_row = read_attempt,
        .row_bytes = sizeof(gn_attempt)};
    GN_TRY(read_table(study, &query, arena, &list, n_out, err));
    *list_out = list;
    return GN_OK;
}
