/* Convolution with at most four input channels (the first layer of a network): private to the conv_*.c files.
 * Every value that a filter sees lies at a fixed offset from its pixel, whatever the memory layout of the picture, so the micro-kernel needs
 * one pointer per pixel.  Where the padding is seen, and for all of the gradient by weights, what is seen is copied first, with zeros.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_CONV_FEW_H
#define GN_KERNELS_CONV_FEW_H

#include "kernels/conv_plan.h"

bool gn_conv_few_fits(const gn_conv *p);
int gn_conv_few_tasks(const gn_conv *p);
size_t gn_conv_few_scratch_bytes(const gn_conv *p);
/* is_plain: src is [N,C,H,W], else [N,H,W,C]. */
void gn_conv_few_task(const gn_conv_fwd *call, bool is_plain, int task, void *scratch);

/* The padded copy: rows of all channels for output rows i .. i+rows-1 of one picture. */
typedef struct gn_conv_few {
    int width;     /* of a padded row, in pixels */
    int rows;      /* output rows per block */
    int src_rows;  /* input rows of a block */
    int blocks;    /* per picture */
    size_t floats; /* of the copy, with room for over-reads */
} gn_conv_few;
gn_conv_few gn_conv_few_plan(const gn_conv *p);
/* Copies what block `block` of picture n needs; offsets[R*S*C] (order r, s, c) relative to an output pixel's corner.
 * Returns the number of output rows in the block. */
int gn_conv_few_gather(const gn_conv *p, const gn_conv_few *f, const float *src, bool is_plain, int n, int block,
                       float *copy, int32_t *offsets);
/* Corner of output pixel (row i of the block, column q) in the copy; the next column lies *step floats further. */
const float *gn_conv_few_corner(const gn_conv *p, const gn_conv_few *f, const float *copy, bool is_plain, int i, int q,
                                int *step);

#endif
