/* Softmax along one axis, and SoftmaxGrad(dY, Y): dX = Y * (dY - sum(dY * Y)).
 * Source: ONNX Softmax (opset 13: one axis, the last by default).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

#include <math.h>

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    const gn_attr axis = gn_attr_int("axis", gn_node_int(node, "axis", -1));
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    return gn_give(grad, node, 0,
                   gn_emit(grad, node, "gannet", "SoftmaxGrad", (const int[]){dy, node->out[0]}, 2, &axis, 1));
}

/* The tensor as [outer, n, inner] around the axis. */
typedef struct sizes {
    int64_t outer, n, inner;
} sizes;

static gn_status sizes_of(const gn_ref_call *call, sizes *out)
{
    const gn_shape *shape = &call->out[0]->shape;
    int axis;
    GN_TRY(gn_op_axis(call->node, "axis", -1, shape->rank, &axis, NULL));
    *out = (sizes){1, shape->dim[axis], 1};
    for (int i = 0; i < axis; i++)
        out->outer *= shape->dim[i];
    for (int i = axis + 1; i < shape->rank; i++)
        out->inner *= shape->dim[i];
    return GN_OK;
}

static gn_status reference(const gn_ref_call *call)
{
    sizes s;
    GN_TRY(sizes_of(call, &s));
    for (int64_t row = 0; row < s.outer * s.inner; row++) {
        const int64_t first = row / s.inner * s.n * s.inner + row % s.inner;
        double largest = -INFINITY, sum = 0;
        for (int64_t i = 0; i < s.n; i++)
            largest = fmax(largest, gn_ref_load(call->in[0], first + i * s.inner));
        for (int64_t i = 0; i < s.n; i++)
            sum += exp(gn_ref_load(call->in[0], first + i * s.inner) - largest);
        for (int64_t i = 0; i < s.n; i++) {
            const int64_t at = first + i * s.inner;
            gn_ref_store(call->out[0], at, exp(gn_ref_load(call->in[0], at) - largest) / sum);
        }
    }
    return GN_OK;
}

static gn_status reference_grad(const gn_ref_call *call)
{
    sizes s;
    GN_TRY(sizes_of(call, &s));
    for (int64_t row = 0; row < s.outer * s.inner; row++) {
        const int64_t first = row / s.inner * s.n * s.inner + row % s.inner;
        double dot = 0;
        for (int64_t i = 0; i < s.n; i++)
            dot += gn_ref_load(call->in[0], first + i * s.inner) * gn_ref_load(call->in[1], first + i * s.inner);
        for (int64_t i = 0; i < s.n; i++) {
            const int64_t at = first + i * s.inner;
            gn_ref_store(call->out[0], at, gn_ref_load(call->in[1], at) * (gn_ref_load(call->in[0], at) - dot));
        }
    }
    return GN_OK;
}

const gn_op_def gn_op_softmax = {
    .name = "Softmax",
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

const gn_op_def gn_op_softmax_grad = {
    .name = "SoftmaxGrad",
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
