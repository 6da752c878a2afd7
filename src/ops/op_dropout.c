/* Dropout: the identity for inference; its training form DropoutTrain zeroes elements with probability `ratio` and scales the rest
 * by 1/(1-ratio).
 * Source: Srivastava et al. 2014; ONNX Dropout (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/dropout.h"

#include <string.h>

#include "base/file.h"
#include "ops/op_rules.h"
#include "ops/ref_access.h"

#define DEFAULT_RATIO 0.5f

static gn_status ratio_of(const gn_graph *graph, const gn_node *node, float *ratio_out, gn_error *err)
{
    float ratio = gn_node_float(node, "ratio", DEFAULT_RATIO);
    if (gn_has_in(node, 1)) {
        const gn_tensor *known = gn_in_known(graph, node, 1);
        if (!known || gn_tensor_count(known) != 1)
            return gn_shape_fail(err, node, "its ratio (input 1) is no constant scalar");
        ratio = (float)gn_tensor_get(known, 0);
    }
    if (!(ratio >= 0 && ratio < 1))
        return gn_shape_fail(err, node, "ratio is %g, expected 0 <= ratio < 1", (double)ratio);
    *ratio_out = ratio;
    return GN_OK;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    float ratio = 0;
    GN_TRY(ratio_of(graph, node, &ratio, err));
    return gn_rule_same(graph, node, err);
}

/* For a Dropout that stays as it is, e.g. after the evaluation form of a graph was chosen. */
static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    return dy >= 0 && gn_grad_wants(grad, node, 0) ? gn_grad_give(grad, node, 0, dy) : GN_OK;
}

static gn_status training(gn_graph *graph, const gn_node *node, int *value_out, gn_error *err)
{
    float ratio = 0;
    GN_TRY(ratio_of(graph, node, &ratio, err));
    if (ratio == 0) {
        *value_out = node->in[0];
        return GN_OK;
    }
    int rng = gn_graph_find_value(graph, GN_DROPOUT_RNG_INPUT);
    if (rng < 0)
        rng = gn_graph_add_input(graph, GN_DROPOUT_RNG_INPUT, GN_DTYPE_S64, &(gn_shape){.rank = 1, .dim = {2}});
    const uint64_t node_seed = gn_hash64(node->name, strlen(node->name), 0);
    const gn_attr attrs[2] = {gn_attr_float("ratio", ratio), gn_attr_int("seed", (int64_t)(node_seed >> 1))};
    const int id = rng < 0 ? rng
                           : gn_graph_add_node(graph, "DropoutTrain", "gannet", node->name,
                                               (const int[]){node->in[0], rng}, 2, 2, attrs, 2);
    if (id < 0)
        return gn_graph_error(graph, err);
    *value_out = gn_graph_node(graph, id)->out[0];
    return GN_OK;
}

static gn_status reference(const gn_ref_call *call)
{
    gn_ref_copy(call->out[0], call->in[0]);
    return GN_OK;
}

const gn_op_def gn_op_dropout = {
    .name = "Dropout",
    .domain = "",
    .min_in = 1,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .inplace_in = 1u,
    .is_view = true,
    .infer = infer,
    .grad = grad_rule,
    .training = training,
    .reference = reference,
};

/* ---- DropoutTrain(X, rng) -> Y, scaled_mask ---- */

static gn_status infer_train(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *rng = gn_in_shape(graph, node, 1);
    if (gn_in_dtype(graph, node, 1) != GN_DTYPE_S64 || gn_shape_count(rng) != 2)
        return gn_shape_fail(err, node, "its input rng is not s64 [2]");
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), gn_in_shape(graph, node, 0));
    gn_set_out(graph, node, 1, gn_in_dtype(graph, node, 0), gn_in_shape(graph, node, 0));
    return GN_OK;
}

static gn_status grad_train(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    return gn_give(grad, node, 0, gn_emit_binary(grad, node, "", "Mul", dy, node->out[1]));
}

static gn_status reference_train(const gn_ref_call *call)
{
    const int64_t *rng = call->in[1]->data;
    const int64_t n = gn_tensor_count(call->out[0]);
    const float ratio = gn_node_float(call->node, "ratio", DEFAULT_RATIO);
    uint32_t key[2];
    gn_dropout_key((uint64_t)rng[0], (uint64_t)rng[1], (uint64_t)gn_node_int(call->node, "seed", 0), key);
    for (int64_t i = 0; i < n; i++) {
        const double scale = gn_dropout_keeps(key, i, ratio) ? 1 / (1 - (double)ratio) : 0;
        if (gn_has_out(call->node, 1))
            gn_ref_store(call->out[1], i, scale);
        gn_ref_store(call->out[0], i, gn_ref_load(call->in[0], i) * scale);
    }
    return GN_OK;
}

const gn_op_def gn_op_dropout_train = {
    .name = "DropoutTrain",
    .domain = "gannet",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 2,
    .layout = GN_LAYOUT_RULE_SAME,
    .inplace_in = 1u,
    .infer = infer_train,
    .cost = gn_cost_per_output,
    .grad = grad_train,
    .reference = reference_train,
};
