/* Studies in files that are broken, foreign, locked, read-only or on a full disk: one clear line, nothing lost.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* unshare */
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/file.h"
#include "base/rng.h"
#include "store_fixture.h"

static void fill(gn_study *study, int n_trials)
{
    assert_int_equal(gn_study_begin(study, NULL), GN_OK);
    for (int i = 0; i < n_trials; i++) {
        char config[64];
        snprintf(config, sizeof config, "{\"lr0\":\"%d\"}", i);
        const int64_t trial = fixture_add_trial(study, config);
        for (int e = 1; e <= 5; e++)
            assert_int_equal(gn_study_put_epoch(study, &(gn_epoch){.trial = trial, .epoch = e, .lr = 1e-3 * e}, NULL),
                             GN_OK);
    }
    assert_int_equal(gn_study_commit(study, NULL), GN_OK);
}

/* Reads everything that a report reads. */
static gn_status read_all(gn_study *study, gn_error *err)
{
    gn_arena *arena = gn_arena_create(0);
    gn_study_fact *facts = NULL;
    gn_trial *trials = NULL;
    gn_epoch *epochs = NULL;
    gn_result *results = NULL;
    gn_measurement *measurements = NULL;
    gn_picture *pictures = NULL;
    gn_attempt *attempts = NULL;
    size_t n = 0;
    gn_status status = gn_study_facts(study, arena, &facts, &n, err);
    if (status == GN_OK)
        status = gn_study_trials(study, arena, &trials, &n, err);
    if (status == GN_OK)
        status = gn_study_epochs(study, arena, &epochs, &n, err);
    if (status == GN_OK)
        status = gn_study_results(study, arena, &results, &n, err);
    if (status == GN_OK)
        status = gn_study_measurements(study, arena, &measurements, &n, err);
    if (status == GN_OK)
        status = gn_study_pictures(study, arena, &pictures, &n, err);
    if (status == GN_OK)
        status = gn_study_attempts(study, 0, arena, &attempts, &n, err);
    gn_arena_destroy(&arena);
    return status;
}

static void check_line(const gn_error *err)
{
    assert_null(strchr(err->message, '\n'));
    assert_true(strlen(err->message) > 20);
    assert_string_equal(err->file, fixture_path);
}

/* --- broken files -------------------------------------------------------------------------------------------------- */

static char *whole;
static size_t whole_bytes;

static void make_whole(void)
{
    gn_study *study = fixture_open(fixture_path, GN_STUDY_WRITE);
    fill(study, 300);
    gn_study_close(&study);
    assert_int_equal(gn_file_read(fixture_path, 1u << 26, &whole, &whole_bytes, NULL), GN_OK);
}

/* Opens and reads what lies there: any status, but no crash, and a line that names the file when it fails. */
static gn_status try_reading(void)
{
    gn_study *study = NULL;
    gn_error err = {0};
    gn_status status = gn_study_open(fixture_path, GN_STUDY_READ, &study, &err);
    if (status == GN_OK)
        status = read_all(study, &err);
    gn_study_close(&study);
    if (status != GN_OK)
        check_line(&err);
    return status;
}

static void test_truncated_files(void **state)
{
    (void)state;
    make_whole();
    static const double shares[] = {0, 0.0005, 0.01, 0.3, 0.5, 0.9};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        const size_t bytes = (size_t)(shares[i] * (double)whole_bytes);
        assert_int_equal(gn_file_write(fixture_path, whole, bytes, NULL), GN_OK);
        assert_int_equal(try_reading(), GN_EFORMAT);
        gn_study *study = NULL;
        gn_error err = {0};
        /* A writer does not make it worse, and does not take a piece for a study; an empty file is a new one. */
        if (bytes == 0)
            continue;
        assert_int_equal(gn_study_open(fixture_path, GN_STUDY_WRITE, &study, &err), GN_EFORMAT);
        check_line(&err);
    }
    gn_free(whole);
}

static void test_damaged_files(void **state)
{
    (void)state;
    make_whole();
    gn_rng rng;
    gn_rng_init(&rng, 7, 0);
    for (int round = 0; round < 60; round++) {
        char *bytes = gn_alloc(whole_bytes);
        memcpy(bytes, whole, whole_bytes);
        /* In the header and the schema at first, then anywhere. */
        const int64_t range = round < 20 ? 8192 : (int64_t)whole_bytes;
        for (int k = 0; k < 1 + round * 5; k++)
            bytes[gn_rng_below(&rng, range)] = (char)gn_rng_u32(&rng);
        assert_int_equal(gn_file_write(fixture_path, bytes, whole_bytes, NULL), GN_OK);
        gn_free(bytes);
        try_reading();
    }
    gn_free(whole);
}

static void test_file_of_somebody_else(void **state)
{
    (void)state;
    sqlite3 *db = NULL;
    gn_study *study = NULL;
    gn_error err = {0};
    assert_int_equal(sqlite3_open(fixture_path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE notes (x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    for (int mode = GN_STUDY_READ; mode <= GN_STUDY_WRITE; mode++) {
        assert_int_equal(gn_study_open(fixture_path, (gn_study_mode)mode, &study, &err), GN_EFORMAT);
        check_line(&err);
        assert_non_null(strstr(err.message, "no study of Gannet"));
    }
    assert_int_equal(gn_study_open(fixture_folder, GN_STUDY_READ, &study, &err), GN_EINVAL);
    assert_non_null(strstr(err.message, "folder"));
}

/* --- files that may not be written --------------------------------------------------------------------------------- */

/* Another program holds the file for itself, longer than anybody waits. */
static void test_locked_file(void **state)
{
    (void)state;
    sqlite3 *db = NULL;
    gn_error err = {0};
    gn_study *study = fixture_open(fixture_path, GN_STUDY_WRITE);
    gn_study_close(&study);
    assert_int_equal(sqlite3_open(fixture_path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(gn_study_open(fixture_path, GN_STUDY_WRITE, &study, &err), GN_EBUSY);
    check_line(&err);
    assert_non_null(strstr(err.message, "another process is using it"));
    sqlite3_close(db);
    study = fixture_open(fixture_path, GN_STUDY_WRITE);
    gn_study_close(&study);
}

/* Runs `check` in a process of its own, whose limits and rights end with it; 0: fine, 77: cannot be done here. */
static int in_child(int (*check)(void))
{
    int status = 0;
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0)
        _exit(check());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            print_error("line %d: %s (%s)\n", __LINE__, #condition, err.message);                                      \
            return 1;                                                                                                  \
        }                                                                                                              \
    } while (0)

/* Root may write everything, so that it becomes somebody else first. */
static bool become_nobody(void)
{
    return getuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0);
}

static int write_read_only_file(void)
{
    gn_study *study = NULL;
    gn_error err = {0};
    if (!become_nobody())
        return 77;
    EXPECT(gn_study_open(fixture_path, GN_STUDY_WRITE, &study, &err) == GN_EIO);
    EXPECT(strstr(err.message, "writable") != NULL && strchr(err.message, '\n') == NULL);
    EXPECT(gn_study_open(fixture_path, GN_STUDY_READ, &study, &err) == GN_OK);
    EXPECT(read_all(study, &err) == GN_OK);
    gn_study_close(&study);
    return 0;
}

static void test_read_only_file(void **state)
{
    (void)state;
    gn_study *study = fixture_open(fixture_path, GN_STUDY_WRITE);
    fill(study, 3);
    gn_study_close(&study);
    assert_int_equal(chmod(fixture_path, 0444), 0);
    assert_int_equal(chmod(fixture_folder, 0777), 0); /* the lock can be made, the study not be written */
    int result = in_child(write_read_only_file);
    if (result == 0) {
        assert_int_equal(chmod(fixture_folder, 0755), 0);
        result = in_child(write_read_only_file);
    }
    if (result == 77)
        skip();
    assert_int_equal(result, 0);
}

/* --- full disks ---------------------------------------------------------------------------------------------------- */

/* Writes until it fails: the line says what to do, and what was committed stays. */
static int write_until_full(void)
{
    gn_study *study = NULL;
    gn_error err = {0};
    gn_status status = gn_study_open(fixture_path, GN_STUDY_WRITE, &study, &err);
    EXPECT(status == GN_OK);
    int64_t told = 0;
    for (int64_t id = 0; status == GN_OK && told < 100000; told += status == GN_OK) {
        char config[2000];
        snprintf(config, sizeof config, "{\"lr0\":\"%lld\",\"note\":\"%01800d\"}", (long long)told, 0);
        status = gn_study_add_trial(study, &(gn_trial){.config = config}, &id, &err);
    }
    EXPECT(status == GN_EIO);
    EXPECT(strstr(err.message, "free some space") != NULL || strstr(err.message, "the disk may be full") != NULL);
    EXPECT(strchr(err.message, '\n') == NULL);
    gn_arena *arena = gn_arena_create(0);
    gn_trial *list = NULL;
    size_t n = 0;
    gn_study_close(&study);
    EXPECT(gn_study_open(fixture_path, GN_STUDY_READ, &study, &err) == GN_OK);
    EXPECT(gn_study_trials(study, arena, &list, &n, &err) == GN_OK);
    EXPECT((int64_t)n == told);
    gn_study_close(&study);
    gn_arena_destroy(&arena);
    return 0;
}

static int write_with_a_limit(void)
{
    const struct rlimit limit = {400000, 400000};
    signal(SIGXFSZ, SIG_IGN);
    return setrlimit(RLIMIT_FSIZE, &limit) == 0 ? write_until_full() : 77;
}

static void test_file_size_limit(void **state)
{
    (void)state;
    assert_int_equal(in_child(write_with_a_limit), 0);
    /* Without the limit it goes on. */
    gn_study *study = fixture_open(fixture_path, GN_STUDY_WRITE);
    fill(study, 300);
    gn_study_close(&study);
    assert_int_equal(try_reading(), GN_OK);
}

/* A file system of a megabyte, seen by this process alone. */
static int write_to_a_small_disk(void)
{
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", fixture_folder, "tmpfs", 0, "size=1m") != 0)
        return 77;
    return write_until_full();
}

static void test_full_disk(void **state)
{
    (void)state;
    const int result = in_child(write_to_a_small_disk);
    if (result == 77) {
        print_message("a file system for this test cannot be mounted here\n");
        skip();
    }
    assert_int_equal(result, 0);
}

int main(void)
{
#define ON_FILE(test) cmocka_unit_test_setup_teardown(test, fixture_set_up_file, fixture_remove_folder)
    const struct CMUnitTest tests[] = {
        ON_FILE(test_truncated_files), ON_FILE(test_damaged_files),  ON_FILE(test_file_of_somebody_else),
        ON_FILE(test_locked_file),     ON_FILE(test_read_only_file), ON_FILE(test_file_size_limit),
        ON_FILE(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
