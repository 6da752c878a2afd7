/* Modules that several architectures are built from.  Tensor names are those of torchvision's modules: `path` names the module, its
 * parts have numbers or words behind it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_ZOO_MODULES_H
#define GN_ZOO_MODULES_H

#include "zoo/blocks.h"

/* `wish` as a multiple of 8: the nearest, at least 8, and not more than a tenth below the wish. */
int gn_channels_of_8(double wish);

/* Convolution at path.i, normalisation at path.(i+1), activation at path.(i+2). */
gn_feature gn_module_conv(gn_blocks *b, const char *path, int i, gn_feature x, const gn_conv_layer *layer, gn_act act);

/* Depthwise separable convolution: each channel by itself (3x3), then across channels (1x1); both normalised, both with activation.
 * path.0 .. path.5.  Howard et al. 2017, "MobileNets". */
gn_feature gn_module_separable(gn_blocks *b, const char *path, gn_feature x, int K, int stride, gn_init init,
                               gn_act act);

/* Spatially separable convolution: kernel x 1 at path.0, then 1 x kernel at path.1, the first without bias. */
gn_feature gn_module_spatially_separable(gn_blocks *b, const char *path, gn_feature x, int K, int kernel, gn_bias bias,
                                         gn_init init);

/* Squeeze and excitation: channels are weighed by what the mean over the picture says; 1x1 convolutions path.fc1 (to `squeeze`
 * channels) and path.fc2.  gate: operator that ends it, "Sigmoid" or "HardSigmoid".  Hu et al. 2018. */
typedef struct gn_excitation {
    int squeeze;
    gn_bias bias;
    gn_init init;
    const char *gate;
} gn_excitation;
gn_feature gn_module_excite(gn_blocks *b, const char *path, gn_feature x, const gn_excitation *e);

/* Inverted residual: expand by 1x1, filter each channel, weigh the channels, project by 1x1 without activation; x is added where the
 * shape stays.  Sandler et al. 2018, "MobileNetV2". */
typedef struct gn_inverted {
    int hidden; /* channels within; no expansion where they are x's and never_expands */
    int K, kernel, stride;
    bool skips_expansion; /* leaves the first 1x1 out */
    gn_act act;
    const gn_excitation *excitation; /* NULL: none */
    /* Names of the parts: path.0.0 path.0.1 | path.1.0 path.1.1 | ..., or path.0 path.1 | path.3 path.4 | ... */
    bool is_flat, ends_flat; /* all of them; the last */
} gn_inverted;
gn_feature gn_module_inverted(gn_blocks *b, const char *path, gn_feature x, const gn_inverted *m);

/* Fire: squeeze by 1x1, then expand by 1x1 and by 3x3 side by side.  Iandola et al. 2016, "SqueezeNet". */
gn_feature gn_module_fire(gn_blocks *b, const char *path, gn_feature x, int squeeze, int expand);

/* Dense block: each layer (norm, ReLU, 1x1 to 4 x growth, norm, ReLU, 3x3 to growth) sees all maps before it.
 * path.denselayer1 .. Huang et al. 2017, "Densely connected convolutional networks". */
gn_feature gn_module_dense_block(gn_blocks *b, const char *path, gn_feature x, int layers, int growth);

/* Channel g*c + k becomes channel k*groups + g.  Zhang et al. 2018, "ShuffleNet". */
gn_feature gn_module_shuffle(gn_blocks *b, const char *path, gn_feature x, int groups);

#endif
