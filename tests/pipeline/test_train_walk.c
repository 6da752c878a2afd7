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

#define PROGRAM  GN_BINARY_DIR "/gannet"
#define MAX_ARGS 64

static char folder[256]; /* of this test program */
static char stderr_text[65536];

/* ---- running the program ---- */

typedef struct launch {
    const char *args[MAX_ARGS];
    int n;
    rlim_t file_limit; /* largest file the child may write; 0: any */
} launch;

static void add(launch *l, const char *const *args)
{
    for (; *args; args++)
        l->args[l->n++] = *args;
}

static pid_t begin(const launch *l)
{
    char log[300];
    snprintf(log, sizeof log, "%s/stderr.txt", folder);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    const int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int null = open("/dev/null", O_WRONLY);
    dup2(fd, 2);
    dup2(null, 1);
    if (l->file_limit) {
        const struct rlimit limit = {l->file_limit, l->file_limit};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    char *argv[MAX_ARGS + 2] = {(char *)(uintptr_t)PROGRAM};
    for (int i = 0; i < l->n; i++)
        argv[i + 1] = (char *)(uintptr_t)l->args[i];
    execv(PROGRAM, argv);
    _exit(127);
}

/* Exit code, or 1000 + signal; fills stderr_text. */
static int end(pid_t pid)
{
    char log[300], *text = NULL;
    size_t n = 0;
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    snprintf(log, sizeof log, "%s/stderr.txt", folder);
    stderr_text[0] = '\0';
    if (gn_file_read(log, sizeof stderr_text - 1, &text, &n, NULL) == GN_OK)
        snprintf(stderr_text, sizeof stderr_text, "%s", text);
    gn_free(text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int call(const char *const *args)
{
    launch l = {.n = 0};
    add(&l, args);
    return end(begin(&l));
}

#define CALL(...) call((const char *const[]){__VA_ARGS__, NULL})

static const char *data_yaml(void)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/faces/data.yaml", folder);
    return path;
}

/* A short run: 6 epochs of 4 steps of a small network. */
static void add_train(launch *l, const char *name, const char *threads)
{
    add(l, (const char *const[]){"train",     "--data",    data_yaml(),     "--model",    "mobilenet_v2@0.35",
                                 "--imgsz",   "64",        "--batch",       "8",          "--epochs",
                                 "6",         "--project", folder,          "--name",     name,
                                 "--threads", threads,     "--no-pictures", "--exist-ok", NULL});
}

static void path_in(const char *name, const char *file, char *dst, size_t bytes)
{
    snprintf(dst, bytes, "%s/%s/%s", folder, name, file);
}

/* Every tensor of both checkpoints has the same bits. */
static void assert_same_weights(const char *a_name, const char *b_name)
{
    char a_path[400], b_path[400];
    gn_safetensors *a = NULL, *b = NULL;
    path_in(a_name, "last.safetensors", a_path, sizeof a_path);
    path_in(b_name, "last.safetensors", b_path, sizeof b_path);
    assert_int_equal(gn_safetensors_open(a_path, &a, NULL), GN_OK);
    assert_int_equal(gn_safetensors_open(b_path, &b, NULL), GN_OK);
    assert_true(gn_safetensors_count(a) > 300); /* weights, statistics, two moments and averages */
    assert_int_equal(gn_safetensors_count(a), gn_safetensors_count(b));
    for (size_t i = 0; i < gn_safetensors_count(a); i++) {
        const char *name;
        const gn_tensor *x = gn_safetensors_at(a, i, &name), *y = gn_safetensors_find(b, name);
        assert_non_null(y);
        assert_int_equal(gn_tensor_bytes(x), gn_tensor_bytes(y));
        if (memcmp(x->data, y->data, gn_tensor_bytes(x)) != 0)
            fail_msg("tensor %s differs between %s and %s", name, a_name, b_name);
    }
    gn_safetensors_close(&a);
    gn_safetensors_close(&b);
}

static void train_whole(const char *name, const char *threads)
{
    launch l = {.n = 0};
    add_train(&l, name, threads);
    const int code = end(begin(&l));
    if (code != 0)
        fail_msg("training ended with %d: %s", code, stderr_text);
}

static int set_up(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gannet-walk-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    char faces[300];
    snprintf(faces, sizeof faces, "%s/faces", folder);
    if (CALL("synth", faces, "--images", "48", "--seed", "7") != 0) {
        fprintf(stderr, "%s\n", stderr_text);
        return -1;
    }
    train_whole("whole", "1");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[400];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* ---- the same bits ---- */

static void threads_do_not_matter(void **state)
{
    (void)state;
    train_whole("two", "2");
    assert_same_weights("whole", "two");
    train_whole("three", "3");
    assert_same_weights("whole", "three");
}

/* Begins a run, sends `signal_number` once the first checkpoint is there, and resumes it until it is done. */
static void interrupt_and_resume(const char *name, int signal_number, int expected_code)
{
    char checkpoint[400];
    path_in(name, "last.safetensors", checkpoint, sizeof checkpoint);
    launch l = {.n = 0};
    add_train(&l, name, "2");
    const pid_t pid = begin(&l);
    for (int i = 0; i < 60000 && !gn_path_exists(checkpoint); i++)
        gn_sleep_ns(1000000);
    assert_true(gn_path_exists(checkpoint));
    gn_sleep_ns(20000000); /* into the next epoch */
    kill(pid, signal_number);
    const int code = end(pid);
    assert_int_equal(code, expected_code); /* 0 would mean that it was done before the signal came */
    add(&l, (const char *const[]){"--resume", NULL});
    const int resumed = end(begin(&l));
    if (resumed != 0)
        fail_msg("resuming ended with %d: %s", resumed, stderr_text);
}

static void killed_run_resumes_to_the_bit(void **state)
{
    (void)state;
    interrupt_and_resume("killed", SIGKILL, 1000 + SIGKILL);
    assert_same_weights("whole", "killed");
}

static void interrupted_run_resumes_to_the_bit(void **state)
{
    (void)state;
    interrupt_and_resume("stopped", SIGINT, 128 + SIGINT);
    assert_same_weights("whole", "stopped");
}

static void resuming_other_settings_is_refused(void **state)
{
    (void)state;
    launch l = {.n = 0};
    add_train(&l, "whole", "1");
    add(&l, (const char *const[]){"--resume", "--seed", "5", NULL});
    assert_int_equal(end(begin(&l)), 3);
    assert_non_null(strstr(stderr_text, "seed: 0"));
    assert_non_null(strstr(stderr_text, "seed: 5"));
}

/* ---- refusals ---- */

static void bad_arguments_exit_with_2(void **state)
{
    (void)state;
    assert_int_equal(CALL("train", "--data", data_yaml(), "--model", "mobilenetv2"), 2);
    assert_non_null(strstr(stderr_text, "mobilenet_v2"));
    assert_int_equal(CALL("train", "--data", data_yaml(), "--model", "resnet18", "--threads", "0"), 2);
    assert_int_equal(CALL("train", "--data", data_yaml(), "--model", "resnet18", "--imgsz", "7"), 2);
    assert_int_equal(CALL("train", "--data", data_yaml(), "--model", "resnet18", "--schedule", "sometimes"), 2);
    assert_int_equal(CALL("train", "--model", "resnet18"), 2);
}

static void missing_data_exits_with_3(void **state)
{
    (void)state;
    assert_int_equal(CALL("train", "--data", "/nonexistent/data.yaml", "--model", "resnet18"), 3);
    assert_non_null(strstr(stderr_text, "/nonexistent/data.yaml"));
}

static void too_much_memory_is_refused_with_the_figure(void **state)
{
    (void)state;
    launch l = {.n = 0};
    add_train(&l, "large", "1");
    add(&l, (const char *const[]){"--batch", "34", "--imgsz", "4096", NULL});
    assert_int_equal(end(begin(&l)), 1);
    assert_non_null(strstr(stderr_text, "GB of memory"));
    assert_non_null(strstr(stderr_text, "--batch"));
}

static void divergence_stops_with_advice_and_keeps_the_checkpoint(void **state)
{
    (void)state;
    launch l = {.n = 0};
    add_train(&l, "diverging", "1");
    add(&l, (const char *const[]){"--schedule", "0:1e-3,1:1e30", "--optimizer", "sgd", "--clip", "0", "--warmup-epochs",
                                  "0", NULL});
    assert_int_equal(end(begin(&l)), 1);
    assert_non_null(strstr(stderr_text, "training diverged at step"));
    assert_non_null(strstr(stderr_text, "1e+30"));
    assert_non_null(strstr(stderr_text, "--lr0"));
    char path[400];
    gn_safetensors *file = NULL;
    path_in("diverging", "last.safetensors", path, sizeof path);
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
    path_in("full", "best.onnx", path, sizeof path);
    assert_int_equal(gn_file_read(path, (size_t)1 << 30, &before, &n_before, NULL), GN_OK);
    launch l = {.n = 0, .file_limit = 100000};
    add_train(&l, "full", "1");
    assert_int_equal(end(begin(&l)), 1);
    assert_non_null(strstr(stderr_text, "best.onnx"));
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
    snprintf(file, sizeof file, "%s/plain_file", folder);
    assert_int_equal(gn_file_write(file, "x", 1, NULL), GN_OK);
    assert_int_equal(
        CALL("train", "--data", data_yaml(), "--model", "mobilenet_v2@0.35", "--imgsz", "64", "--project", file), 1);
    assert_non_null(strstr(stderr_text, "plain_file"));
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
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
