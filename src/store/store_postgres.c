/* A study in a schema of a PostgreSQL database, written by any number of processes: connecting, the schema, transactions.
 * A transaction that writes holds an advisory lock of the study, so that such transactions happen one after the other, as in a file.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_postgres.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

/* hashtextextended and identity columns are older; nobody maintains an older server any more. */
#define OLDEST_SERVER  110000
#define FIRST_PAUSE_NS (INT64_C(100) * 1000 * 1000)
#define LAST_PAUSE_NS  (INT64_C(5) * 1000 * 1000 * 1000)

extern const unsigned char gn_schema_sql[];

gn_postgres *gn_postgres_of(const gn_study *study)
{
    return study->db;
}

/* --- failures ---------------------------------------------------------------------------------------------------- */

static bool begins(const char *text, const char *with)
{
    return text != NULL && gn_has_prefix(text, with);
}

/* By SQLSTATE: PostgreSQL's manual, appendix A. */
static gn_status status_of(const char *state)
{
    if (begins(state, "23") || begins(state, "22"))
        return GN_EINVAL;
    if (begins(state, "40") || begins(state, "55P03"))
        return GN_EBUSY;
    return GN_EIO;
}

static const char *advice_for(const char *state)
{
    if (begins(state, "55P03"))
        return "; another process has been deciding for long, try again";
    if (begins(state, "40"))
        return "; try again";
    if (begins(state, "53100"))
        return "; free some space on the server, then go on";
    if (begins(state, "42501") || begins(state, "25006"))
        return "; the user needs the right to do that";
    return "";
}

gn_status gn_postgres_fail(const gn_study *study, const PGresult *result, const char *doing, gn_error *err)
{
    gn_postgres *pg = gn_postgres_of(study);
    char message[300];
    const char *state = pg->pq->PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = pg->pq->PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    pg->is_lost = pg->is_lost || pg->pq->PQstatus(pg->conn) != CONNECTION_OK || begins(state, "57P");
    gn_store_one_line(primary != NULL ? primary : pg->pq->PQerrorMessage(pg->conn), message, sizeof message);
    if (pg->is_lost)
        return gn_fail_at(err, GN_EIO, study->path, 0, "%s: the connection to the server is lost (%s)", doing, message);
    return gn_fail_at(err, status_of(state), study->path, 0, "%s: %s%s", doing, message, advice_for(state));
}

gn_status gn_postgres_exec(const gn_study *study, const char *sql, const char *doing, gn_error *err)
{
    const gn_postgres *pg = gn_postgres_of(study);
    PGresult *result = pg->pq->PQexec(pg->conn, sql);
    const int kind = pg->pq->PQresultStatus(result);
    gn_status status = GN_OK;
    if (kind != PGRES_COMMAND_OK && kind != PGRES_TUPLES_OK)
        status = gn_postgres_fail(study, result, doing, err);
    pg->pq->PQclear(result);
    return status;
}

/* --- connecting -------------------------------------------------------------------------------------------------- */

/* libpq would print notices. */
static void drop_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

/* libpq's messages about an address that it does not understand repeat parts of it, perhaps the password. */
static bool may_show(const char *message)
{
    return gn_has_prefix(message, "invalid URI query parameter") ||
           (strstr(message, "URI") == NULL && strstr(message, "percent-encoded") == NULL &&
            strstr(message, "connection option") == NULL);
}

static gn_status refused(const gn_study *study, gn_error *err)
{
    const gn_postgres *pg = gn_postgres_of(study);
    char message[400];
    gn_store_one_line(pg->pq->PQerrorMessage(pg->conn), message, sizeof message);
    if (!may_show(message))
        return gn_fail_at(err, GN_EINVAL, study->path, 0,
                          "connecting: the address is not understood; expected "
                          "postgresql://user:password@host:port/database?study=NAME, with special characters as %%XX");
    if (gn_has_prefix(message, "invalid URI query parameter"))
        return gn_fail_at(err, GN_EINVAL, study->path, 0, "connecting: %s", message);
    const bool wants_password = strstr(message, "no password supplied") != NULL;
    return gn_fail_at(err, GN_EIO, study->path, 0, "opening the study: %s%s", message,
                      wants_password ? "; put it in the address, into PGPASSWORD or into ~/.pgpass" : "");
}

/* Settings of this connection: where the tables lie, and that no stopped process keeps the others waiting. */
static gn_status set_session(const gn_study *study, gn_error *err)
{
    const gn_postgres *pg = gn_postgres_of(study);
    const char *encoding = pg->pq->PQparameterStatus(pg->conn, "server_encoding");
    const int version = pg->pq->PQserverVersion(pg->conn);
    char sql[400];
    if (version < OLDEST_SERVER)
        return gn_fail_at(err, GN_EUNSUPPORTED, study->path, 0,
                          "connecting: the server is PostgreSQL %d.%d; at least version %d is needed", version / 10000,
                          version / 100 % 100, OLDEST_SERVER / 10000);
    if (encoding == NULL || (strcmp(encoding, "UTF8") != 0 && strcmp(encoding, "SQL_ASCII") != 0))
        return gn_fail_at(err, GN_EUNSUPPORTED, study->path, 0,
                          "connecting: the database has the encoding %s; make one with createdb -E UTF8 -T template0",
                          encoding != NULL ? encoding : "?");
    snprintf(sql, sizeof sql,
             "SET search_path TO \"%s\"; SET lock_timeout = '60s'; SET idle_in_transaction_session_timeout = '60s';"
             " SET default_transaction_read_only = %s",
             pg->address.study, study->mode == GN_STUDY_READ ? "on" : "off");
    return gn_postgres_exec(study, sql, "connecting", err);
}

static gn_status connect_to_server(gn_study *study, gn_error *err)
{
    gn_postgres *pg = gn_postgres_of(study);
    /* Before dbname: what the address may say otherwise.  A server that is gone is noticed within a minute. */
    const char *const keyword[] = {"connect_timeout",  "keepalives_idle",  "keepalives_interval",
                                   "keepalives_count", "tcp_user_timeout", "application_name",
                                   "dbname",           "client_encoding",  NULL};
    const char *const value[] = {"10", "20", "10", "3", "60000", "gannet", pg->address.url, "UTF8", NULL};
    pg->conn = pg->pq->PQconnectdbParams(keyword, value, 1);
    if (pg->conn == NULL)
        return gn_fail(err, GN_ENOMEM, "connecting to %s: out of memory", study->path);
    if (pg->pq->PQstatus(pg->conn) != CONNECTION_OK)
        return refused(study, err);
    pg->pq->PQsetNoticeReceiver(pg->conn, drop_notice, NULL);
    pg->generation = 1;
    return set_session(study, err);
}

static bool postgres_is_lost(const gn_study *study)
{
    const gn_postgres *pg = gn_postgres_of(study);
    return pg->is_lost || pg->pq->PQstatus(pg->conn) != CONNECTION_OK;
}

static gn_status try_again(gn_study *study, gn_error *err)
{
    gn_postgres *pg = gn_postgres_of(study);
    pg->pq->PQreset(pg->conn);
    if (pg->pq->PQstatus(pg->conn) != CONNECTION_OK)
        return refused(study, err);
    pg->generation++;
    pg->is_lost = false;
    const gn_status status = set_session(study, err);
    pg->is_lost = status != GN_OK;
    return status;
}

static gn_status postgres_reconnect(gn_study *study, double timeout_seconds, gn_error *err)
{
    const int64_t end = gn_now_ns() + (int64_t)(timeout_seconds * 1e9);
    for (int64_t pause = FIRST_PAUSE_NS;; pause = 2 * pause < LAST_PAUSE_NS ? 2 * pause : LAST_PAUSE_NS) {
        const gn_status status = try_again(study, err);
        const int64_t left = end - gn_now_ns();
        if (status == GN_OK || left <= 0)
            return status;
        gn_sleep_ns(pause < left ? pause : left);
    }
}

/* --- the schema -------------------------------------------------------------------------------------------------- */

/* Writes SQLite's words of `sql` in PostgreSQL's.  Texts are ordered by bytes, whatever the database's language. */
static void translate_schema(const char *sql, gn_text *out)
{
    static const char *const words[][2] = {
        {"INTEGER PRIMARY KEY", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"},
        {"INTEGER", "BIGINT"},
        {"REAL", "DOUBLE PRECISION"},
        {"TEXT", "TEXT COLLATE \"C\""},
        {"BLOB", "BYTEA"},
        {" WITHOUT ROWID", ""},
    };
    while (*sql != '\0') {
        size_t n = strncmp(sql, "--", 2) == 0 ? strcspn(sql, "\n") : 0;
        for (size_t i = 0; i < sizeof words / sizeof *words && n == 0; i++)
            if (gn_has_prefix(sql, words[i][0])) {
                gn_text_add(out, words[i][1]);
                n = strlen(words[i][0]);
            }
        if (n == 0) {
            gn_text_add_bytes(out, sql, 1);
            n = 1;
        }
        sql += n;
    }
}

/* What the schema of the study's name holds. */
enum { HOLDS_NOTHING = 0, HOLDS_STUDY = 1, HOLDS_OTHERS = 2, HOLDS_SECRETS = 3 };

static gn_status look_into_schema(gn_study *study, int64_t *holds_out, gn_error *err)
{
    gn_stmt *stmt = NULL;
    GN_TRY(gn_store_statement(study,
                              "SELECT CASE WHEN count(*) = 0 THEN 0"
                              " WHEN NOT bool_and(has_schema_privilege(n.oid, 'USAGE')) THEN 3"
                              " WHEN bool_or(c.relname = 'gannet_study') THEN 1 ELSE 2 END"
                              " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ?",
                              &stmt, err));
    gn_store_bind_text(stmt, 1, gn_postgres_of(study)->address.study);
    return gn_store_run_for_i64(stmt, "opening the study", NULL, holds_out, err);
}

/* *version_out: 0 when the study is not there yet. */
static gn_status check_identity(gn_study *study, int64_t *version_out, gn_error *err)
{
    const char *name = gn_postgres_of(study)->address.study;
    int64_t holds = HOLDS_NOTHING, version = 0;
    gn_stmt *stmt = NULL;
    GN_TRY(look_into_schema(study, &holds, err));
    if (holds == HOLDS_SECRETS)
        return gn_fail_at(
            err, GN_EIO, study->path, 0,
            "opening the study: the user may not use it; its owner can GRANT USAGE ON SCHEMA %s, and rights on "
            "ALL TABLES in it",
            name);
    if (holds == HOLDS_OTHERS)
        return gn_fail_at(err, GN_EFORMAT, study->path, 0,
                          "opening the study: the schema %s of this database holds tables of somebody else; choose "
                          "another name with ?study=NAME",
                          name);
    if (holds == HOLDS_STUDY) {
        GN_TRY(gn_store_statement(study, "SELECT version FROM gannet_study", &stmt, err));
        GN_TRY(gn_store_run_for_i64(stmt, "opening the study", NULL, &version, err));
    }
    if (version > GN_STUDY_VERSION)
        return gn_fail_at(
            err, GN_EUNSUPPORTED, study->path, 0,
            "opening the study: a newer Gannet wrote it (schema %lld, this one reads up to %d); use that version",
            (long long)version, GN_STUDY_VERSION);
    *version_out = version;
    return GN_OK;
}

static gn_status create_schema(gn_study *study, gn_error *err)
{
    const char *name = gn_postgres_of(study)->address.study;
    gn_text sql;
    gn_text_init(&sql);
    gn_text_printf(&sql, "CREATE SCHEMA IF NOT EXISTS \"%s\";\n", name);
    translate_schema((const char *)gn_schema_sql, &sql);
    gn_text_printf(&sql, "CREATE TABLE gannet_study (version BIGINT NOT NULL); INSERT INTO gannet_study VALUES (%d)",
                   GN_STUDY_VERSION);
    const gn_status status = sql.failed ? gn_fail(err, GN_ENOMEM, "opening the study: out of memory")
                                        : gn_postgres_exec(study, sql.data, "writing the study's schema", err);
    gn_text_deinit(&sql);
    return status;
}

/* Several may come at once: who gets the lock makes the tables, the others find them. */
static gn_status open_for_writing(gn_study *study, gn_error *err)
{
    int64_t version = 0;
    GN_TRY(gn_study_begin(study, err));
    gn_status status = check_identity(study, &version, err);
    if (status == GN_OK && version == 0)
        status = create_schema(study, err);
    return gn_store_leave(study, true, status, err);
}

static gn_status open_for_reading(gn_study *study, gn_error *err)
{
    int64_t version = 0;
    GN_TRY(check_identity(study, &version, err));
    if (version == 0)
        return gn_fail_at(err, GN_ENOENT, study->path, 0,
                          "opening the study: the database has none of the name %s; `gannet search --study` makes one",
                          gn_postgres_of(study)->address.study);
    return GN_OK;
}

static gn_status postgres_open(gn_study *study, const char *where, gn_study_mode mode, gn_error *err)
{
    gn_postgres *pg = gn_calloc(1, sizeof *pg);
    if (pg == NULL)
        return gn_fail(err, GN_ENOMEM, "opening the study: out of memory");
    study->db = pg;
    GN_TRY(gn_libpq_load(&pg->pq, err));
    GN_TRY(gn_postgres_address_parse(where, &pg->address, err));
    study->path = gn_strdup(pg->address.shown);
    if (study->path == NULL)
        return gn_fail(err, GN_ENOMEM, "opening the study: out of memory");
    GN_TRY(connect_to_server(study, err));
    return mode == GN_STUDY_WRITE ? open_for_writing(study, err) : open_for_reading(study, err);
}

static void postgres_close(gn_study *study)
{
    gn_postgres *pg = gn_postgres_of(study);
    if (pg == NULL)
        return;
    if (pg->conn != NULL)
        pg->pq->PQfinish(pg->conn);
    gn_postgres_address_deinit(&pg->address);
    gn_free(pg);
    study->db = NULL;
}

/* --- transactions and time --------------------------------------------------------------------------------------- */

static gn_status postgres_begin(gn_study *study, gn_error *err)
{
    gn_postgres *pg = gn_postgres_of(study);
    const char *name = pg->address.study;
    char sql[120];
    if (study->mode == GN_STUDY_READ)
        return gn_postgres_exec(study, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "beginning to read the study",
                                err);
    snprintf(sql, sizeof sql, "BEGIN; SELECT pg_advisory_xact_lock(%" PRId64 ")",
             (int64_t)gn_hash64(name, strlen(name), 0));
    const gn_status status = gn_postgres_exec(study, sql, "beginning to write the study", err);
    if (status != GN_OK)
        gn_postgres_exec(study, "ROLLBACK", "", NULL);
    return status;
}

static gn_status postgres_commit(gn_study *study, gn_error *err)
{
    const gn_postgres *pg = gn_postgres_of(study);
    /* COMMIT after a failed statement would roll back, and say nothing. */
    if (pg->pq->PQtransactionStatus(pg->conn) == PQTRANS_INERROR)
        return gn_fail_at(err, GN_EINVAL, study->path, 0,
                          "writing the study: an earlier statement of this transaction failed, so nothing is written");
    return gn_postgres_exec(study, "COMMIT", "writing the study", err);
}

static void postgres_rollback(gn_study *study)
{
    if (!postgres_is_lost(study))
        gn_postgres_exec(study, "ROLLBACK", "", NULL);
}

static gn_status postgres_now(gn_study *study, double *seconds_out, gn_error *err)
{
    gn_stmt *stmt = NULL;
    bool has_row = false;
    GN_TRY(gn_store_statement(study, "SELECT extract(epoch FROM clock_timestamp())::double precision", &stmt, err));
    GN_TRY(gn_store_next(stmt, "asking for the time", &has_row, err));
    *seconds_out = gn_store_f64(stmt, 0);
    gn_store_reset(stmt);
    return GN_OK;
}

const gn_store_driver gn_store_postgres = {
    .is_shared = true,
    .open = postgres_open,
    .close = postgres_close,
    .is_lost = postgres_is_lost,
    .reconnect = postgres_reconnect,
    .begin = postgres_begin,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .now = postgres_now,
    .prepare = gn_postgres_prepare,
    .finalize = gn_postgres_finalize,
    .reset = gn_postgres_reset,
    .bind_null = gn_postgres_bind_null,
    .bind_i64 = gn_postgres_bind_i64,
    .bind_f64 = gn_postgres_bind_f64,
    .bind_text = gn_postgres_bind_text,
    .bind_blob = gn_postgres_bind_blob,
    .step = gn_postgres_step,
    .is_null = gn_postgres_is_null,
    .i64 = gn_postgres_i64,
    .f64 = gn_postgres_f64,
    .text = gn_postgres_text,
    .blob = gn_postgres_blob,
};
