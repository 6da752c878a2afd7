/* A detector through the program: it trains to the same bits for any number of threads and across an interruption, and its file alone
 * gives the accuracy that training told.
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

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "walk_fixture.h"

/* 3 epochs of 4 steps, with every augmentation that mixes pictures, and batches of three sizes. */
static void add_train(walk_launch *l, const char *name, const char *threads)
{
    walk_add(l, (const char *const[]){"train",
                                      "--data",
                                      walk_data(),
                                      "--model",
                                      "yolov8n@0.25",
                                      "--imgsz",
                                      "96",
                                      "--batch",
                                      "8",
                                      "--epochs",
                                      "3",
                                      "--project",
                                      walk_folder,
                                      "--name",
                                      name,
                                      "--threads",
                                      threads,
                                      "--no-pictures",
                                      "--exist-ok",
                                      "--mixup",
                                      "0.3",
                                      "--degrees",
                                      "5",
                                      "--multi-scale",
                                      "0.4",
                                      "--close-mosaic",
                                      "1",
                                      "--warmup-bias-lr",
                                      "0.01",
                                      "--json",
                                      NULL});
}

static void train_whole(const char *name, const char *threads)
{
    walk_launch l = {.n = 0};
    add_train(&l, name, threads);
    const int code = walk_end(walk_begin(&l));
    if (code != 0)
        fail_msg("training ended with %d: %s", code, walk_stderr);
}

/* The number behind "key": in the last program's JSON. */
static double json_number(const char *key)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(walk_stdout, quoted);
    if (!at)
        fail_msg("%s is not in %s", quoted, walk_stdout);
    return strtod(at + strlen(quoted), NULL);
}

static int set_up(void **state)
{
    if (walk_set_up(state) != 0)
        return -1;
    train_whole("whole", "1");
    return 0;
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    train_whole("two", "2");
    walk_assert_same_weights("whole", "two");
}

static void interrupted_run_resumes_to_the_bit(void **state)
{
    (void)state;
    char checkpoint[400];
    walk_path("stopped", "last.safetensors", checkpoint, sizeof checkpoint);
    walk_launch l = {.n = 0};
    add_train(&l, "stopped", "2");
    const pid_t pid = walk_begin(&l);
    for (int i = 0; i < 60000 && !gn_path_exists(checkpoint); i++)
        gn_sleep_ns(1000000);
    assert_true(gn_path_exists(checkpoint));
    kill(pid, SIGINT);
    assert_int_equal(walk_end(pid), 128 + SIGINT);
    walk_add(&l, (const char *const[]){"--resume", NULL});
    const int resumed = walk_end(walk_begin(&l));
    if (resumed != 0)
        fail_msg("resuming ended with %d: %s", resumed, walk_stderr);
    walk_assert_same_weights("whole", "stopped");
}

static void the_file_alone_gives_the_accuracy_that_training_told(void **state)
{
    (void)state;
    char best[400], csv[400], *text = NULL;
    size_t n = 0;
    train_whole("told", "2");
    const double map50 = json_number("map50"), map = json_number("map50_95");
    walk_path("told", "best.onnx", best, sizeof best);
    assert_int_equal(WALK_CALL("val", best, "--data", walk_data(), "--json"), 0);
    assert_true(map >= 0 && map <= 1);
    assert_float_equal(json_number("map50"), map50, 1e-9);
    assert_float_equal(json_number("map50_95"), map, 1e-9);
    walk_path("told", "results.csv", csv, sizeof csv);
    assert_int_equal(gn_file_read(csv, 100000, &text, &n, NULL), GN_OK);
    assert_non_null(strstr(text, "epoch,time,train/loss,train/box_loss,train/obj_loss,train/cls_loss,train/dfl_loss,"
                                 "val/precision,val/recall,val/map50,val/map50_95,lr\n"));
    gn_free(text);
}

static void goes_on_at_another_size(void **state)
{
    (void)state;
    char best[400];
    walk_path("whole", "best.onnx", best, sizeof best);
    const int code =
        WALK_CALL("train", "--data", walk_data(), "--model", best, "--imgsz", "128,64", "--batch", "8", "--epochs", "1",
                  "--project", walk_folder, "--name", "further", "--no-pictures", "--json");
    if (code != 0)
        fail_msg("training further ended with %d: %s", code, walk_stderr);
    walk_path("further", "best.onnx", best, sizeof best);
    assert_int_equal(WALK_CALL("info", best, "--json"), 0);
    assert_non_null(strstr(walk_stdout, "128"));
}

static void what_does_not_go_together_is_named(void **state)
{
    (void)state;
    char best[400];
    walk_path("whole", "best.onnx", best, sizeof best);
    assert_int_equal(WALK_CALL("train", "--data", walk_data(), "--model", "yolov8n", "--imgsz", "100"), 2);
    assert_non_null(strstr(walk_stderr, "96"));
    assert_int_equal(WALK_CALL("train", "--data", walk_data(), "--model", "yolov8n", "--head", "box"), 2);
    assert_non_null(strstr(walk_stderr, "detect"));
    assert_int_equal(
        WALK_CALL("train", "--data", walk_data(), "--model", best, "--best", "iou", "--project", walk_folder), 2);
    assert_non_null(strstr(walk_stderr, "map"));
    assert_int_equal(WALK_CALL("train", "--data", walk_data(), "--model", best, "--class-weights", "1,2"), 2);
    assert_non_null(strstr(walk_stderr, "1 class"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(interrupted_run_resumes_to_the_bit),
        cmocka_unit_test(the_file_alone_gives_the_accuracy_that_training_told),
        cmocka_unit_test(goes_on_at_another_size),
        cmocka_unit_test(what_does_not_go_together_is_named),
    };
    return cmocka_run_group_tests(tests, set_up, walk_tear_down);
}
