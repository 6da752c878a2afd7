/* GoogLeNet: inception modules, four branches side by side.  Without the two auxiliary classifiers, and without torchvision's
 * transform_input (a change of normalisation for weights that were trained under another one).  The third branch filters by 3x3 where
 * the paper has 5x5, as torchvision's weights do.
 * Source: Szegedy et al. 2015, "Going deeper with convolutions", table 1; names and initial weights as in torchvision.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/architectures.h"

static gn_feature conv(gn_blocks *b, const char *path, gn_feature x, int K, int kernel, int stride)
{
    const gn_conv_layer layer = gn_conv(K, kernel, stride, GN_INIT_NORMAL_001);
    x = gn_block_conv(b, gn_block_path(b, path, "conv"), x, &layer);
    x = gn_block_batchnorm(b, gn_block_path(b, path, "bn"), x);
    return gn_block_relu(b, gn_block_path(b, path, "relu"), x);
}

typedef struct inception {
    const char *name;
    int direct, reduce3, K3, reduce5, K5, pooled; /* channels of the branches */
} inception;

static gn_feature inception_module(gn_blocks *b, gn_feature x, const inception *m)
{
    gn_feature y[4];
    y[0] = conv(b, gn_block_path(b, m->name, "branch1"), x, m->direct, 1, 1);
    y[1] = conv(b, gn_block_path(b, m->name, "branch2.0"), x, m->reduce3, 1, 1);
    y[1] = conv(b, gn_block_path(b, m->name, "branch2.1"), y[1], m->K3, 3, 1);
    y[2] = conv(b, gn_block_path(b, m->name, "branch3.0"), x, m->reduce5, 1, 1);
    y[2] = conv(b, gn_block_path(b, m->name, "branch3.1"), y[2], m->K5, 3, 1);
    y[3] = gn_block_max_pool(b, gn_block_path(b, m->name, "branch4.0"), x, 3, 1, 1, true);
    y[3] = conv(b, gn_block_path(b, m->name, "branch4.1"), y[3], m->pooled, 1, 1);
    return gn_block_concat_n(b, m->name, y, 4);
}

static gn_feature inceptions(gn_blocks *b, gn_feature x, const inception *rows, int n)
{
    for (int i = 0; i < n; i++)
        x = inception_module(b, x, &rows[i]);
    return gn_block_map(b, x);
}

static gn_feature features(gn_blocks *b, gn_feature x)
{
    static const inception stage3[] = {{"inception3a", 64, 96, 128, 16, 32, 32},
                                       {"inception3b", 128, 128, 192, 32, 96, 64}};
    static const inception stage4[] = {{"inception4a", 192, 96, 208, 16, 48, 64},
                                       {"inception4b", 160, 112, 224, 24, 64, 64},
                                       {"inception4c", 128, 128, 256, 24, 64, 64},
                                       {"inception4d", 112, 144, 288, 32, 64, 64},
                                       {"inception4e", 256, 160, 320, 32, 128, 128}};
    static const inception stage5[] = {{"inception5a", 256, 160, 320, 32, 128, 128},
                                       {"inception5b", 384, 192, 384, 48, 128, 128}};
    x = conv(b, "conv1", x, 64, 7, 2);
    x = gn_block_max_pool(b, "maxpool1", x, 3, 2, 0, true);
    x = conv(b, "conv2", x, 64, 1, 1);
    x = conv(b, "conv3", x, 192, 3, 1);
    x = gn_block_max_pool(b, "maxpool2", gn_block_map(b, x), 3, 2, 0, true);
    x = inceptions(b, x, stage3, 2);
    x = gn_block_max_pool(b, "maxpool3", x, 3, 2, 0, true);
    x = inceptions(b, x, stage4, 5);
    x = gn_block_max_pool(b, "maxpool4", x, 2, 2, 0, true);
    return inceptions(b, x, stage5, 2);
}

static gn_feature classifier(gn_blocks *b, gn_feature x, int classes)
{
    x = gn_block_flatten(b, "flatten", gn_block_global_pool(b, "avgpool", x));
    x = gn_block_dropout(b, "dropout", x, 0.2f);
    return gn_block_linear(b, "fc", x, classes, GN_INIT_NORMAL_001, GN_BIAS_UNIFORM);
}

const gn_architecture gn_architecture_googlenet = {
    .name = "googlenet",
    .line = "inception modules, 2015",
    .smallest_px = 15,
    .feature_width = 1024,
    .norm_epsilon = 1e-3f,
    .features = features,
    .classifier = classifier,
};
