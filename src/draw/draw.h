/* Pictures for people: boxes with labels, contact sheets (drawn with cairo).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DRAW_DRAW_H
#define GN_DRAW_DRAW_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "image/image.h"

/* Corners in pixels, x1 <= x2, y1 <= y2. */
typedef struct gn_draw_box {
    float x1, y1, x2, y2;
} gn_draw_box;

typedef struct gn_colour {
    uint8_t r, g, b;
} gn_colour;

/* A distinct, readable colour for class or series k >= 0 (repeats after 12). */
gn_colour gn_colour_nth(int k);

/* Draws n boxes on an RGB picture, in place; each label stands on a filled ground of the box's colour, inside the picture, where it covers
 * no other label as far as there is room.  Later boxes go first in that, and lie on top.
 * colours: n, NULL: by number.  labels: n strings (UTF-8, NULL entries allowed), NULL: none.
 * line_px: 0 chooses by the picture's size.  GN_EINVAL: not RGB.  GN_ENOMEM. */
gn_status gn_draw_boxes(gn_image *image, const gn_draw_box *boxes, size_t n, const gn_colour *colours,
                        const char *const *labels, float line_px);

/* Tiles in rows of `columns`, each picture fitted into tile_px x tile_px, its caption (may be NULL) below it.
 * captions: n strings or NULL.  image_out: owned RGB.
 * GN_EINVAL: n = 0, columns outside 1..64, tile_px outside 16..2048.  GN_ELIMIT: sheet above GN_IMAGE_MAX_PIXELS.  GN_ENOMEM. */
gn_status gn_draw_contact_sheet(const gn_image *tiles, const char *const *captions, size_t n, int columns, int tile_px,
                                gn_image *image_out);

#endif
