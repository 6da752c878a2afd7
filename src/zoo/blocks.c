/* Building blocks of networks.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/blocks.h"

#include <math.h>

#include "zoo/weight_init.h"

static const char *checked(gn_blocks *b, const char *s)
{
    if (!s)
        gn_graph_set_error(b->graph, GN_ENOMEM, "building a network: %s", gn_status_sentence(GN_ENOMEM));
    return s ? s : "";
}

const char *gn_block_path(gn_blocks *b, const char *base, const char *name)
{
    return checked(b, gn_arena_printf(gn_graph_arena(b->graph), "%s.%s", base, name));
}

const char *gn_block_item(gn_blocks *b, const char *base, int i)
{
    return checked(b, gn_arena_printf(gn_graph_arena(b->graph), "%s.%d", base, i));
}

/* A state of `count` numbers that are all `x`. */
static int constant_state(gn_blocks *b, const char *path, const char *name, int count, float x, bool trainable)
{
    const gn_shape shape = gn_shape_make(1, count);
    const int id = gn_graph_add_state(b->graph, gn_block_path(b, path, name), GN_DTYPE_F32, &shape, trainable);
    if (id >= 0 && x != 0)
        gn_init_constant(gn_graph_value(b->graph, id)->data, x);
    return id;
}

static int weight_state(gn_blocks *b, const char *path, const gn_shape *shape, gn_init init)
{
    const char *name = gn_block_path(b, path, "weight");
    const int id = gn_graph_add_state(b->graph, name, GN_DTYPE_F32, shape, true);
    if (id < 0)
        return id;
    gn_tensor *weight = gn_graph_value(b->graph, id)->data;
    const double per_output = (double)gn_shape_count(shape) / (double)shape->dim[0];
    const double fan_out = (double)gn_shape_count(shape) / (double)shape->dim[1];
    switch (init) {
    case GN_INIT_HE_FAN_OUT:
        gn_init_normal(weight, b->seed, name, sqrt(2 / fan_out));
        break;
    case GN_INIT_HE_UNIFORM_FAN_IN:
        gn_init_uniform(weight, b->seed, name, sqrt(6 / per_output));
        break;
    case GN_INIT_LECUN_UNIFORM:
        gn_init_uniform(weight, b->seed, name, 1 / sqrt(per_output));
        break;
    case GN_INIT_NORMAL_001:
        gn_init_normal(weight, b->seed, name, 0.01);
        break;
    }
    return id;
}

static gn_feature simple(gn_blocks *b, const char *op, const char *path, gn_feature x, const gn_attr *attrs,
                         int n_attrs)
{
    return (gn_feature){gn_graph_add_op(b->graph, op, "", path, &x.value, 1, attrs, n_attrs), x.C};
}

gn_feature gn_block_conv(gn_blocks *b, const char *path, gn_feature x, const gn_conv_layer *layer)
{
    const gn_shape shape = gn_shape_make(4, layer->K, x.C / layer->group, layer->kernel, layer->kernel);
    const int64_t kernel[2] = {layer->kernel, layer->kernel}, strides[2] = {layer->stride, layer->stride};
    const int64_t pads[4] = {layer->pad, layer->pad, layer->pad, layer->pad}, dilations[2] = {1, 1};
    const gn_attr attrs[5] = {gn_attr_ints("kernel_shape", kernel, 2), gn_attr_ints("strides", strides, 2),
                              gn_attr_ints("pads", pads, 4), gn_attr_ints("dilations", dilations, 2),
                              gn_attr_int("group", layer->group)};
    const int weight = weight_state(b, path, &shape, layer->init);
    const int bias = layer->has_bias ? constant_state(b, path, "bias", layer->K, 0, true) : -1;
    const int in[3] = {x.value, weight, bias};
    return (gn_feature){gn_graph_add_op(b->graph, "Conv", "", path, in, layer->has_bias ? 3 : 2, attrs, 5), layer->K};
}

gn_feature gn_block_batchnorm(gn_blocks *b, const char *path, gn_feature x)
{
    const gn_attr attrs[2] = {gn_attr_float("epsilon", 1e-5f), gn_attr_float("momentum", 0.9f)};
    const int in[5] = {
        x.value,
        constant_state(b, path, "weight", x.C, 1, true),
        constant_state(b, path, "bias", x.C, 0, true),
        constant_state(b, path, "running_mean", x.C, 0, false),
        constant_state(b, path, "running_var", x.C, 1, false),
    };
    return (gn_feature){gn_graph_add_op(b->graph, "BatchNormalization", "", path, in, 5, attrs, 2), x.C};
}

gn_feature gn_block_relu(gn_blocks *b, const char *path, gn_feature x)
{
    return simple(b, "Relu", path, x, NULL, 0);
}

gn_feature gn_block_relu6(gn_blocks *b, const char *path, gn_feature x)
{
    static const float bounds[2] = {0, 6};
    int in[3] = {x.value, gn_graph_find_value(b->graph, "relu6.min"), gn_graph_find_value(b->graph, "relu6.max")};
    if (in[1] < 0)
        in[1] = gn_graph_add_const_f32(b->graph, "relu6.min", 0, &bounds[0]);
    if (in[2] < 0)
        in[2] = gn_graph_add_const_f32(b->graph, "relu6.max", 0, &bounds[1]);
    return (gn_feature){gn_graph_add_op(b->graph, "Clip", "", path, in, 3, NULL, 0), x.C};
}

gn_feature gn_block_add(gn_blocks *b, const char *path, gn_feature x, gn_feature y)
{
    const int in[2] = {x.value, y.value};
    return (gn_feature){gn_graph_add_op(b->graph, "Add", "", path, in, 2, NULL, 0), x.C};
}

gn_feature gn_block_concat(gn_blocks *b, const char *path, gn_feature x, gn_feature y)
{
    const int in[2] = {x.value, y.value};
    const gn_attr axis = gn_attr_int("axis", 1);
    return (gn_feature){gn_graph_add_op(b->graph, "Concat", "", path, in, 2, &axis, 1), x.C + y.C};
}

gn_feature gn_block_max_pool(gn_blocks *b, const char *path, gn_feature x, int kernel, int stride, int pad,
                             bool ceil_mode)
{
    const int64_t kernel_shape[2] = {kernel, kernel}, strides[2] = {stride, stride}, pads[4] = {pad, pad, pad, pad};
    const gn_attr attrs[4] = {gn_attr_ints("kernel_shape", kernel_shape, 2), gn_attr_ints("strides", strides, 2),
                              gn_attr_ints("pads", pads, 4), gn_attr_int("ceil_mode", ceil_mode)};
    return simple(b, "MaxPool", path, x, attrs, 4);
}

gn_feature gn_block_global_pool(gn_blocks *b, const char *path, gn_feature x)
{
    return simple(b, "GlobalAveragePool", path, x, NULL, 0);
}

gn_feature gn_block_flatten(gn_blocks *b, const char *path, gn_feature x)
{
    const gn_attr axis = gn_attr_int("axis", 1);
    return simple(b, "Flatten", path, x, &axis, 1);
}

gn_feature gn_block_dropout(gn_blocks *b, const char *path, gn_feature x, float ratio)
{
    const int in[2] = {x.value, gn_graph_add_const_f32(b->graph, gn_block_path(b, path, "ratio"), 0, &ratio)};
    return (gn_feature){gn_graph_add_op(b->graph, "Dropout", "", path, in, 2, NULL, 0), x.C};
}

gn_feature gn_block_linear(gn_blocks *b, const char *path, gn_feature x, int K, gn_init init)
{
    const gn_shape shape = gn_shape_make(2, K, x.C);
    const gn_attr attrs[1] = {gn_attr_int("transB", 1)};
    const int weight = weight_state(b, path, &shape, init);
    const int bias = constant_state(b, path, "bias", K, 0, true);
    if (bias >= 0 && init == GN_INIT_LECUN_UNIFORM)
        gn_init_uniform(gn_graph_value(b->graph, bias)->data, b->seed, gn_graph_value(b->graph, bias)->name,
                        1 / sqrt((double)x.C));
    const int in[3] = {x.value, weight, bias};
    return (gn_feature){gn_graph_add_op(b->graph, "Gemm", "", path, in, 3, attrs, 1), K};
}
