/* Prepared statements of PostgreSQL: parameters go as text, which keeps every bit of a double, and rows come in binary form.
 * A statement is prepared on the server when it is run first, and again after the connection was made anew.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "store/store_postgres.h"

#define MAX_PARAMETERS 32

/* Types of PostgreSQL's catalogue (pg_type) that our tables and queries have. */
enum { TYPE_BOOL = 16, TYPE_INT8 = 20, TYPE_INT2 = 21, TYPE_INT4 = 23, TYPE_FLOAT4 = 700, TYPE_FLOAT8 = 701 };

typedef struct postgres_stmt {
    gn_text sql; /* with $1 in place of ? */
    char name[16];
    unsigned generation; /* of the connection that it was prepared on; 0: none */
    int n_params;
    gn_text text[MAX_PARAMETERS]; /* of parameters that are no blob */
    const char *value[MAX_PARAMETERS];
    int length[MAX_PARAMETERS], format[MAX_PARAMETERS];
    PGresult *result;
    int row;
} postgres_stmt;

/* --- parameters -------------------------------------------------------------------------------------------------- */

/* '?' becomes $1, $2, ...; "?1" becomes $1. */
static void number_parameters(postgres_stmt *s, const char *sql)
{
    gn_text_init(&s->sql);
    for (const char *p = sql; *p != '\0'; p++) {
        if (*p != '?') {
            gn_text_add_bytes(&s->sql, p, 1);
        } else if (p[1] >= '1' && p[1] <= '9') {
            const int number = *++p - '0';
            gn_text_printf(&s->sql, "$%d", number);
            s->n_params = number > s->n_params ? number : s->n_params;
        } else {
            gn_text_printf(&s->sql, "$%d", ++s->n_params);
        }
    }
    GN_ASSERT(s->n_params <= MAX_PARAMETERS);
}

gn_status gn_postgres_prepare(gn_stmt *stmt, gn_error *err)
{
    postgres_stmt *s = gn_calloc(1, sizeof *s);
    if (s == NULL)
        return gn_fail(err, GN_ENOMEM, "preparing a query: out of memory");
    number_parameters(s, stmt->sql);
    for (int i = 0; i < MAX_PARAMETERS; i++)
        gn_text_init(&s->text[i]);
    stmt->handle = s;
    if (s->sql.failed) {
        gn_postgres_finalize(stmt);
        return gn_fail(err, GN_ENOMEM, "preparing a query: out of memory");
    }
    snprintf(s->name, sizeof s->name, "gn%u", ++gn_postgres_of(stmt->study)->n_names);
    return GN_OK;
}

static void clear_result(gn_stmt *stmt)
{
    postgres_stmt *s = stmt->handle;
    if (s->result != NULL)
        gn_postgres_of(stmt->study)->pq->PQclear(s->result);
    s->result = NULL;
}

void gn_postgres_finalize(gn_stmt *stmt)
{
    postgres_stmt *s = stmt->handle;
    clear_result(stmt);
    for (int i = 0; i < MAX_PARAMETERS; i++)
        gn_text_deinit(&s->text[i]);
    gn_text_deinit(&s->sql);
    gn_free(s);
    stmt->handle = NULL;
}

void gn_postgres_reset(gn_stmt *stmt)
{
    postgres_stmt *s = stmt->handle;
    clear_result(stmt);
    for (int i = 0; i < s->n_params; i++)
        gn_postgres_bind_null(stmt, i + 1);
}

void gn_postgres_bind_null(gn_stmt *stmt, int at)
{
    postgres_stmt *s = stmt->handle;
    s->value[at - 1] = NULL;
    s->format[at - 1] = 0;
}

/* The parameter's own text, empty. */
static gn_text *text_of(gn_stmt *stmt, int at)
{
    postgres_stmt *s = stmt->handle;
    gn_text *text = &s->text[at - 1];
    text->len = 0;
    s->format[at - 1] = 0;
    return text;
}

void gn_postgres_bind_i64(gn_stmt *stmt, int at, int64_t value)
{
    gn_text *text = text_of(stmt, at);
    gn_text_printf(text, "%" PRId64, value);
    ((postgres_stmt *)stmt->handle)->value[at - 1] = text->data;
}

void gn_postgres_bind_f64(gn_stmt *stmt, int at, double value)
{
    gn_text *text = text_of(stmt, at);
    gn_text_printf(text, "%.17g", value);
    ((postgres_stmt *)stmt->handle)->value[at - 1] = text->data;
}

void gn_postgres_bind_text(gn_stmt *stmt, int at, const char *borrowed)
{
    gn_text *text = text_of(stmt, at);
    gn_text_add_utf8(text, borrowed); /* the server takes nothing else */
    ((postgres_stmt *)stmt->handle)->value[at - 1] = text->data;
}

void gn_postgres_bind_blob(gn_stmt *stmt, int at, const void *borrowed, size_t bytes)
{
    postgres_stmt *s = stmt->handle;
    s->value[at - 1] = borrowed;
    s->length[at - 1] = (int)bytes;
    s->format[at - 1] = 1;
}

/* --- running ----------------------------------------------------------------------------------------------------- */

static gn_status ensure_prepared(gn_stmt *stmt, const char *doing, gn_error *err)
{
    postgres_stmt *s = stmt->handle;
    const gn_postgres *pg = gn_postgres_of(stmt->study);
    if (s->generation == pg->generation)
        return GN_OK;
    PGresult *result = pg->pq->PQprepare(pg->conn, s->name, s->sql.data, 0, NULL);
    gn_status status = GN_OK;
    if (pg->pq->PQresultStatus(result) != PGRES_COMMAND_OK)
        status = gn_postgres_fail(stmt->study, result, doing, err);
    else
        s->generation = pg->generation;
    pg->pq->PQclear(result);
    return status;
}

static gn_status run(gn_stmt *stmt, const char *doing, gn_error *err)
{
    postgres_stmt *s = stmt->handle;
    const gn_libpq *pq = gn_postgres_of(stmt->study)->pq;
    for (int i = 0; i < s->n_params; i++)
        if (s->text[i].failed)
            return gn_fail(err, GN_ENOMEM, "%s: out of memory", doing);
    GN_TRY(ensure_prepared(stmt, doing, err));
    s->result =
        pq->PQexecPrepared(gn_postgres_of(stmt->study)->conn, s->name, s->n_params, s->value, s->length, s->format, 1);
    const int kind = pq->PQresultStatus(s->result);
    if (kind == PGRES_TUPLES_OK || kind == PGRES_COMMAND_OK)
        return GN_OK;
    const gn_status status = gn_postgres_fail(stmt->study, s->result, doing, err);
    clear_result(stmt);
    return status;
}

gn_status gn_postgres_step(gn_stmt *stmt, const char *doing, bool *has_row_out, gn_error *err)
{
    postgres_stmt *s = stmt->handle;
    if (s->result == NULL) {
        GN_TRY(run(stmt, doing, err));
        s->row = 0;
    } else {
        s->row++;
    }
    *has_row_out = s->row < gn_postgres_of(stmt->study)->pq->PQntuples(s->result);
    if (!*has_row_out)
        clear_result(stmt);
    return GN_OK;
}

/* --- columns: numbers are big-endian ----------------------------------------------------------------------------- */

bool gn_postgres_is_null(gn_stmt *stmt, int column)
{
    const postgres_stmt *s = stmt->handle;
    return gn_postgres_of(stmt->study)->pq->PQgetisnull(s->result, s->row, column) != 0;
}

const void *gn_postgres_blob(gn_stmt *stmt, int column, size_t *bytes_out)
{
    const postgres_stmt *s = stmt->handle;
    const gn_libpq *pq = gn_postgres_of(stmt->study)->pq;
    *bytes_out = (size_t)pq->PQgetlength(s->result, s->row, column);
    return pq->PQgetvalue(s->result, s->row, column);
}

static uint64_t read_bits(gn_stmt *stmt, int column, size_t *bytes_out)
{
    const unsigned char *bytes = gn_postgres_blob(stmt, column, bytes_out);
    uint64_t bits = 0;
    for (size_t i = 0; i < *bytes_out && i < 8; i++)
        bits = bits << 8 | bytes[i];
    return bits;
}

static Oid type_of(gn_stmt *stmt, int column)
{
    return gn_postgres_of(stmt->study)->pq->PQftype(((postgres_stmt *)stmt->handle)->result, column);
}

int64_t gn_postgres_i64(gn_stmt *stmt, int column)
{
    size_t bytes = 0;
    const uint64_t bits = read_bits(stmt, column, &bytes);
    switch (type_of(stmt, column)) {
    case TYPE_INT2:
        return (int16_t)(uint16_t)bits;
    case TYPE_INT4:
        return (int32_t)(uint32_t)bits;
    case TYPE_FLOAT8:
        return (int64_t)gn_postgres_f64(stmt, column);
    default:
        return (int64_t)bits;
    }
}

double gn_postgres_f64(gn_stmt *stmt, int column)
{
    size_t bytes = 0;
    const Oid type = type_of(stmt, column);
    if (type != TYPE_FLOAT8 && type != TYPE_FLOAT4)
        return (double)gn_postgres_i64(stmt, column);
    const uint64_t bits = read_bits(stmt, column, &bytes);
    const uint32_t narrow_bits = (uint32_t)bits;
    double value = 0;
    float narrow = 0;
    memcpy(&value, &bits, sizeof value);
    memcpy(&narrow, &narrow_bits, sizeof narrow);
    return type == TYPE_FLOAT8 ? value : (double)narrow;
}

const char *gn_postgres_text(gn_stmt *stmt, int column)
{
    size_t bytes = 0;
    return gn_postgres_is_null(stmt, column) ? NULL : gn_postgres_blob(stmt, column, &bytes);
}
