/* ResNet-20 for pictures of 32 x 32 px: three stages of three pairs of 3x3 convolutions.  Where a stage begins, the shortcut takes every
 * second pixel and fills the new channels with zeros (option A), so it has no weights.
 * Source: He et al. 2016, "Deep residual learning for image recognition", section 4.2.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/architectures.h"

static gn_feature conv(gn_blocks *b, const char *path, gn_feature x, int K, int stride)
{
    const gn_conv_layer layer = gn_conv(K, 3, stride, GN_INIT_HE_FAN_IN);
    return gn_block_conv(b, path, x, &layer);
}

/* Every second pixel; the new channels are half in front of the old ones and half behind. */
static gn_feature shortcut(gn_blocks *b, const char *path, gn_feature x, int K)
{
    const int64_t front = (K - x.C) / 2, pads[8] = {0, front, 0, 0, 0, K - x.C - front, 0, 0};
    x = gn_block_max_pool(b, gn_block_path(b, path, "every_second"), x, 1, 2, 0, false);
    const int in[2] = {x.value, gn_graph_add_const_s64(b->graph, gn_block_path(b, path, "zeros"), 8, pads)};
    x.value = gn_graph_add_op(b->graph, "Pad", "", path, in, 2, NULL, 0);
    x.C = K;
    return x;
}

static gn_feature basic_block(gn_blocks *b, const char *path, gn_feature x, int K, int stride)
{
    gn_feature y = conv(b, gn_block_path(b, path, "conv1"), x, K, stride);
    y = gn_block_relu(b, gn_block_path(b, path, "relu1"), gn_block_batchnorm(b, gn_block_path(b, path, "bn1"), y));
    y = conv(b, gn_block_path(b, path, "conv2"), y, K, 1);
    y = gn_block_batchnorm(b, gn_block_path(b, path, "bn2"), y);
    if (x.C != K)
        x = shortcut(b, gn_block_path(b, path, "shortcut"), x, K);
    return gn_block_relu(b, gn_block_path(b, path, "relu2"), gn_block_add(b, gn_block_path(b, path, "add"), y, x));
}

static gn_feature features(gn_blocks *b, gn_feature x)
{
    x = gn_block_relu(b, "relu", gn_block_batchnorm(b, "bn1", conv(b, "conv1", x, 16, 1)));
    for (int stage = 0; stage < 3; stage++) {
        for (int i = 0; i < 3; i++)
            x = basic_block(b, gn_block_name(b, "layer%d.%d", stage + 1, i), x, 16 << stage,
                            stage > 0 && i == 0 ? 2 : 1);
        gn_block_map(b, x);
    }
    return x;
}

static gn_feature classifier(gn_blocks *b, gn_feature x, int classes)
{
    x = gn_block_flatten(b, "flatten", gn_block_global_pool(b, "avgpool", x));
    return gn_block_linear(b, "linear", x, classes, GN_INIT_HE_FAN_IN, GN_BIAS_UNIFORM);
}

const gn_architecture gn_architecture_resnet20_cifar = {
    .name = "resnet20_cifar",
    .line = "residual network of 20 layers for 32 px, 2016",
    .smallest_px = 4,
    .feature_width = 64,
    .features = features,
    .classifier = classifier,
};
