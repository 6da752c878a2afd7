/* Reshape: the same elements under another shape, a constant input; 0 keeps a dimension (unless allowzero), one -1 is computed.
 * Source: ONNX Reshape (opset 14).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/view_rules.h"

#include <inttypes.h>

/* More elements than any tensor has. */
#define MAX_DIM (INT64_C(1) << 40)

static gn_status read_target(const gn_graph *graph, const gn_node *node, gn_shape *target, gn_error *err)
{
    const gn_shape *dims = gn_in_shape(graph, node, 1);
    if (dims->rank != 1 || dims->dim[0] > GN_MAX_RANK)
        return gn_shape_fail(err, node, "its target shape is not a list of at most %d numbers", GN_MAX_RANK);
    target->rank = gn_in_const_s64(graph, node, 1, target->dim, GN_MAX_RANK);
    if (target->rank < 0)
        return gn_shape_fail(err, node, "its target shape is not constant");
    return GN_OK;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    const int64_t count = gn_shape_count(x);
    int64_t known = 1;
    int unknown = -1;
    gn_shape y = {0};
    char from[128], to[128];
    GN_TRY(read_target(graph, node, &y, err));
    gn_shape_format(x, from);
    gn_shape_format(&y, to);
    for (int i = 0; i < y.rank; i++) {
        if (y.dim[i] == 0 && gn_node_int(node, "allowzero", 0) == 0 && i < x->rank)
            y.dim[i] = x->dim[i];
        if (y.dim[i] < -1 || (y.dim[i] < 0 && unknown >= 0) || (y.dim[i] > 0 && known > MAX_DIM / y.dim[i]))
            return gn_shape_fail(err, node, "%s is no shape to give to %s", to, from);
        if (y.dim[i] < 0)
            unknown = i;
        else
            known *= y.dim[i];
    }
    if (unknown >= 0 && known > 0 && count % known == 0)
        y.dim[unknown] = count / known;
    if (gn_shape_count(&y) != count)
        return gn_shape_fail(err, node, "%s cannot become %s", from, to);
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

const gn_op_def gn_op_reshape = {
    .name = "Reshape",
    .domain = "",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .is_view = true,
    .infer = infer,
    .grad = gn_view_grad,
    .reference = gn_view_reference,
};
