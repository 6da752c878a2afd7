/* Assignment by shape; see the header.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/assign_shape.h"

#include <math.h>

int64_t gn_shape_most_hits(const gn_detection *d)
{
    return d->capacity * d->detector.n_maps * d->detector.anchors;
}

static double shape_overlap(const double side[2], const float anchor[2])
{
    const double a[4] = {0, 0, side[0], side[1]}, b[4] = {0, 0, (double)anchor[0], (double)anchor[1]};
    return gn_overlap(a, b);
}

/* Whether a box overlaps some truth by more than the rule's `ignore`.  Areas tell the most that an overlap can be. */
static bool overlaps_some(const gn_detection *d, const gn_picture *p, const double box[4])
{
    const double area = (box[2] - box[0]) * (box[3] - box[1]);
    for (int t = 0; t < p->sums->n_truths; t++) {
        const double *b = p->truth[t].box, other = (b[2] - b[0]) * (b[3] - b[1]);
        if (other >= d->rule.ignore * area && area >= d->rule.ignore * other && gn_overlap(box, b) > d->rule.ignore)
            return true;
    }
    return false;
}

static void mark_background(const gn_detection *d, int64_t n, const gn_picture *p)
{
    const int64_t candidates = gn_detection_candidates(d);
    for (int64_t i = 0; i < candidates; i++) {
        p->slot[i] = GN_SLOT_BACKGROUND;
        if (p->sums->n_truths == 0)
            continue;
        const gn_candidate c = gn_detection_candidate(d, n, i);
        const gn_anchor_box b = gn_anchor_decode(d, &c);
        if (overlaps_some(d, p, b.box))
            p->slot[i] = GN_SLOT_IGNORED;
    }
}

static int64_t cell_of(double x, int64_t count)
{
    return (int64_t)fmin(fmax(floor(x), 0), (double)(count - 1));
}

static void add_hit(const gn_detection *d, int64_t n, const gn_picture *p, int m, int a, int t)
{
    const gn_detection_map *map = &d->map[m];
    const double *box = p->truth[t].box, stride = d->detector.stride[m];
    int64_t index = 0;
    for (int k = 0; k < m; k++)
        index += gn_detector_candidates(&d->detector, d->map[k].height, d->map[k].width);
    gn_candidate c = {.map = m, .anchor = a};
    c.x = cell_of((box[0] + box[2]) / 2 / stride, map->width);
    c.y = cell_of((box[1] + box[3]) / 2 / stride, map->height);
    const int64_t cell = c.y * map->width + c.x;
    c.at = n * map->picture_step + cell * map->cell_step;
    index += cell * d->detector.anchors + a;
    const gn_anchor_box b = gn_anchor_decode(d, &c);
    const gn_hit hit = {index, t, gn_overlap(b.box, box)};
    if (!isfinite(b.box[0] + b.box[1] + b.box[2] + b.box[3]))
        p->sums->is_broken = true;
    if (p->slot[index] < 0 || hit.target > p->hit[p->slot[index]].target)
        p->slot[index] = p->sums->n_hits;
    p->hit[p->sums->n_hits++] = hit;
}

/* The best anchor, and those above the rule's `shape`. */
static void claim(const gn_detection *d, int64_t n, const gn_picture *p, int t)
{
    const double *box = p->truth[t].box, side[2] = {box[2] - box[0], box[3] - box[1]};
    double most = -1;
    int best_m = 0, best_a = 0;
    for (int m = 0; m < d->detector.n_maps; m++)
        for (int a = 0; a < d->detector.anchors; a++) {
            const double overlap = shape_overlap(side, d->detector.anchor[m][a]);
            if (overlap > most) {
                most = overlap;
                best_m = m;
                best_a = a;
            }
        }
    for (int m = 0; m < d->detector.n_maps; m++)
        for (int a = 0; a < d->detector.anchors && d->map[m].height * d->map[m].width > 0; a++)
            if ((m == best_m && a == best_a) || shape_overlap(side, d->detector.anchor[m][a]) > d->rule.shape)
                add_hit(d, n, p, m, a, t);
}

void gn_shape_assign(const gn_detection *d, int64_t n, const gn_picture *picture, void *work)
{
    (void)work;
    mark_background(d, n, picture);
    for (int t = 0; t < picture->sums->n_truths; t++)
        claim(d, n, picture, t);
}
