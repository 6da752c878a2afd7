/* What the losses share: shape rules, the gradient node, the weighted mean.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/loss_rules.h"

#include <stdio.h>

#include "ops/op_rules.h"
#include "ops/ref_access.h"

/* pred is input `first`; target and weight follow. */
static gn_status check_operands(const gn_graph *graph, const gn_node *node, int first, gn_error *err)
{
    const gn_shape *pred = gn_in_shape(graph, node, first), *weight = gn_in_shape(graph, node, first + 2);
    char shapes[256];
    if (pred->rank >= 1 && gn_shape_equal(pred, gn_in_shape(graph, node, first + 1)) && weight->rank == 1 &&
        weight->dim[0] == pred->dim[0])
        return GN_OK;
    gn_op_input_shapes(graph, node, shapes);
    return gn_shape_fail(
        err, node, "its operands have the shapes %s, expected predictions and targets [N,...] and weights [N]", shapes);
}

gn_status gn_loss_infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    GN_TRY(check_operands(graph, node, 0, err));
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &(gn_shape){.rank = 0});
    return GN_OK;
}

gn_status gn_loss_grad_infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    if (gn_shape_count(gn_in_shape(graph, node, 0)) != 1)
        return gn_shape_fail(err, node, "the gradient of its loss is no scalar");
    GN_TRY(check_operands(graph, node, 1, err));
    return gn_rule_like_second(graph, node, err);
}

gn_status gn_loss_grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dl = gn_grad_of_out(grad, node, 0);
    char op[64];
    if (dl < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    snprintf(op, sizeof op, "%sGrad", node->op->name);
    const int in[4] = {dl, node->in[0], node->in[1], node->in[2]};
    return gn_give(grad, node, 0, gn_emit(grad, node, "gannet", op, in, 4, node->attrs, node->n_attrs));
}

double gn_loss_weight_sum(const gn_tensor *weight)
{
    const int64_t n = gn_tensor_count(weight);
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += gn_ref_load(weight, i);
    return sum < GN_LOSS_MIN_WEIGHT ? GN_LOSS_MIN_WEIGHT : sum;
}

gn_status gn_loss_reference(const gn_ref_call *call, gn_element_loss value)
{
    const gn_tensor *pred = call->in[0], *target = call->in[1], *weight = call->in[2];
    const int64_t count = gn_tensor_count(pred), K = count / (pred->shape.dim[0] > 0 ? pred->shape.dim[0] : 1);
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += gn_ref_load(weight, i / K) * value(call->node, gn_ref_load(pred, i), gn_ref_load(target, i));
    gn_ref_store(call->out[0], 0, sum / (double)(K > 0 ? K : 1) / gn_loss_weight_sum(weight));
    return GN_OK;
}

gn_status gn_loss_grad_reference(const gn_ref_call *call, gn_element_loss derivative)
{
    const gn_tensor *pred = call->in[1], *target = call->in[2], *weight = call->in[3];
    const int64_t count = gn_tensor_count(pred), K = count / (pred->shape.dim[0] > 0 ? pred->shape.dim[0] : 1);
    const double factor = gn_ref_load(call->in[0], 0) / (double)(K > 0 ? K : 1) / gn_loss_weight_sum(weight);
    for (int64_t i = 0; i < count; i++) {
        const double d = derivative(call->node, gn_ref_load(pred, i), gn_ref_load(target, i));
        gn_ref_store(call->out[0], i, factor * gn_ref_load(weight, i / K) * d);
    }
    return GN_OK;
}
