/* ConvNeXt: 7x7 per channel, layer normalisation, and two linear layers on each pixel.  Stochastic depth, which skips blocks at random
 * while training, is left out.
 * Source: Liu et al. 2022, "A ConvNet for the 2020s", table 9; names and initial weights as in torchvision.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/architectures.h"
#include "zoo/modules.h"

#define EPSILON     1e-6f
#define LAYER_SCALE 1e-6f

typedef struct convnext {
    int depths[4], widths[4];
} convnext;

static const convnext tiny = {{3, 3, 9, 3}, {96, 192, 384, 768}}, small = {{3, 3, 27, 3}, {96, 192, 384, 768}};

static const int64_t channels_last[4] = {0, 2, 3, 1}, channels_first[4] = {0, 3, 1, 2};

static gn_feature layernorm_2d(gn_blocks *b, const char *path, gn_feature x)
{
    x = gn_block_transpose(b, gn_block_path(b, path, "last"), x, channels_last);
    x = gn_block_layernorm(b, path, x, EPSILON);
    return gn_block_transpose(b, gn_block_path(b, path, "first"), x, channels_first);
}

static gn_feature block(gn_blocks *b, const char *path, gn_feature x)
{
    gn_conv_layer each = gn_depthwise(x.C, 7, 1, GN_INIT_NORMAL_002);
    each.bias = GN_BIAS_ZERO;
    gn_feature y = gn_block_conv(b, gn_block_path(b, path, "block.0"), x, &each);
    y = gn_block_transpose(b, gn_block_path(b, path, "block.1"), y, channels_last);
    y = gn_block_layernorm(b, gn_block_path(b, path, "block.2"), y, EPSILON);
    y = gn_block_linear_last(b, gn_block_path(b, path, "block.3"), y, 4 * x.C, GN_INIT_NORMAL_002);
    y = gn_block_act(b, gn_block_path(b, path, "block.4"), y, GN_GELU);
    y = gn_block_linear_last(b, gn_block_path(b, path, "block.5"), y, x.C, GN_INIT_NORMAL_002);
    y = gn_block_transpose(b, gn_block_path(b, path, "block.6"), y, channels_first);
    return gn_block_add(b, gn_block_path(b, path, "add"), gn_block_scale(b, path, y, LAYER_SCALE), x);
}

/* Windows that do not overlap. */
static gn_conv_layer patches(int K, int size)
{
    gn_conv_layer layer = gn_conv(K, size, size, GN_INIT_NORMAL_002);
    layer.pad_h = layer.pad_w = 0;
    layer.bias = GN_BIAS_ZERO;
    return layer;
}

static gn_feature features(gn_blocks *b, gn_feature x)
{
    const convnext *table = b->table;
    for (int stage = 0; stage < 4; stage++) {
        const gn_conv_layer down = patches(table->widths[stage], stage == 0 ? 4 : 2);
        if (stage == 0) {
            x = layernorm_2d(b, "features.0.1", gn_block_conv(b, "features.0.0", x, &down));
        } else {
            x = layernorm_2d(b, gn_block_name(b, "features.%d.0", 2 * stage), x);
            x = gn_block_conv(b, gn_block_name(b, "features.%d.1", 2 * stage), x, &down);
        }
        for (int i = 0; i < table->depths[stage]; i++)
            x = block(b, gn_block_name(b, "features.%d.%d", 2 * stage + 1, i), x);
        gn_block_map(b, x);
    }
    return x;
}

static gn_feature vector(gn_blocks *b, gn_feature x)
{
    x = layernorm_2d(b, "classifier.0", gn_block_global_pool(b, "avgpool", x));
    return gn_block_flatten(b, "classifier.1", x);
}

static gn_feature classifier(gn_blocks *b, gn_feature x, int classes)
{
    return gn_block_linear(b, "classifier.2", vector(b, x), classes, GN_INIT_NORMAL_002, GN_BIAS_ZERO);
}

#define CONVNEXT(id, about)                                                                                            \
    const gn_architecture gn_architecture_convnext_##id = {.name = "convnext_" #id,                                    \
                                                           .line = about,                                              \
                                                           .smallest_px = 32,                                          \
                                                           .feature_width = 768,                                       \
                                                           .table = &(id),                                             \
                                                           .features = features,                                       \
                                                           .vector = vector,                                           \
                                                           .classifier = classifier}

CONVNEXT(tiny, "7x7 per channel and linear layers, 2022");
CONVNEXT(small, "the same, three times as deep in its third stage");
