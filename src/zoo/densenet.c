/* DenseNet-121: dense blocks with transitions (1x1 to half the channels, mean pooling) between.
 * Source: Huang et al. 2017, "Densely connected convolutional networks", table 1; names and initial weights as in torchvision.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/architectures.h"
#include "zoo/modules.h"

#define GROWTH 32

static gn_feature transition(gn_blocks *b, const char *path, gn_feature x)
{
    const gn_conv_layer half = gn_conv(x.C / 2, 1, 1, GN_INIT_HE_FAN_IN);
    x = gn_block_batchnorm(b, gn_block_path(b, path, "norm"), x);
    x = gn_block_map(b, gn_block_relu(b, gn_block_path(b, path, "relu"), x));
    x = gn_block_conv(b, gn_block_path(b, path, "conv"), x, &half);
    return gn_block_average_pool(b, gn_block_path(b, path, "pool"), x, 2, 2);
}

static gn_feature features(gn_blocks *b, gn_feature x)
{
    static const int layers[4] = {6, 12, 24, 16};
    const gn_conv_layer first = gn_conv(64, 7, 2, GN_INIT_HE_FAN_IN);
    x = gn_block_conv(b, "features.conv0", x, &first);
    x = gn_block_relu(b, "features.relu0", gn_block_batchnorm(b, "features.norm0", x));
    x = gn_block_max_pool(b, "features.pool0", x, 3, 2, 1, false);
    for (int i = 0; i < 4; i++) {
        x = gn_module_dense_block(b, gn_block_name(b, "features.denseblock%d", i + 1), x, layers[i], GROWTH);
        if (i < 3)
            x = transition(b, gn_block_name(b, "features.transition%d", i + 1), x);
    }
    return gn_block_map(b, gn_block_relu(b, "relu", gn_block_batchnorm(b, "features.norm5", x)));
}

static gn_feature classifier(gn_blocks *b, gn_feature x, int classes)
{
    x = gn_block_flatten(b, "flatten", gn_block_global_pool(b, "avgpool", x));
    return gn_block_linear(b, "classifier", x, classes, GN_INIT_LECUN_UNIFORM, GN_BIAS_ZERO);
}

const gn_architecture gn_architecture_densenet121 = {
    .name = "densenet121",
    .line = "every layer sees all before it, 2017",
    .smallest_px = 29,
    .feature_width = 1024,
    .features = features,
    .classifier = classifier,
};
