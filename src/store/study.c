/* Opening and closing a study, transactions, facts and commands.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/study.h"

#include "base/text.h"
#include "store/postgres_address.h"
#include "store/store_db.h"

bool gn_study_is_server(const char *where)
{
    return gn_has_prefix(where, "postgresql://") || gn_has_prefix(where, "postgres://");
}

gn_status gn_study_open(const char *where, gn_study_mode mode, gn_study **study_out, gn_error *err)
{
    gn_study *study = gn_calloc(1, sizeof *study);
    if (study == NULL)
        return gn_fail(err, GN_ENOMEM, "opening the study: out of memory");
    study->mode = mode;
    study->driver = gn_study_is_server(where) ? &gn_store_postgres : &gn_store_sqlite;
    const gn_status status = study->driver->open(study, where, mode, err);
    if (status != GN_OK)
        gn_study_close(&study);
    else
        *study_out = study;
    return status;
}

void gn_study_close(gn_study **study)
{
    gn_study *s = *study;
    if (s == NULL)
        return;
    gn_study_rollback(s);
    for (int i = 0; i < s->n_statements; i++)
        s->driver->finalize(&s->statement[i]);
    s->driver->close(s);
    gn_free(s->path);
    gn_free(s);
    *study = NULL;
}

const char *gn_study_path(const gn_study *study)
{
    return study->path;
}

bool gn_study_is_shared(const gn_study *study)
{
    return study->driver->is_shared;
}

bool gn_study_is_lost(const gn_study *study)
{
    return study->driver->is_lost(study);
}

gn_status gn_study_reconnect(gn_study *study, double timeout_seconds, gn_error *err)
{
    if (!gn_study_is_lost(study))
        return GN_OK;
    study->is_open_transaction = false;
    return study->driver->reconnect(study, timeout_seconds, err);
}

/* --- transactions ------------------------------------------------------------------------------------------------ */

gn_status gn_study_begin(gn_study *study, gn_error *err)
{
    GN_ASSERT(!study->is_open_transaction);
    GN_TRY(study->driver->begin(study, err));
    study->is_open_transaction = true;
    return GN_OK;
}

gn_status gn_study_commit(gn_study *study, gn_error *err)
{
    GN_ASSERT(study->is_open_transaction);
    const gn_status status = study->driver->commit(study, err);
    if (status != GN_OK)
        gn_study_rollback(study);
    study->is_open_transaction = false;
    return status;
}

void gn_study_rollback(gn_study *study)
{
    if (study->is_open_transaction)
        study->driver->rollback(study);
    study->is_open_transaction = false;
}

gn_status gn_study_now(gn_study *study, double *seconds_out, gn_error *err)
{
    return study->driver->now(study, seconds_out, err);
}

/* --- facts and commands ------------------------------------------------------------------------------------------ */

/* Runs a statement whose last parameter, number `at`, is a text in which no password may be kept. */
static gn_status run_with_text(gn_stmt *stmt, int at, const char *text, const char *doing, gn_error *err)
{
    gn_text shown;
    gn_text_init(&shown);
    gn_postgres_hide_passwords(text, &shown);
    gn_status status = GN_OK;
    if (shown.failed) {
        status = gn_fail(err, GN_ENOMEM, "%s: out of memory", doing);
    } else {
        gn_store_bind_text(stmt, at, shown.data);
        status = gn_store_run(stmt, doing, err);
    }
    gn_text_deinit(&shown);
    return status;
}

gn_status gn_study_set_fact(gn_study *study, const char *name, const char *value, gn_error *err)
{
    gn_stmt *stmt = NULL;
    GN_TRY(gn_store_statement(
        study, "INSERT INTO fact VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", &stmt, err));
    gn_store_bind_text(stmt, 1, name);
    return run_with_text(stmt, 2, value, "writing a fact", err);
}

gn_status gn_study_fact_of(gn_study *study, const char *name, gn_arena *arena, const char **value_out, gn_error *err)
{
    gn_stmt *stmt = NULL;
    bool has_row = false;
    GN_TRY(gn_store_statement(study, "SELECT value FROM fact WHERE name = ?", &stmt, err));
    gn_store_bind_text(stmt, 1, name);
    GN_TRY(gn_store_next(stmt, "reading a fact", &has_row, err));
    const char *value = has_row ? gn_store_text(stmt, 0, arena) : NULL;
    gn_store_reset(stmt);
    if (has_row && value == NULL)
        return gn_fail(err, GN_ENOMEM, "reading a fact: out of memory");
    *value_out = value;
    return GN_OK;
}

gn_status gn_study_add_command(gn_study *study, const char *line, int64_t started_at, gn_error *err)
{
    gn_stmt *stmt = NULL;
    GN_TRY(gn_store_statement(study, "INSERT INTO command (started_at, line) VALUES (?, ?)", &stmt, err));
    gn_store_bind_i64(stmt, 1, started_at);
    return run_with_text(stmt, 2, line, "writing the command line", err);
}
