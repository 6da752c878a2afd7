/* TopK: the k largest (or smallest) elements along one axis and where they lie; k is a constant input.  They come sorted, whether
 * asked for or not, equals by position.
 * Source: ONNX TopK (opset 11).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/op_rules.h"

#include <inttypes.h>

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_shape y = *gn_in_shape(graph, node, 0);
    int64_t k = 0;
    int axis, n;
    GN_TRY(gn_op_axis(node, "axis", -1, y.rank, &axis, err));
    GN_TRY(gn_op_known_ints(graph, node, 1, "k", &k, 1, &n, err));
    if (n != 1 || k < 0 || k > y.dim[axis])
        return gn_shape_fail(err, node, "k is %" PRId64 ", expected 0..%" PRId64 ", the size of axis %d", k,
                             y.dim[axis], axis);
    y.dim[axis] = k;
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    gn_set_out(graph, node, 1, GN_DTYPE_S64, &y);
    return GN_OK;
}

/* dX is dY where the values came from, else 0. */
static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    const gn_attr axis = gn_attr_int("axis", gn_node_int(node, "axis", -1));
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    if (!gn_has_out(node, 1))
        return gn_graph_set_error(gn_grad_graph(grad), GN_EUNSUPPORTED,
                                  "node %s (TopK): its gradient needs the indices, which are left out", node->name);
    const int in[3] = {gn_emit_zeros(grad, node, node->in[0]), node->out[1], dy};
    return gn_give(grad, node, 0, in[0] < 0 ? -1 : gn_emit(grad, node, "", "ScatterElements", in, 3, &axis, 1));
}

/* Writes the best of one row into a row of the results, by insertion; most elements are no better than the last one held. */
static void best_of_row(const gn_ref_call *call, const gn_rows *from, const gn_rows *to, int64_t row, bool is_largest)
{
    const gn_tensor *x = call->in[0];
    gn_tensor *values = call->out[0], *places = gn_has_out(call->node, 1) ? call->out[1] : NULL;
    const int64_t source = gn_row_begin(from, row), target = gn_row_begin(to, row);
    int64_t held = 0;
    for (int64_t i = 0; i < from->n; i++) {
        int64_t slot = held < to->n ? held : to->n;
        const int64_t at = source + i * from->inner;
        for (; slot > 0; slot--) {
            const int64_t other = target + (slot - 1) * to->inner;
            if (!(is_largest ? gn_ref_less(values, other, x, at) : gn_ref_less(x, at, values, other)))
                break;
            if (slot == to->n)
                continue; /* the last one falls out */
            gn_ref_move(values, other + to->inner, values, other);
            if (places)
                gn_ref_move(places, other + to->inner, places, other);
        }
        if (slot == to->n)
            continue;
        gn_ref_move(values, target + slot * to->inner, x, at);
        if (places)
            gn_ref_store_s64(places, target + slot * to->inner, i);
        held += held < to->n;
    }
}

static gn_status reference(const gn_ref_call *call)
{
    const bool is_largest = gn_node_int(call->node, "largest", 1) != 0;
    int axis;
    GN_TRY(gn_op_axis(call->node, "axis", -1, call->in[0]->shape.rank, &axis, NULL));
    const gn_rows from = gn_rows_of(&call->in[0]->shape, axis), to = gn_rows_of(&call->out[0]->shape, axis);
    for (int64_t row = 0; row < from.outer * from.inner; row++)
        best_of_row(call, &from, &to, row, is_largest);
    return GN_OK;
}

const gn_op_def gn_op_top_k = {
    .name = "TopK",
    .domain = "",
    .min_in = 2,
    .max_in = 2,
    .min_out = 2,
    .max_out = 2,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer,
    .cost = gn_cost_per_input,
    .grad = grad_rule,
    .reference = reference,
};
