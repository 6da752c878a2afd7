/* SIMD vocabulary: one set of verbs per instruction set, so that a vec_*.inc template becomes the kernels of each.
 * Included by files of x86/ and arm/ only; all functions are static, so no other file ever runs code of the wrong level.
 *
 * vf: VF_LANES floats.  vi: as many 32-bit integers.  vm: a mask of lanes.  vd: as many doubles (two registers).
 * Verbs ending in _n touch the first n lanes only (1 <= n <= VF_LANES): loads give 0 in the others, stores leave memory alone.
 * vf_min and vf_max give NaN when b is NaN; when only a is, b on x86 and NaN on ARM.  fma is fused.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_SIMD_F32_H
#define GN_KERNELS_SIMD_F32_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GN_INLINE static inline __attribute__((always_inline))
#define GN_UNROLL _Pragma("GCC unroll 32")

#if defined(__AVX512F__)
#include "kernels/x86/simd_f32_avx512.h"
#elif defined(__AVX2__)
#include "kernels/x86/simd_f32_avx2.h"
#elif defined(__aarch64__)
#include "kernels/arm/simd_f32_neon.h"
#else
#error "no SIMD vocabulary for this instruction set"
#endif

/* Asks for the cache line `ahead` floats after p, which may lie outside any buffer. */
GN_INLINE void vf_prefetch(const float *p, ptrdiff_t ahead)
{
    __builtin_prefetch((const void *)((uintptr_t)p + (uintptr_t)ahead * sizeof(float)));
}

/* x, kept in a register: otherwise the compiler loads it again for each of its uses.  ARM has no arithmetic on memory. */
GN_INLINE vf vf_pin(vf x)
{
#ifndef __aarch64__
    __asm__("" : "+v"(x));
#endif
    return x;
}

/* p, of which the compiler knows no more where it comes from: on ARM it would keep the distance of every load of a window in a register,
 * more than there are. */
GN_INLINE const float *vf_pin_row(const float *p)
{
#ifdef __aarch64__
    __asm__("" : "+r"(p));
#endif
    return p;
}

GN_INLINE vf vf_clamp(vf x, vf lo, vf hi)
{
    return vf_min(hi, vf_max(lo, x));
}

/* exp with an error below 1.5 ulp: x = n*ln2 + r, |r| <= ln2/2; exp(r) by a polynomial of degree 6 that interpolates at
 * Chebyshev nodes.  Results below the normal range lose precision or become 0; above 88.73 they are Inf. */
GN_INLINE vf vf_exp(vf x)
{
    const vf bounded = vf_clamp(x, vf_set(-104.0f), vf_set(89.0f));
    const vf n = vf_round(vf_mul(bounded, vf_set(1.442695041f)));
    /* ln2 = 0.693359375 - 2.12194442e-4: the first has 9 bits, so its product with n is exact. */
    const vf r = vf_fma(n, vf_set(2.121944417e-4f), vf_fnma(n, vf_set(0.693359375f), bounded));
    vf p = vf_fma(vf_set(1.392618404e-3f), r, vf_set(8.363178931e-3f));
    p = vf_fma(p, r, vf_set(4.166655615e-2f));
    p = vf_fma(p, r, vf_set(1.666657627e-1f));
    p = vf_fma(p, r, vf_set(0.5f));
    p = vf_fma(vf_mul(r, r), p, r);
    return vf_scale2(vf_add(p, vf_set(1.0f)), n);
}

#endif
