/* Accuracy as pure functions over arrays: the single-box metrics and COCO average precision, with bootstrap intervals over
 * pictures.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DETECT_METRICS_H
#define GN_DETECT_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "detect/box.h"

/* Detections of all pictures.  image: 0..n_images-1.  cls: 0..n_classes-1.  Any order; equal scores keep their order. */
typedef struct gn_detection {
    int64_t image;
    int32_t cls;
    float score;
    gn_box box;
} gn_detection;

/* A true box.  is_crowd: COCO's iscrowd - matches any number of detections, which then count neither as right nor as wrong, and
 * is itself not to be found; its overlap is intersection over the detection's area.  is_ignored: the same without the crowd overlap. */
typedef struct gn_truth {
    int64_t image;
    int32_t cls;
    bool is_crowd;
    bool is_ignored;
    gn_box box;
} gn_truth;

/* value with the limits of its 95% percentile bootstrap interval over pictures; NaN where there is nothing to measure. */
typedef struct gn_interval {
    double value, low, high;
} gn_interval;

/* Single-box metrics: of a picture's true boxes the one with the highest IoU with the single prediction counts. */
typedef struct gn_single_metrics {
    int64_t images;         /* pictures given */
    int64_t counted;        /* of these, with at least one true box; only they enter the figures below */
    int64_t true_positives; /* IoU > 0.5 */
    int64_t false_positives;
    double mean_iou;        /* NaN when counted is 0 */
    double box_precision50; /* TP / (TP + FP) */
} gn_single_metrics;

/* The IoU of one prediction with the nearest of n_truth boxes; -1 when n_truth is 0 (the picture does not count). */
double gn_single_iou(const gn_box *pred, const gn_box *truth, int64_t n_truth);
/* ious: [n_images] from gn_single_iou. */
gn_single_metrics gn_single_metrics_of(const double *ious, int64_t n_images);

/* Resamples of a bootstrap interval by default. */
#define GN_BOOTSTRAP_RESAMPLES 1000

/* Intervals of mean IoU and box_precision50: pictures that count are drawn with replacement.
 * resamples: 1..100000.  The result depends on the arguments only (counter-based random numbers).  GN_EINVAL, GN_ENOMEM. */
gn_status gn_single_bootstrap(const double *ious, int64_t n_images, int resamples, uint64_t seed,
                              gn_interval *mean_iou_out, gn_interval *box_precision50_out);

/* Accuracy of a classifier.  ranks: [n] how many classes each picture's true one stands behind; -1: the answer is no number.
 * top1, top5: share of ranks 0, and 0 to 4; NaN when n is 0. */
typedef struct gn_top_metrics {
    int64_t images;
    double top1, top5;
} gn_top_metrics;

gn_top_metrics gn_top_metrics_of(const int32_t *ranks, int64_t n);
/* Classes before class `label` among n logits; of equal ones the lower class comes first.  -1: a logit is NaN. */
int32_t gn_top_rank(const float *logits, int64_t n, int64_t label);
/* Intervals as gn_single_bootstrap's. */
gn_status gn_top_bootstrap(const int32_t *ranks, int64_t n, int resamples, uint64_t seed, gn_interval *top1_out,
                           gn_interval *top5_out);

typedef struct gn_coco_input {
    const gn_detection *det;
    int64_t n_det;
    const gn_truth *truth;
    int64_t n_truth;
    int64_t n_images;
    int32_t n_classes;
    int max_dets; /* per picture and class; 0: 100 */
} gn_coco_input;

#define GN_COCO_THRESHOLDS 10 /* IoU 0.50, 0.55, ... 0.95 */

/* NaN where no class has a true box (pycocotools' -1). */
typedef struct gn_coco_metrics {
    double map50_95;
    double map50, map75, map95;
    double map[GN_COCO_THRESHOLDS];
    double ar[GN_COCO_THRESHOLDS]; /* average recall at max_dets, per threshold */
    /* At the confidence with the highest F1 of the mean over classes at IoU 0.5.  Detections below it are dropped. */
    double precision, recall, f1, confidence;
    int64_t images, detections, truths; /* truths: those that are to be found (no crowd, not ignored) */
} gn_coco_metrics;

/* Average precision as pycocotools has it: 101 recall points, greedy matching by falling score, the best free true box at or above
 * the threshold, crowd and ignored boxes last; classes without a true box do not count.
 * class_ap_out: f64 [n_classes, GN_COCO_THRESHOLDS] or NULL; NaN for a class without a true box.
 * GN_EINVAL: an index out of range, NaN in a box or score.  GN_ENOMEM. */
gn_status gn_coco_evaluate(const gn_coco_input *input, gn_coco_metrics *metrics_out, double *class_ap_out);

/* Interval of map50 over pictures; a picture drawn k times counts k times.  Otherwise as gn_single_bootstrap. */
gn_status gn_coco_bootstrap_map50(const gn_coco_input *input, int resamples, uint64_t seed, gn_interval *map50_out);

#endif
