/* The loss of RetinaNet's head: focal loss of the classes and smooth L1 (or an overlap loss) of the box deltas, over the number of anchors
 * that answer for a truth.
 * Sources: Lin et al. 2017 (focal loss); Girshick et al. 2014 (deltas).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "detect/assign_overlap.h"

/* Deltas of sides beyond this are cut where boxes are decoded. */
#define MAX_LOG_SIDE 4.135166556742356 /* log(1000 / 16) */

static int64_t delta_at(const gn_detection *d, const gn_candidate *c, int k)
{
    return c->at + (4 * c->anchor + k) * d->map[c->map].channel_step;
}

static double delta_loss(const gn_detection *d, const gn_candidate *c, const gn_truth *t, double factor)
{
    double anchor[4], sum = 0;
    gn_overlap_anchor(d, c, anchor);
    for (int i = 0; i < 2; i++) {
        const double side = anchor[2 + i] - anchor[i];
        const double want[2] = {(t->box[i] + t->box[2 + i] - anchor[i] - anchor[2 + i]) / 2 / side,
                                log((t->box[2 + i] - t->box[i]) / side)};
        for (int k = 0; k < 2; k++) {
            const int64_t at = delta_at(d, c, i + 2 * k);
            const double error = gn_raw(d, c->map, at) - want[k];
            sum += gn_smooth_l1(error, d->rule.beta);
            gn_grad_add(d, c->map, at, factor * gn_smooth_l1_grad(error, d->rule.beta));
        }
    }
    return factor * sum;
}

static double iou_loss(const gn_detection *d, const gn_candidate *c, const gn_truth *t, double factor)
{
    double anchor[4], box[4], dbox[4], dside[2];
    gn_overlap_anchor(d, c, anchor);
    for (int i = 0; i < 2; i++) {
        const double side = anchor[2 + i] - anchor[i], log_side = gn_raw(d, c->map, delta_at(d, c, 2 + i));
        const double centre = (anchor[i] + anchor[2 + i]) / 2 + gn_raw(d, c->map, delta_at(d, c, i)) * side;
        const double size = side * exp(fmin(log_side, MAX_LOG_SIDE));
        box[i] = centre - size / 2;
        box[2 + i] = centre + size / 2;
        dside[i] = log_side < MAX_LOG_SIDE ? size : 0;
    }
    const double value = gn_box_iou_loss(d->rule.iou, box, t->box, dbox);
    for (int i = 0; i < 2; i++) {
        gn_grad_add(d, c->map, delta_at(d, c, i), factor * (dbox[i] + dbox[2 + i]) * (anchor[2 + i] - anchor[i]));
        gn_grad_add(d, c->map, delta_at(d, c, 2 + i), factor * (dbox[2 + i] - dbox[i]) / 2 * dside[i]);
    }
    return factor * value;
}

static void loss(const gn_detection *d, int64_t n, const gn_picture *p, const gn_batch_sums *sums, void *work)
{
    (void)work;
    const double factor = p->sums->weight / fmax(sums->sum[0], 1);
    const int64_t candidates = gn_detection_candidates(d), classes = d->detector.classes;
    double *part = p->sums->part;
    gn_background background = gn_background_begin(d, true);
    for (int64_t i = 0; i < candidates; i++) {
        if (p->slot[i] == GN_SLOT_IGNORED)
            continue;
        const gn_candidate c = gn_detection_candidate(d, n, i);
        const int64_t first =
            c.at + (4 * (int64_t)d->detector.anchors + c.anchor * classes) * d->map[c.map].channel_step;
        if (p->slot[i] == GN_SLOT_BACKGROUND) {
            gn_background_add(&background, d, c.map, first, d->detector.classes, d->rule.cls * factor);
            continue;
        }
        const gn_truth *t = &p->truth[p->slot[i]];
        part[GN_DETECTION_CLASS] += gn_binary_classes(d, c.map, first, t->cls, 1, d->rule.cls * factor);
        part[GN_DETECTION_BOX] +=
            d->rule.box_is_iou ? iou_loss(d, &c, t, d->rule.box * factor) : delta_loss(d, &c, t, d->rule.box * factor);
    }
    part[GN_DETECTION_CLASS] += d->rule.cls * factor * gn_background_end(&background);
}

const gn_detection_kind gn_detection_retinanet = {
    .has_slots = true,
    .work_bytes = gn_overlap_work_bytes,
    .assign = gn_overlap_assign,
    .loss = loss,
};
