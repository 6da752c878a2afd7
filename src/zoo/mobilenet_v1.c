/* MobileNet: depthwise separable convolutions, at any width.
 * Source: Howard et al. 2017, "MobileNets: Efficient convolutional neural networks for mobile vision applications", table 1.  It has no
 * form in torchvision; names are those that its PyTorch implementations share (stage1.0.0, ..., fc), padding is one pixel on each
 * side, scaled channels are cut to whole numbers (at least 8), and initial weights are as in mobilenet_v2.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/architectures.h"
#include "zoo/modules.h"

#define FEWEST_CHANNELS 8

static int scaled(const gn_blocks *b, int channels)
{
    const int wish = (int)(channels * b->width);
    return wish < FEWEST_CHANNELS ? FEWEST_CHANNELS : wish;
}

static gn_feature features(gn_blocks *b, gn_feature x)
{
    /* channels c, repeats n, stride s of the first, as in the paper's table; a stage for each of the strides 8, 16, 32 */
    static const struct {
        int stage, c, n, s;
    } rows[] = {{1, 64, 1, 1},  {1, 128, 1, 2}, {1, 128, 1, 1},  {1, 256, 1, 2}, {1, 256, 1, 1},
                {2, 512, 1, 2}, {2, 512, 5, 1}, {3, 1024, 1, 2}, {3, 1024, 1, 1}};
    const gn_conv_layer first = gn_conv(scaled(b, 32), 3, 2, GN_INIT_HE_FAN_OUT);
    int stage = 1, i = 1;
    x = gn_module_conv(b, "stage1.0", 0, x, &first, GN_RELU);
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++)
        for (int k = 0; k < rows[row].n; k++) {
            i = rows[row].stage == stage ? i : 0;
            stage = rows[row].stage;
            x = gn_module_separable(b, gn_block_name(b, "stage%d.%d", stage, i++), x, scaled(b, rows[row].c),
                                    k == 0 ? rows[row].s : 1, GN_INIT_HE_FAN_OUT, GN_RELU);
            gn_block_map(b, x);
        }
    return x;
}

static gn_feature classifier(gn_blocks *b, gn_feature x, int classes)
{
    x = gn_block_flatten(b, "flatten", gn_block_global_pool(b, "avgpool", x));
    return gn_block_linear(b, "fc", x, classes, GN_INIT_NORMAL_001, GN_BIAS_ZERO);
}

const gn_architecture gn_architecture_mobilenet_v1 = {
    .name = "mobilenet_v1",
    .line = "depthwise separable convolutions, 2017; mobilenet_v1@W scales its channels by W",
    .takes_width = true,
    .smallest_px = 32,
    .feature_width = 1024,
    .features = features,
    .classifier = classifier,
};
