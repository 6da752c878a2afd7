/* Identity: the same value again.
 * Source: ONNX Identity (opset 14).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/view_rules.h"

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    return gn_rule_same(graph, node, err);
}

const gn_op_def gn_op_identity = {
    .name = "Identity",
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
