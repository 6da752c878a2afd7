/* Graphs of a single operator for test programs, which compare a backend with the references in f64.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_OP_BUILDER_H
#define GN_TESTS_OP_BUILDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend_fixture.h"
#include "ops/ops.h"

#define TOLERANCE 2e-5

static gn_graph *g; /* the graph that a test builds */

static inline int begin(void **state)
{
    (void)state;
    return gn_graph_create(gn_ops_registry(), &g) == GN_OK ? 0 : -1;
}

static inline int end(void **state)
{
    (void)state;
    gn_graph_destroy(&g);
    return 0;
}

static inline int input(const char *name, int rank, const int *dim)
{
    gn_shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.dim[i] = dim[i];
    return gn_graph_add_input(g, name, GN_DTYPE_F32, &shape);
}

#define INPUT(name, ...) input(name, (int)(sizeof(int[]){__VA_ARGS__} / sizeof(int)), (int[]){__VA_ARGS__})

static inline int param(const char *name, int rank, const int *dim)
{
    gn_shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.dim[i] = dim[i];
    return gn_graph_add_state(g, name, GN_DTYPE_F32, &shape, true);
}

#define PARAM(name, ...) param(name, (int)(sizeof(int[]){__VA_ARGS__} / sizeof(int)), (int[]){__VA_ARGS__})

static inline int op(const char *domain, const char *name, int n_out, const int *in, int n_in, const gn_attr *attrs,
                     int n_attrs)
{
    int node = gn_graph_add_node(g, name, domain, NULL, in, n_in, n_out, attrs, n_attrs);
    gn_error err = {0};
    if (node < 0) {
        gn_graph_error(g, &err);
        fail_msg("%s", err.message);
    }
    return node;
}

static inline int value_of(int node, int i)
{
    return gn_graph_node(g, node)->out[i];
}

/* One result, no attributes. */
#define OP(name, ...) op("", name, 1, (int[]){__VA_ARGS__}, (int)(sizeof(int[]){__VA_ARGS__} / sizeof(int)), NULL, 0)

/* The value as something that lies N,H,W,C in memory. */
static inline int nhwc(int value)
{
    const int64_t one[2] = {1, 1};
    const gn_attr kernel = gn_attr_ints("kernel_shape", one, 2);
    return value_of(op("", "MaxPool", 1, &value, 1, &kernel, 1), 0);
}

static inline void outputs_of(int node)
{
    const gn_node *made = gn_graph_node(g, node);
    for (int i = 0; i < made->n_out; i++)
        if (made->out[i] >= 0)
            assert_int_equal(gn_graph_add_output(g, made->out[i]), GN_OK);
}

static inline void check(const char *what)
{
    gn_error err = {0};
    if (gn_graph_error(g, &err) != GN_OK)
        fail_msg("%s: %s", what, err.message);
    fixture_fill_states(g, 3);
    for (int threads = 1; threads <= 2; threads++) {
        double d = fixture_difference(g, threads, 1, 11, TOLERANCE);
        if (!(d <= TOLERANCE))
            fail_msg("%s with %d threads differs by %g", what, threads, d);
    }
    gn_graph_destroy(&g);
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
}

static inline const gn_attr *curve_attrs(int kind)
{
    static gn_attr attrs[2];
    static const char *const names[] = {"silu", "hard_swish", "leaky_relu"};
    attrs[0] = gn_attr_string("activation", names[kind]);
    attrs[1] = gn_attr_float("alpha", 0.2f);
    return attrs;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

#endif
