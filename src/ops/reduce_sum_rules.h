/* What ReduceSum and ReduceMean share: the sum and its gradient.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_REDUCE_SUM_RULES_H
#define GN_OPS_REDUCE_SUM_RULES_H

#include "graph/autodiff.h"
#include "graph/op.h"

/* Gives dX = dY / terms, broadcast (is_mean), or dX = dY, broadcast. */
gn_status gn_reduce_grad(gn_grad *grad, const gn_node *node, bool is_mean);
/* out0[o] = the sum over the reduced axes, divided by the number of terms when is_mean. */
gn_status gn_reduce_sum(const gn_ref_call *call, bool is_mean);

#endif
