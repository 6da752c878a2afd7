/* Geometry of windows over one to three dimensions, and the plain convolution over them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/windows.h"

#include <inttypes.h>
#include <string.h>

#include "ops/ref_access.h"

/* Larger strides, pads, dilations or windows are a mistake; the bound keeps all products below 2^63. */
#define MAX_EXTENT (1 << 20)

/* ---- attributes ---- */

/* n numbers of an attribute, `fallback` when it is absent, put where the last `spatial` of three dimensions lie. */
static gn_status read_numbers(const gn_node *node, const char *name, int n, int64_t lowest, int64_t fallback,
                              int64_t *dst, gn_error *err)
{
    int64_t numbers[2 * GN_MAX_SPATIAL];
    const int found = gn_node_ints(node, name, numbers, 2 * GN_MAX_SPATIAL, fallback);
    if (found != 0 && found != n)
        return gn_shape_fail(err, node, "%s has %d numbers, expected %d", name, found, n);
    for (int i = 0; i < n; i++) {
        dst[i] = found ? numbers[i] : fallback;
        if (dst[i] < lowest || dst[i] > MAX_EXTENT)
            return gn_shape_fail(err, node, "%s has %" PRId64 ", expected %" PRId64 "..%d", name, dst[i], lowest,
                                 MAX_EXTENT);
    }
    return GN_OK;
}

static gn_status read_attributes(const gn_node *node, gn_windows *g, gn_error *err)
{
    const int n = g->spatial, first = GN_MAX_SPATIAL - n;
    int64_t pads[2 * GN_MAX_SPATIAL];
    GN_TRY(read_numbers(node, "strides", n, 1, 1, g->stride + first, err));
    GN_TRY(read_numbers(node, "dilations", n, 1, 1, g->dil + first, err));
    GN_TRY(read_numbers(node, "pads", 2 * n, 0, 0, pads, err));
    for (int d = 0; d < n; d++) {
        g->begin[first + d] = pads[d];
        g->end[first + d] = pads[n + d];
    }
    for (int d = 0; d < first; d++) {
        g->in[d] = g->out[d] = g->window[d] = g->stride[d] = g->dil[d] = 1;
        g->begin[d] = g->end[d] = 0;
    }
    return GN_OK;
}

/* ---- output sizes ---- */

static int64_t reach(const gn_windows *g, int d)
{
    return g->dil[d] * (g->window[d] - 1) + 1;
}

/* SAME_UPPER and SAME_LOWER give one output per stride; the odd pixel of padding goes to the end or to the beginning. */
static gn_status auto_pad(const gn_node *node, gn_windows *g, bool *is_same, gn_error *err)
{
    const char *how = gn_node_string(node, "auto_pad", "NOTSET");
    const bool is_upper = strcmp(how, "SAME_UPPER") == 0;
    *is_same = is_upper || strcmp(how, "SAME_LOWER") == 0;
    if (!*is_same && strcmp(how, "NOTSET") != 0 && strcmp(how, "VALID") != 0)
        return gn_shape_fail(err, node, "auto_pad is %s, expected NOTSET, SAME_UPPER, SAME_LOWER or VALID", how);
    for (int d = 0; d < GN_MAX_SPATIAL && strcmp(how, "VALID") == 0; d++)
        g->begin[d] = g->end[d] = 0;
    for (int d = 0; d < GN_MAX_SPATIAL && *is_same; d++) {
        const int64_t steps = (g->in[d] + g->stride[d] - 1) / g->stride[d];
        int64_t total = (steps - 1) * g->stride[d] + reach(g, d) - g->in[d];
        total = total > 0 ? total : 0;
        g->begin[d] = is_upper ? total / 2 : total - total / 2;
        g->end[d] = total - g->begin[d];
    }
    return GN_OK;
}

/* With ceil_mode the last window may hang over the end, but begins inside the input or the padding before it. */
static gn_status find_output(const gn_node *node, gn_windows *g, gn_error *err)
{
    const bool ceil_mode = gn_node_int(node, "ceil_mode", 0) != 0;
    bool is_same;
    GN_TRY(auto_pad(node, g, &is_same, err));
    for (int d = 0; d < GN_MAX_SPATIAL; d++) {
        const int64_t room = g->in[d] + g->begin[d] + g->end[d] - reach(g, d);
        if (g->in[d] < 1 || (room < 0 && !(ceil_mode && room > -g->stride[d])))
            return gn_shape_fail(err, node,
                                 "its input of %" PRId64 " with pads %" PRId64 " and %" PRId64
                                 " is smaller than its window of %" PRId64,
                                 g->in[d], g->begin[d], g->end[d], reach(g, d));
        g->out[d] = (room + (ceil_mode ? g->stride[d] - 1 : 0)) / g->stride[d] + 1;
        if (ceil_mode && (g->out[d] - 1) * g->stride[d] >= g->in[d] + g->begin[d])
            g->out[d]--;
    }
    return GN_OK;
}

/* Number of spatial dimensions of input 0, and its sizes. */
static gn_status read_input(const gn_graph *graph, const gn_node *node, gn_windows *g, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    char text[128];
    gn_shape_format(x, text);
    if (x->rank < 3 || x->rank > 2 + GN_MAX_SPATIAL)
        return gn_shape_fail(err, node, "its input has the shape %s, expected three to five dimensions", text);
    *g = (gn_windows){.spatial = x->rank - 2, .N = x->dim[0], .C = x->dim[1], .K = x->dim[1], .group = 1};
    GN_TRY(read_attributes(node, g, err));
    for (int d = 0; d < g->spatial; d++) {
        if (x->dim[2 + d] > (INT64_C(1) << 40))
            return gn_shape_fail(err, node, "its input has the shape %s", text);
        g->in[GN_MAX_SPATIAL - g->spatial + d] = x->dim[2 + d];
    }
    return GN_OK;
}

/* Sizes and groups of the filter, input 1: [first, second, window...]. */
static gn_status read_filter(const gn_graph *graph, const gn_node *node, gn_windows *g, gn_error *err)
{
    const gn_shape *w = gn_in_shape(graph, node, 1);
    const int first = GN_MAX_SPATIAL - g->spatial;
    int64_t kernel_shape[GN_MAX_SPATIAL];
    char text[128];
    gn_shape_format(w, text);
    if (w->rank != g->spatial + 2)
        return gn_shape_fail(err, node, "its weights have the shape %s, expected %d dimensions", text, g->spatial + 2);
    for (int d = 0; d < g->spatial; d++) {
        g->window[first + d] = w->dim[2 + d];
        if (w->dim[2 + d] < 1 || w->dim[2 + d] > MAX_EXTENT)
            return gn_shape_fail(err, node, "its weights have the shape %s", text);
    }
    GN_TRY(read_numbers(node, "kernel_shape", g->spatial, 1, 1, kernel_shape, err));
    for (int d = 0; d < g->spatial && gn_node_attr(node, "kernel_shape"); d++)
        if (kernel_shape[d] != w->dim[2 + d])
            return gn_shape_fail(err, node, "kernel_shape does not agree with weights of the shape %s", text);
    g->group = gn_node_int(node, "group", 1);
    if (g->group < 1 || g->group > MAX_EXTENT)
        return gn_shape_fail(err, node, "group is %" PRId64 ", expected 1..%d", g->group, MAX_EXTENT);
    return GN_OK;
}

gn_status gn_windows_conv(const gn_graph *graph, const gn_node *node, gn_windows *out, gn_error *err)
{
    gn_windows g;
    GN_TRY(read_input(graph, node, &g, err));
    GN_TRY(read_filter(graph, node, &g, err));
    const gn_shape *w = gn_in_shape(graph, node, 1);
    g.K = w->dim[0];
    if (g.C % g.group || g.K % g.group || g.C / g.group != w->dim[1] || g.K < 1)
        return gn_shape_fail(err, node,
                             "%" PRId64 " input channels in %" PRId64 " groups do not fit weights for %" PRId64
                             " channels and %" PRId64 " filters",
                             g.C, g.group, w->dim[1], g.K);
    GN_TRY(find_output(node, &g, err));
    *out = g;
    return GN_OK;
}

gn_status gn_windows_pool(const gn_graph *graph, const gn_node *node, gn_windows *out, gn_error *err)
{
    gn_windows g;
    GN_TRY(read_input(graph, node, &g, err));
    GN_TRY(read_numbers(node, "kernel_shape", g.spatial, 1, 1, g.window + GN_MAX_SPATIAL - g.spatial, err));
    g.group = g.C;
    GN_TRY(find_output(node, &g, err));
    for (int d = 0; d < GN_MAX_SPATIAL; d++)
        if (g.begin[d] >= reach(&g, d) || g.end[d] >= reach(&g, d))
            return gn_shape_fail(err, node, "its pads are as large as its window: a window would see padding only");
    *out = g;
    return GN_OK;
}

/* ---- transposed convolutions ---- */

/* Size of the result along d, and the pads that output_shape or auto_pad ask for. */
static gn_status find_larger(const gn_node *node, gn_windows *g, int d, int64_t output_padding, int64_t output_shape,
                             gn_error *err)
{
    const char *how = gn_node_string(node, "auto_pad", "NOTSET");
    const bool is_upper = strcmp(how, "SAME_UPPER") == 0, is_same = is_upper || strcmp(how, "SAME_LOWER") == 0;
    const int64_t whole = g->stride[d] * (g->out[d] - 1) + output_padding + reach(g, d);
    if (output_shape < 0 && is_same)
        output_shape = g->out[d] * g->stride[d];
    if (strcmp(how, "VALID") == 0)
        g->begin[d] = g->end[d] = 0;
    if (output_shape >= 0) {
        const int64_t total = whole > output_shape ? whole - output_shape : 0;
        g->begin[d] = is_upper ? total / 2 : total - total / 2;
        g->end[d] = total - g->begin[d];
        g->in[d] = output_shape;
    } else {
        g->in[d] = whole - g->begin[d] - g->end[d];
    }
    if (g->in[d] < 1 || g->out[d] < 1)
        return gn_shape_fail(err, node, "the result would have %" PRId64 " pixels along dimension %d", g->in[d],
                             d - (GN_MAX_SPATIAL - g->spatial) + 2);
    return GN_OK;
}

gn_status gn_windows_transposed(const gn_graph *graph, const gn_node *node, gn_windows *out, gn_error *err)
{
    gn_windows g;
    int64_t output_padding[GN_MAX_SPATIAL] = {0}, output_shape[GN_MAX_SPATIAL] = {-1, -1, -1};
    GN_TRY(read_input(graph, node, &g, err));
    GN_TRY(read_filter(graph, node, &g, err));
    const gn_shape *w = gn_in_shape(graph, node, 1);
    const int first = GN_MAX_SPATIAL - g.spatial;
    if (g.K % g.group || w->dim[0] != g.K || w->dim[1] < 1 || w->dim[1] > MAX_EXTENT)
        return gn_shape_fail(err, node,
                             "%" PRId64 " input channels in %" PRId64 " groups do not fit weights for %" PRId64
                             " channels and %" PRId64 " results in a group",
                             g.K, g.group, w->dim[0], w->dim[1]);
    g.C = w->dim[1] * g.group;
    memcpy(g.out, g.in, sizeof g.out);
    GN_TRY(read_numbers(node, "output_padding", g.spatial, 0, 0, output_padding + first, err));
    if (gn_node_attr(node, "output_shape")) {
        const gn_attr *attr = gn_node_attr(node, "output_shape");
        if (attr->type != GN_ATTR_INTS || (attr->n != g.spatial && attr->n != g.spatial + 2))
            return gn_shape_fail(err, node, "output_shape does not have %d numbers", g.spatial);
        for (int d = 0; d < g.spatial; d++)
            output_shape[first + d] = attr->u.ints[attr->n - g.spatial + d];
    }
    for (int d = 0; d < first; d++)
        g.out[d] = 1;
    for (int d = 0; d < GN_MAX_SPATIAL; d++)
        GN_TRY(find_larger(node, &g, d, output_padding[d], d < first ? -1 : output_shape[d], err));
    *out = g;
    return GN_OK;
}

/* ---- walking ---- */

gn_shape gn_windows_shape(const gn_windows *g, int64_t channels, const int64_t sizes[GN_MAX_SPATIAL])
{
    gn_shape shape = {.rank = 2 + g->spatial, .dim = {g->N, channels}};
    for (int d = 0; d < g->spatial; d++)
        shape.dim[2 + d] = sizes[GN_MAX_SPATIAL - g->spatial + d];
    return shape;
}

int64_t gn_windows_volume(const int64_t sizes[GN_MAX_SPATIAL])
{
    return sizes[0] * sizes[1] * sizes[2];
}

void gn_windows_origin(const gn_windows *g, int64_t o, int64_t origin[GN_MAX_SPATIAL])
{
    for (int d = GN_MAX_SPATIAL - 1; d >= 0; d--) {
        origin[d] = o % g->out[d] * g->stride[d] - g->begin[d];
        o /= g->out[d];
    }
}

bool gn_windows_next(const gn_windows *g, const int64_t origin[GN_MAX_SPATIAL], int64_t *tap, int64_t *at)
{
    const int64_t taps = gn_windows_volume(g->window);
    while (++*tap < taps) {
        const int64_t r[GN_MAX_SPATIAL] = {*tap / (g->window[1] * g->window[2]), *tap / g->window[2] % g->window[1],
                                           *tap % g->window[2]};
        bool is_inside = true;
        int64_t index = 0;
        for (int d = 0; d < GN_MAX_SPATIAL; d++) {
            const int64_t position = origin[d] + r[d] * g->dil[d];
            is_inside = is_inside && position >= 0 && position < g->in[d];
            index = index * g->in[d] + position;
        }
        *at = index;
        if (is_inside)
            return true;
    }
    return false;
}

void gn_windows_convolve(const gn_windows *g, const gn_tensor *x, const gn_tensor *w, const gn_tensor *bias,
                         double x_zero, const gn_tensor *w_zero, gn_tensor *y)
{
    const int64_t cg = g->C / g->group, kg = g->K / g->group, outs = gn_windows_volume(g->out),
                  ins = gn_windows_volume(g->in), taps = gn_windows_volume(g->window);
    for (int64_t i = 0; i < g->N * g->K * outs; i++) {
        const int64_t n = i / (g->K * outs), k = i / outs % g->K;
        const double zero = w_zero ? gn_ref_load(w_zero, gn_tensor_count(w_zero) > 1 ? k : 0) : 0;
        int64_t origin[GN_MAX_SPATIAL], at = 0;
        double sum = bias ? gn_ref_load(bias, k) : 0;
        gn_windows_origin(g, i % outs, origin);
        for (int64_t c = 0; c < cg; c++)
            for (int64_t tap = -1; gn_windows_next(g, origin, &tap, &at);)
                sum += (gn_ref_load(x, (n * g->C + k / kg * cg + c) * ins + at) - x_zero) *
                       (gn_ref_load(w, (k * cg + c) * taps + tap) - zero);
        gn_ref_store(y, i, sum);
    }
}
