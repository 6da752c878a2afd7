/* Runs every operator case: hand-written results, f32 against f64, gradients against central differences, costs; and checks that
 * every operator has a case.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/autodiff.h"
#include "op_cases.h"
#include "ops/ops.h"
#include "ops/ref_access.h"

#define MOST_NUMBERS 4096
#define MOST_NAMES   8
/* Given numbers are rounded to f32, and some losses add 1e-7 to denominators. */
#define EXPECT_TOLERANCE 1e-6
#define GRAD_TOLERANCE   1e-6
#define F32_TOLERANCE    1e-5
/* Step of the differences of fourth order: their error is about h^4, the rounding about 1e-16/h. */
#define STEP 1e-3

static bool is_real(const gn_graph *graph, int value)
{
    return gn_graph_value(graph, value)->dtype == GN_DTYPE_F32;
}

static gn_interpret *run(const op_case *c, const gn_graph *graph, gn_dtype dtype)
{
    gn_interpret *it = NULL;
    gn_error err = {0};
    if (gn_interpret_create(graph, dtype, &it, &err) != GN_OK)
        fail_msg("%s: %s", c->name, err.message);
    op_case_bind(c, graph, it);
    if (gn_interpret_run(it, &err) != GN_OK)
        fail_msg("%s: %s", c->name, err.message);
    return it;
}

static void results_are_as_written_down(void **state)
{
    (void)state;
    double expect[MOST_NUMBERS];
    for (int i = 0; i < n_op_cases; i++) {
        const op_case *c = &op_cases[i];
        gn_graph *graph = op_case_graph(c);
        gn_interpret *it = run(c, graph, GN_DTYPE_F64);
        for (int o = 0; c->expect && o < gn_graph_output_count(graph); o++) {
            const gn_tensor *got = gn_interpret_get(it, gn_graph_output(graph, o));
            const int n = op_case_numbers(c->expect, o, expect, MOST_NUMBERS);
            if (n < 0)
                continue;
            if (n != gn_tensor_count(got))
                fail_msg("%s: output %d has %d elements, %d are expected", c->name, o, (int)gn_tensor_count(got), n);
            for (int k = 0; k < n; k++)
                if (!(fabs(gn_tensor_get(got, k) - expect[k]) <= EXPECT_TOLERANCE * (1 + fabs(expect[k]))))
                    fail_msg("%s: output %d, element %d is %.17g, expected %.17g", c->name, o, k, gn_tensor_get(got, k),
                             expect[k]);
        }
        gn_interpret_destroy(&it);
        gn_graph_destroy(&graph);
    }
}

static void f32_agrees_with_f64(void **state)
{
    (void)state;
    for (int i = 0; i < n_op_cases; i++) {
        const op_case *c = &op_cases[i];
        const double tolerance = c->tolerance > 0 ? c->tolerance : F32_TOLERANCE;
        gn_graph *graph = op_case_graph(c);
        gn_interpret *narrow = run(c, graph, GN_DTYPE_F32), *wide = run(c, graph, GN_DTYPE_F64);
        for (int o = 0; o < gn_graph_output_count(graph); o++) {
            const gn_tensor *got = gn_interpret_get(narrow, gn_graph_output(graph, o));
            const gn_tensor *ref = gn_interpret_get(wide, gn_graph_output(graph, o));
            double largest = 1e-3;
            for (int64_t k = 0; k < gn_tensor_count(ref); k++)
                largest = fmax(largest, fabs(gn_tensor_get(ref, k)));
            for (int64_t k = 0; k < gn_tensor_count(ref); k++)
                if (!(fabs(gn_tensor_get(got, k) - gn_tensor_get(ref, k)) <= tolerance * largest))
                    fail_msg("%s: output %d, element %d is %g in f32, %g in f64", c->name, o, (int)k,
                             gn_tensor_get(got, k), gn_tensor_get(ref, k));
        }
        gn_interpret_destroy(&narrow);
        gn_interpret_destroy(&wide);
        gn_graph_destroy(&graph);
    }
}

/* Appends sum over outputs of sum(output * random), so that every element counts with another weight; its value id. */
static int add_loss(const op_case *c, gn_graph *graph)
{
    int loss = -1;
    const gn_attr to_scalar = gn_attr_ints("shape", NULL, 0);
    for (int o = 0; o < gn_graph_output_count(graph); o++) {
        const int y = gn_graph_output(graph, o);
        if (!is_real(graph, y))
            continue;
        const gn_value *value = gn_graph_value(graph, y);
        const op_case weights = {.name = c->name};
        double *numbers = op_case_values(&weights, graph, y);
        gn_tensor *weight = NULL;
        assert_int_equal(gn_tensor_create(GN_DTYPE_F32, &value->shape, &weight), GN_OK);
        for (int64_t k = 0; k < gn_tensor_count(weight); k++)
            gn_tensor_set(weight, k, numbers[k]);
        const int in[2] = {y, gn_graph_add_const(graph, "loss.weight", weight)};
        const int weighted = gn_graph_add_op(graph, "Mul", "", "loss.weighted", in, 2, NULL, 0);
        const int sum = gn_graph_add_op(graph, "SumTo", "gannet", "loss.sum", &weighted, 1, &to_scalar, 1);
        const int both[2] = {loss, sum};
        loss = loss < 0 ? sum : gn_graph_add_op(graph, "Add", "", "loss", both, 2, NULL, 0);
        gn_tensor_destroy(&weight);
        gn_free(numbers);
    }
    gn_error err = {0};
    if (gn_graph_error(graph, &err) != GN_OK)
        fail_msg("%s: %s", c->name, err.message);
    return loss;
}

static double loss_at(gn_interpret *it, int loss, int value, double *x, int64_t k, double shift)
{
    const double kept = x[k];
    x[k] += shift;
    gn_interpret_set(it, value, x);
    x[k] = kept;
    assert_int_equal(gn_interpret_run(it, NULL), GN_OK);
    return gn_tensor_get(gn_interpret_get(it, loss), 0);
}

/* d loss / d x[k] by differences of fourth order. */
static double difference(gn_interpret *it, int loss, int value, double *x, int64_t k)
{
    const double near = loss_at(it, loss, value, x, k, STEP) - loss_at(it, loss, value, x, k, -STEP);
    const double far = loss_at(it, loss, value, x, k, 2 * STEP) - loss_at(it, loss, value, x, k, -2 * STEP);
    return (8 * near - far) / (12 * STEP);
}

static void check_gradient(const op_case *c, gn_interpret *it, const gn_graph *graph, int loss, int value, int grad)
{
    const int64_t n = gn_shape_count(&gn_graph_value(graph, value)->shape);
    double *x = op_case_values(c, graph, value), *got = gn_calloc((size_t)n, sizeof *got), largest = 0;
    assert_non_null(got);
    for (int64_t k = 0; k < n; k++) {
        got[k] = gn_tensor_get(gn_interpret_get(it, grad), k);
        largest = fmax(largest, fabs(got[k]));
    }
    for (int64_t k = 0; k < n; k++) {
        const double ref = difference(it, loss, value, x, k);
        if (!(fabs(got[k] - ref) <= GRAD_TOLERANCE * fmax(fabs(ref), 0.01 * largest) + 1e-11))
            fail_msg("%s: d/d%s[%d] is %.12g, differences give %.12g", c->name, gn_graph_value(graph, value)->name,
                     (int)k, got[k], ref);
    }
    assert_true(largest > 0);
    gn_interpret_set(it, value, x);
    assert_int_equal(gn_interpret_run(it, NULL), GN_OK);
    gn_free(got);
    gn_free(x);
}

static void gradients_agree_with_differences(void **state)
{
    (void)state;
    for (int i = 0; i < n_op_cases; i++) {
        const op_case *c = &op_cases[i];
        if (!c->grad)
            continue;
        int wrt[MOST_NAMES], grads[MOST_NAMES];
        gn_graph *graph = op_case_graph(c);
        gn_error err = {0};
        const int loss = add_loss(c, graph), n = op_case_names(graph, c->grad, wrt, MOST_NAMES);
        if (gn_graph_differentiate(graph, loss, wrt, n, grads, &err) != GN_OK)
            fail_msg("%s: %s", c->name, err.message);
        gn_interpret *it = run(c, graph, GN_DTYPE_F64);
        for (int k = 0; k < n; k++) {
            assert_true(grads[k] >= 0);
            assert_true(gn_shape_equal(&gn_graph_value(graph, grads[k])->shape, &gn_graph_value(graph, wrt[k])->shape));
            check_gradient(c, it, graph, loss, wrt[k], grads[k]);
        }
        gn_interpret_destroy(&it);
        gn_graph_destroy(&graph);
    }
}

static void costs_are_as_written_down(void **state)
{
    (void)state;
    for (int i = 0; i < n_op_cases; i++) {
        const op_case *c = &op_cases[i];
        gn_graph *graph = op_case_graph(c);
        gn_cost cost;
        gn_graph_cost(graph, &cost);
        if (c->macs && cost.macs != c->macs)
            fail_msg("%s: %d MACs, expected %d", c->name, (int)cost.macs, (int)c->macs);
        if (c->elementwise && cost.elementwise != c->elementwise)
            fail_msg("%s: %d elementwise operations, expected %d", c->name, (int)cost.elementwise, (int)c->elementwise);
        gn_graph_destroy(&graph);
    }
}

/* Marks the operators of a graph in `seen`, which is parallel to the registry. */
static void mark(const gn_graph *graph, bool *seen)
{
    const gn_op_def *const *defs = gn_ops_registry()->defs;
    for (int i = 0; i < gn_graph_node_count(graph); i++)
        for (int d = 0; defs[d]; d++)
            seen[d] = seen[d] || defs[d] == gn_graph_node(graph, i)->op;
}

static void every_operator_has_a_case(void **state)
{
    (void)state;
    const gn_op_def *const *defs = gn_ops_registry()->defs;
    bool seen[256] = {false}, differentiated[256] = {false};
    for (int i = 0; i < n_op_cases; i++) {
        gn_graph *graph = op_case_graph(&op_cases[i]);
        int wrt[MOST_NAMES], grads[MOST_NAMES];
        mark(graph, seen);
        if (op_cases[i].grad) {
            mark(graph, differentiated);
            const int loss = add_loss(&op_cases[i], graph), n = op_case_names(graph, op_cases[i].grad, wrt, MOST_NAMES);
            assert_int_equal(gn_graph_differentiate(graph, loss, wrt, n, grads, NULL), GN_OK);
            mark(graph, seen);
        }
        gn_graph_destroy(&graph);
    }
    for (int d = 0; defs[d]; d++) {
        assert_true(d < 256);
        if (!seen[d])
            fail_msg("operator %s has no case", defs[d]->name);
        if (defs[d]->grad && !differentiated[d])
            fail_msg("the gradient of operator %s has no case", defs[d]->name);
        assert_non_null(defs[d]->infer);
        assert_non_null(defs[d]->reference);
    }
}

/* A reference gives the same whatever layout its operands lie in. */
static void plain_index_reads_any_layout(void **state)
{
    (void)state;
    float nhwc[12];
    const gn_shape shape = gn_shape_make(4, 1, 2, 2, 3);
    gn_tensor t = gn_tensor_view(GN_DTYPE_F32, &shape, nhwc);
    t.layout = GN_LAYOUT_NHWC;
    for (int64_t i = 0; i < 12; i++)
        gn_ref_store(&t, i, (double)i);
    for (int64_t i = 0; i < 12; i++)
        assert_true(gn_ref_load(&t, i) == (double)i);
    assert_true(nhwc[0] == 0 && nhwc[1] == 6 && nhwc[2] == 1 && nhwc[3] == 7); /* c runs fastest */
}

static void mismatched_shapes_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *graph, *says;
    } cases[] = {
        {"input 'x' f32 [1,3,8,8]\ninput 'w' f32 [4,2,3,3]\nnode 'Conv' '' 'c' ('x' 'w') -> ('y')\n",
         "node c (Conv): 3 input channels in 1 groups"},
        {"input 'x' f32 [1,3,2,2]\ninput 'w' f32 [4,3,3,3]\nnode 'Conv' '' 'c' ('x' 'w') -> ('y')\n",
         "smaller than its 3x3 window"},
        {"input 'x' f32 [1,3,8,8]\ninput 'w' f32 [4,3,3,3]\nnode 'Conv' '' 'c' ('x' 'w') -> ('y') {strides: ints 0 "
         "1}\n",
         "strides has 0, expected 1.."},
        {"input 'x' f32 [1,3,8,8]\ninput 'w' f32 [4,3,3,3]\nnode 'Conv' '' 'c' ('x' 'w') -> ('y') {pads: ints 1 1}\n",
         "pads has 2 numbers, expected 4"},
        {"input 'x' f32 [1,3,8,8]\ninput 'w' f32 [4,3,3,3]\nnode 'Conv' '' 'c' ('x' 'w') -> ('y') {auto_pad: string "
         "'SAME'}\n",
         "auto_pad is SAME, expected"},
        {"input 'x' f32 [3,8]\ninput 'w' f32 [4,3,3,3]\nnode 'Conv' '' 'c' ('x' 'w') -> ('y')\n",
         "expected three to five dimensions"},
        {"input 'a' f32 [2,3]\ninput 'b' f32 [2]\nnode 'Add' '' 'add' ('a' 'b') -> ('y')\n",
         "[2,3] and [2] do not broadcast"},
        {"input 'a' f32 [2,3]\ninput 'b' f32 [4,5]\nnode 'Gemm' '' 'g' ('a' 'b') -> ('y')\n",
         "inner dimensions differ"},
        {"input 'a' f32 [2,3]\ninput 'b' f32 [2,4]\nnode 'Concat' '' 'c' ('a' 'b') -> ('y') {axis: int 0}\n",
         "differ beside axis 0"},
        {"input 'a' f32 [2,3]\nnode 'Softmax' '' 's' ('a') -> ('y') {axis: int 2}\n", "axis is 2, expected -2..1"},
        {"input 'a' f32 [2,3]\nconst 's' s64 [1] = 7\nnode 'Reshape' '' 'r' ('a' 's') -> ('y')\n",
         "[2,3] cannot become [7]"},
        {"input 'a' f32 [2,3]\nconst 's' s64 [2] = -1 -1\nnode 'Reshape' '' 'r' ('a' 's') -> ('y')\n", "is no shape"},
        {"input 'a' f32 [2,3]\nnode 'Transpose' '' 't' ('a') -> ('y') {perm: ints 0 0}\n", "no permutation"},
        {"input 'a' f32 [2,3]\nnode 'Cast' '' 'c' ('a') -> ('y') {to: int 8}\n", "ONNX type 8"},
        {"input 'a' f32 [1,1,4,4]\nnode 'MaxPool' '' 'p' ('a') -> ('y') {kernel_shape: ints 2 2; pads: ints 2 0 0 0}\n",
         "padding only"},
        {"input 'x' f32 [1,2,1,1]\ninput 's' f32 [2]\nnode 'BatchNormTrain' 'gannet' 'b' ('x' 's' 's' 's' 's') -> ('y' "
         "- - - -)\n",
         "no variance"},
        {"input 'x' f32 [9223372036854775807,2]\nnode 'Relu' '' 'r' ('x') -> ('y')\n", "which is not possible"},
        {"input 'x' f32 [0,1099511627776,1099511627776]\nnode 'Flatten' '' 'f' ('x') -> ('y')\n",
         "which is not possible"},
        {"input 'a' f32 [1048576,1048576]\ninput 'b' f32 [1048576,4194304]\nnode 'MatMul' '' 'm' ('a' 'b') -> ('y')\n",
         "which is not possible"},
        {"input 'x' f32 [4]\nconst 'b' s64 [1] = 0\nconst 'e' s64 [1] = 3\nconst 'a' s64 [1] = 0\nconst 's' s64 [1] = "
         "0\n"
         "node 'Slice' '' 's' ('x' 'b' 'e' 'a' 's') -> ('y')\n",
         "step 0 along axis 0"},
        {"input 'x' f32 [4]\ninput 'b' s64 [1]\nconst 'e' s64 [1] = 3\nnode 'Slice' '' 's' ('x' 'b' 'e') -> ('y')\n",
         "its starts are computed from data"},
        {"input 'x' f32 [1,1,2,2]\nconst 's' f32 [3] = 1 1 2\nnode 'Resize' '' 'r' ('x' - 's') -> ('y')\n",
         "3 scales, expected 4"},
        {"input 'x' f32 [1,1,2,2]\nnode 'Resize' '' 'r' ('x') -> ('y')\n", "either scales or sizes are expected"},
        {"input 'x' f32 [1,1,2,2]\nconst 's' f32 [4] = 1 1 1e30 2\nnode 'Resize' '' 'r' ('x' - 's') -> ('y')\n",
         "size along axis 2 is not possible"},
        {"input 'x' f32 [4]\nconst 'k' s64 [1] = 5\nnode 'TopK' '' 't' ('x' 'k') -> ('v' 'i')\n",
         "k is 5, expected 0..4"},
        {"input 'x' f32 [2,3]\nconst 'p' s64 [4] = -1 0 -2 0\nnode 'Pad' '' 'p' ('x' 'p') -> ('y')\n",
         "crop more than the 2 of axis 0"},
        {"input 'x' f32 [2,3]\nconst 's' s64 [2] = 2 2\nnode 'Expand' '' 'e' ('x' 's') -> ('y')\n",
         "[2,3] does not broadcast with [2,2]"},
        {"input 'x' f32 [1,4,3,3]\ninput 'w' f32 [3,1,2,2]\nnode 'ConvTranspose' '' 'c' ('x' 'w') -> ('y')\n",
         "4 input channels in 1 groups do not fit weights for 3 channels"},
        {"input 'b' f32 [1,5,4]\ninput 's' f32 [1,2,6]\nnode 'NonMaxSuppression' '' 'n' ('b' 's') -> ('y')\n",
         "expected [N,boxes,4] and [N,classes,boxes]"},
        {"input 'x' f32 [2,3]\ninput 's' f32 [2]\nnode 'QuantizeLinear' '' 'q' ('x' 's') -> ('y')\n",
         "scales of the shape [2] do not fit axis 1"},
        {"input 'x' f32 [2,3]\nconst 'i' f32 [1] = 0\nnode 'Gather' '' 'g' ('x' 'i') -> ('y')\n",
         "its indices are of type f32"},
        {"const 'a' f32 [] = 0\nconst 'b' f32 [] = 1\nconst 'c' f32 [] = 0\nnode 'Range' '' 'r' ('a' 'b' 'c') -> "
         "('y')\n",
         "from 0 to 1 in steps of 0"},
        {"const 's' s64 [2] = 1099511627776 1099511627776\nnode 'ConstantOfShape' '' 'c' ('s') -> ('y')\n",
         "is no shape"},
        {"input 'a' f32 [2]\ninput 'b' s64 [2]\nnode 'Less' '' 'l' ('a' 'b') -> ('y')\n", "types f32 and s64"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gn_graph *graph = NULL;
        gn_error err = {0};
        if (op_case_parse(cases[i].graph, &graph, &err) != GN_ESHAPE)
            fail_msg("%s is taken, or fails in another way: %s", cases[i].graph, err.message);
        if (!strstr(err.message, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", err.message, cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_as_written_down),      cmocka_unit_test(f32_agrees_with_f64),
        cmocka_unit_test(gradients_agree_with_differences), cmocka_unit_test(costs_are_as_written_down),
        cmocka_unit_test(every_operator_has_a_case),        cmocka_unit_test(plain_index_reads_any_layout),
        cmocka_unit_test(mismatched_shapes_are_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
