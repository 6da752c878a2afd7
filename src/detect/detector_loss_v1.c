/* The loss of YOLO's head: a cell answers for the first truth whose centre it holds, by that of its boxes which overlaps the truth most
 * (none does: the nearest by squared error), whose confidence should be that overlap.
 * Source: Redmon et al. 2016, section 2.2 (equation 3, whose five terms are here in their order), and the released detection layer.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "detect/detector_loss_private.h"

static int64_t most_hits(const gn_detection *d)
{
    const int64_t cells = d->map[0].height * d->map[0].width;
    return d->capacity < cells ? d->capacity : cells;
}

/* Element of number k of a candidate's box. */
static int64_t box_at(const gn_detection *d, const gn_candidate *c, int k)
{
    return c->at + (5 * c->anchor + k) * d->map[0].channel_step;
}

/* The box of a candidate in 0..1 of the picture; raw sides are square roots. */
static void decode(const gn_detection *d, const gn_candidate *c, double box[4])
{
    const double cells[2] = {(double)d->map[0].width, (double)d->map[0].height};
    for (int i = 0; i < 2; i++) {
        const double root = gn_raw(d, 0, box_at(d, c, 2 + i));
        const double centre = ((double)(i ? c->y : c->x) + gn_raw(d, 0, box_at(d, c, i))) / cells[i];
        box[i] = centre - root * root / 2;
        box[2 + i] = centre + root * root / 2;
    }
}

/* Squared error of centre and sides. */
static double distance(const double a[4], const double b[4])
{
    double sum = 0;
    for (int i = 0; i < 2; i++) {
        const double centre = (a[i] + a[2 + i] - b[i] - b[2 + i]) / 2, side = a[2 + i] - a[i] - b[2 + i] + b[i];
        sum += centre * centre + side * side;
    }
    return sum;
}

/* The responsible one of a cell's boxes; *overlap_out: its IoU. */
static int responsible(const gn_detection *d, gn_candidate c, const gn_truth *t, bool *is_broken, double *overlap_out)
{
    int best = 0;
    double most = -1, nearest = INFINITY;
    for (c.anchor = 0; c.anchor < d->detector.anchors; c.anchor++) {
        double box[4];
        decode(d, &c, box);
        const double overlap = gn_overlap(box, t->box), far = distance(box, t->box);
        *is_broken = *is_broken || !isfinite(far);
        if (overlap > most || (overlap == 0 && most == 0 && far < nearest)) {
            most = overlap;
            nearest = far;
            best = c.anchor;
        }
    }
    *overlap_out = most;
    return best;
}

static void assign(const gn_detection *d, int64_t n, const gn_picture *p, void *work)
{
    (void)work;
    const gn_detection_map *map = &d->map[0];
    const int B = d->detector.anchors;
    const int64_t candidates = gn_detection_candidates(d);
    for (int64_t i = 0; i < candidates; i++)
        p->slot[i] = GN_SLOT_BACKGROUND;
    for (int t = 0; t < p->sums->n_truths && candidates > 0; t++) {
        const double *box = p->truth[t].box, W = (double)map->width, H = (double)map->height;
        gn_candidate c = {0};
        c.x = (int64_t)fmin(fmax(floor((box[0] + box[2]) / 2 * W), 0), W - 1);
        c.y = (int64_t)fmin(fmax(floor((box[1] + box[3]) / 2 * H), 0), H - 1);
        const int64_t cell = c.y * map->width + c.x;
        bool is_taken = false;
        for (int b = 0; b < B; b++)
            is_taken = is_taken || p->slot[cell * B + b] >= 0;
        if (is_taken)
            continue;
        gn_hit hit = {.truth = t};
        c.at = n * map->picture_step + cell * map->cell_step;
        hit.candidate = cell * B + responsible(d, c, &p->truth[t], &p->sums->is_broken, &hit.target);
        p->slot[hit.candidate] = p->sums->n_hits;
        p->hit[p->sums->n_hits++] = hit;
    }
}

/* factor * (raw - target)^2; adds its gradient. */
static double squared(const gn_detection *d, int64_t at, double target, double factor)
{
    const double error = gn_raw(d, 0, at) - target;
    gn_grad_add(d, 0, at, 2 * factor * error);
    return factor * error * error;
}

/* The paper's first two terms: of the centre in cells, and of the roots of the sides. */
static double paper_box_loss(const gn_detection *d, const gn_candidate *c, const gn_truth *t, double factor)
{
    const double cells[2] = {(double)d->map[0].width, (double)d->map[0].height};
    double sum = 0;
    for (int i = 0; i < 2; i++) {
        const double centre = (t->box[i] + t->box[2 + i]) / 2 * cells[i] - (double)(i ? c->y : c->x);
        sum += squared(d, box_at(d, c, i), centre, factor);
        sum += squared(d, box_at(d, c, 2 + i), sqrt(t->box[2 + i] - t->box[i]), factor);
    }
    return sum;
}

static double iou_box_loss(const gn_detection *d, const gn_candidate *c, const gn_truth *t, double factor)
{
    const double cells[2] = {(double)d->map[0].width, (double)d->map[0].height};
    double box[4], dbox[4];
    decode(d, c, box);
    const double value = gn_box_iou_loss(d->rule.iou, box, t->box, dbox);
    for (int i = 0; i < 2; i++) {
        const double root = gn_raw(d, 0, box_at(d, c, 2 + i));
        gn_grad_add(d, 0, box_at(d, c, i), factor * (dbox[i] + dbox[2 + i]) / cells[i]);
        gn_grad_add(d, 0, box_at(d, c, 2 + i), factor * (dbox[2 + i] - dbox[i]) * root);
    }
    return factor * value;
}

static void hit_loss(const gn_detection *d, const gn_picture *p, const gn_candidate *c, const gn_hit *hit,
                     double factor)
{
    const gn_truth *t = &p->truth[hit->truth];
    const double e = d->rule.label_smoothing;
    double *part = p->sums->part;
    part[GN_DETECTION_BOX] += d->rule.box_is_iou ? iou_box_loss(d, c, t, d->rule.box * factor)
                                                 : paper_box_loss(d, c, t, d->rule.box * factor);
    for (int k = 0; k < d->detector.classes; k++)
        part[GN_DETECTION_CLASS] +=
            squared(d, c->at + (5 * d->detector.anchors + k) * d->map[0].channel_step, k == t->cls ? 1 - e / 2 : e / 2,
                    d->rule.cls * factor * gn_class_weight(d, k));
}

static void loss(const gn_detection *d, int64_t n, const gn_picture *p, const gn_batch_sums *sums, void *work)
{
    (void)work;
    const double factor = p->sums->weight / sums->weight, obj = d->rule.obj * factor;
    const int64_t candidates = gn_detection_candidates(d);
    for (int64_t i = 0; i < candidates; i++) {
        const gn_candidate c = gn_detection_candidate(d, n, i);
        const gn_hit *hit = p->slot[i] >= 0 ? &p->hit[p->slot[i]] : NULL;
        if (hit)
            hit_loss(d, p, &c, hit, factor);
        p->sums->part[GN_DETECTION_OBJECTNESS] +=
            squared(d, box_at(d, &c, 4), hit ? hit->target : 0, hit ? obj : obj * d->rule.noobj);
    }
}

const gn_detection_kind gn_detection_yolov1 = {
    .has_slots = true,
    .most_hits = most_hits,
    .assign = assign,
    .loss = loss,
};
