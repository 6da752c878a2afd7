/* What stands on an architecture's features.
 *   box:       mean over the picture -> Linear to half -> ReLU -> Linear to 4: x1 y1 x2 y2 in 0..1 of the network's input
 *   box+score: the same with a fifth number, the logit of "there is an object"
 *   classify:  the architecture's own classifier
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_ZOO_HEAD_H
#define GN_ZOO_HEAD_H

#include "zoo/architectures.h"

typedef enum gn_head_kind { GN_HEAD_BOX, GN_HEAD_BOX_SCORE, GN_HEAD_CLASSIFY } gn_head_kind;

/* "box", "box+score", "classify"; false for another name. */
bool gn_head_parse(const char *name, gn_head_kind *out);
const char *gn_head_name(gn_head_kind kind);
/* Numbers per picture. */
int gn_head_outputs(gn_head_kind kind, int classes);
gn_feature gn_head_build(gn_blocks *b, const gn_architecture *architecture, gn_head_kind kind, gn_feature x,
                         int classes);

#endif
