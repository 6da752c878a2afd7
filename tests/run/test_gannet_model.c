/* The runtime's public interface: memory of an open model, batches in pieces, answers and codes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "formats/onnx/onnx_format.h"
#include "gannet/gannet.h"
#include "ops/ops.h"
#include "run_fixture.h"

#define SIDE 8

static const float weight[6] = {1, 0, 0, 0, 1, -1}, bias[2] = {0.5f, 0};

static void *pack(const gn_graph *graph, size_t *n_out)
{
    void *bytes = NULL;
    gn_error err = {0};
    if (gn_onnx_pack(graph, NULL, &bytes, n_out, &err) != GN_OK)
        fail_msg("%s", err.message);
    return bytes;
}

static gn_model *open_means(int batch)
{
    gn_graph *graph = fixture_means_after_conv(SIDE, SIDE, 2, weight, bias);
    size_t n = 0;
    void *bytes = pack(graph, &n);
    gn_graph_destroy(&graph);
    gn_model *model = NULL;
    gn_message message;
    const gn_model_options options = {.threads = 1, .batch = batch};
    if (gn_model_open_bytes(bytes, n, &options, &model, &message) != 0)
        fail_msg("%s", message.text);
    gn_free(bytes);
    return model;
}

/* Picture i has the colours i+1, 2, -3. */
static float *pictures(int n)
{
    float *x = gn_calloc((size_t)n * 3 * SIDE * SIDE, sizeof *x);
    assert_non_null(x);
    for (int i = 0; i < n * 3 * SIDE * SIDE; i++) {
        const int c = i / (SIDE * SIDE) % 3;
        x[i] = c == 0 ? (float)(i / (3 * SIDE * SIDE) + 1) : c == 1 ? 2.0f : -3.0f;
    }
    return x;
}

/* Any number of pictures gives the same answers, whatever the model was prepared for. */
static void test_batches_in_pieces(void **ctx)
{
    (void)ctx;
    static const int batches[] = {0, 1, 3};
    for (size_t k = 0; k < 3; k++) {
        gn_model *model = open_means(batches[k]);
        for (int n = 1; n <= 8; n++) {
            float *x = pictures(n);
            const float *y = NULL;
            int64_t per_item = 0;
            gn_message message;
            assert_int_equal(gn_model_run(model, x, n, &y, &per_item, &message), 0);
            assert_int_equal(per_item, 2);
            for (int i = 0; i < n; i++) {
                assert_true(y[2 * i] > (float)i + 1.4999f && y[2 * i] < (float)i + 1.5001f);
                assert_true(y[2 * i + 1] > 4.999f && y[2 * i + 1] < 5.001f);
            }
            gn_free(x);
        }
        gn_model_close(&model);
        assert_null(model);
    }
}

static void test_wrong_batches_are_told(void **ctx)
{
    (void)ctx;
    gn_model *model = open_means(0);
    const float *y = NULL;
    int64_t per_item = 0;
    gn_message message = {0};
    float *x = pictures(1);
    assert_int_not_equal(gn_model_run(model, x, 0, &y, &per_item, &message), 0);
    assert_non_null(strstr(message.text, "a batch of 0"));
    assert_int_not_equal(gn_model_run(model, x, 5000, &y, &per_item, &message), 0);
    assert_null(y);
    gn_free(x);
    gn_model_close(&model);
    gn_graph *graph = fixture_means(SIDE, SIDE, 2, weight, bias);
    size_t n = 0;
    void *bytes = pack(graph, &n);
    gn_graph_destroy(&graph);
    assert_int_not_equal(gn_model_open_bytes(bytes, n, &(gn_model_options){.batch = -1}, &model, &message), 0);
    assert_null(model);
    assert_non_null(strstr(message.text, "a batch of -1"));
    gn_free(bytes);
}

/* Three convolutions and a matrix: 8 MB of weights, little else. */
static gn_graph *heavy_graph(void)
{
    gn_graph *g = NULL;
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
    const gn_shape shape = gn_shape_make(4, -1, 3, 8, 8), last = gn_shape_make(2, 1000, 256);
    int x = gn_graph_add_input(g, "images", GN_DTYPE_F32, &shape);
    const int64_t pads[4] = {1, 1, 1, 1};
    const gn_attr pad = gn_attr_ints("pads", pads, 4), axis = gn_attr_int("axis", 1), trans = gn_attr_int("transB", 1);
    for (int i = 0; i < 4; i++) {
        const gn_shape w = gn_shape_make(4, 256, i == 0 ? 3 : 256, 3, 3);
        const int in[2] = {x, gn_graph_add_state(g, "w", GN_DTYPE_F32, &w, true)};
        x = gn_graph_add_op(g, "Conv", "", "conv", in, 2, &pad, 1);
        x = gn_graph_add_op(g, "Relu", "", "relu", &x, 1, NULL, 0);
    }
    x = gn_graph_add_op(g, "GlobalAveragePool", "", "mean", &x, 1, NULL, 0);
    x = gn_graph_add_op(g, "Flatten", "", "flat", &x, 1, &axis, 1);
    const int in[2] = {x, gn_graph_add_state(g, "m", GN_DTYPE_F32, &last, true)};
    x = gn_graph_add_op(g, "Gemm", "", "last", in, 2, &trans, 1);
    assert_int_equal(gn_graph_error(g, NULL), GN_OK);
    assert_int_equal(gn_graph_add_output(g, x), GN_OK);
    return g;
}

static size_t weight_bytes(const gn_graph *graph)
{
    size_t bytes = 0;
    for (int i = 0; i < gn_graph_value_count(graph); i++) {
        const gn_value *v = gn_graph_value(graph, i);
        bytes += v->kind == GN_VALUE_STATE ? gn_tensor_bytes(v->data) : 0;
    }
    return bytes;
}

/* Filters of 3 x 3 may be held as the 4 x 4 numbers that Winograd's tiles take. */
#define MOST_GROWTH (16.0 / 9)

/* An open model holds its weights once: packed. */
static void test_weights_are_held_once(void **ctx)
{
    (void)ctx;
    gn_graph *graph = heavy_graph();
    const double weights = (double)weight_bytes(graph);
    size_t n = 0;
    void *bytes = pack(graph, &n);
    gn_graph_destroy(&graph);
    const uint64_t before = gn_memory_stats_get().live_bytes;
    gn_model *model = NULL;
    gn_message message;
    assert_int_equal(gn_model_open_bytes(bytes, n, &(gn_model_options){.threads = 1}, &model, &message), 0);
    const double open = (double)(gn_memory_stats_get().live_bytes - before);
    const float *y = NULL;
    int64_t per_item = 0;
    float *x = gn_calloc(3 * SIDE * SIDE, sizeof *x);
    assert_int_equal(gn_model_run(model, x, 1, &y, &per_item, &message), 0);
    gn_free(x);
    const double run = (double)(gn_memory_stats_get().live_bytes - before);
    print_message("weights %.1f MB, open %.1f MB, after a run %.1f MB\n", weights / 1e6, open / 1e6, run / 1e6);
    assert_true(open > 0.9 * weights && open < 1.05 * MOST_GROWTH * weights); /* both forms: 2.7 times */
    assert_true(run < 1.05 * MOST_GROWTH * weights);
    gn_model_close(&model);
    assert_int_equal(gn_memory_stats_get().live_bytes, before);
    gn_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_in_pieces),
        cmocka_unit_test(test_wrong_batches_are_told),
        cmocka_unit_test(test_weights_are_held_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
