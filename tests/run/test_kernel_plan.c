/* Plans of kernels: from a session to a file and back, damaged and foreign ones, and what they fix.
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

#include "base/file.h"
#include "layers_model.h"
#include "run/kernel_plan.h"

static char folder[256];

static gn_kernel_plan *plan_of(const gn_session *session)
{
    gn_kernel_plan *plan = NULL;
    gn_error err = {0};
    if (gn_kernel_plan_of(session, &plan, &err) != GN_OK)
        fail_msg("%s", err.message);
    return plan;
}

static void run(gn_session *session, float *dst)
{
    static float image[3 * LAYERS_SIZE * LAYERS_SIZE];
    gn_error err = {0};
    for (int i = 0; i < 3 * LAYERS_SIZE * LAYERS_SIZE; i++)
        image[i] = (float)(i * 37 % 101) / 50.0f - 1.0f;
    if (gn_session_run(session, image, 1, &err) != GN_OK)
        fail_msg("%s", err.message);
    memcpy(dst, gn_session_output(session, 0, NULL), 10 * sizeof *dst);
}

static int steps_of(const gn_session *session)
{
    return gn_session_plan(session, NULL)->n_steps;
}

/* Every layer that can takes its last choice. */
static int choose_last(gn_session *session)
{
    int changed = 0;
    gn_error err = {0};
    for (int i = 0; i < steps_of(session); i++) {
        gn_step_kernel list[40];
        const int n = gn_session_step_choices(session, i, list, 40);
        if (n > 1 && gn_session_choose(session, i, list[n - 1].name, &err) != GN_OK)
            fail_msg("%s", err.message);
        changed += n > 1;
    }
    return changed;
}

static void path_in_folder(const char *name, char path[512])
{
    snprintf(path, 512, "%s/%s", folder, name);
}

static void test_round_trip(void **ctx)
{
    (void)ctx;
    char path[512];
    float by_model[10], chosen[10], again[10];
    gn_error err = {0};
    gn_session *one = layers_open(64, 1), *two = layers_open(64, 3);
    run(one, by_model);
    assert_true(choose_last(one) == 4);
    run(one, chosen);
    for (int i = 0; i < 10; i++)
        assert_true(fabsf(chosen[i] - by_model[i]) <= 1e-4f * (1 + fabsf(by_model[i])));
    gn_kernel_plan *plan = plan_of(one), *read = NULL;
    path_in_folder("plan.json", path);
    assert_int_equal(gn_kernel_plan_write(plan, path, &err), GN_OK);
    if (gn_kernel_plan_read(path, &read, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(read->n, plan->n);
    for (int i = 0; i < plan->n; i++) {
        assert_string_equal(read->lines[i].name, plan->lines[i].name);
        assert_string_equal(read->lines[i].shape, plan->lines[i].shape);
        assert_string_equal(read->lines[i].kernel, plan->lines[i].kernel);
    }
    assert_true(read->graph == plan->graph && read->threads == 1 && read->batch == 1);
    assert_true(gn_kernel_plan_is_for(read, one) && !gn_kernel_plan_is_for(read, two));
    /* The same plan gives the same bits with three threads. */
    if (gn_kernel_plan_apply(read, two, &err) != GN_OK)
        fail_msg("%s", err.message);
    run(two, again);
    assert_memory_equal(again, chosen, sizeof chosen);
    gn_kernel_plan *in_force = plan_of(two);
    for (int i = 0; i < plan->n; i++)
        assert_string_equal(in_force->lines[i].kernel, plan->lines[i].kernel);
    gn_kernel_plan_destroy(&in_force);
    gn_kernel_plan_destroy(&plan);
    gn_kernel_plan_destroy(&read);
    gn_session_close(&one);
    gn_session_close(&two);
}

static void expect_refused(const gn_kernel_plan *plan, gn_session *session, const char *word)
{
    gn_error err = {0};
    assert_int_equal(gn_kernel_plan_apply(plan, session, &err), GN_EINVAL);
    if (!strstr(err.message, word))
        fail_msg("%s: \"%s\" was expected", err.message, word);
}

static void test_foreign_plans_are_refused(void **ctx)
{
    (void)ctx;
    gn_session *session = layers_open(64, 1), *other = layers_open(48, 1);
    gn_kernel_plan *plan = plan_of(session), *foreign = plan_of(other);
    expect_refused(foreign, session, "there");
    const gn_kernel_line saved = plan->lines[2];
    plan->lines[2].shape = "1x2x3";
    expect_refused(plan, session, "1x2x3 there");
    plan->lines[2] = saved;
    plan->lines[2].kernel = "winograd9";
    expect_refused(plan, session, "winograd9");
    plan->lines[2].kernel = "direct p9999 t1";
    expect_refused(plan, session, "direct p9999 t1");
    plan->lines[2] = saved;
    plan->batch = 7;
    expect_refused(plan, session, "batch of 7");
    plan->batch = 1;
    plan->n--;
    expect_refused(plan, session, "lacks layer");
    plan->n++;
    gn_error err = {0};
    assert_int_equal(gn_kernel_plan_apply(plan, session, &err), GN_OK);
    gn_session_release_weights(session);
    expect_refused(plan, session, "freed");
    gn_kernel_plan_destroy(&plan);
    gn_kernel_plan_destroy(&foreign);
    gn_session_close(&session);
    gn_session_close(&other);
}

#define HEAD                                                                                                           \
    "{\"gannet_plan\": 1, \"cpu\": \"c\", \"level\": \"ref\", \"threads\": 1, \"batch\": 1, \"graph\": "               \
    "\"0123456789abcdef\", "

static void test_damaged_plans(void **ctx)
{
    (void)ctx;
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"", ""},
        {"[]", "gannet_plan"},
        {"{\"layers\": []}", "gannet_plan"},
        {"{\"gannet_plan\": 2, \"layers\": []}", "format 2"},
        {"{\"gannet_plan\": 1, \"layers\": []}", "cpu"},
        {HEAD "\"layers\": {}}", "layers"},
        {HEAD "\"layers\": [3]}", "layer 1"},
        {HEAD "\"layers\": [{\"name\": \"a\", \"shape\": \"s\"}]}", "kernel"},
        {HEAD "\"layers\": [{\"name\": \"a\", \"shape\": \"s\", \"kernel\": 4}]}", "kernel"},
        {HEAD "\"layers\": [{\"name\": \"a\", \"shape\": \"s\", \"kernel\": \"k\"}, "
              "{\"name\": \"a\", \"shape\": \"s\", \"kernel\": \"k\"}]}",
         "twice"},
        {HEAD "\"layers\": [", ""},
        {"{\"gannet_plan\": 1, \"cpu\": \"c\", \"level\": \"ref\", \"threads\": 0, \"batch\": 1, \"graph\": "
         "\"0123456789abcdef\", \"layers\": []}",
         "threads"},
        {"{\"gannet_plan\": 1, \"cpu\": \"c\", \"level\": \"ref\", \"threads\": 1, \"batch\": 1, \"graph\": \"xyz\", "
         "\"layers\": []}",
         "graph"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gn_kernel_plan *plan = NULL;
        gn_error err = {0};
        if (gn_kernel_plan_parse(cases[i].text, strlen(cases[i].text), &plan, &err) != GN_EFORMAT ||
            !strstr(err.message, cases[i].word))
            fail_msg("%s: %s", cases[i].text, err.message);
        assert_null(plan);
    }
}

/* Every beginning of a plan that is cut off is refused. */
static void test_cut_plans(void **ctx)
{
    (void)ctx;
    gn_session *session = layers_open(64, 1);
    gn_kernel_plan *plan = plan_of(session), *read = NULL;
    gn_text text;
    gn_text_init(&text);
    assert_int_equal(gn_kernel_plan_text(plan, &text), GN_OK);
    for (size_t n = 0; n + 2 < text.len; n += 7) {
        gn_error err = {0};
        assert_int_equal(gn_kernel_plan_parse(text.data, n, &read, &err), GN_EFORMAT);
        assert_null(read);
    }
    gn_error err = {0};
    assert_int_equal(gn_kernel_plan_parse(text.data, text.len, &read, &err), GN_OK);
    assert_int_equal(read->n, plan->n);
    gn_kernel_plan_destroy(&read);
    gn_text_deinit(&text);
    gn_kernel_plan_destroy(&plan);
    gn_session_close(&session);
}

static void test_large_files_are_not_read(void **ctx)
{
    (void)ctx;
    char path[512];
    gn_error err = {0};
    gn_kernel_plan *plan = NULL;
    const size_t bytes = GN_KERNEL_PLAN_MAX_BYTES + 1;
    char *text = gn_alloc(bytes);
    memset(text, ' ', bytes);
    path_in_folder("large.json", path);
    assert_int_equal(gn_file_write(path, text, bytes, &err), GN_OK);
    assert_int_equal(gn_kernel_plan_read(path, &plan, &err), GN_ELIMIT);
    path_in_folder("absent.json", path);
    assert_int_equal(gn_kernel_plan_read(path, &plan, &err), GN_ENOENT);
    assert_null(plan);
    gn_free(text);
}

static void test_cache_path(void **ctx)
{
    (void)ctx;
    char one[512], two[512], path[512];
    gn_session *session = layers_open(64, 1), *other = layers_open(64, 2);
    setenv("XDG_CACHE_HOME", "/tmp/some cache", 1);
    assert_int_equal(gn_kernel_plan_cache_path(session, one, sizeof one), GN_OK);
    assert_int_equal(gn_kernel_plan_cache_path(other, two, sizeof two), GN_OK);
    assert_string_not_equal(one, two);
    assert_memory_equal(one, "/tmp/some cache/gannet/", strlen("/tmp/some cache/gannet/"));
    assert_int_equal(gn_kernel_plan_cache_path(session, path, 20), GN_ELIMIT);
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", "/home/somebody", 1);
    assert_int_equal(gn_kernel_plan_cache_path(session, path, sizeof path), GN_OK);
    assert_memory_equal(path, "/home/somebody/.cache/gannet/", strlen("/home/somebody/.cache/gannet/"));
    unsetenv("HOME");
    assert_int_equal(gn_kernel_plan_cache_path(session, path, sizeof path), GN_ENOENT);
    gn_session_close(&session);
    gn_session_close(&other);
}

static int setup(void **ctx)
{
    (void)ctx;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gannet-plan-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **ctx)
{
    (void)ctx;
    char path[512];
    path_in_folder("plan.json", path);
    unlink(path);
    path_in_folder("large.json", path);
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_foreign_plans_are_refused),
        cmocka_unit_test(test_damaged_plans),
        cmocka_unit_test(test_cut_plans),
        cmocka_unit_test(test_large_files_are_not_read),
        cmocka_unit_test(test_cache_path),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
