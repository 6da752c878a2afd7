/* GlobalAveragePool: the mean over height and width, [N,C,H,W] to [N,C,1,1].
 * Source: ONNX GlobalAveragePool (opset 1).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/adaptive.h"
#include "ops/op_rules.h"

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    char text[128];
    gn_shape_format(x, text);
    if (x->rank != 4)
        return gn_shape_fail(err, node, "its input has the shape %s, expected [N,C,H,W]", text);
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0),
               &(gn_shape){.rank = 4, .dim = {x->dim[0], x->dim[1], 1, 1}});
    return GN_OK;
}

const gn_op_def gn_op_global_average_pool = {
    .name = "GlobalAveragePool",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 1u,
    .nhwc_out = 1u,
    .infer = infer,
    .cost = gn_cost_per_input,
    .grad = gn_adaptive_grad,
    .reference = gn_adaptive_reference,
};
