/* The boxes of one entry of a batch: which of a picture's boxes are targets of training, and the list that they are gathered in.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DATA_SAMPLE_TRUTH_H
#define GN_DATA_SAMPLE_TRUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "data/dataset.h"

/* Rows x1 y1 x2 y2 class, in the order of the boxes. */
typedef struct gn_truth_list {
    float *row; /* [capacity,5], borrowed */
    int capacity, n;
    int64_t dropped; /* boxes that found no room */
} gn_truth_list;

/* A box in 0..1 of the network's input.  When the list is full, the smallest of all (the later one of equals) is dropped. */
void gn_truth_add(gn_truth_list *list, const gn_box *box, int cls);
/* Zeroes the rows behind the last one. */
void gn_truth_close(gn_truth_list *list);

/* Whether box i of the sample is a target of training: all are, but for crowds. */
bool gn_sample_is_target(const gn_sample *sample, int i);
/* Targets of the sample. */
int gn_sample_targets(const gn_sample *sample);

#endif
