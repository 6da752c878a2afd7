/* What the losses share.  Each takes (pred, target, weight), pred and target [N,K] or [N], weight [N] >= 0, and gives the scalar
 *   L = sum_n weight[n] * row_n / max(sum_n weight[n], GN_LOSS_MIN_WEIGHT),
 * row_n being the mean over K of an element's loss, or a loss of the row as a whole; weights of 1 give the plain mean.
 * The gradient operators take (dL, pred, target, weight).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_LOSS_RULES_H
#define GN_OPS_LOSS_RULES_H

#include "graph/autodiff.h"
#include "graph/op.h"

#define GN_LOSS_MIN_WEIGHT 1e-12

gn_status gn_loss_infer(gn_graph *graph, const gn_node *node, gn_error *err);
gn_status gn_loss_grad_infer(gn_graph *graph, const gn_node *node, gn_error *err);
/* Emits <op>Grad with the node's attributes. */
gn_status gn_loss_grad_rule(gn_grad *grad, const gn_node *node);

/* Losses of single elements: value, or derivative by pred. */
typedef double (*gn_element_loss)(const gn_node *node, double pred, double target);
gn_status gn_loss_reference(const gn_ref_call *call, gn_element_loss value);
gn_status gn_loss_grad_reference(const gn_ref_call *call, gn_element_loss derivative);
/* max(sum of weights, GN_LOSS_MIN_WEIGHT) */
double gn_loss_weight_sum(const gn_tensor *weight);

#endif
