/* What Slice and Pad do along each dimension, for backends.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_MOVE_RULES_H
#define GN_OPS_MOVE_RULES_H

#include "graph/op.h"

/* Element k of dimension d is element begin[d] + k*step[d] of the whole; count: shape of the part. */
typedef struct gn_slices {
    int64_t begin[GN_MAX_RANK], step[GN_MAX_RANK];
    gn_shape count;
} gn_slices;
/* Of a Slice node, and of a SliceGrad whose operand has the shape dy (whole: the result's shape).  GN_ESHAPE with its name. */
gn_status gn_slices_of(const gn_graph *graph, const gn_node *node, gn_slices *out, gn_error *err);
gn_status gn_slices_of_grad(const gn_node *node, const gn_shape *dy, gn_slices *s, gn_shape *whole, gn_error *err);

/* Elements added (or, negative, taken away) before and after each dimension by a Pad node. */
typedef struct gn_pads {
    int64_t begin[GN_MAX_RANK], end[GN_MAX_RANK];
} gn_pads;
gn_status gn_pads_of(const gn_graph *graph, const gn_node *node, gn_pads *out, gn_error *err);

#endif
