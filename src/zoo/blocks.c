/* Layers of networks: names, convolutions, normalisation, pooling, linear layers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/blocks.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "zoo/weight_init.h"

#define LONGEST_NAME 200

/* ---- names ---- */

static const char *checked(gn_blocks *b, const char *s)
{
    if (!s)
        gn_graph_set_error(b->graph, GN_ENOMEM, "building a network: %s", gn_status_sentence(GN_ENOMEM));
    return s ? s : "";
}

const char *gn_block_name(gn_blocks *b, const char *fmt, ...)
{
    char name[LONGEST_NAME];
    va_list args;
    va_start(args, fmt);
    vsnprintf(name, sizeof name, fmt, args);
    va_end(args);
    return checked(b, gn_arena_printf(gn_graph_arena(b->graph), "%s", name));
}

const char *gn_block_path(gn_blocks *b, const char *base, const char *name)
{
    return gn_block_name(b, "%s.%s", base, name);
}

const char *gn_block_item(gn_blocks *b, const char *base, int i)
{
    return gn_block_name(b, "%s.%d", base, i);
}

/* ---- weights ---- */

/* A state of `count` numbers that are all `x`. */
static int constant_state(gn_blocks *b, const char *path, const char *name, const gn_shape *shape, float x,
                          bool trainable)
{
    const int id = gn_graph_add_state(b->graph, gn_block_path(b, path, name), GN_DTYPE_F32, shape, trainable);
    if (id >= 0 && x != 0 && !b->no_weights)
        gn_init_constant(gn_graph_value(b->graph, id)->data, x);
    return id;
}

static int constant_row(gn_blocks *b, const char *path, const char *name, int count, float x, bool trainable)
{
    const gn_shape shape = gn_shape_make(1, count);
    return constant_state(b, path, name, &shape, x, trainable);
}

static void begin(gn_blocks *b, gn_tensor *weight, const char *name, int group, gn_init init)
{
    const double count = (double)gn_shape_count(&weight->shape);
    const double fan_in = count / (double)weight->shape.dim[0], fan_out = count / (double)weight->shape.dim[1];
    switch (init) {
    case GN_INIT_HE_FAN_OUT:
        gn_init_normal(weight, b->seed, name, sqrt(2 / fan_out));
        break;
    case GN_INIT_HE_FAN_IN:
        gn_init_normal(weight, b->seed, name, sqrt(2 / fan_in));
        break;
    case GN_INIT_HE_UNIFORM_FAN_IN:
        gn_init_uniform(weight, b->seed, name, sqrt(6 / fan_in));
        break;
    case GN_INIT_LECUN_UNIFORM:
        gn_init_uniform(weight, b->seed, name, 1 / sqrt(fan_in));
        break;
    case GN_INIT_UNIFORM_FAN_OUT:
        /* a linear layer's K; a convolution's K*R*S */
        gn_init_uniform(weight, b->seed, name, sqrt(3 / fan_out));
        break;
    case GN_INIT_GLOROT_UNIFORM:
        gn_init_uniform(weight, b->seed, name, sqrt(6 / (fan_in + fan_out / group)));
        break;
    case GN_INIT_NORMAL_001:
        gn_init_normal(weight, b->seed, name, 0.01);
        break;
    case GN_INIT_NORMAL_002:
        gn_init_normal(weight, b->seed, name, 0.02);
        break;
    }
}

static int weight_state(gn_blocks *b, const char *path, const gn_shape *shape, int group, gn_init init)
{
    const char *name = gn_block_path(b, path, "weight");
    const int id = gn_graph_add_state(b->graph, name, GN_DTYPE_F32, shape, true);
    if (id >= 0 && !b->no_weights)
        begin(b, gn_graph_value(b->graph, id)->data, name, group, init);
    return id;
}

/* The bias of a layer whose weight exists; -1: none. */
static int bias_state(gn_blocks *b, const char *path, int K, double fan_in, gn_bias bias)
{
    if (bias == GN_BIAS_NONE)
        return -1;
    const int id = constant_row(b, path, "bias", K, 0, true);
    if (id >= 0 && bias == GN_BIAS_UNIFORM && !b->no_weights)
        gn_init_uniform(gn_graph_value(b->graph, id)->data, b->seed, gn_graph_value(b->graph, id)->name,
                        1 / sqrt(fan_in));
    return id;
}

/* ---- convolution and normalisation ---- */

gn_conv_layer gn_conv(int K, int kernel, int stride, gn_init init)
{
    return (gn_conv_layer){.K = K,
                           .kernel_h = kernel,
                           .kernel_w = kernel,
                           .stride = stride,
                           .pad_h = kernel / 2,
                           .pad_w = kernel / 2,
                           .group = 1,
                           .init = init};
}

gn_conv_layer gn_depthwise(int C, int kernel, int stride, gn_init init)
{
    gn_conv_layer layer = gn_conv(C, kernel, stride, init);
    layer.group = C;
    return layer;
}

/* Pixels after a window of `kernel` slid over `size`. */
static int slid(int size, int kernel, int stride, int pad, bool ceil_mode)
{
    const int room = size + 2 * pad - kernel;
    if (room < 0)
        return ceil_mode && room > -stride ? 1 : 0;
    const int n = room / stride + 1;
    /* a last window that hangs over the edge must begin inside the picture */
    return ceil_mode && room % stride && n * stride < size + pad ? n + 1 : n;
}

static gn_feature convolve(gn_blocks *b, const char *path, gn_feature x, const gn_conv_layer *layer, int weight,
                           int bias)
{
    const int64_t kernel[2] = {layer->kernel_h, layer->kernel_w}, strides[2] = {layer->stride, layer->stride};
    const int64_t pads[4] = {layer->pad_h, layer->pad_w, layer->pad_h, layer->pad_w}, dilations[2] = {1, 1};
    const gn_attr attrs[5] = {gn_attr_ints("kernel_shape", kernel, 2), gn_attr_ints("strides", strides, 2),
                              gn_attr_ints("pads", pads, 4), gn_attr_ints("dilations", dilations, 2),
                              gn_attr_int("group", layer->group)};
    const int in[3] = {x.value, weight, bias};
    return (gn_feature){
        .value = gn_graph_add_op(b->graph, "Conv", "", path, in, layer->bias == GN_BIAS_NONE ? 2 : 3, attrs, 5),
        .C = layer->K,
        .H = slid(x.H, layer->kernel_h, layer->stride, layer->pad_h, false),
        .W = slid(x.W, layer->kernel_w, layer->stride, layer->pad_w, false),
        .stride = x.stride * layer->stride};
}

gn_feature gn_block_conv(gn_blocks *b, const char *path, gn_feature x, const gn_conv_layer *layer)
{
    const gn_shape shape = gn_shape_make(4, layer->K, x.C / layer->group, layer->kernel_h, layer->kernel_w);
    const int weight = weight_state(b, path, &shape, layer->group, layer->init);
    const double fan_in = (double)shape.dim[1] * layer->kernel_h * layer->kernel_w;
    return convolve(b, path, x, layer, weight, bias_state(b, path, layer->K, fan_in, layer->bias));
}

gn_feature gn_block_conv_again(gn_blocks *b, const char *path, gn_feature x, const gn_conv_layer *layer)
{
    const int weight = gn_graph_find_value(b->graph, gn_block_path(b, path, "weight")),
              bias = gn_graph_find_value(b->graph, gn_block_path(b, path, "bias"));
    return convolve(b, path, x, layer, weight, layer->bias == GN_BIAS_NONE ? -1 : bias);
}

gn_feature gn_block_batchnorm(gn_blocks *b, const char *path, gn_feature x)
{
    const gn_attr attrs[2] = {gn_attr_float("epsilon", b->norm_epsilon),
                              gn_attr_float("momentum", (float)(1 - (double)b->norm_momentum))};
    const int in[5] = {
        x.value,
        constant_row(b, path, "weight", x.C, 1, true),
        constant_row(b, path, "bias", x.C, 0, true),
        constant_row(b, path, "running_mean", x.C, 0, false),
        constant_row(b, path, "running_var", x.C, 1, false),
    };
    x.value = gn_graph_add_op(b->graph, "BatchNormalization", "", path, in, 5, attrs, 2);
    return x;
}

gn_feature gn_block_layernorm(gn_blocks *b, const char *path, gn_feature x, float epsilon)
{
    const gn_attr attrs[2] = {gn_attr_int("axis", -1), gn_attr_float("epsilon", epsilon)};
    const int in[3] = {x.value, constant_row(b, path, "weight", x.C, 1, true),
                       constant_row(b, path, "bias", x.C, 0, true)};
    x.value = gn_graph_add_op(b->graph, "LayerNormalization", "", path, in, 3, attrs, 2);
    return x;
}

/* ---- arithmetic and moves ---- */

/* The same shape, through an operator of one input. */
static gn_feature through(gn_blocks *b, const char *op, const char *path, gn_feature x, const gn_attr *attrs,
                          int n_attrs)
{
    x.value = gn_graph_add_op(b->graph, op, "", path, &x.value, 1, attrs, n_attrs);
    return x;
}

gn_feature gn_block_unary(gn_blocks *b, const char *op, const char *path, gn_feature x)
{
    return through(b, op, path, x, NULL, 0);
}

/* x op y, in the shape of x. */
static gn_feature with(gn_blocks *b, const char *op, const char *path, gn_feature x, int y)
{
    const int in[2] = {x.value, y};
    x.value = gn_graph_add_op(b->graph, op, "", path, in, 2, NULL, 0);
    return x;
}

gn_feature gn_block_add(gn_blocks *b, const char *path, gn_feature x, gn_feature y)
{
    return with(b, "Add", path, x, y.value);
}

gn_feature gn_block_mul(gn_blocks *b, const char *path, gn_feature x, gn_feature y)
{
    return with(b, "Mul", path, x, y.value);
}

gn_feature gn_block_concat_n(gn_blocks *b, const char *path, const gn_feature *x, int n)
{
    int in[8];
    gn_feature y = x[0];
    const gn_attr axis = gn_attr_int("axis", 1);
    GN_ASSERT(n <= 8);
    for (int i = 0; i < n; i++) {
        in[i] = x[i].value;
        y.C += i > 0 ? x[i].C : 0;
    }
    y.value = gn_graph_add_op(b->graph, "Concat", "", path, in, n, &axis, 1);
    return y;
}

gn_feature gn_block_concat(gn_blocks *b, const char *path, gn_feature x, gn_feature y)
{
    const gn_feature both[2] = {x, y};
    return gn_block_concat_n(b, path, both, 2);
}

void gn_block_halves(gn_blocks *b, const char *path, gn_feature x, gn_feature half[2])
{
    const int64_t sizes[2] = {x.C / 2, x.C - x.C / 2};
    const int in[2] = {x.value, gn_graph_add_const_s64(b->graph, gn_block_path(b, path, "sizes"), 2, sizes)};
    const gn_attr axis = gn_attr_int("axis", 1);
    const int node = gn_graph_add_node(b->graph, "Split", "", path, in, 2, 2, &axis, 1);
    for (int i = 0; i < 2; i++) {
        half[i] = x;
        half[i].C = (int)sizes[i];
        half[i].value = node < 0 ? -1 : gn_graph_node(b->graph, node)->out[i];
    }
}

gn_feature gn_block_transpose(gn_blocks *b, const char *path, gn_feature x, const int64_t perm[4])
{
    const gn_attr attr = gn_attr_ints("perm", perm, 4);
    return through(b, "Transpose", path, x, &attr, 1);
}

gn_feature gn_block_scale(gn_blocks *b, const char *path, gn_feature x, float first)
{
    const gn_shape shape = gn_shape_make(3, x.C, 1, 1);
    return with(b, "Mul", gn_block_path(b, path, "scaled"), x,
                constant_state(b, path, "layer_scale", &shape, first, true));
}

/* ---- pooling ---- */

gn_feature gn_block_max_pool_kept(gn_blocks *b, const char *path, gn_feature x)
{
    static const int64_t kernel[2] = {2, 2}, strides[2] = {1, 1}, pads[4] = {0, 0, 1, 1};
    const gn_attr attrs[3] = {gn_attr_ints("kernel_shape", kernel, 2), gn_attr_ints("strides", strides, 2),
                              gn_attr_ints("pads", pads, 4)};
    return through(b, "MaxPool", path, x, attrs, 3);
}

gn_feature gn_block_max_pool(gn_blocks *b, const char *path, gn_feature x, int kernel, int stride, int pad,
                             bool ceil_mode)
{
    const int64_t kernel_shape[2] = {kernel, kernel}, strides[2] = {stride, stride}, pads[4] = {pad, pad, pad, pad};
    const gn_attr attrs[4] = {gn_attr_ints("kernel_shape", kernel_shape, 2), gn_attr_ints("strides", strides, 2),
                              gn_attr_ints("pads", pads, 4), gn_attr_int("ceil_mode", ceil_mode)};
    x = through(b, "MaxPool", path, x, attrs, 4);
    x.H = slid(x.H, kernel, stride, pad, ceil_mode);
    x.W = slid(x.W, kernel, stride, pad, ceil_mode);
    x.stride *= stride;
    return x;
}

gn_feature gn_block_average_pool(gn_blocks *b, const char *path, gn_feature x, int kernel, int stride)
{
    const int64_t kernel_shape[2] = {kernel, kernel}, strides[2] = {stride, stride};
    const gn_attr attrs[2] = {gn_attr_ints("kernel_shape", kernel_shape, 2), gn_attr_ints("strides", strides, 2)};
    x = through(b, "AveragePool", path, x, attrs, 2);
    x.H = slid(x.H, kernel, stride, 0, false);
    x.W = slid(x.W, kernel, stride, 0, false);
    x.stride *= stride;
    return x;
}

gn_feature gn_block_global_pool(gn_blocks *b, const char *path, gn_feature x)
{
    x = through(b, "GlobalAveragePool", path, x, NULL, 0);
    x.H = x.W = 1;
    return x;
}

gn_feature gn_block_adaptive_pool(gn_blocks *b, const char *path, gn_feature x, int px)
{
    const int64_t size[2] = {px, px};
    const gn_attr attr = gn_attr_ints("output_size", size, 2);
    x.value = gn_graph_add_op(b->graph, "AdaptiveAveragePool", "gannet", path, &x.value, 1, &attr, 1);
    x.H = x.W = px;
    return x;
}

/* ---- detectors ---- */

/* Where the sizes are not whole multiples a little is on top: the size of the result is rounded down. */
static float factor_between(int from, int to)
{
    return to % from == 0 ? (float)(to / from) : ((float)to + 0.01f) / (float)from;
}

gn_feature gn_block_upsample(gn_blocks *b, const char *path, gn_feature x, gn_feature like)
{
    const float scales[4] = {1, 1, factor_between(x.H, like.H), factor_between(x.W, like.W)};
    const gn_attr attrs[3] = {gn_attr_string("mode", "nearest"), gn_attr_string("nearest_mode", "floor"),
                              gn_attr_string("coordinate_transformation_mode", "asymmetric")};
    const int in[3] = {x.value, -1, gn_graph_add_const_f32(b->graph, gn_block_path(b, path, "scales"), 4, scales)};
    x.value = gn_graph_add_op(b->graph, "Resize", "", path, in, 3, attrs, 3);
    x.H = like.H;
    x.W = like.W;
    x.stride = like.stride;
    return x;
}

gn_feature gn_block_space_to_depth(gn_blocks *b, const char *path, gn_feature x)
{
    const gn_attr size = gn_attr_int("blocksize", 2);
    x = through(b, "SpaceToDepth", path, x, &size, 1);
    x.C *= 4;
    x.H /= 2;
    x.W /= 2;
    x.stride *= 2;
    return x;
}

gn_feature gn_block_raster(gn_blocks *b, const char *path, gn_feature x, int K, int H, int W)
{
    const int64_t shape[4] = {0, K, H, W};
    const int in[2] = {x.value, gn_graph_add_const_s64(b->graph, gn_block_path(b, path, "shape"), 4, shape)};
    x.value = gn_graph_add_op(b->graph, "Reshape", "", path, in, 2, NULL, 0);
    x.C = K;
    x.H = H;
    x.W = W;
    return x;
}

void gn_block_begin_bias(gn_blocks *b, const char *path, int first, int n, double x, bool is_set)
{
    const int id = gn_graph_find_value(b->graph, gn_block_path(b, path, "bias"));
    if (id < 0 || b->no_weights)
        return;
    float *bias = gn_graph_value(b->graph, id)->data->data;
    for (int i = first; i < first + n; i++)
        bias[i] = is_set ? (float)x : (float)((double)bias[i] + x);
}

void gn_block_head_begins(gn_blocks *b)
{
    b->head_begins = gn_graph_value_count(b->graph);
}

/* ---- the last layers ---- */

gn_feature gn_block_flatten(gn_blocks *b, const char *path, gn_feature x)
{
    const gn_attr axis = gn_attr_int("axis", 1);
    x = through(b, "Flatten", path, x, &axis, 1);
    x.C *= x.H * x.W;
    x.H = x.W = 1;
    return x;
}

gn_feature gn_block_dropout(gn_blocks *b, const char *path, gn_feature x, float ratio)
{
    return with(b, "Dropout", path, x, gn_graph_add_const_f32(b->graph, gn_block_path(b, path, "ratio"), 0, &ratio));
}

gn_feature gn_block_linear(gn_blocks *b, const char *path, gn_feature x, int K, gn_init init, gn_bias bias)
{
    const gn_shape shape = gn_shape_make(2, K, x.C);
    const gn_attr attrs[1] = {gn_attr_int("transB", 1)};
    const int in[3] = {x.value, weight_state(b, path, &shape, 1, init), bias_state(b, path, K, x.C, bias)};
    x.value = gn_graph_add_op(b->graph, "Gemm", "", path, in, bias == GN_BIAS_NONE ? 2 : 3, attrs, 1);
    x.C = K;
    return x;
}

gn_feature gn_block_linear_last(gn_blocks *b, const char *path, gn_feature x, int K, gn_init init)
{
    const gn_shape shape = gn_shape_make(2, K, x.C);
    const int64_t perm[2] = {1, 0};
    const gn_attr attr = gn_attr_ints("perm", perm, 2);
    const int weight = weight_state(b, path, &shape, 1, init);
    const int turned =
        gn_graph_add_op(b->graph, "Transpose", "", gn_block_path(b, path, "turned"), &weight, 1, &attr, 1);
    x = with(b, "MatMul", path, x, turned);
    x.C = K;
    return with(b, "Add", gn_block_path(b, path, "add"), x, bias_state(b, path, K, x.C, GN_BIAS_ZERO));
}

gn_feature gn_block_map(gn_blocks *b, gn_feature x)
{
    for (int i = 0; i < GN_BLOCK_MAPS; i++)
        if (x.stride == 1 << i)
            b->maps[i] = x;
    return x;
}

#define FIRST_MAP 3 /* stride 8 */

void gn_block_fill_maps(gn_blocks *b)
{
    for (int i = FIRST_MAP; i < GN_BLOCK_MAPS; i++)
        if (b->maps[i].C == 0)
            b->maps[i] = gn_block_max_pool(b, "extra", b->maps[i - 1], 2, 2, 0, true);
}
