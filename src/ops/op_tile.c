/* Tile: the input repeated along each axis; the numbers of repeats are a constant input.
 * Source: ONNX Tile (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/op_rules.h"

#include <inttypes.h>

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_shape y = *gn_in_shape(graph, node, 0);
    int64_t repeats[GN_MAX_RANK];
    int n;
    GN_TRY(gn_op_known_ints(graph, node, 1, "repeats", repeats, GN_MAX_RANK, &n, err));
    if (n != y.rank)
        return gn_shape_fail(err, node, "%d repeats for %d dimensions", n, y.rank);
    for (int d = 0; d < n; d++) {
        if (repeats[d] < 0 || repeats[d] > (INT64_C(1) << 20))
            return gn_shape_fail(err, node, "%" PRId64 " repeats", repeats[d]);
        y.dim[d] *= repeats[d];
    }
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

static gn_status reference(const gn_ref_call *call)
{
    const gn_shape *x = &call->in[0]->shape;
    const int64_t n = gn_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n; i++) {
        int64_t at[GN_MAX_RANK];
        gn_unravel(&call->out[0]->shape, i, at);
        for (int d = 0; d < x->rank; d++)
            at[d] %= x->dim[d];
        gn_ref_move(call->out[0], i, call->in[0], gn_ravel(x, at));
    }
    return GN_OK;
}

const gn_op_def gn_op_tile = {
    .name = "Tile",
    .domain = "",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer,
    .reference = reference,
};
