/* Transpose: dimension i of the result is dimension perm[i] of the input (reversed order by default).
 * Source: ONNX Transpose (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

#include <inttypes.h>

static gn_status permutation(const gn_node *node, int rank, int64_t perm[GN_MAX_RANK], gn_error *err)
{
    const int n = gn_node_ints(node, "perm", perm, GN_MAX_RANK, 0);
    bool seen[GN_MAX_RANK] = {false};
    if (!gn_node_attr(node, "perm")) {
        for (int i = 0; i < rank; i++)
            perm[i] = rank - 1 - i;
        return GN_OK;
    }
    if (n != rank)
        return gn_shape_fail(err, node, "perm has %d numbers for %d dimensions", n, rank);
    for (int i = 0; i < rank; i++) {
        if (perm[i] < 0 || perm[i] >= rank || seen[perm[i]])
            return gn_shape_fail(err, node, "perm is no permutation: %" PRId64, perm[i]);
        seen[perm[i]] = true;
    }
    return GN_OK;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    int64_t perm[GN_MAX_RANK];
    gn_shape y = {.rank = x->rank};
    GN_TRY(permutation(node, x->rank, perm, err));
    for (int i = 0; i < x->rank; i++)
        y.dim[i] = x->dim[perm[i]];
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0), rank = gn_in_shape(gn_grad_graph(grad), node, 0)->rank;
    int64_t perm[GN_MAX_RANK], inverse[GN_MAX_RANK];
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    GN_TRY(permutation(node, rank, perm, NULL));
    for (int i = 0; i < rank; i++)
        inverse[perm[i]] = i;
    const gn_attr attr = gn_attr_ints("perm", inverse, rank);
    return gn_give(grad, node, 0, gn_emit(grad, node, "", "Transpose", &dy, 1, &attr, 1));
}

static gn_status reference(const gn_ref_call *call)
{
    const gn_shape *x = &call->in[0]->shape, *y = &call->out[0]->shape;
    int64_t perm[GN_MAX_RANK], stride[GN_MAX_RANK];
    GN_TRY(permutation(call->node, x->rank, perm, NULL));
    for (int d = x->rank - 1; d >= 0; d--)
        stride[d] = d == x->rank - 1 ? 1 : stride[d + 1] * x->dim[d + 1];
    const int64_t n = gn_shape_count(y);
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, at = 0;
        for (int d = y->rank - 1; d >= 0; d--) {
            at += rest % y->dim[d] * stride[perm[d]];
            rest /= y->dim[d];
        }
        gn_ref_move(call->out[0], i, call->in[0], at);
    }
    return GN_OK;
}

const gn_op_def gn_op_transpose = {
    .name = "Transpose",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer,
    .grad = grad_rule,
    .reference = reference,
};
