/* PostgreSQL's client library, opened when the first study on a server is: programs that need none start and run without it.
 * Declared here is the part that store_postgres.c calls.  These functions and numbers are libpq's stable interface (chapter "libpq" of
 * PostgreSQL's manual), so that its headers are not needed to build.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_STORE_LIBPQ_H
#define GN_STORE_LIBPQ_H

#include "base/status.h"

typedef struct pg_conn PGconn;
typedef struct pg_result PGresult;
typedef unsigned int Oid;
typedef void (*PQnoticeReceiver)(void *arg, const PGresult *result);

enum {
    CONNECTION_OK = 0,
    PGRES_COMMAND_OK = 1,
    PGRES_TUPLES_OK = 2,
    PQTRANS_INERROR = 3,
    PG_DIAG_SQLSTATE = 'C',
    PG_DIAG_MESSAGE_PRIMARY = 'M',
};

/* F(type, name, parameters) for each function. */
#define GN_LIBPQ_FUNCTIONS(F)                                                                                          \
    F(PGconn *, PQconnectdbParams, (const char *const *keywords, const char *const *values, int expand_dbname))        \
    F(void, PQfinish, (PGconn * conn))                                                                                 \
    F(void, PQreset, (PGconn * conn))                                                                                  \
    F(int, PQstatus, (const PGconn *conn))                                                                             \
    F(int, PQtransactionStatus, (const PGconn *conn))                                                                  \
    F(char *, PQerrorMessage, (const PGconn *conn))                                                                    \
    F(int, PQserverVersion, (const PGconn *conn))                                                                      \
    F(const char *, PQparameterStatus, (const PGconn *conn, const char *name))                                         \
    F(PQnoticeReceiver, PQsetNoticeReceiver, (PGconn * conn, PQnoticeReceiver receiver, void *arg))                    \
    F(PGresult *, PQexec, (PGconn * conn, const char *query))                                                          \
    F(PGresult *, PQprepare,                                                                                           \
      (PGconn * conn, const char *name, const char *query, int n_params, const Oid *param_types))                      \
    F(PGresult *, PQexecPrepared,                                                                                      \
      (PGconn * conn, const char *name, int n_params, const char *const *values, const int *lengths,                   \
       const int *formats, int result_format))                                                                         \
    F(int, PQresultStatus, (const PGresult *result))                                                                   \
    F(char *, PQresultErrorField, (const PGresult *result, int field))                                                 \
    F(int, PQntuples, (const PGresult *result))                                                                        \
    F(Oid, PQftype, (const PGresult *result, int column))                                                              \
    F(int, PQgetisnull, (const PGresult *result, int row, int column))                                                 \
    F(char *, PQgetvalue, (const PGresult *result, int row, int column))                                               \
    F(int, PQgetlength, (const PGresult *result, int row, int column))                                                 \
    F(void, PQclear, (PGresult * result))

typedef struct gn_libpq {
#define GN_LIBPQ_POINTER(type, name, parameters) type(*name) parameters;
    GN_LIBPQ_FUNCTIONS(GN_LIBPQ_POINTER)
#undef GN_LIBPQ_POINTER
} gn_libpq;

/* The library's functions, the same for the whole process and never closed.  GN_EUNSUPPORTED: it is not installed here. */
gn_status gn_libpq_load(const gn_libpq **out, gn_error *err);

#endif
