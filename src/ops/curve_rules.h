/* The attribute `activation` of fused operators: an activation with a slope everywhere (Silu, HardSwish, LeakyRelu), which comes
 * before their residual and clamp.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_CURVE_RULES_H
#define GN_OPS_CURVE_RULES_H

#include "graph/op.h"
#include "kernels/kernel.h"

/* `activation` is "silu", "hard_swish" or "leaky_relu" (with the float `alpha`, 0.01 when left out); absent: none.
 * GN_CURVE_KINDS: another word, which gn_op_curve_check refuses. */
gn_curve gn_op_curve(const gn_node *node);
gn_status gn_op_curve_check(const gn_node *node, gn_error *err);

/* y and dy/dx at x, in double: what the kernels compute. */
double gn_curve_value(gn_curve curve, double x);
double gn_curve_slope(gn_curve curve, double x);

#endif
