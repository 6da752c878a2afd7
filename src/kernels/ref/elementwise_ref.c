/* Elementwise kernels, plain C: the specification of elementwise.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "kernels/ref/curve_ref.h"
#include "kernels/vec_tables.h"

/* NaN compares false twice and stays. */
static float clamp1(float x, gn_clamp clamp)
{
    const float above = x < clamp.lo ? clamp.lo : x;
    return above > clamp.hi ? clamp.hi : above;
}

static void gn_f32_add__ref(const float *a, const float *b, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = a[i] + b[i];
}

static void gn_f32_add_clamp__ref(const float *a, const float *b, float *dst, size_t n, gn_clamp clamp)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = clamp1(a[i] + b[i], clamp);
}

static void gn_f32_sub__ref(const float *a, const float *b, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = a[i] - b[i];
}

static void gn_f32_mul__ref(const float *a, const float *b, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = a[i] * b[i];
}

static void gn_f32_scale__ref(const float *a, float factor, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = a[i] * factor;
}

static void gn_f32_axpy__ref(float alpha, const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += alpha * x[i];
}

static void gn_f32_fill__ref(float x, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = x;
}

static void gn_f32_clamp__ref(const float *src, float *dst, size_t n, gn_clamp clamp)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = clamp1(src[i], clamp);
}

static void gn_f32_clamp_grad__ref(const float *dy, const float *y, float *dx, size_t n, gn_clamp clamp)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = clamp.lo < y[i] && y[i] < clamp.hi ? dy[i] : 0.0f;
}

static void gn_f32_sigmoid__ref(const float *src, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = 1.0f / (1.0f + expf(-src[i]));
}

static void gn_f32_sigmoid_grad__ref(const float *dy, const float *y, float *dx, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = dy[i] * (y[i] * (1.0f - y[i]));
}

static void gn_f32_hardswish__ref(const float *src, float *dst, size_t n)
{
    const gn_clamp gate = {0.0f, 1.0f};
    for (size_t i = 0; i < n; i++)
        dst[i] = src[i] * clamp1(src[i] * (1.0f / 6.0f) + 0.5f, gate);
}

static void gn_f32_hardswish_grad__ref(const float *dy, const float *x, float *dx, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float slope = x[i] <= -3.0f ? 0.0f : x[i] >= 3.0f ? 1.0f : x[i] * (1.0f / 3.0f) + 0.5f;
        dx[i] = dy[i] * slope;
    }
}

/* ---- activations, each rounded once from double ---- */

static const gn_curve silu = {GN_CURVE_SILU, 0};

static void gn_f32_silu__ref(const float *src, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = (float)gn_curve_ref(silu, (double)src[i]);
}

static void gn_f32_silu_grad__ref(const float *dy, const float *x, float *dx, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = (float)((double)dy[i] * gn_curve_slope_ref(silu, (double)x[i]));
}

#define HALF_ROOT  0.70710678118654752440 /* sqrt(1/2) */
#define TANH_SLOPE 0.79788456080286535588 /* sqrt(2/pi) */
#define TANH_CUBIC 0.044715

static double gelu1(double x)
{
    return 0.5 * x * (1 + erf(x * HALF_ROOT));
}

static double gelu_slope1(double x)
{
    return 0.5 * (1 + erf(x * HALF_ROOT)) + x * (0.5 * TANH_SLOPE * exp(-0.5 * x * x));
}

static double gelu_tanh1(double x)
{
    return 0.5 * x * (1 + tanh(TANH_SLOPE * (x + TANH_CUBIC * x * x * x)));
}

/* Beyond 10 the slope is 0 or 1 to the last bit of a float. */
static double gelu_tanh_slope1(double far)
{
    const double x = far > 10 ? 10 : far < -10 ? -10 : far;
    const double t = tanh(TANH_SLOPE * (x + TANH_CUBIC * x * x * x));
    return 0.5 * (1 + t + x * (1 - t * t) * TANH_SLOPE * (1 + 3 * TANH_CUBIC * x * x));
}

static void map1(double (*fn)(double), const float *src, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = (float)fn((double)src[i]);
}

static void gn_f32_leaky_relu__ref(const float *src, float *dst, size_t n, float alpha)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = src[i] < 0.0f ? alpha * src[i] : src[i];
}

static void gn_f32_leaky_relu_grad__ref(const float *dy, const float *x, float *dx, size_t n, float alpha)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = x[i] < 0.0f ? alpha * dy[i] : dy[i];
}

static void gn_f32_hardsigmoid__ref(const float *src, float *dst, size_t n, float alpha, float beta)
{
    const gn_clamp gate = {0.0f, 1.0f};
    for (size_t i = 0; i < n; i++)
        dst[i] = clamp1(src[i] * alpha + beta, gate);
}

static void gn_f32_hardsigmoid_grad__ref(const float *dy, const float *y, float *dx, size_t n, float alpha)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = y[i] > 0.0f && y[i] < 1.0f ? alpha * dy[i] : 0.0f;
}

static void gn_f32_elu__ref(const float *src, float *dst, size_t n, float alpha)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = src[i] < 0.0f ? (float)((double)alpha * expm1((double)src[i])) : src[i];
}

static void gn_f32_elu_grad__ref(const float *dy, const float *x, float *dx, size_t n, float alpha)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = x[i] >= 0.0f ? dy[i] : (float)((double)dy[i] * (double)alpha * exp((double)x[i]));
}

static void gn_f32_gelu__ref(const float *src, float *dst, size_t n)
{
    map1(gelu1, src, dst, n);
}

static void gn_f32_gelu_grad__ref(const float *dy, const float *x, float *dx, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = (float)((double)dy[i] * gelu_slope1((double)x[i]));
}

static void gn_f32_gelu_tanh__ref(const float *src, float *dst, size_t n)
{
    map1(gelu_tanh1, src, dst, n);
}

static void gn_f32_gelu_tanh_grad__ref(const float *dy, const float *x, float *dx, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = (float)((double)dy[i] * gelu_tanh_slope1((double)x[i]));
}

static void gn_f32_tanh__ref(const float *src, float *dst, size_t n)
{
    map1(tanh, src, dst, n);
}

static void gn_f32_tanh_grad__ref(const float *dy, const float *y, float *dx, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = dy[i] * (1.0f - y[i] * y[i]);
}

static void gn_f32_exp__ref(const float *src, float *dst, size_t n)
{
    map1(exp, src, dst, n);
}

static void gn_f32_erf__ref(const float *src, float *dst, size_t n)
{
    map1(erf, src, dst, n);
}

/* ---- rows ---- */

static void gn_f32_add_rows__ref(const float *a, const float *b, float *dst, size_t rows, size_t C)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < C; c++)
            dst[r * C + c] = a[r * C + c] + b[c];
}

static void gn_f32_mul_rows__ref(const float *a, const float *b, float *dst, size_t rows, size_t C)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < C; c++)
            dst[r * C + c] = a[r * C + c] * b[c];
}

static void gn_f32_scale_shift_rows__ref(const float *a, const float *scale, const float *shift, float *dst,
                                         size_t rows, size_t C, gn_clamp clamp)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < C; c++)
            dst[r * C + c] = clamp1(a[r * C + c] * scale[c] + shift[c], clamp);
}

static void gn_f32_sum_rows__ref(const float *a, float *dst, size_t rows, size_t C)
{
    for (size_t c = 0; c < C; c++) {
        double sum = 0.0;
        for (size_t r = 0; r < rows; r++)
            sum += a[r * C + c];
        dst[c] = (float)sum;
    }
}

static void gn_f32_copy_rows__ref(const float *src, size_t src_stride, float *dst, size_t dst_stride, size_t rows,
                                  size_t width)
{
    for (size_t r = 0; r < rows; r++)
        memcpy(dst + r * dst_stride, src + r * src_stride, width * sizeof(float));
}

static void gn_f32_chw_to_hwc__ref(const float *src, float *dst, size_t C, size_t HW)
{
    for (size_t i = 0; i < HW; i++)
        for (size_t c = 0; c < C; c++)
            dst[i * C + c] = src[c * HW + i];
}

static void gn_f32_hwc_to_chw__ref(const float *src, float *dst, size_t C, size_t HW)
{
    for (size_t c = 0; c < C; c++)
        for (size_t i = 0; i < HW; i++)
            dst[c * HW + i] = src[i * C + c];
}

static void gn_f32_shuffle_rows__ref(const float *src, float *dst, size_t rows, size_t groups, size_t n)
{
    for (size_t r = 0; r < rows; r++)
        gn_f32_chw_to_hwc__ref(src + r * groups * n, dst + r * groups * n, groups, n);
}

static void gn_f32_interleave_rows__ref(const float *a, size_t a_stride, const float *b, size_t b_stride, float *dst,
                                        size_t dst_stride, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++) {
        const float *restrict x = a + r * a_stride, *restrict y = b + r * b_stride;
        float *restrict to = dst + r * dst_stride;
        for (size_t i = 0; i < n; i++) {
            to[2 * i] = x[i];
            to[2 * i + 1] = y[i];
        }
    }
}

static void gn_f32_softmax_columns__ref(const float *src, float *dst, size_t n, size_t stride, size_t columns)
{
    for (size_t c = 0; c < columns; c++) {
        float largest = -INFINITY;
        for (size_t i = 0; i < n; i++)
            largest = src[i * stride + c] > largest ? src[i * stride + c] : largest;
        double sum = 0.0;
        for (size_t i = 0; i < n; i++) {
            dst[i * stride + c] = expf(src[i * stride + c] - largest);
            sum += dst[i * stride + c];
        }
        const float inverse = (float)(1.0 / sum);
        for (size_t i = 0; i < n; i++)
            dst[i * stride + c] *= inverse;
    }
}

static void gn_f32_softmax_rows__ref(const float *src, float *dst, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++) {
        const float *x = src + r * n;
        float *y = dst + r * n;
        float largest = -INFINITY;
        for (size_t i = 0; i < n; i++)
            largest = x[i] > largest ? x[i] : largest;
        double sum = 0.0;
        for (size_t i = 0; i < n; i++) {
            y[i] = expf(x[i] - largest);
            sum += y[i];
        }
        const float inverse = (float)(1.0 / sum);
        for (size_t i = 0; i < n; i++)
            y[i] *= inverse;
    }
}

static double gn_f32_sum_squares__ref(const float *x, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

static bool gn_f32_all_finite__ref(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

#define GN_KERNEL(name, params, args) .name = name##__ref,
const gn_elementwise_table gn_elementwise__ref = {
#include "kernels/elementwise.def"
    .gn_f32_sum_squares = gn_f32_sum_squares__ref,
    .gn_f32_all_finite = gn_f32_all_finite__ref,
};
#undef GN_KERNEL
