/* Comparisons, positions in n dimensions and constant integer operands, for references and shape rules.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_INDEX_MATH_H
#define GN_OPS_INDEX_MATH_H

#include "graph/op.h"
#include "ops/ref_access.h"

/* a[i] < b[k] for tensors of one type, integers exactly. */
static inline bool gn_ref_less(const gn_tensor *a, int64_t i, const gn_tensor *b, int64_t k)
{
    if (a->dtype == GN_DTYPE_U64)
        return (uint64_t)gn_ref_load_s64(a, i) < (uint64_t)gn_ref_load_s64(b, k);
    return gn_dtype_is_integer(a->dtype) ? gn_ref_load_s64(a, i) < gn_ref_load_s64(b, k)
                                         : gn_ref_load(a, i) < gn_ref_load(b, k);
}

/* Position of plain index i in each dimension, and back. */
void gn_unravel(const gn_shape *shape, int64_t i, int64_t at[GN_MAX_RANK]);
int64_t gn_ravel(const gn_shape *shape, const int64_t at[GN_MAX_RANK]);

/* A shape around one axis: [outer, n, inner]. */
typedef struct gn_rows {
    int64_t outer, n, inner;
} gn_rows;
gn_rows gn_rows_of(const gn_shape *shape, int axis);
/* Plain index of the first element of row r of outer*inner; the next ones are `inner` apart. */
static inline int64_t gn_row_begin(const gn_rows *rows, int64_t r)
{
    return r / rows->inner * rows->n * rows->inner + r % rows->inner;
}

/* Contents of integer input i, which are known before a run: at most max of them; n_out: how many.  what: for messages.
 * GN_ESHAPE: not known, of another type, or too many. */
gn_status gn_op_known_ints(const gn_graph *graph, const gn_node *node, int i, const char *what, int64_t *dst, int max,
                           int *n_out, gn_error *err);
/* axes[0..n) counted from the front; GN_ESHAPE when one is outside or named twice. */
gn_status gn_op_fix_axes(const gn_node *node, int64_t *axes, int n, int rank, gn_error *err);

#endif
