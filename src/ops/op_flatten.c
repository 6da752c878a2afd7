/* Flatten: the dimensions before and from `axis` on become one each.
 * Source: ONNX Flatten (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/view_rules.h"

#include <inttypes.h>

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    const int64_t axis = gn_node_int(node, "axis", 1), from = axis < 0 ? axis + x->rank : axis;
    gn_shape y = {.rank = 2, .dim = {1, 1}};
    if (from < 0 || from > x->rank)
        return gn_shape_fail(err, node, "axis is %" PRId64 ", expected %d..%d", axis, -x->rank, x->rank);
    for (int i = 0; i < x->rank; i++)
        y.dim[i >= from] *= x->dim[i];
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

const gn_op_def gn_op_flatten = {
    .name = "Flatten",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .is_view = true,
    .infer = infer,
    .grad = gn_view_grad,
    .reference = gn_view_reference,
};
