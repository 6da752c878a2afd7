/* Modules that several architectures are built from.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/modules.h"

#include <string.h>

#define CHANNEL_MULTIPLE 8

int gn_channels_of_8(double wish)
{
    int channels = (int)(wish + CHANNEL_MULTIPLE / 2.0) / CHANNEL_MULTIPLE * CHANNEL_MULTIPLE;
    if (channels < CHANNEL_MULTIPLE)
        channels = CHANNEL_MULTIPLE;
    return channels < 0.9 * wish ? channels + CHANNEL_MULTIPLE : channels;
}

gn_feature gn_module_conv(gn_blocks *b, const char *path, int i, gn_feature x, const gn_conv_layer *layer, gn_act act)
{
    x = gn_block_conv(b, gn_block_item(b, path, i), x, layer);
    x = gn_block_batchnorm(b, gn_block_item(b, path, i + 1), x);
    return gn_block_act(b, gn_block_item(b, path, i + 2), x, act);
}

/* ---- separable convolutions ---- */

gn_feature gn_module_separable(gn_blocks *b, const char *path, gn_feature x, int K, int stride, gn_init init,
                               gn_act act)
{
    const gn_conv_layer each = gn_depthwise(x.C, 3, stride, init), across = gn_conv(K, 1, 1, init);
    x = gn_module_conv(b, path, 0, x, &each, act);
    return gn_module_conv(b, path, 3, x, &across, act);
}

gn_feature gn_module_spatially_separable(gn_blocks *b, const char *path, gn_feature x, int K, int kernel, gn_bias bias,
                                         gn_init init)
{
    gn_conv_layer column = gn_conv(K, kernel, 1, init), row = gn_conv(K, kernel, 1, init);
    column.kernel_w = row.kernel_h = 1;
    column.pad_w = row.pad_h = 0;
    row.bias = bias;
    x = gn_block_conv(b, gn_block_item(b, path, 0), x, &column);
    return gn_block_conv(b, gn_block_item(b, path, 1), x, &row);
}

/* ---- squeeze and excitation, inverted residual ---- */

gn_feature gn_module_excite(gn_blocks *b, const char *path, gn_feature x, const gn_excitation *e)
{
    gn_conv_layer squeeze = gn_conv(e->squeeze, 1, 1, e->init), excite = gn_conv(x.C, 1, 1, e->init);
    squeeze.bias = excite.bias = e->bias;
    gn_feature y = gn_block_global_pool(b, gn_block_path(b, path, "avgpool"), x);
    y = gn_block_conv(b, gn_block_path(b, path, "fc1"), y, &squeeze);
    y = gn_block_relu(b, gn_block_path(b, path, "activation"), y);
    y = gn_block_conv(b, gn_block_path(b, path, "fc2"), y, &excite);
    /* ONNX's HardSigmoid has a slope of 0.2 where none is given; PyTorch's is 1/6. */
    const gn_attr alpha = gn_attr_float("alpha", 1.0f / 6);
    y.value = gn_graph_add_op(b->graph, e->gate, "", gn_block_path(b, path, "scale_activation"), &y.value, 1, &alpha,
                              strcmp(e->gate, "HardSigmoid") == 0);
    return gn_block_mul(b, path, x, y);
}

/* A part of an inverted residual; *i goes on to the next one. */
static gn_feature part(gn_blocks *b, const char *path, int *i, bool is_flat, gn_feature x, const gn_conv_layer *layer,
                       gn_act act)
{
    if (!is_flat)
        return gn_module_conv(b, gn_block_item(b, path, (*i)++), 0, x, layer, act);
    x = gn_module_conv(b, path, *i, x, layer, act);
    *i += 3;
    return x;
}

gn_feature gn_module_inverted(gn_blocks *b, const char *path, gn_feature x, const gn_inverted *m)
{
    const gn_conv_layer expand = gn_conv(m->hidden, 1, 1, GN_INIT_HE_FAN_OUT),
                        each = gn_depthwise(m->hidden, m->kernel, m->stride, GN_INIT_HE_FAN_OUT),
                        project = gn_conv(m->K, 1, 1, GN_INIT_HE_FAN_OUT);
    gn_feature y = x;
    int i = 0;
    if (!m->skips_expansion)
        y = part(b, path, &i, m->is_flat, y, &expand, m->act);
    y = part(b, path, &i, m->is_flat, y, &each, m->act);
    if (m->excitation)
        y = gn_module_excite(b, gn_block_item(b, path, i++), y, m->excitation);
    y = part(b, path, &i, m->is_flat || m->ends_flat, y, &project, GN_NO_ACT);
    return m->stride == 1 && x.C == m->K ? gn_block_add(b, gn_block_path(b, path, "add"), x, y) : y;
}

/* ---- fire, dense block, shuffle ---- */

static gn_feature fire_part(gn_blocks *b, const char *path, const char *name, gn_feature x, int K, int kernel)
{
    gn_conv_layer layer = gn_conv(K, kernel, 1, GN_INIT_HE_UNIFORM_FAN_IN);
    layer.bias = GN_BIAS_ZERO;
    x = gn_block_conv(b, gn_block_path(b, path, name), x, &layer);
    return gn_block_relu(b, gn_block_name(b, "%s.%s_activation", path, name), x);
}

gn_feature gn_module_fire(gn_blocks *b, const char *path, gn_feature x, int squeeze, int expand)
{
    x = fire_part(b, path, "squeeze", x, squeeze, 1);
    const gn_feature small = fire_part(b, path, "expand1x1", x, expand, 1);
    const gn_feature large = fire_part(b, path, "expand3x3", x, expand, 3);
    return gn_block_concat(b, gn_block_path(b, path, "concat"), small, large);
}

/* Normalisation, ReLU, convolution, in this order. */
static gn_feature dense_part(gn_blocks *b, const char *path, int i, gn_feature x, int K, int kernel)
{
    const gn_conv_layer layer = gn_conv(K, kernel, 1, GN_INIT_HE_FAN_IN);
    x = gn_block_batchnorm(b, gn_block_name(b, "%s.norm%d", path, i), x);
    x = gn_block_relu(b, gn_block_name(b, "%s.relu%d", path, i), x);
    return gn_block_conv(b, gn_block_name(b, "%s.conv%d", path, i), x, &layer);
}

gn_feature gn_module_dense_block(gn_blocks *b, const char *path, gn_feature x, int layers, int growth)
{
    for (int i = 1; i <= layers; i++) {
        const char *layer = gn_block_name(b, "%s.denselayer%d", path, i);
        gn_feature y = dense_part(b, layer, 1, x, 4 * growth, 1);
        y = dense_part(b, layer, 2, y, growth, 3);
        x = gn_block_concat(b, gn_block_path(b, layer, "concat"), x, y);
    }
    return x;
}

/* x under another shape; 0 keeps a dimension. */
static gn_feature reshape(gn_blocks *b, const char *path, gn_feature x, const int64_t *shape, int rank)
{
    const int in[2] = {x.value, gn_graph_add_const_s64(b->graph, gn_block_path(b, path, "shape"), rank, shape)};
    x.value = gn_graph_add_op(b->graph, "Reshape", "", path, in, 2, NULL, 0);
    return x;
}

gn_feature gn_module_shuffle(gn_blocks *b, const char *path, gn_feature x, int groups)
{
    const int64_t apart[5] = {0, groups, x.C / groups, x.H, x.W}, together[4] = {0, x.C, x.H, x.W};
    const int64_t perm[5] = {0, 2, 1, 3, 4};
    const gn_attr attr = gn_attr_ints("perm", perm, 5);
    x = reshape(b, gn_block_path(b, path, "apart"), x, apart, 5);
    x.value = gn_graph_add_op(b->graph, "Transpose", "", gn_block_path(b, path, "turn"), &x.value, 1, &attr, 1);
    return reshape(b, gn_block_path(b, path, "together"), x, together, 4);
}
