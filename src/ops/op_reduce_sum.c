/* ReduceSum over given axes (all when none are named); axes are an attribute or a constant input.
 * Source: ONNX ReduceSum (opset 11: attribute; opset 13: input).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/reduce_rules.h"
#include "ops/reduce_sum_rules.h"

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    return gn_reduce_grad(grad, node, false);
}

static gn_status reference(const gn_ref_call *call)
{
    return gn_reduce_sum(call, false);
}

const gn_op_def gn_op_reduce_sum = {
    .name = "ReduceSum",
    .domain = "",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = gn_rule_reduce,
    .cost = gn_cost_per_input,
    .grad = grad_rule,
    .reference = reference,
};
