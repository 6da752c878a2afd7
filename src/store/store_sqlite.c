/* A study in a SQLite file: the writer's lock, the file's identity, migrations, statements and failures.
 * One process writes, and holds a lock on a file beside the study meanwhile; others may read.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "store/store_db.h"

/* "GNst" in SQLite's application_id: tells a study from any other SQLite file. */
#define STUDY_APPLICATION_ID 0x474E7374
/* How long a query waits for a reader's or writer's lock. */
#define BUSY_MS 10000

extern const unsigned char gn_schema_sql[], gn_schema_1_to_2_sql[];

/* migration[v] brings version v to v + 1, but a new file gets the newest schema at once. */
static const unsigned char *const migration[GN_STUDY_VERSION] = {gn_schema_sql, gn_schema_1_to_2_sql};

typedef struct file_study {
    sqlite3 *db;
    char *lock_path;
    int lock_fd; /* -1 when only reading */
} file_study;

static file_study *file_of(const gn_study *study)
{
    return study->db;
}

/* --- failures ---------------------------------------------------------------------------------------------------- */

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

static const char *advice_for(int rc)
{
    switch (rc & 0xFF) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return "; the file is no study or is damaged";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "; another process is using it, try again when it is done";
    case SQLITE_FULL:
        return "; free some space, then run the same command again";
    case SQLITE_IOERR:
        return "; the disk may be full or broken: what was written before is kept";
    case SQLITE_READONLY:
        return "; make the file and its folder writable, or copy it elsewhere";
    case SQLITE_CANTOPEN:
        return "; you may not read it, or its folder is missing";
    default:
        return "";
    }
}

/* What SQLite last complained about, as ours. */
static gn_status fail(const gn_study *study, const char *doing, gn_error *err)
{
    sqlite3 *db = file_of(study)->db;
    const int rc = sqlite3_errcode(db);
    char message[300];
    gn_store_one_line(sqlite3_errmsg(db), message, sizeof message);
    return gn_fail_at(err, status_of(rc), study->path, 0, "%s: %s%s", doing, message, advice_for(rc));
}

static gn_status exec(gn_study *study, const char *sql, const char *doing, gn_error *err)
{
    if (sqlite3_exec(file_of(study)->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return fail(study, doing, err);
    return GN_OK;
}

/* --- the writer's lock ------------------------------------------------------------------------------------------- */

/* Whether the file under `path` is still the one that `fd` holds: a writer that left may have removed it. */
static bool is_same_file(const char *path, int fd)
{
    struct stat a, b;
    return stat(path, &a) == 0 && fstat(fd, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static gn_status lock_failed(const char *path, int fd, int error, gn_error *err)
{
    char holder[32] = "";
    const ssize_t n = fd >= 0 ? pread(fd, holder, sizeof holder - 1, 0) : 0;
    if (n > 0)
        holder[strcspn(holder, "\n")] = '\0';
    if (error == EWOULDBLOCK)
        return gn_fail_at(err, GN_EBUSY, path, 0, "opening the study: process %s is writing it; wait for it or stop it",
                          holder[0] != '\0' ? holder : "?");
    return gn_fail_at(err, error == ENOENT ? GN_ENOENT : GN_EIO, path, 0, "making the lock %s.lock: %s%s", path,
                      strerror(error), error == EACCES || error == EROFS ? "; the folder must be writable" : "");
}

static gn_status lock_study(gn_study *study, gn_error *err)
{
    for (;;) {
        const int fd = open(file_of(study)->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
            return lock_failed(study->path, -1, errno, err);
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            const gn_status status = lock_failed(study->path, fd, errno, err);
            close(fd);
            return status;
        }
        if (is_same_file(file_of(study)->lock_path, fd)) {
            char line[32];
            const int n = snprintf(line, sizeof line, "%ld\n", (long)getpid());
            if (ftruncate(fd, 0) != 0 || pwrite(fd, line, (size_t)n, 0) != n)
                line[0] = '\0'; /* the number is only for the message above */
            file_of(study)->lock_fd = fd;
            return GN_OK;
        }
        close(fd);
    }
}

/* --- opening ----------------------------------------------------------------------------------------------------- */

static gn_status pragma_number(gn_study *study, const char *sql, int64_t *out, gn_error *err)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(file_of(study)->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return fail(study, "opening the study", err);
    gn_status status = GN_OK;
    if (sqlite3_step(stmt) == SQLITE_ROW)
        *out = sqlite3_column_int64(stmt, 0);
    else
        status = fail(study, "opening the study", err);
    sqlite3_finalize(stmt);
    return status;
}

/* Refuses what is no study and what a newer version wrote.  *version_out: 0 for a file without tables. */
static gn_status check_identity(gn_study *study, int64_t *version_out, gn_error *err)
{
    int64_t application = 0, version = 0, tables = 0;
    GN_TRY(pragma_number(study, "SELECT count(*) FROM sqlite_master", &tables, err));
    GN_TRY(pragma_number(study, "PRAGMA application_id", &application, err));
    GN_TRY(pragma_number(study, "PRAGMA user_version", &version, err));
    if (tables > 0 && application != STUDY_APPLICATION_ID)
        return gn_fail_at(err, GN_EFORMAT, study->path, 0, "opening the study: this SQLite file is no study of Gannet");
    if (tables > 0 && version < 1)
        return gn_fail_at(err, GN_EFORMAT, study->path, 0, "opening the study: it has schema %lld; the file is damaged",
                          (long long)version);
    if (version > GN_STUDY_VERSION)
        return gn_fail_at(
            err, GN_EUNSUPPORTED, study->path, 0,
            "opening the study: a newer Gannet wrote it (schema %lld, this one reads up to %d); use that version",
            (long long)version, GN_STUDY_VERSION);
    *version_out = tables > 0 ? version : 0;
    return GN_OK;
}

static gn_status run_migrations(gn_study *study, int64_t version, gn_error *err)
{
    char stamp[96];
    snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %d", STUDY_APPLICATION_ID,
             GN_STUDY_VERSION);
    const int64_t end = version == 0 ? 1 : GN_STUDY_VERSION;
    for (int64_t v = version; v < end; v++)
        GN_TRY(exec(study, (const char *)migration[v], "writing the study's schema", err));
    return exec(study, stamp, "writing the study's schema", err);
}

/* All steps in one transaction: a study is either as it was or as it shall be.  Foreign keys must be off, for tables are rebuilt. */
static gn_status migrate(gn_study *study, int64_t version, gn_error *err)
{
    if (version == GN_STUDY_VERSION)
        return GN_OK;
    GN_TRY(gn_study_begin(study, err));
    const gn_status status = run_migrations(study, version, err);
    if (status != GN_OK) {
        gn_study_rollback(study);
        return status;
    }
    return gn_study_commit(study, err);
}

static gn_status open_for_writing(gn_study *study, gn_error *err)
{
    int64_t version = 0;
    GN_TRY(lock_study(study, err));
    if (sqlite3_open_v2(study->path, &file_of(study)->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
        SQLITE_OK)
        return fail(study, "opening the study", err);
    sqlite3_busy_timeout(file_of(study)->db, BUSY_MS);
    GN_TRY(check_identity(study, &version, err));
    GN_TRY(exec(study, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = OFF",
                "opening the study", err));
    GN_TRY(migrate(study, version, err));
    return exec(study, "PRAGMA foreign_keys = ON", "opening the study", err);
}

/* Goes on with a copy in memory, brought up to date: a reader changes no file. */
static gn_status upgrade_in_memory(gn_study *study, int64_t version, gn_error *err)
{
    sqlite3 *file = file_of(study)->db, *copy = NULL;
    sqlite3_backup *backup = NULL;
    if (sqlite3_open_v2(":memory:", &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) == SQLITE_OK)
        backup = sqlite3_backup_init(copy, "main", file, "main");
    const int rc = backup != NULL ? sqlite3_backup_step(backup, -1) : SQLITE_NOMEM;
    sqlite3_backup_finish(backup);
    if (rc != SQLITE_DONE) {
        sqlite3_close(copy);
        return gn_fail_at(err, GN_EIO, study->path, 0, "reading a study of schema %lld: %s", (long long)version,
                          sqlite3_errstr(rc));
    }
    file_of(study)->db = copy;
    sqlite3_close(file);
    return migrate(study, version, err);
}

/* What a writer that was killed left half done is taken back by whoever comes next; that needs a connection which may write. */
static void recover(const char *path)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
        sqlite3_busy_timeout(db, BUSY_MS);
        sqlite3_exec(db, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL);
    }
    sqlite3_close(db);
}

static gn_status connect_for_reading(gn_study *study, int64_t *version_out, gn_error *err)
{
    if (sqlite3_open_v2(study->path, &file_of(study)->db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        return fail(study, "opening the study", err);
    sqlite3_busy_timeout(file_of(study)->db, BUSY_MS);
    return check_identity(study, version_out, err);
}

static gn_status open_for_reading(gn_study *study, gn_error *err)
{
    int64_t version = 0;
    if (!gn_path_exists(study->path))
        return gn_fail_at(err, GN_ENOENT, study->path, 0,
                          "opening the study: no such file; `gannet search --study` makes one");
    gn_status status = connect_for_reading(study, &version, err);
    if (status != GN_OK && sqlite3_errcode(file_of(study)->db) == SQLITE_READONLY) {
        sqlite3_close(file_of(study)->db);
        file_of(study)->db = NULL;
        recover(study->path);
        status = connect_for_reading(study, &version, err);
    }
    GN_TRY(status);
    if (version == 0)
        return gn_fail_at(err, GN_EFORMAT, study->path, 0, "opening the study: the file is empty");
    return version < GN_STUDY_VERSION ? upgrade_in_memory(study, version, err) : GN_OK;
}

static gn_status sqlite_open(gn_study *study, const char *where, gn_study_mode mode, gn_error *err)
{
    gn_text lock_path;
    file_study *file = gn_calloc(1, sizeof *file);
    if (file == NULL)
        return gn_fail(err, GN_ENOMEM, "opening the study %s: out of memory", where);
    file->lock_fd = -1;
    study->db = file;
    study->path = gn_strdup(where);
    gn_text_init(&lock_path);
    gn_text_printf(&lock_path, "%s.lock", where);
    file->lock_path = lock_path.failed ? NULL : gn_strdup(lock_path.data);
    gn_text_deinit(&lock_path);
    if (study->path == NULL || file->lock_path == NULL)
        return gn_fail(err, GN_ENOMEM, "opening the study %s: out of memory", where);
    if (gn_path_is_dir(where))
        return gn_fail_at(err, GN_EINVAL, where, 0, "opening the study: this is a folder; expected a file");
    return mode == GN_STUDY_WRITE ? open_for_writing(study, err) : open_for_reading(study, err);
}

static void sqlite_close(gn_study *study)
{
    file_study *file = file_of(study);
    if (file == NULL)
        return;
    /* Without the write-ahead log a finished study is one plain file, which can be copied and read anywhere. */
    if (file->db != NULL && file->lock_fd >= 0)
        sqlite3_exec(file->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    sqlite3_close(file->db);
    if (file->lock_fd >= 0) {
        unlink(file->lock_path);
        close(file->lock_fd);
    }
    gn_free(file->lock_path);
    gn_free(file);
    study->db = NULL;
}

static bool sqlite_is_lost(const gn_study *study)
{
    (void)study;
    return false;
}

static gn_status sqlite_reconnect(gn_study *study, double timeout_seconds, gn_error *err)
{
    (void)study;
    (void)timeout_seconds;
    (void)err;
    return GN_OK;
}

/* --- transactions ------------------------------------------------------------------------------------------------ */

static gn_status sqlite_begin(gn_study *study, gn_error *err)
{
    if (study->mode == GN_STUDY_READ)
        return exec(study, "BEGIN", "beginning to read the study", err);
    return exec(study, "BEGIN IMMEDIATE", "beginning to write the study", err);
}

static gn_status sqlite_commit(gn_study *study, gn_error *err)
{
    return exec(study, "COMMIT", "writing the study", err);
}

static void sqlite_rollback(gn_study *study)
{
    sqlite3_exec(file_of(study)->db, "ROLLBACK", NULL, NULL, NULL);
}

static gn_status sqlite_now(gn_study *study, double *seconds_out, gn_error *err)
{
    (void)study;
    (void)err;
    *seconds_out = gn_unix_time();
    return GN_OK;
}

/* --- statements -------------------------------------------------------------------------------------------------- */

static gn_status sqlite_prepare(gn_stmt *stmt, gn_error *err)
{
    sqlite3_stmt *handle = NULL;
    if (sqlite3_prepare_v2(file_of(stmt->study)->db, stmt->sql, -1, &handle, NULL) != SQLITE_OK)
        return fail(stmt->study, "preparing a query", err);
    stmt->handle = handle;
    return GN_OK;
}

static void sqlite_finalize(gn_stmt *stmt)
{
    sqlite3_finalize(stmt->handle);
}

static void sqlite_reset(gn_stmt *stmt)
{
    sqlite3_reset(stmt->handle);
    sqlite3_clear_bindings(stmt->handle);
}

static void sqlite_bind_null(gn_stmt *stmt, int at)
{
    sqlite3_bind_null(stmt->handle, at);
}

static void sqlite_bind_i64(gn_stmt *stmt, int at, int64_t value)
{
    sqlite3_bind_int64(stmt->handle, at, value);
}

static void sqlite_bind_f64(gn_stmt *stmt, int at, double value)
{
    sqlite3_bind_double(stmt->handle, at, value);
}

static void sqlite_bind_text(gn_stmt *stmt, int at, const char *borrowed)
{
    sqlite3_bind_text(stmt->handle, at, borrowed, -1, SQLITE_STATIC);
}

static void sqlite_bind_blob(gn_stmt *stmt, int at, const void *borrowed, size_t bytes)
{
    sqlite3_bind_blob64(stmt->handle, at, borrowed, bytes, SQLITE_STATIC);
}

static gn_status sqlite_step(gn_stmt *stmt, const char *doing, bool *has_row_out, gn_error *err)
{
    const int rc = sqlite3_step(stmt->handle);
    if (rc == SQLITE_ROW) {
        *has_row_out = true;
        return GN_OK;
    }
    gn_status status = GN_OK;
    if (rc == SQLITE_DONE)
        *has_row_out = false;
    else
        status = fail(stmt->study, doing, err);
    sqlite3_reset(stmt->handle);
    return status;
}

static bool sqlite_is_null(gn_stmt *stmt, int column)
{
    return sqlite3_column_type(stmt->handle, column) == SQLITE_NULL;
}

static int64_t sqlite_i64(gn_stmt *stmt, int column)
{
    return sqlite3_column_int64(stmt->handle, column);
}

static double sqlite_f64(gn_stmt *stmt, int column)
{
    return sqlite3_column_double(stmt->handle, column);
}

static const char *sqlite_text(gn_stmt *stmt, int column)
{
    return (const char *)sqlite3_column_text(stmt->handle, column);
}

static const void *sqlite_blob(gn_stmt *stmt, int column, size_t *bytes_out)
{
    const void *blob = sqlite3_column_blob(stmt->handle, column);
    *bytes_out = (size_t)sqlite3_column_bytes(stmt->handle, column);
    return blob;
}

const gn_store_driver gn_store_sqlite = {
    .is_shared = false,
    .open = sqlite_open,
    .close = sqlite_close,
    .is_lost = sqlite_is_lost,
    .reconnect = sqlite_reconnect,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .now = sqlite_now,
    .prepare = sqlite_prepare,
    .finalize = sqlite_finalize,
    .reset = sqlite_reset,
    .bind_null = sqlite_bind_null,
    .bind_i64 = sqlite_bind_i64,
    .bind_f64 = sqlite_bind_f64,
    .bind_text = sqlite_bind_text,
    .bind_blob = sqlite_bind_blob,
    .step = sqlite_step,
    .is_null = sqlite_is_null,
    .i64 = sqlite_i64,
    .f64 = sqlite_f64,
    .text = sqlite_text,
    .blob = sqlite_blob,
};
