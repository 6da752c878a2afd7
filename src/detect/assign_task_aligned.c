/* Task-aligned assignment; see the header.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/assign_task_aligned.h"

#include <math.h>
#include <string.h>

#include "detect/box.h"

/* One candidate of one truth. */
typedef struct claim {
    int64_t candidate;
    double alignment, overlap;
} claim;

/* What a thread needs: boxes that were decoded (x1 NaN: not yet), and claims. */
typedef struct aligner {
    const gn_detection *d;
    int64_t n;
    const gn_picture *p;
    double (*box)[4];    /* [candidates] */
    double (*search)[4]; /* [n_truths]: where its candidates lie */
    claim *claims;       /* [n_truths][top_k] */
    int *n_claims;       /* [n_truths] */
} aligner;

/* What a slot holds on the way, beside the truth that alone claims a candidate: several claim it; it is a hit already. */
#define MANY    (-3)
#define SETTLED (-4)

int64_t gn_task_aligned_most_hits(const gn_detection *d)
{
    const int64_t chosen = d->capacity * d->rule.top_k, all = gn_detection_candidates(d);
    return chosen < all ? chosen : all;
}

static size_t boxes_bytes(const gn_detection *d)
{
    return (size_t)gn_detection_candidates(d) * sizeof(double[4]);
}

static size_t claims_bytes(const gn_detection *d)
{
    return (size_t)(d->capacity * d->rule.top_k) * sizeof(claim);
}

size_t gn_task_aligned_work_bytes(const gn_detection *d)
{
    return boxes_bytes(d) + claims_bytes(d) + (size_t)d->capacity * (sizeof(double[4]) + sizeof(int));
}

void gn_bins_decode(const gn_detection *d, const gn_candidate *c, double side[4], double *bins, double *log_bins)
{
    const int R = d->detector.bins;
    const int64_t step = d->map[c->map].channel_step;
    double x[64], p[64];
    for (int s = 0; s < 4; s++) {
        double peak = -INFINITY, sum = 0, mean = 0;
        for (int k = 0; k < R; k++) {
            x[k] = gn_raw(d, c->map, c->at + (s * R + k) * step);
            peak = x[k] > peak ? x[k] : peak;
        }
        for (int k = 0; k < R; k++) {
            p[k] = exp(x[k] - peak);
            sum += p[k];
            mean += p[k] * k;
        }
        side[s] = mean / sum;
        for (int k = 0; k < R && bins; k++) {
            bins[s * R + k] = p[k] / sum;
            log_bins[s * R + k] = x[k] - peak - log(sum);
        }
    }
}

static const double *box_of(aligner *a, int64_t index, const gn_candidate *c)
{
    double *box = a->box[index], side[4];
    if (!isnan(box[0]))
        return box;
    const double stride = a->d->detector.stride[c->map];
    gn_bins_decode(a->d, c, side, NULL, NULL);
    box[0] = ((double)c->x + 0.5 - side[0]) * stride;
    box[1] = ((double)c->y + 0.5 - side[1]) * stride;
    box[2] = ((double)c->x + 0.5 + side[2]) * stride;
    box[3] = ((double)c->y + 0.5 + side[3]) * stride;
    if (!isfinite(box[0]) || !isfinite(box[1]) || !isfinite(box[2]) || !isfinite(box[3]))
        a->p->sums->is_broken = true;
    return box;
}

/* At least the overlap of two boxes, without CIoU's arc tangents: IoU, less the distance of the centres where that counts. */
static double overlap_bound(gn_iou_kind kind, const double p[4], const double t[4])
{
    const double w = (p[2] < t[2] ? p[2] : t[2]) - (p[0] > t[0] ? p[0] : t[0]);
    const double h = (p[3] < t[3] ? p[3] : t[3]) - (p[1] > t[1] ? p[1] : t[1]);
    if (!(w > 0 && h > 0))
        return 0;
    const double inter = w * h,
                 all = (p[2] - p[0]) * (p[3] - p[1]) + (t[2] - t[0]) * (t[3] - t[1]) - inter + GN_IOU_EPS;
    if (kind == GN_IOU_PLAIN || kind == GN_IOU_G)
        return inter / all;
    const double hull_w = fmax(p[2], t[2]) - fmin(p[0], t[0]), hull_h = fmax(p[3], t[3]) - fmin(p[1], t[1]);
    const double dx = (p[0] + p[2] - t[0] - t[2]) / 2, dy = (p[1] + p[3] - t[1] - t[3]) / 2;
    return inter / all - (dx * dx + dy * dy) / (hull_w * hull_w + hull_h * hull_h + GN_IOU_EPS);
}

static double alignment_of(const gn_detection *d, double score, double overlap)
{
    const double power = d->rule.overlap_power, cube = overlap * overlap * overlap;
    return (d->rule.score_power == 0.5 ? sqrt(score) : pow(score, d->rule.score_power)) *
           (power == 6 ? cube * cube : pow(overlap, power));
}

/* False: no overlap, or no more alignment than `least`.  Most pairs end before the arc tangents. */
static bool align(aligner *a, int64_t index, const gn_candidate *c, const gn_truth *t, double least, claim *out)
{
    const gn_detection_map *map = &a->d->map[c->map];
    const double *box = box_of(a, index, c);
    const double bound = overlap_bound(a->d->rule.overlap, box, t->box);
    if (!(bound > 0))
        return false;
    const double score =
        gn_logistic(gn_raw(a->d, c->map, c->at + (4 * a->d->detector.bins + t->cls) * map->channel_step));
    if (isnan(score))
        a->p->sums->is_broken = true;
    if (!(alignment_of(a->d, score, bound) > least))
        return false;
    const double overlap = gn_box_iou_value(a->d->rule.overlap, box, t->box);
    if (!(overlap > 0))
        return false;
    *out = (claim){index, alignment_of(a->d, score, overlap), overlap};
    return true;
}

/* Keeps the best of a truth in descending order; equals stay in the order in which they came. */
static void keep_best(claim *best, int *n, int most, const claim *c)
{
    if (*n == most && !(c->alignment > best[most - 1].alignment))
        return;
    int at = *n < most ? (*n)++ : most - 1;
    for (; at > 0 && c->alignment > best[at - 1].alignment; at--)
        best[at] = best[at - 1];
    best[at] = *c;
}

/* Grown to at least `least` around its middle. */
static void grow(double *lo, double *hi, double least)
{
    const double more = (least - (*hi - *lo)) / 2;
    if (more > 0) {
        *lo -= more;
        *hi += more;
    }
}

/* Where candidates of a truth lie: the truth's box, or a larger one (small_side). */
static void search_box(const gn_detection *d, const gn_truth *t, double box[4])
{
    memcpy(box, t->box, sizeof t->box);
    grow(&box[0], &box[2], d->rule.small_side * d->detector.stride[0]);
    grow(&box[1], &box[3], d->rule.small_side * d->detector.stride[0]);
}

static void claim_map(aligner *a, int m, int64_t first_index, int t)
{
    const gn_detection_map *map = &a->d->map[m];
    const double stride = a->d->detector.stride[m];
    const double *box = a->search[t];
    int64_t x0, x1, y0, y1;
    const int top_k = a->d->rule.top_k;
    claim *best = a->claims + t * top_k;
    gn_cells_between(box[0] / stride, box[2] / stride, map->width, &x0, &x1);
    gn_cells_between(box[1] / stride, box[3] / stride, map->height, &y0, &y1);
    for (int64_t y = y0; y < y1; y++)
        for (int64_t x = x0; x < x1; x++) {
            const int64_t cell = y * map->width + x;
            const gn_candidate c = {m, 0, x, y, a->n * map->picture_step + cell * map->cell_step};
            const double least = a->n_claims[t] == top_k ? best[top_k - 1].alignment : -1;
            claim found;
            if (align(a, first_index + cell, &c, &a->p->truth[t], least, &found))
                keep_best(best, &a->n_claims[t], top_k, &found);
        }
}

/* The truth that a candidate overlaps most. */
static int owner_of(aligner *a, int64_t index, claim *out)
{
    const gn_candidate c = gn_detection_candidate(a->d, a->n, index);
    const double stride = a->d->detector.stride[c.map];
    const double x = ((double)c.x + 0.5) * stride, y = ((double)c.y + 0.5) * stride;
    int owner = 0;
    *out = (claim){0};
    for (int t = 0; t < a->p->sums->n_truths; t++) {
        const double *box = a->search[t];
        claim found;
        if (x > box[0] && x < box[2] && y > box[1] && y < box[3] && align(a, index, &c, &a->p->truth[t], -1, &found) &&
            found.overlap > out->overlap) {
            *out = found;
            owner = t;
        }
    }
    return owner;
}

/* Claims become hits; alignments are kept beside them as targets until they are scaled. */
static void settle(aligner *a)
{
    gn_picture_sums *sums = a->p->sums;
    const int top_k = a->d->rule.top_k;
    for (int t = 0; t < sums->n_truths; t++)
        for (int k = 0; k < a->n_claims[t]; k++) {
            int32_t *slot = &a->p->slot[a->claims[t * top_k + k].candidate];
            *slot = *slot == GN_SLOT_BACKGROUND ? t : MANY;
        }
    for (int t = 0; t < sums->n_truths; t++)
        for (int k = 0; k < a->n_claims[t]; k++) {
            claim c = a->claims[t * top_k + k];
            int32_t *slot = &a->p->slot[c.candidate];
            if (*slot == SETTLED)
                continue;
            const int owner = *slot == MANY ? owner_of(a, c.candidate, &c) : t;
            *slot = SETTLED;
            a->p->hit[sums->n_hits] = (gn_hit){c.candidate, owner, c.alignment};
            a->box[c.candidate][0] = c.overlap; /* the box has done its service */
            sums->n_hits++;
        }
}

/* Target scores from alignments.  claims: per truth its largest alignment and overlap. */
static void scale(aligner *a)
{
    gn_picture_sums *sums = a->p->sums;
    for (int t = 0; t < sums->n_truths; t++)
        a->claims[t] = (claim){0};
    for (int h = 0; h < sums->n_hits; h++) {
        const gn_hit *hit = &a->p->hit[h];
        claim *best = &a->claims[hit->truth];
        best->alignment = fmax(best->alignment, hit->target);
        best->overlap = fmax(best->overlap, a->box[hit->candidate][0]);
    }
    for (int h = 0; h < sums->n_hits; h++) {
        gn_hit *hit = &a->p->hit[h];
        const claim *best = &a->claims[hit->truth];
        hit->target *= best->overlap / (best->alignment + GN_TASK_ALIGNED_EPS);
        sums->sum[0] += hit->target;
        a->p->slot[hit->candidate] = h;
    }
}

void gn_task_aligned_assign(const gn_detection *d, int64_t n, const gn_picture *picture, void *work)
{
    unsigned char *bytes = work;
    aligner a = {.d = d, .n = n, .p = picture, .box = (double(*)[4])work};
    a.claims = (claim *)(void *)(bytes + boxes_bytes(d));
    a.search = (double(*)[4])(void *)(bytes + boxes_bytes(d) + claims_bytes(d));
    a.n_claims = (int *)(void *)(a.search + d->capacity);
    const int64_t candidates = gn_detection_candidates(d);
    for (int64_t i = 0; i < candidates; i++) {
        picture->slot[i] = GN_SLOT_BACKGROUND;
        a.box[i][0] = NAN;
    }
    int64_t first = 0;
    for (int t = 0; t < picture->sums->n_truths; t++) {
        search_box(d, &picture->truth[t], a.search[t]);
        a.n_claims[t] = 0;
    }
    for (int m = 0; m < d->detector.n_maps; m++) {
        for (int t = 0; t < picture->sums->n_truths; t++)
            claim_map(&a, m, first, t);
        first += d->map[m].height * d->map[m].width;
    }
    settle(&a);
    scale(&a);
}
