/* Eyes, brows, nose, mouth, lines of age and beard of a drawn face.  The caller has clipped to the open face.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "draw/synth_scene.h"

/* Where things lie on the upright face, drawn once per face so that both sides agree. */
typedef struct feature_lots {
    double eye_x, eye_y, eye_w, eye_h;
    double brow_y, brow_px, brow_slope, brow_arch;
    double nose_y, nose_w;
    double mouth_y, mouth_w;
} feature_lots;

static feature_lots draw_lots(const gn_synth_person *p, gn_rng *rng)
{
    feature_lots f = {0};
    f.eye_x = p->half_width * gn_synth_range(rng, 0.42, 0.52);
    f.eye_y = gn_synth_range(rng, -0.16, -0.04) + p->pitch;
    f.eye_w = p->half_width * gn_synth_range(rng, 0.19, 0.25);
    f.eye_h = f.eye_w * gn_synth_range(rng, 0.4, 0.58) * p->eye_open;
    f.brow_y = f.eye_y - gn_synth_range(rng, 0.16, 0.25);
    f.brow_px = gn_synth_range(rng, 0.03, 0.085);
    f.brow_slope = gn_synth_range(rng, -0.07, 0.07);
    f.brow_arch = gn_synth_range(rng, 0.02, 0.1);
    f.nose_y = gn_synth_range(rng, 0.24, 0.36) + 1.3 * p->pitch;
    f.nose_w = p->half_width * gn_synth_range(rng, 0.17, 0.27);
    f.mouth_y = gn_synth_range(rng, 0.56, 0.66) + p->pitch;
    f.mouth_w = p->half_width * gn_synth_range(rng, 0.3, 0.44) * (1.0 + 0.15 * p->smile);
    return f;
}

static void eye_path(cairo_t *cr, double x, double y, double w, double h, double slant)
{
    cairo_new_path(cr);
    cairo_move_to(cr, x - w, y + slant);
    cairo_curve_to(cr, x - w * 0.5, y - h * 1.25, x + w * 0.5, y - h * 1.25, x + w, y - slant);
    cairo_curve_to(cr, x + w * 0.5, y + h * 0.95, x - w * 0.5, y + h * 0.95, x - w, y + slant);
    cairo_close_path(cr);
}

static void draw_eye(const gn_synth_person *p, const feature_lots *f, int side, double slant, cairo_t *cr)
{
    const double x = gn_synth_turn_x(p, side * f->eye_x);
    const double w = f->eye_w * gn_synth_turn_gain(p, side * f->eye_x);
    const gn_synth_rgb dark = gn_synth_scale(p->skin, 0.42);
    gn_synth_spot(cr, x, f->eye_y - 0.03, w * 1.7, f->eye_w * 1.25, dark, 0.5); /* socket */
    if (f->eye_h <= 0.0) {
        cairo_move_to(cr, x - w, f->eye_y);
        cairo_curve_to(cr, x - w * 0.5, f->eye_y + 0.06, x + w * 0.5, f->eye_y + 0.06, x + w, f->eye_y);
        cairo_set_line_width(cr, 0.035);
        gn_synth_set(cr, gn_synth_scale(p->skin, 0.25), 1.0);
        cairo_stroke(cr);
        return;
    }
    cairo_save(cr);
    eye_path(cr, x, f->eye_y, w, f->eye_h, slant * side);
    cairo_set_source_rgb(cr, 0.93, 0.91, 0.88);
    cairo_fill_preserve(cr);
    cairo_clip(cr);
    const double iris = f->eye_w * 0.5;
    const double iris_x = x + p->gaze * w * 0.5 + 0.2 * p->yaw * w;
    gn_synth_ellipse(cr, iris_x, f->eye_y - 0.01, iris * 0.95, iris);
    gn_synth_set(cr, p->iris, 1.0);
    cairo_fill(cr);
    gn_synth_ellipse(cr, iris_x, f->eye_y - 0.01, iris * 0.45, iris * 0.45);
    cairo_set_source_rgb(cr, 0.03, 0.03, 0.03);
    cairo_fill(cr);
    gn_synth_ellipse(cr, iris_x + 0.3 * iris * p->light_x, f->eye_y - 0.35 * iris, iris * 0.2, iris * 0.2);
    cairo_set_source_rgb(cr, 1.0, 1.0, 1.0);
    cairo_fill(cr);
    const gn_synth_rgb black = {0.0, 0.0, 0.0};
    gn_synth_spot(cr, x, f->eye_y - f->eye_h, w * 1.2, f->eye_h * 0.9, black, 0.5); /* shadow of the lid */
    cairo_restore(cr);
    cairo_new_path(cr);
    cairo_move_to(cr, x - w, f->eye_y + slant * side);
    cairo_curve_to(cr, x - w * 0.5, f->eye_y - f->eye_h * 1.25, x + w * 0.5, f->eye_y - f->eye_h * 1.25, x + w,
                   f->eye_y - slant * side);
    cairo_set_line_width(cr, 0.03);
    gn_synth_set(cr, gn_synth_scale(p->skin, 0.2), 0.9);
    cairo_stroke(cr);
}

static void draw_brow(const gn_synth_person *p, const feature_lots *f, int side, cairo_t *cr)
{
    const double gain = gn_synth_turn_gain(p, side * f->eye_x);
    const double x = gn_synth_turn_x(p, side * f->eye_x);
    const double w = f->eye_w * 1.3 * gain;
    const double inner = f->brow_y + f->brow_slope;
    const double outer = f->brow_y - f->brow_slope + 0.03;
    const double left = side < 0 ? outer : inner;
    const double right = side < 0 ? inner : outer;
    cairo_new_path(cr);
    cairo_move_to(cr, x - w, left);
    cairo_curve_to(cr, x - w * 0.4, left - f->brow_arch, x + w * 0.4, right - f->brow_arch, x + w, right);
    cairo_curve_to(cr, x + w * 0.4, right - f->brow_arch + f->brow_px * 1.6, x - w * 0.4,
                   left - f->brow_arch + f->brow_px * 1.6, x - w, left);
    cairo_close_path(cr);
    gn_synth_set(cr, gn_synth_mix(gn_synth_scale(p->hair, 0.75), gn_synth_scale(p->skin, 0.5), 0.25), 0.88);
    cairo_fill(cr);
}

static void draw_nose(const gn_synth_person *p, const feature_lots *f, cairo_t *cr)
{
    const gn_synth_rgb dark = gn_synth_scale(p->skin, 0.4);
    const gn_synth_rgb bright = gn_synth_mix(p->skin, (gn_synth_rgb){1.0, 0.98, 0.92}, 0.6);
    const double tip_x = gn_synth_turn_x(p, 0.0) * 1.45; /* the tip stands out, so it turns further */
    const double root_x = gn_synth_turn_x(p, 0.0) * 1.05;
    const double away = p->light_x > 0.0 ? -1.0 : 1.0;
    const double w = f->nose_w;
    cairo_new_path(cr); /* shaded flank */
    cairo_move_to(cr, root_x + away * 0.05, f->eye_y - 0.05);
    cairo_curve_to(cr, root_x + away * 0.1, f->eye_y + 0.15, tip_x + away * w * 0.6, f->nose_y - 0.2, tip_x + away * w,
                   f->nose_y);
    cairo_curve_to(cr, tip_x + away * w * 0.5, f->nose_y + 0.06, tip_x, f->nose_y + 0.05, tip_x, f->nose_y);
    cairo_curve_to(cr, tip_x + away * 0.03, f->nose_y - 0.2, root_x + away * 0.02, f->eye_y + 0.15,
                   root_x + away * 0.05, f->eye_y - 0.05);
    cairo_close_path(cr);
    gn_synth_set(cr, dark, 0.3);
    cairo_fill(cr);
    gn_synth_spot(cr, tip_x, f->nose_y + 0.05, w * 1.5, 0.11, dark, 0.55);
    gn_synth_spot(cr, (tip_x + root_x) * 0.5 - away * 0.02, f->nose_y - 0.22, 0.07, 0.26, bright, 0.5);
    gn_synth_spot(cr, tip_x - away * 0.02, f->nose_y - 0.05, w * 0.6, 0.09, bright, 0.5);
    for (int side = -1; side <= 1; side += 2) {
        gn_synth_ellipse(cr, tip_x + side * w * 0.5 * gn_synth_turn_gain(p, side * 0.2), f->nose_y + 0.035, w * 0.24,
                         0.03);
        gn_synth_set(cr, gn_synth_scale(p->skin, 0.2), 0.85);
        cairo_fill(cr);
        cairo_new_path(cr); /* wing */
        cairo_move_to(cr, tip_x + side * w * 0.85, f->nose_y - 0.07);
        cairo_curve_to(cr, tip_x + side * w * 1.15, f->nose_y - 0.02, tip_x + side * w * 1.1, f->nose_y + 0.06,
                       tip_x + side * w * 0.75, f->nose_y + 0.05);
        cairo_set_line_width(cr, 0.022);
        gn_synth_set(cr, dark, 0.7);
        cairo_stroke(cr);
    }
}

/* Where the corners of the mouth and its middle lie. */
typedef struct mouth {
    double left, right, middle, y, corner_y, open;
} mouth;

static mouth mouth_of(const gn_synth_person *p, const feature_lots *f)
{
    mouth m = {0};
    m.left = gn_synth_turn_x(p, -f->mouth_w);
    m.right = gn_synth_turn_x(p, f->mouth_w);
    m.middle = gn_synth_turn_x(p, 0.0) * 1.15;
    m.y = f->mouth_y;
    m.corner_y = f->mouth_y - 0.07 * p->smile;
    m.open = p->mouth_open * 0.12;
    return m;
}

static void draw_open_mouth(const mouth *m, cairo_t *cr)
{
    cairo_new_path(cr);
    cairo_move_to(cr, m->left, m->corner_y);
    cairo_curve_to(cr, m->left * 0.5 + m->middle * 0.5, m->y - 0.01, m->right * 0.5 + m->middle * 0.5, m->y - 0.01,
                   m->right, m->corner_y);
    cairo_curve_to(cr, m->right * 0.6 + m->middle * 0.4, m->y + m->open * 1.7, m->left * 0.6 + m->middle * 0.4,
                   m->y + m->open * 1.7, m->left, m->corner_y);
    cairo_close_path(cr);
    cairo_save(cr);
    cairo_set_source_rgb(cr, 0.25, 0.06, 0.07);
    cairo_fill_preserve(cr);
    cairo_clip(cr);
    cairo_rectangle(cr, m->left, m->y - 0.1, m->right - m->left, 0.1 + m->open * 0.55);
    cairo_set_source_rgb(cr, 0.92, 0.9, 0.85);
    cairo_fill(cr);
    cairo_restore(cr);
}

static void draw_mouth(const gn_synth_person *p, const feature_lots *f, double fullness, cairo_t *cr)
{
    const mouth m = mouth_of(p, f);
    const double low = m.y + m.open * 1.25;
    cairo_new_path(cr); /* upper lip */
    cairo_move_to(cr, m.left, m.corner_y);
    cairo_curve_to(cr, m.left * 0.5 + m.middle * 0.5, m.y - fullness, m.middle - 0.04, m.y - fullness * 1.1, m.middle,
                   m.y - fullness * 0.75);
    cairo_curve_to(cr, m.middle + 0.04, m.y - fullness * 1.1, m.right * 0.5 + m.middle * 0.5, m.y - fullness, m.right,
                   m.corner_y);
    cairo_curve_to(cr, m.right * 0.5 + m.middle * 0.5, m.y + 0.01, m.left * 0.5 + m.middle * 0.5, m.y + 0.01, m.left,
                   m.corner_y);
    cairo_close_path(cr);
    gn_synth_set(cr, gn_synth_scale(p->lip, 0.85), 0.95);
    cairo_fill(cr);
    cairo_new_path(cr); /* lower lip */
    cairo_move_to(cr, m.left, m.corner_y);
    cairo_curve_to(cr, m.left * 0.5 + m.middle * 0.5, low, m.right * 0.5 + m.middle * 0.5, low, m.right, m.corner_y);
    cairo_curve_to(cr, m.right * 0.5 + m.middle * 0.5, low + fullness * 1.7, m.left * 0.5 + m.middle * 0.5,
                   low + fullness * 1.7, m.left, m.corner_y);
    cairo_close_path(cr);
    gn_synth_set(cr, p->lip, 0.95);
    cairo_fill(cr);
    if (m.open > 0.0)
        draw_open_mouth(&m, cr);
    cairo_new_path(cr); /* line between the lips */
    cairo_move_to(cr, m.left - 0.015, m.corner_y);
    cairo_curve_to(cr, m.left * 0.5 + m.middle * 0.5, m.y + 0.005, m.right * 0.5 + m.middle * 0.5, m.y + 0.005,
                   m.right + 0.015, m.corner_y);
    cairo_set_line_width(cr, 0.02);
    gn_synth_set(cr, gn_synth_scale(p->lip, 0.35), m.open > 0.0 ? 0.4 : 0.9);
    cairo_stroke(cr);
    gn_synth_spot(cr, m.middle, low + fullness * 1.5 + 0.05, f->mouth_w * 0.8, 0.06, gn_synth_scale(p->skin, 0.4), 0.4);
}

static void draw_age(const gn_synth_person *p, const feature_lots *f, gn_rng *rng, cairo_t *cr)
{
    const gn_synth_rgb dark = gn_synth_scale(p->skin, 0.4);
    const double alpha = 0.15 + 0.45 * p->age;
    cairo_set_line_width(cr, 0.018);
    for (int side = -1; side <= 1; side += 2) { /* from nose to mouth */
        const double x = gn_synth_turn_x(p, side * (f->nose_w + 0.06));
        cairo_new_path(cr);
        cairo_move_to(cr, x, f->nose_y);
        cairo_curve_to(cr, x + side * 0.06, f->nose_y + 0.1, x + side * 0.09, f->mouth_y - 0.1, x + side * 0.08,
                       f->mouth_y);
        gn_synth_set(cr, dark, alpha);
        cairo_stroke(cr);
    }
    for (int i = 0; p->age > 0.45 && i < 3; i++) {
        const double y = f->brow_y - 0.12 - 0.09 * i;
        const double half = p->half_width * gn_synth_range(rng, 0.35, 0.55);
        cairo_new_path(cr);
        cairo_move_to(cr, gn_synth_turn_x(p, -half), y);
        cairo_curve_to(cr, gn_synth_turn_x(p, -half * 0.3), y - 0.03, gn_synth_turn_x(p, half * 0.3), y - 0.03,
                       gn_synth_turn_x(p, half), y);
        gn_synth_set(cr, dark, alpha * 0.8);
        cairo_stroke(cr);
    }
}

static void draw_freckles(const gn_synth_person *p, gn_rng *rng, cairo_t *cr)
{
    const gn_synth_rgb dark = gn_synth_scale(p->skin, 0.65);
    for (int i = 0; i < 30; i++) {
        gn_synth_ellipse(cr, gn_synth_turn_x(p, gn_synth_range(rng, -0.45, 0.45)), gn_synth_range(rng, 0.02, 0.38),
                         0.014, 0.014);
        gn_synth_set(cr, dark, 0.5);
        cairo_fill(cr);
    }
}

void gn_synth_draw_features(const gn_synth_person *p, gn_rng *rng, cairo_t *cr)
{
    const feature_lots f = draw_lots(p, rng);
    const double slant = gn_synth_range(rng, -0.02, 0.03);
    draw_age(p, &f, rng, cr);
    if (gn_synth_chance(rng, 0.1))
        draw_freckles(p, rng, cr);
    for (int side = -1; side <= 1; side += 2) {
        draw_eye(p, &f, side, slant, cr);
        draw_brow(p, &f, side, cr);
    }
    draw_nose(p, &f, cr);
    draw_mouth(p, &f, gn_synth_range(rng, 0.035, 0.075), cr);
}

/* Area of a beard: below a line from ear to ear that dips under the nose, the mouth left out. */
static void beard_path(const gn_synth_person *p, cairo_t *cr)
{
    const double nose = gn_synth_turn_x(p, 0.0);
    cairo_new_path(cr);
    cairo_move_to(cr, -1.2, 0.05);
    cairo_curve_to(cr, -0.65, 0.45, nose - 0.5, 0.5, nose - 0.3, p->has_moustache ? 0.46 : 0.78);
    cairo_line_to(cr, nose + 0.3, p->has_moustache ? 0.46 : 0.78);
    cairo_curve_to(cr, nose + 0.5, 0.5, 0.65, 0.45, 1.2, 0.05);
    cairo_line_to(cr, 1.2, 1.3);
    cairo_line_to(cr, -1.2, 1.3);
    cairo_close_path(cr);
    gn_synth_ellipse(cr, nose * 1.1, 0.62 + p->pitch, p->half_width * 0.36, 0.09); /* hole: even-odd rule */
}

static void draw_moustache(const gn_synth_person *p, cairo_t *cr)
{
    const double x = gn_synth_turn_x(p, 0.0) * 1.15;
    const double y = 0.46 + p->pitch;
    const double w = p->half_width * 0.42;
    cairo_new_path(cr);
    cairo_move_to(cr, x - w, y + 0.14);
    cairo_curve_to(cr, x - w * 0.6, y - 0.02, x - 0.08, y - 0.04, x, y);
    cairo_curve_to(cr, x + 0.08, y - 0.04, x + w * 0.6, y - 0.02, x + w, y + 0.14);
    cairo_curve_to(cr, x + w * 0.5, y + 0.1, x + 0.1, y + 0.11, x, y + 0.08);
    cairo_curve_to(cr, x - 0.1, y + 0.11, x - w * 0.5, y + 0.1, x - w, y + 0.14);
    cairo_close_path(cr);
    gn_synth_set(cr, gn_synth_scale(p->hair, 0.85), 0.9);
    cairo_fill(cr);
}

void gn_synth_draw_beard(const gn_synth_person *p, gn_rng *rng, cairo_t *cr)
{
    if (p->beard > 0.0) {
        cairo_save(cr);
        beard_path(p, cr);
        cairo_set_fill_rule(cr, CAIRO_FILL_RULE_EVEN_ODD);
        cairo_clip(cr);
        cairo_set_fill_rule(cr, CAIRO_FILL_RULE_WINDING);
        gn_synth_set(cr, gn_synth_mix(p->hair, p->skin, 0.15), 0.2 + 0.72 * p->beard * p->beard);
        cairo_paint(cr);
        cairo_set_line_width(cr, 0.022);
        for (int i = 0; i < 60; i++) {
            const double x = gn_synth_range(rng, -0.85, 0.85), y = gn_synth_range(rng, 0.1, 1.0);
            cairo_move_to(cr, x, y);
            cairo_line_to(cr, x + gn_synth_range(rng, -0.03, 0.03), y + gn_synth_range(rng, 0.04, 0.1));
            gn_synth_set(cr, gn_synth_scale(p->hair, i % 2 == 0 ? 0.6 : 1.3), 0.25 + 0.4 * p->beard);
            cairo_stroke(cr);
        }
        cairo_restore(cr);
    }
    if (p->has_moustache)
        draw_moustache(p, cr);
}
