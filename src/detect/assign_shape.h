/* Assignment by shape: a truth is answered for by the anchor, of all maps, whose shape overlaps its own most (both laid on one corner;
 * equals: the first), and by those that overlap it by more than the rule's `shape`, in the cell that holds the truth's centre.  Truths
 * that share a candidate all count.
 * Background whose box already overlaps some truth well is not asked for its objectness.
 * Sources: Redmon and Farhadi 2017 (section 2) and 2018 (section 2.1), and the released region and yolo layers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DETECT_ASSIGN_SHAPE_H
#define GN_DETECT_ASSIGN_SHAPE_H

#include "detect/detector_loss_private.h"

int64_t gn_shape_most_hits(const gn_detection *d);
/* Fills the picture's hits with the IoU of their boxes as targets; slots: the hit of a candidate whose target is largest,
 * GN_SLOT_IGNORED or GN_SLOT_BACKGROUND. */
void gn_shape_assign(const gn_detection *d, int64_t n, const gn_picture *picture, void *work);

#endif
