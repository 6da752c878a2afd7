/* An operator of ONNX in the spelling of one opset: what is an input in one is an attribute in another, and some
 * attributes came late.  The IR follows opset 13, with later attributes where they add something.
 * Source: ONNX, Changelog.md of the operator sets 11 to 21.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "formats/onnx/onnx_build.h"

/* Inputs that a rule may add to those of the node. */
#define ROOM 4

/* A node on its way out. */
typedef struct form {
    const gn_node *node;
    const char *op;
    int n_in;
    const char **in; /* "": left out */
    int n_attrs;
    gn_attr attrs[GN_ONNX_MAX_ATTRS];
} form;

typedef gn_status (*rule_fn)(gn_onnx_build *b, form *f);

/* ---- parts ---- */

static int find(const form *f, const char *name)
{
    for (int i = 0; i < f->n_attrs; i++)
        if (strcmp(f->attrs[i].name, name) == 0)
            return i;
    return -1;
}

static void drop(form *f, const char *name)
{
    int i = find(f, name);
    if (i >= 0)
        f->attrs[i] = f->attrs[--f->n_attrs];
}

static gn_status put(gn_onnx_build *b, form *f, gn_attr attr)
{
    drop(f, attr.name);
    if (f->n_attrs == GN_ONNX_MAX_ATTRS)
        return gn_onnx_cannot(b, f->node, "it has more than %d attributes", GN_ONNX_MAX_ATTRS);
    f->attrs[f->n_attrs++] = attr;
    return GN_OK;
}

static void set_in(form *f, int i, const char *name)
{
    while (f->n_in <= i)
        f->in[f->n_in++] = "";
    f->in[i] = name;
}

static void drop_in(form *f, int i)
{
    if (i < f->n_in)
        f->in[i] = "";
    while (f->n_in > 0 && !*f->in[f->n_in - 1])
        f->n_in--;
}

static bool has_in(const form *f, int i)
{
    return i < f->n_in && *f->in[i];
}

/* Contents of input i as integers in the build's memory; *n_out -1: they are computed, or no integers. */
static int64_t *ints_of(gn_onnx_build *b, const form *f, int i, int *n_out)
{
    const gn_tensor *t = gn_onnx_in_fixed(b, f->node, i);
    *n_out = -1;
    if (!t || (t->dtype != GN_DTYPE_S64 && t->dtype != GN_DTYPE_S32) || gn_tensor_count(t) > 65536)
        return NULL;
    int64_t *x = gn_onnx_take(b, (size_t)(gn_tensor_count(t) + 1) * sizeof *x);
    for (int64_t k = 0; x && k < gn_tensor_count(t); k++)
        x[k] = (int64_t)gn_tensor_get(t, k);
    *n_out = x ? (int)gn_tensor_count(t) : -1;
    return x;
}

/* Input i, a list of integers, as the attribute that it was before opset `since`. */
static gn_status input_to_ints(gn_onnx_build *b, form *f, int i, const char *name, int since)
{
    if (!has_in(f, i))
        return GN_OK;
    int n;
    const int64_t *x = ints_of(b, f, i, &n);
    if (n < 0)
        return b->failed
                   ? GN_ENOMEM
                   : gn_onnx_cannot(b, f->node, "its %s are computed, which takes opset %d or later", name, since);
    drop_in(f, i);
    return put(b, f, gn_attr_ints(name, x, n));
}

/* An attribute as the input that it is from the opset on. */
static void ints_to_input(gn_onnx_build *b, form *f, const char *name, int i)
{
    const int k = find(f, name);
    if (k < 0 || f->attrs[k].type != GN_ATTR_INTS || has_in(f, i))
        return;
    set_in(f, i, gn_onnx_put_ints(b, f->node->name, name, f->attrs[k].u.ints, f->attrs[k].n));
    drop(f, name);
}

static void float_to_input(gn_onnx_build *b, form *f, const char *name, int i)
{
    const int k = find(f, name);
    if (k < 0 || f->attrs[k].type != GN_ATTR_FLOAT)
        return;
    if (isfinite(f->attrs[k].u.f) && !has_in(f, i))
        set_in(f, i, gn_onnx_put_scalar(b, f->node, name, f->attrs[k].u.f));
    drop(f, name);
}

/* An attribute that came with opset `since`: left out before when it says what is done anyway, else refused. */
static gn_status late_int(gn_onnx_build *b, form *f, const char *name, int64_t usual, int since)
{
    if (b->opset >= since || find(f, name) < 0)
        return GN_OK;
    if (gn_node_int(f->node, name, usual) != usual)
        return gn_onnx_cannot(b, f->node, "%s = %d takes opset %d or later", name,
                              (int)gn_node_int(f->node, name, usual), since);
    drop(f, name);
    return GN_OK;
}

static gn_status finish(gn_onnx_build *b, const form *f, const char *const *out, int n_out)
{
    Onnx__NodeProto *proto = gn_onnx_emit(b, f->op, f->node->name, f->in, f->n_in, out, n_out);
    for (int i = 0; i < f->n_attrs; i++)
        gn_onnx_put_attr(b, proto, &f->attrs[i]);
    return GN_OK;
}

/* ---- one rule per operator ---- */

static gn_status rule_clip(gn_onnx_build *b, form *f)
{
    float_to_input(b, f, "min", 1);
    float_to_input(b, f, "max", 2);
    return GN_OK;
}

static gn_status rule_dropout(gn_onnx_build *b, form *f)
{
    if (b->opset >= 12) {
        float_to_input(b, f, "ratio", 1);
        return GN_OK;
    }
    const gn_tensor *ratio = gn_onnx_in_fixed(b, f->node, 1);
    drop(f, "seed");
    f->n_in = 1;
    return ratio ? put(b, f, gn_attr_float("ratio", (float)gn_tensor_get(ratio, 0))) : GN_OK;
}

static gn_status rule_axes(gn_onnx_build *b, form *f)
{
    if (b->opset < 13)
        return input_to_ints(b, f, 1, "axes", 13);
    ints_to_input(b, f, "axes", 1);
    return GN_OK;
}

/* Reductions took their axes as an attribute up to opset 17, ReduceSum up to 12. */
static gn_status rule_reduce(gn_onnx_build *b, form *f)
{
    const int since = strcmp(f->op, "ReduceSum") == 0 ? 13 : 18;
    if (b->opset >= since) {
        ints_to_input(b, f, "axes", 1);
        return GN_OK;
    }
    int n = 0;
    if (has_in(f, 1) && gn_onnx_in_fixed(b, f->node, 1))
        n = (int)gn_tensor_count(gn_onnx_in_fixed(b, f->node, 1));
    const bool is_idle = n == 0 && find(f, "axes") < 0 && gn_node_int(f->node, "noop_with_empty_axes", 0) != 0;
    drop(f, "noop_with_empty_axes");
    if (is_idle) {
        f->op = "Identity";
        f->n_in = 1;
        f->n_attrs = 0;
        return GN_OK;
    }
    if (has_in(f, 1) && n == 0 && gn_onnx_in_fixed(b, f->node, 1)) {
        drop_in(f, 1); /* an empty list: all axes, as without the attribute */
        return GN_OK;
    }
    return input_to_ints(b, f, 1, "axes", since);
}

static gn_status rule_split(gn_onnx_build *b, form *f)
{
    drop(f, "num_outputs");
    if (b->opset < 13)
        return input_to_ints(b, f, 1, "split", 13);
    ints_to_input(b, f, "split", 1);
    return b->opset >= 18 && !has_in(f, 1) ? put(b, f, gn_attr_int("num_outputs", f->node->n_out)) : GN_OK;
}

static gn_status rule_reshape(gn_onnx_build *b, form *f)
{
    int64_t dims[GN_MAX_RANK];
    const int n = gn_onnx_free_target(b, f->node, dims);
    if (n >= 0)
        set_in(f, 1, gn_onnx_put_ints(b, f->node->name, "target", dims, n));
    GN_TRY(late_int(b, f, "allowzero", 0, 14));
    /* TensorRT 8.2 asks for the attribute as soon as the opset has it. */
    return b->opset >= 14 && find(f, "allowzero") < 0 ? put(b, f, gn_attr_int("allowzero", 0)) : GN_OK;
}

static gn_status rule_expand(gn_onnx_build *b, form *f)
{
    int64_t dims[GN_MAX_RANK];
    const int n = gn_onnx_free_target(b, f->node, dims);
    if (n >= 0)
        set_in(f, 1, gn_onnx_put_ints(b, f->node->name, "target", dims, n));
    return GN_OK;
}

/* Pads per dimension of the input, from those of some axes (opset 18). */
static gn_status pads_of_all_axes(gn_onnx_build *b, form *f)
{
    int n_pads, n_axes, rank = gn_in_shape(b->graph, f->node, 0)->rank;
    const int64_t *pads = ints_of(b, f, 1, &n_pads), *axes = ints_of(b, f, 3, &n_axes);
    if (n_axes < 0 || n_pads != 2 * n_axes)
        return b->failed ? GN_ENOMEM
                         : gn_onnx_cannot(b, f->node, "its axes are computed, which takes opset 18 or later");
    int64_t all[2 * GN_MAX_RANK] = {0};
    for (int i = 0; i < n_axes; i++) {
        const int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        if (axis < 0 || axis >= rank)
            return gn_onnx_cannot(b, f->node, "its axes are out of range");
        all[axis] = pads[i];
        all[rank + axis] = pads[n_axes + i];
    }
    set_in(f, 1, gn_onnx_put_ints(b, f->node->name, "pads", all, 2 * rank));
    drop_in(f, 3);
    return GN_OK;
}

static gn_status rule_pad(gn_onnx_build *b, form *f)
{
    ints_to_input(b, f, "pads", 1);
    float_to_input(b, f, "value", 2);
    if (b->opset < 19 && strcmp(gn_node_string(f->node, "mode", "constant"), "wrap") == 0)
        return gn_onnx_cannot(b, f->node, "mode wrap takes opset 19 or later");
    return b->opset < 18 && has_in(f, 3) ? pads_of_all_axes(b, f) : GN_OK;
}

/* Opsets 11 and 12 want all of roi and scales, though they read one of scales and sizes only. */
static gn_status rule_resize(gn_onnx_build *b, form *f)
{
    const char *how = gn_node_string(f->node, "coordinate_transformation_mode", "half_pixel");
    if (b->opset < 19 && strcmp(how, "half_pixel_symmetric") == 0)
        return gn_onnx_cannot(b, f->node, "half_pixel_symmetric takes opset 19 or later");
    GN_TRY(late_int(b, f, "antialias", 0, 18));
    if (b->opset < 18 && find(f, "axes") >= 0)
        return gn_onnx_cannot(b, f->node, "axes take opset 18 or later");
    if (b->opset < 18 && strcmp(gn_node_string(f->node, "keep_aspect_ratio_policy", "stretch"), "stretch") != 0)
        return gn_onnx_cannot(b, f->node, "keep_aspect_ratio_policy takes opset 18 or later");
    if (b->opset < 18)
        drop(f, "keep_aspect_ratio_policy");
    for (int i = 1; i <= 2 && b->opset < 13; i++)
        if (!has_in(f, i))
            set_in(f, i, gn_onnx_put_empty(b, f->node->name, i == 1 ? "roi" : "scales"));
    return GN_OK;
}

static bool is_all_ones(const form *f, const char *name)
{
    int64_t x[4];
    const int n = gn_node_ints(f->node, name, x, 4, 1);
    for (int i = 0; i < n && i < 4; i++)
        if (x[i] != 1)
            return false;
    return true;
}

static gn_status rule_average_pool(gn_onnx_build *b, form *f)
{
    if (b->opset >= 19 || find(f, "dilations") < 0)
        return GN_OK;
    if (!is_all_ones(f, "dilations"))
        return gn_onnx_cannot(b, f->node, "dilations take opset 19 or later");
    drop(f, "dilations");
    return GN_OK;
}

static gn_status rule_arg(gn_onnx_build *b, form *f)
{
    return late_int(b, f, "select_last_index", 0, 12);
}

/* Per-channel scales came with opset 13. */
static gn_status rule_quantize(gn_onnx_build *b, form *f)
{
    const gn_shape *scale = gn_in_shape(b->graph, f->node, 1);
    if (b->opset < 13 && scale && gn_shape_count(scale) != 1)
        return gn_onnx_cannot(b, f->node, "scales per channel take opset 13 or later");
    if (b->opset < 13)
        drop(f, "axis");
    GN_TRY(late_int(b, f, "block_size", 0, 21));
    GN_TRY(late_int(b, f, "output_dtype", 0, 21));
    return late_int(b, f, "saturate", 1, 19);
}

static gn_status rule_scatter(gn_onnx_build *b, form *f)
{
    const char *how = gn_node_string(f->node, "reduction", "none");
    const int since = strcmp(how, "max") == 0 || strcmp(how, "min") == 0 ? 18 : 16;
    if (b->opset >= since || strcmp(how, "none") == 0) {
        if (b->opset < 16)
            drop(f, "reduction");
        return GN_OK;
    }
    return gn_onnx_cannot(b, f->node, "reduction %s takes opset %d or later", how, since);
}

static gn_status rule_cast(gn_onnx_build *b, form *f)
{
    return late_int(b, f, "saturate", 1, 19);
}

static const struct {
    const char *op;
    rule_fn rule;
} rules[] = {
    {"Clip", rule_clip},
    {"Dropout", rule_dropout},
    {"Squeeze", rule_axes},
    {"Unsqueeze", rule_axes},
    {"ReduceMean", rule_reduce},
    {"ReduceMax", rule_reduce},
    {"ReduceMin", rule_reduce},
    {"ReduceSum", rule_reduce},
    {"ReduceProd", rule_reduce},
    {"ReduceL1", rule_reduce},
    {"ReduceL2", rule_reduce},
    {"ReduceLogSum", rule_reduce},
    {"ReduceLogSumExp", rule_reduce},
    {"ReduceSumSquare", rule_reduce},
    {"Split", rule_split},
    {"Reshape", rule_reshape},
    {"Expand", rule_expand},
    {"Pad", rule_pad},
    {"Resize", rule_resize},
    {"AveragePool", rule_average_pool},
    {"ArgMax", rule_arg},
    {"ArgMin", rule_arg},
    {"QuantizeLinear", rule_quantize},
    {"DequantizeLinear", rule_quantize},
    {"ScatterElements", rule_scatter},
    {"ScatterND", rule_scatter},
    {"Cast", rule_cast},
};

/* ---- operators that need others around them in an old opset ---- */

/* Softmax and its kin flattened everything from the axis on up to opset 12: the axis comes last, and goes back. */
static gn_status softmax_of_old(gn_onnx_build *b, form *f)
{
    const int rank = gn_in_shape(b->graph, f->node, 0)->rank;
    int64_t axis = gn_node_int(f->node, "axis", -1), perm[GN_MAX_RANK];
    axis += axis < 0 ? rank : 0;
    const gn_attr last = gn_attr_int("axis", rank - 1);
    if (axis == rank - 1) {
        gn_onnx_step(b, f->node, f->op, NULL, f->in[0], NULL, &last, 1);
        return GN_OK;
    }
    for (int i = 0; i < rank; i++)
        perm[i] = i == axis ? rank - 1 : i == rank - 1 ? axis : i;
    const gn_attr swap = gn_attr_ints("perm", perm, rank);
    const char *x = gn_onnx_step(b, f->node, "Transpose", "axis_last", f->in[0], NULL, &swap, 1);
    const char *y = gn_onnx_step(b, f->node, f->op, "softmax", x, NULL, &last, 1);
    gn_onnx_step(b, f->node, "Transpose", NULL, y, NULL, &swap, 1);
    return GN_OK;
}

/* Shape of some dimensions (opset 15) as Shape and Slice. */
static gn_status shape_of_old(gn_onnx_build *b, form *f)
{
    const int64_t start = gn_node_int(f->node, "start", 0), end = gn_node_int(f->node, "end", INT32_MAX);
    const char *all = gn_onnx_step(b, f->node, "Shape", "all", f->in[0], NULL, NULL, 0);
    const char *in[3] = {all, gn_onnx_put_ints(b, f->node->name, "start", &start, 1),
                         gn_onnx_put_ints(b, f->node->name, "end", &end, 1)};
    const char *out = gn_onnx_out(b, f->node, 0);
    gn_onnx_emit(b, "Slice", f->node->name, in, 3, &out, 1);
    return GN_OK;
}

static gn_status write_form(gn_onnx_build *b, form *f)
{
    const bool is_softmax = strcmp(f->op, "Softmax") == 0 || strcmp(f->op, "LogSoftmax") == 0;
    if (is_softmax && b->opset < 13)
        return softmax_of_old(b, f);
    if (strcmp(f->op, "Shape") == 0 && b->opset < 15 && (find(f, "start") >= 0 || find(f, "end") >= 0))
        return shape_of_old(b, f);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(f->op, rules[i].op) == 0) {
            GN_TRY(rules[i].rule(b, f));
            break;
        }
    if (find(f, "pads") >= 0) /* what auto_pad meant for this size is written out there */
        drop(f, "auto_pad");
    const char **out = gn_onnx_take(b, (size_t)f->node->n_out * sizeof *out);
    if (!out)
        return GN_ENOMEM;
    for (int i = 0; i < f->node->n_out; i++)
        out[i] = gn_onnx_out(b, f->node, i);
    return finish(b, f, out, f->node->n_out);
}

gn_status gn_onnx_spell(gn_onnx_build *b, const gn_node *node)
{
    if (node->n_attrs > GN_ONNX_MAX_ATTRS)
        return gn_onnx_cannot(b, node, "it has %d attributes, at most %d are written", node->n_attrs,
                              GN_ONNX_MAX_ATTRS);
    form f = {.node = node, .op = node->op->name, .n_in = node->n_in, .n_attrs = node->n_attrs};
    f.in = gn_onnx_take(b, (size_t)(node->n_in + ROOM) * sizeof *f.in);
    if (!f.in)
        return GN_ENOMEM;
    for (int i = 0; i < node->n_in + ROOM; i++)
        f.in[i] = i < node->n_in ? gn_onnx_in(b, node, i) : "";
    for (int i = 0; i < node->n_attrs; i++)
        f.attrs[i] = node->attrs[i];
    return write_form(b, &f);
}
