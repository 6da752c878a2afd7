/* Shape rules, costs, attribute readers and gradient emitters that several operators share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

gn_status gn_rule_same(gn_graph *graph, const gn_node *node, gn_error *err)
{
    (void)err;
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), gn_in_shape(graph, node, 0));
    return GN_OK;
}

gn_status gn_rule_like_second(gn_graph *graph, const gn_node *node, gn_error *err)
{
    (void)err;
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 1), gn_in_shape(graph, node, 1));
    return GN_OK;
}

gn_status gn_rule_broadcast(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_shape out;
    if (gn_in_dtype(graph, node, 0) != gn_in_dtype(graph, node, 1))
        return gn_shape_fail(err, node, "operands have the types %s and %s, expected the same",
                             gn_dtype_name(gn_in_dtype(graph, node, 0)), gn_dtype_name(gn_in_dtype(graph, node, 1)));
    if (gn_shape_broadcast(gn_in_shape(graph, node, 0), gn_in_shape(graph, node, 1), &out) != GN_OK) {
        char shapes[256];
        gn_op_input_shapes(graph, node, shapes);
        return gn_shape_fail(err, node, "shapes %s do not broadcast", shapes);
    }
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &out);
    return GN_OK;
}

void gn_cost_per_input(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    cost_out->elementwise = x ? gn_shape_count(x) : 0;
}

void gn_cost_per_output(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    cost_out->elementwise = gn_has_out(node, 0) ? gn_shape_count(&gn_graph_value(graph, node->out[0])->shape) : 0;
}

#define MOST_COST (INT64_C(1) << 50)

int64_t gn_cost_times(int64_t a, int64_t b)
{
    return b > 0 && a > MOST_COST / b ? MOST_COST : a * b;
}

gn_status gn_op_axis(const gn_node *node, const char *name, int64_t fallback, int rank, int *axis_out, gn_error *err)
{
    const int64_t axis = gn_node_int(node, name, fallback);
    if (axis < -rank || axis >= rank)
        return gn_shape_fail(err, node, "%s is %" PRId64 ", expected %d..%d", name, axis, -rank, rank - 1);
    *axis_out = (int)(axis < 0 ? axis + rank : axis);
    return GN_OK;
}

void gn_op_clamp(const gn_node *node, float *lo_out, float *hi_out)
{
    *lo_out = gn_node_float(node, "lo", -INFINITY);
    *hi_out = gn_node_float(node, "hi", INFINITY);
}

/* Scalar of constant input i into *x; left as it is when the input is absent. */
static gn_status constant_scalar(const gn_graph *graph, const gn_node *node, int i, float *x)
{
    if (!gn_has_in(node, i))
        return GN_OK;
    const gn_tensor *value = gn_in_known(graph, node, i);
    if (!value || gn_tensor_count(value) != 1)
        return GN_EUNSUPPORTED;
    *x = (float)gn_tensor_get(value, 0);
    return GN_OK;
}

gn_status gn_op_activation_bounds(const gn_graph *graph, const gn_node *node, float *lo_out, float *hi_out)
{
    float lo = -INFINITY, hi = INFINITY;
    if (strcmp(node->op->name, "Relu") == 0)
        lo = 0;
    if (strcmp(node->op->name, "Clip") == 0) {
        lo = gn_node_float(node, "min", lo);
        hi = gn_node_float(node, "max", hi);
        GN_TRY(constant_scalar(graph, node, 1, &lo));
        GN_TRY(constant_scalar(graph, node, 2, &hi));
    }
    *lo_out = lo;
    *hi_out = hi;
    return GN_OK;
}

gn_status gn_op_axes(const gn_graph *graph, const gn_node *node, int rank, bool is_axis[GN_MAX_RANK], int *n_out,
                     gn_error *err)
{
    int64_t axes[GN_MAX_RANK];
    int n;
    memset(is_axis, 0, GN_MAX_RANK * sizeof is_axis[0]);
    if (gn_has_in(node, 1)) {
        if (gn_shape_count(gn_in_shape(graph, node, 1)) > GN_MAX_RANK)
            return gn_shape_fail(err, node, "more than %d axes", GN_MAX_RANK);
        n = gn_in_const_s64(graph, node, 1, axes, GN_MAX_RANK);
        if (n < 0)
            return gn_shape_fail(err, node, "its axes are not constant");
    } else {
        n = gn_node_ints(node, "axes", axes, GN_MAX_RANK, 0);
        if (n > GN_MAX_RANK)
            return gn_shape_fail(err, node, "more than %d axes", GN_MAX_RANK);
    }
    for (int i = 0; i < n; i++) {
        const int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        if (axis < 0 || axis >= rank || is_axis[axis])
            return gn_shape_fail(err, node, "axis %" PRId64 " is outside -%d..%d or named twice", axes[i], rank,
                                 rank - 1);
        is_axis[axis] = true;
    }
    *n_out = n;
    return GN_OK;
}

int gn_op_copy_attrs(const gn_node *node, const char *const *names, int n_names, gn_attr *dst)
{
    int n = 0;
    for (int i = 0; i < n_names; i++)
        if (gn_node_attr(node, names[i]))
            dst[n++] = *gn_node_attr(node, names[i]);
    return n;
}

void gn_op_input_shapes(const gn_graph *graph, const gn_node *node, char *dst)
{
    const size_t room = 256;
    size_t n = 0;
    dst[0] = '\0';
    for (int i = 0; i < node->n_in && n < room; i++) {
        char shape[128];
        if (!gn_has_in(node, i))
            continue;
        gn_shape_format(gn_in_shape(graph, node, i), shape);
        n += (size_t)snprintf(dst + n, room - n, "%s%s", n ? " and " : "", shape);
    }
}

/* ---- gradients ---- */

int gn_emit(gn_grad *grad, const gn_node *node, const char *domain, const char *op, const int *in, int n_in,
            const gn_attr *attrs, int n_attrs)
{
    char name[256];
    for (int i = 0; i < n_in; i++)
        if (in[i] < -1)
            return in[i];
    snprintf(name, sizeof name, "%s.grad", node->name);
    return gn_graph_add_op(gn_grad_graph(grad), op, domain, name, in, n_in, attrs, n_attrs);
}

/* An operand that failed to be emitted is -1 here, never "left out". */
int gn_emit_unary(gn_grad *grad, const gn_node *node, const char *domain, const char *op, int a)
{
    return a < 0 ? a : gn_emit(grad, node, domain, op, &a, 1, NULL, 0);
}

int gn_emit_binary(gn_grad *grad, const gn_node *node, const char *domain, const char *op, int a, int b)
{
    const int in[2] = {a, b};
    return a < 0 || b < 0 ? -1 : gn_emit(grad, node, domain, op, in, 2, NULL, 0);
}

int gn_emit_scalar(gn_grad *grad, const gn_node *node, float x)
{
    char name[256];
    snprintf(name, sizeof name, "%s.grad.factor", node->name);
    return gn_graph_add_const_f32(gn_grad_graph(grad), name, 0, &x);
}

int gn_emit_zeros(gn_grad *grad, const gn_node *node, int like)
{
    char name[256];
    gn_graph *graph = gn_grad_graph(grad);
    const gn_value *value = gn_graph_value(graph, like);
    gn_tensor *zeros = NULL;
    const gn_status status = gn_tensor_create(value->dtype, &value->shape, &zeros);
    if (status != GN_OK) {
        gn_graph_set_error(graph, status, "node %s: zeros for its gradient: %s", node->name,
                           gn_status_sentence(status));
        return -1;
    }
    snprintf(name, sizeof name, "%s.grad.zeros", node->name);
    const int id = gn_graph_add_const(graph, name, zeros);
    gn_tensor_destroy(&zeros);
    return id;
}

int gn_emit_reshape_like(gn_grad *grad, const gn_node *node, int value, int like)
{
    char name[256];
    gn_graph *graph = gn_grad_graph(grad);
    gn_shape shape = gn_graph_value(graph, like)->shape;
    const gn_attr allow_zero = gn_attr_int("allowzero", 1);
    const gn_shape dims_shape = gn_shape_make(1, shape.rank);
    const gn_tensor dims_view = gn_tensor_view(GN_DTYPE_S64, &dims_shape, shape.dim);
    snprintf(name, sizeof name, "%s.grad.shape", node->name);
    const int dims = gn_graph_add_const(graph, name, &dims_view);
    if (value < 0 || dims < 0)
        return -1;
    return gn_emit(grad, node, "", "Reshape", (const int[]){value, dims}, 2, &allow_zero, 1);
}

gn_status gn_give(gn_grad *grad, const gn_node *node, int i, int value)
{
    if (value < 0)
        return gn_graph_error(gn_grad_graph(grad), NULL);
    return gn_grad_give(grad, node, i, value);
}

gn_status gn_give_summed(gn_grad *grad, const gn_node *node, int i, int value)
{
    gn_graph *graph = gn_grad_graph(grad);
    if (value < 0)
        return gn_graph_error(graph, NULL);
    const gn_shape *wanted = gn_in_shape(graph, node, i);
    if (gn_shape_equal(&gn_graph_value(graph, value)->shape, wanted))
        return gn_grad_give(grad, node, i, value);
    const gn_attr shape = gn_attr_ints("shape", wanted->dim, wanted->rank);
    return gn_give(grad, node, i, gn_emit(grad, node, "gannet", "SumTo", &value, 1, &shape, 1));
}

gn_status gn_grad_by_pair(gn_grad *grad, const gn_node *node, const char *op)
{
    gn_graph *graph = gn_grad_graph(grad);
    const int dz = gn_grad_of_out(grad, node, 0);
    if (dz < 0)
        return GN_OK;
    const int in[3] = {dz, node->in[0], node->in[1]};
    const int n_out = gn_grad_wants(grad, node, 1) ? 2 : 1;
    const int id = gn_graph_add_node(graph, op, "gannet", node->name, in, 3, n_out, NULL, 0);
    if (id < 0)
        return gn_graph_error(graph, NULL);
    const gn_node *made = gn_graph_node(graph, id);
    const int dx = made->out[0], dy = n_out > 1 ? made->out[1] : -1;
    if (gn_grad_wants(grad, node, 0))
        GN_TRY(gn_give_summed(grad, node, 0, dx));
    return dy >= 0 ? gn_give_summed(grad, node, 1, dy) : GN_OK;
}

gn_status gn_rule_same_along_axis(gn_graph *graph, const gn_node *node, gn_error *err)
{
    int axis;
    GN_TRY(gn_op_axis(node, "axis", -1, gn_in_shape(graph, node, 0)->rank, &axis, err));
    return gn_rule_same(graph, node, err);
}
