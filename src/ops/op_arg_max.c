/* ArgMax and ArgMin: where along one axis the extremum lies, the first or (select_last_index) the last of equals.
 * Source: ONNX ArgMax (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/op_rules.h"

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    const bool keeps = gn_node_int(node, "keepdims", 1) != 0;
    gn_shape y = {0};
    int axis;
    GN_TRY(gn_op_axis(node, "axis", 0, x->rank, &axis, err));
    if (x->dim[axis] < 1)
        return gn_shape_fail(err, node, "axis %d is empty", axis);
    for (int d = 0; d < x->rank; d++)
        if (d != axis || keeps)
            y.dim[y.rank++] = d == axis ? 1 : x->dim[d];
    gn_set_out(graph, node, 0, GN_DTYPE_S64, &y);
    return GN_OK;
}

static gn_status extremum(const gn_ref_call *call, bool is_max)
{
    const gn_tensor *x = call->in[0];
    const bool is_last = gn_node_int(call->node, "select_last_index", 0) != 0;
    int axis;
    GN_TRY(gn_op_axis(call->node, "axis", 0, x->shape.rank, &axis, NULL));
    const gn_rows rows = gn_rows_of(&x->shape, axis);
    for (int64_t r = 0; r < rows.outer * rows.inner; r++) {
        const int64_t first = gn_row_begin(&rows, r);
        int64_t best = 0;
        for (int64_t i = 1; i < rows.n; i++) {
            const int64_t at = first + i * rows.inner, held = first + best * rows.inner;
            const bool is_better = is_max ? gn_ref_less(x, held, x, at) : gn_ref_less(x, at, x, held);
            const bool is_worse = is_max ? gn_ref_less(x, at, x, held) : gn_ref_less(x, held, x, at);
            if (is_better || (is_last && !is_worse))
                best = i;
        }
        gn_ref_store_s64(call->out[0], r, best);
    }
    return GN_OK;
}

static gn_status reference_max(const gn_ref_call *call)
{
    return extremum(call, true);
}

static gn_status reference_min(const gn_ref_call *call)
{
    return extremum(call, false);
}

const gn_op_def gn_op_arg_max = {
    .name = "ArgMax",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer,
    .cost = gn_cost_per_input,
    .reference = reference_max,
};

const gn_op_def gn_op_arg_min = {
    .name = "ArgMin",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer,
    .cost = gn_cost_per_input,
    .reference = reference_min,
};
