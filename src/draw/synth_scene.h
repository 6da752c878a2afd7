/* What the parts of the synthetic face set share: random draws, colours, the scene and the people in it.  Not for other folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DRAW_SYNTH_SCENE_H
#define GN_DRAW_SYNTH_SCENE_H

#include <stdbool.h>

#include <cairo.h>

#include "base/rng.h"
#include "draw/synth_person.h"

#define GN_SYNTH_PI 3.141592653589793

/* --- random draws --- */
double gn_synth_range(gn_rng *rng, double low, double high);
bool gn_synth_chance(gn_rng *rng, double probability);
int gn_synth_pick(gn_rng *rng, int n); /* 0..n-1 */
gn_synth_rgb gn_synth_any_colour(gn_rng *rng, double saturation_max);

/* --- colours --- */
gn_synth_rgb gn_synth_mix(gn_synth_rgb a, gn_synth_rgb b, double t); /* a at 0, b at 1 */
gn_synth_rgb gn_synth_scale(gn_synth_rgb c, double gain);            /* clipped to 0..1 */
/* Every channel times a random gain of 1 -+ spread. */
gn_synth_rgb gn_synth_vary(gn_rng *rng, gn_synth_rgb c, double spread);
void gn_synth_set(cairo_t *cr, gn_synth_rgb c, double alpha);

/* --- shapes --- */
void gn_synth_ellipse(cairo_t *cr, double x, double y, double rx, double ry); /* adds a closed path */
/* Soft spot: `alpha` in the middle, nothing at the rim. */
void gn_synth_spot(cairo_t *cr, double x, double y, double rx, double ry, gn_synth_rgb c, double alpha);
void gn_synth_polygon(cairo_t *cr, const double (*points)[2], int n); /* adds a closed path */
void gn_synth_rounded(cairo_t *cr, double x, double y, double w, double h, double radius);

/* --- people --- */

void gn_synth_person_enter(const gn_synth_person *p, cairo_t *cr);         /* face units; cairo_save before */
void gn_synth_person_enter_upright(const gn_synth_person *p, cairo_t *cr); /* the same without tilt */

void gn_synth_draw_body(const gn_synth_person *p, gn_rng *rng, cairo_t *cr);
void gn_synth_draw_head(const gn_synth_person *p, gn_rng *rng, cairo_t *cr);
/* Parts of a head, in order (synth_features.c, synth_wear.c). */
void gn_synth_draw_features(const gn_synth_person *p, gn_rng *rng, cairo_t *cr);
void gn_synth_draw_beard(const gn_synth_person *p, gn_rng *rng, cairo_t *cr);
void gn_synth_draw_eyewear(const gn_synth_person *p, gn_rng *rng, cairo_t *cr);
void gn_synth_draw_headwear_back(const gn_synth_person *p, gn_rng *rng, cairo_t *cr);
void gn_synth_draw_headwear_front(const gn_synth_person *p, gn_rng *rng, cairo_t *cr);
void gn_synth_draw_cover(const gn_synth_person *p, gn_rng *rng, cairo_t *cr);
/* A head seen from behind: no face. */
void gn_synth_draw_turned_away(const gn_synth_person *p, gn_rng *rng, cairo_t *cr);

/* --- surroundings and finish --- */
void gn_synth_draw_backdrop(gn_rng *rng, cairo_t *cr, int width, int height);
/* Things that are not faces, some of a face's colour and shape. */
void gn_synth_draw_distractors(gn_rng *rng, cairo_t *cr, int width, int height, int n);
/* Light, colour, blur and noise over the whole picture. */
gn_status gn_synth_finish(gn_rng *rng, gn_image *image);

#endif
