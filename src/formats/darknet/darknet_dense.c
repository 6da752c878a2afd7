/* Layers with weights: convolutional, connected, local, batchnorm.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "formats/darknet/darknet_build.h"

/* What a running statistic keeps of itself. */
#define MOMENTUM 0.99f

#define MAX_FILTERS 65536
#define MAX_KERNEL  1024
#define MAX_OUTPUTS 1000000
/* Of the kernel that lines up the windows of a local layer. */
#define MAX_WINDOW_NUMBERS 20000000

/* Options that change what a layer computes and that nothing here follows. */
static void refuse(gn_darknet_build *b, const char *key)
{
    if (gn_darknet_int(b, key, 0, -1000000, 1000000) != 0)
        gn_darknet_fail(b, GN_EUNSUPPORTED, "its option %s is not supported", key);
}

/* ---- batch normalisation ---- */

typedef struct norm {
    int scale, shift, mean, variance;
} norm;

static int vector(gn_darknet_build *b, const char *what, int C, bool trainable, float start)
{
    const gn_shape shape = gn_shape_make(1, C);
    return gn_darknet_state(b, what, &shape, trainable, GN_DARKNET_AS_IS, start, 0);
}

static void norm_rest(gn_darknet_build *b, norm *n, int C)
{
    n->scale = vector(b, "bn.weight", C, true, 1);
    n->mean = vector(b, "bn.running_mean", C, false, 0);
    n->variance = vector(b, "bn.running_var", C, false, 1);
}

static int normalize(gn_darknet_build *b, int x, const norm *n)
{
    const gn_attr attrs[2] = {gn_attr_float("epsilon", b->epsilon), gn_attr_float("momentum", MOMENTUM)};
    const int in[5] = {x, n->scale, n->shift, n->mean, n->variance};
    return gn_darknet_op(b, "BatchNormalization", "bn", in, 5, attrs, 2);
}

void gn_darknet_batchnorm(gn_darknet_build *b)
{
    norm n = {.shift = vector(b, "bn.bias", b->x.C, true, 0)};
    norm_rest(b, &n, b->x.C);
    b->x.value = normalize(b, b->x.value, &n);
}

/* ---- convolutional ---- */

typedef struct geometry {
    int K, size, stride_x, stride_y, pad, dilation, group;
} geometry;

static geometry read_geometry(gn_darknet_build *b)
{
    static const char *const unread[] = {"binary", "xnor",    "antialiasing", "share_index",
                                         "deform", "stretch", "rotate",       "sway"};
    geometry g = {.K = gn_darknet_int(b, "filters", 1, 1, MAX_FILTERS),
                  .size = gn_darknet_int(b, "size", 1, 1, MAX_KERNEL)};
    const int stride = gn_darknet_int(b, "stride", 1, 1, MAX_KERNEL);
    g.stride_x = gn_darknet_int(b, "stride_x", stride, 1, MAX_KERNEL);
    g.stride_y = gn_darknet_int(b, "stride_y", stride, 1, MAX_KERNEL);
    g.dilation = g.size == 1 ? 1 : gn_darknet_int(b, "dilation", 1, 1, MAX_KERNEL);
    g.group = gn_darknet_int(b, "groups", 1, 1, MAX_FILTERS);
    g.pad = gn_darknet_int(b, "pad", 0, 0, 1) ? g.size / 2 : gn_darknet_int(b, "padding", 0, 0, MAX_KERNEL);
    for (size_t i = 0; i < sizeof unread / sizeof *unread; i++)
        refuse(b, unread[i]);
    if (b->x.C % g.group != 0 || g.K % g.group != 0)
        gn_darknet_fail(b, GN_EFORMAT, "%d channels and %d filters do not divide into %d groups", b->x.C, g.K, g.group);
    if (b->x.is_flat)
        gn_darknet_fail(b, GN_EUNSUPPORTED, "it stands after a connected layer");
    return g;
}

static int out_size(int in, int pad, int size, int stride, int dilation)
{
    return (in + 2 * pad * dilation - ((size - 1) * dilation + 1)) / stride + 1;
}

static int convolve(gn_darknet_build *b, const char *what, const geometry *g, int x, int weight, int bias)
{
    const int64_t kernel[2] = {g->size, g->size}, strides[2] = {g->stride_y, g->stride_x};
    const int64_t p = (int64_t)g->pad * g->dilation, pads[4] = {p, p, p, p}, dilations[2] = {g->dilation, g->dilation};
    const gn_attr attrs[5] = {gn_attr_ints("kernel_shape", kernel, 2), gn_attr_ints("strides", strides, 2),
                              gn_attr_ints("pads", pads, 4), gn_attr_ints("dilations", dilations, 2),
                              gn_attr_int("group", g->group)};
    const int in[3] = {x, weight, bias};
    return gn_darknet_op(b, "Conv", what, in, bias >= 0 ? 3 : 2, attrs, 5);
}

/* False: the kernel is larger than the picture. */
static bool set_size(gn_darknet_build *b, const geometry *g)
{
    const int reach = (g->size - 1) * g->dilation + 1, both = 2 * g->pad * g->dilation;
    if (b->status == GN_OK && (b->x.H + both < reach || b->x.W + both < reach))
        gn_darknet_fail(b, GN_EFORMAT, "its kernel of %d is larger than its input of %d x %d", g->size, b->x.W, b->x.H);
    if (b->status != GN_OK)
        return false;
    b->x.C = g->K;
    b->x.H = out_size(b->x.H, g->pad, g->size, g->stride_y, g->dilation);
    b->x.W = out_size(b->x.W, g->pad, g->size, g->stride_x, g->dilation);
    return true;
}

void gn_darknet_convolutional(gn_darknet_build *b)
{
    const geometry g = read_geometry(b);
    const bool has_norm = gn_darknet_int(b, "batch_normalize", 0, 0, 1) != 0;
    const bool is_flipped = gn_darknet_int(b, "flipped", 0, 0, 1) != 0;
    if (b->status != GN_OK)
        return;
    const gn_shape shape = gn_shape_make(4, g.K, b->x.C / g.group, g.size, g.size);
    const double spread = sqrt(2.0 / ((double)g.size * g.size * b->x.C / g.group));
    const gn_darknet_order order = is_flipped ? GN_DARKNET_FLIPPED : GN_DARKNET_AS_IS;
    norm n = {0};
    int x = b->x.value, bias = -1;
    if (has_norm) {
        n.shift = vector(b, "bn.bias", g.K, true, 0);
        norm_rest(b, &n, g.K);
    } else {
        bias = vector(b, "conv.bias", g.K, true, 0);
    }
    const int weight = gn_darknet_state(b, "conv.weight", &shape, true, order, 0, spread);
    if (!set_size(b, &g))
        return;
    x = convolve(b, "conv", &g, x, weight, bias);
    if (has_norm)
        x = normalize(b, x, &n);
    b->x.value = gn_darknet_activate(b, x, "logistic");
}

/* ---- connected ---- */

static int flatten(gn_darknet_build *b)
{
    const gn_attr axis = gn_attr_int("axis", 1);
    return b->x.is_flat ? b->x.value : gn_darknet_op(b, "Flatten", "flatten", &b->x.value, 1, &axis, 1);
}

void gn_darknet_connected(gn_darknet_build *b)
{
    const int outputs = gn_darknet_int(b, "output", 1, 1, MAX_OUTPUTS);
    const bool has_norm = gn_darknet_int(b, "batch_normalize", 0, 0, 1) != 0;
    const int64_t inputs = (int64_t)b->x.C * b->x.H * b->x.W;
    const gn_attr attr = gn_attr_int("transB", 1);
    if (b->status == GN_OK && inputs > 100000000)
        gn_darknet_fail(b, GN_ELIMIT, "it would have %lld inputs", (long long)inputs);
    if (b->status != GN_OK)
        return;
    const gn_shape shape = gn_shape_make(2, outputs, (int)inputs);
    norm n = {0};
    const int shift = vector(b, has_norm ? "bn.bias" : "linear.bias", outputs, true, 0);
    const int weight =
        gn_darknet_state(b, "linear.weight", &shape, true, GN_DARKNET_CONNECTED, 0, sqrt(2.0 / (double)inputs));
    if (has_norm) {
        n.shift = shift;
        norm_rest(b, &n, outputs);
    }
    const int in[3] = {flatten(b), weight, shift};
    int x = gn_darknet_op(b, "Gemm", "linear", in, has_norm ? 2 : 3, &attr, 1);
    if (has_norm)
        x = normalize(b, x, &n);
    x = gn_darknet_activate(b, x, "logistic");
    b->x = (gn_darknet_feature){.value = x, .C = outputs, .H = 1, .W = 1, .is_flat = true};
}

/* ---- local ---- */

/* Every window of the picture as a column: a convolution of each channel with the size*size kernels that are 1 at one place. */
static int unfold(gn_darknet_build *b, const geometry *g, int x, int C)
{
    const int taps = g->size * g->size;
    const gn_shape shape = gn_shape_make(4, C * taps, 1, g->size, g->size);
    gn_tensor *kernel = NULL;
    if (b->status != GN_OK)
        return -1;
    if (gn_tensor_create(GN_DTYPE_F32, &shape, &kernel) != GN_OK) {
        gn_darknet_fail(b, GN_ENOMEM, "out of memory");
        return -1;
    }
    for (int64_t i = 0; i < (int64_t)C * taps; i++)
        ((float *)kernel->data)[i * taps + i % taps] = 1;
    const int weight = gn_graph_add_const(b->graph, gn_darknet_name(b, "local.windows"), kernel);
    gn_tensor_destroy(&kernel);
    geometry windows = *g;
    windows.group = C;
    return convolve(b, "unfold", &windows, x, weight, -1);
}

/* Like a convolution, but with weights of its own at every place: for each place a product of its window with its matrix. */
void gn_darknet_local(gn_darknet_build *b)
{
    const int C = b->x.C, input = b->x.value;
    geometry g = {.K = gn_darknet_int(b, "filters", 1, 1, MAX_FILTERS), .size = gn_darknet_int(b, "size", 1, 1, 32)};
    g.stride_x = g.stride_y = gn_darknet_int(b, "stride", 1, 1, MAX_KERNEL);
    g.pad = gn_darknet_int(b, "pad", 0, 0, 1) ? g.size / 2 : 0;
    g.dilation = g.group = 1;
    if (b->status == GN_OK && (b->x.is_flat || (int64_t)C * g.size * g.size > MAX_WINDOW_NUMBERS / (g.size * g.size)))
        gn_darknet_fail(b, GN_EUNSUPPORTED, "it stands after a connected layer, or has too many inputs");
    if (!set_size(b, &g))
        return;
    const int places = b->x.H * b->x.W, column = C * g.size * g.size;
    if ((int64_t)places * column > 100000000) {
        gn_darknet_fail(b, GN_ELIMIT, "its windows would have too many numbers");
        return;
    }
    const gn_shape bias_shape = gn_shape_make(3, g.K, b->x.H, b->x.W), shape = gn_shape_make(3, places, column, g.K);
    const int bias = gn_darknet_state(b, "local.bias", &bias_shape, true, GN_DARKNET_AS_IS, 0, 0);
    const int weight = gn_darknet_state(b, "local.weight", &shape, true, GN_DARKNET_LOCAL, 0, sqrt(2.0 / column));
    const int64_t columns[3] = {0, column, places}, places_first[3] = {2, 0, 1}, places_last[3] = {1, 2, 0};
    const int64_t map[4] = {0, g.K, b->x.H, b->x.W};
    int x = gn_darknet_reshape(b, "columns", unfold(b, &g, input, C), columns, 3);
    x = gn_darknet_transpose(b, "places_first", x, places_first, 3);
    const int product[2] = {x, weight};
    x = gn_darknet_op(b, "MatMul", "local", product, 2, NULL, 0);
    x = gn_darknet_transpose(b, "places_last", x, places_last, 3);
    x = gn_darknet_reshape(b, "map", x, map, 4);
    const int sum[2] = {x, bias};
    x = gn_darknet_op(b, "Add", "local.add", sum, 2, NULL, 0);
    b->x.value = gn_darknet_activate(b, x, "logistic");
}
