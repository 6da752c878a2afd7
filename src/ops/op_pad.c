/* Pad: grows (or, by negative numbers, crops) the input along its axes; what is new is constant, a reflection, the edge's value or
 * the input again from its other side.  The gradient of constant padding is padding by the negated numbers.
 * Source: ONNX Pad (opset 21).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/move_rules.h"
#include "ops/op_rules.h"

#include <inttypes.h>
#include <string.h>

/* More padding is a mistake; the bound keeps sums below 2^63. */
#define MAX_PAD (INT64_C(1) << 40)

typedef enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP, PAD_UNKNOWN } pad_mode;

static pad_mode mode_of(const gn_node *node)
{
    static const char *const names[] = {"constant", "reflect", "edge", "wrap"};
    const char *mode = gn_node_string(node, "mode", "constant");
    int i = 0;
    while (i < PAD_UNKNOWN && strcmp(mode, names[i]) != 0)
        i++;
    return (pad_mode)i;
}

gn_status gn_pads_of(const gn_graph *graph, const gn_node *node, gn_pads *out, gn_error *err)
{
    const int rank = gn_in_shape(graph, node, 0)->rank;
    int64_t numbers[2 * GN_MAX_RANK], axes[GN_MAX_RANK];
    int n, n_axes = rank;
    gn_pads p = {{0}, {0}};
    GN_TRY(gn_op_known_ints(graph, node, 1, "pads", numbers, 2 * GN_MAX_RANK, &n, err));
    for (int i = 0; i < rank; i++)
        axes[i] = i;
    if (gn_has_in(node, 3))
        GN_TRY(gn_op_known_ints(graph, node, 3, "axes", axes, GN_MAX_RANK, &n_axes, err));
    if (n != 2 * n_axes)
        return gn_shape_fail(err, node, "%d pads for %d axes, expected two for each", n, n_axes);
    GN_TRY(gn_op_fix_axes(node, axes, n_axes, rank, err));
    for (int i = 0; i < n; i++) {
        if (numbers[i] < -MAX_PAD || numbers[i] > MAX_PAD)
            return gn_shape_fail(err, node, "a pad of %" PRId64, numbers[i]);
        (i < n_axes ? p.begin : p.end)[axes[i % n_axes]] = numbers[i];
    }
    *out = p;
    return GN_OK;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    gn_shape y = *x;
    gn_pads p;
    GN_TRY(gn_pads_of(graph, node, &p, err));
    if (mode_of(node) == PAD_UNKNOWN)
        return gn_shape_fail(err, node, "mode is %s, expected constant, reflect, edge or wrap",
                             gn_node_string(node, "mode", ""));
    if (gn_has_in(node, 2) && (gn_shape_count(gn_in_shape(graph, node, 2)) != 1 ||
                               gn_in_dtype(graph, node, 2) != gn_in_dtype(graph, node, 0)))
        return gn_shape_fail(err, node, "the value to pad with is no scalar of the input's type");
    for (int d = 0; d < y.rank; d++) {
        y.dim[d] += p.begin[d] + p.end[d];
        if (y.dim[d] < 0)
            return gn_shape_fail(err, node,
                                 "pads %" PRId64 " and %" PRId64 " crop more than the %" PRId64 " of axis %d",
                                 p.begin[d], p.end[d], x->dim[d], d);
        if (mode_of(node) != PAD_CONSTANT && y.dim[d] > 0 && x->dim[d] < 1)
            return gn_shape_fail(err, node, "nothing is there along axis %d to pad with", d);
    }
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    gn_graph *graph = gn_grad_graph(grad);
    const int dy = gn_grad_of_out(grad, node, 0), rank = gn_in_shape(graph, node, 0)->rank;
    int64_t back[2 * GN_MAX_RANK];
    gn_pads p;
    if (dy < 0)
        return GN_OK;
    if (mode_of(node) != PAD_CONSTANT || (gn_has_in(node, 2) && gn_grad_wants(grad, node, 2)))
        return gn_graph_set_error(graph, GN_EUNSUPPORTED,
                                  "node %s (Pad): only padding with a constant that is not trained has a gradient",
                                  node->name);
    if (!gn_grad_wants(grad, node, 0))
        return GN_OK;
    GN_TRY(gn_pads_of(graph, node, &p, NULL));
    for (int d = 0; d < rank; d++) {
        back[d] = -p.begin[d];
        back[rank + d] = -p.end[d];
    }
    return gn_give(
        grad, node, 0,
        gn_emit_binary(grad, node, "", "Pad", dy, gn_graph_add_const_s64(graph, node->name, 2 * rank, back)));
}

/* Position inside 0..n-1 that stands for position x, -1 when the padding is constant. */
static int64_t inside(pad_mode mode, int64_t x, int64_t n)
{
    const int64_t period = mode == PAD_REFLECT ? 2 * (n - 1) : n;
    if (x >= 0 && x < n)
        return x;
    if (mode == PAD_CONSTANT)
        return -1;
    if (mode == PAD_EDGE)
        return x < 0 ? 0 : n - 1;
    if (n == 1)
        return 0;
    x = (x % period + period) % period;
    return x < n ? x : period - x;
}

static gn_status reference(const gn_ref_call *call)
{
    const gn_shape *x = &call->in[0]->shape, *y = &call->out[0]->shape;
    const pad_mode mode = mode_of(call->node);
    const int64_t n = gn_shape_count(y);
    gn_pads p;
    GN_TRY(gn_pads_of(call->graph, call->node, &p, NULL));
    for (int64_t i = 0; i < n; i++) {
        int64_t at[GN_MAX_RANK];
        bool is_inside = true;
        gn_unravel(y, i, at);
        for (int d = 0; d < y->rank; d++) {
            at[d] = inside(mode, at[d] - p.begin[d], x->dim[d]);
            is_inside = is_inside && at[d] >= 0;
        }
        if (is_inside)
            gn_ref_move(call->out[0], i, call->in[0], gn_ravel(x, at));
        else if (gn_has_in(call->node, 2))
            gn_ref_move(call->out[0], i, call->in[2], 0);
        else
            gn_ref_store(call->out[0], i, 0);
    }
    return GN_OK;
}

const gn_op_def gn_op_pad = {
    .name = "Pad",
    .domain = "",
    .min_in = 2,
    .max_in = 4,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer,
    .grad = grad_rule,
    .reference = reference,
};
