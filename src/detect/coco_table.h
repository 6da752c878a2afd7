/* Matched detections as the files around coco_match.c share them.  Not for other folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DETECT_COCO_TABLE_H
#define GN_DETECT_COCO_TABLE_H

#include "detect/metrics.h"

/* Detections stand by class, falling score, picture, and rank within picture and class. */
struct gn_coco {
    int64_t n;      /* detections that count: at most max_dets per picture and class */
    int64_t *first; /* [n_classes + 1] where each class begins */
    double *score;
    int32_t *image, *rank;            /* rank: 0.. among those of its picture and class */
    float *iou;                       /* with the box that it hits at IoU 0.5; else 0 */
    uint16_t *hit[GN_COCO_SIZES];     /* bit t: right at threshold t */
    uint16_t *ignored[GN_COCO_SIZES]; /* bit t: does not count */
    int64_t n_truth;
    int64_t *first_truth; /* [n_classes + 1] */
    int32_t *truth_image;
    uint8_t *truth_ignored; /* bit s: not to be found among boxes of size s */
    int32_t n_classes;
    int64_t n_images, n_given; /* n_given: detections given */
};

double gn_coco_iou_threshold(int t);
/* Whether indices are in range and all numbers finite. */
bool gn_coco_input_is_valid(const gn_coco_input *input);
/* True boxes of a class that are to be found.  weight: how often each picture counts; NULL: once. */
double gn_coco_count_truths(const gn_coco *coco, int32_t cls, gn_coco_size size, const int32_t *weight);

/* The points of a class's curves, one set of lists per threshold; see gn_coco_class_ap. */
typedef struct gn_coco_scratch {
    double *tp[GN_COCO_THRESHOLDS], *fp[GN_COCO_THRESHOLDS]; /* [largest number of hits of a class + 1] */
} gn_coco_scratch;

gn_status gn_coco_scratch_init(gn_coco_scratch *scratch, const gn_coco *coco);
void gn_coco_scratch_deinit(gn_coco_scratch *scratch);

/* Average precision and final recall of a class at thresholds 0..n_thresholds-1; false when it has no true box (nothing is written).
 * weight: as above; a picture of weight k is k equal pictures. */
bool gn_coco_class_ap(const gn_coco *coco, int32_t cls, gn_coco_size size, int n_thresholds, const int32_t *weight,
                      gn_coco_scratch *scratch, double *ap_out, double *recall_out);

/* Fills precision, recall, f1 and confidence of `metrics`, and precision, recall and f1 of each class (NULL: not wanted). */
gn_status gn_coco_best_confidence(const gn_coco *coco, gn_coco_metrics *metrics, gn_coco_class *classes);
/* Optimal LRP of a class that has a true box, and its confidence (1 when dropping all is best). */
double gn_coco_class_lrp(const gn_coco *coco, int32_t cls, double *confidence_out);

#endif
