/* How scales and zero points belong to the elements of QuantizeLinear and DequantizeLinear, for backends.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_QUANTIZE_RULES_H
#define GN_OPS_QUANTIZE_RULES_H

#include "graph/op.h"

/* x is [outer, n, inner] around `axis`; `block` positions share one of `count` scales.  axis -1: one scale for all (the others are 1). */
typedef struct gn_scaling {
    int axis;
    int64_t n, inner, block, count;
    bool is_blocked; /* a scale for each block of each row, not for each position only */
} gn_scaling;
/* GN_ESHAPE with the node's name. */
gn_status gn_scaling_of(const gn_graph *graph, const gn_node *node, gn_scaling *out, gn_error *err);

#endif
