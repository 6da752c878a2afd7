/* The activations of gn_curve and their slopes, for the vec_*.inc templates and the micro-kernels of convolution.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_VEC_CURVES_H
#define GN_KERNELS_VEC_CURVES_H

#include "kernels/kernel.h"
#include "kernels/simd_f32.h"

/* 1/(1+e^-x): e^-x is Inf below -88.7, and the result then 0 instead of a denormal number. */
GN_INLINE vf vf_sigmoid(vf x)
{
    const vf one = vf_set(1.0f);
    return vf_div(one, vf_add(one, vf_exp(vf_sub(vf_zero(), x))));
}

/* The curve of a call as a constant: runs the statement with `kind` being it. */
#define GN_WITH_CURVE(its_kind, ...)                                                                                   \
    switch (its_kind) {                                                                                                \
    case GN_CURVE_SILU: {                                                                                              \
        const gn_curve_kind kind = GN_CURVE_SILU;                                                                      \
        __VA_ARGS__;                                                                                                   \
        break;                                                                                                         \
    }                                                                                                                  \
    case GN_CURVE_HARD_SWISH: {                                                                                        \
        const gn_curve_kind kind = GN_CURVE_HARD_SWISH;                                                                \
        __VA_ARGS__;                                                                                                   \
        break;                                                                                                         \
    }                                                                                                                  \
    case GN_CURVE_LEAKY_RELU: {                                                                                        \
        const gn_curve_kind kind = GN_CURVE_LEAKY_RELU;                                                                \
        __VA_ARGS__;                                                                                                   \
        break;                                                                                                         \
    }                                                                                                                  \
    default: {                                                                                                         \
        const gn_curve_kind kind = GN_CURVE_NONE;                                                                      \
        __VA_ARGS__;                                                                                                   \
        break;                                                                                                         \
    }                                                                                                                  \
    }

/* y of a curve whose kind is a constant; alpha: of LeakyRelu. */
GN_INLINE vf vf_curve(gn_curve_kind kind, vf x, vf alpha)
{
    const vf one = vf_set(1.0f);
    switch (kind) {
    case GN_CURVE_SILU:
        return vf_div(x, vf_add(one, vf_exp(vf_sub(vf_zero(), x))));
    case GN_CURVE_HARD_SWISH:
        return vf_mul(x, vf_clamp(vf_fma(x, vf_set(1.0f / 6.0f), vf_set(0.5f)), vf_zero(), one));
    case GN_CURVE_LEAKY_RELU:
        return vf_select(vf_at_most(vf_zero(), x), x, vf_mul(alpha, x));
    default:
        return x;
    }
}

/* dy times the slope of the curve at x. */
GN_INLINE vf vf_curve_grad(gn_curve_kind kind, vf dy, vf x, vf alpha)
{
    const vf one = vf_set(1.0f), zero = vf_zero();
    const vf middle = vf_fma(x, vf_set(1.0f / 3.0f), vf_set(0.5f)); /* of HardSwish */
    switch (kind) {
    case GN_CURVE_SILU: {
        const vf s = vf_sigmoid(x), rest = vf_mul(x, vf_sub(one, s));
        return vf_mul(dy, vf_fma(s, rest, s));
    }
    case GN_CURVE_HARD_SWISH:
        return vf_mul(
            dy, vf_select(vf_at_most(vf_set(3.0f), x), one, vf_select(vf_at_most(x, vf_set(-3.0f)), zero, middle)));
    case GN_CURVE_LEAKY_RELU:
        return vf_select(vf_at_most(x, zero), vf_select(vf_equal(x, zero), dy, vf_mul(alpha, dy)), dy);
    default:
        return dy;
    }
}

#endif
