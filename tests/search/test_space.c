/* Spaces: grids from YAML and from assignments, and messages that name line and nearest name.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "search/space.h"

static const char *const names[] = {"mobilenet_v2", "resnet18", "squeezenet1_1"};

static bool is_known(const char *name)
{
    for (size_t i = 0; i < 3; i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static const gn_model_names models = {is_known, names, 3};

static gn_status read_text(gn_space *space, const char *text, gn_error *err)
{
    char path[] = "/tmp/gannet-space-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    const gn_status status = gn_space_read(space, path, err);
    unlink(path);
    return status;
}

static void expect_configs(const gn_space *space, const char *const *expected, size_t n_expected)
{
    gn_arena *arena = gn_arena_create(0);
    const char **configs = NULL;
    size_t n = 0;
    assert_int_equal(gn_space_expand(space, arena, &configs, &n, NULL), GN_OK);
    assert_int_equal(n, n_expected);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(configs[i], expected[i]);
    gn_arena_destroy(&arena);
}

static void test_grid(void **state)
{
    (void)state;
    gn_space *space = NULL;
    gn_error err = {0};
    assert_int_equal(gn_space_create(&models, &space), GN_OK);
    const gn_status status = read_text(space,
                                       "stages: 2:1,4\n"
                                       "lr0: [1e-3, 0.01, 0.001]\n"
                                       "model:\n  - mobilenet_v2@0.35\n  - resnet18\n"
                                       "imgsz: 96\n",
                                       &err);
    if (status != GN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(gn_space_set_default(space, "head", "box", &err), GN_OK);
    assert_int_equal(gn_space_set_default(space, "imgsz", "128", &err), GN_OK);
    static const char *const expected[] = {
        "{\"model\":\"mobilenet_v2@0.35\",\"head\":\"box\",\"imgsz\":\"96\",\"lr0\":\"0.001\"}",
        "{\"model\":\"mobilenet_v2@0.35\",\"head\":\"box\",\"imgsz\":\"96\",\"lr0\":\"0.01\"}",
        "{\"model\":\"resnet18\",\"head\":\"box\",\"imgsz\":\"96\",\"lr0\":\"0.001\"}",
        "{\"model\":\"resnet18\",\"head\":\"box\",\"imgsz\":\"96\",\"lr0\":\"0.01\"}",
    };
    expect_configs(space, expected, 4);
    assert_string_equal(gn_space_setting(space, "stages"), "2:1,4");
    assert_null(gn_space_setting(space, "target"));
    gn_text text;
    gn_text_init(&text);
    gn_space_describe(space, &text);
    assert_string_equal(text.data, "model=mobilenet_v2@0.35,resnet18 head=box imgsz=96 lr0=0.001,0.01");
    gn_text_deinit(&text);
    gn_space_destroy(&space);
    assert_null(space);
}

static void test_range_and_assignment(void **state)
{
    (void)state;
    gn_space *space = NULL;
    gn_error err = {0};
    const char *const *values = NULL;
    assert_int_equal(gn_space_create(NULL, &space), GN_OK);
    assert_int_equal(
        read_text(space,
                  "model: x\nlr0: {from: 1e-4, to: 1e-2, count: 3, scale: log}\nbatch: {from: 8, to: 32, count: 4}",
                  &err),
        GN_OK);
    assert_int_equal(gn_space_values(space, "lr0", &values), 3);
    assert_string_equal(values[0], "0.0001");
    assert_string_equal(values[1], "0.001");
    assert_string_equal(values[2], "0.01");
    assert_int_equal(gn_space_values(space, "batch", &values), 4);
    assert_string_equal(values[1], "16");
    assert_int_equal(gn_space_set(space, "lr0=1e-3, 5e-3", &err), GN_OK);
    assert_int_equal(gn_space_values(space, "lr0", &values), 2);
    assert_string_equal(values[1], "0.005");
    assert_int_equal(gn_space_set(space, "weight-decay=0", &err), GN_OK);
    assert_int_equal(gn_space_values(space, "weight_decay", &values), 1);
    assert_int_equal(gn_space_set(space, "stages=3", &err), GN_OK);
    assert_string_equal(gn_space_setting(space, "stages"), "3");
    gn_space_destroy(&space);
}

/* column 0: whichever */
static void expect_refusal_at(const char *text, int64_t line, int64_t column, const char *words)
{
    gn_space *space = NULL;
    gn_error err = {0};
    assert_int_equal(gn_space_create(&models, &space), GN_OK);
    const gn_status status = read_text(space, text, &err);
    if (status != GN_EFORMAT || err.line != line || (column != 0 && err.column != column) ||
        strstr(err.message, words) == NULL)
        fail_msg("%s\ngave %s, line %lld, column %lld: %s", text, gn_status_name(status), (long long)err.line,
                 (long long)err.column, err.message);
    gn_space_destroy(&space);
}

static void expect_refusal(const char *text, gn_status expected, int64_t line, const char *words)
{
    assert_int_equal(expected, GN_EFORMAT);
    expect_refusal_at(text, line, 0, words);
}

static void test_refusals(void **state)
{
    (void)state;
    expect_refusal("model: resnet18\nlr: 0.1\n", GN_EFORMAT, 2, "did you mean \"lr0\"");
    expect_refusal("model: resnet18\nzzzzzzzzzz: 0.1\n", GN_EFORMAT, 2, "unknown key");
    expect_refusal("model:\n- resnet18\n- reznet18\n", GN_EFORMAT, 3, "did you mean \"resnet18\"");
    expect_refusal("lr0: [0.1, fast]\n", GN_EFORMAT, 1, "\"fast\"");
    expect_refusal("\nbatch: 2.5\n", GN_EFORMAT, 2, "whole number");
    expect_refusal("imgsz: 7\n", GN_EFORMAT, 1, "from 8 to 4096");
    expect_refusal("lr0: []\n", GN_EFORMAT, 1, "no value");
    expect_refusal("lr0: [[1]]\n", GN_EFORMAT, 1, "itself a list");
    expect_refusal("lr0: {from: 1}\n", GN_EFORMAT, 1, "range");
    expect_refusal("lr0: {from: 0, to: 1, count: 3, scale: log}\n", GN_EFORMAT, 1, "range");
    expect_refusal("stages: [1, 2]\n", GN_EFORMAT, 1, "one value");
    expect_refusal("- a\n- b\n", GN_EFORMAT, 1, "expected lines");
    expect_refusal("lr0: nan\n", GN_EFORMAT, 1, "\"nan\"");
}

static void test_command_line_refusals(void **state)
{
    (void)state;
    gn_space *space = NULL;
    gn_error err = {0};
    assert_int_equal(gn_space_create(&models, &space), GN_OK);
    assert_int_equal(gn_space_set(space, "lr0", &err), GN_EUSAGE);
    assert_int_equal(gn_space_set(space, "lr0=", &err), GN_EUSAGE);
    assert_int_equal(gn_space_set(space, "lr0=1,,2", &err), GN_EUSAGE);
    assert_int_equal(gn_space_set(space, "optimiser=adam", &err), GN_EUSAGE);
    assert_non_null(strstr(err.message, "\"optimizer\""));
    assert_int_equal(gn_space_set(space, "model=nothing", &err), GN_EUSAGE);
    gn_space_destroy(&space);
}

static void test_limits(void **state)
{
    (void)state;
    gn_space *space = NULL;
    gn_arena *arena = gn_arena_create(0);
    const char **configs = NULL;
    size_t n = 0;
    gn_error err = {0};
    assert_int_equal(gn_space_create(NULL, &space), GN_OK);
    assert_int_equal(gn_space_expand(space, arena, &configs, &n, &err), GN_EINVAL);
    assert_non_null(strstr(err.message, "model"));
    assert_int_equal(gn_space_set(space, "model=a", &err), GN_OK);
    assert_int_equal(read_text(space, "lr0: {from: 0, to: 1, count: 1000}\nlrf: {from: 0, to: 1, count: 1000}\n", &err),
                     GN_OK);
    assert_int_equal(gn_space_expand(space, arena, &configs, &n, &err), GN_ELIMIT);
    gn_space_destroy(&space);
    gn_arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid),     cmocka_unit_test(test_range_and_assignment),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_command_line_refusals),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
