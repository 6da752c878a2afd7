/* What the files about PostgreSQL share: the connection, and failures.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_STORE_STORE_POSTGRES_H
#define GN_STORE_STORE_POSTGRES_H

#include "store/libpq.h"
#include "store/postgres_address.h"
#include "store/store_db.h"

typedef struct gn_postgres {
    const gn_libpq *pq;
    PGconn *conn;
    gn_postgres_address address;
    unsigned generation; /* of the connection: a new one knows no prepared statements */
    unsigned n_names;    /* of prepared statements, given out so far */
    bool is_lost;
} gn_postgres;

gn_postgres *gn_postgres_of(const gn_study *study);
/* What the server or the connection complains about, as ours; also finds out whether the connection is lost. */
gn_status gn_postgres_fail(const gn_study *study, const PGresult *result, const char *doing, gn_error *err);
/* Statements without parameters, separated by semicolons; rows are dropped. */
gn_status gn_postgres_exec(const gn_study *study, const char *sql, const char *doing, gn_error *err);

/* postgres_statements.c */
gn_status gn_postgres_prepare(gn_stmt *stmt, gn_error *err);
void gn_postgres_finalize(gn_stmt *stmt);
void gn_postgres_reset(gn_stmt *stmt);
void gn_postgres_bind_null(gn_stmt *stmt, int at);
void gn_postgres_bind_i64(gn_stmt *stmt, int at, int64_t value);
void gn_postgres_bind_f64(gn_stmt *stmt, int at, double value);
void gn_postgres_bind_text(gn_stmt *stmt, int at, const char *borrowed);
void gn_postgres_bind_blob(gn_stmt *stmt, int at, const void *borrowed, size_t bytes);
gn_status gn_postgres_step(gn_stmt *stmt, const char *doing, bool *has_row_out, gn_error *err);
bool gn_postgres_is_null(gn_stmt *stmt, int column);
int64_t gn_postgres_i64(gn_stmt *stmt, int column);
double gn_postgres_f64(gn_stmt *stmt, int column);
const char *gn_postgres_text(gn_stmt *stmt, int column);
const void *gn_postgres_blob(gn_stmt *stmt, int column, size_t *bytes_out);

#endif
