/* SumTo(X) with attribute shape: sums X over the dimensions along which a tensor of that shape would be broadcast; the gradient of
 * broadcasting.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    gn_shape wanted = {0}, both;
    const gn_attr *attr = gn_node_attr(node, "shape");
    if (!attr || attr->type != GN_ATTR_INTS || attr->n > GN_MAX_RANK)
        return gn_shape_fail(err, node, "its attribute shape is missing");
    wanted = gn_shape_of(attr->n, attr->u.ints);
    if (gn_shape_broadcast(x, &wanted, &both) != GN_OK || !gn_shape_equal(&both, x)) {
        char from[128], to[128];
        gn_shape_format(x, from);
        gn_shape_format(&wanted, to);
        return gn_shape_fail(err, node, "the shape %s does not broadcast to %s", to, from);
    }
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &wanted);
    return GN_OK;
}

/* dX is dY broadcast: added to zeros of X's shape. */
static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    const int zeros = gn_emit_zeros(grad, node, node->in[0]);
    return gn_give(grad, node, 0, gn_emit_binary(grad, node, "", "Add", zeros, dy));
}

/* Plain index into x of term t of output element i: t counts through the summed dimensions, i through the kept ones. */
static int64_t term_index(const gn_shape *from, const bool *is_summed, int64_t i, int64_t t)
{
    int64_t at = 0, stride = 1;
    for (int d = from->rank - 1; d >= 0; d--) {
        int64_t *rest = is_summed[d] ? &t : &i;
        at += *rest % from->dim[d] * stride;
        *rest /= from->dim[d];
        stride *= from->dim[d];
    }
    return at;
}

static gn_status reference(const gn_ref_call *call)
{
    const gn_shape *from = &call->in[0]->shape, *to = &call->out[0]->shape;
    const int64_t n_out = gn_shape_count(to), terms = n_out > 0 ? gn_shape_count(from) / n_out : 0;
    bool is_summed[GN_MAX_RANK];
    for (int d = 0; d < from->rank; d++) {
        const int o = d - (from->rank - to->rank);
        is_summed[d] = o < 0 || to->dim[o] != from->dim[d];
    }
    for (int64_t i = 0; i < n_out; i++) {
        double sum = 0;
        for (int64_t t = 0; t < terms; t++)
            sum += gn_ref_load(call->in[0], term_index(from, is_summed, i, t));
        gn_ref_store(call->out[0], i, sum);
    }
    return GN_OK;
}

const gn_op_def gn_op_sum_to = {
    .name = "SumTo",
    .domain = "gannet",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer,
    .cost = gn_cost_per_input,
    .grad = grad_rule,
    .reference = reference,
};
