/* Assignment by overlap; see the header.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/assign_overlap.h"

#include <math.h>

/* Largest overlaps: of each anchor, and of each truth. */
typedef struct matcher {
    const gn_detection *d;
    const gn_picture *p;
    double *of_anchor; /* [candidates] */
    double *of_truth;  /* [n_truths] */
    bool is_second;    /* the second pass: anchors that are the best of a truth are marked */
} matcher;

/* What of_anchor holds of an anchor that is the best of a truth: more than any overlap. */
#define FORCED 2.0
/* Many anchors that hold a small truth overlap it alike but for the rounding of their sides: all are its best. */
#define TIE 1e-5

size_t gn_overlap_work_bytes(const gn_detection *d)
{
    return (size_t)(gn_detection_candidates(d) + d->capacity) * sizeof(double);
}

void gn_overlap_anchor(const gn_detection *d, const gn_candidate *c, double box[4])
{
    const double stride = d->detector.stride[c->map];
    for (int i = 0; i < 2; i++) {
        const double centre = ((double)(i ? c->y : c->x) + 0.5) * stride;
        const double side = (double)d->detector.anchor[c->map][c->anchor][i];
        box[i] = centre - side / 2;
        box[2 + i] = centre + side / 2;
    }
}

static inline void visit_pair(matcher *m, const double anchor[4], int64_t index, int t)
{
    const double overlap = gn_overlap(anchor, m->p->truth[t].box);
    if (m->is_second) {
        if (overlap > 0 && overlap >= m->of_truth[t] * (1 - TIE))
            m->of_anchor[index] = FORCED;
        return;
    }
    if (overlap > m->of_truth[t])
        m->of_truth[t] = overlap;
    if (overlap > m->of_anchor[index]) {
        m->of_anchor[index] = overlap;
        m->p->slot[index] = t;
    }
}

/* The anchors number `a` of a map that can overlap a truth. */
static void visit_cells(matcher *m, int map, int64_t first, int a, int t)
{
    const gn_detection *d = m->d;
    const double *box = m->p->truth[t].box, stride = d->detector.stride[map];
    const double w = (double)d->detector.anchor[map][a][0] / 2, h = (double)d->detector.anchor[map][a][1] / 2;
    int64_t x0, x1, y0, y1;
    gn_cells_between((box[0] - w) / stride, (box[2] + w) / stride, d->map[map].width, &x0, &x1);
    gn_cells_between((box[1] - h) / stride, (box[3] + h) / stride, d->map[map].height, &y0, &y1);
    for (int64_t y = y0; y < y1; y++)
        for (int64_t x = x0; x < x1; x++) {
            const double cx = ((double)x + 0.5) * stride, cy = ((double)y + 0.5) * stride;
            const double anchor[4] = {cx - w, cy - h, cx + w, cy + h};
            visit_pair(m, anchor, first + (y * d->map[map].width + x) * d->detector.anchors + a, t);
        }
}

static void visit_all(matcher *m)
{
    int64_t first = 0;
    for (int map = 0; map < m->d->detector.n_maps; map++) {
        for (int t = 0; t < m->p->sums->n_truths; t++)
            for (int a = 0; a < m->d->detector.anchors; a++)
                visit_cells(m, map, first, a, t);
        first += gn_detector_candidates(&m->d->detector, m->d->map[map].height, m->d->map[map].width);
    }
}

void gn_overlap_assign(const gn_detection *d, int64_t n, const gn_picture *picture, void *work)
{
    (void)n;
    const int64_t candidates = gn_detection_candidates(d);
    matcher m = {.d = d, .p = picture, .of_anchor = work};
    m.of_truth = m.of_anchor + candidates;
    for (int64_t i = 0; i < candidates; i++) {
        m.of_anchor[i] = 0;
        picture->slot[i] = GN_SLOT_BACKGROUND;
    }
    for (int t = 0; t < picture->sums->n_truths; t++)
        m.of_truth[t] = 0;
    visit_all(&m);
    m.is_second = true;
    visit_all(&m);
    for (int64_t i = 0; i < candidates; i++) {
        if (picture->slot[i] < 0)
            continue;
        if (m.of_anchor[i] >= d->rule.match_high)
            picture->sums->sum[0] += 1;
        else
            picture->slot[i] = m.of_anchor[i] < d->rule.match_low ? GN_SLOT_BACKGROUND : GN_SLOT_IGNORED;
    }
}
