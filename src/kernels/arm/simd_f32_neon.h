/* The verbs of simd_f32.h in NEON (ASIMD of ARMv8.0): 4 lanes, masks as vectors of all-ones lanes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_SIMD_F32_NEON_H
#define GN_KERNELS_SIMD_F32_NEON_H

#include <arm_neon.h>
#include <string.h>

#define VF_LANES 4
typedef float32x4_t vf;
typedef int32x4_t vi;
typedef uint32x4_t vm;
typedef struct vd {
    float64x2_t lo, hi;
} vd;

GN_INLINE vm vm_first(size_t n)
{
    static const uint32_t lane[4] = {0, 1, 2, 3};
    return vcltq_u32(vld1q_u32(lane), vdupq_n_u32((uint32_t)n));
}

GN_INLINE vf vf_load(const float *p)
{
    return vld1q_f32(p);
}
GN_INLINE void vf_store(float *p, vf x)
{
    vst1q_f32(p, x);
}
/* i, or the last of n lanes if that comes before it. */
GN_INLINE size_t lane_of(size_t i, size_t n)
{
    return i < n ? i : n - 1;
}
/* The first n of 4 lanes, n below 4 and not known to the compiler: lanes beyond are loaded from the last one's place and cleared, stored
 * there once more.  Without branches: whole windows of loads are unrolled with them. */
GN_INLINE vf load_some(const float *p, size_t n)
{
    vf x = vdupq_n_f32(*p);
    x = vld1q_lane_f32(p + lane_of(1, n), x, 1);
    x = vld1q_lane_f32(p + lane_of(2, n), x, 2);
    return vreinterpretq_f32_u32(vandq_u32(vm_first(n), vreinterpretq_u32_f32(x)));
}
GN_INLINE void store_some(float *p, vf x, size_t n)
{
    float lane[4];
    vst1q_f32(lane, x);
    p[0] = lane[0];
    p[lane_of(1, n)] = lane[lane_of(1, n)];
    p[lane_of(2, n)] = lane[lane_of(2, n)];
}

GN_INLINE vf vf_load_n(const float *p, size_t n)
{
    const vf zero = vdupq_n_f32(0.0f);
    if (n == VF_LANES)
        return vld1q_f32(p);
    if (!__builtin_constant_p(n))
        return load_some(p, n);
    if (n == 1)
        return vsetq_lane_f32(*p, zero, 0);
    const vf two = vcombine_f32(vld1_f32(p), vget_low_f32(zero));
    return n == 2 ? two : vld1q_lane_f32(p + 2, two, 2);
}
GN_INLINE void vf_store_n(float *p, vf x, size_t n)
{
    if (n == VF_LANES)
        vst1q_f32(p, x);
    else
        store_some(p, x, n);
}

GN_INLINE vf vf_set(float x)
{
    return vdupq_n_f32(x);
}
GN_INLINE vf vf_zero(void)
{
    return vdupq_n_f32(0.0f);
}
GN_INLINE vf vf_add(vf a, vf b)
{
    return vaddq_f32(a, b);
}
GN_INLINE vf vf_sub(vf a, vf b)
{
    return vsubq_f32(a, b);
}
GN_INLINE vf vf_mul(vf a, vf b)
{
    return vmulq_f32(a, b);
}
GN_INLINE vf vf_div(vf a, vf b)
{
    return vdivq_f32(a, b);
}
GN_INLINE vf vf_sqrt(vf a)
{
    return vsqrtq_f32(a);
}
GN_INLINE vf vf_min(vf a, vf b)
{
    return vminq_f32(a, b);
}
GN_INLINE vf vf_max(vf a, vf b)
{
    return vmaxq_f32(a, b);
}
/* a*b + c */
GN_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return vfmaq_f32(c, a, b);
}
/* c - a*b */
GN_INLINE vf vf_fnma(vf a, vf b, vf c)
{
    return vfmsq_f32(c, a, b);
}
/* Nearest integer, ties to even. */
GN_INLINE vf vf_round(vf a)
{
    return vrndnq_f32(a);
}
GN_INLINE vf exp2_of(int32x4_t n)
{
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
}
/* a * 2^n for integral n, -150 <= n <= 129: in two steps, since 2^n alone may leave the range of floats. */
GN_INLINE vf vf_scale2(vf a, vf n)
{
    const int32x4_t whole = vcvtq_s32_f32(n), half = vshrq_n_s32(whole, 1);
    return vf_mul(vf_mul(a, exp2_of(half)), exp2_of(vsubq_s32(whole, half)));
}
GN_INLINE float vf_sum(vf a)
{
    return vaddvq_f32(a);
}
GN_INLINE float vf_largest(vf a)
{
    return vmaxvq_f32(a);
}

GN_INLINE vm vf_equal(vf a, vf b)
{
    return vceqq_f32(a, b);
}
/* a <= b; false for NaN */
GN_INLINE vm vf_at_most(vf a, vf b)
{
    return vcleq_f32(a, b);
}
/* lo < x < hi, strictly */
GN_INLINE vm vf_between(vf x, vf lo, vf hi)
{
    return vandq_u32(vcltq_f32(lo, x), vcltq_f32(x, hi));
}
/* x takes the lead in a maximum where NaN beats all. */
GN_INLINE vm vf_beats(vf x, vf best)
{
    return vornq_u32(vcgtq_f32(x, best), vceqq_f32(x, x));
}
GN_INLINE bool vf_has_nan(vf x)
{
    return vminvq_u32(vceqq_f32(x, x)) == 0;
}
/* a where m, b elsewhere */
GN_INLINE vf vf_select(vm m, vf a, vf b)
{
    return vbslq_f32(m, a, b);
}
/* a where m, 0 elsewhere */
GN_INLINE vf vf_keep(vm m, vf a)
{
    return vreinterpretq_f32_u32(vandq_u32(m, vreinterpretq_u32_f32(a)));
}

GN_INLINE vi vi_set(int x)
{
    return vdupq_n_s32(x);
}
GN_INLINE vi vi_select(vm m, vi a, vi b)
{
    return vbslq_s32(m, a, b);
}
GN_INLINE vm vi_equal(vi a, vi b)
{
    return vceqq_s32(a, b);
}
/* Lanes are bytes in memory. */
GN_INLINE vi vi_load_u8_n(const uint8_t *p, size_t n)
{
    uint32_t bytes = 0;
    if (n == VF_LANES)
        memcpy(&bytes, p, VF_LANES);
    else
        for (size_t i = 0; i < n; i++)
            bytes |= (uint32_t)p[i] << 8 * i;
    const uint16x8_t words = vmovl_u8(vcreate_u8(bytes));
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(words)));
}
GN_INLINE void vi_store_u8_n(uint8_t *p, vi x, size_t n)
{
    const uint16x4_t words = vmovn_u32(vreinterpretq_u32_s32(x));
    const uint32_t bytes = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(words, words))), 0);
    if (n == VF_LANES)
        memcpy(p, &bytes, VF_LANES);
    else
        for (size_t i = 0; i < n; i++)
            p[i] = (uint8_t)(bytes >> 8 * i);
}

GN_INLINE vd vd_zero(void)
{
    return (vd){vdupq_n_f64(0.0), vdupq_n_f64(0.0)};
}
/* The first n of two, n <= 2. */
GN_INLINE float64x2_t load_doubles(const double *p, size_t n)
{
    if (n >= 2)
        return vld1q_f64(p);
    return n == 1 ? vsetq_lane_f64(*p, vdupq_n_f64(0.0), 0) : vdupq_n_f64(0.0);
}
GN_INLINE void store_doubles(double *p, float64x2_t x, size_t n)
{
    if (n >= 2)
        vst1q_f64(p, x);
    else if (n == 1)
        vst1q_lane_f64(p, x, 0);
}
GN_INLINE vd vd_load_n(const double *p, size_t n)
{
    return (vd){load_doubles(p, n), load_doubles(p + 2, n > 2 ? n - 2 : 0)};
}
GN_INLINE void vd_store_n(double *p, vd x, size_t n)
{
    store_doubles(p, x.lo, n);
    store_doubles(p + 2, x.hi, n > 2 ? n - 2 : 0);
}
GN_INLINE vd vd_widen(vf x)
{
    return (vd){vcvt_f64_f32(vget_low_f32(x)), vcvt_high_f64_f32(x)};
}
GN_INLINE vd vd_add(vd a, vd b)
{
    return (vd){vaddq_f64(a.lo, b.lo), vaddq_f64(a.hi, b.hi)};
}
/* sum + x*x */
GN_INLINE vd vd_add_square(vd sum, vd x)
{
    return (vd){vfmaq_f64(sum.lo, x.lo, x.lo), vfmaq_f64(sum.hi, x.hi, x.hi)};
}
GN_INLINE double vd_sum(vd x)
{
    return vaddvq_f64(vaddq_f64(x.lo, x.hi));
}

/* Square of VF_LANES rows. */
GN_INLINE void vf_transpose(vf *row)
{
    const float32x4x2_t top = vtrnq_f32(row[0], row[1]), bottom = vtrnq_f32(row[2], row[3]);
    row[0] = vcombine_f32(vget_low_f32(top.val[0]), vget_low_f32(bottom.val[0]));
    row[1] = vcombine_f32(vget_low_f32(top.val[1]), vget_low_f32(bottom.val[1]));
    row[2] = vcombine_f32(vget_high_f32(top.val[0]), vget_high_f32(bottom.val[0]));
    row[3] = vcombine_f32(vget_high_f32(top.val[1]), vget_high_f32(bottom.val[1]));
}

#endif
