/* Depthwise convolution in f32 (groups = channels, multiplier 1): forward, gradient by data, gradient by weights.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_DEPTHWISE_H
#define GN_KERNELS_DEPTHWISE_H

#include "kernels/conv.h"

/* The struct gn_conv is used with groups = C = K.  Weights logically [C,1,R,S]; packed as [R*S][C] rows followed by bias [C]. */
size_t gn_dw_pack_bytes(const gn_conv *p);
void gn_dw_pack(const gn_conv *p, const float *w, const float *bias, const float *scale, void *packed);

typedef struct gn_dw_fwd {
    gn_conv p;
    const float *src;      /* [N,H,W,C] */
    const void *packed;    /* from gn_dw_pack */
    const float *residual; /* [N,P,Q,C] or NULL */
    float *dst;            /* [N,P,Q,C] */
    gn_clamp clamp;
    gn_curve curve; /* as in gn_conv_fwd */
} gn_dw_fwd;
int gn_dw_fwd_tasks(const gn_conv *p);
void gn_dw_fwd_task(const gn_dw_fwd *call, int task);

typedef struct gn_dw_bwd_data {
    gn_conv p;
    const float *ddst;
    const void *packed; /* from gn_dw_pack (bias is not used) */
    float *dsrc;
    bool accumulate;
} gn_dw_bwd_data;
int gn_dw_bwd_data_tasks(const gn_conv *p);
void gn_dw_bwd_data_task(const gn_dw_bwd_data *call, int task);

/* Two jobs as in gn_conv_bwd_weight. */
typedef struct gn_dw_bwd_weight {
    gn_conv p;
    const float *src, *ddst;
    float *dw;    /* [C,1,R,S] */
    float *dbias; /* [C] or NULL */
    void *partial;
} gn_dw_bwd_weight;
size_t gn_dw_bwd_weight_partial_bytes(const gn_conv *p);
int gn_dw_bwd_weight_tasks(const gn_conv *p);
void gn_dw_bwd_weight_task(const gn_dw_bwd_weight *call, int task);
int gn_dw_bwd_weight_reduce_tasks(const gn_conv *p);
void gn_dw_bwd_weight_reduce_task(const gn_dw_bwd_weight *call, int task);

#endif
