/* Convolution by 3x3 filters with stride 1 as products in the domain of Winograd's minimal filtering: private to the conv_*.c files.
 *
 * A tile of m x m results needs e x e = (m+2) x (m+2) inputs.  Both, and the filters, are transformed such that the tile costs e*e
 * products per pair of channels instead of 9*m*m: 16 instead of 36 for m = 2, 36 instead of 144 for m = 4.  Every one of the e*e places
 * is a matrix product of its own, which the micro-kernels of igemm.h do.  Rounding errors are a few times those of the direct sum; an
 * infinite or undefined input makes its whole tile undefined.
 * Source: Lavin and Gray 2016, "Fast algorithms for convolutional neural networks", sections 4.1 and 4.2.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_CONV_WINOGRAD_H
#define GN_KERNELS_CONV_WINOGRAD_H

#include "kernels/conv_plan.h"

/* The points of m = 4: 0, +-A, +-B and infinity; those of m = 2: 0, +-1 and infinity.  With these the largest error of the sums is a quarter
 * of that with the customary 1 and 2, because the transforms' numbers differ less in size; their squares and products are exact. */
#define GN_WINO_A 0.75f
#define GN_WINO_B 1.5f

enum { GN_WINO_EDGE_MAX = 6, GN_WINO_PLACES_MAX = 36, GN_WINO_TILE_MAX = 16 };

/* Results of one tile, from the products at `sums` (place p: sums + p*stride): dst[at[i]..] = clamp(curve(y + bias) + residual). */
typedef struct gn_wino_results {
    const float *sums, *bias; /* bias: [K] or NULL */
    size_t stride, K;
    float *dst;
    const float *residual; /* or NULL; may equal dst */
    const ptrdiff_t *at;   /* [m*m]; negative: outside the picture */
    gn_clamp clamp;
    gn_curve curve;
} gn_wino_results;

/* The transforms of one instruction set; the vectors run over channels.
 * inputs: the e*e rows src[..] of C floats to v + place*stride;  gradients: the m*m rows dy[..] likewise. */
typedef struct gn_wino_table {
    void (*inputs)(int m, const float *const *src, size_t C, float *v, size_t stride);
    void (*gradients)(int m, const float *const *dy, size_t K, float *v, size_t stride);
    void (*results)(int m, const gn_wino_results *call);
    /* The transforms of n filters that lie side by side: of their nine numbers, number i at g + i*g_stride, to u + place*stride; and back
     * (transposed) for the gradients. */
    void (*filters)(int m, const float *g, size_t g_stride, float *u, size_t stride, size_t n);
    void (*filter_gradients)(int m, const float *u, size_t stride, float *g, size_t g_stride, size_t n);
} gn_wino_table;
extern const gn_wino_table gn_wino__avx2, gn_wino__avx512, gn_wino__neon;

/* Those of the CPU level in force; NULL where it has none. */
const gn_wino_table *gn_wino_transforms(void);

/* One problem: forward, or gradient by data, which is the same with channels and filters exchanged and the filter turned. */
typedef struct gn_wino {
    const gn_igemm *kernels;
    const gn_wino_table *table;
    int m, edge, places; /* places: edge*edge */
    int N, src_h, src_w, C, dst_h, dst_w, K, pad_top, pad_left;
    int src_pixel, dst_pixel; /* floats from one pixel to the next */
    bool is_backward;
    int tiles_h, tiles_w; /* of a picture */
    int64_t tiles;
    int nr, panels, columns; /* columns of all panels: K in whole vectors */
    int64_t rows;     /* blocks of tiles as the micro-kernel takes them, whatever the tasks: bits depend on them */
    int tile_blocks;  /* tasks: blocks of rows .. */
    int panel_blocks; /* .. times blocks of panels, each for a part of the results' channels */
} gn_wino;

/* A cut into tasks is possible: none is so large that its scratch would be. */
bool gn_wino_takes_cut(const gn_conv *p, gn_conv_choice choice);
/* These sizes can be served at this CPU level. */
bool gn_wino_possible(const gn_conv *p);
/* False: this shape is better served, or can only be served, directly; or p->choice says so. */
bool gn_wino_forward(const gn_conv *p, gn_wino *w);
bool gn_wino_backward(const gn_conv *p, gn_wino *w);
/* The same with tasks cut for so many threads, 0: nobody knows how many.  Algorithm and results are the same for any number. */
bool gn_wino_forward_for(const gn_conv *p, int threads, gn_wino *w);
bool gn_wino_backward_for(const gn_conv *p, int threads, gn_wino *w);

/* w: [K,C,3,3] of the convolution; panels as in gn_conv_pack. */
size_t gn_wino_pack_bytes(const gn_wino *w);
void gn_wino_pack(const gn_wino *w, const float *weight, const float *bias, const float *scale, void *packed,
                  int panel_begin, int panel_end);
int gn_wino_tasks(const gn_wino *w);
size_t gn_wino_scratch_bytes(const gn_wino *w);
void gn_wino_task(const gn_wino *w, const gn_conv_taps_call *call, int task, void *scratch);

/* Rows of the e*e inputs of tile (i, j) of a picture. */
void gn_wino_point(const gn_wino *w, const float *image, const float *zeros, int i, int j, const float **rows);

/* Gradient by weights, as in conv.h. */
bool gn_wino_weight_fits(const gn_conv *p);
size_t gn_wino_weight_partial_bytes(const gn_conv *p);
int gn_wino_weight_tasks(const gn_conv *p);
size_t gn_wino_weight_scratch_bytes(const gn_conv *p);
void gn_wino_weight_task(const gn_conv_bwd_weight *call, int task, void *scratch);
int gn_wino_weight_reduce_tasks(const gn_conv *p);
void gn_wino_weight_reduce_task(const gn_conv_bwd_weight *call, int task);

#endif
