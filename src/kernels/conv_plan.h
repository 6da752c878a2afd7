/* How convolution is cut into tasks, tiles and panels: private to the conv_*.c files.
 *
 * Forward and gradient by data are one problem, "taps": every pixel of a result picture is a sum over filter taps of
 * (row of channels of a source picture) x (matrix of that tap).  Forward: the source is src, the result dst.  Gradient by data: the
 * source is ddst, the result dsrc; with a stride s only every s-th tap meets a given pixel, so pixels are sorted into
 * stride_h*stride_w classes, each with its own taps, and no product with zero is ever computed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_CONV_PLAN_H
#define GN_KERNELS_CONV_PLAN_H

#include "kernels/conv.h"
#include "kernels/igemm.h"

/* What is larger than this does not stay in caches from one layer to the next. */
#define GN_CONV_CACHED_BYTES (16.0 * 1024 * 1024)

/* Panels: the columns (channels of the result) of one group in blocks of 2*vec; the last may be one vector wide. */
typedef struct gn_conv_taps {
    const gn_igemm *kernels;
    int N, src_h, src_w, src_c, dst_h, dst_w, dst_c;
    int src_pixel, dst_pixel; /* floats from one pixel to the next */
    int R, S, groups;
    int kc, nc;               /* channels of source and result per group */
    int taps;                 /* R*S */
    int classes_h, classes_w; /* 1 x 1 in forward direction */
    int stride_h, stride_w, pad_top, pad_left, dil_h, dil_w;
    bool is_backward;
    int nr, panels;                 /* columns of a full panel; panels per group */
    bool bypass;                    /* the result is too large to stay in the caches */
    int panel_blocks, pixel_blocks; /* tasks per (class, group): panel_blocks * pixel_blocks */
} gn_conv_taps;

void gn_conv_taps_forward(const gn_conv *p, gn_conv_taps *t);
void gn_conv_taps_backward(const gn_conv *p, gn_conv_taps *t);
/* The cut into tasks that suits so many threads (0: nobody knows how many). */
void gn_conv_taps_cut(gn_conv_taps *t, int threads);

int gn_conv_taps_tasks(const gn_conv_taps *t);
/* Tiles of pixels per class. */
int gn_conv_taps_tiles(const gn_conv_taps *t);
size_t gn_conv_taps_scratch_bytes(const gn_conv_taps *t);
size_t gn_conv_taps_pack_bytes(const gn_conv_taps *t);

/* Where a panel lies: its first column within the group, its width n (real columns), its stride ldb (n rounded up to vectors), and
 * its offset in the packed block, in floats: ldb floats of bias, then taps*kc rows of ldb floats, taps sorted by class. */
typedef struct gn_conv_panel {
    int group, column, n, ldb;
    size_t offset;
} gn_conv_panel;
gn_conv_panel gn_conv_taps_panel(const gn_conv_taps *t, int index); /* 0 .. groups*panels-1 */

/* The class whose pixels tap r*S+s meets; in a packed panel the taps are sorted by class, then by index. */
int gn_conv_taps_class(const gn_conv_taps *t, int tap);

typedef struct gn_conv_taps_call {
    const float *src, *packed, *residual, *zeros;
    float *dst;
    gn_clamp clamp;
    gn_curve curve;
} gn_conv_taps_call;
void gn_conv_taps_task(const gn_conv_taps *t, const gn_conv_taps_call *call, int task, void *scratch);

/* First of `count` things in block `block` of `blocks`, as even as possible. */
int64_t gn_conv_cut(int64_t count, int blocks, int block);

#endif
