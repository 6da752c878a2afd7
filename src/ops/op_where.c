/* Where: y = condition ? a : b, with broadcasting; the gradient goes to the operand that was taken.
 * Source: ONNX Where (opset 16).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/broadcast.h"
#include "ops/index_math.h"
#include "ops/op_rules.h"

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_shape both, y;
    if (gn_in_dtype(graph, node, 0) != GN_DTYPE_BOOL || gn_in_dtype(graph, node, 1) != gn_in_dtype(graph, node, 2))
        return gn_shape_fail(err, node, "operands have the types %s, %s and %s, expected bool and two of one type",
                             gn_dtype_name(gn_in_dtype(graph, node, 0)), gn_dtype_name(gn_in_dtype(graph, node, 1)),
                             gn_dtype_name(gn_in_dtype(graph, node, 2)));
    if (gn_shape_broadcast(gn_in_shape(graph, node, 0), gn_in_shape(graph, node, 1), &both) != GN_OK ||
        gn_shape_broadcast(&both, gn_in_shape(graph, node, 2), &y) != GN_OK) {
        char shapes[256];
        gn_op_input_shapes(graph, node, shapes);
        return gn_shape_fail(err, node, "shapes %s do not broadcast", shapes);
    }
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 1), &y);
    return GN_OK;
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    if (dy < 0)
        return GN_OK;
    for (int i = 1; i < 3; i++) {
        if (!gn_grad_wants(grad, node, i))
            continue;
        const int zero = gn_emit_scalar(grad, node, 0);
        if (zero < 0)
            return gn_graph_error(gn_grad_graph(grad), NULL);
        const int in[3] = {node->in[0], i == 1 ? dy : zero, i == 1 ? zero : dy};
        GN_TRY(gn_give_summed(grad, node, i, gn_emit(grad, node, "", "Where", in, 3, NULL, 0)));
    }
    return GN_OK;
}

static gn_status reference(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    gn_broadcast_operand at[3];
    for (int k = 0; k < 3; k++)
        at[k] = gn_broadcast_of(call->in[k], call->out[0]);
    for (int64_t i = 0; i < n; i++) {
        const int from = gn_ref_load(call->in[0], gn_broadcast_at(&at[0], i)) != 0 ? 1 : 2;
        gn_ref_move(call->out[0], i, call->in[from], gn_broadcast_at(&at[from], i));
    }
    return GN_OK;
}

const gn_op_def gn_op_where = {
    .name = "Where",
    .domain = "",
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer,
    .cost = gn_cost_per_output,
    .grad = grad_rule,
    .reference = reference,
};
