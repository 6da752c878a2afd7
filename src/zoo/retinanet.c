/* RetinaNet on the maps of any network of the zoo: a feature pyramid from stride 8 to 128, and two small networks for boxes and classes
 * whose convolutions all levels share; nine anchors per cell.
 * Source: Lin et al. 2017, "Focal loss for dense object detection", and "Feature pyramid networks for object detection".  Other than there,
 * pyramid and heads are normalised, the heads by level, so that they can be trained from scratch; the map at stride 64 comes from the one at
 * stride 32 of the pyramid; below 640 px anchors have half the size; and small backbones get a narrower pyramid: a quarter of the channels of their map at stride 16 (as the 256 of
 * 1024 in the paper), 64 to 256, and heads of two convolutions instead of four where that is below 128.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "zoo/detectors.h"
#include "zoo/modules.h"

#define LEVELS         5
#define LATERALS       3 /* levels that the backbone gives */
#define FIRST_MAP      3 /* stride 8 */
#define SIZES          3
#define RATIOS         3
#define ANCHORS        (SIZES * RATIOS)
#define LEAST_CHANNELS 64
#define MOST_CHANNELS  256
#define DEEP_FROM      128 /* channels */
#define PRIOR          0.01
#define LARGE_PX       640
#define NORM_EPSILON   1e-5f
#define NORM_MOMENTUM  0.1f

/* ---- pyramid ---- */

static gn_feature conv_norm(gn_blocks *b, const char *path, gn_feature x, int K, int kernel, int stride)
{
    const gn_conv_layer layer = gn_conv(K, kernel, stride, GN_INIT_LECUN_UNIFORM);
    x = gn_block_conv(b, gn_block_path(b, path, "conv"), x, &layer);
    return gn_block_batchnorm(b, gn_block_path(b, path, "bn"), x);
}

static void pyramid(gn_blocks *b, int K, gn_feature level[LEVELS])
{
    gn_feature inner = {0};
    for (int i = LATERALS - 1; i >= 0; i--) {
        gn_feature x = conv_norm(b, gn_block_item(b, "fpn.lateral", i), b->maps[FIRST_MAP + i], K, 1, 1);
        if (i < LATERALS - 1) {
            inner = gn_block_upsample(b, gn_block_item(b, "fpn.up", i), inner, x);
            x = gn_block_add(b, gn_block_item(b, "fpn.add", i), x, inner);
        }
        inner = x;
        level[i] = conv_norm(b, gn_block_item(b, "fpn.output", i), x, K, 3, 1);
    }
    level[3] = conv_norm(b, "fpn.output.3", level[2], K, 3, 2);
    level[4] = conv_norm(b, "fpn.output.4", gn_block_relu(b, "fpn.relu", level[3]), K, 3, 2);
}

/* ---- heads ---- */

/* A convolution of the level's own name with the weights at `path`, which the first level makes. */
static gn_feature shared_conv(gn_blocks *b, const char *path, int level, gn_feature x, const gn_conv_layer *layer)
{
    return level == 0 ? gn_block_conv(b, path, x, layer) : gn_block_conv_again(b, path, x, layer);
}

/* `name`: "box" or "class"; the output is at head.<name>.output. */
static gn_feature head(gn_blocks *b, const char *name, int level, gn_feature x, int n, int K)
{
    const gn_conv_layer hidden = gn_conv(x.C, 3, 1, GN_INIT_HE_FAN_IN);
    gn_conv_layer output = gn_conv(K, 3, 1, GN_INIT_NORMAL_001);
    output.bias = GN_BIAS_ZERO;
    for (int i = 0; i < n; i++) {
        const char *path = gn_block_name(b, "head.%s.%d", name, i);
        x = shared_conv(b, gn_block_path(b, path, "conv"), level, x, &hidden);
        x = gn_block_batchnorm(b, gn_block_name(b, "%s.bn.%d", path, level), x);
        x = gn_block_relu(b, gn_block_name(b, "%s.relu.%d", path, level), x);
    }
    return shared_conv(b, gn_block_name(b, "head.%s.output", name), level, x, &output);
}

/* The side of the smallest anchor in strides: the paper's 4 is for pictures of 800 px, on which things have twice as many pixels. */
static int anchor_strides(gn_feature picture)
{
    return picture.W >= LARGE_PX || picture.H >= LARGE_PX ? 4 : 2;
}

static void describe(gn_detector *d, const gn_feature level[LEVELS], int strides)
{
    d->kind = GN_DETECTOR_RETINANET;
    d->anchors = ANCHORS;
    d->n_maps = LEVELS;
    for (int i = 0; i < LEVELS; i++) {
        d->stride[i] = level[i].stride;
        for (int a = 0; a < ANCHORS; a++) {
            /* sides of so many strides, 2^(1/3) and 2^(2/3) times as much; twice as wide as high, square, twice as high as wide */
            const double side = strides * level[i].stride * exp2((a % SIZES) / (double)SIZES),
                         stretch = exp2((a / SIZES - 1) / 2.0);
            d->anchor[i][a][0] = (float)(side / stretch);
            d->anchor[i][a][1] = (float)(side * stretch);
        }
    }
}

static int default_channels(const gn_feature *at16)
{
    const int wish = (at16->C / 4 + 4) / 8 * 8;
    return wish < LEAST_CHANNELS ? LEAST_CHANNELS : wish > MOST_CHANNELS ? MOST_CHANNELS : wish;
}

static void build(gn_blocks *b, gn_feature x, gn_detector_build *d)
{
    gn_feature level[LEVELS] = {{0}};
    const int C = d->detector.classes;
    gn_block_map(b, d->backbone->features(b, x));
    gn_block_head_begins(b);
    gn_block_fill_maps(b);
    b->norm_epsilon = NORM_EPSILON; /* some backbones have numbers that suit long training alone */
    b->norm_momentum = NORM_MOMENTUM;
    const int K = d->neck_channels > 0 ? d->neck_channels : default_channels(&b->maps[FIRST_MAP + 1]);
    const int n = d->head_convs > 0 ? d->head_convs : K < DEEP_FROM ? 2 : 4;
    pyramid(b, K, level);
    describe(&d->detector, level, anchor_strides(x));
    for (int i = 0; i < LEVELS; i++) {
        const gn_feature both[2] = {head(b, "box", i, level[i], n, 4 * ANCHORS),
                                    head(b, "class", i, level[i], n, ANCHORS * C)};
        d->raw[i] = gn_block_concat_n(b, gn_block_item(b, "head.raw", i), both, 2);
    }
    gn_block_begin_bias(b, "head.class.output", 0, ANCHORS * C, -log((1 - PRIOR) / PRIOR), true);
}

const gn_detector_design gn_detector_design_retinanet_mobilenet_v2 = {
    .name = "retinanet_mobilenet_v2",
    .line = "RetinaNet, 2017; retinanet_NAME stands on the maps of any network above",
    .stride = 32,
    .default_px = 320,
    .build = build,
};
