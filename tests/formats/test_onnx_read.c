/* The ONNX reader on files that other tools write and on files that nobody should: older opsets, unsorted nodes,
 * truncation, depth, cycles, missing and oversized tensors, unknown operators, memory that runs out.
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

static const int64_t image_dims[4] = {-1, 2, 4, 4};

#define NAMES(...) ((const char *const[]){__VA_ARGS__})

/* Reads `model` (freed); on failure *graph_out is NULL. */
static gn_status read_text(gn_text *model, gn_graph **graph_out, gn_error *err)
{
    *graph_out = NULL;
    *err = (gn_error){0};
    gn_status status = gn_onnx_read_bytes(model->data, model->len, "test.onnx", gn_ops_registry(), graph_out, err);
    gn_text_deinit(model);
    return status;
}

static void expect_failure(gn_text *model, gn_status status, const char *const *words, int n_words)
{
    gn_graph *graph = NULL;
    gn_error err;
    gn_status got = read_text(model, &graph, &err);
    assert_null(graph);
    assert_int_equal(got, status);
    assert_string_equal(err.file, "test.onnx");
    for (int i = 0; i < n_words; i++)
        if (!strstr(err.message, words[i]))
            fail_msg("'%s' is not in: %s", words[i], err.message);
}

static gn_graph *expect_graph(gn_text *model)
{
    gn_graph *graph = NULL;
    gn_error err;
    if (read_text(model, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    return graph;
}

/* Graph with the input "x" [N,2,4,4] and the output "y"; the caller adds nodes. */
static gn_text begin_graph(void)
{
    gn_text graph;
    gn_text_init(&graph);
    onnx_value(&graph, ONNX_INPUT, "x", image_dims, 4);
    onnx_value(&graph, ONNX_OUTPUT, "y", image_dims, 4);
    return graph;
}

static const gn_node *find_node(const gn_graph *g, const char *op)
{
    for (int i = 0; i < gn_graph_node_count(g); i++)
        if (strcmp(gn_graph_node(g, i)->op->name, op) == 0)
            return gn_graph_node(g, i);
    fail_msg("no %s in the graph", op);
    return NULL;
}

static gn_text valid_bytes(void)
{
    gn_graph *model = fixture_model();
    void *bytes = NULL;
    size_t n = 0;
    assert_int_equal(gn_onnx_pack(model, NULL, &bytes, &n, NULL), GN_OK);
    gn_graph_destroy(&model);
    gn_text t;
    gn_text_init(&t);
    gn_text_add_bytes(&t, bytes, n);
    gn_free(bytes);
    return t;
}

/* ---- broken files ---- */

static void test_truncated_at_every_place(void **ctx)
{
    (void)ctx;
    gn_text whole = valid_bytes();
    for (size_t n = 0; n + 600 < whole.len; n += n < 600 ? 1 : 37) { /* metadata, which may be missing, come last */
        gn_graph *graph = NULL;
        gn_error err = {0};
        gn_status status = gn_onnx_read_bytes(whole.data, n, "cut.onnx", gn_ops_registry(), &graph, &err);
        assert_int_not_equal(status, GN_OK);
        assert_null(graph);
        assert_string_equal(err.file, "cut.onnx");
        assert_true(strlen(err.message) > 10);
    }
    /* A cut inside a tensor's data tells where. */
    gn_error err = {0};
    gn_graph *graph = NULL;
    assert_int_equal(gn_onnx_read_bytes(whole.data, whole.len / 2, "cut.onnx", gn_ops_registry(), &graph, &err),
                     GN_EFORMAT);
    assert_true(err.offset > 0 && (size_t)err.offset <= whole.len / 2);
    gn_text_deinit(&whole);
}

/* Any flipped byte gives a graph or an error, nothing else (run under sanitizers). */
static void test_flipped_bytes(void **ctx)
{
    (void)ctx;
    gn_text whole = valid_bytes();
    for (size_t i = 0; i < whole.len; i += i < 900 ? 1 : 11)
        for (int bit = 0; bit < 8; bit += 3) {
            whole.data[i] = (char)(whole.data[i] ^ (1 << bit));
            gn_graph *graph = NULL;
            gn_error err = {0};
            gn_status status = gn_onnx_read_bytes(whole.data, whole.len, "flip.onnx", gn_ops_registry(), &graph, &err);
            assert_true((status == GN_OK) == (graph != NULL));
            gn_graph_destroy(&graph);
            whole.data[i] = (char)(whole.data[i] ^ (1 << bit));
        }
    gn_text_deinit(&whole);
}

/* Graph in attribute in node in graph ... a million deep: refused before anything is unpacked. */
static void test_nested_a_million_deep(void **ctx)
{
    (void)ctx;
    enum { DEPTH = 1000000 };
    static const int fields[3] = {1, 5, 6}; /* GraphProto.node, NodeProto.attribute, AttributeProto.g */
    size_t capacity = (size_t)DEPTH * 6 + 16, at = capacity;
    char *buffer = gn_alloc(capacity);
    for (int level = DEPTH - 1; level >= 0; level--) {
        uint64_t n = capacity - at;
        char length[10];
        int k = 0;
        do {
            length[k++] = (char)((n & 0x7f) | (n > 0x7f ? 0x80 : 0));
            n >>= 7;
        } while (n);
        at -= (size_t)k;
        memcpy(buffer + at, length, (size_t)k);
        buffer[--at] = (char)(level == 0 ? 7 << 3 | 2 : fields[(level - 1) % 3] << 3 | 2);
    }
    gn_graph *graph = NULL;
    gn_error err = {0};
    uint64_t before = gn_memory_stats_get().allocations;
    assert_int_equal(gn_onnx_read_bytes(buffer + at, capacity - at, "deep.onnx", gn_ops_registry(), &graph, &err),
                     GN_ELIMIT);
    assert_int_equal(gn_memory_stats_get().allocations, before);
    assert_non_null(strstr(err.message, "nested"));
    assert_true(err.offset > 0 && err.offset < 1000);
    gn_free(buffer);
}

static void test_other_files(void **ctx)
{
    (void)ctx;
    gn_text text;
    gn_text_init(&text);
    gn_text_add(&text, "");
    expect_failure(&text, GN_EFORMAT, NAMES("empty"), 1);
    gn_text_init(&text);
    gn_text_add(&text, "This is a text file, not a model.\n");
    expect_failure(&text, GN_EFORMAT, NAMES("not a readable ONNX model"), 1);
    gn_graph *graph = NULL;
    gn_error err = {0};
    assert_int_equal(gn_onnx_read("/nonexistent/m.onnx", gn_ops_registry(), &graph, &err), GN_ENOENT);
    gn_text_init(&text);
    wire_int(&text, 1, 7);
    expect_failure(&text, GN_EFORMAT, NAMES("no graph"), 1);
    /* A single part that stands twice would be merged piece by piece. */
    gn_text model, empty;
    gn_text_init(&model);
    for (int i = 0; i < 2; i++) {
        gn_text_init(&empty);
        wire_message(&model, 7, &empty);
    }
    expect_failure(&model, GN_EFORMAT, NAMES("twice"), 1);
}

static void test_opsets(void **ctx)
{
    (void)ctx;
    static const int bad[] = {1, 6, 22};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gn_text g = begin_graph();
        onnx_node(&g, "Relu", "r", NAMES("x"), 1, NAMES("y"), 1, NULL);
        gn_text model = onnx_model(bad[i], &g);
        expect_failure(&model, GN_EUNSUPPORTED, NAMES("opset", "7 to 21"), 2);
    }
    for (int opset = GN_ONNX_OPSET_MIN; opset <= GN_ONNX_OPSET_MAX; opset++) {
        gn_text g = begin_graph();
        onnx_node(&g, "Relu", "r", NAMES("x"), 1, NAMES("y"), 1, NULL);
        gn_text model = onnx_model(opset, &g);
        gn_graph *graph = expect_graph(&model);
        gn_graph_destroy(&graph);
    }
}

/* ---- structure ---- */

static void test_cycle_names_a_node_on_it(void **ctx)
{
    (void)ctx;
    gn_text g = begin_graph();
    onnx_node(&g, "Relu", "first", NAMES("x"), 1, NAMES("a"), 1, NULL);
    onnx_node(&g, "Add", "loop_in", NAMES("a", "c"), 2, NAMES("b"), 1, NULL);
    onnx_node(&g, "Relu", "loop_out", NAMES("b"), 1, NAMES("c"), 1, NULL);
    onnx_node(&g, "Relu", "last", NAMES("c"), 1, NAMES("y"), 1, NULL);
    gn_text model = onnx_model(13, &g);
    gn_graph *graph = NULL;
    gn_error err;
    assert_int_equal(read_text(&model, &graph, &err), GN_EFORMAT);
    assert_non_null(strstr(err.message, "cycle"));
    assert_true(strstr(err.message, "loop_in") || strstr(err.message, "loop_out"));
    assert_null(strstr(err.message, "'last'"));
}

static void test_missing_input(void **ctx)
{
    (void)ctx;
    gn_text g = begin_graph();
    onnx_node(&g, "Conv", "conv1", NAMES("x", "conv1.weight"), 2, NAMES("y"), 1, NULL);
    gn_text model = onnx_model(13, &g);
    expect_failure(&model, GN_EFORMAT, NAMES("conv1", "Conv", "conv1.weight", "initializer"), 4);
    g = begin_graph();
    onnx_node(&g, "Relu", "r", NAMES("x"), 1, NAMES("z"), 1, NULL);
    model = onnx_model(13, &g);
    expect_failure(&model, GN_EFORMAT, NAMES("graph output 'y'"), 1);
    g = begin_graph();
    onnx_node(&g, "Relu", "r", NAMES("x"), 1, NAMES("y"), 1, NULL);
    onnx_node(&g, "Relu", "q", NAMES("x"), 1, NAMES("y"), 1, NULL);
    model = onnx_model(13, &g);
    expect_failure(&model, GN_EFORMAT, NAMES("two nodes", "'y'"), 2);
}

static void test_unknown_operator(void **ctx)
{
    (void)ctx;
    gn_text g = begin_graph();
    onnx_node(&g, "Loop", "loop_7", NAMES("x"), 1, NAMES("y"), 1, NULL);
    gn_text model = onnx_model(13, &g);
    expect_failure(&model, GN_EUNSUPPORTED, NAMES("loop_7", "Loop"), 2);
    /* Other domains: also those of training, which no model file should reach. */
    gn_text attrs;
    gn_text_init(&attrs);
    wire_string(&attrs, 7, "com.microsoft");
    g = begin_graph();
    onnx_node(&g, "FusedConv", "f", NAMES("x"), 1, NAMES("y"), 1, &attrs);
    model = onnx_model(13, &g);
    expect_failure(&model, GN_EUNSUPPORTED, NAMES("'f'", "com.microsoft.FusedConv"), 2);
}

static void test_unsorted_nodes_are_sorted(void **ctx)
{
    (void)ctx;
    gn_text g = begin_graph();
    onnx_node(&g, "Sigmoid", "c", NAMES("b_out"), 1, NAMES("y"), 1, NULL);
    onnx_node(&g, "Relu", "b", NAMES("a_out"), 1, NAMES("b_out"), 1, NULL);
    onnx_node(&g, "Add", "a", NAMES("x", "x"), 2, NAMES("a_out"), 1, NULL);
    gn_text model = onnx_model(13, &g);
    gn_graph *graph = expect_graph(&model);
    assert_string_equal(gn_graph_node(graph, 0)->name, "a");
    assert_string_equal(gn_graph_node(graph, 1)->name, "b");
    assert_string_equal(gn_graph_node(graph, 2)->name, "c");
    gn_graph_destroy(&graph);
}

/* ---- tensors ---- */

static gn_text conv_graph(const int64_t *dims, int n_dims, const void *raw, size_t n)
{
    gn_text g = begin_graph();
    onnx_tensor(&g, ONNX_INITIALIZER, "w", ONNX_FLOAT, dims, n_dims, raw, n);
    onnx_node(&g, "Conv", "conv1", NAMES("x", "w"), 2, NAMES("y"), 1, NULL);
    return g;
}

static void test_tensor_sizes(void **ctx)
{
    (void)ctx;
    float w[4] = {1, 2, 3, 4};
    const int64_t right[4] = {2, 2, 1, 1}, wrong[4] = {2, 2, 2, 1},
                  huge[4] = {(int64_t)1 << 40, (int64_t)1 << 40, 4, 4};
    const int64_t negative[4] = {2, -2, 1, 1}, misfit[4] = {1, 4, 1, 1};
    gn_text g = conv_graph(right, 4, w, sizeof w), model = onnx_model(13, &g);
    gn_graph *graph = expect_graph(&model);
    assert_true(gn_graph_value(graph, gn_graph_find_value(graph, "w"))->trainable);
    gn_graph_destroy(&graph);
    g = conv_graph(wrong, 4, w, sizeof w), model = onnx_model(13, &g);
    expect_failure(&model, GN_EFORMAT, NAMES("'w'", "16 bytes", "32"), 3);
    g = conv_graph(huge, 4, w, sizeof w), model = onnx_model(13, &g);
    expect_failure(&model, GN_ELIMIT, NAMES("'w'", "overflows"), 2);
    g = conv_graph(negative, 4, w, sizeof w), model = onnx_model(13, &g);
    expect_failure(&model, GN_EFORMAT, NAMES("'w'", "negative"), 2);
    g = conv_graph(misfit, 4, w, sizeof w), model = onnx_model(13, &g);
    expect_failure(&model, GN_ESHAPE, NAMES("conv1", "Conv"), 2);
    g = conv_graph((const int64_t[9]){1, 1, 1, 1, 1, 1, 1, 1, 4}, 9, w, sizeof w), model = onnx_model(13, &g);
    expect_failure(&model, GN_ELIMIT, NAMES("'w'", "dimensions"), 2);
}

static void test_input_shape_overflows(void **ctx)
{
    (void)ctx;
    const int64_t huge[4] = {-1, (int64_t)1 << 30, (int64_t)1 << 30, 4};
    gn_text g;
    gn_text_init(&g);
    onnx_value(&g, ONNX_INPUT, "x", huge, 4);
    onnx_value(&g, ONNX_OUTPUT, "y", huge, 4);
    onnx_node(&g, "Relu", "r", NAMES("x"), 1, NAMES("y"), 1, NULL);
    gn_text model = onnx_model(13, &g);
    expect_failure(&model, GN_ELIMIT, NAMES("'x'", "overflows"), 2);
}

static void test_shape_that_overflows_inside(void **ctx)
{
    (void)ctx;
    /* Pads that make the result too large to exist. */
    float w[4] = {1, 2, 3, 4};
    gn_text attrs, g = begin_graph();
    gn_text_init(&attrs);
    const int64_t pads[4] = {INT64_C(1) << 61, 0, INT64_C(1) << 61, 0};
    onnx_attr_ints(&attrs, "pads", pads, 4);
    onnx_tensor(&g, ONNX_INITIALIZER, "w", ONNX_FLOAT, (const int64_t[4]){2, 2, 1, 1}, 4, w, sizeof w);
    onnx_node(&g, "Conv", "wide_conv", NAMES("x", "w"), 2, NAMES("y"), 1, &attrs);
    gn_text model = onnx_model(13, &g);
    expect_failure(&model, GN_ESHAPE, NAMES("wide_conv"), 1);
}

static void external_tensor(gn_text *g, const char *location, const char *offset, int64_t count)
{
    gn_text tensor, entry;
    gn_text_init(&tensor);
    wire_int(&tensor, 1, count);
    wire_int(&tensor, 2, ONNX_FLOAT);
    wire_string(&tensor, 8, "b");
    const char *const pairs[2][2] = {{"location", location}, {"offset", offset}};
    for (int i = 0; i < 2; i++) {
        gn_text_init(&entry);
        wire_string(&entry, 1, pairs[i][0]);
        wire_string(&entry, 2, pairs[i][1]);
        wire_message(&tensor, 13, &entry);
    }
    wire_int(&tensor, 14, 1);
    wire_message(g, ONNX_INITIALIZER, &tensor);
}

static gn_status read_external(const char *location, const char *offset, int64_t count, gn_graph **graph_out,
                               gn_error *err)
{
    gn_text g = begin_graph();
    external_tensor(&g, location, offset, count);
    onnx_node(&g, "Add", "add", NAMES("x", "b"), 2, NAMES("y"), 1, NULL);
    gn_text model = onnx_model(13, &g);
    const char *path = fixture_path("external.onnx");
    assert_int_equal(gn_file_write(path, model.data, model.len, NULL), GN_OK);
    gn_text_deinit(&model);
    *err = (gn_error){0};
    *graph_out = NULL;
    return gn_onnx_read(path, gn_ops_registry(), graph_out, err);
}

static void test_external_data_stays_in_the_folder(void **ctx)
{
    (void)ctx;
    const float data[5] = {9, 1, 2, 3, 4};
    assert_int_equal(gn_file_write(fixture_path("data.bin"), data, sizeof data, NULL), GN_OK);
    gn_graph *graph = NULL;
    gn_error err;
    assert_int_equal(read_external("data.bin", "4", 4, &graph, &err), GN_OK);
    const gn_value *b = gn_graph_value(graph, gn_graph_find_value(graph, "b"));
    assert_memory_equal(b->data->data, data + 1, 16);
    gn_graph_destroy(&graph);
    static const char *const outside[] = {"/etc/passwd", "../../etc/passwd", "a/../../b", "..", ""};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        assert_int_equal(read_external(outside[i], "0", 4, &graph, &err), GN_EFORMAT);
        assert_non_null(strstr(err.message, "outside the model's folder"));
    }
    assert_int_equal(symlink("/etc/passwd", fixture_path("link.bin")), 0);
    assert_int_equal(read_external("link.bin", "0", 4, &graph, &err), GN_EFORMAT);
    assert_non_null(strstr(err.message, "outside"));
    /* a file of 3 GiB that takes no room on the disk, and asks for as much memory */
    assert_int_equal(gn_file_write(fixture_path("large.bin"), data, sizeof data, NULL), GN_OK);
    assert_int_equal(truncate(fixture_path("large.bin"), (off_t)3 << 30), 0);
    assert_int_equal(read_external("large.bin", "0", (int64_t)3 << 28, &graph, &err), GN_ELIMIT);
    assert_non_null(strstr(err.message, "'b'"));
    assert_int_equal(read_external("none.bin", "0", 4, &graph, &err), GN_ENOENT);
    assert_int_equal(read_external("data.bin", "8", 4, &graph, &err), GN_EFORMAT);
    assert_int_equal(read_external("data.bin", "-4", 4, &graph, &err), GN_EFORMAT);
    assert_null(graph);
}

/* ---- other opsets ---- */

static void test_old_clip_and_constants(void **ctx)
{
    (void)ctx;
    gn_text attrs, g = begin_graph();
    gn_text_init(&attrs);
    onnx_attr_float(&attrs, "min", 0);
    onnx_attr_float(&attrs, "max", 6);
    onnx_node(&g, "Clip", "clip", NAMES("x"), 1, NAMES("a"), 1, &attrs);
    gn_text value;
    gn_text_init(&attrs);
    gn_text_init(&value);
    wire_string(&value, 1, "value_float");
    wire_float(&value, 2, 0.5f);
    wire_int(&value, 20, 1);
    wire_message(&attrs, 5, &value);
    onnx_node(&g, "Constant", "half", NULL, 0, NAMES("half"), 1, &attrs);
    onnx_node(&g, "Mul", "scale", NAMES("a", "half"), 2, NAMES("y"), 1, NULL);
    gn_text model = onnx_model(7, &g);
    gn_graph *graph = expect_graph(&model);
    const gn_node *clip = find_node(graph, "Clip");
    assert_int_equal(clip->n_in, 3);
    assert_int_equal(clip->n_attrs, 0);
    assert_true(gn_tensor_get(gn_graph_value(graph, clip->in[2])->data, 0) == 6);
    const gn_value *half = gn_graph_value(graph, gn_graph_find_value(graph, "half"));
    assert_int_equal(half->kind, GN_VALUE_CONST);
    assert_true(gn_tensor_get(half->data, 0) == 0.5);
    gn_graph_destroy(&graph);
}

static void test_axes_change_places(void **ctx)
{
    (void)ctx;
    const int64_t axes[1] = {1};
    gn_text attrs, g;
    gn_text_init(&g);
    onnx_value(&g, ONNX_INPUT, "x", (const int64_t[2]){-1, 4}, 2);
    onnx_value(&g, ONNX_OUTPUT, "y", (const int64_t[2]){-1, 4}, 2);
    gn_text_init(&attrs);
    onnx_attr_ints(&attrs, "axes", axes, 1);
    onnx_node(&g, "Unsqueeze", "u", NAMES("x"), 1, NAMES("a"), 1, &attrs);
    gn_text_init(&attrs);
    onnx_attr_ints(&attrs, "axes", axes, 1);
    onnx_node(&g, "Squeeze", "s", NAMES("a"), 1, NAMES("y"), 1, &attrs);
    gn_text model = onnx_model(11, &g);
    gn_graph *graph = expect_graph(&model);
    int64_t got = 0;
    assert_int_equal(gn_in_const_s64(graph, find_node(graph, "Unsqueeze"), 1, &got, 1), 1);
    assert_int_equal(got, 1);
    gn_graph_destroy(&graph);

    /* Opset 18: ReduceMean's axes are an input. */
    g = begin_graph();
    onnx_tensor(&g, ONNX_INITIALIZER, "axes", ONNX_INT64, (const int64_t[1]){2}, 1, (const int64_t[2]){2, 3}, 16);
    onnx_node(&g, "ReduceMean", "m", NAMES("x", "axes"), 2, NAMES("y"), 1, NULL);
    model = onnx_model(18, &g);
    graph = expect_graph(&model);
    int64_t two[2];
    assert_int_equal(find_node(graph, "ReduceMean")->n_in, 1);
    assert_int_equal(gn_node_ints(find_node(graph, "ReduceMean"), "axes", two, 2, 0), 2);
    assert_int_equal(two[1], 3);
    gn_graph_destroy(&graph);
}

/* Softmax over everything from its axis on, as opsets before 13 meant it. */
static void test_old_softmax(void **ctx)
{
    (void)ctx;
    gn_text g = begin_graph();
    onnx_node(&g, "Softmax", "soft", NAMES("x"), 1, NAMES("y"), 1, NULL);
    gn_text model = onnx_model(11, &g);
    gn_graph *rows = expect_graph(&model);
    int64_t count = 0;
    double *y = fixture_run(rows, 3, &count);
    assert_int_equal(count, 3 * 32);
    for (int image = 0; image < 3; image++) {
        double sum = 0;
        for (int i = 0; i < 32; i++)
            sum += y[image * 32 + i];
        assert_true(sum > 1 - 1e-12 && sum < 1 + 1e-12);
    }
    gn_free(y);
    gn_graph_destroy(&rows);
    gn_text attrs;
    gn_text_init(&attrs);
    onnx_attr_int(&attrs, "axis", 3);
    g = begin_graph();
    onnx_node(&g, "Softmax", "soft", NAMES("x"), 1, NAMES("y"), 1, &attrs);
    model = onnx_model(11, &g);
    gn_graph *graph = expect_graph(&model);
    assert_int_equal(gn_graph_node_count(graph), 1);
    gn_graph_destroy(&graph);
}

/* Attributes that Gannet does not know stay on the node and are written again. */
static void test_unknown_attributes_are_kept(void **ctx)
{
    (void)ctx;
    gn_text attrs, g = begin_graph();
    gn_text_init(&attrs);
    onnx_attr_int(&attrs, "vendor_hint", 42);
    onnx_node(&g, "Relu", "r", NAMES("x"), 1, NAMES("y"), 1, &attrs);
    gn_text model = onnx_model(13, &g);
    gn_graph *graph = expect_graph(&model);
    assert_int_equal(gn_node_int(find_node(graph, "Relu"), "vendor_hint", 0), 42);
    gn_graph_destroy(&graph);
}

/* ---- memory ---- */

typedef struct file_bytes {
    const char *bytes;
    size_t n;
} file_bytes;

static gn_status read_once(void *ctx)
{
    const file_bytes *file = ctx;
    gn_graph *graph = NULL;
    gn_error err = {0};
    gn_status status = gn_onnx_read_bytes(file->bytes, file->n, "m.onnx", gn_ops_registry(), &graph, &err);
    gn_graph_destroy(&graph);
    return status;
}

static void test_memory_runs_out_at_every_allocation(void **ctx)
{
    (void)ctx;
    gn_text whole = valid_bytes();
    file_bytes file = {malloc(whole.len), whole.len};
    memcpy((char *)(uintptr_t)file.bytes, whole.data, whole.len);
    gn_text_deinit(&whole);
    assert_true(fixture_fail_each_allocation(read_once, &file) > 10);
    free((void *)(uintptr_t)file.bytes);
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
        cmocka_unit_test(test_truncated_at_every_place),
        cmocka_unit_test(test_flipped_bytes),
        cmocka_unit_test(test_nested_a_million_deep),
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_opsets),
        cmocka_unit_test(test_cycle_names_a_node_on_it),
        cmocka_unit_test(test_missing_input),
        cmocka_unit_test(test_unknown_operator),
        cmocka_unit_test(test_unsorted_nodes_are_sorted),
        cmocka_unit_test(test_tensor_sizes),
        cmocka_unit_test(test_input_shape_overflows),
        cmocka_unit_test(test_shape_that_overflows_inside),
        cmocka_unit_test(test_external_data_stays_in_the_folder),
        cmocka_unit_test(test_old_clip_and_constants),
        cmocka_unit_test(test_axes_change_places),
        cmocka_unit_test(test_old_softmax),
        cmocka_unit_test(test_unknown_attributes_are_kept),
        cmocka_unit_test(test_memory_runs_out_at_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
