/* The study: what is written comes back, a writer that is killed leaves a whole file, and foreign files are refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "store_fixture.h"

/* The study of a test of files. */
static const char *const path = fixture_path;

static gn_study *open_study(gn_study_mode mode)
{
    return fixture_open(fixture_where, mode);
}

static int64_t fill_measurement(gn_study *study, double p90)
{
    gn_measurement m = gn_measurement_default();
    m.model = "resnet18";
    m.head = "box";
    m.precision = "f32";
    m.target = "cpu?threads=1";
    m.device = "a CPU";
    m.imgsz = 128;
    m.threads = 1;
    m.warmup = 3;
    m.runs = 50;
    m.total_p90_ms = p90;
    m.params = 11178564;
    m.is_valid = true;
    m.measured_at = 1700000000;
    int64_t id = 0;
    assert_int_equal(gn_study_put_measurement(study, &m, &id, NULL), GN_OK);
    return id;
}

static void test_round_trip(void **state)
{
    (void)state;
    fixture_skip_without_study();
    gn_study *study = open_study(GN_STUDY_WRITE);
    assert_int_equal(gn_study_set_fact(study, "stages", "1:2", NULL), GN_OK);
    assert_int_equal(gn_study_set_fact(study, "stages", "10:8,30:2,60", NULL), GN_OK);
    assert_int_equal(gn_study_set_fact(study, "data", "it's \"quoted\" \xC3\xBC", NULL), GN_OK);
    assert_int_equal(gn_study_add_command(study, "gannet search a", 11, NULL), GN_OK);
    assert_int_equal(gn_study_add_command(study, "gannet search --study postgres://a:pw@h/d", 22, NULL), GN_OK);
    const int64_t measurement = fill_measurement(study, 7.5);
    assert_int_equal(fill_measurement(study, 8.25), measurement);
    int64_t trial = 0, again = 0;
    assert_int_equal(gn_study_add_trial(study, &(gn_trial){.config = "{\"lr0\":\"0.001\"}", .seed = 7}, &trial, NULL),
                     GN_OK);
    assert_int_equal(gn_study_add_trial(study, &(gn_trial){.config = "{\"lr0\":\"0.001\"}", .seed = 9}, &again, NULL),
                     GN_OK);
    assert_int_equal(trial, again);
    assert_int_equal(gn_study_set_trial_measurement(study, trial, measurement, NULL), GN_OK);
    assert_int_equal(gn_study_set_trial_state(study, trial, GN_TRIAL_FAILED, "killed", NULL), GN_OK);
    assert_int_equal(gn_study_set_trial_stage(study, trial, 1, NULL), GN_OK);
    assert_int_equal(gn_study_set_trial_folder(study, trial, "/tmp/x", NULL), GN_OK);
    assert_int_equal(gn_study_add_trial_seconds(study, trial, 1.5, NULL), GN_OK);
    assert_int_equal(gn_study_add_trial_seconds(study, trial, 2.25, NULL), GN_OK);
    const gn_epoch epoch = {.trial = trial,
                            .epoch = 1,
                            .seconds = 2,
                            .train_loss = 0.5,
                            .val_loss = NAN,
                            .mean_iou = 0.25,
                            .box_precision50 = 0.125,
                            .map50 = NAN,
                            .map50_95 = INFINITY,
                            .lr = 0.001};
    assert_int_equal(gn_study_put_epoch(study, &epoch, NULL), GN_OK);
    const gn_metric metrics[] = {{"mean_iou", 0.5, 0.4, 0.6}, {"loss", 0.01, NAN, NAN}};
    const gn_result result = {.trial = trial,
                              .stage = 1,
                              .split = "val",
                              .epochs = 10,
                              .best_epoch = 8,
                              .images_per_s = 100,
                              .seconds = NAN,
                              .metrics = metrics,
                              .n_metrics = 2};
    assert_int_equal(gn_study_put_result(study, &result, NULL), GN_OK);
    assert_int_equal(gn_study_put_result(study, &result, NULL), GN_OK);
    static const unsigned char jpeg[] = {0xFF, 0xD8, 0xFF, 0x00, 0x01};
    const gn_picture picture = {
        .trial = trial, .name = "sheet.jpg", .caption = "test", .jpeg = jpeg, .bytes = sizeof jpeg};
    assert_int_equal(gn_study_put_picture(study, &picture, NULL), GN_OK);
    gn_study_close(&study);
    assert_null(study);

    study = open_study(GN_STUDY_READ);
    gn_arena *arena = gn_arena_create(0);
    const char *value = NULL;
    assert_int_equal(gn_study_fact_of(study, "stages", arena, &value, NULL), GN_OK);
    assert_string_equal(value, "10:8,30:2,60");
    assert_int_equal(gn_study_fact_of(study, "nothing", arena, &value, NULL), GN_OK);
    assert_null(value);
    gn_study_fact *fact = NULL;
    gn_study_command *command = NULL;
    size_t n = 0;
    assert_int_equal(gn_study_facts(study, arena, &fact, &n, NULL), GN_OK);
    assert_int_equal(n, 2);
    assert_string_equal(fact[0].value, "it's \"quoted\" \xC3\xBC");
    assert_int_equal(gn_study_commands(study, arena, &command, &n, NULL), GN_OK);
    assert_int_equal(n, 2);
    assert_string_equal(command[1].line, "gannet search --study postgres://a:***@h/d");
    assert_int_equal(command[1].started_at, 22);

    gn_measurement *m = NULL;
    assert_int_equal(gn_study_measurements(study, arena, &m, &n, NULL), GN_OK);
    assert_int_equal(n, 1);
    assert_string_equal(m[0].model, "resnet18");
    assert_true(m[0].total_p90_ms == 8.25 && isnan(m[0].p50_ms) && m[0].is_valid);
    assert_int_equal(m[0].params, 11178564);
    assert_int_equal(m[0].macs, -1);

    gn_trial *t = NULL;
    assert_int_equal(gn_study_trials(study, arena, &t, &n, NULL), GN_OK);
    assert_int_equal(n, 1);
    assert_int_equal(t[0].state, GN_TRIAL_FAILED);
    assert_string_equal(t[0].reason, "killed");
    assert_string_equal(t[0].folder, "/tmp/x");
    assert_int_equal(t[0].seed, 7);
    assert_int_equal(t[0].stage, 1);
    assert_true(t[0].seconds == 3.75);
    assert_int_equal(t[0].measurement_id, m[0].id);

    gn_epoch *e = NULL;
    assert_int_equal(gn_study_epochs(study, arena, &e, &n, NULL), GN_OK);
    assert_int_equal(n, 1);
    assert_true(e[0].train_loss == 0.5 && isnan(e[0].val_loss) && isnan(e[0].map50_95) && e[0].lr == 0.001);

    gn_result *r = NULL;
    assert_int_equal(gn_study_results(study, arena, &r, &n, NULL), GN_OK);
    assert_int_equal(n, 1);
    assert_int_equal(r[0].n_metrics, 2);
    assert_true(gn_result_metric(&r[0], "mean_iou") == 0.5 && isnan(gn_result_metric(&r[0], "map50")));
    assert_true(r[0].metrics[1].low == 0.4 && r[0].metrics[1].high == 0.6);

    gn_picture *p = NULL;
    assert_int_equal(gn_study_pictures(study, arena, &p, &n, NULL), GN_OK);
    assert_int_equal(n, 1);
    assert_int_equal(p[0].bytes, sizeof jpeg);
    assert_memory_equal(p[0].jpeg, jpeg, sizeof jpeg);
    gn_arena_destroy(&arena);
    gn_study_close(&study);
}

static void test_finished_study_is_one_file(void **state)
{
    (void)state;
    gn_study *study = open_study(GN_STUDY_WRITE);
    assert_int_equal(gn_study_set_fact(study, "a", "b", NULL), GN_OK);
    gn_study_close(&study);
    char side[320];
    snprintf(side, sizeof side, "%s-wal", path);
    assert_false(gn_path_exists(side));
    snprintf(side, sizeof side, "%s.lock", path);
    assert_false(gn_path_exists(side));
}

static void test_foreign_keys_and_states_are_enforced(void **state)
{
    (void)state;
    fixture_skip_without_study();
    gn_study *study = open_study(GN_STUDY_WRITE);
    const gn_epoch epoch = {.trial = 99, .epoch = 1};
    gn_error err = {0};
    assert_int_not_equal(gn_study_put_epoch(study, &epoch, &err), GN_OK);
    assert_true(strstr(err.message, "FOREIGN KEY") != NULL || strstr(err.message, "foreign key") != NULL);
    gn_study_close(&study);
}

static void test_second_writer_is_refused(void **state)
{
    (void)state;
    gn_study *study = open_study(GN_STUDY_WRITE), *second = NULL;
    gn_error err = {0};
    assert_int_equal(gn_study_open(path, GN_STUDY_WRITE, &second, &err), GN_EBUSY);
    char pid[32];
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(err.message, pid));
    /* A reader may come in meanwhile and sees what is committed. */
    assert_int_equal(gn_study_set_fact(study, "a", "b", NULL), GN_OK);
    gn_study *reader = open_study(GN_STUDY_READ);
    gn_arena *arena = gn_arena_create(0);
    const char *value = NULL;
    assert_int_equal(gn_study_fact_of(reader, "a", arena, &value, NULL), GN_OK);
    assert_string_equal(value, "b");
    gn_arena_destroy(&arena);
    gn_study_close(&reader);
    gn_study_close(&study);
    study = open_study(GN_STUDY_WRITE);
    gn_study_close(&study);
}

static void test_foreign_files_are_refused(void **state)
{
    (void)state;
    gn_study *study = NULL;
    gn_error err = {0};
    assert_int_equal(gn_study_open(path, GN_STUDY_READ, &study, &err), GN_ENOENT);
    assert_int_equal(gn_file_write(path, "this is a text file and by no means a database", 46, NULL), GN_OK);
    assert_int_equal(gn_study_open(path, GN_STUDY_READ, &study, &err), GN_EFORMAT);
    assert_int_equal(gn_study_open(path, GN_STUDY_WRITE, &study, &err), GN_EFORMAT);
    assert_null(study);
    /* An empty file is no study to read, but a writer may begin one there. */
    assert_int_equal(gn_file_write(path, "", 0, NULL), GN_OK);
    assert_int_equal(gn_study_open(path, GN_STUDY_READ, &study, &err), GN_EFORMAT);
    study = open_study(GN_STUDY_WRITE);
    gn_study_close(&study);
}

/* Byte 60..63 of a SQLite file hold user_version, big-endian; 68..71 application_id. */
static void patch_header(size_t at, unsigned char value)
{
    char *data = NULL;
    size_t bytes = 0;
    assert_int_equal(gn_file_read(path, 1u << 24, &data, &bytes, NULL), GN_OK);
    assert_true(bytes > 100);
    data[at] = (char)value;
    assert_int_equal(gn_file_write(path, data, bytes, NULL), GN_OK);
    gn_free(data);
}

static void test_newer_version_is_named(void **state)
{
    (void)state;
    gn_study *study = open_study(GN_STUDY_WRITE);
    gn_study_close(&study);
    patch_header(63, GN_STUDY_VERSION + 1);
    gn_error err = {0};
    assert_int_equal(gn_study_open(path, GN_STUDY_READ, &study, &err), GN_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "newer Gannet"));
    assert_int_equal(gn_study_open(path, GN_STUDY_WRITE, &study, &err), GN_EUNSUPPORTED);
    patch_header(63, GN_STUDY_VERSION);
    patch_header(71, 0);
    assert_int_equal(gn_study_open(path, GN_STUDY_WRITE, &study, &err), GN_EFORMAT);
    assert_non_null(strstr(err.message, "no study"));
}

static void test_bad_pictures_are_refused(void **state)
{
    (void)state;
    fixture_skip_without_study();
    gn_study *study = open_study(GN_STUDY_WRITE);
    int64_t trial = 0;
    assert_int_equal(gn_study_add_trial(study, &(gn_trial){.config = "{}"}, &trial, NULL), GN_OK);
    gn_picture picture = {
        .trial = trial, .name = "a", .caption = "", .jpeg = (const unsigned char *)"\x89PNG", .bytes = 4};
    assert_int_equal(gn_study_put_picture(study, &picture, NULL), GN_EFORMAT);
    picture.jpeg = (const unsigned char *)"\xFF\xD8\xFF\xD9";
    picture.bytes = GN_STUDY_PICTURE_MAX_BYTES + 1;
    assert_int_equal(gn_study_put_picture(study, &picture, NULL), GN_ELIMIT);
    gn_study_close(&study);
}

/* Writes trials with two epochs each, both in one transaction, and says so through the pipe, until it is killed. */
static void write_until_killed(int fd)
{
    gn_study *study = NULL;
    if (gn_study_open(path, GN_STUDY_WRITE, &study, NULL) != GN_OK)
        _exit(9);
    for (int i = 0;; i++) {
        char config[32];
        int64_t trial = 0;
        snprintf(config, sizeof config, "{\"lr0\":\"%d\"}", i);
        gn_status status = gn_study_begin(study, NULL);
        if (status == GN_OK)
            status = gn_study_add_trial(study, &(gn_trial){.config = config, .seed = i}, &trial, NULL);
        for (int e = 1; e <= 2 && status == GN_OK; e++)
            status = gn_study_put_epoch(study, &(gn_epoch){.trial = trial, .epoch = e}, NULL);
        if (status == GN_OK)
            status = gn_study_commit(study, NULL);
        if (status != GN_OK || write(fd, "x", 1) != 1)
            _exit(8);
    }
}

static void test_kill_leaves_what_was_committed(void **state)
{
    (void)state;
    int64_t told = 0;
    for (int round = 0; round < 5; round++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        const pid_t pid = fork();
        if (pid == 0) {
            close(fds[0]);
            /* Each round begins numbering again, so only the first of a number is a new trial. */
            write_until_killed(fds[1]);
        }
        close(fds[1]);
        char byte;
        int64_t in_round = 0;
        for (; in_round < 20 + 7 * round && read(fds[0], &byte, 1) == 1; in_round++)
            continue;
        kill(pid, SIGKILL);
        while (read(fds[0], &byte, 1) == 1)
            in_round++;
        close(fds[0]);
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        told = in_round > told ? in_round : told;

        gn_study *study = open_study(GN_STUDY_READ);
        gn_arena *arena = gn_arena_create(0);
        gn_trial *trials = NULL;
        gn_epoch *epochs = NULL;
        size_t n_trials = 0, n_epochs = 0;
        assert_int_equal(gn_study_trials(study, arena, &trials, &n_trials, NULL), GN_OK);
        assert_int_equal(gn_study_epochs(study, arena, &epochs, &n_epochs, NULL), GN_OK);
        assert_int_equal(n_epochs, 2 * n_trials);
        /* Everything that was reported is there, and at most the one transaction more that was not reported yet. */
        assert_true((int64_t)n_trials == told || (int64_t)n_trials == told + 1);
        told = (int64_t)n_trials;
        gn_arena_destroy(&arena);
        gn_study_close(&study);
    }
}

/* --- out of memory: the k-th allocation of ours fails -------------------------------------------------------------- */

static int64_t allowed;

static void *count_down(void *ctx, size_t bytes, size_t align)
{
    (void)ctx;
    if (allowed-- <= 0)
        return NULL;
    return aligned_alloc(align, (bytes + align - 1) / align * align);
}

static void free_block(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    fixture_skip_without_study();
    gn_study *study = open_study(GN_STUDY_WRITE);
    assert_int_equal(gn_study_set_fact(study, "a", "b", NULL), GN_OK);
    fill_measurement(study, 3);
    gn_study_close(&study);
    const gn_allocator allocator = {.alloc = count_down, .free = free_block};
    gn_set_allocator(&allocator);
    gn_status status = GN_ENOMEM;
    for (int64_t k = 0; k < 200 && status != GN_OK; k++) {
        allowed = k;
        gn_arena *arena = gn_arena_create(64);
        status = arena != NULL ? gn_study_open(fixture_where, GN_STUDY_WRITE, &study, NULL) : GN_ENOMEM;
        gn_measurement *m = NULL;
        int64_t trial = 0;
        size_t n = 0;
        if (status == GN_OK)
            status = gn_study_measurements(study, arena, &m, &n, NULL);
        if (status == GN_OK)
            status = gn_study_add_trial(study, &(gn_trial){.config = "{}"}, &trial, NULL);
        if (status == GN_OK)
            status = gn_study_put_document(study, trial, "curve", "[1,2]", NULL);
        assert_true(status == GN_OK || status == GN_ENOMEM);
        if (study != NULL)
            gn_study_close(&study);
        gn_arena_destroy(&arena);
    }
    gn_set_allocator(NULL);
    assert_int_equal(status, GN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_BOTH(test_round_trip),
        cmocka_unit_test_setup_teardown(test_finished_study_is_one_file, fixture_set_up_file, fixture_remove_folder),
        FIXTURE_BOTH(test_foreign_keys_and_states_are_enforced),
        cmocka_unit_test_setup_teardown(test_second_writer_is_refused, fixture_set_up_file, fixture_remove_folder),
        cmocka_unit_test_setup_teardown(test_foreign_files_are_refused, fixture_set_up_file, fixture_remove_folder),
        cmocka_unit_test_setup_teardown(test_newer_version_is_named, fixture_set_up_file, fixture_remove_folder),
        FIXTURE_BOTH(test_bad_pictures_are_refused),
        cmocka_unit_test_setup_teardown(test_kill_leaves_what_was_committed, fixture_set_up_file,
                                        fixture_remove_folder),
        FIXTURE_BOTH(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, fixture_server_stop);
}
