/* Activations of networks: each as ONNX operators.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/blocks.h"

static gn_feature with_attr(gn_blocks *b, const char *op, const char *path, gn_feature x, const gn_attr *attr)
{
    x.value = gn_graph_add_op(b->graph, op, "", path, &x.value, 1, attr, 1);
    return x;
}

static gn_feature relu6(gn_blocks *b, const char *path, gn_feature x)
{
    static const float bounds[2] = {0, 6};
    int in[3] = {x.value, gn_graph_find_value(b->graph, "relu6.min"), gn_graph_find_value(b->graph, "relu6.max")};
    if (in[1] < 0)
        in[1] = gn_graph_add_const_f32(b->graph, "relu6.min", 0, &bounds[0]);
    if (in[2] < 0)
        in[2] = gn_graph_add_const_f32(b->graph, "relu6.max", 0, &bounds[1]);
    x.value = gn_graph_add_op(b->graph, "Clip", "", path, in, 3, NULL, 0);
    return x;
}

static gn_feature mish(gn_blocks *b, const char *path, gn_feature x)
{
    gn_feature y = gn_block_unary(b, "Softplus", gn_block_path(b, path, "softplus"), x);
    y = gn_block_unary(b, "Tanh", gn_block_path(b, path, "tanh"), y);
    return gn_block_mul(b, path, x, y);
}

gn_feature gn_block_act(gn_blocks *b, const char *path, gn_feature x, gn_act own)
{
    const gn_act act = b->act.kind == GN_ACT_OWN || own.kind == GN_ACT_NONE ? own : b->act;
    const gn_attr alpha = gn_attr_float("alpha", act.parameter);
    switch (act.kind) {
    case GN_ACT_OWN:
    case GN_ACT_NONE:
        break;
    case GN_ACT_RELU:
        return gn_block_unary(b, "Relu", path, x);
    case GN_ACT_RELU6:
        return relu6(b, path, x);
    case GN_ACT_LEAKY_RELU:
        return with_attr(b, "LeakyRelu", path, x, &alpha);
    case GN_ACT_ELU:
        return with_attr(b, "Elu", path, x, &alpha);
    case GN_ACT_GELU:
        return gn_block_unary(b, "Gelu", path, x);
    case GN_ACT_SILU:
        return gn_block_mul(b, path, x, gn_block_unary(b, "Sigmoid", gn_block_path(b, path, "sigmoid"), x));
    case GN_ACT_HARD_SWISH:
        return gn_block_unary(b, "HardSwish", path, x);
    case GN_ACT_MISH:
        return mish(b, path, x);
    }
    return x;
}

gn_feature gn_block_relu(gn_blocks *b, const char *path, gn_feature x)
{
    return gn_block_act(b, path, x, GN_RELU);
}

gn_feature gn_block_relu6(gn_blocks *b, const char *path, gn_feature x)
{
    return gn_block_act(b, path, x, GN_RELU6);
}
