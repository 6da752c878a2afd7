/* ScatterElements and ScatterND: a copy of the data in which the elements or slices that indices name are replaced by updates, or put
 * together with them (reduction add, mul, max, min).
 * Source: ONNX ScatterElements, ScatterND (opset 18).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/op_rules.h"
#include "ops/scatter_rules.h"

#include <string.h>

enum { REDUCE_NONE, REDUCE_ADD, REDUCE_MUL, REDUCE_MAX, REDUCE_MIN, REDUCE_UNKNOWN };

static int reduction_of(const gn_node *node)
{
    static const char *const names[] = {"none", "add", "mul", "max", "min"};
    const char *name = gn_node_string(node, "reduction", "none");
    int i = 0;
    while (i < REDUCE_UNKNOWN && strcmp(name, names[i]) != 0)
        i++;
    return i;
}

static gn_status check_common(const gn_graph *graph, const gn_node *node, gn_error *err)
{
    if (gn_in_dtype(graph, node, 0) != gn_in_dtype(graph, node, 2))
        return gn_shape_fail(err, node, "data is of type %s, updates are of type %s",
                             gn_dtype_name(gn_in_dtype(graph, node, 0)), gn_dtype_name(gn_in_dtype(graph, node, 2)));
    if (reduction_of(node) == REDUCE_UNKNOWN)
        return gn_shape_fail(err, node, "reduction is %s, expected none, add, mul, max or min",
                             gn_node_string(node, "reduction", ""));
    return GN_OK;
}

/* y[at] and updates[i] become y[at]. */
static void put(const gn_ref_call *call, int reduction, int64_t at, int64_t i)
{
    const gn_tensor *updates = call->in[2];
    gn_tensor *y = call->out[0];
    if (reduction == REDUCE_ADD || reduction == REDUCE_MUL) {
        if (gn_dtype_is_integer(y->dtype)) {
            const uint64_t a = (uint64_t)gn_ref_load_s64(y, at), b = (uint64_t)gn_ref_load_s64(updates, i);
            gn_ref_store_s64(y, at, (int64_t)(reduction == REDUCE_ADD ? a + b : a * b));
        } else {
            const double a = gn_ref_load(y, at), b = gn_ref_load(updates, i);
            gn_ref_store(y, at, reduction == REDUCE_ADD ? a + b : a * b);
        }
        return;
    }
    if (reduction == REDUCE_NONE || (reduction == REDUCE_MAX && gn_ref_less(y, at, updates, i)) ||
        (reduction == REDUCE_MIN && gn_ref_less(updates, i, y, at)))
        gn_ref_move(y, at, updates, i);
}

static void copy_data(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n; i++)
        gn_ref_move(call->out[0], i, call->in[0], i);
}

/* ---- ScatterElements ---- */

static gn_status infer_elements(gn_graph *graph, const gn_node *node, gn_error *err)
{
    int axis;
    GN_TRY(gn_op_axis(node, "axis", 0, gn_in_shape(graph, node, 0)->rank, &axis, err));
    GN_TRY(gn_check_element_indices(graph, node, axis, err));
    GN_TRY(check_common(graph, node, err));
    if (!gn_shape_equal(gn_in_shape(graph, node, 1), gn_in_shape(graph, node, 2)))
        return gn_shape_fail(err, node, "indices and updates differ in shape");
    return gn_rule_same(graph, node, err);
}

static gn_status reference_elements(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->in[1]);
    const int reduction = reduction_of(call->node);
    int axis;
    GN_TRY(gn_op_axis(call->node, "axis", 0, call->in[0]->shape.rank, &axis, NULL));
    copy_data(call);
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = gn_element_of_index(&call->in[0]->shape, call->in[1], axis, i);
        if (at < 0)
            return GN_EINVAL;
        put(call, reduction, at, i);
    }
    return GN_OK;
}

/* ---- ScatterND ---- */

static gn_status infer_nd(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0), *indices = gn_in_shape(graph, node, 1);
    gn_shape wanted = {0};
    char text[128];
    GN_TRY(gn_check_slice_indices(graph, node, 0, err));
    GN_TRY(check_common(graph, node, err));
    const int depth = (int)indices->dim[indices->rank - 1];
    if (indices->rank - 1 + x->rank - depth > GN_MAX_RANK)
        return gn_shape_fail(err, node, "its updates would have more than %d dimensions", GN_MAX_RANK);
    for (int d = 0; d < indices->rank - 1; d++)
        wanted.dim[wanted.rank++] = indices->dim[d];
    for (int d = depth; d < x->rank; d++)
        wanted.dim[wanted.rank++] = x->dim[d];
    gn_shape_format(&wanted, text);
    if (!gn_shape_equal(&wanted, gn_in_shape(graph, node, 2)))
        return gn_shape_fail(err, node, "its updates do not have the shape %s", text);
    return gn_rule_same(graph, node, err);
}

static gn_status reference_nd(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->in[2]), slice = gn_slice_size(&call->in[0]->shape, call->in[1], 0);
    const int reduction = reduction_of(call->node);
    copy_data(call);
    for (int64_t i = 0; i < n; i++) {
        const int64_t begin = gn_slice_of_index(&call->in[0]->shape, call->in[1], 0, i / slice);
        if (begin < 0)
            return GN_EINVAL;
        put(call, reduction, begin + i % slice, i);
    }
    return GN_OK;
}

const gn_op_def gn_op_scatter_elements = {
    .name = "ScatterElements",
    .domain = "",
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer_elements,
    .reference = reference_elements,
};

const gn_op_def gn_op_scatter_nd = {
    .name = "ScatterND",
    .domain = "",
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer_nd,
    .reference = reference_nd,
};
