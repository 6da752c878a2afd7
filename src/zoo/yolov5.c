/* YOLOv5, release 6: blocks with a part that goes around them (C3), a path down and up again, three anchors per cell at each of three
 * strides.
 * Source: the YOLOv5 release as its documentation and figures state it; Wang et al. 2020 (CSPNet), Liu et al. 2018 (PANet).  Tensor names
 * are those of its published weights.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "zoo/yolo_modules.h"

#define ANCHORS 3

static gn_feature c3(gn_blocks *b, int i, gn_feature x, int wish, int n, bool has_shortcut)
{
    const char *path = gn_yolo_layer(b, i);
    const int K = gn_yolo_channels(b, wish), steps = gn_yolo_repeats(b, n);
    gn_feature y = gn_yolo_conv(b, gn_block_path(b, path, "cv1"), x, K / 2, 1, 1);
    for (int k = 0; k < steps; k++)
        y = gn_yolo_bottleneck(b, gn_block_name(b, "%s.m.%d", path, k), y, 1, has_shortcut);
    x = gn_yolo_conv(b, gn_block_path(b, path, "cv2"), x, K / 2, 1, 1);
    x = gn_block_concat(b, gn_block_path(b, path, "concat"), y, x);
    return gn_yolo_conv(b, gn_block_path(b, path, "cv3"), x, K, 1, 1);
}

static gn_feature conv(gn_blocks *b, int i, gn_feature x, int wish, int kernel, int stride)
{
    return gn_yolo_conv(b, gn_yolo_layer(b, i), x, gn_yolo_channels(b, wish), kernel, stride);
}

/* 6x6 at stride 2, padded by 2 */
static gn_feature stem(gn_blocks *b, gn_feature x)
{
    gn_conv_layer layer = gn_conv(gn_yolo_channels(b, 64), 6, 2, GN_INIT_LECUN_UNIFORM);
    layer.pad_h = layer.pad_w = 2;
    x = gn_block_conv(b, "model.0.conv", x, &layer);
    x = gn_block_batchnorm(b, "model.0.bn", x);
    return gn_block_act(b, "model.0.act", x, GN_SILU);
}

static gn_feature up(gn_blocks *b, int i, gn_feature x, gn_feature other)
{
    x = gn_block_upsample(b, gn_yolo_layer(b, i), x, other);
    return gn_block_concat(b, gn_yolo_layer(b, i + 1), x, other);
}

/* The logits begin where a picture of 640 px holds 8 objects, each of any class with a probability of 0.6 over all. */
static void begin_biases(gn_blocks *b, const char *path, int stride, int classes)
{
    for (int a = 0; a < ANCHORS; a++) {
        const int first = a * (5 + classes);
        gn_block_begin_bias(b, path, first + 4, 1, gn_yolo_objectness_prior(stride), false);
        gn_block_begin_bias(b, path, first + 5, classes, log(0.6 / (classes - 0.99999)), false);
    }
}

static void detect(gn_blocks *b, const gn_feature maps[3], gn_detector_build *d)
{
    const int K = ANCHORS * (5 + d->detector.classes);
    d->detector.kind = GN_DETECTOR_YOLOV5;
    d->detector.anchors = ANCHORS;
    d->detector.n_maps = 3;
    memcpy(d->detector.anchor, gn_yolo_coco_anchors, sizeof gn_yolo_coco_anchors);
    for (int i = 0; i < 3; i++) {
        const char *path = gn_block_name(b, "model.24.m.%d", i);
        d->detector.stride[i] = maps[i].stride;
        d->raw[i] = gn_yolo_output(b, path, maps[i], K);
        begin_biases(b, path, maps[i].stride, d->detector.classes);
    }
}

static void build(gn_blocks *b, gn_feature x, gn_detector_build *d)
{
    gn_feature at8, at16, maps[3];
    x = c3(b, 2, conv(b, 1, stem(b, x), 128, 3, 2), 128, 3, true);
    at8 = x = c3(b, 4, conv(b, 3, x, 256, 3, 2), 256, 6, true);
    at16 = x = c3(b, 6, conv(b, 5, x, 512, 3, 2), 512, 9, true);
    x = c3(b, 8, conv(b, 7, x, 1024, 3, 2), 1024, 3, true);
    x = gn_yolo_sppf(b, gn_yolo_layer(b, 9), x, gn_yolo_channels(b, 1024));
    gn_block_head_begins(b);
    const gn_feature low = conv(b, 10, x, 512, 1, 1);
    x = c3(b, 13, up(b, 11, low, at16), 512, 3, false);
    const gn_feature middle = conv(b, 14, x, 256, 1, 1);
    maps[0] = c3(b, 17, up(b, 15, middle, at8), 256, 3, false);
    x = gn_block_concat(b, gn_yolo_layer(b, 19), conv(b, 18, maps[0], 256, 3, 2), middle);
    maps[1] = c3(b, 20, x, 512, 3, false);
    x = gn_block_concat(b, gn_yolo_layer(b, 22), conv(b, 21, maps[1], 512, 3, 2), low);
    maps[2] = c3(b, 23, x, 1024, 3, false);
    detect(b, maps, d);
}

GN_YOLO_MEMBER(yolov5n, "YOLOv5 nano, release 6, 2021; yolov5n@W scales its channels by W", 1.0 / 3, 0.25, 1024);
GN_YOLO_MEMBER(yolov5s, "small: twice as wide", 1.0 / 3, 0.5, 1024);
GN_YOLO_MEMBER(yolov5m, "medium", 2.0 / 3, 0.75, 1024);
GN_YOLO_MEMBER(yolov5l, "large", 1, 1, 1024);
GN_YOLO_MEMBER(yolov5x, "larger", 4.0 / 3, 1.25, 1280);
