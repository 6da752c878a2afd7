/* Sessions of detectors: objects as the outputs and plain suppression say, in both ways of fitting a picture; files decoded by Gannet and
 * by their own tail, at other sizes, in batches; options, metadata and what is refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "formats/onnx/onnx_format.h"
#include "gannet/gannet.h"
#include "image/resize.h"
#include "ops/detect_decode.h"
#include "ops/ops.h"
#include "run/detector_tail.h"
#include "run/session.h"

#define WIDTH   64
#define HEIGHT  32
#define CLASSES 3

/* images [N,3,32,64] -> maps at strides 8 and 16 of a yolov5: the finer one adds the coarser, enlarged, so that sides must be multiples of
 * 16. */
static gn_graph *detector_graph(void)
{
    gn_detector d = {
        .kind = GN_DETECTOR_YOLOV5, .classes = CLASSES, .n_maps = 2, .stride = {8, 16}, .anchors = 2, .scale_xy = 1};
    const float sizes[2][2][2] = {{{6, 8}, {12, 9}}, {{20, 14}, {25, 30}}};
    gn_graph *g = NULL;
    gn_error err = {0};
    gn_rng rng;
    int raw[2];
    memcpy(d.anchor[0], sizes[0], sizeof sizes[0]);
    memcpy(d.anchor[1], sizes[1], sizeof sizes[1]);
    gn_rng_init(&rng, 5, 0);
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
    const int64_t dims[4] = {-1, 3, HEIGHT, WIDTH}, filter[4] = {gn_detector_channels(&d), 3, 1, 1};
    const gn_shape shape = gn_shape_of(4, dims), weights = gn_shape_of(4, filter);
    const int images = gn_graph_add_input(g, "images", GN_DTYPE_F32, &shape);
    for (int m = 1; m >= 0; m--) {
        const int64_t window[2] = {8 << m, 8 << m};
        const gn_attr attrs[2] = {gn_attr_ints("kernel_shape", window, 2), gn_attr_ints("strides", window, 2)};
        int in[2] = {gn_graph_add_op(g, "AveragePool", "", NULL, &images, 1, attrs, 2),
                     gn_graph_add_state(g, m ? "coarse.weight" : "fine.weight", GN_DTYPE_F32, &weights, true)};
        float *w = (float *)gn_graph_value(g, in[1])->data->data;
        for (int64_t i = 0; i < gn_shape_count(&weights); i++)
            w[i] = gn_rng_range(&rng, -9, 9);
        raw[m] = gn_graph_add_op(g, "Conv", "", NULL, in, 2, NULL, 0);
    }
    const float scales[4] = {1, 1, 2, 2};
    const gn_attr mode = gn_attr_string("mode", "nearest");
    const int resize[3] = {raw[1], -1, gn_graph_add_const_f32(g, "scales", 4, scales)};
    const int sum[2] = {raw[0], gn_graph_add_op(g, "Resize", "", NULL, resize, 3, &mode, 1)};
    raw[0] = gn_graph_add_op(g, "Add", "", NULL, sum, 2, NULL, 0);
    gn_graph_meta_set(g, "gannet.imgsz", "64,32");
    gn_graph_meta_set(g, "gannet.mean", "0,0,0");
    gn_graph_meta_set(g, "gannet.std", "1,1,1");
    gn_graph_meta_set(g, "gannet.names", "[\"a\",\"b\",\"c\"]");
    if (gn_detect_finish(g, &d, raw, images, &err) != GN_OK)
        fail_msg("%s", err.message);
    return g;
}

static gn_session *open_graph(gn_graph *graph, gn_session_options options)
{
    gn_session *session = NULL;
    gn_error err = {0};
    options.threads = 1;
    if (gn_session_take_graph(&graph, &options, &session, &err) != GN_OK)
        fail_msg("%s", err.message);
    return session;
}

/* The graph as a file, opened again. */
static gn_session *open_packed(gn_graph *graph, gn_session_options options, bool keeps_maps)
{
    gn_session *session = NULL;
    gn_error err = {0};
    void *bytes = NULL;
    size_t n = 0;
    if (!keeps_maps)
        gn_graph_meta_set(graph, "gannet.raw", "lost0,lost1");
    options.threads = 1;
    if (gn_onnx_pack(graph, &(gn_onnx_write_options){.fold = true}, &bytes, &n, &err) != GN_OK ||
        gn_session_open_bytes(bytes, n, "m.onnx", &options, &session, &err) != GN_OK)
        fail_msg("%s", err.message);
    gn_free(bytes);
    gn_graph_destroy(&graph);
    return session;
}

static gn_image pattern(int width, int height)
{
    gn_image image = {0};
    assert_int_equal(gn_image_create(width, height, 3, &image), GN_OK);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < 3 * width; x++) /* blocks of 8 pixels: means that differ */
            image.data[(size_t)y * image.stride_bytes + (size_t)x] =
                (uint8_t)((unsigned)(x / 24 * 67 + y / 8 * 41 + x % 3 * 85) * 37u % 256u);
    return image;
}

static gn_prediction predict(gn_session *session, const gn_image *image)
{
    gn_prediction p;
    gn_error err = {0};
    if (gn_session_predict(session, image, &p, NULL, &err) != GN_OK)
        fail_msg("%s", err.message);
    return p;
}

static void same_predictions(const gn_prediction *a, const gn_prediction *b, double tolerance)
{
    assert_int_equal(a->n, b->n);
    for (int i = 0; i < a->n; i++) {
        const gn_object *x = &a->object[i], *y = &b->object[i];
        const double off =
            fmax(fmax(fabs((double)x->box.x1 - (double)y->box.x1), fabs((double)x->box.y1 - (double)y->box.y1)),
                 fmax(fabs((double)x->box.x2 - (double)y->box.x2), fabs((double)x->box.y2 - (double)y->box.y2)));
        assert_int_equal(x->cls, y->cls);
        if (off > tolerance || fabs((double)x->score - (double)y->score) > tolerance)
            fail_msg("object %d is %g px off, its score %g", i, off, fabs((double)x->score - (double)y->score));
    }
}

/* ---- objects ---- */

typedef struct wanted {
    gn_object object;
    int64_t order; /* candidate, then class */
} wanted;

static int by_score(const void *a, const void *b)
{
    const wanted *x = a, *y = b;
    if (x->object.score > y->object.score || x->object.score < y->object.score)
        return x->object.score > y->object.score ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* From the outputs of the last run, by hand; boxes stay in pixels of the input. */
static int plain_objects(const gn_session *session, const gn_session_options *o, float conf, float iou, wanted *out)
{
    static wanted all[2000];
    gn_shape shape;
    const float *scores = gn_session_output(session, 1, &shape), *boxes = gn_session_output(session, 0, NULL);
    int n = 0, kept = 0;
    for (int64_t a = 0; a < shape.dim[1]; a++) {
        int best = 0;
        for (int c = 0; c < CLASSES; c++)
            best = scores[a * CLASSES + c] > scores[a * CLASSES + best] ? c : best;
        for (int c = 0; c < CLASSES; c++)
            if (scores[a * CLASSES + c] >= conf && (o->multi_label || c == best)) {
                const float *b = boxes + 4 * a;
                all[n++] = (wanted){{{b[0], b[1], b[2], b[3]}, scores[a * CLASSES + c], c}, a * CLASSES + c};
            }
    }
    qsort(all, (size_t)n, sizeof *all, by_score);
    for (int i = 0; i < n && kept < (o->max_det ? o->max_det : GN_PREDICTION_MAX); i++) {
        bool goes = false;
        for (int k = 0; k < kept; k++)
            goes = goes || ((o->class_agnostic || out[k].object.cls == all[i].object.cls) &&
                            gn_box_iou(&out[k].object.box, &all[i].object.box) > (double)iou);
        if (!goes)
            out[kept++] = all[i];
    }
    return kept;
}

static void check_objects(gn_session_options options, const char *fit, const gn_image *image)
{
    static wanted want[2000];
    gn_graph *g = detector_graph();
    gn_graph_meta_set(g, "gannet.fit", fit);
    gn_session *session = open_graph(g, options);
    const gn_prediction p = predict(session, image);
    const int n = plain_objects(session, &options, options.has_conf ? options.conf : 0.25f,
                                options.has_iou ? options.iou : 0.7f, want);
    const double w = image->full_width, h = image->full_height;
    const bool is_letterbox = strcmp(fit, "letterbox") == 0;
    const double scale = fmin(WIDTH / w, HEIGHT / h), pad_x = (WIDTH - w * scale) / 2, pad_y = (HEIGHT - h * scale) / 2;
    int at = 0;
    for (int i = 0; i < n; i++) {
        const gn_box *b = &want[i].object.box;
        double box[4] = {b->x1, b->y1, b->x2, b->y2};
        for (int k = 0; k < 4; k++) {
            box[k] =
                is_letterbox ? (box[k] - (k % 2 ? pad_y : pad_x)) / scale : box[k] * (k % 2 ? h / HEIGHT : w / WIDTH);
            box[k] = fmin(fmax(box[k], 0), k % 2 ? h : w);
        }
        if (!(box[2] > box[0]) || !(box[3] > box[1]))
            continue;
        assert_true(at < p.n);
        const gn_object *o = &p.object[at++];
        assert_int_equal(o->cls, want[i].object.cls);
        assert_true(o->score >= want[i].object.score && o->score <= want[i].object.score);
        assert_true(fabs((double)o->box.x1 - box[0]) < 1e-3 && fabs((double)o->box.y1 - box[1]) < 1e-3 &&
                    fabs((double)o->box.x2 - box[2]) < 1e-3 && fabs((double)o->box.y2 - box[3]) < 1e-3);
    }
    assert_int_equal(at, p.n);
    assert_true(p.n >= 2);
    gn_session_close(&session);
}

static void objects_are_those_of_the_outputs(void **ctx)
{
    (void)ctx;
    gn_image image = pattern(256, 96);
    const gn_session_options all[] = {
        {0},
        {.has_conf = true, .conf = 0.05f, .multi_label = true},
        {.has_conf = true, .conf = 0.01f, .has_iou = true, .iou = 0.3f, .class_agnostic = true},
        {.has_conf = true, .conf = 0.001f, .max_det = 5},
        {.has_conf = true, .conf = 0, .has_iou = true, .iou = 1, .multi_label = true}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        check_objects(all[i], "letterbox", &image);
        check_objects(all[i], "stretch", &image);
    }
    gn_image_deinit(&image);
}

static void kinds_of_suppression(void **ctx)
{
    (void)ctx;
    gn_image image = pattern(100, 50);
    int n[GN_NMS_KINDS];
    for (int kind = 0; kind < GN_NMS_KINDS; kind++) {
        gn_session *session =
            open_graph(detector_graph(),
                       (gn_session_options){
                           .nms = (gn_nms_kind)kind, .has_conf = true, .conf = 0.02f, .has_iou = true, .iou = 0.3f});
        const gn_prediction p = predict(session, &image);
        for (int i = 1; i < p.n; i++)
            assert_true(p.object[i].score <= p.object[i - 1].score);
        n[kind] = p.n;
        gn_session_close(&session);
    }
    assert_true(n[GN_NMS_DIOU] >= n[GN_NMS_GREEDY] && n[GN_NMS_SOFT_LINEAR] > n[GN_NMS_GREEDY]);
    gn_image_deinit(&image);
}

/* ---- files ---- */

static void files_decode_as_the_graph_does(void **ctx)
{
    (void)ctx;
    gn_image image = pattern(150, 90);
    const gn_session_options o = {.has_conf = true, .conf = 0.1f};
    gn_session *graph = open_graph(detector_graph(), o), *file = open_packed(detector_graph(), o, true),
               *tail = open_packed(detector_graph(), o, false);
    const gn_prediction a = predict(graph, &image), b = predict(file, &image), c = predict(tail, &image);
    same_predictions(&a, &b, 0);
    same_predictions(&a, &c, 1e-4);
    /* one by our operator, the other by the file's own operators */
    assert_true(gn_graph_node_count(gn_session_graph(tail)) > gn_graph_node_count(gn_session_graph(file)) + 10);
    assert_int_equal(gn_session_output_count(file), 2);
    gn_session_close(&graph);
    gn_session_close(&file);
    gn_session_close(&tail);
    gn_image_deinit(&image);
}

static void other_sizes(void **ctx)
{
    (void)ctx;
    static const int sizes[][2] = {{128, 64}, {48, 96}, {16, 16}};
    gn_image image = pattern(120, 140);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const gn_session_options o = {.imgsz_w = sizes[i][0], .imgsz_h = sizes[i][1], .has_conf = true, .conf = 0.05f};
        gn_session *graph = open_graph(detector_graph(), o), *file = open_packed(detector_graph(), o, true);
        const gn_prediction a = predict(graph, &image), b = predict(file, &image);
        gn_shape shape;
        same_predictions(&a, &b, 0);
        gn_session_output(file, 0, &shape);
        assert_int_equal(shape.dim[1], 2 * (sizes[i][0] / 8 * sizes[i][1] / 8 + sizes[i][0] / 16 * sizes[i][1] / 16));
        gn_session_close(&graph);
        gn_session_close(&file);
    }
    gn_image_deinit(&image);
    gn_graph *g = detector_graph();
    gn_session *session = NULL;
    gn_error err = {0};
    assert_int_equal(
        gn_session_take_graph(&g, &(gn_session_options){.threads = 1, .imgsz_w = 72, .imgsz_h = 64}, &session, &err),
        GN_ESHAPE);
    assert_non_null(strstr(err.message, "72 x 64 px: the detector takes multiples of 16 px"));
}

static void batches(void **ctx)
{
    (void)ctx;
    static float x[3 * 3 * HEIGHT * WIDTH];
    gn_prediction one, of_three;
    for (int i = 0; i < 3 * 3 * HEIGHT * WIDTH; i++)
        x[i] = (float)((i * 7919 + i / 64 * 31) % 256) / 255;
    gn_session *session = open_packed(detector_graph(), (gn_session_options){.has_conf = true, .conf = 0.02f}, true);
    for (int k = 0; k < 3; k++) {
        assert_int_equal(gn_session_run(session, x + k * 3 * HEIGHT * WIDTH, 1, NULL), GN_OK);
        assert_int_equal(gn_session_decode(session, 0, 640, 320, &one), GN_OK);
        assert_int_equal(gn_session_run(session, x, 3, NULL), GN_OK);
        assert_int_equal(gn_session_decode(session, k, 640, 320, &of_three), GN_OK);
        assert_true(one.n > 0);
        same_predictions(&one, &of_three, 1e-4);
        assert_int_equal(gn_session_decode(session, 3, 640, 320, &of_three), GN_OK);
        assert_int_equal(of_three.n, 0);
    }
    gn_session_close(&session);
}

/* Restoring twice changes nothing; a graph that says nothing of maps stays as it is. */
static void restored_graphs(void **ctx)
{
    (void)ctx;
    gn_graph *g = detector_graph(), *back = NULL;
    gn_error err = {0};
    void *bytes = NULL;
    size_t n = 0;
    assert_int_equal(gn_onnx_pack(g, NULL, &bytes, &n, &err), GN_OK);
    assert_int_equal(gn_onnx_read_bytes(bytes, n, "m.onnx", NULL, &back, &err), GN_OK);
    gn_free(bytes);
    const int before = gn_graph_node_count(back);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(gn_detector_restore_tail(back, &err), GN_OK);
        assert_int_equal(gn_graph_node_count(back), gn_graph_node_count(g));
        assert_true(gn_graph_node_count(back) < before);
        assert_string_equal(gn_graph_value(back, gn_graph_output(back, 0))->name, "boxes");
        assert_string_equal(gn_graph_value(back, gn_graph_output(back, 1))->name, "scores");
    }
    gn_graph_destroy(&back);
    gn_graph_meta_set(g, "gannet.raw", "raw0");
    gn_graph_clear_outputs(g);
    gn_graph_add_output(g, gn_graph_find_value(g, "boxes"));
    assert_int_equal(gn_detector_restore_tail(g, &err), GN_EFORMAT);
    assert_non_null(strstr(err.message, "2 names were expected"));
    gn_graph_destroy(&g);
}

/* ---- metadata and options ---- */

static void refuses(const char *key, const char *value, gn_session_options options, gn_status expected,
                    const char *what)
{
    gn_graph *g = detector_graph();
    gn_session *session = NULL;
    gn_error err = {0};
    options.threads = 1;
    if (key)
        gn_graph_meta_set(g, key, value);
    assert_int_equal(gn_session_take_graph(&g, &options, &session, &err), expected);
    if (!strstr(err.message, what))
        fail_msg("'%s' does not say '%s'", err.message, what);
}

static void metadata(void **ctx)
{
    (void)ctx;
    gn_graph *g = detector_graph();
    gn_session *session = open_graph(g, (gn_session_options){0});
    const gn_model_info *info = gn_session_info(session);
    assert_int_equal(info->decode, GN_DECODE_DETECT);
    assert_int_equal(info->detector.n_maps, 2);
    assert_true(fabsf(info->conf - 0.25f) < 1e-6f && fabsf(info->iou - 0.7f) < 1e-6f);
    gn_session_close(&session);
    g = detector_graph();
    gn_graph_meta_set(g, "gannet.conf", "0.4");
    gn_graph_meta_set(g, "gannet.iou", "0.55");
    session = open_graph(g, (gn_session_options){0});
    info = gn_session_info(session);
    assert_true(fabsf(info->conf - 0.4f) < 1e-6f && fabsf(info->iou - 0.55f) < 1e-6f);
    gn_session_close(&session);
    const gn_session_options none = {0};
    refuses("gannet.iou", "1.5", none, GN_EFORMAT, "gannet.iou is '1.5'; a number from 0 to 1");
    refuses("gannet.conf", "x", none, GN_EFORMAT, "gannet.conf is 'x'");
    refuses("gannet.detector", "{\"kind\":\"yolov9\"}", none, GN_EFORMAT, "gannet.detector cannot be used");
    refuses(NULL, NULL, (gn_session_options){.max_det = GN_PREDICTION_MAX + 1}, GN_EINVAL, "objects per picture");
    refuses(NULL, NULL, (gn_session_options){.has_iou = true, .iou = 1.5f}, GN_EINVAL, "0 to 1");
    refuses(NULL, NULL, (gn_session_options){.has_conf = true, .conf = -1}, GN_EINVAL, "0 to 1");
}

static void no_boxes_and_scores(void **ctx)
{
    (void)ctx;
    gn_graph *g = detector_graph();
    gn_session *session = NULL;
    gn_error err = {0};
    gn_graph_clear_outputs(g);
    gn_graph_add_output(g, gn_graph_find_value(g, "raw0"));
    gn_graph_meta_set(g, "gannet.raw", "nowhere");
    assert_int_equal(gn_session_take_graph(&g, NULL, &session, &err), GN_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "boxes [N,A,4] and scores [N,A,C]"));
}

/* ---- the public interface ---- */

static void edge_runtime(void **ctx)
{
    (void)ctx;
    gn_graph *g = detector_graph();
    gn_image image = pattern(90, 60);
    void *bytes = NULL;
    size_t n_bytes = 0;
    assert_int_equal(gn_onnx_pack(g, NULL, &bytes, &n_bytes, NULL), GN_OK);
    gn_session *session =
        open_graph(g, (gn_session_options){.has_conf = true, .conf = 0.1f, .has_iou = true, .iou = 0.5f});
    const gn_prediction want = predict(session, &image);
    gn_session_close(&session);
    for (int max_det = 0; max_det <= 4; max_det += 4) {
        const gn_model_options o = {.threads = 1, .conf = 0.1f, .iou = 0.5f, .max_det = max_det};
        gn_model *model = NULL;
        gn_message message = {""};
        gn_found found[GN_PREDICTION_MAX];
        int n = -1;
        assert_int_equal(gn_model_open_bytes(bytes, n_bytes, &o, &model, &message), 0);
        assert_int_equal(
            gn_model_predict_rgb(model, image.data, 90, 60, image.stride_bytes, found, GN_PREDICTION_MAX, &n, &message),
            0);
        assert_true(want.n > 4);
        assert_true(max_det ? n > 0 && n <= max_det : n == want.n); /* one may lie outside the picture */
        for (int i = 0; i < n; i++) {
            assert_int_equal(found[i].cls, want.object[i].cls);
            assert_true(fabsf(found[i].x1 - want.object[i].box.x1) < 1e-3f &&
                        fabsf(found[i].score - want.object[i].score) < 1e-6f);
        }
        assert_string_equal(gn_model_class_name(model, 2), "c");
        gn_model_close(&model);
    }
    gn_free(bytes);
    gn_image_deinit(&image);
}

/* ---- memory that runs out ---- */

typedef struct counter {
    int64_t left; /* allocations until the one that fails */
    int64_t live;
} counter;

static void *counted_alloc(void *ctx, size_t bytes, size_t align)
{
    counter *c = ctx;
    if (c->left == 0)
        return NULL;
    c->left--;
    void *p = aligned_alloc(align, (bytes + align - 1) / align * align);
    c->live += p != NULL;
    return p;
}

static void counted_free(void *ctx, void *ptr)
{
    ((counter *)ctx)->live -= ptr != NULL;
    free(ptr);
}

static gn_status open_and_decode(const void *bytes, size_t n)
{
    static float x[3 * HEIGHT * WIDTH];
    gn_session *session = NULL;
    gn_prediction p;
    const gn_session_options o = {.threads = 1, .has_conf = true, .conf = 0, .multi_label = true};
    gn_status status = gn_session_open_bytes(bytes, n, "m.onnx", &o, &session, NULL);
    if (status == GN_OK)
        status = gn_session_run(session, x, 1, NULL);
    if (status == GN_OK)
        status = gn_session_decode(session, 0, 100, 100, &p);
    gn_session_close(&session);
    return status;
}

static void memory_runs_out_at_every_allocation(void **ctx)
{
    (void)ctx;
    gn_graph *g = detector_graph();
    void *packed = NULL;
    size_t n = 0;
    assert_int_equal(gn_onnx_pack(g, NULL, &packed, &n, NULL), GN_OK);
    gn_graph_destroy(&g);
    void *bytes = malloc(n);
    memcpy(bytes, packed, n);
    gn_free(packed);
    counter c = {0};
    const gn_allocator allocator = {counted_alloc, counted_free, &c};
    gn_set_allocator(&allocator);
    gn_status status = GN_ENOMEM;
    for (int64_t k = 0; k < 100000 && status != GN_OK; k++) {
        c.left = k;
        status = open_and_decode(bytes, n);
        if ((status != GN_OK && status != GN_ENOMEM) || c.live != 0) {
            gn_set_allocator(NULL);
            fail_msg("allocation %d fails: status %d, %d blocks left", (int)k, (int)status, (int)c.live);
        }
    }
    gn_set_allocator(NULL);
    free(bytes);
    assert_int_equal(status, GN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_those_of_the_outputs),
        cmocka_unit_test(kinds_of_suppression),
        cmocka_unit_test(files_decode_as_the_graph_does),
        cmocka_unit_test(other_sizes),
        cmocka_unit_test(batches),
        cmocka_unit_test(restored_graphs),
        cmocka_unit_test(metadata),
        cmocka_unit_test(no_boxes_and_scores),
        cmocka_unit_test(edge_runtime),
        cmocka_unit_test(memory_runs_out_at_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
