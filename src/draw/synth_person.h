/* A drawn person: looks, pose, the geometry of the face and its box.  Not for other folders.
 *
 * Face units: the origin is the middle of the face, x to the right, y down, and half the face's height is 1.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DRAW_SYNTH_PERSON_H
#define GN_DRAW_SYNTH_PERSON_H

#include <stdbool.h>

#include "base/rng.h"
#include "draw/draw.h"

typedef struct gn_synth_rgb {
    double r, g, b; /* 0..1 */
} gn_synth_rgb;

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
/* Where a point of the upright face lies after turning the head by yaw and pitch: x, y and the width gain there. */
double gn_synth_turn_x(const gn_synth_person *p, double x);
double gn_synth_turn_gain(const gn_synth_person *p, double x);

#endif
