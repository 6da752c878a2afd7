/* What the optimisers share: one node works on n tensors; inputs are hyper, grad_scale (not Ema) and then groups of n tensors, the
 * outputs are groups of n.  Outputs update states, so the planner lets them lie over the inputs: references read an element before
 * they write it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_OPTIMIZER_RULES_H
#define GN_OPS_OPTIMIZER_RULES_H

#include "graph/op.h"

/* The graph input, f32 [8], with the numbers that change from step to step. */
#define GN_HYPER_INPUT "train.hyper"
enum {
    GN_HYPER_LR,
    GN_HYPER_BIAS1,
    GN_HYPER_BIAS2,
    GN_HYPER_FIRST,
    GN_HYPER_EMA_DECAY,
    GN_HYPER_BIAS_LR,       /* rate of biases, where they have one of their own */
    GN_HYPER_MOMENTUM_LESS, /* by how much Sgd's momentum is smaller than its attribute says (warm-up) */
    GN_HYPER_COUNT = 8
};

/* Shapes and arity: `fixed` inputs, then groups_in groups of n (attribute) tensors; groups_out groups come out, group k with the
 * shapes of input group out_like[k].  All groups have the shapes of the first.  GN_ESHAPE. */
gn_status gn_optimizer_infer(gn_graph *graph, const gn_node *node, int fixed, int groups_in, const int *out_like,
                             int groups_out, gn_error *err);
/* Attribute n, 0 when absent. */
int gn_optimizer_count(const gn_node *node);
/* Element i of the floats attribute weight_decay; 0 when absent. */
double gn_optimizer_decay(const gn_node *node, int i);

#endif
