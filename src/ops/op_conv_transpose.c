/* ConvTranspose: the transpose of a convolution, over one to three dimensions, with groups, strides, pads, dilations,
 * output_padding, output_shape and auto_pad.  Its gradients are a Conv of dY and a ConvGradWeight (two dimensions only).
 * Source: ONNX ConvTranspose (opset 11).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"
#include "ops/windows.h"

#include <inttypes.h>

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *bias = gn_in_shape(graph, node, 2);
    gn_windows g;
    char text[128];
    GN_TRY(gn_windows_transposed(graph, node, &g, err));
    if (bias && (bias->rank != 1 || bias->dim[0] != g.C)) {
        gn_shape_format(bias, text);
        return gn_shape_fail(err, node, "the bias has the shape %s, expected [%" PRId64 "]", text, g.C);
    }
    const gn_shape y = gn_windows_shape(&g, g.C, g.in);
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

static void cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    gn_windows g;
    if (gn_windows_transposed(graph, node, &g, NULL) != GN_OK)
        return;
    const int64_t inputs = gn_shape_count(gn_in_shape(graph, node, 0));
    cost_out->macs = gn_cost_times(inputs, g.C / g.group * gn_windows_volume(g.window));
    cost_out->elementwise = gn_has_in(node, 2) ? gn_shape_count(&gn_graph_value(graph, node->out[0])->shape) : 0;
}

/* ---- gradients ---- */

/* The attributes of the convolution whose transpose this is. */
static void conv_attrs(const gn_node *node, const gn_windows *g, int64_t pads[4], int64_t window[2], gn_attr attrs[5])
{
    static const int64_t ones[2] = {1, 1};
    const gn_attr *strides = gn_node_attr(node, "strides"), *dilations = gn_node_attr(node, "dilations");
    for (int d = 0; d < 2; d++) {
        pads[d] = g->begin[1 + d];
        pads[2 + d] = g->end[1 + d];
        window[d] = g->window[1 + d];
    }
    attrs[0] = gn_attr_ints("pads", pads, 4);
    attrs[1] = gn_attr_ints("kernel_shape", window, 2);
    attrs[2] = strides ? *strides : gn_attr_ints("strides", ones, 2);
    attrs[3] = dilations ? *dilations : gn_attr_ints("dilations", ones, 2);
    attrs[4] = gn_attr_int("group", g->group);
}

/* The bias's gradient is the sum over images and pixels. */
static gn_status give_bias(gn_grad *grad, const gn_node *node, int dy, int64_t channels)
{
    const int64_t per_channel[4] = {1, channels, 1, 1};
    const gn_attr attr = gn_attr_ints("shape", per_channel, 4);
    const int sum = gn_emit(grad, node, "gannet", "SumTo", &dy, 1, &attr, 1);
    return gn_give(grad, node, 2, gn_emit_reshape_like(grad, node, sum, node->in[2]));
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    gn_graph *graph = gn_grad_graph(grad);
    const int dy = gn_grad_of_out(grad, node, 0);
    gn_windows g;
    int64_t pads[4], window[2];
    gn_attr attrs[5];
    if (dy < 0)
        return GN_OK;
    GN_TRY(gn_windows_transposed(graph, node, &g, NULL));
    for (int d = 0; d < GN_MAX_SPATIAL; d++) {
        const int64_t left = g.in[d] + g.begin[d] + g.end[d] - g.dil[d] * (g.window[d] - 1) - 1;
        if (g.spatial != 2 || left < 0 || left / g.stride[d] + 1 != g.out[d])
            return gn_graph_set_error(graph, GN_EUNSUPPORTED,
                                      "node %s (ConvTranspose): only two dimensions and an output padding below the "
                                      "stride have a gradient",
                                      node->name);
    }
    conv_attrs(node, &g, pads, window, attrs);
    if (gn_grad_wants(grad, node, 0))
        GN_TRY(gn_give(grad, node, 0, gn_emit(grad, node, "", "Conv", (const int[]){dy, node->in[1]}, 2, attrs, 5)));
    if (gn_grad_wants(grad, node, 1))
        GN_TRY(gn_give(grad, node, 1,
                       gn_emit(grad, node, "gannet", "ConvGradWeight", (const int[]){node->in[0], dy}, 2, attrs, 5)));
    return gn_has_in(node, 2) && gn_grad_wants(grad, node, 2) ? give_bias(grad, node, dy, g.C) : GN_OK;
}

/* ---- reference ---- */

/* One element of the result: every (k, tap) whose output position wrote there. */
static double gather(const gn_windows *g, const gn_tensor *x, const gn_tensor *w, int64_t n, int64_t c, int64_t i)
{
    const int64_t cg = g->C / g->group, kg = g->K / g->group, taps = gn_windows_volume(g->window),
                  outs = gn_windows_volume(g->out), group = c / cg;
    const int64_t at[GN_MAX_SPATIAL] = {i / (g->in[1] * g->in[2]), i / g->in[2] % g->in[1], i % g->in[2]};
    double sum = 0;
    for (int64_t tap = 0; tap < taps; tap++) {
        const int64_t r[GN_MAX_SPATIAL] = {tap / (g->window[1] * g->window[2]), tap / g->window[2] % g->window[1],
                                           tap % g->window[2]};
        int64_t from = 0;
        bool is_hit = true;
        for (int d = 0; d < GN_MAX_SPATIAL; d++) {
            const int64_t p = at[d] + g->begin[d] - r[d] * g->dil[d];
            is_hit = is_hit && p >= 0 && p % g->stride[d] == 0 && p / g->stride[d] < g->out[d];
            from = from * g->out[d] + p / g->stride[d];
        }
        for (int64_t k = group * kg; is_hit && k < (group + 1) * kg; k++)
            sum += gn_ref_load(x, (n * g->K + k) * outs + from) * gn_ref_load(w, (k * cg + c % cg) * taps + tap);
    }
    return sum;
}

static gn_status reference(const gn_ref_call *call)
{
    gn_windows g;
    GN_TRY(gn_windows_transposed(call->graph, call->node, &g, NULL));
    const int64_t ins = gn_windows_volume(g.in);
    for (int64_t i = 0; i < g.N * g.C * ins; i++) {
        const int64_t n = i / (g.C * ins), c = i / ins % g.C;
        const double bias = gn_has_in(call->node, 2) ? gn_ref_load(call->in[2], c) : 0;
        gn_ref_store(call->out[0], i, gather(&g, call->in[0], call->in[1], n, c, i % ins) + bias);
    }
    return GN_OK;
}

const gn_op_def gn_op_conv_transpose = {
    .name = "ConvTranspose",
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
