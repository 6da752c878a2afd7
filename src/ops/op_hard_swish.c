/* HardSwish: y = x * min(max(x/6 + 1/2, 0), 1), and HardSwishGrad(dY, X), which takes the outer slopes at the kinks -3 and 3.
 * Source: Howard et al. 2019, "Searching for MobileNetV3", section 5.2; ONNX HardSwish (opset 14).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    return gn_give(grad, node, 0, gn_emit_binary(grad, node, "gannet", "HardSwishGrad", dy, node->in[0]));
}

static gn_status reference(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n; i++) {
        const double x = gn_ref_load(call->in[0], i), gate = x / 6 + 0.5;
        gn_ref_store(call->out[0], i, x * (gate < 0 ? 0 : gate > 1 ? 1 : gate));
    }
    return GN_OK;
}

static gn_status reference_grad(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n; i++) {
        const double x = gn_ref_load(call->in[1], i), slope = x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5;
        gn_ref_store(call->out[0], i, gn_ref_load(call->in[0], i) * slope);
    }
    return GN_OK;
}

const gn_op_def gn_op_hard_swish = {
    .name = "HardSwish",
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

const gn_op_def gn_op_hard_swish_grad = {
    .name = "HardSwishGrad",
    .domain = "gannet",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .inplace_in = 3u,
    .infer = gn_rule_same,
    .cost = gn_cost_per_output,
    .reference = reference_grad,
};
