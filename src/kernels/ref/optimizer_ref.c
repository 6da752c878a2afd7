/* Optimiser steps, plain C: the specification of optimizer.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels/vec_tables.h"

static void gn_f32_sgd__ref(const gn_sgd_step *s, float *w, const float *g, float *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float grad = s->grad_scale * g[i] + s->weight_decay * w[i];
        float step = grad;
        if (v) {
            v[i] = s->first ? grad : s->momentum * v[i] + grad;
            step = s->nesterov ? grad + s->momentum * v[i] : v[i];
        }
        w[i] -= s->lr * step;
    }
}

static void gn_f32_adam__ref(const gn_adam_step *s, float *w, const float *g, float *m, float *v, size_t n)
{
    const float keep = s->decoupled ? 1.0f - s->lr * s->weight_decay : 1.0f;
    const float decay = s->decoupled ? 0.0f : s->weight_decay;
    const float step = s->lr / s->bias1;
    const float root_bias2 = sqrtf(s->bias2);
    for (size_t i = 0; i < n; i++) {
        const float grad = s->grad_scale * g[i] + decay * w[i];
        m[i] += (1.0f - s->beta1) * (grad - m[i]);
        v[i] = s->beta2 * v[i] + (1.0f - s->beta2) * (grad * grad);
        w[i] = keep * w[i] - step * (m[i] / (sqrtf(v[i]) / root_bias2 + s->epsilon));
    }
}

static void gn_f32_ema__ref(float decay, float *e, const float *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        e[i] = decay * e[i] + (1.0f - decay) * w[i];
}

#define GN_KERNEL(name, params, args) .name = name##__ref,
const gn_optimizer_table gn_optimizer__ref = {
#include "kernels/optimizer.def"
};
#undef GN_KERNEL
