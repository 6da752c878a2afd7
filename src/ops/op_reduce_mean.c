/* ReduceMean over given axes (all when none are named); axes are an attribute (opset 13) or a constant input (opset 18).
 * Source: ONNX ReduceMean (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

static gn_status reduced_axes(const gn_graph *graph, const gn_node *node, int rank, bool is_axis[GN_MAX_RANK],
                              gn_error *err)
{
    int n;
    GN_TRY(gn_op_axes(graph, node, rank, is_axis, &n, err));
    for (int i = 0; n == 0 && i < rank; i++)
        is_axis[i] = true;
    return GN_OK;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    const bool keeps = gn_node_int(node, "keepdims", 1) != 0;
    bool is_axis[GN_MAX_RANK];
    gn_shape y = {0};
    GN_TRY(reduced_axes(graph, node, x->rank, is_axis, err));
    for (int i = 0; i < x->rank; i++)
        if (!is_axis[i])
            y.dim[y.rank++] = x->dim[i];
        else if (keeps)
            y.dim[y.rank++] = 1;
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

/* dX = broadcast of dY / count: a product with a constant that has the reduced dimensions only. */
static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    gn_graph *graph = gn_grad_graph(grad);
    const gn_shape x = *gn_in_shape(graph, node, 0);
    const int dy = gn_grad_of_out(grad, node, 0);
    gn_shape kept = x, reduced = x;
    bool is_axis[GN_MAX_RANK];
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    GN_TRY(reduced_axes(graph, node, x.rank, is_axis, NULL));
    for (int i = 0; i < x.rank; i++)
        (is_axis[i] ? &kept : &reduced)->dim[i] = 1;
    gn_tensor *share = NULL, *like = NULL;
    gn_status status = gn_tensor_create(GN_DTYPE_F32, &reduced, &share);
    if (status == GN_OK)
        status = gn_tensor_create(GN_DTYPE_S64, &(gn_shape){.rank = 1, .dim = {x.rank}}, &like);
    if (status == GN_OK) {
        const int64_t count = gn_tensor_count(share);
        for (int64_t i = 0; i < count; i++)
            gn_ref_store(share, i, 1 / (double)count);
        for (int i = 0; i < x.rank; i++)
            ((int64_t *)like->data)[i] = kept.dim[i];
        const int share_id = gn_graph_add_const(graph, NULL, share), like_id = gn_graph_add_const(graph, NULL, like);
        const int dy_kept = gn_emit_binary(grad, node, "", "Reshape", dy, like_id);
        status = gn_give(grad, node, 0, gn_emit_binary(grad, node, "", "Mul", dy_kept, share_id));
    }
    gn_tensor_destroy(&share);
    gn_tensor_destroy(&like);
    return status;
}

static gn_status reference(const gn_ref_call *call)
{
    const gn_shape *x = &call->in[0]->shape;
    const int64_t n = gn_shape_count(x), n_out = gn_tensor_count(call->out[0]);
    const double share = n > 0 ? (double)n_out / (double)n : 0;
    bool is_axis[GN_MAX_RANK];
    GN_TRY(reduced_axes(call->graph, call->node, x->rank, is_axis, NULL));
    for (int64_t o = 0; o < n_out; o++) {
        double sum = 0;
        for (int64_t t = 0; t < n / n_out; t++) {
            int64_t at = 0, stride = 1, kept = o, term = t;
            for (int d = x->rank - 1; d >= 0; d--) {
                int64_t *rest = is_axis[d] ? &term : &kept;
                at += *rest % x->dim[d] * stride;
                *rest /= x->dim[d];
                stride *= x->dim[d];
            }
            sum += gn_ref_load(call->in[0], at);
        }
        gn_ref_store(call->out[0], o, sum * share);
    }
    return GN_OK;
}

const gn_op_def gn_op_reduce_mean = {
    .name = "ReduceMean",
    .domain = "",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer,
    .cost = gn_cost_per_input,
    .grad = grad_rule,
    .reference = reference,
};
