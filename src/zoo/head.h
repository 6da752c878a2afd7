/* What stands on an architecture's features.
 *   box:       the features as one vector -> Linear to half -> ReLU -> Linear to 4: x1 y1 x2 y2 in 0..1 of the network's input
 *   box+score: the same with a fifth number, the logit of "there is an object"
 *   classify:  the architecture's own classifier
 *   detect:    of detectors alone, see detectors.h; gn_head_build does not know it
 *   features:  no head: the maps at strides 8, 16 and 32, for detectors.  Where a network stops earlier, 2x2 max pooling goes on.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_ZOO_HEAD_H
#define GN_ZOO_HEAD_H

#include "zoo/architectures.h"

typedef enum gn_head_kind {
    GN_HEAD_BOX,
    GN_HEAD_BOX_SCORE,
    GN_HEAD_CLASSIFY,
    GN_HEAD_FEATURES,
    GN_HEAD_DETECT
} gn_head_kind;

#define GN_HEAD_MOST_OUTPUTS 3

typedef struct gn_head_output {
    gn_feature x;
    const char *name; /* "boxes", "logits", "map8", "map16", "map32" */
} gn_head_output;

/* "box", "box+score", "classify", "features", "detect"; false for another name. */
bool gn_head_parse(const char *name, gn_head_kind *out);
const char *gn_head_name(gn_head_kind kind);
/* Returns how many outputs there are. */
int gn_head_build(gn_blocks *b, const gn_architecture *architecture, gn_head_kind kind, gn_feature x, int classes,
                  gn_head_output outputs[GN_HEAD_MOST_OUTPUTS]);

#endif
