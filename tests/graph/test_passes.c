/* Rewrites of graphs: order, pruning, constants, the inference and the training form.  What outputs mean stays the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "graph/graph_internal.h"
#include "graph/passes.h"
#include "graph_fixture.h"

static int position(const gn_graph *graph, int value)
{
    return gn_graph_value(graph, value)->producer;
}

/* ---- order ---- */

static void cycles_are_named(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    gn_error err = {0};
    int x = fixture_input(graph, "x", gn_shape_make(1, 3));
    int first = gn_graph_add_op(graph, "Relu", "", "harmless", &x, 1, NULL, 0);
    int a = gn_graph_add_op(graph, "Add", "", "after", (const int[]){first, x}, 2, NULL, 0);
    int b = gn_graph_add_op(graph, "Sigmoid", "", "ring.1", &first, 1, NULL, 0);
    int c = gn_graph_add_op(graph, "Relu", "", "ring.2", &b, 1, NULL, 0);
    gn_graph_node_mut(graph, position(graph, a))->in[0] = c; /* "after" waits for the ring without being part of it */
    gn_graph_node_mut(graph, position(graph, b))->in[0] = c;
    gn_graph_add_output(graph, a);
    assert_int_equal(gn_graph_sort(graph, &err), GN_EFORMAT);
    assert_non_null(strstr(err.message, "ring."));
    assert_non_null(strstr(err.message, "cycle"));
    gn_graph_destroy(&graph);
}

static void readers_of_a_state_precede_its_update(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    gn_error err = {0};
    int s = fixture_state(graph, "s", gn_shape_make(2, 2, 3)), x = fixture_input(graph, "x", gn_shape_make(2, 2, 3));
    int next = fixture_binary(graph, "Add", s, x); /* stands first in the list */
    int used = fixture_binary(graph, "Mul", next, x);
    int direct = fixture_unary(graph, "Relu", s);
    int viewed = fixture_unary(graph, "Flatten", s), again = fixture_unary(graph, "Relu", viewed);
    gn_graph_add_update(graph, s, next);
    assert_int_equal(gn_graph_sort(graph, &err), GN_OK);
    assert_true(position(graph, direct) < position(graph, next));
    assert_true(position(graph, again) < position(graph, next));
    assert_true(position(graph, next) < position(graph, used));
    assert_int_equal(gn_graph_check(graph, &err), GN_OK);
    gn_graph_destroy(&graph);
}

static void order_is_kept_among_free_nodes(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    gn_error err = {0};
    int x = fixture_input(graph, "x", gn_shape_make(1, 3)), made[40];
    for (int i = 0; i < 40; i++)
        made[i] = fixture_unary(graph, "Relu", i % 7 == 0 ? x : made[i - 1]);
    assert_int_equal(gn_graph_sort(graph, &err), GN_OK);
    for (int i = 0; i < 40; i++)
        assert_int_equal(position(graph, made[i]), i);
    gn_graph_destroy(&graph);
}

/* ---- pruning and constants ---- */

static void pruning_keeps_outputs_and_updates(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    gn_error err = {0};
    int x = fixture_input(graph, "x", gn_shape_make(1, 3)), s = fixture_state(graph, "s", gn_shape_make(1, 3));
    int kept = fixture_unary(graph, "Relu", x), dead = fixture_unary(graph, "Sigmoid", kept);
    fixture_unary(graph, "Relu", dead);
    int renewed = fixture_binary(graph, "Add", s, kept);
    gn_graph_add_update(graph, s, renewed);
    gn_graph_add_output(graph, kept);
    assert_int_equal(gn_pass_prune(graph), GN_OK);
    assert_int_equal(gn_graph_node_count(graph), 2);
    assert_int_equal(fixture_count(graph, "Sigmoid"), 0);
    assert_int_equal(gn_graph_value(graph, dead)->producer, -1);
    assert_int_equal(gn_graph_check(graph, &err), GN_OK);
    gn_graph_destroy(&graph);
}

static void constants_are_folded(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    gn_error err = {0};
    const float a[3] = {1, 2, 3}, b[3] = {10, 20, 30};
    int x = fixture_input(graph, "x", gn_shape_make(1, 3));
    int sum = fixture_binary(graph, "Add", gn_graph_add_const_f32(graph, "a", 3, a),
                             gn_graph_add_const_f32(graph, "b", 3, b));
    int doubled = fixture_binary(graph, "Add", sum, sum);
    int y = fixture_binary(graph, "Mul", doubled, x);
    gn_graph_add_output(graph, y);
    gn_graph_add_output(graph, sum);
    assert_int_equal(gn_pass_fold_constants(graph, &err), GN_OK);
    assert_int_equal(gn_graph_node_count(graph), 1);
    const gn_value *folded = gn_graph_value(graph, doubled);
    assert_int_equal(folded->kind, GN_VALUE_CONST);
    assert_true(((const float *)folded->data->data)[2] == 66.0f);
    gn_interpret *it = fixture_interpret(graph);
    assert_true(gn_tensor_get(gn_interpret_get(it, sum), 1) == 22.0);
    gn_interpret_destroy(&it);
    gn_graph_destroy(&graph);
}

static void a_constant_update_is_not_folded(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    gn_error err = {0};
    const float a[3] = {-1, 2, 3};
    int s = fixture_state(graph, "s", gn_shape_make(1, 3));
    gn_graph_add_update(graph, s, fixture_unary(graph, "Relu", gn_graph_add_const_f32(graph, "a", 3, a)));
    assert_int_equal(gn_pass_fold_constants(graph, &err), GN_OK);
    assert_int_equal(gn_graph_node_count(graph), 1);
    gn_graph_destroy(&graph);
}

/* ---- the inference form ---- */

/* Runs the pass on a copy and compares; the copy is returned. */
static gn_graph *infer_alike(gn_graph *graph)
{
    gn_graph *fused = NULL;
    gn_error err = {0};
    assert_int_equal(gn_graph_clone(graph, true, &fused), GN_OK);
    if (gn_pass_inference(fused, &err) != GN_OK)
        fail_msg("%s", err.message);
    if (gn_graph_check(fused, &err) != GN_OK)
        fail_msg("%s", err.message);
    for (int i = 0; i < gn_graph_output_count(graph); i++)
        assert_string_equal(gn_graph_value(fused, gn_graph_output(fused, i))->name,
                            gn_graph_value(graph, gn_graph_output(graph, i))->name);
    /* scale and shift are rounded to f32 once, so a fused network of depth d agrees to about d * 2^-24 */
    double d = fixture_output_difference(graph, fused);
    if (!(d < 1e-5))
        fail_msg("the inference form differs by %g", d);
    return fused;
}

/* Statistics whose scale and shift are exact in f32: var + epsilon = 4, so that both forms agree to the last digits of f64. */
static void exact_batch_norms(gn_graph *graph)
{
    for (int i = 0; i < gn_graph_node_count(graph); i++) {
        const gn_node *node = gn_graph_node(graph, i);
        if (strcmp(node->op->name, "BatchNormalization") != 0)
            continue;
        gn_attr epsilon = gn_attr_float("epsilon", 0.25f);
        assert_int_equal(gn_node_set_attr(graph, gn_graph_node_mut(graph, i), &epsilon), GN_OK);
        for (int k = 1; k < 5; k++) {
            const gn_tensor *t = gn_graph_value(graph, node->in[k])->data;
            for (int64_t c = 0; c < gn_tensor_count(t); c++)
                ((float *)t->data)[c] = k == 4 ? 3.75f : ldexpf((float)(c % 5 + k), k == 1 ? -3 : -4);
        }
    }
}

static int block(gn_graph *graph, const char *name, int x, int channels, const char *activation)
{
    char weight[64];
    int in_channels = (int)gn_graph_value(graph, x)->shape.dim[1];
    strcpy(weight, name);
    strcat(weight, ".weight");
    int y = fixture_batch_norm(
        graph, name,
        fixture_conv(graph, x, fixture_state(graph, weight, gn_shape_make(4, channels, in_channels, 3, 3)), -1, 1));
    return activation ? fixture_unary(graph, activation, y) : y;
}

static void residual_blocks_become_one_node_per_convolution(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    int x = fixture_input(graph, "x", gn_shape_make(4, 2, 3, 6, 5));
    int stem = block(graph, "stem", x, 4, "Relu");
    int one = block(graph, "a.1", stem, 4, "Relu"), two = block(graph, "a.2", one, 4, NULL);
    int sum = fixture_unary(graph, "Relu", fixture_binary(graph, "Add", two, stem));
    int side = block(graph, "b.down", sum, 5, NULL); /* a block whose shortcut is a convolution, as in resnet18 */
    int three = block(graph, "b.1", sum, 5, "Relu"), four = block(graph, "b.2", three, 5, NULL);
    const float lo = 0.0f, hi = 6.0f;
    int clipped =
        fixture_op(graph, "Clip",
                   (const int[]){fixture_binary(graph, "Add", side, four), gn_graph_add_const_f32(graph, "lo", 0, &lo),
                                 gn_graph_add_const_f32(graph, "hi", 0, &hi)},
                   3, NULL, 0);
    gn_graph_add_output(graph, fixture_unary(graph, "Identity", clipped));
    exact_batch_norms(graph);
    gn_graph *fused = infer_alike(graph);
    assert_int_equal(gn_graph_node_count(fused), 6);
    assert_int_equal(fixture_count(fused, "FusedConv"), 6);
    int residuals = 0, clamped = 0;
    for (int i = 0; i < 6; i++) {
        const gn_node *node = gn_graph_node(fused, i);
        residuals += gn_has_in(node, 3);
        clamped += gn_node_float(node, "lo", -1.0f) == 0.0f;
        assert_true(gn_has_in(node, 4)); /* scale of the normalisation */
    }
    assert_int_equal(residuals, 2);
    assert_int_equal(clamped, 5 - 1 + 1);
    assert_true(fixture_output_difference(graph, fused) < 1e-10);
    gn_graph_destroy(&fused);
    gn_graph_destroy(&graph);
}

/* Convolutions take Silu, HardSwish and LeakyRelu in, with the sum behind them. */
static void curves_are_taken_in(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    int x = fixture_input(graph, "x", gn_shape_make(4, 2, 3, 6, 5));
    int stem = block(graph, "stem", x, 4, "LeakyRelu");
    int one = block(graph, "one", stem, 4, NULL);
    int silu = fixture_binary(graph, "Mul", one, fixture_unary(graph, "Sigmoid", one));
    int two = block(graph, "two", silu, 4, "HardSwish");
    int sum = fixture_binary(graph, "Add", stem, two); /* behind the activation, as in the blocks of YOLO */
    int gated = block(graph, "three", sum, 4, NULL);
    int gate = fixture_unary(graph, "Sigmoid", gated); /* has a second reader: stays */
    gn_graph_add_output(graph, fixture_binary(graph, "Mul", gated, gate));
    gn_graph_add_output(graph, gate);
    exact_batch_norms(graph);
    gn_graph *fused = infer_alike(graph);
    assert_int_equal(fixture_count(fused, "FusedConv"), 4);
    assert_int_equal(gn_graph_node_count(fused), 6);
    static const char *const wanted[] = {"leaky_relu", "silu", "hard_swish", ""};
    for (int i = 0, k = 0; i < gn_graph_node_count(fused); i++) {
        const gn_node *node = gn_graph_node(fused, i);
        if (strcmp(node->op->name, "FusedConv") != 0)
            continue;
        assert_string_equal(gn_node_string(node, "activation", ""), wanted[k]);
        assert_int_equal(gn_has_in(node, 3), k == 2);
        k++;
    }
    gn_graph_destroy(&fused);
    gn_graph_destroy(&graph);
}

/* What must not be taken in. */
static void values_that_others_read_stay(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    int x = fixture_input(graph, "x", gn_shape_make(4, 1, 3, 5, 5));
    int w = fixture_state(graph, "w", gn_shape_make(4, 3, 3, 3, 3)),
        b = fixture_state(graph, "bias", gn_shape_make(1, 3));
    int conv = fixture_conv(graph, x, w, b, 1);
    int relu = fixture_unary(graph, "Relu", conv);    /* conv has a second reader */
    int norm = fixture_batch_norm(graph, "bn", relu); /* follows no convolution */
    int sum = fixture_binary(graph, "Add", norm, conv);
    int scaled = fixture_conv(graph, sum, w, b, 1);
    int wide = fixture_binary(graph, "Add", scaled,
                              fixture_unary(graph, "GlobalAveragePool", sum)); /* broadcasts: no residual */
    int last = fixture_conv(graph, wide, w, -1, 1); /* an output itself, so its Relu cannot be taken in */
    gn_graph_add_output(graph, last);
    gn_graph_add_output(graph, fixture_unary(graph, "Relu", last));
    gn_graph *fused = infer_alike(graph);
    assert_int_equal(fixture_count(fused, "Conv"), 3);
    assert_int_equal(fixture_count(fused, "Relu"), 2);
    assert_int_equal(fixture_count(fused, "BatchNormalization"), 1);
    assert_int_equal(fixture_count(fused, "Add"), 2);
    assert_true(fixture_output_difference(graph, fused) < 1e-10);
    gn_graph_destroy(&fused);
    gn_graph_destroy(&graph);
}

static void networks_infer_alike(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int convolutions, residuals;
    } cases[] = {{"mobilenet_v2@0.35", 52, 10}, {"resnet18", 20, 8}, {"squeezenet1_1", 25, 0}};
    for (size_t i = 0; i < 3; i++) {
        gn_graph *graph = fixture_network(cases[i].model, "box", 1, 64);
        exact_batch_norms(graph);
        gn_graph *fused = infer_alike(graph);
        assert_int_equal(fixture_count(fused, "FusedConv"), cases[i].convolutions);
        assert_int_equal(fixture_count(fused, "BatchNormalization"), 0);
        assert_int_equal(fixture_count(fused, "Clip"), 0);
        assert_int_equal(fixture_count(fused, "Add"), 0);
        assert_int_equal(fixture_count(fused, "Dropout"), 0);
        int residuals = 0;
        for (int k = 0; k < gn_graph_node_count(fused); k++)
            residuals +=
                strcmp(gn_graph_node(fused, k)->op->name, "FusedConv") == 0 && gn_has_in(gn_graph_node(fused, k), 3);
        assert_int_equal(residuals, cases[i].residuals);
        assert_true(fixture_output_difference(graph, fused) < 1e-10);
        gn_graph_destroy(&fused);
        gn_graph_destroy(&graph);
    }
}

/* Statistics that the graph itself renews are no constants. */
static void renewed_statistics_stay(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    gn_error err = {0};
    int x = fixture_input(graph, "x", gn_shape_make(4, 1, 3, 5, 5));
    int y = block(graph, "a", x, 3, "Relu"), mean = gn_graph_find_value(graph, "a.running_mean");
    gn_graph_add_output(graph, y);
    gn_graph_add_update(graph, mean, fixture_unary(graph, "Relu", mean));
    assert_int_equal(gn_pass_inference(graph, &err), GN_OK);
    assert_int_equal(fixture_count(graph, "BatchNormalization"), 1);
    assert_int_equal(fixture_count(graph, "FusedConv"), 0);
    gn_graph_destroy(&graph);
}

/* ---- the training form ---- */

static void normalisation_takes_its_activation_in(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph(), *plain = NULL;
    gn_error err = {0};
    const float hi = 6.0f, lo = 0.0f;
    int x = fixture_input(graph, "x", gn_shape_make(4, 3, 3, 5, 5));
    int y = block(graph, "a", x, 4, NULL);
    int clip = fixture_op(
        graph, "Clip",
        (const int[]){y, gn_graph_add_const_f32(graph, "lo", 0, &lo), gn_graph_add_const_f32(graph, "hi", 0, &hi)}, 3,
        NULL, 0);
    int z = block(graph, "b", clip, 4, "Relu");
    int open = block(graph, "c", z, 4, NULL);
    gn_graph_add_output(graph, fixture_binary(graph, "Add", open, clip));
    gn_graph_add_output(graph, open); /* read twice: no clamp could be taken in */
    /* by hand: BatchNormTrain and the activations apart */
    assert_int_equal(gn_graph_clone(graph, true, &plain), GN_OK);
    assert_int_equal(gn_pass_training(graph, &err), GN_OK);
    assert_int_equal(fixture_count(graph, "BatchNormTrain"), 3);
    assert_int_equal(
        fixture_count(graph, "BatchNormalization") + fixture_count(graph, "Clip") + fixture_count(graph, "Relu"), 0);
    assert_int_equal(gn_graph_update_count(graph), 6);
    assert_int_equal(gn_graph_check(graph, &err), GN_OK);
    int clamped = 0;
    for (int i = 0; i < gn_graph_node_count(graph); i++)
        clamped += gn_node_attr(gn_graph_node(graph, i), "lo") != NULL;
    assert_int_equal(clamped, 2);
    for (int i = gn_graph_node_count(plain); i-- > 0;) {
        const gn_node *bn = gn_graph_node(plain, i);
        int value;
        if (strcmp(bn->op->name, "BatchNormalization") == 0) {
            assert_int_equal(bn->op->training(plain, bn, &value, &err), GN_OK);
            gn_graph_replace_uses(plain, bn->out[0], value);
        }
    }
    assert_int_equal(gn_graph_sort(plain, &err), GN_OK);
    assert_int_equal(gn_pass_prune(plain), GN_OK);
    assert_true(fixture_output_difference(plain, graph) < 1e-14);
    gn_graph_destroy(&plain);
    gn_graph_destroy(&graph);
}

static void normalisation_takes_its_curve_in(void **state)
{
    (void)state;
    static const struct {
        const char *op, *activation;
    } curves[] = {{"HardSwish", "hard_swish"}, {"LeakyRelu", "leaky_relu"}, {"Sigmoid", "silu"}};
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        gn_graph *graph = fixture_graph();
        gn_error err = {0};
        const gn_attr alpha = gn_attr_float("alpha", 0.25f);
        const bool is_leaky = i == 1, is_product = i == 2;
        int x = block(graph, "a", fixture_input(graph, "x", gn_shape_make(4, 3, 3, 5, 5)), 4, NULL);
        int y = fixture_op(graph, curves[i].op, &x, 1, &alpha, is_leaky);
        gn_graph_add_output(graph, is_product ? fixture_binary(graph, "Mul", y, x) : y);
        assert_int_equal(gn_pass_training(graph, &err), GN_OK);
        assert_int_equal(gn_graph_check(graph, &err), GN_OK);
        assert_int_equal(fixture_count(graph, "BatchNormTrain"), 1);
        assert_int_equal(gn_graph_node_count(graph), 2);
        const gn_node *bn = gn_graph_node(graph, 1);
        assert_string_equal(gn_node_string(bn, "activation", ""), curves[i].activation);
        assert_true(gn_node_float(bn, "alpha", 0.01f) == (is_leaky ? 0.25f : 0.01f));
        gn_graph_destroy(&graph);
    }
}

static void dropout_and_pooling_take_their_training_forms(void **state)
{
    (void)state;
    gn_graph *graph = fixture_network("squeezenet1_1", "classify", 1, 64);
    gn_error err = {0};
    assert_int_equal(gn_pass_training(graph, &err), GN_OK);
    assert_int_equal(fixture_count(graph, "DropoutTrain"), 1);
    assert_int_equal(fixture_count(graph, "Dropout"), 0);
    assert_int_equal(fixture_count(graph, "MaxPoolTrain"), 3);
    assert_int_equal(fixture_count(graph, "MaxPool"), 0);
    assert_true(gn_graph_find_value(graph, "train.rng") >= 0);
    assert_int_equal(gn_graph_check(graph, &err), GN_OK);
    gn_graph_destroy(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cycles_are_named),
        cmocka_unit_test(readers_of_a_state_precede_its_update),
        cmocka_unit_test(order_is_kept_among_free_nodes),
        cmocka_unit_test(pruning_keeps_outputs_and_updates),
        cmocka_unit_test(constants_are_folded),
        cmocka_unit_test(a_constant_update_is_not_folded),
        cmocka_unit_test(residual_blocks_become_one_node_per_convolution),
        cmocka_unit_test(curves_are_taken_in),
        cmocka_unit_test(values_that_others_read_stay),
        cmocka_unit_test(networks_infer_alike),
        cmocka_unit_test(renewed_statistics_stay),
        cmocka_unit_test(normalisation_takes_its_activation_in),
        cmocka_unit_test(normalisation_takes_its_curve_in),
        cmocka_unit_test(dropout_and_pooling_take_their_training_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
