/* What ReduceSum and ReduceMean share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/reduce_sum_rules.h"

#include "ops/op_rules.h"
#include "ops/reduce_rules.h"
#include "ops/ref_access.h"

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
    const int dy = gn_grad_of_out(grad, node, 0);
    gn_reduction r;
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    GN_TRY(gn_reduction_of(graph, node, &r, NULL));
    gn_shape kept = r.x, reduced = r.x;
    for (int d = 0; d < r.x.rank; d++)
        (r.is_axis[d] ? &kept : &reduced)->dim[d] = 1;
    const int share = emit_share(graph, &reduced, is_mean);
    if (share < 0)
        return gn_graph_set_error(graph, GN_ENOMEM, "node %s: constants for its gradient: out of memory", node->name);
    const int to[2] = {dy, gn_graph_add_const_s64(graph, NULL, kept.rank, kept.dim)};
    const gn_attr allow_zero = gn_attr_int("allowzero", 1);
    const int dy_kept = kept.rank == 0 ? dy
                        : to[1] < 0    ? -1
                                       : gn_emit(grad, node, "", "Reshape", to, 2, &allow_zero, 1);
    return gn_give(grad, node, 0, gn_emit_binary(grad, node, "", "Mul", dy_kept, share));
}

gn_status gn_reduce_sum(const gn_ref_call *call, bool is_mean)
{
    gn_reduction r;
    GN_TRY(gn_reduction_of(call->graph, call->node, &r, NULL));
    for (int64_t o = 0; o < gn_tensor_count(call->out[0]); o++) {
        double sum = 0;
        for (int64_t t = 0; t < r.terms; t++)
            sum += gn_ref_load(call->in[0], gn_reduction_term(&r, o, t));
        gn_ref_store(call->out[0], o, is_mean ? sum / (double)r.terms : sum);
    }
    return GN_OK;
}
