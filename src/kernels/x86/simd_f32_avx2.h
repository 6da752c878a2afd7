/* The verbs of simd_f32.h in AVX2 with FMA: 8 lanes, masks as vectors of all-ones lanes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_SIMD_F32_AVX2_H
#define GN_KERNELS_SIMD_F32_AVX2_H

#include <immintrin.h>
#include <string.h>

#define VF_LANES 8
typedef __m256 vf;
typedef __m256i vi;
typedef __m256 vm;
typedef struct vd {
    __m256d lo, hi;
} vd;

GN_INLINE __m256i lanes_below(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
GN_INLINE vm vm_first(size_t n)
{
    return _mm256_castsi256_ps(lanes_below(n));
}

GN_INLINE vf vf_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
GN_INLINE void vf_store(float *p, vf x)
{
    _mm256_storeu_ps(p, x);
}
GN_INLINE vf vf_load_n(const float *p, size_t n)
{
    return n == VF_LANES ? vf_load(p) : _mm256_maskload_ps(p, lanes_below(n));
}
GN_INLINE void vf_store_n(float *p, vf x, size_t n)
{
    if (n == VF_LANES)
        vf_store(p, x);
    else
        _mm256_maskstore_ps(p, lanes_below(n), x);
}

GN_INLINE vf vf_set(float x)
{
    return _mm256_set1_ps(x);
}
GN_INLINE vf vf_zero(void)
{
    return _mm256_setzero_ps();
}
GN_INLINE vf vf_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}
GN_INLINE vf vf_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}
GN_INLINE vf vf_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}
GN_INLINE vf vf_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}
GN_INLINE vf vf_sqrt(vf a)
{
    return _mm256_sqrt_ps(a);
}
GN_INLINE vf vf_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}
GN_INLINE vf vf_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}
/* a*b + c */
GN_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}
/* c - a*b */
GN_INLINE vf vf_fnma(vf a, vf b, vf c)
{
    return _mm256_fnmadd_ps(a, b, c);
}
/* Nearest integer, ties to even. */
GN_INLINE vf vf_round(vf a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
GN_INLINE vf exp2_of(__m256i n)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
/* a * 2^n for integral n, -150 <= n <= 129: in two steps, since 2^n alone may leave the range of floats. */
GN_INLINE vf vf_scale2(vf a, vf n)
{
    const __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1);
    return vf_mul(vf_mul(a, exp2_of(half)), exp2_of(_mm256_sub_epi32(whole, half)));
}
GN_INLINE float vf_sum(vf a)
{
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
GN_INLINE float vf_largest(vf a)
{
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

GN_INLINE vm vf_equal(vf a, vf b)
{
    return _mm256_cmp_ps(a, b, _CMP_EQ_OQ);
}
/* a <= b; false for NaN */
GN_INLINE vm vf_at_most(vf a, vf b)
{
    return _mm256_cmp_ps(a, b, _CMP_LE_OQ);
}
/* lo < x < hi, strictly */
GN_INLINE vm vf_between(vf x, vf lo, vf hi)
{
    return _mm256_and_ps(_mm256_cmp_ps(lo, x, _CMP_LT_OQ), _mm256_cmp_ps(x, hi, _CMP_LT_OQ));
}
/* x takes the lead in a maximum where NaN beats all. */
GN_INLINE vm vf_beats(vf x, vf best)
{
    return _mm256_or_ps(_mm256_cmp_ps(x, best, _CMP_GT_OQ), _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}
GN_INLINE bool vf_has_nan(vf x)
{
    return _mm256_movemask_ps(_mm256_cmp_ps(x, x, _CMP_UNORD_Q)) != 0;
}
/* a where m, b elsewhere */
GN_INLINE vf vf_select(vm m, vf a, vf b)
{
    return _mm256_blendv_ps(b, a, m);
}
/* a where m, 0 elsewhere */
GN_INLINE vf vf_keep(vm m, vf a)
{
    return _mm256_and_ps(m, a);
}

GN_INLINE vi vi_set(int x)
{
    return _mm256_set1_epi32(x);
}
GN_INLINE vi vi_select(vm m, vi a, vi b)
{
    return _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(b), _mm256_castsi256_ps(a), m));
}
GN_INLINE vm vi_equal(vi a, vi b)
{
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b));
}
/* Lanes are bytes in memory. */
GN_INLINE vi vi_load_u8_n(const uint8_t *p, size_t n)
{
    int64_t bytes = 0;
    memcpy(&bytes, p, n);
    return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bytes));
}
GN_INLINE void vi_store_u8_n(uint8_t *p, vi x, size_t n)
{
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    const int64_t bytes = _mm_cvtsi128_si64(_mm_packus_epi16(words, words));
    memcpy(p, &bytes, n);
}

GN_INLINE vd vd_zero(void)
{
    return (vd){_mm256_setzero_pd(), _mm256_setzero_pd()};
}
/* Mask of the lanes first..first+3 of n. */
GN_INLINE __m256i doubles_below(size_t n, int first)
{
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x((int64_t)n),
                              _mm256_setr_epi64x(first, first + 1, first + 2, first + 3));
}
GN_INLINE vd vd_load_n(const double *p, size_t n)
{
    if (n == VF_LANES)
        return (vd){_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)};
    return (vd){_mm256_maskload_pd(p, doubles_below(n, 0)), _mm256_maskload_pd(p + 4, doubles_below(n, 4))};
}
GN_INLINE void vd_store_n(double *p, vd x, size_t n)
{
    if (n == VF_LANES) {
        _mm256_storeu_pd(p, x.lo);
        _mm256_storeu_pd(p + 4, x.hi);
    } else {
        _mm256_maskstore_pd(p, doubles_below(n, 0), x.lo);
        _mm256_maskstore_pd(p + 4, doubles_below(n, 4), x.hi);
    }
}
GN_INLINE vd vd_widen(vf x)
{
    return (vd){_mm256_cvtps_pd(_mm256_castps256_ps128(x)), _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1))};
}
GN_INLINE vd vd_add(vd a, vd b)
{
    return (vd){_mm256_add_pd(a.lo, b.lo), _mm256_add_pd(a.hi, b.hi)};
}
/* sum + x*x */
GN_INLINE vd vd_add_square(vd sum, vd x)
{
    return (vd){_mm256_fmadd_pd(x.lo, x.lo, sum.lo), _mm256_fmadd_pd(x.hi, x.hi, sum.hi)};
}
GN_INLINE double vd_sum(vd x)
{
    const __m256d four = _mm256_add_pd(x.lo, x.hi);
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

/* Square of VF_LANES rows. */
GN_INLINE void vf_transpose(vf *row)
{
    vf a[8], b[8];
    GN_UNROLL for (int i = 0; i < 4; i++)
    {
        a[2 * i] = _mm256_unpacklo_ps(row[2 * i], row[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_ps(row[2 * i], row[2 * i + 1]);
    }
    GN_UNROLL for (int i = 0; i < 2; i++)
    {
        GN_UNROLL for (int k = 0; k < 2; k++)
        {
            b[4 * i + 2 * k] = _mm256_shuffle_ps(a[4 * i + k], a[4 * i + 2 + k], 0x44);
            b[4 * i + 2 * k + 1] = _mm256_shuffle_ps(a[4 * i + k], a[4 * i + 2 + k], 0xee);
        }
    }
    /* b[4i+k]: rows 4i..4i+3, columns k and k+4 in its halves. */
    GN_UNROLL for (int k = 0; k < 4; k++)
    {
        row[k] = _mm256_permute2f128_ps(b[k], b[4 + k], 0x20);
        row[k + 4] = _mm256_permute2f128_ps(b[k], b[4 + k], 0x31);
    }
}

#endif
