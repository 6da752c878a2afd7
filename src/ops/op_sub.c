/* Sub: y = a - b, with broadcasting.
 * Source: ONNX Sub (opset 14).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/broadcast.h"
#include "ops/op_rules.h"

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    if (dy < 0)
        return GN_OK;
    if (gn_grad_wants(grad, node, 0))
        GN_TRY(gn_give_summed(grad, node, 0, dy));
    if (gn_grad_wants(grad, node, 1)) {
        const int minus_one = gn_emit_scalar(grad, node, -1);
        GN_TRY(gn_give_summed(grad, node, 1, gn_emit_binary(grad, node, "", "Mul", dy, minus_one)));
    }
    return GN_OK;
}

static double sub(double a, double b)
{
    return a - b;
}

/* Wraps around. */
static int64_t sub_integers(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static gn_status reference(const gn_ref_call *call)
{
    return gn_broadcast_apply_typed(call, sub, sub_integers);
}

const gn_op_def gn_op_sub = {
    .name = "Sub",
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
