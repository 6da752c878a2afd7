/* Detectors of the zoo: parameters and multiply-accumulates as PyTorch and the published tables have them, raw maps and a training step
 * against PyTorch, sizes, metadata, initial biases, and bad requests.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backend/backend.h"
#include "base/file.h"
#include "base/text.h"
#include "detect/detector.h"
#include "graph/autodiff.h"
#include "graph/passes.h"
#include "step_golden.h"
#include "zoo/weight_init.h"
#include "zoo/zoo.h"

#define SEED           1
#define BATCH          4
#define SAMPLES        3
#define RAW_TOLERANCE  1e-5 /* of the map's range */
#define STEP_TOLERANCE 1e-3 /* of the tensor's norm */

static gn_graph *build_as(const gn_zoo_options *options)
{
    gn_error err = {0};
    gn_graph *graph = NULL;
    if (gn_zoo_build(options, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    return graph;
}

static gn_zoo_options options_of(const char *model, int classes, int width, int height)
{
    gn_zoo_options options = gn_zoo_options_default();
    options.model = model;
    options.head = "detect";
    options.classes = classes;
    options.width_px = width;
    options.height_px = height;
    options.no_weights = true;
    return options;
}

static gn_graph *build(const char *model, int classes, int width, int height)
{
    const gn_zoo_options options = options_of(model, classes, width, height);
    return build_as(&options);
}

static void bind_batch(gn_graph *graph, int batch)
{
    gn_error err = {0};
    gn_shape shape = gn_graph_value(graph, gn_graph_input(graph, 0))->shape;
    shape.dim[0] = batch;
    assert_int_equal(gn_graph_set_input_shape(graph, gn_graph_input(graph, 0), &shape), GN_OK);
    if (gn_graph_infer(graph, &err) != GN_OK || gn_graph_check(graph, &err) != GN_OK)
        fail_msg("%s", err.message);
}

static int64_t count_states(const gn_graph *graph, bool is_trainable)
{
    int64_t sum = 0;
    for (int i = 0; i < gn_graph_value_count(graph); i++) {
        const gn_value *value = gn_graph_value(graph, i);
        if (value->kind == GN_VALUE_STATE && value->trainable == is_trainable)
            sum += gn_tensor_count(value->data);
    }
    return sum;
}

static gn_detector detector_of(const gn_graph *graph)
{
    gn_detector d;
    gn_error err = {0};
    const char *line = gn_graph_meta_get(graph, "gannet.detector");
    assert_non_null(line);
    if (gn_detector_parse(line, &d, &err) != GN_OK)
        fail_msg("%s", err.message);
    return d;
}

static int raw_map(const gn_graph *graph, int i)
{
    char name[16];
    snprintf(name, sizeof name, "raw%d", i);
    return gn_graph_find_value(graph, name);
}

/* ---- counts ---- */

/* With 80 classes, as their authors count; YOLOv8's are without the 16 constants that its authors count as one layer's weights. */
static void parameters_are_the_published_ones(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int64_t params;
    } published[] = {
        {"yolov5n", 1872157},       {"yolov5s", 7235389},       {"yolov5m", 21190557},      {"yolov5l", 46563709},
        {"yolov5x", 86749405},      {"yolov8n", 3157200 - 16},  {"yolov8s", 11166560 - 16}, {"yolov8m", 25902640 - 16},
        {"yolov8l", 43691520 - 16}, {"yolov8x", 68229648 - 16},
    };
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        gn_graph *graph = build(published[i].model, 80, 64, 64);
        assert_int_equal(count_states(graph, true), published[i].params);
        gn_graph_destroy(&graph);
    }
}

/* tests/golden/zoo_detectors.csv: "model,classes,width,height,params,buffers,macs". */
static void costs_are_pytorchs(void **state)
{
    (void)state;
    char *text = NULL, *save = NULL;
    size_t bytes, checked = 0, detectors = 0;
    assert_int_equal(gn_file_read(GN_SOURCE_DIR "/tests/golden/zoo_detectors.csv", 1 << 16, &text, &bytes, NULL),
                     GN_OK);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char model[64];
        int classes, width, height;
        int64_t params, buffers, macs;
        gn_cost cost;
        if (line[0] == '#' || gn_has_prefix(line, "model,"))
            continue;
        assert_int_equal(sscanf(line, "%63[^,],%d,%d,%d,%" SCNd64 ",%" SCNd64 ",%" SCNd64, model, &classes, &width,
                                &height, &params, &buffers, &macs),
                         7);
        checked++;
        if (params > 100000000)
            continue; /* yolov1: a gigabyte; its narrow form is compared below */
        gn_graph *graph = build(model, classes, width, height);
        bind_batch(graph, 1);
        gn_graph_cost(graph, &cost);
        assert_int_equal(count_states(graph, true), params);
        assert_int_equal(count_states(graph, false), buffers);
        if (!(fabs((double)(cost.macs - macs)) <= 0.005 * (double)macs))
            fail_msg("%s: %" PRId64 " MACs, PyTorch counts %" PRId64, model, cost.macs, macs);
        gn_zoo_entry entry;
        assert_true(gn_zoo_find(model, &entry));
        assert_true(entry.is_detector);
        assert_int_equal(entry.default_px, width);
        gn_graph_destroy(&graph);
    }
    for (size_t i = 0; i < gn_zoo_count(); i++)
        detectors += gn_zoo_at(i).is_detector != 0;
    assert_int_equal(checked, detectors);
    gn_free(text);
}

/* ---- numbers ---- */

static void draw_statistics(gn_graph *graph)
{
    for (int i = 0; i < gn_graph_value_count(graph); i++) {
        const gn_value *v = gn_graph_value(graph, i);
        if (v->kind == GN_VALUE_STATE && !v->trainable)
            step_draw_row(v->data, SEED, v->name, gn_has_suffix(v->name, "running_var"));
    }
}

/* A model of zoo_detect_step.txt, and how it is computed. */
typedef struct subject {
    char model[64];
    int classes, width, height, n_params;
    double loss, squares;
    gn_device **devices; /* one for each graph: results stay where they are until the next run on the device */
    gn_graph *inference, *step;
    gn_exec *inference_exec, *step_exec;
    int *params, *grads;
    double got_squares;
} subject;

static void run(const subject *s, gn_device *device, gn_graph *graph, gn_exec **exec_out)
{
    gn_error err = {0};
    gn_tensor *images = NULL;
    const int input = gn_graph_input(graph, 0);
    assert_int_equal(gn_tensor_create(GN_DTYPE_F32, &gn_graph_value(graph, input)->shape, &images), GN_OK);
    gn_init_uniform(images, SEED, "step.images", 2);
    if (gn_backend_cpu.compile(device, graph, exec_out, &err) != GN_OK)
        fail_msg("%s: %s", s->model, err.message);
    assert_int_equal(gn_backend_cpu.bind(*exec_out, input, images->data), GN_OK);
    if (gn_backend_cpu.run(*exec_out, &err) != GN_OK)
        fail_msg("%s: %s", s->model, err.message);
    gn_tensor_destroy(&images);
}

static gn_graph *drawn_graph(const subject *s, bool is_smooth)
{
    gn_zoo_options options = options_of(s->model, s->classes, s->width, s->height);
    options.activation = is_smooth ? "gelu" : NULL;
    gn_graph *graph = build_as(&options);
    step_draw_weights(graph, SEED);
    draw_statistics(graph);
    bind_batch(graph, BATCH);
    return graph;
}

static void show_raw_maps(gn_graph *graph)
{
    gn_graph_clear_outputs(graph);
    for (int i = 0; raw_map(graph, i) >= 0; i++)
        assert_int_equal(gn_graph_add_output(graph, raw_map(graph, i)), GN_OK);
}

static void prepare_inference(subject *s)
{
    gn_error err = {0};
    s->inference = drawn_graph(s, false);
    show_raw_maps(s->inference);
    if (gn_pass_inference(s->inference, &err) != GN_OK)
        fail_msg("%s", err.message);
    run(s, s->devices[0], s->inference, &s->inference_exec);
}

static int sum_of_mean_squares(gn_graph *graph)
{
    const gn_attr keep = gn_attr_int("keepdims", 0);
    int sum = -1;
    for (int i = 0; raw_map(graph, i) >= 0; i++) {
        const int both[2] = {raw_map(graph, i), raw_map(graph, i)};
        const int square = gn_graph_add_op(graph, "Mul", "", "square", both, 2, NULL, 0);
        const int mean = gn_graph_add_op(graph, "ReduceMean", "", "mean", &square, 1, &keep, 1);
        const int added[2] = {sum, mean};
        sum = i == 0 ? mean : gn_graph_add_op(graph, "Add", "", "sum", added, 2, NULL, 0);
    }
    return sum;
}

static void switch_dropout_off(gn_graph *graph)
{
    for (int i = 0; i < gn_graph_node_count(graph); i++) {
        const gn_node *node = gn_graph_node(graph, i);
        if (strcmp(node->op->name, "Dropout") == 0)
            *(float *)gn_graph_value_mut(graph, node->in[1])->data->data = 0;
    }
}

static void prepare_step(subject *s)
{
    gn_error err = {0};
    gn_graph *g = s->step = drawn_graph(s, !gn_has_prefix(s->model, "yolov5") && !gn_has_prefix(s->model, "yolov8"));
    switch_dropout_off(g);
    show_raw_maps(g);
    if (gn_pass_training(g, &err) != GN_OK)
        fail_msg("%s", err.message);
    const int loss = sum_of_mean_squares(g);
    s->params = gn_calloc((size_t)gn_graph_value_count(g), sizeof *s->params);
    s->grads = gn_calloc((size_t)gn_graph_value_count(g), sizeof *s->grads);
    assert_true(s->params && s->grads);
    for (int i = 0; i < gn_graph_value_count(g); i++)
        if (gn_graph_value(g, i)->kind == GN_VALUE_STATE && gn_graph_value(g, i)->trainable)
            s->params[s->n_params++] = i;
    if (gn_graph_differentiate(g, loss, s->params, s->n_params, s->grads, &err) != GN_OK)
        fail_msg("%s: %s", s->model, err.message);
    gn_graph_clear_outputs(g);
    assert_int_equal(gn_graph_add_output(g, loss), GN_OK);
    for (int i = 0; i < s->n_params; i++) {
        if (s->grads[i] < 0)
            fail_msg("%s: %s has no gradient", s->model, gn_graph_value(g, s->params[i])->name);
        assert_int_equal(gn_graph_add_output(g, s->grads[i]), GN_OK);
    }
    if (gn_graph_infer(g, &err) != GN_OK)
        fail_msg("%s", err.message);
    run(s, s->devices[1], g, &s->step_exec);
}

static double norm_of(const float *x, int64_t n)
{
    double squares = 0;
    for (int64_t i = 0; i < n; i++)
        squares += (double)x[i] * (double)x[i];
    return sqrt(squares);
}

static subject begin_subject(const char *line, gn_device **devices)
{
    subject s = {.devices = devices};
    assert_int_equal(
        sscanf(line, "model %63s %d %d %d %lf %lf", s.model, &s.classes, &s.width, &s.height, &s.loss, &s.squares), 6);
    prepare_inference(&s);
    prepare_step(&s);
    const double loss = (double)*(const float *)gn_backend_cpu.output(s.step_exec, 0);
    if (!(fabs(loss - s.loss) <= STEP_TOLERANCE * s.loss))
        fail_msg("%s: the loss is %.9g, PyTorch has %.9g", s.model, loss, s.loss);
    for (int i = 0; i < s.n_params; i++) {
        const double norm = norm_of(gn_backend_cpu.output(s.step_exec, 1 + i),
                                    gn_tensor_count(gn_graph_value(s.step, s.params[i])->data));
        s.got_squares += norm * norm;
    }
    if (!(fabs(s.got_squares - s.squares) <= 2 * STEP_TOLERANCE * s.squares))
        fail_msg("%s: the squares of all gradients sum up to %.9g, PyTorch has %.9g", s.model, s.got_squares,
                 s.squares);
    return s;
}

static void end_subject(subject *s)
{
    gn_backend_cpu.destroy(&s->inference_exec);
    gn_backend_cpu.destroy(&s->step_exec);
    gn_graph_destroy(&s->inference);
    gn_graph_destroy(&s->step);
    gn_free(s->params);
    gn_free(s->grads);
}

static void check_raw(const subject *s, const char *line)
{
    int map;
    int64_t at[SAMPLES];
    double value[SAMPLES], range;
    assert_int_equal(sscanf(line, "raw %d %" SCNd64 " %lf %" SCNd64 " %lf %" SCNd64 " %lf %lf", &map, &at[0], &value[0],
                            &at[1], &value[1], &at[2], &value[2], &range),
                     8);
    const float *raw = gn_backend_cpu.output(s->inference_exec, map);
    for (int i = 0; i < SAMPLES; i++)
        if (!(fabs((double)raw[at[i]] - value[i]) <= RAW_TOLERANCE * range))
            fail_msg("%s: raw%d[%d] is %.9g, PyTorch has %.9g", s->model, map, (int)at[i], (double)raw[at[i]],
                     value[i]);
}

/* A gradient, or a running statistic after the step. */
static const float *find_tensor(const subject *s, const char *kind, const char *name, int64_t *n_out)
{
    const int id = gn_graph_find_value(s->step, name);
    if (id < 0)
        fail_msg("%s has no tensor %s", s->model, name);
    *n_out = gn_tensor_count(gn_graph_value(s->step, id)->data);
    if (strcmp(kind, "stat") == 0)
        return gn_graph_value(s->step, id)->data->data;
    for (int i = 0; i < s->n_params; i++)
        if (s->params[i] == id)
            return gn_backend_cpu.output(s->step_exec, 1 + i);
    fail_msg("%s: %s is not trained", s->model, name);
    return NULL;
}

static void check_tensor(const subject *s, const char *line)
{
    char kind[8], name[96];
    double norm, value;
    int64_t at, n;
    assert_int_equal(sscanf(line, "%7s %95s %lf %" SCNd64 " %lf", kind, name, &norm, &at, &value), 5);
    const float *x = find_tensor(s, kind, name, &n);
    const double got = norm_of(x, n);
    /* a bias in front of a normalisation has no gradient but rounding */
    const double slack = fmax(STEP_TOLERANCE * norm, 1e-6 * sqrt(s->squares));
    if (!(fabs(got - norm) <= slack) || !(fabs((double)x[at] - value) <= slack))
        fail_msg("%s: %s has a norm of %.9g and at %d %.9g, PyTorch %.9g and %.9g", s->model, name, got, (int)at,
                 (double)x[at], norm, value);
}

static void raw_maps_and_step_are_pytorchs(void **state)
{
    (void)state;
    char *text = NULL, *save = NULL;
    size_t bytes;
    int models = 0, tensors = 0;
    gn_device *devices[2] = {NULL};
    subject s = {0};
    assert_int_equal(gn_file_read(GN_SOURCE_DIR "/tests/golden/zoo_detect_step.txt", 1 << 20, &text, &bytes, NULL),
                     GN_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(gn_backend_cpu.open(2, &devices[i], NULL), GN_OK);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (line[0] == '#')
            continue;
        if (gn_has_prefix(line, "model ")) {
            end_subject(&s);
            s = begin_subject(line, devices);
            models++;
        } else if (gn_has_prefix(line, "raw "))
            check_raw(&s, line);
        else {
            check_tensor(&s, line);
            tensors++;
        }
    }
    assert_int_equal(models, 12);
    assert_true(tensors > 200);
    end_subject(&s);
    for (int i = 0; i < 2; i++)
        gn_backend_cpu.close(&devices[i]);
    gn_free(text);
}

/* ---- what stands around the numbers ---- */

static void check_maps(const gn_graph *graph, const gn_detector *d, int width, int height)
{
    int64_t candidates = 0;
    for (int i = 0; i < d->n_maps; i++) {
        const gn_shape *raw = &gn_graph_value(graph, raw_map(graph, i))->shape;
        assert_int_equal(raw->rank, 4);
        assert_int_equal(raw->dim[0], 2);
        assert_int_equal(raw->dim[1], gn_detector_channels(d));
        if (d->stride[i] > 0 && d->stride[i] <= 32) {
            assert_int_equal(raw->dim[2], height / d->stride[i]);
            assert_int_equal(raw->dim[3], width / d->stride[i]);
        }
        candidates += gn_detector_candidates(d, raw->dim[2], raw->dim[3]);
    }
    const gn_shape *boxes = &gn_graph_value(graph, gn_graph_output(graph, 0))->shape;
    const gn_shape *scores = &gn_graph_value(graph, gn_graph_output(graph, 1))->shape;
    assert_true(gn_shape_equal(boxes, &(gn_shape){.rank = 3, .dim = {2, candidates, 4}}));
    assert_true(gn_shape_equal(scores, &(gn_shape){.rank = 3, .dim = {2, candidates, d->classes}}));
    assert_true(raw_map(graph, d->n_maps) < 0);
}

/* Every detector, also in another width, at a rectangle: maps, outputs, metadata. */
static void detectors_end_in_boxes_and_scores(void **state)
{
    (void)state;
    for (size_t i = 0; i < gn_zoo_count(); i++) {
        const gn_zoo_entry entry = gn_zoo_at(i);
        char model[80];
        if (!entry.is_detector)
            continue;
        snprintf(model, sizeof model, "%s%s", entry.name, entry.takes_width ? "@0.25" : "");
        gn_graph *graph = build(model, 3, 256, 192);
        bind_batch(graph, 2);
        const gn_detector d = detector_of(graph);
        assert_int_equal(d.classes, 3);
        check_maps(graph, &d, 256, 192);
        assert_string_equal(gn_graph_value(graph, gn_graph_output(graph, 0))->name, "boxes");
        assert_string_equal(gn_graph_value(graph, gn_graph_output(graph, 1))->name, "scores");
        assert_string_equal(gn_graph_meta_get(graph, "gannet.task"), "detect");
        assert_string_equal(gn_graph_meta_get(graph, "gannet.head"), "detect");
        assert_string_equal(gn_graph_meta_get(graph, "gannet.decode"), "detect");
        assert_string_equal(gn_graph_meta_get(graph, "gannet.imgsz"), "256,192");
        assert_string_equal(gn_graph_meta_get(graph, "gannet.fit"), "letterbox");
        assert_string_equal(gn_graph_meta_get(graph, "gannet.mean"), "0,0,0");
        assert_string_equal(gn_graph_meta_get(graph, "gannet.std"), "1,1,1");
        assert_string_equal(gn_graph_meta_get(graph, "gannet.names"), "[\"0\",\"1\",\"2\"]");
        assert_true(gn_has_prefix(gn_graph_meta_get(graph, "gannet.raw"), d.n_maps == 1 ? "raw0" : "raw0,raw1"));
        gn_graph_destroy(&graph);
    }
}

/* RetinaNet takes the maps of every backbone, at its smallest size and at one that no padding makes even. */
static void retinanet_stands_on_every_backbone(void **state)
{
    (void)state;
    for (size_t i = 0; i < gn_zoo_count() && !gn_zoo_at(i).is_detector; i++) {
        char model[80];
        gn_zoo_entry entry;
        snprintf(model, sizeof model, "retinanet_%s", gn_zoo_at(i).name);
        assert_true(gn_zoo_find(model, &entry));
        assert_true(entry.is_detector);
        assert_true(entry.smallest_px >= gn_zoo_at(i).smallest_px && entry.smallest_px % 32 == 0);
        const int sizes[2][2] = {{entry.smallest_px, entry.smallest_px}, {224, 160}};
        for (int k = 0; k < 2; k++) {
            gn_graph *graph = build(model, 1, sizes[k][0], sizes[k][1]);
            bind_batch(graph, 2);
            const gn_detector d = detector_of(graph);
            assert_int_equal(d.n_maps, 5);
            assert_int_equal(d.stride[4], 128);
            assert_string_equal(gn_graph_meta_get(graph, "gannet.names"), "[\"object\"]");
            gn_graph_destroy(&graph);
        }
    }
}

/* Of 4 strides from 640 px on, of 2 below; an area for every third of an octave, and three shapes of each. */
static void retinanets_anchors_suit_the_picture(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        gn_graph *graph = build("retinanet_mobilenet_v2", 1, k ? 640 : 320, 320);
        const gn_detector d = detector_of(graph);
        for (int a = 0; a < d.anchors; a++) {
            const double w = (double)d.anchor[1][a][0], h = (double)d.anchor[1][a][1];
            assert_true(fabs(sqrt(w * h) - (k ? 64 : 32) * pow(2, (a % 3) / 3.0)) < 1e-3);
            assert_true(fabs(h / w - (a < 3 ? 0.5 : a < 6 ? 1 : 2)) < 1e-4);
        }
        gn_graph_destroy(&graph);
    }
}

/* The knobs of the pyramid, and their defaults. */
static void retinanet_is_as_wide_as_asked(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int channels, convs, expected_channels, expected_convs;
    } cases[] = {{"retinanet_mobilenet_v2", 0, 0, 64, 2},
                 {"retinanet_mobilenet_v1", 0, 0, 128, 4},
                 {"retinanet_densenet121", 0, 0, 256, 4},
                 {"retinanet_mobilenet_v2", 96, 3, 96, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gn_zoo_options options = options_of(cases[i].model, 1, 64, 64);
        char name[64];
        options.neck_channels = cases[i].channels;
        options.head_convs = cases[i].convs;
        gn_graph *graph = build_as(&options);
        snprintf(name, sizeof name, "head.box.%d.conv.weight", cases[i].expected_convs - 1);
        const int last = gn_graph_find_value(graph, name);
        assert_true(last >= 0);
        assert_int_equal(gn_graph_value(graph, last)->shape.dim[0], cases[i].expected_channels);
        snprintf(name, sizeof name, "head.box.%d.conv.weight", cases[i].expected_convs);
        assert_true(gn_graph_find_value(graph, name) < 0);
        gn_graph_destroy(&graph);
    }
}

/* What can be frozen ends where the neck begins. */
static void heads_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *model, *head, *backbone;
    } cases[] = {
        {"yolov8n", "model.12.cv1.conv.weight", "model.9.cv2.conv.weight"},
        {"yolov5n", "model.10.conv.weight", "model.9.cv2.conv.weight"},
        {"yolov3@0.25", "layers.75.conv.weight", "layers.73.conv.weight"},
        {"yolov3_tiny@0.25", "layers.13.conv.weight", "layers.12.conv.weight"},
        {"yolov2@0.25", "layers.23.conv.weight", "layers.22.conv.weight"},
        {"yolov1_half", "head.weight", "layers.0.conv.weight"},
        {"retinanet_resnet18", "fpn.lateral.0.conv.weight", "layer4.1.conv2.weight"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gn_graph *graph = build(cases[i].model, 2, 128, 128);
        const char *list = gn_graph_meta_get(graph, "gannet.head_tensors");
        assert_non_null(list);
        assert_true(gn_graph_find_value(graph, cases[i].head) >= 0);
        assert_true(gn_graph_find_value(graph, cases[i].backbone) >= 0);
        if (!strstr(list, cases[i].head) || strstr(list, cases[i].backbone))
            fail_msg("%s: the head is said to be %.200s", cases[i].model, list);
        gn_graph_destroy(&graph);
    }
}

static float bias_at(const gn_graph *graph, const char *name, int i)
{
    const int id = gn_graph_find_value(graph, name);
    assert_true(id >= 0);
    return ((const float *)gn_graph_value(graph, id)->data->data)[i];
}

/* The formulas that the releases and the paper state. */
static void biases_begin_at_the_priors(void **state)
{
    (void)state;
    gn_zoo_options options = options_of("yolov8n", 5, 64, 64);
    options.no_weights = false;
    gn_graph *graph = build_as(&options);
    assert_true(fabs((double)bias_at(graph, "model.22.cv3.1.2.bias", 4) - log(1.0 / (40 * 40))) < 1e-6);
    assert_true(fabs((double)bias_at(graph, "model.22.cv2.2.2.bias", 63) - 1) < 1e-6);
    gn_graph_destroy(&graph);

    options.model = "yolov5n";
    graph = build_as(&options);
    const double bound = 1 / sqrt(128); /* of what is drawn on top: 128 channels come in */
    const double object = (double)bias_at(graph, "model.24.m.1.bias", 4 + 10),
                 kind = (double)bias_at(graph, "model.24.m.1.bias", 9);
    assert_true(fabs(object - log(8.0 / (40 * 40))) <= bound);
    assert_true(fabs(kind - log(0.6 / (5 - 0.99999))) <= bound);
    gn_graph_destroy(&graph);

    options.model = "retinanet_shufflenet_v2_x0_5";
    graph = build_as(&options);
    assert_true(fabs((double)bias_at(graph, "head.class.output.bias", 44) + log(99)) < 1e-5);
    gn_graph_destroy(&graph);
}

static void bad_requests_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *model, *head, *says;
        int classes, width, height;
    } cases[] = {
        {"yolov8n", "detect", "the nearest that works is 608 x 416 px", 80, 600, 400},
        {"yolov8n", "detect", "the nearest that works is 32 x 32 px", 80, 1, 1},
        {"yolov8n", "detect", "multiples of 32 px up to 8192", 80, 9000, 640},
        {"yolov8n", "box", "its head is detect, not box", 80, 640, 640},
        {"resnet18", "detect", "retinanet_resnet18", 80, 224, 224},
        {"yolov8n", "detect", "0 classes", 0, 640, 640},
        {"yolov8nn", "detect", "did you mean yolov8n?", 80, 640, 640},
        {"yolov8n@2", "detect", "expected a number in 0.1..1.4", 80, 640, 640},
        {"retinanet_resnet81", "detect", "did you mean retinanet_resnet18?", 80, 320, 320},
        {"retinanet_yolov8n", "detect", "no network that it could stand on", 80, 320, 320},
        {"retinanet_resnet18@0.5", "detect", "one width only", 80, 320, 320},
        {"retinanet_xception", "detect", "the nearest that works is 64 x 64 px", 80, 32, 32},
        {"yolov1_half", "detect", "multiples of 64 px up to 640; the nearest that works is 448 x 448 px", 80, 460, 460},
        {"yolov1_half", "detect", "multiples of 32 px up to 640; the nearest that works is 224 x 192 px", 80, 220, 200},
        {"yolov1", "detect", "the nearest that works is 640 x 640 px", 80, 1024, 1024},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gn_zoo_options options = options_of(cases[i].model, cases[i].classes, cases[i].width, cases[i].height);
        gn_graph *graph = NULL;
        gn_error err = {0};
        options.head = cases[i].head;
        assert_int_equal(gn_zoo_build(&options, &graph, &err), GN_EINVAL);
        assert_null(graph);
        if (!strstr(err.message, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", err.message, cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_the_published_ones),  cmocka_unit_test(costs_are_pytorchs),
        cmocka_unit_test(raw_maps_and_step_are_pytorchs),     cmocka_unit_test(detectors_end_in_boxes_and_scores),
        cmocka_unit_test(retinanet_stands_on_every_backbone), cmocka_unit_test(retinanets_anchors_suit_the_picture),
        cmocka_unit_test(retinanet_is_as_wide_as_asked),      cmocka_unit_test(heads_are_told),
        cmocka_unit_test(biases_begin_at_the_priors),         cmocka_unit_test(bad_requests_are_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
