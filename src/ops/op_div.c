/* Div: y = a / b, with broadcasting.
 * Source: ONNX Div (opset 14).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/broadcast.h"
#include "ops/op_rules.h"

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    if (dy < 0)
        return GN_OK;
    const int over_b = gn_emit_binary(grad, node, "", "Div", dy, node->in[1]);
    if (gn_grad_wants(grad, node, 0))
        GN_TRY(gn_give_summed(grad, node, 0, over_b));
    if (gn_grad_wants(grad, node, 1)) {
        /* db = -dy * y / b */
        const int scaled = gn_emit_binary(grad, node, "", "Mul", over_b, node->out[0]);
        const int minus_one = gn_emit_scalar(grad, node, -1);
        GN_TRY(gn_give_summed(grad, node, 1, gn_emit_binary(grad, node, "", "Mul", scaled, minus_one)));
    }
    return GN_OK;
}

static double div(double a, double b)
{
    return a / b;
}

/* Drops the fraction; what is divided by 0 becomes 0, and the one quotient that does not fit wraps around. */
static int64_t div_integers(int64_t a, int64_t b)
{
    if (b == 0)
        return 0;
    return b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
}

static int64_t div_u64(int64_t a, int64_t b)
{
    return b == 0 ? 0 : (int64_t)((uint64_t)a / (uint64_t)b);
}

static gn_status reference(const gn_ref_call *call)
{
    return gn_broadcast_apply_typed(call, div, call->in[0]->dtype == GN_DTYPE_U64 ? div_u64 : div_integers);
}

const gn_op_def gn_op_div = {
    .name = "Div",
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
