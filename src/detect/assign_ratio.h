/* Assignment by ratio: an anchor answers for the truths whose sides differ from its own by less than a factor, in the cell that holds the
 * truth's centre and in the two neighbours whose border is next to it.
 * Source: YOLOv5's documentation ("Build targets").
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DETECT_ASSIGN_RATIO_H
#define GN_DETECT_ASSIGN_RATIO_H

#include "detect/detector_loss_private.h"

int64_t gn_ratio_most_hits(const gn_detection *d);
/* Fills the picture's hits, map by map, with max(CIoU, 0) as their targets; slots: the hit that asks a candidate for most objectness, or
 * GN_SLOT_BACKGROUND; and sum m: the hits of map m. */
void gn_ratio_assign(const gn_detection *d, int64_t n, const gn_picture *picture, void *work);

#endif
