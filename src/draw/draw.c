/* Boxes with labels, and contact sheets.
 * SPDX-License-Identifier: Apache-2.0 */
#include "draw/draw.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "draw/canvas.h"
#include "image/resize.h"

/* Letters are not made smaller than this to fit. */
#define MIN_FONT_PX 6.0

gn_colour gn_colour_nth(int k)
{
    /* dark enough for white text and told apart by people who confuse red and green: neighbours differ in lightness */
    static const gn_colour palette[12] = {{31, 119, 180}, {214, 84, 14}, {36, 128, 60},  {170, 40, 110},
                                          {120, 94, 200}, {140, 86, 60}, {0, 130, 140},  {190, 30, 45},
                                          {110, 110, 20}, {70, 70, 80},  {200, 60, 160}, {20, 60, 140}};
    return palette[(k < 0 ? 0 : k) % 12];
}

static void set_colour(cairo_t *cr, gn_colour c, double alpha)
{
    cairo_set_source_rgba(cr, c.r / 255.0, c.g / 255.0, c.b / 255.0, alpha);
}

/* White on dark grounds, black on light ones. */
static void set_ink_on(cairo_t *cr, gn_colour ground)
{
    const double luma = 0.299 * ground.r + 0.587 * ground.g + 0.114 * ground.b;
    const double ink = luma < 140.0 ? 1.0 : 0.0;
    cairo_set_source_rgb(cr, ink, ink, ink);
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* Where a label stands, in pixels; width 0: there is none. */
typedef struct place {
    double x, y, width, height, font_px;
} place;

static double overlap(const place *a, const place *b)
{
    const double w = fmin(a->x + a->width, b->x + b->width) - fmax(a->x, b->x);
    const double h = fmin(a->y + a->height, b->y + b->height) - fmax(a->y, b->y);
    return w > 0.0 && h > 0.0 ? w * h : 0.0;
}

/* Of the places around the box's corners the first that covers no label of `placed`, else the one that covers least; inside the picture. */
static void choose_place(const gn_image *image, const gn_draw_box *box, place *label, const place *placed, size_t n)
{
    const double x1 = (double)box->x1, y1 = (double)box->y1, x2 = (double)box->x2 - label->width, y2 = (double)box->y2;
    const double h = label->height;
    const double corners[6][2] = {{x1, y1 - h}, {x1, y1}, {x1, y2}, {x2, y1 - h}, {x1, y2 - h}, {x2, y1}};
    double least = INFINITY;
    for (int i = 0; i < 6; i++) {
        place here = *label;
        double covered = 0.0;
        here.x = clamp(corners[i][0], 0.0, fmax(0.0, image->width - here.width));
        here.y = clamp(corners[i][1], 0.0, fmax(0.0, image->height - here.height));
        for (size_t k = 0; k < n; k++)
            covered += overlap(&here, &placed[k]);
        if (here.y != corners[i][1]) /* pushed into the picture: the next place is better */
            covered += 0.5;
        if (covered < least) {
            least = covered;
            *label = here;
        }
    }
}

/* Size of a label; its letters become smaller where it would be wider than the picture. */
static place measure_label(cairo_t *cr, const gn_image *image, const char *label, double font_px)
{
    cairo_text_extents_t extents;
    place p = {.font_px = font_px};
    for (int i = 0; i < 2; i++) {
        cairo_set_font_size(cr, p.font_px);
        cairo_text_extents(cr, label, &extents);
        p.width = extents.x_advance + 0.5 * p.font_px;
        p.height = 1.5 * p.font_px;
        if (p.width <= image->width)
            break;
        p.font_px = fmax(MIN_FONT_PX, p.font_px * image->width / p.width);
    }
    return p;
}

static void draw_label(cairo_t *cr, const place *p, gn_colour colour, const char *label)
{
    const double pad = p->font_px * 0.25;
    cairo_rectangle(cr, p->x, p->y, p->width, p->height);
    set_colour(cr, colour, 0.9);
    cairo_fill(cr);
    cairo_set_font_size(cr, p->font_px);
    cairo_move_to(cr, p->x + pad, p->y + pad + p->font_px * 0.82);
    set_ink_on(cr, colour);
    cairo_show_text(cr, label);
}

static void draw_frame(cairo_t *cr, const gn_draw_box *box, gn_colour colour, double line_px)
{
    cairo_rectangle(cr, (double)box->x1, (double)box->y1, (double)(box->x2 - box->x1), (double)(box->y2 - box->y1));
    /* a thin dark edge keeps the frame visible on any ground */
    cairo_set_source_rgba(cr, 0.0, 0.0, 0.0, 0.45);
    cairo_set_line_width(cr, line_px + 1.5);
    cairo_stroke_preserve(cr);
    set_colour(cr, colour, 1.0);
    cairo_set_line_width(cr, line_px);
    cairo_stroke(cr);
}

static bool is_drawable(const gn_draw_box *box)
{
    return isfinite(box->x1) && isfinite(box->y1) && isfinite(box->x2) && isfinite(box->y2);
}

static gn_colour colour_of(const gn_colour *colours, size_t i)
{
    return colours == NULL ? gn_colour_nth((int)(i % 12)) : colours[i];
}

/* After all frames, so that no frame crosses a label.  Later boxes choose their place first, and are drawn on top. */
static gn_status draw_labels(cairo_t *cr, const gn_image *image, const gn_draw_box *boxes, size_t n,
                             const gn_colour *colours, const char *const *labels, double font_px)
{
    place *placed = gn_calloc(n + 1, sizeof *placed);
    size_t n_placed = 0;
    if (placed == NULL)
        return GN_ENOMEM;
    for (size_t i = n; i-- > 0; n_placed++) {
        if (labels[i] == NULL || labels[i][0] == '\0' || !is_drawable(&boxes[i]))
            continue;
        placed[n_placed] = measure_label(cr, image, labels[i], font_px);
        choose_place(image, &boxes[i], &placed[n_placed], placed, n_placed);
    }
    for (size_t i = 0; i < n; i++)
        if (placed[n - 1 - i].width > 0.0)
            draw_label(cr, &placed[n - 1 - i], colour_of(colours, i), labels[i]);
    gn_free(placed);
    return GN_OK;
}

gn_status gn_draw_boxes(gn_image *image, const gn_draw_box *boxes, size_t n, const gn_colour *colours,
                        const char *const *labels, float line_px)
{
    if (image->channels != 3)
        return GN_EINVAL;
    gn_canvas canvas;
    gn_image drawn;
    GN_TRY(gn_canvas_init(&canvas, image->width, image->height));
    gn_canvas_put(&canvas, image, 0, 0);
    const double side = fmin(image->width, image->height);
    const double line = line_px > 0.0f ? (double)line_px : clamp(side / 180.0, 1.5, 8.0);
    const double font_px = clamp(side / 28.0, 9.0, 48.0);
    gn_status status = GN_OK;
    cairo_select_font_face(canvas.cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    for (size_t i = 0; i < n; i++)
        if (is_drawable(&boxes[i]))
            draw_frame(canvas.cr, &boxes[i], colour_of(colours, i), line);
    if (labels != NULL)
        status = draw_labels(canvas.cr, image, boxes, n, colours, labels, font_px);
    if (status == GN_OK)
        status = gn_canvas_take(&canvas, &drawn);
    gn_canvas_deinit(&canvas);
    if (status != GN_OK)
        return status;
    for (int y = 0; y < image->height; y++)
        memcpy(image->data + (size_t)y * image->stride_bytes, drawn.data + (size_t)y * drawn.stride_bytes,
               drawn.stride_bytes);
    gn_image_deinit(&drawn);
    return GN_OK;
}

/* Measures of a sheet, in pixels. */
typedef struct sheet {
    int tile, gap, caption, columns, rows;
} sheet;

static gn_status put_tile(gn_canvas *canvas, const gn_image *tile, int x, int y, int tile_px)
{
    const double scale = fmin((double)tile_px / tile->width, (double)tile_px / tile->height);
    const int w = (int)clamp(rint(tile->width * scale), 1.0, tile_px);
    const int h = (int)clamp(rint(tile->height * scale), 1.0, tile_px);
    gn_image fitted;
    GN_TRY(gn_resize_u8(tile, w, h, &fitted));
    gn_canvas_put(canvas, &fitted, x + (tile_px - w) / 2, y + (tile_px - h) / 2);
    gn_image_deinit(&fitted);
    return GN_OK;
}

static void put_caption(gn_canvas *canvas, const char *caption, int x, int y, const sheet *s)
{
    cairo_save(canvas->cr);
    cairo_rectangle(canvas->cr, x, y, s->tile, s->caption);
    cairo_clip(canvas->cr);
    cairo_move_to(canvas->cr, x + 1.0, y + s->caption * 0.75);
    cairo_set_source_rgb(canvas->cr, 0.1, 0.1, 0.1);
    cairo_show_text(canvas->cr, caption);
    cairo_restore(canvas->cr);
}

static gn_status fill_sheet(gn_canvas *canvas, const gn_image *tiles, const char *const *captions, size_t n,
                            const sheet *s)
{
    cairo_set_source_rgb(canvas->cr, 1.0, 1.0, 1.0);
    cairo_paint(canvas->cr);
    cairo_select_font_face(canvas->cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(canvas->cr, s->caption * 0.7);
    for (size_t i = 0; i < n; i++) {
        const int column = (int)(i % (size_t)s->columns);
        const int row = (int)(i / (size_t)s->columns);
        const int x = s->gap + column * (s->tile + s->gap);
        const int y = s->gap + row * (s->tile + s->caption + s->gap);
        GN_TRY(put_tile(canvas, &tiles[i], x, y, s->tile));
        if (captions != NULL && captions[i] != NULL)
            put_caption(canvas, captions[i], x, y + s->tile, s);
    }
    return GN_OK;
}

gn_status gn_draw_contact_sheet(const gn_image *tiles, const char *const *captions, size_t n, int columns, int tile_px,
                                gn_image *image_out)
{
    if (n == 0 || columns < 1 || columns > 64 || tile_px < 16 || tile_px > 2048)
        return GN_EINVAL;
    if (n > GN_IMAGE_MAX_PIXELS / 256)
        return GN_ELIMIT;
    const sheet s = {.tile = tile_px,
                     .gap = 6,
                     .caption = captions == NULL ? 0 : (int)clamp(tile_px / 9.0, 11.0, 24.0),
                     .columns = n < (size_t)columns ? (int)n : columns,
                     .rows = (int)((n + (size_t)columns - 1) / (size_t)columns)};
    const int64_t width = s.gap + (int64_t)s.columns * (s.tile + s.gap);
    const int64_t height = s.gap + (int64_t)s.rows * (s.tile + s.caption + s.gap);
    if (width > 32767 || height > 32767 || width * height > GN_IMAGE_MAX_PIXELS)
        return GN_ELIMIT;
    gn_canvas canvas;
    GN_TRY(gn_canvas_init(&canvas, (int)width, (int)height));
    gn_status status = fill_sheet(&canvas, tiles, captions, n, &s);
    if (status == GN_OK)
        status = gn_canvas_take(&canvas, image_out);
    gn_canvas_deinit(&canvas);
    return status;
}
