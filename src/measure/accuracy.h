/* Accuracy of a model on one split of a data set: runs it over all pictures and computes every metric of its kind.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_MEASURE_ACCURACY_H
#define GN_MEASURE_ACCURACY_H

#include "data/batch.h"
#include "data/dataset.h"
#include "detect/metrics.h"
#include "run/session.h"

typedef struct gn_accuracy_options {
    double beta;   /* of the smooth-L1 validation loss; default 0.1 */
    int resamples; /* of the bootstrap intervals; 0: none are computed (value only) */
    uint64_t seed; /* of the bootstrap */
    bool shows_progress;
} gn_accuracy_options;

gn_accuracy_options gn_accuracy_default_options(void);

/* Pictures that could not be decoded do not count.  NaN where there is nothing to measure: a classifier has no boxes, a box model no
 * classes, a detector no single box.
 * loss: mean smooth-L1 of the largest box in 0..1 of the network's input, over pictures with a box; of a classifier the mean cross
 * entropy (without label smoothing); of a detector NaN.
 * Boxes of the single-box metrics and of mAP are compared in the picture's pixels. */
typedef struct gn_accuracy {
    bool is_classifier, is_detector;
    int64_t images, images_with_box;
    double loss;
    gn_interval mean_iou, box_precision50, map50, map50_95;
    gn_interval top1, top5; /* of a classifier */
    gn_coco_metrics coco;   /* a detector's objects, or a box model's one box per picture, against all true boxes */
    double infer_ms, postprocess_ms; /* per picture, of a model that was run; NaN otherwise */
} gn_accuracy;

/* One picture's prediction, as accuracy saw it.  iou: with the nearest true box; -1 without a true box. */
typedef struct gn_scored_picture {
    int64_t sample;
    gn_box box;  /* pixels of the upright picture */
    float score; /* of a classifier: probability of cls */
    double iou;
    int32_t cls, label; /* of a classifier: its answer and the truth, as classes of the model */
} gn_scored_picture;

/* What a model or another program found in the pictures of a split, and what is there: in pixels, class numbers of the model.
 * All pointers are owned (gn_scored_split_deinit). */
typedef struct gn_scored_split {
    int64_t n_images, n_det, n_truth;
    int64_t *sample; /* [n_images] which picture of the split each one is */
    gn_detection *det;
    gn_truth *truth;
    int32_t n_classes;
    double infer_ms, postprocess_ms; /* per picture; NaN where nothing was run */
    size_t det_capacity;
} gn_scored_split;

void gn_scored_split_deinit(gn_scored_split *scored);
/* Room for all pictures and true boxes of a split.  GN_ENOMEM: deinit is still due. */
gn_status gn_scored_split_reserve(gn_scored_split *scored, const gn_dataset *dataset, gn_split split);
/* The true boxes of the picture that is number n_images.  class_map: [classes of the set] what each is called in *scored. */
void gn_scored_split_add_truths(gn_scored_split *scored, const gn_sample *sample, const int32_t *class_map);

/* All figures NaN. */
gn_accuracy gn_accuracy_nothing(void);

/* Loader over a split with what the model wants (size, fit, normalisation), without augmentation, in order. */
gn_status gn_accuracy_loader(const gn_session *session, const gn_dataset *dataset, gn_split split, int batch,
                             int workers, gn_loader **loader_out, gn_error *err);

/* Runs one epoch of `loader` (over `split`, made by gn_accuracy_loader or alike) through `session` and fills *out.
 * pictures_out: NULL, or receives an owned array (gn_free) of *n_pictures_out entries, in the order of the split (NULL and 0 for a detector:
 * its objects are gn_measure_detections').
 * GN_EUNSUPPORTED: the model answers neither with a box nor with classes.  GN_EDATA: the set has no labels of that kind, or classes
 * that the model does not tell apart (they meet by name when the model knows all of the set's names, else by number).  GN_ECANCELED: a stop was asked for.  GN_ENOMEM. */
gn_status gn_measure_accuracy(gn_session *session, const gn_dataset *dataset, gn_split split, gn_loader *loader,
                              const gn_accuracy_options *options, gn_accuracy *out, gn_scored_picture **pictures_out,
                              int64_t *n_pictures_out, gn_error *err);

/* Session options that detectors are measured with: confidence 0.001, NMS at IoU 0.7, every class of a candidate that is likely enough, at
 * most 300 objects per picture. */
gn_session_options gn_accuracy_session_options(gn_session_options options);

/* Runs one epoch of `loader` through a detector.  Classes meet as in gn_measure_accuracy; crowds and difficult boxes are marked.
 * Errors as gn_measure_accuracy's. */
gn_status gn_measure_detections(gn_session *session, const gn_dataset *dataset, gn_split split, gn_loader *loader,
                                const gn_accuracy_options *options, gn_scored_split *scored_out, gn_error *err);
/* All figures of a detector.  classes_out: [n_classes] or NULL.  GN_EDATA: a box or score is not finite.  GN_ENOMEM. */
gn_status gn_accuracy_of_split(const gn_scored_split *scored, const gn_accuracy_options *options, gn_accuracy *out,
                               gn_coco_class *classes_out, gn_error *err);
/* The split's pictures, boxes and detections as gn_coco_create wants them; borrowed. */
gn_coco_input gn_scored_split_input(const gn_scored_split *scored);

#endif
