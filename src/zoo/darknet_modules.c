/* Layers of the first three YOLOs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/darknet_modules.h"

#include <string.h>

#include "zoo/modules.h"
#include "zoo/yolo_modules.h"

int gn_dark_channels(const gn_blocks *b, int K)
{
    return gn_channels_of_8(K * b->width);
}

const char *gn_dark_name(gn_blocks *b, int i, const char *what)
{
    return gn_block_name(b, "layers.%d.%s", i, what);
}

gn_feature gn_dark_conv(gn_blocks *b, int i, gn_feature x, int K, int kernel, int stride)
{
    const gn_conv_layer layer = gn_conv(gn_dark_channels(b, K), kernel, stride, GN_INIT_LECUN_UNIFORM);
    x = gn_block_conv(b, gn_dark_name(b, i, "conv"), x, &layer);
    x = gn_block_batchnorm(b, gn_dark_name(b, i, "bn"), x);
    return gn_block_act(b, gn_dark_name(b, i, "leaky"), x, GN_LEAKY_01);
}

gn_feature gn_dark_pool(gn_blocks *b, int i, gn_feature x)
{
    return gn_block_max_pool(b, gn_dark_name(b, i, "maxpool"), x, 2, 2, 0, false);
}

gn_feature gn_dark_output(gn_blocks *b, int i, gn_feature x, int K)
{
    return gn_yolo_output(b, gn_dark_name(b, i, "conv"), x, K);
}

gn_feature gn_dark_up(gn_blocks *b, int i, gn_feature x, gn_feature other)
{
    x = gn_block_upsample(b, gn_dark_name(b, i, "upsample"), x, other);
    return gn_block_concat(b, gn_dark_name(b, i + 1, "route"), x, other);
}

void gn_dark_detect(gn_blocks *b, int i, int map, gn_feature x, const float (*anchor)[2], gn_detector_build *d)
{
    const int each = 5 + d->detector.classes;
    d->detector.stride[map] = x.stride;
    memcpy(d->detector.anchor[map], anchor, (size_t)d->detector.anchors * sizeof *anchor);
    d->raw[map] = gn_dark_output(b, i, x, d->detector.anchors * each);
    for (int a = 0; a < d->detector.anchors; a++)
        gn_block_begin_bias(b, gn_dark_name(b, i, "conv"), a * each + 4, 1, gn_yolo_objectness_prior(x.stride), false);
}
