/* What chance decides for one sample of an epoch.  All draws of a sample come in a fixed number and order, so that switching one
 * augmentation off leaves the others as they were.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DATA_SAMPLE_DRAW_H
#define GN_DATA_SAMPLE_DRAW_H

#include <stdbool.h>
#include <stdint.h>

#include "data/batch.h"

/* Smallest zoom that augmentation can ask for; bounds the filter's taps. */
#define GN_ZOOM_MIN 0.1
/* Pictures of a mosaic. */
#define GN_MOSAIC_TILES 4
/* The partners of a mosaic or of mixup are drawn among so many pictures before the sample in the epoch's order (round the end): as many as a
 * quarter of the usual cache holds, so that they were decoded a moment ago, however large the set is. */
#define GN_PARTNER_WINDOW 256

typedef struct gn_draws {
    bool flip, flip_v;
    double zoom, shift_x, shift_y;
    float hue, sat, val, brightness, contrast;
    double crop_side, crop_x, crop_y; /* side 1: no crop; x, y: 0..1 among the places allowed */
    bool erase;
    double erase_area, erase_aspect, erase_x, erase_y;
    int pad_x, pad_y;          /* shift of the picture, pixels of the input */
    double window_w, window_h; /* of the resized crop, as fractions of the input; 1: all */
    double degrees;            /* of rotation, counterclockwise */
    double shear_x, shear_y;   /* degrees */
    double bend_x, bend_y;     /* perspective, per pixel of the input */
    bool mosaic;
    double mosaic_x, mosaic_y;           /* where the four meet, 0.5..1.5 of the input's sides */
    double partner[GN_MOSAIC_TILES - 1]; /* 0..1 among the window */
    bool mixup;
    double mixup_partner; /* 0..1 among the window */
    double mixup_share;   /* of the sample itself, 0..1 */
} gn_draws;

/* Which picture of a sample: the sample itself, or the one that is mixed in. */
typedef enum gn_draw_stream {
    GN_DRAW_SAMPLE = 0,
    GN_DRAW_MIXED_IN,
} gn_draw_stream;

gn_draws gn_sample_draw(const gn_augment *augment, uint64_t seed, int64_t epoch, int64_t index, gn_draw_stream stream);

#endif
