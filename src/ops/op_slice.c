/* Slice: every step-th element between start and end along some axes, and SliceGrad(dY), which puts the elements back into zeros.
 * Starts, ends, axes and steps are constant inputs.
 * Source: ONNX Slice (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/move_rules.h"
#include "ops/op_rules.h"

#include <inttypes.h>

/* Larger steps take the first element only, as this one does. */
#define MAX_STEP (INT64_C(1) << 41)

static int64_t clamp(int64_t x, int64_t lo, int64_t hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

static void cut(gn_slices *s, int64_t axis, int64_t dim, int64_t begin, int64_t end, int64_t step)
{
    step = clamp(step, -MAX_STEP, MAX_STEP);
    begin = clamp(begin < 0 ? begin + dim : begin, 0, step > 0 ? dim : dim - 1);
    end = clamp(end < 0 ? end + dim : end, step > 0 ? 0 : -1, dim);
    const int64_t room = step > 0 ? end - begin : begin - end, stride = step > 0 ? step : -step;
    s->begin[axis] = begin;
    s->step[axis] = step;
    s->count.dim[axis] = room > 0 && dim > 0 ? (room + stride - 1) / stride : 0;
}

gn_status gn_slices_of(const gn_graph *graph, const gn_node *node, gn_slices *out, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    gn_slices s = {.count = *x};
    int64_t begin[GN_MAX_RANK], end[GN_MAX_RANK], axes[GN_MAX_RANK], step[GN_MAX_RANK];
    int n, n_end, n_axes, n_step;
    GN_TRY(gn_op_known_ints(graph, node, 1, "starts", begin, GN_MAX_RANK, &n, err));
    GN_TRY(gn_op_known_ints(graph, node, 2, "ends", end, GN_MAX_RANK, &n_end, err));
    n_axes = n_step = n;
    for (int i = 0; i < n; i++) {
        axes[i] = i;
        step[i] = 1;
    }
    if (gn_has_in(node, 3))
        GN_TRY(gn_op_known_ints(graph, node, 3, "axes", axes, GN_MAX_RANK, &n_axes, err));
    if (gn_has_in(node, 4))
        GN_TRY(gn_op_known_ints(graph, node, 4, "steps", step, GN_MAX_RANK, &n_step, err));
    if (n_end != n || n_axes != n || n_step != n)
        return gn_shape_fail(err, node, "%d starts, %d ends, %d axes and %d steps, expected as many of each", n, n_end,
                             n_axes, n_step);
    GN_TRY(gn_op_fix_axes(node, axes, n, x->rank, err));
    for (int d = 0; d < x->rank; d++) {
        s.begin[d] = 0;
        s.step[d] = 1;
    }
    for (int i = 0; i < n; i++) {
        if (step[i] == 0)
            return gn_shape_fail(err, node, "step 0 along axis %" PRId64, axes[i]);
        cut(&s, axes[i], x->dim[axes[i]], begin[i], end[i], step[i]);
    }
    *out = s;
    return GN_OK;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_slices s;
    GN_TRY(gn_slices_of(graph, node, &s, err));
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &s.count);
    return GN_OK;
}

/* Plain index into the whole of element i of the slice. */
static int64_t whole_index(const gn_shape *whole, const gn_shape *part, const int64_t *begin, const int64_t *step,
                           int64_t i)
{
    int64_t at[GN_MAX_RANK];
    gn_unravel(part, i, at);
    for (int d = 0; d < part->rank; d++)
        at[d] = begin[d] + at[d] * step[d];
    return gn_ravel(whole, at);
}

static gn_status reference(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    gn_slices s;
    GN_TRY(gn_slices_of(call->graph, call->node, &s, NULL));
    for (int64_t i = 0; i < n; i++)
        gn_ref_move(call->out[0], i, call->in[0], whole_index(&call->in[0]->shape, &s.count, s.begin, s.step, i));
    return GN_OK;
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const gn_shape *x = gn_in_shape(gn_grad_graph(grad), node, 0);
    const int dy = gn_grad_of_out(grad, node, 0);
    gn_slices s;
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    GN_TRY(gn_slices_of(gn_grad_graph(grad), node, &s, NULL));
    const gn_attr attrs[3] = {gn_attr_ints("shape", x->dim, x->rank), gn_attr_ints("begin", s.begin, x->rank),
                              gn_attr_ints("step", s.step, x->rank)};
    return gn_give(grad, node, 0, gn_emit(grad, node, "gannet", "SliceGrad", &dy, 1, attrs, 3));
}

/* ---- SliceGrad(dY): attributes shape, begin and step have a number for each dimension of the result ---- */

gn_status gn_slices_of_grad(const gn_node *node, const gn_shape *dy, gn_slices *s, gn_shape *whole, gn_error *err)
{
    const int rank = dy->rank;
    if (gn_node_ints(node, "shape", whole->dim, GN_MAX_RANK, 0) != rank ||
        gn_node_ints(node, "begin", s->begin, GN_MAX_RANK, 0) != rank ||
        gn_node_ints(node, "step", s->step, GN_MAX_RANK, 0) != rank)
        return gn_shape_fail(err, node, "shape, begin and step do not have %d numbers each", rank);
    whole->rank = rank;
    s->count = *dy;
    for (int d = 0; d < rank; d++) {
        const int64_t steps = dy->dim[d] - 1;
        if (whole->dim[d] < 0 || (steps >= 0 && (s->begin[d] < 0 || s->begin[d] >= whole->dim[d])) ||
            (steps > 0 && (s->step[d] == 0 || s->step[d] > (whole->dim[d] - 1 - s->begin[d]) / steps ||
                           s->step[d] < -(s->begin[d] / steps))))
            return gn_shape_fail(err, node, "the slice reaches beyond dimension %d", d);
    }
    return GN_OK;
}

static gn_status infer_grad(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_slices s;
    gn_shape whole;
    GN_TRY(gn_slices_of_grad(node, gn_in_shape(graph, node, 0), &s, &whole, err));
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &whole);
    return GN_OK;
}

static gn_status reference_grad(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->in[0]), n_out = gn_tensor_count(call->out[0]);
    gn_slices s;
    gn_shape whole;
    GN_TRY(gn_slices_of_grad(call->node, &call->in[0]->shape, &s, &whole, NULL));
    for (int64_t i = 0; i < n_out; i++)
        gn_ref_store(call->out[0], i, 0);
    for (int64_t i = 0; i < n; i++)
        gn_ref_move(call->out[0], whole_index(&whole, &s.count, s.begin, s.step, i), call->in[0], i);
    return GN_OK;
}

const gn_op_def gn_op_slice = {
    .name = "Slice",
    .domain = "",
    .min_in = 3,
    .max_in = 5,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer,
    .grad = grad_rule,
    .reference = reference,
};

const gn_op_def gn_op_slice_grad = {
    .name = "SliceGrad",
    .domain = "gannet",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer_grad,
    .reference = reference_grad,
};
