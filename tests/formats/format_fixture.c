/* Helpers of the format tests.
 * SPDX-License-Identifier: Apache-2.0 */
#include "format_fixture.h"

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
#include "base/rng.h"
#include "ops/interpret.h"
#include "ops/ops.h"

double fixture_number(uint64_t seed, int64_t i)
{
    gn_rng rng;
    gn_rng_init(&rng, seed, (uint64_t)i);
    return 2 * gn_rng_uniform(&rng) - 1;
}

/* ---- the model ---- */

static uint64_t next_seed;

static int state(gn_graph *g, const char *name, gn_shape shape, double scale, double offset, bool is_trainable)
{
    int id = gn_graph_add_state(g, name, GN_DTYPE_F32, &shape, is_trainable);
    assert_true(id >= 0);
    gn_tensor *t = gn_graph_value(g, id)->data;
    next_seed++;
    for (int64_t i = 0; i < gn_tensor_count(t); i++)
        gn_tensor_set(t, i, offset + scale * fixture_number(next_seed, i));
    return id;
}

static int batchnorm(gn_graph *g, int x, const char *name, int channels)
{
    char text[64];
    int in[5] = {x};
    const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof text, "%s.%s", name, parts[i]);
        in[i + 1] = state(g, text, gn_shape_make(1, channels), i == 3 ? 0.4 : 0.5, i == 0 || i == 3 ? 1.0 : 0.0, i < 2);
    }
    gn_attr attrs[2] = {gn_attr_float("epsilon", 1e-5f), gn_attr_float("momentum", 0.9f)};
    return gn_graph_add_op(g, "BatchNormalization", "", name, in, 5, attrs, 2);
}

static int conv(gn_graph *g, int x, const char *name, gn_shape weight, int stride, int group)
{
    char text[64];
    snprintf(text, sizeof text, "%s.weight", name);
    int in[2] = {x, state(g, text, weight, 0.4, 0, true)};
    int64_t kernel[2] = {weight.dim[2], weight.dim[3]}, strides[2] = {stride, stride};
    int64_t pad = weight.dim[2] / 2, pads[4] = {pad, pad, pad, pad}, dilations[2] = {1, 1};
    gn_attr attrs[5] = {gn_attr_ints("kernel_shape", kernel, 2), gn_attr_ints("strides", strides, 2),
                        gn_attr_ints("pads", pads, 4), gn_attr_ints("dilations", dilations, 2),
                        gn_attr_int("group", group)};
    return gn_graph_add_op(g, "Conv", "", name, in, 2, attrs, 5);
}

static int pool_and_head(gn_graph *g, int x)
{
    int64_t two[2] = {2, 2};
    gn_attr pool[2] = {gn_attr_ints("kernel_shape", two, 2), gn_attr_ints("strides", two, 2)};
    x = gn_graph_add_op(g, "MaxPool", "", "pool", &x, 1, pool, 2);
    x = gn_graph_add_op(g, "GlobalAveragePool", "", "mean", &x, 1, NULL, 0);
    gn_attr axis = gn_attr_int("axis", 1);
    x = gn_graph_add_op(g, "Flatten", "", "flatten", &x, 1, &axis, 1);
    float ratio = 0.2f;
    int dropout[2] = {x, gn_graph_add_const_f32(g, "dropout.ratio", 0, &ratio)};
    x = gn_graph_add_op(g, "Dropout", "", "dropout", dropout, 2, NULL, 0);
    int gemm[3] = {x, state(g, "head.weight", gn_shape_make(2, 4, 6), 0.5, 0, true),
                   state(g, "head.bias", gn_shape_make(1, 4), 0.5, 0, true)};
    gn_attr trans = gn_attr_int("transB", 1);
    return gn_graph_add_op(g, "Gemm", "", "head", gemm, 3, &trans, 1);
}

gn_graph *fixture_model(void)
{
    gn_graph *g = NULL;
    next_seed = 1;
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
    gn_shape shape = gn_shape_make(4, -1, 3, 16, 16);
    int x = gn_graph_add_input(g, "images", GN_DTYPE_F32, &shape);
    x = batchnorm(g, conv(g, x, "features.0.0", gn_shape_make(4, 6, 3, 3, 3), 2, 1), "features.0.1", 6);
    float bounds[2] = {0, 6};
    int clip[3] = {x, gn_graph_add_const_f32(g, "features.0.2.min", 0, &bounds[0]),
                   gn_graph_add_const_f32(g, "features.0.2.max", 0, &bounds[1])};
    x = gn_graph_add_op(g, "Clip", "", "features.0.2", clip, 3, NULL, 0);
    int y = batchnorm(g, conv(g, x, "features.1.0", gn_shape_make(4, 6, 1, 3, 3), 1, 6), "features.1.1", 6);
    int sum[2] = {x, y};
    x = gn_graph_add_op(g, "Add", "", "features.1.add", sum, 2, NULL, 0);
    x = gn_graph_add_op(g, "Relu", "", "features.1.relu", &x, 1, NULL, 0);
    x = pool_and_head(g, x);
    gn_error err = {0};
    assert_int_equal(gn_graph_error(g, &err), GN_OK);
    assert_int_equal(gn_graph_rename_value(g, x, "boxes"), GN_OK);
    assert_int_equal(gn_graph_add_output(g, x), GN_OK);
    gn_graph_meta_set(g, "gannet.version", "1");
    gn_graph_meta_set(g, "gannet.task", "box");
    gn_graph_meta_set(g, "gannet.imgsz", "16,16");
    gn_graph_meta_set(g, "gannet.decode", "box_xyxy01");
    gn_graph_meta_set(g, "gannet.names", "[\"face\", \"\\\"quoted\\\"\"]");
    return g;
}

double *fixture_run(const gn_graph *graph, int n, int64_t *count_out)
{
    gn_graph *g = NULL;
    gn_error err = {0};
    assert_int_equal(gn_graph_clone(graph, false, &g), GN_OK);
    int input = gn_graph_input(g, 0);
    gn_shape shape = gn_graph_value(g, input)->shape;
    shape.dim[0] = n;
    assert_int_equal(gn_graph_set_input_shape(g, input, &shape), GN_OK);
    if (gn_graph_infer(g, &err) != GN_OK)
        fail_msg("%s", err.message);
    gn_interpret *it = NULL;
    assert_int_equal(gn_interpret_create(g, GN_DTYPE_F64, &it, &err), GN_OK);
    int64_t count = gn_shape_count(&shape);
    double *x = gn_calloc((size_t)count, sizeof *x);
    for (int64_t i = 0; i < count; i++)
        x[i] = fixture_number(99, i);
    gn_interpret_set(it, input, x);
    gn_free(x);
    if (gn_interpret_run(it, &err) != GN_OK)
        fail_msg("%s", err.message);
    const gn_tensor *y = gn_interpret_get(it, gn_graph_output(g, 0));
    assert_non_null(y);
    *count_out = gn_tensor_count(y);
    double *result = gn_calloc((size_t)*count_out, sizeof *result);
    for (int64_t i = 0; i < *count_out; i++)
        result[i] = gn_tensor_get(y, i);
    gn_interpret_destroy(&it);
    gn_graph_destroy(&g);
    return result;
}

double fixture_difference(const gn_graph *a, const gn_graph *b, int n)
{
    int64_t n_a = 0, n_b = 0;
    double *x = fixture_run(a, n, &n_a), *y = fixture_run(b, n, &n_b), worst = 0;
    assert_int_equal(n_a, n_b);
    for (int64_t i = 0; i < n_a; i++) {
        double d = x[i] > y[i] ? x[i] - y[i] : y[i] - x[i];
        worst = d > worst || d != d ? d : worst;
    }
    gn_free(x);
    gn_free(y);
    return worst;
}

/* ---- memory ---- */

typedef struct counter {
    int64_t left; /* allocations until the one that fails */
    int64_t live;
} counter;

static void *counted_alloc(void *ctx, size_t bytes, size_t align)
{
    counter *c = ctx;
    if (c->left == 0)
        return NULL;
    c->left--;
    void *p = aligned_alloc(align, (bytes + align - 1) / align * align);
    c->live += p != NULL;
    return p;
}

static void counted_free(void *ctx, void *ptr)
{
    ((counter *)ctx)->live -= ptr != NULL;
    free(ptr);
}

int64_t fixture_fail_each_allocation(gn_status (*step)(void *ctx), void *ctx)
{
    counter c = {0};
    gn_allocator allocator = {counted_alloc, counted_free, &c};
    gn_set_allocator(&allocator);
    gn_status status = GN_ENOMEM;
    int64_t k = 0;
    for (; k < 100000 && status != GN_OK; k++) {
        c.left = k;
        status = step(ctx);
        assert_true(status == GN_OK || status == GN_ENOMEM);
        assert_int_equal(c.live, 0);
    }
    gn_set_allocator(NULL);
    assert_int_equal(status, GN_OK);
    return k - 1;
}

/* ---- wire format ---- */

void wire_varint(gn_text *t, uint64_t x)
{
    do {
        uint8_t byte = (uint8_t)((x & 0x7f) | (x > 0x7f ? 0x80 : 0));
        gn_text_add_bytes(t, &byte, 1);
        x >>= 7;
    } while (x);
}

void wire_int(gn_text *t, int field, int64_t x)
{
    wire_varint(t, (uint64_t)field << 3);
    wire_varint(t, (uint64_t)x);
}

void wire_float(gn_text *t, int field, float x)
{
    wire_varint(t, (uint64_t)field << 3 | 5);
    gn_text_add_bytes(t, &x, sizeof x);
}

void wire_bytes(gn_text *t, int field, const void *data, size_t n)
{
    wire_varint(t, (uint64_t)field << 3 | 2);
    wire_varint(t, n);
    gn_text_add_bytes(t, data, n);
}

void wire_string(gn_text *t, int field, const char *s)
{
    wire_bytes(t, field, s, strlen(s));
}

void wire_message(gn_text *t, int field, gn_text *message)
{
    wire_bytes(t, field, message->data ? message->data : "", message->len);
    gn_text_deinit(message);
}

void onnx_value(gn_text *graph, int field, const char *name, const int64_t *dims, int n_dims)
{
    onnx_value_of(graph, field, name, ONNX_FLOAT, dims, n_dims);
}

void onnx_value_of(gn_text *graph, int field, const char *name, int type_number, const int64_t *dims, int n_dims)
{
    gn_text value, type, tensor, shape;
    gn_text_init(&value);
    gn_text_init(&type);
    gn_text_init(&tensor);
    gn_text_init(&shape);
    for (int i = 0; i < n_dims; i++) {
        gn_text dim;
        gn_text_init(&dim);
        if (dims[i] < 0)
            wire_string(&dim, 2, dims[i] == -1 ? "N" : "size");
        else
            wire_int(&dim, 1, dims[i]);
        wire_message(&shape, 1, &dim);
    }
    wire_int(&tensor, 1, type_number);
    wire_message(&tensor, 2, &shape);
    wire_message(&type, 1, &tensor);
    wire_string(&value, 1, name);
    wire_message(&value, 2, &type);
    wire_message(graph, field, &value);
}

void onnx_node(gn_text *graph, const char *op, const char *name, const char *const *in, int n_in,
               const char *const *out, int n_out, gn_text *attrs)
{
    gn_text node;
    gn_text_init(&node);
    for (int i = 0; i < n_in; i++)
        wire_string(&node, 1, in[i]);
    for (int i = 0; i < n_out; i++)
        wire_string(&node, 2, out[i]);
    wire_string(&node, 3, name);
    wire_string(&node, 4, op);
    if (attrs) {
        gn_text_add_bytes(&node, attrs->data ? attrs->data : "", attrs->len);
        gn_text_deinit(attrs);
    }
    wire_message(graph, ONNX_NODE, &node);
}

static void put_attr(gn_text *attrs, const char *name, int type, gn_text *value)
{
    gn_text attr;
    gn_text_init(&attr);
    wire_string(&attr, 1, name);
    gn_text_add_bytes(&attr, value->data, value->len);
    wire_int(&attr, 20, type);
    gn_text_deinit(value);
    wire_message(attrs, 5, &attr);
}

void onnx_attr_int(gn_text *attrs, const char *name, int64_t x)
{
    gn_text value;
    gn_text_init(&value);
    wire_int(&value, 3, x);
    put_attr(attrs, name, 2, &value);
}

void onnx_attr_float(gn_text *attrs, const char *name, float x)
{
    gn_text value;
    gn_text_init(&value);
    wire_float(&value, 2, x);
    put_attr(attrs, name, 1, &value);
}

void onnx_attr_string(gn_text *attrs, const char *name, const char *x)
{
    gn_text value;
    gn_text_init(&value);
    wire_string(&value, 4, x);
    put_attr(attrs, name, 3, &value);
}

void onnx_attr_ints(gn_text *attrs, const char *name, const int64_t *x, int n)
{
    gn_text value;
    gn_text_init(&value);
    for (int i = 0; i < n; i++)
        wire_int(&value, 8, x[i]);
    put_attr(attrs, name, 7, &value);
}

void onnx_tensor(gn_text *graph, int field, const char *name, int type, const int64_t *dims, int n_dims,
                 const void *raw, size_t n)
{
    gn_text tensor;
    gn_text_init(&tensor);
    for (int i = 0; i < n_dims; i++)
        wire_int(&tensor, 1, dims[i]);
    wire_int(&tensor, 2, type);
    wire_string(&tensor, 8, name);
    wire_bytes(&tensor, 9, raw, n);
    wire_message(graph, field, &tensor);
}

gn_text onnx_model(int opset, gn_text *graph)
{
    gn_text model, import;
    gn_text_init(&model);
    gn_text_init(&import);
    wire_int(&model, 1, 7);
    wire_string(&import, 1, "");
    wire_int(&import, 2, opset);
    wire_message(&model, 8, &import);
    wire_message(&model, 7, graph);
    return model;
}

/* ---- files ---- */

static char folder[256];

const char *fixture_folder(void)
{
    if (!*folder) {
        const char *tmp = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%s/gannet-formats-XXXXXX", tmp && *tmp ? tmp : "/tmp");
        assert_non_null(mkdtemp(folder));
    }
    return folder;
}

const char *fixture_path(const char *name)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", fixture_folder(), name);
    return path;
}

void fixture_remove_folder(void)
{
    gn_arena *arena = gn_arena_create(0);
    const char **names = NULL;
    size_t n = 0;
    if (*folder && gn_list_dir(folder, arena, &names, &n, NULL) == GN_OK)
        for (size_t i = 0; i < n; i++)
            unlink(fixture_path(names[i]));
    gn_arena_destroy(&arena);
    if (*folder)
        rmdir(folder);
    *folder = '\0';
}
