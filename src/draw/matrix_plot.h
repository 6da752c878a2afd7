/* A matrix as a picture: shaded cells with their numbers, names along both sides (drawn with cairo).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DRAW_MATRIX_PLOT_H
#define GN_DRAW_MATRIX_PLOT_H

#include <stdint.h>

#include "base/status.h"
#include "image/image.h"

/* Sides that are drawn; more is GN_ELIMIT. */
#define GN_MATRIX_MAX_SIDE 1000

/* count: [side, side] by rows, >= 0.  A cell's shade is its share of its column's sum, as the columns stand for what is true; numbers are
 * written where they fit. */
typedef struct gn_matrix_plot {
    const char *title, *x_label, *y_label; /* NULL: none */
    const char *const *names;              /* [side] */
    const int64_t *count;
    int side;
    double scale; /* pixels of a .png per unit; 0: one */
} gn_matrix_plot;

/* image_out: owned RGB.  GN_EINVAL: side < 1.  GN_ELIMIT, GN_ENOMEM. */
gn_status gn_matrix_plot_render(const gn_matrix_plot *plot, gn_image *image_out);
/* The same into a file (.png, .jpg or .svg), written atomically.  Also GN_EIO. */
gn_status gn_matrix_plot_save(const char *path, const gn_matrix_plot *plot, gn_error *err);

#endif
