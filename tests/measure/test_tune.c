/* Tuning, its cache, and the times of layers beside the machine's peak.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "../run/layers_model.h"
#include "base/file.h"
#include "base/progress.h"
#include "measure/layer_times.h"
#include "measure/tune.h"

static char folder[256];

static gn_kernel_plan *plan_of(const gn_session *session)
{
    gn_kernel_plan *plan = NULL;
    gn_error err = {0};
    if (gn_kernel_plan_of(session, &plan, &err) != GN_OK)
        fail_msg("%s", err.message);
    return plan;
}

static void expect_same_kernels(const gn_session *a, const gn_session *b)
{
    gn_kernel_plan *one = plan_of(a), *two = plan_of(b);
    assert_int_equal(one->n, two->n);
    for (int i = 0; i < one->n; i++)
        assert_string_equal(one->lines[i].kernel, two->lines[i].kernel);
    gn_kernel_plan_destroy(&one);
    gn_kernel_plan_destroy(&two);
}

static void test_tuning(void **ctx)
{
    (void)ctx;
    gn_error err = {0};
    gn_tuning tuning = {0};
    gn_session *session = layers_open(32, 2);
    if (gn_tune(session, 0.05, &tuning, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_true(tuning.layers == 6 && tuning.distinct == 3);
    assert_true(tuning.kernels > tuning.distinct && tuning.changed <= tuning.distinct);
    assert_true(tuning.model_ms > 0 && tuning.tuned_ms > 0 && tuning.tuned_ms <= tuning.model_ms);
    gn_session_close(&session);
}

static void test_interrupted_tuning_leaves_the_model(void **ctx)
{
    (void)ctx;
    gn_error err = {0};
    gn_tuning tuning;
    gn_session *session = layers_open(32, 1), *fresh = layers_open(32, 1);
    gn_stop_request();
    assert_int_equal(gn_tune(session, 0.05, &tuning, &err), GN_ECANCELED);
    gn_stop_clear();
    expect_same_kernels(session, fresh);
    gn_session_close(&session);
    gn_session_close(&fresh);
}

static void tune_cached(gn_session *session, bool from_cache, const char *word)
{
    gn_error err = {0};
    gn_tuning tuning;
    char note[6000];
    bool is_cached = !from_cache;
    if (gn_tune_cached(session, 0.05, &tuning, &is_cached, note, sizeof note, &err) != GN_OK)
        fail_msg("%s", err.message);
    if (is_cached != from_cache || !strstr(note, word) || (!*word && *note))
        fail_msg("from the cache: %d, note: \"%s\", \"%s\" was expected", is_cached, note, word);
}

static void test_cache(void **ctx)
{
    (void)ctx;
    char path[512];
    gn_error err = {0};
    setenv("XDG_CACHE_HOME", folder, 1);
    gn_session *one = layers_open(32, 1), *two = layers_open(32, 1), *three = layers_open(32, 1),
               *four = layers_open(32, 1);
    tune_cached(one, false, "");
    tune_cached(two, true, "");
    expect_same_kernels(one, two);
    assert_int_equal(gn_kernel_plan_cache_path(one, path, sizeof path), GN_OK);
    assert_true(gn_path_exists(path));
    /* Another machine's plan under this name. */
    gn_kernel_plan *plan = plan_of(one);
    plan->cpu = "Z80";
    assert_int_equal(gn_kernel_plan_write(plan, path, &err), GN_OK);
    tune_cached(three, false, "another machine");
    /* A damaged one, and after it the new one. */
    assert_int_equal(gn_file_write(path, "{\"gannet_plan\": 1", 17, &err), GN_OK);
    tune_cached(four, false, "is ignored");
    tune_cached(two, true, "");
    expect_same_kernels(four, two);
    unlink(path);
    gn_kernel_plan_destroy(&plan);
    gn_session_close(&one);
    gn_session_close(&two);
    gn_session_close(&three);
    gn_session_close(&four);
}

static void test_layer_times(void **ctx)
{
    (void)ctx;
    gn_error err = {0};
    gn_layer_times *t = NULL;
    gn_session *session = layers_open(32, 1);
    if (gn_measure_layers(session, &t, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_true(t->n >= 7 && t->runs >= 20);
    assert_true(t->peak.flop_per_s > 2e8 && t->peak.flop_per_s < 2e12);
    for (int i = 0; i < GN_PEAK_SIZES; i++) {
        assert_true(t->peak.memory[i].read_per_s > 1e8 && t->peak.memory[i].copy_per_s > 1e8);
        assert_true(i == 0 || t->peak.memory[i].bytes > t->peak.memory[i - 1].bytes);
    }
    double ms = 0, bound = 0;
    int layers = 0, pointwise = 0;
    for (int i = 0; i < t->n; i++) {
        const gn_layer_time *l = &t->layers[i];
        assert_true(l->ms > 0 && gn_layer_bound_ms(l) > 0);
        ms += l->ms;
        pointwise += l->info.kind == GN_STEP_POINTWISE;
    }
    for (int i = 0; i < GN_STEP_KINDS; i++) {
        layers += t->kinds[i].layers;
        bound += t->kinds[i].bound_ms;
    }
    assert_int_equal(layers, t->n);
    assert_int_equal(t->kinds[GN_STEP_POINTWISE].layers, pointwise);
    assert_int_equal(t->kinds[GN_STEP_FIRST].layers, 1);
    assert_int_equal(t->kinds[GN_STEP_DENSE_3X3].layers, 2);
    assert_true(fabs(ms - t->ms) < 1e-9 && bound > 0);
    gn_layer_times_destroy(&t);
    gn_session_close(&session);
}

static void test_rates_between_sizes(void **ctx)
{
    (void)ctx;
    gn_device_peak peak = {.flop_per_s = 1};
    for (int i = 0; i < GN_PEAK_SIZES; i++)
        peak.memory[i] = (struct gn_memory_peak){1000.0 * pow(4, i), 60.0 - 10 * i, 6.0 - i};
    assert_true(gn_peak_read_rate(&peak, 1) == 60 && gn_peak_copy_rate(&peak, 1) == 6);
    assert_true(gn_peak_read_rate(&peak, 1e12) == 10 && gn_peak_copy_rate(&peak, 1e12) == 1);
    assert_true(fabs(gn_peak_read_rate(&peak, 2000) - 55) < 1e-9);
    assert_true(fabs(gn_peak_copy_rate(&peak, 4000) - 5) < 1e-9);
}

static int setup(void **ctx)
{
    (void)ctx;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gannet-tune-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **ctx)
{
    (void)ctx;
    char path[512];
    snprintf(path, sizeof path, "%s/gannet", folder);
    rmdir(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tuning),
        cmocka_unit_test(test_interrupted_tuning_leaves_the_model),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_layer_times),
        cmocka_unit_test(test_rates_between_sizes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
