/* The architectures: each builds its features, and the classifier that its authors put on them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_ZOO_ARCHITECTURES_H
#define GN_ZOO_ARCHITECTURES_H

#include "zoo/blocks.h"

typedef struct gn_architecture {
    const char *name;    /* torchvision's, where it has it */
    const char *line;    /* for a list */
    bool takes_width;    /* name@0.35 scales the number of channels */
    int smallest_px;     /* smaller pictures are refused */
    int feature_width;   /* numbers per picture that a head gets, at width 1 */
    const void *table;   /* what tells members of a family apart, in the family's own form; found as b->table */
    float norm_epsilon;  /* of BatchNormalization; 0: 1e-5 */
    float norm_momentum; /* share of the newest batch in the running statistics; 0: 0.1 */
    /* x: [N,3,H,W].  Says with gn_block_map where stages end. */
    gn_feature (*features)(gn_blocks *b, gn_feature x);
    /* features to one vector [N,feature_width] per picture; NULL: the mean over the picture */
    gn_feature (*vector)(gn_blocks *b, gn_feature x);
    /* features to logits [N,classes] */
    gn_feature (*classifier)(gn_blocks *b, gn_feature x, int classes);
} gn_architecture;

#define GN_ARCHITECTURE(name) extern const gn_architecture gn_architecture_##name;
#include "zoo/architectures.def"
#undef GN_ARCHITECTURE

#endif
