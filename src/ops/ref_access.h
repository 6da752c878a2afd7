/* Element access for reference computations: numbers are named by their logical plain index (row-major in N,C,H,W), whatever the
 * memory layout and element type, and are computed with in double.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_REF_ACCESS_H
#define GN_OPS_REF_ACCESS_H

#include "tensor/tensor.h"

/* Memory index of logical plain index i. */
static inline int64_t gn_ref_index(const gn_tensor *t, int64_t i)
{
    if (t->layout == GN_LAYOUT_PLAIN || t->shape.rank != 4)
        return i;
    const int64_t C = t->shape.dim[1], HW = t->shape.dim[2] * t->shape.dim[3];
    const int64_t n = i / (C * HW), c = i / HW % C, hw = i % HW;
    return (n * HW + hw) * C + c;
}

static inline double gn_ref_load(const gn_tensor *t, int64_t i)
{
    const int64_t m = gn_ref_index(t, i);
    if (t->dtype == GN_DTYPE_F32)
        return (double)((const float *)t->data)[m];
    if (t->dtype == GN_DTYPE_F64)
        return ((const double *)t->data)[m];
    return gn_tensor_get(t, m);
}

static inline void gn_ref_store(gn_tensor *t, int64_t i, double x)
{
    const int64_t m = gn_ref_index(t, i);
    if (t->dtype == GN_DTYPE_F32)
        ((float *)t->data)[m] = (float)x;
    else if (t->dtype == GN_DTYPE_F64)
        ((double *)t->data)[m] = x;
    else
        gn_tensor_set(t, m, x);
}

/* Logical element i of src becomes logical element at of dst: for operators that move data.  Exact for every type. */
static inline void gn_ref_move(gn_tensor *dst, int64_t at, const gn_tensor *src, int64_t i)
{
    gn_tensor_move(dst, gn_ref_index(dst, at), src, gn_ref_index(src, i));
}

/* Integers and bool, exactly (gn_tensor_get_s64, gn_tensor_set_s64). */
static inline int64_t gn_ref_load_s64(const gn_tensor *t, int64_t i)
{
    return gn_tensor_get_s64(t, gn_ref_index(t, i));
}

static inline void gn_ref_store_s64(gn_tensor *t, int64_t i, int64_t x)
{
    gn_tensor_set_s64(t, gn_ref_index(t, i), x);
}

/* Writes, for a scalar loop over the whole tensor; same logical values, any layouts. */
static inline void gn_ref_copy(gn_tensor *dst, const gn_tensor *src)
{
    const int64_t n = gn_tensor_count(dst);
    for (int64_t i = 0; i < n; i++)
        gn_ref_move(dst, i, src, i);
}

#endif
