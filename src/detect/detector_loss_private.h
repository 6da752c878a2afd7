/* What the losses of all kinds of detectors share: where a picture's part of the state lies, access to raw maps, and the binary cross
 * entropy.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DETECT_DETECTOR_LOSS_PRIVATE_H
#define GN_DETECT_DETECTOR_LOSS_PRIVATE_H

#include "detect/detector_loss.h"

/* A truth in pixels of the input (yolov1: in 0..1). */
typedef struct gn_truth {
    double box[4];
    int cls;
} gn_truth;

/* A candidate that answers for a truth. */
typedef struct gn_hit {
    int64_t candidate;
    int truth;
    double target; /* yolov8: target score; yolov1, v2, v5: overlap, the objectness that is asked for */
} gn_hit;

/* What a slot says of a candidate that answers for no truth. */
#define GN_SLOT_BACKGROUND (-1)
#define GN_SLOT_IGNORED    (-2)

/* Sums over pictures that terms are divided by; what they are is the kind's business. */
#define GN_DETECTION_SUMS GN_DETECTOR_MAX_MAPS

typedef struct gn_picture_sums {
    double weight;
    int n_truths, n_hits;
    bool is_broken; /* a raw value that decides is not finite */
    double sum[GN_DETECTION_SUMS];
    double part[GN_DETECTION_PARTS];
} gn_picture_sums;

/* One picture's part of the state.  slot and hit: as the kind needs them, else NULL. */
typedef struct gn_picture {
    gn_picture_sums *sums;
    gn_truth *truth; /* [n_truths] */
    int32_t *slot;   /* [candidates] */
    gn_hit *hit;
} gn_picture;

/* Sums of the batch. */
typedef struct gn_batch_sums {
    double weight; /* of all pictures, at least 1e-12 */
    double sum[GN_DETECTION_SUMS];
    bool is_broken;
} gn_batch_sums;

/* What one kind of detector does. */
typedef struct gn_detection_kind {
    bool has_slots;
    int64_t (*most_hits)(const gn_detection *d); /* per picture; NULL: it keeps none */
    size_t (*work_bytes)(const gn_detection *d); /* NULL: none */
    void (*assign)(const gn_detection *d, int64_t n, const gn_picture *picture, void *work);
    void (*loss)(const gn_detection *d, int64_t n, const gn_picture *picture, const gn_batch_sums *sums, void *work);
} gn_detection_kind;

extern const gn_detection_kind gn_detection_yolov1;
extern const gn_detection_kind gn_detection_yolov2;
extern const gn_detection_kind gn_detection_yolov3;
extern const gn_detection_kind gn_detection_yolov5;
extern const gn_detection_kind gn_detection_yolov8;
extern const gn_detection_kind gn_detection_retinanet;

/* ---- candidates ---- */

/* A cell of a map in a picture, and one of its anchors. */
typedef struct gn_candidate {
    int map, anchor;
    int64_t x, y;
    int64_t at; /* element of its channel 0 in the map */
} gn_candidate;

int64_t gn_detection_candidates(const gn_detection *d); /* of a picture, all maps */
gn_candidate gn_detection_candidate(const gn_detection *d, int64_t n, int64_t index);
/* Pixels of the input. */
double gn_detection_width(const gn_detection *d);
double gn_detection_height(const gn_detection *d);

/* Cells 0..count-1 of an axis whose centres lie strictly between lo and hi (in cells): first..last-1. */
void gn_cells_between(double lo, double hi, int64_t count, int64_t *first, int64_t *last);

/* ---- raw maps ---- */

static inline double gn_real_at(const void *data, bool is_f64, int64_t at)
{
    return is_f64 ? ((const double *)data)[at] : (double)((const float *)data)[at];
}

static inline double gn_raw(const gn_detection *d, int map, int64_t at)
{
    return gn_real_at(d->map[map].raw, d->is_f64, at);
}

/* Adds x times the rule's scale; nothing where no gradient is asked for. */
static inline void gn_grad_add(const gn_detection *d, int map, int64_t at, double x)
{
    void *grad = d->map[map].grad;
    if (!grad)
        return;
    if (d->is_f64)
        ((double *)grad)[at] += x * d->rule.grad_scale;
    else
        ((float *)grad)[at] += (float)(x * d->rule.grad_scale);
}

static inline double gn_class_weight(const gn_detection *d, int cls)
{
    return gn_real_at(d->class_weight, d->is_f64, cls);
}

/* Zeroes the gradients of a picture. */
void gn_detection_clear_grads(const gn_detection *d, int64_t n);

/* ---- binary cross entropy ---- */

double gn_logistic(double x);
/* Of the logit x against the target t in 0..1, focal where the rule says so; its derivative by x. */
double gn_binary_loss(const gn_detection_rule *rule, double x, double t, double *dx);

/* Classes of an assigned candidate, whose first logit is element `at` of its map: its own class asks for `score`, smoothed, the others
 * for what smoothing leaves them of it.  Gives the sum and adds its gradient, both times `factor`. */
double gn_binary_classes(const gn_detection *d, int map, int64_t at, int cls, double score, double factor);

/* Binary losses of logits against 0, summed up over many cells, which takes one logarithm for hundreds of them. */
typedef struct gn_background {
    double linear, product; /* the sum is linear + log(product) */
    int n;                  /* factors in product */
    bool is_plain;          /* neither focal nor weighted */
    bool is_focal;          /* with the power 2, and not weighted */
    bool is_weighted;       /* by classes */
    double alpha;           /* of focal: what targets 0 are multiplied by */
} gn_background;
gn_background gn_background_begin(const gn_detection *d, bool is_classes);
/* `count` channels from element `at` on; their derivatives times `factor` are added to the gradients, which are 0 there. */
void gn_background_add(gn_background *sum, const gn_detection *d, int map, int64_t at, int count, double factor);
double gn_background_end(gn_background *sum);

/* ---- boxes of yolov2, v3 and v5 ---- */

/* A candidate's box in pixels, and the derivatives of its centre and size by the raw x, y, w, h. */
typedef struct gn_anchor_box {
    double box[4];
    double d[4];
} gn_anchor_box;
/* Element of channel k of a candidate's anchor. */
static inline int64_t gn_anchor_at(const gn_detection *d, const gn_candidate *c, int k)
{
    return c->at + ((int64_t)c->anchor * (5 + d->detector.classes) + k) * d->map[c->map].channel_step;
}
gn_anchor_box gn_anchor_decode(const gn_detection *d, const gn_candidate *c);
/* factor * (1 - iou) with the truth; adds its gradient. */
double gn_anchor_iou_loss(const gn_detection *d, const gn_candidate *c, gn_iou_kind iou, const double truth[4],
                          double factor);
/* IoU of boxes of doubles; 0 where there is no overlap or a number is NaN.  Comparisons instead of fmin and fmax, which are calls. */
static inline double gn_overlap(const double a[4], const double b[4])
{
    const double w = (a[2] < b[2] ? a[2] : b[2]) - (a[0] > b[0] ? a[0] : b[0]);
    const double h = (a[3] < b[3] ? a[3] : b[3]) - (a[1] > b[1] ? a[1] : b[1]);
    if (!(w > 0 && h > 0))
        return 0;
    const double inter = w * h;
    const double iou = inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter);
    return iou > 0 ? iou : 0;
}

#endif
