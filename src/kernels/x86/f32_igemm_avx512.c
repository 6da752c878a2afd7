/* Micro-kernels of convolution for AVX-512: tile of 14 rows x 32 columns, 28 of the 32 registers hold sums.
 * SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>

#include "kernels/igemm.h"
#include "kernels/vec_curves.h"

#define VF                   __m512
#define VEC                  16
#define MR                   14
#define FOR_EACH_M(X)        X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#define IGEMM_NAME(contract) gn_f32_igemm_##contract##_14x32__avx512

#define v_zero()           _mm512_setzero_ps()
#define v_load(p)          _mm512_loadu_ps(p)
#define v_bcast(p)         _mm512_set1_ps(*(p))
#define v_fmadd(a, b, c)   _mm512_fmadd_ps(a, b, c)
#define v_add(a, b)        _mm512_add_ps(a, b)
#define v_min(a, b)        _mm512_min_ps(a, b)
#define v_max(a, b)        _mm512_max_ps(a, b)
#define v_store(p, x)      _mm512_storeu_ps(p, x)
#define v_stream(p, x)     _mm512_stream_ps(p, x)
#define v_load_n(p, n)     _mm512_maskz_loadu_ps((__mmask16)((1U << (n)) - 1U), p)
#define v_store_n(p, x, n) _mm512_mask_storeu_ps(p, (__mmask16)((1U << (n)) - 1U), x)

#include "kernels/x86/f32_igemm_tile.inc"
