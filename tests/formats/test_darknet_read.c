/* Darknet networks: what PyTorch computes for a network of every layer, real networks of other people, and files that are broken.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "format_fixture.h"
#include "formats/darknet/darknet.h"
#include "formats/darknet/darknet_names.h"
#include "ops/interpret.h"

#define GOLDEN       GN_SOURCE_DIR "/tests/golden/"
#define MEMORY_BYTES ((uint64_t)100000000)

static const char *data_folder(void)
{
    const char *folder = getenv("GANNET_DATA");
    return folder && folder[0] ? folder : GN_SOURCE_DIR "/../shared/data";
}

/* Number i of the formula in make_darknet_golden.py, in 0..1. */
static double formula(uint64_t i)
{
    return (double)((i * UINT64_C(2654435761) % (UINT64_C(1) << 32)) >> 8) / (1 << 24);
}

/* The .weights file that the golden file describes: a header of 16 bytes, and numbers by the formula. */
static gn_text weights_of(const char *golden)
{
    gn_text t;
    uint64_t at = 0;
    static const int32_t header[4] = {0, 1, 0, 0};
    gn_text_init(&t);
    gn_text_add_bytes(&t, header, sizeof header);
    for (const char *line = golden; line; line = strchr(line, '\n')) {
        char kind[16];
        int count;
        double scale;
        line += *line == '\n';
        if (sscanf(line, "%15[a-z] %d %lf", kind, &count, &scale) != 3 || strcmp(kind, "output") == 0)
            continue;
        for (int i = 0; i < count; i++, at++) {
            const double u = formula(at);
            const float x = (float)(strcmp(kind, "positive") == 0 ? u + 0.5 : (u - 0.5) * scale);
            gn_text_add_bytes(&t, &x, sizeof x);
        }
    }
    return t;
}

/* All numbers of one output. */
static double *run_output(const gn_graph *graph, int output, int64_t *count_out)
{
    gn_graph *g = NULL;
    gn_error err = {0};
    gn_interpret *it = NULL;
    assert_int_equal(gn_graph_clone(graph, false, &g), GN_OK);
    const int input = gn_graph_input(g, 0);
    gn_shape shape = gn_graph_value(g, input)->shape;
    shape.dim[0] = 1;
    assert_int_equal(gn_graph_set_input_shape(g, input, &shape), GN_OK);
    if (gn_graph_infer(g, &err) != GN_OK || gn_interpret_create(g, GN_DTYPE_F64, &it, &err) != GN_OK)
        fail_msg("%s", err.message);
    const int64_t n = gn_shape_count(&shape);
    double *x = gn_alloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)formula((uint64_t)i + 1);
    gn_interpret_set(it, input, x);
    gn_free(x);
    if (gn_interpret_run(it, &err) != GN_OK)
        fail_msg("%s", err.message);
    const gn_tensor *y = gn_interpret_get(it, gn_graph_output(g, output));
    *count_out = gn_tensor_count(y);
    double *result = gn_alloc((size_t)*count_out * sizeof *result);
    for (int64_t i = 0; i < *count_out; i++)
        result[i] = gn_tensor_get(y, i);
    gn_interpret_destroy(&it);
    gn_graph_destroy(&g);
    return result;
}

static double *run(const gn_graph *graph, int64_t *count_out)
{
    return run_output(graph, 0, count_out);
}

static void test_every_layer(void **ctx)
{
    (void)ctx;
    char *cfg = NULL, *golden = NULL;
    size_t cfg_bytes = 0, n = 0;
    int64_t count = 0;
    gn_error err = {0};
    gn_graph *graph = NULL;
    assert_int_equal(gn_file_read(GOLDEN "darknet_layers.cfg", 1 << 20, &cfg, &cfg_bytes, &err), GN_OK);
    assert_int_equal(gn_file_read(GOLDEN "darknet_layers.txt", 1 << 20, &golden, &n, &err), GN_OK);
    gn_text weights = weights_of(golden);
    if (gn_darknet_read_bytes(cfg, cfg_bytes, "layers.cfg", weights.data, weights.len, "layers.weights", NULL, NULL,
                              &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    double *y = run(graph, &count);
    assert_int_equal(count, 12);
    const char *want = strstr(golden, "output ");
    assert_non_null(want);
    want += strlen("output ");
    for (int64_t i = 0; i < count; i++) {
        char *end;
        const double expected = strtod(want, &end);
        if (end == want || fabs(y[i] - expected) > 2e-6)
            fail_msg("number %" PRId64 ": %.9g, %.9g was expected", i, y[i], expected);
        want = end;
    }
    gn_graph_destroy(&graph);
    /* A number less, a number more. */
    assert_int_equal(gn_darknet_read_bytes(cfg, cfg_bytes, "layers.cfg", weights.data, weights.len - 4,
                                           "layers.weights", NULL, NULL, &graph, &err),
                     GN_EFORMAT);
    gn_text_add_bytes(&weights, "abcd", 4);
    assert_int_equal(gn_darknet_read_bytes(cfg, cfg_bytes, "layers.cfg", weights.data, weights.len, "layers.weights",
                                           NULL, NULL, &graph, &err),
                     GN_EFORMAT);
    assert_non_null(strstr(err.message, "4 bytes are left over"));
    gn_text_deinit(&weights);
    gn_free(y);
    gn_free(cfg);
    gn_free(golden);
}

/* Other people's networks, with random weights: classifiers, and detectors with their metadata. */
static void test_people(void **ctx)
{
    (void)ctx;
    static const struct {
        const char *name;
        int maps;             /* 0: a classifier */
        const char *detector; /* how its line begins */
        const char *first_name;
    } nets[] = {
        {"cifar", 0, NULL, NULL},
        {"darknet", 0, NULL, NULL},
        {"tiny", 0, NULL, NULL},
        {"yolov2-tiny", 1, "{\"kind\":\"yolov2\",\"classes\":80,\"strides\":[32],\"anchors\":5,\"anchor\":[18.32",
         "[\"person\","},
        {"yolov2-tiny-voc", 1, "{\"kind\":\"yolov2\",\"classes\":20,\"strides\":[32],\"anchors\":5,",
         "[\"aeroplane\","},
        {"yolov3-tiny", 2,
         "{\"kind\":\"yolov3\",\"classes\":80,\"strides\":[16,32],\"anchors\":3,\"anchor\":[10,14,23,27,37,58,81,",
         "[\"person\","}};
    int n_read = 0;
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        char path[512];
        gn_graph *graph = NULL;
        gn_error err = {0};
        gn_text notes;
        const gn_darknet_options raw = {.is_raw = true};
        snprintf(path, sizeof path, "%s/models/darknet_cfg/%s.cfg", data_folder(), nets[i].name);
        if (!gn_path_exists(path))
            continue;
        n_read++;
        gn_text_init(&notes);
        if (gn_darknet_read(path, NULL, NULL, &notes, &graph, &err) != GN_OK)
            fail_msg("%s: %s", nets[i].name, err.message);
        if (nets[i].maps == 0) {
            assert_string_equal(gn_graph_value(graph, gn_graph_output(graph, 0))->name, "logits");
            assert_string_equal(gn_graph_meta_get(graph, "gannet.task"), "classify");
            assert_non_null(strstr(notes.data, "[softmax]: left to whoever reads the logits"));
        } else {
            assert_int_equal(gn_graph_output_count(graph), 2);
            assert_string_equal(gn_graph_value(graph, gn_graph_output(graph, 0))->name, "boxes");
            assert_string_equal(gn_graph_value(graph, gn_graph_output(graph, 1))->name, "scores");
            assert_string_equal(gn_graph_meta_get(graph, "gannet.task"), "detect");
            assert_string_equal(gn_graph_meta_get(graph, "gannet.fit"), "stretch");
            assert_string_equal(gn_graph_meta_get(graph, "gannet.raw"), nets[i].maps == 1 ? "raw0" : "raw0,raw1");
            assert_true(gn_graph_find_value(graph, nets[i].maps == 1 ? "raw0" : "raw1") >= 0);
            if (!gn_has_prefix(gn_graph_meta_get(graph, "gannet.detector"), nets[i].detector))
                fail_msg("%s: %s", nets[i].name, gn_graph_meta_get(graph, "gannet.detector"));
            assert_true(gn_has_prefix(gn_graph_meta_get(graph, "gannet.names"), nets[i].first_name));
            assert_non_null(strstr(notes.data, "class names from "));
        }
        gn_graph_destroy(&graph);
        assert_int_equal(gn_darknet_read(path, NULL, &raw, NULL, &graph, &err), GN_OK);
        assert_int_equal(gn_graph_output_count(graph), nets[i].maps ? nets[i].maps : 1);
        gn_graph_destroy(&graph);
        gn_text_deinit(&notes);
    }
    if (n_read == 0)
        skip();
    assert_int_equal(n_read, 6);
}

/* Real weights fit to the byte; the first and the last number are where they belong. */
static void test_real_weights(void **ctx)
{
    (void)ctx;
    char cfg[512], path[512];
    char *bytes = NULL;
    size_t n = 0;
    gn_graph *graph = NULL;
    gn_error err = {0};
    const gn_darknet_options raw = {.is_raw = true};
    snprintf(cfg, sizeof cfg, "%s/models/yolo_fastest/yolo-fastest-1.1.cfg", data_folder());
    snprintf(path, sizeof path, "%s/models/yolo_fastest/yolo-fastest-1.1.weights", data_folder());
    if (!gn_path_exists(path))
        skip();
    if (gn_darknet_read(cfg, path, &raw, NULL, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(gn_graph_output_count(graph), 2);
    assert_string_equal(gn_graph_value(graph, gn_graph_output(graph, 0))->name, "map121");
    assert_int_equal(gn_file_read(path, 1 << 24, &bytes, &n, &err), GN_OK);
    float first, last;
    memcpy(&first, bytes + 20, sizeof first);
    memcpy(&last, bytes + n - 4, sizeof last);
    const gn_value *bias = gn_graph_value(graph, gn_graph_find_value(graph, "layers.0.bn.bias"));
    const gn_value *weight = gn_graph_value(graph, gn_graph_find_value(graph, "layers.129.conv.weight"));
    assert_true(gn_tensor_get(bias->data, 0) == first);
    assert_true(gn_tensor_get(weight->data, gn_tensor_count(weight->data) - 1) == last);
    gn_free(bytes);
    gn_graph_destroy(&graph);
    /* As a detector: the finer map, which stands last in the file, first. */
    if (gn_darknet_read(cfg, path, NULL, NULL, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_true(gn_has_prefix(gn_graph_meta_get(graph, "gannet.detector"),
                              "{\"kind\":\"yolov3\",\"classes\":80,\"strides\":[16,32],\"anchors\":3,"
                              "\"anchor\":[12,18,37,49,52,132,115,73,119,199,242,238]"));
    assert_true(gn_has_prefix(gn_graph_meta_get(graph, "gannet.names"), "[\"person\",\"bicycle\","));
    gn_graph_destroy(&graph);
}

/* The first layers of a network: the others begin at random, when that is asked for. */
static void test_partial(void **ctx)
{
    (void)ctx;
    static const char cfg[] = "[net]\nwidth=8\nheight=8\nchannels=1\n[convolutional]\nfilters=2\nactivation=relu\n"
                              "[convolutional]\nfilters=3\nactivation=linear\n";
    struct {
        int32_t header[4];
        float numbers[13];
    } file = {{0, 1, 0, 0}, {1, 2, 3, 4}};
    const gn_darknet_options partial = {.is_partial = true, .seed = 3};
    gn_graph *graph = NULL;
    gn_error err = {0};
    gn_text notes;
    gn_text_init(&notes);
    assert_int_equal(gn_darknet_read_bytes(cfg, sizeof cfg - 1, "x.cfg", &file, 32, "w", NULL, NULL, &graph, &err),
                     GN_EFORMAT);
    if (gn_darknet_read_bytes(cfg, sizeof cfg - 1, "x.cfg", &file, 32, "w", &partial, &notes, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_non_null(strstr(notes.data, "random weights from [convolutional] in line 8 on"));
    const gn_tensor *first = gn_graph_value(graph, gn_graph_find_value(graph, "layers.0.conv.weight"))->data;
    const gn_tensor *second = gn_graph_value(graph, gn_graph_find_value(graph, "layers.1.conv.weight"))->data;
    assert_true(gn_tensor_get(first, 0) == 3 && gn_tensor_get(first, 1) == 4);
    assert_true(gn_tensor_get(second, 0) != 0 && fabs(gn_tensor_get(second, 0)) <= 1);
    gn_graph_destroy(&graph);
    /* Within a layer, also between its tensors, it may not end. */
    for (size_t n = 36; n < 16 + 13 * 4; n += 4) {
        assert_int_equal(
            gn_darknet_read_bytes(cfg, sizeof cfg - 1, "x.cfg", &file, n, "w", &partial, NULL, &graph, &err),
            GN_EFORMAT);
        assert_non_null(strstr(err.message, "line 8"));
    }
    gn_text_deinit(&notes);
}

/* ---- detection layers, against Darknet's own formulas on the maps that --raw gives ---- */

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

/* A .weights file for any of the networks below: small numbers by the formula. */
static gn_text small_weights(int64_t n, int32_t version)
{
    const int32_t header[5] = {0, version, 0, 0, 0};
    gn_text t;
    gn_text_init(&t);
    gn_text_add_bytes(&t, header, version < 1000 ? 20 : 16);
    for (int64_t i = 0; i < n; i++) {
        const float x = (float)(formula((uint64_t)i + 5) - 0.45);
        gn_text_add_bytes(&t, &x, sizeof x);
    }
    return t;
}

/* Outputs of a network, raw and decoded. */
typedef struct detected {
    double *map[2], *boxes, *scores;
    int64_t n_map[2], n_boxes, n_scores;
    char line[400]; /* the detector */
} detected;

static detected detect(const char *cfg, int64_t n_weights, int n_maps, int32_t version)
{
    detected d = {0};
    gn_error err = {0};
    gn_text weights = small_weights(n_weights, version);
    const gn_darknet_options raw = {.is_raw = true};
    for (int is_raw = 0; is_raw < 2; is_raw++) {
        gn_graph *graph = NULL;
        if (gn_darknet_read_bytes(cfg, strlen(cfg), "d.cfg", weights.data, weights.len, "d.weights",
                                  is_raw ? &raw : NULL, NULL, &graph, &err) != GN_OK)
            fail_msg("%s", err.message);
        if (is_raw) {
            assert_int_equal(gn_graph_output_count(graph), n_maps);
            for (int m = 0; m < n_maps; m++)
                d.map[m] = run_output(graph, m, &d.n_map[m]);
        } else {
            snprintf(d.line, sizeof d.line, "%s", gn_graph_meta_get(graph, "gannet.detector"));
            d.boxes = run_output(graph, 0, &d.n_boxes);
            d.scores = run_output(graph, 1, &d.n_scores);
        }
        gn_graph_destroy(&graph);
    }
    gn_text_deinit(&weights);
    return d;
}

static void detected_free(detected *d)
{
    gn_free(d->map[0]);
    gn_free(d->map[1]);
    gn_free(d->boxes);
    gn_free(d->scores);
}

static void expect_box(const detected *d, int64_t candidate, double x, double y, double w, double h)
{
    const double want[4] = {x - w / 2, y - h / 2, x + w / 2, y + h / 2};
    for (int i = 0; i < 4; i++)
        if (fabs(d->boxes[4 * candidate + i] - want[i]) > 1e-5 * (1 + fabs(want[i])))
            fail_msg("candidate %" PRId64 ", corner %d: %.9g, %.9g was expected", candidate, i,
                     d->boxes[4 * candidate + i], want[i]);
}

static void expect_score(const detected *d, int64_t candidate, int classes, int c, double want)
{
    if (fabs(d->scores[classes * candidate + c] - want) > 1e-6)
        fail_msg("candidate %" PRId64 ", class %d: %.9g, %.9g was expected", candidate, c,
                 d->scores[classes * candidate + c], want);
}

/* yolo: pictures of 16 x 8; the coarse map (stride 8) stands first in the file, and gets its candidates last.  Each layer has a scale_x_y of
 * its own. */
static void test_yolo(void **ctx)
{
    (void)ctx;
    static const char cfg[] = "[net]\nwidth=16\nheight=8\nchannels=3\n"
                              "[convolutional]\nfilters=16\nsize=1\nstride=8\nactivation=linear\n"
                              "[yolo]\nmask=2,0\nanchors=4,5, 6,3, 9,2\nnum=3\nclasses=3\nscale_x_y=1.5\n"
                              "[route]\nlayers=0\n[upsample]\nstride=2\n"
                              "[convolutional]\nfilters=16\nsize=1\nactivation=linear\n"
                              "[yolo]\nmask=1,0\nanchors=4,5, 6,3, 9,2\nnum=3\nclasses=3\nscale_x_y=1.1\n";
    static const double anchors[2][2][2] = {{{9, 2}, {4, 5}}, {{6, 3}, {4, 5}}};
    detected d = detect(cfg, 16 + 48 + 16 + 256, 2, 2);
    assert_true(gn_has_prefix(d.line, "{\"kind\":\"yolov3\",\"classes\":3,\"strides\":[4,8],\"anchors\":2,"
                                      "\"anchor\":[6,3,4,5,9,2,4,5],\"scale_xy\":1.5"));
    assert_int_equal(d.n_boxes, (8 + 2) * 2 * 4);
    for (int m = 0; m < 2; m++) {
        const int W = m ? 4 : 2, H = m ? 2 : 1, stride = m ? 4 : 8;
        const double s = m ? 1.1 : 1.5;
        for (int cell = 0; cell < W * H; cell++)
            for (int a = 0; a < 2; a++) {
                double t[8];
                for (int i = 0; i < 8; i++)
                    t[i] = d.map[m][(a * 8 + i) * W * H + cell];
                const int64_t candidate = (m ? 0 : 16) + cell * 2 + a;
                const double x = (cell % W + logistic(t[0]) * s - (s - 1) / 2) / W,
                             y = (cell / W + logistic(t[1]) * s - (s - 1) / 2) / H;
                expect_box(&d, candidate, x * 16, y * 8, exp(t[2]) * anchors[m][a][0], exp(t[3]) * anchors[m][a][1]);
                for (int c = 0; c < 3; c++)
                    expect_score(&d, candidate, 3, c, logistic(t[4]) * logistic(t[5 + c]));
                assert_true(stride == 16 / W);
            }
    }
    detected_free(&d);
}

/* Scaled-YOLOv4: the sigmoid is part of the layer before. */
static void test_yolo_new_coords(void **ctx)
{
    (void)ctx;
    static const char cfg[] = "[net]\nwidth=8\nheight=8\nchannels=3\n"
                              "[convolutional]\nfilters=14\nsize=1\nstride=4\nactivation=logistic\n"
                              "[yolo]\nanchors=4,5, 6,3\nnum=2\nclasses=2\nscale_x_y=2.0\nnew_coords=1\n";
    static const double anchors[2][2] = {{4, 5}, {6, 3}};
    detected d = detect(cfg, 14 + 42, 1, 2);
    assert_true(gn_has_prefix(d.line, "{\"kind\":\"yolov5\""));
    for (int cell = 0; cell < 4; cell++)
        for (int a = 0; a < 2; a++) {
            double p[7];
            for (int i = 0; i < 7; i++)
                p[i] = d.map[0][(a * 7 + i) * 4 + cell];
            assert_true(p[0] > 0 && p[0] < 1);
            expect_box(&d, cell * 2 + a, (cell % 2 + p[0] * 2 - 0.5) * 4, (cell / 2 + p[1] * 2 - 0.5) * 4,
                       p[2] * p[2] * 4 * anchors[a][0], p[3] * p[3] * 4 * anchors[a][1]);
            for (int c = 0; c < 2; c++)
                expect_score(&d, cell * 2 + a, 2, c, p[4] * p[5 + c]);
        }
    detected_free(&d);
}

/* region: anchors in cells, classes through a softmax or each for itself. */
static void test_region(void **ctx)
{
    (void)ctx;
    static const double anchors[2][2] = {{0.5, 1.25}, {2, 0.75}};
    for (int has_softmax = 0; has_softmax < 2; has_softmax++) {
        char cfg[400];
        snprintf(
            cfg, sizeof cfg,
            "[net]\nwidth=12\nheight=8\nchannels=3\n[convolutional]\nfilters=16\nsize=1\nstride=4\nactivation=linear\n"
            "[region]\nanchors=.5,1.25, 2,.75\nnum=2\nclasses=3\ncoords=4\nsoftmax=%d\nbias_match=1\nthresh=.6\n",
            has_softmax);
        detected d = detect(cfg, 16 + 48, 1, 2);
        for (int cell = 0; cell < 6; cell++)
            for (int a = 0; a < 2; a++) {
                double t[8], sum = 0;
                for (int i = 0; i < 8; i++)
                    t[i] = d.map[0][(a * 8 + i) * 6 + cell];
                for (int c = 0; c < 3; c++)
                    sum += exp(t[5 + c]);
                expect_box(&d, cell * 2 + a, (cell % 3 + logistic(t[0])) * 4, (cell / 3 + logistic(t[1])) * 4,
                           exp(t[2]) * anchors[a][0] * 4, exp(t[3]) * anchors[a][1] * 4);
                for (int c = 0; c < 3; c++)
                    expect_score(&d, cell * 2 + a, 3, c,
                                 logistic(t[4]) * (has_softmax ? exp(t[5 + c]) / sum : logistic(t[5 + c])));
            }
        detected_free(&d);
    }
}

/* detection: a row of numbers, [classes of all cells][confidences][boxes]; linear, so that scores are kept in 0..1.  Once with a matrix
 * that the file has transposed. */
static void test_detection(void **ctx)
{
    (void)ctx;
    for (int has_softmax = 0; has_softmax < 2; has_softmax++) {
        char cfg[400];
        snprintf(
            cfg, sizeof cfg,
            "[net]\nwidth=12\nheight=6\nchannels=1\n[connected]\noutput=%d\nactivation=linear\nbatch_normalize=%d\n"
            "[dropout]\n[detection]\nside=2\nnum=2\nclasses=3\nsqrt=1\nsoftmax=%d\n",
            4 * 13, has_softmax, has_softmax);
        detected d = detect(cfg, 52 + 52 * 72 + (has_softmax ? 3 * 52 : 0), 1, has_softmax ? 1001 : 2);
        assert_int_equal(d.n_map[0], 52);
        assert_int_equal(d.n_boxes, 8 * 4);
        for (int cell = 0; cell < 4; cell++)
            for (int k = 0; k < 2; k++) {
                const double *classes = &d.map[0][cell * 3], *box = &d.map[0][12 + 8 + (cell * 2 + k) * 4];
                const double confidence = d.map[0][12 + cell * 2 + k];
                double sum = 0;
                for (int c = 0; c < 3; c++)
                    sum += exp(classes[c]);
                expect_box(&d, cell * 2 + k, (box[0] + cell % 2) / 2 * 12, (box[1] + cell / 2) / 2 * 6,
                           box[2] * box[2] * 12, box[3] * box[3] * 6);
                for (int c = 0; c < 3; c++) {
                    const double p = has_softmax ? exp(classes[c]) / sum : classes[c];
                    expect_score(&d, cell * 2 + k, 3, c, fmin(fmax(confidence, 0) * fmax(p, 0), 1));
                }
            }
        detected_free(&d);
    }
}

/* ---- names ---- */

static void test_names(void **ctx)
{
    (void)ctx;
    char folder[] = "/tmp/gannet_names_XXXXXX", path[128], found[256];
    gn_error err = {0};
    gn_text json;
    int n = 0;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.names", folder);
    assert_int_equal(gn_file_write(path, " cat \r\n\nteddy \"bear\"\n\n\n", 23, &err), GN_OK);
    gn_text_init(&json);
    assert_int_equal(gn_darknet_names_read(path, &json, &n, &err), GN_OK);
    assert_int_equal(n, 3);
    assert_string_equal(json.data, "[\"cat\",\"\",\"teddy \\\"bear\\\"\"]");
    gn_text_deinit(&json);
    /* The only file with so many names; then two, and the .cfg's own name decides. */
    snprintf(path, sizeof path, "%s/b.cfg", folder);
    gn_text_init(&json);
    assert_int_equal(gn_darknet_names_find(path, 3, found, sizeof found, &json), GN_OK);
    assert_true(gn_has_suffix(found, "/a.names") && gn_has_prefix(json.data, "[\"cat\""));
    assert_int_equal(gn_darknet_names_find(path, 2, found, sizeof found, &json), GN_OK);
    assert_string_equal(found, "");
    gn_text_deinit(&json);
    snprintf(path, sizeof path, "%s/c.names", folder);
    assert_int_equal(gn_file_write(path, "x\ny\nz", 5, &err), GN_OK);
    for (int is_own = 0; is_own < 2; is_own++) {
        snprintf(path, sizeof path, is_own ? "%s/c.cfg" : "%s/b.cfg", folder);
        gn_text_init(&json);
        assert_int_equal(gn_darknet_names_find(path, 3, found, sizeof found, &json), GN_OK);
        assert_string_equal(is_own ? json.data : found, is_own ? "[\"x\",\"y\",\"z\"]" : "");
        gn_text_deinit(&json);
    }
    gn_text_init(&json);
    assert_int_equal(gn_file_write(path, "\n \n", 3, &err), GN_OK);
    assert_int_equal(gn_darknet_names_read(path, &json, &n, &err), GN_EFORMAT);
    assert_int_equal(gn_file_write(path, "a\0b", 3, &err), GN_OK);
    assert_int_equal(gn_darknet_names_read(path, &json, &n, &err), GN_EFORMAT);
    assert_int_equal(gn_darknet_names_read("/nowhere/x.names", &json, &n, &err), GN_ENOENT);
    gn_text_deinit(&json);
    static const char *const files[] = {"a.names", "c.names", "c.cfg"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        remove(path);
    }
    rmdir(folder);
}

/* ---- broken files ---- */

#define NET          "[net]\nwidth=8\nheight=8\nchannels=3\n"
#define MAP(filters) NET "[convolutional]\nfilters=" #filters "\nstride=2\nactivation=linear\n"

static void test_broken(void **ctx)
{
    (void)ctx;
    static const struct {
        const char *cfg;
        gn_status status;
        int line;
        const char *word;
    } cases[] = {
        {"", GN_EFORMAT, 0, "no section"},
        {"width=3\n", GN_EFORMAT, 1, "before the first section"},
        {"[net\n", GN_EFORMAT, 1, "[name]"},
        {NET "x\n", GN_EFORMAT, 5, "key=value"},
        {"[convolutional]\n", GN_EFORMAT, 1, "[net]"},
        {"[net]\nwidth=8\n", GN_EUNSUPPORTED, 1, "not told"},
        {"[net]\nwidth=-8\n", GN_EFORMAT, 1, "width=-8 in line 2"},
        {"[net]\nwidth=8x\n", GN_EFORMAT, 1, "width=8x in line 2"},
        {NET, GN_EFORMAT, 1, "no layers"},
        {NET "[crnn]\n", GN_EUNSUPPORTED, 5, "[crnn]: there is no layer"},
        /* Half a gigabyte of weights before what is wrong: no memory is taken for them. */
        {NET "[connected]\noutput=700000\n[crnn]\n", GN_EUNSUPPORTED, 7, "[crnn]: there is no layer"},
        {NET "[convolutional]\nactivation=stair\n", GN_EUNSUPPORTED, 5, "stair"},
        {NET "[convolutional]\nfilters=4\ngroups=2\n", GN_EFORMAT, 5, "2 groups"},
        {NET "[convolutional]\nsize=9\n", GN_EFORMAT, 5, "larger than its input"},
        {NET "[convolutional]\nxnor=1\n", GN_EUNSUPPORTED, 5, "xnor"},
        {NET "[convolutional]\nfilters=65536\nsize=1000\npad=1\n", GN_ELIMIT, 5, "150000000 numbers"},
        {NET "[connected]\noutput=100000\n[connected]\noutput=100000\n", GN_ELIMIT, 7, "numbers"},
        {NET "[maxpool]\nsize=20\nstride=1\npadding=0\n", GN_EFORMAT, 5, "larger than its input"},
        {NET "[shortcut]\n", GN_EFORMAT, 5, "from="},
        {NET "[shortcut]\nfrom=0\n", GN_EFORMAT, 5, "before it"},
        {NET "[shortcut]\nfrom=-1\n", GN_EFORMAT, 5, "before it"},
        {NET "[maxpool]\n[route]\nlayers=0,,0\n", GN_EFORMAT, 6, "before it"},
        {NET "[maxpool]\n[route]\nlayers=99999999999999999999\n", GN_EFORMAT, 6, "before it"},
        {NET "[maxpool]\n[maxpool]\nstride=2\n[route]\nlayers=0,1\n", GN_EFORMAT, 8, "8 x 8 and 4 x 4"},
        {NET "[maxpool]\n[route]\nlayers=0\ngroups=2\n", GN_EFORMAT, 6, "2 groups"},
        {NET "[maxpool]\n[route]\nlayers=0\ngroups=3\ngroup_id=3\n", GN_EFORMAT, 6, "group_id=3"},
        {NET "[convolutional]\nfilters=2\n[maxpool]\nstride=2\n[shortcut]\nfrom=0\n", GN_EUNSUPPORTED, 9,
         "only equal sizes"},
        {NET "[upsample]\nstride=64\n[upsample]\nstride=64\n", GN_EFORMAT, 7, "32768"},
        {NET "[reorg]\nstride=3\n", GN_EFORMAT, 5, "stride 3"},
        {NET "[dropout]\nprobability=1.5\n[softmax]\n", GN_EFORMAT, 5, "probability"},
        {NET "[softmax]\ngroups=7\n", GN_EFORMAT, 5, "7 groups"},
        {NET "[softmax]\ntree=x\n", GN_EUNSUPPORTED, 5, "tree"},
        {NET "[connected]\n[convolutional]\n", GN_EUNSUPPORTED, 6, "after a connected"},
        {NET "[crop]\ncrop_height=4\ncrop_width=4\n", GN_EUNSUPPORTED, 5, "crop"},
        {NET "[cost]\n", GN_EFORMAT, 5, "computes nothing"},
        {NET "[yolo]\n", GN_EFORMAT, 5, "nothing is computed"},
        {MAP(14) "[yolo]\nclasses=2\nnum=2\n", GN_EFORMAT, 9, "anchors= has 0 numbers"},
        {MAP(14) "[yolo]\nclasses=2\nnum=2\nanchors=1,2,3\n", GN_EFORMAT, 9, "num=2 asks for 4"},
        {MAP(14) "[yolo]\nclasses=2\nnum=2\nanchors=1,2,3,x\n", GN_EFORMAT, 9, "line 12"},
        {MAP(14) "[yolo]\nclasses=2\nnum=2\nanchors=1,2,3,-4\n", GN_EFORMAT, 9, "a side of -4"},
        {MAP(14) "[yolo]\nclasses=3\nnum=2\nanchors=1,2,3,4\n", GN_EFORMAT, 9, "14 channels come in"},
        {MAP(14) "[yolo]\nclasses=2\nnum=2\nmask=0,2\nanchors=1,2,3,4\n", GN_EFORMAT, 9, "anchor 2"},
        {MAP(14) "[yolo]\nclasses=2\nnum=2\nanchors=1,2,3,4\nscale_x_y=3\n", GN_EUNSUPPORTED, 9, "scale_x_y=3"},
        {MAP(14) "[yolo]\nclasses=2\nnum=2\nanchors=1,2,3,4\nnew_coords=1\nscale_x_y=2\n", GN_EUNSUPPORTED, 9,
         "activation=logistic"},
        {MAP(14) "[yolo]\nclasses=2\nnum=2\nanchors=1,2,3,4\n[yolo]\nclasses=2\nnum=2\nanchors=1,2,3,4\n",
         GN_EUNSUPPORTED, 13, "the same map"},
        {MAP(14) "[Gaussian_yolo]\n", GN_EUNSUPPORTED, 9, "--raw"},
        {MAP(14) "[region]\nclasses=2\nnum=2\nanchors=1,2,3,4\ntree=x.tree\n", GN_EUNSUPPORTED, 9, "tree"},
        {MAP(14) "[region]\nclasses=2\nnum=2\nanchors=1,2,3,4\ncoords=5\n", GN_EFORMAT, 9, "coords=5"},
        {MAP(14) "[detection]\nclasses=2\n", GN_EUNSUPPORTED, 9, "sqrt=0"},
        {MAP(14) "[detection]\nclasses=2\nsqrt=1\n", GN_EFORMAT, 9, "numbers come in"},
        {NET "[connected]\noutput=52\n[detection]\nside=2\nnum=2\nclasses=3\nsqrt=1\n[route]\nlayers=0\n",
         GN_EUNSUPPORTED, 12, "detection layer 0"},
        {NET "[connected]\noutput=52\n[softmax]\n[detection]\nside=2\nnum=2\nclasses=3\nsqrt=1\n", GN_EUNSUPPORTED, 8,
         "[connected] layer was expected"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gn_graph *graph = NULL;
        gn_error err = {0};
        const gn_status status =
            gn_darknet_read_bytes(cases[i].cfg, strlen(cases[i].cfg), "x.cfg", NULL, 0, NULL, NULL, NULL, &graph, &err);
        if (status != cases[i].status || err.line != cases[i].line || !strstr(err.message, cases[i].word))
            fail_msg("case %zu: %s, line %d: %s", i, gn_status_name(status), (int)err.line, err.message);
        assert_null(graph);
    }
    assert_true(gn_memory_stats_get().peak_bytes < MEMORY_BYTES);
}

/* Every byte of the network of every layer changed, and every length of it; weights that are too few for what it asks. */
static void test_damage(void **ctx)
{
    (void)ctx;
    char *cfg = NULL;
    size_t n = 0;
    gn_error err = {0};
    const gn_darknet_options small = {.max_numbers = 200000};
    static const char weights[64] = {0, 0, 0, 0, 2};
    int n_read = 0, n_refused = 0;
    assert_int_equal(gn_file_read(GOLDEN "darknet_layers.cfg", 1 << 20, &cfg, &n, &err), GN_OK);
    for (size_t i = 0; i < 2 * n; i++) {
        gn_graph *graph = NULL;
        const bool is_cut = i >= n;
        if (!is_cut)
            cfg[i] ^= (char)(1 << i % 7);
        const gn_status status = gn_darknet_read_bytes(cfg, is_cut ? i - n : n, "x.cfg", i % 3 ? NULL : weights, 64,
                                                       "w", &small, NULL, &graph, &err);
        n_read += status == GN_OK;
        n_refused += status != GN_OK;
        gn_graph_destroy(&graph);
        if (!is_cut)
            cfg[i] ^= (char)(1 << i % 7);
    }
    assert_true(n_read > 100 && n_refused > 100);
    gn_free(cfg);
    assert_true(gn_memory_stats_get().peak_bytes < MEMORY_BYTES);
}

static gn_status read_layers(void *ctx)
{
    (void)ctx;
    gn_graph *graph = NULL;
    gn_error err = {0};
    GN_TRY(gn_darknet_read(GOLDEN "darknet_layers.cfg", NULL, NULL, NULL, &graph, &err));
    gn_graph_destroy(&graph);
    return GN_OK;
}

static void test_out_of_memory(void **ctx)
{
    (void)ctx;
    assert_true(fixture_fail_each_allocation(read_layers, NULL) > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_layer),     cmocka_unit_test(test_partial),
        cmocka_unit_test(test_broken),          cmocka_unit_test(test_yolo),
        cmocka_unit_test(test_yolo_new_coords), cmocka_unit_test(test_region),
        cmocka_unit_test(test_detection),       cmocka_unit_test(test_names),
        cmocka_unit_test(test_damage),          cmocka_unit_test(test_people),
        cmocka_unit_test(test_real_weights),    cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
