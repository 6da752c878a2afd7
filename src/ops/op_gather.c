/* Gather: slices of the input along one axis, chosen by a tensor of indices, and GatherGrad(dY, indices), which adds the slices up
 * where they came from.
 * Source: ONNX Gather (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/op_rules.h"

#include <inttypes.h>

/* data [outer, extent, inner], result [outer, indices, inner]. */
typedef struct sizes {
    int64_t outer, extent, indices, inner;
} sizes;

static sizes sizes_of(const gn_shape *data, int axis, int64_t indices)
{
    const gn_rows rows = gn_rows_of(data, axis);
    return (sizes){rows.outer, rows.n, indices, rows.inner};
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0), *indices = gn_in_shape(graph, node, 1);
    const gn_dtype type = gn_in_dtype(graph, node, 1);
    gn_shape y = {0};
    int axis;
    if (type != GN_DTYPE_S64 && type != GN_DTYPE_S32)
        return gn_shape_fail(err, node, "its indices are of type %s, expected s64 or s32", gn_dtype_name(type));
    if (x->rank < 1 || x->rank + indices->rank - 1 > GN_MAX_RANK)
        return gn_shape_fail(err, node, "data of %d and indices of %d dimensions do not fit together", x->rank,
                             indices->rank);
    GN_TRY(gn_op_axis(node, "axis", 0, x->rank, &axis, err));
    for (int d = 0; d < axis; d++)
        y.dim[y.rank++] = x->dim[d];
    for (int d = 0; d < indices->rank; d++)
        y.dim[y.rank++] = indices->dim[d];
    for (int d = axis + 1; d < x->rank; d++)
        y.dim[y.rank++] = x->dim[d];
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const gn_shape *x = gn_in_shape(gn_grad_graph(grad), node, 0);
    const int dy = gn_grad_of_out(grad, node, 0);
    int axis;
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    GN_TRY(gn_op_axis(node, "axis", 0, x->rank, &axis, NULL));
    const gn_attr attrs[2] = {gn_attr_ints("shape", x->dim, x->rank), gn_attr_int("axis", axis)};
    return gn_give(grad, node, 0,
                   gn_emit(grad, node, "gannet", "GatherGrad", (const int[]){dy, node->in[1]}, 2, attrs, 2));
}

/* Plain index into the data of element i of the result, -1 when the index is outside. */
static int64_t source_of(const sizes *s, const gn_tensor *indices, int64_t i)
{
    const int64_t outer = i / (s->indices * s->inner), k = i / s->inner % s->indices;
    int64_t index = gn_ref_load_s64(indices, k);
    index += index < 0 ? s->extent : 0;
    return index < 0 || index >= s->extent ? -1 : (outer * s->extent + index) * s->inner + i % s->inner;
}

static gn_status reference(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    int axis;
    GN_TRY(gn_op_axis(call->node, "axis", 0, call->in[0]->shape.rank, &axis, NULL));
    const sizes s = sizes_of(&call->in[0]->shape, axis, gn_tensor_count(call->in[1]));
    for (int64_t i = 0; i < n; i++) {
        const int64_t from = source_of(&s, call->in[1], i);
        if (from < 0)
            return GN_EINVAL;
        gn_ref_move(call->out[0], i, call->in[0], from);
    }
    return GN_OK;
}

static gn_status infer_grad(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_shape x = {0};
    int axis;
    x.rank = gn_node_ints(node, "shape", x.dim, GN_MAX_RANK, 0);
    if (x.rank < 1 || x.rank > GN_MAX_RANK || gn_shape_count(&x) < 0)
        return gn_shape_fail(err, node, "its attribute shape is missing");
    GN_TRY(gn_op_axis(node, "axis", 0, x.rank, &axis, err));
    const gn_rows rows = gn_rows_of(&x, axis);
    const int64_t wanted = gn_cost_times(rows.outer * rows.inner, gn_shape_count(gn_in_shape(graph, node, 1)));
    if (gn_shape_count(gn_in_shape(graph, node, 0)) != wanted)
        return gn_shape_fail(err, node, "the gradient does not have the %" PRId64 " elements that were gathered",
                             wanted);
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &x);
    return GN_OK;
}

static gn_status reference_grad(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->in[0]), n_out = gn_tensor_count(call->out[0]);
    int axis;
    GN_TRY(gn_op_axis(call->node, "axis", 0, call->out[0]->shape.rank, &axis, NULL));
    const sizes s = sizes_of(&call->out[0]->shape, axis, gn_tensor_count(call->in[1]));
    for (int64_t i = 0; i < n_out; i++)
        gn_ref_store(call->out[0], i, 0);
    for (int64_t i = 0; i < n; i++) {
        const int64_t to = source_of(&s, call->in[1], i);
        if (to < 0)
            return GN_EINVAL;
        gn_ref_store(call->out[0], to, gn_ref_load(call->out[0], to) + gn_ref_load(call->in[0], i));
    }
    return GN_OK;
}

const gn_op_def gn_op_gather = {
    .name = "Gather",
    .domain = "",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer,
    .grad = grad_rule,
    .reference = reference,
};

const gn_op_def gn_op_gather_grad = {
    .name = "GatherGrad",
    .domain = "gannet",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer_grad,
    .cost = gn_cost_per_input,
    .reference = reference_grad,
};
