/* Boxes and what is computed from a pair of them: the IoU family with gradients, and the scalar regression losses.  The loss
 * operators and the metrics both call these functions, so a formula stands in one place.
 * Sources: GIoU - Rezatofighi et al. 2019; DIoU and CIoU - Zheng et al. 2020 (AAAI), "Distance-IoU loss".
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DETECT_BOX_H
#define GN_DETECT_BOX_H

#include <stdbool.h>

/* Corners; the unit (pixels or 0..1) is the caller's.  x1 <= x2 and y1 <= y2 unless a function says otherwise. */
typedef struct gn_box {
    float x1, y1, x2, y2;
} gn_box;

/* Area; 0 for a box with x2 < x1 or y2 < y1. */
double gn_box_area(const gn_box *box);
/* Intersection over union, 0..1; 0 when the union is empty.  No epsilon. */
double gn_box_iou(const gn_box *a, const gn_box *b);
/* The part of `box` inside 0..width, 0..height. */
gn_box gn_box_clip(const gn_box *box, float width, float height);

typedef enum gn_iou_kind {
    GN_IOU_PLAIN = 0,
    GN_IOU_G,
    GN_IOU_D,
    GN_IOU_C,
} gn_iou_kind;

/* "iou", "giou", "diou", "ciou".  Static storage. */
const char *gn_iou_kind_name(gn_iou_kind kind);
/* False for an unknown name. */
bool gn_iou_kind_parse(const char *name, gn_iou_kind *out);

/* Added to denominators of the losses below. */
#define GN_IOU_EPS 1e-7

/* The measure itself: IoU in 0..1, GIoU and DIoU in -1..1, CIoU in about -1.5..1.  x1 y1 x2 y2 each.
 * A degenerate prediction (x2 < x1) has width 0 for its area and its aspect; its centre is the mean of its corners as they are.
 * GIoU's enclosing box covers all corners, so that an inverted prediction is pulled right again; DIoU and CIoU take
 * max(x2) - min(x1), because there a larger enclosing box would reward it. */
double gn_box_iou_value(gn_iou_kind kind, const double pred[4], const double target[4]);

/* 1 - measure, and its gradient with respect to `pred` (dpred: 4 values, or NULL).
 * CIoU's trade-off weight alpha is a constant in the gradient, as in the paper.  The gradient is finite everywhere; at kinks
 * (equal corners) it is one of the one-sided values, and where a clamp is active the clamped quantity contributes nothing. */
double gn_box_iou_loss(gn_iou_kind kind, const double pred[4], const double target[4], double dpred[4]);

/* Smooth L1 with the quadratic part below beta: |d| < beta ? d*d/(2 beta) : |d| - beta/2, as PyTorch has it; beta 0 is |d|.
 * beta >= 0.  d = pred - target. */
double gn_smooth_l1(double d, double beta);
double gn_smooth_l1_grad(double d, double beta); /* by d */
/* Squared error d*d and its derivative. */
double gn_squared_error(double d);
double gn_squared_error_grad(double d);

#endif
