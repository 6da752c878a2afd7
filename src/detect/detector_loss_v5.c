/* The loss of YOLOv5's head: CIoU, objectness and classes on targets assigned by ratio.
 * Source: YOLOv5's documentation; Zheng et al. 2020 (CIoU).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "detect/assign_ratio.h"

/* Gains are published for this many maps, classes and pixels. */
#define GAIN_MAPS    3.0
#define GAIN_CLASSES 80.0
#define GAIN_PIXELS  640.0

/* Share of a map in the objectness: fine maps, where background is easy, count more. */
static double balance_of(int n_maps, int m)
{
    static const double three[3] = {4, 1, 0.4}, others[GN_DETECTOR_MAX_MAPS] = {4, 1, 0.25, 0.06, 0.02};
    return n_maps == 3 ? three[m] : others[m];
}

static void hit_losses(const gn_detection *d, int64_t n, const gn_picture *p, const gn_batch_sums *sums)
{
    const double share = GAIN_MAPS / d->detector.n_maps, classes = d->detector.classes;
    const gn_iou_kind iou = d->rule.box_is_iou ? d->rule.iou : GN_IOU_C;
    for (int h = 0; h < p->sums->n_hits; h++) {
        const gn_hit *hit = &p->hit[h];
        const gn_truth *t = &p->truth[hit->truth];
        const gn_candidate c = gn_detection_candidate(d, n, hit->candidate);
        const double factor = share * p->sums->weight / sums->sum[c.map];
        p->sums->part[GN_DETECTION_BOX] += gn_anchor_iou_loss(d, &c, iou, t->box, d->rule.box * factor);
        if (d->detector.classes > 1) /* the mean over C classes, times C / 80 */
            p->sums->part[GN_DETECTION_CLASS] += gn_binary_classes(
                d, c.map, gn_anchor_at(d, &c, 5), t->cls, 1, d->rule.cls * classes / GAIN_CLASSES * factor / classes);
    }
}

/* Objectness of the candidates of one map, of which the first is number `first`. */
static double objectness_loss(const gn_detection *d, int64_t n, const gn_picture *p, int m, int64_t first,
                              double factor)
{
    const int64_t count = gn_detector_candidates(&d->detector, d->map[m].height, d->map[m].width);
    const int A = d->detector.anchors;
    gn_background background = gn_background_begin(d, false);
    double sum = 0, dx;
    gn_candidate c = {.map = m, .at = n * d->map[m].picture_step};
    for (int64_t i = first; i < first + count; i++) {
        const int64_t at = gn_anchor_at(d, &c, 4);
        if (p->slot[i] >= 0) {
            sum += gn_binary_loss(&d->rule, gn_raw(d, m, at), p->hit[p->slot[i]].target, &dx);
            gn_grad_add(d, m, at, factor * dx);
        } else
            gn_background_add(&background, d, m, at, 1, factor);
        if (++c.anchor == A) {
            c.anchor = 0;
            c.at += d->map[m].cell_step;
        }
    }
    return factor * (sum + gn_background_end(&background));
}

static void loss(const gn_detection *d, int64_t n, const gn_picture *p, const gn_batch_sums *sums, void *work)
{
    (void)work;
    const double size = fmax(gn_detection_width(d), gn_detection_height(d)) / GAIN_PIXELS;
    const double gain = d->rule.obj * pow(size, d->rule.size_power) * GAIN_MAPS / d->detector.n_maps;
    int64_t first = 0;
    hit_losses(d, n, p, sums);
    for (int m = 0; m < d->detector.n_maps; m++) {
        const int64_t count = gn_detector_candidates(&d->detector, d->map[m].height, d->map[m].width);
        if (count > 0)
            p->sums->part[GN_DETECTION_OBJECTNESS] += objectness_loss(
                d, n, p, m, first,
                gain * balance_of(d->detector.n_maps, m) * p->sums->weight / sums->weight / (double)count);
        first += count;
    }
}

const gn_detection_kind gn_detection_yolov5 = {
    .has_slots = true,
    .most_hits = gn_ratio_most_hits,
    .assign = gn_ratio_assign,
    .loss = loss,
};
