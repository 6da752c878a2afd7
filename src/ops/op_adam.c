/* Adam(hyper, grad_scale, w.., g.., m.., v..) -> w'.., m'.., v'..: with g' = grad_scale*g (+ weight_decay*w unless decoupled),
 *   m' = m + (1-beta1)*(g'-m),  v' = beta2*v + (1-beta2)*g'^2,
 *   w' = w*(1 - lr*weight_decay when decoupled) - lr/bias1 * m' / (sqrt(v')/sqrt(bias2) + epsilon);
 * bias1 = 1-beta1^t and bias2 = 1-beta2^t come with hyper.
 * Source: Kingma and Ba 2015, algorithm 1; decoupled: Loshchilov and Hutter 2019 (AdamW); both as torch.optim has them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/optimizer_rules.h"
#include "ops/ref_access.h"

#include <math.h>

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    static const int out_like[3] = {0, 2, 3};
    return gn_optimizer_infer(graph, node, 2, 4, out_like, 3, err);
}

static void cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    const int n = gn_optimizer_count(node);
    for (int i = 0; i < n; i++)
        cost_out->elementwise += 8 * gn_shape_count(gn_in_shape(graph, node, 2 + i));
}

static void step_tensor(const gn_ref_call *call, int n, int i)
{
    const gn_tensor *hyper = call->in[0], *w = call->in[2 + i], *g = call->in[2 + n + i];
    const gn_tensor *m = call->in[2 + 2 * n + i], *v = call->in[2 + 3 * n + i];
    const double lr = gn_ref_load(hyper, GN_HYPER_LR), grad_scale = gn_ref_load(call->in[1], 0);
    const double bias1 = gn_ref_load(hyper, GN_HYPER_BIAS1), root_bias2 = sqrt(gn_ref_load(hyper, GN_HYPER_BIAS2));
    const double beta1 = (double)gn_node_float(call->node, "beta1", 0.9f),
                 beta2 = (double)gn_node_float(call->node, "beta2", 0.999f);
    const double epsilon = (double)gn_node_float(call->node, "epsilon", 1e-8f),
                 decay = gn_optimizer_decay(call->node, i);
    const bool decoupled = gn_node_int(call->node, "decoupled", 0) != 0;
    const int64_t count = gn_tensor_count(w);
    for (int64_t k = 0; k < count; k++) {
        const double weight = gn_ref_load(w, k),
                     slope = grad_scale * gn_ref_load(g, k) + (decoupled ? 0 : decay * weight);
        const double m_new = gn_ref_load(m, k) + (1 - beta1) * (slope - gn_ref_load(m, k));
        const double v_new = beta2 * gn_ref_load(v, k) + (1 - beta2) * slope * slope;
        const double shrunk = decoupled ? weight * (1 - lr * decay) : weight;
        gn_ref_store(call->out[n + i], k, m_new);
        gn_ref_store(call->out[2 * n + i], k, v_new);
        gn_ref_store(call->out[i], k, shrunk - lr / bias1 * m_new / (sqrt(v_new) / root_bias2 + epsilon));
    }
}

static gn_status reference(const gn_ref_call *call)
{
    const int n = gn_optimizer_count(call->node);
    for (int i = 0; i < n; i++)
        step_tensor(call, n, i);
    return GN_OK;
}

const gn_op_def gn_op_adam = {
    .name = "Adam",
    .domain = "gannet",
    .min_in = 6,
    .max_in = -1,
    .min_out = 3,
    .max_out = -1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .renews = true,
    .infer = infer,
    .cost = cost,
    .reference = reference,
};
