/* Sgd(hyper, grad_scale, w.., g.., v..) -> w'.., v'..: with g' = grad_scale*g + weight_decay*w,
 *   v' = momentum*v + g' (the first time g'),  w' = w - lr * (nesterov ? g' + momentum*v' : v');
 * without momentum there are no v's and w' = w - lr*g'.  hyper may lower the momentum (warm-up).
 * Source: Sutskever et al. 2013, as torch.optim.SGD has it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/optimizer_rules.h"
#include "ops/ref_access.h"

static bool has_momentum(const gn_node *node)
{
    return gn_node_float(node, "momentum", 0) != 0;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    static const int out_like[2] = {0, 2};
    const bool keeps_v = has_momentum(node);
    return gn_optimizer_infer(graph, node, 2, keeps_v ? 3 : 2, out_like, keeps_v ? 2 : 1, err);
}

static void cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    const int n = gn_optimizer_count(node);
    for (int i = 0; i < n; i++)
        cost_out->elementwise += 3 * gn_shape_count(gn_in_shape(graph, node, 2 + i));
}

static void step_tensor(const gn_ref_call *call, int n, int i)
{
    const gn_tensor *hyper = call->in[0], *w = call->in[2 + i], *g = call->in[2 + n + i];
    const double lr = gn_ref_load(hyper, GN_HYPER_LR), grad_scale = gn_ref_load(call->in[1], 0);
    const double decay = gn_optimizer_decay(call->node, i), full = (double)gn_node_float(call->node, "momentum", 0);
    const double momentum = full - gn_ref_load(hyper, GN_HYPER_MOMENTUM_LESS);
    const bool nesterov = gn_node_int(call->node, "nesterov", 0) != 0, first = gn_ref_load(hyper, GN_HYPER_FIRST) != 0;
    const int64_t count = gn_tensor_count(w);
    for (int64_t k = 0; k < count; k++) {
        const double weight = gn_ref_load(w, k), slope = grad_scale * gn_ref_load(g, k) + decay * weight;
        double step = slope;
        if (full != 0) {
            const double v = first ? slope : momentum * gn_ref_load(call->in[2 + 2 * n + i], k) + slope;
            step = nesterov ? slope + momentum * v : v;
            gn_ref_store(call->out[n + i], k, v);
        }
        gn_ref_store(call->out[i], k, weight - lr * step);
    }
}

static gn_status reference(const gn_ref_call *call)
{
    const int n = gn_optimizer_count(call->node);
    for (int i = 0; i < n; i++)
        step_tensor(call, n, i);
    return GN_OK;
}

const gn_op_def gn_op_sgd = {
    .name = "Sgd",
    .domain = "gannet",
    .min_in = 4,
    .max_in = -1,
    .min_out = 1,
    .max_out = -1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .renews = true,
    .infer = infer,
    .cost = cost,
    .reference = reference,
};
