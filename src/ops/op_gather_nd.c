/* GatherElements: y[i,j] = x[index[i,j],j] along one axis; GatherND: slices of x named by the last dimension of the indices, after
 * batch_dims common dimensions.  Their gradients add dY up where it came from, by ScatterElements and ScatterND.
 * Source: ONNX GatherElements, GatherND (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/op_rules.h"
#include "ops/scatter_rules.h"

/* ---- GatherElements ---- */

static gn_status infer_elements(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0), *indices = gn_in_shape(graph, node, 1);
    int axis;
    GN_TRY(gn_op_axis(node, "axis", 0, x->rank, &axis, err));
    GN_TRY(gn_check_element_indices(graph, node, axis, err));
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), indices);
    return GN_OK;
}

static gn_status grad_elements(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    const gn_attr attrs[2] = {gn_attr_int("axis", gn_node_int(node, "axis", 0)), gn_attr_string("reduction", "add")};
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    const int in[3] = {gn_emit_zeros(grad, node, node->in[0]), node->in[1], dy};
    return gn_give(grad, node, 0, in[0] < 0 ? -1 : gn_emit(grad, node, "", "ScatterElements", in, 3, attrs, 2));
}

static gn_status reference_elements(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    int axis;
    GN_TRY(gn_op_axis(call->node, "axis", 0, call->in[0]->shape.rank, &axis, NULL));
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = gn_element_of_index(&call->in[0]->shape, call->in[1], axis, i);
        if (at < 0)
            return GN_EINVAL;
        gn_ref_move(call->out[0], i, call->in[0], at);
    }
    return GN_OK;
}

/* ---- GatherND ---- */

static gn_status infer_nd(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0), *indices = gn_in_shape(graph, node, 1);
    const int64_t batch = gn_node_int(node, "batch_dims", 0);
    gn_shape y = {0};
    GN_TRY(gn_check_slice_indices(graph, node, batch, err));
    const int depth = (int)indices->dim[indices->rank - 1];
    if (indices->rank - 1 + x->rank - (int)batch - depth > GN_MAX_RANK)
        return gn_shape_fail(err, node, "the result would have more than %d dimensions", GN_MAX_RANK);
    for (int d = 0; d < indices->rank - 1; d++)
        y.dim[y.rank++] = indices->dim[d];
    for (int d = (int)batch + depth; d < x->rank; d++)
        y.dim[y.rank++] = x->dim[d];
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

static gn_status grad_nd(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    const gn_attr attr = gn_attr_string("reduction", "add");
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    if (gn_node_int(node, "batch_dims", 0) != 0)
        return gn_graph_set_error(gn_grad_graph(grad), GN_EUNSUPPORTED,
                                  "node %s (GatherND): only batch_dims = 0 has a gradient", node->name);
    const int in[3] = {gn_emit_zeros(grad, node, node->in[0]), node->in[1], dy};
    return gn_give(grad, node, 0, in[0] < 0 ? -1 : gn_emit(grad, node, "", "ScatterND", in, 3, &attr, 1));
}

static gn_status reference_nd(const gn_ref_call *call)
{
    const int batch = (int)gn_node_int(call->node, "batch_dims", 0);
    const int64_t n = gn_tensor_count(call->out[0]), slice = gn_slice_size(&call->in[0]->shape, call->in[1], batch);
    for (int64_t i = 0; i < n; i++) {
        const int64_t begin = gn_slice_of_index(&call->in[0]->shape, call->in[1], batch, i / slice);
        if (begin < 0)
            return GN_EINVAL;
        gn_ref_move(call->out[0], i, call->in[0], begin + i % slice);
    }
    return GN_OK;
}

const gn_op_def gn_op_gather_elements = {
    .name = "GatherElements",
    .domain = "",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer_elements,
    .grad = grad_elements,
    .reference = reference_elements,
};

const gn_op_def gn_op_gather_nd = {
    .name = "GatherND",
    .domain = "",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer_nd,
    .grad = grad_nd,
    .reference = reference_nd,
};
