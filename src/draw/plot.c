/* Line and scatter plots.  One routine draws a panel on any cairo surface; PNG and SVG differ in the surface only.
 * SPDX-License-Identifier: Apache-2.0 */
#include "draw/plot.h"

#include <math.h>

#include <cairo.h>

#include "draw/canvas.h"
#include "draw/plot_parts.h"

/* Range of all values; false when none is drawable. */
static bool find_range(const gn_plot *plot, bool is_y, gn_axis *a)
{
    a->low = INFINITY;
    a->high = -INFINITY;
    for (size_t s = 0; s < plot->n_series; s++) {
        const gn_plot_series *series = &plot->series[s];
        for (size_t i = 0; i < series->n; i++) {
            gn_axis_take(a, is_y ? series->y[i] : series->x[i]);
            if (is_y && series->low != NULL && series->high != NULL) {
                gn_axis_take(a, series->low[i]);
                gn_axis_take(a, series->high[i]);
            }
        }
    }
    if (!(a->low <= a->high))
        return false;
    if (!is_y && plot->has_x_mark)
        gn_axis_take(a, plot->x_mark);
    if (is_y && plot->has_y_zero && !a->is_log && a->low > 0.0)
        a->low = 0.0;
    return gn_axis_widen(a, is_y && plot->has_y_zero && a->low == 0.0);
}

static gn_colour series_colour(const gn_plot_series *series, size_t number)
{
    return series->has_colour ? series->colour : gn_colour_nth((int)(number % 12));
}

static void set_series_colour(cairo_t *cr, const gn_plot_series *series, size_t number)
{
    const gn_colour c = series_colour(series, number);
    cairo_set_source_rgba(cr, c.r / 255.0, c.g / 255.0, c.b / 255.0, series->is_faint ? 0.45 : 1.0);
}

static void draw_grid(cairo_t *cr, const gn_axis *x, const gn_axis *y)
{
    cairo_set_line_width(cr, 1.0);
    for (int i = 0; i < x->n_ticks; i++) {
        const double px = floor(gn_axis_px(x, x->tick[i])) + 0.5;
        cairo_set_source_rgb(cr, 0.9, 0.9, 0.9);
        cairo_move_to(cr, px, y->from_px);
        cairo_line_to(cr, px, y->to_px);
        cairo_stroke(cr);
        cairo_set_source_rgb(cr, 0.25, 0.25, 0.25);
        gn_plot_text(cr, x->text[i], px, y->from_px + GN_PLOT_FONT_PX + 4.0, 0.5);
    }
    for (int i = 0; i < y->n_ticks; i++) {
        const double px = floor(gn_axis_px(y, y->tick[i])) + 0.5;
        cairo_set_source_rgb(cr, 0.9, 0.9, 0.9);
        cairo_move_to(cr, x->from_px, px);
        cairo_line_to(cr, x->to_px, px);
        cairo_stroke(cr);
        cairo_set_source_rgb(cr, 0.25, 0.25, 0.25);
        gn_plot_text(cr, y->text[i], x->from_px - 5.0, px + GN_PLOT_FONT_PX * 0.35, 1.0);
    }
    cairo_set_source_rgb(cr, 0.4, 0.4, 0.4);
    cairo_rectangle(cr, x->from_px, y->to_px, x->to_px - x->from_px, y->from_px - y->to_px);
    cairo_stroke(cr);
}

static void draw_markers(cairo_t *cr, const gn_plot_series *series, const gn_axis *x, const gn_axis *y, double radius)
{
    for (size_t i = 0; i < series->n; i++) {
        const double u = gn_axis_scaled(x, series->x[i]);
        const double v = gn_axis_scaled(y, series->y[i]);
        if (isnan(u) || isnan(v))
            continue;
        cairo_new_sub_path(cr);
        cairo_arc(cr, gn_axis_px(x, u), gn_axis_px(y, v), radius, 0.0, 6.283185307179586);
        cairo_fill(cr);
    }
}

/* Intervals: an upright line with short ends. */
static void draw_bars(cairo_t *cr, const gn_plot_series *series, const gn_axis *x, const gn_axis *y)
{
    cairo_set_line_width(cr, 1.0);
    for (size_t i = 0; i < series->n && series->low != NULL && series->high != NULL; i++) {
        const double u = gn_axis_scaled(x, series->x[i]), low = gn_axis_scaled(y, series->low[i]),
                     high = gn_axis_scaled(y, series->high[i]);
        if (isnan(u) || isnan(low) || isnan(high))
            continue;
        const double px = gn_axis_px(x, u), from = gn_axis_px(y, low), to = gn_axis_px(y, high);
        cairo_move_to(cr, px, from);
        cairo_line_to(cr, px, to);
        cairo_move_to(cr, px - 3.0, from);
        cairo_line_to(cr, px + 3.0, from);
        cairo_move_to(cr, px - 3.0, to);
        cairo_line_to(cr, px + 3.0, to);
    }
    cairo_stroke(cr);
}

static void draw_line(cairo_t *cr, const gn_plot_series *series, const gn_axis *x, const gn_axis *y)
{
    bool is_open = false;
    for (size_t i = 0; i < series->n; i++) {
        const double u = gn_axis_scaled(x, series->x[i]);
        const double v = gn_axis_scaled(y, series->y[i]);
        if (isnan(u) || isnan(v)) {
            is_open = false;
            continue;
        }
        if (is_open)
            cairo_line_to(cr, gn_axis_px(x, u), gn_axis_px(y, v));
        else
            cairo_move_to(cr, gn_axis_px(x, u), gn_axis_px(y, v));
        is_open = true;
    }
    const double dashes[2] = {6.0, 4.0};
    cairo_set_dash(cr, dashes, series->is_dashed ? 2 : 0, 0.0);
    cairo_set_line_width(cr, series->is_faint ? 0.8 : 1.8);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    cairo_stroke(cr);
    cairo_set_dash(cr, NULL, 0, 0.0);
}

static void draw_mark(cairo_t *cr, const gn_plot *plot, const gn_axis *x, const gn_axis *y)
{
    const double dashes[2] = {4.0, 3.0}, at = gn_axis_scaled(x, plot->x_mark);
    if (!plot->has_x_mark || isnan(at))
        return;
    cairo_set_source_rgb(cr, 0.75, 0.15, 0.15);
    cairo_set_line_width(cr, 1.2);
    cairo_set_dash(cr, dashes, 2, 0.0);
    cairo_move_to(cr, gn_axis_px(x, at), y->from_px);
    cairo_line_to(cr, gn_axis_px(x, at), y->to_px);
    cairo_stroke(cr);
    cairo_set_dash(cr, NULL, 0, 0.0);
    if (plot->x_mark_label != NULL)
        gn_plot_text_upright(cr, plot->x_mark_label, gn_axis_px(x, at) - 4.0, y->from_px - 6.0, 0.0);
}

static void draw_series(cairo_t *cr, const gn_plot *plot, const gn_axis *x, const gn_axis *y)
{
    cairo_save(cr);
    cairo_rectangle(cr, x->from_px, y->to_px, x->to_px - x->from_px, y->from_px - y->to_px);
    cairo_clip(cr);
    draw_mark(cr, plot, x, y);
    for (size_t s = 0; s < plot->n_series; s++) {
        const gn_plot_series *series = &plot->series[s];
        set_series_colour(cr, series, s);
        draw_bars(cr, series, x, y);
        if (series->is_scatter) {
            draw_markers(cr, series, x, y, series->is_faint ? 2.5 : 4.0);
            continue;
        }
        draw_line(cr, series, x, y);
        if (series->n <= 40 && !series->is_dashed &&
            !series->is_faint) /* points of a short series, and a lone point, stay visible */
            draw_markers(cr, series, x, y, 2.2);
    }
    cairo_restore(cr);
}

/* Room that the legend needs; 0 rows when no series is named. */
static int legend_rows(cairo_t *cr, const gn_plot *plot, double *width_out)
{
    int rows = 0;
    double widest = 0.0;
    for (size_t s = 0; s < plot->n_series; s++) {
        if (plot->series[s].label == NULL)
            continue;
        widest = fmax(widest, gn_plot_text_width(cr, plot->series[s].label));
        rows++;
    }
    *width_out = widest + 30.0;
    return rows;
}

/* How many drawn points lie in a rectangle. */
static int points_inside(const gn_plot *plot, const gn_axis *x, const gn_axis *y, double left, double top, double w,
                         double h)
{
    int n = 0;
    for (size_t s = 0; s < plot->n_series; s++)
        for (size_t i = 0; i < plot->series[s].n; i++) {
            const double u = gn_axis_px(x, gn_axis_scaled(x, plot->series[s].x[i]));
            const double v = gn_axis_px(y, gn_axis_scaled(y, plot->series[s].y[i]));
            n += u >= left && u <= left + w && v >= top && v <= top + h; /* false for NaN */
        }
    return n;
}

/* In the corner that hides the fewest points. */
static void draw_legend(cairo_t *cr, const gn_plot *plot, const gn_axis *x, const gn_axis *y)
{
    double width;
    const int rows = legend_rows(cr, plot, &width);
    if (rows == 0)
        return;
    const double row_px = GN_PLOT_FONT_PX + 4.0;
    const double height = rows * row_px + 6.0;
    double left = x->to_px - width - 6.0, top = y->to_px + 6.0;
    int fewest = -1;
    for (int corner = 0; corner < 4; corner++) {
        const double cx = corner % 2 == 0 ? x->to_px - width - 6.0 : x->from_px + 6.0;
        const double cy = corner / 2 == 0 ? y->to_px + 6.0 : y->from_px - height - 6.0;
        const int n = points_inside(plot, x, y, cx, cy, width, height);
        if (fewest < 0 || n < fewest) {
            fewest = n;
            left = cx;
            top = cy;
        }
    }
    cairo_rectangle(cr, left, top, width, height);
    cairo_set_source_rgba(cr, 1.0, 1.0, 1.0, 0.85);
    cairo_fill_preserve(cr);
    cairo_set_source_rgb(cr, 0.8, 0.8, 0.8);
    cairo_set_line_width(cr, 1.0);
    cairo_stroke(cr);
    double line_y = top + 3.0 + row_px * 0.5;
    for (size_t s = 0; s < plot->n_series; s++) {
        if (plot->series[s].label == NULL)
            continue;
        set_series_colour(cr, &plot->series[s], s);
        if (plot->series[s].is_scatter) {
            cairo_new_sub_path(cr);
            cairo_arc(cr, left + 13.0, line_y, 4.0, 0.0, 6.283185307179586);
            cairo_fill(cr);
        } else {
            cairo_set_line_width(cr, 2.2);
            cairo_move_to(cr, left + 5.0, line_y);
            cairo_line_to(cr, left + 21.0, line_y);
            cairo_stroke(cr);
        }
        cairo_set_source_rgb(cr, 0.1, 0.1, 0.1);
        gn_plot_text(cr, plot->series[s].label, left + 26.0, line_y + GN_PLOT_FONT_PX * 0.35, 0.0);
        line_y += row_px;
    }
}

static double widest_tick(cairo_t *cr, const gn_axis *a)
{
    double widest = 0.0;
    for (int i = 0; i < a->n_ticks; i++)
        widest = fmax(widest, gn_plot_text_width(cr, a->text[i]));
    return widest;
}

static bool has_text(const char *s)
{
    return s != NULL && s[0] != '\0';
}

/* Titles around the frame given by the axes. */
static void draw_titles(cairo_t *cr, const gn_plot *plot, const gn_axis *x, const gn_axis *y, double left, double top)
{
    const double middle_x = (x->from_px + x->to_px) / 2.0;
    const double middle_y = (y->from_px + y->to_px) / 2.0;
    cairo_set_source_rgb(cr, 0.1, 0.1, 0.1);
    if (has_text(plot->x_label))
        gn_plot_text(cr, plot->x_label, middle_x, y->from_px + 2.0 * GN_PLOT_FONT_PX + 9.0, 0.5);
    if (has_text(plot->y_label))
        gn_plot_text_upright(cr, plot->y_label, left + GN_PLOT_FONT_PX + 2.0, middle_y, 0.5);
    if (has_text(plot->title)) {
        cairo_set_font_size(cr, GN_PLOT_TITLE_PX);
        gn_plot_text(cr, plot->title, middle_x, top + GN_PLOT_TITLE_PX + 4.0, 0.5);
        cairo_set_font_size(cr, GN_PLOT_FONT_PX);
    }
}

static void draw_panel(cairo_t *cr, const gn_plot *plot, double left, double top, double w, double h)
{
    gn_axis x = {.is_log = plot->is_log_x}, y = {.is_log = plot->is_log_y};
    const bool has_points = find_range(plot, false, &x) && find_range(plot, true, &y);
    if (has_points) {
        gn_axis_make_ticks(&x, (int)fmax(2.0, fmin(8.0, w / 70.0)));
        gn_axis_make_ticks(&y, (int)fmax(2.0, fmin(8.0, h / 40.0)));
    }
    x.from_px = left + widest_tick(cr, &y) + 12.0 + (has_text(plot->y_label) ? GN_PLOT_FONT_PX + 6.0 : 0.0);
    x.to_px = left + w - 14.0;
    y.from_px = top + h - GN_PLOT_FONT_PX - 10.0 - (has_text(plot->x_label) ? GN_PLOT_FONT_PX + 6.0 : 0.0);
    y.to_px = top + 8.0 + (has_text(plot->title) ? GN_PLOT_TITLE_PX + 6.0 : 0.0);
    if (has_points) {
        draw_grid(cr, &x, &y);
        draw_series(cr, plot, &x, &y);
        draw_legend(cr, plot, &x, &y);
    } else {
        cairo_set_source_rgb(cr, 0.45, 0.45, 0.45);
        gn_plot_text(cr, "no data", (x.from_px + x.to_px) / 2.0, (y.from_px + y.to_px) / 2.0, 0.5);
    }
    draw_titles(cr, plot, &x, &y, left, top);
}

/* Size of the whole sheet. */
static gn_status sheet_size(size_t n, int columns, int panel_w, int panel_h, int *width_out, int *height_out)
{
    if (n == 0 || columns < 1 || columns > 16 || panel_w < 120 || panel_h < 120 || panel_w > 4096 || panel_h > 4096)
        return GN_EINVAL;
    const size_t used = n < (size_t)columns ? n : (size_t)columns;
    const size_t rows = (n + (size_t)columns - 1) / (size_t)columns;
    if (rows > 1000 || used * (size_t)panel_w > 32767 || rows * (size_t)panel_h > 32767 ||
        used * (size_t)panel_w * rows * (size_t)panel_h > GN_IMAGE_MAX_PIXELS)
        return GN_ELIMIT;
    *width_out = (int)used * panel_w;
    *height_out = (int)rows * panel_h;
    return GN_OK;
}

static void draw_panels(cairo_t *cr, const gn_plot *panels, size_t n, int columns, int panel_w, int panel_h)
{
    gn_plot_begin(cr);
    for (size_t i = 0; i < n; i++)
        draw_panel(cr, &panels[i], (double)(i % (size_t)columns) * panel_w, (double)(i / (size_t)columns) * panel_h,
                   panel_w, panel_h);
}

gn_status gn_plot_render(const gn_plot *panels, size_t n, int columns, int panel_w, int panel_h, gn_image *image_out)
{
    int width, height;
    gn_canvas canvas;
    GN_TRY(sheet_size(n, columns, panel_w, panel_h, &width, &height));
    GN_TRY(gn_canvas_init(&canvas, width, height));
    draw_panels(canvas.cr, panels, n, columns, panel_w, panel_h);
    const gn_status status = gn_canvas_take(&canvas, image_out);
    gn_canvas_deinit(&canvas);
    return status;
}

typedef struct sheet {
    const gn_plot *panels;
    size_t n;
    int columns, panel_w, panel_h;
} sheet;

static void draw_sheet(cairo_t *cr, const void *ctx)
{
    const sheet *s = ctx;
    draw_panels(cr, s->panels, s->n, s->columns, s->panel_w, s->panel_h);
}

static gn_status save_sheet(const char *path, const sheet *s, double scale, gn_error *err)
{
    int width, height;
    const gn_status status = sheet_size(s->n, s->columns, s->panel_w, s->panel_h, &width, &height);
    if (status != GN_OK)
        return gn_fail_at(err, status, path, 0, "cannot draw %zu plots of %d x %d: %s", s->n, s->panel_w, s->panel_h,
                          gn_status_sentence(status));
    return gn_drawing_save(path, width, height, scale, draw_sheet, s, err);
}

gn_status gn_plot_save(const char *path, const gn_plot *panels, size_t n, int columns, int panel_w, int panel_h,
                       gn_error *err)
{
    const sheet s = {panels, n, columns, panel_w, panel_h};
    return save_sheet(path, &s, 1.0, err);
}

gn_status gn_plot_save_scaled(const char *path, const gn_plot *plot, int w, int h, double scale, gn_error *err)
{
    const sheet s = {plot, 1, 1, w, h};
    return save_sheet(path, &s, scale, err);
}
