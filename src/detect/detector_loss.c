/* What the losses of all kinds of detectors share: the rule's numbers, the state, the order of sums, the binary cross entropy.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/detector_loss.h"

#include <math.h>
#include <string.h>

#include "detect/detector_loss_private.h"

#define MIN_WEIGHT 1e-12

static const gn_detection_kind *kind_of(const gn_detection *d)
{
    static const gn_detection_kind *const kinds[GN_DETECTOR_KINDS] = {
        [GN_DETECTOR_YOLOV1] = &gn_detection_yolov1, [GN_DETECTOR_YOLOV2] = &gn_detection_yolov2,
        [GN_DETECTOR_YOLOV3] = &gn_detection_yolov3, [GN_DETECTOR_YOLOV5] = &gn_detection_yolov5,
        [GN_DETECTOR_YOLOV8] = &gn_detection_yolov8, [GN_DETECTOR_RETINANET] = &gn_detection_retinanet,
    };
    return kinds[d->detector.kind];
}

/* ---- the rule ---- */

gn_detection_rule gn_detection_rule_default(gn_detector_kind kind)
{
    gn_detection_rule r = {
        .box = 1, .obj = 1, .cls = 1, .noobj = 1, .ratio = 4, .top_k = 10, .iou = GN_IOU_C, .grad_scale = 1};
    r.score_power = 0.5;
    r.overlap = GN_IOU_C;
    r.overlap_power = 6;
    r.beta = 1.0 / 9;
    r.match_low = 0.4;
    r.match_high = 0.5;
    r.ignore = 0.5;
    r.shape = 1;
    switch (kind) {
    case GN_DETECTOR_YOLOV1:
        r.box = 5;
        r.noobj = 0.5;
        break;
    case GN_DETECTOR_YOLOV2:
        r.obj = 5;
        r.noobj = 0.2; /* times obj: 1 */
        r.ignore = 0.6;
        break;
    case GN_DETECTOR_YOLOV5:
        r.box = 0.05;
        r.cls = 0.5;
        break;
    case GN_DETECTOR_YOLOV8:
        r.box = 7.5;
        r.cls = 0.5;
        r.dfl = 1.5;
        r.small_side = 2;
        break;
    case GN_DETECTOR_RETINANET:
        r.focal_gamma = 2;
        r.focal_alpha = 0.25;
        r.box = 2;
        r.box_is_iou = true;
        r.iou = GN_IOU_G;
        break;
    case GN_DETECTOR_YOLOV3:
        r.box = 2;
        r.box_is_iou = true;
        r.shape = 0.3;
        break;
    case GN_DETECTOR_KINDS:
        break;
    }
    return r;
}

gn_status gn_detection_rule_check(const gn_detection_rule *r, gn_error *err)
{
    const struct {
        const char *name;
        double value, least, most;
    } ranges[] = {
        {"box", r->box, 0, 1e6},
        {"obj", r->obj, 0, 1e6},
        {"noobj", r->noobj, 0, 1e6},
        {"size_power", r->size_power, -4, 4},
        {"cls", r->cls, 0, 1e6},
        {"dfl", r->dfl, 0, 1e6},
        {"focal_gamma", r->focal_gamma, 0, 100},
        {"focal_alpha", r->focal_alpha, -1, 1},
        {"grad_scale", r->grad_scale, -1e12, 1e12},
        {"label_smoothing", r->label_smoothing, 0, 1},
        {"beta", r->beta, 0, 1e6},
        {"ignore", r->ignore, 0, 1},
        {"match_low", r->match_low, 0, 1},
        {"match_high", r->match_high, 0, 1},
        {"ratio", r->ratio, 1, 1e6},
        {"shape", r->shape, 0, 1},
        {"top_k", r->top_k, 1, GN_DETECTION_MAX_TOP_K},
        {"score_power", r->score_power, 0, 100},
        {"overlap_power", r->overlap_power, 0, 100},
        {"small_side", r->small_side, 0, 64},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (!(ranges[i].value >= ranges[i].least && ranges[i].value <= ranges[i].most))
            return gn_fail(err, GN_EINVAL, "a detector's loss has %s %g, expected %g to %g", ranges[i].name,
                           ranges[i].value, ranges[i].least, ranges[i].most);
    if (r->match_low > r->match_high)
        return gn_fail(err, GN_EINVAL, "a detector's loss has match_low %g above match_high %g", r->match_low,
                       r->match_high);
    return GN_OK;
}

/* ---- candidates ---- */

int64_t gn_detection_candidates(const gn_detection *d)
{
    int64_t count = 0;
    for (int m = 0; m < d->detector.n_maps; m++)
        count += gn_detector_candidates(&d->detector, d->map[m].height, d->map[m].width);
    return count;
}

gn_candidate gn_detection_candidate(const gn_detection *d, int64_t n, int64_t index)
{
    gn_candidate c = {0};
    for (;; c.map++) {
        const int64_t count = gn_detector_candidates(&d->detector, d->map[c.map].height, d->map[c.map].width);
        if (index < count)
            break;
        index -= count;
    }
    const gn_detection_map *map = &d->map[c.map];
    const int64_t cell = index / d->detector.anchors;
    c.anchor = (int)(index % d->detector.anchors);
    c.y = cell / map->width;
    c.x = cell % map->width;
    c.at = n * map->picture_step + cell * map->cell_step;
    return c;
}

double gn_detection_width(const gn_detection *d)
{
    return (double)(d->width > 0 ? d->width : d->map[0].width * d->detector.stride[0]);
}

double gn_detection_height(const gn_detection *d)
{
    return (double)(d->height > 0 ? d->height : d->map[0].height * d->detector.stride[0]);
}

void gn_cells_between(double lo, double hi, int64_t count, int64_t *first, int64_t *last)
{
    const double n = (double)count;
    *first = (int64_t)fmin(fmax(floor(lo - 0.5) + 1, 0), n);
    *last = (int64_t)fmin(fmax(ceil(hi - 0.5), 0), n);
}

void gn_detection_clear_grads(const gn_detection *d, int64_t n)
{
    const int64_t channels = gn_detector_channels(&d->detector);
    const size_t real = d->is_f64 ? sizeof(double) : sizeof(float);
    for (int m = 0; m < d->detector.n_maps; m++) {
        const gn_detection_map *map = &d->map[m];
        if (map->grad)
            memset((unsigned char *)map->grad + (size_t)(n * map->picture_step) * real, 0,
                   (size_t)(channels * map->height * map->width) * real);
    }
}

/* ---- the state: the sums of the batch, those of every picture, then truths, slots and hits, picture by picture ---- */

static size_t rounded(size_t bytes)
{
    return (bytes + 15) / 16 * 16;
}

typedef struct layout {
    size_t sums, truths, slots, hits, bytes;
    size_t truth_step, slot_step, hit_step; /* per picture */
} layout;

static layout layout_of(const gn_detection *d)
{
    const gn_detection_kind *kind = kind_of(d);
    const size_t n = (size_t)d->n;
    layout l;
    l.truth_step = rounded((size_t)d->capacity * sizeof(gn_truth));
    l.slot_step = kind->has_slots ? rounded((size_t)gn_detection_candidates(d) * sizeof(int32_t)) : 0;
    l.hit_step = kind->most_hits ? rounded((size_t)kind->most_hits(d) * sizeof(gn_hit)) : 0;
    l.sums = rounded(sizeof(gn_batch_sums));
    l.truths = l.sums + rounded(n * sizeof(gn_picture_sums));
    l.slots = l.truths + n * l.truth_step;
    l.hits = l.slots + n * l.slot_step;
    l.bytes = l.hits + n * l.hit_step;
    return l;
}

gn_status gn_detection_bytes(const gn_detection *d, size_t *state_out, size_t *work_out, gn_error *err)
{
    /* Every product of layout_of and of the kinds stays far below 2^63 within these. */
    if (d->n < 0 || d->n > 65536 || d->capacity < 0 || d->capacity > 65536 || gn_detection_candidates(d) > 1 << 24)
        return gn_fail(err, GN_ELIMIT,
                       "a detector's loss takes at most 65536 pictures of 65536 truths and 2^24 candidates each");
    const gn_detection_kind *kind = kind_of(d);
    *state_out = layout_of(d).bytes;
    *work_out = kind->work_bytes ? rounded(kind->work_bytes(d)) : 0;
    return GN_OK;
}

static gn_picture picture_of(const gn_detection *d, int64_t n, void *state)
{
    const layout l = layout_of(d);
    unsigned char *base = state;
    const size_t i = (size_t)n;
    gn_picture p = {.sums = (gn_picture_sums *)(void *)(base + l.sums) + i};
    p.truth = (gn_truth *)(void *)(base + l.truths + i * l.truth_step);
    if (l.slot_step > 0)
        p.slot = (int32_t *)(void *)(base + l.slots + i * l.slot_step);
    if (l.hit_step > 0)
        p.hit = (gn_hit *)(void *)(base + l.hits + i * l.hit_step);
    return p;
}

/* ---- the four calls ---- */

static bool read_truth(const gn_detection *d, int64_t row, gn_truth *out)
{
    double x[5];
    const bool is_yolov1 = d->detector.kind == GN_DETECTOR_YOLOV1;
    const double w = is_yolov1 ? 1 : gn_detection_width(d), h = is_yolov1 ? 1 : gn_detection_height(d);
    for (int i = 0; i < 5; i++)
        x[i] = gn_real_at(d->truth, d->is_f64, row * 5 + i);
    /* Comparisons with NaN are false. */
    if (!(x[2] > x[0] && x[3] > x[1] && fabs(x[0]) < 1e6 && fabs(x[1]) < 1e6 && fabs(x[2]) < 1e6 && fabs(x[3]) < 1e6))
        return false;
    if (!(x[4] >= 0 && x[4] < d->detector.classes))
        return false;
    *out = (gn_truth){{x[0] * w, x[1] * h, x[2] * w, x[3] * h}, (int)x[4]};
    return true;
}

void gn_detection_assign(const gn_detection *d, int64_t picture, void *state, void *work)
{
    const gn_picture p = picture_of(d, picture, state);
    memset(p.sums, 0, sizeof *p.sums);
    const double weight = gn_real_at(d->weight, d->is_f64, picture);
    p.sums->weight = weight > 0 && weight < INFINITY ? weight : 0;
    if (p.sums->weight == 0)
        return;
    const int64_t n = d->n_truth[picture] < d->capacity ? d->n_truth[picture] : d->capacity;
    for (int64_t i = 0; i < n; i++)
        if (read_truth(d, picture * d->capacity + i, &p.truth[p.sums->n_truths]))
            p.sums->n_truths++;
    kind_of(d)->assign(d, picture, &p, work);
}

void gn_detection_combine(const gn_detection *d, void *state)
{
    gn_batch_sums total = {0};
    for (int64_t n = 0; n < d->n; n++) {
        const gn_picture_sums *s = picture_of(d, n, state).sums;
        if (s->weight == 0)
            continue;
        total.weight += s->weight;
        total.is_broken = total.is_broken || s->is_broken;
        for (int i = 0; i < GN_DETECTION_SUMS; i++)
            total.sum[i] += s->weight * s->sum[i];
    }
    total.weight = fmax(total.weight, MIN_WEIGHT);
    memcpy(state, &total, sizeof total);
}

void gn_detection_picture_loss(const gn_detection *d, int64_t picture, void *state, void *work)
{
    const gn_picture p = picture_of(d, picture, state);
    gn_detection_clear_grads(d, picture);
    memset(p.sums->part, 0, sizeof p.sums->part);
    if (p.sums->weight > 0)
        kind_of(d)->loss(d, picture, &p, state, work);
}

void gn_detection_result(const gn_detection *d, const void *state, double *loss, double parts[GN_DETECTION_PARTS])
{
    const layout l = layout_of(d);
    const gn_batch_sums *total = state;
    const gn_picture_sums *sums = (const gn_picture_sums *)(const void *)((const unsigned char *)state + l.sums);
    for (int i = 0; i < GN_DETECTION_PARTS; i++) {
        parts[i] = 0;
        for (int64_t n = 0; n < d->n; n++)
            parts[i] += sums[n].part[i];
    }
    if (total->is_broken)
        parts[GN_DETECTION_BOX] = NAN;
    *loss = parts[0] + parts[1] + parts[2] + parts[3];
}

void gn_detection_loss(const gn_detection *d, void *state, void *work, double *loss, double parts[GN_DETECTION_PARTS])
{
    for (int64_t n = 0; n < d->n; n++)
        gn_detection_assign(d, n, state, work);
    gn_detection_combine(d, state);
    for (int64_t n = 0; n < d->n; n++)
        gn_detection_picture_loss(d, n, state, work);
    gn_detection_result(d, state, loss, parts);
}
