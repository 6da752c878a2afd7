/* Micro-kernels of convolution for AVX2 with fused multiply-add: tile of 6 rows x 16 columns, 12 of the 16 registers hold sums.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>

#include "kernels/igemm.h"
#include "kernels/vec_curves.h"

#define VF                   __m256
#define VEC                  8
#define MR                   6
#define FOR_EACH_M(X)        X(1) X(2) X(3) X(4) X(5) X(6)
#define IGEMM_NAME(contract) gn_f32_igemm_##contract##_6x16__avx2

/* All bits set in the first n of 8 lanes. */
static inline __m256i first_lanes(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

#define v_zero()           _mm256_setzero_ps()
#define v_load(p)          _mm256_loadu_ps(p)
#define v_bcast(p)         _mm256_broadcast_ss(p)
#define v_fmadd(a, b, c)   _mm256_fmadd_ps(a, b, c)
#define v_add(a, b)        _mm256_add_ps(a, b)
#define v_min(a, b)        _mm256_min_ps(a, b)
#define v_max(a, b)        _mm256_max_ps(a, b)
#define v_store(p, x)      _mm256_storeu_ps(p, x)
#define v_stream(p, x)     _mm256_stream_ps(p, x)
#define v_load_n(p, n)     _mm256_maskload_ps(p, first_lanes(n))
#define v_store_n(p, x, n) _mm256_maskstore_ps(p, first_lanes(n), x)

#include "kernels/x86/f32_igemm_tile.inc"
