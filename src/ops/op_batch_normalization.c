/* BatchNormalization for inference: y = (x - mean) / sqrt(var + epsilon) * scale + B, channel by channel; its training form is
 * BatchNormTrain.
 * Source: Ioffe and Szegedy 2015; ONNX BatchNormalization (opset 15).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/batchnorm_rules.h"
#include "ops/op_rules.h"
#include "ops/ref_access.h"

#include <math.h>

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    GN_TRY(gn_batchnorm_check(graph, node, 0, 1, 5, err));
    return gn_rule_same(graph, node, err);
}

/* Emits BatchNormTrain, whose new running statistics update the states that held the old ones.  A layer whose scale is a state that is
 * not to be trained is frozen: it stays as it is. */
static gn_status training(gn_graph *graph, const gn_node *node, int *value_out, gn_error *err)
{
    gn_attr attrs[2];
    const gn_value *scale = gn_graph_value(graph, node->in[1]);
    if (scale->kind == GN_VALUE_STATE && !scale->trainable) {
        *value_out = -1;
        return GN_OK;
    }
    attrs[0] = gn_attr_float("epsilon", gn_node_float(node, "epsilon", GN_BATCHNORM_EPSILON));
    attrs[1] = gn_attr_float("momentum", gn_node_float(node, "momentum", GN_BATCHNORM_MOMENTUM));
    const int id = gn_graph_add_node(graph, "BatchNormTrain", "gannet", node->name, node->in, 5, 5, attrs, 2);
    if (id < 0)
        return gn_graph_error(graph, err);
    const gn_node *made = gn_graph_node(graph, id);
    for (int i = 0; i < 2; i++)
        if (gn_graph_value(graph, node->in[3 + i])->kind == GN_VALUE_STATE)
            GN_TRY(gn_graph_add_update(graph, node->in[3 + i], made->out[1 + i]));
    *value_out = made->out[0];
    return GN_OK;
}

static gn_status reference(const gn_ref_call *call)
{
    const gn_tensor *x = call->in[0];
    const gn_batchnorm_sizes s = gn_batchnorm_sizes_of(&x->shape);
    const double epsilon = (double)gn_node_float(call->node, "epsilon", GN_BATCHNORM_EPSILON);
    for (int64_t c = 0; c < s.C; c++) {
        const double invstd = 1 / sqrt(gn_ref_load(call->in[4], c) + epsilon);
        const double scale = gn_ref_load(call->in[1], c) * invstd;
        const double shift = gn_ref_load(call->in[2], c) - gn_ref_load(call->in[3], c) * scale;
        for (int64_t i = 0; i < s.N * s.inner; i++) {
            const int64_t at = gn_batchnorm_index(&s, c, i);
            gn_ref_store(call->out[0], at, gn_ref_load(x, at) * scale + shift);
        }
    }
    return GN_OK;
}

const gn_op_def gn_op_batch_normalization = {
    .name = "BatchNormalization",
    .domain = "",
    .min_in = 5,
    .max_in = 5,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 1u,
    .nhwc_out = 1u,
    .inplace_in = 1u,
    .infer = infer,
    .cost = gn_cost_per_output,
    .training = training,
    .reference = reference,
};
