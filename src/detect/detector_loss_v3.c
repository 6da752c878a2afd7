/* The losses of YOLOv2's and YOLOv3's heads, on anchors that are assigned by shape.
 * Sources: Redmon and Farhadi 2017 and 2018; the released region and yolo layers, whose derivatives these are.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "detect/assign_shape.h"

/* The place of a truth's centre in its cell, as the sigmoid should give it. */
static double place_in_cell(const gn_detection *d, const gn_candidate *c, const gn_truth *t, int i)
{
    const double s = d->detector.kind == GN_DETECTOR_YOLOV3 ? (double)d->detector.scale_xy : 1;
    const double centre = (t->box[i] + t->box[2 + i]) / 2 / d->detector.stride[c->map];
    const double place = (centre - (double)(i ? c->y : c->x) + (s - 1) / 2) / s;
    return fmin(fmax(place, 0), 1);
}

/* x and y by cross entropy (yolov3) or squared error (yolov2), w and h by squared error of logarithms. */
static double paper_box_loss(const gn_detection *d, const gn_candidate *c, const gn_truth *t, double factor)
{
    const gn_detection_rule plain = {.focal_gamma = 0};
    double sum = 0;
    for (int i = 0; i < 2; i++) {
        const int64_t at_xy = gn_anchor_at(d, c, i), at_wh = gn_anchor_at(d, c, 2 + i);
        const double x = gn_raw(d, c->map, at_xy), place = place_in_cell(d, c, t, i), p = gn_logistic(x);
        const double side = (t->box[2 + i] - t->box[i]) / (double)d->detector.anchor[c->map][c->anchor][i];
        const double w = gn_raw(d, c->map, at_wh) - log(side);
        double dx = (p - place) * p * (1 - p);
        sum += d->detector.kind == GN_DETECTOR_YOLOV3 ? gn_binary_loss(&plain, x, place, &dx)
                                                      : (p - place) * (p - place) / 2;
        sum += w * w / 2;
        gn_grad_add(d, c->map, at_xy, factor * dx);
        gn_grad_add(d, c->map, at_wh, factor * w);
    }
    return factor * sum;
}

/* Cross entropy of softmax over the classes. */
static double softmax_loss(const gn_detection *d, const gn_candidate *c, int cls, double factor)
{
    const int64_t step = d->map[c->map].channel_step, first = gn_anchor_at(d, c, 5);
    const int C = d->detector.classes;
    const double e = d->rule.label_smoothing, weight = factor * gn_class_weight(d, cls);
    double peak = -INFINITY, sum = 0, loss = 0;
    for (int k = 0; k < C; k++)
        peak = fmax(peak, gn_raw(d, c->map, first + k * step));
    for (int k = 0; k < C; k++)
        sum += exp(gn_raw(d, c->map, first + k * step) - peak);
    for (int k = 0; k < C; k++) {
        const double log_p = gn_raw(d, c->map, first + k * step) - peak - log(sum);
        const double target = (k == cls ? 1 - e : 0) + e / C;
        loss -= target * log_p;
        gn_grad_add(d, c->map, first + k * step, weight * (exp(log_p) - target));
    }
    return weight * loss;
}

static void hit_losses(const gn_detection *d, int64_t n, const gn_picture *p, double factor)
{
    const double area = gn_detection_width(d) * gn_detection_height(d);
    double *part = p->sums->part;
    for (int h = 0; h < p->sums->n_hits; h++) {
        const gn_hit *hit = &p->hit[h];
        const gn_truth *t = &p->truth[hit->truth];
        const gn_candidate c = gn_detection_candidate(d, n, hit->candidate);
        /* small truths count more */
        const double box = d->rule.box * factor * (2 - (t->box[2] - t->box[0]) * (t->box[3] - t->box[1]) / area);
        part[GN_DETECTION_BOX] +=
            d->rule.box_is_iou ? gn_anchor_iou_loss(d, &c, d->rule.iou, t->box, box) : paper_box_loss(d, &c, t, box);
        part[GN_DETECTION_CLASS] += d->detector.has_softmax ? softmax_loss(d, &c, t->cls, d->rule.cls * factor)
                                                            : gn_binary_classes(d, c.map, gn_anchor_at(d, &c, 5),
                                                                                t->cls, 1, d->rule.cls * factor);
    }
}

/* yolov2: half the squared error of the sigmoid. */
static double squared_objectness(const gn_detection *d, int map, int64_t at, double target, double factor)
{
    const double p = gn_logistic(gn_raw(d, map, at));
    gn_grad_add(d, map, at, factor * (p - target) * p * (1 - p));
    return factor * (p - target) * (p - target) / 2;
}

static void objectness_losses(const gn_detection *d, int64_t n, const gn_picture *p, double factor)
{
    const bool is_yolov2 = d->detector.kind == GN_DETECTOR_YOLOV2;
    const int64_t candidates = gn_detection_candidates(d);
    const double obj = d->rule.obj * factor, noobj = obj * d->rule.noobj;
    gn_background background = gn_background_begin(d, false);
    double sum = 0, dx;
    for (int64_t i = 0; i < candidates; i++) {
        if (p->slot[i] == GN_SLOT_IGNORED)
            continue;
        const gn_candidate c = gn_detection_candidate(d, n, i);
        const int64_t at = gn_anchor_at(d, &c, 4);
        const bool is_hit = p->slot[i] >= 0;
        if (is_yolov2)
            sum += squared_objectness(d, c.map, at, is_hit ? p->hit[p->slot[i]].target : 0, is_hit ? obj : noobj);
        else if (is_hit) {
            sum += obj * gn_binary_loss(&d->rule, gn_raw(d, c.map, at), 1, &dx);
            gn_grad_add(d, c.map, at, obj * dx);
        } else
            gn_background_add(&background, d, c.map, at, 1, noobj);
    }
    p->sums->part[GN_DETECTION_OBJECTNESS] += sum + noobj * gn_background_end(&background);
}

static void loss(const gn_detection *d, int64_t n, const gn_picture *p, const gn_batch_sums *sums, void *work)
{
    (void)work;
    const double factor = p->sums->weight / sums->weight;
    hit_losses(d, n, p, factor);
    objectness_losses(d, n, p, factor);
}

const gn_detection_kind gn_detection_yolov2 = {
    .has_slots = true,
    .most_hits = gn_shape_most_hits,
    .assign = gn_shape_assign,
    .loss = loss,
};

const gn_detection_kind gn_detection_yolov3 = {
    .has_slots = true,
    .most_hits = gn_shape_most_hits,
    .assign = gn_shape_assign,
    .loss = loss,
};
