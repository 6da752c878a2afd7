/* The activations of gn_curve as formulas in f64.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_CHECK_CURVE_H
#define GN_TESTS_CHECK_CURVE_H

#include <math.h>

#include "kernels/kernel.h"

static inline double check_curve(gn_curve curve, double z)
{
    switch (curve.kind) {
    case GN_CURVE_SILU:
        return z / (1 + exp(-z));
    case GN_CURVE_HARD_SWISH:
        return z * fmin(fmax(z / 6 + 0.5, 0), 1);
    case GN_CURVE_LEAKY_RELU:
        return z < 0 ? (double)curve.alpha * z : z;
    default:
        return z;
    }
}

static inline double check_curve_slope(gn_curve curve, double z)
{
    const double s = 1 / (1 + exp(-z));
    switch (curve.kind) {
    case GN_CURVE_SILU:
        return s + z * s * (1 - s);
    case GN_CURVE_HARD_SWISH:
        return fabs(z) < 3 ? z / 3 + 0.5 : z > 0;
    case GN_CURVE_LEAKY_RELU:
        return z < 0 ? (double)curve.alpha : 1;
    default:
        return 1;
    }
}

#endif
