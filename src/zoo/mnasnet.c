/* MnasNet-B1: inverted residuals of 3x3 and 5x5, as a search on a phone found them.
 * Source: Tan et al. 2019, "MnasNet: Platform-aware neural architecture search for mobile", figure 7; names, initial weights and the
 * rounding of scaled channels as in torchvision.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/architectures.h"
#include "zoo/modules.h"

static const double half = 0.5, one = 1.0, one_and_three = 1.3;

static gn_feature features(gn_blocks *b, gn_feature x)
{
    /* channels c, kernel k, stride s of the first, expansion t, repeats n */
    static const struct {
        int c, k, s, t, n;
    } rows[] = {{24, 3, 2, 3, 3}, {40, 5, 2, 3, 3},  {80, 5, 2, 6, 3},
                {96, 3, 1, 6, 2}, {192, 5, 2, 6, 4}, {320, 3, 1, 6, 1}};
    const double width = *(const double *)b->table;
    const int K = gn_channels_of_8(32 * width);
    const gn_conv_layer first = gn_conv(K, 3, 2, GN_INIT_HE_FAN_OUT), each = gn_depthwise(K, 3, 1, GN_INIT_HE_FAN_OUT),
                        project = gn_conv(gn_channels_of_8(16 * width), 1, 1, GN_INIT_HE_FAN_OUT),
                        last = gn_conv(1280, 1, 1, GN_INIT_HE_FAN_OUT);
    x = gn_module_conv(b, "layers", 0, x, &first, GN_RELU);
    x = gn_module_conv(b, "layers", 3, x, &each, GN_RELU);
    x = gn_module_conv(b, "layers", 6, x, &project, GN_NO_ACT);
    for (int row = 0; row < (int)(sizeof rows / sizeof rows[0]); row++)
        for (int k = 0; k < rows[row].n; k++) {
            const gn_inverted block = {.hidden = x.C * rows[row].t,
                                       .K = gn_channels_of_8(rows[row].c * width),
                                       .kernel = rows[row].k,
                                       .stride = k == 0 ? rows[row].s : 1,
                                       .act = GN_RELU,
                                       .is_flat = true};
            x = gn_block_map(b, gn_module_inverted(b, gn_block_name(b, "layers.%d.%d.layers", 8 + row, k), x, &block));
        }
    return gn_block_map(b, gn_module_conv(b, "layers", 14, x, &last, GN_RELU));
}

static gn_feature classifier(gn_blocks *b, gn_feature x, int classes)
{
    x = gn_block_flatten(b, "flatten", gn_block_global_pool(b, "avgpool", x));
    x = gn_block_dropout(b, "classifier.0", x, 0.2f);
    return gn_block_linear(b, "classifier.1", x, classes, GN_INIT_UNIFORM_FAN_OUT, GN_BIAS_ZERO);
}

#define MNASNET(id, about, width)                                                                                      \
    const gn_architecture gn_architecture_##id = {.name = #id,                                                         \
                                                  .line = about,                                                       \
                                                  .smallest_px = 32,                                                   \
                                                  .feature_width = 1280,                                               \
                                                  .table = &(width),                                                   \
                                                  .norm_momentum = 3e-4f,                                              \
                                                  .features = features,                                                \
                                                  .classifier = classifier}

MNASNET(mnasnet0_5, "inverted residuals found on a phone, 2019; half as wide", half);
MNASNET(mnasnet1_0, "inverted residuals found on a phone, 2019", one);
MNASNET(mnasnet1_3, "the same, 1.3 times as wide", one_and_three);
