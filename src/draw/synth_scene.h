/* What the parts of the synthetic face set share: random draws, colours, the scene and the people in it.  Not for other folders.
 *
 * A person is drawn in face units: the origin is the middle of the face, x to the right, y down, and half the face's height is 1.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DRAW_SYNTH_SCENE_H
#define GN_DRAW_SYNTH_SCENE_H

#include <stdbool.h>

#include <cairo.h>

#include "base/rng.h"
#include "draw/draw.h"

#define GN_SYNTH_PI 3.141592653589793

typedef struct gn_synth_rgb {
    double r, g, b; /* 0..1 */
} gn_synth_rgb;

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

typedef enum gn_synth_hair {
    GN_SYNTH_HAIR_BALD,
    GN_SYNTH_HAIR_SHORT,
    GN_SYNTH_HAIR_AFRO,
    GN_SYNTH_HAIR_BOB,  /* beside the cheeks, ears hidden */
    GN_SYNTH_HAIR_LONG, /* down to the chest, ears hidden */
    GN_SYNTH_HAIR_BUN,
    GN_SYNTH_HAIR_KINDS,
} gn_synth_hair;

typedef enum gn_synth_headwear {
    GN_SYNTH_HEAD_BARE,
    GN_SYNTH_HEAD_CAP,
    GN_SYNTH_HEAD_BEANIE,
    GN_SYNTH_HEAD_HAT,
    GN_SYNTH_HEAD_SCARF, /* cloth around the head, only the face open */
} gn_synth_headwear;

typedef enum gn_synth_eyewear {
    GN_SYNTH_EYES_BARE,
    GN_SYNTH_EYES_GLASSES,
    GN_SYNTH_EYES_SUNGLASSES,
} gn_synth_eyewear;

typedef enum gn_synth_cover { /* what hides a part of the face; the box stays that of the whole face */
                              GN_SYNTH_COVER_NONE,
                              GN_SYNTH_COVER_MASK,
                              GN_SYNTH_COVER_SHAWL, /* over mouth and chin */
                              GN_SYNTH_COVER_HAND,
                              GN_SYNTH_COVER_BAR,
                              GN_SYNTH_COVER_THING, /* cup, phone, book */
} gn_synth_cover;

enum {
    GN_SYNTH_OUTLINE = 160, /* points of the face's outline */
    GN_SYNTH_ROWS = 400,    /* scan lines over its height */
};

typedef struct gn_synth_person {
    double x, y, unit_px, tilt; /* origin in the picture, pixels per face unit, radians */
    double yaw, pitch;          /* radians, small */
    double light_x, light_y;    /* unit vector towards the light */

    double half_width, jaw_taper, jaw_power; /* outline */
    double hairline, hairline_drop, hairline_slant;
    double open_half; /* hair or cloth leaves |x| below this free */
    bool has_left_ear, has_right_ear;

    gn_synth_rgb skin, hair, cloth, lip, iris;
    gn_synth_hair hair_kind;
    double hair_volume, hair_length;
    gn_synth_headwear headwear;
    gn_synth_rgb headwear_colour;
    gn_synth_eyewear eyewear;
    gn_synth_cover cover;
    double beard; /* 0 none .. 1 full */
    bool has_moustache;
    double age;   /* 0 young .. 1 old */
    double smile; /* -1..1 */
    double mouth_open, eye_open;
    double gaze;

    double outline[GN_SYNTH_OUTLINE][2];
    int n_open;                             /* points of the open (visible) face, clockwise from its top left */
    double open_face[2 * GN_SYNTH_ROWS][2]; /* outline less what hairline, hair and cloth hide */
} gn_synth_person;

/* Draws lots for a person whose face is `face_px` high. */
void gn_synth_person_init(gn_synth_person *p, gn_rng *rng, double x, double y, double face_px);
/* Box of the open face and the visible ears, in pixels, not clipped. */
gn_draw_box gn_synth_person_box(const gn_synth_person *p);
void gn_synth_person_enter(const gn_synth_person *p, cairo_t *cr);         /* face units; cairo_save before */
void gn_synth_person_enter_upright(const gn_synth_person *p, cairo_t *cr); /* the same without tilt */
/* Where a point of the upright face lies after turning the head by yaw and pitch: x, y and the width gain there. */
double gn_synth_turn_x(const gn_synth_person *p, double x);
double gn_synth_turn_gain(const gn_synth_person *p, double x);

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
