/* DetectDecode on the CPU: every kind of detector against the reference in f64, maps in both layouts, and the same bits from any number
 * of threads; and what its shape rule refuses.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend_fixture.h"
#include "ops/detect_decode.h"
#include "ops/ops.h"

#define TOLERANCE 2e-5

static gn_detector detector_of(gn_detector_kind kind, int classes)
{
    gn_detector d = {.kind = kind, .classes = classes, .n_maps = 2, .stride = {8, 16}, .anchors = 3, .scale_xy = 1};
    if (kind == GN_DETECTOR_YOLOV8) {
        d.anchors = 1;
        d.bins = 16;
    }
    if (kind == GN_DETECTOR_YOLOV1) {
        d.n_maps = 1;
        d.stride[0] = 0;
    }
    if (kind == GN_DETECTOR_YOLOV3)
        d.scale_xy = 1.05f;
    d.has_softmax = kind == GN_DETECTOR_YOLOV2;
    for (int m = 0; gn_detector_has_anchors(kind) && m < d.n_maps; m++)
        for (int a = 0; a < d.anchors; a++) {
            d.anchor[m][a][0] = (float)(8 + 5 * a + 16 * m);
            d.anchor[m][a][1] = (float)(10 + 3 * a + 16 * m);
        }
    return d;
}

/* Raw maps (inputs, or what a pool that works on N,H,W,C makes of them) and the decoding.  Maps of height x width cells, then half. */
static gn_graph *graph_of(const gn_detector *d, int batch, int height, int width, bool is_nhwc)
{
    gn_graph *g = NULL;
    gn_error err = {0};
    int raw[GN_DETECTOR_MAX_MAPS], boxes, scores;
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
    for (int m = 0; m < d->n_maps; m++) {
        const int64_t dims[4] = {batch, gn_detector_channels(d), height >> m, width >> m}, one[2] = {1, 1};
        const gn_shape shape = gn_shape_of(4, dims);
        const gn_attr kernel = gn_attr_ints("kernel_shape", one, 2);
        raw[m] = gn_graph_add_input(g, NULL, GN_DTYPE_F32, &shape);
        if (is_nhwc)
            raw[m] = gn_graph_add_op(g, "MaxPool", "", NULL, &raw[m], 1, &kernel, 1);
    }
    const int64_t picture[4] = {batch, 3, 64, 96};
    const gn_shape shape = gn_shape_of(4, picture);
    const int images = gn_graph_add_input(g, "images", GN_DTYPE_F32, &shape);
    if (gn_detect_add_decode(g, d, raw, images, &boxes, &scores) != GN_OK || gn_graph_error(g, &err) != GN_OK)
        fail_msg("%s", err.message);
    gn_graph_add_output(g, boxes);
    gn_graph_add_output(g, scores);
    return g;
}

static void every_kind(void **state)
{
    (void)state;
    for (int kind = 0; kind < GN_DETECTOR_KINDS; kind++)
        for (int form = 0; form < 4; form++) {
            const gn_detector d = detector_of((gn_detector_kind)kind, form & 1 ? 7 : 1);
            gn_graph *g = graph_of(&d, 2, 12, 14, form & 2);
            const double difference = fixture_difference(g, 1 + form % 2, 1, 5, TOLERANCE);
            if (!(difference <= TOLERANCE))
                fail_msg("%s in form %d differs by %g", gn_detector_kind_name(d.kind), form, difference);
            gn_graph_destroy(&g);
        }
}

static void same_bits(void **state)
{
    (void)state;
    for (int kind = 0; kind < GN_DETECTOR_KINDS; kind++) {
        const gn_detector d = detector_of((gn_detector_kind)kind, 20);
        gn_graph *g = graph_of(&d, 1, 40, 40, true);
        const int values[2] = {gn_graph_output(g, 0), gn_graph_output(g, 1)};
        fixture_run one, other;
        fixture_open(&one, g, 1, 3);
        fixture_run_once(&one);
        for (int threads = 2; threads <= 5; threads += 3) {
            fixture_open(&other, g, threads, 3);
            fixture_run_once(&other);
            for (int i = 0; i < 2; i++) {
                const size_t n = (size_t)gn_shape_count(&gn_graph_value(g, values[i])->shape) * sizeof(float);
                assert_memory_equal(gn_backend_cpu.output(one.exec, i), gn_backend_cpu.output(other.exec, i), n);
            }
            fixture_close(&other);
        }
        fixture_close(&one);
        gn_graph_destroy(&g);
    }
}

/* The shape rule of a node with this attribute and one map of these dimensions must say `what`. */
static void refuses(const char *detector, const int64_t dims[4], const char *what)
{
    gn_graph *g = NULL;
    gn_error err = {0};
    const gn_shape shape = gn_shape_of(4, dims);
    const gn_attr attr = gn_attr_string("detector", detector ? detector : "");
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
    const int raw = gn_graph_add_input(g, "raw0", GN_DTYPE_F32, &shape);
    gn_graph_add_node(g, "DetectDecode", "gannet", "decode", &raw, 1, 2, &attr, detector ? 1 : 0);
    assert_int_equal(gn_graph_error(g, &err), GN_ESHAPE);
    if (!strstr(err.message, what))
        fail_msg("'%s' does not say '%s'", err.message, what);
    gn_graph_destroy(&g);
}

static void bad_nodes(void **state)
{
    (void)state;
    const int64_t dims[4] = {1, 11, 3, 3};
    refuses(NULL, dims, "no attribute detector");
    refuses("{\"kind\":\"yolov8\"}", dims, "its detector cannot be read");
    refuses("{\"kind\":\"yolov8\",\"classes\":2,\"strides\":[8],\"anchors\":1,\"bins\":2}", dims,
            "map 0 is [1,11,3,3], expected [N,10,H,W]");
    refuses("{\"kind\":\"yolov8\",\"classes\":3,\"strides\":[8,16],\"anchors\":1,\"bins\":2}", dims, "1 operands");
    refuses("{\"kind\":\"yolov1\",\"classes\":1,\"strides\":[0],\"anchors\":2}", dims, "takes 2");
}

/* gn_detect_finish makes a whole model: outputs, names, metadata. */
static void finish(void **state)
{
    (void)state;
    const gn_detector d = detector_of(GN_DETECTOR_YOLOV5, 2);
    gn_graph *g = NULL;
    gn_error err = {0};
    gn_detector back;
    int raw[2];
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
    for (int m = 0; m < 2; m++) {
        const int64_t dims[4] = {-1, gn_detector_channels(&d), -1, -1};
        const gn_shape shape = gn_shape_of(4, dims);
        const int in = gn_graph_add_input(g, NULL, GN_DTYPE_F32, &shape);
        raw[m] = gn_graph_add_op(g, "Identity", "", NULL, &in, 1, NULL, 0);
    }
    if (gn_detect_finish(g, &d, raw, -1, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(gn_graph_output_count(g), 2);
    assert_int_equal(gn_graph_output(g, 0), gn_graph_find_value(g, "boxes"));
    assert_int_equal(gn_graph_output(g, 1), gn_graph_find_value(g, "scores"));
    assert_int_equal(raw[1], gn_graph_find_value(g, "raw1"));
    assert_string_equal(gn_graph_meta_get(g, "gannet.raw"), "raw0,raw1");
    assert_string_equal(gn_graph_meta_get(g, "gannet.task"), "detect");
    assert_string_equal(gn_graph_meta_get(g, "gannet.head"), "detect");
    assert_string_equal(gn_graph_meta_get(g, "gannet.decode"), "detect");
    assert_int_equal(gn_detector_parse(gn_graph_meta_get(g, "gannet.detector"), &back, &err), GN_OK);
    assert_int_equal(back.kind, d.kind);
    gn_graph_destroy(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind),
        cmocka_unit_test(same_bits),
        cmocka_unit_test(bad_nodes),
        cmocka_unit_test(finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
