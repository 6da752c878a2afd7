/* What a drawn person wears on the head, and what hides a part of the face.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "draw/synth_scene.h"

static const gn_synth_rgb black = {0.0, 0.0, 0.0};
static const gn_synth_rgb white = {1.0, 1.0, 1.0};

/* --- glasses --- */

static void lens_path(cairo_t *cr, double x, double y, double rx, double ry, int shape)
{
    cairo_new_path(cr);
    if (shape == 0)
        gn_synth_ellipse(cr, x, y, rx, ry * 1.15);
    else
        gn_synth_rounded(cr, x - rx, y - ry, 2.0 * rx, 2.0 * ry, shape == 1 ? 0.05 : 0.12);
}

void gn_synth_draw_eyewear(const gn_synth_person *p, gn_rng *rng, cairo_t *cr)
{
    if (p->eyewear == GN_SYNTH_EYES_BARE)
        return;
    const bool is_dark = p->eyewear == GN_SYNTH_EYES_SUNGLASSES;
    const gn_synth_rgb frame =
        gn_synth_chance(rng, 0.6) ? (gn_synth_rgb){0.08, 0.07, 0.07} : gn_synth_any_colour(rng, 0.8);
    const gn_synth_rgb tint = is_dark ? (gn_synth_rgb){0.06, 0.06, 0.08} : (gn_synth_rgb){0.8, 0.9, 0.95};
    const int shape = gn_synth_pick(rng, 3);
    const double y = -0.08 + p->pitch;
    const double reach = p->half_width * 0.48;
    const double rx = p->half_width * gn_synth_range(rng, 0.3, 0.38);
    const double ry = rx * gn_synth_range(rng, 0.65, 0.9);
    cairo_set_line_width(cr, gn_synth_range(rng, 0.025, 0.06));
    double inner[2] = {0.0, 0.0};
    for (int side = -1; side <= 1; side += 2) {
        const double x = gn_synth_turn_x(p, side * reach);
        const double w = rx * gn_synth_turn_gain(p, side * reach);
        lens_path(cr, x, y, w, ry, shape);
        gn_synth_set(cr, tint, is_dark ? 0.94 : 0.13);
        cairo_fill_preserve(cr);
        gn_synth_set(cr, frame, 1.0);
        cairo_stroke(cr);
        gn_synth_spot(cr, x + 0.4 * w * p->light_x, y - ry * 0.4, w * 0.4, ry * 0.3, white, is_dark ? 0.35 : 0.45);
        inner[side < 0 ? 0 : 1] = x - side * w;
        cairo_move_to(cr, x + side * w, y - 0.03); /* temple */
        cairo_line_to(cr, side * (p->half_width - 0.01), y - 0.04);
        gn_synth_set(cr, frame, 1.0);
        cairo_stroke(cr);
    }
    cairo_move_to(cr, inner[0], y - 0.02);
    cairo_curve_to(cr, inner[0], y - 0.08, inner[1], y - 0.08, inner[1], y - 0.02);
    cairo_stroke(cr);
}

/* --- headwear --- */

static void draw_scarf(const gn_synth_person *p, cairo_t *cr)
{
    const double side = p->half_width + 0.3;
    cairo_new_path(cr);
    cairo_move_to(cr, -side * 1.25, 2.0);
    cairo_curve_to(cr, -side * 1.3, 0.9, -side * 1.25, -1.35, 0.0, -1.32);
    cairo_curve_to(cr, side * 1.25, -1.35, side * 1.3, 0.9, side * 1.25, 2.0);
    cairo_curve_to(cr, side * 0.5, 2.3, -side * 0.5, 2.3, -side * 1.25, 2.0);
    cairo_close_path(cr);
    gn_synth_set(cr, p->headwear_colour, 1.0);
    cairo_fill_preserve(cr);
    cairo_save(cr);
    cairo_clip(cr);
    gn_synth_spot(cr, -p->light_x * 1.1, 0.2, 0.9, 2.0, black, 0.45);
    gn_synth_spot(cr, p->light_x * 0.7, -1.0, 0.6, 0.5, white, 0.2);
    cairo_restore(cr);
}

/* Cloth over neck and under the chin, with the face left open; the hole is the open face itself. */
static void draw_scarf_front(const gn_synth_person *p, cairo_t *cr)
{
    const gn_synth_rgb shade = gn_synth_scale(p->headwear_colour, 0.8);
    cairo_new_path(cr);
    gn_synth_rounded(cr, -p->half_width - 0.12, 0.2, 2.0 * p->half_width + 0.24, 1.7, 0.5);
    gn_synth_polygon(cr, p->open_face, p->n_open);
    cairo_set_fill_rule(cr, CAIRO_FILL_RULE_EVEN_ODD);
    gn_synth_set(cr, shade, 1.0);
    cairo_save(cr);
    cairo_clip(cr);
    cairo_rectangle(cr, -2.0, 0.55, 4.0, 2.0); /* only below the cheeks: above, the scarf lies behind */
    cairo_fill(cr);
    gn_synth_spot(cr, 0.0, 1.1, 0.6, 0.25, black, 0.5);
    cairo_restore(cr);
    cairo_set_fill_rule(cr, CAIRO_FILL_RULE_WINDING);
}

void gn_synth_draw_headwear_back(const gn_synth_person *p, gn_rng *rng, cairo_t *cr)
{
    (void)rng;
    if (p->headwear == GN_SYNTH_HEAD_SCARF)
        draw_scarf(p, cr);
}

/* Cloth from the brim line up over the skull: the edge follows the hairline, so it ends where the open face begins. */
static void crown_path(const gn_synth_person *p, cairo_t *cr, double height, double bulge)
{
    const double side = p->half_width + 0.06 + bulge;
    const double low = p->hairline + p->hairline_drop;
    cairo_new_path(cr);
    cairo_move_to(cr, -side, low + 0.02);
    cairo_curve_to(cr, -side * 1.1, -height * 0.85, -side * 0.75, -height, 0.0, -height);
    cairo_curve_to(cr, side * 0.75, -height, side * 1.1, -height * 0.85, side, low + 0.02);
    cairo_curve_to(cr, p->half_width * 0.8, p->hairline, p->half_width * 0.3, p->hairline, 0.0, p->hairline);
    cairo_curve_to(cr, -p->half_width * 0.3, p->hairline, -p->half_width * 0.8, p->hairline, -side, low + 0.02);
    cairo_close_path(cr);
}

static void shade_crown(const gn_synth_person *p, cairo_t *cr)
{
    cairo_save(cr);
    cairo_clip(cr);
    gn_synth_spot(cr, -0.8 * p->light_x, -0.8, 0.8, 0.9, black, 0.5);
    gn_synth_spot(cr, 0.4 * p->light_x, -1.1, 0.5, 0.4, white, 0.25);
    cairo_restore(cr);
}

static void draw_cap(const gn_synth_person *p, cairo_t *cr)
{
    crown_path(p, cr, 1.28, 0.02);
    gn_synth_set(cr, p->headwear_colour, 1.0);
    cairo_fill_preserve(cr);
    shade_crown(p, cr);
    const double x = 0.6 * p->yaw; /* the peak, seen from the front, above the brim line */
    cairo_new_path(cr);
    cairo_move_to(cr, x - p->half_width * 0.95, p->hairline + 0.01);
    cairo_curve_to(cr, x - p->half_width * 0.7, p->hairline - 0.24, x + p->half_width * 0.7, p->hairline - 0.24,
                   x + p->half_width * 0.95, p->hairline + 0.01);
    cairo_curve_to(cr, x + p->half_width * 0.5, p->hairline - 0.04, x - p->half_width * 0.5, p->hairline - 0.04,
                   x - p->half_width * 0.95, p->hairline + 0.01);
    cairo_close_path(cr);
    gn_synth_set(cr, gn_synth_scale(p->headwear_colour, 0.6), 1.0);
    cairo_fill(cr);
}

static void draw_beanie(const gn_synth_person *p, gn_rng *rng, cairo_t *cr)
{
    crown_path(p, cr, gn_synth_range(rng, 1.3, 1.6), 0.05);
    gn_synth_set(cr, p->headwear_colour, 1.0);
    cairo_fill_preserve(cr);
    shade_crown(p, cr);
    gn_synth_rounded(cr, -p->half_width - 0.1, p->hairline - 0.2, 2.0 * p->half_width + 0.2, 0.22, 0.08);
    gn_synth_set(cr, gn_synth_scale(p->headwear_colour, 0.75), 1.0);
    cairo_fill(cr);
    cairo_set_line_width(cr, 0.02);
    for (double x = -p->half_width; x < p->half_width; x += 0.12) {
        cairo_move_to(cr, x, p->hairline - 0.18);
        cairo_line_to(cr, x, p->hairline);
        gn_synth_set(cr, black, 0.25);
        cairo_stroke(cr);
    }
    if (gn_synth_chance(rng, 0.3)) {
        gn_synth_ellipse(cr, 0.0, -1.5, 0.2, 0.2);
        gn_synth_set(cr, gn_synth_any_colour(rng, 0.5), 1.0);
        cairo_fill(cr);
    }
}

static void draw_hat(const gn_synth_person *p, gn_rng *rng, cairo_t *cr)
{
    crown_path(p, cr, gn_synth_range(rng, 1.35, 1.7), 0.0);
    gn_synth_set(cr, p->headwear_colour, 1.0);
    cairo_fill_preserve(cr);
    shade_crown(p, cr);
    cairo_rectangle(cr, -p->half_width - 0.04, p->hairline - 0.25, 2.0 * p->half_width + 0.08, 0.14);
    gn_synth_set(cr, gn_synth_any_colour(rng, 0.8), 1.0);
    cairo_fill(cr);
    const double brim = gn_synth_range(rng, 1.0, 1.45);
    gn_synth_ellipse(cr, 0.0, p->hairline - 0.1, brim, 0.13);
    gn_synth_set(cr, gn_synth_scale(p->headwear_colour, 0.8), 1.0);
    cairo_fill(cr);
}

void gn_synth_draw_headwear_front(const gn_synth_person *p, gn_rng *rng, cairo_t *cr)
{
    switch (p->headwear) {
    case GN_SYNTH_HEAD_CAP:
        draw_cap(p, cr);
        break;
    case GN_SYNTH_HEAD_BEANIE:
        draw_beanie(p, rng, cr);
        break;
    case GN_SYNTH_HEAD_HAT:
        draw_hat(p, rng, cr);
        break;
    case GN_SYNTH_HEAD_SCARF:
        draw_scarf_front(p, cr);
        break;
    case GN_SYNTH_HEAD_BARE:
        break;
    }
}

/* --- covers --- */

static void draw_mask(const gn_synth_person *p, gn_rng *rng, cairo_t *cr)
{
    static const gn_synth_rgb usual[] = {{0.55, 0.75, 0.85}, {0.92, 0.93, 0.94}, {0.1, 0.1, 0.12}, {0.6, 0.8, 0.7}};
    const gn_synth_rgb c = gn_synth_chance(rng, 0.75) ? usual[gn_synth_pick(rng, 4)] : gn_synth_any_colour(rng, 0.8);
    const double x = gn_synth_turn_x(p, 0.0) * 1.2;
    const double top = 0.14 + p->pitch;
    const double side = p->half_width * 0.9;
    cairo_set_line_width(cr, 0.025);
    for (int s = -1; s <= 1; s += 2) { /* straps */
        cairo_move_to(cr, s * side * 0.95, top + 0.18);
        cairo_line_to(cr, s * p->half_width, -0.02);
        gn_synth_set(cr, gn_synth_scale(c, 0.85), 1.0);
        cairo_stroke(cr);
    }
    cairo_save(cr);
    cairo_new_path(cr);
    gn_synth_polygon(cr, p->outline, GN_SYNTH_OUTLINE);
    cairo_clip(cr);
    cairo_new_path(cr);
    cairo_move_to(cr, -side, top + 0.16);
    cairo_curve_to(cr, x - 0.4, top + 0.08, x - 0.2, top - 0.02, x, top - 0.04);
    cairo_curve_to(cr, x + 0.2, top - 0.02, x + 0.4, top + 0.08, side, top + 0.16);
    cairo_curve_to(cr, side, 0.8, x + 0.4, 1.0, x, 1.02);
    cairo_curve_to(cr, x - 0.4, 1.0, -side, 0.8, -side, top + 0.16);
    cairo_close_path(cr);
    gn_synth_set(cr, c, 1.0);
    cairo_fill_preserve(cr);
    cairo_clip(cr);
    for (int i = 0; i < 3; i++) {
        cairo_move_to(cr, -side, 0.36 + 0.16 * i);
        cairo_curve_to(cr, x - 0.3, 0.4 + 0.18 * i, x + 0.3, 0.4 + 0.18 * i, side, 0.36 + 0.16 * i);
        gn_synth_set(cr, gn_synth_scale(c, 0.7), 0.8);
        cairo_stroke(cr);
    }
    gn_synth_spot(cr, -p->light_x * 0.6, 0.6, 0.6, 0.6, black, 0.4);
    cairo_restore(cr);
}

static void draw_shawl(gn_rng *rng, cairo_t *cr)
{
    const gn_synth_rgb c = gn_synth_any_colour(rng, 0.9);
    const double top = gn_synth_range(rng, 0.42, 0.72);
    cairo_new_path(cr);
    cairo_move_to(cr, -1.15, 0.75);
    cairo_curve_to(cr, -0.7, top - 0.08, 0.4, top + 0.08, 1.1, top + 0.1);
    cairo_curve_to(cr, 1.3, 1.3, 1.1, 1.9, 0.5, 1.95);
    cairo_curve_to(cr, -0.3, 2.0, -1.2, 1.9, -1.15, 0.75);
    cairo_close_path(cr);
    gn_synth_set(cr, c, 1.0);
    cairo_fill_preserve(cr);
    cairo_save(cr);
    cairo_clip(cr);
    cairo_set_line_width(cr, 0.07);
    for (int i = 0; i < 7; i++) {
        const double y = top + 0.2 * i;
        cairo_move_to(cr, -1.3, y + 0.25);
        cairo_curve_to(cr, -0.5, y, 0.5, y + 0.1, 1.3, y + 0.05);
        gn_synth_set(cr, i % 2 == 0 ? gn_synth_scale(c, 0.6) : gn_synth_scale(c, 1.25), 0.6);
        cairo_stroke(cr);
    }
    cairo_restore(cr);
}

static void draw_finger(cairo_t *cr, const gn_synth_rgb *skin, double length, double width)
{
    cairo_new_path(cr);
    gn_synth_rounded(cr, -width * 0.5, -length, width, length + width, width * 0.5);
    gn_synth_set(cr, *skin, 1.0);
    cairo_fill_preserve(cr);
    gn_synth_set(cr, gn_synth_scale(*skin, 0.5), 0.8);
    cairo_set_line_width(cr, 0.02);
    cairo_stroke(cr);
    gn_synth_rounded(cr, -width * 0.28, -length + 0.015, width * 0.56, width * 0.7, width * 0.25);
    gn_synth_set(cr, gn_synth_mix(*skin, (gn_synth_rgb){1.0, 0.85, 0.82}, 0.5), 0.8);
    cairo_fill(cr);
}

/* A hand that comes from below or from the side and lies on cheek, mouth or forehead. */
static void draw_hand(const gn_synth_person *p, gn_rng *rng, cairo_t *cr)
{
    const gn_synth_rgb skin = gn_synth_scale(p->skin, gn_synth_range(rng, 0.85, 1.05));
    const double side = gn_synth_chance(rng, 0.5) ? 1.0 : -1.0;
    cairo_save(cr);
    cairo_translate(cr, side * gn_synth_range(rng, 0.15, 0.75), gn_synth_range(rng, 0.35, 1.0));
    cairo_rotate(cr, -side * gn_synth_range(rng, -0.1, 0.9));
    const double w = gn_synth_range(rng, 0.15, 0.19);
    cairo_new_path(cr); /* forearm */
    gn_synth_rounded(cr, -1.7 * w, 0.55, 3.4 * w, 3.0, 0.2);
    gn_synth_set(cr, gn_synth_chance(rng, 0.5) ? p->cloth : gn_synth_scale(skin, 0.9), 1.0);
    cairo_fill(cr);
    cairo_new_path(cr);
    gn_synth_rounded(cr, -2.1 * w, -0.1, 4.2 * w, 0.85, 0.25);
    gn_synth_set(cr, skin, 1.0);
    cairo_fill(cr);
    gn_synth_spot(cr, -side * w, 0.4, 0.4, 0.5, black, 0.35);
    static const double lengths[4] = {0.36, 0.48, 0.44, 0.32};
    for (int i = 0; i < 4; i++) {
        cairo_save(cr);
        cairo_translate(cr, (i - 1.5) * w * 1.03, 0.0);
        cairo_rotate(cr, (i - 1.5) * 0.07);
        draw_finger(cr, &skin, lengths[i], w);
        cairo_restore(cr);
    }
    cairo_restore(cr);
}

/* A pole, twig or strap across the face. */
static void draw_bar(gn_rng *rng, cairo_t *cr)
{
    const gn_synth_rgb c = gn_synth_any_colour(rng, 0.7);
    const double width = gn_synth_range(rng, 0.12, 0.42);
    cairo_save(cr);
    cairo_translate(cr, gn_synth_range(rng, -0.55, 0.55), 0.0);
    cairo_rotate(cr, gn_synth_chance(rng, 0.6) ? gn_synth_range(rng, -0.3, 0.3) : gn_synth_range(rng, 1.2, 1.9));
    cairo_pattern_t *round = cairo_pattern_create_linear(-width * 0.5, 0.0, width * 0.5, 0.0);
    const gn_synth_rgb dark = gn_synth_scale(c, 0.45), light = gn_synth_scale(c, 1.25);
    cairo_pattern_add_color_stop_rgb(round, 0.0, dark.r, dark.g, dark.b);
    cairo_pattern_add_color_stop_rgb(round, 0.4, light.r, light.g, light.b);
    cairo_pattern_add_color_stop_rgb(round, 1.0, dark.r, dark.g, dark.b);
    cairo_rectangle(cr, -width * 0.5, -6.0, width, 12.0);
    cairo_set_source(cr, round);
    cairo_fill(cr);
    cairo_pattern_destroy(round);
    cairo_restore(cr);
}

/* A cup, a phone or a book held before a part of the face. */
static void draw_thing(gn_rng *rng, cairo_t *cr)
{
    const gn_synth_rgb c = gn_synth_any_colour(rng, 0.9);
    const double w = gn_synth_range(rng, 0.3, 0.6), h = gn_synth_range(rng, 0.4, 0.8);
    const double side = gn_synth_chance(rng, 0.5) ? 1.0 : -1.0;
    cairo_save(cr);
    cairo_translate(cr, side * gn_synth_range(rng, 0.1, 0.7), gn_synth_range(rng, 0.45, 1.0));
    cairo_rotate(cr, gn_synth_range(rng, -0.4, 0.4));
    if (gn_synth_chance(rng, 0.4)) { /* handle */
        gn_synth_ellipse(cr, side * w * 0.55, 0.0, w * 0.3, h * 0.3);
        gn_synth_set(cr, c, 1.0);
        cairo_set_line_width(cr, 0.09);
        cairo_stroke(cr);
    }
    gn_synth_rounded(cr, -w * 0.5, -h * 0.5, w, h, 0.07);
    gn_synth_set(cr, c, 1.0);
    cairo_fill_preserve(cr);
    cairo_clip(cr);
    cairo_rectangle(cr, -w * 0.38, -h * 0.36, w * 0.76, h * gn_synth_range(rng, 0.15, 0.6));
    gn_synth_set(cr, gn_synth_any_colour(rng, 0.6), 0.9);
    cairo_fill(cr);
    gn_synth_spot(cr, w * 0.4, 0.1, w * 0.5, h, black, 0.4);
    cairo_restore(cr);
}

void gn_synth_draw_cover(const gn_synth_person *p, gn_rng *rng, cairo_t *cr)
{
    switch (p->cover) {
    case GN_SYNTH_COVER_MASK:
        draw_mask(p, rng, cr);
        break;
    case GN_SYNTH_COVER_SHAWL:
        draw_shawl(rng, cr);
        break;
    case GN_SYNTH_COVER_HAND:
        draw_hand(p, rng, cr);
        break;
    case GN_SYNTH_COVER_BAR:
        draw_bar(rng, cr);
        break;
    case GN_SYNTH_COVER_THING:
        draw_thing(rng, cr);
        break;
    case GN_SYNTH_COVER_NONE:
        break;
    }
}
