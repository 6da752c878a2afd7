/* ONNX out and in again: round trips, the folded form, operators that ONNX lacks, options.
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
#include "format_fixture.h"
#include "formats/onnx/onnx_format.h"
#include "graph/op.h"
#include "ops/ops.h"

static gn_graph *round_trip(const gn_graph *graph, const gn_onnx_write_options *options)
{
    void *bytes = NULL;
    size_t n = 0;
    gn_error err = {0};
    if (gn_onnx_pack(graph, options, &bytes, &n, &err) != GN_OK)
        fail_msg("pack: %s", err.message);
    gn_graph *back = NULL;
    if (gn_onnx_read_bytes(bytes, n, "packed", gn_ops_registry(), &back, &err) != GN_OK)
        fail_msg("read: %s", err.message);
    gn_free(bytes);
    return back;
}

static int count_op(const gn_graph *g, const char *op)
{
    int n = 0;
    for (int i = 0; i < gn_graph_node_count(g); i++)
        n += strcmp(gn_graph_node(g, i)->op->name, op) == 0;
    return n;
}

/* Nodes, names, attributes, constants, weights and metadata all come back. */
static void test_round_trip(void **ctx)
{
    (void)ctx;
    gn_graph *model = fixture_model(), *back = round_trip(model, NULL);
    gn_text a, b;
    gn_text_init(&a);
    gn_text_init(&b);
    gn_graph_to_text(model, &a);
    gn_graph_to_text(back, &b);
    /* Both once more through ONNX: what the first trip may have put in order stays. */
    gn_graph *again = round_trip(back, NULL);
    gn_text c;
    gn_text_init(&c);
    gn_graph_to_text(again, &c);
    assert_string_equal(b.data, c.data);
    assert_string_equal(a.data, b.data);
    for (int i = 0; i < gn_graph_value_count(model); i++) {
        const gn_value *v = gn_graph_value(model, i);
        if (!v->data)
            continue;
        int id = gn_graph_find_value(back, v->name);
        assert_true(id >= 0);
        const gn_value *w = gn_graph_value(back, id);
        assert_int_equal(w->kind, v->kind);
        assert_int_equal(w->trainable, v->trainable);
        assert_true(gn_shape_equal(&w->data->shape, &v->data->shape));
        assert_memory_equal(w->data->data, v->data->data, gn_tensor_bytes(v->data));
    }
    assert_int_equal(gn_graph_value(back, gn_graph_input(back, 0))->shape.dim[0], -1);
    assert_string_equal(gn_graph_meta_get(back, "gannet.names"), gn_graph_meta_get(model, "gannet.names"));
    assert_int_equal(gn_graph_meta_count(back), gn_graph_meta_count(model));
    gn_text_deinit(&a);
    gn_text_deinit(&b);
    gn_text_deinit(&c);
    gn_graph_destroy(&model);
    gn_graph_destroy(&back);
    gn_graph_destroy(&again);
}

static void test_folded_form_computes_the_same(void **ctx)
{
    (void)ctx;
    gn_graph *model = fixture_model(), *folded = round_trip(model, &(gn_onnx_write_options){.fold = true});
    assert_int_equal(count_op(folded, "BatchNormalization"), 0);
    assert_int_equal(count_op(folded, "Dropout"), 0);
    assert_int_equal(count_op(folded, "Conv"), 2);
    assert_int_equal(gn_graph_find_value(folded, "boxes"), gn_graph_output(folded, 0));
    assert_int_equal(gn_graph_value(folded, gn_graph_input(folded, 0))->shape.dim[0], -1);
    for (int n = 1; n <= 3; n++)
        assert_true(fixture_difference(model, folded, n) < 1e-5); /* folded weights are rounded to f32 once more */
    gn_graph_destroy(&model);
    gn_graph_destroy(&folded);
}

static void test_size_and_batch_options(void **ctx)
{
    (void)ctx;
    gn_graph *model = fixture_model();
    gn_graph *back = round_trip(model, &(gn_onnx_write_options){.imgsz_w = 24, .imgsz_h = 20, .batch = 1});
    const gn_shape want = gn_shape_make(4, 1, 3, 20, 24), *got = &gn_graph_value(back, gn_graph_input(back, 0))->shape;
    assert_true(gn_shape_equal(got, &want));
    assert_string_equal(gn_graph_meta_get(back, "gannet.imgsz"), "24,20");
    gn_graph_destroy(&back);
    back = round_trip(model, &(gn_onnx_write_options){.batch = 5});
    assert_int_equal(gn_graph_value(back, gn_graph_input(back, 0))->shape.dim[0], 5);
    gn_graph_destroy(&back);
    gn_error err = {0};
    void *bytes = NULL;
    size_t n = 0;
    assert_int_equal(gn_onnx_pack(model, &(gn_onnx_write_options){.opset = 9}, &bytes, &n, &err), GN_EINVAL);
    assert_non_null(strstr(err.message, "11 to 21"));
    assert_int_equal(gn_onnx_pack(model, &(gn_onnx_write_options){.batch = -1}, &bytes, &n, &err), GN_EINVAL);
    assert_null(bytes);
    gn_graph_destroy(&model);
}

/* images [N,2,H,W] -> gannet.AdaptiveAveragePool to P x Q. */
static gn_graph *adaptive_model(int H, int W, int P, int Q)
{
    gn_graph *g = NULL;
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
    gn_shape shape = gn_shape_make(4, -1, 2, H, W);
    int x = gn_graph_add_input(g, "images", GN_DTYPE_F32, &shape);
    int64_t size[2] = {P, Q};
    gn_attr attr = gn_attr_ints("output_size", size, 2);
    x = gn_graph_add_op(g, "AdaptiveAveragePool", "gannet", "avgpool", &x, 1, &attr, 1);
    assert_int_equal(gn_graph_add_output(g, x), GN_OK);
    return g;
}

static void test_adaptive_pooling_is_spelled_in_onnx(void **ctx)
{
    (void)ctx;
    static const struct {
        int H, W, P, Q;
        const char *op;
    } cases[] = {
        {6, 5, 1, 1, "GlobalAveragePool"}, {6, 8, 3, 2, "AveragePool"}, {7, 5, 3, 2, "MatMul"}, {3, 4, 5, 7, "MatMul"},
        {4, 3, 4, 3, "Identity"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gn_graph *model = adaptive_model(cases[i].H, cases[i].W, cases[i].P, cases[i].Q),
                 *back = round_trip(model, NULL);
        assert_int_equal(count_op(back, cases[i].op), strcmp(cases[i].op, "MatMul") == 0 ? 2 : 1);
        assert_true(fixture_difference(model, back, 2) < 1e-6);
        /* Averaging matrices are constants, not weights. */
        for (int v = 0; v < gn_graph_value_count(back); v++)
            assert_int_not_equal(gn_graph_value(back, v)->kind, GN_VALUE_STATE);
        gn_graph_destroy(&model);
        gn_graph_destroy(&back);
    }
}

/* FusedConv with every kind of clamp and activation, with and without a residual and a bias. */
static void test_fused_conv_is_taken_apart(void **ctx)
{
    (void)ctx;
    static const struct {
        bool has_bias, has_residual;
        float lo, hi;
        const char *op, *activation;
    } cases[] = {
        {true, false, -1e30f, 1e30f, "Conv", NULL},
        {false, true, 0, 1e30f, "Relu", NULL},
        {true, true, 0, 6, "Clip", NULL},
        {true, false, -0.5f, 0.25f, "Clip", NULL},
        {true, false, -1e30f, 1e30f, "Sigmoid", "silu"},
        {true, true, -0.5f, 0.25f, "Sigmoid", "silu"},
        {false, true, -1e30f, 1e30f, "HardSwish", "hard_swish"},
        {true, true, -1e30f, 1e30f, "LeakyRelu", "leaky_relu"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gn_graph *g = NULL;
        assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
        gn_shape shape = gn_shape_make(4, -1, 3, 5, 5), w = gn_shape_make(4, 3, 3, 1, 1), b = gn_shape_make(1, 3);
        int x = gn_graph_add_input(g, "images", GN_DTYPE_F32, &shape);
        int in[4] = {x, gn_graph_add_state(g, "weight", GN_DTYPE_F32, &w, true), -1, -1};
        for (int k = 0; k < 9; k++)
            gn_tensor_set(gn_graph_value(g, in[1])->data, k, fixture_number(3, k));
        if (cases[i].has_bias)
            in[2] = gn_graph_add_state(g, "bias", GN_DTYPE_F32, &b, true);
        for (int k = 0; k < 3 && in[2] >= 0; k++)
            gn_tensor_set(gn_graph_value(g, in[2])->data, k, fixture_number(4, k));
        in[3] = cases[i].has_residual ? x : -1;
        gn_attr attrs[4];
        int n_attrs = 0;
        if (cases[i].activation) {
            attrs[n_attrs++] = gn_attr_string("activation", cases[i].activation);
            attrs[n_attrs++] = gn_attr_float("alpha", 0.3f);
        }
        if (cases[i].lo > -1e29f)
            attrs[n_attrs++] = gn_attr_float("lo", cases[i].lo);
        if (cases[i].hi < 1e29f)
            attrs[n_attrs++] = gn_attr_float("hi", cases[i].hi);
        x = gn_graph_add_op(g, "FusedConv", "gannet", "conv", in, 4, attrs, n_attrs);
        assert_int_equal(gn_graph_error(g, NULL), GN_OK);
        gn_graph_add_output(g, x);
        gn_graph *back = round_trip(g, NULL);
        assert_int_equal(count_op(back, "Conv"), 1);
        assert_int_equal(count_op(back, cases[i].op), 1);
        assert_int_equal(count_op(back, "Add"), cases[i].has_residual);
        assert_true(fixture_difference(g, back, 2) < 1e-7);
        gn_graph_destroy(&g);
        gn_graph_destroy(&back);
    }
}

/* From opset 14 on ONNX has HardSwish; before, or when older operators are asked for, it is taken apart. */
static void test_hardswish(void **ctx)
{
    (void)ctx;
    gn_graph *g = NULL;
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
    gn_shape shape = gn_shape_make(4, -1, 2, 3, 3);
    int x = gn_graph_add_input(g, "images", GN_DTYPE_F32, &shape);
    float factor = 5;
    int in[2] = {x, gn_graph_add_const_f32(g, "factor", 0, &factor)};
    x = gn_graph_add_op(g, "Mul", "", "mul", in, 2, NULL, 0);
    x = gn_graph_add_op(g, "HardSwish", "", "swish", &x, 1, NULL, 0);
    assert_int_equal(gn_graph_error(g, NULL), GN_OK);
    gn_graph_add_output(g, x);
    gn_graph *now = round_trip(g, NULL), *old = round_trip(g, &(gn_onnx_write_options){.opset = 13});
    gn_graph *apart = round_trip(g, &(gn_onnx_write_options){.opset = 17, .decompose = true});
    assert_int_equal(count_op(now, "HardSwish"), 1);
    assert_int_equal(count_op(old, "HardSwish") + count_op(apart, "HardSwish"), 0);
    assert_int_equal(count_op(old, "HardSigmoid"), 1);
    assert_true(fixture_difference(g, now, 2) == 0);
    assert_true(fixture_difference(g, old, 2) < 1e-6);
    assert_true(fixture_difference(g, apart, 2) < 1e-6);
    gn_graph_destroy(&g);
    gn_graph_destroy(&now);
    gn_graph_destroy(&old);
    gn_graph_destroy(&apart);
}

static void test_what_onnx_lacks_is_named(void **ctx)
{
    (void)ctx;
    gn_graph *g = NULL;
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
    gn_shape shape = gn_shape_make(2, 2, 3);
    int x = gn_graph_add_input(g, "x", GN_DTYPE_F32, &shape);
    int64_t dims[1] = {3};
    gn_attr attr = gn_attr_ints("shape", dims, 1);
    x = gn_graph_add_op(g, "SumTo", "gannet", "the_sum", &x, 1, &attr, 1);
    assert_int_equal(gn_graph_error(g, NULL), GN_OK);
    gn_graph_add_output(g, x);
    gn_error err = {0};
    void *bytes = NULL;
    size_t n = 0;
    assert_int_equal(gn_onnx_pack(g, NULL, &bytes, &n, &err), GN_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "the_sum"));
    assert_non_null(strstr(err.message, "gannet.SumTo"));
    gn_graph_destroy(&g);
}

static void test_write_is_atomic_and_the_same_as_pack(void **ctx)
{
    (void)ctx;
    gn_graph *model = fixture_model();
    const char *path = fixture_path("model.onnx");
    gn_error err = {0};
    assert_int_equal(gn_onnx_write(model, path, NULL, &err), GN_OK);
    void *bytes = NULL;
    char *file = NULL;
    size_t n = 0, n_file = 0;
    assert_int_equal(gn_onnx_pack(model, NULL, &bytes, &n, &err), GN_OK);
    assert_int_equal(gn_file_read(path, 1 << 24, &file, &n_file, &err), GN_OK);
    assert_int_equal(n, n_file);
    assert_memory_equal(bytes, file, n);
    gn_free(file);
    gn_free(bytes);
    /* A folder that does not exist: nothing is written, and the error names the file. */
    assert_int_not_equal(gn_onnx_write(model, "/nonexistent/model.onnx", NULL, &err), GN_OK);
    assert_non_null(strstr(err.file, "/nonexistent/"));
    gn_graph *back = NULL;
    assert_int_equal(gn_onnx_read(path, gn_ops_registry(), &back, &err), GN_OK);
    assert_true(fixture_difference(model, back, 1) == 0);
    gn_graph_destroy(&back);
    gn_graph_destroy(&model);
}

/* Results that no node computes, and one that is given out twice. */
static void test_direct_outputs(void **ctx)
{
    (void)ctx;
    gn_graph *g = NULL;
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
    gn_shape shape = gn_shape_make(2, 2, 3);
    const float three[3] = {1, 2, 3};
    int x = gn_graph_add_input(g, "x", GN_DTYPE_F32, &shape);
    int c = gn_graph_add_const_f32(g, "c", 3, three);
    int y = gn_graph_add_op(g, "Relu", "", "relu", &x, 1, NULL, 0);
    const int outputs[4] = {y, x, c, y};
    for (int i = 0; i < 4; i++)
        assert_int_equal(gn_graph_add_output(g, outputs[i]), GN_OK);
    gn_graph *back = round_trip(g, NULL);
    assert_int_equal(gn_graph_output_count(back), 4);
    assert_int_equal(count_op(back, "Identity"), 3);
    assert_int_equal(gn_graph_output(back, 0), gn_graph_find_value(back, "relu"));
    assert_int_equal(gn_graph_value(back, gn_graph_output(back, 2))->shape.dim[0], 3);
    gn_graph_destroy(&g);
    gn_graph_destroy(&back);
}

/* A convolution that is folded, clamped and taken apart again, made without help from cmocka's assertions. */
static gn_status build_and_pack(void *ctx)
{
    bool fold = *(const bool *)ctx;
    gn_graph *g = NULL;
    GN_TRY(gn_graph_create(gn_ops_registry(), &g));
    gn_shape shape = gn_shape_make(4, -1, 2, 5, 5), w = gn_shape_make(4, 2, 2, 1, 1), c = gn_shape_make(1, 2);
    int x = gn_graph_add_input(g, "images", GN_DTYPE_F32, &shape);
    int conv[2] = {x, gn_graph_add_state(g, "w", GN_DTYPE_F32, &w, true)};
    int bn[5] = {gn_graph_add_op(g, "Conv", "", "conv", conv, 2, NULL, 0)};
    for (int i = 1; i < 5; i++)
        bn[i] = gn_graph_add_state(g, "p", GN_DTYPE_F32, &c, i < 3);
    x = gn_graph_add_op(g, "BatchNormalization", "", "bn", bn, 5, NULL, 0);
    x = gn_graph_add_op(g, "Relu", "", "relu", &x, 1, NULL, 0);
    int64_t size[2] = {3, 2};
    gn_attr attr = gn_attr_ints("output_size", size, 2);
    x = gn_graph_add_op(g, "AdaptiveAveragePool", "gannet", "pool", &x, 1, &attr, 1);
    gn_status status = gn_graph_error(g, NULL);
    if (status == GN_OK)
        status = gn_graph_add_output(g, x);
    if (status == GN_OK)
        status = gn_graph_meta_set(g, "gannet.imgsz", "5,5");
    void *bytes = NULL;
    size_t n = 0;
    gn_error err = {0};
    if (status == GN_OK)
        status = gn_onnx_pack(g, &(gn_onnx_write_options){.fold = fold}, &bytes, &n, &err);
    gn_free(bytes);
    gn_graph_destroy(&g);
    return status;
}

static void test_memory_runs_out_at_every_allocation(void **ctx)
{
    (void)ctx;
    for (int fold = 0; fold < 2; fold++) {
        bool folds = fold;
        assert_true(fixture_fail_each_allocation(build_and_pack, &folds) > 20);
    }
}

static int teardown(void **ctx)
{
    (void)ctx;
    fixture_remove_folder();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_folded_form_computes_the_same),
        cmocka_unit_test(test_size_and_batch_options),
        cmocka_unit_test(test_adaptive_pooling_is_spelled_in_onnx),
        cmocka_unit_test(test_fused_conv_is_taken_apart),
        cmocka_unit_test(test_hardswish),
        cmocka_unit_test(test_direct_outputs),
        cmocka_unit_test(test_what_onnx_lacks_is_named),
        cmocka_unit_test(test_write_is_atomic_and_the_same_as_pack),
        cmocka_unit_test(test_memory_runs_out_at_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
