/* QuantizeLinear: y = saturate(round(x / scale) + zero), halves to even; DequantizeLinear: y = (x - zero) * scale.  Scales and zero
 * points are one for all, one per position of an axis, or one per block of positions.
 * Source: ONNX QuantizeLinear, DequantizeLinear (opset 21).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/quantize_rules.h"
#include "ops/ref_access.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* TensorProto.DataType of the quantised types that tensors have here. */
static const struct {
    int64_t onnx;
    gn_dtype dtype;
} types[] = {{2, GN_DTYPE_U8}, {3, GN_DTYPE_S8}, {4, GN_DTYPE_U16}, {5, GN_DTYPE_S16}, {6, GN_DTYPE_S32}};

static gn_dtype quantised_type(const gn_graph *graph, const gn_node *node)
{
    const int64_t wanted = gn_node_int(node, "output_dtype", 0);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].onnx == wanted)
            return types[i].dtype;
    return gn_has_in(node, 2) ? gn_in_dtype(graph, node, 2) : GN_DTYPE_U8;
}

gn_status gn_scaling_of(const gn_graph *graph, const gn_node *node, gn_scaling *out, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0), *scale = gn_in_shape(graph, node, 1);
    const int64_t block = gn_node_int(node, "block_size", 0);
    char text[128];
    int axis;
    gn_scaling s = {-1, 1, 1, 1, 1, false};
    gn_shape_format(scale, text);
    *out = s;
    if (gn_shape_count(scale) == 1 && block == 0)
        return GN_OK;
    GN_TRY(gn_op_axis(node, "axis", 1, x->rank, &axis, err));
    s.n = x->dim[axis];
    for (int d = axis + 1; d < x->rank; d++)
        s.inner *= x->dim[d];
    s.axis = axis;
    s.is_blocked = block > 0;
    s.block = block > 0 ? block : 1;
    s.count = s.n / s.block + (s.n % s.block != 0);
    gn_shape wanted = {.rank = 1, .dim = {s.n}};
    if (block > 0) {
        wanted = *x;
        wanted.dim[axis] = s.count;
    }
    if (block < 0 || !gn_shape_equal(scale, &wanted))
        return gn_shape_fail(err, node, "scales of the shape %s do not fit axis %d with blocks of %" PRId64, text, axis,
                             block);
    *out = s;
    return GN_OK;
}

static int64_t scale_index(const gn_scaling *s, int64_t i)
{
    const int64_t position = i / s->inner % s->n / s->block;
    return s->is_blocked ? (i / (s->inner * s->n) * s->count + position) * s->inner + i % s->inner : position;
}

static gn_status check_zero(const gn_graph *graph, const gn_node *node, gn_dtype dtype, gn_error *err)
{
    bool is_known = false;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        is_known = is_known || types[i].dtype == dtype;
    if (!is_known)
        return gn_shape_fail(err, node, "the quantised type is %s, expected s8, u8, s16, u16 or s32",
                             gn_dtype_name(dtype));
    if (gn_has_in(node, 2) && (gn_in_dtype(graph, node, 2) != dtype || gn_shape_count(gn_in_shape(graph, node, 2)) !=
                                                                           gn_shape_count(gn_in_shape(graph, node, 1))))
        return gn_shape_fail(err, node, "the zero points are not as many as the scales, or not of type %s",
                             gn_dtype_name(dtype));
    return GN_OK;
}

static gn_status infer_quantize(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_dtype dtype = quantised_type(graph, node);
    gn_scaling s;
    GN_TRY(gn_scaling_of(graph, node, &s, err));
    GN_TRY(check_zero(graph, node, dtype, err));
    gn_set_out(graph, node, 0, dtype, gn_in_shape(graph, node, 0));
    return GN_OK;
}

static gn_status infer_dequantize(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_scaling s;
    GN_TRY(gn_scaling_of(graph, node, &s, err));
    GN_TRY(check_zero(graph, node, gn_in_dtype(graph, node, 0), err));
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 1), gn_in_shape(graph, node, 0));
    return GN_OK;
}

/* In f32, as runtimes divide: whether a quotient is a half must not depend on further digits. */
static double quotient(double x, double scale)
{
    return (double)((float)x / (float)scale);
}

static gn_status apply(const gn_ref_call *call, bool quantizes)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    gn_scaling s;
    GN_TRY(gn_scaling_of(call->graph, call->node, &s, NULL));
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = scale_index(&s, i);
        const double x = gn_ref_load(call->in[0], i), scale = gn_ref_load(call->in[1], k),
                     zero = gn_has_in(call->node, 2) ? gn_ref_load(call->in[2], k) : 0;
        gn_ref_store(call->out[0], i, quantizes ? nearbyint(quotient(x, scale)) + zero : (x - zero) * scale);
    }
    return GN_OK;
}

static gn_status reference_quantize(const gn_ref_call *call)
{
    return apply(call, true);
}

static gn_status reference_dequantize(const gn_ref_call *call)
{
    return apply(call, false);
}

const gn_op_def gn_op_quantize_linear = {
    .name = "QuantizeLinear",
    .domain = "",
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer_quantize,
    .cost = gn_cost_per_output,
    .reference = reference_quantize,
};

const gn_op_def gn_op_dequantize_linear = {
    .name = "DequantizeLinear",
    .domain = "",
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer_dequantize,
    .cost = gn_cost_per_output,
    .reference = reference_dequantize,
};
