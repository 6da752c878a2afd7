/* Xception: depthwise separable convolutions with shortcuts around every two or three of them.
 * Source: Chollet 2017, "Xception: Deep learning with depthwise separable convolutions", figure 5; layers, names of layers and initial
 * weights as in Keras.  Where Keras pads a stride of 2 on the far side only, this pads one pixel on both sides.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/architectures.h"

static gn_feature separable(gn_blocks *b, const char *path, gn_feature x, int K)
{
    const gn_conv_layer each = gn_depthwise(x.C, 3, 1, GN_INIT_GLOROT_UNIFORM),
                        across = gn_conv(K, 1, 1, GN_INIT_GLOROT_UNIFORM);
    x = gn_block_conv(b, gn_block_path(b, path, "depthwise"), x, &each);
    x = gn_block_conv(b, gn_block_path(b, path, "pointwise"), x, &across);
    return gn_block_batchnorm(b, gn_block_name(b, "%s_bn", path), x);
}

/* Convolution without padding, normalised. */
static gn_feature conv(gn_blocks *b, const char *path, gn_feature x, int K, int stride)
{
    gn_conv_layer layer = gn_conv(K, 3, stride, GN_INIT_GLOROT_UNIFORM);
    layer.pad_h = layer.pad_w = 0;
    x = gn_block_batchnorm(b, gn_block_name(b, "%s_bn", path), gn_block_conv(b, path, x, &layer));
    return gn_block_relu(b, gn_block_name(b, "%s_act", path), x);
}

/* Two separable convolutions and a pooling, with a 1x1 convolution around them. */
static gn_feature down(gn_blocks *b, int i, gn_feature x, int K1, int K2)
{
    const gn_conv_layer around = gn_conv(K2, 1, 2, GN_INIT_GLOROT_UNIFORM);
    const char *path = gn_block_name(b, "block%d", i);
    gn_feature shortcut = gn_block_conv(b, gn_block_path(b, path, "shortcut"), x, &around);
    shortcut = gn_block_batchnorm(b, gn_block_path(b, path, "shortcut_bn"), shortcut);
    gn_feature y = i == 2 ? x : gn_block_relu(b, gn_block_name(b, "%s_sepconv1_act", path), x);
    y = separable(b, gn_block_name(b, "%s_sepconv1", path), y, K1);
    y = gn_block_relu(b, gn_block_name(b, "%s_sepconv2_act", path), y);
    y = separable(b, gn_block_name(b, "%s_sepconv2", path), y, K2);
    y = gn_block_max_pool(b, gn_block_name(b, "%s_pool", path), y, 3, 2, 1, false);
    return gn_block_map(b, gn_block_add(b, gn_block_path(b, path, "add"), y, shortcut));
}

/* Three separable convolutions, with nothing around them. */
static gn_feature middle(gn_blocks *b, int i, gn_feature x)
{
    gn_feature y = x;
    for (int k = 1; k <= 3; k++) {
        y = gn_block_relu(b, gn_block_name(b, "block%d_sepconv%d_act", i, k), y);
        y = separable(b, gn_block_name(b, "block%d_sepconv%d", i, k), y, 728);
    }
    return gn_block_map(b, gn_block_add(b, gn_block_name(b, "block%d.add", i), y, x));
}

static gn_feature features(gn_blocks *b, gn_feature x)
{
    x = conv(b, "block1_conv1", x, 32, 2);
    x = gn_block_map(b, conv(b, "block1_conv2", x, 64, 1));
    x = down(b, 2, x, 128, 128);
    x = down(b, 3, x, 256, 256);
    x = down(b, 4, x, 728, 728);
    for (int i = 5; i <= 12; i++)
        x = middle(b, i, x);
    x = down(b, 13, x, 728, 1024);
    x = gn_block_relu(b, "block14_sepconv1_act", separable(b, "block14_sepconv1", x, 1536));
    return gn_block_map(b, gn_block_relu(b, "block14_sepconv2_act", separable(b, "block14_sepconv2", x, 2048)));
}

static gn_feature classifier(gn_blocks *b, gn_feature x, int classes)
{
    x = gn_block_flatten(b, "flatten", gn_block_global_pool(b, "avg_pool", x));
    return gn_block_linear(b, "predictions", x, classes, GN_INIT_GLOROT_UNIFORM, GN_BIAS_ZERO);
}

const gn_architecture gn_architecture_xception = {
    .name = "xception",
    .line = "separable convolutions with shortcuts, 2017",
    .smallest_px = 37,
    .feature_width = 2048,
    .norm_epsilon = 1e-3f,
    .norm_momentum = 0.01f,
    .features = features,
    .classifier = classifier,
};
