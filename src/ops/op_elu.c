/* Elu: y = x where x >= 0, else alpha * (exp(x) - 1), and EluGrad(dY, X).
 * Source: Clevert et al. 2016, "Fast and accurate deep network learning by exponential linear units"; ONNX Elu (opset 6).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/map_rules.h"
#include "ops/op_rules.h"

#include <math.h>

static const char *const attr_names[] = {"alpha"};

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    return gn_map_grad(grad, node, "EluGrad", node->in[0], attr_names, 1);
}

static void constants(const gn_node *node, double *k)
{
    k[0] = (double)gn_node_float(node, "alpha", 1.0f);
}

static double value(double x, const double *k)
{
    return x < 0 ? k[0] * expm1(x) : x;
}

static double slope_times(double dy, double v, const double *k)
{
    return v < 0 ? dy * k[0] * exp(v) : dy;
}

static gn_status reference(const gn_ref_call *call)
{
    double k[1];
    constants(call->node, k);
    return gn_map_apply(call, value, k);
}

static gn_status reference_grad(const gn_ref_call *call)
{
    double k[1];
    constants(call->node, k);
    return gn_map_apply_two(call, slope_times, k);
}

const gn_op_def gn_op_elu = {
    .name = "Elu",
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

const gn_op_def gn_op_elu_grad = {
    .name = "EluGrad",
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
