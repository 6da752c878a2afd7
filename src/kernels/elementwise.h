/* Elementwise f32 kernels over flat ranges of n elements; the caller splits the range.  dst may equal any source.
 * Gradients take dy and what they need of the forward pass.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_ELEMENTWISE_H
#define GN_KERNELS_ELEMENTWISE_H

#include "kernels/kernel.h"

void gn_f32_add(const float *a, const float *b, float *dst, size_t n);
void gn_f32_add_clamp(const float *a, const float *b, float *dst, size_t n, gn_clamp clamp);
void gn_f32_sub(const float *a, const float *b, float *dst, size_t n);
void gn_f32_mul(const float *a, const float *b, float *dst, size_t n);
void gn_f32_scale(const float *a, float factor, float *dst, size_t n);
void gn_f32_axpy(float alpha, const float *x, float *y, size_t n); /* y += alpha*x */
void gn_f32_fill(float x, float *dst, size_t n);
void gn_f32_clamp(const float *src, float *dst, size_t n, gn_clamp clamp);
/* dx = dy where lo < y < hi (strictly), else 0; y is the clamped output. */
void gn_f32_clamp_grad(const float *dy, const float *y, float *dx, size_t n, gn_clamp clamp);
void gn_f32_sigmoid(const float *src, float *dst, size_t n);
void gn_f32_sigmoid_grad(const float *dy, const float *y, float *dx, size_t n); /* dy*y*(1-y) */
void gn_f32_hardswish(const float *src, float *dst, size_t n);                  /* x*clamp(x/6+0.5,0,1) */
void gn_f32_hardswish_grad(const float *dy, const float *x, float *dx, size_t n);
void gn_f32_silu(const float *src, float *dst, size_t n); /* x/(1+e^-x) */
void gn_f32_silu_grad(const float *dy, const float *x, float *dx, size_t n);
/* Activations; gradients take the input x of the forward pass, or its result y.  Errors: a few units in the last place of
 * max(1, |x|). */
void gn_f32_leaky_relu(const float *src, float *dst, size_t n, float alpha); /* x < 0 ? alpha*x : x */
void gn_f32_leaky_relu_grad(const float *dy, const float *x, float *dx, size_t n, float alpha);
void gn_f32_hardsigmoid(const float *src, float *dst, size_t n, float alpha, float beta); /* clamp(alpha*x+beta,0,1) */
void gn_f32_hardsigmoid_grad(const float *dy, const float *y, float *dx, size_t n, float alpha);
void gn_f32_elu(const float *src, float *dst, size_t n, float alpha); /* x < 0 ? alpha*(e^x-1) : x */
void gn_f32_elu_grad(const float *dy, const float *x, float *dx, size_t n, float alpha);
void gn_f32_gelu(const float *src, float *dst, size_t n); /* x/2*(1+erf(x/sqrt(2))) */
void gn_f32_gelu_grad(const float *dy, const float *x, float *dx, size_t n);
void gn_f32_gelu_tanh(const float *src, float *dst, size_t n); /* x/2*(1+tanh(sqrt(2/pi)*(x+0.044715*x^3))) */
void gn_f32_gelu_tanh_grad(const float *dy, const float *x, float *dx, size_t n);
void gn_f32_tanh(const float *src, float *dst, size_t n);
void gn_f32_tanh_grad(const float *dy, const float *y, float *dx, size_t n); /* dy*(1-y*y) */
void gn_f32_exp(const float *src, float *dst, size_t n);                     /* below -87.3 perhaps 0 */
void gn_f32_erf(const float *src, float *dst, size_t n);
/* rows x C: dst[r,c] = a[r,c] op b[c] (bias and per-channel scale), and [N,HW,C] times [N,C] (squeeze and excitation). */
void gn_f32_add_rows(const float *a, const float *b, float *dst, size_t rows, size_t C);
void gn_f32_mul_rows(const float *a, const float *b, float *dst, size_t rows, size_t C);
/* dst[r,c] = clamp(a[r,c]*scale[c] + shift[c]): normalisation with fixed statistics, and its activation. */
void gn_f32_scale_shift_rows(const float *a, const float *scale, const float *shift, float *dst, size_t rows, size_t C,
                             gn_clamp clamp);
/* sum over rows into dst[C], pairwise-stable order fixed by rows and C. */
void gn_f32_sum_rows(const float *a, float *dst, size_t rows, size_t C);
/* Copy rows of `width` floats between buffers with row strides (in floats): Concat and its gradient in N,H,W,C. */
void gn_f32_copy_rows(const float *src, size_t src_stride, float *dst, size_t dst_stride, size_t rows, size_t width);
/* [N,C,HW] <-> [N,HW,C] for image n of a batch: one image per call. */
void gn_f32_chw_to_hwc(const float *src, float *dst, size_t C, size_t HW);
void gn_f32_hwc_to_chw(const float *src, float *dst, size_t C, size_t HW);
/* Rows of groups*n floats as [groups][n], transposed within each row: shuffle of channels that lie last. */
void gn_f32_shuffle_rows(const float *src, float *dst, size_t rows, size_t groups, size_t n);
/* Rows r of dst: a[0], b[0], a[1], b[1], ... a[n-1], b[n-1] from rows r of a and b; the strides are the floats from a row to the next. */
void gn_f32_interleave_rows(const float *a, size_t a_stride, const float *b, size_t b_stride, float *dst,
                            size_t dst_stride, size_t rows, size_t n);
/* Numerically stable softmax of each row of n floats. */
void gn_f32_softmax_rows(const float *src, float *dst, size_t rows, size_t n);
/* The same down columns: element i of column c lies at i*stride + c, columns <= stride; dst lies alike. */
void gn_f32_softmax_columns(const float *src, float *dst, size_t n, size_t stride, size_t columns);
/* Sum of squares in double with fixed order (for gradient norms). */
double gn_f32_sum_squares(const float *x, size_t n);
/* true when every element is finite. */
bool gn_f32_all_finite(const float *x, size_t n);

#endif
