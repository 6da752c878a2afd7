/* Confusion matrix of detections, with background; see metrics.h.  Pairs are chosen as Ultralytics chooses them, so that the pictures
 * can be compared; of equal overlaps the earlier detection, then the earlier true box comes first.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "detect/coco_table.h"
#include "detect/score_order.h"

typedef struct pair {
    double iou;
    int64_t det, truth;
} pair;

typedef struct confusion {
    const gn_coco_input *in;
    double conf, iou_min;
    int64_t *det_order, *truth_order; /* by picture */
    int64_t *first_det, *first_truth; /* [n_images + 1] */
    int32_t *det_image, *truth_image;
    bool *is_taken; /* [n_det] it has a true box, or lies on an ignored one */
    bool *is_seen;  /* [n_det] its best true box was looked at */
    bool *is_found; /* [n_truth] */
    pair *pairs;
    size_t n_pairs, pair_capacity;
    int64_t *matrix;
} confusion;

static void confusion_deinit(confusion *c)
{
    gn_free(c->det_order);
    gn_free(c->truth_order);
    gn_free(c->first_det);
    gn_free(c->first_truth);
    gn_free(c->det_image);
    gn_free(c->truth_image);
    gn_free(c->is_taken);
    gn_free(c->is_seen);
    gn_free(c->is_found);
    gn_free(c->pairs);
}

static gn_status confusion_init(confusion *c)
{
    const gn_coco_input *in = c->in;
    const size_t n_det = (size_t)in->n_det + 1, n_truth = (size_t)in->n_truth + 1, images = (size_t)in->n_images + 1;
    c->det_order = gn_alloc(n_det * sizeof *c->det_order);
    c->truth_order = gn_alloc(n_truth * sizeof *c->truth_order);
    c->first_det = gn_calloc(images, sizeof *c->first_det);
    c->first_truth = gn_calloc(images, sizeof *c->first_truth);
    c->det_image = gn_alloc(n_det * sizeof *c->det_image);
    c->truth_image = gn_alloc(n_truth * sizeof *c->truth_image);
    c->is_taken = gn_calloc(n_det, sizeof *c->is_taken);
    c->is_seen = gn_calloc(n_det, sizeof *c->is_seen);
    c->is_found = gn_calloc(n_truth, sizeof *c->is_found);
    if (!c->det_order || !c->truth_order || !c->first_det || !c->first_truth || !c->det_image || !c->truth_image ||
        !c->is_taken || !c->is_seen || !c->is_found)
        return GN_ENOMEM;
    for (int64_t i = 0; i < in->n_det; i++) {
        c->det_order[i] = i;
        c->det_image[i] = (int32_t)in->det[i].image;
    }
    for (int64_t i = 0; i < in->n_truth; i++) {
        c->truth_order[i] = i;
        c->truth_image[i] = (int32_t)in->truth[i].image;
    }
    GN_TRY(gn_order_by_key(c->det_image, (int32_t)in->n_images, c->det_order, in->n_det, c->first_det));
    return gn_order_by_key(c->truth_image, (int32_t)in->n_images, c->truth_order, in->n_truth, c->first_truth);
}

static int compare_pairs(const void *pa, const void *pb)
{
    const pair *a = pa, *b = pb;
    if (a->iou != b->iou)
        return a->iou > b->iou ? -1 : 1;
    if (a->det != b->det)
        return a->det < b->det ? -1 : 1;
    return (a->truth > b->truth) - (a->truth < b->truth);
}

static bool does_not_count(const gn_truth *g)
{
    return g->is_crowd || g->is_ignored;
}

/* All pairs of a picture that overlap enough; a detection on an ignored box is taken. */
static gn_status find_pairs(confusion *c, int64_t image)
{
    c->n_pairs = 0;
    for (int64_t i = c->first_det[image]; i < c->first_det[image + 1]; i++) {
        const gn_detection *d = &c->in->det[c->det_order[i]];
        if (!(d->score > c->conf))
            continue;
        for (int64_t k = c->first_truth[image]; k < c->first_truth[image + 1]; k++) {
            const gn_truth *g = &c->in->truth[c->truth_order[k]];
            const double iou = gn_rect_iou(&d->box, &g->box);
            if (!(iou > c->iou_min))
                continue;
            if (does_not_count(g)) {
                c->is_taken[c->det_order[i]] = true;
                continue;
            }
            GN_TRY(gn_grow(&c->pairs, &c->pair_capacity, c->n_pairs + 1, sizeof *c->pairs));
            c->pairs[c->n_pairs++] = (pair){.iou = iou, .det = c->det_order[i], .truth = c->truth_order[k]};
        }
    }
    return GN_OK;
}

static void count_picture(confusion *c, int64_t image)
{
    const int64_t n = c->in->n_classes + 1;
    if (c->n_pairs > 0)
        qsort(c->pairs, c->n_pairs, sizeof *c->pairs, compare_pairs);
    /* The best true box of each detection; a detection that loses its box to another has none. */
    for (size_t i = 0; i < c->n_pairs; i++) {
        const pair *p = &c->pairs[i];
        const bool is_best = !c->is_seen[p->det];
        c->is_seen[p->det] = true;
        if (!is_best || c->is_found[p->truth])
            continue;
        c->is_found[p->truth] = true;
        c->is_taken[p->det] = true;
        c->matrix[c->in->det[p->det].cls * n + c->in->truth[p->truth].cls]++;
    }
    for (int64_t i = c->first_det[image]; i < c->first_det[image + 1]; i++) {
        const gn_detection *d = &c->in->det[c->det_order[i]];
        if (d->score > c->conf && !c->is_taken[c->det_order[i]])
            c->matrix[d->cls * n + n - 1]++;
    }
    for (int64_t k = c->first_truth[image]; k < c->first_truth[image + 1]; k++) {
        const gn_truth *g = &c->in->truth[c->truth_order[k]];
        if (!does_not_count(g) && !c->is_found[c->truth_order[k]])
            c->matrix[(n - 1) * n + g->cls]++;
    }
}

gn_status gn_confusion_matrix(const gn_coco_input *input, double conf, double iou_min, int64_t *matrix)
{
    if (!gn_coco_input_is_valid(input))
        return GN_EINVAL;
    confusion c = {.in = input, .conf = conf, .iou_min = iou_min, .matrix = matrix};
    const size_t side = (size_t)input->n_classes + 1;
    gn_status status = confusion_init(&c);
    if (status == GN_OK)
        memset(matrix, 0, side * side * sizeof *matrix);
    for (int64_t i = 0; i < input->n_images && status == GN_OK; i++) {
        status = find_pairs(&c, i);
        if (status == GN_OK)
            count_picture(&c, i);
    }
    confusion_deinit(&c);
    return status;
}
