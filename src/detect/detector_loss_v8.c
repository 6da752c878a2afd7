/* The loss of YOLOv8's head: CIoU, distribution focal loss and binary cross entropy on task-aligned targets.
 * Sources: Zheng et al. 2020 (CIoU); Li et al. 2020 (generalized focal loss), equation 6; Feng et al. 2021 (TOOD).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "detect/assign_task_aligned.h"
#include "detect/box.h"

/* Targets of distances keep away from the last bin by this much, so that the bin beside it exists. */
#define LAST_BIN_MARGIN 0.01

/* What one hit adds to two parts. */
typedef struct hit_terms {
    double box, dfl;
} hit_terms;

/* Cross entropy of one side's bins with the two bins beside `distance`; adds `factor` times the gradient to `dx`. */
static double side_loss(const double *bins, const double *log_bins, int R, double distance, double factor, double *dx)
{
    const double d = fmin(fmax(distance, 0), R - 1 - LAST_BIN_MARGIN);
    const int lower = (int)d;
    const double share = d - lower;
    for (int k = 0; k < R; k++)
        dx[k] += factor * (bins[k] - (k == lower ? 1 - share : 0) - (k == lower + 1 ? share : 0));
    return -(1 - share) * log_bins[lower] - share * log_bins[lower + 1];
}

/* box_factor and dfl_factor: what 1 - CIoU and the mean of the four cross entropies are multiplied by in the loss. */
static hit_terms hit_loss(const gn_detection *d, const gn_candidate *c, const gn_truth *t, double box_factor,
                          double dfl_factor)
{
    const int R = d->detector.bins;
    const double stride = d->detector.stride[c->map];
    const double centre[2] = {((double)c->x + 0.5) * stride, ((double)c->y + 0.5) * stride};
    double side[4], bins[4 * 64], log_bins[4 * 64], dbox[4], box[4];
    hit_terms terms = {0};
    gn_bins_decode(d, c, side, bins, log_bins);
    for (int s = 0; s < 4; s++)
        box[s] = centre[s % 2] + (s < 2 ? -side[s] : side[s]) * stride;
    terms.box = box_factor * gn_box_iou_loss(d->rule.box_is_iou ? d->rule.iou : GN_IOU_C, box, t->box, dbox);
    for (int s = 0; s < 4; s++) {
        double dx[64];
        const double dside = box_factor * dbox[s] * (s < 2 ? -stride : stride);
        const double distance = (s < 2 ? centre[s] - t->box[s] : t->box[s] - centre[s - 2]) / stride;
        for (int k = 0; k < R; k++)
            dx[k] = dside * bins[s * R + k] * (k - side[s]);
        terms.dfl += dfl_factor / 4 * side_loss(bins + s * R, log_bins + s * R, R, distance, dfl_factor / 4, dx);
        for (int k = 0; k < R; k++)
            gn_grad_add(d, c->map, c->at + (s * R + k) * d->map[c->map].channel_step, dx[k]);
    }
    return terms;
}

static void loss(const gn_detection *d, int64_t n, const gn_picture *p, const gn_batch_sums *sums, void *work)
{
    (void)work;
    double *part = p->sums->part;
    const double factor = p->sums->weight / fmax(sums->sum[0], 1);
    gn_background background = gn_background_begin(d, true);
    const int32_t *slot = p->slot;
    for (int m = 0; m < d->detector.n_maps; m++) {
        const gn_detection_map *map = &d->map[m];
        const int64_t cells = map->height * map->width;
        for (int64_t i = 0; i < cells; i++) {
            const gn_candidate c = {m, 0, i % map->width, i / map->width, n * map->picture_step + i * map->cell_step};
            const int64_t classes = c.at + 4 * d->detector.bins * map->channel_step;
            if (slot[i] < 0) {
                gn_background_add(&background, d, m, classes, d->detector.classes, d->rule.cls * factor);
                continue;
            }
            const gn_hit *hit = &p->hit[slot[i]];
            const gn_truth *t = &p->truth[hit->truth];
            const hit_terms terms =
                hit_loss(d, &c, t, d->rule.box * factor * hit->target, d->rule.dfl * factor * hit->target);
            part[GN_DETECTION_BOX] += terms.box;
            part[GN_DETECTION_DFL] += terms.dfl;
            part[GN_DETECTION_CLASS] += gn_binary_classes(d, m, classes, t->cls, hit->target, d->rule.cls * factor);
        }
        slot += cells;
    }
    part[GN_DETECTION_CLASS] += d->rule.cls * factor * gn_background_end(&background);
}

const gn_detection_kind gn_detection_yolov8 = {
    .has_slots = true,
    .most_hits = gn_task_aligned_most_hits,
    .work_bytes = gn_task_aligned_work_bytes,
    .assign = gn_task_aligned_assign,
    .loss = loss,
};
