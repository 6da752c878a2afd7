/* Dense and grouped convolution and matrix product in f32: forward, gradient by data, gradient by weights.
 * Sums are in f32 in an order fixed by the sizes and the CPU level (the ref level sums a tile in double); sums over pixels go through partial sums of at most 256
 * (of one row where C <= 4).  Packed weights belong to the CPU level at which they were packed.  Results over 16 MiB are
 * written past the caches.
 * 3x3 filters with stride 1 go through Winograd's tiles where that is faster (conv_winograd.h): errors there are some units in the last
 * place of the largest results of a tile of at most 4x4, and a NaN or infinity reaches all of its tile.
 * Implicit GEMM over N,H,W,C: no im2col buffer; each task gathers row pointers for its tile of output pixels, with a row of
 * zeros where the filter overlaps the padding.
 * A fully connected layer is a 1x1 convolution over N pixels (H = W = 1).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_CONV_H
#define GN_KERNELS_CONV_H

#include "kernels/kernel.h"

/* How a forward convolution is computed, and how it is cut into tasks.  All zero: a cost model decides from the sizes alone.
 * Choices of one algorithm that differ in the cut only give the same bits. */
typedef enum gn_conv_algorithm {
    GN_CONV_MODEL = 0, /* decides the cost model */
    GN_CONV_DIRECT,    /* implicit matrix product (conv_taps.c) */
    GN_CONV_FEW,       /* at most four input channels (conv_few.c) */
    GN_CONV_WINOGRAD2, /* Winograd's tiles of 2x2 results */
    GN_CONV_WINOGRAD4, /* of 4x4 */
    GN_CONV_ALGORITHMS
} gn_conv_algorithm;
typedef struct gn_conv_choice {
    gn_conv_algorithm algorithm;
    int panels; /* blocks of columns, each a task of its own for each block of pixels; 0: the model's */
    int pixels; /* blocks of pixels; 0: the model's */
} gn_conv_choice;

/* src: [N,H,W,C]; dst: [N,P,Q,K]; weights logically [K,C/groups,R,S] (ONNX's OIHW).
 * P = (H + pad_top + pad_bottom - dil_h*(R-1) - 1)/stride_h + 1, likewise Q.  C and K are multiples of groups. */
typedef struct gn_conv {
    int N, H, W, C;
    int P, Q, K;
    int R, S;
    int stride_h, stride_w, pad_top, pad_left, dil_h, dil_w;
    int groups;
    /* Forward only: floats from a pixel of src (dst and residual) to the next, at least C (K); 0: C (K).  Larger where the channels are a
     * slice of a picture that has more of them. */
    int src_stride, dst_stride;
    /* One of gn_conv_fwd_choices; for the gradient by data what gn_conv_bwd_data_chosen gives; or zeros. */
    gn_conv_choice choice;
} gn_conv;

static inline int gn_conv_src_stride(const gn_conv *p)
{
    return p->src_stride > 0 ? p->src_stride : p->C;
}

static inline int gn_conv_dst_stride(const gn_conv *p)
{
    return p->dst_stride > 0 ? p->dst_stride : p->K;
}

/* ---- forward: dst = clamp(curve(conv(src, w) + bias) + residual) ---- */

/* What p->choice comes to, with everything that the cost model decided written out, cut for so many threads (0: nobody knows how many).  A
 * problem with this choice computes the same bits as one with p's, and asks the model no more. */
gn_conv_choice gn_conv_fwd_chosen(const gn_conv *p, int threads);
/* The choices that are worth measuring for these sizes at this CPU level, at most `max`; the model's for `threads` is the first.  Returns their number.
 * is_plain: the source is plain [N,C,H,W]. */
int gn_conv_fwd_choices(const gn_conv *p, bool is_plain, int threads, gn_conv_choice *choices, int max);
/* False: these sizes, or this CPU level, have no such algorithm or cut. */
bool gn_conv_fwd_takes(const gn_conv *p, bool is_plain, gn_conv_choice choice);
/* Packed weights of one choice serve the other. */
bool gn_conv_fwd_packs_alike(const gn_conv *p, gn_conv_choice a, gn_conv_choice b);
/* Multiplications that the algorithm needs, as a part of those of the direct sum: 1, 4/9, 1/4. */
double gn_conv_choice_work(gn_conv_choice choice);
/* "direct p2 t8", "winograd4 p1 t4", "few": name and back.  parse: false for anything else. */
#define GN_CONV_CHOICE_NAME_BYTES 32
void gn_conv_choice_name(gn_conv_choice choice, char dst[GN_CONV_CHOICE_NAME_BYTES]);
bool gn_conv_choice_parse(const char *name, gn_conv_choice *choice_out);

/* Bytes of packed weights (bias included), and packing; they follow p->choice.  w: [K,C/groups,R,S]; bias: [K] or NULL (zeros); scale: [K] or NULL, each
 * filter multiplied by scale[k] while packing (folded BatchNormalization). */
size_t gn_conv_pack_bytes(const gn_conv *p);
/* Packs panels panel_begin..panel_end-1 (so that threads can share the work); gn_conv_pack_panels: how many there are. */
int gn_conv_pack_panels(const gn_conv *p);
void gn_conv_pack(const gn_conv *p, const float *w, const float *bias, const float *scale, void *packed,
                  int panel_begin, int panel_end);

typedef struct gn_conv_fwd {
    gn_conv p;
    const float *src;      /* [N,H,W,C] */
    const void *packed;    /* from gn_conv_pack */
    const float *residual; /* [N,P,Q,K] added between curve and clamp, or NULL; may equal dst */
    float *dst;            /* [N,P,Q,K] */
    gn_clamp clamp;
    const float *zeros; /* at least C floats of 0, readable GN_PAD_BYTES further */
    gn_curve curve;
} gn_conv_fwd;
int gn_conv_fwd_tasks(const gn_conv *p);
size_t gn_conv_fwd_scratch_bytes(const gn_conv *p);
void gn_conv_fwd_task(const gn_conv_fwd *call, int task, void *scratch);

/* First layer of a network: src is plain [N,C,H,W] with C <= 4 (dst stays [N,P,Q,K]); same packing, tasks and scratch as above.
 * True when the shape has such a path. */
bool gn_conv_fwd_takes_plain(const gn_conv *p);
void gn_conv_fwd_plain_task(const gn_conv_fwd *call, int task, void *scratch);

/* ---- gradient by data: dsrc = conv_transposed(ddst, w) (+ dsrc when accumulate) ---- */
size_t gn_conv_bwd_data_pack_bytes(const gn_conv *p);
int gn_conv_bwd_data_pack_panels(const gn_conv *p);
void gn_conv_bwd_data_pack(const gn_conv *p, const float *w, void *packed, int panel_begin, int panel_end);
typedef struct gn_conv_bwd_data {
    gn_conv p;
    const float *ddst;  /* [N,P,Q,K] */
    const void *packed; /* from gn_conv_bwd_data_pack */
    float *dsrc;        /* [N,H,W,C] */
    bool accumulate;
    const float *zeros; /* at least K floats of 0 */
} gn_conv_bwd_data;
/* As gn_conv_fwd_chosen. */
gn_conv_choice gn_conv_bwd_data_chosen(const gn_conv *p, int threads);
int gn_conv_bwd_data_tasks(const gn_conv *p);
size_t gn_conv_bwd_data_scratch_bytes(const gn_conv *p);
void gn_conv_bwd_data_task(const gn_conv_bwd_data *call, int task, void *scratch);

/* ---- gradient by weights: dw[k,c,r,s] = sum over pixels ddst * src; dbias[k] = sum over pixels ddst ----
 * First job: `tasks` tasks write partial sums into `partial` (gn_conv_bwd_weight_partial_bytes); second job: `reduce_tasks` tasks sum
 * them in fixed order into dw (OIHW) and dbias. */
typedef struct gn_conv_bwd_weight {
    gn_conv p;
    const float *src;  /* [N,H,W,C]; [N,C,H,W] when is_plain */
    const float *ddst; /* [N,P,Q,K] */
    float *dw;         /* [K,C/groups,R,S] */
    float *dbias;      /* [K] or NULL */
    void *partial;
    const float *zeros; /* at least max(C,K) floats of 0 */
    bool is_plain;      /* only where gn_conv_fwd_takes_plain */
} gn_conv_bwd_weight;
size_t gn_conv_bwd_weight_partial_bytes(const gn_conv *p);
int gn_conv_bwd_weight_tasks(const gn_conv *p);
size_t gn_conv_bwd_weight_scratch_bytes(const gn_conv *p);
void gn_conv_bwd_weight_task(const gn_conv_bwd_weight *call, int task, void *scratch);
int gn_conv_bwd_weight_reduce_tasks(const gn_conv *p);
void gn_conv_bwd_weight_reduce_task(const gn_conv_bwd_weight *call, int task);

#endif
