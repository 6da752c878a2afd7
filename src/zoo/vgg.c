/* VGG: stacks of 3x3 convolutions between poolings, then two wide linear layers over a raster of 7 x 7.
 * Source: Simonyan and Zisserman 2015, "Very deep convolutional networks for large-scale image recognition", table 1, columns A and D;
 * names and initial weights as in torchvision.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/architectures.h"

/* Filters of each convolution; 0 is a pooling; -1 ends. */
typedef struct vgg {
    bool has_norm;
    int layers[24];
} vgg;

static const vgg a = {false, {64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0, -1}};
static const vgg a_norm = {true, {64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0, -1}};
static const vgg d = {false, {64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0, -1}};

static gn_feature features(gn_blocks *b, gn_feature x)
{
    const vgg *table = b->table;
    int i = 0; /* module */
    for (const int *K = table->layers; *K >= 0; K++) {
        if (*K == 0) {
            x = gn_block_max_pool(b, gn_block_item(b, "features", i++), gn_block_map(b, x), 2, 2, 0, false);
            continue;
        }
        gn_conv_layer layer = gn_conv(*K, 3, 1, GN_INIT_HE_FAN_OUT);
        layer.bias = GN_BIAS_ZERO;
        x = gn_block_conv(b, gn_block_item(b, "features", i++), x, &layer);
        if (table->has_norm)
            x = gn_block_batchnorm(b, gn_block_item(b, "features", i++), x);
        x = gn_block_relu(b, gn_block_item(b, "features", i++), x);
    }
    return gn_block_map(b, x);
}

static gn_feature vector(gn_blocks *b, gn_feature x)
{
    return gn_block_flatten(b, "flatten", gn_block_adaptive_pool(b, "avgpool", x, 7));
}

static gn_feature classifier(gn_blocks *b, gn_feature x, int classes)
{
    x = gn_block_linear(b, "classifier.0", vector(b, x), 4096, GN_INIT_NORMAL_001, GN_BIAS_ZERO);
    x = gn_block_dropout(b, "classifier.2", gn_block_relu(b, "classifier.1", x), 0.5f);
    x = gn_block_linear(b, "classifier.3", x, 4096, GN_INIT_NORMAL_001, GN_BIAS_ZERO);
    x = gn_block_dropout(b, "classifier.5", gn_block_relu(b, "classifier.4", x), 0.5f);
    return gn_block_linear(b, "classifier.6", x, classes, GN_INIT_NORMAL_001, GN_BIAS_ZERO);
}

#define VGG(id, about, layers)                                                                                         \
    const gn_architecture gn_architecture_##id = {.name = #id,                                                         \
                                                  .line = about,                                                       \
                                                  .smallest_px = 32,                                                   \
                                                  .feature_width = 25088,                                              \
                                                  .table = &(layers),                                                  \
                                                  .features = features,                                                \
                                                  .vector = vector,                                                    \
                                                  .classifier = classifier}

VGG(vgg11, "8 convolutions of 3x3 and three linear layers, 2015", a);
VGG(vgg11_bn, "vgg11 with batch normalisation", a_norm);
VGG(vgg16, "13 convolutions of 3x3 and three linear layers, 2015", d);
