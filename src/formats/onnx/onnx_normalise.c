/* Operators of older and newer opsets in the form of opset 13, which is the one that Gannet's operators follow; and the
 * rule that tells weights from constants.
 * Source: ONNX, Changelog.md of the operator sets.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "formats/onnx/onnx_scan.h"

/* Windows, strides and dilations beyond this are left to the operator's own check. */
#define MAX_WINDOW 65536

/* ---- weights or constants ---- */

static const char *const role_words[] = {"constant", "trained", "kept"};

const char *gn_onnx_role_word(gn_onnx_role role)
{
    return role_words[role];
}

bool gn_onnx_role_parse(const char *word, gn_onnx_role *out)
{
    for (int i = 0; word && i < 3; i++)
        if (strcmp(word, role_words[i]) == 0) {
            *out = (gn_onnx_role)i;
            return true;
        }
    return false;
}

gn_onnx_role gn_onnx_role_of(const char *op, int i, gn_dtype dtype, int64_t count)
{
    if (dtype != GN_DTYPE_F32 && dtype != GN_DTYPE_F64 && dtype != GN_DTYPE_F16)
        return GN_ONNX_ROLE_CONST;
    if (strcmp(op, "BatchNormalization") == 0)
        return i >= 3 ? GN_ONNX_ROLE_KEPT : GN_ONNX_ROLE_TRAINED;
    if (strcmp(op, "Conv") == 0 || strcmp(op, "Gemm") == 0 || strcmp(op, "MatMul") == 0)
        return GN_ONNX_ROLE_TRAINED;
    bool is_affine = strcmp(op, "Add") == 0 || strcmp(op, "Mul") == 0;
    return is_affine && count > 1 ? GN_ONNX_ROLE_TRAINED : GN_ONNX_ROLE_CONST;
}

/* ---- attributes and inputs that changed places ---- */

static int find(const gn_onnx_node *node, const char *name)
{
    for (int i = 0; i < node->n_attrs; i++)
        if (strcmp(node->attrs[i].name, name) == 0)
            return i;
    return -1;
}

static void drop(gn_onnx_node *node, const char *name)
{
    int i = find(node, name);
    if (i >= 0)
        node->attrs[i] = node->attrs[--node->n_attrs];
}

static int64_t int_of(const gn_onnx_node *node, const char *name, int64_t fallback)
{
    int i = find(node, name);
    return i >= 0 && node->attrs[i].type == GN_ATTR_INT ? node->attrs[i].u.i : fallback;
}

static gn_status unsupported(const gn_onnx_node *node, gn_error *err, const char *what)
{
    return gn_fail(err, GN_EUNSUPPORTED, "node '%s' (%s): %s", node->name, node->op, what);
}

/* Makes value `id` input `i`; inputs between are left out. */
static gn_status set_input(gn_graph *graph, gn_onnx_node *node, int i, int id, gn_error *err)
{
    if (id < 0)
        return gn_graph_error(graph, err);
    while (node->n_in <= i)
        node->in[node->n_in++] = -1;
    node->in[i] = id;
    return GN_OK;
}

static const char *part_name(gn_graph *graph, const gn_onnx_node *node, const char *part)
{
    return gn_arena_printf(gn_graph_arena(graph), "%s.%s", node->name, part);
}

/* A list of integers that became an input. */
static gn_status ints_to_input(gn_graph *graph, gn_onnx_node *node, const char *name, int i, gn_error *err)
{
    int k = find(node, name);
    if (k < 0)
        return GN_OK;
    if (node->attrs[k].type != GN_ATTR_INTS || node->attrs[k].n < 1)
        return unsupported(node, err, "an attribute that should be a list of integers is none");
    int id = gn_graph_add_const_s64(graph, part_name(graph, node, name), node->attrs[k].n, node->attrs[k].u.ints);
    drop(node, name);
    return set_input(graph, node, i, id, err);
}

/* A number that became a scalar input; left out when it is `open` (no bound). */
static gn_status float_to_input(gn_graph *graph, gn_onnx_node *node, const char *name, int i, float open, gn_error *err)
{
    int k = find(node, name);
    if (k < 0)
        return GN_OK;
    if (node->attrs[k].type != GN_ATTR_FLOAT)
        return unsupported(node, err, "an attribute that should be a number is none");
    float x = node->attrs[k].u.f;
    drop(node, name);
    if (x == open)
        return GN_OK;
    return set_input(graph, node, i, gn_graph_add_const_f32(graph, part_name(graph, node, name), 0, &x), err);
}

/* ---- one rule per operator ---- */

typedef gn_status (*rule_fn)(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err);

static gn_status rule_batchnorm(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    (void)graph;
    if (int_of(node, "spatial", 1) != 1)
        return unsupported(node, err, "statistics per pixel (spatial = 0) are not supported");
    drop(node, "spatial");
    if (int_of(node, "training_mode", 0) != 0 || (opset < 14 && node->n_out > 1))
        return unsupported(node, err, "a model in training mode; export it for inference");
    drop(node, "training_mode");
    return GN_OK;
}

static gn_status rule_clip(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    if (opset >= 11)
        return GN_OK;
    GN_TRY(float_to_input(graph, node, "min", 1, -3.402823466e+38f, err));
    return float_to_input(graph, node, "max", 2, 3.402823466e+38f, err);
}

static gn_status rule_dropout(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    if (opset < 12)
        return float_to_input(graph, node, "ratio", 1, NAN, err);
    const gn_value *mode = node->n_in > 2 && node->in[2] >= 0 ? gn_graph_value(graph, node->in[2]) : NULL;
    if (mode && (!mode->data || gn_tensor_count(mode->data) != 1 || gn_tensor_get(mode->data, 0) != 0))
        return unsupported(node, err, "a model in training mode; export it for inference");
    if (node->n_in > 2)
        node->n_in = 2; /* training_mode false is what is left out */
    return GN_OK;
}

static gn_status rule_axes(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    return opset < 13 ? ints_to_input(graph, node, "axes", 1, err) : GN_OK;
}

static gn_status rule_split(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    if (opset < 13)
        return ints_to_input(graph, node, "split", 1, err);
    if (int_of(node, "num_outputs", node->n_out) != node->n_out)
        return unsupported(node, err, "num_outputs differs from the number of outputs");
    drop(node, "num_outputs");
    return GN_OK;
}

static gn_status rule_reduce_mean(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    if (opset < 18)
        return GN_OK;
    bool has_axes = node->n_in > 1 && node->in[1] >= 0;
    if (has_axes) {
        const gn_value *axes = gn_graph_value(graph, node->in[1]);
        if (axes->kind != GN_VALUE_CONST || axes->dtype != GN_DTYPE_S64)
            return unsupported(node, err, "its axes are computed; only constant axes are supported");
        node->attrs[node->n_attrs++] = gn_attr_ints("axes", axes->data->data, (int)gn_tensor_count(axes->data));
        has_axes = gn_tensor_count(axes->data) > 0;
    }
    node->n_in = 1;
    if (!has_axes && int_of(node, "noop_with_empty_axes", 0) != 0)
        return unsupported(node, err, "it does nothing (noop_with_empty_axes)");
    drop(node, "noop_with_empty_axes");
    return GN_OK;
}

/* Up to opset 12 everything from `axis` on was one row; the reader checks after shape inference that this is the last
 * axis only. */
static gn_status rule_softmax(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    (void)graph, (void)err;
    if (opset < 13 && find(node, "axis") < 0)
        node->attrs[node->n_attrs++] = gn_attr_int("axis", 1);
    return GN_OK;
}

bool gn_onnx_same_pads(const gn_node *node, const gn_shape *x, const gn_shape *w, int64_t pads[4])
{
    const char *how = gn_node_string(node, "auto_pad", "NOTSET");
    bool is_upper = strcmp(how, "SAME_UPPER") == 0;
    if ((!is_upper && strcmp(how, "SAME_LOWER") != 0) || x->rank != 4 || x->dim[2] < 1 || x->dim[3] < 1)
        return false;
    int64_t window[2], stride[2], dilation[2];
    if (gn_node_ints(node, "kernel_shape", window, 2, 0) != 2) {
        if (!w || w->rank != 4)
            return false;
        window[0] = w->dim[2];
        window[1] = w->dim[3];
    }
    gn_node_ints(node, "strides", stride, 2, 1);
    gn_node_ints(node, "dilations", dilation, 2, 1);
    for (int i = 0; i < 2; i++) {
        int64_t size = x->dim[2 + i];
        if (stride[i] < 1 || dilation[i] < 1 || window[i] < 1 || window[i] > MAX_WINDOW || dilation[i] > MAX_WINDOW ||
            stride[i] > MAX_WINDOW)
            return false;
        int64_t steps = (size + stride[i] - 1) / stride[i];
        int64_t total = (steps - 1) * stride[i] + (window[i] - 1) * dilation[i] + 1 - size;
        total = total > 0 ? total : 0;
        pads[i] = is_upper ? total / 2 : (total + 1) / 2;
        pads[2 + i] = total - pads[i];
    }
    return true;
}

/* auto_pad as pads where the input's shape is known already; the reader does the others once it knows their shapes. */
static gn_status rule_auto_pad(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    (void)opset, (void)err;
    int at = find(node, "auto_pad");
    const char *how = at >= 0 && node->attrs[at].type == GN_ATTR_STRING ? node->attrs[at].u.s : "NOTSET";
    if (strcmp(how, "VALID") == 0) {
        drop(node, "auto_pad");
        drop(node, "pads");
        return GN_OK;
    }
    const gn_node view = {.n_attrs = node->n_attrs, .attrs = node->attrs};
    const gn_shape *x = node->n_in > 0 && node->in[0] >= 0 ? &gn_graph_value(graph, node->in[0])->shape : NULL;
    const gn_shape *w = node->n_in > 1 && node->in[1] >= 0 ? &gn_graph_value(graph, node->in[1])->shape : NULL;
    int64_t pads[4], *kept = gn_arena_alloc(gn_graph_arena(graph), sizeof pads);
    if (!kept)
        return GN_ENOMEM;
    if (!x || !gn_onnx_same_pads(&view, x, w, pads))
        return GN_OK;
    memcpy(kept, pads, sizeof pads);
    drop(node, "auto_pad");
    drop(node, "pads");
    node->attrs[node->n_attrs++] = gn_attr_ints("pads", kept, 4);
    return GN_OK;
}

static const struct {
    const char *op;
    rule_fn rule;
} rules[] = {
    {"BatchNormalization", rule_batchnorm},
    {"Clip", rule_clip},
    {"Dropout", rule_dropout},
    {"Squeeze", rule_axes},
    {"Unsqueeze", rule_axes},
    {"Split", rule_split},
    {"Conv", rule_auto_pad},
    {"MaxPool", rule_auto_pad},
    {"AveragePool", rule_auto_pad},
    {"ReduceMean", rule_reduce_mean},
    {"Softmax", rule_softmax},
};

gn_status gn_onnx_normalise(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(node->op, rules[i].op) == 0)
            return rules[i].rule(graph, opset, node, err);
    return GN_OK;
}
