/* Interleave: the channels of two inputs in turns, Y[2i] = A[i] and Y[2i+1] = B[i]; with two outputs they are the first and the second
 * half of Y.  What a network spells as Concat, ChannelShuffle by two groups, and Split.  Made by the lowering of graphs only.
 * Source: Ma et al. 2018, "ShuffleNet V2", figure 3c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *a = gn_in_shape(graph, node, 0), *b = gn_in_shape(graph, node, 1);
    if (a->rank < 2 || !gn_shape_equal(a, b))
        return gn_shape_fail(err, node, "its inputs differ in shape");
    if (node->n_out == 2 && a->dim[1] % 2 != 0)
        return gn_shape_fail(err, node, "an odd number of channels has no halves that begin with the first input");
    gn_shape y = *a;
    y.dim[1] = node->n_out == 2 ? a->dim[1] : 2 * a->dim[1];
    for (int i = 0; i < node->n_out; i++)
        gn_set_out(graph, node, i, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

static gn_status reference(const gn_ref_call *call)
{
    const gn_shape *x = &call->in[0]->shape;
    const int64_t C = x->dim[1], inner = gn_shape_count(x) > 0 ? gn_shape_count(x) / (x->dim[0] * C) : 0;
    const int64_t width = call->node->n_out == 2 ? C : 2 * C; /* channels of an output */
    for (int64_t i = 0; i < 2 * C * x->dim[0] * inner; i++) {
        const int64_t n = i / (2 * C * inner), c = i / inner % (2 * C), at = i % inner;
        gn_tensor *y = call->out[c / width];
        if (y)
            gn_ref_store(y, (n * width + c % width) * inner + at,
                         gn_ref_load(call->in[c % 2], (n * C + c / 2) * inner + at));
    }
    return GN_OK;
}

const gn_op_def gn_op_interleave = {
    .name = "Interleave",
    .domain = "gannet",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 2,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer,
    .reference = reference,
};
