/* A thin layer over SQL databases for the files of this folder: a table of functions per database, cached prepared statements, NaN as
 * NULL, and failures as gn_error.  The SQL is common to SQLite and PostgreSQL, with '?' for parameters.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_STORE_STORE_DB_H
#define GN_STORE_STORE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/study.h"

#define GN_STORE_MAX_STATEMENTS 48

/* A prepared statement. */
typedef struct gn_stmt {
    gn_study *study;
    const char *sql; /* a string literal */
    void *handle;    /* the driver's */
} gn_stmt;

/* What a database must be able to do.  doing: what an error line says, e.g. "adding a trial".  Columns count from 0, parameters from 1.
 * Errors: GN_EBUSY, GN_ENOMEM, GN_EFORMAT (damaged), GN_EINVAL (a constraint), GN_EIO (also: the connection is lost). */
typedef struct gn_store_driver {
    bool is_shared; /* several processes may write */
    /* Sets study->path (what messages call it) and study->db; close comes also after a failed open. */
    gn_status (*open)(gn_study *study, const char *where, gn_study_mode mode, gn_error *err);
    void (*close)(gn_study *study);
    bool (*is_lost)(const gn_study *study);
    gn_status (*reconnect)(gn_study *study, double timeout_seconds, gn_error *err);

    gn_status (*begin)(gn_study *study, gn_error *err);
    gn_status (*commit)(gn_study *study, gn_error *err);
    void (*rollback)(gn_study *study);
    gn_status (*now)(gn_study *study, double *seconds_out, gn_error *err);

    gn_status (*prepare)(gn_stmt *stmt, gn_error *err); /* sets the handle of a statement that has study and sql */
    void (*finalize)(gn_stmt *stmt);
    void (*reset)(gn_stmt *stmt); /* ready to be bound and run again */
    void (*bind_null)(gn_stmt *stmt, int at);
    void (*bind_i64)(gn_stmt *stmt, int at, int64_t value);
    void (*bind_f64)(gn_stmt *stmt, int at, double value);
    void (*bind_text)(gn_stmt *stmt, int at, const char *borrowed);
    void (*bind_blob)(gn_stmt *stmt, int at, const void *borrowed, size_t bytes);
    /* To the first or next row; resets itself after the last one and after a failure. */
    gn_status (*step)(gn_stmt *stmt, const char *doing, bool *has_row_out, gn_error *err);
    bool (*is_null)(gn_stmt *stmt, int column);
    int64_t (*i64)(gn_stmt *stmt, int column);
    double (*f64)(gn_stmt *stmt, int column);
    /* NUL-terminated and valid until the next step; NULL for NULL. */
    const char *(*text)(gn_stmt *stmt, int column);
    const void *(*blob)(gn_stmt *stmt, int column, size_t *bytes_out);
} gn_store_driver;

extern const gn_store_driver gn_store_sqlite;
extern const gn_store_driver gn_store_postgres;

struct gn_study {
    const gn_store_driver *driver;
    void *db;   /* the driver's */
    char *path; /* as messages name it: without a password */
    gn_study_mode mode;
    bool is_open_transaction;
    gn_stmt statement[GN_STORE_MAX_STATEMENTS];
    int n_statements;
};

/* A statement ready for binding.  sql: a string literal, which is the key of the cache. */
gn_status gn_store_statement(gn_study *study, const char *sql, gn_stmt **stmt_out, gn_error *err);
/* Run a bound statement that gives no row. */
gn_status gn_store_run(gn_stmt *stmt, const char *doing, gn_error *err);
/* Run a bound statement that gives one whole number, in at most one row.  *has_row_out (may be NULL when there always is one):
 * whether there was one; *value_out is left alone otherwise. */
gn_status gn_store_run_for_i64(gn_stmt *stmt, const char *doing, bool *has_row_out, int64_t *value_out, gn_error *err);
/* Step to the next row: *has_row_out false (and the statement reset) after the last one. */
gn_status gn_store_next(gn_stmt *stmt, const char *doing, bool *has_row_out, gn_error *err);
/* For a statement that is left before its last row. */
void gn_store_reset(gn_stmt *stmt);

/* One line of a message that may have several, cut at `bytes`. */
void gn_store_one_line(const char *message, char *dst, size_t bytes);

/* A write of several statements: enter begins a transaction unless one is open (*is_own_out); leave, with the status of what was
 * done between, commits or rolls back what enter began, and gives the status. */
gn_status gn_store_enter(gn_study *study, bool *is_own_out, gn_error *err);
gn_status gn_store_leave(gn_study *study, bool is_own, gn_status status, gn_error *err);

void gn_store_bind_i64(gn_stmt *stmt, int at, int64_t value);
void gn_store_bind_f64(gn_stmt *stmt, int at, double value);          /* NaN and Inf: NULL */
void gn_store_bind_count(gn_stmt *stmt, int at, int64_t value);       /* negative: NULL */
void gn_store_bind_text(gn_stmt *stmt, int at, const char *borrowed); /* valid until the statement is run */
void gn_store_bind_blob(gn_stmt *stmt, int at, const void *borrowed, size_t bytes);
int64_t gn_store_i64(gn_stmt *stmt, int column);   /* NULL: 0 */
double gn_store_f64(gn_stmt *stmt, int column);    /* NULL: NaN */
int64_t gn_store_count(gn_stmt *stmt, int column); /* NULL: -1 */
/* Valid until the next step. */
const void *gn_store_blob(gn_stmt *stmt, int column, size_t *bytes_out);
/* A copy; NULL when out of memory; "" for NULL. */
const char *gn_store_text(gn_stmt *stmt, int column, gn_arena *arena);

#endif
