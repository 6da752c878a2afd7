/* MobileNetV2: inverted residual blocks (expand by a 1x1 convolution, filter each channel by 3x3, project by 1x1 without activation).
 * Source: Sandler et al. 2018, "MobileNetV2: Inverted residuals and linear bottlenecks", table 2; names, initial weights and the
 * rounding of scaled channels as in torchvision.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "zoo/architectures.h"

#define CHANNEL_MULTIPLE 8

/* The nearest multiple of 8, at least 8, and not more than a tenth below the wish. */
static int rounded_channels(double wish)
{
    int channels = (int)(wish + CHANNEL_MULTIPLE / 2.0) / CHANNEL_MULTIPLE * CHANNEL_MULTIPLE;
    if (channels < CHANNEL_MULTIPLE)
        channels = CHANNEL_MULTIPLE;
    return channels < 0.9 * wish ? channels + CHANNEL_MULTIPLE : channels;
}

/* Convolution at path.i, normalisation at path.(i+1). */
static gn_feature conv_norm(gn_blocks *b, const char *path, int i, gn_feature x, int K, int kernel, int stride,
                            int group)
{
    const gn_conv_layer layer = {
        .K = K, .kernel = kernel, .stride = stride, .pad = kernel / 2, .group = group, .init = GN_INIT_HE_FAN_OUT};
    x = gn_block_conv(b, gn_block_item(b, path, i), x, &layer);
    return gn_block_batchnorm(b, gn_block_item(b, path, i + 1), x);
}

static gn_feature conv_norm_relu6(gn_blocks *b, const char *path, gn_feature x, int K, int kernel, int stride,
                                  int group)
{
    x = conv_norm(b, path, 0, x, K, kernel, stride, group);
    return gn_block_relu6(b, gn_block_item(b, path, 2), x);
}

static gn_feature inverted_residual(gn_blocks *b, const char *path, gn_feature x, int expand, int K, int stride)
{
    const char *conv = gn_block_path(b, path, "conv");
    const int hidden = x.C * expand;
    gn_feature y = x;
    int i = 0;
    if (expand != 1)
        y = conv_norm_relu6(b, gn_block_item(b, conv, i++), y, hidden, 1, 1, 1);
    y = conv_norm_relu6(b, gn_block_item(b, conv, i++), y, hidden, 3, stride, hidden);
    y = conv_norm(b, conv, i, y, K, 1, 1, 1);
    return stride == 1 && x.C == K ? gn_block_add(b, gn_block_path(b, path, "add"), x, y) : y;
}

static gn_feature features(gn_blocks *b, gn_feature x, double width)
{
    /* expansion t, channels c, repeats n, stride s of the first */
    static const struct {
        int t, c, n, s;
    } rows[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    int i = 0;
    x = conv_norm_relu6(b, gn_block_item(b, "features", i++), x, rounded_channels(32 * width), 3, 2, 1);
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++)
        for (int k = 0; k < rows[row].n; k++)
            x = inverted_residual(b, gn_block_item(b, "features", i++), x, rows[row].t,
                                  rounded_channels(rows[row].c * width), k == 0 ? rows[row].s : 1);
    return conv_norm_relu6(b, gn_block_item(b, "features", i), x, rounded_channels(1280 * fmax(1, width)), 1, 1, 1);
}

static gn_feature classifier(gn_blocks *b, gn_feature x, int classes)
{
    x = gn_block_flatten(b, "flatten", gn_block_global_pool(b, "pool", x));
    x = gn_block_dropout(b, "classifier.0", x, 0.2f);
    return gn_block_linear(b, "classifier.1", x, classes, GN_INIT_NORMAL_001);
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
