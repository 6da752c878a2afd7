/* Each operator that some opset spells otherwise, or not at all: written at every opset from 11 to 21, whole and taken apart, read
 * again, and run by the references before and after.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "format_fixture.h"
#include "formats/onnx/onnx_format.h"
#include "graph/op.h"
#include "ops/ops.h"

/* lines: of the graph's text form between input "x" [?,4,6,5] and output "y".  lowest: opset that can say it; lower ones are refused.
 * apart: an operator that stands for it when it is taken apart at opset 13; NULL: it is written as it is. */
static const struct op_case {
    const char *name, *lines;
    int lowest;
    const char *apart;
} cases[] = {
    {"hard_swish",
     "const \"five\" f32 [] = 5\nnode \"Mul\" \"\" \"m\" (\"x\" \"five\") -> (\"s\") {}\n"
     "node \"HardSwish\" \"\" \"n\" (\"s\") -> (\"y\") {}\n",
     11, "HardSigmoid"},
    {"silu", "node \"Silu\" \"gannet\" \"n\" (\"x\") -> (\"y\") {}\n", 11, "Sigmoid"},
    {"gelu",
     "const \"five\" f32 [] = 5\nnode \"Mul\" \"\" \"m\" (\"x\" \"five\") -> (\"s\") {}\n"
     "node \"Gelu\" \"\" \"n\" (\"s\") -> (\"y\") {}\n",
     11, "Erf"},
    {"gelu_tanh", "node \"Gelu\" \"\" \"n\" (\"x\") -> (\"y\") {approximate: string \"tanh\"}\n", 11, "Tanh"},
    {"layer_norm",
     "const \"s\" f32 [5] = 1 2 3 4 5\nconst \"b\" f32 [5] = 0.5 0 1 0 -1\n"
     "node \"LayerNormalization\" \"\" \"n\" (\"x\" \"s\" \"b\") -> (\"y\") {axis: int -1; epsilon: float 0.001}\n",
     11, "Sqrt"},
    {"layer_norm_2_axes",
     "const \"s\" f32 [6,5] = 1 2 3 4 5 1 2 3 4 5 1 2 3 4 5 1 2 3 4 5 1 2 3 4 5 1 2 3 4 5\n"
     "node \"LayerNormalization\" \"\" \"n\" (\"x\" \"s\") -> (\"y\") {axis: int 2}\n",
     11, "Sqrt"},
    {"channel_shuffle", "node \"ChannelShuffle\" \"gannet\" \"n\" (\"x\") -> (\"y\") {groups: int 2}\n", 11,
     "Transpose"},
    {"channels_last",
     "node \"ChannelsLast\" \"gannet\" \"a\" (\"x\") -> (\"l\") {}\n"
     "node \"ChannelsFirst\" \"gannet\" \"n\" (\"l\") -> (\"y\") {}\n",
     11, "Transpose"},
    {"adaptive_pool", "node \"AdaptiveAveragePool\" \"gannet\" \"n\" (\"x\") -> (\"y\") {output_size: ints 4 2}\n", 11,
     "MatMul"},
    {"greater_or_equal",
     "const \"t\" f32 [] = 0.25\nnode \"GreaterOrEqual\" \"\" \"n\" (\"x\" \"t\") -> (\"c\") {}\n"
     "node \"Cast\" \"\" \"k\" (\"c\") -> (\"y\") {to: int 1}\n",
     11, NULL},
    {"less_or_equal",
     "const \"t\" f32 [] = 0.25\nnode \"LessOrEqual\" \"\" \"n\" (\"x\" \"t\") -> (\"c\") {}\n"
     "node \"Cast\" \"\" \"k\" (\"c\") -> (\"y\") {to: int 1}\n",
     11, NULL},
    {"softmax_channels", "node \"Softmax\" \"\" \"n\" (\"x\") -> (\"y\") {axis: int 1}\n", 11, NULL},
    {"softmax_last", "node \"Softmax\" \"\" \"n\" (\"x\") -> (\"y\") {axis: int -1}\n", 11, NULL},
    {"log_softmax", "node \"LogSoftmax\" \"\" \"n\" (\"x\") -> (\"y\") {axis: int 2}\n", 11, NULL},
    {"clip",
     "const \"lo\" f32 [] = -0.25\nconst \"hi\" f32 [] = 0.5\nnode \"Clip\" \"\" \"n\" (\"x\" \"lo\" \"hi\") -> "
     "(\"y\") {}\n",
     11, NULL},
    {"clip_above", "const \"hi\" f32 [] = 0.5\nnode \"Clip\" \"\" \"n\" (\"x\" - \"hi\") -> (\"y\") {}\n", 11, NULL},
    {"squeeze",
     "const \"a\" s64 [1] = 1\nnode \"Unsqueeze\" \"\" \"u\" (\"x\" \"a\") -> (\"u\") {}\nnode \"Relu\" \"\" \"r\" "
     "(\"u\") -> (\"v\") "
     "{}\nnode \"Squeeze\" \"\" \"n\" (\"v\" \"a\") -> (\"y\") {}\n",
     11, NULL},
    {"reduce_mean", "node \"ReduceMean\" \"\" \"n\" (\"x\") -> (\"y\") {axes: ints 2 3; keepdims: int 0}\n", 11, NULL},
    {"reduce_mean_input",
     "const \"a\" s64 [2] = 1 3\nnode \"ReduceMean\" \"\" \"n\" (\"x\" \"a\") -> (\"y\") {keepdims: int 1}\n", 11,
     NULL},
    {"reduce_sum",
     "const \"a\" s64 [1] = 1\nnode \"ReduceSum\" \"\" \"n\" (\"x\" \"a\") -> (\"y\") {keepdims: int 0}\n", 11, NULL},
    {"reduce_max", "node \"ReduceMax\" \"\" \"n\" (\"x\") -> (\"y\") {axes: ints -1}\n", 11, NULL},
    {"split_sizes",
     "const \"p\" s64 [2] = 1 3\nnode \"Split\" \"\" \"n\" (\"x\" \"p\") -> (\"a\" \"b\") {axis: int 1}\n"
     "node \"Concat\" \"\" \"c\" (\"b\" \"a\") -> (\"y\") {axis: int 1}\n",
     11, NULL},
    {"split_halves",
     "node \"Split\" \"\" \"n\" (\"x\") -> (\"a\" \"b\") {axis: int 1}\n"
     "node \"Add\" \"\" \"c\" (\"b\" \"a\") -> (\"y\") {}\n",
     11, NULL},
    /* Results that nothing reads are results all the same. */
    {"split_unread",
     "node \"Split\" \"\" \"n\" (\"x\") -> (\"a\" \"b\") {axis: int 1}\n"
     "node \"Relu\" \"\" \"c\" (\"a\") -> (\"y\") {}\n",
     11, NULL},
    {"split_sizes_unread",
     "const \"p\" s64 [2] = 1 3\nnode \"Split\" \"\" \"n\" (\"x\" \"p\") -> (\"a\" \"b\") {axis: int 1}\n"
     "node \"Relu\" \"\" \"c\" (\"a\") -> (\"y\") {}\n",
     11, NULL},
    {"top_k_unread", "const \"k\" s64 [1] = 3\nnode \"TopK\" \"\" \"n\" (\"x\" \"k\") -> (\"y\" \"i\") {axis: int 3}\n",
     11, NULL},
    {"reshape", "const \"d\" s64 [3] = 0 -1 10\nnode \"Reshape\" \"\" \"n\" (\"x\" \"d\") -> (\"y\") {}\n", 11, NULL},
    {"reshape_by_shape",
     "node \"Shape\" \"\" \"s\" (\"x\") -> (\"sh\") {}\nconst \"zero\" s64 [1] = 0\nconst \"rest\" s64 [1] = 120\n"
     "node \"Gather\" \"\" \"g\" (\"sh\" \"zero\") -> (\"batch\") {axis: int 0}\n"
     "node \"Concat\" \"\" \"c\" (\"batch\" \"rest\") -> (\"target\") {axis: int 0}\n"
     "node \"Reshape\" \"\" \"n\" (\"x\" \"target\") -> (\"y\") {}\n",
     11, NULL},
    {"shape_of_some",
     "node \"Shape\" \"\" \"s\" (\"x\") -> (\"sh\") {start: int 0; end: int 2}\nconst \"rest\" s64 [1] = 30\n"
     "node \"Concat\" \"\" \"c\" (\"sh\" \"rest\") -> (\"target\") {axis: int 0}\n"
     "node \"Reshape\" \"\" \"n\" (\"x\" \"target\") -> (\"y\") {}\n",
     11, NULL},
    {"expand_by_shape",
     "node \"Shape\" \"\" \"s\" (\"x\") -> (\"sh\") {}\nconst \"v\" f32 [4,1,1] = 1 2 3 4\n"
     "node \"Expand\" \"\" \"e\" (\"v\" \"sh\") -> (\"w\") {}\nnode \"Add\" \"\" \"n\" (\"x\" \"w\") -> (\"y\") {}\n",
     11, NULL},
    {"pad",
     "const \"p\" s64 [8] = 0 0 1 2 0 0 0 1\nconst \"v\" f32 [] = 0.5\n"
     "node \"Pad\" \"\" \"n\" (\"x\" \"p\" \"v\") -> (\"y\") {}\n",
     11, NULL},
    {"pad_axes",
     "const \"p\" s64 [4] = 1 2 0 1\nconst \"v\" f32 [] = 0.5\nconst \"a\" s64 [2] = 2 -1\n"
     "node \"Pad\" \"\" \"n\" (\"x\" \"p\" \"v\" \"a\") -> (\"y\") {}\n",
     11, NULL},
    {"resize_scales",
     "const \"f\" f32 [4] = 1 1 2 2\nnode \"Resize\" \"\" \"n\" (\"x\" - \"f\") -> (\"y\") {mode: string \"nearest\"; "
     "coordinate_transformation_mode: string \"asymmetric\"; nearest_mode: string \"floor\"}\n",
     11, NULL},
    {"resize_sizes",
     "const \"f\" s64 [4] = 1 4 9 7\nconst \"z\" s64 [1] = 0\nconst \"hw\" s64 [2] = 9 7\n"
     "node \"Shape\" \"\" \"s\" (\"x\") -> (\"sh\") {start: int 0; end: int 2}\n"
     "node \"Concat\" \"\" \"c\" (\"sh\" \"hw\") -> (\"target\") {axis: int 0}\n"
     "node \"Resize\" \"\" \"n\" (\"x\" - - \"target\") -> (\"y\") {mode: string \"linear\"}\n",
     11, NULL},
    {"average_pool_dilated",
     "node \"AveragePool\" \"\" \"n\" (\"x\") -> (\"y\") {kernel_shape: ints 2 2; dilations: ints 2 1}\n", 19, NULL},
    {"arg_max_last",
     "node \"ArgMax\" \"\" \"n\" (\"x\") -> (\"i\") {axis: int 1; select_last_index: int 1}\n"
     "node \"Cast\" \"\" \"k\" (\"i\") -> (\"y\") {to: int 1}\n",
     12, NULL},
    {"dropout", "const \"r\" f32 [] = 0.25\nnode \"Dropout\" \"\" \"n\" (\"x\" \"r\") -> (\"y\") {}\n", 11, NULL},
};

static gn_graph *graph_of(const struct op_case *k)
{
    char text[4096];
    const int n = snprintf(text, sizeof text, "gannet-graph 1\ninput \"x\" f32 [?,4,6,5]\n%soutput \"y\"\n", k->lines);
    gn_graph *graph = NULL;
    gn_error err = {0};
    if (gn_graph_from_text(text, (size_t)n, gn_ops_registry(), &graph, &err) != GN_OK)
        fail_msg("%s: %s", k->name, err.message);
    return graph;
}

static int count_op(const gn_graph *g, const char *op)
{
    int n = 0;
    for (int i = 0; i < gn_graph_node_count(g); i++)
        n += strcmp(gn_graph_node(g, i)->op->name, op) == 0;
    return n;
}

static void expect_at(const struct op_case *k, const gn_graph *graph, const gn_onnx_write_options *o)
{
    void *bytes = NULL;
    size_t n = 0;
    gn_error err = {0};
    const gn_status status = gn_onnx_pack(graph, o, &bytes, &n, &err);
    if (o->opset < k->lowest) {
        assert_int_equal(status, GN_EUNSUPPORTED);
        assert_non_null(strstr(err.message, "opset"));
        assert_non_null(strstr(err.message, "node n ("));
        return;
    }
    gn_graph *back = NULL;
    if (status != GN_OK || gn_onnx_read_bytes(bytes, n, "packed", NULL, &back, &err) != GN_OK)
        fail_msg("%s at opset %d: %s", k->name, o->opset, err.message);
    gn_free(bytes);
    for (int batch = 1; batch <= (o->batch ? o->batch : 3); batch += 2) {
        const double d = fixture_difference(graph, back, batch);
        if (!(d < 2e-6))
            fail_msg("%s at opset %d, fold %d, decompose %d, batch %d: %g", k->name, o->opset, o->fold, o->decompose,
                     batch, d);
    }
    if (o->opset == GN_ONNX_OPSET_DEFAULT && o->decompose && k->apart)
        assert_true(count_op(back, k->apart) > 0);
    gn_graph_destroy(&back);
}

static void test_every_opset(void **ctx)
{
    (void)ctx;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gn_graph *graph = graph_of(&cases[i]);
        for (int opset = 11; opset <= 21; opset++)
            for (int way = 0; way < 4; way++)
                expect_at(&cases[i], graph,
                          &(gn_onnx_write_options){.opset = opset, .fold = way & 1, .decompose = way & 2});
        expect_at(&cases[i], graph, &(gn_onnx_write_options){.opset = 19, .fold = true, .batch = 1});
        gn_graph_destroy(&graph);
    }
}

/* What depends on nothing but shapes is stored, for any batch: no Shape is left, and no node that worked on it. */
static void test_shapes_are_folded(void **ctx)
{
    (void)ctx;
    static const char *const names[] = {"reshape_by_shape", "shape_of_some", "expand_by_shape"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            if (strcmp(cases[k].name, names[i]) != 0)
                continue;
            gn_graph *graph = graph_of(&cases[k]), *back = NULL;
            void *bytes = NULL;
            size_t n = 0;
            assert_int_equal(gn_onnx_pack(graph, &(gn_onnx_write_options){.fold = true}, &bytes, &n, NULL), GN_OK);
            assert_int_equal(gn_onnx_read_bytes(bytes, n, "packed", NULL, &back, NULL), GN_OK);
            if (i < 2) {
                assert_int_equal(gn_graph_node_count(back), 1);
                assert_int_equal(count_op(back, "Reshape"), 1);
            }
            assert_int_equal(gn_graph_value(back, gn_graph_input(back, 0))->shape.dim[0], -1);
            gn_free(bytes);
            gn_graph_destroy(&graph);
            gn_graph_destroy(&back);
        }
}

/* Without options the lowest opset is taken that has every operator. */
static void test_lowest_opset(void **ctx)
{
    (void)ctx;
    static const struct {
        const char *name, *op;
    } whole[] = {{"hard_swish", "HardSwish"}, {"gelu", "Gelu"}, {"layer_norm", "LayerNormalization"}};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            if (strcmp(cases[k].name, whole[i].name) != 0)
                continue;
            gn_graph *graph = graph_of(&cases[k]), *back = NULL;
            void *bytes = NULL;
            size_t n = 0;
            assert_int_equal(gn_onnx_pack(graph, NULL, &bytes, &n, NULL), GN_OK);
            assert_int_equal(gn_onnx_read_bytes(bytes, n, "packed", NULL, &back, NULL), GN_OK);
            assert_int_equal(count_op(back, whole[i].op), 1);
            gn_free(bytes);
            gn_graph_destroy(&graph);
            gn_graph_destroy(&back);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_opset),
        cmocka_unit_test(test_shapes_are_folded),
        cmocka_unit_test(test_lowest_opset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
