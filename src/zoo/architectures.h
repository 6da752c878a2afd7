/* The architectures: each builds its features, and the classifier that its authors put on them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_ZOO_ARCHITECTURES_H
#define GN_ZOO_ARCHITECTURES_H

#include "zoo/blocks.h"

typedef struct gn_architecture {
    const char *name;  /* torchvision's */
    const char *line;  /* for a list */
    bool takes_width;  /* name@0.35 scales the number of channels */
    int smallest_px;   /* smaller pictures are refused */
    int feature_width; /* channels of the features, at width 1 */
    /* x: [N,3,H,W].  width: 1 unless takes_width. */
    gn_feature (*features)(gn_blocks *b, gn_feature x, double width);
    /* features to logits [N,classes] */
    gn_feature (*classifier)(gn_blocks *b, gn_feature x, int classes);
} gn_architecture;

extern const gn_architecture gn_architecture_mobilenet_v2;
extern const gn_architecture gn_architecture_resnet18;
extern const gn_architecture gn_architecture_squeezenet1_1;

#endif
