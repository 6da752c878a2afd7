/* The verb study, and a trial trained again alone: a small search on drawn faces, looked at from all sides.
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
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
#include "base/json.h"
#include "base/text.h"
#include "store/study.h"

static char folder[256];
static const char program[] = GN_BINARY_DIR "/gannet";

/* Runs the program in the scratch folder; standard output and error go to out.txt and err.txt there. */
static int gannet(const char *const *args)
{
    const char *argv[40] = {"gannet"};
    int n = 1;
    for (; *args != NULL && n < 39; args++)
        argv[n++] = *args;
    const pid_t pid = fork();
    if (pid == 0) {
        if (chdir(folder) != 0)
            _exit(126);
        dup2(open("out.txt", O_WRONLY | O_CREAT | O_TRUNC, 0644), 1);
        dup2(open("err.txt", O_WRONLY | O_CREAT | O_TRUNC, 0644), 2);
        execv(program, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
#define RUN(...) gannet((const char *const[]){__VA_ARGS__, NULL})

static char *bytes_of(const char *name, size_t *bytes)
{
    char path[400], *data = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (gn_file_read(path, 1u << 28, &data, bytes, NULL) != GN_OK)
        fail_msg("%s is missing", path);
    return data;
}

static void expect_words(const char *file, const char *words)
{
    size_t n = 0;
    char *text = bytes_of(file, &n);
    if (strstr(text, words) == NULL)
        fail_msg("%s does not say \"%s\":\n%s", file, words, text);
    gn_free(text);
}

static void expect_same(const char *a, const char *b)
{
    size_t n_a = 0, n_b = 0;
    char *one = bytes_of(a, &n_a), *other = bytes_of(b, &n_b);
    if (n_a != n_b || memcmp(one, other, n_a) != 0)
        fail_msg("%s and %s differ", a, b);
    gn_free(one);
    gn_free(other);
}

/* What follows the header of a safetensors file: the header has times in it. */
static void expect_same_tensors(const char *a, const char *b)
{
    size_t n[2];
    char *data[2] = {bytes_of(a, &n[0]), bytes_of(b, &n[1])};
    uint64_t header[2];
    for (int i = 0; i < 2; i++) {
        memcpy(&header[i], data[i], 8);
        assert_true(header[i] + 8 < n[i]);
    }
    assert_int_equal(n[0] - header[0], n[1] - header[1]);
    assert_memory_equal(data[0] + 8 + header[0], data[1] + 8 + header[1], n[0] - 8 - header[0]);
    gn_free(data[0]);
    gn_free(data[1]);
}

static int set_up(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gannet-cli-study-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(folder) == NULL || RUN("synth", "faces", "--images", "40", "--imgsz-range", "64,96", "--quiet") != 0)
        return -1;
    return RUN("search", "--data", "faces/data.yaml", "--model", "mobilenet_v2@0.35", "--set", "lr0=1e-3,3e-3", "--set",
               "imgsz=64", "--set", "schedule=cosine", "--stages", "1:1,3", "--seed", "5", "--out", "s");
}

static int tear_down(void **state)
{
    (void)state;
    return gn_remove_tree(folder) ? 0 : 1;
}

/* The trial that went through both stages, in two parts; trained again in one. */
static int64_t winner(void)
{
    gn_arena *arena = gn_arena_create(0);
    const gn_json *root = NULL;
    double trial = 0;
    size_t n = 0;
    assert_int_equal(RUN("study", "s/study.db", "best", "--json"), 0);
    char *text = bytes_of("out.txt", &n);
    assert_int_equal(gn_json_parse(text, n, arena, &root, NULL), GN_OK);
    assert_true(gn_json_number(root, "trial", &trial));
    gn_free(text);
    gn_arena_destroy(&arena);
    return (int64_t)trial;
}

static void test_trained_again(void **state)
{
    (void)state;
    char name[64], path[128];
    const long long id = (long long)winner();
    snprintf(name, sizeof name, "s/study.db:%lld", id);
    assert_int_equal(RUN("train", "--from-trial", name, "--name", "again", "--no-pictures", "--threads", "1"), 0);
    snprintf(path, sizeof path, "s/trials/trial-%04lld/best.onnx", id);
    expect_same("runs/again/best.onnx", path);
    snprintf(path, sizeof path, "s/trials/trial-%04lld/last.safetensors", id);
    expect_same_tensors("runs/again/last.safetensors", path);
    assert_int_equal(
        RUN("train", "--from-trial", name, "--name", "other", "--no-pictures", "--epochs", "1", "--lr0", "0.01"), 0);
    expect_words("err.txt", "not the same run as trial");
    expect_words("err.txt", "--epochs, --lr0");
    assert_int_equal(RUN("train", "--from-trial", "s/study.db:99"), 3);
    assert_int_equal(RUN("train", "--from-trial", "s/study.db"), 2);
    expect_words("err.txt", "F.db:17");
}

static void test_looking(void **state)
{
    (void)state;
    char number[32];
    snprintf(number, sizeof number, "%lld", (long long)winner());
    assert_int_equal(RUN("study", "s/study.db", "list"), 0);
    expect_words("out.txt", "winner");
    expect_words("out.txt", "mean_iou");
    assert_int_equal(RUN("study", "s/study.db", "list", "--state", "failed", "--json"), 0);
    expect_words("out.txt", "\"trials\": []");
    assert_int_equal(RUN("study", "s/study.db", "list", "--limit", "1", "--json"), 0);
    expect_words("out.txt", "\"winner\": true");
    assert_int_equal(RUN("study", "s/study.db", "show", number), 0);
    expect_words("out.txt", "--from-trial s/study.db:");
    expect_words("out.txt", "schedule         cosine");
    assert_int_equal(RUN("study", "s/study.db", "show", number, "--json"), 0);
    expect_words("out.txt", "\"attempts\"");
    assert_int_equal(RUN("study", "s/study.db", "show", "77"), 3);
    assert_int_equal(RUN("study", "s/study.db", "shw", "1"), 2);
    expect_words("err.txt", "did you mean show");
    assert_int_equal(RUN("study", "none.db", "list"), 3);
    assert_int_equal(RUN("study", "s/study.db", "export", number, "-o", "a.onnx"), 0);
    expect_same("a.onnx", "s/best.onnx");
    assert_int_equal(RUN("study", "s/study.db", "export", number, "-o", "a.pt"), 2);
    assert_int_equal(RUN("study", "s/study.db", "export", "--csv", "-o", "a.csv"), 0);
    expect_words("a.csv", "mobilenet_v2@0.35");
}

static void test_removing(void **state)
{
    (void)state;
    char number[32], other[32], path[400], study[400];
    const int64_t best = winner();
    gn_study *writer = NULL;
    snprintf(number, sizeof number, "%lld", (long long)best);
    snprintf(other, sizeof other, "%d", best == 1 ? 2 : 1);
    snprintf(path, sizeof path, "%s/s/trials/trial-000%s", folder, other);
    snprintf(study, sizeof study, "%s/s/study.db", folder);
    assert_int_equal(RUN("study", "s/study.db", "rm", number), 2);
    expect_words("err.txt", "winner");
    assert_int_equal(RUN("study", "s/study.db", "rm", other, number), 2);
    assert_int_equal(RUN("study", "s/study.db", "show", other), 0); /* none goes */
    assert_int_equal(RUN("study", "s/study.db", "rm"), 2);
    assert_int_equal(RUN("study", "none.db", "rm", "1"), 3);
    assert_int_equal(gn_study_open(study, GN_STUDY_WRITE, &writer, NULL), GN_OK);
    assert_int_equal(RUN("study", "s/study.db", "rm", other), 1);
    expect_words("err.txt", "is writing it");
    gn_study_close(&writer);
    assert_true(gn_path_is_dir(path));
    assert_int_equal(RUN("study", "s/study.db", "rm", "--failed"), 0);
    assert_int_equal(RUN("study", "s/study.db", "rm", other, "--files"), 0);
    assert_false(gn_path_exists(path));
    assert_int_equal(RUN("study", "s/study.db", "show", other), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trained_again),
        cmocka_unit_test(test_looking),
        cmocka_unit_test(test_removing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
