/* ChannelsLast: [N,C,H,W] to [N,H,W,C], and ChannelsFirst: back.  As Transpose with perm 0,2,3,1 and 0,3,1,2, but the value of four
 * dimensions that is N,C,H,W lies N,H,W,C in memory, so that both only rename what is there.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

static gn_status infer_to(gn_graph *graph, const gn_node *node, const int perm[4], gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    gn_shape y = {.rank = 4};
    if (x->rank != 4)
        return gn_shape_fail(err, node, "its input has %d dimensions, expected four", x->rank);
    for (int i = 0; i < 4; i++)
        y.dim[i] = x->dim[perm[i]];
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

static gn_status infer_last(gn_graph *graph, const gn_node *node, gn_error *err)
{
    return infer_to(graph, node, (const int[]){0, 2, 3, 1}, err);
}

static gn_status infer_first(gn_graph *graph, const gn_node *node, gn_error *err)
{
    return infer_to(graph, node, (const int[]){0, 3, 1, 2}, err);
}

static gn_status give_through(gn_grad *grad, const gn_node *node, const char *op)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    return gn_give(grad, node, 0, gn_emit_unary(grad, node, "gannet", op, dy));
}

static gn_status grad_last(gn_grad *grad, const gn_node *node)
{
    return give_through(grad, node, "ChannelsFirst");
}

static gn_status grad_first(gn_grad *grad, const gn_node *node)
{
    return give_through(grad, node, "ChannelsLast");
}

/* `first` is [N,C,HW] and `last` [N,HW,C]; copies one to the other. */
static void copy(const gn_tensor *src, gn_tensor *dst, const gn_shape *first, bool to_last)
{
    const int64_t C = first->dim[1], HW = first->dim[2] * first->dim[3], count = gn_shape_count(first);
    for (int64_t i = 0; i < count; i++) { /* i counts through N,C,H,W */
        const int64_t n = i / (C * HW), c = i / HW % C, last = (n * HW + i % HW) * C + c;
        gn_ref_store(dst, to_last ? last : i, gn_ref_load(src, to_last ? i : last));
    }
}

static gn_status reference_last(const gn_ref_call *call)
{
    copy(call->in[0], call->out[0], &call->in[0]->shape, true);
    return GN_OK;
}

static gn_status reference_first(const gn_ref_call *call)
{
    copy(call->in[0], call->out[0], &call->out[0]->shape, false);
    return GN_OK;
}

const gn_op_def gn_op_channels_last = {
    .name = "ChannelsLast",
    .domain = "gannet",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 1u,
    .is_view = true,
    .infer = infer_last,
    .grad = grad_last,
    .reference = reference_last,
};

const gn_op_def gn_op_channels_first = {
    .name = "ChannelsFirst",
    .domain = "gannet",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_out = 1u,
    .is_view = true,
    .infer = infer_first,
    .grad = grad_first,
    .reference = reference_first,
};
