/* YOLOv8: blocks that split their channels and keep every step (C2f), a path down and up again, and per stride one head for boxes and one
 * for classes, without anchors; the sides of a box are distributions over 16 distances.
 * Source: the YOLOv8 release as its documentation and figures state it; Li et al. 2020 (distribution of distances).  Tensor names are
 * those of its published weights; model.22.dfl, which holds the numbers 0..15, belongs to decoding.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "zoo/yolo_modules.h"

#define BINS       16
#define MOST_STEPS 6

static gn_feature c2f(gn_blocks *b, int i, gn_feature x, int wish, int n, bool has_shortcut)
{
    const char *path = gn_yolo_layer(b, i);
    const int K = gn_yolo_channels(b, wish), steps = gn_yolo_repeats(b, n);
    gn_feature parts[2 + MOST_STEPS];
    GN_ASSERT(steps <= MOST_STEPS);
    x = gn_yolo_conv(b, gn_block_path(b, path, "cv1"), x, K, 1, 1);
    gn_block_halves(b, gn_block_path(b, path, "split"), x, parts);
    for (int k = 0; k < steps; k++)
        parts[2 + k] = gn_yolo_bottleneck(b, gn_block_name(b, "%s.m.%d", path, k), parts[1 + k], 3, has_shortcut);
    x = gn_block_concat_n(b, gn_block_path(b, path, "concat"), parts, 2 + steps);
    return gn_yolo_conv(b, gn_block_path(b, path, "cv2"), x, K, 1, 1);
}

static gn_feature down(gn_blocks *b, int i, gn_feature x, int wish)
{
    return gn_yolo_conv(b, gn_yolo_layer(b, i), x, gn_yolo_channels(b, wish), 3, 2);
}

/* Two 3x3 convolutions and the output at model.22.<branch>.<map>.0 to .2 */
static gn_feature branch(gn_blocks *b, const char *name, int map, gn_feature x, int hidden, int K, const char **last)
{
    const char *path = gn_block_name(b, "model.22.%s.%d", name, map);
    for (int i = 0; i < 2; i++)
        x = gn_yolo_conv(b, gn_block_item(b, path, i), x, hidden, 3, 1);
    *last = gn_block_item(b, path, 2);
    return gn_yolo_output(b, *last, x, K);
}

static int at_least(int x, int least)
{
    return x > least ? x : least;
}

static void detect(gn_blocks *b, const gn_feature maps[3], gn_detector_build *d)
{
    const int C = d->detector.classes, first = maps[0].C;
    const int box_hidden = at_least(at_least(16, first / 4), 4 * BINS),
              class_hidden = at_least(first, C < 100 ? C : 100);
    d->detector.kind = GN_DETECTOR_YOLOV8;
    d->detector.anchors = 1;
    d->detector.bins = BINS;
    d->detector.n_maps = 3;
    for (int i = 0; i < 3; i++) {
        const char *last;
        const double cells = 640.0 / maps[i].stride;
        gn_feature both[2];
        d->detector.stride[i] = maps[i].stride;
        both[0] = branch(b, "cv2", i, maps[i], box_hidden, 4 * BINS, &last);
        gn_block_begin_bias(b, last, 0, 4 * BINS, 1, true);
        both[1] = branch(b, "cv3", i, maps[i], class_hidden, C, &last);
        gn_block_begin_bias(b, last, 0, C, log(5.0 / C / (cells * cells)), true);
        d->raw[i] = gn_block_concat_n(b, gn_block_name(b, "model.22.raw.%d", i), both, 2);
    }
}

static gn_feature up(gn_blocks *b, int i, gn_feature x, gn_feature other)
{
    x = gn_block_upsample(b, gn_yolo_layer(b, i), x, other);
    return gn_block_concat(b, gn_yolo_layer(b, i + 1), x, other);
}

static void build(gn_blocks *b, gn_feature x, gn_detector_build *d)
{
    gn_feature at8, at16, at32, maps[3];
    x = down(b, 0, x, 64);
    x = c2f(b, 2, down(b, 1, x, 128), 128, 3, true);
    at8 = x = c2f(b, 4, down(b, 3, x, 256), 256, 6, true);
    at16 = x = c2f(b, 6, down(b, 5, x, 512), 512, 6, true);
    x = c2f(b, 8, down(b, 7, x, 1024), 1024, 3, true);
    at32 = gn_yolo_sppf(b, gn_yolo_layer(b, 9), x, gn_yolo_channels(b, 1024));
    gn_block_head_begins(b);
    const gn_feature middle = c2f(b, 12, up(b, 10, at32, at16), 512, 3, false);
    maps[0] = c2f(b, 15, up(b, 13, middle, at8), 256, 3, false);
    x = gn_block_concat(b, gn_yolo_layer(b, 17), down(b, 16, maps[0], 256), middle);
    maps[1] = c2f(b, 18, x, 512, 3, false);
    x = gn_block_concat(b, gn_yolo_layer(b, 20), down(b, 19, maps[1], 512), at32);
    maps[2] = c2f(b, 21, x, 1024, 3, false);
    detect(b, maps, d);
}

GN_YOLO_MEMBER(yolov8n, "YOLOv8 nano, without anchors, 2023; yolov8n@W scales its channels by W", 1.0 / 3, 0.25, 1024);
GN_YOLO_MEMBER(yolov8s, "small: twice as wide", 1.0 / 3, 0.5, 1024);
GN_YOLO_MEMBER(yolov8m, "medium", 2.0 / 3, 0.75, 768);
GN_YOLO_MEMBER(yolov8l, "large", 1, 1, 512);
GN_YOLO_MEMBER(yolov8x, "larger", 1, 1.25, 512);
