/* Ema(hyper, e.., w'..) -> e'..: the moving average of weights, e' = d*e + (1-d)*w' with d from hyper.
 * Source: Polyak and Juditsky 1992.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/optimizer_rules.h"
#include "ops/ref_access.h"

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    static const int out_like[1] = {0};
    return gn_optimizer_infer(graph, node, 1, 2, out_like, 1, err);
}

static void cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    const int n = gn_optimizer_count(node);
    for (int i = 0; i < n; i++)
        cost_out->elementwise += 2 * gn_shape_count(gn_in_shape(graph, node, 1 + i));
}

static gn_status reference(const gn_ref_call *call)
{
    const int n = gn_optimizer_count(call->node);
    const double decay = gn_ref_load(call->in[0], GN_HYPER_EMA_DECAY);
    for (int i = 0; i < n; i++) {
        const int64_t count = gn_tensor_count(call->out[i]);
        for (int64_t k = 0; k < count; k++)
            gn_ref_store(call->out[i], k,
                         decay * gn_ref_load(call->in[1 + i], k) + (1 - decay) * gn_ref_load(call->in[1 + n + i], k));
    }
    return GN_OK;
}

const gn_op_def gn_op_ema = {
    .name = "Ema",
    .domain = "gannet",
    .min_in = 3,
    .max_in = -1,
    .min_out = 1,
    .max_out = -1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .renews = true,
    .infer = infer,
    .cost = cost,
    .reference = reference,
};
