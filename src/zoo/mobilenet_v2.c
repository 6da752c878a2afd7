/* MobileNetV2: inverted residual blocks (expand by a 1x1 convolution, filter each channel by 3x3, project by 1x1 without activation).
 * Source: Sandler et al. 2018, "MobileNetV2: Inverted residuals and linear bottlenecks", table 2; names, initial weights and the
 * rounding of scaled channels as in torchvision.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "zoo/architectures.h"
#include "zoo/modules.h"

static gn_feature features(gn_blocks *b, gn_feature x)
{
    /* expansion t, channels c, repeats n, stride s of the first */
    static const struct {
        int t, c, n, s;
    } rows[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    const gn_conv_layer first = gn_conv(gn_channels_of_8(32 * b->width), 3, 2, GN_INIT_HE_FAN_OUT),
                        last = gn_conv(gn_channels_of_8(1280 * fmax(1, b->width)), 1, 1, GN_INIT_HE_FAN_OUT);
    int i = 0;
    x = gn_module_conv(b, gn_block_item(b, "features", i++), 0, x, &first, GN_RELU6);
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++)
        for (int k = 0; k < rows[row].n; k++) {
            const gn_inverted block = {.hidden = x.C * rows[row].t,
                                       .K = gn_channels_of_8(rows[row].c * b->width),
                                       .kernel = 3,
                                       .stride = k == 0 ? rows[row].s : 1,
                                       .skips_expansion = rows[row].t == 1,
                                       .act = GN_RELU6,
                                       .ends_flat = true};
            x = gn_block_map(b, gn_module_inverted(b, gn_block_name(b, "features.%d.conv", i++), x, &block));
        }
    return gn_block_map(b, gn_module_conv(b, gn_block_item(b, "features", i), 0, x, &last, GN_RELU6));
}

static gn_feature classifier(gn_blocks *b, gn_feature x, int classes)
{
    x = gn_block_flatten(b, "flatten", gn_block_global_pool(b, "pool", x));
    x = gn_block_dropout(b, "classifier.0", x, 0.2f);
    return gn_block_linear(b, "classifier.1", x, classes, GN_INIT_NORMAL_001, GN_BIAS_ZERO);
}

const gn_architecture gn_architecture_mobilenet_v2 = {
    .name = "mobilenet_v2",
    .line = "inverted residuals, 2018; mobilenet_v2@W scales its channels by W",
    .takes_width = true,
    .smallest_px = 32,
    .feature_width = 1280,
    .features = features,
    .classifier = classifier,
};
