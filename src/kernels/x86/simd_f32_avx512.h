/* The verbs of simd_f32.h in AVX-512 (F, BW, DQ, VL): 16 lanes, masks in registers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_SIMD_F32_AVX512_H
#define GN_KERNELS_SIMD_F32_AVX512_H

#include <immintrin.h>

#define VF_LANES 16
typedef __m512 vf;
typedef __m512i vi;
typedef __mmask16 vm;
typedef struct vd {
    __m512d lo, hi;
} vd;

GN_INLINE vm vm_first(size_t n)
{
    return (vm)((1u << n) - 1u);
}

GN_INLINE vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
GN_INLINE void vf_store(float *p, vf x)
{
    _mm512_storeu_ps(p, x);
}
GN_INLINE vf vf_load_n(const float *p, size_t n)
{
    return n == VF_LANES ? vf_load(p) : _mm512_maskz_loadu_ps(vm_first(n), p);
}
GN_INLINE void vf_store_n(float *p, vf x, size_t n)
{
    if (n == VF_LANES)
        vf_store(p, x);
    else
        _mm512_mask_storeu_ps(p, vm_first(n), x);
}

GN_INLINE vf vf_set(float x)
{
    return _mm512_set1_ps(x);
}
GN_INLINE vf vf_zero(void)
{
    return _mm512_setzero_ps();
}
GN_INLINE vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}
GN_INLINE vf vf_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}
GN_INLINE vf vf_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}
GN_INLINE vf vf_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}
GN_INLINE vf vf_sqrt(vf a)
{
    return _mm512_sqrt_ps(a);
}
GN_INLINE vf vf_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}
GN_INLINE vf vf_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}
/* a*b + c */
GN_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}
/* c - a*b */
GN_INLINE vf vf_fnma(vf a, vf b, vf c)
{
    return _mm512_fnmadd_ps(a, b, c);
}
/* Nearest integer, ties to even. */
GN_INLINE vf vf_round(vf a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* a * 2^n for integral n, -150 <= n <= 129. */
GN_INLINE vf vf_scale2(vf a, vf n)
{
    return _mm512_scalef_ps(a, n);
}
GN_INLINE float vf_sum(vf a)
{
    return _mm512_reduce_add_ps(a);
}
GN_INLINE float vf_largest(vf a)
{
    return _mm512_reduce_max_ps(a);
}

GN_INLINE vm vf_equal(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}
/* a <= b; false for NaN */
GN_INLINE vm vf_at_most(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ);
}
/* lo < x < hi, strictly */
GN_INLINE vm vf_between(vf x, vf lo, vf hi)
{
    return _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask(lo, x, _CMP_LT_OQ), x, hi, _CMP_LT_OQ);
}
/* x takes the lead in a maximum where NaN beats all. */
GN_INLINE vm vf_beats(vf x, vf best)
{
    return (vm)(_mm512_cmp_ps_mask(x, best, _CMP_GT_OQ) | _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q));
}
GN_INLINE bool vf_has_nan(vf x)
{
    return _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q) != 0;
}
/* a where m, b elsewhere */
GN_INLINE vf vf_select(vm m, vf a, vf b)
{
    return _mm512_mask_blend_ps(m, b, a);
}
/* a where m, 0 elsewhere */
GN_INLINE vf vf_keep(vm m, vf a)
{
    return _mm512_maskz_mov_ps(m, a);
}

GN_INLINE vi vi_set(int x)
{
    return _mm512_set1_epi32(x);
}
GN_INLINE vi vi_select(vm m, vi a, vi b)
{
    return _mm512_mask_blend_epi32(m, b, a);
}
GN_INLINE vm vi_equal(vi a, vi b)
{
    return _mm512_cmpeq_epi32_mask(a, b);
}
/* Lanes are bytes in memory. */
GN_INLINE vi vi_load_u8_n(const uint8_t *p, size_t n)
{
    const __m128i bytes =
        n == VF_LANES ? _mm_loadu_si128((const __m128i *)(const void *)p) : _mm_maskz_loadu_epi8(vm_first(n), p);
    return _mm512_cvtepu8_epi32(bytes);
}
GN_INLINE void vi_store_u8_n(uint8_t *p, vi x, size_t n)
{
    if (n == VF_LANES)
        _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8(x));
    else
        _mm_mask_storeu_epi8(p, vm_first(n), _mm512_cvtepi32_epi8(x));
}

GN_INLINE vd vd_zero(void)
{
    return (vd){_mm512_setzero_pd(), _mm512_setzero_pd()};
}
GN_INLINE vd vd_load_n(const double *p, size_t n)
{
    const vm m = vm_first(n);
    return (vd){_mm512_maskz_loadu_pd((__mmask8)m, p), _mm512_maskz_loadu_pd((__mmask8)(m >> 8), p + 8)};
}
GN_INLINE void vd_store_n(double *p, vd x, size_t n)
{
    const vm m = vm_first(n);
    _mm512_mask_storeu_pd(p, (__mmask8)m, x.lo);
    _mm512_mask_storeu_pd(p + 8, (__mmask8)(m >> 8), x.hi);
}
GN_INLINE vd vd_widen(vf x)
{
    return (vd){_mm512_cvtps_pd(_mm512_castps512_ps256(x)), _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1))};
}
GN_INLINE vd vd_add(vd a, vd b)
{
    return (vd){_mm512_add_pd(a.lo, b.lo), _mm512_add_pd(a.hi, b.hi)};
}
/* sum + x*x */
GN_INLINE vd vd_add_square(vd sum, vd x)
{
    return (vd){_mm512_fmadd_pd(x.lo, x.lo, sum.lo), _mm512_fmadd_pd(x.hi, x.hi, sum.hi)};
}
GN_INLINE double vd_sum(vd x)
{
    return _mm512_reduce_add_pd(_mm512_add_pd(x.lo, x.hi));
}

/* Square of VF_LANES rows. */
GN_INLINE void vf_transpose(vf *row)
{
    vf a[16], b[16];
    GN_UNROLL for (int i = 0; i < 8; i++)
    {
        a[2 * i] = _mm512_unpacklo_ps(row[2 * i], row[2 * i + 1]);
        a[2 * i + 1] = _mm512_unpackhi_ps(row[2 * i], row[2 * i + 1]);
    }
    GN_UNROLL for (int i = 0; i < 4; i++)
    {
        GN_UNROLL for (int k = 0; k < 2; k++)
        {
            b[4 * i + 2 * k] = _mm512_shuffle_ps(a[4 * i + k], a[4 * i + 2 + k], 0x44);
            b[4 * i + 2 * k + 1] = _mm512_shuffle_ps(a[4 * i + k], a[4 * i + 2 + k], 0xee);
        }
    }
    /* b[4i+k]: rows 4i..4i+3, columns k, k+4, k+8, k+12 in its quarters. */
    GN_UNROLL for (int k = 0; k < 4; k++)
    {
        const vf lo01 = _mm512_shuffle_f32x4(b[k], b[4 + k], 0x88),
                 lo23 = _mm512_shuffle_f32x4(b[8 + k], b[12 + k], 0x88);
        const vf hi01 = _mm512_shuffle_f32x4(b[k], b[4 + k], 0xdd),
                 hi23 = _mm512_shuffle_f32x4(b[8 + k], b[12 + k], 0xdd);
        row[k] = _mm512_shuffle_f32x4(lo01, lo23, 0x88);
        row[k + 8] = _mm512_shuffle_f32x4(lo01, lo23, 0xdd);
        row[k + 4] = _mm512_shuffle_f32x4(hi01, hi23, 0x88);
        row[k + 12] = _mm512_shuffle_f32x4(hi01, hi23, 0xdd);
    }
}

#endif
