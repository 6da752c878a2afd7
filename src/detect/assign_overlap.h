/* Assignment by overlap: an anchor answers for the truth that it overlaps most (equals: the first) from match_high on, is background below
 * match_low, and neither between; the anchors that overlap a truth most of all (several, to 1e-5) answer for the truth that they overlap
 * most, however little.
 * Source: Lin et al. 2017 (RetinaNet), section 4; Ren et al. 2015 (Faster R-CNN) for the last rule.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DETECT_ASSIGN_OVERLAP_H
#define GN_DETECT_ASSIGN_OVERLAP_H

#include "detect/detector_loss_private.h"

size_t gn_overlap_work_bytes(const gn_detection *d);
/* Fills the slots (truth, GN_SLOT_IGNORED or GN_SLOT_BACKGROUND) and sum 0, of anchors that answer for a truth. */
void gn_overlap_assign(const gn_detection *d, int64_t n, const gn_picture *picture, void *work);

/* The anchor of a retinanet candidate: x1 y1 x2 y2 in pixels. */
void gn_overlap_anchor(const gn_detection *d, const gn_candidate *c, double box[4]);

#endif
