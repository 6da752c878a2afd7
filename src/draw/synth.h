/* A synthetic labelled face set: drawn portraits with exact boxes, so that training, search and measurement can be shown and
 * tested on a machine that has no photographs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DRAW_SYNTH_H
#define GN_DRAW_SYNTH_H

#include <stdint.h>

#include "base/status.h"
#include "draw/draw.h"
#include "image/image.h"

#define GN_SYNTH_MAX_FACES 3

/* min_side_px, max_side_px: range of the pictures' sides, 64..2048.  empty_frac: share of pictures without a face, 0..1.
 * several_frac: share with two or three, 0..1. */
typedef struct gn_synth_options {
    int min_side_px, max_side_px;
    double empty_frac, several_frac;
} gn_synth_options;

/* 160..480 px, 8% without a face, 7% with several. */
void gn_synth_options_init(gn_synth_options *options);

/* Draws picture number `index` of the set `seed`: same arguments, same bytes, whatever was drawn before.
 * options: NULL for the defaults.  image_out: owned RGB.
 * boxes_out: GN_SYNTH_MAX_FACES entries, of which *n_boxes_out are set: the face from the upper end of the forehead to the chin and
 * from ear to ear (or cheek, when hair hides the ears), clipped to the picture, in pixels.
 * GN_EINVAL: options out of range or index < 0.  GN_ENOMEM.  Thread-safe. */
gn_status gn_synth_face(const gn_synth_options *options, uint64_t seed, int64_t index, gn_image *image_out,
                        gn_draw_box *boxes_out, int *n_boxes_out);

#endif
