/* YOLOv2: Darknet-19, a finer map whose blocks of pixels join the coarser one as channels, five anchors per cell; and the small form.
 * Source: Redmon and Farhadi 2017, "YOLO9000: Better, faster, stronger", and its files yolov2.cfg and yolov2-tiny.cfg.  The finer map is
 * rearranged by SpaceToDepth, where Darknet's reorg mixes channels and pixels in another order.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/darknet_modules.h"

#define ANCHORS 5
#define CELL    32

static void detect(gn_blocks *b, int i, gn_feature x, gn_detector_build *d)
{
    /* in cells, found on COCO */
    static const float in_cells[ANCHORS][2] = {
        {0.57273f, 0.677385f}, {1.87446f, 2.06253f}, {3.33843f, 5.47434f}, {7.88282f, 3.52778f}, {9.77052f, 9.16828f}};
    float anchors[ANCHORS][2];
    for (int a = 0; a < ANCHORS; a++)
        for (int side = 0; side < 2; side++)
            anchors[a][side] = CELL * in_cells[a][side];
    d->detector.kind = GN_DETECTOR_YOLOV2;
    d->detector.anchors = ANCHORS;
    d->detector.n_maps = 1;
    d->detector.has_softmax = true;
    gn_dark_detect(b, i, 0, x, (const float(*)[2])anchors, d);
}

/* n convolutions of K 3x3 and K/2 1x1 filters in turn, from layer *i on */
static gn_feature stage(gn_blocks *b, int *i, gn_feature x, int K, int n)
{
    for (int k = 0; k < n; k++)
        x = k % 2 == 0 ? gn_dark_conv(b, (*i)++, x, K, 3, 1) : gn_dark_conv(b, (*i)++, x, K / 2, 1, 1);
    return x;
}

static void build(gn_blocks *b, gn_feature x, gn_detector_build *d)
{
    static const struct {
        int K, n;
    } stages[6] = {{32, 1}, {64, 1}, {128, 3}, {256, 3}, {512, 5}, {1024, 5}};
    gn_feature fine = x;
    int i = 0;
    for (int s = 0; s < 6; s++) {
        x = stage(b, &i, x, stages[s].K, stages[s].n);
        if (s == 4)
            fine = x;
        if (s < 5)
            x = gn_dark_pool(b, i++, x);
    }
    gn_block_head_begins(b);
    x = gn_dark_conv(b, 23, x, 1024, 3, 1);
    x = gn_dark_conv(b, 24, x, 1024, 3, 1);
    fine = gn_dark_conv(b, 26, fine, 64, 1, 1);
    fine = gn_block_space_to_depth(b, gn_dark_name(b, 27, "reorg"), fine);
    x = gn_block_concat(b, gn_dark_name(b, 28, "route"), fine, x);
    detect(b, 30, gn_dark_conv(b, 29, x, 1024, 3, 1), d);
}

static void build_tiny(gn_blocks *b, gn_feature x, gn_detector_build *d)
{
    for (int k = 0; k < 6; k++) {
        x = gn_dark_conv(b, 2 * k, x, 16 << k, 3, 1);
        x = k < 5 ? gn_dark_pool(b, 2 * k + 1, x) : gn_block_max_pool_kept(b, gn_dark_name(b, 11, "maxpool"), x);
    }
    x = gn_dark_conv(b, 12, x, 1024, 3, 1);
    gn_block_head_begins(b);
    detect(b, 14, gn_dark_conv(b, 13, x, 512, 3, 1), d);
}

const gn_detector_design gn_detector_design_yolov2 = {
    .name = "yolov2",
    .line = "Darknet-19 with five anchors per cell, 2017",
    .takes_width = true,
    .stride = CELL,
    .default_px = 416,
    .norm_momentum = 0.03f,
    .build = build,
};

const gn_detector_design gn_detector_design_yolov2_tiny = {
    .name = "yolov2_tiny",
    .line = "9 convolutions with five anchors per cell, 2017",
    .takes_width = true,
    .stride = CELL,
    .default_px = 416,
    .norm_momentum = 0.03f,
    .build = build_tiny,
};
