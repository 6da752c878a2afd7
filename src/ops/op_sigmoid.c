/* Sigmoid: y = 1 / (1 + exp(-x)), and SigmoidGrad(dY, Y): dX = dY * Y * (1 - Y).
 * Source: ONNX Sigmoid (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

#include <math.h>

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    return gn_give(grad, node, 0, gn_emit_binary(grad, node, "gannet", "SigmoidGrad", dy, node->out[0]));
}

static gn_status reference(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n; i++)
        gn_ref_store(call->out[0], i, 1 / (1 + exp(-gn_ref_load(call->in[0], i))));
    return GN_OK;
}

static gn_status reference_grad(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n; i++) {
        const double y = gn_ref_load(call->in[1], i);
        gn_ref_store(call->out[0], i, gn_ref_load(call->in[0], i) * y * (1 - y));
    }
    return GN_OK;
}

const gn_op_def gn_op_sigmoid = {
    .name = "Sigmoid",
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

const gn_op_def gn_op_sigmoid_grad = {
    .name = "SigmoidGrad",
    .domain = "gannet",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .inplace_in = 1u,
    .infer = gn_rule_same,
    .cost = gn_cost_per_output,
    .reference = reference_grad,
};
