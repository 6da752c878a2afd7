/* The activations of gn_curve and their slopes in plain C, computed in double.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_REF_CURVE_REF_H
#define GN_KERNELS_REF_CURVE_REF_H

#include <math.h>

#include "kernels/kernel.h"

static inline double gn_curve_ref(gn_curve curve, double x)
{
    const double gate = x / 6 + 0.5;
    switch (curve.kind) {
    case GN_CURVE_SILU:
        return x / (1 + exp(-x));
    case GN_CURVE_HARD_SWISH:
        return x * (gate < 0 ? 0 : gate > 1 ? 1 : gate);
    case GN_CURVE_LEAKY_RELU:
        return x < 0 ? (double)curve.alpha * x : x;
    default:
        return x;
    }
}

static inline double gn_curve_slope_ref(gn_curve curve, double x)
{
    const double s = 1 / (1 + exp(-x));
    switch (curve.kind) {
    case GN_CURVE_SILU:
        return s * (1 + x * (1 - s));
    case GN_CURVE_HARD_SWISH:
        return x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5;
    case GN_CURVE_LEAKY_RELU:
        return x < 0 ? (double)curve.alpha : 1;
    default:
        return 1;
    }
}

#endif
