/* Calibration of scores: whether a score of 0.7 means that 7 in 10 are right.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DETECT_CALIBRATION_H
#define GN_DETECT_CALIBRATION_H

#include "detect/metrics.h"

#define GN_CALIBRATION_BINS 10

/* confidence, accuracy: means over the bin's answers; NaN when it has none. */
typedef struct gn_calibration_bin {
    double low, high; /* low < score <= high; the first holds 0 as well */
    int64_t n;
    double confidence, accuracy;
} gn_calibration_bin;

/* ece: expected calibration error, the mean of |accuracy - confidence| over answers; mce: its maximum over bins; brier: the mean squared
 * distance of the score from right (1) or wrong (0).  NaN without answers. */
typedef struct gn_calibration {
    int64_t n;
    double ece, mce, brier;
    gn_calibration_bin bin[GN_CALIBRATION_BINS];
} gn_calibration;

/* score: [n] 0..1, others are taken for the nearest of these.  is_right: [n].
 * Source: Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks", section 2; Brier 1950. */
void gn_calibration_of(const double *score, const bool *is_right, int64_t n, gn_calibration *out);

/* The same over matched detections that score at least `from` (a detector's many thousands of doubtful ones would hide the rest): right
 * is a hit at IoU 0.5; what lies in a crowd does not count.  GN_ENOMEM.
 * Source: Kueppers et al. 2020, "Multivariate Confidence Calibration for Object Detection", with the score alone. */
gn_status gn_coco_calibration(const gn_coco *coco, double from, gn_calibration *out);

#endif
