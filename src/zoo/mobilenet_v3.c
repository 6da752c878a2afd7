/* MobileNetV3: inverted residuals with squeeze-and-excitation and hard-swish, as a search found them.
 * Source: Howard et al. 2019, "Searching for MobileNetV3", tables 1 and 2; names and initial weights as in torchvision.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/architectures.h"
#include "zoo/modules.h"

typedef struct row {
    int kernel, hidden, c, stride;
    bool is_squeezed, is_swish;
} row;

typedef struct mobilenet_v3 {
    const row *rows;
    int n, classifier_width;
} mobilenet_v3;

/* kernel, exp size, out, s; SE, NL */
static const row large_rows[] = {
    {3, 16, 16, 1, false, false}, {3, 64, 24, 2, false, false}, {3, 72, 24, 1, false, false},
    {5, 72, 40, 2, true, false},  {5, 120, 40, 1, true, false}, {5, 120, 40, 1, true, false},
    {3, 240, 80, 2, false, true}, {3, 200, 80, 1, false, true}, {3, 184, 80, 1, false, true},
    {3, 184, 80, 1, false, true}, {3, 480, 112, 1, true, true}, {3, 672, 112, 1, true, true},
    {5, 672, 160, 2, true, true}, {5, 960, 160, 1, true, true}, {5, 960, 160, 1, true, true},
};
static const row small_rows[] = {
    {3, 16, 16, 2, true, false}, {3, 72, 24, 2, false, false}, {3, 88, 24, 1, false, false},
    {5, 96, 40, 2, true, true},  {5, 240, 40, 1, true, true},  {5, 240, 40, 1, true, true},
    {5, 120, 48, 1, true, true}, {5, 144, 48, 1, true, true},  {5, 288, 96, 2, true, true},
    {5, 576, 96, 1, true, true}, {5, 576, 96, 1, true, true},
};
static const mobilenet_v3 large = {large_rows, sizeof large_rows / sizeof large_rows[0], 1280};
static const mobilenet_v3 small = {small_rows, sizeof small_rows / sizeof small_rows[0], 1024};

static gn_feature bottleneck(gn_blocks *b, const char *path, gn_feature x, const row *r)
{
    const gn_excitation excitation = {.squeeze = gn_channels_of_8(r->hidden / 4),
                                      .bias = GN_BIAS_ZERO,
                                      .init = GN_INIT_HE_FAN_OUT,
                                      .gate = "HardSigmoid"};
    const gn_inverted block = {.hidden = r->hidden,
                               .K = r->c,
                               .kernel = r->kernel,
                               .stride = r->stride,
                               .skips_expansion = r->hidden == x.C,
                               .act = r->is_swish ? GN_HARD_SWISH : GN_RELU,
                               .excitation = r->is_squeezed ? &excitation : NULL};
    return gn_module_inverted(b, path, x, &block);
}

static gn_feature features(gn_blocks *b, gn_feature x)
{
    const mobilenet_v3 *table = b->table;
    const gn_conv_layer first = gn_conv(16, 3, 2, GN_INIT_HE_FAN_OUT);
    x = gn_module_conv(b, "features.0", 0, x, &first, GN_HARD_SWISH);
    for (int i = 0; i < table->n; i++)
        x = gn_block_map(b, bottleneck(b, gn_block_name(b, "features.%d.block", i + 1), x, &table->rows[i]));
    const gn_conv_layer last = gn_conv(6 * x.C, 1, 1, GN_INIT_HE_FAN_OUT);
    return gn_block_map(b, gn_module_conv(b, gn_block_item(b, "features", table->n + 1), 0, x, &last, GN_HARD_SWISH));
}

static gn_feature classifier(gn_blocks *b, gn_feature x, int classes)
{
    const mobilenet_v3 *table = b->table;
    x = gn_block_flatten(b, "flatten", gn_block_global_pool(b, "avgpool", x));
    x = gn_block_linear(b, "classifier.0", x, table->classifier_width, GN_INIT_NORMAL_001, GN_BIAS_ZERO);
    x = gn_block_act(b, "classifier.1", x, GN_HARD_SWISH);
    x = gn_block_dropout(b, "classifier.2", x, 0.2f);
    return gn_block_linear(b, "classifier.3", x, classes, GN_INIT_NORMAL_001, GN_BIAS_ZERO);
}

#define MOBILENET_V3(id, about, rows, width)                                                                           \
    const gn_architecture gn_architecture_##id = {.name = #id,                                                         \
                                                  .line = about,                                                       \
                                                  .smallest_px = 32,                                                   \
                                                  .feature_width = width,                                              \
                                                  .table = &(rows),                                                    \
                                                  .norm_epsilon = 1e-3f,                                               \
                                                  .norm_momentum = 0.01f,                                              \
                                                  .features = features,                                                \
                                                  .classifier = classifier}

MOBILENET_V3(mobilenet_v3_small, "inverted residuals with squeeze-and-excitation, 2019", small, 576);
MOBILENET_V3(mobilenet_v3_large, "the same, larger", large, 960);
