/* Where the pictures of an entry lie, what is seen of them and of their boxes, and the order of the steps.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/sample_scene.h"

#include <math.h>
#include <string.h>

#include "image/resize.h"

#define GREY GN_LETTERBOX_FILL
/* What lies closer to the horizon of a perspective than this is not shown. */
#define HORIZON 1e-3
#define RADIANS 0.017453292519943295

/* A source picture on the canvas.  axis: fractions of the picture to canvas pixels; x1..y2: what of the canvas it covers. */
typedef struct tile {
    const gn_scene_source *source;
    gn_axis_map x, y;
    double x1, y1, x2, y2;
} tile;

/* Canvas to input, homogeneous, and back. */
typedef struct view {
    double m[9], back[9];
    bool is_axis; /* zoom and shift only */
    double zoom;
} view;

/* --- drawing -------------------------------------------------------------------------------------------------------- */

/* Position at u (0..1) of the window before `position` in the order. */
static int64_t partner_at(int64_t n, int64_t position, double u)
{
    const int64_t window = n - 1 < GN_PARTNER_WINDOW ? n - 1 : GN_PARTNER_WINDOW;
    if (window <= 0)
        return position;
    const int64_t back = 1 + (int64_t)(u * (double)window);
    return (position + n - back) % n;
}

static void add_layer(gn_scene *scene, const gn_draws *d, const int64_t *order, int64_t n, int64_t position)
{
    const int layer = scene->n_layers++;
    scene->draws[layer] = *d;
    scene->n_tiles[layer] = d->mosaic ? GN_MOSAIC_TILES : 1;
    scene->source[scene->n_sources++] = order[position];
    for (int i = 1; i < scene->n_tiles[layer]; i++)
        scene->source[scene->n_sources++] = order[partner_at(n, position, d->partner[i - 1])];
}

void gn_scene_draw(const gn_sample_plan *plan, int64_t epoch, const int64_t *order, int64_t n, int64_t position,
                   gn_scene *scene)
{
    memset(scene, 0, sizeof *scene);
    const gn_draws own = gn_sample_draw(&plan->augment, plan->seed, epoch, order[position], GN_DRAW_SAMPLE);
    add_layer(scene, &own, order, n, position);
    if (!own.mixup)
        return;
    const int64_t other = partner_at(n, position, own.mixup_partner);
    const gn_draws mixed_in = gn_sample_draw(&plan->augment, plan->seed, epoch, order[position], GN_DRAW_MIXED_IN);
    add_layer(scene, &mixed_in, order, n, other);
}

/* --- geometry ------------------------------------------------------------------------------------------------------- */

/* out = a * b, 3 x 3. */
static void multiply(const double a[9], const double b[9], double out[9])
{
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            out[3 * i + j] = a[3 * i] * b[j] + a[3 * i + 1] * b[3 + j] + a[3 * i + 2] * b[6 + j];
}

static void invert(const double m[9], double out[9])
{
    const double c0 = m[4] * m[8] - m[5] * m[7], c1 = m[5] * m[6] - m[3] * m[8], c2 = m[3] * m[7] - m[4] * m[6];
    const double det = m[0] * c0 + m[1] * c1 + m[2] * c2;
    const double adjugate[9] = {
        c0, m[2] * m[7] - m[1] * m[8], m[1] * m[5] - m[2] * m[4],
        c1, m[0] * m[8] - m[2] * m[6], m[2] * m[3] - m[0] * m[5],
        c2, m[1] * m[6] - m[0] * m[7], m[0] * m[4] - m[1] * m[3],
    };
    for (int i = 0; i < 9; i++)
        out[i] = adjugate[i] / det;
}

/* Centre, perspective, rotation and zoom, shear, shift: in this order from the right. */
static view view_of(const gn_sample_plan *plan, const gn_draws *d)
{
    view v = {.zoom = d->zoom};
    const gn_augment *a = &plan->augment;
    v.is_axis = !(a->degrees > 0) && !(a->shear > 0) && !(a->perspective > 0);
    const double sides = d->mosaic ? 2 : 1, w = plan->width, h = plan->height;
    const double centre[9] = {1, 0, -w * sides / 2, 0, 1, -h * sides / 2, 0, 0, 1};
    const double bend[9] = {1, 0, 0, 0, 1, 0, d->bend_x, d->bend_y, 1};
    const double c = d->zoom * cos(d->degrees * RADIANS), s = d->zoom * sin(d->degrees * RADIANS);
    const double turn[9] = {c, s, 0, -s, c, 0, 0, 0, 1};
    const double shear[9] = {1, tan(d->shear_x * RADIANS), 0, tan(d->shear_y * RADIANS), 1, 0, 0, 0, 1};
    const double shift[9] = {1, 0, w * (0.5 + d->shift_x), 0, 1, h * (0.5 + d->shift_y), 0, 0, 1};
    double t[9], u[9];
    multiply(bend, centre, t);
    multiply(turn, t, u);
    multiply(shear, u, t);
    multiply(shift, t, v.m);
    invert(v.m, v.back);
    return v;
}

static tile single_tile(const gn_sample_plan *plan, const gn_draws *d, const gn_scene_source *source)
{
    tile t = {.source = source};
    gn_sample_window(plan, source->sample, d, &t.x, &t.y);
    t.x1 = t.x.shift;
    t.y1 = t.y.shift;
    t.x2 = t.x.shift + t.x.scale;
    t.y2 = t.y.shift + t.y.scale;
    return t;
}

/* Four pictures meet with a corner each; what goes beyond the canvas of twice the input's sides is cut. */
static tile mosaic_tile(const gn_sample_plan *plan, const gn_draws *d, const gn_scene_source *source, int i)
{
    tile t = {.source = source};
    gn_sample_fit(plan, source->sample, &t.x, &t.y);
    const double x = floor(d->mosaic_x * plan->width), y = floor(d->mosaic_y * plan->height);
    t.x.shift = i % 2 == 0 ? x - t.x.scale : x;
    t.y.shift = i / 2 == 0 ? y - t.y.scale : y;
    t.x1 = fmax(t.x.shift, 0);
    t.y1 = fmax(t.y.shift, 0);
    t.x2 = fmin(t.x.shift + t.x.scale, 2 * plan->width);
    t.y2 = fmin(t.y.shift + t.y.scale, 2 * plan->height);
    return t;
}

/* --- pictures ------------------------------------------------------------------------------------------------------- */

static int edge_pixel(double at, int side)
{
    return (int)ceil(fmin(fmax(at, 0), side) - 0.5);
}

static void show_axis(const view *v, const tile *t, void *scratch, gn_image *dst)
{
    const gn_image *base = t->source->base;
    const gn_axis_map x = {v->m[0] * t->x.scale / base->width, v->m[0] * t->x.shift + v->m[2]};
    const gn_axis_map y = {v->m[4] * t->y.scale / base->height, v->m[4] * t->y.shift + v->m[5]};
    const gn_pixel_rect rect = {
        edge_pixel(v->m[0] * t->x1 + v->m[2], dst->width),
        edge_pixel(v->m[4] * t->y1 + v->m[5], dst->height),
        edge_pixel(v->m[0] * t->x2 + v->m[2], dst->width),
        edge_pixel(v->m[4] * t->y2 + v->m[5], dst->height),
    };
    gn_scene_resample(base, x, y, rect, scratch, dst);
}

static void show_projected(const view *v, const tile *t, void *scratch, gn_image *dst)
{
    const gn_image *base = t->source->base;
    const double sx = base->width / t->x.scale, sy = base->height / t->y.scale;
    const double canvas_to_base[9] = {sx, 0, -t->x.shift * sx, 0, sy, -t->y.shift * sy, 0, 0, 1};
    double to_base[9], edge[GN_SCENE_EDGES][3];
    multiply(canvas_to_base, v->back, to_base);
    const double at[4] = {t->x1, t->x2, t->y1, t->y2};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 3; k++)
            edge[i][k] = v->back[3 * (i / 2) + k] - at[i] * v->back[6 + k];
    for (int k = 0; k < 3; k++)
        edge[4][k] = v->back[6 + k] - (k == 2 ? HORIZON : 0);
    gn_scene_project(base, to_base, edge, v->zoom / fmax(sx, sy), scratch, dst);
}

/* --- boxes ---------------------------------------------------------------------------------------------------------- */

/* Box around the corners of a canvas rectangle in the input, pixels; false when a part lies behind the horizon. */
static bool around(const view *v, const double in[4], double out[4])
{
    out[0] = out[1] = INFINITY;
    out[2] = out[3] = -INFINITY;
    for (int i = 0; i < 4; i++) {
        const double x = in[i % 2 == 0 ? 0 : 2], y = in[i / 2 == 0 ? 1 : 3];
        const double w = v->m[6] * x + v->m[7] * y + v->m[8];
        if (w < HORIZON)
            return false;
        const double u = (v->m[0] * x + v->m[1] * y + v->m[2]) / w, z = (v->m[3] * x + v->m[4] * y + v->m[5]) / w;
        out[0] = fmin(out[0], u);
        out[1] = fmin(out[1], z);
        out[2] = fmax(out[2], u);
        out[3] = fmax(out[3], z);
    }
    return true;
}

static double area_of(const double b[4])
{
    return fmax(b[2] - b[0], 0) * fmax(b[3] - b[1], 0);
}

/* The box as it is seen, 0..1 of the input, mirrored as the picture will be; and its area against what the canvas holds of it, zoomed. */
static bool see_box(const gn_sample_plan *plan, const gn_draws *flips, const view *v, const tile *t, const gn_box *box,
                    gn_box *seen_out, double *visible_out)
{
    const double in[4] = {
        fmin(fmax(t->x.scale * (double)box->x1 + t->x.shift, t->x1), t->x2),
        fmin(fmax(t->y.scale * (double)box->y1 + t->y.shift, t->y1), t->y2),
        fmin(fmax(t->x.scale * (double)box->x2 + t->x.shift, t->x1), t->x2),
        fmin(fmax(t->y.scale * (double)box->y2 + t->y.shift, t->y1), t->y2),
    };
    double out[4];
    if (!(area_of(in) > 0) || !around(v, in, out))
        return false;
    for (int i = 0; i < 4; i++)
        out[i] = fmin(fmax(out[i], 0), i % 2 == 0 ? plan->width : plan->height);
    *visible_out = area_of(out) / (area_of(in) * v->zoom * v->zoom);
    const double x1 = out[0] / plan->width, x2 = out[2] / plan->width;
    const double y1 = out[1] / plan->height, y2 = out[3] / plan->height;
    *seen_out = (gn_box){
        (float)(flips->flip ? 1 - x2 : x1),
        (float)(flips->flip_v ? 1 - y2 : y1),
        (float)(flips->flip ? 1 - x1 : x2),
        (float)(flips->flip_v ? 1 - y1 : y2),
    };
    return true;
}

static void see_boxes(const gn_sample_plan *plan, const gn_draws *flips, const view *v, const tile *t, double *largest,
                      const gn_sample_target *target)
{
    const gn_sample *s = t->source->sample;
    for (int i = 0; i < s->n_boxes; i++) {
        gn_box seen;
        double visible;
        if (gn_sample_is_target(s, i) && see_box(plan, flips, v, t, &s->box[i], &seen, &visible))
            gn_sample_add_target(plan, &seen, s->cls[i], visible, largest, target);
    }
}

/* --- the whole ------------------------------------------------------------------------------------------------------ */

static size_t input_bytes(const gn_sample_plan *plan)
{
    return ((size_t)plan->width * (size_t)plan->height * 3 + 63) / 64 * 64;
}

size_t gn_scene_scratch_bytes(const gn_sample_plan *plan)
{
    const int side = plan->width > plan->height ? plan->width : plan->height;
    const int base_side = gn_sample_base_side(plan);
    const size_t resample = gn_scene_resample_scratch_bytes(side, base_side);
    const size_t project = gn_scene_project_scratch_bytes(base_side);
    return GN_SCENE_LAYERS * input_bytes(plan) + (resample > project ? resample : project);
}

/* Number of source pictures that are shown. */
static int show_layer(const gn_sample_plan *plan, const gn_scene *scene, int layer, const gn_scene_source *source,
                      void *scratch, double *largest, gn_image *dst, const gn_sample_target *target)
{
    const gn_draws *d = &scene->draws[layer];
    const view v = view_of(plan, d);
    int shown = 0;
    memset(dst->data, GREY, dst->stride_bytes * (size_t)dst->height);
    for (int i = 0; i < scene->n_tiles[layer]; i++) {
        if (source[i].base == NULL)
            continue;
        const tile t = d->mosaic ? mosaic_tile(plan, d, &source[i], i) : single_tile(plan, d, &source[i]);
        if (v.is_axis)
            show_axis(&v, &t, scratch, dst);
        else
            show_projected(&v, &t, scratch, dst);
        see_boxes(plan, &scene->draws[0], &v, &t, largest, target);
        shown++;
    }
    return shown;
}

/* a = share * a + (1 - share) * b. */
static void mix(gn_image *a, const gn_image *b, double share)
{
    const unsigned own = (unsigned)floor(share * 256 + 0.5), other = 256 - own;
    const size_t n = a->stride_bytes * (size_t)a->height;
    for (size_t i = 0; i < n; i++)
        a->data[i] = (uint8_t)((a->data[i] * own + b->data[i] * other + 128) >> 8);
}

/* Where the input came from, when it is one upright picture, zoomed and shifted; else all zero. */
static gn_geometry scene_geometry(const gn_sample_plan *plan, const gn_scene *scene, const gn_scene_source *source)
{
    const gn_draws *d = &scene->draws[0];
    const view v = view_of(plan, d);
    if (scene->n_sources > 1 || !v.is_axis || d->flip_v)
        return (gn_geometry){0};
    const tile t = single_tile(plan, d, source);
    const gn_axis_map x = {v.m[0] * t.x.scale, v.m[0] * t.x.shift + v.m[2]};
    const gn_axis_map y = {v.m[4] * t.y.scale, v.m[4] * t.y.shift + v.m[5]};
    return gn_sample_geometry(source->sample, x, y, d->flip);
}

void gn_scene_write(const gn_sample_plan *plan, const gn_scene *scene, const gn_scene_source *source, void *scratch,
                    const gn_sample_target *t)
{
    uint8_t *room = scratch;
    gn_image image = gn_image_view(plan->width, plan->height, 3, room);
    gn_image mixed_in = gn_image_view(plan->width, plan->height, 3, room + input_bytes(plan));
    void *rest = room + 2 * input_bytes(plan);
    gn_sample_clear_target(t);
    *t->label = source[0].sample->label;
    *t->geometry = scene_geometry(plan, scene, source);
    double largest = 0;
    int shown = show_layer(plan, scene, 0, source, rest, &largest, &image, t);
    if (scene->n_layers > 1) {
        shown += show_layer(plan, scene, 1, source + scene->n_tiles[0], rest, &largest, &mixed_in, t);
        mix(&image, &mixed_in, scene->draws[0].mixup_share);
    }
    *t->weight = shown > 0 ? 1 : 0;
    if (shown > 0)
        gn_sample_finish(plan, &scene->draws[0], &image);
    gn_sample_convert(plan, &image, scene->draws[0].flip, scene->draws[0].flip_v, t->image);
    gn_truth_close(t->truth);
}
