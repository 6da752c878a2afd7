/* What plots share: axes with round ticks, texts, and drawings into PNG and SVG files.  Not for other folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DRAW_PLOT_PARTS_H
#define GN_DRAW_PLOT_PARTS_H

#include <stdbool.h>

#include <cairo.h>

#include "base/status.h"

enum { GN_AXIS_TICKS = 12, GN_AXIS_TEXT = 24 };
#define GN_PLOT_FONT_PX  11.0
#define GN_PLOT_TITLE_PX 13.0

/* One axis: values between low and high (logarithms to base 10 when is_log) lie on the pixels from_px..to_px. */
typedef struct gn_axis {
    bool is_log;
    double low, high;
    double from_px, to_px;
    int n_ticks;
    double tick[GN_AXIS_TICKS];
    char text[GN_AXIS_TICKS][GN_AXIS_TEXT];
} gn_axis;

/* Value on the axis' own scale; NaN when it has no place there. */
double gn_axis_scaled(const gn_axis *axis, double value);
double gn_axis_px(const gn_axis *axis, double scaled);
/* Takes values into low..high, which begin as INFINITY and -INFINITY. */
void gn_axis_take(gn_axis *axis, double value);
/* A margin of 4 % at both ends, or some width for a single value; false when there is no value. */
bool gn_axis_widen(gn_axis *axis, bool keeps_low);
/* About `wanted` ticks at 1, 2 or 5 times powers of ten. */
void gn_axis_make_ticks(gn_axis *axis, int wanted);

/* White paper and the usual letters.  Without any font on the machine cairo draws its own built-in one. */
void gn_plot_begin(cairo_t *cr);
double gn_plot_text_width(cairo_t *cr, const char *text);
/* align: 0 left, 0.5 centre, 1 right of x. */
void gn_plot_text(cairo_t *cr, const char *text, double x, double y, double align);
/* The same from below to above. */
void gn_plot_text_upright(cairo_t *cr, const char *text, double x, double y, double align);
/* Copies as much of a text as fits into width_px, whole letters of UTF-8. */
void gn_plot_fit_text(cairo_t *cr, const char *text, double width_px, char *dst, int bytes);

typedef void (*gn_drawing_fn)(cairo_t *cr, const void *ctx);
/* Draws width x height units into a file, written atomically: .svg, or .png with `scale` pixels per unit.
 * GN_EINVAL: another ending.  GN_ELIMIT: too large.  GN_ENOMEM, GN_EIO. */
gn_status gn_drawing_save(const char *path, int width, int height, double scale, gn_drawing_fn draw, const void *ctx,
                          gn_error *err);

#endif
