/* SmoothL1Loss with attribute beta, and its gradient: |d| < beta ? d*d/(2 beta) : |d| - beta/2 with d = pred - target.
 * Source: Girshick 2015, "Fast R-CNN", equation 3, with beta as PyTorch has it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/loss_rules.h"
#include "ops/op_rules.h"

#include "detect/box.h"

#define DEFAULT_BETA 1.0f

static double value(const gn_node *node, double pred, double target)
{
    return gn_smooth_l1(pred - target, (double)gn_node_float(node, "beta", DEFAULT_BETA));
}

static double derivative(const gn_node *node, double pred, double target)
{
    return gn_smooth_l1_grad(pred - target, (double)gn_node_float(node, "beta", DEFAULT_BETA));
}

static gn_status reference(const gn_ref_call *call)
{
    return gn_loss_reference(call, value);
}

static gn_status reference_grad(const gn_ref_call *call)
{
    return gn_loss_grad_reference(call, derivative);
}

const gn_op_def gn_op_smooth_l1_loss = {
    .name = "SmoothL1Loss",
    .domain = "gannet",
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = gn_loss_infer,
    .cost = gn_cost_per_input,
    .grad = gn_loss_grad_rule,
    .reference = reference,
};

const gn_op_def gn_op_smooth_l1_loss_grad = {
    .name = "SmoothL1LossGrad",
    .domain = "gannet",
    .min_in = 4,
    .max_in = 4,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = gn_loss_grad_infer,
    .cost = gn_cost_per_output,
    .reference = reference_grad,
};
