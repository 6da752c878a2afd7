/* Unsqueeze: inserts dimensions of size 1 at the positions named (constant input, or attribute up to opset 12).
 * Source: ONNX Unsqueeze (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/view_rules.h"

#include <inttypes.h>

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    bool is_axis[GN_MAX_RANK];
    int n = 0, from = 0;
    const gn_attr *attr = gn_node_attr(node, "axes");
    const int64_t more = gn_has_in(node, 1) ? gn_shape_count(gn_in_shape(graph, node, 1)) : attr ? attr->n : 0;
    if (more < 1 || x->rank + more > GN_MAX_RANK)
        return gn_shape_fail(err, node,
                             "%d dimensions and %" PRId64 " more, expected at least one more and at most %d in all",
                             x->rank, more, GN_MAX_RANK);
    gn_shape y = {.rank = x->rank + (int)more};
    GN_TRY(gn_op_axes(graph, node, y.rank, is_axis, &n, err));
    for (int i = 0; i < y.rank; i++)
        y.dim[i] = is_axis[i] ? 1 : x->dim[from++];
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

const gn_op_def gn_op_unsqueeze = {
    .name = "Unsqueeze",
    .domain = "",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .is_view = true,
    .infer = infer,
    .grad = gn_view_grad,
    .reference = gn_view_reference,
};
