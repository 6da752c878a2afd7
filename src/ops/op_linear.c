/* Linear(X, W [, bias]): y = min(max(x W^T + bias, lo), hi) over the last dimension of X [..., C], with W [K,C], or [C,K]
 * where the attribute turned is 1; what ONNX spells as MatMul, Add and Relu.  Made after differentiation: it has no gradient.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

/* Index of the dimension of W that is K. */
static int rows_of(const gn_node *node)
{
    return gn_node_int(node, "turned", 0) != 0 ? 1 : 0;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0), *w = gn_in_shape(graph, node, 1);
    const gn_shape *bias = gn_in_shape(graph, node, 2);
    const int k = rows_of(node);
    gn_shape y = *x;
    char shapes[256];
    gn_op_input_shapes(graph, node, shapes);
    if (x->rank < 1 || w->rank != 2 || w->dim[1 - k] != x->dim[x->rank - 1] ||
        (bias && (bias->rank != 1 || bias->dim[0] != w->dim[k])))
        return gn_shape_fail(err, node, "its operands have the shapes %s, expected [...,C], [K,C] and [K]", shapes);
    y.dim[y.rank - 1] = w->dim[k];
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

static void cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    cost_out->macs =
        gn_cost_times(gn_shape_count(gn_in_shape(graph, node, 0)), gn_in_shape(graph, node, 1)->dim[rows_of(node)]);
}

static gn_status reference(const gn_ref_call *call)
{
    const int k = rows_of(call->node);
    const int64_t K = call->in[1]->shape.dim[k], C = call->in[1]->shape.dim[1 - k], n = gn_tensor_count(call->out[0]);
    float lo, hi;
    gn_op_clamp(call->node, &lo, &hi);
    for (int64_t i = 0; i < n; i++) {
        double y = gn_has_in(call->node, 2) ? gn_ref_load(call->in[2], i % K) : 0;
        for (int64_t c = 0; c < C; c++)
            y += gn_ref_load(call->in[0], i / K * C + c) * gn_ref_load(call->in[1], k ? c * K + i % K : i % K * C + c);
        gn_ref_store(call->out[0], i, y < (double)lo ? (double)lo : y > (double)hi ? (double)hi : y);
    }
    return GN_OK;
}

const gn_op_def gn_op_linear = {
    .name = "Linear",
    .domain = "gannet",
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer,
    .cost = cost,
    .reference = reference,
};
