/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "ops/ops.h"
#include "zoo/zoo.h"

gn_graph *fixture_graph(void)
{
    gn_graph *graph = NULL;
    assert_int_equal(gn_graph_create(gn_ops_registry(), &graph), GN_OK);
    return graph;
}

static void check(const gn_graph *graph)
{
    gn_error err = {0};
    if (gn_graph_error(graph, &err) != GN_OK)
        fail_msg("%s", err.message);
}

int fixture_input(gn_graph *graph, const char *name, gn_shape shape)
{
    return gn_graph_add_input(graph, name, GN_DTYPE_F32, &shape);
}

static void fill(float *x, int64_t n, const char *name)
{
    gn_rng rng;
    gn_rng_init(&rng, 3, gn_hash64(name, strlen(name), 0));
    for (int64_t i = 0; i < n; i++)
        x[i] = strstr(name, "var") ? gn_rng_range(&rng, 0.5f, 1.5f) : (float)(0.4 * gn_rng_normal(&rng) + (double)x[i]);
}

int fixture_state(gn_graph *graph, const char *name, gn_shape shape)
{
    int state = gn_graph_add_state(graph, name, GN_DTYPE_F32, &shape, true);
    check(graph);
    fill(gn_graph_value(graph, state)->data->data, gn_shape_count(&shape), name);
    return state;
}

void fixture_fill_states(gn_graph *graph)
{
    for (int v = 0; v < gn_graph_value_count(graph); v++) {
        const gn_value *value = gn_graph_value(graph, v);
        if (value->kind != GN_VALUE_STATE || value->dtype != GN_DTYPE_F32)
            continue;
        float *x = value->data->data;
        int64_t n = gn_tensor_count(value->data);
        bool plain = true;
        for (int64_t i = 0; i < n; i++)
            plain = plain && (x[i] == 0.0f || x[i] == 1.0f);
        if (plain)
            fill(x, n, value->name);
    }
}

int fixture_op(gn_graph *graph, const char *name, const int *in, int n_in, const gn_attr *attrs, int n_attrs)
{
    int value = gn_graph_add_op(graph, name, "", NULL, in, n_in, attrs, n_attrs);
    check(graph);
    return value;
}

int fixture_unary(gn_graph *graph, const char *name, int a)
{
    return fixture_op(graph, name, &a, 1, NULL, 0);
}

int fixture_binary(gn_graph *graph, const char *name, int a, int b)
{
    return fixture_op(graph, name, (const int[]){a, b}, 2, NULL, 0);
}

int fixture_conv(gn_graph *graph, int x, int w, int bias, int pad)
{
    const int64_t pads[4] = {pad, pad, pad, pad};
    const gn_attr attr = gn_attr_ints("pads", pads, 4);
    return fixture_op(graph, "Conv", (const int[]){x, w, bias}, bias < 0 ? 2 : 3, &attr, 1);
}

int fixture_batch_norm(gn_graph *graph, const char *name, int x)
{
    static const char *const parts[4] = {"weight", "bias", "running_mean", "running_var"};
    int in[5] = {x};
    gn_shape shape = gn_shape_make(1, (int)gn_graph_value(graph, x)->shape.dim[1]);
    for (int i = 0; i < 4; i++) {
        char full[80];
        snprintf(full, sizeof full, "%s.%s", name, parts[i]);
        in[1 + i] = fixture_state(graph, full, shape);
        gn_graph_value_mut(graph, in[1 + i])->trainable = i < 2;
    }
    const gn_attr epsilon = gn_attr_float("epsilon", 1e-3f);
    return fixture_op(graph, "BatchNormalization", in, 5, &epsilon, 1);
}

int fixture_count(const gn_graph *graph, const char *op)
{
    int n = 0;
    for (int i = 0; i < gn_graph_node_count(graph); i++)
        n += strcmp(gn_graph_node(graph, i)->op->name, op) == 0;
    return n;
}

gn_graph *fixture_network(const char *model, const char *head, int batch, int size_px)
{
    gn_zoo_options options = gn_zoo_options_default();
    options.model = model;
    options.head = head;
    options.classes = 10;
    options.width_px = options.height_px = size_px;
    gn_graph *graph = NULL;
    gn_error err = {0};
    if (gn_zoo_build(&options, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    gn_shape shape = gn_shape_make(4, batch, 3, size_px, size_px);
    assert_int_equal(gn_graph_set_input_shape(graph, gn_graph_input(graph, 0), &shape), GN_OK);
    if (gn_graph_infer(graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    fixture_fill_states(graph);
    return graph;
}

gn_interpret *fixture_interpret(const gn_graph *graph)
{
    gn_interpret *it = NULL;
    gn_error err = {0};
    if (gn_interpret_create(graph, GN_DTYPE_F64, &it, &err) != GN_OK)
        fail_msg("%s", err.message);
    for (int i = 0; i < gn_graph_input_count(graph); i++) {
        int id = gn_graph_input(graph, i);
        const gn_value *value = gn_graph_value(graph, id);
        int64_t n = gn_shape_count(&value->shape);
        double *x = malloc((size_t)n * sizeof *x);
        gn_rng rng;
        gn_rng_init(&rng, 17, gn_hash64(value->name, strlen(value->name), 0));
        for (int64_t k = 0; k < n; k++)
            x[k] = value->dtype == GN_DTYPE_S64 ? 3.0 : gn_rng_normal(&rng);
        gn_interpret_set(it, id, x);
        free(x);
    }
    if (gn_interpret_run(it, &err) != GN_OK)
        fail_msg("%s", err.message);
    return it;
}

double fixture_output_difference(const gn_graph *a, const gn_graph *b)
{
    gn_interpret *ia = fixture_interpret(a), *ib = fixture_interpret(b);
    double worst = 0.0, range = 1e-12;
    assert_int_equal(gn_graph_output_count(a), gn_graph_output_count(b));
    for (int i = 0; i < gn_graph_output_count(a); i++) {
        const gn_tensor *x = gn_interpret_get(ia, gn_graph_output(a, i)),
                        *y = gn_interpret_get(ib, gn_graph_output(b, i));
        assert_true(gn_shape_equal(&x->shape, &y->shape));
        for (int64_t k = 0; k < gn_tensor_count(x); k++) {
            double e = gn_tensor_get(x, k), d = fabs(gn_tensor_get(y, k) - e);
            worst = d > worst || isnan(d) ? d : worst;
            range = fabs(e) > range ? fabs(e) : range;
        }
    }
    gn_interpret_destroy(&ia);
    gn_interpret_destroy(&ib);
    return worst / range;
}
