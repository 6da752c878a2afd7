/* A thin layer over SQLite for the files of this folder: cached prepared statements, NaN as NULL, and failures as gn_error.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_STORE_STORE_DB_H
#define GN_STORE_STORE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/study.h"

#define GN_STORE_MAX_STATEMENTS 48

struct gn_study {
    sqlite3 *db;
    char *path;
    int lock_fd; /* -1 when only reading */
    char *lock_path;
    bool is_open_transaction;
    struct {
        const char *sql; /* a string literal */
        sqlite3_stmt *stmt;
    } cache[GN_STORE_MAX_STATEMENTS];
    int n_cached;
};

/* What SQLite last complained about, as ours: EBUSY, ENOMEM, EFORMAT (damaged), EIO.  doing: e.g. "adding a trial". */
gn_status gn_store_fail(const gn_study *study, const char *doing, gn_error *err);
/* A statement ready for binding.  sql: a string literal, which is the key of the cache. */
gn_status gn_store_statement(gn_study *study, const char *sql, sqlite3_stmt **stmt_out, gn_error *err);
/* One statement without parameters and rows. */
gn_status gn_store_exec(gn_study *study, const char *sql, const char *doing, gn_error *err);
/* Run a bound statement that gives no row, then reset it. */
gn_status gn_store_run(gn_study *study, sqlite3_stmt *stmt, const char *doing, gn_error *err);
/* Run a bound INSERT, UPDATE or DELETE ... RETURNING one whole number, of at most one row.  *has_row_out (may be NULL when there
 * always is one): whether there was one; *value_out is left alone otherwise. */
gn_status gn_store_run_returning(gn_study *study, sqlite3_stmt *stmt, const char *doing, bool *has_row_out,
                                 int64_t *value_out, gn_error *err);
/* Step to the next row: *has_row_out false (and the statement reset) after the last one. */
gn_status gn_store_next(gn_study *study, sqlite3_stmt *stmt, const char *doing, bool *has_row_out, gn_error *err);

/* A write of several statements: enter begins a transaction unless one is open (*is_own_out); leave, with the status of what was
 * done between, commits or rolls back what enter began, and gives the status. */
gn_status gn_store_enter(gn_study *study, bool *is_own_out, gn_error *err);
gn_status gn_store_leave(gn_study *study, bool is_own, gn_status status, gn_error *err);

void gn_store_bind_f64(sqlite3_stmt *stmt, int at, double value);          /* NaN and Inf: NULL */
void gn_store_bind_count(sqlite3_stmt *stmt, int at, int64_t value);       /* negative: NULL */
void gn_store_bind_text(sqlite3_stmt *stmt, int at, const char *borrowed); /* valid until the statement is run */
double gn_store_f64(sqlite3_stmt *stmt, int column);                       /* NULL: NaN */
int64_t gn_store_count(sqlite3_stmt *stmt, int column);                    /* NULL: -1 */
const char *gn_store_text(sqlite3_stmt *stmt, int column,
                          gn_arena *arena); /* NULL when out of memory; NULL column: "" */

#endif
