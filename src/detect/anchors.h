/* Anchors for a data set: k-means on the boxes' widths and heights, where the distance to an anchor is 1 - IoU of two boxes that share
 * a corner, after which the sides are moved while the mean IoU still rises; and how well anchors cover boxes.
 * Sources: Redmon and Farhadi 2017, "YOLO9000", section 2 (the distance); Arthur and Vassilvitskii 2007, "k-means++" (the start).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DETECT_ANCHORS_H
#define GN_DETECT_ANCHORS_H

#include <stdint.h>

#include "base/status.h"

#define GN_ANCHORS_MAX 64
/* Detectors that assign boxes to anchors by shape take a box whose sides are at most this many times the anchor's, and at least its part. */
#define GN_ANCHORS_RATIO 4.0

/* How anchors fit boxes. */
typedef struct gn_anchor_fit {
    double mean_iou;    /* of each box with its best anchor */
    double best_recall; /* share of boxes that some anchor may take, by the ratio of sides */
    double per_box;     /* anchors that may take a box, on average */
} gn_anchor_fit;

/* size: [n][2] widths and heights, > 0; anchor: [k][2], > 0.  ratio: > 1, usually GN_ANCHORS_RATIO.  All NaN when n is 0. */
gn_anchor_fit gn_anchors_measure(const float (*size)[2], int64_t n, const float (*anchor)[2], int k, double ratio);

/* The anchors of the best of several runs, by rising area (the finest stride's first).
 * size: [n][2], > 0, in the unit that the anchors shall have: pixels of the network's input.  k: 1..GN_ANCHORS_MAX.
 * anchor_out: [k][2].  Where there are fewer sizes than anchors, some are the same.  The same seed gives the same bits.
 * GN_EINVAL: k, n < 1, a size that is not above 0.  GN_ENOMEM.  Cost: a second for 40,000 sizes and 9 anchors. */
gn_status gn_anchors_kmeans(const float (*size)[2], int64_t n, int k, uint64_t seed, float (*anchor_out)[2]);

#endif
