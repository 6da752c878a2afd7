/* Max and Min: the largest and smallest of any number of operands, with broadcasting; NaN wins.  ExtremumGrad(dY, Y, X0, X1, ...): what
 * of dY goes to operand `index`; operands that share the extremum share the gradient.
 * Source: ONNX Max and Min (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/broadcast.h"
#include "ops/op_rules.h"
#include "ops/ref_access.h"

#include <math.h>

#define MOST_OPERANDS 64

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_shape out = *gn_in_shape(graph, node, 0);
    if (node->n_in > MOST_OPERANDS)
        return gn_shape_fail(err, node, "%d operands, at most %d are possible", node->n_in, MOST_OPERANDS);
    for (int i = 1; i < node->n_in; i++) {
        gn_shape both;
        if (!gn_has_in(node, i))
            return gn_shape_fail(err, node, "its operand %d is missing", i);
        if (gn_in_dtype(graph, node, i) != gn_in_dtype(graph, node, 0))
            return gn_shape_fail(err, node, "operands have the types %s and %s, expected the same",
                                 gn_dtype_name(gn_in_dtype(graph, node, 0)),
                                 gn_dtype_name(gn_in_dtype(graph, node, i)));
        if (gn_shape_broadcast(&out, gn_in_shape(graph, node, i), &both) != GN_OK) {
            char shapes[256];
            gn_op_input_shapes(graph, node, shapes);
            return gn_shape_fail(err, node, "shapes %s do not broadcast", shapes);
        }
        out = both;
    }
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &out);
    return GN_OK;
}

static gn_status infer_grad(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const int64_t index = gn_node_int(node, "index", -1);
    if (index < 0 || index >= node->n_in - 2 || node->n_in > MOST_OPERANDS + 2)
        return gn_shape_fail(err, node, "its index names none of its operands");
    return gn_rule_same(graph, node, err);
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    int in[MOST_OPERANDS + 2] = {dy, node->out[0]};
    if (dy < 0)
        return GN_OK;
    for (int i = 0; i < node->n_in; i++)
        in[i + 2] = node->in[i];
    for (int i = 0; i < node->n_in; i++) {
        const gn_attr index = gn_attr_int("index", i);
        if (gn_grad_wants(grad, node, i))
            GN_TRY(gn_give_summed(grad, node, i,
                                  gn_emit(grad, node, "gannet", "ExtremumGrad", in, node->n_in + 2, &index, 1)));
    }
    return GN_OK;
}

static gn_status extremum(const gn_ref_call *call, double sign)
{
    const gn_shape *shape = &call->out[0]->shape;
    const int64_t n = gn_shape_count(shape);
    for (int64_t i = 0; i < n; i++) {
        double best = 0;
        for (int k = 0; k < call->node->n_in; k++) {
            const double x = gn_ref_load(call->in[k], gn_broadcast_index(&call->in[k]->shape, shape, i));
            if (k == 0 || isnan(x) || x * sign > best * sign)
                best = k > 0 && isnan(best) ? best : x;
        }
        gn_ref_store(call->out[0], i, best);
    }
    return GN_OK;
}

static gn_status reference_max(const gn_ref_call *call)
{
    return extremum(call, 1);
}

static gn_status reference_min(const gn_ref_call *call)
{
    return extremum(call, -1);
}

static bool is_extremum(const gn_ref_call *call, int k, int64_t i)
{
    const gn_tensor *x = call->in[k + 2], *y = call->in[1];
    const double v = gn_ref_load(x, gn_broadcast_index(&x->shape, &y->shape, i)), best = gn_ref_load(y, i);
    return v >= best && v <= best;
}

static gn_status reference_grad(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    const int index = (int)gn_node_int(call->node, "index", 0);
    for (int64_t i = 0; i < n; i++) {
        int sharing = 0;
        for (int k = 0; k < call->node->n_in - 2; k++)
            sharing += is_extremum(call, k, i);
        gn_ref_store(call->out[0], i, is_extremum(call, index, i) ? gn_ref_load(call->in[0], i) / sharing : 0);
    }
    return GN_OK;
}

const gn_op_def gn_op_max = {
    .name = "Max",
    .domain = "",
    .min_in = 1,
    .max_in = -1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer,
    .cost = gn_cost_per_output,
    .grad = grad_rule,
    .reference = reference_max,
};

const gn_op_def gn_op_min = {
    .name = "Min",
    .domain = "",
    .min_in = 1,
    .max_in = -1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer,
    .cost = gn_cost_per_output,
    .grad = grad_rule,
    .reference = reference_min,
};

const gn_op_def gn_op_extremum_grad = {
    .name = "ExtremumGrad",
    .domain = "gannet",
    .min_in = 3,
    .max_in = -1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .inplace_in = 1u,
    .infer = infer_grad,
    .cost = gn_cost_per_output,
    .reference = reference_grad,
};
