/* Softsign, Selu, Celu and ThresholdedRelu, for models that were made elsewhere; their gradients are spelled in other operators.
 * Source: ONNX Softsign (opset 1), Selu (opset 6), Celu (opset 12), ThresholdedRelu (opset 10).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/map_rules.h"
#include "ops/op_rules.h"

#include <math.h>

static double softsign(double x, const double *k)
{
    (void)k;
    return x / (1 + fabs(x));
}

static double selu(double x, const double *k)
{
    return k[1] * (x > 0 ? x : k[0] * expm1(x));
}

static double celu(double x, const double *k)
{
    return fmax(0, x) + fmin(0, k[0] * expm1(x / k[0]));
}

static double thresholded(double x, const double *k)
{
    return x > k[0] ? x : 0;
}

static gn_status reference_softsign(const gn_ref_call *call)
{
    return gn_map_apply(call, softsign, NULL);
}

static gn_status reference_selu(const gn_ref_call *call)
{
    const double k[2] = {(double)gn_node_float(call->node, "alpha", 1.67326319217681884765625f),
                         (double)gn_node_float(call->node, "gamma", 1.05070102214813232421875f)};
    return gn_map_apply(call, selu, k);
}

static gn_status reference_celu(const gn_ref_call *call)
{
    const double alpha = (double)gn_node_float(call->node, "alpha", 1);
    return gn_map_apply(call, celu, &alpha);
}

static gn_status reference_thresholded(const gn_ref_call *call)
{
    const double alpha = (double)gn_node_float(call->node, "alpha", 1);
    return gn_map_apply(call, thresholded, &alpha);
}

/* ---- gradients: dX = dY * slope ---- */

static gn_status give_slope(gn_grad *grad, const gn_node *node, int slope)
{
    return gn_give(grad, node, 0, gn_emit_binary(grad, node, "", "Mul", gn_grad_of_out(grad, node, 0), slope));
}

static bool is_needed(gn_grad *grad, const gn_node *node)
{
    return gn_grad_of_out(grad, node, 0) >= 0 && gn_grad_wants(grad, node, 0);
}

/* condition: x > border; slopes: values. */
static int choose(gn_grad *grad, const gn_node *node, float border, int above, int below)
{
    const int is_above = gn_emit_binary(grad, node, "", "Greater", node->in[0], gn_emit_scalar(grad, node, border));
    if (is_above < 0 || above < 0 || below < 0)
        return -1;
    return gn_emit(grad, node, "", "Where", (const int[]){is_above, above, below}, 3, NULL, 0);
}

/* 1 / (1 + |x|)^2 = (1 - |y|)^2 */
static gn_status grad_softsign(gn_grad *grad, const gn_node *node)
{
    if (!is_needed(grad, node))
        return GN_OK;
    const int size = gn_emit_unary(grad, node, "", "Abs", node->out[0]);
    const int rest = gn_emit_binary(grad, node, "", "Sub", gn_emit_scalar(grad, node, 1), size);
    return give_slope(grad, node, gn_emit_binary(grad, node, "", "Mul", rest, rest));
}

/* gamma where x > 0, else y + gamma*alpha */
static gn_status grad_selu(gn_grad *grad, const gn_node *node)
{
    const float alpha = gn_node_float(node, "alpha", 1.67326319217681884765625f),
                gamma = gn_node_float(node, "gamma", 1.05070102214813232421875f);
    if (!is_needed(grad, node))
        return GN_OK;
    const int below = gn_emit_binary(grad, node, "", "Add", node->out[0], gn_emit_scalar(grad, node, alpha * gamma));
    return give_slope(grad, node, choose(grad, node, 0, gn_emit_scalar(grad, node, gamma), below));
}

/* 1 where x > 0, else y/alpha + 1 */
static gn_status grad_celu(gn_grad *grad, const gn_node *node)
{
    if (!is_needed(grad, node))
        return GN_OK;
    const int alpha = gn_emit_scalar(grad, node, gn_node_float(node, "alpha", 1)), one = gn_emit_scalar(grad, node, 1);
    const int share = gn_emit_binary(grad, node, "", "Div", node->out[0], alpha);
    return give_slope(grad, node, choose(grad, node, 0, one, gn_emit_binary(grad, node, "", "Add", share, one)));
}

static gn_status grad_thresholded(gn_grad *grad, const gn_node *node)
{
    if (!is_needed(grad, node))
        return GN_OK;
    return give_slope(grad, node,
                      choose(grad, node, gn_node_float(node, "alpha", 1), gn_emit_scalar(grad, node, 1),
                             gn_emit_scalar(grad, node, 0)));
}

#define ACTIVATION(id, onnx_name, grad_rule, run)                                                                      \
    const gn_op_def id = {                                                                                             \
        .name = onnx_name,                                                                                             \
        .domain = "",                                                                                                  \
        .min_in = 1,                                                                                                   \
        .max_in = 1,                                                                                                   \
        .min_out = 1,                                                                                                  \
        .max_out = 1,                                                                                                  \
        .layout = GN_LAYOUT_RULE_SAME,                                                                                 \
        .inplace_in = 1u,                                                                                              \
        .infer = gn_rule_same,                                                                                         \
        .cost = gn_cost_per_output,                                                                                    \
        .grad = grad_rule,                                                                                             \
        .reference = run,                                                                                              \
    }

ACTIVATION(gn_op_softsign, "Softsign", grad_softsign, reference_softsign);
ACTIVATION(gn_op_selu, "Selu", grad_selu, reference_selu);
ACTIVATION(gn_op_celu, "Celu", grad_celu, reference_celu);
ACTIVATION(gn_op_thresholded_relu, "ThresholdedRelu", grad_thresholded, reference_thresholded);
