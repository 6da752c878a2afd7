/* Reference convolution and its gradients on plain f32 or f64 tensors, shared by Conv, FusedConv and their gradient operators.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_CONV_REF_H
#define GN_OPS_CONV_REF_H

#include "kernels/kernel.h"
#include "ops/spatial.h"

/* y = clamp(curve(scale * conv(x, w) + bias) + residual, lo, hi); scale, bias ([K] each) and residual may be NULL.  All tensors plain and of one real type.
 * GN_EUNSUPPORTED: another element type or memory layout. */
gn_status gn_conv_ref_forward(const gn_spatial *g, const gn_tensor *x, const gn_tensor *w, const gn_tensor *bias,
                              const gn_tensor *residual, const gn_tensor *scale, gn_tensor *y, gn_curve curve,
                              double lo, double hi);
gn_status gn_conv_ref_grad_data(const gn_spatial *g, const gn_tensor *dy, const gn_tensor *w, gn_tensor *dx);
gn_status gn_conv_ref_grad_weight(const gn_spatial *g, const gn_tensor *dy, const gn_tensor *x, gn_tensor *dw);

#endif
