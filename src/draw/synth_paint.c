/* Random draws, colours and simple shapes for the synthetic face set.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "draw/synth_scene.h"

double gn_synth_range(gn_rng *rng, double low, double high)
{
    return low + (high - low) * gn_rng_uniform(rng);
}

bool gn_synth_chance(gn_rng *rng, double probability)
{
    return gn_rng_uniform(rng) < probability;
}

int gn_synth_pick(gn_rng *rng, int n)
{
    return (int)gn_rng_below(rng, n);
}

static double clip_unit(double x)
{
    return x < 0.0 ? 0.0 : x > 1.0 ? 1.0 : x;
}

gn_synth_rgb gn_synth_mix(gn_synth_rgb a, gn_synth_rgb b, double t)
{
    return (gn_synth_rgb){a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t};
}

gn_synth_rgb gn_synth_scale(gn_synth_rgb c, double gain)
{
    return (gn_synth_rgb){clip_unit(c.r * gain), clip_unit(c.g * gain), clip_unit(c.b * gain)};
}

gn_synth_rgb gn_synth_vary(gn_rng *rng, gn_synth_rgb c, double spread)
{
    c.r = clip_unit(c.r * gn_synth_range(rng, 1.0 - spread, 1.0 + spread));
    c.g = clip_unit(c.g * gn_synth_range(rng, 1.0 - spread, 1.0 + spread));
    c.b = clip_unit(c.b * gn_synth_range(rng, 1.0 - spread, 1.0 + spread));
    return c;
}

gn_synth_rgb gn_synth_any_colour(gn_rng *rng, double saturation_max)
{
    const double hue = 6.0 * gn_rng_uniform(rng);
    const double saturation = gn_synth_range(rng, 0.0, saturation_max);
    const double value = gn_synth_range(rng, 0.15, 1.0);
    const double shift[3] = {0.0, 4.0, 2.0};
    double channel[3];
    for (int c = 0; c < 3; c++) {
        const double around = fmod(hue + shift[c], 6.0);
        const double ramp = clip_unit(fabs(around - 3.0) - 1.0);
        channel[c] = value * (1.0 - saturation * (1.0 - ramp));
    }
    return (gn_synth_rgb){channel[0], channel[1], channel[2]};
}

void gn_synth_set(cairo_t *cr, gn_synth_rgb c, double alpha)
{
    cairo_set_source_rgba(cr, c.r, c.g, c.b, alpha);
}

void gn_synth_ellipse(cairo_t *cr, double x, double y, double rx, double ry)
{
    cairo_matrix_t before;
    cairo_get_matrix(cr, &before);
    cairo_translate(cr, x, y);
    cairo_scale(cr, rx, ry);
    cairo_new_sub_path(cr);
    cairo_arc(cr, 0.0, 0.0, 1.0, 0.0, 2.0 * GN_SYNTH_PI);
    cairo_close_path(cr);
    cairo_set_matrix(cr, &before);
}

void gn_synth_spot(cairo_t *cr, double x, double y, double rx, double ry, gn_synth_rgb c, double alpha)
{
    cairo_save(cr);
    cairo_translate(cr, x, y);
    cairo_scale(cr, rx, ry);
    cairo_pattern_t *fade = cairo_pattern_create_radial(0.0, 0.0, 0.0, 0.0, 0.0, 1.0);
    cairo_pattern_add_color_stop_rgba(fade, 0.0, c.r, c.g, c.b, alpha);
    cairo_pattern_add_color_stop_rgba(fade, 0.5, c.r, c.g, c.b, alpha * 0.55);
    cairo_pattern_add_color_stop_rgba(fade, 1.0, c.r, c.g, c.b, 0.0);
    cairo_set_source(cr, fade);
    cairo_new_path(cr);
    cairo_arc(cr, 0.0, 0.0, 1.0, 0.0, 2.0 * GN_SYNTH_PI);
    cairo_fill(cr);
    cairo_pattern_destroy(fade);
    cairo_restore(cr);
}

void gn_synth_polygon(cairo_t *cr, const double (*points)[2], int n)
{
    for (int i = 0; i < n; i++) {
        if (i == 0)
            cairo_move_to(cr, points[i][0], points[i][1]);
        else
            cairo_line_to(cr, points[i][0], points[i][1]);
    }
    cairo_close_path(cr);
}

void gn_synth_rounded(cairo_t *cr, double x, double y, double w, double h, double radius)
{
    const double r = fmin(radius, 0.5 * fmin(w, h));
    cairo_new_sub_path(cr);
    cairo_arc(cr, x + w - r, y + r, r, -0.5 * GN_SYNTH_PI, 0.0);
    cairo_arc(cr, x + w - r, y + h - r, r, 0.0, 0.5 * GN_SYNTH_PI);
    cairo_arc(cr, x + r, y + h - r, r, 0.5 * GN_SYNTH_PI, GN_SYNTH_PI);
    cairo_arc(cr, x + r, y + r, r, GN_SYNTH_PI, 1.5 * GN_SYNTH_PI);
    cairo_close_path(cr);
}
