/* Composition of one synthetic picture: size, backdrop, things, people placed without hiding each other, finish.
 * SPDX-License-Identifier: Apache-2.0 */
#include "draw/synth.h"

#include <math.h>
#include <stdbool.h>

#include "base/memory.h"
#include "base/rng.h"
#include "draw/canvas.h"
#include "draw/synth_scene.h"

enum { MIN_SIDE = 64, MAX_SIDE = 2048, PLACE_TRIES = 40 };

/* Streams of random numbers, apart so that a change of one part leaves the others' draws alone. */
enum { STREAM_SCENE = 1, STREAM_BACKDROP, STREAM_PEOPLE, STREAM_STROKES, STREAM_FINISH };

void gn_synth_options_init(gn_synth_options *options)
{
    *options = (gn_synth_options){.min_side_px = 160, .max_side_px = 480, .empty_frac = 0.08, .several_frac = 0.07};
}

static bool is_fraction(double x)
{
    return x >= 0.0 && x <= 1.0;
}

static bool are_valid(const gn_synth_options *o, int64_t index)
{
    return index >= 0 && o->min_side_px >= MIN_SIDE && o->max_side_px <= MAX_SIDE && o->min_side_px <= o->max_side_px &&
           is_fraction(o->empty_frac) && is_fraction(o->several_frac);
}

static void stream(gn_rng *rng, uint64_t seed, int64_t index, uint64_t part)
{
    gn_rng_init(rng, seed, gn_rng_mix((uint64_t)index, part));
}

static void draw_size(const gn_synth_options *o, gn_rng *rng, int *width_out, int *height_out)
{
    static const double aspects[] = {1.0, 4.0 / 3.0, 3.0 / 4.0, 3.0 / 2.0, 2.0 / 3.0, 16.0 / 9.0};
    const int n = (int)(sizeof aspects / sizeof aspects[0]);
    const int k = gn_synth_pick(rng, n + 1);
    const double aspect = k < n ? aspects[k] : gn_synth_range(rng, 0.6, 1.7);
    const double longer = gn_synth_range(rng, o->min_side_px, o->max_side_px);
    const double w = aspect >= 1.0 ? longer : longer * aspect;
    const double h = aspect >= 1.0 ? longer / aspect : longer;
    *width_out = (int)fmax(o->min_side_px, rint(w));
    *height_out = (int)fmax(o->min_side_px, rint(h));
}

static int draw_face_count(const gn_synth_options *o, gn_rng *rng)
{
    const double lot = gn_rng_uniform(rng);
    if (lot < o->empty_frac)
        return 0;
    if (lot < o->empty_frac + o->several_frac)
        return 2 + gn_synth_pick(rng, 2);
    return 1;
}

/* Height of a face as a share of the picture's smaller side: mostly as in portraits, some small. */
static double draw_face_share(gn_rng *rng, int n_faces)
{
    if (gn_synth_chance(rng, 0.08))
        return gn_synth_range(rng, 0.08, 0.25);
    return n_faces > 1 ? gn_synth_range(rng, 0.25, 0.48) : gn_synth_range(rng, 0.4, 0.8);
}

/* Where along a side of length n a face lies: mostly near the middle given as a share, sometimes anywhere. */
static double draw_place(gn_rng *rng, double n, double margin, double middle, double spread)
{
    if (gn_synth_chance(rng, 0.08))
        return gn_synth_range(rng, margin, n - margin);
    const double place = n * (middle + spread * gn_rng_normal(rng));
    return fmin(fmax(place, margin), n - margin);
}

static double area(const gn_draw_box *b)
{
    return fmax(0.0, (double)(b->x2 - b->x1)) * fmax(0.0, (double)(b->y2 - b->y1));
}

static gn_draw_box clipped(const gn_draw_box *b, int width, int height)
{
    return (gn_draw_box){fmaxf(b->x1, 0.0f), fmaxf(b->y1, 0.0f), fminf(b->x2, (float)width),
                         fminf(b->y2, (float)height)};
}

/* Heads with their hair need about a third of the face around it. */
static bool is_clear(const gn_draw_box *a, const gn_draw_box *b)
{
    const float margin_a = 0.4f * (a->x2 - a->x1), margin_b = 0.4f * (b->x2 - b->x1);
    const float margin = margin_a + margin_b;
    return a->x1 - margin > b->x2 || b->x1 - margin > a->x2 || a->y1 - margin > b->y2 || b->y1 - margin > a->y2;
}

/* Whether the body of the larger one would hide the smaller one's face. */
static bool hides(const gn_synth_person *large, const gn_draw_box *small_face)
{
    const double half = 2.1 * large->unit_px;
    return (double)small_face->x2 > large->x - half && (double)small_face->x1 < large->x + half &&
           (double)small_face->y2 > large->y + 1.1 * large->unit_px;
}

/* The people of one picture. */
typedef struct cast {
    gn_synth_person person[GN_SYNTH_MAX_FACES];
    gn_draw_box box[GN_SYNTH_MAX_FACES]; /* clipped */
    int n;
} cast;

/* One try: false when the place is taken or too little of the face is inside. */
static bool try_place(cast *c, gn_rng *rng, int width, int height, int crowd, double face_px, double light_angle)
{
    gn_synth_person *p = &c->person[c->n];
    const bool may_leave = gn_synth_chance(rng, 0.08);
    const double margin = may_leave ? 0.0 : fmin(0.5 * face_px, 0.45 * fmin(width, height));
    const double spread = crowd > 1 ? 0.3 : 0.12;
    const double x = draw_place(rng, width, margin, 0.5, spread);
    const double y = draw_place(rng, height, margin, 0.43, 0.09);
    gn_synth_person_init(p, rng, x, y, face_px);
    p->light_x = cos(light_angle);
    p->light_y = sin(light_angle);
    const gn_draw_box whole = gn_synth_person_box(p);
    const gn_draw_box inside = clipped(&whole, width, height);
    if (area(&inside) < (may_leave ? 0.6 : 0.93) * area(&whole))
        return false;
    for (int i = 0; i < c->n; i++) {
        const gn_synth_person *other = &c->person[i];
        const bool is_larger = other->unit_px > p->unit_px;
        if (!is_clear(&c->box[i], &inside) || hides(is_larger ? other : p, is_larger ? &inside : &c->box[i]))
            return false;
    }
    c->box[c->n++] = inside;
    return true;
}

static void place_people(cast *c, gn_rng *rng, int width, int height, int wanted)
{
    const double light_angle =
        gn_synth_range(rng, -GN_SYNTH_PI, 0.0) + gn_synth_range(rng, -0.5, 0.5); /* mostly from above */
    c->n = 0;
    for (int i = 0; i < wanted; i++) {
        const double share = draw_face_share(rng, wanted);
        for (int t = 0; t < PLACE_TRIES; t++) {
            const double shrink = 1.0 - 0.5 * t / PLACE_TRIES; /* a crowded picture takes smaller faces */
            const double face_px = fmax(12.0, share * shrink * fmin(width, height));
            if (try_place(c, rng, width, height, wanted, face_px, light_angle))
                break;
        }
    }
}

/* Far (small) people first. */
static void sort_by_size(cast *c)
{
    for (int i = 1; i < c->n; i++)
        for (int k = i; k > 0 && c->person[k - 1].unit_px > c->person[k].unit_px; k--) {
            const gn_synth_person person = c->person[k];
            const gn_draw_box box = c->box[k];
            c->person[k] = c->person[k - 1];
            c->box[k] = c->box[k - 1];
            c->person[k - 1] = person;
            c->box[k - 1] = box;
        }
}

/* Placing saw to it that nobody's body hides a face of somebody farther away. */
static void draw_people(const cast *c, gn_rng *rng, cairo_t *cr, bool is_turned_away)
{
    for (int i = 0; i < c->n; i++) {
        gn_synth_draw_body(&c->person[i], rng, cr);
        if (is_turned_away)
            gn_synth_draw_turned_away(&c->person[i], rng, cr);
        else
            gn_synth_draw_head(&c->person[i], rng, cr);
    }
}

static gn_status draw_scene(uint64_t seed, int64_t index, int n_faces, cast *people, gn_canvas *canvas)
{
    gn_rng rng;
    stream(&rng, seed, index, STREAM_BACKDROP);
    gn_synth_draw_backdrop(&rng, canvas->cr, canvas->width, canvas->height);
    const int things = gn_synth_chance(&rng, 0.4) ? 1 + gn_synth_pick(&rng, 4) : 0;
    gn_synth_draw_distractors(&rng, canvas->cr, canvas->width, canvas->height, n_faces == 0 ? things + 3 : things);
    const bool is_turned_away = n_faces == 0; /* people without a visible face, in half of the pictures without one */
    const int wanted = is_turned_away ? gn_synth_pick(&rng, 2) : n_faces;
    stream(&rng, seed, index, STREAM_PEOPLE);
    place_people(people, &rng, canvas->width, canvas->height, wanted);
    sort_by_size(people);
    stream(&rng, seed, index, STREAM_STROKES);
    draw_people(people, &rng, canvas->cr, is_turned_away);
    if (is_turned_away)
        people->n = 0;
    return cairo_status(canvas->cr) == CAIRO_STATUS_SUCCESS ? GN_OK : GN_ENOMEM;
}

gn_status gn_synth_face(const gn_synth_options *options, uint64_t seed, int64_t index, gn_image *image_out,
                        gn_draw_box *boxes_out, int *n_boxes_out)
{
    gn_synth_options defaults;
    gn_synth_options_init(&defaults);
    if (options == NULL)
        options = &defaults;
    if (!are_valid(options, index))
        return GN_EINVAL;
    gn_rng rng;
    int width, height;
    stream(&rng, seed, index, STREAM_SCENE);
    draw_size(options, &rng, &width, &height);
    const int n_faces = draw_face_count(options, &rng);

    gn_canvas canvas = {0};
    gn_image image = {0};
    cast *people = gn_calloc(1, sizeof *people);
    gn_status status = people == NULL ? GN_ENOMEM : gn_canvas_init(&canvas, width, height);
    if (status == GN_OK)
        status = draw_scene(seed, index, n_faces, people, &canvas);
    if (status == GN_OK)
        status = gn_canvas_take(&canvas, &image);
    if (status == GN_OK) {
        stream(&rng, seed, index, STREAM_FINISH);
        status = gn_synth_finish(&rng, &image);
    }
    if (status == GN_OK) {
        *image_out = image;
        *n_boxes_out = people->n;
        for (int i = 0; i < people->n; i++)
            boxes_out[i] = people->box[i];
    } else {
        gn_image_deinit(&image);
    }
    gn_canvas_deinit(&canvas);
    gn_free(people);
    return status;
}
