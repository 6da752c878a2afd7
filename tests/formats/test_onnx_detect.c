/* Detectors in ONNX files: the decoding of every kind in operators of ONNX at every opset from 11 to 21, read again and run by the
 * references, at one and at two pictures; raw maps and metadata survive.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "format_fixture.h"
#include "formats/onnx/onnx_check_trt.h"
#include "formats/onnx/onnx_format.h"
#include "ops/detect_decode.h"
#include "ops/interpret.h"
#include "ops/ops.h"

#define WIDTH  64
#define HEIGHT 32

static gn_detector detector_of(gn_detector_kind kind, int classes, int maps)
{
    gn_detector d = {.kind = kind, .classes = classes, .n_maps = maps, .anchors = 2, .scale_xy = 1};
    if (kind == GN_DETECTOR_YOLOV8) {
        d.anchors = 1;
        d.bins = 4;
    }
    if (kind == GN_DETECTOR_YOLOV1)
        d.n_maps = 1;
    if (kind == GN_DETECTOR_YOLOV3)
        d.scale_xy = 1.1f;
    d.has_softmax = kind == GN_DETECTOR_YOLOV2;
    for (int m = 0; m < d.n_maps; m++) {
        d.stride[m] = kind == GN_DETECTOR_YOLOV1 ? 0 : 8 << m;
        for (int a = 0; a < d.anchors && gn_detector_has_anchors(kind); a++) {
            d.anchor[m][a][0] = 10.5f + (float)(7 * a + 16 * m);
            d.anchor[m][a][1] = 8.0f + (float)(9 * a + 12 * m);
        }
    }
    return d;
}

/* images [N,3,32,64] -> per map a pool and a convolution 1x1 -> the decoding. */
static gn_graph *model_of(const gn_detector *d)
{
    gn_graph *g = NULL;
    gn_error err = {0};
    int raw[GN_DETECTOR_MAX_MAPS];
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
    const int64_t dims[4] = {-1, 3, HEIGHT, WIDTH};
    const gn_shape shape = gn_shape_of(4, dims);
    const int images = gn_graph_add_input(g, "images", GN_DTYPE_F32, &shape);
    for (int m = 0; m < d->n_maps; m++) {
        char name[32];
        const int64_t window[2] = {8 << m, 8 << m}, filter[4] = {gn_detector_channels(d), 3, 1, 1};
        const gn_attr attrs[2] = {gn_attr_ints("kernel_shape", window, 2), gn_attr_ints("strides", window, 2)};
        const gn_shape w = gn_shape_of(4, filter);
        snprintf(name, sizeof name, "head.%d.weight", m);
        int in[2] = {gn_graph_add_op(g, "AveragePool", "", NULL, &images, 1, attrs, 2),
                     gn_graph_add_state(g, name, GN_DTYPE_F32, &w, true)};
        float *weight = (float *)gn_graph_value(g, in[1])->data->data;
        for (int64_t i = 0; i < gn_shape_count(&w); i++)
            weight[i] = 20 * (float)fixture_number((uint64_t)m + 3, i);
        raw[m] = gn_graph_add_op(g, "Conv", "", NULL, in, 2, NULL, 0);
    }
    if (gn_detect_finish(g, d, raw, images, &err) != GN_OK || gn_graph_meta_set(g, "gannet.imgsz", "64,32") != GN_OK)
        fail_msg("%s", err.message);
    return g;
}

/* Result i at batch n by the references in f64: owned. */
static double *run(const gn_graph *graph, int n, int i, int64_t *count_out)
{
    gn_graph *g = NULL;
    gn_interpret *it = NULL;
    gn_error err = {0};
    const int64_t dims[4] = {n, 3, HEIGHT, WIDTH}, count = n * 3 * HEIGHT * WIDTH;
    const gn_shape shape = gn_shape_of(4, dims);
    double *x = gn_calloc((size_t)count, sizeof *x);
    for (int64_t k = 0; k < count; k++)
        x[k] = fixture_number(77, k);
    assert_int_equal(gn_graph_clone(graph, false, &g), GN_OK);
    assert_int_equal(gn_graph_set_input_shape(g, gn_graph_input(g, 0), &shape), GN_OK);
    if (gn_graph_infer(g, &err) != GN_OK || gn_interpret_create(g, GN_DTYPE_F64, &it, &err) != GN_OK)
        fail_msg("%s", err.message);
    gn_interpret_set(it, gn_graph_input(g, 0), x);
    assert_int_equal(gn_interpret_run(it, &err), GN_OK);
    const gn_tensor *y = gn_interpret_get(it, gn_graph_output(g, i));
    *count_out = gn_tensor_count(y);
    double *copy = gn_calloc((size_t)*count_out, sizeof *copy);
    memcpy(copy, y->data, (size_t)*count_out * sizeof *copy);
    gn_interpret_destroy(&it);
    gn_graph_destroy(&g);
    gn_free(x);
    return copy;
}

/* Stored centres and anchors are single precision. */
static void compare(const gn_graph *a, const gn_graph *b, int n, const char *what)
{
    for (int i = 0; i < 2; i++) {
        int64_t count = 0, count_b = 0;
        double *x = run(a, n, i, &count), *y = run(b, n, i, &count_b), span = 0, worst = 0;
        assert_int_equal(count, count_b);
        for (int64_t k = 0; k < count; k++) {
            span = fmax(span, fabs(x[k]));
            worst = fmax(worst, fabs(x[k] - y[k]));
            if (isnan(y[k]))
                worst = INFINITY;
        }
        if (!(worst <= 1e-6 * span))
            fail_msg("%s: result %d differs by %g of %g", what, i, worst, span);
        gn_free(x);
        gn_free(y);
    }
}

static gn_graph *write_and_read(const gn_graph *g, const gn_onnx_write_options *o)
{
    gn_graph *back = NULL;
    gn_error err = {0};
    void *bytes = NULL;
    size_t n = 0;
    if (gn_onnx_pack(g, o, &bytes, &n, &err) != GN_OK ||
        gn_onnx_read_bytes(bytes, n, "m.onnx", NULL, &back, &err) != GN_OK)
        fail_msg("opset %d: %s", o->opset, err.message);
    gn_free(bytes);
    return back;
}

static void every_kind_and_opset(void **state)
{
    (void)state;
    for (int kind = 0; kind < GN_DETECTOR_KINDS; kind++)
        for (int form = 0; form < 4; form++) {
            const gn_detector d = detector_of((gn_detector_kind)kind, form & 1 ? 3 : 1, form & 2 ? 2 : 1);
            gn_graph *g = model_of(&d);
            for (int opset = 11; opset <= 21; opset += form == 3 ? 1 : 5) {
                const gn_onnx_write_options o = {.opset = opset, .fold = opset % 2 != 0, .decompose = opset % 3 != 0};
                gn_graph *back = write_and_read(g, &o);
                char what[64];
                snprintf(what, sizeof what, "%s, form %d, opset %d", gn_detector_kind_name(d.kind), form, opset);
                compare(g, back, 1, what);
                if (opset % 4 == 1)
                    compare(g, back, 2, what);
                gn_graph_destroy(&back);
            }
            gn_graph_destroy(&g);
        }
}

static void names_and_metadata(void **state)
{
    (void)state;
    const gn_detector d = detector_of(GN_DETECTOR_YOLOV8, 2, 2);
    gn_graph *g = model_of(&d);
    for (int fold = 0; fold < 2; fold++) {
        gn_graph *back = write_and_read(g, &(gn_onnx_write_options){.fold = fold});
        gn_detector other;
        assert_true(gn_graph_find_value(back, "raw0") >= 0 && gn_graph_find_value(back, "raw1") >= 0);
        assert_string_equal(gn_graph_value(back, gn_graph_output(back, 0))->name, "boxes");
        assert_string_equal(gn_graph_value(back, gn_graph_output(back, 1))->name, "scores");
        assert_string_equal(gn_graph_meta_get(back, "gannet.raw"), "raw0,raw1");
        assert_int_equal(gn_detector_parse(gn_graph_meta_get(back, "gannet.detector"), &other, NULL), GN_OK);
        assert_int_equal(other.stride[1], 16);
        for (int i = 0; i < gn_graph_value_count(back); i++) { /* nothing of the decoding can be trained */
            const gn_value *v = gn_graph_value(back, i);
            assert_true(v->kind != GN_VALUE_STATE || strncmp(v->name, "head.", 5) == 0);
        }
        gn_graph_destroy(&back);
    }
    gn_graph_destroy(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_and_opset),
        cmocka_unit_test(names_and_metadata),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
