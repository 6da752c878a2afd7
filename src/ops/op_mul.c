/* Mul: y = a * b, with broadcasting.
 * Source: ONNX Mul (opset 14).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/broadcast.h"
#include "ops/op_rules.h"

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    if (dy < 0)
        return GN_OK;
    for (int i = 0; i < 2; i++)
        if (gn_grad_wants(grad, node, i))
            GN_TRY(gn_give_summed(grad, node, i, gn_emit_binary(grad, node, "", "Mul", dy, node->in[1 - i])));
    return GN_OK;
}

static double mul(double a, double b)
{
    return a * b;
}

/* Wraps around. */
static int64_t mul_integers(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

static gn_status reference(const gn_ref_call *call)
{
    return gn_broadcast_apply_typed(call, mul, mul_integers);
}

const gn_op_def gn_op_mul = {
    .name = "Mul",
    .domain = "",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .inplace_in = 3u,
    .infer = gn_rule_broadcast,
    .cost = gn_cost_per_output,
    .grad = grad_rule,
    .reference = reference,
};
