/* Weights into graphs: renaming by patterns, what is missing, left over or of another shape, all or nothing, and safetensors behind the
 * same face as checkpoints.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "format_fixture.h"
#include "formats/weights/safetensors.h"
#include "formats/weights/weights.h"
#include "ops/ops.h"

static gn_arena *arena;

/* ---- renaming ---- */

static const char *renamed(const char *rule, const char *name)
{
    gn_weights_rename r;
    gn_error err = {0};
    if (gn_weights_rename_parse(rule, arena, &r, &err) != GN_OK)
        fail_msg("%s: %s", rule, err.message);
    return gn_weights_rename_apply(&r, 1, name, arena);
}

static void test_patterns(void **ctx)
{
    (void)ctx;
    static const char *const cases[][3] = {
        {"a.weight=b.weight", "a.weight", "b.weight"},
        {"a.weight=b.weight", "xa.weight", "xa.weight"},
        {"model.*=*", "model.conv.0.bias", "conv.0.bias"},
        {"model.*=*", "model.", ""},
        {"*=net.*", "w", "net.w"},
        {"*.gamma=*.weight", "bn.gamma.gamma", "bn.gamma.weight"},
        {"body.stage2.*.*=features.{1+6}.{2}", "body.stage2.0.3.weight", "features.6.3.weight"},
        {"body.stage2.*.*=features.{1+6}.{2}", "body.stage2.12.3.weight", "features.18.3.weight"},
        {"body.stage2.*.*=features.{1+6}.{2}", "body.stage2.x.3.weight", "body.stage2.x.3.weight"},
        {"l*.*=l{1-1}.*.{2}", "l3.w", "l2.3.w"},
        {"*.*.*={3}.{1}.{2}", "a.b.c.d", "c.d.a.b"},
        {"a*b*c=[*|*]", "aXbbYbc", "[X|bYb]"},
        {"a*b=*", "ab", ""},
        {"a*b=*", "aba", "aba"},
        {"fc.*=", "fc.weight", ""},
        {"fc.*=", "xfc.weight", "xfc.weight"},
        {"a*a=*", "a", "a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(renamed(cases[i][0], cases[i][1]), cases[i][2]);
    /* The first that matches counts. */
    gn_weights_rename rules[2];
    assert_int_equal(gn_weights_rename_parse("body.*=*", arena, &rules[0], NULL), GN_OK);
    assert_int_equal(gn_weights_rename_parse("*=", arena, &rules[1], NULL), GN_OK);
    assert_string_equal(gn_weights_rename_apply(rules, 2, "body.x", arena), "x");
    assert_string_equal(gn_weights_rename_apply(rules, 2, "head.x", arena), "");
    assert_string_equal(gn_weights_rename_apply(NULL, 0, "head.x", arena), "head.x");
    static const char *const bad[] = {
        "a", "=b", "a=*", "*=*.*", "*={2}", "*={0}", "*={1", "*={1+}", "*={1*2}", "*={x}", "*.*.*.*.*.*.*.*.*.*=a"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gn_error err = {0};
        gn_weights_rename r;
        if (gn_weights_rename_parse(bad[i], arena, &r, &err) != GN_EUSAGE || !strstr(err.message, bad[i]))
            fail_msg("%s: %s", bad[i], err.message);
    }
}

/* ---- loading ---- */

typedef struct named {
    const char *name;
    int rank, dim[4];
} named;

/* A graph of states without nodes, all zero. */
static gn_graph *graph_of(const named *states, int n)
{
    gn_graph *g = NULL;
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
    for (int i = 0; i < n; i++) {
        const named *s = &states[i];
        const gn_shape shape = {.rank = s->rank, .dim = {s->dim[0], s->dim[1], s->dim[2], s->dim[3]}};
        assert_true(gn_graph_add_state(g, s->name, GN_DTYPE_F32, &shape, true) >= 0);
    }
    return g;
}

/* A safetensors file of tensors whose numbers are 1, 2, 3, ... through all of them. */
static gn_weights *weights_of(const named *tensors, int n)
{
    gn_safetensors_entry entries[16];
    gn_tensor *made[16];
    gn_weights *w = NULL;
    gn_error err = {0};
    double x = 0;
    for (int i = 0; i < n; i++) {
        const named *s = &tensors[i];
        const gn_shape shape = {.rank = s->rank, .dim = {s->dim[0], s->dim[1], s->dim[2], s->dim[3]}};
        assert_int_equal(gn_tensor_create(GN_DTYPE_F32, &shape, &made[i]), GN_OK);
        for (int64_t k = 0; k < gn_tensor_count(made[i]); k++)
            gn_tensor_set(made[i], k, x += 1);
        entries[i] = (gn_safetensors_entry){s->name, made[i]};
    }
    const char *path = fixture_path("w.safetensors");
    assert_int_equal(gn_safetensors_write(path, entries, (size_t)n, NULL, 0, &err), GN_OK);
    for (int i = 0; i < n; i++)
        gn_tensor_destroy(&made[i]);
    if (gn_weights_open(path, NULL, &w, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_string_equal(gn_weights_form(w), "safetensors");
    return w;
}

static double first_number(const gn_graph *g, const char *name)
{
    const int id = gn_graph_find_value(g, name);
    assert_true(id >= 0);
    return gn_tensor_get(gn_graph_value(g, id)->data, 0);
}

static const named network[] = {{"conv.weight", 4, {2, 3, 1, 1}}, {"bn.weight", 1, {2}}, {"fc.weight", 2, {5, 2}}};

static void test_fits(void **ctx)
{
    (void)ctx;
    static const named file[] = {{"bn.weight", 1, {2}},
                                 {"bn.num_batches_tracked", 0, {0}},
                                 {"fc.weight", 2, {5, 2}},
                                 {"conv.weight", 4, {2, 3, 1, 1}},
                                 {"aux1.fc.bias", 1, {4}},
                                 {"model.22.dfl.conv.weight", 4, {1, 16, 1, 1}},
                                 {"model.24.anchors", 3, {3, 3, 2}}};
    gn_graph *g = graph_of(network, 3);
    gn_weights *w = weights_of(file, 7);
    gn_weights_report r;
    gn_error err = {0};
    if (gn_weights_load_into(g, w, NULL, arena, &r, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_true(r.n_loaded == 3 && r.n_missing == 0 && r.n_left_over == 0 && r.n_misfits == 0);
    assert_true(r.n_counters == 3 && r.n_auxiliary == 1 && r.n_dropped == 0);
    assert_true(first_number(g, "bn.weight") == 1 && first_number(g, "fc.weight") == 4);
    assert_true(first_number(g, "conv.weight") == 14);
    gn_weights_close(&w);
    /* A graph is a source like a file. */
    gn_graph *other = graph_of(network, 3);
    assert_int_equal(gn_weights_open_graph(g, "g", &w, &err), GN_OK);
    assert_int_equal(gn_weights_load_into(other, w, NULL, arena, &r, &err), GN_OK);
    assert_true(first_number(other, "conv.weight") == 14);
    gn_weights_close(&w);
    gn_graph_destroy(&g);
    gn_graph_destroy(&other);
}

static const char *lines_of(const gn_weights_report *r, int max_lines)
{
    gn_text t;
    gn_text_init(&t);
    gn_weights_report_text(r, max_lines, &t);
    const char *lines = gn_arena_strdup(arena, t.data ? t.data : "");
    gn_text_deinit(&t);
    return lines;
}

static void test_does_not_fit(void **ctx)
{
    (void)ctx;
    static const named file[] = {
        {"conv.weight", 4, {2, 3, 1, 1}}, {"fc.weight", 2, {7, 2}}, {"x.1", 1, {1}}, {"x.2", 1, {1}}};
    gn_graph *g = graph_of(network, 3);
    gn_weights *w = weights_of(file, 4);
    gn_weights_report r = {0};
    gn_error err = {0};
    assert_int_equal(gn_weights_load_into(g, w, NULL, arena, &r, &err), GN_ESHAPE);
    assert_non_null(strstr(err.message,
                           "1 missing (first 'bn.weight'), 2 left over (first 'x.1'), 1 of another shape (first "
                           "'fc.weight': [7,2], the network has [5,2])"));
    assert_true(first_number(g, "conv.weight") == 0); /* nothing was taken */
    assert_true(r.n_loaded == 1 && r.n_missing == 1 && r.n_left_over == 2 && r.n_misfits == 1);
    assert_string_equal(lines_of(&r, 1),
                        "missing: bn.weight [2]\nleft over: x.1 [1]\nleft over: and 1 more\nanother shape: "
                        "fc.weight [7,2], the network has [5,2]\n");
    const gn_weights_load_options partial = {.is_partial = true};
    assert_int_equal(gn_weights_load_into(g, w, &partial, arena, &r, &err), GN_OK);
    assert_true(r.n_loaded == 1 && first_number(g, "conv.weight") == 1 && first_number(g, "fc.weight") == 0);
    /* Renaming mends some of it, and drops the rest. */
    gn_weights_rename rules[2];
    assert_int_equal(gn_weights_rename_parse("conv.weight=no", arena, &rules[0], NULL), GN_OK);
    assert_int_equal(gn_weights_rename_parse("x.*=", arena, &rules[1], NULL), GN_OK);
    const gn_weights_load_options options = {.renames = rules, .n_renames = 2, .is_partial = true};
    assert_int_equal(gn_weights_load_into(g, w, &options, arena, &r, &err), GN_ESHAPE);
    assert_non_null(strstr(err.message, "none of its 4 tensors"));
    assert_int_equal(r.n_dropped, 2);
    /* Two tensors for one place. */
    assert_int_equal(gn_weights_rename_parse("x.*=bn.weight", arena, &rules[0], NULL), GN_OK);
    assert_int_equal(gn_weights_load_into(g, w, &options, arena, &r, &err), GN_EDATA);
    assert_non_null(strstr(err.message, "'x.1' and 'x.2'"));
    gn_weights_close(&w);
    gn_graph_destroy(&g);
}

/* torchvision's densenets of before 2018. */
static void test_old_densenet(void **ctx)
{
    (void)ctx;
    static const named mine[] = {{"features.denseblock1.denselayer1.norm1.weight", 1, {2}},
                                 {"features.denseblock1.denselayer1.conv2.weight", 1, {3}}};
    static const named theirs[] = {{"features.denseblock1.denselayer1.norm.1.weight", 1, {2}},
                                   {"features.denseblock1.denselayer1.conv.2.weight", 1, {3}}};
    gn_graph *g = graph_of(mine, 2);
    gn_weights *w = weights_of(theirs, 2);
    gn_weights_report r;
    gn_error err = {0};
    if (gn_weights_load_into(g, w, NULL, arena, &r, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_true(first_number(g, mine[0].name) == 1 && first_number(g, mine[1].name) == 3);
    gn_weights_close(&w);
    gn_graph_destroy(&g);
}

/* bfloat16 of a safetensors file: 1.5 and -2. */
static void test_bfloat16(void **ctx)
{
    (void)ctx;
    static const char header[] = "{\"w\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]}}";
    static const uint8_t data[4] = {0xc0, 0x3f, 0x00, 0xc0};
    const uint64_t length = sizeof header - 1;
    gn_text t;
    gn_weights *w = NULL;
    gn_error err = {0};
    float got[2];
    gn_text_init(&t);
    gn_text_add_bytes(&t, &length, 8);
    gn_text_add(&t, header);
    gn_text_add_bytes(&t, data, 4);
    if (gn_weights_open_bytes(t.data, t.len, "b", NULL, &w, &err) != GN_OK)
        fail_msg("%s", err.message);
    gn_tensor dst = gn_tensor_view(GN_DTYPE_F32, &gn_weights_at(w, 0)->shape, got);
    assert_int_equal(gn_weights_read(w, 0, &dst, &err), GN_OK);
    assert_true(got[0] == 1.5f && got[1] == -2.0f);
    gn_weights_close(&w);
    gn_text_deinit(&t);
}

static int setup(void **ctx)
{
    (void)ctx;
    arena = gn_arena_create(0);
    return arena ? 0 : -1;
}

static int teardown(void **ctx)
{
    (void)ctx;
    gn_arena_destroy(&arena);
    fixture_remove_folder();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),     cmocka_unit_test(test_fits),     cmocka_unit_test(test_does_not_fit),
        cmocka_unit_test(test_old_densenet), cmocka_unit_test(test_bfloat16),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
