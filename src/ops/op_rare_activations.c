/* Softsign, Selu, Celu and ThresholdedRelu, for models that were made elsewhere; they do not train here.
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

#define ACTIVATION(id, onnx_name, run)                                                                                 \
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
        .reference = run,                                                                                              \
    }

ACTIVATION(gn_op_softsign, "Softsign", reference_softsign);
ACTIVATION(gn_op_selu, "Selu", reference_selu);
ACTIVATION(gn_op_celu, "Celu", reference_celu);
ACTIVATION(gn_op_thresholded_relu, "ThresholdedRelu", reference_thresholded);
