/* Abs: y = |x|, and AbsGrad(dY, X).
 * Source: ONNX Abs (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/map_rules.h"
#include "ops/op_rules.h"

#include <math.h>

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    return gn_map_grad(grad, node, "AbsGrad", node->in[0], NULL, 0);
}

static double value(double x, const double *k)
{
    (void)k;
    return fabs(x);
}

static double slope_times(double dy, double v, const double *k)
{
    (void)k;
    return v > 0 ? dy : v < 0 ? -dy : 0;
}

static gn_status reference(const gn_ref_call *call)
{
    return gn_map_apply(call, value, NULL);
}

static gn_status reference_grad(const gn_ref_call *call)
{
    return gn_map_apply_two(call, slope_times, NULL);
}

const gn_op_def gn_op_abs = {
    .name = "Abs",
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

const gn_op_def gn_op_abs_grad = {
    .name = "AbsGrad",
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
