/* BCEWithLogitsLoss, the binary cross entropy of a logit x against a target t in 0..1, and its gradient:
 * max(x, 0) - x*t + log(1 + exp(-|x|)), which does not overflow.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/loss_rules.h"
#include "ops/op_rules.h"

#include <math.h>

static double value(const gn_node *node, double pred, double target)
{
    (void)node;
    return fmax(pred, 0) - pred * target + log1p(exp(-fabs(pred)));
}

static double derivative(const gn_node *node, double pred, double target)
{
    (void)node;
    return 1 / (1 + exp(-pred)) - target;
}

static gn_status reference(const gn_ref_call *call)
{
    return gn_loss_reference(call, value);
}

static gn_status reference_grad(const gn_ref_call *call)
{
    return gn_loss_grad_reference(call, derivative);
}

const gn_op_def gn_op_bce_loss = {
    .name = "BCEWithLogitsLoss",
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

const gn_op_def gn_op_bce_loss_grad = {
    .name = "BCEWithLogitsLossGrad",
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
