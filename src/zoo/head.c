/* Heads.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/head.h"

#include <string.h>

#define FIRST_MAP 3 /* stride 8 */

static const char *const head_names[] = {[GN_HEAD_BOX] = "box",
                                         [GN_HEAD_BOX_SCORE] = "box+score",
                                         [GN_HEAD_CLASSIFY] = "classify",
                                         [GN_HEAD_FEATURES] = "features",
                                         [GN_HEAD_DETECT] = "detect"};

bool gn_head_parse(const char *name, gn_head_kind *out)
{
    for (size_t i = 0; i < sizeof head_names / sizeof head_names[0]; i++)
        if (strcmp(name, head_names[i]) == 0) {
            *out = (gn_head_kind)i;
            return true;
        }
    return false;
}

const char *gn_head_name(gn_head_kind kind)
{
    return head_names[kind];
}

static gn_feature box_head(gn_blocks *b, const gn_architecture *architecture, gn_feature x, int numbers)
{
    if (architecture->vector)
        x = architecture->vector(b, x);
    else
        x = gn_block_flatten(b, "flatten", gn_block_global_pool(b, "pool", x));
    x = gn_block_linear(b, "head.0", x, x.C / 2, GN_INIT_LECUN_UNIFORM, GN_BIAS_UNIFORM);
    x = gn_block_unary(b, "Relu", "head.1", x);
    return gn_block_linear(b, "head.2", x, numbers, GN_INIT_LECUN_UNIFORM, GN_BIAS_UNIFORM);
}

static int feature_maps(gn_blocks *b, gn_head_output outputs[GN_HEAD_MOST_OUTPUTS])
{
    static const char *const names[GN_HEAD_MOST_OUTPUTS] = {"map8", "map16", "map32"};
    gn_block_fill_maps(b);
    for (int i = 0; i < GN_HEAD_MOST_OUTPUTS; i++)
        outputs[i] = (gn_head_output){b->maps[FIRST_MAP + i], names[i]};
    return GN_HEAD_MOST_OUTPUTS;
}

int gn_head_build(gn_blocks *b, const gn_architecture *architecture, gn_head_kind kind, gn_feature x, int classes,
                  gn_head_output outputs[GN_HEAD_MOST_OUTPUTS])
{
    switch (kind) {
    case GN_HEAD_BOX:
        outputs[0] = (gn_head_output){box_head(b, architecture, x, 4), "boxes"};
        return 1;
    case GN_HEAD_BOX_SCORE:
        outputs[0] = (gn_head_output){box_head(b, architecture, x, 5), "boxes"};
        return 1;
    case GN_HEAD_CLASSIFY:
        outputs[0] = (gn_head_output){architecture->classifier(b, x, classes), "logits"};
        return 1;
    case GN_HEAD_FEATURES:
    case GN_HEAD_DETECT:
        break;
    }
    return feature_maps(b, outputs);
}
