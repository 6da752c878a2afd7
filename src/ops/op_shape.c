/* Shape: the dimensions of its input as s64, from `start` up to `end`.
 * Source: ONNX Shape (opset 15).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

/* Range of dimensions that are told. */
static void range_of(const gn_node *node, int rank, int64_t *begin_out, int64_t *end_out)
{
    int64_t begin = gn_node_int(node, "start", 0), end = gn_node_int(node, "end", rank);
    begin += begin < 0 ? rank : 0;
    end += end < 0 ? rank : 0;
    *begin_out = begin < 0 ? 0 : begin > rank ? rank : begin;
    *end_out = end < *begin_out ? *begin_out : end > rank ? rank : end;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    int64_t begin, end;
    (void)err;
    range_of(node, gn_in_shape(graph, node, 0)->rank, &begin, &end);
    gn_set_out(graph, node, 0, GN_DTYPE_S64, &(gn_shape){.rank = 1, .dim = {end - begin}});
    return GN_OK;
}

static gn_status reference(const gn_ref_call *call)
{
    int64_t begin, end;
    range_of(call->node, call->in[0]->shape.rank, &begin, &end);
    for (int64_t i = begin; i < end; i++)
        ((int64_t *)call->out[0]->data)[i - begin] = call->in[0]->shape.dim[i];
    return GN_OK;
}

const gn_op_def gn_op_shape = {
    .name = "Shape",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .reads_shapes = true,
    .infer = infer,
    .reference = reference,
};
