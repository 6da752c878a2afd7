/* Conv and FusedConv: two-dimensional convolution with groups, strides, pads and dilations; FusedConv (X, W, B?,
 * residual?, scale?) multiplies each filter by scale [K], bends (activation, alpha; curve_rules.h), adds a residual and clamps.
 * Source: ONNX Conv (opset 11); FusedConv is what the inference pass makes of Conv + BatchNormalization + Add + Relu or Clip.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/conv_ref.h"
#include "ops/curve_rules.h"
#include "ops/op_rules.h"
#include "ops/volume_rules.h"

#include <inttypes.h>
#include <string.h>

/* Optional input i has one number per filter. */
static gn_status check_per_filter(const gn_graph *graph, const gn_node *node, int i, const char *what, int64_t K,
                                  gn_error *err)
{
    const gn_shape *shape = gn_in_shape(graph, node, i);
    char text[128];
    if (!shape || (shape->rank == 1 && shape->dim[0] == K))
        return GN_OK;
    gn_shape_format(shape, text);
    return gn_shape_fail(err, node, "the %s has the shape %s, expected [%" PRId64 "]", what, text, K);
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_spatial g;
    if (gn_is_volume(graph, node) && *node->op->domain == '\0')
        return gn_volume_conv_infer(graph, node, err);
    GN_TRY(gn_spatial_auto_pad(graph, node, gn_in_shape(graph, node, 1), err));
    GN_TRY(gn_spatial_conv(graph, node, &g, err));
    const gn_shape y = {.rank = 4, .dim = {g.N, g.K, g.P, g.Q}};
    char text[128];
    GN_TRY(gn_op_curve_check(node, err));
    GN_TRY(check_per_filter(graph, node, 2, "bias", g.K, err));
    GN_TRY(check_per_filter(graph, node, 4, "scale", g.K, err));
    if (gn_has_in(node, 3) && !gn_shape_equal(gn_in_shape(graph, node, 3), &y)) {
        gn_shape_format(gn_in_shape(graph, node, 3), text);
        return gn_shape_fail(err, node, "the residual has the shape %s, which is not the result's", text);
    }
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

static void cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    gn_spatial g;
    if (gn_is_volume(graph, node)) {
        gn_volume_conv_cost(graph, node, cost_out);
        return;
    }
    if (gn_spatial_conv(graph, node, &g, NULL) != GN_OK)
        return;
    const int64_t outputs = g.N * g.K * g.P * g.Q;
    cost_out->macs = gn_cost_times(outputs, g.C / g.group * g.R * g.S);
    cost_out->elementwise = outputs * (gn_has_in(node, 2) + gn_has_in(node, 3));
}

static gn_status give_data(gn_grad *grad, const gn_node *node, int dy, const gn_attr *attrs, int n_attrs)
{
    const gn_shape *x = gn_in_shape(gn_grad_graph(grad), node, 0);
    const int64_t in_hw[2] = {x->dim[2], x->dim[3]};
    gn_attr all[8];
    memcpy(all, attrs, (size_t)n_attrs * sizeof attrs[0]);
    all[n_attrs] = gn_attr_ints("in_hw", in_hw, 2);
    return gn_give(grad, node, 0,
                   gn_emit(grad, node, "gannet", "ConvGradData", (const int[]){dy, node->in[1]}, 2, all, n_attrs + 1));
}

static gn_status give_weight(gn_grad *grad, const gn_node *node, int dy, const gn_attr *attrs, int n_attrs)
{
    gn_graph *graph = gn_grad_graph(grad);
    const bool wants_bias = gn_has_in(node, 2) && gn_grad_wants(grad, node, 2);
    const int id = gn_graph_add_node(graph, "ConvGradWeight", "gannet", node->name, (const int[]){dy, node->in[0]}, 2,
                                     wants_bias ? 2 : 1, attrs, n_attrs);
    if (id < 0)
        return gn_graph_error(graph, NULL);
    const gn_node *made = gn_graph_node(graph, id);
    if (gn_grad_wants(grad, node, 1))
        GN_TRY(gn_grad_give(grad, node, 1, made->out[0]));
    return wants_bias ? gn_grad_give(grad, node, 2, made->out[1]) : GN_OK;
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    if (gn_is_volume(gn_grad_graph(grad), node))
        return gn_graph_set_error(gn_grad_graph(grad), GN_EUNSUPPORTED,
                                  "node %s (Conv): only pictures of four dimensions have a gradient", node->name);
    const gn_shape *w = gn_in_shape(gn_grad_graph(grad), node, 1);
    const int64_t kernel_shape[2] = {w->dim[2], w->dim[3]};
    const int dy = gn_grad_of_out(grad, node, 0);
    static const char *const copied[] = {"strides", "pads", "dilations", "group"};
    gn_attr attrs[5];
    if (dy < 0)
        return GN_OK;
    attrs[0] = gn_attr_ints("kernel_shape", kernel_shape, 2);
    const int n = 1 + gn_op_copy_attrs(node, copied, 4, attrs + 1);
    if (gn_grad_wants(grad, node, 0))
        GN_TRY(give_data(grad, node, dy, attrs, n));
    if (gn_grad_wants(grad, node, 1) || (gn_has_in(node, 2) && gn_grad_wants(grad, node, 2)))
        GN_TRY(give_weight(grad, node, dy, attrs, n));
    return GN_OK;
}

static const gn_tensor *optional(const gn_ref_call *call, int i)
{
    return gn_has_in(call->node, i) ? call->in[i] : NULL;
}

static gn_status reference(const gn_ref_call *call)
{
    gn_spatial g;
    float lo, hi;
    if (gn_is_volume(call->graph, call->node))
        return gn_volume_conv(call);
    GN_TRY(gn_spatial_conv(call->graph, call->node, &g, NULL));
    gn_op_clamp(call->node, &lo, &hi); /* Conv has neither attribute: open */
    return gn_conv_ref_forward(&g, call->in[0], call->in[1], optional(call, 2), optional(call, 3), optional(call, 4),
                               call->out[0], gn_op_curve(call->node), (double)lo, (double)hi);
}

const gn_op_def gn_op_conv = {
    .name = "Conv",
    .domain = "",
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 1u,
    .nhwc_out = 1u,
    .infer = infer,
    .cost = cost,
    .grad = grad_rule,
    .reference = reference,
};

const gn_op_def gn_op_fused_conv = {
    .name = "FusedConv",
    .domain = "gannet",
    .min_in = 2,
    .max_in = 5,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 1u | 1u << 3,
    .nhwc_out = 1u,
    .inplace_in = 1u << 3,
    .infer = infer,
    .cost = cost,
    .reference = reference,
};
