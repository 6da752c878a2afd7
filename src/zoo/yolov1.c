/* YOLO, the first: convolutions down to a raster of cells, then linear layers that see the whole picture and answer for every cell with
 * two boxes and the classes.
 *   yolov1       24 convolutions, two linear layers, no normalisation
 *   yolov1_fast  9 convolutions with fewer filters ("Fast YOLO")
 *   yolov1_tiny  8 convolutions with normalisation and one linear layer, as in yolov1-tiny.cfg
 *   yolov1_half  yolov1 for small machines: layers that repeat are left out, filters are halved, every convolution is normalised as in
 *                YOLO9000, and the first linear layer has 512 outputs
 * The last halving of the map is left out for pictures of up to 320 px, so that 224 px, like 448 px, give a raster of 7 x 7 cells.
 * Source: Redmon et al. 2016, "You only look once", figure 3, and its files yolov1.cfg and yolov1-tiny.cfg.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/darknet_modules.h"

#define BOXES       2
#define FINE_STRIDE 32
#define FINE_UP_TO  320 /* px */
#define LARGEST     640 /* px: the linear layer grows with the number of cells */
#define MOST_LINEAR 2

/* What comes after a convolution, or with it. */
enum { HALVE_BY_POOL = 1, HALVE_BY_STRIDE = 2, ONLY_IF_LARGE = 4, HEAD_BEGINS = 8 };

typedef struct conv_row {
    int K, kernel, flags; /* K 0: the end */
} conv_row;

typedef struct network {
    const conv_row *rows;
    bool has_norm;
    int hidden[MOST_LINEAR + 1]; /* outputs of the linear layers before the last; 0: the end */
    bool is_first_linear;        /* the first of them has no activation */
    bool has_dropout;
} network;

static int stride_at(int width_px, int height_px)
{
    return width_px <= FINE_UP_TO && height_px <= FINE_UP_TO ? FINE_STRIDE : 2 * FINE_STRIDE;
}

static gn_feature convolution(gn_blocks *b, int i, gn_feature x, const conv_row *row, int stride, bool has_norm)
{
    if (has_norm)
        return gn_dark_conv(b, i, x, row->K, row->kernel, stride);
    gn_conv_layer layer = gn_conv(gn_dark_channels(b, row->K), row->kernel, stride, GN_INIT_HE_FAN_IN);
    layer.bias = GN_BIAS_ZERO;
    x = gn_block_conv(b, gn_dark_name(b, i, "conv"), x, &layer);
    return gn_block_act(b, gn_dark_name(b, i, "leaky"), x, GN_LEAKY_01);
}

/* From layer *i on. */
static gn_feature convolutions(gn_blocks *b, int *i, gn_feature x, const network *net, bool is_large)
{
    for (const conv_row *row = net->rows; row->K > 0; row++) {
        const bool halves = is_large || !(row->flags & ONLY_IF_LARGE);
        if (row->flags & HEAD_BEGINS)
            gn_block_head_begins(b);
        x = convolution(b, (*i)++, x, row, row->flags & HALVE_BY_STRIDE && halves ? 2 : 1, net->has_norm);
        if (row->flags & HALVE_BY_POOL && halves)
            x = gn_dark_pool(b, *i, x);
        *i += (row->flags & HALVE_BY_POOL) != 0;
    }
    return x;
}

/* Boxes begin in the middle of their cell with a side of a quarter of the picture. */
static void begin_boxes(gn_blocks *b, int cells)
{
    for (int box = 0; box < BOXES; box++)
        gn_block_begin_bias(b, "head", box * 5 * cells, 4 * cells, 0.5, false);
}

static void build(gn_blocks *b, gn_feature x, gn_detector_build *d)
{
    const network *net = b->table;
    const int K = BOXES * 5 + d->detector.classes;
    int i = 0;
    x = convolutions(b, &i, x, net, stride_at(x.W, x.H) > FINE_STRIDE);
    const int H = x.H, W = x.W, stride = x.stride;
    x = gn_block_flatten(b, "flatten", x);
    for (int k = 0; net->hidden[k] > 0; k++, i++) {
        x = gn_block_linear(b, gn_dark_name(b, i, "linear"), x, gn_dark_channels(b, net->hidden[k]), GN_INIT_HE_FAN_IN,
                            GN_BIAS_ZERO);
        if (k > 0 || !net->is_first_linear)
            x = gn_block_act(b, gn_dark_name(b, i, "leaky"), x, GN_LEAKY_01);
    }
    if (net->has_dropout)
        x = gn_block_dropout(b, gn_dark_name(b, i, "dropout"), x, 0.5f);
    x = gn_block_linear(b, "head", x, K * H * W, GN_INIT_NORMAL_001, GN_BIAS_ZERO);
    begin_boxes(b, H * W);
    d->raw[0] = gn_block_raster(b, "raster", x, K, H, W);
    d->raw[0].stride = stride;
    d->detector.kind = GN_DETECTOR_YOLOV1;
    d->detector.anchors = BOXES;
    d->detector.n_maps = 1;
}

#define P HALVE_BY_POOL
static const conv_row yolov1_rows[] = {{64, 7, HALVE_BY_STRIDE | P},
                                       {192, 3, P},
                                       {128, 1, 0},
                                       {256, 3, 0},
                                       {256, 1, 0},
                                       {512, 3, P},
                                       {256, 1, 0},
                                       {512, 3, 0},
                                       {256, 1, 0},
                                       {512, 3, 0},
                                       {256, 1, 0},
                                       {512, 3, 0},
                                       {256, 1, 0},
                                       {512, 3, 0},
                                       {512, 1, 0},
                                       {1024, 3, P},
                                       {512, 1, 0},
                                       {1024, 3, 0},
                                       {512, 1, 0},
                                       {1024, 3, 0},
                                       {1024, 3, HEAD_BEGINS},
                                       {1024, 3, HALVE_BY_STRIDE | ONLY_IF_LARGE},
                                       {1024, 3, 0},
                                       {1024, 3, 0},
                                       {0}};
static const conv_row half_rows[] = {{32, 7, HALVE_BY_STRIDE | P},
                                     {96, 3, P},
                                     {64, 1, 0},
                                     {128, 3, 0},
                                     {128, 1, 0},
                                     {256, 3, P},
                                     {128, 1, 0},
                                     {256, 3, 0},
                                     {256, 1, 0},
                                     {512, 3, P},
                                     {256, 1, 0},
                                     {512, 3, 0},
                                     {512, 3, HEAD_BEGINS},
                                     {512, 3, HALVE_BY_STRIDE | ONLY_IF_LARGE},
                                     {512, 3, 0},
                                     {0}};
static const conv_row fast_rows[] = {{16, 3, P},
                                     {32, 3, P},
                                     {64, 3, P},
                                     {128, 3, P},
                                     {256, 3, P},
                                     {512, 3, P | ONLY_IF_LARGE},
                                     {1024, 3, HEAD_BEGINS},
                                     {1024, 3, 0},
                                     {1024, 3, 0},
                                     {0}};
static const conv_row tiny_rows[] = {
    {16, 3, P},  {32, 3, P}, {64, 3, P}, {128, 3, P}, {256, 3, P}, {512, 3, P | ONLY_IF_LARGE}, {1024, 3, HEAD_BEGINS},
    {256, 3, 0}, {0}};
#undef P

static const network yolov1_net = {.rows = yolov1_rows, .hidden = {4096}, .has_dropout = true};
static const network half_net = {.rows = half_rows, .has_norm = true, .hidden = {512}, .has_dropout = true};
static const network fast_net = {
    .rows = fast_rows, .hidden = {256, 4096}, .is_first_linear = true, .has_dropout = true};
static const network tiny_net = {.rows = tiny_rows, .has_norm = true};

#define MEMBER(id, net, px, about)                                                                                     \
    const gn_detector_design gn_detector_design_##id = {.name = #id,                                                   \
                                                        .line = about,                                                 \
                                                        .takes_width = true,                                           \
                                                        .stride = 2 * FINE_STRIDE,                                     \
                                                        .largest_px = LARGEST,                                         \
                                                        .default_px = px,                                              \
                                                        .table = &(net),                                               \
                                                        .norm_momentum = 0.03f,                                        \
                                                        .stride_at = stride_at,                                        \
                                                        .build = build}

MEMBER(yolov1, yolov1_net, 448, "24 convolutions and two linear layers, 2016");
MEMBER(yolov1_fast, fast_net, 448, "9 convolutions and three linear layers, 2016");
MEMBER(yolov1_tiny, tiny_net, 448, "8 convolutions, normalised, and one linear layer");
MEMBER(yolov1_half, half_net, 224, "yolov1 for small machines: fewer layers, half the filters, normalised");
