/* Sums over rows of channels, for the vec_*.inc templates: eight rows at a time in f32, those sums in double.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_VEC_ROW_SUMS_H
#define GN_KERNELS_VEC_ROW_SUMS_H

#include "kernels/simd_f32.h"

/* Channels for which callers keep sums on their stack. */
#define ROW_SUMS_MAX 256

/* sum[0..n-1] += the sum of n_rows rows (a constant, at most 8). */
GN_INLINE void add_few_rows(const float *a, size_t stride, size_t n_rows, double *sum, size_t n)
{
    vf even = vf_load_n(a, n), odd = vf_zero();
    GN_UNROLL for (size_t r = 1; r < n_rows; r++)
    {
        const vf x = vf_load_n(a + r * stride, n);
        if (r % 2 == 0)
            even = vf_add(even, x);
        else
            odd = vf_add(odd, x);
    }
    vd_store_n(sum, vd_add(vd_load_n(sum, n), vd_widen(vf_add(even, odd))), n);
}

/* As above for `width` channels. */
GN_INLINE void add_few_wide_rows(const float *a, size_t stride, size_t n_rows, size_t width, double *sum)
{
    size_t c = 0;
    for (; c + VF_LANES <= width; c += VF_LANES)
        add_few_rows(a + c, stride, n_rows, sum + c, VF_LANES);
    if (c < width)
        add_few_rows(a + c, stride, n_rows, sum + c, width - c);
}

/* sum[c] += sum over r < rows of a[r*stride + c], for c < width. */
static inline void add_row_sums(const float *a, size_t stride, size_t rows, size_t width, double *sum)
{
    size_t r = 0;
    for (; r + 8 <= rows; r += 8)
        add_few_wide_rows(a + r * stride, stride, 8, width, sum);
    for (; r < rows; r++)
        add_few_wide_rows(a + r * stride, stride, 1, width, sum);
}

#endif
