/* What the operators that reduce over axes share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/reduce_rules.h"

#include "ops/op_rules.h"
#include "ops/ref_access.h"

gn_status gn_reduce_axes(const gn_graph *graph, const gn_node *node, bool is_axis[GN_MAX_RANK], gn_error *err)
{
    const int rank = gn_in_shape(graph, node, 0)->rank;
    int n;
    GN_TRY(gn_op_axes(graph, node, rank, is_axis, &n, err));
    const bool all = n == 0 && gn_node_int(node, "noop_with_empty_axes", 0) == 0;
    for (int i = 0; all && i < rank; i++)
        is_axis[i] = true;
    return GN_OK;
}

gn_status gn_reduce_infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    const bool keeps = gn_node_int(node, "keepdims", 1) != 0;
    bool is_axis[GN_MAX_RANK];
    gn_shape y = {0};
    GN_TRY(gn_reduce_axes(graph, node, is_axis, err));
    for (int i = 0; i < x->rank; i++)
        if (!is_axis[i])
            y.dim[y.rank++] = x->dim[i];
        else if (keeps)
            y.dim[y.rank++] = 1;
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

int64_t gn_reduce_index(const gn_shape *x, const bool *is_axis, int64_t o, int64_t t)
{
    int64_t at = 0, stride = 1;
    for (int d = x->rank - 1; d >= 0; d--) {
        int64_t *rest = is_axis[d] ? &t : &o;
        at += *rest % x->dim[d] * stride;
        *rest /= x->dim[d];
        stride *= x->dim[d];
    }
    return at;
}

/* Constant of the reduced dimensions only: each element's share of dY. */
static int emit_share(gn_graph *graph, const gn_shape *reduced, bool is_mean)
{
    gn_tensor *share = NULL;
    if (gn_tensor_create(GN_DTYPE_F32, reduced, &share) != GN_OK)
        return -1;
    const int64_t count = gn_tensor_count(share);
    for (int64_t i = 0; i < count; i++)
        gn_ref_store(share, i, is_mean ? 1 / (double)count : 1);
    const int id = gn_graph_add_const(graph, NULL, share);
    gn_tensor_destroy(&share);
    return id;
}

gn_status gn_reduce_grad(gn_grad *grad, const gn_node *node, bool is_mean)
{
    gn_graph *graph = gn_grad_graph(grad);
    const gn_shape x = *gn_in_shape(graph, node, 0);
    const int dy = gn_grad_of_out(grad, node, 0);
    gn_shape kept = x, reduced = x;
    bool is_axis[GN_MAX_RANK];
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    GN_TRY(gn_reduce_axes(graph, node, is_axis, NULL));
    for (int i = 0; i < x.rank; i++)
        (is_axis[i] ? &kept : &reduced)->dim[i] = 1;
    const int share = emit_share(graph, &reduced, is_mean);
    if (share < 0)
        return gn_graph_set_error(graph, GN_ENOMEM, "node %s: constants for its gradient: out of memory", node->name);
    const gn_shape dims_shape = gn_shape_make(1, kept.rank);
    const gn_tensor dims_view = gn_tensor_view(GN_DTYPE_S64, &dims_shape, kept.dim);
    const gn_attr allow_zero = gn_attr_int("allowzero", 1);
    const int to[2] = {dy, gn_graph_add_const(graph, NULL, &dims_view)};
    const int dy_kept = to[1] < 0 ? -1 : gn_emit(grad, node, "", "Reshape", to, 2, &allow_zero, 1);
    return gn_give(grad, node, 0, gn_emit_binary(grad, node, "", "Mul", dy_kept, share));
}

gn_status gn_reduce_sum(const gn_ref_call *call, bool is_mean)
{
    const gn_shape *x = &call->in[0]->shape;
    const int64_t n = gn_shape_count(x), n_out = gn_tensor_count(call->out[0]);
    const int64_t terms = n_out > 0 ? n / n_out : 0;
    bool is_axis[GN_MAX_RANK];
    GN_TRY(gn_reduce_axes(call->graph, call->node, is_axis, NULL));
    for (int64_t o = 0; o < n_out; o++) {
        double sum = 0;
        for (int64_t t = 0; t < terms; t++)
            sum += gn_ref_load(call->in[0], gn_reduce_index(x, is_axis, o, t));
        gn_ref_store(call->out[0], o, is_mean ? sum / (double)terms : sum);
    }
    return GN_OK;
}
