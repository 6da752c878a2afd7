/* Surroundings of the synthetic face set: walls, rooms, streets, leaves, lights, and things that are not faces although some
 * have a face's colour and shape.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "draw/synth_scene.h"

/* Size of the picture; side is the smaller one. */
typedef struct stage {
    gn_rng *rng;
    cairo_t *cr;
    double w, h, side;
} stage;

static const gn_synth_rgb black = {0.0, 0.0, 0.0};

static void fill_gradient(const stage *s, gn_synth_rgb a, gn_synth_rgb b)
{
    const double angle = gn_synth_range(s->rng, 0.0, 2.0 * GN_SYNTH_PI);
    const double reach = 0.5 * hypot(s->w, s->h);
    const double dx = reach * cos(angle), dy = reach * sin(angle);
    cairo_pattern_t *p = gn_synth_chance(s->rng, 0.6)
                             ? cairo_pattern_create_linear(s->w / 2 - dx, s->h / 2 - dy, s->w / 2 + dx, s->h / 2 + dy)
                             : cairo_pattern_create_radial(s->w * gn_synth_range(s->rng, 0.2, 0.8), s->h * 0.4, 0.0,
                                                           s->w * 0.5, s->h * 0.5, reach * 1.2);
    cairo_pattern_add_color_stop_rgb(p, 0.0, a.r, a.g, a.b);
    cairo_pattern_add_color_stop_rgb(p, 1.0, b.r, b.g, b.b);
    cairo_set_source(s->cr, p);
    cairo_paint(s->cr);
    cairo_pattern_destroy(p);
}

static void fill_any_gradient(const stage *s)
{
    const gn_synth_rgb a = gn_synth_any_colour(s->rng, 0.6);
    fill_gradient(s, a, gn_synth_mix(a, gn_synth_any_colour(s->rng, 0.6), gn_synth_range(s->rng, 0.2, 1.0)));
}

/* Lights out of focus. */
static void draw_bokeh(const stage *s)
{
    fill_gradient(s, gn_synth_scale(gn_synth_any_colour(s->rng, 0.7), 0.5),
                  gn_synth_scale(gn_synth_any_colour(s->rng, 0.7), 0.3));
    const gn_synth_rgb tone = gn_synth_any_colour(s->rng, 0.7);
    const int n = 15 + gn_synth_pick(s->rng, 45);
    for (int i = 0; i < n; i++) {
        const double r = s->side * gn_synth_range(s->rng, 0.02, 0.13);
        gn_synth_ellipse(s->cr, s->w * gn_rng_uniform(s->rng), s->h * gn_rng_uniform(s->rng), r, r);
        gn_synth_set(s->cr, gn_synth_scale(gn_synth_vary(s->rng, tone, 0.4), 1.4), gn_synth_range(s->rng, 0.08, 0.5));
        cairo_fill(s->cr);
    }
}

static void draw_picture_frame(const stage *s, double x, double y, double w, double h)
{
    cairo_rectangle(s->cr, x, y, w, h);
    gn_synth_set(s->cr, gn_synth_any_colour(s->rng, 0.4), 1.0);
    cairo_fill(s->cr);
    const double rim = 0.08 * fmin(w, h);
    cairo_rectangle(s->cr, x + rim, y + rim, w - 2 * rim, h - 2 * rim);
    gn_synth_set(s->cr, gn_synth_any_colour(s->rng, 0.7), 1.0);
    cairo_fill_preserve(s->cr);
    cairo_save(s->cr);
    cairo_clip(s->cr);
    for (int i = 0; i < 4; i++) {
        gn_synth_ellipse(s->cr, x + w * gn_rng_uniform(s->rng), y + h * gn_rng_uniform(s->rng), w * 0.3, h * 0.2);
        gn_synth_set(s->cr, gn_synth_any_colour(s->rng, 0.8), 0.7);
        cairo_fill(s->cr);
    }
    cairo_restore(s->cr);
}

static void draw_shelf(const stage *s, double y)
{
    double x = s->w * gn_synth_range(s->rng, -0.1, 0.3);
    const double end = s->w * gn_synth_range(s->rng, 0.6, 1.1);
    const double height = s->side * 0.16;
    while (x < end) {
        const double w = s->side * gn_synth_range(s->rng, 0.02, 0.055);
        const double h = height * gn_synth_range(s->rng, 0.6, 1.0);
        cairo_rectangle(s->cr, x, y - h, w, h);
        gn_synth_set(s->cr, gn_synth_any_colour(s->rng, 0.8), 1.0);
        cairo_fill(s->cr);
        x += w + s->side * (gn_synth_chance(s->rng, 0.1) ? 0.05 : 0.004);
    }
    cairo_rectangle(s->cr, 0.0, y, s->w, s->side * 0.02);
    cairo_set_source_rgb(s->cr, 0.35, 0.25, 0.17);
    cairo_fill(s->cr);
}

static void draw_room(const stage *s)
{
    const gn_synth_rgb wall = gn_synth_any_colour(s->rng, 0.35);
    fill_gradient(s, wall, gn_synth_scale(wall, 0.75));
    const double floor_y = s->h * gn_synth_range(s->rng, 0.65, 1.05);
    const int frames = gn_synth_pick(s->rng, 4);
    for (int i = 0; i < frames; i++)
        draw_picture_frame(s, s->w * gn_synth_range(s->rng, -0.05, 0.8), s->h * gn_synth_range(s->rng, 0.0, 0.4),
                           s->side * gn_synth_range(s->rng, 0.12, 0.4), s->side * gn_synth_range(s->rng, 0.12, 0.4));
    if (gn_synth_chance(s->rng, 0.4)) { /* a window */
        const double x = s->w * gn_synth_range(s->rng, 0.0, 0.7), y = s->h * gn_synth_range(s->rng, 0.02, 0.2);
        const double w = s->side * gn_synth_range(s->rng, 0.25, 0.5), h = s->side * gn_synth_range(s->rng, 0.3, 0.5);
        cairo_rectangle(s->cr, x, y, w, h);
        cairo_set_source_rgb(s->cr, 0.85, 0.92, 0.98);
        cairo_fill_preserve(s->cr);
        cairo_move_to(s->cr, x + w / 2, y);
        cairo_line_to(s->cr, x + w / 2, y + h);
        cairo_move_to(s->cr, x, y + h / 2);
        cairo_line_to(s->cr, x + w, y + h / 2);
        gn_synth_set(s->cr, gn_synth_scale(wall, 1.3), 1.0);
        cairo_set_line_width(s->cr, s->side * 0.015);
        cairo_stroke(s->cr);
    }
    if (gn_synth_chance(s->rng, 0.4))
        draw_shelf(s, s->h * gn_synth_range(s->rng, 0.25, 0.6));
    cairo_rectangle(s->cr, 0.0, floor_y, s->w, s->h);
    gn_synth_set(s->cr, gn_synth_vary(s->rng, (gn_synth_rgb){0.45, 0.33, 0.24}, 0.4), 1.0);
    cairo_fill(s->cr);
}

static void draw_leaves(const stage *s)
{
    const gn_synth_rgb base = gn_synth_vary(s->rng, (gn_synth_rgb){0.25, 0.42, 0.15}, 0.45);
    fill_gradient(s, gn_synth_scale(base, 0.4), gn_synth_scale(base, 0.8));
    const int n = 120 + gn_synth_pick(s->rng, 160);
    for (int i = 0; i < n; i++) {
        cairo_save(s->cr);
        cairo_translate(s->cr, s->w * gn_rng_uniform(s->rng), s->h * gn_rng_uniform(s->rng));
        cairo_rotate(s->cr, gn_synth_range(s->rng, 0.0, GN_SYNTH_PI));
        const double r = s->side * gn_synth_range(s->rng, 0.015, 0.06);
        gn_synth_ellipse(s->cr, 0.0, 0.0, r, r * 0.45);
        gn_synth_set(s->cr, gn_synth_scale(gn_synth_vary(s->rng, base, 0.25), gn_synth_range(s->rng, 0.5, 1.7)), 0.85);
        cairo_fill(s->cr);
        cairo_restore(s->cr);
    }
}

static void draw_street(const stage *s)
{
    fill_gradient(s, (gn_synth_rgb){0.55, 0.7, 0.9}, gn_synth_vary(s->rng, (gn_synth_rgb){0.85, 0.85, 0.82}, 0.15));
    double x = -0.1 * s->w;
    while (x < s->w) {
        const double w = s->side * gn_synth_range(s->rng, 0.15, 0.4);
        const double top = s->h * gn_synth_range(s->rng, 0.05, 0.5);
        const gn_synth_rgb c = gn_synth_any_colour(s->rng, 0.35);
        cairo_rectangle(s->cr, x, top, w, s->h);
        gn_synth_set(s->cr, c, 1.0);
        cairo_fill(s->cr);
        const double cell = s->side * gn_synth_range(s->rng, 0.035, 0.07);
        const gn_synth_rgb pane = gn_synth_scale(c, gn_synth_chance(s->rng, 0.5) ? 0.5 : 1.5);
        for (double wy = top + cell * 0.5; wy < s->h; wy += cell * 1.6)
            for (double wx = x + cell * 0.5; wx + cell < x + w; wx += cell * 1.5)
                cairo_rectangle(s->cr, wx, wy, cell * 0.8, cell);
        gn_synth_set(s->cr, pane, 0.9);
        cairo_fill(s->cr);
        x += w * gn_synth_range(s->rng, 0.95, 1.3);
    }
    cairo_rectangle(s->cr, 0.0, s->h * gn_synth_range(s->rng, 0.8, 1.0), s->w, s->h);
    cairo_set_source_rgb(s->cr, 0.4, 0.4, 0.42);
    cairo_fill(s->cr);
}

static void draw_landscape(const stage *s)
{
    fill_gradient(s, (gn_synth_rgb){0.45, 0.65, 0.92}, (gn_synth_rgb){0.9, 0.88, 0.85});
    for (int layer = 0; layer < 3; layer++) {
        const double y = s->h * (0.35 + 0.18 * layer + gn_synth_range(s->rng, -0.05, 0.05));
        const double phase = gn_synth_range(s->rng, 0.0, 6.3), bend = gn_synth_range(s->rng, 1.0, 5.0);
        cairo_move_to(s->cr, 0.0, s->h);
        for (int i = 0; i <= 40; i++) {
            const double u = i / 40.0;
            cairo_line_to(s->cr, u * s->w, y + s->h * 0.07 * sin(bend * u * 3.0 + phase));
        }
        cairo_line_to(s->cr, s->w, s->h);
        cairo_close_path(s->cr);
        gn_synth_set(s->cr,
                     gn_synth_scale(gn_synth_vary(s->rng, (gn_synth_rgb){0.4, 0.5, 0.3}, 0.4), 1.1 - 0.2 * layer), 1.0);
        cairo_fill(s->cr);
    }
}

/* Stripes, checks or bricks. */
static void draw_tiling(const stage *s)
{
    const gn_synth_rgb a = gn_synth_any_colour(s->rng, 0.6), b = gn_synth_mix(a, gn_synth_any_colour(s->rng, 0.6), 0.6);
    fill_gradient(s, a, gn_synth_scale(a, 0.8));
    const double cell = s->side * gn_synth_range(s->rng, 0.04, 0.2);
    const double ratio = gn_synth_range(s->rng, 1.0, 3.0);
    const int kind = gn_synth_pick(s->rng, 3);
    cairo_save(s->cr);
    cairo_translate(s->cr, s->w / 2, s->h / 2);
    cairo_rotate(s->cr, gn_synth_range(s->rng, -0.5, 0.5));
    const int reach = (int)(hypot(s->w, s->h) / cell) / 2 + 2;
    for (int j = -reach; j <= reach; j++) {
        if (kind == 0) {
            cairo_rectangle(s->cr, -reach * cell, j * cell, 2.0 * reach * cell, cell * 0.45);
            continue;
        }
        for (int i = -reach; i <= reach; i++) {
            if (kind == 1 && (i + j) % 2 == 0)
                cairo_rectangle(s->cr, i * cell, j * cell, cell, cell);
            if (kind == 2)
                cairo_rectangle(s->cr, (i + 0.5 * (j & 1)) * cell * ratio, j * cell, cell * ratio * 0.94, cell * 0.88);
        }
    }
    gn_synth_set(s->cr, b, gn_synth_range(s->rng, 0.4, 1.0));
    cairo_fill(s->cr);
    cairo_restore(s->cr);
}

/* Soft blotches of a few colours, as of a painted or a far background. */
static void draw_blotches(const stage *s)
{
    fill_any_gradient(s);
    const gn_synth_rgb tone = gn_synth_any_colour(s->rng, 0.7);
    for (int i = 0; i < 40; i++) {
        const double r = s->side * gn_synth_range(s->rng, 0.06, 0.4);
        gn_synth_spot(s->cr, s->w * gn_rng_uniform(s->rng), s->h * gn_rng_uniform(s->rng), r,
                      r * gn_synth_range(s->rng, 0.4, 1.2), gn_synth_vary(s->rng, tone, 0.7),
                      gn_synth_range(s->rng, 0.2, 0.8));
    }
}

void gn_synth_draw_backdrop(gn_rng *rng, cairo_t *cr, int width, int height)
{
    const stage s = {rng, cr, width, height, fmin(width, height)};
    switch (gn_synth_pick(rng, 9)) {
    case 0:
        fill_any_gradient(&s);
        break;
    case 1:
        draw_bokeh(&s);
        break;
    case 2:
    case 3:
        draw_room(&s);
        break;
    case 4:
        draw_leaves(&s);
        break;
    case 5:
        draw_street(&s);
        break;
    case 6:
        draw_landscape(&s);
        break;
    case 7:
        draw_tiling(&s);
        break;
    default:
        draw_blotches(&s);
        break;
    }
}

/* --- things that are not faces --- */

static gn_synth_rgb thing_colour(const stage *s)
{
    if (gn_synth_chance(s->rng, 0.2)) /* a skin's colour */
        return gn_synth_vary(
            s->rng,
            gn_synth_mix((gn_synth_rgb){0.95, 0.8, 0.7}, (gn_synth_rgb){0.35, 0.23, 0.17}, gn_rng_uniform(s->rng)),
            0.08);
    return gn_synth_any_colour(s->rng, 0.9);
}

static void draw_ball(const stage *s, double x, double y, double r)
{
    const gn_synth_rgb c = thing_colour(s);
    const double stretch = gn_synth_range(s->rng, 0.75, 1.35);
    gn_synth_ellipse(s->cr, x, y, r, r * stretch);
    gn_synth_set(s->cr, c, 1.0);
    cairo_fill_preserve(s->cr);
    cairo_save(s->cr);
    cairo_clip(s->cr);
    gn_synth_spot(s->cr, x + r * 0.5, y + r * 0.5, r * 1.2, r * 1.2, black, 0.5);
    gn_synth_spot(s->cr, x - r * 0.35, y - r * 0.4, r * 0.6, r * 0.6, (gn_synth_rgb){1.0, 1.0, 1.0}, 0.5);
    if (gn_synth_chance(s->rng, 0.4)) { /* markings */
        cairo_set_line_width(s->cr, r * 0.08);
        gn_synth_ellipse(s->cr, x - r * 0.9, y, r, r);
        gn_synth_ellipse(s->cr, x + r * 0.9, y, r, r);
        gn_synth_set(s->cr, gn_synth_scale(c, 0.4), 0.8);
        cairo_stroke(s->cr);
    }
    cairo_restore(s->cr);
}

static void draw_plate(const stage *s, double x, double y, double r)
{
    const gn_synth_rgb c = thing_colour(s);
    for (int ring = 0; ring < 3; ring++) {
        const double k = 1.0 - 0.28 * ring;
        gn_synth_ellipse(s->cr, x, y, r * k, r * k);
        gn_synth_set(s->cr, ring % 2 == 0 ? c : gn_synth_scale(c, 0.75), 1.0);
        cairo_fill(s->cr);
    }
    if (gn_synth_chance(s->rng, 0.5)) { /* a clock */
        cairo_set_line_width(s->cr, r * 0.07);
        for (int hand = 0; hand < 2; hand++) {
            const double turn = gn_synth_range(s->rng, 0.0, 6.3);
            cairo_move_to(s->cr, x, y);
            cairo_line_to(s->cr, x + r * (0.4 + 0.25 * hand) * cos(turn), y + r * (0.4 + 0.25 * hand) * sin(turn));
        }
        gn_synth_set(s->cr, black, 0.9);
        cairo_stroke(s->cr);
    }
}

/* Two holes or knobs on a panel: sockets, buttons, loudspeakers. */
static void draw_panel_with_holes(const stage *s, double x, double y, double r)
{
    const gn_synth_rgb c = thing_colour(s);
    gn_synth_rounded(s->cr, x - r, y - r, 2.0 * r, 2.0 * r * gn_synth_range(s->rng, 0.7, 1.2), r * 0.25);
    gn_synth_set(s->cr, c, 1.0);
    cairo_fill(s->cr);
    for (int side = -1; side <= 1; side += 2) {
        gn_synth_ellipse(s->cr, x + side * r * 0.45, y - r * gn_synth_range(s->rng, -0.1, 0.3), r * 0.14, r * 0.14);
        gn_synth_set(s->cr, gn_synth_scale(c, 0.25), 1.0);
        cairo_fill(s->cr);
    }
}

static void draw_pot(const stage *s, double x, double y, double r)
{
    for (int i = 0; i < 14; i++) {
        cairo_save(s->cr);
        cairo_translate(s->cr, x, y);
        cairo_rotate(s->cr, gn_synth_range(s->rng, -1.3, 1.3));
        gn_synth_ellipse(s->cr, 0.0, -r * 0.8, r * 0.16, r * 0.6);
        gn_synth_set(s->cr, gn_synth_vary(s->rng, (gn_synth_rgb){0.2, 0.45, 0.18}, 0.4), 1.0);
        cairo_fill(s->cr);
        cairo_restore(s->cr);
    }
    cairo_move_to(s->cr, x - r * 0.5, y);
    cairo_line_to(s->cr, x + r * 0.5, y);
    cairo_line_to(s->cr, x + r * 0.35, y + r);
    cairo_line_to(s->cr, x - r * 0.35, y + r);
    cairo_close_path(s->cr);
    gn_synth_set(s->cr, gn_synth_vary(s->rng, (gn_synth_rgb){0.7, 0.4, 0.25}, 0.3), 1.0);
    cairo_fill(s->cr);
}

static void draw_box_thing(const stage *s, double x, double y, double r)
{
    const gn_synth_rgb c = thing_colour(s);
    cairo_save(s->cr);
    cairo_translate(s->cr, x, y);
    cairo_rotate(s->cr, gn_synth_range(s->rng, -0.6, 0.6));
    cairo_rectangle(s->cr, -r, -r * 0.7, 2.0 * r, 1.4 * r);
    gn_synth_set(s->cr, c, 1.0);
    cairo_fill(s->cr);
    cairo_rectangle(s->cr, -r * 0.1, -r * 0.7, r * 0.2, 1.4 * r);
    cairo_rectangle(s->cr, -r, -r * 0.1, 2.0 * r, r * 0.2);
    gn_synth_set(s->cr, gn_synth_any_colour(s->rng, 0.9), 0.9);
    cairo_fill(s->cr);
    cairo_restore(s->cr);
}

void gn_synth_draw_distractors(gn_rng *rng, cairo_t *cr, int width, int height, int n)
{
    const stage s = {rng, cr, width, height, fmin(width, height)};
    for (int i = 0; i < n; i++) {
        const double x = s.w * gn_rng_uniform(rng), y = s.h * gn_rng_uniform(rng);
        const double r = s.side * gn_synth_range(rng, 0.03, 0.17);
        switch (gn_synth_pick(rng, 6)) {
        case 0:
        case 1:
            draw_ball(&s, x, y, r);
            break;
        case 2:
            draw_plate(&s, x, y, r);
            break;
        case 3:
            draw_panel_with_holes(&s, x, y, r * 0.7);
            break;
        case 4:
            draw_pot(&s, x, y, r);
            break;
        default:
            draw_box_thing(&s, x, y, r);
            break;
        }
    }
}
