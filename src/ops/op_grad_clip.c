/* GradClip(g_0, ..) -> scale [1], norm [1]: the factor that brings the L2 norm of all gradients together down to attribute max_norm
 * (1 when max_norm <= 0), and that norm.
 * Source: Pascanu et al. 2013; torch.nn.utils.clip_grad_norm_: min(1, max_norm / (norm + 1e-6)).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

#include <math.h>

#define NORM_EPSILON 1e-6

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    for (int i = 0; i < node->n_in; i++)
        if (!gn_has_in(node, i))
            return gn_shape_fail(err, node, "its input %d is missing", i);
    for (int i = 0; i < 2; i++)
        gn_set_out(graph, node, i, gn_in_dtype(graph, node, 0), &(gn_shape){.rank = 1, .dim = {1}});
    return GN_OK;
}

static void cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    for (int i = 0; i < node->n_in; i++)
        cost_out->elementwise += gn_shape_count(gn_in_shape(graph, node, i));
}

static gn_status reference(const gn_ref_call *call)
{
    const double max_norm = (double)gn_node_float(call->node, "max_norm", 0);
    double squares = 0, scale = 1;
    for (int i = 0; i < call->node->n_in; i++) {
        const int64_t n = gn_tensor_count(call->in[i]);
        for (int64_t k = 0; k < n; k++) {
            const double g = gn_ref_load(call->in[i], k);
            squares += g * g;
        }
    }
    const double norm = sqrt(squares);
    if (max_norm > 0)
        scale = fmin(1, max_norm / (norm + NORM_EPSILON));
    gn_ref_store(call->out[0], 0, scale);
    if (gn_has_out(call->node, 1))
        gn_ref_store(call->out[1], 0, norm);
    return GN_OK;
}

const gn_op_def gn_op_grad_clip = {
    .name = "GradClip",
    .domain = "gannet",
    .min_in = 1,
    .max_in = -1,
    .min_out = 1,
    .max_out = 2,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer,
    .cost = cost,
    .reference = reference,
};
