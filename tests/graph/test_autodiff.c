/* Gradients as graphs, against central differences of the interpreter in f64.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/autodiff.h"
#include "graph/passes.h"
#include "graph_fixture.h"

#define STEP 1e-4

/* A scalar that depends on every element of `value` in its own way. */
static int scalar_of(gn_graph *graph, int value)
{
    const int64_t all[1] = {-1}, none[1] = {0};
    int flat = fixture_binary(graph, "Reshape", value, gn_graph_add_const_s64(graph, "flat", 1, all));
    int n = (int)gn_shape_count(&gn_graph_value(graph, flat)->shape);
    int weighted = fixture_binary(graph, "Mul", flat, fixture_state(graph, "probe", gn_shape_make(1, n)));
    const gn_attr axes = gn_attr_ints("axes", none, 1), keep = gn_attr_int("keepdims", 0);
    const gn_attr attrs[2] = {axes, keep};
    return fixture_op(graph, "ReduceMean", &weighted, 1, attrs, 2);
}

static double run_loss(gn_interpret *it, int loss)
{
    gn_error err = {0};
    if (gn_interpret_run(it, &err) != GN_OK)
        fail_msg("%s", err.message);
    return gn_tensor_get(gn_interpret_get(it, loss), 0);
}

/* d loss / d wrt[i] for every element against (loss(x+h) - loss(x-h)) / 2h. */
static void check_gradient(gn_graph *graph, int loss, const int *wrt, int n_wrt)
{
    int grads[8];
    gn_error err = {0};
    if (gn_graph_differentiate(graph, loss, wrt, n_wrt, grads, &err) != GN_OK)
        fail_msg("%s", err.message);
    gn_graph_add_output(graph, loss);
    if (gn_graph_check(graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    gn_interpret *it = fixture_interpret(graph);
    for (int i = 0; i < n_wrt; i++) {
        const gn_value *value = gn_graph_value(graph, wrt[i]);
        assert_true(grads[i] >= 0);
        assert_true(gn_shape_equal(&gn_graph_value(graph, grads[i])->shape, &value->shape));
        gn_tensor *given = NULL, *exact = NULL;
        run_loss(it, loss); /* gradients at the point itself */
        assert_int_equal(gn_tensor_copy(gn_interpret_get(it, grads[i]), &given), GN_OK);
        assert_int_equal(gn_tensor_copy(gn_interpret_get(it, wrt[i]), &exact), GN_OK);
        int64_t n = gn_tensor_count(exact);
        double *x = malloc((size_t)n * sizeof *x), most = 1e-3;
        for (int64_t k = 0; k < n; k++) {
            x[k] = gn_tensor_get(exact, k);
            most = fabs(gn_tensor_get(given, k)) > most ? fabs(gn_tensor_get(given, k)) : most;
        }
        for (int64_t k = 0; k < n; k++) {
            double at = x[k];
            x[k] = at + STEP;
            gn_interpret_set(it, wrt[i], x);
            double above = run_loss(it, loss);
            x[k] = at - STEP;
            gn_interpret_set(it, wrt[i], x);
            double below = run_loss(it, loss);
            x[k] = at;
            double expected = (above - below) / (2 * STEP), got = gn_tensor_get(given, k);
            if (!(fabs(expected - got) <= 1e-5 * most))
                fail_msg("d/d %s[%d] is %g, central differences give %g", value->name, (int)k, got, expected);
        }
        gn_interpret_set(it, wrt[i], x);
        free(x);
        gn_tensor_destroy(&given);
        gn_tensor_destroy(&exact);
    }
    gn_interpret_destroy(&it);
}

static void a_small_network(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    int x = fixture_input(graph, "x", gn_shape_make(4, 2, 3, 5, 4));
    int w = fixture_state(graph, "w", gn_shape_make(4, 4, 3, 3, 3)), b = fixture_state(graph, "b", gn_shape_make(1, 4));
    int y = fixture_unary(graph, "Sigmoid", fixture_conv(graph, x, w, b, 1));
    int pooled = fixture_unary(graph, "GlobalAveragePool", y);
    int flat = fixture_unary(graph, "Flatten", pooled);
    int m = fixture_state(graph, "m", gn_shape_make(2, 4, 3));
    int loss = scalar_of(graph, fixture_binary(graph, "MatMul", flat, m));
    check_gradient(graph, loss, (const int[]){w, b, m, x}, 4);
    gn_graph_destroy(&graph);
}

/* A value that is read several times gets the sum of what its readers give. */
static void fan_out_accumulates(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    int a = fixture_state(graph, "a", gn_shape_make(2, 3, 4)), b = fixture_state(graph, "b", gn_shape_make(2, 3, 4));
    int s = fixture_unary(graph, "Sigmoid", a);
    int square = fixture_binary(graph, "Mul", s, s);
    int sum = fixture_binary(graph, "Add", fixture_binary(graph, "Mul", square, a), fixture_binary(graph, "Sub", b, s));
    int loss = scalar_of(graph, fixture_binary(graph, "Add", sum, fixture_binary(graph, "Mul", sum, a)));
    check_gradient(graph, loss, (const int[]){a, b}, 2);
    gn_graph_destroy(&graph);
}

/* A shortcut as in a residual block, with normalisation by the batch. */
static void a_residual_block(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    gn_error err = {0};
    int x = fixture_state(graph, "x", gn_shape_make(4, 2, 3, 4, 3));
    int w = fixture_state(graph, "w", gn_shape_make(4, 3, 3, 3, 3));
    int y = fixture_batch_norm(graph, "bn", fixture_conv(graph, x, w, -1, 1));
    int sum = fixture_unary(graph, "Sigmoid", fixture_binary(graph, "Add", y, x));
    gn_graph_add_output(graph, sum);
    assert_int_equal(gn_pass_training(graph, &err), GN_OK);
    assert_int_equal(fixture_count(graph, "BatchNormTrain"), 1);
    int loss = scalar_of(graph, gn_graph_output(graph, 0));
    const int wrt[4] = {x, w, gn_graph_find_value(graph, "bn.weight"), gn_graph_find_value(graph, "bn.bias")};
    gn_graph_clear_outputs(graph);
    /* The interpreter renews running statistics; they have no part in the loss. */
    check_gradient(graph, loss, wrt, 4);
    gn_graph_destroy(&graph);
}

static void broadcasts_are_summed(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    int a = fixture_state(graph, "a", gn_shape_make(4, 2, 3, 2, 2)),
        c = fixture_state(graph, "c", gn_shape_make(3, 3, 1, 1));
    int d = fixture_state(graph, "d", gn_shape_make(1, 1));
    int y = fixture_binary(graph, "Mul", fixture_binary(graph, "Add", a, c), fixture_binary(graph, "Sub", c, d));
    check_gradient(graph, scalar_of(graph, fixture_binary(graph, "Div", y, fixture_unary(graph, "Sigmoid", c))),
                   (const int[]){a, c, d}, 3);
    gn_graph_destroy(&graph);
}

static void concat_and_split(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    int a = fixture_state(graph, "a", gn_shape_make(3, 2, 3, 2)),
        b = fixture_state(graph, "b", gn_shape_make(3, 2, 1, 2));
    const gn_attr axis = gn_attr_int("axis", 1);
    int joined = fixture_op(graph, "Concat", (const int[]){a, b, a}, 3, &axis, 1);
    const int64_t sizes[2] = {2, 5};
    const int in[2] = {joined, gn_graph_add_const_s64(graph, "sizes", 2, sizes)};
    int node = gn_graph_add_node(graph, "Split", "", "split", in, 2, 2, &axis, 1);
    /* only one of two results is used: the other gives no gradient */
    int loss = scalar_of(graph, fixture_unary(graph, "Sigmoid", gn_graph_node(graph, node)->out[1]));
    check_gradient(graph, loss, (const int[]){a, b}, 2);
    gn_graph_destroy(&graph);
}

static void what_does_not_matter_has_no_gradient(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    gn_error err = {0};
    int a = fixture_state(graph, "a", gn_shape_make(1, 3)), b = fixture_state(graph, "b", gn_shape_make(1, 3)),
        grads[3];
    int c = fixture_unary(graph, "Sigmoid", b);
    gn_graph_add_output(graph, c);
    int loss = scalar_of(graph, a);
    int nodes = gn_graph_node_count(graph);
    assert_int_equal(gn_graph_differentiate(graph, loss, (const int[]){b, a, c}, 3, grads, &err), GN_OK);
    assert_int_equal(grads[0], -1);
    assert_true(grads[1] >= 0);
    assert_int_equal(grads[2], -1);
    for (int i = nodes; i < gn_graph_node_count(graph); i++)
        assert_string_not_equal(gn_graph_node(graph, i)->op->name, "SigmoidGrad");
    gn_graph_destroy(&graph);
}

static void failures_name_the_node(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    gn_error err = {0};
    int a = fixture_state(graph, "a", gn_shape_make(1, 3)), grad;
    assert_int_equal(gn_graph_differentiate(graph, a, &a, 1, &grad, &err), GN_ESHAPE);
    assert_non_null(strstr(err.message, "value a is not a scalar"));
    gn_shape shape = gn_shape_make(1, 3);
    int mean = fixture_state(graph, "m", shape);
    int bn_in[5] = {fixture_state(graph, "x", gn_shape_make(2, 4, 3)), a, a, mean, mean};
    int y = gn_graph_add_op(graph, "BatchNormalization", "", "the.layer", bn_in, 5, NULL, 0);
    int loss = scalar_of(graph, y);
    assert_int_equal(gn_graph_differentiate(graph, loss, bn_in, 1, &grad, &err), GN_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "the.layer"));
    gn_graph_destroy(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_network),        cmocka_unit_test(fan_out_accumulates),
        cmocka_unit_test(a_residual_block),       cmocka_unit_test(broadcasts_are_summed),
        cmocka_unit_test(concat_and_split),       cmocka_unit_test(what_does_not_matter_has_no_gradient),
        cmocka_unit_test(failures_name_the_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
