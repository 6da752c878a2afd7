/* What reductions over axes share: which axes, the shape rule, and how a reference walks through the terms of a result.
 * Source: ONNX Reduce* (opset 18: axes are a constant input, an attribute before; none given means all, or none at all with
 * noop_with_empty_axes).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_REDUCE_RULES_H
#define GN_OPS_REDUCE_RULES_H

#include "graph/op.h"

/* What a node reduces: terms is how many elements make one of n_out results. */
typedef struct gn_reduction {
    gn_shape x;
    bool is_axis[GN_MAX_RANK];
    bool is_noop; /* nothing is reduced, and nothing computed either */
    int64_t n_out, terms;
} gn_reduction;

gn_status gn_reduction_of(const gn_graph *graph, const gn_node *node, gn_reduction *out, gn_error *err);
/* Shape rule: output 0 is input 0 without the reduced dimensions, or with ones there (keepdims). */
gn_status gn_rule_reduce(gn_graph *graph, const gn_node *node, gn_error *err);
/* Plain index into the input of term t of result o. */
int64_t gn_reduction_term(const gn_reduction *r, int64_t o, int64_t t);

#endif
