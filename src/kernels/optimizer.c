/* Optimiser steps: passes each call to the table of the current CPU level.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/vec_tables.h"

static const gn_optimizer_table *table(void)
{
    switch (gn_vec_rung()) {
#ifdef GN_HAVE_AVX512
    case GN_VEC_AVX512:
        return &gn_optimizer__avx512;
#endif
#ifdef GN_HAVE_AVX2
    case GN_VEC_AVX2:
        return &gn_optimizer__avx2;
#endif
#ifdef GN_HAVE_NEON
    case GN_VEC_NEON:
        return &gn_optimizer__neon;
#endif
    default:
        return &gn_optimizer__ref;
    }
}

#define GN_KERNEL(name, params, args)                                                                                  \
    void name params                                                                                                   \
    {                                                                                                                  \
        table()->name args;                                                                                            \
    }
#include "kernels/optimizer.def"
#undef GN_KERNEL
