/* A matrix as a picture; see matrix_plot.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "draw/matrix_plot.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include <cairo.h>

#include "base/text.h"
#include "draw/canvas.h"
#include "draw/plot_parts.h"

#define WHOLE_PX     900 /* about as wide as the cells are together */
#define MAX_CELL_PX  60
#define MIN_CELL_PX  2
#define NAMES_PX     110 /* room for names at the left and below */
#define TITLE_ROW_PX 28
#define MARGIN_PX    14
#define MIN_WIDTH_PX 320 /* a title wants it */
#define LABEL_ROW_PX 20

typedef struct layout {
    int cell, left, top, width, height;
} layout;

static layout layout_of(int side)
{
    layout l = {.cell = WHOLE_PX / side, .left = MARGIN_PX + LABEL_ROW_PX + NAMES_PX, .top = MARGIN_PX + TITLE_ROW_PX};
    l.cell = l.cell > MAX_CELL_PX ? MAX_CELL_PX : l.cell < MIN_CELL_PX ? MIN_CELL_PX : l.cell;
    l.width = l.left + side * l.cell + MARGIN_PX;
    l.width = l.width < MIN_WIDTH_PX ? MIN_WIDTH_PX : l.width;
    l.height = l.top + side * l.cell + NAMES_PX + LABEL_ROW_PX + MARGIN_PX;
    return l;
}

static void draw_cell(cairo_t *cr, const layout *l, int row, int column, int64_t count, double share)
{
    const double x = l->left + column * l->cell, y = l->top + row * l->cell;
    char text[24];
    cairo_set_source_rgb(cr, 1 - 0.92 * share, 1 - 0.72 * share, 1 - 0.42 * share);
    cairo_rectangle(cr, x, y, l->cell, l->cell);
    cairo_fill(cr);
    if (count == 0)
        return;
    snprintf(text, sizeof text, "%" PRId64, count);
    if (gn_plot_text_width(cr, text) > l->cell - 4 || l->cell < GN_PLOT_FONT_PX + 3)
        return;
    const double ink = share > 0.5 ? 1 : 0.1;
    cairo_set_source_rgb(cr, ink, ink, ink);
    gn_plot_text(cr, text, x + l->cell / 2.0, y + l->cell / 2.0 + GN_PLOT_FONT_PX * 0.36, 0.5);
}

static void draw_names(cairo_t *cr, const gn_matrix_plot *plot, const layout *l)
{
    char text[128];
    /* Every name where it fits, else every few. */
    const int step = l->cell >= GN_PLOT_FONT_PX + 1 ? 1 : (int)ceil((GN_PLOT_FONT_PX + 1) / l->cell);
    cairo_set_source_rgb(cr, 0.15, 0.15, 0.15);
    for (int i = 0; i < plot->side; i += step) {
        const double middle = i * l->cell + l->cell / 2.0 + GN_PLOT_FONT_PX * 0.36;
        gn_plot_fit_text(cr, plot->names[i], NAMES_PX - 6, text, sizeof text);
        gn_plot_text(cr, text, l->left - 5, l->top + middle, 1);
        gn_plot_text_upright(cr, text, l->left + middle, l->top + plot->side * l->cell + 5, 1);
    }
    const double centre = plot->side * l->cell / 2.0;
    cairo_set_font_size(cr, GN_PLOT_TITLE_PX);
    if (plot->x_label)
        gn_plot_text(cr, plot->x_label, l->left + centre, l->height - MARGIN_PX, 0.5);
    if (plot->y_label)
        gn_plot_text_upright(cr, plot->y_label, MARGIN_PX + GN_PLOT_TITLE_PX * 0.8, l->top + centre, 0.5);
    if (plot->title)
        gn_plot_text(cr, plot->title, MARGIN_PX, MARGIN_PX + GN_PLOT_TITLE_PX, 0);
}

/* Sum of a column, as what is true. */
static int64_t column_sum(const gn_matrix_plot *plot, int column)
{
    int64_t sum = 0;
    for (int r = 0; r < plot->side; r++)
        sum += plot->count[(int64_t)r * plot->side + column];
    return sum;
}

static void draw(cairo_t *cr, const void *ctx)
{
    const gn_matrix_plot *plot = ctx;
    const layout l = layout_of(plot->side);
    gn_plot_begin(cr);
    for (int c = 0; c < plot->side; c++) {
        const int64_t sum = column_sum(plot, c);
        for (int r = 0; r < plot->side; r++) {
            const int64_t count = plot->count[(int64_t)r * plot->side + c];
            draw_cell(cr, &l, r, c, count, sum > 0 ? (double)count / (double)sum : 0);
        }
    }
    cairo_set_source_rgb(cr, 0.6, 0.6, 0.6);
    cairo_set_line_width(cr, 1);
    cairo_rectangle(cr, l.left - 0.5, l.top - 0.5, plot->side * l.cell + 1, plot->side * l.cell + 1);
    cairo_stroke(cr);
    draw_names(cr, plot, &l);
}

static gn_status check_side(const gn_matrix_plot *plot)
{
    return plot->side < 1 ? GN_EINVAL : plot->side > GN_MATRIX_MAX_SIDE ? GN_ELIMIT : GN_OK;
}

gn_status gn_matrix_plot_render(const gn_matrix_plot *plot, gn_image *image_out)
{
    gn_canvas canvas;
    GN_TRY(check_side(plot));
    const layout l = layout_of(plot->side);
    GN_TRY(gn_canvas_init(&canvas, l.width, l.height));
    draw(canvas.cr, plot);
    const gn_status status = gn_canvas_take(&canvas, image_out);
    gn_canvas_deinit(&canvas);
    return status;
}

gn_status gn_matrix_plot_save(const char *path, const gn_matrix_plot *plot, gn_error *err)
{
    const gn_status status = check_side(plot);
    if (status != GN_OK)
        return gn_fail_at(err, status, path, 0, "cannot draw a matrix of %d classes: %s", plot->side,
                          gn_status_sentence(status));
    const layout l = layout_of(plot->side);
    if (!gn_has_suffix(path, ".jpg"))
        return gn_drawing_save(path, l.width, l.height, plot->scale > 0 ? plot->scale : 1, draw, plot, err);
    gn_image image;
    GN_TRY(gn_matrix_plot_render(plot, &image));
    const gn_status saved = gn_image_save(path, &image, 90, err);
    gn_image_deinit(&image);
    return saved;
}
