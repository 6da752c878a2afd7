/* Concat along one axis; its gradient is a Split.
 * Source: ONNX Concat (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/slices.h"

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_shape y = *gn_in_shape(graph, node, 0);
    int axis;
    GN_TRY(gn_op_axis(node, "axis", 1, y.rank, &axis, err));
    for (int i = 1; i < node->n_in; i++) {
        if (!gn_has_in(node, i))
            return gn_shape_fail(err, node, "its input %d is missing", i);
        gn_shape x = *gn_in_shape(graph, node, i);
        const gn_shape first = y;
        char text[2][128];
        if (x.rank == y.rank) {
            y.dim[axis] += x.dim[axis];
            x.dim[axis] = first.dim[axis];
        }
        gn_shape_format(&first, text[0]);
        gn_shape_format(gn_in_shape(graph, node, i), text[1]);
        if (!gn_shape_equal(&x, &first))
            return gn_shape_fail(err, node, "inputs of the shapes %s and %s differ beside axis %d", text[0], text[1],
                                 axis);
    }
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    gn_graph *graph = gn_grad_graph(grad);
    const int dy = gn_grad_of_out(grad, node, 0), rank = gn_in_shape(graph, node, 0)->rank;
    int axis;
    if (dy < 0)
        return GN_OK;
    GN_TRY(gn_op_axis(node, "axis", 1, rank, &axis, NULL));
    gn_tensor *sizes = NULL;
    GN_TRY(gn_tensor_create(GN_DTYPE_S64, &(gn_shape){.rank = 1, .dim = {node->n_in}}, &sizes));
    for (int i = 0; i < node->n_in; i++)
        ((int64_t *)sizes->data)[i] = gn_in_shape(graph, node, i)->dim[axis];
    const int sizes_id = gn_graph_add_const(graph, NULL, sizes);
    gn_tensor_destroy(&sizes);
    const gn_attr attr = gn_attr_int("axis", axis);
    const int id = sizes_id < 0 ? sizes_id
                                : gn_graph_add_node(graph, "Split", "", node->name, (const int[]){dy, sizes_id}, 2,
                                                    node->n_in, &attr, 1);
    if (id < 0)
        return gn_graph_error(graph, NULL);
    for (int i = 0; i < node->n_in; i++)
        if (gn_grad_wants(grad, node, i))
            GN_TRY(gn_grad_give(grad, node, i, gn_graph_node(graph, id)->out[i]));
    return GN_OK;
}

static gn_status reference(const gn_ref_call *call)
{
    int64_t offset = 0;
    int axis;
    GN_TRY(gn_op_axis(call->node, "axis", 1, call->out[0]->shape.rank, &axis, NULL));
    for (int i = 0; i < call->node->n_in; i++) {
        gn_slice_store(call->in[i], axis, offset, call->out[0]);
        offset += call->in[i]->shape.dim[axis];
    }
    return GN_OK;
}

const gn_op_def gn_op_concat = {
    .name = "Concat",
    .domain = "",
    .min_in = 1,
    .max_in = -1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer,
    .grad = grad_rule,
    .reference = reference,
};
