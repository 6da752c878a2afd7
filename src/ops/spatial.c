/* Reads and checks the attributes of convolutions and pooling windows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/spatial.h"

#include <inttypes.h>
#include <string.h>

/* Larger strides, pads, dilations or windows are a mistake; the bound keeps all products below 2^63. */
#define MAX_EXTENT (1 << 20)

static gn_status read_ints(const gn_node *node, const char *name, int64_t *dst, int n, int64_t lowest, gn_error *err)
{
    const int64_t fallback = lowest;
    const int found = gn_node_ints(node, name, dst, n, fallback);
    if (found != 0 && found != n)
        return gn_shape_fail(err, node, "%s has %d numbers, expected %d", name, found, n);
    for (int i = 0; i < n; i++)
        if (dst[i] < lowest || dst[i] > MAX_EXTENT)
            return gn_shape_fail(err, node, "%s has %" PRId64 ", expected %" PRId64 "..%d", name, dst[i], lowest,
                                 MAX_EXTENT);
    return GN_OK;
}

gn_status gn_spatial_auto_pad(gn_graph *graph, const gn_node *node, const gn_shape *w, gn_error *err)
{
    const char *how = gn_node_string(node, "auto_pad", "NOTSET");
    const gn_shape *x = gn_in_shape(graph, node, 0);
    const bool is_upper = strcmp(how, "SAME_UPPER") == 0;
    int64_t window[2], stride[2], dilation[2], pads[4];
    if (strcmp(how, "NOTSET") == 0 || strcmp(how, "VALID") == 0)
        return GN_OK;
    if (!is_upper && strcmp(how, "SAME_LOWER") != 0)
        return gn_shape_fail(err, node, "auto_pad is %s, expected NOTSET, VALID, SAME_UPPER or SAME_LOWER", how);
    GN_TRY(read_ints(node, "kernel_shape", window, 2, 1, err));
    GN_TRY(read_ints(node, "strides", stride, 2, 1, err));
    GN_TRY(read_ints(node, "dilations", dilation, 2, 1, err));
    for (int i = 0; i < 2; i++) {
        const int64_t extent = x->rank == 4 ? x->dim[2 + i] : 1, r = w && w->rank == 4 ? w->dim[2 + i] : window[i];
        const int64_t steps = (extent + stride[i] - 1) / stride[i];
        const int64_t total =
            (steps - 1) * stride[i] + (r < MAX_EXTENT ? r - 1 : MAX_EXTENT) * dilation[i] + 1 - extent;
        const int64_t some = total > 0 ? total : 0;
        pads[i] = is_upper ? some / 2 : (some + 1) / 2;
        pads[2 + i] = some - pads[i];
    }
    const gn_attr attr = gn_attr_ints("pads", pads, 4);
    return gn_node_set_attr(graph, gn_graph_node_mut(graph, gn_graph_value(graph, node->out[0])->producer), &attr);
}

static gn_status read_attributes(const gn_node *node, gn_spatial *g, gn_error *err)
{
    int64_t strides[2], dilations[2], pads[4];
    GN_TRY(read_ints(node, "strides", strides, 2, 1, err));
    GN_TRY(read_ints(node, "dilations", dilations, 2, 1, err));
    GN_TRY(read_ints(node, "pads", pads, 4, 0, err));
    g->stride_h = strides[0];
    g->stride_w = strides[1];
    g->dil_h = dilations[0];
    g->dil_w = dilations[1];
    g->pad_top = pads[0];
    g->pad_left = pads[1];
    g->pad_bottom = pads[2];
    g->pad_right = pads[3];
    return GN_OK;
}

/* Output positions along one dimension, 0 when the window does not fit.  With ceil_mode the last window may hang over the end,
 * but begins inside. */
static int64_t positions(int64_t extent, int64_t pad_begin, int64_t pad_end, int64_t window, int64_t stride,
                         int64_t dil, bool ceil_mode)
{
    const int64_t room = extent + pad_begin + pad_end - (dil * (window - 1) + 1) + (ceil_mode ? stride - 1 : 0);
    if (room < 0 || extent < 1)
        return 0;
    const int64_t count = room / stride + 1;
    return ceil_mode && (count - 1) * stride >= extent + pad_begin ? count - 1 : count;
}

static gn_status find_output(const gn_node *node, gn_spatial *g, bool ceil_mode, gn_error *err)
{
    g->P = positions(g->H, g->pad_top, g->pad_bottom, g->R, g->stride_h, g->dil_h, ceil_mode);
    g->Q = positions(g->W, g->pad_left, g->pad_right, g->S, g->stride_w, g->dil_w, ceil_mode);
    if (g->P < 1 || g->Q < 1)
        return gn_shape_fail(
            err, node,
            "its input of %" PRId64 "x%" PRId64 " (height x width) with pads %" PRId64 ",%" PRId64 ",%" PRId64
            ",%" PRId64 " is smaller than its %" PRId64 "x%" PRId64 " window with dilation %" PRId64 ",%" PRId64,
            g->H, g->W, g->pad_top, g->pad_left, g->pad_bottom, g->pad_right, g->R, g->S, g->dil_h, g->dil_w);
    return GN_OK;
}

static gn_status need_rank4(const gn_graph *graph, const gn_node *node, int i, gn_error *err)
{
    const gn_shape *shape = gn_in_shape(graph, node, i);
    char text[128];
    if (shape->rank == 4)
        return GN_OK;
    gn_shape_format(shape, text);
    return gn_shape_fail(err, node, "its input %d has the shape %s, expected four dimensions", i, text);
}

/* Height and width of the forward input, which a gradient keeps as an attribute. */
static gn_status read_in_hw(const gn_node *node, gn_spatial *g, gn_error *err)
{
    int64_t in_hw[2];
    GN_TRY(read_ints(node, "in_hw", in_hw, 2, 1, err));
    g->H = in_hw[0];
    g->W = in_hw[1];
    return GN_OK;
}

static gn_status check_dy(const gn_node *node, const gn_spatial *g, const gn_shape *dy, gn_error *err)
{
    char text[128];
    gn_shape_format(dy, text);
    if (dy->dim[0] == g->N && dy->dim[1] == g->K && dy->dim[2] == g->P && dy->dim[3] == g->Q)
        return GN_OK;
    return gn_shape_fail(err, node,
                         "the gradient has the shape %s, expected [%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "]",
                         text, g->N, g->K, g->P, g->Q);
}

static void from_x(gn_spatial *g, const gn_shape *x)
{
    g->N = x->dim[0];
    g->C = x->dim[1];
    g->H = x->dim[2];
    g->W = x->dim[3];
}

static gn_status from_w(const gn_node *node, gn_spatial *g, const gn_shape *w, gn_error *err)
{
    int64_t kernel_shape[2];
    g->K = w->dim[0];
    g->R = w->dim[2];
    g->S = w->dim[3];
    GN_TRY(read_ints(node, "kernel_shape", kernel_shape, 2, 1, err));
    if (gn_node_attr(node, "kernel_shape") && (kernel_shape[0] != g->R || kernel_shape[1] != g->S))
        return gn_shape_fail(err, node,
                             "kernel_shape is %" PRId64 "x%" PRId64 ", but the weights are %" PRId64 "x%" PRId64,
                             kernel_shape[0], kernel_shape[1], g->R, g->S);
    if (g->K < 1 || g->R < 1 || g->S < 1 || g->R > MAX_EXTENT || g->S > MAX_EXTENT)
        return gn_shape_fail(err, node, "its weights have an empty or overlarge dimension");
    return GN_OK;
}

static gn_status check_groups(const gn_node *node, const gn_spatial *g, int64_t c_per_group, gn_error *err)
{
    if (g->C % g->group || g->K % g->group || g->C / g->group != c_per_group)
        return gn_shape_fail(err, node,
                             "%" PRId64 " input channels in %" PRId64 " groups do not fit weights for %" PRId64
                             " channels and %" PRId64 " filters",
                             g->C, g->group, c_per_group, g->K);
    return GN_OK;
}

gn_status gn_spatial_conv(const gn_graph *graph, const gn_node *node, gn_spatial *out, gn_error *err)
{
    const bool is_data = strcmp(node->op->name, "ConvGradData") == 0,
               is_weight = strcmp(node->op->name, "ConvGradWeight") == 0;
    gn_spatial g = {0};
    int64_t kernel_shape[2], c_per_group;
    GN_TRY(need_rank4(graph, node, 0, err));
    GN_TRY(need_rank4(graph, node, 1, err));
    const gn_shape *a = gn_in_shape(graph, node, 0), *b = gn_in_shape(graph, node, 1);
    GN_TRY(read_attributes(node, &g, err));
    g.group = gn_node_int(node, "group", 1);
    if (g.group < 1 || g.group > MAX_EXTENT)
        return gn_shape_fail(err, node, "group is %" PRId64 ", expected 1..%d", g.group, MAX_EXTENT);
    if (is_weight) {
        from_x(&g, b);
        GN_TRY(read_ints(node, "kernel_shape", kernel_shape, 2, 1, err));
        g.R = kernel_shape[0];
        g.S = kernel_shape[1];
        g.K = a->dim[1];
        c_per_group = g.C / g.group;
    } else {
        GN_TRY(from_w(node, &g, b, err));
        c_per_group = b->dim[1];
        if (is_data) {
            g.N = a->dim[0];
            g.C = c_per_group * g.group;
            GN_TRY(read_in_hw(node, &g, err));
        } else {
            from_x(&g, a);
        }
    }
    GN_TRY(check_groups(node, &g, c_per_group, err));
    GN_TRY(find_output(node, &g, false, err));
    if (is_data || is_weight)
        GN_TRY(check_dy(node, &g, a, err));
    *out = g;
    return GN_OK;
}

gn_status gn_spatial_pool(const gn_graph *graph, const gn_node *node, gn_spatial *out, gn_error *err)
{
    const bool is_grad = strcmp(node->op->name, "MaxPoolGrad") == 0 || strcmp(node->op->name, "AveragePoolGrad") == 0;
    const bool ceil_mode = gn_node_int(node, "ceil_mode", 0) != 0;
    gn_spatial g = {0};
    int64_t kernel_shape[2];
    GN_TRY(need_rank4(graph, node, 0, err));
    GN_TRY(read_attributes(node, &g, err));
    GN_TRY(read_ints(node, "kernel_shape", kernel_shape, 2, 1, err));
    from_x(&g, gn_in_shape(graph, node, 0));
    if (is_grad)
        GN_TRY(read_in_hw(node, &g, err));
    g.R = kernel_shape[0];
    g.S = kernel_shape[1];
    g.K = g.group = g.C;
    g.count_include_pad = gn_node_int(node, "count_include_pad", 0) != 0;
    if (g.pad_top > g.dil_h * (g.R - 1) || g.pad_bottom > g.dil_h * (g.R - 1) || g.pad_left > g.dil_w * (g.S - 1) ||
        g.pad_right > g.dil_w * (g.S - 1))
        return gn_shape_fail(err, node, "its pads are as large as its window: a window would see padding only");
    GN_TRY(find_output(node, &g, ceil_mode, err));
    g.overhangs = (g.P - 1) * g.stride_h + g.dil_h * (g.R - 1) >= g.H + g.pad_top + g.pad_bottom ||
                  (g.Q - 1) * g.stride_w + g.dil_w * (g.S - 1) >= g.W + g.pad_left + g.pad_right;
    if (is_grad)
        GN_TRY(check_dy(node, &g, gn_in_shape(graph, node, 0), err));
    *out = g;
    return GN_OK;
}
