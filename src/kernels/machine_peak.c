/* Chooses the kernels of machine_peak.h for the CPU level in force; plain C where a level has none.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/machine_peak.h"

#include <string.h>

#include "kernels/vec_tables.h"

enum { CHAINS = 12 };

static float plain_burn(int rounds)
{
    float a[CHAINS], sum = 0;
    for (int i = 0; i < CHAINS; i++)
        a[i] = (float)i;
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < CHAINS; i++)
            a[i] = a[i] * 0.999f + 1e-3f;
    for (int i = 0; i < CHAINS; i++)
        sum += a[i];
    return sum;
}

static float plain_read(const float *src, size_t n)
{
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += src[i];
    return sum;
}

static void plain_copy(const float *src, float *dst, size_t n)
{
    memcpy(dst, src, n * sizeof *dst);
}

static const gn_peak_table plain = {1, CHAINS, plain_burn, plain_read, plain_copy};

static const gn_peak_table *table(void)
{
    switch (gn_vec_rung()) {
#ifdef GN_HAVE_AVX512
    case GN_VEC_AVX512:
        return &gn_peak__avx512;
#endif
#ifdef GN_HAVE_AVX2
    case GN_VEC_AVX2:
        return &gn_peak__avx2;
#endif
    default:
        return &plain;
    }
}

float gn_peak_burn(int rounds)
{
    GN_ASSERT(rounds >= 1 && rounds <= 1000000);
    return table()->burn(rounds);
}

double gn_peak_flop(int rounds)
{
    return 2.0 * table()->lanes * table()->chains * rounds;
}

float gn_peak_read(const float *src, size_t n)
{
    GN_ASSERT(n % 64 == 0);
    return table()->read(src, n);
}

void gn_peak_copy(const float *src, float *dst, size_t n)
{
    GN_ASSERT(n % 64 == 0);
    table()->copy(src, dst, n);
}
