/* PRelu: y = x where x >= 0, else slope * x, with slope broadcast to x; and PReluGrad(dY, X, slope) -> dX, dSlope, the latter of X's
 * shape, before it is summed.
 * Source: He et al. 2015, "Delving deep into rectifiers"; ONNX PRelu (opset 16).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/broadcast.h"
#include "ops/op_rules.h"
#include "ops/ref_access.h"

static gn_status check_slope(const gn_graph *graph, const gn_node *node, int x, int slope, gn_error *err)
{
    gn_shape both;
    const gn_shape *shape = gn_in_shape(graph, node, x);
    if (gn_shape_broadcast(shape, gn_in_shape(graph, node, slope), &both) == GN_OK && gn_shape_equal(&both, shape))
        return GN_OK;
    char shapes[256];
    gn_op_input_shapes(graph, node, shapes);
    return gn_shape_fail(err, node, "its slope does not broadcast to its input: %s", shapes);
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    GN_TRY(check_slope(graph, node, 0, 1, err));
    return gn_rule_same(graph, node, err);
}

static gn_status infer_grad(gn_graph *graph, const gn_node *node, gn_error *err)
{
    GN_TRY(check_slope(graph, node, 1, 2, err));
    gn_set_out(graph, node, 1, gn_in_dtype(graph, node, 0), gn_in_shape(graph, node, 0));
    return gn_rule_same(graph, node, err);
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    return gn_grad_by_pair(grad, node, "PReluGrad");
}

static gn_status reference(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    const gn_tensor *x = call->in[0], *slope = call->in[1];
    for (int64_t i = 0; i < n; i++) {
        const double v = gn_ref_load(x, i);
        gn_ref_store(call->out[0], i,
                     v < 0 ? v * gn_ref_load(slope, gn_broadcast_index(&slope->shape, &x->shape, i)) : v);
    }
    return GN_OK;
}

static gn_status reference_grad(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    const gn_tensor *x = call->in[1], *slope = call->in[2];
    for (int64_t i = 0; i < n; i++) {
        const double v = gn_ref_load(x, i), dy = gn_ref_load(call->in[0], i);
        const double s = v < 0 ? gn_ref_load(slope, gn_broadcast_index(&slope->shape, &x->shape, i)) : 1;
        gn_ref_store(call->out[0], i, dy * s);
        if (gn_has_out(call->node, 1))
            gn_ref_store(call->out[1], i, v < 0 ? dy * v : 0);
    }
    return GN_OK;
}

const gn_op_def gn_op_prelu = {
    .name = "PRelu",
    .domain = "",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .inplace_in = 1u,
    .infer = infer,
    .cost = gn_cost_per_output,
    .grad = grad_rule,
    .reference = reference,
};

const gn_op_def gn_op_prelu_grad = {
    .name = "PReluGrad",
    .domain = "gannet",
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 2,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer_grad,
    .cost = gn_cost_per_output,
    .reference = reference_grad,
};
