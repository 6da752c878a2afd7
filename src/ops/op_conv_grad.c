/* ConvGradData and ConvGradWeight: gradients of a convolution by its input, and by its weights and bias.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/conv_ref.h"
#include "ops/op_rules.h"
#include "ops/ref_access.h"

static gn_status infer_data(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_spatial g;
    GN_TRY(gn_spatial_conv(graph, node, &g, err));
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &(gn_shape){.rank = 4, .dim = {g.N, g.C, g.H, g.W}});
    return GN_OK;
}

static gn_status infer_weight(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_spatial g;
    GN_TRY(gn_spatial_conv(graph, node, &g, err));
    const gn_dtype dtype = gn_in_dtype(graph, node, 0);
    gn_set_out(graph, node, 0, dtype, &(gn_shape){.rank = 4, .dim = {g.K, g.C / g.group, g.R, g.S}});
    gn_set_out(graph, node, 1, dtype, &(gn_shape){.rank = 1, .dim = {g.K}});
    return GN_OK;
}

static void cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    gn_spatial g;
    if (gn_spatial_conv(graph, node, &g, NULL) != GN_OK)
        return;
    cost_out->macs = gn_cost_times(g.N * g.K * g.P * g.Q, g.C / g.group * g.R * g.S);
    cost_out->elementwise = gn_has_out(node, 1) ? g.N * g.K * g.P * g.Q : 0;
}

static gn_status reference_data(const gn_ref_call *call)
{
    gn_spatial g;
    GN_TRY(gn_spatial_conv(call->graph, call->node, &g, NULL));
    return gn_conv_ref_grad_data(&g, call->in[0], call->in[1], call->out[0]);
}

static void bias_gradient(const gn_spatial *g, const gn_tensor *dy, gn_tensor *dbias)
{
    const int64_t PQ = g->P * g->Q;
    for (int64_t k = 0; k < g->K; k++) {
        double sum = 0;
        for (int64_t n = 0; n < g->N; n++)
            for (int64_t i = 0; i < PQ; i++)
                sum += gn_ref_load(dy, (n * g->K + k) * PQ + i);
        gn_ref_store(dbias, k, sum);
    }
}

static gn_status reference_weight(const gn_ref_call *call)
{
    gn_spatial g;
    GN_TRY(gn_spatial_conv(call->graph, call->node, &g, NULL));
    if (gn_has_out(call->node, 0))
        GN_TRY(gn_conv_ref_grad_weight(&g, call->in[0], call->in[1], call->out[0]));
    if (gn_has_out(call->node, 1))
        bias_gradient(&g, call->in[0], call->out[1]);
    return GN_OK;
}

const gn_op_def gn_op_conv_grad_data = {
    .name = "ConvGradData",
    .domain = "gannet",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 1u,
    .nhwc_out = 1u,
    .infer = infer_data,
    .cost = cost,
    .reference = reference_data,
};

const gn_op_def gn_op_conv_grad_weight = {
    .name = "ConvGradWeight",
    .domain = "gannet",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 2,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 1u | 1u << 1,
    .infer = infer_weight,
    .cost = cost,
    .reference = reference_weight,
};
