/* Nodes of the IR that are no operators of ONNX, or of an older opset than the model follows, as several nodes that are:
 * fused convolution, adaptive pooling, LayerNormalization, Gelu, HardSwish, Silu, Mish.
 * Source: the function bodies in ONNX's operator documentation.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "formats/onnx/onnx_build.h"

/* Opset that has HardSwish. */
#define HARD_SWISH_SINCE 14

static bool is_op(const gn_node *node, const char *domain, const char *name)
{
    return strcmp(node->op->domain, domain) == 0 && strcmp(node->op->name, name) == 0;
}

static const char *scalar(gn_onnx_build *b, const gn_node *node, const char *part, double x)
{
    return gn_onnx_put_scalar(b, node, part, (float)x);
}

static const char *unary(gn_onnx_build *b, const gn_node *node, const char *op, const char *part, const char *x)
{
    return gn_onnx_step(b, node, op, part, x, NULL, NULL, 0);
}

static const char *binary(gn_onnx_build *b, const gn_node *node, const char *op, const char *part, const char *x,
                          const char *y)
{
    return gn_onnx_step(b, node, op, part, x, y, NULL, 0);
}

/* ---- gannet.FusedConv: Conv, then an activation, then Add, then Relu or Clip ---- */

static bool is_conv_attr(const char *name)
{
    static const char *const names[] = {"strides", "pads", "dilations", "group", "kernel_shape"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static void write_clamp(gn_onnx_build *b, const gn_node *node, const char *src, float lo, float hi)
{
    const char *out = gn_onnx_out(b, node, 0);
    if (lo == 0 && isinf(hi)) {
        gn_onnx_emit(b, "Relu", gn_onnx_name(b, node->name, "relu"), &src, 1, &out, 1);
        return;
    }
    const char *in[3] = {src, "", ""};
    if (!isinf(lo))
        in[1] = scalar(b, node, "min", (double)lo);
    if (!isinf(hi))
        in[2] = scalar(b, node, "max", (double)hi);
    gn_onnx_emit(b, "Clip", gn_onnx_name(b, node->name, "clip"), in, isinf(hi) ? 2 : 3, &out, 1);
}

/* Name of the weights; a factor per output channel is multiplied into a copy of them. */
static const char *fused_weight(gn_onnx_build *b, const gn_node *node)
{
    if (!gn_has_in(node, GN_ONNX_FUSED_SCALE))
        return gn_onnx_in(b, node, 1);
    const gn_tensor *w = gn_graph_value(b->graph, node->in[1])->data;
    const gn_tensor *scale = gn_graph_value(b->graph, node->in[GN_ONNX_FUSED_SCALE])->data;
    float *scaled = w && scale && w->dtype == GN_DTYPE_F32 ? gn_onnx_take(b, gn_tensor_bytes(w)) : NULL;
    if (!scaled)
        return "";
    int64_t K = w->shape.dim[0], per_k = K > 0 ? gn_tensor_count(w) / K : 0;
    for (int64_t k = 0; k < K; k++)
        for (int64_t i = k * per_k; i < (k + 1) * per_k; i++)
            scaled[i] = (float)((double)((const float *)w->data)[i] * gn_tensor_get(scale, k));
    return gn_onnx_put_tensor(b, node->name, "folded_weight", &w->shape, scaled, GN_ONNX_ROLE_TRAINED);
}

/* The activation of src into `out`. */
static void write_curve(gn_onnx_build *b, const gn_node *node, const char *src, const char *out)
{
    const char *kind = gn_node_string(node, "activation", ""), *gate = gn_onnx_name(b, node->name, "gate");
    const bool is_silu = strcmp(kind, "silu") == 0;
    const gn_attr slope = gn_attr_float("alpha", 1.0f / 6), offset = gn_attr_float("beta", 0.5f);
    if (strcmp(kind, "leaky_relu") == 0) {
        const gn_attr alpha = gn_attr_float("alpha", gn_node_float(node, "alpha", 0.01f));
        gn_onnx_put_attr(b, gn_onnx_emit(b, "LeakyRelu", gn_onnx_name(b, node->name, "leaky"), &src, 1, &out, 1),
                         &alpha);
        return;
    }
    if (!is_silu && !b->decompose && b->opset >= HARD_SWISH_SINCE) {
        gn_onnx_emit(b, "HardSwish", gn_onnx_name(b, node->name, "bent"), &src, 1, &out, 1);
        return;
    }
    Onnx__NodeProto *made = gn_onnx_emit(b, is_silu ? "Sigmoid" : "HardSigmoid", gate, &src, 1, &gate, 1);
    if (!is_silu) {
        gn_onnx_put_attr(b, made, &slope);
        gn_onnx_put_attr(b, made, &offset);
    }
    const char *factors[2] = {src, gate};
    gn_onnx_emit(b, "Mul", gn_onnx_name(b, node->name, "bent"), factors, 2, &out, 1);
}

static gn_status write_fused_conv(gn_onnx_build *b, const gn_node *node)
{
    float lo = gn_node_float(node, "lo", -INFINITY), hi = gn_node_float(node, "hi", INFINITY);
    bool has_add = gn_has_in(node, 3), has_clamp = !isinf(lo) || !isinf(hi), bends = gn_node_attr(node, "activation");
    const char *in[3] = {gn_onnx_in(b, node, 0), fused_weight(b, node), gn_onnx_in(b, node, 2)};
    if (!*in[1] && !b->failed)
        return gn_onnx_cannot(b, node, "its weights are not constant f32 numbers");
    const char *conv_out =
        bends || has_add || has_clamp ? gn_onnx_name(b, node->name, "conv") : gn_onnx_out(b, node, 0);
    Onnx__NodeProto *conv = gn_onnx_emit(b, "Conv", node->name, in, gn_has_in(node, 2) ? 3 : 2, &conv_out, 1);
    for (int i = 0; i < node->n_attrs; i++)
        if (is_conv_attr(node->attrs[i].name))
            gn_onnx_put_attr(b, conv, &node->attrs[i]);
    if (bends) {
        const char *bent = has_add || has_clamp ? gn_onnx_name(b, node->name, "activation") : gn_onnx_out(b, node, 0);
        write_curve(b, node, conv_out, bent);
        conv_out = bent;
    }
    const char *sum = conv_out;
    if (has_add) {
        const char *terms[2] = {conv_out, gn_onnx_in(b, node, 3)};
        sum = has_clamp ? gn_onnx_name(b, node->name, "sum") : gn_onnx_out(b, node, 0);
        gn_onnx_emit(b, "Add", gn_onnx_name(b, node->name, "add"), terms, 2, &sum, 1);
    }
    if (has_clamp)
        write_clamp(b, node, sum, lo, hi);
    return GN_OK;
}

/* ---- gannet.AdaptiveAveragePool ---- */

/* Row p of [P,H]: 1/n over the n inputs from floor(p*H/P) to ceil((p+1)*H/P); transposed when it multiplies from the
 * right. */
static const char *averaging_matrix(gn_onnx_build *b, const gn_node *node, const char *part, int64_t P, int64_t H,
                                    bool is_transposed)
{
    float *a = gn_onnx_take(b, (size_t)(P * H) * sizeof *a);
    if (!a)
        return "";
    for (int64_t p = 0; p < P; p++) {
        int64_t from = p * H / P, to = ((p + 1) * H + P - 1) / P;
        for (int64_t h = from; h < to; h++)
            a[is_transposed ? h * P + p : p * H + h] = 1.0f / (float)(to - from);
    }
    const int64_t dims[2] = {is_transposed ? H : P, is_transposed ? P : H};
    gn_shape shape = gn_shape_of(2, dims);
    return gn_onnx_put_tensor(b, node->name, part, &shape, a, GN_ONNX_ROLE_CONST);
}

static gn_status write_adaptive_pool(gn_onnx_build *b, const gn_node *node)
{
    const gn_shape *x = gn_in_shape(b->graph, node, 0), *y = &gn_graph_value(b->graph, node->out[0])->shape;
    const char *src = gn_onnx_in(b, node, 0);
    int64_t H = x->dim[2], W = x->dim[3], P = y->dim[2], Q = y->dim[3];
    if (P == H && Q == W) {
        unary(b, node, "Identity", NULL, src);
    } else if (P == 1 && Q == 1) {
        unary(b, node, "GlobalAveragePool", NULL, src);
    } else if (H % P == 0 && W % Q == 0) {
        const int64_t window[2] = {H / P, W / Q};
        const gn_attr attrs[2] = {gn_attr_ints("kernel_shape", window, 2), gn_attr_ints("strides", window, 2)};
        gn_onnx_step(b, node, "AveragePool", NULL, src, NULL, attrs, 2);
    } else if (gn_in_dtype(b->graph, node, 0) != GN_DTYPE_F32) {
        return gn_onnx_cannot(b, node, "averaging matrices are of f32 only");
    } else {
        const char *wide = binary(b, node, "MatMul", "wide", src, averaging_matrix(b, node, "columns", Q, W, true));
        binary(b, node, "MatMul", NULL, averaging_matrix(b, node, "rows", P, H, false), wide);
    }
    return GN_OK;
}

/* ---- activations ---- */

/* x * HardSigmoid(x) with slope 1/6. */
static gn_status write_hardswish(gn_onnx_build *b, const gn_node *node)
{
    const char *x = gn_onnx_in(b, node, 0);
    const gn_attr attrs[2] = {gn_attr_float("alpha", 1.0f / 6), gn_attr_float("beta", 0.5f)};
    const char *gate = gn_onnx_step(b, node, "HardSigmoid", "gate", x, NULL, attrs, 2);
    binary(b, node, "Mul", NULL, x, gate);
    return GN_OK;
}

/* x * Sigmoid(x). */
static gn_status write_silu(gn_onnx_build *b, const gn_node *node)
{
    const char *x = gn_onnx_in(b, node, 0);
    binary(b, node, "Mul", NULL, x, unary(b, node, "Sigmoid", "gate", x));
    return GN_OK;
}

/* x * tanh(ln(1 + e^x)). */
static gn_status write_mish(gn_onnx_build *b, const gn_node *node)
{
    const char *x = gn_onnx_in(b, node, 0);
    binary(b, node, "Mul", NULL, x, unary(b, node, "Tanh", "gate", unary(b, node, "Softplus", "softplus", x)));
    return GN_OK;
}

/* x/2 * (1 + erf(x / sqrt 2)), or x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))).  Powers are products: Pow of a
 * negative base is not a number on some devices. */
static gn_status write_gelu(gn_onnx_build *b, const gn_node *node)
{
    const char *x = gn_onnx_in(b, node, 0), *gate;
    if (strcmp(gn_node_string(node, "approximate", "none"), "tanh") == 0) {
        const char *cube = binary(b, node, "Mul", "cube", binary(b, node, "Mul", "square", x, x), x);
        const char *small = binary(b, node, "Mul", "small", cube, scalar(b, node, "factor", 0.044715));
        const char *inner = binary(b, node, "Mul", "inner", binary(b, node, "Add", "sum", x, small),
                                   scalar(b, node, "slope", 0.7978845608028654));
        gate = unary(b, node, "Tanh", "tanh", inner);
    } else {
        const char *scaled = binary(b, node, "Mul", "scaled", x, scalar(b, node, "slope", 0.7071067811865476));
        gate = unary(b, node, "Erf", "erf", scaled);
    }
    const char *half = binary(b, node, "Mul", "half", x, scalar(b, node, "one_half", 0.5));
    binary(b, node, "Mul", NULL, half, binary(b, node, "Add", "gate", gate, scalar(b, node, "one", 1)));
    return GN_OK;
}

/* ---- LayerNormalization ---- */

/* Mean over the last dimensions from `axis` on, which are kept with size 1. */
static const char *mean_from(gn_onnx_build *b, const gn_node *node, const char *part, const char *x, int axis, int rank)
{
    int64_t axes[GN_MAX_RANK];
    for (int i = axis; i < rank; i++)
        axes[i - axis] = i - rank;
    const gn_attr as_attr = gn_attr_ints("axes", axes, rank - axis);
    if (b->opset < 18)
        return gn_onnx_step(b, node, "ReduceMean", part, x, NULL, &as_attr, 1);
    char name[32];
    snprintf(name, sizeof name, "%s_axes", part);
    return binary(b, node, "ReduceMean", part, x, gn_onnx_put_ints(b, node->name, name, axes, rank - axis));
}

/* (x - mean) / sqrt(var + epsilon) * scale + bias; the variance from differences, not from the mean of squares. */
static gn_status write_layernorm(gn_onnx_build *b, const gn_node *node)
{
    if (gn_has_out(node, 1) || gn_has_out(node, 2))
        return gn_onnx_cannot(b, node, "its mean and deviation are read, which needs opset 17 and --no-decompose");
    const int rank = gn_in_shape(b->graph, node, 0)->rank;
    int axis = (int)gn_node_int(node, "axis", -1);
    axis += axis < 0 ? rank : 0;
    const bool has_bias = gn_has_in(node, 2);
    const char *x = gn_onnx_in(b, node, 0);
    const char *centred = binary(b, node, "Sub", "centred", x, mean_from(b, node, "mean", x, axis, rank));
    const char *square = binary(b, node, "Mul", "square", centred, centred);
    const char *var = mean_from(b, node, "variance", square, axis, rank);
    const char *epsilon = scalar(b, node, "epsilon", (double)gn_node_float(node, "epsilon", 1e-5f));
    const char *deviation = unary(b, node, "Sqrt", "deviation", binary(b, node, "Add", "shifted", var, epsilon));
    const char *normal = binary(b, node, "Div", "normal", centred, deviation);
    const char *scaled = binary(b, node, "Mul", has_bias ? "scaled" : NULL, normal, gn_onnx_in(b, node, 1));
    if (has_bias)
        binary(b, node, "Add", NULL, scaled, gn_onnx_in(b, node, 2));
    return GN_OK;
}

/* ---- what passes for a backend make ---- */

/* [N,C,...] as [N,groups,C/groups,rest], the middle ones swapped, and back. */
static gn_status write_shuffle(gn_onnx_build *b, const gn_node *node)
{
    const gn_shape *x = gn_in_shape(b->graph, node, 0);
    const int64_t groups = gn_node_int(node, "groups", 1), perm[4] = {0, 2, 1, 3};
    int64_t rest = 1, apart[4] = {0, groups, x->dim[1] / groups, 1}, back[GN_MAX_RANK] = {0};
    for (int i = 1; i < x->rank; i++) {
        rest *= i > 1 ? x->dim[i] : 1;
        back[i] = x->dim[i];
    }
    apart[3] = rest;
    const gn_attr swap = gn_attr_ints("perm", perm, 4), keeps = gn_attr_int("allowzero", 0);
    const int n_attrs = b->opset >= 14;
    const char *split = gn_onnx_step(b, node, "Reshape", "split", gn_onnx_in(b, node, 0),
                                     gn_onnx_put_ints(b, node->name, "groups", apart, 4), &keeps, n_attrs);
    const char *turned = gn_onnx_step(b, node, "Transpose", "turned", split, NULL, &swap, 1);
    gn_onnx_step(b, node, "Reshape", NULL, turned, gn_onnx_put_ints(b, node->name, "shape", back, x->rank), &keeps,
                 n_attrs);
    return GN_OK;
}

static gn_status write_channels(gn_onnx_build *b, const gn_node *node)
{
    static const int64_t last[4] = {0, 2, 3, 1}, first[4] = {0, 3, 1, 2};
    const gn_attr perm = gn_attr_ints("perm", strcmp(node->op->name, "ChannelsLast") == 0 ? last : first, 4);
    gn_onnx_step(b, node, "Transpose", NULL, gn_onnx_in(b, node, 0), NULL, &perm, 1);
    return GN_OK;
}

/* ---- comparisons of opset 12 ---- */

static gn_status write_or_equal(gn_onnx_build *b, const gn_node *node)
{
    const char *x = gn_onnx_in(b, node, 0), *y = gn_onnx_in(b, node, 1);
    const char *strict = binary(b, node, *node->op->name == 'G' ? "Greater" : "Less", "strict", x, y);
    binary(b, node, "Or", NULL, strict, binary(b, node, "Equal", "equal", x, y));
    return GN_OK;
}

/* ---- table ---- */

static const struct {
    const char *domain, *name;
    int since;     /* opset that has it; 0: none */
    bool is_plain; /* kept where the opset has it, whatever the options say */
    gn_status (*write)(gn_onnx_build *b, const gn_node *node);
} rules[] = {
    {"gannet", "FusedConv", 0, false, write_fused_conv},
    {"gannet", "AdaptiveAveragePool", 0, false, write_adaptive_pool},
    {"gannet", "ChannelShuffle", 0, false, write_shuffle},
    {"gannet", "ChannelsLast", 0, false, write_channels},
    {"gannet", "ChannelsFirst", 0, false, write_channels},
    {"gannet", "DetectDecode", 0, false, gn_onnx_write_detect_decode},
    {"gannet", "Silu", 0, false, write_silu},
    {"", "HardSwish", HARD_SWISH_SINCE, false, write_hardswish},
    {"", "Mish", 18, false, write_mish},
    {"", "Gelu", 20, false, write_gelu},
    {"", "LayerNormalization", 17, false, write_layernorm},
    {"", "GreaterOrEqual", 12, true, write_or_equal},
    {"", "LessOrEqual", 12, true, write_or_equal},
};

gn_status gn_onnx_decompose(gn_onnx_build *b, const gn_node *node, bool *is_done_out)
{
    *is_done_out = false;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (!is_op(node, rules[i].domain, rules[i].name))
            continue;
        if (rules[i].since && b->opset >= rules[i].since && (rules[i].is_plain || !b->decompose))
            continue;
        const gn_dtype dtype = gn_in_dtype(b->graph, node, 0);
        if (!rules[i].is_plain && dtype != GN_DTYPE_F32 && dtype != GN_DTYPE_F64 && dtype != GN_DTYPE_F16)
            return gn_onnx_cannot(b, node, "elements of type %s, which its parts do not take", gn_dtype_name(dtype));
        *is_done_out = true;
        return rules[i].write(b, node);
    }
    return GN_OK;
}

int gn_onnx_opset_of(const gn_graph *graph)
{
    int opset = GN_ONNX_OPSET_DEFAULT;
    for (int i = 0; i < gn_graph_node_count(graph); i++)
        for (size_t k = 0; k < sizeof rules / sizeof *rules; k++)
            if (is_op(gn_graph_node(graph, i), rules[k].domain, rules[k].name) && rules[k].since > opset)
                opset = rules[k].since;
    for (int i = 0; i < gn_graph_node_count(graph) && opset < HARD_SWISH_SINCE; i++)
        if (strcmp(gn_node_string(gn_graph_node(graph, i), "activation", ""), "hard_swish") == 0)
            opset = HARD_SWISH_SINCE;
    return opset;
}

gn_status gn_onnx_write_node(gn_onnx_build *b, const gn_node *node)
{
    bool is_done = false;
    GN_TRY(gn_onnx_decompose(b, node, &is_done));
    if (is_done)
        return GN_OK;
    if (*node->op->domain)
        return gn_fail(b->err, GN_EUNSUPPORTED, "node %s: ONNX has no operator for %s.%s", node->name, node->op->domain,
                       node->op->name);
    return gn_onnx_spell(b, node);
}
