/* A matrix as a picture; see matrix_plot.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "draw/matrix_plot.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include <cairo.h>

#include "base/memory.h"
#include "draw/canvas.h"

#define FONT_PX      11.0
#define TITLE_PX     13.0
#define WHOLE_PX     900 /* about as wide as the cells are together */
#define MAX_CELL_PX  60
#define MIN_CELL_PX  2
#define NAMES_PX     110 /* room for names at the left and below */
#define TITLE_ROW_PX 28
#define MARGIN_PX    14
#define LABEL_ROW_PX 20

typedef struct layout {
    int cell, left, top, width, height;
} layout;

static layout layout_of(int side)
{
    layout l = {.cell = WHOLE_PX / side, .left = MARGIN_PX + LABEL_ROW_PX + NAMES_PX, .top = MARGIN_PX + TITLE_ROW_PX};
    l.cell = l.cell > MAX_CELL_PX ? MAX_CELL_PX : l.cell < MIN_CELL_PX ? MIN_CELL_PX : l.cell;
    l.width = l.left + side * l.cell + MARGIN_PX;
    l.height = l.top + side * l.cell + NAMES_PX + LABEL_ROW_PX + MARGIN_PX;
    return l;
}

/* align: 0 left, 0.5 centre, 1 right of x. */
static void show_text(cairo_t *cr, const char *text, double x, double y, double align)
{
    cairo_text_extents_t extents;
    cairo_text_extents(cr, text, &extents);
    cairo_move_to(cr, x - align * extents.x_advance, y);
    cairo_show_text(cr, text);
}

static void show_upright(cairo_t *cr, const char *text, double x, double y, double align)
{
    cairo_save(cr);
    cairo_translate(cr, x, y);
    cairo_rotate(cr, -1.5707963267948966);
    show_text(cr, text, 0, 0, align);
    cairo_restore(cr);
}

/* Text of at most NAMES_PX pixels, cut where it is longer. */
static void fit_name(cairo_t *cr, const char *name, char *dst, size_t bytes)
{
    cairo_text_extents_t extents;
    int n = snprintf(dst, bytes, "%s", name);
    n = n < (int)bytes ? n : (int)bytes - 1;
    for (cairo_text_extents(cr, dst, &extents); n > 1 && extents.x_advance > NAMES_PX - 6;
         cairo_text_extents(cr, dst, &extents)) {
        do
            n--;
        while (n > 1 && ((unsigned char)dst[n] & 0xC0) == 0x80); /* not within a letter of UTF-8 */
        dst[n] = '\0';
    }
}

static void draw_cell(cairo_t *cr, const layout *l, int row, int column, int64_t count, double share)
{
    const double x = l->left + column * l->cell, y = l->top + row * l->cell;
    char text[24];
    cairo_text_extents_t extents;
    cairo_set_source_rgb(cr, 1 - 0.92 * share, 1 - 0.72 * share, 1 - 0.42 * share);
    cairo_rectangle(cr, x, y, l->cell, l->cell);
    cairo_fill(cr);
    if (count == 0)
        return;
    snprintf(text, sizeof text, "%" PRId64, count);
    cairo_text_extents(cr, text, &extents);
    if (extents.x_advance > l->cell - 4 || l->cell < FONT_PX + 3)
        return;
    const double ink = share > 0.5 ? 1 : 0.1;
    cairo_set_source_rgb(cr, ink, ink, ink);
    show_text(cr, text, x + l->cell / 2.0, y + l->cell / 2.0 + FONT_PX * 0.36, 0.5);
}

static void draw_names(cairo_t *cr, const gn_matrix_plot *plot, const layout *l)
{
    char text[128];
    /* Every name where it fits, else every few. */
    const int step = l->cell >= FONT_PX + 1 ? 1 : (int)ceil((FONT_PX + 1) / l->cell);
    cairo_set_source_rgb(cr, 0.15, 0.15, 0.15);
    for (int i = 0; i < plot->side; i += step) {
        const double middle = i * l->cell + l->cell / 2.0 + FONT_PX * 0.36;
        fit_name(cr, plot->names[i], text, sizeof text);
        show_text(cr, text, l->left - 5, l->top + middle, 1);
        show_upright(cr, text, l->left + middle, l->top + plot->side * l->cell + 5, 1);
    }
    const double centre = plot->side * l->cell / 2.0;
    cairo_set_font_size(cr, TITLE_PX);
    if (plot->x_label)
        show_text(cr, plot->x_label, l->left + centre, l->height - MARGIN_PX, 0.5);
    if (plot->y_label)
        show_upright(cr, plot->y_label, MARGIN_PX + TITLE_PX * 0.8, l->top + centre, 0.5);
    if (plot->title)
        show_text(cr, plot->title, l->left, MARGIN_PX + TITLE_PX, 0);
}

static gn_status draw(cairo_t *cr, const gn_matrix_plot *plot, const layout *l)
{
    int64_t *sum = gn_calloc((size_t)plot->side, sizeof *sum);
    if (!sum)
        return GN_ENOMEM;
    for (int r = 0; r < plot->side; r++)
        for (int c = 0; c < plot->side; c++)
            sum[c] += plot->count[(int64_t)r * plot->side + c];
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_paint(cr);
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, FONT_PX);
    for (int r = 0; r < plot->side; r++)
        for (int c = 0; c < plot->side; c++) {
            const int64_t count = plot->count[(int64_t)r * plot->side + c];
            draw_cell(cr, l, r, c, count, sum[c] > 0 ? (double)count / (double)sum[c] : 0);
        }
    cairo_set_source_rgb(cr, 0.6, 0.6, 0.6);
    cairo_set_line_width(cr, 1);
    cairo_rectangle(cr, l->left - 0.5, l->top - 0.5, plot->side * l->cell + 1, plot->side * l->cell + 1);
    cairo_stroke(cr);
    draw_names(cr, plot, l);
    gn_free(sum);
    return GN_OK;
}

gn_status gn_matrix_plot_render(const gn_matrix_plot *plot, gn_image *image_out)
{
    if (plot->side < 1)
        return GN_EINVAL;
    if (plot->side > GN_MATRIX_MAX_SIDE)
        return GN_ELIMIT;
    const layout l = layout_of(plot->side);
    gn_canvas canvas;
    GN_TRY(gn_canvas_init(&canvas, l.width, l.height));
    gn_status status = draw(canvas.cr, plot, &l);
    if (status == GN_OK)
        status = gn_canvas_take(&canvas, image_out);
    gn_canvas_deinit(&canvas);
    return status;
}

gn_status gn_matrix_plot_save(const char *path, const gn_matrix_plot *plot, gn_error *err)
{
    gn_image image;
    gn_status status = gn_matrix_plot_render(plot, &image);
    if (status != GN_OK)
        return gn_fail_at(err, status, path, 0, "cannot draw a matrix of %d classes: %s", plot->side,
                          gn_status_sentence(status));
    status = gn_image_save(path, &image, 90, err);
    gn_image_deinit(&image);
    return status;
}
