/* Pooling in f32 over N,H,W,C: max (with the winner's position for the gradient), average, global and adaptive average.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_POOLING_H
#define GN_KERNELS_POOLING_H

#include "kernels/kernel.h"

/* src [N,H,W,C], dst [N,P,Q,C]; window R x S.  Padding never wins a maximum.  count_padding: average over R*S always, else over
 * the pixels inside the picture. */
typedef struct gn_window {
    int N, H, W, C, P, Q, R, S;
    int stride_h, stride_w, pad_top, pad_left, dil_h, dil_w;
    bool count_padding;
    /* Forward only: floats from a pixel of src (dst) to the next, at least C; 0: C.  argmax is always dense. */
    int src_stride, dst_stride;
} gn_window;

static inline int gn_window_src_stride(const gn_window *p)
{
    return p->src_stride > 0 ? p->src_stride : p->C;
}

static inline int gn_window_dst_stride(const gn_window *p)
{
    return p->dst_stride > 0 ? p->dst_stride : p->C;
}

int gn_pool_tasks(const gn_window *p); /* for the forward jobs: over output rows */
/* argmax: u8 [N,P,Q,C], r*S+s of the first largest in scan order (R*S <= 255), or NULL.  NaN wins, the last one if several. */
void gn_maxpool_fwd_task(const gn_window *p, const float *src, float *dst, uint8_t *argmax, int task);
int gn_pool_bwd_tasks(const gn_window *p); /* for the backward jobs: over input rows, which gather */
void gn_maxpool_bwd_task(const gn_window *p, const float *ddst, const uint8_t *argmax, float *dsrc, int task);
void gn_avgpool_fwd_task(const gn_window *p, const float *src, float *dst, int task);
void gn_avgpool_bwd_task(const gn_window *p, const float *ddst, float *dsrc, int task);
/* Adaptive average pooling (PyTorch): output cell i covers rows floor(i*H/P) .. ceil((i+1)*H/P)-1.  P = Q = 1 is the global
 * average.  Only N,H,W,C,P,Q of the window are used. */
int gn_adaptive_tasks(const gn_window *p);
void gn_adaptive_fwd_task(const gn_window *p, const float *src, float *dst, int task);
void gn_adaptive_bwd_task(const gn_window *p, const float *ddst, float *dsrc, int task);

#endif
