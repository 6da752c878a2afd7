/* AveragePool and AveragePoolGrad.
 * Source: ONNX AveragePool (opset 19); where count_include_pad and ceil_mode meet, as PyTorch has it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"
#include "ops/spatial.h"
#include "ops/volume_rules.h"

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_spatial g;
    if (gn_is_volume(graph, node) && *node->op->domain == '\0')
        return gn_volume_pool_infer(graph, node, err);
    GN_TRY(gn_spatial_auto_pad(graph, node, NULL, err));
    GN_TRY(gn_spatial_pool(graph, node, &g, err));
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &(gn_shape){.rank = 4, .dim = {g.N, g.C, g.P, g.Q}});
    return GN_OK;
}

static gn_status infer_grad(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_spatial g;
    GN_TRY(gn_spatial_pool(graph, node, &g, err));
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &(gn_shape){.rank = 4, .dim = {g.N, g.C, g.H, g.W}});
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

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const gn_shape *x = gn_in_shape(gn_grad_graph(grad), node, 0);
    const int64_t in_hw[2] = {x->dim[2], x->dim[3]};
    const int dy = gn_grad_of_out(grad, node, 0);
    static const char *const copied[] = {"kernel_shape", "strides",   "pads",
                                         "dilations",    "ceil_mode", "count_include_pad"};
    gn_attr attrs[7];
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    if (x->rank != 4)
        return gn_graph_set_error(gn_grad_graph(grad), GN_EUNSUPPORTED,
                                  "node %s (AveragePool): only pictures of four dimensions have a gradient",
                                  node->name);
    const int n = gn_op_copy_attrs(node, copied, 6, attrs);
    attrs[n] = gn_attr_ints("in_hw", in_hw, 2);
    return gn_give(grad, node, 0, gn_emit(grad, node, "gannet", "AveragePoolGrad", &dy, 1, attrs, n + 1));
}

/* A window inside the picture: rows and columns it covers, and what their sum is divided by. */
typedef struct window {
    int64_t h0, w0, r0, r1, s0, s1;
    double divisor;
} window;

/* Window positions along one dimension that lie before `room`, counted from the first one. */
static int64_t positions_before(int64_t room, int64_t dil, int64_t window_size)
{
    const int64_t fits = (room + dil - 1) / dil;
    return fits < window_size ? fits : window_size;
}

static window window_at(const gn_spatial *g, int64_t p, int64_t q)
{
    window v = {.h0 = p * g->stride_h - g->pad_top, .w0 = q * g->stride_w - g->pad_left};
    gn_spatial_range(v.h0, g->dil_h, g->R, g->H, &v.r0, &v.r1);
    gn_spatial_range(v.w0, g->dil_w, g->S, g->W, &v.s0, &v.s1);
    v.divisor = (double)((v.r1 - v.r0) * (v.s1 - v.s0));
    if (g->count_include_pad) /* what hangs over the padding does not count */
        v.divisor = (double)(positions_before(g->H + g->pad_bottom - v.h0, g->dil_h, g->R) *
                             positions_before(g->W + g->pad_right - v.w0, g->dil_w, g->S));
    return v;
}

static int64_t pixel(const gn_spatial *g, const window *v, int64_t plane, int64_t r, int64_t s)
{
    return plane + (v->h0 + r * g->dil_h) * g->W + v->w0 + s * g->dil_w;
}

static gn_status reference(const gn_ref_call *call)
{
    gn_spatial g;
    if (gn_is_volume(call->graph, call->node))
        return gn_volume_average(call);
    GN_TRY(gn_spatial_pool(call->graph, call->node, &g, NULL));
    for (int64_t i = 0; i < g.N * g.C * g.P * g.Q; i++) {
        const window v = window_at(&g, i / g.Q % g.P, i % g.Q);
        double sum = 0;
        for (int64_t r = v.r0; r < v.r1; r++)
            for (int64_t s = v.s0; s < v.s1; s++)
                sum += gn_ref_load(call->in[0], pixel(&g, &v, i / (g.P * g.Q) * g.H * g.W, r, s));
        gn_ref_store(call->out[0], i, sum / v.divisor);
    }
    return GN_OK;
}

static gn_status reference_grad(const gn_ref_call *call)
{
    gn_spatial g;
    GN_TRY(gn_spatial_pool(call->graph, call->node, &g, NULL));
    for (int64_t i = 0; i < g.N * g.C * g.H * g.W; i++)
        gn_ref_store(call->out[0], i, 0);
    for (int64_t i = 0; i < g.N * g.C * g.P * g.Q; i++) {
        const window v = window_at(&g, i / g.Q % g.P, i % g.Q);
        const double share = gn_ref_load(call->in[0], i) / v.divisor;
        for (int64_t r = v.r0; r < v.r1; r++)
            for (int64_t s = v.s0; s < v.s1; s++) {
                const int64_t at = pixel(&g, &v, i / (g.P * g.Q) * g.H * g.W, r, s);
                gn_ref_store(call->out[0], at, gn_ref_load(call->out[0], at) + share);
            }
    }
    return GN_OK;
}

const gn_op_def gn_op_average_pool = {
    .name = "AveragePool",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
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

const gn_op_def gn_op_average_pool_grad = {
    .name = "AveragePoolGrad",
    .domain = "gannet",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 1u,
    .nhwc_out = 1u,
    .infer = infer_grad,
    .cost = cost,
    .reference = reference_grad,
};
