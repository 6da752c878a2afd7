/* What the ONNX parser of TensorRT 8.2 demands of each operator: element types, inputs that must be stored, attributes that
 * it refuses or does not look at.
 * Source: onnx-tensorrt, branch 8.2-GA: docs/operators.md (names and element types), builtin_op_importers.cpp and
 * onnx2trt_utils.cpp (what they refuse and what they never read); TensorRT 8.2's documentation of ITopKLayer (k).
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "formats/onnx/onnx_trt.h"

/* Elements that TopK gives at most. */
#define MAX_K 3840

static const char fix_store[] = "store it in the model: fold constants when exporting";

/* ---- parts of rules ---- */

static void error(gn_trt_check *c, const char *fix, const char *what)
{
    gn_trt_find(c, GN_TRT_ERROR, NULL, fix, "%s", what);
}

static void warn(gn_trt_check *c, const char *fix, const char *what)
{
    gn_trt_find(c, GN_TRT_WARNING, NULL, fix, "%s", what);
}

/* Input i, if it is given, is stored in the file. */
static const Onnx__TensorProto *must_be_stored(gn_trt_check *c, size_t i, const char *what)
{
    const gn_trt_value *v = gn_trt_in(c, i);
    if (v && !v->weights)
        gn_trt_find(c, GN_TRT_ERROR, NULL, fix_store, "input %zu (%s) is computed; the parser wants it stored", i,
                    what);
    return v ? v->weights : NULL;
}

/* The same where the parser can also follow shapes by itself. */
static void must_be_known(gn_trt_check *c, size_t i, const char *what)
{
    const gn_trt_value *v = gn_trt_in(c, i);
    if (v && !v->weights)
        gn_trt_find(c, GN_TRT_WARNING, NULL, fix_store,
                    "input %zu (%s) is computed; the parser takes it only where fixed shapes tell it", i, what);
}

/* An attribute or input that came after opset 13 and is not looked at. */
static void is_ignored(gn_trt_check *c, const char *what)
{
    gn_trt_find(c, GN_TRT_ERROR, NULL, "export with opset 13",
                "%s, which the parser does not read: the result would differ", what);
}

static void ends_in(gn_trt_check *c, size_t n_out, const char *what)
{
    for (size_t i = n_out; i < c->node->n_output; i++)
        if (*c->node->output[i]) {
            error(c, "do not read that result", what);
            return;
        }
}

static size_t n_ints(const gn_trt_check *c, const char *name)
{
    const Onnx__AttributeProto *a = gn_trt_attr(c, name);
    return a ? a->n_ints : 0;
}

static int64_t int_at(const gn_trt_check *c, const char *name, size_t i, int64_t fallback)
{
    const Onnx__AttributeProto *a = gn_trt_attr(c, name);
    return a && i < a->n_ints ? a->ints[i] : fallback;
}

/* Element type of input i as the parser casts it; 0: not known. */
static int bit_of_in(const gn_trt_check *c, size_t i)
{
    const gn_trt_value *v = gn_trt_in(c, i);
    return v && v->type ? gn_trt_type_bit(v->type) : 0;
}

/* ---- convolution ---- */

static void rule_conv(gn_trt_check *c)
{
    const gn_trt_value *w = gn_trt_in(c, 1);
    if (w && !w->weights && (!w->producer || strcmp(w->producer, "DequantizeLinear") != 0))
        error(c, fix_store, "input 1 (weights) is computed; the parser wants it stored");
    if (w && w->rank > 0 && (w->rank < 3 || w->rank > 5))
        gn_trt_find(c, GN_TRT_ERROR, NULL, "use one, two or three spatial dimensions",
                    "its weights have %d dimensions; 3 to 5 are supported", w->rank);
    must_be_stored(c, 2, "bias");
}

static void rule_conv_transpose(gn_trt_check *c)
{
    rule_conv(c);
    const size_t n = n_ints(c, "pads") / 2;
    for (size_t i = 0; i < n && n == 3; i++)
        if (int_at(c, "pads", i, 0) != int_at(c, "pads", n + i, 0)) {
            error(c, "pad alike on both sides", "pads of a 3D transposed convolution differ between begin and end");
            return;
        }
}

/* ---- pooling ---- */

static void rule_pool(gn_trt_check *c)
{
    const size_t n = n_ints(c, "kernel_shape");
    if (n < 1 || n > 3)
        error(c, "use one, two or three spatial dimensions", "its window has other than 1 to 3 dimensions");
    for (size_t i = 0; i < n_ints(c, "dilations"); i++)
        if (int_at(c, "dilations", i, 1) != 1) {
            error(c, "pool without dilation", "dilations other than 1 are not supported");
            break;
        }
    ends_in(c, 1, "its second result (Indices) is read, which is not supported");
}

static void rule_average_pool(gn_trt_check *c)
{
    rule_pool(c);
    const size_t n = n_ints(c, "pads") / 2;
    for (size_t i = 0; i < n && i < 2; i++) {
        const int64_t begin = int_at(c, "pads", i, 0), end = int_at(c, "pads", n + i, 0);
        if (end != begin && end != begin + 1) {
            error(c, "pad in front of it with Pad", "pads that differ by more than 1 at the end are not supported");
            return;
        }
    }
}

static void rule_lp(gn_trt_check *c)
{
    if (gn_trt_int(c, "p", 2) != 1 && gn_trt_int(c, "p", 2) != 2)
        error(c, "use p = 1 or p = 2", "only the norms L1 and L2 are supported");
}

/* ---- sizes ---- */

/* Linear resizing changes the last three dimensions only. */
static void check_scales(gn_trt_check *c, const Onnx__TensorProto *t, bool is_linear)
{
    const int64_t n = t ? gn_trt_count(t) : -1;
    for (int64_t i = 0; is_linear && i + 3 < n; i++)
        if (gn_trt_number(t, i) != 1) {
            error(c, "resize the last three dimensions only", "linear resizing of more than the last three dimensions");
            return;
        }
}

static void check_resize_mode(gn_trt_check *c)
{
    static const char *const known[] = {"half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn", "asymmetric",
                                        "align_corners"};
    bool is_known = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        is_known = is_known || gn_trt_is(c, "coordinate_transformation_mode", "half_pixel", known[i]);
    if (!is_known)
        error(c, "use half_pixel, asymmetric or align_corners", "its coordinate_transformation_mode is not supported");
    if (gn_trt_is(c, "coordinate_transformation_mode", "half_pixel", "tf_half_pixel_for_nn") &&
        !gn_trt_is(c, "nearest_mode", "round_prefer_floor", "round_prefer_floor"))
        error(c, "use nearest_mode round_prefer_floor", "tf_half_pixel_for_nn goes with round_prefer_floor only");
    if (gn_trt_int(c, "antialias", 0) != 0)
        is_ignored(c, "antialias is set");
    if (gn_trt_attr(c, "axes"))
        is_ignored(c, "axes are given");
    if (gn_trt_attr(c, "keep_aspect_ratio_policy") && !gn_trt_is(c, "keep_aspect_ratio_policy", "stretch", "stretch"))
        is_ignored(c, "keep_aspect_ratio_policy is set");
}

static void rule_resize(gn_trt_check *c)
{
    const bool is_linear = gn_trt_is(c, "mode", "nearest", "linear");
    if (!is_linear && !gn_trt_is(c, "mode", "nearest", "nearest"))
        error(c, "resize by nearest or linear", "its mode is neither nearest nor linear (cubic is not supported)");
    if (c->opset >= 11)
        check_resize_mode(c);
    if (c->opset >= 11 && gn_trt_has_in(c, 3))
        return; /* by sizes, which may be computed */
    check_scales(c, must_be_stored(c, c->opset >= 11 ? 2 : 1, "scales"), is_linear);
}

static void rule_upsample(gn_trt_check *c)
{
    const bool is_linear = gn_trt_is(c, "mode", "nearest", "linear");
    if (!is_linear && !gn_trt_is(c, "mode", "nearest", "nearest"))
        error(c, "resize by nearest or linear", "its mode is neither nearest nor linear");
    check_scales(c, must_be_stored(c, 1, "scales"), is_linear);
}

static void rule_pad(gn_trt_check *c)
{
    if (!gn_trt_is(c, "mode", "constant", "constant") && !gn_trt_is(c, "mode", "constant", "reflect") &&
        !gn_trt_is(c, "mode", "constant", "edge"))
        error(c, "pad by constant, reflect or edge", "its mode is not supported");
    if (gn_trt_has_in(c, 3))
        is_ignored(c, "it pads some axes (input 3)");
    const gn_trt_value *v = c->opset >= 11 ? gn_trt_in(c, 1) : NULL;
    bool is_negative = false;
    for (int64_t i = 0; v && v->weights && i < gn_trt_count(v->weights); i++)
        is_negative = is_negative || gn_trt_number(v->weights, i) < 0;
    for (size_t i = 0; c->opset < 11 && i < n_ints(c, "pads"); i++)
        is_negative = is_negative || int_at(c, "pads", i, 0) < 0;
    if (is_negative)
        error(c, "crop with Slice", "negative pads are not supported");
}

static void rule_reshape(gn_trt_check *c)
{
    if (c->opset >= 14 && !gn_trt_attr(c, "allowzero"))
        error(c, "export with opset 13, or give allowzero = 0",
              "from opset 14 on the parser of 8.2 stops at a Reshape without the attribute allowzero");
}

static void rule_slice(gn_trt_check *c)
{
    if (c->opset >= 10)
        must_be_known(c, 3, "axes");
}

static void rule_squeeze(gn_trt_check *c)
{
    if (c->opset >= 13)
        must_be_stored(c, 1, "axes");
    if ((c->opset >= 13 && !gn_trt_has_in(c, 1)) || (c->opset < 13 && !gn_trt_attr(c, "axes")))
        warn(c, "name the axes", "it has no axes, which takes an input of fixed shape");
}

static void rule_unsqueeze(gn_trt_check *c)
{
    if (c->opset >= 13)
        must_be_known(c, 1, "axes");
}

static void rule_split(gn_trt_check *c)
{
    if (gn_trt_attr(c, "num_outputs"))
        warn(c, "give the sizes of the parts", "num_outputs is not read: parts are equal, the last one too");
}

static void rule_shape(gn_trt_check *c)
{
    if (gn_trt_int(c, "start", 0) != 0 || gn_trt_attr(c, "end"))
        is_ignored(c, "it asks for some of the dimensions (start, end)");
}

static void rule_transpose(gn_trt_check *c)
{
    if (n_ints(c, "perm") > 8)
        error(c, "reshape it to fewer dimensions", "more than 8 dimensions");
}

static void rule_expand(gn_trt_check *c)
{
    const gn_trt_value *v = gn_trt_in(c, 1);
    if (v && v->rank >= 0 && v->rank != 1)
        error(c, "give a list of dimensions", "its shape (input 1) is no list");
}

/* ---- reductions and choices ---- */

static void rule_reduce(gn_trt_check *c)
{
    if (gn_trt_has_in(c, 1) && strcmp(c->node->op_type, "ReduceSum") == 0)
        must_be_stored(c, 1, "axes");
    else if (gn_trt_has_in(c, 1))
        is_ignored(c, "its axes are an input (as from opset 18 on)");
    if (gn_trt_int(c, "noop_with_empty_axes", 0) != 0 && !gn_trt_has_in(c, 1))
        is_ignored(c, "noop_with_empty_axes is set");
}

static void rule_topk(gn_trt_check *c)
{
    double k = (double)gn_trt_int(c, "k", 0);
    if (c->opset >= 10) {
        const Onnx__TensorProto *t = must_be_stored(c, 1, "k");
        const int64_t n = t ? gn_trt_count(t) : -1;
        if (n >= 0 && n != 1)
            error(c, "give one number", "its k is not one number");
        k = n == 1 ? gn_trt_number(t, 0) : 0;
    }
    if (k > MAX_K)
        gn_trt_find(c, GN_TRT_ERROR, NULL, "take fewer, or choose in two steps", "k = %.0f; at most %d are supported",
                    k, MAX_K);
    if (gn_trt_int(c, "largest", 1) == 0)
        error(c, "take the largest of the negated values", "largest = 0 is not read: the largest would be given");
}

static void rule_nms(gn_trt_check *c)
{
    static const char *const what[] = {"max_output_boxes_per_class", "iou_threshold", "score_threshold"};
    for (size_t i = 0; i < 3; i++)
        must_be_stored(c, i + 2, what[i]);
    warn(c, "leave it out of the network, or read as many rows as there are",
         "experimental: its result has the fixed shape [max_output_boxes_per_class, 3], filled up");
}

static void rule_arg(gn_trt_check *c)
{
    if (gn_trt_int(c, "select_last_index", 0) != 0 && c->opset < 12)
        error(c, "export with opset 13", "select_last_index before opset 12");
}

static void rule_cumsum(gn_trt_check *c)
{
    must_be_stored(c, 1, "axis");
}

static void rule_where(gn_trt_check *c)
{
    if (bit_of_in(c, 1) == TRT_B || bit_of_in(c, 2) == TRT_B)
        error(c, "choose between numbers, then compare", "BOOL values to choose between are not supported");
}

static void rule_scatter(gn_trt_check *c)
{
    if (gn_trt_attr(c, "reduction") && !gn_trt_is(c, "reduction", "none", "none"))
        is_ignored(c, "it reduces (reduction)");
}

static void rule_range(gn_trt_check *c)
{
    const bool is_float = (bit_of_in(c, 0) & TRT_FH) != 0;
    for (size_t i = 0; i < 3 && is_float; i++)
        must_be_stored(c, i, i == 0 ? "start" : i == 1 ? "limit" : "delta");
}

static void rule_random(gn_trt_check *c)
{
    if (gn_trt_attr(c, "seed"))
        warn(c, "do not count on the numbers", "its seed is not read");
}

/* ---- normalisation ---- */

static void rule_batchnorm(gn_trt_check *c)
{
    if (gn_trt_int(c, "training_mode", 0) != 0)
        error(c, "export the model for inference", "it is in training mode, which the parser does not read");
    ends_in(c, 1, "it gives running statistics, as in training");
}

static void rule_instancenorm(gn_trt_check *c)
{
    const gn_trt_value *x = gn_trt_in(c, 0);
    must_be_stored(c, 1, "scale");
    must_be_stored(c, 2, "bias");
    if (x && x->rank >= 0 && (x->rank < 3 || x->rank > 5))
        gn_trt_find(c, GN_TRT_ERROR, NULL, "reshape its input", "its input has %d dimensions; 3 to 5 are supported",
                    x->rank);
}

static void rule_dropout(gn_trt_check *c)
{
    const Onnx__TensorProto *t = c->opset >= 12 ? must_be_stored(c, 2, "training_mode") : NULL;
    if (t && gn_trt_count(t) == 1 && gn_trt_number(t, 0) != 0)
        error(c, "export the model for inference", "it is in training mode");
}

/* ---- quantisation ---- */

static void rule_quantize(gn_trt_check *c)
{
    if (!gn_trt_has_in(c, 2)) {
        error(c, "give a zero point of 0, INT8", "it has no zero point (input 2), which the parser asks for");
        return;
    }
    const gn_trt_value *zero = gn_trt_in(c, 2), *scale = gn_trt_in(c, 1);
    bool is_zero = true, is_positive = true;
    for (int64_t i = 0; zero && zero->weights && i < gn_trt_count(zero->weights); i++)
        is_zero = is_zero && gn_trt_number(zero->weights, i) == 0;
    for (int64_t i = 0; scale && scale->weights && i < gn_trt_count(scale->weights); i++)
        is_positive = is_positive && gn_trt_number(scale->weights, i) > 0;
    if (!is_zero)
        error(c, "quantise symmetrically", "its zero point is not 0");
    if (!is_positive)
        error(c, "check the calibration", "a scale is not positive");
    if (zero && zero->type && gn_trt_type_bit(zero->type) != TRT_8)
        gn_trt_find(c, GN_TRT_ERROR, NULL, "quantise to INT8", "it quantises to %s; TensorRT 8.2 has INT8 only",
                    gn_trt_type_name(zero->type));
    if (gn_trt_int(c, "block_size", 0) != 0)
        is_ignored(c, "it quantises in blocks");
}

/* ---- constants, types, text ---- */

static void rule_constant(gn_trt_check *c)
{
    if (gn_trt_attr(c, "sparse_value") || gn_trt_attr(c, "value_string") || gn_trt_attr(c, "value_strings"))
        error(c, "store a dense tensor", "sparse and text constants are not supported");
    if (gn_trt_attr(c, "value_int") || gn_trt_attr(c, "value_ints"))
        error(c, "store it as a tensor (attribute value)",
              "the parser of 8.2 reads value_int and value_ints as floating-point attributes, and gets other numbers");
}

static void rule_cast(gn_trt_check *c)
{
    const int32_t to = (int32_t)gn_trt_int(c, "to", 0);
    if (!gn_trt_type_bit(to))
        gn_trt_find(c, GN_TRT_ERROR, NULL, "cast to FLOAT, FLOAT16, INT32, INT8 or BOOL",
                    "it casts to %s, which TensorRT 8.2 does not have", gn_trt_type_name(to));
}

static void rule_and(gn_trt_check *c)
{
    for (size_t i = 0; i < c->node->n_input; i++)
        if (bit_of_in(c, i) && bit_of_in(c, i) != TRT_B) {
            error(c, "compare first", "its inputs must be BOOL");
            return;
        }
}

static void rule_clip(gn_trt_check *c)
{
    bool is_computed = false;
    for (size_t i = 1; i <= 2; i++)
        is_computed = is_computed || (gn_trt_in(c, i) && !gn_trt_in(c, i)->weights);
    if (is_computed && bit_of_in(c, 0) && !(bit_of_in(c, 0) & (TRT_F | TRT_I)))
        error(c, "store the bounds", "computed bounds go with FLOAT and INT32 only");
}

/* A letter twice in a term is a diagonal; upper case and dots are refused. */
static void rule_einsum(gn_trt_check *c)
{
    const Onnx__AttributeProto *a = gn_trt_attr(c, "equation");
    uint32_t seen = 0;
    for (size_t i = 0; a && i < a->s.len; i++) {
        const char letter = (char)a->s.data[i];
        if (letter == ',' || letter == '>' || letter == '-')
            seen = 0;
        if (letter == '.' || (letter >= 'A' && letter <= 'Z')) {
            error(c, "write the product as MatMul", "an ellipsis or an upper-case letter in its equation");
            return;
        }
        if (letter < 'a' || letter > 'z')
            continue;
        if (seen >> (letter - 'a') & 1) {
            error(c, "write it as other operators", "a letter stands twice in a term (a diagonal)");
            return;
        }
        seen |= UINT32_C(1) << (letter - 'a');
    }
}

static void rule_recurrent(gn_trt_check *c)
{
    if (gn_trt_int(c, "layout", 0) != 0)
        is_ignored(c, "layout = 1 is set");
    const Onnx__AttributeProto *a = gn_trt_attr(c, "activations");
    const size_t half = a ? a->n_strings / 2 : 0;
    for (size_t i = 0; i < half && gn_trt_is(c, "direction", "forward", "bidirectional"); i++) {
        const ProtobufCBinaryData *x = &a->strings[i], *y = &a->strings[half + i];
        if (x->len != y->len || memcmp(x->data, y->data, x->len) != 0) {
            error(c, "use the same activations both ways", "its activations differ between forward and reverse");
            return;
        }
    }
}

static void rule_if(gn_trt_check *c)
{
    const Onnx__AttributeProto *yes = gn_trt_attr(c, "then_branch"), *no = gn_trt_attr(c, "else_branch");
    for (size_t i = 0; yes && no && yes->g && no->g && i < yes->g->n_output && i < no->g->n_output; i++)
        if (yes->g->output[i]->name && no->g->output[i]->name &&
            strcmp(yes->g->output[i]->name, no->g->output[i]->name) == 0)
            error(c, "rename one of them", "the results of its two branches have the same name");
}

/* ---- the operators that have an importer ---- */

#define FH8  (TRT_FH | TRT_8)
#define FHI  (TRT_FH | TRT_I)
#define FHI8 (TRT_FH | TRT_I | TRT_8)
#define FHIB (TRT_FH | TRT_I | TRT_B)
#define ALL  (TRT_FH | TRT_I | TRT_8 | TRT_B)
#define IB   (TRT_I | TRT_B)

/* types: of input 0 as documented; refused: those at which the importer stops (the others may still build). */
static const struct {
    const char *op;
    int types, refused;
    void (*rule)(gn_trt_check *c);
} operators[] = {
    {"Abs", FHI, 0, NULL},
    {"Acos", TRT_FH, IB, NULL},
    {"Acosh", TRT_FH, IB, NULL},
    {"Add", FHI, TRT_B, NULL},
    {"And", TRT_B, 0, rule_and},
    {"ArgMax", TRT_FH, TRT_I, rule_arg},
    {"ArgMin", TRT_FH, TRT_I, rule_arg},
    {"Asin", TRT_FH, IB, NULL},
    {"Asinh", TRT_FH, IB, NULL},
    {"Atan", TRT_FH, IB, NULL},
    {"Atanh", TRT_FH, IB, NULL},
    {"AveragePool", FHI8, 0, rule_average_pool},
    {"BatchNormalization", TRT_FH, 0, rule_batchnorm},
    {"Cast", ALL, 0, rule_cast},
    {"Ceil", TRT_FH, IB, NULL},
    {"Celu", TRT_FH, IB, NULL},
    {"Clip", FHI8, TRT_B, rule_clip},
    {"Concat", ALL, 0, NULL},
    {"Constant", ALL, 0, rule_constant},
    {"ConstantOfShape", ALL, 0, NULL},
    {"Conv", FH8, TRT_I, rule_conv},
    {"ConvTranspose", FH8, TRT_I, rule_conv_transpose},
    {"Cos", TRT_FH, IB, NULL},
    {"Cosh", TRT_FH, IB, NULL},
    {"CumSum", TRT_FH, 0, rule_cumsum},
    {"DepthToSpace", FHI, TRT_B, NULL},
    {"DequantizeLinear", TRT_8, 0, rule_quantize},
    {"Div", FHI, TRT_B, NULL},
    {"Dropout", TRT_FH, 0, rule_dropout},
    {"Einsum", TRT_FH, 0, rule_einsum},
    {"Elu", FH8, IB, NULL},
    {"Equal", FHI, TRT_B, NULL},
    {"Erf", TRT_FH, IB, NULL},
    {"Exp", TRT_FH, IB, NULL},
    {"Expand", FHIB, 0, rule_expand},
    {"EyeLike", FHIB, 0, NULL},
    {"Flatten", FHIB, 0, NULL},
    {"Floor", TRT_FH, IB, NULL},
    {"Gather", FHI8, TRT_B, NULL},
    {"GatherElements", FHI8, TRT_B, NULL},
    {"GatherND", FHI8, TRT_B, NULL},
    {"Gemm", FH8, TRT_I, NULL},
    {"GlobalAveragePool", FH8, 0, NULL},
    {"GlobalLpPool", FH8, 0, NULL},
    {"GlobalMaxPool", FH8, 0, NULL},
    {"Greater", FHI, TRT_B, NULL},
    {"GreaterOrEqual", FHI, TRT_B, NULL},
    {"GRU", TRT_FH, 0, rule_recurrent},
    {"HardSigmoid", FH8, IB, NULL},
    {"Identity", ALL, 0, NULL},
    {"If", 0, 0, rule_if},
    {"ImageScaler", TRT_FH, 0, NULL},
    {"InstanceNormalization", TRT_FH, 0, rule_instancenorm},
    {"IsNaN", FHI, TRT_B, NULL},
    {"LeakyRelu", FH8, IB, NULL},
    {"Less", FHI, TRT_B, NULL},
    {"LessOrEqual", FHI, TRT_B, NULL},
    {"Log", TRT_FH, IB, NULL},
    {"LogSoftmax", TRT_FH, IB, NULL},
    {"Loop", 0, 0, NULL},
    {"LRN", TRT_FH, 0, NULL},
    {"LSTM", TRT_FH, 0, rule_recurrent},
    {"LpNormalization", TRT_FH, IB | TRT_8, rule_lp},
    {"LpPool", FH8, IB | TRT_8, rule_lp},
    {"MatMul", TRT_FH, TRT_I, NULL},
    {"Max", FHI, TRT_B, NULL},
    {"MaxPool", FH8, 0, rule_pool},
    {"Mean", FHI, TRT_B, NULL},
    {"Min", FHI, TRT_B, NULL},
    {"Mul", FHI, TRT_B, NULL},
    {"Neg", FHI, 0, NULL},
    {"NonMaxSuppression", TRT_FH, 0, rule_nms},
    {"Not", TRT_B, TRT_FH | TRT_I | TRT_8, NULL},
    {"Or", TRT_B, 0, rule_and},
    {"Pad", FHI8, 0, rule_pad},
    {"ParametricSoftplus", FH8, IB, NULL},
    {"Pow", TRT_FH, IB, NULL},
    {"PRelu", FH8, TRT_I, NULL},
    {"QuantizeLinear", TRT_FH, 0, rule_quantize},
    {"RandomUniform", 0, 0, rule_random},
    {"RandomUniformLike", TRT_FH, 0, rule_random},
    {"Range", FHI, 0, rule_range},
    {"Reciprocal", TRT_FH, IB, NULL},
    {"ReduceL1", TRT_FH, 0, rule_reduce},
    {"ReduceL2", TRT_FH, 0, rule_reduce},
    {"ReduceLogSum", TRT_FH, 0, rule_reduce},
    {"ReduceLogSumExp", TRT_FH, IB, rule_reduce},
    {"ReduceMax", TRT_FH, 0, rule_reduce},
    {"ReduceMean", TRT_FH, 0, rule_reduce},
    {"ReduceMin", TRT_FH, 0, rule_reduce},
    {"ReduceProd", TRT_FH, 0, rule_reduce},
    {"ReduceSum", TRT_FH, 0, rule_reduce},
    {"ReduceSumSquare", TRT_FH, 0, rule_reduce},
    {"Relu", FH8, IB, NULL},
    {"Reshape", ALL, 0, rule_reshape},
    {"Resize", TRT_FH, IB, rule_resize},
    {"ReverseSequence", TRT_FH, 0, NULL},
    {"RNN", TRT_FH, 0, rule_recurrent},
    {"Round", FH8, IB, NULL},
    {"ScaledTanh", FH8, IB, NULL},
    {"Scan", 0, 0, NULL},
    {"Scatter", FHI8, 0, NULL},
    {"ScatterElements", FHI8, 0, rule_scatter},
    {"ScatterND", FHI8, 0, rule_scatter},
    {"Selu", FH8, IB, NULL},
    {"Shape", ALL, 0, rule_shape},
    {"Sigmoid", FH8, IB, NULL},
    {"Sign", FHI8, IB, NULL},
    {"Sin", TRT_FH, IB, NULL},
    {"Sinh", TRT_FH, IB, NULL},
    {"Size", ALL, 0, NULL},
    {"Slice", ALL, 0, rule_slice},
    {"Softmax", TRT_FH, 0, NULL},
    {"Softplus", FH8, IB, NULL},
    {"Softsign", FH8, IB, NULL},
    {"SpaceToDepth", FHI, TRT_B, NULL},
    {"Split", FHIB, 0, rule_split},
    {"Sqrt", TRT_FH, IB, NULL},
    {"Squeeze", ALL, 0, rule_squeeze},
    {"Sub", FHI, TRT_B, NULL},
    {"Sum", FHI, TRT_B, NULL},
    {"Tan", TRT_FH, IB, NULL},
    {"Tanh", FH8, IB, NULL},
    {"ThresholdedRelu", FH8, IB, NULL},
    {"Tile", FHIB, 0, NULL},
    {"TopK", TRT_FH, TRT_I, rule_topk},
    {"Transpose", ALL, 0, rule_transpose},
    {"Unsqueeze", ALL, 0, rule_unsqueeze},
    {"Upsample", TRT_FH, IB, rule_upsample},
    {"Where", FHIB, 0, rule_where},
};

static void name_types(int bits, char text[64])
{
    static const char *const names[] = {"FLOAT", "FLOAT16", "INT32", "INT8", "BOOL"};
    size_t n = 0;
    text[0] = '\0';
    for (int i = 0; i < 5; i++)
        if (bits >> i & 1)
            n += (size_t)snprintf(text + n, 64 - n, n ? ", %s" : "%s", names[i]);
}

/* Where takes its element type from input 1: input 0 says which. */
static void judge_types(gn_trt_check *c, int types, int refused)
{
    const gn_trt_value *v = gn_trt_in(c, strcmp(c->node->op_type, "Where") == 0 ? 1 : 0);
    if (!v || !v->type || !types)
        return;
    char text[64];
    name_types(types, text);
    const int bit = v->type == 2 && v->weights ? TRT_I : gn_trt_type_bit(v->type);
    if (!bit)
        gn_trt_find(c, GN_TRT_ERROR, NULL, "cast outside the network",
                    "its input is %s, which TensorRT 8.2 does not have", gn_trt_type_name(v->type));
    else if (bit & refused)
        gn_trt_find(c, GN_TRT_ERROR, NULL, "cast before it", "its input is %s; it takes %s", gn_trt_type_name(v->type),
                    text);
    else if (!(bit & types))
        gn_trt_find(c, GN_TRT_WARNING, NULL, "cast before it, unless it computes a shape",
                    "its input is %s; documented are %s", gn_trt_type_name(v->type), text);
}

bool gn_trt_judge(gn_trt_check *c)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (strcmp(operators[i].op, c->node->op_type) != 0)
            continue;
        judge_types(c, operators[i].types, operators[i].refused);
        if (operators[i].rule)
            operators[i].rule(c);
        return true;
    }
    return false;
}

/* ---- the others ---- */

static const struct {
    const char *op, *fix;
} remedies[] = {
    {"HardSwish", "write it as x * HardSigmoid(x, alpha = 1/6, beta = 0.5): `gannet export` does"},
    {"LayerNormalization", "write it as ReduceMean, Sub, Mul, Sqrt, Div: `gannet export` does"},
    {"Gelu", "write it with Erf or Tanh: `gannet export` does"},
    {"Mish", "write it as x * Tanh(Softplus(x)): `gannet export` does"},
    {"GroupNormalization", "write it as Reshape, InstanceNormalization, Reshape, Mul, Add"},
    {"MeanVarianceNormalization", "write it as ReduceMean, Sub, Mul, Sqrt, Div"},
    {"Mod", "write x - floor(x / y) * y in FLOAT, or choose the indices when exporting"},
    {"OneHot", "compare with a stored list of the numbers (Equal, Cast), or gather from the identity matrix"},
    {"NonZero", "give a fixed number of results: TopK over a score"},
    {"RoiAlign", "leave the second stage outside the network"},
    {"MaxRoiPool", "leave the second stage outside the network"},
    {"GridSample", "warp outside the network"},
    {"Xor", "compare with Not and Equal of numbers"},
    {"IsInf", "compare with the largest number"},
    {"Hardmax", "use ArgMax"},
    {"Trilu", "multiply with a stored matrix of zeros and ones"},
    {"BitShift", "multiply or divide by a power of two"},
    {"MaxUnpool", "use Resize or ConvTranspose"},
    {"Shrink", "write it with Where"},
    {"ConvInteger", "quantise with QuantizeLinear and DequantizeLinear around Conv"},
    {"MatMulInteger", "quantise with QuantizeLinear and DequantizeLinear around MatMul"},
    {"QLinearConv", "quantise with QuantizeLinear and DequantizeLinear around Conv"},
    {"QLinearMatMul", "quantise with QuantizeLinear and DequantizeLinear around MatMul"},
    {"DynamicQuantizeLinear", "quantise with stored scales: QuantizeLinear and DequantizeLinear"},
    {"Compress", "give a fixed number of results: TopK over a score"},
    {"Unique", "do it outside the network"},
    {"RandomNormal", "feed the numbers"},
    {"RandomNormalLike", "feed the numbers"},
    {"BitwiseAnd", "use And of BOOL"},
    {"CastLike", "use Cast"},
};

/* Plugins that come with TensorRT 8.2 (libnvinfer_plugin), by the names under which the parser looks for them. */
static const char *const plugins[] = {
    "BatchedNMSDynamic_TRT",
    "BatchedNMS_TRT",
    "BatchTilePlugin_TRT",
    "CoordConvAC",
    "CropAndResize",
    "DetectionLayer_TRT",
    "EfficientNMS_ONNX_TRT",
    "EfficientNMS_TRT",
    "FlattenConcat_TRT",
    "GenerateDetection_TRT",
    "GridAnchorRect_TRT",
    "GridAnchor_TRT",
    "InstanceNormalization_TRT",
    "LReLU_TRT",
    "MultilevelCropAndResize_TRT",
    "MultilevelProposeROI_TRT",
    "NMSDynamic_TRT",
    "NMS_TRT",
    "Normalize_TRT",
    "PriorBox_TRT",
    "Proposal",
    "ProposalDynamic",
    "ProposalLayer_TRT",
    "PyramidROIAlign_TRT",
    "RPROI_TRT",
    "Region_TRT",
    "Reorg_TRT",
    "ResizeNearest_TRT",
    "SpecialSlice_TRT",
};

void gn_trt_judge_unknown(gn_trt_check *c)
{
    const char *op = c->node->op_type;
    for (size_t i = 0; i < sizeof plugins / sizeof *plugins; i++)
        if (strcmp(plugins[i], op) == 0) {
            warn(c, "build with libnvinfer_plugin, and compare its attributes with the plugin's",
                 "it is a plugin of TensorRT, whose attributes are not judged here");
            return;
        }
    const char *fix = "write it as other operators, or add a plugin of that name";
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
        if (strcmp(remedies[i].op, op) == 0)
            fix = remedies[i].fix;
    error(c, fix, "TensorRT 8.2 has no such operator");
}
