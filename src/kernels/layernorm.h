/* Layer normalisation of rows, f32: x is [rows, C], each row normalised by its own mean and variance, then scaled and shifted per column.
 * Forward is one pass over each row in the caches; backward computes mean and deviation again instead of reading them.
 * Source: Ba et al. 2016.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_LAYERNORM_H
#define GN_KERNELS_LAYERNORM_H

#include "kernels/kernel.h"

typedef struct gn_ln {
    int64_t rows;
    int C;
    float epsilon;
} gn_ln;

typedef struct gn_ln_fwd {
    gn_ln p;
    const float *x, *scale, *shift; /* [rows,C], [C], [C] or NULL (zeros) */
    float *y;                       /* [rows,C]; may equal x */
    float *mean, *invstd;           /* [rows], or NULL */
} gn_ln_fwd;
int gn_ln_tasks(const gn_ln *p); /* tasks of the row-wise jobs */
void gn_ln_fwd_task(const gn_ln_fwd *call, int task);

typedef struct gn_ln_bwd {
    gn_ln p;
    const float *dy, *x, *scale;
    float *dx;              /* [rows,C]; may equal dy */
    float *dscale, *dshift; /* [C] */
    void *partial;
} gn_ln_bwd;
size_t gn_ln_partial_bytes(const gn_ln *p);
void gn_ln_bwd_task(const gn_ln_bwd *call, int task);
void gn_ln_bwd_reduce(const gn_ln_bwd *call); /* single task: dscale, dshift */

#endif
