/* ChannelShuffle: the C channels as [groups, C/groups], transposed; channel j*groups + i of the result is channel i*(C/groups) + j of the
 * input.  What ONNX spells as Reshape, Transpose, Reshape.
 * Source: Zhang et al. 2018, "ShuffleNet".
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

#include <inttypes.h>

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    const int64_t groups = gn_node_int(node, "groups", 1);
    if (x->rank < 2 || groups < 1 || x->dim[1] % groups != 0)
        return gn_shape_fail(err, node, "its channels are not a multiple of %" PRId64 " groups", groups);
    return gn_rule_same(graph, node, err);
}

/* The inverse shuffles C/groups groups. */
static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    const int64_t C = gn_in_shape(gn_grad_graph(grad), node, 0)->dim[1];
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    const gn_attr groups = gn_attr_int("groups", C / gn_node_int(node, "groups", 1));
    return gn_give(grad, node, 0, gn_emit(grad, node, "gannet", "ChannelShuffle", &dy, 1, &groups, 1));
}

static gn_status reference(const gn_ref_call *call)
{
    const gn_shape *x = &call->in[0]->shape;
    const int64_t count = gn_shape_count(x), C = x->dim[1], groups = gn_node_int(call->node, "groups", 1);
    const int64_t inner = count > 0 ? count / (x->dim[0] * C) : 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t n = i / (C * inner), c = i / inner % C, from = c % groups * (C / groups) + c / groups;
        gn_ref_store(call->out[0], i, gn_ref_load(call->in[0], (n * C + from) * inner + i % inner));
    }
    return GN_OK;
}

const gn_op_def gn_op_channel_shuffle = {
    .name = "ChannelShuffle",
    .domain = "gannet",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer,
    .grad = grad_rule,
    .reference = reference,
};
