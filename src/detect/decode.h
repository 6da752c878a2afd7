/* From the raw maps of a detector to boxes and scores: the formulas of detector.h, once for a single candidate in double, and once for
 * rows of cells in f32, as the device runs it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DETECT_DECODE_H
#define GN_DETECT_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include "detect/detector.h"

/* log(1000 / 16): no box of retinanet grows by more against its anchor; larger deltas are cut off. */
#define GN_DECODE_MOST_GROWTH 4.135166556742356

/* One raw map of height x width cells. */
typedef struct gn_decode_map {
    int index; /* 0..n_maps-1 */
    int64_t height, width;
    double step_x, step_y;   /* pixels of the input per cell */
    double input_w, input_h; /* pixels; read by yolov1 only */
} gn_decode_map;

/* Map `index` of a network whose input has input_w x input_h pixels (0 where only the strides count: all kinds but yolov1). */
gn_decode_map gn_decode_map_of(const gn_detector *d, int index, int64_t height, int64_t width, int64_t input_w,
                               int64_t input_h);

/* One candidate.  raw: the K channels of its cell (row y, column x); anchor: 0..anchors-1.  box: x1 y1 x2 y2 in pixels of the input, not
 * clipped; scores: C numbers 0..1. */
void gn_decode_candidate(const gn_detector *d, const gn_decode_map *map, int64_t y, int64_t x, int anchor,
                         const double *raw, double box[4], double *scores);

/* Floats of scratch that gn_decode_cells needs for `cells` cells. */
size_t gn_decode_scratch(const gn_detector *d, size_t cells);
/* Cells first..first+cells-1 of a map (row by row).  raw: [cells,K]; boxes: [cells*anchors,4]; scores: [cells*anchors,C]; scratch:
 * gn_decode_scratch floats.  A result depends on the numbers of its own cell, and on `cells` only in so far as kernels round the ends of
 * ranges another way: the same split gives the same bits. */
void gn_decode_cells(const gn_detector *d, const gn_decode_map *map, int64_t first, size_t cells, const float *raw,
                     float *boxes, float *scores, float *scratch);

#endif
