/* Convolution by grouped 3x3 filters with stride 1 whose groups are at most a vector of channels wide, in the domain of Winograd's minimal
 * filtering: private to the conv_*.c files.
 *
 * With 8 or 16 channels a group, a direct sum loads a number for every multiply-add of a vector, which is what a core does worst.  Tiles
 * of 4x4 results need a quarter of the products; groups narrower than a vector share one, with zeros between them.  Blocks of channels
 * never meet, so a task owns some of them for some tiles.  Errors as with conv_winograd.h, whose transforms are used.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_CONV_GROUPS_H
#define GN_KERNELS_CONV_GROUPS_H

#include "kernels/conv_winograd.h"

/* products[t][0..n-1] = sum over k < kc of v[t][k] * b[k][0..VF_LANES-1] for t < tiles; rows of v and products lie `row` floats apart, those
 * of b a vector apart.  kc: VF_LANES or half of it; n: 1 .. VF_LANES. */
typedef struct gn_groups_table {
    void (*products)(const float *v, const float *b, float *products, size_t row, int tiles, int kc, int n);
} gn_groups_table;
extern const gn_groups_table gn_groups__avx2, gn_groups__avx512, gn_groups__neon;

typedef struct gn_groups {
    gn_wino w; /* sizes, tiles and transforms */
    const gn_groups_table *table;
    int width;         /* channels of a group */
    int block;         /* channels of a block: a vector */
    int blocks;        /* the last may be half full */
    int block_cuts;    /* tasks: cuts of the blocks .. */
    int64_t tile_cuts; /* .. times cuts of the tiles */
} gn_groups;

/* False: this shape is served otherwise. */
bool gn_groups_forward(const gn_conv *p, gn_groups *g);
/* A block of channels is a panel.  w: [K,C/groups,3,3]. */
size_t gn_groups_pack_bytes(const gn_groups *g);
void gn_groups_pack(const gn_groups *g, const float *weight, const float *bias, const float *scale, float *packed,
                    int panel_begin, int panel_end);
int gn_groups_tasks(const gn_groups *g);
size_t gn_groups_scratch_bytes(const gn_groups *g);
void gn_groups_task(const gn_groups *g, const gn_conv_taps_call *call, int task, void *scratch);

#endif
