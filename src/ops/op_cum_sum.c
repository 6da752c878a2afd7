/* CumSum along one axis, a constant input: sums up to and with (exclusive: without) each element, from the end when `reverse`.
 * Source: ONNX CumSum (opset 14).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/op_rules.h"

static gn_status axis_of(const gn_graph *graph, const gn_node *node, int64_t *axis, gn_error *err)
{
    int n;
    GN_TRY(gn_op_known_ints(graph, node, 1, "axes", axis, 1, &n, err));
    if (n != 1)
        return gn_shape_fail(err, node, "no axis is named");
    return gn_op_fix_axes(node, axis, 1, gn_in_shape(graph, node, 0)->rank, err);
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    int64_t axis;
    GN_TRY(axis_of(graph, node, &axis, err));
    return gn_rule_same(graph, node, err);
}

/* dX sums dY the other way round. */
static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    const gn_attr attrs[2] = {gn_attr_int("exclusive", gn_node_int(node, "exclusive", 0)),
                              gn_attr_int("reverse", gn_node_int(node, "reverse", 0) == 0)};
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    return gn_give(grad, node, 0, gn_emit(grad, node, "", "CumSum", (const int[]){dy, node->in[1]}, 2, attrs, 2));
}

static gn_status reference(const gn_ref_call *call)
{
    const bool is_exclusive = gn_node_int(call->node, "exclusive", 0) != 0,
               is_reverse = gn_node_int(call->node, "reverse", 0) != 0,
               is_integer = gn_dtype_is_integer(call->in[0]->dtype);
    int64_t axis;
    GN_TRY(axis_of(call->graph, call->node, &axis, NULL));
    const gn_rows rows = gn_rows_of(&call->in[0]->shape, (int)axis);
    for (int64_t r = 0; r < rows.outer * rows.inner; r++) {
        double sum = 0;
        uint64_t whole = 0;
        for (int64_t i = 0; i < rows.n; i++) {
            const int64_t at = gn_row_begin(&rows, r) + (is_reverse ? rows.n - 1 - i : i) * rows.inner;
            const double before = sum;
            const uint64_t whole_before = whole;
            if (is_integer) {
                whole += (uint64_t)gn_ref_load_s64(call->in[0], at);
                gn_ref_store_s64(call->out[0], at, (int64_t)(is_exclusive ? whole_before : whole));
            } else {
                sum += gn_ref_load(call->in[0], at);
                gn_ref_store(call->out[0], at, is_exclusive ? before : sum);
            }
        }
    }
    return GN_OK;
}

const gn_op_def gn_op_cum_sum = {
    .name = "CumSum",
    .domain = "",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer,
    .cost = gn_cost_per_output,
    .grad = grad_rule,
    .reference = reference,
};
