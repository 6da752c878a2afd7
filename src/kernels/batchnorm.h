/* Batch normalisation in training, f32, over rows of channels: x is [rows, C] with rows = N*H*W of an N,H,W,C buffer.
 * Forward: statistics (one job of partials, one reduction), then normalise + activation in one pass.
 * Backward: reduction of g and g*xhat, where g is dy behind the clamp's mask or times the slope of the curve at the normalised x,
 * which is computed again (the same bits as in forward); then dx in one pass.
 * Source: Ioffe and Szegedy 2015.  Variance for normalising is biased; the running variance gets the unbiased one (PyTorch).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_BATCHNORM_H
#define GN_KERNELS_BATCHNORM_H

#include "kernels/kernel.h"

typedef struct gn_bn {
    int64_t rows;
    int C;
    float epsilon;
    float momentum; /* running = (1-momentum)*running + momentum*batch */
    gn_clamp clamp; /* applied to y; backward passes dy only where lo < y < hi */
    gn_curve curve; /* applied to y in front of the clamp, which is open then */
} gn_bn;

typedef struct gn_bn_fwd {
    gn_bn p;
    const float *x, *scale, *shift; /* [rows,C], [C], [C] */
    const float *running_mean_in, *running_var_in;
    float *y;                          /* [rows,C]; not x, which backward needs */
    float *running_mean, *running_var; /* [C], updated; may equal the _in pointers */
    float *mean, *invstd;              /* [C], kept for backward */
    void *partial;
} gn_bn_fwd;
size_t gn_bn_partial_bytes(const gn_bn *p); /* enough for forward and backward */
int gn_bn_tasks(const gn_bn *p);            /* tasks of each of the three row-wise jobs below */
void gn_bn_stats_task(const gn_bn_fwd *call, int task);
void gn_bn_stats_reduce(const gn_bn_fwd *call); /* single task: mean, invstd, running statistics */
void gn_bn_normalise_task(const gn_bn_fwd *call, int task);

/* The clamp's mask and the slope of the curve are taken at the normalised x, computed again: reading y would cost more. */
typedef struct gn_bn_bwd {
    gn_bn p;
    const float *dy, *x, *scale, *shift, *mean, *invstd;
    float *dx;              /* [rows,C]; may equal dy */
    float *dscale, *dshift; /* [C] */
    void *partial;
} gn_bn_bwd;
void gn_bn_bwd_stats_task(const gn_bn_bwd *call, int task);
void gn_bn_bwd_reduce(const gn_bn_bwd *call); /* single task: dscale, dshift */
void gn_bn_bwd_dx_task(const gn_bn_bwd *call, int task);

#endif
