/* Integers by the references: exact beyond what doubles hold, wrapped around, divided towards zero.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "graph/op.h"
#include "ops/interpret.h"
#include "ops/ops.h"

#define LARGE ((INT64_C(1) << 53) + 1) /* the first integer that no double has */

static gn_graph *new_graph(void)
{
    gn_graph *graph = NULL;
    assert_int_equal(gn_graph_create(gn_ops_registry(), &graph), GN_OK);
    return graph;
}

static int input(gn_graph *graph, gn_dtype dtype, gn_shape shape)
{
    return gn_graph_add_input(graph, NULL, dtype, &shape);
}

/* Runs the graph on one tensor per input; the first output is copied into `out`. */
static void run(gn_graph *graph, int result, const gn_tensor *const *in, gn_tensor *out)
{
    gn_interpret *it = NULL;
    gn_error err = {0};
    if (gn_graph_error(graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    gn_graph_add_output(graph, result);
    assert_int_equal(gn_graph_infer(graph, &err), GN_OK);
    assert_int_equal(gn_interpret_create(graph, GN_DTYPE_F64, &it, &err), GN_OK);
    for (int i = 0; i < gn_graph_input_count(graph); i++)
        assert_int_equal(gn_interpret_set_tensor(it, gn_graph_input(graph, i), in[i]), GN_OK);
    if (gn_interpret_run(it, &err) != GN_OK)
        fail_msg("%s", err.message);
    const gn_tensor *got = gn_interpret_get(it, result);
    assert_int_equal(got->dtype, out->dtype);
    assert_int_equal(gn_tensor_count(got), gn_tensor_count(out));
    for (int64_t i = 0; i < gn_tensor_count(out); i++)
        gn_tensor_move(out, i, got, i);
    gn_interpret_destroy(&it);
    gn_graph_destroy(&graph);
}

static void arithmetic_is_exact(void **state)
{
    (void)state;
    static const struct {
        const char *op;
        int64_t a, b, want;
    } cases[] = {
        {"Add", LARGE, 2, LARGE + 2},
        {"Sub", LARGE, 1, LARGE - 1},
        {"Mul", LARGE, 3, 3 * LARGE},
        {"Div", -7, 2, -3},
        {"Div", 7, -2, -3},
        {"Div", LARGE, 1, LARGE},
        {"Add", INT64_MAX, 1, INT64_MIN},
        {"Div", INT64_MIN, -1, INT64_MIN},
        {"Div", 5, 0, 0},
        {"Mul", INT64_MIN, -1, INT64_MIN},
        {"Sub", INT64_MIN, 1, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t a = cases[i].a, b = cases[i].b, y = 0;
        const gn_shape one = gn_shape_make(1, 1);
        const gn_tensor ta = gn_tensor_view(GN_DTYPE_S64, &one, &a), tb = gn_tensor_view(GN_DTYPE_S64, &one, &b);
        const gn_tensor *in[2] = {&ta, &tb};
        gn_tensor ty = gn_tensor_view(GN_DTYPE_S64, &one, &y);
        gn_graph *graph = new_graph();
        const int ids[2] = {input(graph, GN_DTYPE_S64, one), input(graph, GN_DTYPE_S64, one)};
        run(graph, gn_graph_add_op(graph, cases[i].op, "", NULL, ids, 2, NULL, 0), in, &ty);
        if (y != cases[i].want)
            fail_msg("%s of %lld and %lld is %lld", cases[i].op, (long long)a, (long long)b, (long long)y);
    }
}

static void bytes_wrap_around(void **state)
{
    (void)state;
    uint8_t a[3] = {250, 3, 200}, b[3] = {10, 5, 7}, y[3];
    const gn_shape three = gn_shape_make(1, 3);
    const gn_tensor ta = gn_tensor_view(GN_DTYPE_U8, &three, a), tb = gn_tensor_view(GN_DTYPE_U8, &three, b);
    const gn_tensor *in[2] = {&ta, &tb};
    gn_tensor ty = gn_tensor_view(GN_DTYPE_U8, &three, y);
    static const char *const ops[3] = {"Add", "Sub", "Div"};
    static const uint8_t want[3][3] = {{4, 8, 207}, {240, 254, 193}, {25, 0, 28}};
    for (int i = 0; i < 3; i++) {
        gn_graph *graph = new_graph();
        const int ids[2] = {input(graph, GN_DTYPE_U8, three), input(graph, GN_DTYPE_U8, three)};
        run(graph, gn_graph_add_op(graph, ops[i], "", NULL, ids, 2, NULL, 0), in, &ty);
        assert_memory_equal(y, want[i], 3);
    }
}

static void the_largest_u64_is_divided_unsigned(void **state)
{
    (void)state;
    uint64_t a = UINT64_MAX, b = 2, y = 0;
    const gn_shape one = gn_shape_make(1, 1);
    const gn_tensor ta = gn_tensor_view(GN_DTYPE_U64, &one, &a), tb = gn_tensor_view(GN_DTYPE_U64, &one, &b);
    const gn_tensor *in[2] = {&ta, &tb};
    gn_tensor ty = gn_tensor_view(GN_DTYPE_U64, &one, &y);
    gn_graph *graph = new_graph();
    const int ids[2] = {input(graph, GN_DTYPE_U64, one), input(graph, GN_DTYPE_U64, one)};
    run(graph, gn_graph_add_op(graph, "Div", "", NULL, ids, 2, NULL, 0), in, &ty);
    assert_true(y == UINT64_MAX / 2);
}

/* Concat, Transpose, Gather, Slice, Expand, Reshape: none goes through doubles. */
static void moves_are_exact(void **state)
{
    (void)state;
    int64_t x[4] = {LARGE, -LARGE, LARGE + 2, 7}, y[8];
    const gn_shape square = gn_shape_make(2, 2, 2), eight = gn_shape_make(1, 8);
    const gn_tensor tx = gn_tensor_view(GN_DTYPE_S64, &square, x);
    const gn_tensor *in[1] = {&tx};
    gn_tensor ty = gn_tensor_view(GN_DTYPE_S64, &eight, y);
    gn_graph *graph = new_graph();
    const int64_t order[2] = {1, 0}, start = 0, end = 2, all[3] = {2, 2, 2}, flat = -1;
    const gn_attr axis = gn_attr_int("axis", 0);
    const int source = input(graph, GN_DTYPE_S64, square);
    const int turned = gn_graph_add_op(graph, "Transpose", "", NULL, &source, 1, NULL, 0);
    const int slice_in[3] = {turned, gn_graph_add_const_s64(graph, NULL, 1, &start),
                             gn_graph_add_const_s64(graph, NULL, 1, &end)};
    const int sliced = gn_graph_add_op(graph, "Slice", "", NULL, slice_in, 3, NULL, 0);
    const int gather_in[2] = {sliced, gn_graph_add_const_s64(graph, NULL, 2, order)};
    const int swapped = gn_graph_add_op(graph, "Gather", "", NULL, gather_in, 2, &axis, 1);
    const int parts[1] = {swapped};
    const int joined = gn_graph_add_op(graph, "Concat", "", NULL, parts, 1, &axis, 1);
    const int expand_in[2] = {joined, gn_graph_add_const_s64(graph, NULL, 3, all)};
    const int twice = gn_graph_add_op(graph, "Expand", "", NULL, expand_in, 2, NULL, 0);
    const int reshape_in[2] = {twice, gn_graph_add_const_s64(graph, NULL, 1, &flat)};
    run(graph, gn_graph_add_op(graph, "Reshape", "", NULL, reshape_in, 2, NULL, 0), in, &ty);
    const int64_t want[4] = {-LARGE, 7, LARGE, LARGE + 2}; /* turned, then its rows swapped */
    for (int i = 0; i < 8; i++)
        assert_true(y[i] == want[i % 4]);
}

static void casts_keep_low_bits_and_drop_fractions(void **state)
{
    (void)state;
    int64_t x[3] = {300, -1, LARGE};
    float f[3] = {-2.75f, 3.99f, 0.5f};
    uint8_t y[3];
    int32_t z[3];
    const gn_shape three = gn_shape_make(1, 3);
    const gn_tensor tx = gn_tensor_view(GN_DTYPE_S64, &three, x), tf = gn_tensor_view(GN_DTYPE_F32, &three, f);
    const gn_tensor *in[1] = {&tx}, *reals[1] = {&tf};
    gn_tensor ty = gn_tensor_view(GN_DTYPE_U8, &three, y), tz = gn_tensor_view(GN_DTYPE_S32, &three, z);
    const gn_attr to_u8 = gn_attr_int("to", 2), to_s32 = gn_attr_int("to", 6);
    gn_graph *graph = new_graph();
    int id = input(graph, GN_DTYPE_S64, three);
    run(graph, gn_graph_add_op(graph, "Cast", "", NULL, &id, 1, &to_u8, 1), in, &ty);
    assert_true(y[0] == 44 && y[1] == 255 && y[2] == 1);
    graph = new_graph();
    id = input(graph, GN_DTYPE_F32, three);
    run(graph, gn_graph_add_op(graph, "Cast", "", NULL, &id, 1, &to_s32, 1), reals, &tz);
    assert_true(z[0] == -2 && z[1] == 3 && z[2] == 0);
}

/* Where the maxima of MaxPool lay, rows first and columns first. */
static void positions_of_maxima(void **state)
{
    (void)state;
    float x[16] = {1, 2, 3, 4, 5, 9, 7, 8, 6, 5, 16, 1, 2, 3, 4, 5};
    int64_t y[4];
    const int64_t two[2] = {2, 2};
    const gn_shape picture = gn_shape_make(4, 1, 1, 4, 4), small = gn_shape_make(4, 1, 1, 2, 2);
    const gn_tensor tx = gn_tensor_view(GN_DTYPE_F32, &picture, x);
    const gn_tensor *in[1] = {&tx};
    gn_tensor ty = gn_tensor_view(GN_DTYPE_S64, &small, y);
    static const int64_t want[2][4] = {{5, 7, 8, 10}, {5, 13, 2, 10}};
    for (int columns = 0; columns < 2; columns++) {
        const gn_attr attrs[3] = {gn_attr_ints("kernel_shape", two, 2), gn_attr_ints("strides", two, 2),
                                  gn_attr_int("storage_order", columns)};
        gn_graph *graph = new_graph();
        const int id = input(graph, GN_DTYPE_F32, picture);
        const int pool = gn_graph_add_node(graph, "MaxPool", "", NULL, &id, 1, 2, attrs, 3);
        assert_true(pool >= 0);
        run(graph, gn_graph_node(graph, pool)->out[1], in, &ty);
        for (int i = 0; i < 4; i++)
            assert_int_equal(y[i], want[columns][i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic_is_exact),
        cmocka_unit_test(bytes_wrap_around),
        cmocka_unit_test(the_largest_u64_is_divided_unsigned),
        cmocka_unit_test(moves_are_exact),
        cmocka_unit_test(casts_keep_low_bits_and_drop_fractions),
        cmocka_unit_test(positions_of_maxima),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
