/* One sample of a batch: load the picture at the size that training needs, augment it, write it as normalised floats, and carry its box
 * along.  Everything depends on (options, sample, epoch, index) only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DATA_SAMPLE_PREPARE_H
#define GN_DATA_SAMPLE_PREPARE_H

#include "data/batch.h"
#include "data/sample_draw.h"
#include "data/sample_truth.h"
#include "image/image.h"

/* Constants of a loader. */
typedef struct gn_sample_plan {
    int width, height; /* of the network's input */
    int fit_width,
        fit_height; /* what pictures are fitted into; the input's sides, or less, with grey around (rectangular batches) */
    gn_fit fit;
    gn_augment augment;
    uint64_t seed;
    double oversize;     /* base sides are at most this many times the input's (cut to the picture's own size) */
    bool moves;          /* some augmentation changes the geometry beyond a flip */
    bool is_scene;       /* entries are made by sample_scene.c */
    float table[3][256]; /* 8-bit value to normalised float, per channel */
} gn_sample_plan;

void gn_sample_plan_init(gn_sample_plan *plan, const gn_loader_options *options);
/* Another size of the input, into which pictures are fitted at fit_width x fit_height. */
void gn_sample_plan_resize(gn_sample_plan *plan, int width, int height, int fit_width, int fit_height);

/* Where one sample of a batch goes. */
typedef struct gn_sample_target {
    float *image; /* [3,H,W] */
    float *box;   /* [4] */
    float *has_box;
    float *weight;
    int64_t *label;
    gn_geometry *geometry;
    gn_truth_list *truth; /* filled from its beginning */
} gn_sample_target;

/* The picture as it is cached: see gn_batch.h's note on the cache.  Owned, packed RGB.
 * Errors as gn_image_load. */
gn_status gn_sample_load(const gn_sample_plan *plan, const gn_sample *sample, gn_image *base_out, gn_error *err);

/* Longest side that a picture from gn_sample_load has. */
int gn_sample_base_side(const gn_sample_plan *plan);

/* Bytes of scratch that gn_sample_write needs for any picture. */
size_t gn_sample_scratch_bytes(const gn_sample_plan *plan);

/* base: from gn_sample_load; NULL: it could not be decoded, grey with weight 0.  scratch: gn_sample_scratch_bytes. */
void gn_sample_write(const gn_sample_plan *plan, const gn_sample *sample, const gn_image *base, int64_t epoch,
                     int64_t index, void *scratch, const gn_sample_target *target);

/* Zoom and shift with antialiasing: pixel u of the output shows the base at (u - shift) / scale (continuous coordinates, per axis),
 * through a triangle filter that grows when shrinking; grey 114 outside the base.
 * dst: packed RGB, width x height.  scratch: gn_sample_warp_scratch_bytes.  scale_x, scale_y > 0. */
typedef struct gn_axis_map {
    double scale, shift;
} gn_axis_map;
size_t gn_sample_warp_scratch_bytes(int dst_side_max, int base_side_max);
void gn_sample_warp(const gn_image *base, gn_axis_map x, gn_axis_map y, int width, int height, void *scratch,
                    uint8_t *dst);

/* --- parts of it, for entries that are made of several pictures --- */

/* How a picture lies in the input before augmentation: u = scale * p + shift in input pixels, p in 0..1 of the picture; and the same after the
 * crops and shifts that were drawn, but for zoom and translation. */
void gn_sample_fit(const gn_sample_plan *plan, const gn_sample *sample, gn_axis_map *x_out, gn_axis_map *y_out);
void gn_sample_window(const gn_sample_plan *plan, const gn_sample *sample, const gn_draws *draws, gn_axis_map *x_out,
                      gn_axis_map *y_out);
gn_geometry gn_sample_geometry(const gn_sample *sample, gn_axis_map x, gn_axis_map y, bool is_flipped);
/* No box, no weight. */
void gn_sample_clear_target(const gn_sample_target *target);
/* Offers a box in 0..1 of the input, cut to it, of which the fraction `visible` is left: into the list when it is worth learning, and as the
 * one box when it is the largest so far (*largest: its area, 0 at first). */
void gn_sample_add_target(const gn_sample_plan *plan, const gn_box *box, int cls, double visible, double *largest,
                          const gn_sample_target *target);
/* Colours and erasing. */
void gn_sample_finish(const gn_sample_plan *plan, const gn_draws *draws, gn_image *image);
/* Packed RGB of the input's size to normalised planes, mirrored when asked. */
void gn_sample_convert(const gn_sample_plan *plan, const gn_image *image, bool flip, bool flip_v, float *dst);

/* gn_sample_plan.oversize, and its most: windows that are blown up far ask for more. */
#define GN_BASE_OVERSIZE     1.5
#define GN_BASE_OVERSIZE_MAX 2.5
#endif
