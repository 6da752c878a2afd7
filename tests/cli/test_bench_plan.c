/* gannet bench with --layers, --tune, --plan and --plan-out, and predict with them, from outside.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "program_fixture.h"

#define QUICK "--seconds 10ms --warmup 1ms --runs 3 --threads 1"

static double number(const gn_json *root, const char *path)
{
    double x = -1;
    if (!gn_json_number(root, path, &x))
        fail_msg("no number %s", path);
    return x;
}

static const char *string(const gn_json *root, const char *path)
{
    const char *text = "";
    if (!gn_json_string(root, path, &text))
        fail_msg("no string %s", path);
    return text;
}

static void test_layers(void **ctx)
{
    (void)ctx;
    const gn_json *root = program_json("bench squeezenet1_1 --imgsz 64 " QUICK " --layers --json");
    assert_true(number(root, "peak.gflops") > 0);
    int n = 0;
    for (const gn_json *l = gn_json_member(root, "layers")->first; l; l = l->next, n++) {
        assert_true(number(l, "ms") > 0 && number(l, "bound_ms") > 0);
        assert_true(*string(l, "name") && *string(l, "kind") && *string(l, "shape"));
    }
    assert_true(n > 25);
    assert_true(number(root, "kinds.3x3.layers") == 8 && number(root, "kinds.first.layers") == 1);
    assert_string_equal(string(root, "kernels"), "model");
    program_expect("bench squeezenet1_1 --imgsz 64 " QUICK " --layers", 0, "GFLOP/s");
}

static void test_plan_file(void **ctx)
{
    (void)ctx;
    program_expect("bench squeezenet1_1 --imgsz 64 " QUICK " --plan-out plan.json", 0, "pictures/s");
    program_expect("bench squeezenet1_1 --imgsz 64 " QUICK " --plan plan.json", 0, "kernels of the given plan");
    const gn_json *root = program_json("bench squeezenet1_1 --imgsz 64 " QUICK " --plan plan.json --print-plan");
    assert_true(number(root, "gannet_plan") == 1);
    assert_true(gn_json_member(root, "layers")->first != NULL);
    program_expect("bench squeezenet1_1 --imgsz 96 " QUICK " --plan plan.json 2>&1", 2, "not for this model");
    program_expect("bench mobilenet_v2 --imgsz 64 " QUICK " --plan plan.json 2>&1", 2, "not for this model");
    program_expect("bench squeezenet1_1 --imgsz 64 --batch 2 " QUICK " --plan plan.json 2>&1", 2, "batch of 1");
    program_expect("bench squeezenet1_1 --imgsz 64 " QUICK " --plan absent.json 2>&1", 3, "absent.json");
    program_expect("bench squeezenet1_1 mobilenet_v2 " QUICK " --plan plan.json 2>&1", 2, "2 models");
    program_expect("bench squeezenet1_1 --plan plan.json --tune 2>&1", 2, "--tune");
}

static void test_tune(void **ctx)
{
    (void)ctx;
    setenv("XDG_CACHE_HOME", "cache", 1);
    const gn_json *root = program_json("bench squeezenet1_1 --imgsz 32 " QUICK " --tune --json 2>/dev/null");
    assert_string_equal(string(root, "kernels"), "tuned");
    assert_true(number(root, "tuning.kernels") > number(root, "tuning.distinct"));
    root = program_json("bench squeezenet1_1 --imgsz 32 " QUICK " --tune --json 2>/dev/null");
    assert_string_equal(string(root, "kernels"), "cache");
}

static int setup(void **ctx)
{
    (void)ctx;
    return program_begin("bench-plan") && setenv("GANNET_LOCK", "bench.lock", 1) == 0 ? 0 : -1;
}

static int teardown(void **ctx)
{
    (void)ctx;
    return program_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_plan_file),
        cmocka_unit_test(test_tune),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
