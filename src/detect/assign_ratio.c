/* Assignment by ratio; see the header.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/assign_ratio.h"

#include <math.h>

/* A cell and at most one neighbour in each direction. */
#define CELLS 3

int64_t gn_ratio_most_hits(const gn_detection *d)
{
    return d->capacity * d->detector.n_maps * d->detector.anchors * CELLS;
}

static bool fits(const gn_detection *d, int m, int a, const gn_truth *t)
{
    for (int i = 0; i < 2; i++) {
        const double ratio = (t->box[2 + i] - t->box[i]) / (double)d->detector.anchor[m][a][i];
        if (!(fmax(ratio, 1 / ratio) < d->rule.ratio))
            return false;
    }
    return true;
}

/* The cell of coordinate x (in cells) and the neighbour next to it (-1, 0: none, 1), on an axis of `count` cells. */
static int64_t cell_of(double x, int64_t count, int *neighbour)
{
    const double within = x - floor(x);
    const int64_t cell = (int64_t)fmin(fmax(floor(x), 0), (double)(count - 1));
    *neighbour = within < 0.5 && x > 1 ? -1 : within > 0.5 && (double)count - x > 1 ? 1 : 0;
    if (cell + *neighbour < 0 || cell + *neighbour >= count)
        *neighbour = 0;
    return cell;
}

static void add_hit(const gn_detection *d, int64_t n, const gn_picture *p, int64_t first, gn_candidate c, int t)
{
    const gn_detection_map *map = &d->map[c.map];
    const int64_t cell = c.y * map->width + c.x, index = first + cell * d->detector.anchors + c.anchor;
    c.at = n * map->picture_step + cell * map->cell_step;
    const gn_anchor_box box = gn_anchor_decode(d, &c);
    const double overlap = gn_box_iou_value(d->rule.box_is_iou ? d->rule.iou : GN_IOU_C, box.box, p->truth[t].box);
    if (isnan(overlap))
        p->sums->is_broken = true;
    int32_t *slot = &p->slot[index];
    const gn_hit hit = {index, t, overlap > 0 ? overlap : 0};
    if (*slot < 0 || hit.target > p->hit[*slot].target)
        *slot = p->sums->n_hits;
    p->hit[p->sums->n_hits++] = hit;
    p->sums->sum[c.map] += 1;
}

static void claim_cells(const gn_detection *d, int64_t n, const gn_picture *p, int64_t first, int m, int a, int t)
{
    const gn_detection_map *map = &d->map[m];
    const double *box = p->truth[t].box, stride = d->detector.stride[m];
    int dx, dy;
    gn_candidate c = {.map = m, .anchor = a};
    c.x = cell_of((box[0] + box[2]) / 2 / stride, map->width, &dx);
    c.y = cell_of((box[1] + box[3]) / 2 / stride, map->height, &dy);
    add_hit(d, n, p, first, c, t);
    if (dx) {
        gn_candidate beside = c;
        beside.x += dx;
        add_hit(d, n, p, first, beside, t);
    }
    if (dy) {
        gn_candidate beside = c;
        beside.y += dy;
        add_hit(d, n, p, first, beside, t);
    }
}

void gn_ratio_assign(const gn_detection *d, int64_t n, const gn_picture *picture, void *work)
{
    (void)work;
    const int64_t candidates = gn_detection_candidates(d);
    for (int64_t i = 0; i < candidates; i++)
        picture->slot[i] = GN_SLOT_BACKGROUND;
    int64_t first = 0;
    for (int m = 0; m < d->detector.n_maps; m++) {
        const int64_t count = gn_detector_candidates(&d->detector, d->map[m].height, d->map[m].width);
        for (int t = 0; t < picture->sums->n_truths && count > 0; t++)
            for (int a = 0; a < d->detector.anchors; a++)
                if (fits(d, m, a, &picture->truth[t]))
                    claim_cells(d, n, picture, first, m, a, t);
        first += count;
    }
}
