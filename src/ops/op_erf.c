/* Erf: the error function 2/sqrt(pi) * integral of exp(-t^2) from 0 to x; its gradient is dY * 2/sqrt(pi) * exp(-X^2).
 * Source: ONNX Erf (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/map_rules.h"
#include "ops/op_rules.h"

#include <math.h>

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    const int square = gn_emit_binary(grad, node, "", "Mul", node->in[0], node->in[0]);
    const int bell = gn_emit_unary(grad, node, "", "Exp", gn_emit_unary(grad, node, "", "Neg", square));
    const int scaled = gn_emit_binary(grad, node, "", "Mul", bell, gn_emit_scalar(grad, node, 1.12837916709551257f));
    return gn_give(grad, node, 0, gn_emit_binary(grad, node, "", "Mul", dy, scaled));
}

static double value(double x, const double *k)
{
    (void)k;
    return erf(x);
}

static gn_status reference(const gn_ref_call *call)
{
    return gn_map_apply(call, value, NULL);
}

const gn_op_def gn_op_erf = {
    .name = "Erf",
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
