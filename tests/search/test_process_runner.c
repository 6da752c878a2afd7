/* Workers as processes: results, failures of every kind, stopping in good order, and never outliving their parent.  The program is a
 * shell script that plays `gannet`.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "search/child.h"
#include "search/process_runner.h"

/* What it does follows from the model's name; it notes its arguments in $folder/args. */
static const char script[] =
    "#!/bin/sh\n"
    "here=${0%/*}\n"
    "echo \"$@\" >> $here/args\n"
    "for a in \"$@\"; do case $a in --model=*) model=${a#*=};; --project=*) p=${a#*=};; --name=*) n=${a#*=};; "
    "--sheet=*) sheet=${a#*=};; --documents=*) docs=${a#*=};; --best-dir=*) best=${a#*=};; esac; done\n"
    "[ \"$1\" = train ] || model=$2\n"
    "case $1-$model in\n"
    "train-good) printf "
    "'epoch,time,train/loss,val/loss,val/mean_iou,extra,lr\\n1,2.5,0.5,nan,0.25,x,0.01\\n2,2.5,0.4,0.3,0.5,y,0.01\\n"
    "3,unfinished' > $p/$n/results.csv\n"
    "  echo noise; echo '{\"best_epoch\": 2, \"images_per_s\": 123.5, \"seconds\": 5, \"mean_iou\": 0.5, \"loss\": "
    "0.3, \"intervals\": "
    "{\"mean_iou\": [0.4, 0.6]}}' ;;\n"
    "train-refused) echo 'gannet: train: first line' >&2; printf 'gannet: train: nan at step 7\\n\\n' >&2; exit 1 ;;\n"
    "train-told) echo '{\"error\": \"batch does not fit\", \"status\": \"ELIMIT\"}'; exit 3 ;;\n"
    "train-killed) kill -9 $$ ;;\n"
    "train-silent) exit 0 ;;\n"
    "train-slow) trap 'echo stopped > $here/stopped; exit 143' TERM; echo $$ > $here/pid; while :; do sleep 0.05; done "
    ";;\n"
    "info-*) echo '{\"params\": 1000, \"macs\": 2000, \"bytes\": 4000}' ;;\n"
    "bench-broken) echo 'gannet: bench: no such target' >&2; exit 2 ;;\n"
    "bench-noisy) echo '{\"threads\": 2, \"valid\": false, \"total_ms\": {\"p90\": 9}}'; exit 5 ;;\n"
    "bench-*) echo '{\"threads\": 2, \"valid\": true, \"latency_ms\": {\"min\": 1, \"p50\": 2, \"p90\": 3, \"p99\": "
    "4}, "
    "\"preprocess_ms\": 0.5, \"total_ms\": {\"p50\": 2.5, \"p90\": 3.5, \"p99\": 5}, \"peak_bytes\": 77}' ;;\n"
    "val-*) mkdir -p $docs; echo '{\"metric\":\"iou\"}' > $docs/pictures.json; [ -z \"$best\" ] || { mkdir -p $best; "
    "printf '\\377\\330\\377\\331' > $best/01_a.jpg; }\n"
    "  echo '{\"images\": 10, \"mean_iou\": 0.45}' ;;\n"
    "predict-*) printf '\\377\\330\\377\\331' > $sheet ;;\n"
    "*) exit 9 ;;\n"
    "esac\n";

static char folder[256], program[300];
static gn_process_runner *runner;
static gn_search_runner table;

static int set_up(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gannet-worker-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(folder));
    snprintf(program, sizeof program, "%s/gannet", folder);
    assert_int_equal(gn_file_write(program, script, sizeof script - 1, NULL), GN_OK);
    assert_int_equal(chmod(program, 0755), 0);
    const gn_process_runner_options options = {program, "faces/data.yaml", "cpu?threads=2", folder};
    assert_int_equal(gn_process_runner_create(&options, &runner, NULL), GN_OK);
    table = gn_process_runner_table(runner);
    gn_stop_clear();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[300];
    gn_process_runner_destroy(&runner);
    snprintf(command, sizeof command, "%s", folder);
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", command, (char *)NULL);
        _exit(1);
    }
    waitpid(pid, NULL, 0);
    return 0;
}

static char *read_text(const char *name)
{
    char path[320], *data = NULL;
    size_t bytes = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return gn_file_read(path, 1 << 20, &data, &bytes, NULL) == GN_OK ? data : NULL;
}

typedef struct seen {
    int n;
    gn_epoch epoch[8];
} seen;

static void on_epoch(void *ctx, const gn_epoch *epoch)
{
    seen *s = ctx;
    s->epoch[s->n++ % 8] = *epoch;
}

static gn_train_outcome train(const char *config, seen *epochs)
{
    char trial[320];
    snprintf(trial, sizeof trial, "%s/trials/trial-0007", folder);
    const gn_train_job job = {.trial = 7,
                              .config = config,
                              .folder = trial,
                              .seed = 5,
                              .epochs = 12,
                              .schedule_epochs = 40,
                              .threads = 2,
                              .best = "iou",
                              .on_epoch = epochs != NULL ? on_epoch : NULL,
                              .epoch_ctx = epochs};
    gn_train_outcome outcome = {0};
    gn_error err = {0};
    void *run = NULL;
    if (table.train(table.ctx, &job, &run, &err) != GN_OK)
        fail_msg("%s", err.message);
    while (!table.poll(table.ctx, run, &outcome))
        gn_sleep_ns(1000000);
    return outcome;
}

static void test_good_worker(void **state)
{
    (void)state;
    seen epochs = {0};
    const gn_train_outcome outcome = train("{\"model\":\"good\",\"lr0\":\"0.01\"}", &epochs);
    assert_int_equal(outcome.status, GN_OK);
    assert_true(gn_metrics_value(&outcome.metrics, "mean_iou") == 0.5 &&
                gn_metrics_value(&outcome.metrics, "loss") == 0.3);
    assert_true(outcome.metrics.images_per_s == 123.5 && outcome.metrics.best_epoch == 2);
    for (int i = 0; i < outcome.metrics.n; i++)
        if (strcmp(outcome.metrics.metric[i].name, "mean_iou") == 0)
            assert_true(outcome.metrics.metric[i].low == 0.4 && outcome.metrics.metric[i].high == 0.6);
    assert_int_equal(epochs.n, 2);
    assert_true(epochs.epoch[0].epoch == 1 && epochs.epoch[0].trial == 7 && isnan(epochs.epoch[0].val_loss));
    assert_true(epochs.epoch[1].mean_iou == 0.5 && epochs.epoch[1].lr == 0.01 && isnan(epochs.epoch[1].map50));
    char *args = read_text("args");
    char expected[700];
    snprintf(
        expected, sizeof expected,
        "train --data=faces/data.yaml --model=good --lr0=0.01 --seed=5 --epochs=12 --schedule-epochs=40 --best=iou "
        "--threads=2 "
        "--project=%s/trials "
        "--name=trial-0007 --exist-ok --json\n",
        folder);
    assert_string_equal(args, expected);
    gn_free(args);
}

static void test_checkpoint_means_resume(void **state)
{
    (void)state;
    char path[320];
    snprintf(path, sizeof path, "%s/trials/trial-0007", folder);
    assert_int_equal(gn_make_dirs(path, NULL), GN_OK);
    snprintf(path, sizeof path, "%s/trials/trial-0007/last.safetensors", folder);
    assert_int_equal(gn_file_write(path, "x", 1, NULL), GN_OK);
    assert_int_equal(train("{\"model\":\"good\",\"seed\":\"9\"}", NULL).status, GN_OK);
    char *args = read_text("args");
    assert_non_null(strstr(args, " --resume "));
    assert_non_null(strstr(args, " --seed=9 "));
    assert_null(strstr(args, " --seed=5 "));
    gn_free(args);
}

static void expect_failure(const char *config, const char *words)
{
    const gn_train_outcome outcome = train(config, NULL);
    assert_int_equal(outcome.status, GN_EWORKER);
    if (strstr(outcome.reason, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", outcome.reason, words);
}

static void test_failures_have_reasons(void **state)
{
    (void)state;
    expect_failure("{\"model\":\"refused\"}", "exit code 1: gannet: train: nan at step 7");
    expect_failure("{\"model\":\"told\"}", "batch does not fit");
    expect_failure("{\"model\":\"killed\"}", "signal 9 (SIGKILL: most often the system ran out of memory");
    expect_failure("{\"model\":\"silent\"}", "without a result");
}

static void test_missing_program(void **state)
{
    (void)state;
    unlink(program);
    expect_failure("{\"model\":\"good\"}", "could not be run");
}

static void test_measurement(void **state)
{
    (void)state;
    const gn_network network = {"{\"model\":\"resnet18\",\"head\":\"box\",\"imgsz\":\"128\",\"activation\":\"silu\"}",
                                "resnet18", "box", "activation=silu", 128};
    gn_measurement m = gn_measurement_default();
    assert_int_equal(table.measure(table.ctx, &network, &m, NULL), GN_OK);
    assert_true(m.total_p90_ms == 3.5 && m.p50_ms == 2 && m.preprocess_ms == 0.5 && m.is_valid &&
                isnan(m.postprocess_ms));
    assert_true(m.params == 1000 && m.macs == 2000 && m.bytes == 4000 && m.peak_bytes == 77 && m.threads == 2);
    char *args = read_text("args");
    assert_string_equal(
        args, "info resnet18 --head=box --imgsz=128 --activation=silu --json\n"
              "bench resnet18 --head=box --imgsz=128 --activation=silu --json --target=cpu?threads=2 --wait=600s\n");
    gn_free(args);
    gn_error err = {0};
    const gn_network broken = {"{}", "broken", "box", "", 128}, noisy = {"{}", "noisy", "box", "", 128};
    m = gn_measurement_default();
    assert_int_equal(table.measure(table.ctx, &broken, &m, &err), GN_EWORKER);
    assert_non_null(strstr(err.message, "no such target"));
    /* A disturbed measurement is repeated, then kept as what it is. */
    m = gn_measurement_default();
    assert_int_equal(table.measure(table.ctx, &noisy, &m, &err), GN_OK);
    assert_false(m.is_valid);
    assert_true(m.total_p90_ms == 9);
    assert_non_null(strstr(m.note, "disturbed"));
}

/* Names of what was handed over, in order. */
static char kept[400];

static void keep_picture(void *ctx, const gn_picture *picture)
{
    (void)ctx;
    assert_int_equal(picture->bytes, 4);
    snprintf(kept + strlen(kept), sizeof kept - strlen(kept), "%s ", picture->name);
}

static void keep_document(void *ctx, int64_t trial, const char *name, const char *json)
{
    (void)ctx;
    assert_int_equal(trial, 7);
    assert_true(json[0] == '{');
    snprintf(kept + strlen(kept), sizeof kept - strlen(kept), "%s ", name);
}

static void test_evaluation(void **state)
{
    (void)state;
    gn_evaluate_job job = {
        .trial = 7, .config = "{}", .folder = folder, .out_folder = folder, .on_document = keep_document};
    gn_metrics metrics;
    kept[0] = '\0';
    assert_int_equal(table.evaluate(table.ctx, &job, &metrics, keep_picture, NULL, NULL), GN_OK);
    assert_true(gn_metrics_value(&metrics, "mean_iou") == 0.45);
    assert_string_equal(kept, "test_pictures device test-sheet.jpg best-01.jpg ");
    char *args = read_text("args");
    assert_non_null(strstr(args, "--split=test --documents="));
    assert_null(strstr(args, "--hide-names"));
    gn_free(args);
    /* Without pictures nothing is drawn, and no name is kept. */
    kept[0] = '\0';
    job.is_without_pictures = true;
    assert_int_equal(table.evaluate(table.ctx, &job, &metrics, keep_picture, NULL, NULL), GN_OK);
    assert_string_equal(kept, "test_pictures device ");
    args = read_text("args");
    assert_non_null(strstr(args, "--hide-names"));
    gn_free(args);
    kept[0] = '\0';
    assert_int_equal(table.score_pictures(table.ctx, &job, NULL), GN_OK);
    assert_string_equal(kept, "val_pictures ");
}

/* Waits until the slow worker has told its number. */
static pid_t slow_pid(void)
{
    for (int i = 0; i < 1000; i++) {
        char *text = read_text("pid");
        const long pid = text != NULL ? strtol(text, NULL, 10) : 0;
        gn_free(text);
        if (pid > 0)
            return (pid_t)pid;
        gn_sleep_ns(10000000);
    }
    fail_msg("the worker did not begin");
    return 0;
}

static void test_stop_in_good_order(void **state)
{
    (void)state;
    char trial[320];
    snprintf(trial, sizeof trial, "%s/trials/trial-0001", folder);
    const gn_train_job job = {
        .trial = 1, .config = "{\"model\":\"slow\"}", .folder = trial, .epochs = 1, .best = "iou"};
    void *run = NULL;
    assert_int_equal(table.train(table.ctx, &job, &run, NULL), GN_OK);
    const pid_t pid = slow_pid();
    table.stop(table.ctx, run);
    char *text = read_text("stopped");
    assert_non_null(text);
    gn_free(text);
    assert_true(kill(pid, 0) != 0 && errno == ESRCH);
}

static bool is_gone(pid_t pid)
{
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return true;
    const bool has_line = fgets(line, sizeof line, f) != NULL;
    fclose(f);
    const char *state = strrchr(line, ')');
    return !has_line || (state != NULL && state[2] == 'Z'); /* a zombie waits for its new parent */
}

static void test_worker_dies_with_its_parent(void **state)
{
    (void)state;
    const pid_t parent = fork();
    if (parent == 0) {
        char trial[320];
        snprintf(trial, sizeof trial, "%s/trials/trial-0001", folder);
        const gn_train_job job = {
            .trial = 1, .config = "{\"model\":\"slow\"}", .folder = trial, .epochs = 1, .best = "iou"};
        void *run = NULL;
        if (table.train(table.ctx, &job, &run, NULL) != GN_OK)
            _exit(1);
        for (;;)
            pause();
    }
    const pid_t worker = slow_pid();
    assert_false(is_gone(worker));
    assert_int_equal(kill(parent, SIGKILL), 0);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    for (int i = 0; i < 500 && !is_gone(worker); i++)
        gn_sleep_ns(10000000);
    assert_true(is_gone(worker));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_good_worker),           CASE(test_checkpoint_means_resume),
        CASE(test_failures_have_reasons), CASE(test_missing_program),
        CASE(test_measurement),           CASE(test_evaluation),
        CASE(test_stop_in_good_order),    CASE(test_worker_dies_with_its_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
