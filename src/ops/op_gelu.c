/* Gelu: y = x * Phi(x), where Phi is the distribution function of the normal distribution, 0.5 * (1 + erf(x / sqrt(2))); with
 * approximate = "tanh", 0.5 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3))).  And GeluGrad(dY, X).
 * Source: Hendrycks and Gimpel 2016, "Gaussian error linear units"; ONNX Gelu (opset 20).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/map_rules.h"
#include "ops/op_rules.h"

#include <math.h>
#include <string.h>

static const double half_root = 0.70710678118654752440;  /* sqrt(1/2) */
static const double tanh_slope = 0.79788456080286535588; /* sqrt(2/pi) */
static const double tanh_cubic = 0.044715;

static gn_status is_tanh(const gn_node *node, bool *is_tanh_out, gn_error *err)
{
    const char *approximate = gn_node_string(node, "approximate", "none");
    *is_tanh_out = strcmp(approximate, "tanh") == 0;
    if (!*is_tanh_out && strcmp(approximate, "none") != 0)
        return gn_shape_fail(err, node, "approximate is \"%s\", expected none or tanh", approximate);
    return GN_OK;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    bool tanh_form;
    GN_TRY(is_tanh(node, &tanh_form, err));
    return gn_rule_same(graph, node, err);
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    static const char *const names[] = {"approximate"};
    return gn_map_grad(grad, node, "GeluGrad", node->in[0], names, 1);
}

static double exact(double x, const double *k)
{
    (void)k;
    return 0.5 * x * erfc(-x * half_root);
}

static double exact_slope(double dy, double x, const double *k)
{
    (void)k;
    const double density = 0.5 * tanh_slope * exp(-0.5 * x * x); /* sqrt(1/(2 pi)) = sqrt(2/pi) / 2 */
    return dy * (0.5 * erfc(-x * half_root) + x * density);
}

static double approximated(double x, const double *k)
{
    (void)k;
    return 0.5 * x * (1 + tanh(tanh_slope * (x + tanh_cubic * x * x * x)));
}

static double approximated_slope(double dy, double x, const double *k)
{
    (void)k;
    const double t = tanh(tanh_slope * (x + tanh_cubic * x * x * x));
    return dy * 0.5 * (1 + t + x * (1 - t * t) * tanh_slope * (1 + 3 * tanh_cubic * x * x));
}

static gn_status reference(const gn_ref_call *call)
{
    bool tanh_form;
    GN_TRY(is_tanh(call->node, &tanh_form, NULL));
    return gn_map_apply(call, tanh_form ? approximated : exact, NULL);
}

static gn_status reference_grad(const gn_ref_call *call)
{
    bool tanh_form;
    GN_TRY(is_tanh(call->node, &tanh_form, NULL));
    return gn_map_apply_two(call, tanh_form ? approximated_slope : exact_slope, NULL);
}

const gn_op_def gn_op_gelu = {
    .name = "Gelu",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .inplace_in = 1u,
    .infer = infer,
    .cost = gn_cost_per_output,
    .grad = grad_rule,
    .reference = reference,
};

const gn_op_def gn_op_gelu_grad = {
    .name = "GeluGrad",
    .domain = "gannet",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .inplace_in = 3u,
    .infer = infer,
    .cost = gn_cost_per_output,
    .reference = reference_grad,
};
