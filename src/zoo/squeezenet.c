/* SqueezeNet 1.1: fire modules (squeeze by 1x1, then expand by 1x1 and by 3x3 side by side), no normalisation.
 * Source: Iandola et al. 2016, "SqueezeNet"; version 1.1 as its authors published it; names and initial weights as in torchvision.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/architectures.h"

static gn_feature conv_relu(gn_blocks *b, const char *path, const char *relu, gn_feature x, int K, int kernel,
                            int stride, int pad)
{
    const gn_conv_layer layer = {.K = K,
                                 .kernel = kernel,
                                 .stride = stride,
                                 .pad = pad,
                                 .group = 1,
                                 .has_bias = true,
                                 .init = GN_INIT_HE_UNIFORM_FAN_IN};
    return gn_block_relu(b, relu, gn_block_conv(b, path, x, &layer));
}

static gn_feature fire(gn_blocks *b, int i, gn_feature x, int squeeze, int expand)
{
    const char *path = gn_block_item(b, "features", i);
    x = conv_relu(b, gn_block_path(b, path, "squeeze"), gn_block_path(b, path, "squeeze_activation"), x, squeeze, 1, 1,
                  0);
    const gn_feature small = conv_relu(b, gn_block_path(b, path, "expand1x1"),
                                       gn_block_path(b, path, "expand1x1_activation"), x, expand, 1, 1, 0);
    const gn_feature large = conv_relu(b, gn_block_path(b, path, "expand3x3"),
                                       gn_block_path(b, path, "expand3x3_activation"), x, expand, 3, 1, 1);
    return gn_block_concat(b, gn_block_path(b, path, "concat"), small, large);
}

static gn_feature pool(gn_blocks *b, int i, gn_feature x)
{
    return gn_block_max_pool(b, gn_block_item(b, "features", i), x, 3, 2, 0, true);
}

static gn_feature features(gn_blocks *b, gn_feature x, double width)
{
    (void)width;
    x = conv_relu(b, "features.0", "features.1", x, 64, 3, 2, 0);
    x = pool(b, 2, x);
    x = fire(b, 3, x, 16, 64);
    x = fire(b, 4, x, 16, 64);
    x = pool(b, 5, x);
    x = fire(b, 6, x, 32, 128);
    x = fire(b, 7, x, 32, 128);
    x = pool(b, 8, x);
    x = fire(b, 9, x, 48, 192);
    x = fire(b, 10, x, 48, 192);
    x = fire(b, 11, x, 64, 256);
    return fire(b, 12, x, 64, 256);
}

static gn_feature classifier(gn_blocks *b, gn_feature x, int classes)
{
    const gn_conv_layer last = {
        .K = classes, .kernel = 1, .stride = 1, .group = 1, .has_bias = true, .init = GN_INIT_NORMAL_001};
    x = gn_block_dropout(b, "classifier.0", x, 0.5f);
    x = gn_block_relu(b, "classifier.2", gn_block_conv(b, "classifier.1", x, &last));
    return gn_block_flatten(b, "flatten", gn_block_global_pool(b, "classifier.3", x));
}

const gn_architecture gn_architecture_squeezenet1_1 = {
    .name = "squeezenet1_1",
    .line = "fire modules without normalisation, 2016",
    .smallest_px = 17,
    .feature_width = 512,
    .features = features,
    .classifier = classifier,
};
