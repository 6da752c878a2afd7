/* Reciprocal: y = 1 / x; its gradient is -dY * Y * Y.
 * Source: ONNX Reciprocal (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/map_rules.h"
#include "ops/op_rules.h"

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    const int square = gn_emit_binary(grad, node, "", "Mul", node->out[0], node->out[0]);
    const int product = gn_emit_binary(grad, node, "", "Mul", dy, square);
    return gn_give(grad, node, 0, gn_emit_unary(grad, node, "", "Neg", product));
}

static double value(double x, const double *k)
{
    (void)k;
    return 1 / x;
}

static gn_status reference(const gn_ref_call *call)
{
    return gn_map_apply(call, value, NULL);
}

const gn_op_def gn_op_reciprocal = {
    .name = "Reciprocal",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .inplace_in = 1u,
    .infer = gn_rule_same,
    .cost = gn_cost_per_output,
    .grad = grad_rule,
    .reference = reference,
};
