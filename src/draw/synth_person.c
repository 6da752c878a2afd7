/* A drawn person: lots for looks and pose, the geometry of the open face and its exact box, body, skin and hair.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "draw/synth_scene.h"

/* --- lots --- */

static gn_synth_rgb draw_skin(gn_rng *rng)
{
    static const gn_synth_rgb tones[] = {{0.98, 0.87, 0.80}, {0.95, 0.80, 0.70}, {0.91, 0.74, 0.62}, {0.87, 0.68, 0.54},
                                         {0.80, 0.60, 0.45}, {0.70, 0.50, 0.36}, {0.58, 0.40, 0.28}, {0.46, 0.31, 0.22},
                                         {0.35, 0.23, 0.17}, {0.26, 0.17, 0.13}};
    const int n = (int)(sizeof tones / sizeof tones[0]);
    const int k = gn_synth_pick(rng, n - 1);
    return gn_synth_vary(rng, gn_synth_mix(tones[k], tones[k + 1], gn_rng_uniform(rng)), 0.05);
}

static gn_synth_rgb draw_hair_colour(gn_rng *rng, double age)
{
    static const gn_synth_rgb colours[] = {{0.06, 0.05, 0.05}, {0.13, 0.09, 0.07}, {0.25, 0.16, 0.10},
                                           {0.38, 0.25, 0.14}, {0.55, 0.27, 0.13}, {0.72, 0.56, 0.32},
                                           {0.86, 0.74, 0.50}};
    if (gn_synth_chance(rng, age * 0.8)) {
        const double grey = gn_synth_range(rng, 0.5, 0.92);
        return (gn_synth_rgb){grey, grey, grey};
    }
    if (gn_synth_chance(rng, 0.05))
        return gn_synth_any_colour(rng, 0.9);
    return gn_synth_vary(rng, colours[gn_synth_pick(rng, (int)(sizeof colours / sizeof colours[0]))], 0.15);
}

static void draw_hair_lots(gn_synth_person *p, gn_rng *rng)
{
    static const double weight[GN_SYNTH_HAIR_KINDS] = {0.12, 0.36, 0.08, 0.14, 0.22, 0.08};
    double left = gn_rng_uniform(rng);
    p->hair_kind = GN_SYNTH_HAIR_SHORT;
    for (int k = 0; k < GN_SYNTH_HAIR_KINDS; k++) {
        if (left < weight[k]) {
            p->hair_kind = (gn_synth_hair)k;
            break;
        }
        left -= weight[k];
    }
    p->hair_volume = gn_synth_range(rng, 0.06, 0.22);
    p->hair_length = p->hair_kind == GN_SYNTH_HAIR_BOB ? gn_synth_range(rng, 0.5, 1.0) : gn_synth_range(rng, 1.2, 2.4);
    p->hairline = gn_synth_range(rng, -0.9, -0.68);
    p->hairline_drop = gn_synth_range(rng, 0.25, 0.7);
    p->hairline_slant = gn_synth_chance(rng, 0.4) ? gn_synth_range(rng, -0.22, 0.22) : 0.0;
    if (gn_synth_chance(rng, 0.22)) { /* a fringe */
        p->hairline = gn_synth_range(rng, -0.58, -0.4);
        p->hairline_drop = gn_synth_range(rng, 0.0, 0.25);
    }
    if (p->hair_kind == GN_SYNTH_HAIR_BALD)
        p->hairline = -3.0;
    const bool is_beside_face = p->hair_kind == GN_SYNTH_HAIR_BOB || p->hair_kind == GN_SYNTH_HAIR_LONG;
    p->open_half = is_beside_face ? p->half_width * gn_synth_range(rng, 0.8, 1.05) : 9.0;
}

static void draw_headwear_lots(gn_synth_person *p, gn_rng *rng)
{
    static const gn_synth_headwear kinds[] = {GN_SYNTH_HEAD_CAP, GN_SYNTH_HEAD_BEANIE, GN_SYNTH_HEAD_HAT,
                                              GN_SYNTH_HEAD_SCARF};
    p->headwear_colour = gn_synth_any_colour(rng, 0.85);
    if (!gn_synth_chance(rng, 0.24))
        return;
    p->headwear = kinds[gn_synth_pick(rng, 4)];
    const double brim = gn_synth_range(rng, -0.66, -0.5);
    if (p->headwear == GN_SYNTH_HEAD_SCARF) {
        p->hairline = gn_synth_range(rng, -0.85, -0.68);
        p->hairline_drop = gn_synth_range(rng, 0.35, 0.7);
        p->hairline_slant = 0.0;
        p->open_half = p->half_width * gn_synth_range(rng, 0.84, 0.95);
    } else if (p->hairline < brim) {
        p->hairline = brim;
        p->hairline_drop = gn_synth_range(rng, 0.0, 0.12);
        p->hairline_slant *= 0.3;
    }
}

static void draw_ear_lots(gn_synth_person *p)
{
    const bool is_hidden = p->hair_kind == GN_SYNTH_HAIR_BOB || p->hair_kind == GN_SYNTH_HAIR_LONG ||
                           p->headwear == GN_SYNTH_HEAD_SCARF ||
                           (p->headwear == GN_SYNTH_HEAD_BEANIE && p->hair_volume > 0.14);
    p->has_left_ear = !is_hidden && p->yaw > -0.14;
    p->has_right_ear = !is_hidden && p->yaw < 0.14;
}

static void draw_look_lots(gn_synth_person *p, gn_rng *rng)
{
    static const gn_synth_rgb irises[] = {
        {0.25, 0.15, 0.08}, {0.15, 0.1, 0.06}, {0.35, 0.5, 0.7}, {0.35, 0.5, 0.3}, {0.45, 0.42, 0.4}};
    p->age = gn_synth_chance(rng, 0.3) ? gn_synth_range(rng, 0.5, 1.0) : gn_synth_range(rng, 0.0, 0.4);
    p->skin = draw_skin(rng);
    p->hair = draw_hair_colour(rng, p->age > 0.5 ? p->age : 0.0);
    p->cloth = gn_synth_any_colour(rng, 0.85);
    const gn_synth_rgb red = {0.75, 0.2, 0.22};
    p->lip = gn_synth_mix(gn_synth_scale(p->skin, 0.8), red,
                          gn_synth_chance(rng, 0.25) ? 0.75 : gn_synth_range(rng, 0.12, 0.4));
    p->iris = irises[gn_synth_pick(rng, 5)];
    p->smile = gn_synth_range(rng, -0.5, 1.0);
    p->mouth_open = gn_synth_chance(rng, 0.35) ? gn_synth_range(rng, 0.3, 1.0) : 0.0;
    p->eye_open = gn_synth_chance(rng, 0.07) ? 0.0 : gn_synth_range(rng, 0.55, 1.1);
    p->gaze = gn_synth_range(rng, -0.5, 0.5);
    const bool is_hairy =
        p->hair_kind != GN_SYNTH_HAIR_LONG && p->hair_kind != GN_SYNTH_HAIR_BOB && p->hair_kind != GN_SYNTH_HAIR_BUN;
    if (is_hairy && p->headwear != GN_SYNTH_HEAD_SCARF && gn_synth_chance(rng, 0.42))
        p->beard = gn_synth_range(rng, 0.2, 1.0);
    p->has_moustache = p->beard > 0.45 || (is_hairy && gn_synth_chance(rng, 0.08));
}

static void draw_cover_lots(gn_synth_person *p, gn_rng *rng)
{
    static const gn_synth_cover kinds[] = {GN_SYNTH_COVER_MASK, GN_SYNTH_COVER_MASK, GN_SYNTH_COVER_SHAWL,
                                           GN_SYNTH_COVER_HAND, GN_SYNTH_COVER_BAR,  GN_SYNTH_COVER_THING};
    const double lot = gn_rng_uniform(rng);
    p->eyewear = lot < 0.18 ? GN_SYNTH_EYES_GLASSES : lot < 0.27 ? GN_SYNTH_EYES_SUNGLASSES : GN_SYNTH_EYES_BARE;
    if (gn_synth_chance(rng, 0.24))
        p->cover = kinds[gn_synth_pick(rng, (int)(sizeof kinds / sizeof kinds[0]))];
}

/* --- geometry --- */

/* Half the face's width at height y, -1..1. */
static double half_width_at(const gn_synth_person *p, double y)
{
    const double up = y < 0.0 ? pow(-y, 2.3) : pow(y, p->jaw_power);
    const double taper = y < 0.0 ? 1.0 : 1.0 - p->jaw_taper * pow(y, 1.4);
    return p->half_width * sqrt(fmax(0.0, 1.0 - up)) * taper;
}

/* The chin follows the turn of the head a little more than the skull. */
static double middle_at(const gn_synth_person *p, double y)
{
    return y > 0.0 ? 0.2 * p->yaw * y : 0.0;
}

static double hairline_at(const gn_synth_person *p, double x)
{
    const double u = x / p->half_width;
    return p->hairline + p->hairline_drop * pow(fabs(u), 2.5) + p->hairline_slant * u;
}

static void make_outline(gn_synth_person *p)
{
    for (int i = 0; i < GN_SYNTH_OUTLINE; i++) {
        const double turn = 2.0 * GN_SYNTH_PI * i / GN_SYNTH_OUTLINE;
        const double y = -cos(turn);
        const double side = turn < GN_SYNTH_PI ? 1.0 : -1.0;
        p->outline[i][0] = middle_at(p, y) + side * half_width_at(p, y);
        p->outline[i][1] = y;
    }
}

/* First x from `from` towards `to` that lies below the hairline; false when the whole row is hair. */
static bool open_end(const gn_synth_person *p, double y, double from, double to, double *x_out)
{
    enum { STEPS = 48 };
    for (int k = 0; k <= STEPS; k++) {
        const double x = from + (to - from) * k / STEPS;
        if (y >= hairline_at(p, x)) {
            *x_out = x;
            return true;
        }
    }
    return false;
}

/* Scan lines of the open face become one polygon: down on the right, up on the left. */
static void make_open_face(gn_synth_person *p)
{
    double left[GN_SYNTH_ROWS], right[GN_SYNTH_ROWS], height[GN_SYNTH_ROWS];
    int n = 0;
    for (int i = 0; i < GN_SYNTH_ROWS; i++) {
        const double y = -1.0 + (2.0 * i + 1.0) / GN_SYNTH_ROWS;
        const double middle = middle_at(p, y);
        const double half = half_width_at(p, y);
        const double shift = p->yaw * 0.3; /* the opening between hair or cloth turns with the face */
        const double from = fmax(middle - half, shift - p->open_half);
        const double to = fmin(middle + half, shift + p->open_half);
        if (from < to && open_end(p, y, from, to, &left[n]) && open_end(p, y, to, from, &right[n]))
            height[n++] = y;
    }
    p->n_open = 2 * n;
    for (int i = 0; i < n; i++) {
        p->open_face[i][0] = right[i];
        p->open_face[i][1] = height[i];
        p->open_face[n + i][0] = left[n - 1 - i];
        p->open_face[n + i][1] = height[n - 1 - i];
    }
}

typedef struct ear {
    double x, y, rx, ry;
} ear;

/* side: -1 left, 1 right.  A turned head shows its near ear further inside. */
static ear ear_of(const gn_synth_person *p, int side)
{
    const double near = p->yaw * -side;
    return (ear){side * (p->half_width * (1.0 - 0.18 * fmax(0.0, near)) + 0.015), 0.02 + p->pitch,
                 0.1 + 0.12 * fmax(0.0, near), 0.23};
}

static void include_point(const gn_synth_person *p, double x, double y, gn_draw_box *box)
{
    const double px = p->x + p->unit_px * (x * cos(p->tilt) - y * sin(p->tilt));
    const double py = p->y + p->unit_px * (x * sin(p->tilt) + y * cos(p->tilt));
    box->x1 = fminf(box->x1, (float)px);
    box->y1 = fminf(box->y1, (float)py);
    box->x2 = fmaxf(box->x2, (float)px);
    box->y2 = fmaxf(box->y2, (float)py);
}

static void include_ear(const gn_synth_person *p, int side, gn_draw_box *box)
{
    enum { POINTS = 48 };
    const ear e = ear_of(p, side);
    for (int i = 0; i < POINTS; i++) {
        const double turn = 2.0 * GN_SYNTH_PI * i / POINTS;
        include_point(p, e.x + e.rx * cos(turn), e.y + e.ry * sin(turn), box);
    }
}

gn_draw_box gn_synth_person_box(const gn_synth_person *p)
{
    gn_draw_box box = {INFINITY, INFINITY, -INFINITY, -INFINITY};
    for (int i = 0; i < p->n_open; i++)
        include_point(p, p->open_face[i][0], p->open_face[i][1], &box);
    if (p->has_left_ear)
        include_ear(p, -1, &box);
    if (p->has_right_ear)
        include_ear(p, 1, &box);
    return box;
}

void gn_synth_person_init(gn_synth_person *p, gn_rng *rng, double x, double y, double face_px)
{
    memset(p, 0, sizeof *p);
    p->x = x;
    p->y = y;
    p->unit_px = face_px / 2.0;
    p->half_width = gn_synth_range(rng, 0.66, 0.82);
    p->jaw_taper = gn_synth_range(rng, 0.0, 0.3);
    p->jaw_power = gn_synth_range(rng, 2.0, 3.4);
    const double limit = 25.0 * GN_SYNTH_PI / 180.0;
    p->tilt = gn_synth_chance(rng, 0.5) ? gn_synth_range(rng, -limit, limit) : gn_synth_range(rng, -0.1, 0.1);
    p->yaw = gn_synth_chance(rng, 0.5) ? gn_synth_range(rng, -0.45, 0.45) : gn_synth_range(rng, -0.1, 0.1);
    p->pitch = gn_synth_range(rng, -0.09, 0.09);
    draw_hair_lots(p, rng);
    draw_headwear_lots(p, rng);
    draw_ear_lots(p);
    draw_look_lots(p, rng);
    draw_cover_lots(p, rng);
    make_outline(p);
    make_open_face(p);
}

double gn_synth_turn_x(const gn_synth_person *p, double x)
{
    const double radius = p->half_width * 1.08;
    const double u = fmax(-0.95, fmin(0.95, x / radius));
    return radius * sin(asin(u) + p->yaw);
}

double gn_synth_turn_gain(const gn_synth_person *p, double x)
{
    const double radius = p->half_width * 1.08;
    const double angle = asin(fmax(-0.95, fmin(0.95, x / radius)));
    return fmax(0.35, cos(angle + p->yaw) / cos(angle));
}

void gn_synth_person_enter(const gn_synth_person *p, cairo_t *cr)
{
    cairo_translate(cr, p->x, p->y);
    cairo_rotate(cr, p->tilt);
    cairo_scale(cr, p->unit_px, p->unit_px);
}

void gn_synth_person_enter_upright(const gn_synth_person *p, cairo_t *cr)
{
    cairo_translate(cr, p->x, p->y);
    cairo_scale(cr, p->unit_px, p->unit_px);
}

/* --- body --- */

/* Shoulders, arms and trunk; the origin is the base of the neck. */
static void body_path(cairo_t *cr, double shoulder, double slope)
{
    cairo_new_path(cr);
    cairo_move_to(cr, -0.36, -0.22);
    cairo_curve_to(cr, -0.5, slope * 0.2, -shoulder * 0.8, slope * 0.4, -shoulder, slope);
    cairo_curve_to(cr, -shoulder - 0.25, slope + 0.5, -shoulder - 0.35, 2.5, -shoulder - 0.2, 4.0);
    cairo_line_to(cr, shoulder + 0.2, 4.0);
    cairo_curve_to(cr, shoulder + 0.35, 2.5, shoulder + 0.25, slope + 0.5, shoulder, slope);
    cairo_curve_to(cr, shoulder * 0.8, slope * 0.4, 0.5, slope * 0.2, 0.36, -0.22);
    cairo_close_path(cr);
}

static void draw_cloth_pattern(const gn_synth_person *p, gn_rng *rng, cairo_t *cr)
{
    const gn_synth_rgb other = gn_synth_any_colour(rng, 0.9);
    const int kind = gn_synth_pick(rng, 5);
    if (kind == 0) {
        const double step = gn_synth_range(rng, 0.15, 0.5);
        for (double y = -0.5; y < 4.0; y += 2.0 * step) {
            cairo_rectangle(cr, -3.0, y, 6.0, step);
            gn_synth_set(cr, other, 0.8);
            cairo_fill(cr);
        }
    } else if (kind == 1) {
        const double step = gn_synth_range(rng, 0.15, 0.4);
        for (double x = -2.5; x < 2.5; x += 2.0 * step) {
            cairo_rectangle(cr, x, -1.0, step * 0.5, 6.0);
            gn_synth_set(cr, other, 0.6);
            cairo_fill(cr);
        }
    } else if (kind == 2) { /* jacket: lapels and a shirt */
        cairo_move_to(cr, -0.3, -0.3);
        cairo_line_to(cr, 0.0, 1.7);
        cairo_line_to(cr, 0.3, -0.3);
        cairo_close_path(cr);
        gn_synth_set(cr, gn_synth_scale(other, 1.4), 1.0);
        cairo_fill(cr);
        cairo_rectangle(cr, -0.06, 0.05, 0.12, 1.5);
        gn_synth_set(cr, gn_synth_scale(p->cloth, 0.5), gn_synth_chance(rng, 0.5) ? 1.0 : 0.0);
        cairo_fill(cr);
    } else if (kind == 3) {
        gn_synth_ellipse(cr, gn_synth_range(rng, -0.4, 0.4), 1.3, 0.5, 0.4);
        gn_synth_set(cr, other, 0.8);
        cairo_fill(cr);
    }
}

/* Legs show in small figures only. */
static void draw_legs(gn_rng *rng, cairo_t *cr)
{
    const gn_synth_rgb c = gn_synth_scale(gn_synth_any_colour(rng, 0.6), 0.7);
    cairo_rectangle(cr, -1.15, 3.6, 1.05, 5.0);
    cairo_rectangle(cr, 0.1, 3.6, 1.05, 5.0);
    cairo_rectangle(cr, -1.15, 3.6, 2.3, 0.8);
    gn_synth_set(cr, c, 1.0);
    cairo_fill(cr);
    cairo_rectangle(cr, -1.3, 8.3, 1.2, 0.4);
    cairo_rectangle(cr, 0.1, 8.3, 1.2, 0.4);
    gn_synth_set(cr, gn_synth_scale(c, 0.4), 1.0);
    cairo_fill(cr);
}

/* Arms are told from the trunk by two dark seams. */
static void draw_arm_seams(cairo_t *cr, double shoulder)
{
    cairo_set_line_width(cr, 0.05);
    for (int side = -1; side <= 1; side += 2) {
        cairo_move_to(cr, side * (shoulder - 0.4), 1.1);
        cairo_curve_to(cr, side * (shoulder - 0.3), 2.0, side * (shoulder - 0.35), 3.0, side * (shoulder - 0.3), 4.0);
        cairo_set_source_rgba(cr, 0.0, 0.0, 0.0, 0.45);
        cairo_stroke(cr);
    }
}

void gn_synth_draw_body(const gn_synth_person *p, gn_rng *rng, cairo_t *cr)
{
    const double shoulder = gn_synth_range(rng, 1.35, 1.85);
    const double slope = gn_synth_range(rng, 0.25, 0.55);
    cairo_save(cr);
    gn_synth_person_enter_upright(p, cr);
    cairo_translate(cr, -1.45 * sin(p->tilt), 1.45 * cos(p->tilt));
    draw_legs(rng, cr);
    body_path(cr, shoulder, slope);
    gn_synth_set(cr, p->cloth, 1.0);
    cairo_fill_preserve(cr);
    cairo_clip(cr);
    draw_cloth_pattern(p, rng, cr);
    draw_arm_seams(cr, shoulder);
    gn_synth_ellipse(cr, 0.0, -0.2, 0.42, gn_synth_range(rng, 0.25, 0.7)); /* neckline */
    gn_synth_set(cr, gn_synth_scale(p->skin, 0.9), 1.0);
    cairo_fill(cr);
    const gn_synth_rgb black = {0.0, 0.0, 0.0};
    gn_synth_spot(cr, -p->light_x * 1.9, 1.2, 1.8, 3.0, black, 0.45);
    for (int i = 0; i < 5; i++) { /* folds */
        const double x = gn_synth_range(rng, -1.5, 1.5);
        gn_synth_spot(cr, x, gn_synth_range(rng, 0.5, 3.0), 0.12, 0.9, black, 0.2);
    }
    cairo_restore(cr);
}

/* --- head --- */

static void draw_neck(const gn_synth_person *p, cairo_t *cr)
{
    const double half = p->half_width * 0.56;
    cairo_new_path(cr);
    cairo_move_to(cr, -half, 0.4);
    cairo_curve_to(cr, -half, 1.0, -half * 1.05, 1.2, -half * 1.35, 1.5);
    cairo_line_to(cr, half * 1.35, 1.5);
    cairo_curve_to(cr, half * 1.05, 1.2, half, 1.0, half, 0.4);
    cairo_close_path(cr);
    cairo_pattern_t *shade = cairo_pattern_create_linear(0.0, 0.8, 0.0, 1.5);
    const gn_synth_rgb dark = gn_synth_scale(p->skin, 0.55), light = gn_synth_scale(p->skin, 0.9);
    cairo_pattern_add_color_stop_rgb(shade, 0.0, dark.r, dark.g, dark.b);
    cairo_pattern_add_color_stop_rgb(shade, 1.0, light.r, light.g, light.b);
    cairo_set_source(cr, shade);
    cairo_fill(cr);
    cairo_pattern_destroy(shade);
}

static void draw_ear(const gn_synth_person *p, int side, cairo_t *cr)
{
    const ear e = ear_of(p, side);
    gn_synth_ellipse(cr, e.x, e.y, e.rx, e.ry);
    gn_synth_set(cr, gn_synth_scale(p->skin, p->light_x * side > 0.0 ? 0.95 : 0.75), 1.0);
    cairo_fill(cr);
    const gn_synth_rgb dark = gn_synth_scale(p->skin, 0.5);
    gn_synth_spot(cr, e.x + side * 0.01, e.y - 0.02, e.rx * 0.75, e.ry * 0.75, dark, 0.6);
}

/* Silhouette of the hair behind the face. */
static void hair_path(const gn_synth_person *p, cairo_t *cr)
{
    const double side = p->half_width + p->hair_volume * 0.75;
    const double top = -1.0 - p->hair_volume * 0.9;
    const bool is_long = p->hair_kind == GN_SYNTH_HAIR_LONG || p->hair_kind == GN_SYNTH_HAIR_BOB;
    cairo_new_path(cr);
    if (p->hair_kind == GN_SYNTH_HAIR_AFRO) {
        gn_synth_ellipse(cr, 0.0, -0.42, side + 0.22, 0.95 + p->hair_volume);
        return;
    }
    if (is_long) {
        const double end = p->hair_length;
        cairo_move_to(cr, -side * 1.02, end);
        cairo_curve_to(cr, -side * 1.25, end * 0.5, -side * 1.1, top, 0.0, top);
        cairo_curve_to(cr, side * 1.1, top, side * 1.25, end * 0.5, side * 1.02, end);
        cairo_curve_to(cr, side * 0.5, end + 0.12, -side * 0.5, end + 0.12, -side * 1.02, end);
        cairo_close_path(cr);
        return;
    }
    cairo_move_to(cr, -p->half_width * 0.96, 0.1);
    cairo_curve_to(cr, -side * 1.12, -0.4, -side * 0.95, top, 0.0, top);
    cairo_curve_to(cr, side * 0.95, top, side * 1.12, -0.4, p->half_width * 0.96, 0.1);
    cairo_close_path(cr);
    if (p->hair_kind == GN_SYNTH_HAIR_BUN)
        gn_synth_ellipse(cr, 0.12 * p->light_x, top - 0.12, 0.34, 0.3);
}

/* Strands: faint curved strokes from the crown outwards. */
static void draw_strands(const gn_synth_person *p, gn_rng *rng, cairo_t *cr, double length)
{
    const gn_synth_rgb dark = gn_synth_scale(p->hair, 0.5);
    const gn_synth_rgb light = gn_synth_mix(p->hair, (gn_synth_rgb){1.0, 0.95, 0.85}, 0.35);
    cairo_set_line_width(cr, 0.03);
    for (int i = 0; i < 36; i++) {
        const double x = gn_synth_range(rng, -1.15, 1.15);
        const double sway = gn_synth_range(rng, -0.12, 0.12);
        cairo_move_to(cr, x * 0.35, -1.2);
        cairo_curve_to(cr, x * 0.8, -1.1, x + sway, -0.4, x + sway, length);
        gn_synth_set(cr, i % 3 == 0 ? light : dark, 0.3);
        cairo_stroke(cr);
    }
}

static void draw_hair(const gn_synth_person *p, gn_rng *rng, cairo_t *cr)
{
    if (p->hair_kind == GN_SYNTH_HAIR_BALD)
        return;
    cairo_save(cr);
    hair_path(p, cr);
    gn_synth_set(cr, p->hair, 1.0);
    cairo_fill_preserve(cr);
    cairo_clip(cr);
    draw_strands(p, rng, cr, p->hair_length);
    const gn_synth_rgb white = {1.0, 1.0, 0.95};
    const gn_synth_rgb black = {0.0, 0.0, 0.0};
    gn_synth_spot(cr, 0.5 * p->light_x, -0.95 + 0.2 * p->light_y, 0.5, 0.3, white, 0.22);
    gn_synth_spot(cr, -0.9 * p->light_x, -0.2, 0.8, 1.6, black, 0.4);
    cairo_restore(cr);
}

/* Light across the skin: towards the light brighter, away darker, and darker at the rim where the head turns away. */
static void shade_skin(const gn_synth_person *p, gn_rng *rng, cairo_t *cr)
{
    const double strength = gn_synth_range(rng, 0.25, 0.75);
    const gn_synth_rgb bright = gn_synth_mix(p->skin, (gn_synth_rgb){1.0, 0.97, 0.9}, 0.5);
    const gn_synth_rgb dark = gn_synth_scale(p->skin, 0.35);
    cairo_pattern_t *shade = cairo_pattern_create_linear(p->light_x, p->light_y, -p->light_x, -p->light_y);
    cairo_pattern_add_color_stop_rgba(shade, 0.0, bright.r, bright.g, bright.b, strength * 0.7);
    cairo_pattern_add_color_stop_rgba(shade, 0.45, p->skin.r, p->skin.g, p->skin.b, 0.0);
    cairo_pattern_add_color_stop_rgba(shade, 1.0, dark.r, dark.g, dark.b, strength);
    cairo_set_source(cr, shade);
    cairo_paint(cr);
    cairo_pattern_destroy(shade);

    cairo_save(cr);
    cairo_scale(cr, p->half_width, 1.0);
    cairo_pattern_t *rim = cairo_pattern_create_radial(0.0, -0.05, 0.62, 0.0, 0.0, 1.08);
    cairo_pattern_add_color_stop_rgba(rim, 0.0, dark.r, dark.g, dark.b, 0.0);
    cairo_pattern_add_color_stop_rgba(rim, 1.0, dark.r, dark.g, dark.b, 0.55);
    cairo_set_source(cr, rim);
    cairo_paint(cr);
    cairo_pattern_destroy(rim);
    cairo_restore(cr);

    const gn_synth_rgb blush = gn_synth_mix(p->skin, (gn_synth_rgb){0.9, 0.3, 0.3}, 0.5);
    for (int side = -1; side <= 1; side += 2)
        gn_synth_spot(cr, gn_synth_turn_x(p, side * 0.42), 0.28, 0.28, 0.24, blush, 0.22);
    gn_synth_spot(cr, gn_synth_turn_x(p, 0.15 * p->light_x), -0.55, 0.4, 0.25, bright, 0.3);
}

static void draw_face_skin(const gn_synth_person *p, gn_rng *rng, cairo_t *cr)
{
    cairo_new_path(cr);
    gn_synth_polygon(cr, p->open_face, p->n_open);
    gn_synth_set(cr, p->skin, 1.0);
    cairo_fill_preserve(cr);
    cairo_clip(cr);
    shade_skin(p, rng, cr);
    /* the shadow that hair or a hat throws on the forehead */
    if (p->hairline > -1.0)
        gn_synth_spot(cr, 0.0, p->hairline - 0.02, p->half_width * 1.1, 0.2, gn_synth_scale(p->skin, 0.3), 0.5);
}

void gn_synth_draw_head(const gn_synth_person *p, gn_rng *rng, cairo_t *cr)
{
    cairo_save(cr);
    gn_synth_person_enter(p, cr);
    draw_hair(p, rng, cr);
    gn_synth_draw_headwear_back(p, rng, cr);
    draw_neck(p, cr);
    if (p->has_left_ear)
        draw_ear(p, -1, cr);
    if (p->has_right_ear)
        draw_ear(p, 1, cr);
    cairo_save(cr);
    draw_face_skin(p, rng, cr);
    gn_synth_draw_features(p, rng, cr);
    gn_synth_draw_beard(p, rng, cr);
    cairo_restore(cr);
    gn_synth_draw_eyewear(p, rng, cr);
    gn_synth_draw_headwear_front(p, rng, cr);
    gn_synth_draw_cover(p, rng, cr);
    cairo_restore(cr);
}

void gn_synth_draw_turned_away(const gn_synth_person *p, gn_rng *rng, cairo_t *cr)
{
    cairo_save(cr);
    gn_synth_person_enter(p, cr);
    draw_neck(p, cr);
    draw_ear(p, -1, cr);
    draw_ear(p, 1, cr);
    cairo_new_path(cr);
    gn_synth_polygon(cr, p->outline, GN_SYNTH_OUTLINE);
    const bool is_bald = p->hair_kind == GN_SYNTH_HAIR_BALD;
    gn_synth_set(cr, is_bald ? p->skin : p->hair, 1.0);
    cairo_fill_preserve(cr);
    cairo_save(cr);
    cairo_clip(cr);
    if (is_bald)
        shade_skin(p, rng, cr);
    else
        draw_strands(p, rng, cr, 1.0);
    cairo_restore(cr);
    draw_hair(p, rng, cr);
    gn_synth_draw_headwear_back(p, rng, cr);
    cairo_restore(cr);
}
