/* One entry of a detector's batch: a picture or a mosaic of four, moved by one affine or projective map, perhaps with a second one mixed
 * in.  Every source picture is resampled once, from its kept size straight into the input; the canvas of a mosaic exists as
 * arithmetic only.
 * Sources: Bochkovskiy et al. 2020 (mosaic), Zhang et al. 2018 (mixup); names, ranges and order of the steps are Ultralytics'.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DATA_SAMPLE_SCENE_H
#define GN_DATA_SAMPLE_SCENE_H

#include "data/sample_draw.h"
#include "data/sample_prepare.h"

#define GN_SCENE_LAYERS  2 /* the entry itself and what is mixed in */
#define GN_SCENE_SOURCES (GN_SCENE_LAYERS * GN_MOSAIC_TILES)

/* What was drawn, and the pictures that it needs: those of layer 0, then those of layer 1. */
typedef struct gn_scene {
    int n_layers;
    gn_draws draws[GN_SCENE_LAYERS];
    int n_tiles[GN_SCENE_LAYERS]; /* 1, or GN_MOSAIC_TILES: upper left, upper right, lower left, lower right */
    int n_sources;
    int64_t source[GN_SCENE_SOURCES]; /* indices of pictures */
} gn_scene;

/* order: [n] the epoch's pictures; the entry is the one at `position`. */
void gn_scene_draw(const gn_sample_plan *plan, int64_t epoch, const int64_t *order, int64_t n, int64_t position,
                   gn_scene *scene_out);

/* base: from gn_sample_load; NULL: it cannot be decoded, grey without boxes. */
typedef struct gn_scene_source {
    const gn_sample *sample;
    const gn_image *base;
} gn_scene_source;

/* source: scene->n_sources.  scratch: gn_scene_scratch_bytes of the plan with the largest input. */
void gn_scene_write(const gn_sample_plan *plan, const gn_scene *scene, const gn_scene_source *source, void *scratch,
                    const gn_sample_target *target);
size_t gn_scene_scratch_bytes(const gn_sample_plan *plan);

/* --- resampling (packed RGB) --- */

/* Pixels x1..x2-1, y1..y2-1 of a picture; empty when x2 <= x1 or y2 <= y1. */
typedef struct gn_pixel_rect {
    int x1, y1, x2, y2;
} gn_pixel_rect;

/* Zoom and shift: pixel u of dst shows the base at (u - shift) / scale, through a triangle filter that grows when shrinking and ends at
 * the base's edges.  Writes the pixels of `rect`, inside dst.  scratch: gn_scene_resample_scratch_bytes. */
void gn_scene_resample(const gn_image *base, gn_axis_map x, gn_axis_map y, gn_pixel_rect rect, void *scratch,
                       gn_image *dst);
size_t gn_scene_resample_scratch_bytes(int dst_side_max, int base_side_max);

/* to_base: homogeneous map (rows of 3) from continuous coordinates of dst to those of the base; bilinear, after halving the base as often
 * as it is twice as dense as dst.
 * edge: five linear forms a*x + b*y + c; a pixel of dst is written when, at its centre, forms 0, 2 and 4 are >= 0 and 1 and 3 are < 0.
 * scratch: gn_scene_project_scratch_bytes. */
#define GN_SCENE_EDGES 5
void gn_scene_project(const gn_image *base, const double to_base[9], const double edge[GN_SCENE_EDGES][3], double zoom,
                      void *scratch, gn_image *dst);
size_t gn_scene_project_scratch_bytes(int base_side_max);

#endif
