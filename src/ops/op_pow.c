/* Pow: z = x ^ y, with broadcasting; and PowGrad(dZ, X, Y) -> dX, dY, both of Z's shape, before they are summed.
 * Source: ONNX Pow (opset 15: the exponent may have a type of its own).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/broadcast.h"
#include "ops/op_rules.h"
#include "ops/ref_access.h"

#include <math.h>

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_shape out;
    if (gn_shape_broadcast(gn_in_shape(graph, node, 0), gn_in_shape(graph, node, 1), &out) != GN_OK) {
        char shapes[256];
        gn_op_input_shapes(graph, node, shapes);
        return gn_shape_fail(err, node, "shapes %s do not broadcast", shapes);
    }
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &out);
    return GN_OK;
}

static gn_status infer_grad(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_set_out(graph, node, 1, gn_in_dtype(graph, node, 0), gn_in_shape(graph, node, 0));
    return gn_rule_same(graph, node, err);
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    return gn_grad_by_pair(grad, node, "PowGrad");
}

static gn_status reference(const gn_ref_call *call)
{
    return gn_broadcast_apply(call, pow);
}

/* Where y is 0, z does not depend on x; where x is 0 and y positive, z does not depend on y. */
static gn_status reference_grad(const gn_ref_call *call)
{
    const gn_tensor *dz = call->in[0], *x = call->in[1], *y = call->in[2];
    const int64_t n = gn_tensor_count(dz);
    for (int64_t i = 0; i < n; i++) {
        const double a = gn_ref_load(x, gn_broadcast_index(&x->shape, &dz->shape, i));
        const double b = gn_ref_load(y, gn_broadcast_index(&y->shape, &dz->shape, i)), d = gn_ref_load(dz, i);
        gn_ref_store(call->out[0], i, b < 0 || b > 0 ? d * b * pow(a, b - 1) : 0);
        if (gn_has_out(call->node, 1))
            gn_ref_store(call->out[1], i, a < 0 || a > 0 || b <= 0 ? d * pow(a, b) * log(a) : 0);
    }
    return GN_OK;
}

const gn_op_def gn_op_pow = {
    .name = "Pow",
    .domain = "",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .inplace_in = 1u,
    .infer = infer,
    .cost = gn_cost_per_output,
    .grad = grad_rule,
    .reference = reference,
};

const gn_op_def gn_op_pow_grad = {
    .name = "PowGrad",
    .domain = "gannet",
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 2,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer_grad,
    .cost = gn_cost_per_output,
    .reference = reference_grad,
};
