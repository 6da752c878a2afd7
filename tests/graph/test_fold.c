/* Values that are known without a run: while shapes are inferred, and what the folding passes make of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "graph/autodiff.h"
#include "graph/op.h"
#include "graph/passes.h"
#include "graph_fixture.h"
#include "ops/ops.h"

/* x [N,2,3,4] -> Relu -> Reshape to [N, 24], where N comes from Shape, through a cast to f32 and back. */
static gn_graph *flattened_by_shape(int *size_out)
{
    gn_graph *graph = fixture_graph();
    const int64_t rest = -1;
    const float one = 1;
    const gn_attr to_f32 = gn_attr_int("to", 1), to_s64 = gn_attr_int("to", 7), axis = gn_attr_int("axis", 0);
    const gn_attr ends[2] = {gn_attr_int("start", 0), gn_attr_int("end", 1)};
    int x = fixture_unary(graph, "Relu", fixture_input(graph, "x", gn_shape_make(4, 1, 2, 3, 4)));
    int n = fixture_op(graph, "Shape", &x, 1, ends, 2);
    n = fixture_op(graph, "Cast", &n, 1, &to_f32, 1);
    n = fixture_binary(graph, "Mul", n, gn_graph_add_const_f32(graph, "one", 0, &one));
    n = fixture_op(graph, "Cast", &n, 1, &to_s64, 1);
    const int parts[2] = {n, gn_graph_add_const_s64(graph, "rest", 1, &rest)};
    int size = fixture_op(graph, "Concat", parts, 2, &axis, 1);
    gn_graph_add_output(graph, fixture_binary(graph, "Reshape", x, size));
    *size_out = size;
    return graph;
}

static void set_batch(gn_graph *graph, int n)
{
    gn_error err = {0};
    const gn_shape shape = gn_shape_make(4, n, 2, 3, 4);
    assert_int_equal(gn_graph_set_input_shape(graph, gn_graph_input(graph, 0), &shape), GN_OK);
    if (gn_graph_infer(graph, &err) != GN_OK)
        fail_msg("%s", err.message);
}

static void shapes_are_known_and_renewed(void **state)
{
    (void)state;
    int size;
    gn_graph *graph = flattened_by_shape(&size);
    for (int n = 1; n <= 5; n += 2) {
        set_batch(graph, n);
        const gn_tensor *known = gn_graph_value(graph, size)->known;
        assert_non_null(known);
        assert_int_equal(((const int64_t *)known->data)[0], n);
        assert_int_equal(((const int64_t *)known->data)[1], -1);
        const gn_shape *y = &gn_graph_value(graph, gn_graph_output(graph, 0))->shape;
        assert_int_equal(y->rank, 2);
        assert_int_equal(y->dim[0], n);
        assert_int_equal(y->dim[1], 24);
    }
    gn_graph_destroy(&graph);
}

static void folding_shapes_leaves_the_arithmetic(void **state)
{
    (void)state;
    int size;
    gn_error err = {0};
    gn_graph *graph = flattened_by_shape(&size), *folded = NULL;
    set_batch(graph, 3);
    assert_int_equal(gn_graph_clone(graph, false, &folded), GN_OK);
    assert_int_equal(gn_pass_fold_shapes(folded, &err), GN_OK);
    assert_int_equal(gn_graph_node_count(folded), 2);
    assert_int_equal(fixture_count(folded, "Relu"), 1);
    assert_int_equal(fixture_count(folded, "Reshape"), 1);
    assert_int_equal(gn_graph_check(folded, &err), GN_OK);
    assert_true(fixture_output_difference(graph, folded) == 0);
    /* what the shapes were when it was folded stays: another batch does not fit any more */
    const gn_shape other = gn_shape_make(4, 4, 2, 3, 4);
    assert_int_equal(gn_graph_set_input_shape(folded, gn_graph_input(folded, 0), &other), GN_OK);
    assert_int_equal(gn_graph_infer(folded, &err), GN_OK);
    assert_int_equal(gn_graph_value(folded, gn_graph_output(folded, 0))->shape.dim[0], 3);
    gn_graph_destroy(&folded);
    gn_graph_destroy(&graph);
}

static void the_constant_pass_keeps_shapes_free(void **state)
{
    (void)state;
    int size;
    gn_error err = {0};
    gn_graph *graph = flattened_by_shape(&size);
    set_batch(graph, 1);
    assert_int_equal(gn_pass_inference(graph, &err), GN_OK);
    assert_int_equal(fixture_count(graph, "Shape"), 1);
    set_batch(graph, 7);
    assert_int_equal(gn_graph_value(graph, gn_graph_output(graph, 0))->shape.dim[0], 7);
    gn_graph_destroy(&graph);
}

static void training_folds_shapes_and_keeps_weights(void **state)
{
    (void)state;
    int size;
    gn_error err = {0};
    gn_graph *graph = flattened_by_shape(&size);
    const int64_t perm[2] = {1, 0};
    const gn_attr order = gn_attr_ints("perm", perm, 2);
    const int w = fixture_state(graph, "w", gn_shape_make(2, 5, 24));
    const int turned = fixture_op(graph, "Transpose", &w, 1, &order, 1);
    const int y = fixture_binary(graph, "MatMul", gn_graph_output(graph, 0), turned);
    gn_graph_clear_outputs(graph);
    gn_graph_add_output(graph, y);
    set_batch(graph, 2);
    gn_graph *trained = NULL;
    assert_int_equal(gn_graph_clone(graph, false, &trained), GN_OK);
    assert_int_equal(gn_pass_training(trained, &err), GN_OK);
    assert_int_equal(fixture_count(trained, "Shape"), 0);
    assert_int_equal(fixture_count(trained, "Transpose"), 1); /* w is trained: its transpose is not a constant */
    assert_int_equal(gn_pass_fold_constants(trained, &err), GN_OK);
    assert_int_equal(fixture_count(trained, "Transpose"), 1);
    gn_graph_destroy(&trained);
    assert_int_equal(gn_graph_clone(graph, false, &trained), GN_OK);
    assert_int_equal(gn_pass_inference(trained, &err), GN_OK);
    assert_int_equal(fixture_count(trained, "Transpose"), 0);
    assert_true(fixture_output_difference(graph, trained) == 0);
    gn_graph_destroy(&trained);
    gn_graph_destroy(&graph);
}

static void renewed_states_are_not_folded(void **state)
{
    (void)state;
    gn_error err = {0};
    gn_graph *graph = fixture_graph();
    const int s = fixture_state(graph, "s", gn_shape_make(1, 4)), y = fixture_unary(graph, "Relu", s);
    gn_graph_add_output(graph, y);
    gn_graph_add_update(graph, s, fixture_binary(graph, "Add", s, s));
    assert_int_equal(gn_pass_fold_weights(graph, &err), GN_OK);
    assert_int_equal(gn_graph_node_count(graph), 2);
    gn_graph_destroy(&graph);
}

static void growth_is_limited(void **state)
{
    (void)state;
    gn_error err = {0};
    gn_graph *graph = fixture_graph();
    const gn_shape column = gn_shape_make(2, 1024, 1), row = gn_shape_make(2, 1, 1024);
    static float x[1024];
    for (int i = 0; i < 1024; i++)
        x[i] = (float)i;
    const gn_tensor a = gn_tensor_view(GN_DTYPE_F32, &column, x), b = gn_tensor_view(GN_DTYPE_F32, &row, x);
    const int ca = gn_graph_add_const(graph, "a", &a), cb = gn_graph_add_const(graph, "b", &b);
    const int large = fixture_binary(graph, "Add", ca, cb), small = fixture_binary(graph, "Add", ca, ca);
    gn_graph_add_output(graph, large);
    gn_graph_add_output(graph, small);
    assert_null(gn_graph_value(graph, large)->known);
    assert_non_null(gn_graph_value(graph, small)->known);
    assert_int_equal(gn_pass_fold_constants(graph, &err), GN_OK);
    assert_int_equal(gn_graph_value(graph, large)->kind, GN_VALUE_TEMP); /* 4 MiB of 8 KiB */
    assert_int_equal(gn_graph_value(graph, small)->kind, GN_VALUE_CONST);
    gn_graph_destroy(&graph);
}

/* A thousand results of one constant: each is small, all of them are not. */
static void the_total_is_limited(void **state)
{
    (void)state;
    gn_error err = {0};
    gn_graph *graph = fixture_graph();
    const gn_shape shape = gn_shape_make(1, 1 << 18);
    gn_tensor *zeros = NULL;
    assert_int_equal(gn_tensor_create(GN_DTYPE_F32, &shape, &zeros), GN_OK);
    int x = gn_graph_add_const(graph, "zeros", zeros);
    gn_tensor_destroy(&zeros);
    for (int i = 0; i < 200; i++)
        x = fixture_unary(graph, "Relu", x);
    gn_graph_add_output(graph, x);
    assert_int_equal(gn_pass_fold_constants(graph, &err), GN_OK);
    assert_true(gn_graph_node_count(graph) >= 100); /* 64 MiB and 8 times 1 MiB are 72 of them */
    assert_true(gn_graph_node_count(graph) <= 150);
    gn_graph_destroy(&graph);
}

static void contents_of_inputs_are_never_known(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    const int x = fixture_input(graph, "x", gn_shape_make(1, 3)), y = fixture_binary(graph, "Add", x, x);
    gn_graph_add_output(graph, y);
    assert_null(gn_graph_value(graph, y)->known);
    gn_graph_destroy(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_are_known_and_renewed),
        cmocka_unit_test(folding_shapes_leaves_the_arithmetic),
        cmocka_unit_test(the_constant_pass_keeps_shapes_free),
        cmocka_unit_test(training_folds_shapes_and_keeps_weights),
        cmocka_unit_test(renewed_states_are_not_folded),
        cmocka_unit_test(growth_is_limited),
        cmocka_unit_test(the_total_is_limited),
        cmocka_unit_test(contents_of_inputs_are_never_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
