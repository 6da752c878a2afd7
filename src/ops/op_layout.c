/* ToNhwc and ToPlain: the same logical value in the other memory layout; the planner puts them where layouts meet.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    if (gn_in_shape(graph, node, 0)->rank != 4)
        return gn_shape_fail(err, node, "only values of four dimensions have two layouts");
    return gn_rule_same(graph, node, err);
}

static gn_status reference(const gn_ref_call *call)
{
    gn_ref_copy(call->out[0], call->in[0]);
    return GN_OK;
}

const gn_op_def gn_op_to_nhwc = {
    .name = "ToNhwc",
    .domain = "gannet",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_out = 1u,
    .infer = infer,
    .reference = reference,
};

const gn_op_def gn_op_to_plain = {
    .name = "ToPlain",
    .domain = "gannet",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 1u,
    .infer = infer,
    .reference = reference,
};
