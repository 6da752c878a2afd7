/* Statements, bindings and failures of SQLite.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_db.h"

#include <math.h>
#include <string.h>

static gn_status status_of(int rc)
{
    switch (rc & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return GN_EBUSY;
    case SQLITE_NOMEM:
        return GN_ENOMEM;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return GN_EFORMAT;
    case SQLITE_CONSTRAINT:
        return GN_EINVAL;
    default:
        return GN_EIO;
    }
}

gn_status gn_store_fail(const gn_study *study, const char *doing, gn_error *err)
{
    const gn_status status = status_of(sqlite3_errcode(study->db));
    const char *advice = "";
    if (status == GN_EFORMAT)
        advice = "; the file is no study or is damaged";
    else if (status == GN_EBUSY)
        advice = "; another process is using it, try again when it is done";
    else if ((sqlite3_errcode(study->db) & 0xFF) == SQLITE_FULL)
        advice = "; free some space, then run the same command again";
    return gn_fail_at(err, status, study->path, 0, "%s: %s%s", doing, sqlite3_errmsg(study->db), advice);
}

gn_status gn_store_statement(gn_study *study, const char *sql, sqlite3_stmt **stmt_out, gn_error *err)
{
    for (int i = 0; i < study->n_cached; i++)
        if (study->cache[i].sql == sql || strcmp(study->cache[i].sql, sql) == 0) {
            sqlite3_reset(study->cache[i].stmt);
            sqlite3_clear_bindings(study->cache[i].stmt);
            *stmt_out = study->cache[i].stmt;
            return GN_OK;
        }
    GN_ASSERT(study->n_cached < GN_STORE_MAX_STATEMENTS);
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(study->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return gn_store_fail(study, "preparing a query", err);
    study->cache[study->n_cached].sql = sql;
    study->cache[study->n_cached].stmt = stmt;
    study->n_cached++;
    *stmt_out = stmt;
    return GN_OK;
}

gn_status gn_store_exec(gn_study *study, const char *sql, const char *doing, gn_error *err)
{
    if (sqlite3_exec(study->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return gn_store_fail(study, doing, err);
    return GN_OK;
}

gn_status gn_store_run(gn_study *study, sqlite3_stmt *stmt, const char *doing, gn_error *err)
{
    gn_status status = GN_OK;
    if (sqlite3_step(stmt) != SQLITE_DONE)
        status = gn_store_fail(study, doing, err);
    sqlite3_reset(stmt);
    return status;
}

gn_status gn_store_next(gn_study *study, sqlite3_stmt *stmt, const char *doing, bool *has_row_out, gn_error *err)
{
    const int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        *has_row_out = true;
        return GN_OK;
    }
    gn_status status = GN_OK;
    if (rc == SQLITE_DONE)
        *has_row_out = false;
    else
        status = gn_store_fail(study, doing, err);
    sqlite3_reset(stmt);
    return status;
}

gn_status gn_store_run_returning(gn_study *study, sqlite3_stmt *stmt, const char *doing, bool *has_row_out,
                                 int64_t *value_out, gn_error *err)
{
    bool has_row = false, has_more = false;
    GN_TRY(gn_store_next(study, stmt, doing, &has_row, err));
    const int64_t value = has_row ? sqlite3_column_int64(stmt, 0) : 0;
    if (has_row)
        GN_TRY(gn_store_next(study, stmt, doing, &has_more, err));
    GN_ASSERT(!has_more && (has_row || has_row_out != NULL));
    if (has_row)
        *value_out = value;
    if (has_row_out != NULL)
        *has_row_out = has_row;
    return GN_OK;
}

void gn_store_bind_f64(sqlite3_stmt *stmt, int at, double value)
{
    if (isfinite(value))
        sqlite3_bind_double(stmt, at, value);
    else
        sqlite3_bind_null(stmt, at);
}

void gn_store_bind_count(sqlite3_stmt *stmt, int at, int64_t value)
{
    if (value >= 0)
        sqlite3_bind_int64(stmt, at, value);
    else
        sqlite3_bind_null(stmt, at);
}

void gn_store_bind_text(sqlite3_stmt *stmt, int at, const char *borrowed)
{
    sqlite3_bind_text(stmt, at, borrowed, -1, SQLITE_STATIC);
}

double gn_store_f64(sqlite3_stmt *stmt, int column)
{
    if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
        return NAN;
    return sqlite3_column_double(stmt, column);
}

int64_t gn_store_count(sqlite3_stmt *stmt, int column)
{
    if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
        return -1;
    return sqlite3_column_int64(stmt, column);
}

const char *gn_store_text(sqlite3_stmt *stmt, int column, gn_arena *arena)
{
    const unsigned char *text = sqlite3_column_text(stmt, column);
    return gn_arena_strdup(arena, text != NULL ? (const char *)text : "");
}
