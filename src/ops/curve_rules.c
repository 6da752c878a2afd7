/* The attribute `activation` of fused operators, and what it stands for, in double.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/curve_rules.h"

#include <math.h>
#include <string.h>

gn_curve gn_op_curve(const gn_node *node)
{
    static const char *const names[GN_CURVE_KINDS] = {[GN_CURVE_NONE] = "",
                                                      [GN_CURVE_SILU] = "silu",
                                                      [GN_CURVE_HARD_SWISH] = "hard_swish",
                                                      [GN_CURVE_LEAKY_RELU] = "leaky_relu"};
    const char *name = gn_node_string(node, "activation", "");
    gn_curve curve = {GN_CURVE_NONE, gn_node_float(node, "alpha", 0.01f)};
    while (curve.kind < GN_CURVE_KINDS && strcmp(name, names[curve.kind]) != 0)
        curve.kind++;
    return curve;
}

gn_status gn_op_curve_check(const gn_node *node, gn_error *err)
{
    if (gn_op_curve(node).kind < GN_CURVE_KINDS)
        return GN_OK;
    return gn_shape_fail(err, node, "its activation is \"%s\", expected silu, hard_swish or leaky_relu",
                         gn_node_string(node, "activation", ""));
}

double gn_curve_value(gn_curve curve, double x)
{
    const double gate = x / 6 + 0.5;
    switch (curve.kind) {
    case GN_CURVE_SILU:
        return x / (1 + exp(-x));
    case GN_CURVE_HARD_SWISH:
        return x * (gate < 0 ? 0 : gate > 1 ? 1 : gate);
    case GN_CURVE_LEAKY_RELU:
        return x < 0 ? (double)curve.alpha * x : x;
    default:
        return x;
    }
}

double gn_curve_slope(gn_curve curve, double x)
{
    const double s = 1 / (1 + exp(-x));
    switch (curve.kind) {
    case GN_CURVE_SILU:
        return s * (1 + x * (1 - s));
    case GN_CURVE_HARD_SWISH:
        return x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5;
    case GN_CURVE_LEAKY_RELU:
        return x < 0 ? (double)curve.alpha : 1;
    default:
        return 1;
    }
}
