/* HardSigmoid: y = min(max(alpha * x + beta, 0), 1), and HardSigmoidGrad(dY, Y).
 * Source: ONNX HardSigmoid (opset 6: 0.2 and 0.5); Howard et al. 2019, "Searching for MobileNetV3" (1/6 and 0.5).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/map_rules.h"
#include "ops/op_rules.h"

static const char *const attr_names[] = {"alpha", "beta"};

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    return gn_map_grad(grad, node, "HardSigmoidGrad", node->out[0], attr_names, 2);
}

static void constants(const gn_node *node, double *k)
{
    k[0] = (double)gn_node_float(node, "alpha", 0.2f);
    k[1] = (double)gn_node_float(node, "beta", 0.5f);
}

static double value(double x, const double *k)
{
    const double y = k[0] * x + k[1];
    return y < 0 ? 0 : y > 1 ? 1 : y;
}

static double slope_times(double dy, double v, const double *k)
{
    return v > 0 && v < 1 ? k[0] * dy : 0;
}

static gn_status reference(const gn_ref_call *call)
{
    double k[2];
    constants(call->node, k);
    return gn_map_apply(call, value, k);
}

static gn_status reference_grad(const gn_ref_call *call)
{
    double k[2];
    constants(call->node, k);
    return gn_map_apply_two(call, slope_times, k);
}

const gn_op_def gn_op_hard_sigmoid = {
    .name = "HardSigmoid",
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

const gn_op_def gn_op_hard_sigmoid_grad = {
    .name = "HardSigmoidGrad",
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
