/* Line and scatter plots.  One routine draws a panel on any cairo surface; PNG and SVG differ in the surface only.
 * SPDX-License-Identifier: Apache-2.0 */
#include "draw/plot.h"

#include <math.h>
#include <stdio.h>

#include <cairo-svg.h>
#include <cairo.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "draw/canvas.h"

enum { MAX_TICKS = 12, TICK_TEXT = 24 };
#define FONT_PX  11.0
#define TITLE_PX 13.0

/* One axis: values between low and high (logarithms to base 10 when is_log) lie on the pixels from..to. */
typedef struct axis {
    bool is_log;
    double low, high;
    double from_px, to_px;
    int n_ticks;
    double tick[MAX_TICKS];
    char text[MAX_TICKS][TICK_TEXT];
} axis;

/* Value on the axis' own scale; NaN when it has no place there. */
static double on_scale(const axis *a, double v)
{
    if (!isfinite(v))
        return NAN;
    if (a->is_log)
        return v > 0.0 ? log10(v) : NAN;
    return v;
}

static double to_px(const axis *a, double scaled)
{
    return a->from_px + (scaled - a->low) / (a->high - a->low) * (a->to_px - a->from_px);
}

/* Range of all values; false when none is drawable. */
static bool find_range(const gn_plot *plot, bool is_y, axis *a)
{
    a->low = INFINITY;
    a->high = -INFINITY;
    for (size_t s = 0; s < plot->n_series; s++) {
        const gn_plot_series *series = &plot->series[s];
        for (size_t i = 0; i < series->n; i++) {
            const double v = on_scale(a, is_y ? series->y[i] : series->x[i]);
            if (isnan(v))
                continue;
            a->low = fmin(a->low, v);
            a->high = fmax(a->high, v);
        }
    }
    if (!(a->low <= a->high))
        return false;
    if (is_y && plot->has_y_zero && !a->is_log && a->low > 0.0)
        a->low = 0.0;
    const double span = a->high - a->low;
    const double margin = span > 0.0 ? span * 0.04 : fmax(fabs(a->high) * 0.1, 0.5);
    const bool keeps_low = is_y && plot->has_y_zero && a->low == 0.0;
    a->low -= keeps_low ? 0.0 : margin;
    a->high += margin;
    return true;
}

/* 1, 2 or 5 times a power of ten, at most `wanted` steps over the span. */
static double nice_step(double span, int wanted)
{
    const double raw = span / wanted;
    const double power = pow(10.0, floor(log10(raw)));
    const double rest = raw / power;
    return (rest <= 1.0 ? 1.0 : rest <= 2.0 ? 2.0 : rest <= 5.0 ? 5.0 : 10.0) * power;
}

static void add_tick(axis *a, double scaled)
{
    if (a->n_ticks >= MAX_TICKS || scaled < a->low || scaled > a->high)
        return;
    const double value = a->is_log ? pow(10.0, scaled) : scaled;
    a->tick[a->n_ticks] = scaled;
    snprintf(a->text[a->n_ticks], TICK_TEXT, "%.6g", value);
    a->n_ticks++;
}

static void make_ticks(axis *a, int wanted)
{
    a->n_ticks = 0;
    if (a->is_log && a->high - a->low >= 0.9) {
        const bool is_short = a->high - a->low < 2.5; /* few decades: also 2 and 5 */
        for (double e = floor(a->low); e <= a->high; e += 1.0) {
            add_tick(a, e);
            if (is_short) {
                add_tick(a, e + log10(2.0));
                add_tick(a, e + log10(5.0));
            }
        }
        return;
    }
    const double low = a->is_log ? pow(10.0, a->low) : a->low;
    const double high = a->is_log ? pow(10.0, a->high) : a->high;
    const double step = nice_step(high - low, wanted);
    for (double k = ceil(low / step); k * step <= high && a->n_ticks < MAX_TICKS; k += 1.0) {
        const double v = k == 0.0 ? 0.0 : k * step;
        add_tick(a, a->is_log ? log10(v) : v);
    }
}

static gn_colour series_colour(const gn_plot_series *series, size_t number)
{
    return series->has_colour ? series->colour : gn_colour_nth((int)(number % 12));
}

static void set_series_colour(cairo_t *cr, const gn_plot_series *series, size_t number)
{
    const gn_colour c = series_colour(series, number);
    cairo_set_source_rgb(cr, c.r / 255.0, c.g / 255.0, c.b / 255.0);
}

/* align: 0 left, 0.5 centre, 1 right of x. */
static void show_text(cairo_t *cr, const char *text, double x, double y, double align)
{
    cairo_text_extents_t extents;
    cairo_text_extents(cr, text, &extents);
    cairo_move_to(cr, x - align * extents.x_advance, y);
    cairo_show_text(cr, text);
}

static void draw_grid(cairo_t *cr, const axis *x, const axis *y)
{
    cairo_set_line_width(cr, 1.0);
    for (int i = 0; i < x->n_ticks; i++) {
        const double px = floor(to_px(x, x->tick[i])) + 0.5;
        cairo_set_source_rgb(cr, 0.9, 0.9, 0.9);
        cairo_move_to(cr, px, y->from_px);
        cairo_line_to(cr, px, y->to_px);
        cairo_stroke(cr);
        cairo_set_source_rgb(cr, 0.25, 0.25, 0.25);
        show_text(cr, x->text[i], px, y->from_px + FONT_PX + 4.0, 0.5);
    }
    for (int i = 0; i < y->n_ticks; i++) {
        const double px = floor(to_px(y, y->tick[i])) + 0.5;
        cairo_set_source_rgb(cr, 0.9, 0.9, 0.9);
        cairo_move_to(cr, x->from_px, px);
        cairo_line_to(cr, x->to_px, px);
        cairo_stroke(cr);
        cairo_set_source_rgb(cr, 0.25, 0.25, 0.25);
        show_text(cr, y->text[i], x->from_px - 5.0, px + FONT_PX * 0.35, 1.0);
    }
    cairo_set_source_rgb(cr, 0.4, 0.4, 0.4);
    cairo_rectangle(cr, x->from_px, y->to_px, x->to_px - x->from_px, y->from_px - y->to_px);
    cairo_stroke(cr);
}

static void draw_markers(cairo_t *cr, const gn_plot_series *series, const axis *x, const axis *y, double radius)
{
    for (size_t i = 0; i < series->n; i++) {
        const double u = on_scale(x, series->x[i]);
        const double v = on_scale(y, series->y[i]);
        if (isnan(u) || isnan(v))
            continue;
        cairo_new_sub_path(cr);
        cairo_arc(cr, to_px(x, u), to_px(y, v), radius, 0.0, 6.283185307179586);
        cairo_fill(cr);
    }
}

static void draw_line(cairo_t *cr, const gn_plot_series *series, const axis *x, const axis *y)
{
    bool is_open = false;
    for (size_t i = 0; i < series->n; i++) {
        const double u = on_scale(x, series->x[i]);
        const double v = on_scale(y, series->y[i]);
        if (isnan(u) || isnan(v)) {
            is_open = false;
            continue;
        }
        if (is_open)
            cairo_line_to(cr, to_px(x, u), to_px(y, v));
        else
            cairo_move_to(cr, to_px(x, u), to_px(y, v));
        is_open = true;
    }
    cairo_set_line_width(cr, 1.8);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    cairo_stroke(cr);
}

static void draw_series(cairo_t *cr, const gn_plot *plot, const axis *x, const axis *y)
{
    cairo_save(cr);
    cairo_rectangle(cr, x->from_px, y->to_px, x->to_px - x->from_px, y->from_px - y->to_px);
    cairo_clip(cr);
    for (size_t s = 0; s < plot->n_series; s++) {
        const gn_plot_series *series = &plot->series[s];
        set_series_colour(cr, series, s);
        if (series->is_scatter) {
            draw_markers(cr, series, x, y, 4.0);
            continue;
        }
        draw_line(cr, series, x, y);
        if (series->n <= 40) /* points of a short series, and a lone point, stay visible */
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
        cairo_text_extents_t extents;
        cairo_text_extents(cr, plot->series[s].label, &extents);
        widest = fmax(widest, extents.x_advance);
        rows++;
    }
    *width_out = widest + 30.0;
    return rows;
}

/* How many drawn points lie in a rectangle. */
static int points_inside(const gn_plot *plot, const axis *x, const axis *y, double left, double top, double w, double h)
{
    int n = 0;
    for (size_t s = 0; s < plot->n_series; s++)
        for (size_t i = 0; i < plot->series[s].n; i++) {
            const double u = to_px(x, on_scale(x, plot->series[s].x[i]));
            const double v = to_px(y, on_scale(y, plot->series[s].y[i]));
            n += u >= left && u <= left + w && v >= top && v <= top + h; /* false for NaN */
        }
    return n;
}

/* In the corner that hides the fewest points. */
static void draw_legend(cairo_t *cr, const gn_plot *plot, const axis *x, const axis *y)
{
    double width;
    const int rows = legend_rows(cr, plot, &width);
    if (rows == 0)
        return;
    const double row_px = FONT_PX + 4.0;
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
        show_text(cr, plot->series[s].label, left + 26.0, line_y + FONT_PX * 0.35, 0.0);
        line_y += row_px;
    }
}

static double widest_tick(cairo_t *cr, const axis *a)
{
    double widest = 0.0;
    for (int i = 0; i < a->n_ticks; i++) {
        cairo_text_extents_t extents;
        cairo_text_extents(cr, a->text[i], &extents);
        widest = fmax(widest, extents.x_advance);
    }
    return widest;
}

static bool has_text(const char *s)
{
    return s != NULL && s[0] != '\0';
}

/* Titles around the frame given by the axes. */
static void draw_titles(cairo_t *cr, const gn_plot *plot, const axis *x, const axis *y, double left, double top)
{
    const double middle_x = (x->from_px + x->to_px) / 2.0;
    const double middle_y = (y->from_px + y->to_px) / 2.0;
    cairo_set_source_rgb(cr, 0.1, 0.1, 0.1);
    if (has_text(plot->x_label))
        show_text(cr, plot->x_label, middle_x, y->from_px + 2.0 * FONT_PX + 9.0, 0.5);
    if (has_text(plot->y_label)) {
        cairo_save(cr);
        cairo_translate(cr, left + FONT_PX + 2.0, middle_y);
        cairo_rotate(cr, -1.5707963267948966);
        show_text(cr, plot->y_label, 0.0, 0.0, 0.5);
        cairo_restore(cr);
    }
    if (has_text(plot->title)) {
        cairo_set_font_size(cr, TITLE_PX);
        show_text(cr, plot->title, middle_x, top + TITLE_PX + 4.0, 0.5);
        cairo_set_font_size(cr, FONT_PX);
    }
}

static void draw_panel(cairo_t *cr, const gn_plot *plot, double left, double top, double w, double h)
{
    axis x = {.is_log = plot->is_log_x}, y = {.is_log = plot->is_log_y};
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, FONT_PX);
    const bool has_points = find_range(plot, false, &x) && find_range(plot, true, &y);
    if (has_points) {
        make_ticks(&x, (int)fmax(2.0, fmin(8.0, w / 70.0)));
        make_ticks(&y, (int)fmax(2.0, fmin(8.0, h / 40.0)));
    }
    x.from_px = left + widest_tick(cr, &y) + 12.0 + (has_text(plot->y_label) ? FONT_PX + 6.0 : 0.0);
    x.to_px = left + w - 14.0;
    y.from_px = top + h - FONT_PX - 10.0 - (has_text(plot->x_label) ? FONT_PX + 6.0 : 0.0);
    y.to_px = top + 8.0 + (has_text(plot->title) ? TITLE_PX + 6.0 : 0.0);
    if (has_points) {
        draw_grid(cr, &x, &y);
        draw_series(cr, plot, &x, &y);
        draw_legend(cr, plot, &x, &y);
    } else {
        cairo_set_source_rgb(cr, 0.45, 0.45, 0.45);
        show_text(cr, "no data", (x.from_px + x.to_px) / 2.0, (y.from_px + y.to_px) / 2.0, 0.5);
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
    cairo_set_source_rgb(cr, 1.0, 1.0, 1.0);
    cairo_paint(cr);
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

static cairo_status_t append_svg(void *ctx, const unsigned char *bytes, unsigned int n)
{
    gn_text *text = ctx;
    gn_text_add_bytes(text, bytes, n);
    return text->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

static gn_status render_svg(const gn_plot *panels, size_t n, int columns, int panel_w, int panel_h, gn_text *svg)
{
    int width, height;
    GN_TRY(sheet_size(n, columns, panel_w, panel_h, &width, &height));
    cairo_surface_t *surface = cairo_svg_surface_create_for_stream(append_svg, svg, width, height);
    cairo_t *cr = cairo_create(surface);
    draw_panels(cr, panels, n, columns, panel_w, panel_h);
    cairo_surface_finish(surface);
    const bool has_failed = cairo_status(cr) != CAIRO_STATUS_SUCCESS ||
                            cairo_surface_status(surface) != CAIRO_STATUS_SUCCESS || svg->failed;
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    return has_failed ? GN_ENOMEM : GN_OK;
}

static gn_status save_svg(const char *path, const gn_plot *panels, size_t n, int columns, int panel_w, int panel_h,
                          gn_error *err)
{
    gn_text svg;
    gn_text_init(&svg);
    gn_status status = render_svg(panels, n, columns, panel_w, panel_h, &svg);
    if (status != GN_OK)
        gn_fail_at(err, status, path, 0, "cannot draw %zu plots of %d x %d: %s", n, panel_w, panel_h,
                   gn_status_sentence(status));
    else
        status = gn_file_write(path, svg.data, svg.len, err);
    gn_text_deinit(&svg);
    return status;
}

gn_status gn_plot_save(const char *path, const gn_plot *panels, size_t n, int columns, int panel_w, int panel_h,
                       gn_error *err)
{
    if (gn_has_suffix(path, ".svg"))
        return save_svg(path, panels, n, columns, panel_w, panel_h, err);
    if (!gn_has_suffix(path, ".png"))
        return gn_fail_at(err, GN_EINVAL, path, 0, "cannot save a plot as \"%s\": use .png or .svg", gn_path_ext(path));
    gn_image image;
    gn_status status = gn_plot_render(panels, n, columns, panel_w, panel_h, &image);
    if (status != GN_OK)
        return gn_fail_at(err, status, path, 0, "cannot draw %zu plots of %d x %d: %s", n, panel_w, panel_h,
                          gn_status_sentence(status));
    status = gn_image_save(path, &image, 90, err);
    gn_image_deinit(&image);
    return status;
}
