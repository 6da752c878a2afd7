/* What plots share; see plot_parts.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "draw/plot_parts.h"

#include <math.h>
#include <stdio.h>

#include <cairo-svg.h>

#include "base/file.h"
#include "base/text.h"
#include "draw/canvas.h"

double gn_axis_scaled(const gn_axis *a, double v)
{
    if (!isfinite(v))
        return NAN;
    if (a->is_log)
        return v > 0.0 ? log10(v) : NAN;
    return v;
}

double gn_axis_px(const gn_axis *a, double scaled)
{
    return a->from_px + (scaled - a->low) / (a->high - a->low) * (a->to_px - a->from_px);
}

/* 1, 2 or 5 times a power of ten, at most `wanted` steps over the span. */
static double nice_step(double span, int wanted)
{
    const double raw = span / wanted;
    const double power = pow(10.0, floor(log10(raw)));
    const double rest = raw / power;
    return (rest <= 1.0 ? 1.0 : rest <= 2.0 ? 2.0 : rest <= 5.0 ? 5.0 : 10.0) * power;
}

static void add_tick(gn_axis *a, double scaled)
{
    if (a->n_ticks >= GN_AXIS_TICKS || scaled < a->low || scaled > a->high)
        return;
    const double value = a->is_log ? pow(10.0, scaled) : scaled;
    a->tick[a->n_ticks] = scaled;
    snprintf(a->text[a->n_ticks], GN_AXIS_TEXT, "%.6g", value);
    a->n_ticks++;
}

void gn_axis_make_ticks(gn_axis *a, int wanted)
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
    for (double k = ceil(low / step); k * step <= high && a->n_ticks < GN_AXIS_TICKS; k += 1.0) {
        const double v = k == 0.0 ? 0.0 : k * step;
        add_tick(a, a->is_log ? log10(v) : v);
    }
}

void gn_axis_take(gn_axis *axis, double value)
{
    const double v = gn_axis_scaled(axis, value);
    if (isnan(v))
        return;
    axis->low = fmin(axis->low, v);
    axis->high = fmax(axis->high, v);
}

bool gn_axis_widen(gn_axis *axis, bool keeps_low)
{
    if (!(axis->low <= axis->high))
        return false;
    const double span = axis->high - axis->low;
    const double margin = span > 0.0 ? span * 0.04 : fmax(fabs(axis->high) * 0.1, 0.5);
    axis->low -= keeps_low ? 0.0 : margin;
    axis->high += margin;
    return true;
}

/* --- texts -------------------------------------------------------------------------------------------------------------- */

void gn_plot_begin(cairo_t *cr)
{
    cairo_set_source_rgb(cr, 1.0, 1.0, 1.0);
    cairo_paint(cr);
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, GN_PLOT_FONT_PX);
}

double gn_plot_text_width(cairo_t *cr, const char *text)
{
    cairo_text_extents_t extents;
    cairo_text_extents(cr, text, &extents);
    return extents.x_advance;
}

void gn_plot_text(cairo_t *cr, const char *text, double x, double y, double align)
{
    cairo_move_to(cr, x - align * gn_plot_text_width(cr, text), y);
    cairo_show_text(cr, text);
}

void gn_plot_text_upright(cairo_t *cr, const char *text, double x, double y, double align)
{
    cairo_save(cr);
    cairo_translate(cr, x, y);
    cairo_rotate(cr, -1.5707963267948966);
    gn_plot_text(cr, text, 0, 0, align);
    cairo_restore(cr);
}

void gn_plot_fit_text(cairo_t *cr, const char *text, double width_px, char *dst, int bytes)
{
    int n = snprintf(dst, (size_t)bytes, "%s", text);
    n = n < bytes ? n : bytes - 1;
    while (n > 1 && gn_plot_text_width(cr, dst) > width_px) {
        do
            n--;
        while (n > 1 && ((unsigned char)dst[n] & 0xC0) == 0x80); /* not within a letter of UTF-8 */
        dst[n] = '\0';
    }
}

/* --- files -------------------------------------------------------------------------------------------------------------- */

static cairo_status_t append_svg(void *ctx, const unsigned char *bytes, unsigned int n)
{
    gn_text *text = ctx;
    gn_text_add_bytes(text, bytes, n);
    return text->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

static gn_status save_svg(const char *path, int width, int height, gn_drawing_fn draw, const void *ctx, gn_error *err)
{
    gn_text svg;
    gn_text_init(&svg);
    cairo_surface_t *surface = cairo_svg_surface_create_for_stream(append_svg, &svg, width, height);
    cairo_t *cr = cairo_create(surface);
    draw(cr, ctx);
    cairo_surface_finish(surface);
    const bool has_failed =
        cairo_status(cr) != CAIRO_STATUS_SUCCESS || cairo_surface_status(surface) != CAIRO_STATUS_SUCCESS || svg.failed;
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    const gn_status status =
        has_failed ? gn_fail_at(err, GN_ENOMEM, path, 0, "cannot draw a plot of %d x %d: out of memory", width, height)
                   : gn_file_write(path, svg.data, svg.len, err);
    gn_text_deinit(&svg);
    return status;
}

gn_status gn_drawing_save(const char *path, int width, int height, double scale, gn_drawing_fn draw, const void *ctx,
                          gn_error *err)
{
    gn_canvas canvas;
    gn_image image;
    if (gn_has_suffix(path, ".svg"))
        return save_svg(path, width, height, draw, ctx, err);
    if (!gn_has_suffix(path, ".png"))
        return gn_fail_at(err, GN_EINVAL, path, 0, "cannot save a plot as \"%s\": use .png or .svg", gn_path_ext(path));
    gn_status status = gn_canvas_init(&canvas, (int)ceil(width * scale), (int)ceil(height * scale));
    if (status == GN_OK) {
        cairo_scale(canvas.cr, scale, scale);
        draw(canvas.cr, ctx);
        status = gn_canvas_take(&canvas, &image);
        gn_canvas_deinit(&canvas);
    }
    if (status != GN_OK)
        return gn_fail_at(err, status == GN_EINVAL ? GN_ELIMIT : status, path, 0, "cannot draw a plot of %d x %d: %s",
                          width, height, gn_status_sentence(status));
    status = gn_image_save(path, &image, 90, err);
    gn_image_deinit(&image);
    return status;
}
