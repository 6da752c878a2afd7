/* Building blocks of networks: layers with their weights, named by the path that torchvision gives the module ("features.0.0"), so
 * that its state dictionaries fit tensor for tensor.
 * Failures stay in the graph's sticky error; builders check once at the end.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_ZOO_BLOCKS_H
#define GN_ZOO_BLOCKS_H

#include "graph/graph.h"

/* Who builds. */
typedef struct gn_blocks {
    gn_graph *graph;
    uint64_t seed; /* of initial weights, see weight_init.h */
} gn_blocks;

/* A value on its way through the network: [N,C,H,W], or [N,C] after flattening. */
typedef struct gn_feature {
    int value;
    int C;
} gn_feature;

/* How weights begin; fan_in = inputs that one output sums, fan_out = K*R*S. */
typedef enum gn_init {
    GN_INIT_HE_FAN_OUT,        /* normal, deviation sqrt(2 / fan_out): He et al. 2015 */
    GN_INIT_HE_UNIFORM_FAN_IN, /* uniform within sqrt(6 / fan_in) */
    GN_INIT_LECUN_UNIFORM,     /* uniform within 1 / sqrt(fan_in), the bias too: PyTorch's default */
    GN_INIT_NORMAL_001,        /* normal, deviation 0.01 */
} gn_init;

typedef struct gn_conv_layer {
    int K, kernel, stride, pad, group;
    bool has_bias; /* begins at 0 */
    gn_init init;
} gn_conv_layer;

gn_feature gn_block_conv(gn_blocks *b, const char *path, gn_feature x, const gn_conv_layer *layer);
gn_feature gn_block_batchnorm(gn_blocks *b, const char *path, gn_feature x); /* epsilon 1e-5, momentum 0.1 of the new */
gn_feature gn_block_relu(gn_blocks *b, const char *path, gn_feature x);
gn_feature gn_block_relu6(gn_blocks *b, const char *path, gn_feature x);
gn_feature gn_block_add(gn_blocks *b, const char *path, gn_feature x, gn_feature y);
gn_feature gn_block_concat(gn_blocks *b, const char *path, gn_feature x, gn_feature y);
gn_feature gn_block_max_pool(gn_blocks *b, const char *path, gn_feature x, int kernel, int stride, int pad,
                             bool ceil_mode);
gn_feature gn_block_global_pool(gn_blocks *b, const char *path, gn_feature x);
gn_feature gn_block_flatten(gn_blocks *b, const char *path, gn_feature x);
gn_feature gn_block_dropout(gn_blocks *b, const char *path, gn_feature x, float ratio);
/* The bias begins uniform with GN_INIT_LECUN_UNIFORM, else at 0. */
gn_feature gn_block_linear(gn_blocks *b, const char *path, gn_feature x, int K, gn_init init);

/* "base.name" in the graph's arena; "" when there is no memory (the sticky error says so). */
const char *gn_block_path(gn_blocks *b, const char *base, const char *name);
/* The same with a number: "base.3". */
const char *gn_block_item(gn_blocks *b, const char *base, int i);

#endif
