/* ResNet-18: pairs of 3x3 convolutions around which the input is added again.
 * Source: He et al. 2016, "Deep residual learning for image recognition", table 1; names and initial weights as in torchvision.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/architectures.h"

static gn_feature conv(gn_blocks *b, const char *path, gn_feature x, int K, int kernel, int stride)
{
    const gn_conv_layer layer = gn_conv(K, kernel, stride, GN_INIT_HE_FAN_OUT);
    return gn_block_conv(b, path, x, &layer);
}

static gn_feature basic_block(gn_blocks *b, const char *path, gn_feature x, int K, int stride)
{
    gn_feature y = conv(b, gn_block_path(b, path, "conv1"), x, K, 3, stride);
    y = gn_block_batchnorm(b, gn_block_path(b, path, "bn1"), y);
    y = gn_block_relu(b, gn_block_path(b, path, "relu"), y);
    y = conv(b, gn_block_path(b, path, "conv2"), y, K, 3, 1);
    y = gn_block_batchnorm(b, gn_block_path(b, path, "bn2"), y);
    if (stride != 1 || x.C != K) {
        x = conv(b, gn_block_path(b, path, "downsample.0"), x, K, 1, stride);
        x = gn_block_batchnorm(b, gn_block_path(b, path, "downsample.1"), x);
    }
    y = gn_block_add(b, gn_block_path(b, path, "add"), y, x);
    return gn_block_relu(b, gn_block_path(b, path, "relu"), y);
}

static gn_feature features(gn_blocks *b, gn_feature x)
{
    static const char *const stages[] = {"layer1", "layer2", "layer3", "layer4"};
    x = gn_block_batchnorm(b, "bn1", conv(b, "conv1", x, 64, 7, 2));
    x = gn_block_max_pool(b, "maxpool", gn_block_relu(b, "relu", x), 3, 2, 1, false);
    for (int stage = 0; stage < 4; stage++)
        for (int i = 0; i < 2; i++)
            x = gn_block_map(
                b, basic_block(b, gn_block_item(b, stages[stage], i), x, 64 << stage, stage > 0 && i == 0 ? 2 : 1));
    return x;
}

static gn_feature classifier(gn_blocks *b, gn_feature x, int classes)
{
    x = gn_block_flatten(b, "flatten", gn_block_global_pool(b, "avgpool", x));
    return gn_block_linear(b, "fc", x, classes, GN_INIT_LECUN_UNIFORM, GN_BIAS_UNIFORM);
}

const gn_architecture gn_architecture_resnet18 = {
    .name = "resnet18",
    .line = "residual network of 18 layers, 2016",
    .smallest_px = 32,
    .feature_width = 512,
    .features = features,
    .classifier = classifier,
};
