/* How tensors of indices name elements and slices.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/scatter_rules.h"

#include "ops/index_math.h"

#include <inttypes.h>

static gn_status check_type(const gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_dtype dtype = gn_in_dtype(graph, node, 1);
    if (dtype != GN_DTYPE_S64 && dtype != GN_DTYPE_S32)
        return gn_shape_fail(err, node, "its indices are of type %s, expected s64 or s32", gn_dtype_name(dtype));
    return GN_OK;
}

gn_status gn_check_element_indices(const gn_graph *graph, const gn_node *node, int axis, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0), *indices = gn_in_shape(graph, node, 1);
    GN_TRY(check_type(graph, node, err));
    if (indices->rank != x->rank)
        return gn_shape_fail(err, node, "indices of %d dimensions for data of %d", indices->rank, x->rank);
    for (int d = 0; d < x->rank; d++)
        if (d != axis && indices->dim[d] > x->dim[d])
            return gn_shape_fail(err, node, "%" PRId64 " indices along dimension %d of data that has %" PRId64,
                                 indices->dim[d], d, x->dim[d]);
    return GN_OK;
}

gn_status gn_check_slice_indices(const gn_graph *graph, const gn_node *node, int64_t batch, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0), *indices = gn_in_shape(graph, node, 1);
    GN_TRY(check_type(graph, node, err));
    if (indices->rank < 1 || x->rank < 1 || batch < 0 || batch >= indices->rank || batch >= x->rank ||
        indices->dim[indices->rank - 1] > x->rank - batch)
        return gn_shape_fail(err, node, "its indices name more dimensions than its data has");
    for (int d = 0; d < (int)batch; d++)
        if (indices->dim[d] != x->dim[d])
            return gn_shape_fail(err, node, "data and indices differ along dimension %d, which is common", d);
    return GN_OK;
}

int64_t gn_element_of_index(const gn_shape *data, const gn_tensor *indices, int axis, int64_t i)
{
    int64_t at[GN_MAX_RANK], index = gn_ref_load_s64(indices, i);
    gn_unravel(&indices->shape, i, at);
    index += index < 0 ? data->dim[axis] : 0;
    at[axis] = index;
    return index < 0 || index >= data->dim[axis] ? -1 : gn_ravel(data, at);
}

int64_t gn_slice_size(const gn_shape *data, const gn_tensor *indices, int batch)
{
    int64_t size = 1;
    for (int d = batch + (int)indices->shape.dim[indices->shape.rank - 1]; d < data->rank; d++)
        size *= data->dim[d];
    return size > 0 ? size : 1;
}

int64_t gn_slice_of_index(const gn_shape *data, const gn_tensor *indices, int batch, int64_t i)
{
    const gn_shape *shape = &indices->shape;
    const int depth = (int)shape->dim[shape->rank - 1];
    int64_t tuples = 1, begin; /* tuples: index tuples of one batch element */
    for (int d = batch; d < shape->rank - 1; d++)
        tuples *= shape->dim[d];
    begin = tuples > 0 ? i / tuples : 0;
    for (int d = 0; d < depth; d++) {
        int64_t index = gn_ref_load_s64(indices, i * depth + d);
        index += index < 0 ? data->dim[batch + d] : 0;
        if (index < 0 || index >= data->dim[batch + d])
            return -1;
        begin = begin * data->dim[batch + d] + index;
    }
    return begin * gn_slice_size(data, indices, batch);
}
