/* Task-aligned assignment: a truth is answered for by the candidates that classify and locate it best together.
 * A candidate of a truth is a cell whose centre lies inside its box; the alignment is score^a * overlap^b, overlap being max(CIoU, 0) of
 * the predicted box (or another measure, as the rule says); the top_k best of each truth answer for it (equals: the lower number; overlap 0: none).  A candidate that several
 * truths chose goes to the one, of all that have its centre inside, which it overlaps most (equals: the first).  The target score of a
 * candidate is its alignment, scaled so that the best of its truth gets the largest overlap among the truth's candidates.
 * Source: Feng et al. 2021 (TOOD), section 3.2, with CIoU as YOLOv8's documentation states.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DETECT_ASSIGN_TASK_ALIGNED_H
#define GN_DETECT_ASSIGN_TASK_ALIGNED_H

#include "detect/detector_loss_private.h"

/* Added to the largest alignment of a truth before it is divided by: truths that nothing finds yet ask for little. */
#define GN_TASK_ALIGNED_EPS 1e-9

int64_t gn_task_aligned_most_hits(const gn_detection *d);
size_t gn_task_aligned_work_bytes(const gn_detection *d);
/* Fills the picture's hits and slots (hit number, or GN_SLOT_BACKGROUND) and its sum 0, of target scores. */
void gn_task_aligned_assign(const gn_detection *d, int64_t n, const gn_picture *picture, void *work);

/* The distances left, top, right, bottom of a yolov8 candidate in strides, and (unless NULL) the probabilities of their bins [4][bins]
 * with their logarithms. */
void gn_bins_decode(const gn_detection *d, const gn_candidate *c, double side[4], double *bins, double *log_bins);

#endif
