/* MaxPool (and where each maximum lay), its training form MaxPoolTrain (which also tells where each maximum lay) and MaxPoolGrad.  Padding never wins; among
 * equals the first in scan order does; NaN wins.
 * Source: ONNX MaxPool (opset 12).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"
#include "ops/spatial.h"
#include "ops/volume_rules.h"

#include <inttypes.h>
#include <math.h>

/* Positions in the window are stored as r*S+s in a byte. */
#define MAX_POSITIONS 255

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_spatial g;
    if (gn_is_volume(graph, node) && *node->op->domain == '\0')
        return gn_volume_pool_infer(graph, node, err);
    GN_TRY(gn_spatial_auto_pad(graph, node, NULL, err));
    GN_TRY(gn_spatial_pool(graph, node, &g, err));
    const gn_shape y = {.rank = 4, .dim = {g.N, g.C, g.P, g.Q}};
    const bool is_train = *node->op->domain != '\0';
    if (is_train && gn_has_out(node, 1) && g.R * g.S > MAX_POSITIONS)
        return gn_shape_fail(err, node,
                             "its window of %" PRId64 "x%" PRId64 " is too large to be trained, at most %d pixels fit",
                             g.R, g.S, MAX_POSITIONS);
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    gn_set_out(graph, node, 1, is_train ? GN_DTYPE_U8 : GN_DTYPE_S64, &y);
    return GN_OK;
}

static void cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    gn_spatial g;
    if (gn_is_volume(graph, node))
        gn_volume_pool_cost(graph, node, cost_out);
    else if (gn_spatial_pool(graph, node, &g, NULL) == GN_OK)
        cost_out->elementwise = gn_cost_times(g.N * g.C * g.P * g.Q, g.R * g.S);
}

static gn_status training(gn_graph *graph, const gn_node *node, int *value_out, gn_error *err)
{
    const int id =
        gn_graph_add_node(graph, "MaxPoolTrain", "gannet", node->name, node->in, 1, 2, node->attrs, node->n_attrs);
    if (id < 0)
        return gn_graph_error(graph, err);
    *value_out = gn_graph_node(graph, id)->out[0];
    return GN_OK;
}

static gn_status grad_train(gn_grad *grad, const gn_node *node)
{
    gn_graph *graph = gn_grad_graph(grad);
    const gn_shape *x = gn_in_shape(graph, node, 0);
    const int64_t in_hw[2] = {x->dim[2], x->dim[3]};
    const int dy = gn_grad_of_out(grad, node, 0);
    static const char *const copied[] = {"kernel_shape", "strides", "pads", "dilations", "ceil_mode"};
    gn_attr attrs[6];
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    const int n = gn_op_copy_attrs(node, copied, 5, attrs);
    attrs[n] = gn_attr_ints("in_hw", in_hw, 2);
    return gn_give(grad, node, 0,
                   gn_emit(grad, node, "gannet", "MaxPoolGrad", (const int[]){dy, node->out[1]}, 2, attrs, n + 1));
}

/* Largest value of the window of output pixel (p, q) of the plane that begins at `plane`, and its position. */
static double window_maximum(const gn_spatial *g, const gn_tensor *x, int64_t plane, int64_t p, int64_t q,
                             int64_t *position)
{
    const int64_t h0 = p * g->stride_h - g->pad_top, w0 = q * g->stride_w - g->pad_left;
    int64_t r0, r1, s0, s1;
    double best = -INFINITY;
    gn_spatial_range(h0, g->dil_h, g->R, g->H, &r0, &r1);
    gn_spatial_range(w0, g->dil_w, g->S, g->W, &s0, &s1);
    *position = r0 * g->S + s0;
    for (int64_t r = r0; r < r1; r++)
        for (int64_t s = s0; s < s1; s++) {
            const double value = gn_ref_load(x, plane + (h0 + r * g->dil_h) * g->W + w0 + s * g->dil_w);
            if (value > best || (isnan(value) && !isnan(best))) {
                best = value;
                *position = r * g->S + s;
            }
        }
    return best;
}

/* ONNX's Indices: plain index into the whole input of the maximum at `position` of output pixel i's window; columns first where
 * storage_order is 1. */
static int64_t index_of(const gn_spatial *g, int64_t i, int64_t position, bool columns_first)
{
    const int64_t h = i / g->Q % g->P * g->stride_h - g->pad_top + position / g->S * g->dil_h;
    const int64_t w = i % g->Q * g->stride_w - g->pad_left + position % g->S * g->dil_w;
    return i / (g->P * g->Q) * g->H * g->W + (columns_first ? w * g->H + h : h * g->W + w);
}

static gn_status reference(const gn_ref_call *call)
{
    const bool is_train = *call->node->op->domain != '\0';
    const bool columns_first = gn_node_int(call->node, "storage_order", 0) != 0;
    gn_spatial g;
    if (gn_is_volume(call->graph, call->node))
        return gn_volume_max(call);
    GN_TRY(gn_spatial_pool(call->graph, call->node, &g, NULL));
    for (int64_t i = 0; i < g.N * g.C * g.P * g.Q; i++) {
        const int64_t plane = i / (g.P * g.Q) * g.H * g.W;
        int64_t position;
        gn_ref_store(call->out[0], i, window_maximum(&g, call->in[0], plane, i / g.Q % g.P, i % g.Q, &position));
        if (gn_has_out(call->node, 1))
            gn_ref_store_s64(call->out[1], i, is_train ? position : index_of(&g, i, position, columns_first));
    }
    return GN_OK;
}

/* ---- MaxPoolGrad(dY, argmax) ---- */

static gn_status infer_grad(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_spatial g;
    GN_TRY(gn_spatial_pool(graph, node, &g, err));
    if (gn_in_dtype(graph, node, 1) != GN_DTYPE_U8 ||
        !gn_shape_equal(gn_in_shape(graph, node, 0), gn_in_shape(graph, node, 1)))
        return gn_shape_fail(err, node, "its second input is not the u8 position of each maximum");
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &(gn_shape){.rank = 4, .dim = {g.N, g.C, g.H, g.W}});
    return GN_OK;
}

static gn_status reference_grad(const gn_ref_call *call)
{
    gn_spatial g;
    GN_TRY(gn_spatial_pool(call->graph, call->node, &g, NULL));
    for (int64_t i = 0; i < g.N * g.C * g.H * g.W; i++)
        gn_ref_store(call->out[0], i, 0);
    for (int64_t i = 0; i < g.N * g.C * g.P * g.Q; i++) {
        const int64_t position = (int64_t)gn_ref_load(call->in[1], i);
        const int64_t h = i / g.Q % g.P * g.stride_h - g.pad_top + position / g.S * g.dil_h;
        const int64_t w = i % g.Q * g.stride_w - g.pad_left + position % g.S * g.dil_w;
        if (h < 0 || h >= g.H || w < 0 || w >= g.W)
            continue;
        const int64_t at = (i / (g.P * g.Q) * g.H + h) * g.W + w;
        gn_ref_store(call->out[0], at, gn_ref_load(call->out[0], at) + gn_ref_load(call->in[0], i));
    }
    return GN_OK;
}

const gn_op_def gn_op_max_pool = {
    .name = "MaxPool",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 2,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 1u,
    .nhwc_out = 1u,
    .infer = infer,
    .cost = cost,
    .training = training,
    .reference = reference,
};

const gn_op_def gn_op_max_pool_train = {
    .name = "MaxPoolTrain",
    .domain = "gannet",
    .min_in = 1,
    .max_in = 1,
    .min_out = 2,
    .max_out = 2,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 1u,
    .nhwc_out = 3u,
    .infer = infer,
    .cost = cost,
    .grad = grad_train,
    .reference = reference,
};

const gn_op_def gn_op_max_pool_grad = {
    .name = "MaxPoolGrad",
    .domain = "gannet",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 3u,
    .nhwc_out = 1u,
    .infer = infer_grad,
    .cost = gn_cost_per_input,
    .reference = reference_grad,
};
