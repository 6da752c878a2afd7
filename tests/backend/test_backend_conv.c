/* Convolutions and their gradients on the CPU backend against their references in f64: odd shapes, groups, dilation, both memory
 * layouts, and what is fused into them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op_builder.h"

typedef struct conv_case {
    int n, c, h, w, k, r, s, stride, pad, dilation, group;
} conv_case;

static const conv_case convs[] = {
    {1, 3, 9, 7, 5, 3, 3, 2, 1, 1, 1},                                         /* first layer */
    {2, 3, 13, 11, 32, 3, 3, 2, 1, 1, 1},   {2, 1, 8, 9, 7, 5, 3, 1, 2, 1, 1}, /* one channel */
    {2, 17, 7, 9, 19, 1, 1, 1, 0, 1, 1},                                       /* pointwise */
    {1, 33, 8, 8, 16, 1, 1, 2, 0, 1, 1},    {2, 16, 9, 11, 24, 3, 3, 1, 1, 1, 1},
    {1, 8, 11, 9, 12, 3, 3, 1, 2, 2, 1},  /* dilated */
    {2, 12, 7, 8, 18, 3, 3, 2, 1, 1, 3},  /* grouped */
    {2, 19, 9, 8, 19, 3, 3, 1, 1, 1, 19}, /* depthwise */
    {1, 32, 11, 12, 32, 5, 5, 2, 2, 1, 32}, {3, 5, 1, 1, 4, 1, 1, 1, 0, 1, 1},
    {1, 4, 20, 20, 70, 7, 7, 2, 3, 1, 1},
};

typedef struct conv_attrs {
    int64_t strides[2], pads[4], dilations[2], kernel[2], in_hw[2];
    gn_attr list[8];
    int n;
} conv_attrs;

static void attrs_of(const conv_case *c, conv_attrs *a)
{
    a->strides[0] = a->strides[1] = c->stride;
    a->pads[0] = a->pads[1] = a->pads[2] = a->pads[3] = c->pad;
    a->dilations[0] = a->dilations[1] = c->dilation;
    a->kernel[0] = c->r;
    a->kernel[1] = c->s;
    a->in_hw[0] = c->h;
    a->in_hw[1] = c->w;
    a->n = 0;
    a->list[a->n++] = gn_attr_ints("strides", a->strides, 2);
    a->list[a->n++] = gn_attr_ints("pads", a->pads, 4);
    a->list[a->n++] = gn_attr_ints("dilations", a->dilations, 2);
    a->list[a->n++] = gn_attr_ints("kernel_shape", a->kernel, 2);
    a->list[a->n++] = gn_attr_int("group", c->group);
}

static const char *about(const char *what, const conv_case *c)
{
    static char text[160];
    snprintf(text, sizeof text, "%s [%d,%d,%d,%d] to %d, window %dx%d, stride %d, pad %d, dilation %d, group %d", what,
             c->n, c->c, c->h, c->w, c->k, c->r, c->s, c->stride, c->pad, c->dilation, c->group);
    return text;
}

static void conv_forward(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
        const conv_case *c = &convs[i];
        conv_attrs a;
        attrs_of(c, &a);
        for (int form = 0; form < 4; form++) { /* bias or not; input in either layout */
            int x = INPUT("x", c->n, c->c, c->h, c->w), w = PARAM("w", c->k, c->c / c->group, c->r, c->s),
                b = PARAM("b", c->k);
            const int in[3] = {form & 1 ? nhwc(x) : x, w, b};
            outputs_of(op("", "Conv", 1, in, form & 2 ? 3 : 2, a.list, a.n));
            check(about("Conv", c));
        }
    }
}

/* Weights that the graph itself makes are packed by each run. */
static void conv_of_computed_weights(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
        const conv_case *c = &convs[i];
        conv_attrs a;
        attrs_of(c, &a);
        int x = INPUT("x", c->n, c->c, c->h, c->w), w = INPUT("w", c->k, c->c / c->group, c->r, c->s),
            b = INPUT("b", c->k);
        const int in[3] = {x, w, b};
        outputs_of(op("", "Conv", 1, in, 3, a.list, a.n));
        check(about("Conv of computed weights", c));
    }
}

static void fused_conv(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
        const conv_case *c = &convs[i];
        conv_attrs a;
        attrs_of(c, &a);
        for (int form = 0; form < 8; form++) {
            int x = INPUT("x", c->n, c->c, c->h, c->w), w = PARAM("w", c->k, c->c / c->group, c->r, c->s),
                b = PARAM("b", c->k);
            int scale = PARAM("scale", c->k);
            gn_shape y = gn_graph_value(g, value_of(op("", "Conv", 1, (int[]){x, w}, 2, a.list, a.n), 0))->shape;
            int residual = INPUT("residual", (int)y.dim[0], (int)y.dim[1], (int)y.dim[2], (int)y.dim[3]);
            const int in[5] = {x, w, form & 1 ? b : -1, form & 2 ? nhwc(residual) : -1, form & 4 ? scale : -1};
            a.list[a.n] = gn_attr_float("lo", -0.25f);
            a.list[a.n + 1] = gn_attr_float("hi", 0.75f);
            outputs_of(op("gannet", "FusedConv", 1, in, 5, a.list, a.n + 2));
            check(about("FusedConv", c));
        }
    }
}

static void fused_conv_with_activation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
        const conv_case *c = &convs[i];
        conv_attrs a;
        attrs_of(c, &a);
        for (int form = 0; form < 6; form++) {
            int x = INPUT("x", c->n, c->c, c->h, c->w), w = PARAM("w", c->k, c->c / c->group, c->r, c->s);
            gn_shape y = gn_graph_value(g, value_of(op("", "Conv", 1, (int[]){x, w}, 2, a.list, a.n), 0))->shape;
            int residual = INPUT("residual", (int)y.dim[0], (int)y.dim[1], (int)y.dim[2], (int)y.dim[3]);
            const int in[4] = {x, w, PARAM("b", c->k), form & 1 ? nhwc(residual) : -1};
            memcpy(a.list + a.n, curve_attrs(form / 2), 2 * sizeof *a.list);
            outputs_of(op("gannet", "FusedConv", 1, in, 4, a.list, a.n + 2));
            check(about("FusedConv with an activation", c));
        }
    }
}

static void conv_gradients(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
        const conv_case *c = &convs[i];
        conv_attrs a;
        attrs_of(c, &a);
        for (int form = 0; form < 2; form++) {
            int x = INPUT("x", c->n, c->c, c->h, c->w), w = PARAM("w", c->k, c->c / c->group, c->r, c->s);
            gn_shape y = gn_graph_value(g, value_of(op("", "Conv", 1, (int[]){x, w}, 2, a.list, a.n), 0))->shape;
            int dy = INPUT("dy", (int)y.dim[0], (int)y.dim[1], (int)y.dim[2], (int)y.dim[3]);
            outputs_of(op("gannet", "ConvGradWeight", 1 + form, (int[]){dy, form ? nhwc(x) : x}, 2, a.list, a.n));
            gn_attr in_hw = gn_attr_ints("in_hw", a.in_hw, 2);
            a.list[a.n] = in_hw;
            outputs_of(op("gannet", "ConvGradData", 1, (int[]){dy, w}, 2, a.list, a.n + 1));
            check(about("gradients of Conv", c));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(conv_forward),   TEST(conv_of_computed_weights), TEST(fused_conv), TEST(fused_conv_with_activation),
        TEST(conv_gradients),
    };
    return cmocka_run_group_tests_name("backend_conv", tests, NULL, NULL);
}
