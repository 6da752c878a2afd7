/* SqueezeNet 1.0 and 1.1: fire modules, no normalisation.
 * Source: Iandola et al. 2016, "SqueezeNet", table 1; version 1.1 as its authors published it; names and initial weights as in
 * torchvision.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/architectures.h"
#include "zoo/modules.h"

typedef struct squeezenet {
    int K, kernel;      /* the first convolution */
    int pool_before[3]; /* fire modules, counted from 0 */
} squeezenet;

static const squeezenet v1_0 = {96, 7, {0, 3, 7}}, v1_1 = {64, 3, {0, 2, 4}};

static gn_feature features(gn_blocks *b, gn_feature x)
{
    static const int fires[8][2] = {{16, 64},  {16, 64},  {32, 128}, {32, 128},
                                    {48, 192}, {48, 192}, {64, 256}, {64, 256}};
    const squeezenet *table = b->table;
    gn_conv_layer first = gn_conv(table->K, table->kernel, 2, GN_INIT_HE_UNIFORM_FAN_IN);
    first.pad_h = first.pad_w = 0;
    first.bias = GN_BIAS_ZERO;
    x = gn_block_relu(b, "features.1", gn_block_conv(b, "features.0", x, &first));
    int i = 2; /* module */
    for (int fire = 0, pool = 0; fire < 8; fire++) {
        if (pool < 3 && table->pool_before[pool] == fire) {
            x = gn_block_max_pool(b, gn_block_item(b, "features", i++), gn_block_map(b, x), 3, 2, 0, true);
            pool++;
        }
        x = gn_module_fire(b, gn_block_item(b, "features", i++), x, fires[fire][0], fires[fire][1]);
    }
    return gn_block_map(b, x);
}

static gn_feature classifier(gn_blocks *b, gn_feature x, int classes)
{
    gn_conv_layer last = gn_conv(classes, 1, 1, GN_INIT_NORMAL_001);
    last.bias = GN_BIAS_ZERO;
    x = gn_block_dropout(b, "classifier.0", x, 0.5f);
    x = gn_block_relu(b, "classifier.2", gn_block_conv(b, "classifier.1", x, &last));
    return gn_block_flatten(b, "flatten", gn_block_global_pool(b, "classifier.3", x));
}

#define SQUEEZENET(id, about, rows, px)                                                                                \
    const gn_architecture gn_architecture_##id = {.name = #id,                                                         \
                                                  .line = about,                                                       \
                                                  .smallest_px = px,                                                   \
                                                  .feature_width = 512,                                                \
                                                  .table = &(rows),                                                    \
                                                  .features = features,                                                \
                                                  .classifier = classifier}

SQUEEZENET(squeezenet1_0, "fire modules without normalisation, 2016", v1_0, 21);
SQUEEZENET(squeezenet1_1, "the same with poolings further in front, 2016", v1_1, 17);
