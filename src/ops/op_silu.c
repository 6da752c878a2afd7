/* Silu (Swish): y = x / (1 + exp(-x)), and SiluGrad(dY, X): dX = dY * s * (1 + x * (1 - s)), s = 1 / (1 + exp(-x)).
 * ONNX spells it x * Sigmoid(x), which the passes for training and inference recognise.
 * Source: Elfwing et al. 2018, "Sigmoid-weighted linear units"; Ramachandran et al. 2017, "Searching for activation functions".
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/curve_rules.h"
#include "ops/map_rules.h"
#include "ops/op_rules.h"

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    return gn_map_grad(grad, node, "SiluGrad", node->in[0], NULL, 0);
}

static double value(double x, const double *k)
{
    (void)k;
    return gn_curve_value((gn_curve){GN_CURVE_SILU, 0}, x);
}

static double slope_times(double dy, double x, const double *k)
{
    (void)k;
    return dy * gn_curve_slope((gn_curve){GN_CURVE_SILU, 0}, x);
}

static gn_status reference(const gn_ref_call *call)
{
    return gn_map_apply(call, value, NULL);
}

static gn_status reference_grad(const gn_ref_call *call)
{
    return gn_map_apply_two(call, slope_times, NULL);
}

const gn_op_def gn_op_silu = {
    .name = "Silu",
    .domain = "gannet",
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

const gn_op_def gn_op_silu_grad = {
    .name = "SiluGrad",
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
