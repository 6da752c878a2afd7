/* LpNormalization (p 1 or 2) along one axis, and LpPool: the p-norm of each window.
 * Source: ONNX LpNormalization (opset 1), LpPool (opset 18).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/op_rules.h"
#include "ops/windows.h"

#include <inttypes.h>
#include <math.h>

static gn_status infer_normalization(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const int64_t p = gn_node_int(node, "p", 2);
    int axis;
    GN_TRY(gn_op_axis(node, "axis", -1, gn_in_shape(graph, node, 0)->rank, &axis, err));
    if (p != 1 && p != 2)
        return gn_shape_fail(err, node, "p is %" PRId64 ", expected 1 or 2", p);
    return gn_rule_same(graph, node, err);
}

static gn_status reference_normalization(const gn_ref_call *call)
{
    const bool is_square = gn_node_int(call->node, "p", 2) == 2;
    int axis;
    GN_TRY(gn_op_axis(call->node, "axis", -1, call->in[0]->shape.rank, &axis, NULL));
    const gn_rows rows = gn_rows_of(&call->in[0]->shape, axis);
    for (int64_t r = 0; r < rows.outer * rows.inner; r++) {
        const int64_t first = gn_row_begin(&rows, r), end = first + rows.n * rows.inner;
        double sum = 0;
        for (int64_t at = first; at < end; at += rows.inner) {
            const double x = gn_ref_load(call->in[0], at);
            sum += is_square ? x * x : fabs(x);
        }
        const double norm = is_square ? sqrt(sum) : sum;
        for (int64_t at = first; at < end; at += rows.inner)
            gn_ref_store(call->out[0], at, gn_ref_load(call->in[0], at) / norm);
    }
    return GN_OK;
}

/* p 2, with n the norm: dX = (dY - Y * sum(dY * Y)) / n. */
static gn_status grad_normalization(gn_grad *grad, const gn_node *node)
{
    gn_graph *graph = gn_grad_graph(grad);
    const int dy = gn_grad_of_out(grad, node, 0);
    int axis;
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    if (gn_node_int(node, "p", 2) != 2)
        return gn_graph_set_error(graph, GN_EUNSUPPORTED, "node %s (LpNormalization): only p = 2 has a gradient",
                                  node->name);
    GN_TRY(gn_op_axis(node, "axis", -1, gn_in_shape(graph, node, 0)->rank, &axis, NULL));
    const int64_t axes = axis;
    const int along = gn_graph_add_const_s64(graph, NULL, 1, &axes);
    const int square = gn_emit_binary(grad, node, "", "Mul", node->in[0], node->in[0]);
    const int norm = gn_emit_unary(grad, node, "", "Sqrt", gn_emit_binary(grad, node, "", "ReduceSum", square, along));
    const int product = gn_emit_binary(grad, node, "", "Mul", dy, node->out[0]);
    const int share = gn_emit_binary(grad, node, "", "Mul", node->out[0],
                                     gn_emit_binary(grad, node, "", "ReduceSum", product, along));
    const int rest = gn_emit_binary(grad, node, "", "Sub", dy, share);
    return gn_give(grad, node, 0, gn_emit_binary(grad, node, "", "Div", rest, norm));
}

static gn_status infer_pool(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_windows g;
    GN_TRY(gn_windows_pool(graph, node, &g, err));
    if (gn_node_int(node, "p", 2) < 1)
        return gn_shape_fail(err, node, "p is %" PRId64 ", expected at least 1", gn_node_int(node, "p", 2));
    const gn_shape y = gn_windows_shape(&g, g.C, g.out);
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

static void cost_pool(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    gn_windows g;
    if (gn_windows_pool(graph, node, &g, NULL) == GN_OK)
        cost_out->elementwise =
            gn_cost_times(gn_shape_count(&gn_graph_value(graph, node->out[0])->shape), gn_windows_volume(g.window));
}

static gn_status reference_pool(const gn_ref_call *call)
{
    const double p = (double)gn_node_int(call->node, "p", 2);
    const int64_t n = gn_tensor_count(call->out[0]);
    gn_windows g;
    GN_TRY(gn_windows_pool(call->graph, call->node, &g, NULL));
    const int64_t ins = gn_windows_volume(g.in), outs = gn_windows_volume(g.out);
    for (int64_t i = 0; i < n; i++) {
        int64_t origin[GN_MAX_SPATIAL], at = 0;
        double sum = 0;
        gn_windows_origin(&g, i % outs, origin);
        for (int64_t tap = -1; gn_windows_next(&g, origin, &tap, &at);)
            sum += pow(fabs(gn_ref_load(call->in[0], i / outs * ins + at)), p);
        gn_ref_store(call->out[0], i, pow(sum, 1 / p));
    }
    return GN_OK;
}

const gn_op_def gn_op_lp_normalization = {
    .name = "LpNormalization",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer_normalization,
    .cost = gn_cost_per_output,
    .grad = grad_normalization,
    .reference = reference_normalization,
};

const gn_op_def gn_op_lp_pool = {
    .name = "LpPool",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer_pool,
    .cost = cost_pool,
    .reference = reference_pool,
};
