/* Bars, dots and heat maps; see bar_plot.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "draw/bar_plot.h"

#include <math.h>
#include <stdio.h>

#include <cairo.h>

#include "draw/plot_parts.h"

#define ROW_PX     18.0
#define NAMES_PX   190.0 /* room for names */
#define TOP_PX     30.0
#define BOTTOM_PX  44.0
#define MARGIN_PX  14.0
#define TEXT_PX    110.0 /* room behind the longest bar */
#define CELL_W     58.0
#define CELL_H     24.0
#define MAX_CELLS  60
#define NAME_BYTES 128

static bool has_text(const char *s)
{
    return s != NULL && s[0] != '\0';
}

static void draw_title(cairo_t *cr, const char *title, double x)
{
    if (!has_text(title))
        return;
    cairo_set_source_rgb(cr, 0.1, 0.1, 0.1);
    cairo_set_font_size(cr, GN_PLOT_TITLE_PX);
    gn_plot_text(cr, title, x, 19.0, 0.0);
    cairo_set_font_size(cr, GN_PLOT_FONT_PX);
}

/* Upright lines at the ticks, their values below, and the label under these. */
static void draw_x_axis(cairo_t *cr, const gn_axis *x, double top, double bottom, const char *label)
{
    cairo_set_line_width(cr, 1.0);
    for (int i = 0; i < x->n_ticks; i++) {
        const double px = floor(gn_axis_px(x, x->tick[i])) + 0.5;
        cairo_set_source_rgb(cr, 0.9, 0.9, 0.9);
        cairo_move_to(cr, px, top);
        cairo_line_to(cr, px, bottom);
        cairo_stroke(cr);
        cairo_set_source_rgb(cr, 0.25, 0.25, 0.25);
        gn_plot_text(cr, x->text[i], px, bottom + GN_PLOT_FONT_PX + 4.0, 0.5);
    }
    cairo_set_source_rgb(cr, 0.1, 0.1, 0.1);
    if (has_text(label))
        gn_plot_text(cr, label, (x->from_px + x->to_px) / 2, bottom + 2 * GN_PLOT_FONT_PX + 9.0, 0.5);
}

static void draw_row_name(cairo_t *cr, const char *name, double middle)
{
    char text[NAME_BYTES];
    gn_plot_fit_text(cr, name, NAMES_PX - 10.0, text, sizeof text);
    cairo_set_source_rgb(cr, 0.15, 0.15, 0.15);
    gn_plot_text(cr, text, MARGIN_PX + NAMES_PX - 6.0, middle + GN_PLOT_FONT_PX * 0.35, 1.0);
}

static int height_of_rows(size_t n)
{
    return (int)(TOP_PX + (double)n * ROW_PX + BOTTOM_PX);
}

/* --- bars --------------------------------------------------------------------------------------------------------------- */

static void draw_bar(cairo_t *cr, const gn_bar *bar, const gn_axis *x, double middle)
{
    draw_row_name(cr, bar->name, middle);
    const double end = isfinite(bar->value) ? gn_axis_px(x, bar->value) : x->from_px;
    cairo_set_source_rgb(cr, 0.22, 0.45, 0.70);
    cairo_rectangle(cr, x->from_px, middle - ROW_PX * 0.34, fmax(0.0, end - x->from_px), ROW_PX * 0.68);
    cairo_fill(cr);
    double behind = end;
    if (isfinite(bar->spread) && isfinite(bar->value)) {
        const double low = gn_axis_px(x, fmax(0.0, bar->value - bar->spread));
        behind = fmin(x->to_px, gn_axis_px(x, bar->value + bar->spread));
        cairo_set_source_rgb(cr, 0.1, 0.1, 0.1);
        cairo_set_line_width(cr, 1.0);
        cairo_move_to(cr, low, middle);
        cairo_line_to(cr, behind, middle);
        cairo_stroke(cr);
    }
    cairo_set_source_rgb(cr, 0.25, 0.25, 0.25);
    if (has_text(bar->text))
        gn_plot_text(cr, bar->text, behind + 6.0, middle + GN_PLOT_FONT_PX * 0.35, 0.0);
}

static void draw_bars(cairo_t *cr, const void *ctx)
{
    const gn_bar_plot *plot = ctx;
    gn_axis x = {.low = 0.0, .high = 0.0, .from_px = MARGIN_PX + NAMES_PX, .to_px = plot->width - MARGIN_PX - TEXT_PX};
    const double bottom = TOP_PX + (double)plot->n * ROW_PX;
    gn_plot_begin(cr);
    for (size_t i = 0; i < plot->n; i++)
        gn_axis_take(&x, plot->bar[i].value);
    gn_axis_widen(&x, true);
    gn_axis_make_ticks(&x, 6);
    draw_x_axis(cr, &x, TOP_PX, bottom, plot->x_label);
    for (size_t i = 0; i < plot->n; i++)
        draw_bar(cr, &plot->bar[i], &x, TOP_PX + ((double)i + 0.5) * ROW_PX);
    draw_title(cr, plot->title, MARGIN_PX);
}

static gn_status check_rows(const char *path, size_t n, int width, gn_error *err)
{
    if (n == 0 || width < 240 || width > 4096)
        return gn_fail_at(err, GN_EINVAL, path, 0, "cannot draw %zu rows in a width of %d", n, width);
    return n > GN_BAR_MAX_ROWS
               ? gn_fail_at(err, GN_ELIMIT, path, 0, "cannot draw %zu rows, at most %d", n, GN_BAR_MAX_ROWS)
               : GN_OK;
}

gn_status gn_bar_plot_save(const char *path, const gn_bar_plot *plot, double scale, gn_error *err)
{
    GN_TRY(check_rows(path, plot->n, plot->width, err));
    return gn_drawing_save(path, plot->width, height_of_rows(plot->n), scale, draw_bars, plot, err);
}

/* --- dots --------------------------------------------------------------------------------------------------------------- */

static void draw_legend(cairo_t *cr, const gn_dot_plot *plot)
{
    double x = plot->width - MARGIN_PX;
    for (size_t i = plot->n_legend; i-- > 0;) {
        const gn_colour c = plot->legend_colour[i];
        cairo_set_source_rgb(cr, 0.15, 0.15, 0.15);
        gn_plot_text(cr, plot->legend[i], x, 19.0, 1.0);
        x -= gn_plot_text_width(cr, plot->legend[i]) + 9.0;
        cairo_set_source_rgb(cr, c.r / 255.0, c.g / 255.0, c.b / 255.0);
        cairo_new_sub_path(cr);
        cairo_arc(cr, x, 15.5, 4.0, 0.0, 6.283185307179586);
        cairo_fill(cr);
        x -= 16.0;
    }
}

static void draw_dot(cairo_t *cr, const gn_dot *dot, const gn_axis *x)
{
    const double at = gn_axis_scaled(x, dot->x);
    if (isnan(at))
        return;
    cairo_set_source_rgba(cr, dot->colour.r / 255.0, dot->colour.g / 255.0, dot->colour.b / 255.0, 0.8);
    cairo_set_line_width(cr, 1.4);
    cairo_new_sub_path(cr);
    cairo_arc(cr, gn_axis_px(x, at), TOP_PX + ((double)dot->row + 0.5) * ROW_PX, dot->is_ring ? 3.4 : 4.0, 0.0,
              6.283185307179586);
    if (dot->is_ring)
        cairo_stroke(cr);
    else
        cairo_fill(cr);
}

static void draw_dots(cairo_t *cr, const void *ctx)
{
    const gn_dot_plot *plot = ctx;
    gn_axis x = {.is_log = plot->is_log_x,
                 .low = INFINITY,
                 .high = -INFINITY,
                 .from_px = MARGIN_PX + NAMES_PX,
                 .to_px = plot->width - MARGIN_PX};
    const double bottom = TOP_PX + (double)plot->n_rows * ROW_PX;
    gn_plot_begin(cr);
    for (size_t i = 0; i < plot->n_dots; i++)
        gn_axis_take(&x, plot->dot[i].x);
    if (gn_axis_widen(&x, false)) {
        gn_axis_make_ticks(&x, 8);
        draw_x_axis(cr, &x, TOP_PX, bottom, plot->x_label);
    }
    for (size_t i = 0; i < plot->n_rows; i++) {
        const double middle = TOP_PX + ((double)i + 0.5) * ROW_PX;
        draw_row_name(cr, plot->row_name[i], middle);
        cairo_set_source_rgb(cr, 0.93, 0.93, 0.93);
        cairo_set_line_width(cr, 1.0);
        cairo_move_to(cr, x.from_px, floor(middle) + 0.5);
        cairo_line_to(cr, x.to_px, floor(middle) + 0.5);
        cairo_stroke(cr);
    }
    for (size_t i = 0; i < plot->n_dots; i++)
        draw_dot(cr, &plot->dot[i], &x);
    draw_title(cr, plot->title, MARGIN_PX);
    draw_legend(cr, plot);
}

gn_status gn_dot_plot_save(const char *path, const gn_dot_plot *plot, double scale, gn_error *err)
{
    GN_TRY(check_rows(path, plot->n_rows, plot->width, err));
    return gn_drawing_save(path, plot->width, height_of_rows(plot->n_rows), scale, draw_dots, plot, err);
}

/* --- heat map ----------------------------------------------------------------------------------------------------------- */

static void draw_heat_cell(cairo_t *cr, double value, double low, double high, double left, double top)
{
    char text[32];
    cairo_rectangle(cr, left, top, CELL_W - 1.0, CELL_H - 1.0);
    if (isnan(value)) {
        cairo_set_source_rgb(cr, 0.94, 0.94, 0.94);
        cairo_fill(cr);
        return;
    }
    const double share = high > low ? (value - low) / (high - low) : 0.5;
    cairo_set_source_rgb(cr, 1 - 0.92 * share, 1 - 0.72 * share, 1 - 0.42 * share);
    cairo_fill(cr);
    const double ink = share > 0.5 ? 1.0 : 0.1;
    cairo_set_source_rgb(cr, ink, ink, ink);
    snprintf(text, sizeof text, fabs(value) < 0.1 && value != 0.0 ? "%.2g" : "%.3f", value);
    gn_plot_text(cr, text, left + CELL_W / 2, top + CELL_H / 2 + GN_PLOT_FONT_PX * 0.36, 0.5);
}

static void draw_heat(cairo_t *cr, const void *ctx)
{
    const gn_heat_plot *plot = ctx;
    const double left = MARGIN_PX + NAMES_PX, bottom = TOP_PX + (double)plot->rows * CELL_H;
    double low = INFINITY, high = -INFINITY;
    char text[NAME_BYTES];
    gn_plot_begin(cr);
    for (size_t i = 0; i < plot->rows * plot->columns; i++)
        if (isfinite(plot->value[i])) {
            low = fmin(low, plot->value[i]);
            high = fmax(high, plot->value[i]);
        }
    for (size_t r = 0; r < plot->rows; r++) {
        draw_row_name(cr, plot->row_name[r], TOP_PX + ((double)r + 0.5) * CELL_H);
        for (size_t c = 0; c < plot->columns; c++)
            draw_heat_cell(cr, plot->value[r * plot->columns + c], low, high, left + (double)c * CELL_W,
                           TOP_PX + (double)r * CELL_H);
    }
    cairo_set_source_rgb(cr, 0.15, 0.15, 0.15);
    for (size_t c = 0; c < plot->columns; c++) {
        gn_plot_fit_text(cr, plot->column_name[c], CELL_W - 4.0, text, sizeof text);
        gn_plot_text(cr, text, left + ((double)c + 0.5) * CELL_W, bottom + GN_PLOT_FONT_PX + 4.0, 0.5);
    }
    if (has_text(plot->x_label))
        gn_plot_text(cr, plot->x_label, left + (double)plot->columns * CELL_W / 2, bottom + 2 * GN_PLOT_FONT_PX + 9.0,
                     0.5);
    if (has_text(plot->y_label))
        gn_plot_text_upright(cr, plot->y_label, MARGIN_PX, (TOP_PX + bottom) / 2, 0.5);
    draw_title(cr, plot->title, MARGIN_PX);
}

gn_status gn_heat_plot_save(const char *path, const gn_heat_plot *plot, double scale, gn_error *err)
{
    if (plot->rows < 1 || plot->columns < 1)
        return gn_fail_at(err, GN_EINVAL, path, 0, "cannot draw a heat map without cells");
    if (plot->rows > MAX_CELLS || plot->columns > MAX_CELLS)
        return gn_fail_at(err, GN_ELIMIT, path, 0, "cannot draw a heat map of %zu x %zu, at most %d", plot->rows,
                          plot->columns, MAX_CELLS);
    const int width = (int)(2 * MARGIN_PX + NAMES_PX + (double)plot->columns * CELL_W + 60);
    return gn_drawing_save(path, width, (int)(TOP_PX + (double)plot->rows * CELL_H + BOTTOM_PX), scale, draw_heat, plot,
                           err);
}
