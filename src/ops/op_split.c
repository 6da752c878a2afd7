/* Split along one axis into parts of given sizes (constant input, or attribute up to opset 11), or of equal size; its gradient is a
 * Concat.
 * Source: ONNX Split (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/slices.h"

#include <inttypes.h>

/* Size of part i along the axis; false when the sizes are not known or too few. */
static bool part_size(const gn_graph *graph, const gn_node *node, int64_t extent, int i, int64_t *size_out)
{
    const gn_attr *attr = gn_node_attr(node, "split");
    if (gn_has_in(node, 1)) {
        const gn_tensor *sizes = gn_in_known(graph, node, 1);
        if (!sizes || sizes->dtype != GN_DTYPE_S64 || gn_tensor_count(sizes) != node->n_out)
            return false;
        *size_out = ((const int64_t *)sizes->data)[i];
        return true;
    }
    if (attr) {
        if (attr->type != GN_ATTR_INTS || attr->n != node->n_out)
            return false;
        *size_out = attr->u.ints[i];
        return true;
    }
    /* equal parts; the last one is smaller where they do not come out even (opset 18) */
    const int64_t even = (extent + node->n_out - 1) / node->n_out;
    *size_out = i < node->n_out - 1 ? even : extent - even * (node->n_out - 1);
    return true;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape x = *gn_in_shape(graph, node, 0);
    int64_t sum = 0;
    int axis;
    GN_TRY(gn_op_axis(node, "axis", 0, x.rank, &axis, err));
    for (int i = 0; i < node->n_out; i++) {
        gn_shape part = x;
        if (!part_size(graph, node, x.dim[axis], i, &part.dim[axis]))
            return gn_shape_fail(err, node, "the sizes of its %d parts are not constant or not as many", node->n_out);
        if (part.dim[axis] < 0 || part.dim[axis] > x.dim[axis])
            return gn_shape_fail(err, node, "part %d has the size %" PRId64 " of %" PRId64, i, part.dim[axis],
                                 x.dim[axis]);
        sum += part.dim[axis];
        gn_set_out(graph, node, i, gn_in_dtype(graph, node, 0), &part);
    }
    if (sum != x.dim[axis])
        return gn_shape_fail(err, node, "its parts add up to %" PRId64 ", expected %" PRId64, sum, x.dim[axis]);
    return GN_OK;
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    int axis;
    gn_status status = GN_OK;
    if (!gn_grad_wants(grad, node, 0))
        return GN_OK;
    GN_TRY(gn_op_axis(node, "axis", 0, gn_in_shape(gn_grad_graph(grad), node, 0)->rank, &axis, NULL));
    const gn_attr attr = gn_attr_int("axis", axis);
    int *parts = gn_calloc((size_t)node->n_out, sizeof *parts);
    if (!parts)
        return GN_ENOMEM;
    for (int i = 0; i < node->n_out && status == GN_OK; i++) {
        parts[i] = gn_grad_of_out(grad, node, i);
        if (parts[i] < 0)
            parts[i] = gn_emit_zeros(grad, node, node->out[i]);
        if (parts[i] < 0)
            status = gn_graph_error(gn_grad_graph(grad), NULL);
    }
    if (status == GN_OK)
        status = gn_give(grad, node, 0, gn_emit(grad, node, "", "Concat", parts, node->n_out, &attr, 1));
    gn_free(parts);
    return status;
}

static gn_status reference(const gn_ref_call *call)
{
    const gn_tensor *x = call->in[0];
    int64_t offset = 0, size;
    int axis;
    GN_TRY(gn_op_axis(call->node, "axis", 0, x->shape.rank, &axis, NULL));
    for (int i = 0; i < call->node->n_out; i++) {
        if (!part_size(call->graph, call->node, x->shape.dim[axis], i, &size))
            return GN_ESHAPE;
        if (gn_has_out(call->node, i))
            gn_slice_load(x, axis, offset, call->out[i]);
        offset += size;
    }
    return GN_OK;
}

const gn_op_def gn_op_split = {
    .name = "Split",
    .domain = "",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = -1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer,
    .grad = grad_rule,
    .reference = reference,
};
