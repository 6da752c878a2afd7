/* What is the same for every database: cached statements, NaN and negative counts as NULL, copies of texts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_db.h"

#include <math.h>
#include <string.h>

gn_status gn_store_statement(gn_study *study, const char *sql, gn_stmt **stmt_out, gn_error *err)
{
    for (int i = 0; i < study->n_statements; i++)
        if (study->statement[i].sql == sql || strcmp(study->statement[i].sql, sql) == 0) {
            study->driver->reset(&study->statement[i]);
            *stmt_out = &study->statement[i];
            return GN_OK;
        }
    GN_ASSERT(study->n_statements < GN_STORE_MAX_STATEMENTS);
    gn_stmt *stmt = &study->statement[study->n_statements];
    *stmt = (gn_stmt){.study = study, .sql = sql};
    GN_TRY(study->driver->prepare(stmt, err));
    study->n_statements++;
    *stmt_out = stmt;
    return GN_OK;
}

gn_status gn_store_next(gn_stmt *stmt, const char *doing, bool *has_row_out, gn_error *err)
{
    return stmt->study->driver->step(stmt, doing, has_row_out, err);
}

void gn_store_reset(gn_stmt *stmt)
{
    stmt->study->driver->reset(stmt);
}

gn_status gn_store_run(gn_stmt *stmt, const char *doing, gn_error *err)
{
    bool has_row = false;
    GN_TRY(gn_store_next(stmt, doing, &has_row, err));
    GN_ASSERT(!has_row);
    return GN_OK;
}

gn_status gn_store_run_for_i64(gn_stmt *stmt, const char *doing, bool *has_row_out, int64_t *value_out, gn_error *err)
{
    bool has_row = false, has_more = false;
    GN_TRY(gn_store_next(stmt, doing, &has_row, err));
    const int64_t value = has_row ? gn_store_i64(stmt, 0) : 0;
    if (has_row)
        GN_TRY(gn_store_next(stmt, doing, &has_more, err));
    GN_ASSERT(!has_more && (has_row || has_row_out != NULL));
    if (has_row)
        *value_out = value;
    if (has_row_out != NULL)
        *has_row_out = has_row;
    return GN_OK;
}

void gn_store_one_line(const char *message, char *dst, size_t bytes)
{
    size_t n = 0;
    for (const char *p = message; *p != '\0' && n + 1 < bytes; p++) {
        const bool is_gap = *p == '\n' || *p == '\t' || *p == '\r' || *p == ' ';
        if (!is_gap)
            dst[n++] = *p;
        if (is_gap && n > 0 && dst[n - 1] != ' ') {
            if (*p == '\n' && p[1] != '\0' && n + 2 < bytes)
                dst[n++] = ';';
            dst[n++] = ' ';
        }
    }
    while (n > 0 && dst[n - 1] == ' ')
        n--;
    dst[n] = '\0';
}

gn_status gn_store_enter(gn_study *study, bool *is_own_out, gn_error *err)
{
    *is_own_out = !study->is_open_transaction;
    return *is_own_out ? gn_study_begin(study, err) : GN_OK;
}

gn_status gn_store_leave(gn_study *study, bool is_own, gn_status status, gn_error *err)
{
    if (!is_own)
        return status;
    if (status == GN_OK)
        return gn_study_commit(study, err);
    gn_study_rollback(study);
    return status;
}

void gn_store_bind_i64(gn_stmt *stmt, int at, int64_t value)
{
    stmt->study->driver->bind_i64(stmt, at, value);
}

void gn_store_bind_f64(gn_stmt *stmt, int at, double value)
{
    if (isfinite(value))
        stmt->study->driver->bind_f64(stmt, at, value);
    else
        stmt->study->driver->bind_null(stmt, at);
}

void gn_store_bind_count(gn_stmt *stmt, int at, int64_t value)
{
    if (value >= 0)
        stmt->study->driver->bind_i64(stmt, at, value);
    else
        stmt->study->driver->bind_null(stmt, at);
}

void gn_store_bind_text(gn_stmt *stmt, int at, const char *borrowed)
{
    stmt->study->driver->bind_text(stmt, at, borrowed);
}

void gn_store_bind_blob(gn_stmt *stmt, int at, const void *borrowed, size_t bytes)
{
    stmt->study->driver->bind_blob(stmt, at, borrowed, bytes);
}

int64_t gn_store_i64(gn_stmt *stmt, int column)
{
    return stmt->study->driver->is_null(stmt, column) ? 0 : stmt->study->driver->i64(stmt, column);
}

double gn_store_f64(gn_stmt *stmt, int column)
{
    return stmt->study->driver->is_null(stmt, column) ? NAN : stmt->study->driver->f64(stmt, column);
}

int64_t gn_store_count(gn_stmt *stmt, int column)
{
    return stmt->study->driver->is_null(stmt, column) ? -1 : stmt->study->driver->i64(stmt, column);
}

const char *gn_store_text(gn_stmt *stmt, int column, gn_arena *arena)
{
    const char *text = stmt->study->driver->text(stmt, column);
    return gn_arena_strdup(arena, text != NULL ? text : "");
}

const void *gn_store_blob(gn_stmt *stmt, int column, size_t *bytes_out)
{
    return stmt->study->driver->blob(stmt, column, bytes_out);
}
