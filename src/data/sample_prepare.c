/* From a picture file to one entry of a batch: load at the needed size, draw the augmentation, move pixels and boxes alike.
 * The draws of a sample come in a fixed number and order, so that switching one augmentation off leaves the others as they were.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/sample_prepare.h"

#include <math.h>
#include <string.h>

#include "image/resize.h"

#define GREY GN_LETTERBOX_FILL
/* A JPEG is decoded at no less than this many times the size wanted, so that the resize does the filtering, not the decoder. */
#define DECODE_MARGIN 2
void gn_sample_plan_init(gn_sample_plan *plan, const gn_loader_options *o)
{
    memset(plan, 0, sizeof *plan);
    gn_sample_plan_resize(plan, o->imgsz_w, o->imgsz_h, o->imgsz_w, o->imgsz_h);
    plan->fit = o->fit;
    plan->augment = o->augment;
    plan->seed = o->seed;
    const gn_augment *a = &o->augment;
    plan->is_scene = a->mosaic > 0 || a->mixup > 0 || a->degrees > 0 || a->shear > 0 || a->perspective > 0 ||
                     a->flipud > 0 || o->multi_scale > 0;
    plan->moves = plan->is_scene || o->augment.scale > 0 || o->augment.translate > 0 || o->augment.crop > 0 ||
                  o->augment.pad_crop > 0 || o->augment.resized_crop > 0;
    plan->oversize = GN_BASE_OVERSIZE;
    if (o->augment.resized_crop > 0)
        plan->oversize = fmin(fmax(GN_BASE_OVERSIZE, 1 / sqrt(o->augment.resized_crop)), GN_BASE_OVERSIZE_MAX);
    else if (plan->is_scene)
        plan->oversize = fmin(1 + o->multi_scale, GN_BASE_OVERSIZE);
    /* The table is what the single-picture path makes of a grey ramp, so that both give the same bits. */
    uint8_t ramp[256 * 3];
    for (int i = 0; i < 256; i++)
        memset(&ramp[3 * i], i, 3);
    const gn_image image = gn_image_view(256, 1, 3, ramp);
    const gn_status status = gn_normalise_f32(&image, o->mean, o->std, GN_PIXELS_CHW, &plan->table[0][0]);
    GN_ASSERT(status == GN_OK);
    (void)status;
}

void gn_sample_plan_resize(gn_sample_plan *plan, int width, int height, int fit_width, int fit_height)
{
    plan->width = width;
    plan->height = height;
    plan->fit_width = fit_width;
    plan->fit_height = fit_height;
}

/* The letterbox of a picture; wider than what it is fitted into, the input has more grey to each side. */
static gn_letterbox letterbox_of(const gn_sample_plan *plan, const gn_sample *s)
{
    gn_letterbox lb = gn_letterbox_make(s->width, s->height, plan->fit_width, plan->fit_height);
    if (plan->fit_width == plan->width && plan->fit_height == plan->height)
        return lb;
    lb.dst_w = plan->width;
    lb.dst_h = plan->height;
    lb.pad_x = (int)rint((lb.dst_w - lb.new_w) / 2.0 - 0.1);
    lb.pad_y = (int)rint((lb.dst_h - lb.new_h) / 2.0 - 0.1);
    return lb;
}

void gn_sample_fit(const gn_sample_plan *plan, const gn_sample *s, gn_axis_map *x, gn_axis_map *y)
{
    if (plan->fit == GN_FIT_STRETCH) {
        *x = (gn_axis_map){plan->width, 0};
        *y = (gn_axis_map){plan->height, 0};
        return;
    }
    const gn_letterbox lb = letterbox_of(plan, s);
    *x = (gn_axis_map){s->width * lb.scale, lb.pad_x};
    *y = (gn_axis_map){s->height * lb.scale, lb.pad_y};
}

/* Size at which a picture is kept for zooms and shifts. */
static void base_size(const gn_sample_plan *plan, const gn_sample *s, int *width, int *height)
{
    gn_axis_map x, y;
    gn_sample_fit(plan, s, &x, &y);
    const double own = fmin(s->width / x.scale, s->height / y.scale);
    const double k = fmin(plan->is_scene ? own : fmax(own, 1), plan->oversize);
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
    if (full.width == width && full.height == height && plan->moves) {
        *base_out = full;
        return GN_OK;
    }
    if (plan->fit == GN_FIT_STRETCH || plan->moves) {
        status = gn_resize_u8(&full, width, height, base_out);
    } else {
        const gn_letterbox lb = letterbox_of(plan, s);
        status = gn_letterbox_u8(&full, &lb, base_out);
    }
    gn_image_deinit(&full);
    return status == GN_OK ? GN_OK : gn_fail_at(err, status, s->path, 0, "resizing to %d x %d pixels", width, height);
}

static size_t input_bytes(const gn_sample_plan *plan)
{
    return ((size_t)plan->width * (size_t)plan->height * 3 + 63) / 64 * 64;
}

int gn_sample_base_side(const gn_sample_plan *plan)
{
    const int side = plan->width > plan->height ? plan->width : plan->height;
    return (int)(side * plan->oversize) + 2;
}

size_t gn_sample_scratch_bytes(const gn_sample_plan *plan)
{
    const int side = plan->width > plan->height ? plan->width : plan->height;
    return input_bytes(plan) + gn_sample_warp_scratch_bytes(side, gn_sample_base_side(plan));
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

static placement place(const gn_sample_plan *plan, const gn_sample *s, const gn_draws *d, double zoom, double shift_x,
                       double shift_y)
{
    placement p = {.flip = d->flip};
    gn_axis_map x, y;
    gn_sample_fit(plan, s, &x, &y);
    double centre_x = -1, centre_y = -1;
    const gn_box *box = largest_box(s);
    if (box != NULL) {
        centre_x = (x.scale * (box->x1 + box->x2) / 2 + x.shift) / plan->width;
        centre_y = (y.scale * (box->y1 + box->y2) / 2 + y.shift) / plan->height;
    }
    const double side_x = d->crop_side * d->window_w, side_y = d->crop_side * d->window_h;
    const double start_x = crop_start(side_x, d->crop_x, centre_x);
    const double start_y = crop_start(side_y, d->crop_y, centre_y);
    p.x = move_axis(x, plan->width, side_x, start_x, zoom, shift_x);
    p.y = move_axis(y, plan->height, side_y, start_y, zoom, shift_y);
    p.x.shift += d->pad_x;
    p.y.shift += d->pad_y;
    return p;
}

void gn_sample_window(const gn_sample_plan *plan, const gn_sample *s, const gn_draws *d, gn_axis_map *x_out,
                      gn_axis_map *y_out)
{
    const placement p = place(plan, s, d, 1, 0, 0);
    *x_out = p.x;
    *y_out = p.y;
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

void gn_sample_clear_target(const gn_sample_target *t)
{
    memset(t->box, 0, 4 * sizeof *t->box);
    *t->has_box = 0;
    *t->weight = 0;
    t->truth->n = 0;
}

void gn_sample_add_target(const gn_sample_plan *plan, const gn_box *box, int cls, double visible, double *largest,
                          const gn_sample_target *t)
{
    const double area = gn_box_area(box);
    if (is_candidate(plan, box, visible))
        gn_truth_add(t->truth, box, cls);
    if (visible < GN_AUGMENT_KEEP_FRAC || area <= *largest)
        return;
    *largest = area;
    memcpy(t->box, box, sizeof *box);
    *t->has_box = 1;
}

static void write_targets(const gn_sample_plan *plan, const gn_sample *s, const placement *p, const gn_sample_target *t)
{
    double largest = 0;
    for (int i = 0; i < s->n_boxes; i++) {
        double visible;
        const gn_box box = map_box(plan, p, &s->box[i], &visible);
        if (gn_sample_is_target(s, i))
            gn_sample_add_target(plan, &box, s->cls[i], visible, &largest, t);
    }
}

gn_geometry gn_sample_geometry(const gn_sample *s, gn_axis_map x, gn_axis_map y, bool is_flipped)
{
    return (gn_geometry){
        .scale_x = s->width / x.scale,
        .scale_y = s->height / y.scale,
        .offset_x = -x.shift * s->width / x.scale,
        .offset_y = -y.shift * s->height / y.scale,
        .width = s->width,
        .height = s->height,
        .flipped = is_flipped,
    };
}

static void colour(const gn_augment *a, const gn_draws *d, gn_image *image)
{
    if (a->hsv_h > 0 || a->hsv_s > 0 || a->hsv_v > 0)
        gn_image_hsv(image, d->hue, d->sat, d->val);
    if (a->brightness > 0 || a->contrast > 0)
        gn_image_jitter(image, d->brightness, d->contrast, 1, 0);
}

static void erase(const gn_draws *d, gn_image *image)
{
    const double w = fmin(sqrt(d->erase_area * d->erase_aspect), 1), h = fmin(sqrt(d->erase_area / d->erase_aspect), 1);
    const int x1 = (int)(d->erase_x * (1 - w) * image->width), y1 = (int)(d->erase_y * (1 - h) * image->height);
    const int width = (int)(w * image->width), height = (int)(h * image->height);
    for (int y = y1; y < y1 + height; y++)
        memset(image->data + (size_t)y * image->stride_bytes + (size_t)x1 * 3, GREY, (size_t)width * 3);
}

void gn_sample_finish(const gn_sample_plan *plan, const gn_draws *d, gn_image *image)
{
    colour(&plan->augment, d, image);
    if (d->erase)
        erase(d, image);
}

void gn_sample_convert(const gn_sample_plan *plan, const gn_image *image, bool flip, bool flip_v, float *dst)
{
    const size_t width = (size_t)plan->width, plane = width * (size_t)plan->height;
    const int step = flip ? -3 : 3;
    for (int y = 0; y < plan->height; y++) {
        const int row = flip_v ? plan->height - 1 - y : y;
        const uint8_t *src = image->data + (size_t)row * image->stride_bytes + (flip ? (width - 1) * 3 : 0);
        float *r = dst + (size_t)y * width, *g = r + plane, *b = g + plane;
        for (size_t x = 0; x < width; x++, src += x < width ? step : 0) {
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
}

void gn_sample_write(const gn_sample_plan *plan, const gn_sample *s, const gn_image *base, int64_t epoch, int64_t index,
                     void *scratch, const gn_sample_target *t)
{
    const gn_draws d = gn_sample_draw(&plan->augment, plan->seed, epoch, index, GN_DRAW_SAMPLE);
    const placement p = place(plan, s, &d, d.zoom, d.shift_x, d.shift_y);
    *t->label = s->label;
    *t->geometry = gn_sample_geometry(s, p.x, p.y, p.flip);
    gn_sample_clear_target(t);
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
        gn_sample_finish(plan, &d, &shown);
    }
    gn_sample_convert(plan, &shown, p.flip, false, t->image);
    write_targets(plan, s, &p, t);
    gn_truth_close(t->truth);
    *t->weight = 1;
}
