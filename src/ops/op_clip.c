/* Clip: y = min(max(x, min), max); the bounds are constant scalar inputs (opset 11 on) or attributes (opset 6).
 * Source: ONNX Clip (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

#include <math.h>

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    for (int i = 1; i < 3; i++)
        if (gn_has_in(node, i) && gn_shape_count(gn_in_shape(graph, node, i)) != 1)
            return gn_shape_fail(err, node, "its bound (input %d) is no scalar", i);
    return gn_rule_same(graph, node, err);
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    float lo, hi;
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    const gn_status status = gn_op_activation_bounds(gn_grad_graph(grad), node, &lo, &hi);
    if (status != GN_OK)
        return gn_graph_set_error(gn_grad_graph(grad), status, "node %s (Clip): its bounds are not constant",
                                  node->name);
    const gn_attr attrs[2] = {gn_attr_float("lo", lo), gn_attr_float("hi", hi)};
    return gn_give(grad, node, 0,
                   gn_emit(grad, node, "gannet", "ClampGrad", (const int[]){dy, node->out[0]}, 2, attrs, 2));
}

static gn_status reference(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    const gn_node *node = call->node;
    double lo = (double)gn_node_float(node, "min", -INFINITY), hi = (double)gn_node_float(node, "max", INFINITY);
    if (gn_has_in(node, 1))
        lo = gn_ref_load(call->in[1], 0);
    if (gn_has_in(node, 2))
        hi = gn_ref_load(call->in[2], 0);
    for (int64_t i = 0; i < n; i++) {
        const double x = gn_ref_load(call->in[0], i);
        const double raised = x < lo ? lo : x;
        gn_ref_store(call->out[0], i, raised > hi ? hi : raised);
    }
    return GN_OK;
}

const gn_op_def gn_op_clip = {
    .name = "Clip",
    .domain = "",
    .min_in = 1,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .inplace_in = 1u,
    .infer = infer,
    .cost = gn_cost_per_output,
    .grad = grad_rule,
    .reference = reference,
};
