/* The verbs search and report as a person calls them: a small search on drawn faces from end to end, its exit codes, and that every
 * key of a space is an option of `gannet train`.
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
        const int out = open("out.txt", O_WRONLY | O_CREAT | O_TRUNC, 0644);
        const int err = open("err.txt", O_WRONLY | O_CREAT | O_TRUNC, 0644);
        dup2(out, 1);
        dup2(err, 2);
        execv(program, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
#define RUN(...) gannet((const char *const[]){__VA_ARGS__, NULL})

static char *text_of(const char *name)
{
    char path[320], *data = NULL;
    size_t bytes = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (gn_file_read(path, 1u << 26, &data, &bytes, NULL) != GN_OK)
        fail_msg("%s is missing", path);
    return data;
}

static void expect_words(const char *file, const char *words)
{
    char *text = text_of(file);
    if (strstr(text, words) == NULL)
        fail_msg("%s does not say \"%s\":\n%s", file, words, text);
    gn_free(text);
}

static int set_up(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gannet-cli-search-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(folder) == NULL)
        return -1;
    return RUN("synth", "faces", "--images", "40", "--imgsz-range", "64,96", "--quiet");
}

static int tear_down(void **state)
{
    (void)state;
    const pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", folder, (char *)NULL);
        _exit(1);
    }
    return waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

#define SEARCH                                                                                                         \
    "search", "--data", "faces/data.yaml", "--model", "mobilenet_v2@0.35,squeezenet1_1", "--set", "imgsz=48", "--set", \
        "lr0=1e-3,3e-3", "--set", "batch=8", "--stages", "1:1,2", "--out", "run"

static void test_search_and_report(void **state)
{
    (void)state;
    gn_arena *arena = gn_arena_create(0);
    const gn_json *root = NULL;
    double x = 0;
    const char *best = NULL;
    if (RUN(SEARCH, "--json") != 0)
        fail_msg("%s", text_of("err.txt"));
    char *out = text_of("out.txt");
    assert_int_equal(gn_json_parse(out, strlen(out), arena, &root, NULL), GN_OK);
    assert_true(gn_json_number(root, "trials", &x) && x == 4);
    assert_true(gn_json_number(root, "done", &x) && x == 4);
    assert_true(gn_json_number(root, "val.mean_iou", &x) && x >= 0);
    assert_true(gn_json_number(root, "latency_p90_ms", &x) && x > 0);
    assert_true(gn_json_string(root, "best", &best));
    assert_string_equal(best, "run/best.onnx");
    gn_free(out);
    expect_words("err.txt", "winner");
    expect_words("run/report.html", "mobilenet_v2@0.35");
    /* Again: nothing is left to do, and nothing changes. */
    assert_int_equal(RUN(SEARCH, "--json"), 0);
    char *err = text_of("err.txt");
    assert_null(strstr(err, "stage 1  trial"));
    gn_free(err);
    assert_int_equal(RUN("report", "run/study.db", "-o", "again.html", "--json"), 0);
    expect_words("out.txt", "again.html");
    assert_int_equal(RUN("report", "run/study.db", "--table"), 0);
    expect_words("out.txt", "* ");
    /* Other settings do not go into the same study. */
    assert_int_equal(RUN(SEARCH, "--latency", "1s"), 2);
    expect_words("err.txt", "budget_ms");
    gn_arena_destroy(&arena);
}

static void test_budget_that_nothing_keeps(void **state)
{
    (void)state;
    assert_int_equal(RUN("search", "--data", "faces/data.yaml", "--model", "squeezenet1_1", "--set", "imgsz=48",
                         "--stages", "1", "--latency", "1us", "--out", "tight"),
                     4);
    expect_words("err.txt", "no network keeps");
    expect_words("err.txt", "squeezenet1_1 at 48 px");
}

static void test_bad_requests(void **state)
{
    (void)state;
    assert_int_equal(RUN("search", "--model", "resnet18"), 2);
    expect_words("err.txt", "--data");
    assert_int_equal(RUN("search", "--data", "faces/data.yaml", "--model", "reznet18", "--out", "x"), 2);
    expect_words("err.txt", "did you mean \"resnet18\"");
    assert_int_equal(RUN("search", "--data", "faces/data.yaml", "--model", "resnet18", "--stages", "9:1", "--out", "x"),
                     2);
    expect_words("err.txt", "10:8,30:2,60");
    assert_int_equal(RUN("search", "--data", "nowhere.yaml", "--model", "resnet18", "--out", "x"), 3);
    expect_words("err.txt", "nowhere.yaml");
    assert_int_equal(RUN("search", "--data", "faces/data.yaml", "--space", "none.yaml", "--out", "x"), 3);
    expect_words("err.txt", "none.yaml");
    assert_int_equal(RUN("report", "none.db"), 3);
    expect_words("err.txt", "none.db");
    assert_int_equal(RUN("report", "faces/data.yaml"), 3);
    expect_words("err.txt", "no study");
}

static void test_keys_of_a_space_are_options_of_training(void **state)
{
    (void)state;
    static const char *const keys[] = {
#define SPACE_KEY(name, kind, min, max, choices, shapes) #name,
#include "search/space_keys.def"
#undef SPACE_KEY
    };
    assert_int_equal(RUN("train", "--help"), 0);
    char *help = text_of("out.txt");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char option[64];
        snprintf(option, sizeof option, "--%s ", keys[i]);
        for (char *p = option; *p != '\0'; p++)
            if (*p == '_')
                *p = '-';
        char flag[80];
        snprintf(flag, sizeof flag, "--[no-]%s", option + 2);
        if (strstr(help, option) == NULL && strstr(help, flag) == NULL)
            fail_msg("gannet train has no option %s", option);
    }
    gn_free(help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_search_and_report),
        cmocka_unit_test(test_budget_that_nothing_keeps),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_keys_of_a_space_are_options_of_training),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
