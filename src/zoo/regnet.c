/* RegNetX and RegNetY: residual bottlenecks (1x1, grouped 3x3, 1x1) whose widths lie on a line; Y with squeeze-and-excitation.
 * Source: Radosavovic et al. 2020, "Designing network design spaces", figures 18 and 19; names and initial weights as in torchvision.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/architectures.h"
#include "zoo/modules.h"

typedef struct regnet {
    int depths[4], widths[4];
    int group_width;
    bool is_squeezed;
} regnet;

static const regnet x_400mf = {{1, 2, 7, 12}, {32, 64, 160, 400}, 16, false};
static const regnet x_800mf = {{1, 3, 7, 5}, {64, 128, 288, 672}, 16, false};
static const regnet y_400mf = {{1, 3, 6, 6}, {48, 104, 208, 440}, 8, true};
static const regnet y_800mf = {{1, 3, 8, 2}, {64, 144, 320, 784}, 16, true};

static gn_feature bottleneck(gn_blocks *b, const char *path, gn_feature x, int K, int stride)
{
    const regnet *table = b->table;
    const gn_conv_layer across = gn_conv(K, 1, 1, GN_INIT_HE_FAN_OUT),
                        shortcut = gn_conv(K, 1, stride, GN_INIT_HE_FAN_OUT);
    gn_conv_layer grouped = gn_conv(K, 3, stride, GN_INIT_HE_FAN_OUT);
    grouped.group = K / table->group_width;
    /* a quarter of the channels that come in */
    const gn_excitation excitation = {
        .squeeze = (x.C + 2) / 4, .bias = GN_BIAS_UNIFORM, .init = GN_INIT_HE_FAN_OUT, .gate = "Sigmoid"};
    gn_feature y = gn_module_conv(b, gn_block_path(b, path, "f.a"), 0, x, &across, GN_RELU);
    y = gn_module_conv(b, gn_block_path(b, path, "f.b"), 0, y, &grouped, GN_RELU);
    if (table->is_squeezed)
        y = gn_module_excite(b, gn_block_path(b, path, "f.se"), y, &excitation);
    y = gn_module_conv(b, gn_block_path(b, path, "f.c"), 0, y, &across, GN_NO_ACT);
    if (stride != 1 || x.C != K)
        x = gn_module_conv(b, gn_block_path(b, path, "proj"), 0, x, &shortcut, GN_NO_ACT);
    return gn_block_relu(b, gn_block_path(b, path, "activation"), gn_block_add(b, gn_block_path(b, path, "add"), x, y));
}

static gn_feature features(gn_blocks *b, gn_feature x)
{
    const regnet *table = b->table;
    const gn_conv_layer first = gn_conv(32, 3, 2, GN_INIT_HE_FAN_OUT);
    x = gn_module_conv(b, "stem", 0, x, &first, GN_RELU);
    for (int stage = 0; stage < 4; stage++) {
        for (int i = 0; i < table->depths[stage]; i++)
            x = bottleneck(b, gn_block_name(b, "trunk_output.block%d.block%d-%d", stage + 1, stage + 1, i), x,
                           table->widths[stage], i == 0 ? 2 : 1);
        gn_block_map(b, x);
    }
    return x;
}

static gn_feature classifier(gn_blocks *b, gn_feature x, int classes)
{
    x = gn_block_flatten(b, "flatten", gn_block_global_pool(b, "avgpool", x));
    return gn_block_linear(b, "fc", x, classes, GN_INIT_NORMAL_001, GN_BIAS_ZERO);
}

#define REGNET(size, about, width)                                                                                     \
    const gn_architecture gn_architecture_regnet_##size = {.name = "regnet_" #size,                                    \
                                                           .line = about,                                              \
                                                           .smallest_px = 32,                                          \
                                                           .feature_width = width,                                     \
                                                           .table = &(size),                                           \
                                                           .features = features,                                       \
                                                           .classifier = classifier}

REGNET(x_400mf, "grouped bottlenecks whose widths lie on a line, 2020", 400);
REGNET(x_800mf, "the same, larger", 672);
REGNET(y_400mf, "grouped bottlenecks with squeeze-and-excitation, 2020", 440);
REGNET(y_800mf, "the same, larger", 784);
