/* The reader on models that compute shapes, bind inputs, or follow old opsets.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/file.h"
#include "format_fixture.h"
#include "formats/onnx/onnx_format.h"
#include "formats/onnx/onnx_reader.h"
#include "graph/op.h"
#include "graph/passes.h"
#include "ops/ops.h"

#define NAMES(...) ((const char *const[]){__VA_ARGS__})
#define INTS(...)  ((const int64_t[]){__VA_ARGS__})

static const int64_t image_dims[4] = {-1, 2, 4, 4};

/* The graph with input x [N,2,4,4] (or of other dimensions) and output y. */
static gn_text begin(const int64_t *dims)
{
    gn_text graph;
    gn_text_init(&graph);
    onnx_value(&graph, ONNX_INPUT, "x", dims, 4);
    onnx_value(&graph, ONNX_OUTPUT, "y", dims, 4);
    return graph;
}

static void constant(gn_text *graph, const char *name, const int64_t *x, int64_t n)
{
    onnx_tensor(graph, ONNX_INITIALIZER, name, ONNX_INT64, &n, 1, x, (size_t)n * sizeof *x);
}

static void node(gn_text *graph, const char *op, const char *const *in, int n_in, const char *out)
{
    onnx_node(graph, op, out, in, n_in, &out, 1, NULL);
}

static gn_status read(gn_text *model, gn_graph **graph_out, gn_error *err)
{
    *graph_out = NULL;
    *err = (gn_error){0};
    gn_status status = gn_onnx_read_bytes(model->data, model->len, "test.onnx", NULL, graph_out, err);
    gn_text_deinit(model);
    return status;
}

static gn_graph *expect_graph(int opset, gn_text *graph)
{
    gn_text model = onnx_model(opset, graph);
    gn_graph *g = NULL;
    gn_error err;
    if (read(&model, &g, &err) != GN_OK)
        fail_msg("%s", err.message);
    return g;
}

static void set_shape(gn_graph *g, gn_shape shape)
{
    gn_error err = {0};
    assert_int_equal(gn_graph_set_input_shape(g, gn_graph_input(g, 0), &shape), GN_OK);
    if (gn_graph_infer(g, &err) != GN_OK)
        fail_msg("%s", err.message);
}

static void expect_shape(const gn_graph *g, gn_shape want)
{
    char a[128], b[128];
    gn_shape_format(&gn_graph_value(g, gn_graph_output(g, 0))->shape, a);
    gn_shape_format(&want, b);
    assert_string_equal(a, b);
}

/* Element i of the input that fixture_run gives. */
static double x_at(int64_t i)
{
    return fixture_number(99, i);
}

static void expect_numbers(const gn_graph *g, int n, double (*want)(int64_t i), int64_t count)
{
    int64_t got = 0;
    double *y = fixture_run(g, n, &got);
    assert_int_equal(got, count);
    for (int64_t i = 0; i < count; i++)
        if (!(fabs(y[i] - want(i)) < 1e-6))
            fail_msg("element %d is %g, expected %g", (int)i, y[i], want(i));
    gn_free(y);
}

/* ---- shapes that the model computes ---- */

/* x -> Reshape(x, Concat(Unsqueeze(Gather(Shape(x), 0)), [-1])), as PyTorch writes x.view(x.size(0), -1). */
static gn_text view_chain(void)
{
    gn_text g = begin(image_dims);
    onnx_tensor(&g, ONNX_INITIALIZER, "zero", ONNX_INT64, NULL, 0, INTS(0), sizeof(int64_t));
    constant(&g, "axes", INTS(0), 1);
    constant(&g, "rest", INTS(-1), 1);
    node(&g, "Shape", NAMES("x"), 1, "shape");
    node(&g, "Gather", NAMES("shape", "zero"), 2, "batch");
    node(&g, "Unsqueeze", NAMES("batch", "axes"), 2, "batches");
    gn_text attrs;
    gn_text_init(&attrs);
    onnx_attr_int(&attrs, "axis", 0);
    onnx_node(&g, "Concat", "size", NAMES("batches", "rest"), 2, NAMES("size"), 1, &attrs);
    node(&g, "Reshape", NAMES("x", "size"), 2, "y");
    return g;
}

static void views_follow_the_batch(void **state)
{
    (void)state;
    gn_text text = view_chain();
    gn_graph *g = expect_graph(13, &text);
    assert_int_equal(gn_graph_value(g, gn_graph_input(g, 0))->shape.dim[0], -1);
    /* what was inferred while reading, at batch 1, is forgotten */
    assert_false(gn_shape_known(&gn_graph_value(g, gn_graph_output(g, 0))->shape));
    assert_null(gn_graph_value(g, gn_graph_find_value(g, "size"))->known);
    for (int n = 1; n <= 3; n++) {
        set_shape(g, gn_shape_make(4, n, 2, 4, 4));
        expect_shape(g, gn_shape_make(2, n, 32));
    }
    expect_numbers(g, 2, x_at, 64);
    gn_error err = {0};
    set_shape(g, gn_shape_make(4, 2, 2, 4, 4));
    assert_int_equal(gn_pass_inference(g, &err), GN_OK);
    assert_int_equal(gn_pass_fold_shapes(g, &err), GN_OK);
    assert_int_equal(gn_graph_node_count(g), 1);
    gn_graph_destroy(&g);
}

static double doubled(int64_t i) /* of [2,8,8], from [2,4,4] */
{
    return x_at(i / 64 * 16 + i % 64 / 8 / 2 * 4 + i % 8 / 2);
}

/* sizes = Concat(Shape(x)[:2], Cast(Floor(Cast(Shape(x)[2:]) * 2))), as exporters write interpolate(scale_factor=2). */
static void sizes_of_resize_are_computed(void **state)
{
    (void)state;
    const int64_t free_dims[4] = {-1, 2, -2, -2};
    const float two = 2;
    gn_text attrs, g = begin(free_dims);
    constant(&g, "from0", INTS(0), 1);
    constant(&g, "from2", INTS(2), 1);
    constant(&g, "to4", INTS(4), 1);
    onnx_tensor(&g, ONNX_INITIALIZER, "two", ONNX_FLOAT, NULL, 0, &two, sizeof two);
    node(&g, "Shape", NAMES("x"), 1, "shape");
    node(&g, "Slice", NAMES("shape", "from0", "from2"), 3, "front");
    node(&g, "Slice", NAMES("shape", "from2", "to4"), 3, "back");
    gn_text_init(&attrs);
    onnx_attr_int(&attrs, "to", 1);
    onnx_node(&g, "Cast", "real", NAMES("back"), 1, NAMES("real"), 1, &attrs);
    node(&g, "Mul", NAMES("real", "two"), 2, "more");
    node(&g, "Floor", NAMES("more"), 1, "floor");
    gn_text_init(&attrs);
    onnx_attr_int(&attrs, "to", 7);
    onnx_node(&g, "Cast", "whole", NAMES("floor"), 1, NAMES("whole"), 1, &attrs);
    gn_text_init(&attrs);
    onnx_attr_int(&attrs, "axis", 0);
    onnx_node(&g, "Concat", "sizes", NAMES("front", "whole"), 2, NAMES("sizes"), 1, &attrs);
    gn_text_init(&attrs);
    onnx_attr_string(&attrs, "mode", "nearest");
    onnx_attr_string(&attrs, "coordinate_transformation_mode", "asymmetric");
    onnx_attr_string(&attrs, "nearest_mode", "floor");
    onnx_node(&g, "Resize", "resize", NAMES("x", "", "", "sizes"), 4, NAMES("y"), 1, &attrs);
    gn_graph *graph = expect_graph(13, &g);
    set_shape(graph, gn_shape_make(4, 3, 2, 5, 7));
    expect_shape(graph, gn_shape_make(4, 3, 2, 10, 14));
    set_shape(graph, gn_shape_make(4, 1, 2, 4, 4));
    expect_shape(graph, gn_shape_make(4, 1, 2, 8, 8));
    expect_numbers(graph, 1, doubled, 128);
    gn_graph_destroy(&graph);
}

/* SAME pads depend on the size, which is free: they are worked out for each. */
static void auto_pad_follows_the_size(void **state)
{
    (void)state;
    const int64_t free_dims[4] = {-1, 2, -2, -2};
    for (int lower = 0; lower < 2; lower++) {
        gn_text attrs, g = begin(free_dims);
        gn_text_init(&attrs);
        onnx_attr_ints(&attrs, "kernel_shape", INTS(3, 3), 2);
        onnx_attr_ints(&attrs, "strides", INTS(2, 2), 2);
        onnx_attr_string(&attrs, "auto_pad", lower ? "SAME_LOWER" : "SAME_UPPER");
        onnx_node(&g, "MaxPool", "pool", NAMES("x"), 1, NAMES("y"), 1, &attrs);
        gn_graph *graph = expect_graph(13, &g);
        int64_t pads[4];
        set_shape(graph, gn_shape_make(4, 1, 2, 7, 8)); /* 7: one pixel on both sides; 8: one on one side */
        expect_shape(graph, gn_shape_make(4, 1, 2, 4, 4));
        assert_int_equal(gn_node_ints(gn_graph_node(graph, 0), "pads", pads, 4, 0), 4);
        assert_true(pads[0] == 1 && pads[2] == 1 && pads[1] == lower && pads[3] == 1 - lower);
        set_shape(graph, gn_shape_make(4, 1, 2, 8, 9));
        expect_shape(graph, gn_shape_make(4, 1, 2, 4, 5));
        gn_node_ints(gn_graph_node(graph, 0), "pads", pads, 4, 0);
        assert_true(pads[0] == lower && pads[2] == 1 - lower && pads[1] == 1 && pads[3] == 1);
        gn_graph_destroy(&graph);
    }
}

/* ---- bound inputs ---- */

static void shapes_that_are_inputs_are_bound(void **state)
{
    (void)state;
    gn_text g = begin(INTS(1, 2, 4, 4));
    const int64_t dims[1] = {2};
    int64_t target[2] = {4, -1};
    float wrong[2] = {4, -1};
    const gn_shape two = gn_shape_make(1, 2);
    onnx_value_of(&g, ONNX_INPUT, "size", ONNX_INT64, dims, 1);
    node(&g, "Reshape", NAMES("x", "size"), 2, "y");
    gn_text model = onnx_model(13, &g);
    const char *path = fixture_path("bound.onnx");
    assert_int_equal(gn_file_write(path, model.data, model.len, NULL), GN_OK);
    gn_text_deinit(&model);
    gn_graph *graph = NULL;
    gn_error err = {0};
    assert_int_equal(gn_onnx_read(path, NULL, &graph, &err), GN_ESHAPE);
    assert_non_null(strstr(err.message, "not constant"));
    gn_tensor contents = gn_tensor_view(GN_DTYPE_S64, &two, target);
    gn_onnx_bound bound = {"size", &contents};
    const gn_onnx_read_options options = {.bound = &bound, .n_bound = 1};
    err = (gn_error){0};
    assert_int_equal(gn_onnx_read_with(path, &options, &graph, &err), GN_OK);
    assert_int_equal(gn_graph_input_count(graph), 1);
    expect_shape(graph, gn_shape_make(2, 4, 8));
    gn_graph_destroy(&graph);
    contents = gn_tensor_view(GN_DTYPE_F32, &two, wrong);
    assert_int_equal(gn_onnx_read_with(path, &options, &graph, &err), GN_ESHAPE);
    assert_non_null(strstr(err.message, "'size'"));
}

/* ---- old opsets ---- */

static double negated_tail(int64_t i) /* of [2,3,4]: rows 1..3 */
{
    return x_at(i / 12 * 16 + 4 + i % 12);
}

static double padded(int64_t i) /* of [2,6,4] */
{
    const int64_t row = i % 24 / 4 - 1;
    return row < 0 || row > 3 ? 0.5 : x_at(i / 24 * 16 + row * 4 + i % 4);
}

static double thrice(int64_t i)
{
    return 3 * x_at(i);
}

static double mish(int64_t i)
{
    return x_at(i) * tanh(log1p(exp(x_at(i))));
}

static double channel_maximum(int64_t i)
{
    double best = -INFINITY;
    for (int64_t k = 0; k < 16; k++)
        best = fmax(best, x_at(i * 16 + k));
    return best;
}

static double log_of_rows(int64_t i) /* LogSoftmax over all 32 */
{
    double sum = 0;
    for (int64_t k = 0; k < 32; k++)
        sum += exp(x_at(k));
    return x_at(i) - log(sum);
}

/* One node "op"(x, more...) at an opset against numbers. */
static void one(int opset, const char *op, const char *const *in, int n_in, gn_text *attrs, double (*want)(int64_t i),
                int64_t count)
{
    gn_text g = begin(image_dims);
    onnx_node(&g, op, "it", in, n_in, NAMES("y"), 1, attrs);
    gn_graph *graph = expect_graph(opset, &g);
    expect_numbers(graph, 1, want, count);
    gn_graph_destroy(&graph);
}

static void attributes_that_became_inputs(void **state)
{
    (void)state;
    gn_text attrs;
    gn_text_init(&attrs);
    onnx_attr_ints(&attrs, "starts", INTS(1), 1);
    onnx_attr_ints(&attrs, "ends", INTS(1000), 1);
    onnx_attr_ints(&attrs, "axes", INTS(2), 1);
    one(9, "Slice", NAMES("x"), 1, &attrs, negated_tail, 24);
    gn_text_init(&attrs);
    onnx_attr_ints(&attrs, "pads", INTS(0, 0, 1, 0, 0, 0, 1, 0), 8);
    onnx_attr_float(&attrs, "value", 0.5f);
    one(10, "Pad", NAMES("x"), 1, &attrs, padded, 48);
    gn_text_init(&attrs);
    onnx_attr_string(&attrs, "mode", "nearest");
    gn_text value, list;
    gn_text_init(&value);
    gn_text_init(&list);
    wire_string(&value, 1, "scales");
    for (int i = 0; i < 4; i++)
        wire_float(&list, 7, i < 2 ? 1.0f : 2.0f);
    gn_text_add_bytes(&value, list.data, list.len);
    gn_text_deinit(&list);
    wire_int(&value, 20, 6);
    wire_message(&attrs, 5, &value);
    one(7, "Upsample", NAMES("x"), 1, &attrs, doubled, 128);
}

static void operators_spelled_in_others(void **state)
{
    (void)state;
    gn_text attrs;
    one(13, "Sum", NAMES("x", "x", "x"), 3, NULL, thrice, 32);
    one(8, "Mean", NAMES("x", "x", "x"), 3, NULL, x_at, 32);
    one(18, "Mish", NAMES("x"), 1, NULL, mish, 32);
    one(7, "GlobalMaxPool", NAMES("x"), 1, NULL, channel_maximum, 2);
    one(15, "CastLike", NAMES("x", "x"), 2, NULL, x_at, 32);
    gn_text_init(&attrs);
    onnx_attr_int(&attrs, "axis", 1);
    one(11, "LogSoftmax", NAMES("x"), 1, &attrs, log_of_rows, 32);
}

/* A mask that somebody reads is all true; one that nobody reads is not there. */
static void masks_of_dropout(void **state)
{
    (void)state;
    gn_text g = begin(image_dims);
    onnx_node(&g, "Dropout", "drop", NAMES("x"), 1, NAMES("y", "mask"), 2, NULL);
    gn_graph *graph = expect_graph(9, &g);
    assert_int_equal(gn_graph_node_count(graph), 1);
    gn_graph_destroy(&graph);
    gn_text attrs;
    gn_text_init(&attrs);
    onnx_attr_int(&attrs, "to", 1);
    g = begin(image_dims);
    onnx_node(&g, "Dropout", "drop", NAMES("x"), 1, NAMES("z", "mask"), 2, NULL);
    onnx_node(&g, "Cast", "cast", NAMES("mask"), 1, NAMES("ones"), 1, &attrs);
    node(&g, "Mul", NAMES("z", "ones"), 2, "y");
    graph = expect_graph(12, &g);
    expect_numbers(graph, 1, x_at, 32);
    gn_graph_destroy(&graph);
}

static double row_pairs(int64_t i) /* Conv of [1,1,2] ones over [1,2,4,4] as [1,1,32] */
{
    return x_at(i) + x_at(i + 1);
}

static void one_dimension(void **state)
{
    (void)state;
    const float ones[2] = {1, 1};
    gn_text g = begin(image_dims);
    onnx_tensor(&g, ONNX_INITIALIZER, "w", ONNX_FLOAT, INTS(1, 1, 2), 3, ones, sizeof ones);
    constant(&g, "row", INTS(0, 1, 32), 3);
    node(&g, "Reshape", NAMES("x", "row"), 2, "r");
    node(&g, "Conv", NAMES("r", "w"), 2, "y");
    gn_graph *graph = expect_graph(11, &g);
    set_shape(graph, gn_shape_make(4, 1, 2, 4, 4));
    expect_shape(graph, gn_shape_make(3, 1, 1, 31));
    expect_numbers(graph, 1, row_pairs, 31);
    gn_graph_destroy(&graph);
}

static void mixed_old_resize_is_refused(void **state)
{
    (void)state;
    const float scales[4] = {1, 1, 2, 0.5f};
    const int64_t four = 4;
    gn_text g = begin(image_dims);
    onnx_tensor(&g, ONNX_INITIALIZER, "scales", ONNX_FLOAT, &four, 1, scales, sizeof scales);
    node(&g, "Resize", NAMES("x", "scales"), 2, "y");
    gn_text model = onnx_model(10, &g);
    gn_graph *graph = NULL;
    gn_error err;
    assert_int_equal(read(&model, &graph, &err), GN_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "'y' (Resize)"));
}

/* ---- constants ---- */

static void put_sparse(gn_text *graph, const int64_t *dims, int n_dims, const int64_t *indices, int64_t n)
{
    gn_text attr, sparse, values, places;
    float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    gn_text *const all[] = {&attr, &sparse, &values, &places};
    for (int i = 0; i < 4; i++)
        gn_text_init(all[i]);
    onnx_tensor(&sparse, 1, "values", ONNX_FLOAT, &n, 1, x, (size_t)n * sizeof *x);
    onnx_tensor(&sparse, 2, "places", ONNX_INT64, &n, 1, indices, (size_t)n * sizeof *indices);
    for (int i = 0; i < n_dims; i++)
        wire_int(&sparse, 3, dims[i]);
    gn_text_deinit(&values);
    gn_text_deinit(&places);
    wire_string(&attr, 1, "sparse_value");
    wire_message(&attr, 22, &sparse);
    wire_int(&attr, 20, 11);
    gn_text attrs;
    gn_text_init(&attrs);
    wire_message(&attrs, 5, &attr);
    onnx_node(graph, "Constant", "constant", NULL, 0, NAMES("c"), 1, &attrs);
    node(graph, "Add", NAMES("x", "c"), 2, "y");
}

static double with_sparse(int64_t i)
{
    return x_at(i) + (i % 4 == 1 ? 1 : i % 4 == 3 ? 2 : 0);
}

static void sparse_constants(void **state)
{
    (void)state;
    gn_text g = begin(image_dims);
    put_sparse(&g, INTS(4), 1, INTS(1, 3), 2);
    gn_graph *graph = expect_graph(13, &g);
    expect_numbers(graph, 1, with_sparse, 32);
    gn_graph_destroy(&graph);
    static const int64_t outside[][2] = {{1, 4}, {-1, 0}};
    gn_error err;
    for (int i = 0; i < 2; i++) {
        g = begin(image_dims);
        put_sparse(&g, INTS(4), 1, outside[i], 2);
        gn_text model = onnx_model(13, &g);
        assert_int_equal(read(&model, &graph, &err), GN_EFORMAT);
    }
    g = begin(image_dims);
    put_sparse(&g, INTS(INT64_C(1) << 30, INT64_C(1) << 30), 2, INTS(1, 3), 2);
    gn_text model = onnx_model(13, &g);
    assert_int_equal(read(&model, &graph, &err), GN_ELIMIT);
    assert_non_null(strstr(err.message, "'c'"));
}

/* Lists without numbers are constants of the shape [0]. */
static void empty_lists(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int type;
        gn_dtype dtype;
    } lists[] = {{"value_floats", 6, GN_DTYPE_F32}, {"value_ints", 7, GN_DTYPE_S64}};
    for (int i = 0; i < 2; i++) {
        gn_text attr, attrs, g = begin(image_dims);
        gn_text_init(&attr);
        gn_text_init(&attrs);
        wire_string(&attr, 1, lists[i].name);
        wire_int(&attr, 20, lists[i].type);
        wire_message(&attrs, 5, &attr);
        onnx_node(&g, "Constant", "empty", NULL, 0, NAMES("none"), 1, &attrs);
        node(&g, "Relu", NAMES("x"), 1, "y");
        gn_graph *graph = expect_graph(13, &g);
        const gn_value *none = gn_graph_value(graph, gn_graph_find_value(graph, "none"));
        assert_int_equal(none->dtype, lists[i].dtype);
        assert_int_equal(gn_shape_count(&none->shape), 0);
        gn_graph_destroy(&graph);
    }
}

/* Exporters write a bias that several layers share once, and hand it on by an Identity: it is a weight all the same. */
static void weights_behind_an_identity(void **state)
{
    (void)state;
    const float w[4] = {1, 0, 0, 1}, b[2] = {0, 0};
    gn_text g = begin(image_dims);
    onnx_tensor(&g, ONNX_INITIALIZER, "w", ONNX_FLOAT, INTS(2, 2, 1, 1), 4, w, sizeof w);
    onnx_tensor(&g, ONNX_INITIALIZER, "b", ONNX_FLOAT, INTS(2), 1, b, sizeof b);
    node(&g, "Identity", NAMES("b"), 1, "same");
    node(&g, "Conv", NAMES("x", "w", "same"), 3, "y");
    gn_graph *graph = expect_graph(11, &g);
    const gn_value *bias = gn_graph_value(graph, gn_graph_find_value(graph, "b"));
    assert_int_equal(bias->kind, GN_VALUE_STATE);
    assert_true(bias->trainable);
    expect_numbers(graph, 1, x_at, 32);
    gn_error err = {0};
    set_shape(graph, gn_shape_make(4, 1, 2, 4, 4));
    assert_int_equal(gn_pass_inference(graph, &err), GN_OK);
    assert_int_equal(gn_graph_node_count(graph), 1);
    gn_graph_destroy(&graph);
}

/* ---- files that ask for much ---- */

/* Blocks that the reader takes, and how much they hold at most. */
static size_t peak, live;

static void *counted_alloc(void *ctx, size_t bytes, size_t align)
{
    (void)ctx;
    char *block = aligned_alloc(align, (bytes + 2 * align - 1) / align * align + align);
    if (!block)
        return NULL;
    memcpy(block, &bytes, sizeof bytes);
    live += bytes;
    peak = live > peak ? live : peak;
    return block + align;
}

static void counted_free(void *ctx, void *ptr)
{
    (void)ctx;
    if (!ptr)
        return;
    char *block = (char *)ptr - 64;
    size_t bytes;
    memcpy(&bytes, block, sizeof bytes);
    live -= bytes;
    free(block);
}

static const gn_allocator counted = {counted_alloc, counted_free, NULL};

/* Reads with the counter in place; *peak holds what it took. */
static gn_status read_counted(const gn_text *model, gn_error *err)
{
    gn_graph *graph = NULL;
    gn_text copy = *model;
    char *bytes = malloc(copy.len);
    const size_t n = copy.len;
    memcpy(bytes, copy.data, n);
    gn_text_deinit(&copy);
    gn_set_allocator(&counted);
    peak = live = 0;
    *err = (gn_error){0};
    gn_status status = gn_onnx_read_bytes(bytes, n, "test.onnx", NULL, &graph, err);
    if (status == GN_OK)
        status = gn_graph_infer(graph, err);
    if (status == GN_OK)
        status = gn_pass_inference(graph, err);
    gn_graph_destroy(&graph);
    assert_int_equal(live, 0);
    gn_set_allocator(NULL);
    free(bytes);
    return status;
}

static void large_claims_take_little_memory(void **state)
{
    (void)state;
    gn_error err;
    /* 2^60 elements, in a tensor and in a constant that a node would make */
    gn_text g = begin(INTS(1, 2, 4, 4));
    onnx_tensor(&g, ONNX_INITIALIZER, "w", ONNX_FLOAT, INTS(INT64_C(1) << 30, INT64_C(1) << 30), 2, "abcd", 4);
    node(&g, "Add", NAMES("x", "w"), 2, "y");
    gn_text model = onnx_model(13, &g);
    assert_int_equal(read_counted(&model, &err), GN_ELIMIT);
    assert_non_null(strstr(err.message, "'w'"));
    assert_true(peak < (size_t)100 << 20);
    static const int64_t sizes[][2] = {{INT64_C(1) << 30, INT64_C(1) << 30}, {1 << 19, 1 << 20}, {1 << 10, 1 << 15}};
    for (int i = 0; i < 3; i++) {
        g = begin(INTS(1, 2, 4, 4));
        constant(&g, "size", sizes[i], 2);
        node(&g, "ConstantOfShape", NAMES("size"), 1, "zeros");
        node(&g, "Expand", NAMES("x", "size"), 2, "y");
        model = onnx_model(13, &g);
        read_counted(&model, &err);
        assert_true(peak < (size_t)100 << 20);
    }
}

/* Thousands of constants that are each small enough. */
static void many_claims_take_little_memory(void **state)
{
    (void)state;
    gn_error err;
    gn_text g = begin(INTS(1, 2, 4, 4));
    const int64_t known[1] = {4096}, folded[1] = {200000};
    constant(&g, "known", known, 1);
    constant(&g, "folded", folded, 1);
    for (int i = 0; i < 3000; i++) {
        char name[32];
        snprintf(name, sizeof name, "c%d", i);
        node(&g, "ConstantOfShape", NAMES(i % 2 ? "known" : "folded"), 1, name);
    }
    node(&g, "Relu", NAMES("x"), 1, "y");
    gn_text model = onnx_model(13, &g);
    assert_int_equal(read_counted(&model, &err), GN_OK);
    if (peak >= (size_t)100 << 20)
        fail_msg("%zu bytes", peak);
}

typedef struct file_bytes {
    const char *bytes;
    size_t n;
} file_bytes;

static gn_status read_once(void *ctx)
{
    const file_bytes *file = ctx;
    gn_graph *graph = NULL;
    gn_error err = {0};
    gn_status status = gn_onnx_read_bytes(file->bytes, file->n, "m.onnx", NULL, &graph, &err);
    gn_graph_destroy(&graph);
    return status;
}

static void memory_runs_out_at_every_allocation(void **state)
{
    (void)state;
    gn_text g = view_chain(), whole = onnx_model(13, &g);
    file_bytes file = {malloc(whole.len), whole.len};
    memcpy((char *)(uintptr_t)file.bytes, whole.data, whole.len);
    gn_text_deinit(&whole);
    assert_true(fixture_fail_each_allocation(read_once, &file) > 10);
    free((void *)(uintptr_t)file.bytes);
}

static int teardown(void **state)
{
    (void)state;
    fixture_remove_folder();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_follow_the_batch),
        cmocka_unit_test(sizes_of_resize_are_computed),
        cmocka_unit_test(auto_pad_follows_the_size),
        cmocka_unit_test(shapes_that_are_inputs_are_bound),
        cmocka_unit_test(attributes_that_became_inputs),
        cmocka_unit_test(operators_spelled_in_others),
        cmocka_unit_test(masks_of_dropout),
        cmocka_unit_test(one_dimension),
        cmocka_unit_test(mixed_old_resize_is_refused),
        cmocka_unit_test(sparse_constants),
        cmocka_unit_test(empty_lists),
        cmocka_unit_test(weights_behind_an_identity),
        cmocka_unit_test(large_claims_take_little_memory),
        cmocka_unit_test(many_claims_take_little_memory),
        cmocka_unit_test(memory_runs_out_at_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
