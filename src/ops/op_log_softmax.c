/* LogSoftmax along one axis, and LogSoftmaxGrad(dY, Y): dX = dY - exp(Y) * sum(dY).
 * Source: ONNX LogSoftmax (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/op_rules.h"

#include <math.h>

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    const gn_attr axis = gn_attr_int("axis", gn_node_int(node, "axis", -1));
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    return gn_give(grad, node, 0,
                   gn_emit(grad, node, "gannet", "LogSoftmaxGrad", (const int[]){dy, node->out[0]}, 2, &axis, 1));
}

static gn_status rows_of(const gn_ref_call *call, gn_rows *rows)
{
    int axis;
    GN_TRY(gn_op_axis(call->node, "axis", -1, call->out[0]->shape.rank, &axis, NULL));
    *rows = gn_rows_of(&call->out[0]->shape, axis);
    return GN_OK;
}

static gn_status reference(const gn_ref_call *call)
{
    gn_rows rows;
    GN_TRY(rows_of(call, &rows));
    for (int64_t r = 0; r < rows.outer * rows.inner; r++) {
        const int64_t first = gn_row_begin(&rows, r), end = first + rows.n * rows.inner;
        double largest = -INFINITY, sum = 0;
        for (int64_t at = first; at < end; at += rows.inner)
            largest = fmax(largest, gn_ref_load(call->in[0], at));
        for (int64_t at = first; at < end; at += rows.inner)
            sum += exp(gn_ref_load(call->in[0], at) - largest);
        for (int64_t at = first; at < end; at += rows.inner)
            gn_ref_store(call->out[0], at, gn_ref_load(call->in[0], at) - largest - log(sum));
    }
    return GN_OK;
}

static gn_status reference_grad(const gn_ref_call *call)
{
    gn_rows rows;
    GN_TRY(rows_of(call, &rows));
    for (int64_t r = 0; r < rows.outer * rows.inner; r++) {
        const int64_t first = gn_row_begin(&rows, r), end = first + rows.n * rows.inner;
        double sum = 0;
        for (int64_t at = first; at < end; at += rows.inner)
            sum += gn_ref_load(call->in[0], at);
        for (int64_t at = first; at < end; at += rows.inner)
            gn_ref_store(call->out[0], at, gn_ref_load(call->in[0], at) - exp(gn_ref_load(call->in[1], at)) * sum);
    }
    return GN_OK;
}

const gn_op_def gn_op_log_softmax = {
    .name = "LogSoftmax",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .inplace_in = 1u,
    .infer = gn_rule_same_along_axis,
    .cost = gn_cost_per_output,
    .grad = grad_rule,
    .reference = reference,
};

const gn_op_def gn_op_log_softmax_grad = {
    .name = "LogSoftmaxGrad",
    .domain = "gannet",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .inplace_in = 1u,
    .infer = gn_rule_same_along_axis,
    .cost = gn_cost_per_output,
    .reference = reference_grad,
};
