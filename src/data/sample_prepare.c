/* From a picture file to one entry of a batch: load at the needed size, draw the augmentation, move pixels and boxes alike.
 * The draws of a sample come in a fixed number and order, so that switching one augmentation off leaves the others as they were.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/sample_prepare.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "image/resize.h"

#define GREY GN_LETTERBOX_FILL
/* A JPEG is decoded at no less than this many times the size wanted, so that the resize does the filtering, not the decoder. */
#define DECODE_MARGIN 2
#define CROP_MIN_SIDE 0.6 /* of the input's side */
#define RNG_AUGMENT   0x61756721u

/* What was drawn for one sample. */
typedef struct draws {
    bool flip;
    double zoom, shift_x, shift_y;
    float hue, sat, val, brightness, contrast;
    double crop_side, crop_x, crop_y; /* side 1: no crop; x, y: 0..1 among the places allowed */
    bool erase;
    double erase_area, erase_aspect, erase_x, erase_y;
    int pad_x, pad_y;          /* shift of the picture, pixels of the input */
    double window_w, window_h; /* of the resized crop, as fractions of the input; 1: all */
} draws;

static double symmetric(gn_rng *rng)
{
    return 2 * gn_rng_uniform(rng) - 1;
}

static draws draw(const gn_sample_plan *plan, int64_t epoch, int64_t index)
{
    const gn_augment *a = &plan->augment;
    gn_rng rng;
    gn_rng_init(&rng, plan->seed, gn_rng_mix(gn_rng_mix((uint64_t)epoch, (uint64_t)index), RNG_AUGMENT));
    draws d;
    d.flip = gn_rng_uniform(&rng) < a->fliplr;
    d.zoom = fmax(1 + a->scale * symmetric(&rng), GN_ZOOM_MIN);
    d.shift_x = a->translate * symmetric(&rng);
    d.shift_y = a->translate * symmetric(&rng);
    d.hue = (float)(a->hsv_h * symmetric(&rng));
    d.sat = (float)(1 + a->hsv_s * symmetric(&rng));
    d.val = (float)(1 + a->hsv_v * symmetric(&rng));
    d.brightness = (float)(1 + a->brightness * symmetric(&rng));
    d.contrast = (float)(1 + a->contrast * symmetric(&rng));
    const bool crop = gn_rng_uniform(&rng) < a->crop;
    const double side = CROP_MIN_SIDE + (1 - CROP_MIN_SIDE) * gn_rng_uniform(&rng);
    d.crop_side = crop ? side : 1;
    d.crop_x = gn_rng_uniform(&rng);
    d.crop_y = gn_rng_uniform(&rng);
    d.erase = gn_rng_uniform(&rng) < a->erase;
    d.erase_area = 0.02 + 0.18 * gn_rng_uniform(&rng);
    d.erase_aspect = exp(symmetric(&rng) * log(3.0));
    d.erase_x = gn_rng_uniform(&rng);
    d.erase_y = gn_rng_uniform(&rng);
    d.pad_x = (int)(gn_rng_uniform(&rng) * (2 * a->pad_crop + 1)) - a->pad_crop;
    d.pad_y = (int)(gn_rng_uniform(&rng) * (2 * a->pad_crop + 1)) - a->pad_crop;
    const double area = a->resized_crop + (1 - a->resized_crop) * gn_rng_uniform(&rng);
    const double aspect = exp(symmetric(&rng) * log(4.0 / 3.0));
    d.window_w = a->resized_crop > 0 ? fmin(sqrt(area * aspect), 1) : 1;
    d.window_h = a->resized_crop > 0 ? fmin(sqrt(area / aspect), 1) : 1;
    return d;
}

void gn_sample_plan_init(gn_sample_plan *plan, const gn_loader_options *o)
{
    memset(plan, 0, sizeof *plan);
    plan->width = o->imgsz_w;
    plan->height = o->imgsz_h;
    plan->fit = o->fit;
    plan->augment = o->augment;
    plan->seed = o->seed;
    plan->moves = o->augment.scale > 0 || o->augment.translate > 0 || o->augment.crop > 0 || o->augment.pad_crop > 0 ||
                  o->augment.resized_crop > 0;
    plan->oversize = GN_BASE_OVERSIZE;
    if (o->augment.resized_crop > 0)
        plan->oversize = fmin(fmax(GN_BASE_OVERSIZE, 1 / sqrt(o->augment.resized_crop)), GN_BASE_OVERSIZE_MAX);
    /* The table is what the single-picture path makes of a grey ramp, so that both give the same bits. */
    uint8_t ramp[256 * 3];
    for (int i = 0; i < 256; i++)
        memset(&ramp[3 * i], i, 3);
    const gn_image image = gn_image_view(256, 1, 3, ramp);
    const gn_status status = gn_normalise_f32(&image, o->mean, o->std, GN_PIXELS_CHW, &plan->table[0][0]);
    GN_ASSERT(status == GN_OK);
    (void)status;
}

/* How the picture lies in the input before augmentation, as fractions p of the picture: u = scale * p + shift, in input pixels. */
static void fit_axes(const gn_sample_plan *plan, const gn_sample *s, gn_axis_map *x, gn_axis_map *y)
{
    if (plan->fit == GN_FIT_STRETCH) {
        *x = (gn_axis_map){plan->width, 0};
        *y = (gn_axis_map){plan->height, 0};
        return;
    }
    const gn_letterbox lb = gn_letterbox_make(s->width, s->height, plan->width, plan->height);
    *x = (gn_axis_map){s->width * lb.scale, lb.pad_x};
    *y = (gn_axis_map){s->height * lb.scale, lb.pad_y};
}

/* Size at which a picture is kept for zooms and shifts. */
static void base_size(const gn_sample_plan *plan, const gn_sample *s, int *width, int *height)
{
    gn_axis_map x, y;
    fit_axes(plan, s, &x, &y);
    const double own = fmin(s->width / x.scale, s->height / y.scale);
    const double k = fmin(fmax(own, 1), plan->oversize);
    *width = (int)fmax(1, floor(k * x.scale + 0.5));
    *height = (int)fmax(1, floor(k * y.scale + 0.5));
}

gn_status gn_sample_load(const gn_sample_plan *plan, const gn_sample *s, gn_image *base_out, gn_error *err)
{
    int width = plan->width, height = plan->height;
    if (plan->moves)
        base_size(plan, s, &width, &height);
    const gn_decode_options opt = {.need_width = DECODE_MARGIN * width, .need_height = DECODE_MARGIN * height};
    gn_image full = {0};
    GN_TRY(gn_sample_decode(s, &opt, &full, err));
    gn_status status;
    if (plan->fit == GN_FIT_STRETCH || plan->moves) {
        status = gn_resize_u8(&full, width, height, base_out);
    } else {
        const gn_letterbox lb = gn_letterbox_make(s->width, s->height, width, height);
        status = gn_letterbox_u8(&full, &lb, base_out);
    }
    gn_image_deinit(&full);
    return status == GN_OK ? GN_OK : gn_fail_at(err, status, s->path, 0, "resizing to %d x %d pixels", width, height);
}

static size_t input_bytes(const gn_sample_plan *plan)
{
    return ((size_t)plan->width * (size_t)plan->height * 3 + 63) / 64 * 64;
}

size_t gn_sample_scratch_bytes(const gn_sample_plan *plan)
{
    const int side = plan->width > plan->height ? plan->width : plan->height;
    const int base_side = (int)(side * plan->oversize) + 2;
    return input_bytes(plan) + gn_sample_warp_scratch_bytes(side, base_side);
}

/* Composes a crop (window of the input, blown up to the whole) and a zoom about the middle with a shift onto one axis. */
static gn_axis_map move_axis(gn_axis_map fit, double side, double crop_side, double crop_at, double zoom,
                             double shift_frac)
{
    const double blow = 1 / crop_side;
    gn_axis_map m = {fit.scale * blow, (fit.shift - crop_at * side) * blow};
    m.scale *= zoom;
    m.shift = (m.shift - side / 2) * zoom + side / 2 + shift_frac * side;
    return m;
}

/* Left end of a crop window in 0..1 of the input, among those that keep `centre` (negative: none) inside. */
static double crop_start(double crop_side, double at, double centre)
{
    double low = 0, high = 1 - crop_side;
    if (centre >= 0) {
        low = fmax(low, centre - crop_side);
        high = fmin(high, centre);
    }
    return low + at * fmax(high - low, 0);
}

/* Fraction of the picture in both directions to input pixels. */
typedef struct placement {
    gn_axis_map x, y;
    bool flip;
} placement;

static const gn_box *largest_box(const gn_sample *s)
{
    const gn_box *best = NULL;
    for (int i = 0; i < s->n_boxes; i++)
        if (gn_sample_is_target(s, i) && (best == NULL || gn_box_area(&s->box[i]) > gn_box_area(best)))
            best = &s->box[i];
    return best;
}

static placement place(const gn_sample_plan *plan, const gn_sample *s, const draws *d)
{
    placement p = {.flip = d->flip};
    gn_axis_map x, y;
    fit_axes(plan, s, &x, &y);
    double centre_x = -1, centre_y = -1;
    const gn_box *box = largest_box(s);
    if (box != NULL) {
        centre_x = (x.scale * (box->x1 + box->x2) / 2 + x.shift) / plan->width;
        centre_y = (y.scale * (box->y1 + box->y2) / 2 + y.shift) / plan->height;
    }
    const double side_x = d->crop_side * d->window_w, side_y = d->crop_side * d->window_h;
    const double start_x = crop_start(side_x, d->crop_x, centre_x);
    const double start_y = crop_start(side_y, d->crop_y, centre_y);
    p.x = move_axis(x, plan->width, side_x, start_x, d->zoom, d->shift_x);
    p.y = move_axis(y, plan->height, side_y, start_y, d->zoom, d->shift_y);
    p.x.shift += d->pad_x;
    p.y.shift += d->pad_y;
    return p;
}

/* A box of the picture in 0..1 of the input, and the fraction of its area that is still visible. */
static gn_box map_box(const gn_sample_plan *plan, const placement *p, const gn_box *box, double *visible)
{
    const double x1 = (p->x.scale * (double)box->x1 + p->x.shift) / plan->width;
    const double x2 = (p->x.scale * (double)box->x2 + p->x.shift) / plan->width;
    const gn_box whole = {
        (float)(p->flip ? 1 - x2 : x1),
        (float)((p->y.scale * (double)box->y1 + p->y.shift) / plan->height),
        (float)(p->flip ? 1 - x1 : x2),
        (float)((p->y.scale * (double)box->y2 + p->y.shift) / plan->height),
    };
    const gn_box cut = gn_box_clip(&whole, 1, 1);
    *visible = gn_box_area(&cut) / fmax(gn_box_area(&whole), 1e-30);
    return cut;
}

/* Whether a box is still worth learning after the picture was moved. */
static bool is_candidate(const gn_sample_plan *plan, const gn_box *box, double visible)
{
    const double w = ((double)box->x2 - (double)box->x1) * plan->width;
    const double h = ((double)box->y2 - (double)box->y1) * plan->height;
    if (!plan->moves)
        return w > 0 && h > 0;
    return visible > GN_TRUTH_KEEP_FRAC && w > GN_TRUTH_MIN_SIDE && h > GN_TRUTH_MIN_SIDE &&
           fmax(w / h, h / w) < GN_TRUTH_MAX_ASPECT;
}

static void write_target(const gn_sample_plan *plan, const gn_sample *s, const placement *p, const gn_sample_target *t)
{
    double best = 0;
    memset(t->box, 0, 4 * sizeof *t->box);
    *t->has_box = 0;
    for (int i = 0; i < s->n_boxes; i++) {
        if (!gn_sample_is_target(s, i))
            continue;
        double visible;
        const gn_box box = map_box(plan, p, &s->box[i], &visible);
        const double area = gn_box_area(&box);
        if (is_candidate(plan, &box, visible))
            gn_truth_add(t->truth, &box, s->cls[i]);
        if (visible < GN_AUGMENT_KEEP_FRAC || area <= best)
            continue;
        best = area;
        memcpy(t->box, &box, sizeof box);
        *t->has_box = 1;
    }
}

static gn_geometry geometry_of(const gn_sample *s, const placement *p)
{
    const gn_geometry g = {
        .scale_x = s->width / p->x.scale,
        .scale_y = s->height / p->y.scale,
        .offset_x = -p->x.shift * s->width / p->x.scale,
        .offset_y = -p->y.shift * s->height / p->y.scale,
        .width = s->width,
        .height = s->height,
        .flipped = p->flip,
    };
    return g;
}

static void colour(const gn_augment *a, const draws *d, gn_image *image)
{
    if (a->hsv_h > 0 || a->hsv_s > 0 || a->hsv_v > 0)
        gn_image_hsv(image, d->hue, d->sat, d->val);
    if (a->brightness > 0 || a->contrast > 0)
        gn_image_jitter(image, d->brightness, d->contrast, 1, 0);
}

static void erase(const draws *d, gn_image *image)
{
    const double w = fmin(sqrt(d->erase_area * d->erase_aspect), 1), h = fmin(sqrt(d->erase_area / d->erase_aspect), 1);
    const int x1 = (int)(d->erase_x * (1 - w) * image->width), y1 = (int)(d->erase_y * (1 - h) * image->height);
    const int width = (int)(w * image->width), height = (int)(h * image->height);
    for (int y = y1; y < y1 + height; y++)
        memset(image->data + (size_t)y * image->stride_bytes + (size_t)x1 * 3, GREY, (size_t)width * 3);
}

/* Packed RGB to normalised planes, mirrored when asked. */
static void convert(const gn_sample_plan *plan, const gn_image *image, bool flip, float *dst)
{
    const size_t plane = (size_t)plan->width * (size_t)plan->height;
    const int step = flip ? -3 : 3;
    for (int y = 0; y < plan->height; y++) {
        const uint8_t *src = image->data + (size_t)y * image->stride_bytes + (flip ? (size_t)(plan->width - 1) * 3 : 0);
        float *r = dst + (size_t)y * (size_t)plan->width, *g = r + plane, *b = g + plane;
        for (int x = 0; x < plan->width; x++, src += x < plan->width ? step : 0) {
            r[x] = plan->table[0][src[0]];
            g[x] = plan->table[1][src[1]];
            b[x] = plan->table[2][src[2]];
        }
    }
}

static void write_grey(const gn_sample_plan *plan, const gn_sample_target *t)
{
    const size_t plane = (size_t)plan->width * (size_t)plan->height;
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < plane; i++)
            t->image[c * plane + i] = plan->table[c][GREY];
    memset(t->box, 0, 4 * sizeof *t->box);
    *t->has_box = 0;
    *t->weight = 0;
}

void gn_sample_write(const gn_sample_plan *plan, const gn_sample *s, const gn_image *base, int64_t epoch, int64_t index,
                     void *scratch, const gn_sample_target *t)
{
    const draws d = draw(plan, epoch, index);
    const placement p = place(plan, s, &d);
    *t->label = s->label;
    *t->geometry = geometry_of(s, &p);
    t->truth->n = 0;
    if (base == NULL) {
        write_grey(plan, t);
        gn_truth_close(t->truth);
        return;
    }
    const gn_augment *a = &plan->augment;
    const bool changes =
        d.erase || a->hsv_h > 0 || a->hsv_s > 0 || a->hsv_v > 0 || a->brightness > 0 || a->contrast > 0;
    gn_image shown = *base;
    if (plan->moves || changes) {
        shown = gn_image_view(plan->width, plan->height, 3, scratch);
        /* The base covers the whole picture: a fraction p of the picture is base pixel p * base->width. */
        const gn_axis_map x = {p.x.scale / base->width, p.x.shift}, y = {p.y.scale / base->height, p.y.shift};
        if (plan->moves)
            gn_sample_warp(base, x, y, plan->width, plan->height, (uint8_t *)scratch + input_bytes(plan), shown.data);
        else
            memcpy(shown.data, base->data, shown.stride_bytes * (size_t)shown.height);
        colour(a, &d, &shown);
        if (d.erase)
            erase(&d, &shown);
    }
    convert(plan, &shown, p.flip, t->image);
    write_target(plan, s, &p, t);
    gn_truth_close(t->truth);
    *t->weight = 1;
}
