/* What reductions over axes share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/reduce_rules.h"

#include "ops/op_rules.h"

gn_status gn_reduction_of(const gn_graph *graph, const gn_node *node, gn_reduction *out, gn_error *err)
{
    gn_reduction r = {.x = *gn_in_shape(graph, node, 0), .n_out = 1, .terms = 1};
    int n;
    GN_TRY(gn_op_axes(graph, node, r.x.rank, r.is_axis, &n, err));
    r.is_noop = n == 0 && gn_node_int(node, "noop_with_empty_axes", 0) != 0;
    for (int d = 0; d < r.x.rank; d++) {
        r.is_axis[d] = r.is_axis[d] || (n == 0 && !r.is_noop);
        *(r.is_axis[d] ? &r.terms : &r.n_out) *= r.x.dim[d];
    }
    *out = r;
    return GN_OK;
}

gn_status gn_rule_reduce(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const bool keeps = gn_node_int(node, "keepdims", 1) != 0;
    gn_reduction r;
    gn_shape y = {0};
    GN_TRY(gn_reduction_of(graph, node, &r, err));
    for (int d = 0; d < r.x.rank; d++)
        if (!r.is_axis[d] || keeps)
            y.dim[y.rank++] = r.is_axis[d] ? 1 : r.x.dim[d];
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

int64_t gn_reduction_term(const gn_reduction *r, int64_t o, int64_t t)
{
    int64_t at = 0, stride = 1;
    for (int d = r->x.rank - 1; d >= 0; d--) {
        int64_t *rest = r->is_axis[d] ? &t : &o;
        at += *rest % r->x.dim[d] * stride;
        *rest /= r->x.dim[d];
        stride *= r->x.dim[d];
    }
    return at;
}
