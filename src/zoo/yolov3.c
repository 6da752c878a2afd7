/* YOLOv3: Darknet-53, residual pairs of 1x1 and 3x3 convolutions, with heads at three strides, each fed by the one below it; and the
 * small form with two heads.
 * Source: Redmon and Farhadi 2018, "YOLOv3: An incremental improvement", and its files yolov3.cfg and yolov3-tiny.cfg.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/darknet_modules.h"
#include "zoo/yolo_modules.h"

/* Pixels, as in yolov3-tiny.cfg; its finer head takes the second to the fourth. */
static const float tiny_anchors[6][2] = {{10, 14}, {23, 27}, {37, 58}, {81, 82}, {135, 169}, {344, 319}};

static void begin_detector(gn_detector_build *d, int n_maps)
{
    d->detector.kind = GN_DETECTOR_YOLOV3;
    d->detector.anchors = 3;
    d->detector.n_maps = n_maps;
}

/* Down to half the size, then n residual pairs, from layer *i on. */
static gn_feature stage(gn_blocks *b, int *i, gn_feature x, int K, int n)
{
    x = gn_dark_conv(b, (*i)++, x, K, 3, 2);
    for (int k = 0; k < n; k++) {
        gn_feature y = gn_dark_conv(b, (*i)++, x, K / 2, 1, 1);
        y = gn_dark_conv(b, (*i)++, y, K, 3, 1);
        x = gn_block_add(b, gn_dark_name(b, (*i)++, "shortcut"), y, x);
    }
    return x;
}

/* Seven layers from i on, the last of them the output; returns what the fifth gives, for the head above. */
static gn_feature head(gn_blocks *b, int i, int map, gn_feature x, int K, gn_detector_build *d)
{
    for (int k = 0; k < 5; k++)
        x = k % 2 == 0 ? gn_dark_conv(b, i + k, x, K, 1, 1) : gn_dark_conv(b, i + k, x, 2 * K, 3, 1);
    const gn_feature y = gn_dark_conv(b, i + 5, x, 2 * K, 3, 1);
    gn_dark_detect(b, i + 6, map, y, gn_yolo_coco_anchors[map], d);
    return x;
}

static void build(gn_blocks *b, gn_feature x, gn_detector_build *d)
{
    int i = 0;
    x = gn_dark_conv(b, i++, x, 32, 3, 1);
    x = stage(b, &i, x, 64, 1);
    x = stage(b, &i, x, 128, 2);
    const gn_feature at8 = stage(b, &i, x, 256, 8);
    const gn_feature at16 = stage(b, &i, at8, 512, 8);
    x = stage(b, &i, at16, 1024, 4);
    gn_block_head_begins(b);
    begin_detector(d, 3);
    x = head(b, 75, 2, x, 512, d);
    x = gn_dark_up(b, 85, gn_dark_conv(b, 84, x, 256, 1, 1), at16);
    x = head(b, 87, 1, x, 256, d);
    x = gn_dark_up(b, 97, gn_dark_conv(b, 96, x, 128, 1, 1), at8);
    head(b, 99, 0, x, 128, d);
}

static void build_tiny(gn_blocks *b, gn_feature x, gn_detector_build *d)
{
    gn_feature at16 = x;
    for (int k = 0; k < 6; k++) {
        at16 = gn_dark_conv(b, 2 * k, x, 16 << k, 3, 1);
        x = k < 5 ? gn_dark_pool(b, 2 * k + 1, at16) : gn_block_max_pool_kept(b, gn_dark_name(b, 11, "maxpool"), at16);
        if (k == 4)
            gn_block_map(b, at16);
    }
    at16 = b->maps[4];
    x = gn_dark_conv(b, 12, x, 1024, 3, 1);
    gn_block_head_begins(b);
    begin_detector(d, 2);
    x = gn_dark_conv(b, 13, x, 256, 1, 1);
    gn_dark_detect(b, 15, 1, gn_dark_conv(b, 14, x, 512, 3, 1), tiny_anchors + 3, d);
    x = gn_dark_up(b, 19, gn_dark_conv(b, 18, x, 128, 1, 1), at16);
    gn_dark_detect(b, 22, 0, gn_dark_conv(b, 21, x, 256, 3, 1), tiny_anchors, d);
}

const gn_detector_design gn_detector_design_yolov3 = {
    .name = "yolov3",
    .line = "Darknet-53 with heads at three strides, 2018",
    .takes_width = true,
    .stride = 32,
    .default_px = 416,
    .norm_momentum = 0.03f,
    .build = build,
};

const gn_detector_design gn_detector_design_yolov3_tiny = {
    .name = "yolov3_tiny",
    .line = "13 convolutions with heads at two strides, 2018",
    .takes_width = true,
    .stride = 32,
    .default_px = 416,
    .norm_momentum = 0.03f,
    .build = build_tiny,
};
