/* What the operators that reduce over axes share: which axes, the shape of the result, and the way through the elements.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_REDUCE_RULES_H
#define GN_OPS_REDUCE_RULES_H

#include "graph/autodiff.h"
#include "graph/op.h"

/* Flags of the reduced axes of input 0: constant input 1 or attribute "axes"; all when none are named, none when the attribute
 * noop_with_empty_axes says so. */
gn_status gn_reduce_axes(const gn_graph *graph, const gn_node *node, bool is_axis[GN_MAX_RANK], gn_error *err);
/* Shape rule: input 0's without the reduced axes, or with ones there (keepdims, the default). */
gn_status gn_reduce_infer(gn_graph *graph, const gn_node *node, gn_error *err);
/* Plain index into x of term t of result element o: t counts through the reduced axes, o through the others. */
int64_t gn_reduce_index(const gn_shape *x, const bool *is_axis, int64_t o, int64_t t);
/* Gives dX = dY / count, broadcast (is_mean), or dX = dY, broadcast. */
gn_status gn_reduce_grad(gn_grad *grad, const gn_node *node, bool is_mean);
/* out0[o] = the sum over the reduced axes, times 1 / count when is_mean. */
gn_status gn_reduce_sum(const gn_ref_call *call, bool is_mean);

#endif
