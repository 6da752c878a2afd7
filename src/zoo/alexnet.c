/* AlexNet in the form of one column: five convolutions, then two wide linear layers over a raster of 6 x 6.
 * Source: Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks"; names and initial weights as in
 * torchvision.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/architectures.h"

static gn_feature conv_relu(gn_blocks *b, int i, gn_feature x, int K, int kernel, int stride, int pad)
{
    gn_conv_layer layer = gn_conv(K, kernel, stride, GN_INIT_LECUN_UNIFORM);
    layer.pad_h = layer.pad_w = pad;
    layer.bias = GN_BIAS_UNIFORM;
    x = gn_block_conv(b, gn_block_item(b, "features", i), x, &layer);
    return gn_block_map(b, gn_block_relu(b, gn_block_item(b, "features", i + 1), x));
}

static gn_feature pool(gn_blocks *b, int i, gn_feature x)
{
    return gn_block_max_pool(b, gn_block_item(b, "features", i), x, 3, 2, 0, false);
}

static gn_feature features(gn_blocks *b, gn_feature x)
{
    x = conv_relu(b, 0, x, 64, 11, 4, 2);
    x = pool(b, 2, x);
    x = conv_relu(b, 3, x, 192, 5, 1, 2);
    x = pool(b, 5, x);
    x = conv_relu(b, 6, x, 384, 3, 1, 1);
    x = conv_relu(b, 8, x, 256, 3, 1, 1);
    x = conv_relu(b, 10, x, 256, 3, 1, 1);
    return gn_block_map(b, pool(b, 12, x));
}

static gn_feature vector(gn_blocks *b, gn_feature x)
{
    return gn_block_flatten(b, "flatten", gn_block_adaptive_pool(b, "avgpool", x, 6));
}

static gn_feature classifier(gn_blocks *b, gn_feature x, int classes)
{
    x = gn_block_dropout(b, "classifier.0", vector(b, x), 0.5f);
    x = gn_block_linear(b, "classifier.1", x, 4096, GN_INIT_LECUN_UNIFORM, GN_BIAS_UNIFORM);
    x = gn_block_dropout(b, "classifier.3", gn_block_relu(b, "classifier.2", x), 0.5f);
    x = gn_block_linear(b, "classifier.4", x, 4096, GN_INIT_LECUN_UNIFORM, GN_BIAS_UNIFORM);
    x = gn_block_relu(b, "classifier.5", x);
    return gn_block_linear(b, "classifier.6", x, classes, GN_INIT_LECUN_UNIFORM, GN_BIAS_UNIFORM);
}

const gn_architecture gn_architecture_alexnet = {
    .name = "alexnet",
    .line = "five convolutions and three linear layers, 2012",
    .smallest_px = 63,
    .feature_width = 9216,
    .features = features,
    .vector = vector,
    .classifier = classifier,
};
