/* The check for TensorRT 8.2: one small model per rule, and what the report says of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "format_fixture.h"
#include "formats/onnx/onnx_check_trt.h"
#include "formats/onnx/onnx_format.h"
#include "ops/ops.h"

/* ---- models in a line ---- */

enum { TYPE_UINT8 = 2, TYPE_INT8 = 3, TYPE_INT32 = 6, TYPE_BOOL = 9, TYPE_FLOAT16 = 10, TYPE_DOUBLE = 11 };

/* f loat, h alf, i nt32, l ong, b ool, u nsigned byte, c har (INT8), d ouble. */
static int type_of(char letter)
{
    static const char letters[] = "fhilbucd";
    static const int types[] = {ONNX_FLOAT, TYPE_FLOAT16, TYPE_INT32, ONNX_INT64,
                                TYPE_BOOL,  TYPE_UINT8,   TYPE_INT8,  TYPE_DOUBLE};
    const char *at = strchr(letters, letter);
    assert_non_null(at);
    return types[at - letters];
}

/* A value of [1,4,6,6]. */
static void put_value(gn_text *graph, int field, const char *name, int type)
{
    gn_text value, wrapper, tensor, shape;
    gn_text_init(&value);
    gn_text_init(&wrapper);
    gn_text_init(&tensor);
    gn_text_init(&shape);
    static const int64_t dims[4] = {1, 4, 6, 6};
    for (int i = 0; i < 4; i++) {
        gn_text dim;
        gn_text_init(&dim);
        wire_int(&dim, 1, dims[i]);
        wire_message(&shape, 1, &dim);
    }
    wire_int(&tensor, 1, type);
    wire_message(&tensor, 2, &shape);
    wire_message(&wrapper, 1, &tensor);
    wire_string(&value, 1, name);
    wire_message(&value, 2, &wrapper);
    wire_message(graph, field, &value);
}

/* "l=1,2": stored; a list. */
static void put_stored(gn_text *graph, const char *name, char letter, const char *numbers)
{
    unsigned char raw[256];
    int64_t n = 0;
    for (const char *at = numbers; *at; at += *at == ',') {
        char *end;
        const double x = strtod(at, &end);
        const float f = (float)x;
        const int64_t l = (int64_t)x;
        const int8_t c = (int8_t)x;
        if (letter == 'f')
            memcpy(raw + 4 * n, &f, 4);
        else if (letter == 'l')
            memcpy(raw + 8 * n, &l, 8);
        else
            memcpy(raw + n, &c, 1);
        n++;
        at = end;
    }
    onnx_tensor(graph, ONNX_INITIALIZER, name, type_of(letter), &n, 1, raw,
                (size_t)n * (letter == 'f'   ? 4
                             : letter == 'l' ? 8
                                             : 1));
}

static void put_text_attr(gn_text *attrs, const char *name, const char *text)
{
    gn_text attr;
    gn_text_init(&attr);
    wire_string(&attr, 1, name);
    wire_bytes(&attr, 4, text, strlen(text));
    wire_int(&attr, 20, 3);
    wire_message(attrs, 5, &attr);
}

/* "name=3", "name=word" or "name=[1,2]", between semicolons. */
static void put_attrs(gn_text *attrs, const char *line)
{
    char copy[256], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *part = strtok_r(copy, ";", &rest); part; part = strtok_r(NULL, ";", &rest)) {
        char *value = strchr(part, '=');
        assert_non_null(value);
        *value++ = '\0';
        int64_t x[16];
        int n = 0;
        if (*value == '[') {
            for (char *end = value; *end && *end != ']';)
                x[n++] = strtoll(end + 1, &end, 10);
            onnx_attr_ints(attrs, part, x, n);
        } else if (strspn(value, "-0123456789") == strlen(value)) {
            onnx_attr_int(attrs, part, strtoll(value, NULL, 10));
        } else {
            put_text_attr(attrs, part, value);
        }
    }
}

/* One node named "n".  inputs: between spaces "f" (fed), "f=1,2" (stored) or "-" (left out). */
static gn_text model_of(int opset, const char *op, const char *inputs, const char *attr_line, int n_out)
{
    gn_text graph, attrs;
    gn_text_init(&graph);
    gn_text_init(&attrs);
    char copy[256], names[8][8], *rest = NULL;
    const char *in[8], *out[3] = {"y", "y1", "y2"};
    int n_in = 0;
    snprintf(copy, sizeof copy, "%s", inputs);
    for (char *part = strtok_r(copy, " ", &rest); part; part = strtok_r(NULL, " ", &rest)) {
        snprintf(names[n_in], sizeof names[n_in], "x%d", n_in);
        in[n_in] = *part == '-' ? "" : names[n_in];
        if (*part != '-' && part[1] == '=')
            put_stored(&graph, names[n_in], *part, part + 2);
        else if (*part != '-')
            put_value(&graph, ONNX_INPUT, names[n_in], type_of(*part));
        n_in++;
    }
    put_attrs(&attrs, attr_line);
    onnx_node(&graph, op, "n", in, n_in, out, n_out, &attrs);
    onnx_value(&graph, ONNX_OUTPUT, "y", NULL, 0);
    return onnx_model(opset, &graph);
}

static gn_trt_report *check(gn_text *model)
{
    gn_trt_report *report = NULL;
    gn_error err = {0};
    if (gn_onnx_check_trt82_bytes(model->data, model->len, "test.onnx", &report, &err) != GN_OK)
        fail_msg("%s", err.message);
    gn_text_deinit(model);
    return report;
}

/* ---- one line per rule ---- */

/* expected: what the finding about node "n" says; NULL: nothing is found about it. */
static const struct rule_case {
    int opset;
    const char *op, *inputs, *attrs;
    int n_out;
    gn_trt_level level;
    const char *expected;
} cases[] = {
    {13, "Relu", "f", "", 1, GN_TRT_NOTE, NULL},
    {13, "Relu", "l", "", 1, GN_TRT_ERROR, "its input is INT64; it takes FLOAT, FLOAT16, INT8"},
    {13, "Mod", "f f", "", 1, GN_TRT_ERROR, "no such operator"},
    {14, "HardSwish", "f", "", 1, GN_TRT_ERROR, "no such operator"},
    {13, "HardSigmoid", "f", "", 1, GN_TRT_NOTE, NULL},
    {13, "EfficientNMS_TRT", "f f", "", 1, GN_TRT_WARNING, "a plugin"},
    {13, "Add", "f f", "", 1, GN_TRT_NOTE, NULL},
    {13, "Add", "b b", "", 1, GN_TRT_ERROR, "its input is BOOL"},
    {13, "And", "b b", "", 1, GN_TRT_NOTE, NULL},
    {13, "And", "b f", "", 1, GN_TRT_ERROR, "must be BOOL"},
    {13, "Pow", "l f", "", 1, GN_TRT_ERROR, "INT64"},
    {13, "Softmax", "i", "axis=1", 1, GN_TRT_WARNING, "documented are FLOAT, FLOAT16"},
    /* convolution */
    {13, "Conv", "f f f", "", 1, GN_TRT_ERROR, "input 1 (weights) is computed"},
    {13, "Conv", "f f=1 f", "", 1, GN_TRT_ERROR, "input 2 (bias) is computed"},
    {13, "ConvTranspose", "f f=1", "pads=[0,0,0,1,0,0]", 1, GN_TRT_ERROR, "differ between begin and end"},
    /* pooling */
    {13, "MaxPool", "f", "kernel_shape=[2,2]", 1, GN_TRT_NOTE, NULL},
    {13, "MaxPool", "f", "kernel_shape=[2,2]", 2, GN_TRT_ERROR, "Indices"},
    {13, "MaxPool", "f", "kernel_shape=[2,2];dilations=[1,2]", 1, GN_TRT_ERROR, "dilations"},
    {13, "AveragePool", "f", "kernel_shape=[2,2];pads=[0,0,1,1]", 1, GN_TRT_NOTE, NULL},
    {13, "AveragePool", "f", "kernel_shape=[3,3];pads=[0,0,2,2]", 1, GN_TRT_ERROR, "differ by more than 1"},
    {13, "LpPool", "f", "kernel_shape=[2,2];p=3", 1, GN_TRT_ERROR, "L1 and L2"},
    /* sizes */
    {13, "Resize", "f - f=1,1,2,2", "mode=nearest;coordinate_transformation_mode=asymmetric", 1, GN_TRT_NOTE, NULL},
    {13, "Resize", "f - f=1,1,2,2", "mode=cubic", 1, GN_TRT_ERROR, "cubic"},
    {13, "Resize", "f - f=2,1,2,2", "mode=linear", 1, GN_TRT_ERROR, "last three dimensions"},
    {13, "Resize", "f - f", "mode=linear", 1, GN_TRT_ERROR, "input 2 (scales) is computed"},
    {13, "Resize", "f - - l", "mode=linear", 1, GN_TRT_NOTE, NULL},
    {13, "Resize", "f - f=1,1,2,2", "coordinate_transformation_mode=tf_crop_and_resize", 1, GN_TRT_ERROR,
     "coordinate_transformation_mode is not"},
    {11, "Resize", "f - f=1,1,2,2", "coordinate_transformation_mode=tf_half_pixel_for_nn;nearest_mode=floor", 1,
     GN_TRT_ERROR, "round_prefer_floor only"},
    {18, "Resize", "f - f=1,1,2,2", "mode=linear;antialias=1", 1, GN_TRT_ERROR, "antialias is set"},
    {9, "Upsample", "f f", "mode=nearest", 1, GN_TRT_ERROR, "input 1 (scales) is computed"},
    {9, "Upsample", "f f=1,1,2,2", "mode=linear", 1, GN_TRT_NOTE, NULL},
    {13, "Pad", "f l=0,0,1,1,0,0,1,1", "mode=reflect", 1, GN_TRT_NOTE, NULL},
    {13, "Pad", "f l=0,0,-1,1,0,0,1,1", "", 1, GN_TRT_ERROR, "negative pads"},
    {10, "Pad", "f", "pads=[0,0,-1,0,0,0,0,0]", 1, GN_TRT_ERROR, "negative pads"},
    {19, "Pad", "f l=0,0,1,1,0,0,1,1", "mode=wrap", 1, GN_TRT_ERROR, "its mode is not supported"},
    {18, "Pad", "f l=1,1 - l=2", "", 1, GN_TRT_ERROR, "pads some axes"},
    {13, "Reshape", "f l=4,36", "", 1, GN_TRT_NOTE, NULL},
    {14, "Reshape", "f l=4,36", "", 1, GN_TRT_ERROR, "allowzero"},
    {14, "Reshape", "f l=4,36", "allowzero=0", 1, GN_TRT_NOTE, NULL},
    {13, "Slice", "f l=0 l=1 l", "", 1, GN_TRT_WARNING, "input 3 (axes) is computed"},
    {13, "Squeeze", "f l=0", "", 1, GN_TRT_NOTE, NULL},
    {13, "Squeeze", "f l", "", 1, GN_TRT_ERROR, "input 1 (axes) is computed"},
    {13, "Squeeze", "f", "", 1, GN_TRT_WARNING, "no axes"},
    {13, "Unsqueeze", "f l", "", 1, GN_TRT_WARNING, "input 1 (axes)"},
    {18, "Split", "f", "num_outputs=3", 3, GN_TRT_WARNING, "num_outputs"},
    {15, "Shape", "f", "start=1", 1, GN_TRT_ERROR, "some of the dimensions"},
    {13, "Transpose", "f", "perm=[0,1,2,3,4,5,6,7,8]", 1, GN_TRT_ERROR, "8 dimensions"},
    {13, "Expand", "f l", "", 1, GN_TRT_ERROR, "is no list"},
    /* reductions and choices */
    {13, "ReduceMean", "f", "axes=[2,3]", 1, GN_TRT_NOTE, NULL},
    {18, "ReduceMean", "f l=2,3", "", 1, GN_TRT_ERROR, "its axes are an input"},
    {13, "ReduceSum", "f l=2,3", "", 1, GN_TRT_NOTE, NULL},
    {13, "ReduceSum", "f l", "", 1, GN_TRT_ERROR, "input 1 (axes) is computed"},
    {13, "ReduceSum", "f", "noop_with_empty_axes=1", 1, GN_TRT_ERROR, "noop_with_empty_axes"},
    {13, "TopK", "f l=100", "", 2, GN_TRT_NOTE, NULL},
    {13, "TopK", "f l=3841", "", 2, GN_TRT_ERROR, "k = 3841; at most 3840"},
    {13, "TopK", "f l", "", 2, GN_TRT_ERROR, "input 1 (k) is computed"},
    {13, "TopK", "f l=5", "largest=0", 2, GN_TRT_ERROR, "largest = 0"},
    {13, "TopK", "l l=5", "", 2, GN_TRT_ERROR, "its input is INT64"},
    {13, "NonMaxSuppression", "f f l=10 f=0.5 f=0.1", "", 1, GN_TRT_WARNING, "experimental"},
    {13, "NonMaxSuppression", "f f l f=0.5", "", 1, GN_TRT_ERROR, "input 2 (max_output_boxes_per_class) is computed"},
    {13, "ArgMax", "l", "axis=1", 1, GN_TRT_ERROR, "INT64"},
    {13, "CumSum", "f l", "", 1, GN_TRT_ERROR, "input 1 (axis)"},
    {13, "Where", "b f f", "", 1, GN_TRT_NOTE, NULL},
    {13, "Where", "b b b", "", 1, GN_TRT_ERROR, "BOOL values to choose between"},
    {16, "ScatterElements", "f l f", "reduction=add", 1, GN_TRT_ERROR, "it reduces"},
    {13, "Range", "f f f", "", 1, GN_TRT_ERROR, "input 0 (start) is computed"},
    {13, "Range", "l l l", "", 1, GN_TRT_NOTE, NULL},
    {13, "Gather", "b l=0", "axis=1", 1, GN_TRT_ERROR, "BOOL"},
    /* normalisation */
    {14, "BatchNormalization", "f f=1 f=1 f=1 f=1", "training_mode=1", 3, GN_TRT_ERROR, "training mode"},
    {13, "InstanceNormalization", "f f f=1", "", 1, GN_TRT_ERROR, "input 1 (scale) is computed"},
    {17, "LayerNormalization", "f f=1 f=1", "", 1, GN_TRT_ERROR, "no such operator"},
    {13, "Dropout", "f f=0.5 b=1", "", 1, GN_TRT_ERROR, "training mode"},
    {13, "Dropout", "f f=0.5", "", 1, GN_TRT_NOTE, NULL},
    /* quantisation */
    {13, "QuantizeLinear", "f f=0.1 c=0", "", 1, GN_TRT_NOTE, NULL},
    {13, "QuantizeLinear", "f f=0.1", "", 1, GN_TRT_ERROR, "no zero point"},
    {13, "QuantizeLinear", "f f=0.1 c=3", "", 1, GN_TRT_ERROR, "is not 0"},
    {13, "QuantizeLinear", "f f=0.1 u=0", "", 1, GN_TRT_ERROR, "UINT8; TensorRT 8.2 has INT8 only"},
    {13, "DequantizeLinear", "c f=0 c=0", "", 1, GN_TRT_ERROR, "a scale is not positive"},
    /* constants, types, text */
    {13, "Constant", "", "value_int=3", 1, GN_TRT_ERROR, "value_int"},
    {13, "Cast", "f", "to=2", 1, GN_TRT_ERROR, "casts to UINT8"},
    {13, "Cast", "f", "to=7", 1, GN_TRT_NOTE, NULL},
    {13, "Clip", "h f", "", 1, GN_TRT_ERROR, "computed bounds"},
    {13, "Clip", "f f=0 f=6", "", 1, GN_TRT_NOTE, NULL},
    {13, "Einsum", "f f", "equation=bij,bjk->bik", 1, GN_TRT_NOTE, NULL},
    {13, "Einsum", "f f", "equation=bii,bij->bj", 1, GN_TRT_ERROR, "diagonal"},
    {13, "Einsum", "f f", "equation=...ij,...jk->...ik", 1, GN_TRT_ERROR, "ellipsis"},
    {14, "LSTM", "f f=1 f=1", "layout=1", 1, GN_TRT_ERROR, "layout = 1"},
};

static void expect_case(const struct rule_case *k)
{
    gn_text model = model_of(k->opset, k->op, k->inputs, k->attrs, k->n_out);
    gn_trt_report *report = check(&model);
    const gn_trt_finding *found = NULL;
    for (size_t i = 0; i < gn_trt_report_count(report); i++) {
        const gn_trt_finding *f = gn_trt_report_at(report, i);
        if (strcmp(f->op, k->op) != 0)
            continue;
        assert_string_equal(f->node, "n");
        assert_true(*f->what && *f->fix);
        if (!k->expected)
            fail_msg("%s %s %s: %s", k->op, k->inputs, k->attrs, f->what);
        if (strstr(f->what, k->expected))
            found = f;
    }
    if (k->expected && !found)
        fail_msg("%s %s %s: \"%s\" is not among %zu findings", k->op, k->inputs, k->attrs, k->expected,
                 gn_trt_report_count(report));
    if (found)
        assert_int_equal(found->level, k->level);
    gn_trt_report_destroy(&report);
    assert_null(report);
}

static void test_rules(void **ctx)
{
    (void)ctx;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_case(&cases[i]);
}

/* ---- the model around the nodes ---- */

static const gn_trt_finding *find(const gn_trt_report *report, const char *what)
{
    for (size_t i = 0; i < gn_trt_report_count(report); i++)
        if (strstr(gn_trt_report_at(report, i)->what, what))
            return gn_trt_report_at(report, i);
    return NULL;
}

static void test_model_findings(void **ctx)
{
    (void)ctx;
    gn_text model = model_of(17, "Identity", "u", "", 1);
    gn_trt_report *report = check(&model);
    assert_int_equal(gn_trt_report_opset(report), 17);
    assert_int_equal(gn_trt_report_nodes(report), 1);
    assert_int_equal(find(report, "follows opset 17")->level, GN_TRT_WARNING);
    const gn_trt_finding *input = find(report, "this input of the model is UINT8");
    assert_int_equal(input->level, GN_TRT_ERROR);
    assert_string_equal(input->node, "x0");
    assert_int_equal(gn_trt_report_count_level(report, GN_TRT_ERROR), 2); /* the input, and the node that reads it */
    gn_trt_report_destroy(&report);
    /* Integers that 32 bits do not hold; those that mean "to the end" are fine. */
    model = model_of(13, "Slice", "f l=0 l=9223372036854775807 l=1", "", 1);
    report = check(&model);
    assert_int_equal(gn_trt_report_count_level(report, GN_TRT_WARNING), 0);
    assert_int_equal(find(report, "are INT64")->level, GN_TRT_NOTE);
    gn_trt_report_destroy(&report);
    model = model_of(13, "Add", "l l=3000000000", "", 1);
    report = check(&model);
    assert_int_equal(find(report, "clamped to 32 bits")->level, GN_TRT_WARNING);
    gn_trt_report_destroy(&report);
}

/* Element types are followed through nodes that no value_info tells of: Shape -> Cast -> Relu is fine, Shape -> Relu not. */
static void test_types_are_followed(void **ctx)
{
    (void)ctx;
    for (int is_cast = 0; is_cast < 2; is_cast++) {
        gn_text graph, attrs;
        gn_text_init(&graph);
        gn_text_init(&attrs);
        const char *x = "x", *s = "s", *c = "c", *y = "y";
        put_value(&graph, ONNX_INPUT, "x", ONNX_FLOAT);
        onnx_node(&graph, "Shape", "shape", &x, 1, &s, 1, NULL);
        onnx_attr_int(&attrs, "to", ONNX_FLOAT);
        onnx_node(&graph, "Cast", "cast", &s, 1, &c, 1, &attrs);
        onnx_node(&graph, "Relu", "relu", is_cast ? &c : &s, 1, &y, 1, NULL);
        onnx_value(&graph, ONNX_OUTPUT, "y", NULL, 0);
        gn_text model = onnx_model(13, &graph);
        gn_trt_report *report = check(&model);
        const gn_trt_finding *f = find(report, "its input is INT64");
        assert_true(is_cast ? f == NULL : f != NULL && strcmp(f->node, "relu") == 0);
        gn_trt_report_destroy(&report);
    }
}

/* What the writer makes by default has no error, whatever the activation. */
static void test_own_files_are_taken(void **ctx)
{
    (void)ctx;
    gn_graph *model = fixture_model();
    for (int opset = 11; opset <= 13; opset++) {
        void *bytes = NULL;
        size_t n = 0;
        gn_error err = {0};
        gn_trt_report *report = NULL;
        const gn_onnx_write_options o = {.opset = opset, .fold = true, .decompose = true};
        assert_int_equal(gn_onnx_pack(model, &o, &bytes, &n, &err), GN_OK);
        assert_int_equal(gn_onnx_check_trt82_bytes(bytes, n, "own.onnx", &report, &err), GN_OK);
        assert_int_equal(gn_trt_report_count(report), 0);
        assert_true(gn_trt_report_nodes(report) > 5);
        gn_trt_report_destroy(&report);
        gn_free(bytes);
    }
    gn_graph_destroy(&model);
}

static void test_what_is_no_model(void **ctx)
{
    (void)ctx;
    gn_trt_report *report = NULL;
    gn_error err = {0};
    assert_int_equal(gn_onnx_check_trt82_bytes("", 0, "empty.onnx", &report, &err), GN_EFORMAT);
    assert_int_equal(gn_onnx_check_trt82_bytes("\x3a\x7f", 2, "cut.onnx", &report, &err), GN_EFORMAT);
    assert_int_equal(gn_onnx_check_trt82_bytes("\x08\x07", 2, "bare.onnx", &report, &err), GN_EFORMAT);
    assert_non_null(strstr(err.message, "no graph"));
    assert_int_equal(gn_onnx_check_trt82("/nonexistent.onnx", &report, &err), GN_ENOENT);
    assert_null(report);
    /* A node without operator and name is judged all the same. */
    gn_text graph, node;
    gn_text_init(&graph);
    gn_text_init(&node);
    wire_message(&graph, ONNX_NODE, &node);
    gn_text model = onnx_model(13, &graph);
    report = check(&model);
    assert_string_equal(gn_trt_report_at(report, 0)->node, "(unnamed)");
    gn_trt_report_destroy(&report);
}

static gn_status check_topk(void *ctx)
{
    const gn_text *model = ctx;
    gn_trt_report *report = NULL;
    GN_TRY(gn_onnx_check_trt82_bytes(model->data, model->len, "test.onnx", &report, NULL));
    gn_trt_report_destroy(&report);
    return GN_OK;
}

static char bytes_of_model[4096];

static void test_memory_runs_out_at_every_allocation(void **ctx)
{
    (void)ctx;
    gn_text model = model_of(17, "TopK", "l l", "largest=0", 2);
    assert_true(model.len < sizeof bytes_of_model);
    memcpy(bytes_of_model, model.data, model.len);
    gn_text copy = {.data = bytes_of_model, .len = model.len};
    gn_text_deinit(&model);
    assert_true(fixture_fail_each_allocation(check_topk, &copy) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_model_findings),
        cmocka_unit_test(test_types_are_followed),
        cmocka_unit_test(test_own_files_are_taken),
        cmocka_unit_test(test_what_is_no_model),
        cmocka_unit_test(test_memory_runs_out_at_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
