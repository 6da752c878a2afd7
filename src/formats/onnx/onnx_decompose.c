/* Nodes of the IR as nodes of ONNX: one to one where ONNX has the operator, several where it has not (fused
 * convolution, adaptive pooling), and an error that names the node where nothing of ONNX says the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "formats/onnx/onnx_build.h"

static const char *in_name(const gn_onnx_build *b, const gn_node *node, int i)
{
    return gn_has_in(node, i) ? b->names[node->in[i]] : "";
}

static const char *out_name(const gn_onnx_build *b, const gn_node *node, int i)
{
    return gn_has_out(node, i) ? b->names[node->out[i]] : "";
}

static bool is_op(const gn_node *node, const char *domain, const char *name)
{
    return strcmp(node->op->domain, domain) == 0 && strcmp(node->op->name, name) == 0;
}

static const char *put_scalar(gn_onnx_build *b, const gn_node *node, const char *part, float x)
{
    const gn_shape scalar = {0};
    float *copy = gn_onnx_take(b, sizeof *copy);
    if (!copy)
        return "";
    *copy = x;
    return gn_onnx_put_tensor(b, node->name, part, &scalar, copy, GN_ONNX_ROLE_CONST);
}

/* ---- one to one ---- */

static Onnx__NodeProto *copy_edges(gn_onnx_build *b, const gn_node *node)
{
    const char **in = gn_onnx_take(b, (size_t)(node->n_in + 1) * sizeof *in);
    if (!in)
        return NULL;
    for (int i = 0; i < node->n_in; i++)
        in[i] = in_name(b, node, i);
    Onnx__NodeProto *proto = gn_onnx_emit(b, node->op->name, node->name, in, node->n_in, out_name(b, node, 0));
    if (!proto || node->n_out == 1)
        return proto;
    proto->output = gn_onnx_take(b, (size_t)node->n_out * sizeof *proto->output);
    if (!proto->output)
        return NULL;
    proto->n_output = (size_t)node->n_out;
    for (int i = 0; i < node->n_out; i++)
        proto->output[i] = gn_arena_strdup(b->arena, out_name(b, node, i));
    return proto;
}

static gn_status write_same(gn_onnx_build *b, const gn_node *node)
{
    if (node->n_attrs > GN_ONNX_MAX_ATTRS)
        return gn_fail(b->err, GN_ELIMIT, "node %s (%s) has %d attributes, at most %d are written", node->name,
                       node->op->name, node->n_attrs, GN_ONNX_MAX_ATTRS);
    Onnx__NodeProto *proto = copy_edges(b, node);
    for (int i = 0; i < node->n_attrs; i++)
        gn_onnx_put_attr(b, proto, &node->attrs[i]);
    return GN_OK;
}

/* Attributes that opset 13 wants as scalar inputs: Clip's bounds, Dropout's ratio. */
static gn_status write_scalar_inputs(gn_onnx_build *b, const gn_node *node, const char *const *attr_names,
                                     int n_attr_names)
{
    const char *in[4];
    int n_in = node->n_in;
    for (int i = 0; i < n_in; i++)
        in[i] = in_name(b, node, i);
    for (int k = 0; k < n_attr_names; k++) {
        const gn_attr *a = gn_node_attr(node, attr_names[k]);
        if (!a || a->type != GN_ATTR_FLOAT || !isfinite(a->u.f))
            continue;
        while (n_in <= k + 1)
            in[n_in++] = "";
        in[k + 1] = put_scalar(b, node, attr_names[k], a->u.f);
    }
    Onnx__NodeProto *proto = gn_onnx_emit(b, node->op->name, node->name, in, n_in, out_name(b, node, 0));
    for (int i = 0; i < node->n_attrs; i++)
        if (strcmp(node->attrs[i].name, "seed") == 0)
            gn_onnx_put_attr(b, proto, &node->attrs[i]);
    return GN_OK;
}

/* ---- gannet.FusedConv: Conv, then Add, then Relu or Clip ---- */

static bool is_conv_attr(const char *name)
{
    static const char *const names[] = {"strides", "pads", "dilations", "group", "kernel_shape", "auto_pad"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static void write_clamp(gn_onnx_build *b, const gn_node *node, const char *src, float lo, float hi)
{
    if (lo == 0 && isinf(hi)) {
        gn_onnx_emit(b, "Relu", gn_onnx_name(b, node->name, "relu"), &src, 1, out_name(b, node, 0));
        return;
    }
    const char *in[3] = {src, "", ""};
    if (!isinf(lo))
        in[1] = put_scalar(b, node, "min", lo);
    if (!isinf(hi))
        in[2] = put_scalar(b, node, "max", hi);
    gn_onnx_emit(b, "Clip", gn_onnx_name(b, node->name, "clip"), in, isinf(hi) ? 2 : 3, out_name(b, node, 0));
}

/* Name of the weights; a factor per output channel is multiplied into a copy of them. */
static const char *fused_weight(gn_onnx_build *b, const gn_node *node)
{
    if (!gn_has_in(node, GN_ONNX_FUSED_SCALE))
        return in_name(b, node, 1);
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

static gn_status write_fused_conv(gn_onnx_build *b, const gn_node *node)
{
    float lo = gn_node_float(node, "lo", -INFINITY), hi = gn_node_float(node, "hi", INFINITY);
    bool has_add = gn_has_in(node, 3), has_clamp = !isinf(lo) || !isinf(hi);
    const char *in[3] = {in_name(b, node, 0), fused_weight(b, node), in_name(b, node, 2)};
    if (!*in[1] && !b->failed)
        return gn_fail(b->err, GN_EUNSUPPORTED, "node %s (FusedConv): its weights are not constant f32 numbers",
                       node->name);
    const char *conv_out = has_add || has_clamp ? gn_onnx_name(b, node->name, "conv") : out_name(b, node, 0);
    Onnx__NodeProto *conv = gn_onnx_emit(b, "Conv", node->name, in, gn_has_in(node, 2) ? 3 : 2, conv_out);
    for (int i = 0; i < node->n_attrs; i++)
        if (is_conv_attr(node->attrs[i].name))
            gn_onnx_put_attr(b, conv, &node->attrs[i]);
    const char *sum = conv_out;
    if (has_add) {
        const char *terms[2] = {conv_out, in_name(b, node, 3)};
        sum = has_clamp ? gn_onnx_name(b, node->name, "sum") : out_name(b, node, 0);
        gn_onnx_emit(b, "Add", gn_onnx_name(b, node->name, "add"), terms, 2, sum);
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
    const char *src = in_name(b, node, 0), *dst = out_name(b, node, 0);
    int64_t H = x->dim[2], W = x->dim[3], P = y->dim[2], Q = y->dim[3];
    if (P == H && Q == W) {
        gn_onnx_emit(b, "Identity", node->name, &src, 1, dst);
    } else if (P == 1 && Q == 1) {
        gn_onnx_emit(b, "GlobalAveragePool", node->name, &src, 1, dst);
    } else if (H % P == 0 && W % Q == 0) {
        const int64_t window[2] = {H / P, W / Q};
        Onnx__NodeProto *pool = gn_onnx_emit(b, "AveragePool", node->name, &src, 1, dst);
        gn_attr kernel = gn_attr_ints("kernel_shape", window, 2), strides = gn_attr_ints("strides", window, 2);
        gn_onnx_put_attr(b, pool, &kernel);
        gn_onnx_put_attr(b, pool, &strides);
    } else {
        const char *rows[2] = {src, averaging_matrix(b, node, "columns", Q, W, true)};
        const char *half = gn_onnx_name(b, node->name, "wide");
        gn_onnx_emit(b, "MatMul", gn_onnx_name(b, node->name, "over_width"), rows, 2, half);
        const char *columns[2] = {averaging_matrix(b, node, "rows", P, H, false), half};
        gn_onnx_emit(b, "MatMul", node->name, columns, 2, dst);
    }
    return GN_OK;
}

/* HardSwish is an operator of ONNX from opset 14 on; before, x * (Clip(x + 3, 0, 6) / 6). */
static gn_status write_hardswish(gn_onnx_build *b, const gn_node *node)
{
    if (b->opset >= 14)
        return write_same(b, node);
    const char *src = in_name(b, node, 0);
    const char *sum[2] = {src, put_scalar(b, node, "three", 3)}, *shifted = gn_onnx_name(b, node->name, "shifted");
    gn_onnx_emit(b, "Add", gn_onnx_name(b, node->name, "add"), sum, 2, shifted);
    const char *clip[3] = {shifted, put_scalar(b, node, "min", 0), put_scalar(b, node, "max", 6)};
    const char *clipped = gn_onnx_name(b, node->name, "clipped");
    gn_onnx_emit(b, "Clip", gn_onnx_name(b, node->name, "clip"), clip, 3, clipped);
    const char *quotient[2] = {clipped, put_scalar(b, node, "six", 6)}, *gate = gn_onnx_name(b, node->name, "gate");
    gn_onnx_emit(b, "Div", gn_onnx_name(b, node->name, "div"), quotient, 2, gate);
    const char *factors[2] = {src, gate};
    gn_onnx_emit(b, "Mul", node->name, factors, 2, out_name(b, node, 0));
    return GN_OK;
}

gn_status gn_onnx_write_node(gn_onnx_build *b, const gn_node *node)
{
    static const char *const bounds[] = {"min", "max"}, *const ratio[] = {"ratio"};
    if (is_op(node, "gannet", "FusedConv"))
        return write_fused_conv(b, node);
    if (is_op(node, "gannet", "AdaptiveAveragePool"))
        return write_adaptive_pool(b, node);
    if (is_op(node, "", "HardSwish"))
        return write_hardswish(b, node);
    if (is_op(node, "", "Clip"))
        return write_scalar_inputs(b, node, bounds, 2);
    if (is_op(node, "", "Dropout"))
        return write_scalar_inputs(b, node, ratio, 1);
    if (*node->op->domain)
        return gn_fail(b->err, GN_EUNSUPPORTED, "node %s: ONNX has no operator for %s.%s", node->name, node->op->domain,
                       node->op->name);
    return write_same(b, node);
}
