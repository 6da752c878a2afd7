/* Convolutions and pools over one or three spatial dimensions.
 * Source: ONNX Conv (opset 11), MaxPool (opset 12), AveragePool (opset 19).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/volume_rules.h"

#include <inttypes.h>
#include <math.h>

#include "ops/op_rules.h"
#include "ops/ref_access.h"
#include "ops/windows.h"

bool gn_is_volume(const gn_graph *graph, const gn_node *node)
{
    return gn_in_shape(graph, node, 0)->rank != 4;
}

/* ---- convolution ---- */

gn_status gn_volume_conv_infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *bias = gn_in_shape(graph, node, 2);
    gn_windows g;
    GN_TRY(gn_windows_conv(graph, node, &g, err));
    if (bias && (bias->rank != 1 || bias->dim[0] != g.K))
        return gn_shape_fail(err, node, "the bias does not have one number for each of %" PRId64 " filters", g.K);
    const gn_shape y = gn_windows_shape(&g, g.K, g.out);
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

void gn_volume_conv_cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    gn_windows g;
    if (gn_windows_conv(graph, node, &g, NULL) != GN_OK)
        return;
    const int64_t outputs = gn_shape_count(&gn_graph_value(graph, node->out[0])->shape);
    cost_out->macs = gn_cost_times(outputs, g.C / g.group * gn_windows_volume(g.window));
    cost_out->elementwise = gn_has_in(node, 2) ? outputs : 0;
}

gn_status gn_volume_conv(const gn_ref_call *call)
{
    gn_windows g;
    GN_TRY(gn_windows_conv(call->graph, call->node, &g, NULL));
    gn_windows_convolve(&g, call->in[0], call->in[1], gn_has_in(call->node, 2) ? call->in[2] : NULL, 0, NULL,
                        call->out[0]);
    return GN_OK;
}

/* ---- pools ---- */

gn_status gn_volume_pool_infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_windows g;
    GN_TRY(gn_windows_pool(graph, node, &g, err));
    const gn_shape y = gn_windows_shape(&g, g.C, g.out);
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    gn_set_out(graph, node, 1, GN_DTYPE_S64, &y);
    return GN_OK;
}

void gn_volume_pool_cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    gn_windows g;
    if (gn_windows_pool(graph, node, &g, NULL) == GN_OK)
        cost_out->elementwise =
            gn_cost_times(gn_shape_count(&gn_graph_value(graph, node->out[0])->shape), gn_windows_volume(g.window));
}

/* Plain index into one channel with the last dimension slowest. */
static int64_t columns_first(const gn_windows *g, int64_t at)
{
    const int64_t w = at % g->in[2], h = at / g->in[2] % g->in[1], d = at / (g->in[2] * g->in[1]);
    return (w * g->in[1] + h) * g->in[0] + d;
}

gn_status gn_volume_max(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    const bool turns = gn_node_int(call->node, "storage_order", 0) != 0;
    gn_windows g;
    GN_TRY(gn_windows_pool(call->graph, call->node, &g, NULL));
    const int64_t ins = gn_windows_volume(g.in), outs = gn_windows_volume(g.out);
    for (int64_t i = 0; i < n; i++) {
        int64_t origin[GN_MAX_SPATIAL], at = 0, place = 0;
        double best = -INFINITY;
        gn_windows_origin(&g, i % outs, origin);
        for (int64_t tap = -1; gn_windows_next(&g, origin, &tap, &at);) {
            const double x = gn_ref_load(call->in[0], i / outs * ins + at);
            if (x > best || (isnan(x) && !isnan(best))) {
                best = x;
                place = at;
            }
        }
        gn_ref_store(call->out[0], i, best);
        if (gn_has_out(call->node, 1))
            gn_ref_store_s64(call->out[1], i, i / outs * ins + (turns ? columns_first(&g, place) : place));
    }
    return GN_OK;
}

gn_status gn_volume_average(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    const bool counts_pads = gn_node_int(call->node, "count_include_pad", 0) != 0;
    gn_windows g;
    GN_TRY(gn_windows_pool(call->graph, call->node, &g, NULL));
    const int64_t ins = gn_windows_volume(g.in), outs = gn_windows_volume(g.out);
    for (int64_t i = 0; i < n; i++) {
        int64_t origin[GN_MAX_SPATIAL], at = 0, seen = 0;
        double sum = 0;
        gn_windows_origin(&g, i % outs, origin);
        for (int64_t tap = -1; gn_windows_next(&g, origin, &tap, &at); seen++)
            sum += gn_ref_load(call->in[0], i / outs * ins + at);
        /* a window that hangs over the padding (ceil_mode) counts as a whole: so say ONNX's tests of three dimensions */
        gn_ref_store(call->out[0], i, sum / (double)(counts_pads ? gn_windows_volume(g.window) : seen));
    }
    return GN_OK;
}
