/* Training through the program: the same bits for any number of threads and after SIGKILL or Ctrl-C, refusals with a clear line, and
 * files that survive a full disk.
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "formats/weights/safetensors.h"
#include "walk_fixture.h"

/* A short run: 6 epochs of 4 steps of a small network. */
static void add_train(walk_launch *l, const char *name, const char *threads)
{
    walk_add(l, (const char *const[]){"train",     "--data",    walk_data(),     "--model",    "mobilenet_v2@0.35",
                                      "--imgsz",   "64",        "--batch",       "8",          "--epochs",
                                      "6",         "--project", walk_folder,     "--name",     name,
                                      "--threads", threads,     "--no-pictures", "--exist-ok", NULL});
}

static void train_whole(const char *name, const char *threads)
{
    walk_launch l = {.n = 0};
    add_train(&l, name, threads);
    const int code = walk_end(walk_begin(&l));
    if (code != 0)
        fail_msg("training ended with %d: %s", code, walk_stderr);
}

static int set_up(void **state)
{
    if (walk_set_up(state) != 0)
        return -1;
    train_whole("whole", "1");
    return 0;
}

/* ---- the same bits ---- */

static void threads_do_not_matter(void **state)
{
    (void)state;
    train_whole("two", "2");
    walk_assert_same_weights("whole", "two");
    train_whole("three", "3");
    walk_assert_same_weights("whole", "three");
}

/* Begins a run, sends `signal_number` once the first checkpoint is there, and resumes it until it is done. */
static void interrupt_and_resume(const char *name, int signal_number, int expected_code)
{
    char checkpoint[400];
    walk_path(name, "last.safetensors", checkpoint, sizeof checkpoint);
    walk_launch l = {.n = 0};
    add_train(&l, name, "2");
    const pid_t pid = walk_begin(&l);
    for (int i = 0; i < 60000 && !gn_path_exists(checkpoint); i++)
        gn_sleep_ns(1000000);
    assert_true(gn_path_exists(checkpoint));
    gn_sleep_ns(20000000); /* into the next epoch */
    kill(pid, signal_number);
    const int code = walk_end(pid);
    assert_int_equal(code, expected_code); /* 0 would mean that it was done before the signal came */
    walk_add(&l, (const char *const[]){"--resume", NULL});
    const int resumed = walk_end(walk_begin(&l));
    if (resumed != 0)
        fail_msg("resuming ended with %d: %s", resumed, walk_stderr);
}

static void killed_run_resumes_to_the_bit(void **state)
{
    (void)state;
    interrupt_and_resume("killed", SIGKILL, 1000 + SIGKILL);
    walk_assert_same_weights("whole", "killed");
}

static void interrupted_run_resumes_to_the_bit(void **state)
{
    (void)state;
    interrupt_and_resume("stopped", SIGINT, 128 + SIGINT);
    walk_assert_same_weights("whole", "stopped");
}

static void resuming_other_settings_is_refused(void **state)
{
    (void)state;
    walk_launch l = {.n = 0};
    add_train(&l, "whole", "1");
    walk_add(&l, (const char *const[]){"--resume", "--seed", "5", NULL});
    assert_int_equal(walk_end(walk_begin(&l)), 3);
    assert_non_null(strstr(walk_stderr, "seed: 0"));
    assert_non_null(strstr(walk_stderr, "seed: 5"));
}

/* ---- refusals ---- */

static void bad_arguments_exit_with_2(void **state)
{
    (void)state;
    assert_int_equal(WALK_CALL("train", "--data", walk_data(), "--model", "mobilenetv2"), 2);
    assert_non_null(strstr(walk_stderr, "mobilenet_v2"));
    assert_int_equal(WALK_CALL("train", "--data", walk_data(), "--model", "resnet18", "--threads", "0"), 2);
    assert_int_equal(WALK_CALL("train", "--data", walk_data(), "--model", "resnet18", "--imgsz", "7"), 2);
    assert_int_equal(WALK_CALL("train", "--data", walk_data(), "--model", "resnet18", "--schedule", "sometimes"), 2);
    assert_int_equal(WALK_CALL("train", "--model", "resnet18"), 2);
}

static void missing_data_exits_with_3(void **state)
{
    (void)state;
    assert_int_equal(WALK_CALL("train", "--data", "/nonexistent/data.yaml", "--model", "resnet18"), 3);
    assert_non_null(strstr(walk_stderr, "/nonexistent/data.yaml"));
}

static void too_much_memory_is_refused_with_the_figure(void **state)
{
    (void)state;
    walk_launch l = {.n = 0};
    add_train(&l, "large", "1");
    walk_add(&l, (const char *const[]){"--batch", "34", "--imgsz", "4096", NULL});
    assert_int_equal(walk_end(walk_begin(&l)), 1);
    assert_non_null(strstr(walk_stderr, "GB of memory"));
    assert_non_null(strstr(walk_stderr, "--batch"));
}

static void divergence_stops_with_advice_and_keeps_the_checkpoint(void **state)
{
    (void)state;
    walk_launch l = {.n = 0};
    add_train(&l, "diverging", "1");
    walk_add(&l, (const char *const[]){"--schedule", "0:1e-3,1:1e30", "--optimizer", "sgd", "--clip", "0",
                                       "--warmup-epochs", "0", NULL});
    assert_int_equal(walk_end(walk_begin(&l)), 1);
    assert_non_null(strstr(walk_stderr, "training diverged at step"));
    assert_non_null(strstr(walk_stderr, "1e+30"));
    assert_non_null(strstr(walk_stderr, "--lr0"));
    char path[400];
    gn_safetensors *file = NULL;
    walk_path("diverging", "last.safetensors", path, sizeof path);
    assert_int_equal(gn_safetensors_open(path, &file, NULL), GN_OK);
    assert_string_equal(gn_safetensors_meta_get(file, "gannet.epoch"), "1");
    gn_safetensors_close(&file);
}

/* ---- a full disk ---- */

static void full_disk_keeps_the_previous_checkpoint(void **state)
{
    (void)state;
    char path[400], *before = NULL, *after = NULL;
    size_t n_before, n_after;
    train_whole("full", "1");
    walk_path("full", "best.onnx", path, sizeof path);
    assert_int_equal(gn_file_read(path, (size_t)1 << 30, &before, &n_before, NULL), GN_OK);
    walk_launch l = {.n = 0, .file_limit = 100000};
    add_train(&l, "full", "1");
    assert_int_equal(walk_end(walk_begin(&l)), 1);
    assert_non_null(strstr(walk_stderr, "best.onnx"));
    assert_int_equal(gn_file_read(path, (size_t)1 << 30, &after, &n_after, NULL), GN_OK);
    assert_int_equal(n_before, n_after);
    assert_memory_equal(before, after, n_before);
    gn_free(before);
    gn_free(after);
}

static void unwritable_run_folder_is_named(void **state)
{
    (void)state;
    char file[300];
    snprintf(file, sizeof file, "%s/plain_file", walk_folder);
    assert_int_equal(gn_file_write(file, "x", 1, NULL), GN_OK);
    assert_int_equal(
        WALK_CALL("train", "--data", walk_data(), "--model", "mobilenet_v2@0.35", "--imgsz", "64", "--project", file),
        1);
    assert_non_null(strstr(walk_stderr, "plain_file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(killed_run_resumes_to_the_bit),
        cmocka_unit_test(interrupted_run_resumes_to_the_bit),
        cmocka_unit_test(resuming_other_settings_is_refused),
        cmocka_unit_test(bad_arguments_exit_with_2),
        cmocka_unit_test(missing_data_exits_with_3),
        cmocka_unit_test(too_much_memory_is_refused_with_the_figure),
        cmocka_unit_test(divergence_stops_with_advice_and_keeps_the_checkpoint),
        cmocka_unit_test(full_disk_keeps_the_previous_checkpoint),
        cmocka_unit_test(unwritable_run_folder_is_named),
    };
    return cmocka_run_group_tests(tests, set_up, walk_tear_down);
}
