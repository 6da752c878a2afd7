/* Size: the number of elements of its input, as an s64 scalar.
 * Source: ONNX Size (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    (void)err;
    gn_set_out(graph, node, 0, GN_DTYPE_S64, &(gn_shape){.rank = 0});
    return GN_OK;
}

static gn_status reference(const gn_ref_call *call)
{
    gn_ref_store_s64(call->out[0], 0, gn_shape_count(&call->in[0]->shape));
    return GN_OK;
}

const gn_op_def gn_op_size = {
    .name = "Size",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .reads_shapes = true,
    .infer = infer,
    .reference = reference,
};
