/* gannet zoo and gannet info --table seeds, from outside.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/json.h"

#define PROGRAM GN_BINARY_DIR "/gannet"

static char output[200000]; /* of the last call */
static gn_arena *arena;

static int call(const char *line)
{
    char command[1024];
    snprintf(command, sizeof command, PROGRAM " %s", line);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    const size_t n = fread(output, 1, sizeof output - 1, pipe);
    output[n] = '\0';
    const int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static const gn_json *call_json(const char *line)
{
    const gn_json *root = NULL;
    gn_error err = {0};
    if (call(line) != 0)
        fail_msg("gannet %s: %s", line, output);
    if (gn_json_parse(output, strlen(output), arena, &root, &err) != GN_OK)
        fail_msg("%s: %s", err.message, output);
    return root;
}

/* Item i of the array under a path. */
static const gn_json *item(const gn_json *root, const char *path, int i)
{
    const gn_json *array = gn_json_at(root, path);
    assert_non_null(array);
    const gn_json *at = array->first;
    for (; at && i > 0; i--)
        at = at->next;
    assert_non_null(at);
    return at;
}

static void expect_number(const gn_json *root, const char *path, double expected)
{
    double x = 0;
    if (!gn_json_number(root, path, &x))
        fail_msg("no number %s in %s", path, output);
    if (x != expected)
        fail_msg("%s is %.17g, expected %.17g", path, x, expected);
}

static void expect(const char *line, int code, const char *word)
{
    const int got = call(line);
    if (got != code || !strstr(output, word))
        fail_msg("gannet %s: exit code %d, expected %d and \"%s\": %s", line, got, code, word, output);
}

static void named_networks_are_counted(void **state)
{
    (void)state;
    const gn_json *root = call_json("zoo mobilenet_v1@0.25 resnet18+silu alexnet --head classify --imgsz 48 --json");
    expect_number(item(root, "models", 0), "params", 470072);
    expect_number(item(root, "models", 0), "feature_width", 256);
    expect_number(item(root, "models", 1), "params", 11689512);
    expect_number(item(root, "models", 2), "smallest_px", 63); /* too small for this one: told, and no failure */
    double x;
    assert_false(gn_json_number(item(root, "models", 2), "params", &x));
}

static void all_are_listed_in_order(void **state)
{
    (void)state;
    expect("zoo --imgsz 64 --head features --sort params", 0, "convnext_small");
    const char *small = strstr(output, "mobilenet_v3_small"), *large = strstr(output, "convnext_small");
    assert_true(small && large && small < large);
    assert_non_null(strstr(output, "resnet20_cifar"));
}

static void wishes_that_cannot_be_met_are_explained(void **state)
{
    (void)state;
    expect("zoo mobilnet_v2 2>&1", 2, "did you mean mobilenet_v2?");
    expect("zoo resnet18@0.5 2>&1", 2, "one width only");
    expect("zoo resnet18 --activation swish 2>&1", 2, "no activation is named \"swish\"");
    expect("info alexnet --imgsz 32 2>&1", 2, "the smallest that works is 63 x 63 px");
    expect("info 2>&1", 2, "one MODEL or --table");
    expect("info resnet18 --table seeds 2>&1", 2, "one MODEL or --table");
}

static void activation_of_a_model_is_exchanged(void **state)
{
    (void)state;
    expect("info squeezenet1_1 --imgsz 32 --activation leaky_relu:0.1 --layers", 0, "LeakyRelu");
    assert_null(strstr(output, "features.1                         Relu"));
    expect("info squeezenet1_1+hard_swish --imgsz 32 --layers", 0, "HardSwish");
}

static void tables_hold_the_published_figures(void **state)
{
    (void)state;
    const gn_json *root = call_json("info --table seeds --json");
    expect_number(item(root, "popular", 0), "published.mmacs", 569);
    expect_number(item(root, "popular", 0), "macs", 568740352);
    expect_number(item(root, "popular", 2), "params", 138357544);
    expect_number(item(root, "scaled", 0), "params_with_statistics", 22910480);
    expect_number(item(root, "scaled", 5), "params_without_norm", 6060840);
    expect_number(item(root, "scaled", 7), "imgsz", 96);
    /* the paper's MobileNet with full convolutions has 4866 million */
    double full = 0, formula = 0, graph = 1;
    assert_true(gn_json_number(root, "separable.full_macs", &full) && full > 4860e6 && full < 4870e6);
    assert_true(gn_json_number(item(root, "separable.layers", 0), "formula", &formula));
    assert_true(gn_json_number(item(root, "separable.layers", 0), "graph", &graph));
    assert_true(formula - graph < 1e-9 && graph - formula < 1e-9);
    expect("info --table seeds", 0, "1/N + 1/D^2");
}

static int begin(void **state)
{
    (void)state;
    arena = gn_arena_create(0);
    return arena ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    gn_arena_destroy(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_networks_are_counted),
        cmocka_unit_test(all_are_listed_in_order),
        cmocka_unit_test(wishes_that_cannot_be_met_are_explained),
        cmocka_unit_test(activation_of_a_model_is_exchanged),
        cmocka_unit_test(tables_hold_the_published_figures),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
