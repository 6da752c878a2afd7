/* MSELoss, the squared error, and its gradient.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/loss_rules.h"
#include "ops/op_rules.h"

#include "detect/box.h"

static double value(const gn_node *node, double pred, double target)
{
    (void)node;
    return gn_squared_error(pred - target);
}

static double derivative(const gn_node *node, double pred, double target)
{
    (void)node;
    return gn_squared_error_grad(pred - target);
}

static gn_status reference(const gn_ref_call *call)
{
    return gn_loss_reference(call, value);
}

static gn_status reference_grad(const gn_ref_call *call)
{
    return gn_loss_grad_reference(call, derivative);
}

const gn_op_def gn_op_mse_loss = {
    .name = "MSELoss",
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

const gn_op_def gn_op_mse_loss_grad = {
    .name = "MSELossGrad",
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
