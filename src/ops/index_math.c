/* Positions in n dimensions and constant integer operands.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"

#include <inttypes.h>

void gn_unravel(const gn_shape *shape, int64_t i, int64_t at[GN_MAX_RANK])
{
    for (int d = shape->rank - 1; d >= 0; d--) {
        at[d] = i % shape->dim[d];
        i /= shape->dim[d];
    }
}

int64_t gn_ravel(const gn_shape *shape, const int64_t at[GN_MAX_RANK])
{
    int64_t i = 0;
    for (int d = 0; d < shape->rank; d++)
        i = i * shape->dim[d] + at[d];
    return i;
}

gn_rows gn_rows_of(const gn_shape *shape, int axis)
{
    gn_rows rows = {1, shape->rank > 0 ? shape->dim[axis] : 1, 1};
    for (int d = 0; d < axis; d++)
        rows.outer *= shape->dim[d];
    for (int d = axis + 1; d < shape->rank; d++)
        rows.inner *= shape->dim[d];
    return rows;
}

gn_status gn_op_known_ints(const gn_graph *graph, const gn_node *node, int i, const char *what, int64_t *dst, int max,
                           int *n_out, gn_error *err)
{
    const gn_tensor *known = gn_in_known(graph, node, i);
    const gn_dtype dtype = gn_in_dtype(graph, node, i);
    if (dtype != GN_DTYPE_S64 && dtype != GN_DTYPE_S32)
        return gn_shape_fail(err, node, "its %s are of type %s, expected s64 or s32", what, gn_dtype_name(dtype));
    if (!known)
        return gn_shape_fail(err, node, "its %s are computed from data; only constant %s are possible", what, what);
    const int64_t n = gn_tensor_count(known);
    if (n > max)
        return gn_shape_fail(err, node, "%" PRId64 " %s, at most %d are possible", n, what, max);
    for (int k = 0; k < (int)n; k++)
        dst[k] = gn_ref_load_s64(known, k);
    *n_out = (int)n;
    return GN_OK;
}

gn_status gn_op_fix_axes(const gn_node *node, int64_t *axes, int n, int rank, gn_error *err)
{
    bool seen[GN_MAX_RANK] = {false};
    for (int i = 0; i < n; i++) {
        const int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        if (axis < 0 || axis >= rank || seen[axis])
            return gn_shape_fail(err, node, "axis %" PRId64 " is outside -%d..%d or named twice", axes[i], rank,
                                 rank - 1);
        seen[axis] = true;
        axes[i] = axis;
    }
    return GN_OK;
}
