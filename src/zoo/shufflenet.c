/* ShuffleNetV2: half of the channels pass by, the others are filtered; then they are shuffled.
 * Source: Ma et al. 2018, "ShuffleNet V2: Practical guidelines for efficient CNN architecture design", table 5 and figure 3; names and
 * initial weights as in torchvision.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/architectures.h"
#include "zoo/modules.h"

typedef struct shufflenet {
    int stages[3]; /* channels */
} shufflenet;

static const shufflenet x0_5 = {{48, 96, 192}}, x1_0 = {{116, 232, 464}};

static gn_feature across(gn_blocks *b, const char *path, int i, gn_feature x, int K)
{
    const gn_conv_layer layer = gn_conv(K, 1, 1, GN_INIT_LECUN_UNIFORM);
    return gn_module_conv(b, path, i, x, &layer, GN_RELU);
}

static gn_feature each(gn_blocks *b, const char *path, int i, gn_feature x, int stride)
{
    const gn_conv_layer layer = gn_depthwise(x.C, 3, stride, GN_INIT_LECUN_UNIFORM);
    return gn_module_conv(b, path, i, x, &layer, GN_NO_ACT);
}

/* 1x1, each channel, 1x1 */
static gn_feature branch(gn_blocks *b, const char *path, gn_feature x, int K, int stride)
{
    x = across(b, path, 0, x, K);
    x = each(b, path, 3, x, stride);
    return across(b, path, 5, x, K);
}

/* K: channels of the result, half from each side. */
static gn_feature unit(gn_blocks *b, const char *path, gn_feature x, int K, int stride)
{
    gn_feature half[2] = {x, x};
    const char *left = gn_block_path(b, path, "branch1"), *right = gn_block_path(b, path, "branch2");
    if (stride == 1)
        gn_block_halves(b, gn_block_path(b, path, "chunk"), x, half);
    else
        half[0] = across(b, left, 2, each(b, left, 0, x, stride), K / 2);
    half[1] = branch(b, right, half[1], K / 2, stride);
    x = gn_block_concat(b, gn_block_path(b, path, "concat"), half[0], half[1]);
    return gn_module_shuffle(b, gn_block_path(b, path, "shuffle"), x, 2);
}

static gn_feature features(gn_blocks *b, gn_feature x)
{
    static const int repeats[3] = {4, 8, 4};
    const shufflenet *table = b->table;
    const gn_conv_layer first = gn_conv(24, 3, 2, GN_INIT_LECUN_UNIFORM);
    x = gn_module_conv(b, "conv1", 0, x, &first, GN_RELU);
    x = gn_block_max_pool(b, "maxpool", x, 3, 2, 1, false);
    for (int stage = 0; stage < 3; stage++) {
        for (int i = 0; i < repeats[stage]; i++)
            x = unit(b, gn_block_name(b, "stage%d.%d", stage + 2, i), x, table->stages[stage], i == 0 ? 2 : 1);
        gn_block_map(b, x);
    }
    return gn_block_map(b, across(b, "conv5", 0, x, 1024));
}

static gn_feature classifier(gn_blocks *b, gn_feature x, int classes)
{
    x = gn_block_flatten(b, "flatten", gn_block_global_pool(b, "mean", x));
    return gn_block_linear(b, "fc", x, classes, GN_INIT_LECUN_UNIFORM, GN_BIAS_UNIFORM);
}

#define SHUFFLENET(id, about, rows)                                                                                    \
    const gn_architecture gn_architecture_##id = {.name = #id,                                                         \
                                                  .line = about,                                                       \
                                                  .smallest_px = 32,                                                   \
                                                  .feature_width = 1024,                                               \
                                                  .table = &(rows),                                                    \
                                                  .features = features,                                                \
                                                  .classifier = classifier}

SHUFFLENET(shufflenet_v2_x0_5, "channels that are split and shuffled, 2018; half as wide", x0_5);
SHUFFLENET(shufflenet_v2_x1_0, "channels that are split and shuffled, 2018", x1_0);
