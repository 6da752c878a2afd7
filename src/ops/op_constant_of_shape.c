/* ConstantOfShape: a tensor of a given shape (a constant input), filled with the one element of attribute `value`, 0.0f by default.
 * Source: ONNX ConstantOfShape (opset 9).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/op_rules.h"

/* The filling, or NULL. */
static const gn_tensor *filling(const gn_node *node)
{
    const gn_attr *attr = gn_node_attr(node, "value");
    return attr && attr->type == GN_ATTR_TENSOR && gn_tensor_count(attr->u.t) == 1 ? attr->u.t : NULL;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_tensor *value = filling(node);
    gn_shape y = {0};
    char text[128];
    if (gn_node_attr(node, "value") && !value)
        return gn_shape_fail(err, node, "its attribute value is no tensor of one element");
    GN_TRY(gn_op_known_ints(graph, node, 0, "dimensions", y.dim, GN_MAX_RANK, &y.rank, err));
    gn_shape_format(&y, text);
    if (gn_shape_count(&y) < 0)
        return gn_shape_fail(err, node, "%s is no shape", text);
    gn_set_out(graph, node, 0, value ? value->dtype : GN_DTYPE_F32, &y);
    return GN_OK;
}

static gn_status reference(const gn_ref_call *call)
{
    const gn_tensor *value = filling(call->node);
    const int64_t n = gn_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n; i++) {
        if (value && value->dtype == call->out[0]->dtype)
            gn_ref_move(call->out[0], i, value, 0);
        else
            gn_ref_store(call->out[0], i, value ? gn_ref_load(value, 0) : 0);
    }
    return GN_OK;
}

const gn_op_def gn_op_constant_of_shape = {
    .name = "ConstantOfShape",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer,
    .reference = reference,
};
