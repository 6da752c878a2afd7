/* Optimiser steps in f32 over flat ranges, as PyTorch defines them (torch.optim.SGD, Adam, AdamW), and the moving average.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_OPTIMIZER_H
#define GN_KERNELS_OPTIMIZER_H

#include "kernels/kernel.h"

/* g' = grad_scale*g + weight_decay*w.  v = momentum*v + g' (first step: v = g', flag).  w -= lr*(nesterov ? g' + momentum*v : v). */
typedef struct gn_sgd_step {
    float lr, momentum, weight_decay, grad_scale;
    bool nesterov;
    bool first; /* v = g' instead of momentum*v + g' */
} gn_sgd_step;
void gn_f32_sgd(const gn_sgd_step *s, float *w, const float *g, float *v, size_t n); /* v NULL when momentum is 0 */

/* Adam: g' = grad_scale*g + (decoupled ? 0 : weight_decay*w); decoupled: w *= 1 - lr*weight_decay first.
 * m = m + (1-b1)*(g'-m); v = b2*v + (1-b2)*g'^2; w -= lr/bias1 * m / (sqrt(v)/sqrt(bias2) + epsilon);
 * bias1 = 1-b1^t, bias2 = 1-b2^t are given. */
typedef struct gn_adam_step {
    float lr, beta1, beta2, epsilon, weight_decay, grad_scale;
    float bias1, bias2;
    bool decoupled;
} gn_adam_step;
void gn_f32_adam(const gn_adam_step *s, float *w, const float *g, float *m, float *v, size_t n);

/* e = decay*e + (1-decay)*w */
void gn_f32_ema(float decay, float *e, const float *w, size_t n);

#endif
