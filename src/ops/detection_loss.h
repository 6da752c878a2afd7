/* How a DetectionLoss node is read: its attributes and the shapes of its operands, for the reference and for backends.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_DETECTION_LOSS_H
#define GN_OPS_DETECTION_LOSS_H

#include "detect/detector_loss.h"
#include "graph/op.h"

/* Operands: the truths, their numbers, weights of pictures and of classes, then the raw maps; loss and parts, then gradients. */
#define GN_DETECTION_LOSS_TRUTH        0
#define GN_DETECTION_LOSS_N_TRUTH      1
#define GN_DETECTION_LOSS_WEIGHT       2
#define GN_DETECTION_LOSS_CLASS_WEIGHT 3
#define GN_DETECTION_LOSS_MAPS         4
#define GN_DETECTION_LOSS_GRADS        2

/* Detector, rule and sizes of a node; no pointers, and steps of maps that lie in memory N,H,W,C.
 * GN_ESHAPE: names the operand or attribute that does not fit. */
gn_status gn_detection_of_node(const gn_graph *graph, const gn_node *node, gn_detection *out, gn_error *err);

#endif
