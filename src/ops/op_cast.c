/* Cast to the element type that attribute `to` names by ONNX's number.
 * Source: ONNX Cast (opset 13); TensorProto.DataType.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

#include <inttypes.h>
#include <math.h>

/* TensorProto.DataType of the types that tensors have here. */
static const struct {
    int64_t onnx;
    gn_dtype dtype;
} types[] = {
    {1, GN_DTYPE_F32}, {2, GN_DTYPE_U8},   {3, GN_DTYPE_S8},   {6, GN_DTYPE_S32},
    {7, GN_DTYPE_S64}, {9, GN_DTYPE_BOOL}, {10, GN_DTYPE_F16}, {11, GN_DTYPE_F64},
    {4, GN_DTYPE_U16}, {5, GN_DTYPE_S16},  {12, GN_DTYPE_U32}, {13, GN_DTYPE_U64},
};

static gn_dtype target_of(const gn_node *node)
{
    const int64_t to = gn_node_int(node, "to", 0);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].onnx == to)
            return types[i].dtype;
    return GN_DTYPE_NONE;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    if (target_of(node) == GN_DTYPE_NONE)
        return gn_shape_fail(err, node, "it casts to ONNX type %" PRId64 ", which is not supported",
                             gn_node_int(node, "to", 0));
    gn_set_out(graph, node, 0, target_of(node), gn_in_shape(graph, node, 0));
    return GN_OK;
}

/* Between real types the gradient is cast back; what went through an integer has none. */
static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const gn_dtype from = gn_in_dtype(gn_grad_graph(grad), node, 0);
    const int dy = gn_grad_of_out(grad, node, 0);
    if (dy < 0 || !gn_grad_wants(grad, node, 0) || !gn_dtype_is_real(from) || !gn_dtype_is_real(target_of(node)))
        return GN_OK;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].dtype == from) {
            const gn_attr to = gn_attr_int("to", types[i].onnx);
            return gn_give(grad, node, 0, gn_emit(grad, node, "", "Cast", &dy, 1, &to, 1));
        }
    return GN_OK;
}

/* Real numbers become integers by dropping the fraction; integers keep the low bits that fit. */
static gn_status reference(const gn_ref_call *call)
{
    const bool truncates = gn_dtype_is_real(call->in[0]->dtype) && gn_dtype_is_integer(call->out[0]->dtype);
    const int64_t n = gn_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n; i++)
        if (truncates)
            gn_ref_store(call->out[0], i, trunc(gn_ref_load(call->in[0], i)));
        else
            gn_ref_move(call->out[0], i, call->in[0], i);
    return GN_OK;
}

const gn_op_def gn_op_cast = {
    .name = "Cast",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer,
    .grad = grad_rule,
    .reference = reference,
};
