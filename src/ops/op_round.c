/* Floor, Ceil, Round (halves to even), Sign, Sin and Cos, element by element.  The gradient of the first four is 0.
 * Source: ONNX Floor, Ceil, Sign (opset 13), Round (opset 11), Sin, Cos (opset 7).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/map_rules.h"
#include "ops/op_rules.h"

#include <math.h>

static double floor_of(double x, const double *k)
{
    (void)k;
    return floor(x);
}

static double ceil_of(double x, const double *k)
{
    (void)k;
    return ceil(x);
}

static double round_of(double x, const double *k)
{
    (void)k;
    return nearbyint(x);
}

static double sign_of(double x, const double *k)
{
    (void)k;
    return x > 0 ? 1 : x < 0 ? -1 : x;
}

static double sin_of(double x, const double *k)
{
    (void)k;
    return sin(x);
}

static double cos_of(double x, const double *k)
{
    (void)k;
    return cos(x);
}

/* Nothing is added to the gradient of the operand. */
static gn_status grad_nothing(gn_grad *grad, const gn_node *node)
{
    (void)grad;
    (void)node;
    return GN_OK;
}

/* d sin = cos, d cos = -sin. */
static gn_status grad_sin(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    const int slope = gn_emit_unary(grad, node, "", "Cos", node->in[0]);
    return gn_give(grad, node, 0, gn_emit_binary(grad, node, "", "Mul", dy, slope));
}

static gn_status grad_cos(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    const int slope = gn_emit_unary(grad, node, "", "Neg", gn_emit_unary(grad, node, "", "Sin", node->in[0]));
    return gn_give(grad, node, 0, gn_emit_binary(grad, node, "", "Mul", dy, slope));
}

#define REFERENCE(id, fn)                                                                                              \
    static gn_status id(const gn_ref_call *call)                                                                       \
    {                                                                                                                  \
        return gn_map_apply(call, fn, NULL);                                                                           \
    }

REFERENCE(reference_floor, floor_of)
REFERENCE(reference_ceil, ceil_of)
REFERENCE(reference_round, round_of)
REFERENCE(reference_sign, sign_of)
REFERENCE(reference_sin, sin_of)
REFERENCE(reference_cos, cos_of)

#define MAP(id, onnx_name, grad_rule, run)                                                                             \
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

MAP(gn_op_floor, "Floor", grad_nothing, reference_floor);
MAP(gn_op_ceil, "Ceil", grad_nothing, reference_ceil);
MAP(gn_op_round, "Round", grad_nothing, reference_round);
MAP(gn_op_sign, "Sign", grad_nothing, reference_sign);
MAP(gn_op_sin, "Sin", grad_sin, reference_sin);
MAP(gn_op_cos, "Cos", grad_cos, reference_cos);
