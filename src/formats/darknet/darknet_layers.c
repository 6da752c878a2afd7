/* Layers without weights, and which section is which layer.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "formats/darknet/darknet_build.h"

#define MAX_WINDOW 1024
#define MAX_ROUTES 64

typedef gn_darknet_build builder;

static void need_map(builder *b)
{
    if (b->x.is_flat)
        gn_darknet_fail(b, GN_EUNSUPPORTED, "it stands after a connected layer");
}

/* Padding as a sum of both sides, the smaller half first; by default the kernel's size less one. */
static void maxpool(builder *b)
{
    const int stride = gn_darknet_int(b, "stride", 1, 1, MAX_WINDOW);
    const int stride_x = gn_darknet_int(b, "stride_x", stride, 1, MAX_WINDOW);
    const int stride_y = gn_darknet_int(b, "stride_y", stride, 1, MAX_WINDOW);
    const int size = gn_darknet_int(b, "size", stride, 1, MAX_WINDOW);
    const int padding = gn_darknet_int(b, "padding", size - 1, 0, 2 * MAX_WINDOW);
    if (gn_darknet_int(b, "maxpool_depth", 0, 0, 1) || gn_darknet_int(b, "antialiasing", 0, 0, 1))
        gn_darknet_fail(b, GN_EUNSUPPORTED, "maxpool_depth and antialiasing are not supported");
    if (b->status == GN_OK && (padding + 1) / 2 >= size && padding > 0)
        gn_darknet_fail(b, GN_EUNSUPPORTED, "its padding %d is too large for its size %d", padding, size);
    if (b->status == GN_OK && (b->x.H + padding < size || b->x.W + padding < size))
        gn_darknet_fail(b, GN_EFORMAT, "its window of %d is larger than its input of %d x %d", size, b->x.W, b->x.H);
    need_map(b);
    if (b->status != GN_OK)
        return;
    const int64_t first = padding / 2, last = padding - first;
    const int64_t kernel[2] = {size, size}, strides[2] = {stride_y, stride_x}, pads[4] = {first, first, last, last};
    const gn_attr attrs[3] = {gn_attr_ints("kernel_shape", kernel, 2), gn_attr_ints("strides", strides, 2),
                              gn_attr_ints("pads", pads, 4)};
    b->x.value = gn_darknet_op(b, "MaxPool", "maxpool", &b->x.value, 1, attrs, 3);
    b->x.H = (b->x.H + padding - size) / stride_y + 1;
    b->x.W = (b->x.W + padding - size) / stride_x + 1;
}

static void avgpool(builder *b)
{
    need_map(b);
    b->x.value = gn_darknet_op(b, "GlobalAveragePool", "avgpool", &b->x.value, 1, NULL, 0);
    b->x.H = b->x.W = 1;
}

static void shortcut(builder *b)
{
    int from[MAX_ROUTES];
    const int n = gn_darknet_layer_list(b, "from", from, MAX_ROUTES);
    if (strcmp(gn_darknet_text(b, "weights_type", "none"), "none") != 0)
        gn_darknet_fail(b, GN_EUNSUPPORTED, "weights_type is not supported");
    int x = b->x.value;
    for (int i = 0; i < n && b->status == GN_OK; i++) {
        const gn_darknet_feature *y = &b->layers[from[i]];
        const int in[2] = {x, y->value};
        if (y->C != b->x.C || y->H != b->x.H || y->W != b->x.W || y->is_flat != b->x.is_flat) {
            gn_darknet_fail(b, GN_EUNSUPPORTED,
                            "%d channels of %d x %d and %d of %d x %d are added; only equal sizes are", b->x.C, b->x.W,
                            b->x.H, y->C, y->W, y->H);
            return;
        }
        x = gn_darknet_op(b, "Add", "shortcut", in, 2, NULL, 0);
    }
    b->x.value = gn_darknet_activate(b, x, "linear");
}

/* Part group_id of `groups` equal parts of the channels. */
static int part(builder *b, const gn_darknet_feature *x, int groups, int id)
{
    if (b->status != GN_OK || groups == 1)
        return x->value;
    const int each = x->C / groups;
    const int64_t start = (int64_t)id * each, end = start + each, axis = 1;
    const int in[4] = {x->value, gn_graph_add_const_s64(b->graph, NULL, 1, &start),
                       gn_graph_add_const_s64(b->graph, NULL, 1, &end),
                       gn_graph_add_const_s64(b->graph, NULL, 1, &axis)};
    return gn_darknet_op(b, "Slice", "part", in, 4, NULL, 0);
}

static void route(builder *b)
{
    int from[MAX_ROUTES], values[MAX_ROUTES], C = 0;
    const int n = gn_darknet_layer_list(b, "layers", from, MAX_ROUTES);
    const int groups = gn_darknet_int(b, "groups", 1, 1, 65536);
    const int id = gn_darknet_int(b, "group_id", 0, 0, groups - 1);
    for (int i = 0; i < n && b->status == GN_OK; i++) {
        const gn_darknet_feature *x = &b->layers[from[i]], *first = &b->layers[from[0]];
        if (x->H != first->H || x->W != first->W || x->is_flat != first->is_flat)
            gn_darknet_fail(b, GN_EFORMAT, "maps of %d x %d and %d x %d are put together", first->W, first->H, x->W,
                            x->H);
        if (b->status == GN_OK && x->C % groups != 0)
            gn_darknet_fail(b, GN_EFORMAT, "%d channels do not divide into %d groups", x->C, groups);
        values[i] = part(b, x, groups, id);
        C += x->C / groups;
    }
    if (b->status != GN_OK)
        return;
    const gn_attr axis = gn_attr_int("axis", 1);
    const int value = n == 1 ? values[0] : gn_darknet_op(b, "Concat", "route", values, n, &axis, 1);
    b->x = b->layers[from[0]];
    b->x.value = value;
    b->x.C = C;
}

static void upsample(builder *b)
{
    const int stride = gn_darknet_int(b, "stride", 2, 1, 64);
    const double scale = gn_darknet_real(b, "scale", 1);
    const float scales[4] = {1, 1, (float)stride, (float)stride}, factor = (float)scale;
    need_map(b);
    if (b->status != GN_OK)
        return;
    const gn_attr attrs[3] = {gn_attr_string("mode", "nearest"), gn_attr_string("nearest_mode", "floor"),
                              gn_attr_string("coordinate_transformation_mode", "asymmetric")};
    const int in[3] = {b->x.value, -1, gn_graph_add_const_f32(b->graph, NULL, 4, scales)};
    b->x.value = gn_darknet_op(b, "Resize", "upsample", in, 3, attrs, 3);
    b->x.H *= stride;
    b->x.W *= stride;
    if (factor == 1)
        return;
    const int product[2] = {b->x.value, gn_graph_add_const_f32(b->graph, NULL, 0, &factor)};
    b->x.value = gn_darknet_op(b, "Mul", "upsample.scale", product, 2, NULL, 0);
}

static void dropout(builder *b)
{
    const double probability = gn_darknet_real(b, "probability", 0.5);
    if (b->status == GN_OK && !(probability >= 0 && probability < 1))
        gn_darknet_fail(b, GN_EFORMAT, "its probability is not in 0..1");
    if (b->status != GN_OK)
        return;
    const float ratio = (float)probability;
    const int in[2] = {b->x.value, gn_graph_add_const_f32(b->graph, NULL, 0, &ratio)};
    b->x.value = gn_darknet_op(b, "Dropout", "dropout", in, 2, NULL, 0);
}

/* Over all numbers of a picture, or within groups of them. */
static void softmax(builder *b)
{
    const int groups = gn_darknet_int(b, "groups", 1, 1, 1000000);
    const double temperature = gn_darknet_real(b, "temperature", 1);
    const int64_t n = (int64_t)b->x.C * b->x.H * b->x.W;
    if (gn_darknet_find(b->section, "tree") || gn_darknet_int(b, "spatial", 0, 0, 1))
        gn_darknet_fail(b, GN_EUNSUPPORTED, "tree and spatial are not supported");
    if (b->status == GN_OK && (n % groups != 0 || n > 10000000 || !(temperature > 0)))
        gn_darknet_fail(b, GN_EFORMAT, "%lld numbers in %d groups at temperature %g", (long long)n, groups,
                        temperature);
    if (b->status != GN_OK)
        return;
    const gn_attr axis = gn_attr_int("axis", 1), last = gn_attr_int("axis", -1);
    const float factor = (float)(1 / temperature);
    int x = b->x.is_flat ? b->x.value : gn_darknet_op(b, "Flatten", "flatten", &b->x.value, 1, &axis, 1);
    b->x = (gn_darknet_feature){.value = x, .C = (int)n, .H = 1, .W = 1, .is_flat = true};
    const bool is_last =
        (size_t)b->index + 2 == b->cfg->n ||
        ((size_t)b->index + 3 == b->cfg->n && strcmp(b->cfg->sections[b->index + 2].name, "cost") == 0);
    if (is_last && groups == 1 && temperature == 1 && !b->is_raw) {
        b->ends_in_softmax = true;
        gn_darknet_note(b, "left to whoever reads the logits");
        return;
    }
    if (temperature != 1) {
        const int in[2] = {x, gn_graph_add_const_f32(b->graph, NULL, 0, &factor)};
        x = gn_darknet_op(b, "Mul", "temperature", in, 2, NULL, 0);
    }
    const int64_t split[3] = {0, groups, n / groups}, whole[2] = {0, n};
    if (groups > 1)
        x = gn_darknet_reshape(b, "groups", x, split, 3);
    x = gn_darknet_op(b, "Softmax", "softmax", &x, 1, &last, 1);
    b->x.value = groups > 1 ? gn_darknet_reshape(b, "whole", x, whole, 2) : x;
}

/* Channels to space and back as Darknet has it: the picture's memory read as [C/ss, H, s, W, s], written as [s, s, C/ss, H, W]. */
static void reorg(builder *b)
{
    const int s = gn_darknet_int(b, "stride", 1, 1, 64), C = b->x.C, H = b->x.H, W = b->x.W;
    if (gn_darknet_int(b, "reverse", 0, 0, 1) || gn_darknet_int(b, "flatten", 0, 0, 1) ||
        gn_darknet_int(b, "extra", 0, 0, 1))
        gn_darknet_fail(b, GN_EUNSUPPORTED, "reverse, flatten and extra are not supported");
    need_map(b);
    if (b->status == GN_OK && (C % (s * s) != 0 || H % s != 0 || W % s != 0))
        gn_darknet_fail(b, GN_EFORMAT, "%d channels of %d x %d do not divide by its stride %d", C, W, H, s);
    if (b->status != GN_OK)
        return;
    const int64_t apart[6] = {0, C / (s * s), H, s, W, s}, perm[6] = {0, 3, 5, 1, 2, 4};
    const int64_t together[4] = {0, (int64_t)C * s * s, H / s, W / s};
    int x = gn_darknet_reshape(b, "apart", b->x.value, apart, 6);
    x = gn_darknet_transpose(b, "turned", x, perm, 6);
    b->x.value = gn_darknet_reshape(b, "reorg", x, together, 4);
    b->x.C = C * s * s;
    b->x.H = H / s;
    b->x.W = W / s;
}

static void crop(builder *b)
{
    const int h = gn_darknet_int(b, "crop_height", 1, 1, 65536), w = gn_darknet_int(b, "crop_width", 1, 1, 65536);
    if (b->status == GN_OK && (h != b->x.H || w != b->x.W || !gn_darknet_int(b, "noadjust", 0, 0, 1)))
        gn_darknet_fail(b, GN_EUNSUPPORTED, "only a crop that changes nothing is read (the input's size, noadjust=1)");
    gn_darknet_note(b, "left out, it changes nothing");
}

static void cost(builder *b)
{
    gn_darknet_note(b, "left out, it belongs to training");
}

static void activation(builder *b)
{
    b->x.value = gn_darknet_activate(b, b->x.value, "linear");
}

void gn_darknet_layer(builder *b)
{
    static const struct {
        const char *name;
        void (*build)(builder *b);
    } layers[] = {
        {"convolutional", gn_darknet_convolutional},
        {"conv", gn_darknet_convolutional},
        {"connected", gn_darknet_connected},
        {"conn", gn_darknet_connected},
        {"local", gn_darknet_local},
        {"batchnorm", gn_darknet_batchnorm},
        {"maxpool", maxpool},
        {"max", maxpool},
        {"avgpool", avgpool},
        {"avg", avgpool},
        {"shortcut", shortcut},
        {"route", route},
        {"upsample", upsample},
        {"dropout", dropout},
        {"softmax", softmax},
        {"soft", softmax},
        {"reorg", reorg},
        {"activation", activation},
        {"crop", crop},
        {"cost", cost},
        {"yolo", gn_darknet_detection},
        {"region", gn_darknet_detection},
        {"detection", gn_darknet_detection},
        {"Gaussian_yolo", gn_darknet_detection},
    };
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (strcmp(layers[i].name, b->section->name) == 0) {
            layers[i].build(b);
            return;
        }
    gn_darknet_fail(b, GN_EUNSUPPORTED, "there is no layer of this name here");
}
