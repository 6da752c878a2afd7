/* Layers of networks with their weights, named by the path that torchvision gives the module ("features.0.0"), so that its state
 * dictionaries fit tensor for tensor.  What is built from several layers is in modules.h.
 * Failures stay in the graph's sticky error; builders check once at the end.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_ZOO_BLOCKS_H
#define GN_ZOO_BLOCKS_H

#include "graph/graph.h"
#include "zoo/activation.h"

/* A value on its way through the network: [N,C,H,W], or [N,C] after flattening. */
typedef struct gn_feature {
    int value;
    int C;
    int H, W;   /* pixels; below 1 where the picture was too small */
    int stride; /* pixels of the network's input from one pixel to the next */
} gn_feature;

/* Maps at strides 1, 2, 4, ... 32. */
#define GN_BLOCK_MAPS 6

/* Who builds, and what every layer is told. */
typedef struct gn_blocks {
    gn_graph *graph;
    uint64_t seed;                  /* of initial weights, see weight_init.h */
    bool no_weights;                /* they stay 0 */
    gn_act act;                     /* takes the place of the architecture's own, unless GN_ACT_OWN */
    float norm_epsilon;             /* of BatchNormalization */
    float norm_momentum;            /* share of the newest batch in the running statistics (PyTorch's sense) */
    double width;                   /* scales channels, where the architecture takes it */
    const void *table;              /* rows of the architecture's own, see architectures.h */
    gn_feature maps[GN_BLOCK_MAPS]; /* the last one told of at stride 1 << i; C 0: none */
    int head_begins;                /* first value of a detector's head; 0: not told */
} gn_blocks;

/* How weights begin; fan_in = inputs that one output sums, fan_out = K*R*S. */
typedef enum gn_init {
    GN_INIT_HE_FAN_OUT,        /* normal, deviation sqrt(2 / fan_out): He et al. 2015 */
    GN_INIT_HE_FAN_IN,         /* normal, deviation sqrt(2 / fan_in) */
    GN_INIT_HE_UNIFORM_FAN_IN, /* uniform within sqrt(6 / fan_in) */
    GN_INIT_LECUN_UNIFORM,     /* uniform within 1 / sqrt(fan_in): PyTorch's default */
    GN_INIT_UNIFORM_FAN_OUT,   /* uniform within sqrt(3 / fan_out) */
    GN_INIT_GLOROT_UNIFORM, /* uniform within sqrt(6 / (fan_in + fan_out)), with fan_out of one group: Keras' default */
    GN_INIT_NORMAL_001,     /* normal, deviation 0.01 */
    GN_INIT_NORMAL_002,     /* normal, deviation 0.02 */
} gn_init;

typedef enum gn_bias {
    GN_BIAS_NONE,
    GN_BIAS_ZERO,    /* begins at 0 */
    GN_BIAS_UNIFORM, /* begins uniform within 1 / sqrt(fan_in): PyTorch's default */
} gn_bias;

typedef struct gn_conv_layer {
    int K; /* filters */
    int kernel_h, kernel_w;
    int stride;
    int pad_h, pad_w; /* on both sides */
    int group;
    gn_bias bias;
    gn_init init;
} gn_conv_layer;

/* Square filters that keep the size at stride 1 (odd kernels), without bias. */
gn_conv_layer gn_conv(int K, int kernel, int stride, gn_init init);
/* One filter per channel. */
gn_conv_layer gn_depthwise(int C, int kernel, int stride, gn_init init);
gn_feature gn_block_conv(gn_blocks *b, const char *path, gn_feature x, const gn_conv_layer *layer);
/* The same once more on another x, with the weights that are there already. */
gn_feature gn_block_conv_again(gn_blocks *b, const char *path, gn_feature x, const gn_conv_layer *layer);

gn_feature gn_block_batchnorm(gn_blocks *b, const char *path, gn_feature x);
/* Over the channels of each pixel, as PyTorch's LayerNorm on N,H,W,C; axis: of the channels in x, the last one. */
gn_feature gn_block_layernorm(gn_blocks *b, const char *path, gn_feature x, float epsilon);
/* The caller's activation, else `own`. */
gn_feature gn_block_act(gn_blocks *b, const char *path, gn_feature x, gn_act own);
gn_feature gn_block_relu(gn_blocks *b, const char *path, gn_feature x);
gn_feature gn_block_relu6(gn_blocks *b, const char *path, gn_feature x);
/* An operator of one input and no attribute: "Sigmoid", ... */
gn_feature gn_block_unary(gn_blocks *b, const char *op, const char *path, gn_feature x);

gn_feature gn_block_add(gn_blocks *b, const char *path, gn_feature x, gn_feature y);
gn_feature gn_block_mul(gn_blocks *b, const char *path, gn_feature x, gn_feature y);
gn_feature gn_block_concat(gn_blocks *b, const char *path, gn_feature x, gn_feature y);
gn_feature gn_block_concat_n(gn_blocks *b, const char *path, const gn_feature *x, int n);
/* The first and the second half of the channels. */
void gn_block_halves(gn_blocks *b, const char *path, gn_feature x, gn_feature half[2]);
/* perm: of N,C,H,W.  C, H and W of the result stay what they mean. */
gn_feature gn_block_transpose(gn_blocks *b, const char *path, gn_feature x, const int64_t perm[4]);

gn_feature gn_block_max_pool(gn_blocks *b, const char *path, gn_feature x, int kernel, int stride, int pad,
                             bool ceil_mode);
/* 2x2 at stride 1 that keeps the size: the row and the column beyond the far edges count for nothing. */
gn_feature gn_block_max_pool_kept(gn_blocks *b, const char *path, gn_feature x);
gn_feature gn_block_average_pool(gn_blocks *b, const char *path, gn_feature x, int kernel, int stride);
gn_feature gn_block_global_pool(gn_blocks *b, const char *path, gn_feature x);
/* Means over a raster of px x px cells, whatever the size of the map. */
gn_feature gn_block_adaptive_pool(gn_blocks *b, const char *path, gn_feature x, int px);
gn_feature gn_block_flatten(gn_blocks *b, const char *path, gn_feature x);
gn_feature gn_block_dropout(gn_blocks *b, const char *path, gn_feature x, float ratio);
/* x: [N,C] -> [N,K] */
gn_feature gn_block_linear(gn_blocks *b, const char *path, gn_feature x, int K, gn_init init, gn_bias bias);
/* x: channels last, any rank; weight [K,C] as torch.nn.Linear */
gn_feature gn_block_linear_last(gn_blocks *b, const char *path, gn_feature x, int K, gn_init init);
/* Multiplies by a weight of shape [C,1,1] that begins at `begin`. */
gn_feature gn_block_scale(gn_blocks *b, const char *path, gn_feature x, float begin);

/* x at the size of `like`, each pixel repeated: twice as large, or where paddings took pixels away a little less. */
gn_feature gn_block_upsample(gn_blocks *b, const char *path, gn_feature x, gn_feature like);
/* Blocks of 2x2 pixels become four times the channels. */
gn_feature gn_block_space_to_depth(gn_blocks *b, const char *path, gn_feature x);
/* x: [N,K*H*W] as a map [N,K,H,W] */
gn_feature gn_block_raster(gn_blocks *b, const char *path, gn_feature x, int K, int H, int W);

/* Adds x to `n` numbers of the bias of the layer at `path`, from `first` on; is_set: they become x. */
void gn_block_begin_bias(gn_blocks *b, const char *path, int first, int n, double x, bool is_set);
/* Says that what is made from now on is the detector's head; what was made before can be frozen. */
void gn_block_head_begins(gn_blocks *b);

/* Says that x is the end of a stage: detectors may take it.  Returns x. */
gn_feature gn_block_map(gn_blocks *b, gn_feature x);

/* Sees to maps at strides 8, 16 and 32: where the network stops earlier, 2x2 max pooling goes on. */
void gn_block_fill_maps(gn_blocks *b);

/* A name in the graph's arena; "" when there is no memory (the sticky error says so). */
const char *gn_block_name(gn_blocks *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "base.name" and "base.3" */
const char *gn_block_path(gn_blocks *b, const char *base, const char *name);
const char *gn_block_item(gn_blocks *b, const char *base, int i);

#endif
