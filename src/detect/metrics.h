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

/* x, y: the upper left corner; w, h >= 0; all in one unit, pixels or other.  As COCO writes boxes, and in double, so that results from
 * elsewhere meet each threshold as they do in pycocotools. */
typedef struct gn_rect {
    double x, y, w, h;
} gn_rect;

gn_rect gn_rect_of(const gn_box *box);
/* Intersection over union; 0 when there is none. */
double gn_rect_iou(const gn_rect *a, const gn_rect *b);

/* Detections of all pictures.  image: 0..n_images-1.  cls: 0..n_classes-1.  Any order; equal scores keep their order. */
typedef struct gn_detection {
    int64_t image;
    int32_t cls;
    double score;
    gn_rect box;
} gn_detection;

/* A true box.  is_crowd: COCO's iscrowd - matches any number of detections, which then count neither as right nor as wrong, and
 * is itself not to be found; its overlap is intersection over the detection's area.  is_ignored: the same without the crowd overlap
 * (VOC's difficult boxes).  area: of the object, as COCO's annotations have it from its outline; counts when has_area, else w * h. */
typedef struct gn_truth {
    int64_t image;
    int32_t cls;
    bool is_crowd;
    bool is_ignored;
    bool has_area;
    double area;
    gn_rect box;
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

/* By the area of the true box, in square pixels, both ends included: all; up to 32^2; 32^2 to 96^2; from 96^2. */
typedef enum gn_coco_size {
    GN_COCO_ALL = 0,
    GN_COCO_SMALL,
    GN_COCO_MEDIUM,
    GN_COCO_LARGE,
    GN_COCO_SIZES,
} gn_coco_size;

/* NaN where no class has a true box (pycocotools' -1). */
typedef struct gn_coco_metrics {
    double map50_95;
    double map50, map75, map95;
    double map[GN_COCO_THRESHOLDS];
    double ar[GN_COCO_THRESHOLDS];     /* average recall at max_dets, per threshold */
    double map_of_size[GN_COCO_SIZES]; /* mAP50-95 by size; [GN_COCO_ALL] is map50_95 */
    double ar_of_size[GN_COCO_SIZES];  /* average recall over the thresholds at max_dets, by size */
    double ar1, ar10;                  /* the same with at most 1 and 10 detections per picture and class, all sizes */
    /* At the confidence with the highest F1 of the mean over classes at IoU 0.5.  Detections below it are dropped. */
    double precision, recall, f1, confidence;
    double lrp;                         /* mean over classes of the optimal LRP error, 0 (perfect) .. 1 */
    int64_t images, detections, truths; /* truths: those that are to be found (no crowd, not ignored) */
} gn_coco_metrics;

/* One class.  NaN for a class without a true box.  precision, recall, f1: at gn_coco_metrics.confidence. */
typedef struct gn_coco_class {
    double ap[GN_COCO_THRESHOLDS];
    double map_of_size[GN_COCO_SIZES];
    double ar_of_size[GN_COCO_SIZES];
    double precision, recall, f1;
    double lrp, lrp_confidence; /* optimal LRP and the confidence at which it is reached */
    int64_t images, truths;     /* true boxes that are to be found, and pictures with at least one */
} gn_coco_class;

/* Detections matched to true boxes, from which all figures below are counted.  Holds no pointer into the input. */
typedef struct gn_coco gn_coco;

/* Matches as pycocotools does: per picture and class by falling score (equal scores in the order given), each threshold for itself, the
 * best free true box at or above the threshold, crowd and ignored boxes last; true boxes outside the range of sizes are ignored
 * there, and so are unmatched detections outside it.
 * GN_EINVAL: an index out of range, NaN in a box, score or area.  GN_ENOMEM. */
gn_status gn_coco_create(const gn_coco_input *input, gn_coco **coco_out);
void gn_coco_destroy(gn_coco **coco);

/* Average precision as pycocotools has it: 101 recall points; classes without a true box do not count.
 * LRP - Oksuz et al. 2018, "Localization Recall Precision": at a confidence, the sum of (1 - IoU) / 0.5 over hits at IoU 0.5, plus wrong
 * detections, plus missed boxes, over the count of all three; optimal: its minimum over confidences.
 * classes_out: [n_classes] or NULL.  GN_ENOMEM. */
gn_status gn_coco_measure(const gn_coco *coco, gn_coco_metrics *metrics_out, gn_coco_class *classes_out);

/* gn_coco_create and gn_coco_measure in one. */
gn_status gn_coco_evaluate(const gn_coco_input *input, gn_coco_metrics *metrics_out, gn_coco_class *classes_out);

/* Intervals of map50 and map50_95 over pictures; a picture drawn k times counts k times.  Either may be NULL.
 * Otherwise as gn_single_bootstrap. */
gn_status gn_coco_bootstrap(const gn_coco *coco, int resamples, uint64_t seed, gn_interval *map50_out,
                            gn_interval *map50_95_out);

#define GN_CURVE_POINTS 1000

/* Precision, recall and F1 at IoU 0.5 over the confidence i / 999: detections at or above it count.  precision: 1 where there is none.
 * envelope: the highest precision at a recall of at least i / 999. */
typedef struct gn_coco_curves {
    double precision[GN_CURVE_POINTS], recall[GN_CURVE_POINTS], f1[GN_CURVE_POINTS], envelope[GN_CURVE_POINTS];
} gn_coco_curves;

/* cls: a class; -1: the mean over classes with a true box.  All NaN for a class without one.  GN_EINVAL: cls out of range. */
gn_status gn_coco_curves_of(const gn_coco *coco, int32_t cls, gn_coco_curves *curves_out);

/* What a picture's detections at or above a confidence are at IoU 0.5. */
typedef struct gn_coco_picture {
    int32_t hits, wrong, missed;
} gn_coco_picture;

/* pictures_out: [n_images]. */
void gn_coco_pictures(const gn_coco *coco, double confidence, gn_coco_picture *pictures_out);

/* Confusion matrix: counts of [predicted][true] class, [n_classes + 1] squared, the last row and column standing for background.
 * Detections with a score above conf; pairs with IoU above iou_min, of any classes, by falling IoU: each detection keeps its best true
 * box, then each true box its best detection.  Crowds and ignored boxes do not count, nor do detections that are left with one of these.
 * matrix: s64, written whole.  Usual: conf 0.25, iou_min 0.45.  GN_EINVAL as gn_coco_create.  GN_ENOMEM. */
gn_status gn_confusion_matrix(const gn_coco_input *input, double conf, double iou_min, int64_t *matrix);

/* Average precision of one class in the way of PASCAL VOC. */
typedef struct gn_voc_class {
    double ap11;    /* VOC2007: mean over recall 0, 0.1, .. 1 of the highest precision at or beyond it */
    double ap_area; /* from VOC2010: area under the falling envelope of precision over recall */
    int64_t truths; /* to be found */
} gn_voc_class;

/* By falling score over all pictures, each detection looks at the true box with the highest overlap, taken or not: below iou_min it is
 * wrong, with an ignored (difficult) one it does not count, with a taken one it is wrong, else right.  VOC's corners are whole pixels,
 * both included: hand x = xmin, w = xmax - xmin + 1.  max_dets does not count; crowds count as ignored.
 * classes_out: [n_classes], NaN for a class without a true box.  ap11_out, ap_area_out: means over the others, NaN without any.
 * iou_min: usually 0.5.  GN_EINVAL as gn_coco_create.  GN_ENOMEM.  Source: Everingham et al. 2010 and the VOC development kits. */
gn_status gn_voc_evaluate(const gn_coco_input *input, double iou_min, gn_voc_class *classes_out, double *ap11_out,
                          double *ap_area_out);

#endif
