/* Bars that lie beside each other's names, and rows of dots: plots with a list of names on the left (drawn with cairo).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DRAW_BAR_PLOT_H
#define GN_DRAW_BAR_PLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "draw/draw.h"

/* Rows that are drawn; more is GN_ELIMIT. */
#define GN_BAR_MAX_ROWS 400

/* name at the left, text behind the bar (NULL: none).  value >= 0 (NaN: no bar); spread: half a line over the bar's end, NaN for none. */
typedef struct gn_bar {
    const char *name, *text;
    double value, spread;
} gn_bar;

typedef struct gn_bar_plot {
    const char *title, *x_label; /* NULL: none */
    const gn_bar *bar;
    size_t n;
    int width; /* units, 240..4096 */
} gn_bar_plot;

/* A dot at x in a row, with a colour; is_ring: not filled. */
typedef struct gn_dot {
    double x; /* NaN: not drawn */
    size_t row;
    gn_colour colour;
    bool is_ring;
} gn_dot;

typedef struct gn_dot_plot {
    const char *title, *x_label;
    const char *const *row_name; /* [n_rows], from above */
    size_t n_rows;
    const gn_dot *dot;
    size_t n_dots;
    const char *const *legend; /* [n_legend] */
    const gn_colour *legend_colour;
    size_t n_legend;
    bool is_log_x;
    int width;
} gn_dot_plot;

/* Into a file, written atomically: .svg, or .png with `scale` pixels per unit.  GN_EINVAL: no row, or another ending or width.  GN_ELIMIT,
 * GN_ENOMEM, GN_EIO. */
gn_status gn_bar_plot_save(const char *path, const gn_bar_plot *plot, double scale, gn_error *err);
gn_status gn_dot_plot_save(const char *path, const gn_dot_plot *plot, double scale, gn_error *err);

/* Values of two knobs: [rows, columns], NaN for an empty cell.  Cells are shaded from low to high and carry their values. */
typedef struct gn_heat_plot {
    const char *title, *x_label, *y_label;
    const char *const *row_name, *const *column_name;
    const double *value;
    size_t rows, columns; /* 1..60 each */
} gn_heat_plot;

gn_status gn_heat_plot_save(const char *path, const gn_heat_plot *plot, double scale, gn_error *err);

#endif
