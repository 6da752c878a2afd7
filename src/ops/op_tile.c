/* Tile: the input repeated along each axis; the numbers of repeats are a constant input.
 * Source: ONNX Tile (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/op_rules.h"

#include <inttypes.h>

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_shape y = *gn_in_shape(graph, node, 0);
    int64_t repeats[GN_MAX_RANK];
    int n;
    GN_TRY(gn_op_known_ints(graph, node, 1, "repeats", repeats, GN_MAX_RANK, &n, err));
    if (n != y.rank)
        return gn_shape_fail(err, node, "%d repeats for %d dimensions", n, y.rank);
    for (int d = 0; d < n; d++) {
        if (repeats[d] < 0 || repeats[d] > (INT64_C(1) << 20))
            return gn_shape_fail(err, node, "%" PRId64 " repeats", repeats[d]);
        y.dim[d] *= repeats[d];
    }
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

/* dX sums the repeats: dY as [r0,d0,r1,d1,...] over every r. */
static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    gn_graph *graph = gn_grad_graph(grad);
    const gn_shape *x = gn_in_shape(graph, node, 0), *y = &gn_graph_value(graph, node->out[0])->shape;
    const int dy = gn_grad_of_out(grad, node, 0);
    int64_t dims[GN_MAX_RANK], kept[GN_MAX_RANK];
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    if (2 * x->rank > GN_MAX_RANK || gn_shape_count(y) == 0)
        return gn_graph_set_error(graph, GN_EUNSUPPORTED,
                                  "node %s (Tile): only up to four dimensions that are not empty have a gradient",
                                  node->name);
    for (int d = 0; d < x->rank; d++) {
        dims[2 * d] = y->dim[d] / x->dim[d];
        dims[2 * d + 1] = kept[2 * d + 1] = x->dim[d];
        kept[2 * d] = 1;
    }
    const int n = 2 * x->rank;
    const int apart = gn_emit_binary(grad, node, "", "Reshape", dy, gn_graph_add_const_s64(graph, NULL, n, dims));
    const gn_attr attr = gn_attr_ints("shape", kept, n);
    const int sum = apart < 0 ? apart : gn_emit(grad, node, "gannet", "SumTo", &apart, 1, &attr, 1);
    return gn_give(grad, node, 0, gn_emit_reshape_like(grad, node, sum, node->in[0]));
}

static gn_status reference(const gn_ref_call *call)
{
    const gn_shape *x = &call->in[0]->shape;
    const int64_t n = gn_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n; i++) {
        int64_t at[GN_MAX_RANK];
        gn_unravel(&call->out[0]->shape, i, at);
        for (int d = 0; d < x->rank; d++)
            at[d] %= x->dim[d];
        gn_ref_move(call->out[0], i, call->in[0], gn_ravel(x, at));
    }
    return GN_OK;
}

const gn_op_def gn_op_tile = {
    .name = "Tile",
    .domain = "",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer,
    .grad = grad_rule,
    .reference = reference,
};
