/* Opening and closing a study: the writer's lock, the file's identity, migrations; facts and commands.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/study.h"

#include <errno.h>
#include <fcntl.h>
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
    return gn_fail_at(err, error == ENOENT ? GN_ENOENT : GN_EIO, path, 0, "locking the study: %s", strerror(error));
}

static gn_status lock_study(gn_study *study, gn_error *err)
{
    for (;;) {
        const int fd = open(study->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
            return lock_failed(study->path, -1, errno, err);
        if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            const gn_status status = lock_failed(study->path, fd, errno, err);
            close(fd);
            return status;
        }
        if (is_same_file(study->lock_path, fd)) {
            char line[32];
            const int n = snprintf(line, sizeof line, "%ld\n", (long)getpid());
            if (ftruncate(fd, 0) != 0 || pwrite(fd, line, (size_t)n, 0) != n)
                line[0] = '\0'; /* the number is only for the message above */
            study->lock_fd = fd;
            return GN_OK;
        }
        close(fd);
    }
}

/* --- opening ----------------------------------------------------------------------------------------------------- */

static gn_status pragma_number(gn_study *study, const char *sql, int64_t *out, gn_error *err)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(study->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return gn_store_fail(study, "opening the study", err);
    gn_status status = GN_OK;
    if (sqlite3_step(stmt) == SQLITE_ROW)
        *out = sqlite3_column_int64(stmt, 0);
    else
        status = gn_store_fail(study, "opening the study", err);
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
        GN_TRY(gn_store_exec(study, (const char *)migration[v], "writing the study's schema", err));
    return gn_store_exec(study, stamp, "writing the study's schema", err);
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
    if (sqlite3_open_v2(study->path, &study->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        return gn_store_fail(study, "opening the study", err);
    sqlite3_busy_timeout(study->db, BUSY_MS);
    GN_TRY(check_identity(study, &version, err));
    GN_TRY(gn_store_exec(study, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = OFF",
                         "opening the study", err));
    GN_TRY(migrate(study, version, err));
    return gn_store_exec(study, "PRAGMA foreign_keys = ON", "opening the study", err);
}

/* Goes on with a copy in memory, brought up to date: a reader changes no file. */
static gn_status upgrade_in_memory(gn_study *study, int64_t version, gn_error *err)
{
    sqlite3 *file = study->db, *copy = NULL;
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
    study->db = copy;
    sqlite3_close(file);
    return migrate(study, version, err);
}

static gn_status open_for_reading(gn_study *study, gn_error *err)
{
    int64_t version = 0;
    if (!gn_path_exists(study->path))
        return gn_fail_at(err, GN_ENOENT, study->path, 0,
                          "opening the study: no such file; `gannet search --study` makes one");
    if (sqlite3_open_v2(study->path, &study->db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        return gn_store_fail(study, "opening the study", err);
    sqlite3_busy_timeout(study->db, BUSY_MS);
    GN_TRY(check_identity(study, &version, err));
    if (version == 0)
        return gn_fail_at(err, GN_EFORMAT, study->path, 0, "opening the study: the file is empty");
    return version < GN_STUDY_VERSION ? upgrade_in_memory(study, version, err) : GN_OK;
}

gn_status gn_study_open(const char *path, gn_study_mode mode, gn_study **study_out, gn_error *err)
{
    gn_text lock_path;
    gn_text_init(&lock_path);
    gn_text_printf(&lock_path, "%s.lock", path);
    gn_study *study = gn_calloc(1, sizeof *study);
    gn_status status = GN_OK;
    if (study != NULL) {
        study->lock_fd = -1;
        study->path = gn_strdup(path);
        study->lock_path = lock_path.failed ? NULL : gn_strdup(lock_path.data);
    }
    gn_text_deinit(&lock_path);
    if (study == NULL || study->path == NULL || study->lock_path == NULL) {
        status = gn_fail(err, GN_ENOMEM, "opening the study %s: out of memory", path);
        goto cleanup;
    }
    status = mode == GN_STUDY_WRITE ? open_for_writing(study, err) : open_for_reading(study, err);
    if (status != GN_OK)
        goto cleanup;
    *study_out = study;
    return GN_OK;

cleanup:
    gn_study_close(&study);
    return status;
}

void gn_study_close(gn_study **study)
{
    gn_study *s = *study;
    if (s == NULL)
        return;
    if (s->db != NULL) {
        gn_study_rollback(s);
        for (int i = 0; i < s->n_cached; i++)
            sqlite3_finalize(s->cache[i].stmt);
        /* Without the write-ahead log a finished study is one plain file, which can be copied and read anywhere. */
        if (s->lock_fd >= 0)
            sqlite3_exec(s->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
        sqlite3_close(s->db);
    }
    if (s->lock_fd >= 0) {
        unlink(s->lock_path);
        close(s->lock_fd);
    }
    gn_free(s->path);
    gn_free(s->lock_path);
    gn_free(s);
    *study = NULL;
}

const char *gn_study_path(const gn_study *study)
{
    return study->path;
}

/* --- transactions ------------------------------------------------------------------------------------------------ */

gn_status gn_study_begin(gn_study *study, gn_error *err)
{
    GN_ASSERT(!study->is_open_transaction);
    GN_TRY(gn_store_exec(study, "BEGIN IMMEDIATE", "beginning to write the study", err));
    study->is_open_transaction = true;
    return GN_OK;
}

gn_status gn_study_commit(gn_study *study, gn_error *err)
{
    GN_ASSERT(study->is_open_transaction);
    const gn_status status = gn_store_exec(study, "COMMIT", "writing the study", err);
    if (status != GN_OK)
        gn_study_rollback(study);
    study->is_open_transaction = false;
    return status;
}

void gn_study_rollback(gn_study *study)
{
    if (study->is_open_transaction)
        sqlite3_exec(study->db, "ROLLBACK", NULL, NULL, NULL);
    study->is_open_transaction = false;
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

gn_status gn_study_now(gn_study *study, double *seconds_out, gn_error *err)
{
    (void)study;
    (void)err;
    *seconds_out = gn_unix_time();
    return GN_OK;
}

/* --- facts and commands ------------------------------------------------------------------------------------------ */

gn_status gn_study_set_fact(gn_study *study, const char *name, const char *value, gn_error *err)
{
    sqlite3_stmt *stmt = NULL;
    GN_TRY(gn_store_statement(
        study, "INSERT INTO fact VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", &stmt, err));
    gn_store_bind_text(stmt, 1, name);
    gn_store_bind_text(stmt, 2, value);
    return gn_store_run(study, stmt, "writing a fact", err);
}

gn_status gn_study_fact_of(gn_study *study, const char *name, gn_arena *arena, const char **value_out, gn_error *err)
{
    sqlite3_stmt *stmt = NULL;
    bool has_row = false;
    GN_TRY(gn_store_statement(study, "SELECT value FROM fact WHERE name = ?", &stmt, err));
    gn_store_bind_text(stmt, 1, name);
    GN_TRY(gn_store_next(study, stmt, "reading a fact", &has_row, err));
    const char *value = has_row ? gn_store_text(stmt, 0, arena) : NULL;
    sqlite3_reset(stmt);
    if (has_row && value == NULL)
        return gn_fail(err, GN_ENOMEM, "reading a fact: out of memory");
    *value_out = value;
    return GN_OK;
}

gn_status gn_study_add_command(gn_study *study, const char *line, int64_t started_at, gn_error *err)
{
    sqlite3_stmt *stmt = NULL;
    GN_TRY(gn_store_statement(study, "INSERT INTO command (started_at, line) VALUES (?, ?)", &stmt, err));
    sqlite3_bind_int64(stmt, 1, started_at);
    gn_store_bind_text(stmt, 2, line);
    return gn_store_run(study, stmt, "writing the command line", err);
}
