/* Squeeze: drops dimensions of size 1, all or those named (constant input, or attribute up to opset 12).
 * Source: ONNX Squeeze (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/view_rules.h"

#include <inttypes.h>

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    bool is_axis[GN_MAX_RANK];
    int n;
    gn_shape y = {0};
    GN_TRY(gn_op_axes(graph, node, x->rank, is_axis, &n, err));
    for (int i = 0; i < x->rank; i++) {
        const bool drops = n > 0 ? is_axis[i] : x->dim[i] == 1;
        if (drops && x->dim[i] != 1)
            return gn_shape_fail(err, node, "dimension %d has the size %" PRId64 ", expected 1", i, x->dim[i]);
        if (!drops)
            y.dim[y.rank++] = x->dim[i];
    }
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

const gn_op_def gn_op_squeeze = {
    .name = "Squeeze",
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
