/* Elementwise kernels, plain C: the specification of elementwise.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

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
