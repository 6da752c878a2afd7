/* Line and scatter plots with axes, ticks and a legend, as PNG or SVG (drawn with cairo).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DRAW_PLOT_H
#define GN_DRAW_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "draw/draw.h"
#include "image/image.h"

/* n points; a pair with NaN or Inf (or <= 0 on a logarithmic axis) leaves a gap.
 * label: in the legend; NULL: not listed.  is_scatter: markers instead of a line.
 * low, high: NULL, or limits of y, drawn as bars (NaN: none at that point).  is_dashed: a dashed line without markers.  is_faint: drawn
 * thin and pale.  colour: used when has_colour, else chosen by the series' number. */
typedef struct gn_plot_series {
    const char *label;
    const double *x, *y;
    size_t n;
    const double *low, *high;
    bool is_scatter, is_dashed, is_faint;
    bool has_colour;
    gn_colour colour;
} gn_plot_series;

/* One panel.  title, labels: NULL or "" for none. */
typedef struct gn_plot {
    const char *title, *x_label, *y_label;
    const gn_plot_series *series;
    size_t n_series;
    bool is_log_x, is_log_y;
    bool has_y_zero; /* the y axis begins at 0 */
    bool has_x_mark; /* a dashed upright line at x_mark, with its label */
    double x_mark;
    const char *x_mark_label;
} gn_plot;

/* Panels in rows of `columns`, each panel_w x panel_h pixels.  A panel without a finite point says "no data".
 * GN_EINVAL: n = 0, columns outside 1..16, sides outside 120..4096.  GN_ELIMIT, GN_ENOMEM. */
gn_status gn_plot_render(const gn_plot *panels, size_t n, int columns, int panel_w, int panel_h, gn_image *image_out);
/* The same into a file, written atomically: .png or .svg by its extension (GN_EINVAL: another).  Also GN_EIO. */
gn_status gn_plot_save(const char *path, const gn_plot *panels, size_t n, int columns, int panel_w, int panel_h,
                       gn_error *err);

/* One panel of w x h units; a .png has `scale` pixels per unit.  Otherwise as gn_plot_save. */
gn_status gn_plot_save_scaled(const char *path, const gn_plot *plot, int w, int h, double scale, gn_error *err);

#endif
