/* Modules and activations: what they compute on numbers that one can check by hand, and which operators an exchanged activation becomes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "graph/op.h"
#include "ops/interpret.h"
#include "ops/ops.h"
#include "zoo/modules.h"
#include "zoo/zoo.h"

/* ---- modules ---- */

typedef struct bench {
    gn_graph *graph;
    gn_blocks blocks;
    gn_feature x;
} bench;

static bench begin(int C, int H, int W)
{
    bench t = {0};
    const gn_shape shape = gn_shape_make(4, 1, C, H, W);
    assert_int_equal(gn_graph_create(gn_ops_registry(), &t.graph), GN_OK);
    t.blocks = (gn_blocks){.graph = t.graph, .norm_epsilon = 1e-5f, .norm_momentum = 0.1f, .width = 1};
    t.x = (gn_feature){gn_graph_add_input(t.graph, "x", GN_DTYPE_F32, &shape), C, H, W, 1};
    return t;
}

/* Contents of y when x counts 1, 2, 3, ..., or is 1 in the middle and 0 elsewhere. */
static void run(bench *t, gn_feature y, bool is_impulse, double *out, int n)
{
    gn_interpret *it = NULL;
    gn_tensor *x = NULL;
    gn_error err = {0};
    assert_int_equal(gn_graph_add_output(t->graph, y.value), GN_OK);
    if (gn_graph_error(t->graph, &err) != GN_OK || gn_interpret_create(t->graph, GN_DTYPE_F64, &it, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(gn_tensor_create(GN_DTYPE_F32, &gn_graph_value(t->graph, t->x.value)->shape, &x), GN_OK);
    const int64_t count = gn_tensor_count(x);
    for (int64_t i = 0; i < count; i++)
        ((float *)x->data)[i] = is_impulse ? (float)(i == count / 2) : (float)(i + 1);
    assert_int_equal(gn_interpret_set_tensor(it, t->x.value, x), GN_OK);
    if (gn_interpret_run(it, &err) != GN_OK)
        fail_msg("%s", err.message);
    const gn_tensor *got = gn_interpret_get(it, y.value);
    assert_int_equal(gn_tensor_count(got), n);
    const gn_shape expected = gn_shape_make(4, 1, y.C, y.H, y.W);
    assert_true(gn_shape_equal(&got->shape, &expected)); /* the builder's sizes are the graph's */
    for (int i = 0; i < n; i++)
        out[i] = gn_tensor_get(got, i);
    gn_tensor_destroy(&x);
    gn_interpret_destroy(&it);
    gn_graph_destroy(&t->graph);
}

static void set_weight(bench *t, const char *name, const float *x)
{
    gn_tensor *weight = gn_graph_value(t->graph, gn_graph_find_value(t->graph, name))->data;
    memcpy(weight->data, x, gn_tensor_bytes(weight));
}

static void shuffle_takes_turns(void **state)
{
    (void)state;
    bench t = begin(6, 1, 1);
    static const double expected[6] = {1, 4, 2, 5, 3, 6};
    double got[6];
    run(&t, gn_module_shuffle(&t.blocks, "shuffle", t.x, 2), false, got, 6);
    assert_memory_equal(got, expected, sizeof got);
    t = begin(6, 1, 1);
    static const double of_three[6] = {1, 3, 5, 2, 4, 6};
    run(&t, gn_module_shuffle(&t.blocks, "shuffle", t.x, 3), false, got, 6);
    assert_memory_equal(got, of_three, sizeof got);
}

/* The column 3 4 5 times the row 1 2 3 is the filter 3 6 9, 4 8 12, 5 10 15. */
static void column_and_row_are_one_filter(void **state)
{
    (void)state;
    static const float column[3] = {3, 4, 5}, row[3] = {1, 2, 3};
    static const double flipped[9] = {15, 10, 5, 12, 8, 4, 9, 6, 3}; /* the answer to an impulse */
    bench t = begin(1, 3, 3);
    double got[9];
    const gn_feature y =
        gn_module_spatially_separable(&t.blocks, "separable", t.x, 1, 3, GN_BIAS_NONE, GN_INIT_LECUN_UNIFORM);
    const gn_shape tall = gn_shape_make(4, 1, 1, 3, 1), wide = gn_shape_make(4, 1, 1, 1, 3);
    assert_true(
        gn_shape_equal(&gn_graph_value(t.graph, gn_graph_find_value(t.graph, "separable.0.weight"))->shape, &tall));
    assert_true(
        gn_shape_equal(&gn_graph_value(t.graph, gn_graph_find_value(t.graph, "separable.1.weight"))->shape, &wide));
    set_weight(&t, "separable.0.weight", column);
    set_weight(&t, "separable.1.weight", row);
    run(&t, y, true, got, 9);
    assert_memory_equal(got, flipped, sizeof got);
}

/* Means 1.5 and 3.5; fc1 adds them: 5; fc2 gives -5 and 1.5: sigmoid and hard sigmoid of these weigh the channels. */
static void excitation_weighs_channels(void **state)
{
    (void)state;
    static const float fc1[2] = {1, 1}, fc2[2] = {-1, 0.3f};
    static const char *const gates[2] = {"Sigmoid", "HardSigmoid"};
    for (int i = 0; i < 2; i++) {
        const gn_excitation e = {.squeeze = 1, .bias = GN_BIAS_ZERO, .init = GN_INIT_HE_FAN_OUT, .gate = gates[i]};
        bench t = begin(2, 1, 2);
        double got[4];
        const gn_feature y = gn_module_excite(&t.blocks, "se", t.x, &e);
        set_weight(&t, "se.fc1.weight", fc1);
        set_weight(&t, "se.fc2.weight", fc2);
        run(&t, y, false, got, 4);
        for (int k = 0; k < 4; k++) {
            const double s = 5 * (double)fc2[k / 2];
            const double gate = i == 0 ? 1 / (1 + exp(-s)) : fmin(1, fmax(0, s / 6 + 0.5));
            assert_true(fabs(got[k] - (k + 1) * gate) < 1e-7);
        }
    }
}

static void sizes_are_those_of_the_graph(void **state)
{
    (void)state;
    for (int px = 5; px < 12; px++) {
        bench t = begin(2, px, px + 3);
        const gn_conv_layer down = gn_conv(3, 3, 2, GN_INIT_HE_FAN_OUT);
        gn_feature y = gn_block_conv(&t.blocks, "conv", t.x, &down);
        y = gn_module_fire(&t.blocks, "fire", y, 2, 2);
        y = gn_block_max_pool(&t.blocks, "pool", y, 3, 2, 0, true);
        assert_int_equal(y.stride, 4);
        double got[256];
        run(&t, y, false, got, y.C * y.H * y.W);
    }
}

static void widths_are_rounded_to_eights(void **state)
{
    (void)state;
    assert_int_equal(gn_channels_of_8(1), 8);
    assert_int_equal(gn_channels_of_8(11.2), 16); /* 8 would be more than a tenth less */
    assert_int_equal(gn_channels_of_8(33.6), 32);
    assert_int_equal(gn_channels_of_8(36), 40);
}

/* ---- activations ---- */

static int count_ops(const gn_graph *graph, const char *op)
{
    int n = 0;
    for (int i = 0; i < gn_graph_node_count(graph); i++)
        n += strcmp(gn_graph_node(graph, i)->op->name, op) == 0;
    return n;
}

static gn_graph *build(const char *model, const char *activation)
{
    gn_zoo_options options = gn_zoo_options_default();
    gn_graph *graph = NULL;
    gn_error err = {0};
    options.model = model;
    options.activation = activation;
    options.head = "features";
    options.no_weights = true;
    if (gn_zoo_build(&options, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    return graph;
}

static void activations_are_exchanged(void **state)
{
    (void)state;
    static const struct {
        const char *name, *op;
    } acts[] = {{"relu", "Relu"},    {"leaky_relu", "LeakyRelu"}, {"elu:0.5", "Elu"},   {"gelu", "Gelu"},
                {"silu", "Sigmoid"}, {"hard_swish", "HardSwish"}, {"mish", "Softplus"}, {"relu6", "Clip"}};
    /* MobileNetV2 has 35 of them: one of the first layer, one and 2 x 16 of the blocks, one of the last */
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        gn_graph *graph = build("mobilenet_v2", acts[i].name);
        assert_int_equal(count_ops(graph, acts[i].op), 35);
        assert_int_equal(count_ops(graph, "Clip"), strcmp(acts[i].name, "relu6") == 0 ? 35 : 0);
        assert_string_equal(gn_graph_meta_get(graph, "gannet.activation"), acts[i].name);
        gn_graph_destroy(&graph);
    }
}

/* Gates are no activations: they stay. */
static void gates_stay(void **state)
{
    (void)state;
    gn_graph *own = build("mobilenet_v3_small", NULL), *other = build("mobilenet_v3_small+leaky_relu:0.1", NULL);
    assert_int_equal(count_ops(own, "HardSigmoid"), 9);
    assert_int_equal(count_ops(other, "HardSigmoid"), 9);
    assert_true(count_ops(own, "HardSwish") > 0 && count_ops(own, "Relu") > 0);
    assert_int_equal(count_ops(other, "HardSwish") + count_ops(other, "Relu"), 0);
    assert_int_equal(count_ops(other, "LeakyRelu"), count_ops(own, "HardSwish") + count_ops(own, "Relu"));
    for (int i = 0; i < gn_graph_node_count(other); i++)
        if (strcmp(gn_graph_node(other, i)->op->name, "LeakyRelu") == 0)
            assert_true(gn_node_float(gn_graph_node(other, i), "alpha", 0) == 0.1f);
    gn_graph_destroy(&own);
    gn_graph_destroy(&other);
}

static void names_are_understood(void **state)
{
    (void)state;
    static const char *const good[] = {"alexnet", "mobilenet_v1@0.25", "mobilenet_v1@0.25+leaky_relu:0.1",
                                       "resnet18+silu"};
    static const char *const bad[] = {"alexnet@0.5",     "resnet18+",       "resnet18+sillu",
                                      "resnet18+relu:1", "resnet18+elu:-1", "resnet18+leaky_relu:x",
                                      "mobilenet_v1@",   "resnet",          "",
                                      "resnet18@+relu"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(gn_zoo_knows(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(gn_zoo_knows(bad[i]));
    gn_act act;
    gn_error err = {0};
    assert_int_equal(gn_act_parse("swish", &act, &err), GN_EINVAL);
    assert_non_null(strstr(err.message, "hard_swish"));
}

static void feature_widths_follow_the_width(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int width;
    } rows[] = {{"mobilenet_v1", 1024},     {"mobilenet_v1@0.25", 256}, {"mobilenet_v2@0.35", 1280},
                {"mobilenet_v2@1.4", 1792}, {"vgg11", 25088},           {"regnet_y_400mf", 440}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int width = 0;
        assert_int_equal(gn_zoo_feature_width(rows[i].model, &width, NULL), GN_OK);
        assert_int_equal(width, rows[i].width);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shuffle_takes_turns),
        cmocka_unit_test(column_and_row_are_one_filter),
        cmocka_unit_test(excitation_weighs_channels),
        cmocka_unit_test(sizes_are_those_of_the_graph),
        cmocka_unit_test(widths_are_rounded_to_eights),
        cmocka_unit_test(activations_are_exchanged),
        cmocka_unit_test(gates_stay),
        cmocka_unit_test(names_are_understood),
        cmocka_unit_test(feature_widths_follow_the_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
