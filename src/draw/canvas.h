/* A cairo drawing surface over our own memory, to and from pictures.  Not for other folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DRAW_CANVAS_H
#define GN_DRAW_CANVAS_H

#include <stdint.h>

#include <cairo.h>

#include "base/status.h"
#include "image/image.h"

/* pixels: 32 bits each, native order, 0xXXRRGGBB. */
typedef struct gn_canvas {
    int width, height, stride_bytes;
    uint8_t *pixels;
    cairo_surface_t *surface;
    cairo_t *cr;
} gn_canvas;

/* Black canvas.  GN_EINVAL: sides outside 1..32767.  GN_ENOMEM. */
gn_status gn_canvas_init(gn_canvas *canvas, int width, int height);
void gn_canvas_deinit(gn_canvas *canvas);
/* Sets an RGB or grey picture at (x,y), cut at the canvas's edges; call before drawing over it. */
void gn_canvas_put(gn_canvas *canvas, const gn_image *image, int x, int y);
/* Owned RGB picture of what was drawn.  GN_ENOMEM, also when cairo ran out of memory before. */
gn_status gn_canvas_take(gn_canvas *canvas, gn_image *image_out);

#endif
