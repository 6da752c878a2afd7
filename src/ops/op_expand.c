/* Expand: broadcasts the input with a shape, a constant input; its gradient sums over what was broadcast.
 * Source: ONNX Expand (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/broadcast.h"
#include "ops/index_math.h"
#include "ops/op_rules.h"

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    gn_shape wanted = {0}, y;
    char from[128], to[128];
    GN_TRY(gn_op_known_ints(graph, node, 1, "dimensions", wanted.dim, GN_MAX_RANK, &wanted.rank, err));
    gn_shape_format(x, from);
    gn_shape_format(&wanted, to);
    if (gn_shape_count(&wanted) < 0 || gn_shape_broadcast(x, &wanted, &y) != GN_OK)
        return gn_shape_fail(err, node, "%s does not broadcast with %s", from, to);
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    return dy < 0 || !gn_grad_wants(grad, node, 0) ? GN_OK : gn_give_summed(grad, node, 0, dy);
}

static gn_status reference(const gn_ref_call *call)
{
    const gn_shape *shape = &call->out[0]->shape;
    const int64_t n = gn_shape_count(shape);
    for (int64_t i = 0; i < n; i++)
        gn_ref_move(call->out[0], i, call->in[0], gn_broadcast_index(&call->in[0]->shape, shape, i));
    return GN_OK;
}

const gn_op_def gn_op_expand = {
    .name = "Expand",
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
