/* Relu: y = max(x, 0).
 * Source: ONNX Relu (opset 14).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    const gn_attr lo = gn_attr_float("lo", 0);
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    return gn_give(grad, node, 0,
                   gn_emit(grad, node, "gannet", "ClampGrad", (const int[]){dy, node->out[0]}, 2, &lo, 1));
}

static gn_status reference(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n; i++) {
        const double x = gn_ref_load(call->in[0], i);
        gn_ref_store(call->out[0], i, x < 0 ? 0 : x);
    }
    return GN_OK;
}

const gn_op_def gn_op_relu = {
    .name = "Relu",
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
