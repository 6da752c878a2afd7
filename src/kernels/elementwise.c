/* Elementwise kernels: passes each call to the table of the current CPU level.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/vec_tables.h"

static const gn_elementwise_table *table(void)
{
    switch (gn_vec_rung()) {
#ifdef GN_HAVE_AVX512
    case GN_VEC_AVX512:
        return &gn_elementwise__avx512;
#endif
#ifdef GN_HAVE_AVX2
    case GN_VEC_AVX2:
        return &gn_elementwise__avx2;
#endif
#ifdef GN_HAVE_NEON
    case GN_VEC_NEON:
        return &gn_elementwise__neon;
#endif
    default:
        return &gn_elementwise__ref;
    }
}

#define GN_KERNEL(name, params, args)                                                                                  \
    void name params                                                                                                   \
    {                                                                                                                  \
        table()->name args;                                                                                            \
    }
#include "kernels/elementwise.def"
#undef GN_KERNEL

double gn_f32_sum_squares(const float *x, size_t n)
{
    return table()->gn_f32_sum_squares(x, n);
}

bool gn_f32_all_finite(const float *x, size_t n)
{
    return table()->gn_f32_all_finite(x, n);
}
