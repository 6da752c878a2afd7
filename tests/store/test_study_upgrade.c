/* Studies of version 1, made by SQL: they are read as they are, and brought up to date by a writer.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/file.h"
#include "store_fixture.h"

static void run_sql(sqlite3 *db, const char *name)
{
    char file[512], *sql = NULL, *message = NULL;
    size_t bytes = 0;
    snprintf(file, sizeof file, GN_SOURCE_DIR "/tests/store/%s", name);
    assert_int_equal(gn_file_read(file, 1 << 20, &sql, &bytes, NULL), GN_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", name, message);
    gn_free(sql);
}

static int make_old_study(void **state)
{
    sqlite3 *db = NULL;
    fixture_make_folder(state);
    assert_int_equal(sqlite3_open(fixture_path, &db), SQLITE_OK);
    run_sql(db, "study_v1.sql");
    run_sql(db, "study_v1_rows.sql");
    sqlite3_close(db);
    return 0;
}

static void check_trials(gn_study *study, gn_arena *arena)
{
    gn_trial *t = NULL;
    gn_attempt *attempt = NULL;
    size_t n = 0;
    assert_int_equal(gn_study_trials(study, arena, &t, &n, NULL), GN_OK);
    assert_int_equal(n, 2);
    assert_int_equal(t[0].state, GN_TRIAL_DONE);
    assert_int_equal(t[0].measurement_id, 3);
    assert_int_equal(t[0].bracket, 0);
    assert_int_equal(t[0].attempts, 0);
    assert_string_equal(t[0].origin, "grid");
    assert_string_equal(t[0].worker, "");
    assert_true(t[0].seconds == 12.5);
    assert_string_equal(t[1].reason, "NaN");
    assert_int_equal(gn_study_attempts(study, 0, arena, &attempt, &n, NULL), GN_OK);
    assert_int_equal(n, 0);
}

/* Everything of study_v1_rows.sql is there, and what version 2 adds has its default. */
static void check_all(gn_study *study)
{
    gn_arena *arena = gn_arena_create(0);
    gn_measurement *m = NULL;
    gn_epoch *e = NULL;
    gn_result *r = NULL;
    gn_picture *p = NULL;
    const char *value = NULL;
    size_t n = 0;
    check_trials(study, arena);
    assert_int_equal(gn_study_fact_of(study, "objective", arena, &value, NULL), GN_OK);
    assert_string_equal(value, "mean_iou");
    assert_int_equal(gn_study_measurements(study, arena, &m, &n, NULL), GN_OK);
    assert_int_equal(n, 1);
    assert_true(m[0].id == 3 && m[0].total_p90_ms == 8.25 && m[0].params == 11178564 && m[0].macs == -1);
    assert_true(isnan(m[0].energy_mj) && isnan(m[0].clock_mhz) && isnan(m[0].temperature_c));
    assert_string_equal(m[0].variant, "");
    assert_int_equal(gn_study_epochs(study, arena, &e, &n, NULL), GN_OK);
    assert_int_equal(n, 2);
    assert_int_equal(gn_study_results(study, arena, &r, &n, NULL), GN_OK);
    assert_true(n == 1 && r[0].n_metrics == 1 && r[0].metrics[0].low == 0.25);
    assert_int_equal(gn_study_pictures(study, arena, &p, &n, NULL), GN_OK);
    assert_true(n == 1 && p[0].bytes == 4);
    gn_arena_destroy(&arena);
}

static void test_reader_leaves_an_old_file_as_it_is(void **state)
{
    (void)state;
    char *before = NULL, *after = NULL;
    size_t bytes_before = 0, bytes_after = 0;
    assert_int_equal(gn_file_read(fixture_path, 1 << 24, &before, &bytes_before, NULL), GN_OK);
    gn_study *study = fixture_open(fixture_path, GN_STUDY_READ);
    check_all(study);
    gn_study_close(&study);
    assert_int_equal(gn_file_read(fixture_path, 1 << 24, &after, &bytes_after, NULL), GN_OK);
    assert_int_equal(bytes_before, bytes_after);
    assert_memory_equal(before, after, bytes_after);
    gn_free(before);
    gn_free(after);
}

/* The columns and keys of all tables, as text. */
static void describe_schema(const char *path, char *dst, size_t dst_bytes)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    size_t at = 0;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT m.name || ' ' || c.name || ' ' || c.type || ' ' || c.pk || ' ' || "
                                        "c.\"notnull\" || ' ' || coalesce(c.dflt_value, '') FROM sqlite_master m,"
                                        " pragma_table_xinfo(m.name) c WHERE m.type = 'table'"
                                        " UNION ALL SELECT m.name || ' unique ' || group_concat(c.name) FROM"
                                        " sqlite_master m, pragma_index_list(m.name) i, pragma_index_info(i.name) c"
                                        " WHERE m.type = 'table' GROUP BY m.name, i.name ORDER BY 1",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        at += (size_t)snprintf(dst + at, dst_bytes - at, "%s\n", (const char *)sqlite3_column_text(stmt, 0));
        assert_true(at < dst_bytes);
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

static void test_writer_brings_it_up_to_date(void **state)
{
    (void)state;
    static char upgraded[16384], made_new[16384];
    char other[320];
    gn_study *study = fixture_open(fixture_path, GN_STUDY_WRITE);
    check_all(study);
    gn_error err = {0};
    assert_int_equal(gn_study_put_epoch(study, &(gn_epoch){.trial = 99, .epoch = 1}, &err), GN_EINVAL);
    gn_study_close(&study);
    study = fixture_open(fixture_path, GN_STUDY_READ);
    check_all(study);
    gn_study_close(&study);
    /* The same tables as in a study that was made by this version. */
    snprintf(other, sizeof other, "%s/new.db", fixture_folder);
    study = fixture_open(other, GN_STUDY_WRITE);
    gn_study_close(&study);
    describe_schema(fixture_path, upgraded, sizeof upgraded);
    describe_schema(other, made_new, sizeof made_new);
    assert_string_equal(upgraded, made_new);
    assert_non_null(strstr(made_new, "measurement unique model,head,imgsz,precision,variant,target,threads"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reader_leaves_an_old_file_as_it_is, make_old_study, fixture_remove_folder),
        cmocka_unit_test_setup_teardown(test_writer_brings_it_up_to_date, make_old_study, fixture_remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
