/* Sessions: batches, plans, memory, metadata, from pictures to boxes, and the public interface of the edge runtime.
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

#include "formats/onnx/onnx_format.h"
#include "gannet/gannet.h"
#include "run/session.h"
#include "run_fixture.h"

#define SIZE  8
#define PLANE (SIZE * SIZE)

static gn_session *open_graph(gn_graph *graph, gn_session_options options)
{
    gn_session *session = NULL;
    gn_error err = {0};
    if (gn_session_take_graph(&graph, &options, &session, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_null(graph);
    return session;
}

/* Picture n has the values n+1, n+2, n+3 in its three planes. */
static float *planes(int n)
{
    float *x = gn_alloc((size_t)n * 3 * PLANE * sizeof *x);
    for (int i = 0; i < n * 3 * PLANE; i++)
        x[i] = (float)(i / (3 * PLANE) + i / PLANE % 3 + 1);
    return x;
}

static const float weights[12] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1}, biases[4] = {0.5f, 0, 0, -1};

static void check_batch(gn_session *session, const float *x, int n)
{
    gn_error err = {0};
    gn_shape shape;
    if (gn_session_run(session, x, n, &err) != GN_OK)
        fail_msg("%s", err.message);
    const float *y = gn_session_output(session, 0, &shape);
    assert_int_equal(shape.rank, 2);
    assert_int_equal(shape.dim[0], n);
    assert_int_equal(shape.dim[1], 4);
    for (int i = 0; i < n; i++) {
        const float want[4] = {(float)i + 1.5f, (float)i + 2, (float)i + 3, 3.0f * (float)i + 5};
        for (int k = 0; k < 4; k++)
            assert_true(fabsf(y[4 * i + k] - want[k]) < 1e-5f);
    }
}

static void test_batches_and_plans(void **ctx)
{
    (void)ctx;
    gn_session *session =
        open_graph(fixture_means_after_conv(SIZE, SIZE, 4, weights, biases), (gn_session_options){.threads = 2});
    assert_int_equal(gn_session_threads(session), 2);
    float *x = planes(12);
    /* More sizes than plans are kept, and back again. */
    for (int n = 1; n <= 12; n++)
        check_batch(session, x, n);
    check_batch(session, x, 1);
    check_batch(session, x, 12);
    gn_error err = {0};
    assert_int_equal(gn_session_run(session, x, 0, &err), GN_EINVAL);
    assert_int_equal(gn_session_run(session, x, GN_SESSION_MAX_BATCH + 1, &err), GN_EINVAL);
    gn_free(x);
    gn_session_close(&session);
    assert_null(session);
}

static void test_second_run_allocates_nothing(void **ctx)
{
    (void)ctx;
    gn_session *session =
        open_graph(fixture_means_after_conv(SIZE, SIZE, 4, weights, biases), (gn_session_options){.threads = 2});
    float *x = planes(3);
    check_batch(session, x, 3);
    uint64_t before = gn_memory_stats_get().allocations;
    check_batch(session, x, 3);
    check_batch(session, x, 3);
    assert_int_equal(gn_memory_stats_get().allocations, before);
    gn_free(x);
    gn_session_close(&session);
}

static void test_released_weights(void **ctx)
{
    (void)ctx;
    gn_session *session =
        open_graph(fixture_means_after_conv(SIZE, SIZE, 4, weights, biases), (gn_session_options){.threads = 1});
    float *x = planes(3);
    gn_error err = {0};
    assert_int_equal(gn_session_prepare(session, 1, &err), GN_OK);
    assert_int_equal(gn_session_prepare(session, 3, &err), GN_OK);
    size_t before = gn_session_memory_bytes(session);
    gn_session_release_weights(session);
    assert_true(gn_session_memory_bytes(session) < before);
    check_batch(session, x, 1);
    check_batch(session, x, 3);
    assert_int_equal(gn_session_run(session, x, 2, &err), GN_EINVAL);
    gn_free(x);
    gn_session_close(&session);
}

/* A borrowed graph keeps its weights, whatever the session does. */
static void test_borrowed_graph(void **ctx)
{
    (void)ctx;
    gn_graph *graph = fixture_means_after_conv(SIZE, SIZE, 4, weights, biases);
    float *x = planes(2);
    gn_session *session = NULL;
    gn_error err = {0};
    assert_int_equal(gn_session_open_graph(graph, NULL, &session, &err), GN_OK);
    assert_int_equal(gn_session_prepare(session, 2, &err), GN_OK);
    gn_session_release_weights(session);
    check_batch(session, x, 2);
    gn_session_close(&session);
    assert_memory_equal(gn_graph_value(graph, gn_graph_find_value(graph, "head.weight"))->data->data, weights,
                        sizeof weights);
    const gn_value *scale = gn_graph_value(graph, gn_graph_find_value(graph, "bn.weight"));
    assert_true(((const float *)scale->data->data)[2] == 1);
    gn_free(x);
    gn_graph_destroy(&graph);
}

static void test_what_cannot_be_opened(void **ctx)
{
    (void)ctx;
    gn_session *session = NULL;
    gn_error err = {0};
    gn_graph *graph = fixture_means(SIZE, SIZE, 4, weights, biases);
    assert_int_equal(gn_session_open_graph(graph, &(gn_session_options){.threads = -1}, &session, &err), GN_EINVAL);
    assert_int_equal(gn_session_open_graph(graph, &(gn_session_options){.threads = 257}, &session, &err), GN_EINVAL);
    gn_shape shape = gn_shape_make(2, -1, 4);
    gn_graph_add_input(graph, "second", GN_DTYPE_F32, &shape);
    assert_int_equal(gn_session_open_graph(graph, NULL, &session, &err), GN_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "2 inputs"));
    gn_graph_destroy(&graph);
    assert_int_equal(gn_session_open("/nonexistent.onnx", NULL, &session, &err), GN_ENOENT);
    assert_null(session);
}

static void test_metadata(void **ctx)
{
    (void)ctx;
    static const struct {
        const char *key, *value;
    } bad[] = {
        {"gannet.imgsz", "224"},      {"gannet.imgsz", "0,5"}, {"gannet.imgsz", "a,b"},   {"gannet.mean", "1,2"},
        {"gannet.mean", "1,2,3,4"},   {"gannet.std", "1,0,1"}, {"gannet.std", "1,nan,1"}, {"gannet.fit", "crop"},
        {"gannet.conf", "1.5"},       {"gannet.names", "{}"},  {"gannet.names", "[1]"},   {"gannet.names", "[\"a\""},
        {"gannet.decode", "anchors"},
    };
    gn_arena *arena = gn_arena_create(0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gn_graph *graph = fixture_means(SIZE, SIZE, 4, weights, biases);
        gn_model_info info;
        gn_error err = {0};
        assert_int_equal(gn_model_info_read(graph, arena, &info, &err), GN_OK);
        gn_graph_meta_set(graph, bad[i].key, bad[i].value);
        gn_status status = gn_model_info_read(graph, arena, &info, &err);
        assert_int_equal(status, strcmp(bad[i].key, "gannet.decode") == 0 ? GN_EUNSUPPORTED : GN_EFORMAT);
        assert_true(strlen(err.message) > 10);
        gn_graph_destroy(&graph);
    }
    gn_graph *graph = fixture_means(48, 32, 4, weights, biases);
    gn_graph_meta_set(graph, "gannet.fit", "letterbox");
    gn_graph_meta_set(graph, "gannet.mean", "0.1,0.2,0.3");
    gn_graph_meta_set(graph, "gannet.names", "[\"face\",\"m\\u00e4sk\"]");
    gn_model_info info;
    assert_int_equal(gn_model_info_read(graph, arena, &info, NULL), GN_OK);
    assert_int_equal(info.imgsz_w, 48);
    assert_int_equal(info.imgsz_h, 32);
    assert_true(info.is_letterbox);
    assert_true(info.mean[2] == 0.3f);
    char number[16];
    assert_string_equal(gn_model_info_class(&info, 1, number), "m\xc3\xa4sk");
    assert_string_equal(gn_model_info_class(&info, 7, number), "7");
    gn_graph_destroy(&graph);
    gn_arena_destroy(&arena);
}

/* ---- pictures ---- */

static gn_prediction predict(gn_graph *graph, gn_session_options options, int width, int height, uint8_t grey)
{
    gn_session *session = open_graph(graph, options);
    gn_image image = {0};
    gn_prediction p;
    gn_error err = {0};
    assert_int_equal(gn_image_create(width, height, 3, &image), GN_OK);
    for (int y = 0; y < height; y++)
        memset(image.data + (size_t)y * image.stride_bytes, grey, (size_t)width * 3);
    if (gn_session_predict(session, &image, &p, NULL, &err) != GN_OK)
        fail_msg("%s", err.message);
    gn_image_deinit(&image);
    gn_session_close(&session);
    return p;
}

static void check_box(const gn_prediction *p, double x1, double y1, double x2, double y2)
{
    assert_int_equal(p->n, 1);
    const gn_box *b = &p->object[0].box;
    const double got[4] = {b->x1, b->y1, b->x2, b->y2}, want[4] = {x1, y1, x2, y2};
    for (int i = 0; i < 4; i++)
        if (fabs(got[i] - want[i]) > 1e-3)
            fail_msg("corner %d is %g, %g was expected", i, got[i], want[i]);
}

static void test_boxes_land_in_the_picture(void **ctx)
{
    (void)ctx;
    static const float box[4] = {0.25f, 0.5f, 0.75f, 0.875f}, outside[4] = {-0.5f, 0.25f, 1.5f, 0.5f},
                       turned[4] = {0.75f, 0.5f, 0.25f, 0.25f};
    const gn_session_options one = {.threads = 1};
    gn_graph *g = fixture_means(32, 32, 4, NULL, box);
    gn_graph_meta_set(g, "gannet.decode", "box_xyxy01");
    gn_prediction p = predict(g, one, 200, 80, 7);
    check_box(&p, 50, 40, 150, 70);
    assert_true(p.object[0].score == 1);
    g = fixture_means(32, 32, 4, NULL, box);
    gn_graph_meta_set(g, "gannet.decode", "box_xyxy01");
    gn_graph_meta_set(g, "gannet.fit", "letterbox");
    p = predict(g, one, 160, 80, 7); /* scale 0.2: 32 x 16, 8 rows above and below */
    check_box(&p, 0.25 * 160, (16 - 8) / 0.2, 0.75 * 160, 80);
    g = fixture_means(32, 32, 4, NULL, outside);
    gn_graph_meta_set(g, "gannet.decode", "box_xyxy01");
    p = predict(g, one, 100, 40, 7);
    check_box(&p, 0, 10, 100, 20);
    g = fixture_means(32, 32, 4, NULL, turned);
    gn_graph_meta_set(g, "gannet.decode", "box_xyxy01");
    p = predict(g, one, 100, 40, 7);
    check_box(&p, 25, 10, 75, 20);
}

static void test_scores(void **ctx)
{
    (void)ctx;
    static const float sure[5] = {0, 0, 1, 1, 3}, unsure[5] = {0, 0, 1, 1, -3};
    gn_session_options options = {.threads = 1};
    for (int i = 0; i < 3; i++) {
        gn_graph *g = fixture_means(16, 16, 5, NULL, i == 0 ? sure : unsure);
        gn_graph_meta_set(g, "gannet.decode", "box_xyxy01_score");
        options.has_conf = i == 2;
        options.conf = 0.01f;
        gn_prediction p = predict(g, options, 10, 10, 0);
        assert_int_equal(p.n, i == 1 ? 0 : 1); /* the default confidence of a score is 0.5 */
        if (p.n)
            assert_true(fabs((double)p.object[0].score - 1 / (1 + exp(i == 0 ? -3.0 : 3.0))) < 1e-6);
    }
}

/* Normalisation reaches the network: a grey picture's value comes out of the means. */
static void test_classes_and_normalisation(void **ctx)
{
    (void)ctx;
    static const float w[18] = {2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0}, b[6] = {0, 0, 0, -9, -9, -9};
    gn_graph *g = fixture_means(16, 16, 6, w, b);
    gn_graph_meta_set(g, "gannet.task", "classify");
    gn_graph_meta_set(g, "gannet.mean", "0.5,0.25,0");
    gn_graph_meta_set(g, "gannet.std", "0.5,0.25,1");
    gn_prediction p =
        predict(g, (gn_session_options){.threads = 1}, 30, 20, 255); /* inputs 1, 3, 1: logits 2, 6, 2, -9, -9, -9 */
    assert_int_equal(p.n, 5);
    assert_int_equal(p.object[0].cls, 1);
    double sum = 2 * exp(2) + exp(6) + 3 * exp(-9);
    assert_true(fabs((double)p.object[0].score - exp(6) / sum) < 1e-5);
    assert_int_equal(p.object[1].cls, 0);
    assert_int_equal(p.object[2].cls, 2);
    assert_true(p.object[0].box.x2 == 30 && p.object[0].box.y2 == 20);
}

/* ---- the public interface ---- */

static void test_edge_runtime(void **ctx)
{
    (void)ctx;
    static const float box[4] = {0.25f, 0.5f, 0.75f, 1};
    gn_graph *g = fixture_means_after_conv(SIZE, SIZE, 4, NULL, box);
    gn_graph_meta_set(g, "gannet.decode", "box_xyxy01");
    gn_graph_meta_set(g, "gannet.names", "[\"face\"]");
    void *bytes = NULL;
    size_t n_bytes = 0;
    assert_int_equal(gn_onnx_pack(g, NULL, &bytes, &n_bytes, NULL), GN_OK);
    gn_graph_destroy(&g);
    gn_model *model = NULL;
    gn_message message = {""};
    assert_int_equal(gn_model_open_bytes(bytes, n_bytes, NULL, &model, &message), 0);
    gn_free(bytes);
    int w = 0, h = 0, n = -1;
    gn_model_input_size(model, &w, &h);
    assert_int_equal(w, SIZE);
    assert_int_equal(h, SIZE);
    assert_string_equal(gn_model_class_name(model, 0), "face");
    assert_string_equal(gn_model_class_name(model, 5), "");
    uint8_t rgb[20 * 70] = {0};
    gn_found found[3];
    assert_int_equal(gn_model_predict_rgb(model, rgb, 20, 20, 70, found, 3, &n, &message), 0);
    assert_int_equal(n, 1);
    assert_true(fabsf(found[0].x1 - 5) < 1e-4f && fabsf(found[0].y2 - 20) < 1e-4f);
    assert_int_equal(gn_model_predict_rgb(model, rgb, 20, 20, 70, found, 0, &n, &message), 0);
    assert_int_equal(n, 0);
    assert_int_not_equal(gn_model_predict_rgb(model, rgb, 20, 20, 59, found, 3, &n, &message), 0);
    assert_int_equal(gn_model_predict_bytes(model, "no picture", 10, found, 3, &n, &message), GN_EFORMAT);
    assert_true(strlen(message.text) > 10);
    float *x = planes(2);
    const float *y = NULL;
    int64_t per_item = 0, ns[3];
    assert_int_equal(gn_model_run(model, x, 2, &y, &per_item, &message), 0);
    assert_int_equal(per_item, 4);
    assert_true(y[7] == 1);
    gn_model_times(model, ns);
    assert_true(ns[1] > 0);
    gn_free(x);
    gn_model_close(&model);
    assert_null(model);
    assert_int_equal(gn_model_open("/nonexistent.onnx", NULL, &model, &message), GN_ENOENT);
    assert_non_null(strstr(message.text, "nonexistent"));
    assert_non_null(gn_version());
    assert_string_equal(gn_code_text(0), "ok");
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

static gn_status open_and_run(const void *bytes, size_t n)
{
    static const float x[2 * 3 * PLANE] = {0};
    gn_session *session = NULL;
    gn_error err = {0};
    gn_status status = gn_session_open_bytes(bytes, n, "m.onnx", &(gn_session_options){.threads = 1}, &session, &err);
    if (status == GN_OK)
        status = gn_session_run(session, x, 2, &err);
    gn_session_close(&session);
    return status;
}

static void test_memory_runs_out_at_every_allocation(void **ctx)
{
    (void)ctx;
    gn_graph *g = fixture_means_after_conv(SIZE, SIZE, 4, weights, biases);
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
        status = open_and_run(bytes, n);
        assert_true(status == GN_OK || status == GN_ENOMEM);
        assert_int_equal(c.live, 0);
    }
    gn_set_allocator(NULL);
    free(bytes);
    assert_int_equal(status, GN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_and_plans),
        cmocka_unit_test(test_second_run_allocates_nothing),
        cmocka_unit_test(test_released_weights),
        cmocka_unit_test(test_borrowed_graph),
        cmocka_unit_test(test_what_cannot_be_opened),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_boxes_land_in_the_picture),
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_classes_and_normalisation),
        cmocka_unit_test(test_edge_runtime),
        cmocka_unit_test(test_memory_runs_out_at_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
