/* Operators of older and newer opsets in the form of opset 13, which is the one that Gannet's operators follow; and the
 * rule that tells weights from constants.
 * Source: ONNX, Changelog.md of the operator sets.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "formats/onnx/onnx_rules.h"
#include "formats/onnx/onnx_scan.h"

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
    if (strcmp(op, "Conv") == 0 || strcmp(op, "ConvTranspose") == 0 || strcmp(op, "Gemm") == 0 ||
        strcmp(op, "MatMul") == 0)
        return GN_ONNX_ROLE_TRAINED;
    if (strcmp(op, "PRelu") == 0 || strcmp(op, "LayerNormalization") == 0 || strcmp(op, "InstanceNormalization") == 0)
        return i > 0 ? GN_ONNX_ROLE_TRAINED : GN_ONNX_ROLE_CONST;
    bool is_affine = strcmp(op, "Add") == 0 || strcmp(op, "Mul") == 0;
    return is_affine && count > 1 ? GN_ONNX_ROLE_TRAINED : GN_ONNX_ROLE_CONST;
}

/* ---- for the rules ---- */

static int find(const gn_onnx_node *node, const char *name)
{
    for (int i = 0; i < node->n_attrs; i++)
        if (strcmp(node->attrs[i].name, name) == 0)
            return i;
    return -1;
}

const gn_attr *gn_onnx_attr(const gn_onnx_node *node, const char *name)
{
    int i = find(node, name);
    return i >= 0 ? &node->attrs[i] : NULL;
}

int64_t gn_onnx_int(const gn_onnx_node *node, const char *name, int64_t fallback)
{
    const gn_attr *a = gn_onnx_attr(node, name);
    return a && a->type == GN_ATTR_INT ? a->u.i : fallback;
}

void gn_onnx_drop(gn_onnx_node *node, const char *name)
{
    int i = find(node, name);
    if (i >= 0)
        node->attrs[i] = node->attrs[--node->n_attrs];
}

void gn_onnx_put(gn_onnx_node *node, gn_attr attr)
{
    int i = find(node, attr.name);
    node->attrs[i >= 0 ? i : node->n_attrs++] = attr;
}

bool gn_onnx_has(const gn_onnx_node *node, int i)
{
    return i < node->n_in && node->in[i] >= 0;
}

gn_status gn_onnx_unsupported(const gn_onnx_node *node, gn_error *err, const char *what)
{
    return gn_fail(err, GN_EUNSUPPORTED, "node '%s' (%s): %s", node->name, node->op, what);
}

const gn_shape *gn_onnx_shape(const gn_graph *graph, const gn_onnx_node *node, int i)
{
    const gn_value *value = gn_onnx_has(node, i) ? gn_graph_value(graph, node->in[i]) : NULL;
    return value && value->dtype != GN_DTYPE_NONE && gn_shape_known(&value->shape) ? &value->shape : NULL;
}

const gn_tensor *gn_onnx_known(const gn_graph *graph, const gn_onnx_node *node, int i)
{
    const gn_node view = {.n_in = node->n_in, .in = node->in};
    return gn_in_known(graph, &view, i);
}

static const char *part_name(gn_graph *graph, const gn_onnx_node *node, const char *part)
{
    const char *name = gn_arena_printf(gn_graph_arena(graph), "%s.%s", node->name, part);
    return name ? name : part;
}

int gn_onnx_emit_node(gn_graph *graph, const gn_onnx_node *node, const char *op, const char *part, const int *in,
                      int n_in, const gn_attr *attrs, int n_attrs)
{
    const char *name = part ? part_name(graph, node, part) : node->name;
    return gn_graph_add_op(graph, op, "", name, in, n_in, attrs, n_attrs);
}

int gn_onnx_emit_ints(gn_graph *graph, const gn_onnx_node *node, const char *part, const int64_t *x, int n)
{
    const gn_shape shape = gn_shape_make(1, n);
    union {
        const int64_t *from;
        void *to;
    } data = {.from = x};
    const gn_tensor view = gn_tensor_view(GN_DTYPE_S64, &shape, data.to);
    return gn_graph_add_const(graph, part_name(graph, node, part), &view);
}

gn_status gn_onnx_done(gn_graph *graph, gn_onnx_node *node, int value, gn_error *err)
{
    node->result[0] = value;
    return value < 0 ? gn_graph_error(graph, err) : GN_OK;
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

/* A list of integers that became an input. */
static gn_status ints_to_input(gn_graph *graph, gn_onnx_node *node, const char *name, int i, gn_error *err)
{
    const gn_attr *a = gn_onnx_attr(node, name);
    if (!a)
        return GN_OK;
    if (a->type != GN_ATTR_INTS)
        return gn_onnx_unsupported(node, err, "an attribute that should be a list of integers is none");
    int id = gn_onnx_emit_ints(graph, node, name, a->u.ints, a->n);
    gn_onnx_drop(node, name);
    return set_input(graph, node, i, id, err);
}

static gn_status floats_to_input(gn_graph *graph, gn_onnx_node *node, const char *name, int i, gn_error *err)
{
    const gn_attr *a = gn_onnx_attr(node, name);
    if (!a)
        return GN_OK;
    if (a->type != GN_ATTR_FLOATS || a->n < 1)
        return gn_onnx_unsupported(node, err, "an attribute that should be a list of numbers is none");
    int id = gn_graph_add_const_f32(graph, part_name(graph, node, name), a->n, a->u.floats);
    gn_onnx_drop(node, name);
    return set_input(graph, node, i, id, err);
}

/* A number that became a scalar input; left out when it is `open` (no bound). */
static gn_status float_to_input(gn_graph *graph, gn_onnx_node *node, const char *name, int i, float open, gn_error *err)
{
    const gn_attr *a = gn_onnx_attr(node, name);
    if (!a)
        return GN_OK;
    if (a->type != GN_ATTR_FLOAT)
        return gn_onnx_unsupported(node, err, "an attribute that should be a number is none");
    float x = a->u.f;
    gn_onnx_drop(node, name);
    if (x == open)
        return GN_OK;
    return set_input(graph, node, i, gn_graph_add_const_f32(graph, part_name(graph, node, name), 0, &x), err);
}

/* ---- one rule per operator ---- */

static gn_status rule_batchnorm(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    (void)graph;
    if (gn_onnx_int(node, "spatial", 1) != 1)
        return gn_onnx_unsupported(node, err, "statistics per pixel (spatial = 0) are not supported");
    gn_onnx_drop(node, "spatial");
    if (gn_onnx_int(node, "training_mode", 0) != 0 || (opset < 14 && node->n_out > 1))
        return gn_onnx_unsupported(node, err, "a model in training mode; export it for inference");
    gn_onnx_drop(node, "training_mode");
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
        GN_TRY(float_to_input(graph, node, "ratio", 1, NAN, err));
    return gn_onnx_rule_dropout(graph, opset, node, err);
}

static gn_status rule_axes(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    return opset < 13 ? ints_to_input(graph, node, "axes", 1, err) : GN_OK;
}

static gn_status rule_split(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    if (opset < 13)
        return ints_to_input(graph, node, "split", 1, err);
    if (gn_onnx_int(node, "num_outputs", node->n_out) != node->n_out)
        return gn_onnx_unsupported(node, err, "num_outputs differs from the number of outputs");
    gn_onnx_drop(node, "num_outputs");
    return GN_OK;
}

/* No axes and noop_with_empty_axes: the input itself. */
static bool is_noop_reduction(const gn_graph *graph, const gn_onnx_node *node)
{
    const gn_tensor *axes = gn_onnx_known(graph, node, 1);
    bool is_empty = !gn_onnx_has(node, 1) || (axes && gn_tensor_count(axes) == 0);
    return is_empty && gn_onnx_int(node, "noop_with_empty_axes", 0) != 0;
}

static gn_status rule_reduce_sum(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    if (opset < 13)
        return ints_to_input(graph, node, "axes", 1, err);
    if (is_noop_reduction(graph, node))
        return gn_onnx_done(graph, node, gn_onnx_emit_node(graph, node, "Identity", NULL, node->in, 1, NULL, 0), err);
    gn_onnx_drop(node, "noop_with_empty_axes");
    return GN_OK;
}

/* Axes that are constant become an attribute again; those that only shapes tell stay an input. */
static gn_status rule_reduce(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    if (opset < 18)
        return GN_OK;
    if (is_noop_reduction(graph, node) && gn_has_prefix(node->op, "ReduceM"))
        return gn_onnx_done(graph, node, gn_onnx_emit_node(graph, node, "Identity", NULL, node->in, 1, NULL, 0), err);
    const gn_value *axes = gn_onnx_has(node, 1) ? gn_graph_value(graph, node->in[1]) : NULL;
    if (axes && axes->kind == GN_VALUE_CONST && axes->dtype == GN_DTYPE_S64) {
        if (gn_tensor_count(axes->data) > 0)
            gn_onnx_put(node, gn_attr_ints("axes", axes->data->data, (int)gn_tensor_count(axes->data)));
        node->n_in = 1;
    }
    if (gn_onnx_int(node, "noop_with_empty_axes", 0) == 0 || gn_onnx_attr(node, "axes"))
        gn_onnx_drop(node, "noop_with_empty_axes");
    return GN_OK;
}

static gn_status rule_pad(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    if (opset >= 11)
        return GN_OK;
    GN_TRY(ints_to_input(graph, node, "pads", 1, err));
    return float_to_input(graph, node, "value", 2, 0, err);
}

static gn_status rule_slice(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    if (opset >= 10)
        return GN_OK;
    GN_TRY(ints_to_input(graph, node, "starts", 1, err));
    GN_TRY(ints_to_input(graph, node, "ends", 2, err));
    return ints_to_input(graph, node, "axes", 3, err);
}

static gn_status rule_topk(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    if (opset >= 10)
        return GN_OK;
    const int64_t k = gn_onnx_int(node, "k", 0);
    gn_onnx_drop(node, "k");
    return set_input(graph, node, 1, gn_onnx_emit_ints(graph, node, "k", &k, 1), err);
}

/* What Upsample and the first Resize did is what Resize does with these attributes; their scales stand before a region of
 * interest was put there. */
static gn_status as_new_resize(gn_graph *graph, gn_onnx_node *node, gn_error *err)
{
    const gn_tensor *scales = gn_onnx_known(graph, node, 1);
    bool enlarges = false, shrinks = false;
    for (int64_t i = 0; scales && i < gn_tensor_count(scales); i++) {
        enlarges = enlarges || gn_tensor_get(scales, i) > 1;
        shrinks = shrinks || gn_tensor_get(scales, i) < 1;
    }
    if (enlarges && shrinks)
        return gn_onnx_unsupported(node, err,
                                   "it enlarges one dimension and shrinks another, in a form before opset 11");
    const int scales_id = node->n_in > 1 ? node->in[1] : -1;
    node->op = "Resize";
    GN_TRY(set_input(graph, node, 2, scales_id, err));
    node->in[1] = -1;
    gn_onnx_put(node, gn_attr_string("coordinate_transformation_mode", "asymmetric"));
    gn_onnx_put(node, gn_attr_string("nearest_mode", shrinks ? "ceil" : "floor"));
    return GN_OK;
}

static gn_status rule_resize(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    return opset >= 11 ? GN_OK : as_new_resize(graph, node, err);
}

static gn_status rule_upsample(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    if (opset < 9)
        GN_TRY(floats_to_input(graph, node, "scales", 1, err));
    if (opset >= 10)
        return gn_onnx_unsupported(node, err, "this operator ended with opset 9");
    return as_new_resize(graph, node, err);
}

/* `saturate` concerns 8-bit real numbers only, which Gannet does not have. */
static gn_status rule_saturate(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    (void)graph, (void)opset, (void)err;
    gn_onnx_drop(node, "saturate");
    return GN_OK;
}

static gn_status rule_auto_pad(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    const gn_attr *a = gn_onnx_attr(node, "auto_pad");
    const char *how = a && a->type == GN_ATTR_STRING ? a->u.s : "NOTSET";
    if (strcmp(how, "NOTSET") != 0)
        gn_onnx_drop(node, "pads");
    if (strcmp(how, "VALID") == 0)
        gn_onnx_drop(node, "auto_pad");
    return gn_onnx_rule_one_dimension(graph, opset, node, err);
}

static const struct {
    const char *op;
    gn_onnx_rule rule;
} rules[] = {
    {"AveragePool", rule_auto_pad},
    {"BatchNormalization", rule_batchnorm},
    {"Cast", rule_saturate},
    {"CastLike", gn_onnx_rule_cast_like},
    {"Clip", rule_clip},
    {"Conv", rule_auto_pad},
    {"ConvTranspose", rule_auto_pad},
    {"Dropout", rule_dropout},
    {"GlobalMaxPool", gn_onnx_rule_global_max_pool},
    {"LogSoftmax", gn_onnx_rule_softmax},
    {"MaxPool", rule_auto_pad},
    {"Mean", gn_onnx_rule_sum},
    {"Mish", gn_onnx_rule_mish},
    {"Pad", rule_pad},
    {"QuantizeLinear", rule_saturate},
    {"ReduceL1", rule_reduce},
    {"ReduceL2", rule_reduce},
    {"ReduceLogSum", rule_reduce},
    {"ReduceLogSumExp", rule_reduce},
    {"ReduceMax", rule_reduce},
    {"ReduceMean", rule_reduce},
    {"ReduceMin", rule_reduce},
    {"ReduceProd", rule_reduce},
    {"ReduceSum", rule_reduce_sum},
    {"ReduceSumSquare", rule_reduce},
    {"Resize", rule_resize},
    {"Slice", rule_slice},
    {"Softmax", gn_onnx_rule_softmax},
    {"Split", rule_split},
    {"Squeeze", rule_axes},
    {"Sum", gn_onnx_rule_sum},
    {"TopK", rule_topk},
    {"Unsqueeze", rule_axes},
    {"Upsample", rule_upsample},
};

static gn_onnx_rule find_rule(const char *op)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(op, rules[i].op) == 0)
            return rules[i].rule;
    return NULL;
}

bool gn_onnx_has_rule(const char *op)
{
    return find_rule(op) != NULL;
}

gn_status gn_onnx_normalise(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err)
{
    gn_onnx_rule rule = find_rule(node->op);
    for (int i = 0; i < GN_ONNX_MAX_RESULTS; i++)
        node->result[i] = -1;
    return rule ? rule(graph, opset, node, err) : GN_OK;
}
