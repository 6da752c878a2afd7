/* Heads.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/head.h"

#include <string.h>

static const char *const head_names[] = {
    [GN_HEAD_BOX] = "box", [GN_HEAD_BOX_SCORE] = "box+score", [GN_HEAD_CLASSIFY] = "classify"};

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

int gn_head_outputs(gn_head_kind kind, int classes)
{
    return kind == GN_HEAD_BOX ? 4 : kind == GN_HEAD_BOX_SCORE ? 5 : classes;
}

gn_feature gn_head_build(gn_blocks *b, const gn_architecture *architecture, gn_head_kind kind, gn_feature x,
                         int classes)
{
    if (kind == GN_HEAD_CLASSIFY)
        return architecture->classifier(b, x, classes);
    x = gn_block_flatten(b, "flatten", gn_block_global_pool(b, "pool", x));
    x = gn_block_linear(b, "head.0", x, x.C / 2, GN_INIT_LECUN_UNIFORM);
    x = gn_block_relu(b, "head.1", x);
    return gn_block_linear(b, "head.2", x, gn_head_outputs(kind, classes), GN_INIT_LECUN_UNIFORM);
}
