/* Modules of YOLOv5 and YOLOv8.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/yolo_modules.h"

#include <math.h>

#define CHANNEL_MULTIPLE 8
/* Keeps a product that is a whole number from being rounded up. */
#define SLACK 1e-6

const float gn_yolo_coco_anchors[3][GN_DETECTOR_MAX_ANCHORS][2] = {
    {{10, 13}, {16, 30}, {33, 23}}, {{30, 61}, {62, 45}, {59, 119}}, {{116, 90}, {156, 198}, {373, 326}}};

int gn_yolo_repeats(const gn_blocks *b, int n)
{
    const gn_yolo_scale *scale = b->table;
    const long scaled = lrint(n * scale->depth);
    return scaled < 1 ? 1 : (int)scaled;
}

int gn_yolo_channels(const gn_blocks *b, int wish)
{
    const gn_yolo_scale *scale = b->table;
    const double channels = (wish < scale->most ? wish : scale->most) * scale->width * b->width;
    return (int)ceil(channels / CHANNEL_MULTIPLE - SLACK) * CHANNEL_MULTIPLE;
}

const char *gn_yolo_layer(gn_blocks *b, int i)
{
    return gn_block_item(b, "model", i);
}

gn_feature gn_yolo_conv(gn_blocks *b, const char *path, gn_feature x, int K, int kernel, int stride)
{
    const gn_conv_layer layer = gn_conv(K, kernel, stride, GN_INIT_LECUN_UNIFORM);
    x = gn_block_conv(b, gn_block_path(b, path, "conv"), x, &layer);
    x = gn_block_batchnorm(b, gn_block_path(b, path, "bn"), x);
    return gn_block_act(b, gn_block_path(b, path, "act"), x, GN_SILU);
}

gn_feature gn_yolo_bottleneck(gn_blocks *b, const char *path, gn_feature x, int first_kernel, bool has_shortcut)
{
    gn_feature y = gn_yolo_conv(b, gn_block_path(b, path, "cv1"), x, x.C, first_kernel, 1);
    y = gn_yolo_conv(b, gn_block_path(b, path, "cv2"), y, x.C, 3, 1);
    return has_shortcut ? gn_block_add(b, gn_block_path(b, path, "add"), x, y) : y;
}

gn_feature gn_yolo_sppf(gn_blocks *b, const char *path, gn_feature x, int K)
{
    gn_feature parts[4];
    parts[0] = gn_yolo_conv(b, gn_block_path(b, path, "cv1"), x, x.C / 2, 1, 1);
    for (int i = 1; i < 4; i++)
        parts[i] = gn_block_max_pool(b, gn_block_name(b, "%s.m.%d", path, i - 1), parts[i - 1], 5, 1, 2, false);
    x = gn_block_concat_n(b, gn_block_path(b, path, "concat"), parts, 4);
    return gn_yolo_conv(b, gn_block_path(b, path, "cv2"), x, K, 1, 1);
}

gn_feature gn_yolo_output(gn_blocks *b, const char *path, gn_feature x, int K)
{
    gn_conv_layer layer = gn_conv(K, 1, 1, GN_INIT_LECUN_UNIFORM);
    layer.bias = GN_BIAS_UNIFORM;
    return gn_block_conv(b, path, x, &layer);
}

double gn_yolo_objectness_prior(int stride)
{
    const double cells = 640.0 / stride;
    return log(8 / (cells * cells));
}
