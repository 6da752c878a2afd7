/* Nodes of ONNX that become several nodes of the graph: operators that Gannet spells in others, forms of old opsets, and
 * convolutions and pools of one dimension.
 * Source: ONNX, Changelog.md of the operator sets; Misra 2019, "Mish".
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "formats/onnx/onnx_rules.h"
#include "formats/onnx/onnx_scan.h"

/* Negative operands are failures of what emitted them. */
static int emit1(gn_graph *graph, const gn_onnx_node *node, const char *op, const char *part, int a)
{
    return a < 0 ? a : gn_onnx_emit_node(graph, node, op, part, &a, 1, NULL, 0);
}

static int emit2(gn_graph *graph, const gn_onnx_node *node, const char *op, const char *part, int a, int b)
{
    const int in[2] = {a, b};
    return a < 0 || b < 0 ? -1 : gn_onnx_emit_node(graph, node, op, part, in, 2, NULL, 0);
}

/* ---- Softmax and LogSoftmax ---- */

/* (x - max) - log(sum(exp(x - max))) along an axis. */
static int log_softmax(gn_graph *graph, const gn_onnx_node *node, const char *part, int x, int64_t axis)
{
    const gn_attr axes = gn_attr_ints("axes", &axis, 1);
    const int largest = gn_onnx_emit_node(graph, node, "ReduceMax", "largest", &x, 1, &axes, 1);
    const int rest = emit2(graph, node, "Sub", "rest", x, largest);
    const int sum = emit2(graph, node, "ReduceSum", "sum", emit1(graph, node, "Exp", "exp", rest),
                          gn_onnx_emit_ints(graph, node, "axes", &axis, 1));
    return emit2(graph, node, "Sub", part, rest, emit1(graph, node, "Log", "log", sum));
}

static int softmax_along(gn_graph *graph, const gn_onnx_node *node, const char *part, int x, int64_t axis)
{
    const gn_attr attr = gn_attr_int("axis", axis);
    if (strcmp(node->op, "LogSoftmax") == 0 && !gn_op_find(gn_graph_registry(graph), "", "LogSoftmax"))
        return log_softmax(graph, node, part, x, axis);
    return gn_onnx_emit_node(graph, node, node->op, part, &x, 1, &attr, 1);
}

/* Up to opset 12 everything from `axis` on was one row: the same only for the last axis. */
gn_status gn_onnx_rule_softmax(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    const int64_t axis = gn_onnx_int(node, "axis", opset < 13 ? 1 : -1);
    const gn_shape *x = gn_onnx_shape(graph, node, 0);
    if (node->n_in != 1)
        return GN_OK; /* refused when it is added */
    if (opset >= 13 || axis == -1 || (x && axis == x->rank - 1))
        return gn_onnx_done(graph, node, softmax_along(graph, node, NULL, node->in[0], axis), err);
    const gn_attr attr = gn_attr_int("axis", axis);
    const int shape = emit1(graph, node, "Shape", "shape", node->in[0]);
    const int rows = gn_onnx_emit_node(graph, node, "Flatten", "rows", node->in, 1, &attr, 1);
    const int y = rows < 0 ? rows : softmax_along(graph, node, "along", rows, 1);
    return gn_onnx_done(graph, node, emit2(graph, node, "Reshape", NULL, y, shape), err);
}

/* ---- operators spelled in others ---- */

/* x * tanh(softplus(x)) */
gn_status gn_onnx_rule_mish(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    (void)opset;
    if (node->n_in != 1)
        return gn_onnx_unsupported(node, err, "it should have one input");
    const int gate = emit1(graph, node, "Tanh", "tanh", emit1(graph, node, "Softplus", "softplus", node->in[0]));
    return gn_onnx_done(graph, node, emit2(graph, node, "Mul", NULL, node->in[0], gate), err);
}

/* The scalar 1/n in the type of value `like`. */
static int share_of(gn_graph *graph, const gn_onnx_node *node, int n)
{
    const gn_value *like = gn_graph_value(graph, node->in[0]);
    const gn_shape scalar = {0};
    double cell = 0;
    gn_tensor share = gn_tensor_view(like->dtype == GN_DTYPE_NONE ? GN_DTYPE_F32 : like->dtype, &scalar, &cell);
    gn_tensor_set(&share, 0, 1.0 / n);
    return gn_graph_add_const(graph, NULL, &share);
}

/* Sum and Mean of any number of operands, with broadcasting. */
gn_status gn_onnx_rule_sum(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    (void)opset;
    const bool is_mean = strcmp(node->op, "Mean") == 0 && node->n_in > 1;
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] < 0)
            return gn_onnx_unsupported(node, err, "one of its operands is left out");
    if (node->n_in < 2)
        return gn_onnx_done(graph, node, emit1(graph, node, "Identity", NULL, node->n_in ? node->in[0] : -1), err);
    int y = node->in[0];
    for (int i = 1; i < node->n_in; i++)
        y = emit2(graph, node, "Add", is_mean || i < node->n_in - 1 ? "sum" : NULL, y, node->in[i]);
    if (is_mean)
        y = emit2(graph, node, "Mul", NULL, y, share_of(graph, node, node->n_in));
    return gn_onnx_done(graph, node, y, err);
}

/* A Cast to the type of the second input. */
gn_status gn_onnx_rule_cast_like(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    (void)opset;
    const gn_dtype dtype = gn_onnx_has(node, 1) ? gn_graph_value(graph, node->in[1])->dtype : GN_DTYPE_NONE;
    const gn_attr to = gn_attr_int("to", gn_onnx_type_of(dtype));
    if (dtype == GN_DTYPE_NONE || node->n_in != 2)
        return gn_onnx_unsupported(node, err, "the type that it casts to is not known before the input has a size");
    return gn_onnx_done(graph, node, gn_onnx_emit_node(graph, node, "Cast", NULL, node->in, 1, &to, 1), err);
}

gn_status gn_onnx_rule_global_max_pool(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    (void)opset;
    const gn_shape *x = gn_onnx_shape(graph, node, 0);
    const int rank = x ? x->rank : 4;
    int64_t axes[GN_MAX_RANK];
    if (node->n_in != 1 || rank < 3)
        return gn_onnx_unsupported(node, err, "its input is no picture");
    for (int i = 2; i < rank; i++)
        axes[i - 2] = i;
    const gn_attr attr = gn_attr_ints("axes", axes, rank - 2);
    return gn_onnx_done(graph, node, gn_onnx_emit_node(graph, node, "ReduceMax", NULL, node->in, 1, &attr, 1), err);
}

/* ---- Dropout ---- */

/* All true, in the shape of value x. */
static int all_true(gn_graph *graph, const gn_onnx_node *node, int x)
{
    const gn_shape one = gn_shape_make(1, 1);
    uint8_t yes = 1;
    const gn_tensor contents = gn_tensor_view(GN_DTYPE_BOOL, &one, &yes);
    const gn_attr value = {.name = "value", .type = GN_ATTR_TENSOR, .u.t = &contents};
    const int shape = emit1(graph, node, "Shape", "shape", x);
    return shape < 0 ? shape : gn_onnx_emit_node(graph, node, "ConstantOfShape", "mask", &shape, 1, &value, 1);
}

/* The form for inference drops nothing; so does the form for training with the ratio 0. */
gn_status gn_onnx_rule_dropout(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    if (opset >= 12 && gn_onnx_has(node, 2)) {
        const gn_tensor *mode = gn_onnx_known(graph, node, 2), *ratio = gn_onnx_known(graph, node, 1);
        const bool drops = !ratio || gn_tensor_count(ratio) != 1 || gn_tensor_get(ratio, 0) != 0;
        if (!mode || gn_tensor_count(mode) != 1 || (gn_tensor_get(mode, 0) != 0 && drops))
            return gn_onnx_unsupported(node, err, "a model in training mode; export it for inference");
    }
    node->n_in = node->n_in > 2 ? 2 : node->n_in; /* training_mode false is what is left out */
    if (node->n_in == 2 && node->in[1] < 0)
        node->n_in = 1;
    if (node->n_out < 2)
        return GN_OK;
    const int y = gn_onnx_emit_node(graph, node, "Dropout", NULL, node->in, node->n_in, node->attrs, node->n_attrs);
    node->result[1] = y < 0 ? y : all_true(graph, node, node->in[0]);
    return gn_onnx_done(graph, node, node->result[1] < 0 ? -1 : y, err);
}

/* ---- one dimension ---- */

/* A list of n numbers for the width becomes one for height and width, with `h` for the height. */
static gn_status widen(gn_graph *graph, gn_onnx_node *node, const char *name, int64_t h, bool is_pads)
{
    const gn_attr *a = gn_onnx_attr(node, name);
    if (!a || a->type != GN_ATTR_INTS || a->n != (is_pads ? 2 : 1))
        return GN_OK; /* refused by the operator, if need be */
    int64_t *both = gn_arena_alloc(gn_graph_arena(graph), 4 * sizeof *both);
    if (!both)
        return GN_ENOMEM;
    both[0] = h;
    both[1] = a->u.ints[0];
    if (is_pads) {
        both[2] = h;
        both[3] = a->u.ints[1];
    }
    gn_onnx_put(node, gn_attr_ints(name, both, is_pads ? 4 : 2));
    return GN_OK;
}

gn_status gn_onnx_rule_one_dimension(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    (void)opset;
    const gn_shape *x = gn_onnx_shape(graph, node, 0);
    const bool has_filter = strcmp(node->op, "Conv") == 0 || strcmp(node->op, "ConvTranspose") == 0;
    static const char *const lists[] = {"kernel_shape", "strides", "dilations", "output_shape"};
    if (!x || x->rank != 3 || node->n_out != 1 || node->n_in < (has_filter ? 2 : 1) || node->in[0] < 0)
        return GN_OK;
    const int64_t height = 2;
    const int axis = gn_onnx_emit_ints(graph, node, "height", &height, 1);
    node->in[0] = emit2(graph, node, "Unsqueeze", "picture", node->in[0], axis);
    if (has_filter)
        node->in[1] = emit2(graph, node, "Unsqueeze", "filter", node->in[1], axis);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        GN_TRY(widen(graph, node, lists[i], 1, false));
    GN_TRY(widen(graph, node, "output_padding", 0, false));
    GN_TRY(widen(graph, node, "pads", 0, true));
    if (node->in[0] < 0 || (has_filter && node->in[1] < 0))
        return gn_graph_error(graph, err);
    const int y = gn_onnx_emit_node(graph, node, node->op, "row", node->in, node->n_in, node->attrs, node->n_attrs);
    return gn_onnx_done(graph, node, emit2(graph, node, "Squeeze", NULL, y, axis), err);
}
