/* `gannet val` of a detector whose answers are known: figures by hand, classes that meet by name, crowds, the same detections scored again
 * from their JSON, the worst picture, the confidence written into the model.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "formats/onnx/onnx_format.h"
#include "graph/graph.h"
#include "image/image.h"
#include "ops/ops.h"
#include "program_fixture.h"

#define N_CANDIDATES 3
#define N_CLASSES    2

static void near(const gn_json *root, const char *key, double want)
{
    double x = -1;
    if (!gn_json_number(root, key, &x) || fabs(x - want) > 1e-9)
        fail_msg("%s is %.12g, %.12g was expected", key, x, want);
}

/* A linear layer without weights: the same numbers for every picture. */
static int constant(gn_graph *g, int features, const char *name, const float *values, int64_t n)
{
    char text[64];
    const gn_shape w_shape = gn_shape_make(2, (int)n, 3), b_shape = gn_shape_make(1, (int)n);
    snprintf(text, sizeof text, "%s.weight", name);
    const int w = gn_graph_add_state(g, text, GN_DTYPE_F32, &w_shape, true);
    snprintf(text, sizeof text, "%s.bias", name);
    const int b = gn_graph_add_state(g, text, GN_DTYPE_F32, &b_shape, true);
    memset(gn_graph_value(g, w)->data->data, 0, (size_t)n * 3 * sizeof(float));
    memcpy(gn_graph_value(g, b)->data->data, values, (size_t)n * sizeof(float));
    const int in[3] = {features, w, b};
    const gn_attr trans = gn_attr_int("transB", 1);
    return gn_graph_add_op(g, "Gemm", "", name, in, 3, &trans, 1);
}

static int reshaped(gn_graph *g, int value, const char *name, int64_t width)
{
    const int64_t dims[3] = {-1, N_CANDIDATES, width};
    char text[64];
    snprintf(text, sizeof text, "%s.shape", name);
    const int to = gn_graph_add_const_s64(g, text, 3, dims);
    const int in[2] = {value, to};
    return gn_graph_add_op(g, "Reshape", "", name, in, 2, NULL, 0);
}

/* Whatever it sees: a cat (0.9) in the upper left quarter, a dog (0.8) in the lower right one, a doubtful cat (0.3) above the middle. */
static void write_model(void)
{
    static const float boxes[N_CANDIDATES * 4] = {0, 0, 16, 16, 16, 16, 32, 32, 8, 0, 24, 8};
    const float no = -30, logits[N_CANDIDATES * N_CLASSES] = {2.1972246f, no, no, 1.3862944f, -0.8472979f, no};
    char path[400];
    gn_graph *g = NULL;
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
    const gn_shape images = gn_shape_make(4, -1, 3, 32, 32);
    const int x = gn_graph_add_input(g, "images", GN_DTYPE_F32, &images);
    const int pooled = gn_graph_add_op(g, "GlobalAveragePool", "", "pool", &x, 1, NULL, 0);
    const int flat = gn_graph_add_op(g, "Flatten", "", "flat", &pooled, 1, NULL, 0);
    const int b = constant(g, flat, "box_layer", boxes, N_CANDIDATES * 4);
    const int l = constant(g, flat, "class_layer", logits, N_CANDIDATES * N_CLASSES);
    const int s = gn_graph_add_op(g, "Sigmoid", "", "sigmoid", &l, 1, NULL, 0);
    assert_int_equal(gn_graph_add_output(g, reshaped(g, b, "boxes", 4)), GN_OK);
    assert_int_equal(gn_graph_add_output(g, reshaped(g, s, "scores", N_CLASSES)), GN_OK);
    gn_graph_meta_set(g, "gannet.task", "detect");
    gn_graph_meta_set(g, "gannet.head", "detect");
    gn_graph_meta_set(g, "gannet.decode", "detect");
    gn_graph_meta_set(g, "gannet.fit", "stretch");
    gn_graph_meta_set(g, "gannet.names", "[\"cat\", \"dog\"]");
    snprintf(path, sizeof path, "%s/model.onnx", program_folder);
    gn_error err = {0};
    if (gn_onnx_write(g, path, NULL, &err) != GN_OK)
        fail_msg("%s", err.message);
    gn_graph_destroy(&g);
}

static void put(const char *name, const char *text)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", program_folder, name);
    assert_int_equal(gn_file_write(path, text, strlen(text), NULL), GN_OK);
}

/* Pictures of 64 x 32 px: the first has a cat where the model says, the second a dog, and a crowd of cats that covers both others. */
#define SET(first, second)                                                                                             \
    "{\"images\": [{\"id\": 11, \"file_name\": \"p1.jpg\", \"width\": 64, \"height\": 32},\n"                          \
    "              {\"id\": 22, \"file_name\": \"p2.jpg\", \"width\": 64, \"height\": 32}],\n"                         \
    " \"categories\": [{\"id\": 3, \"name\": \"" first "\"}, {\"id\": 5, \"name\": \"" second "\"}],\n"                \
    " \"annotations\": [\n"                                                                                            \
    "  {\"id\": 1, \"image_id\": 11, \"category_id\": 5, \"bbox\": [0, 0, 32, 16], \"area\": 400, \"iscrowd\": 0},\n"  \
    "  {\"id\": 2, \"image_id\": 22, \"category_id\": 3, \"bbox\": [32, 16, 32, 16], \"area\": 500, \"iscrowd\": "     \
    "0},\n"                                                                                                            \
    "  {\"id\": 3, \"image_id\": 22, \"category_id\": 5, \"bbox\": [0, 0, 64, 16], \"area\": 900, \"iscrowd\": 1}]}\n"

static int setup(void **ctx)
{
    (void)ctx;
    if (!program_begin("detect"))
        return -1;
    char valid[300];
    snprintf(valid, sizeof valid, "%s/set/valid", program_folder);
    assert_int_equal(gn_make_dirs(valid, NULL), GN_OK);
    write_model();
    for (int i = 1; i <= 2; i++) {
        gn_image image;
        char path[400];
        assert_int_equal(gn_image_create(64, 32, 3, &image), GN_OK);
        for (int k = 0; k < 64 * 32 * 3; k++)
            image.data[k] = (uint8_t)(k * i * 7 % 251);
        snprintf(path, sizeof path, "%s/set/valid/p%d.jpg", program_folder, i);
        assert_int_equal(gn_image_save(path, &image, 90, NULL), GN_OK);
        gn_image_deinit(&image);
    }
    put("set/valid/_annotations.coco.json", SET("dog", "cat"));
    return 0;
}

static int teardown(void **ctx)
{
    (void)ctx;
    return program_end();
}

#define RUN "val model.onnx --data set --resamples 0 "

static void check_figures(const gn_json *root)
{
    near(root, "images", 2);
    near(root, "images_with_box", 2);
    near(root, "instances", 2);
    near(root, "detections", 6);
    /* Cats: the sure one is right in the first picture, both are in a crowd in the second.  Dogs: wrong, then right, with one score. */
    near(root, "map50_95", 0.75);
    near(root, "map50", 0.75);
    near(root, "ap_small", 0.75);
    near(root, "ar_100", 1);
    near(root, "precision", 0.75);
    near(root, "recall", 1);
    near(root, "f1", (1 + 2.0 / 3) / 2);
}

static void figures(void **state)
{
    (void)state;
    const gn_json *root = program_json(RUN "--batch 1 --json 2>/dev/null");
    check_figures(root);
    const gn_json *cat = gn_json_member(root, "classes")->first;
    assert_string_equal(gn_json_member(cat, "name")->text, "cat");
    near(cat, "map50_95", 1);
    near(cat->next, "map50_95", 0.5);
    near(cat->next, "instances", 1);
    double ms = -1;
    assert_true(gn_json_number(root, "speed_ms.infer", &ms) && ms > 0);
    assert_true(gn_json_number(root, "speed_ms.preprocess", &ms) && ms > 0);
    assert_true(gn_json_member(root, "loss")->kind == GN_JSON_NULL);
    assert_true(gn_json_member(root, "mean_iou")->kind == GN_JSON_NULL);
    check_figures(program_json(RUN "--batch 2 --threads 2 --json 2>/dev/null"));
    /* Only the surest object of each picture. */
    root = program_json(RUN "--max-det 1 --json 2>/dev/null");
    near(root, "detections", 2);
    near(root, "map50", 0.5);
    near(program_json(RUN "--conf 0.5 --json 2>/dev/null"), "detections", 4);
}

static void detections_scored_again(void **state)
{
    (void)state;
    program_expect(RUN "--save-json found.json 2>&1", 0, "mAP50-95");
    program_expect(
        "val --predictions found.json --data set/valid/_annotations.coco.json --resamples 0 --json 2>/dev/null", 0,
        "{");
    check_figures(program_json(
        "val --predictions found.json --data set/valid/_annotations.coco.json --resamples 0 --json 2>/dev/null"));
}

/* The same detections as YOLO's text files, and as a list for the set instead of its JSON. */
static void detections_for_a_set(void **state)
{
    (void)state;
    char path[400];
    snprintf(path, sizeof path, "%s/texts", program_folder);
    assert_int_equal(gn_make_dirs(path, NULL), GN_OK);
    program_expect("val --predictions texts --data set 2>&1", 3, "no text file");
    /* class (of the set: dog 0, cat 1) cx cy w h confidence */
    put("texts/p1.txt", "1 0.25 0.25 0.5 0.5 0.9\n0 0.75 0.75 0.5 0.5 0.8\n\n1 0.5 0.125 0.5 0.25 0.3\n");
    put("texts/p2.txt", "1 0.25 0.25 0.5 0.5 0.9\r\n0 0.75 0.75 0.5 0.5 0.8\r\n1 0.5 0.125 0.5 0.25 0.3");
    check_figures(program_json("val --predictions texts --data set --resamples 0 --json 2>/dev/null"));
    program_expect("val --predictions texts --data set --resamples 0 --worst 2 --worst-dir bad2 2>&1", 0, "1 mistakes");
    snprintf(path, sizeof path, "%s/bad2/01_p1.jpg", program_folder);
    assert_true(gn_path_bytes(path) > 500);
    program_expect(RUN "--save-json found2.json 2>&1", 0, "mAP50-95");
    check_figures(program_json("val --predictions found2.json --data set --resamples 0 --json 2>/dev/null"));

    put("texts/p2.txt", "1 0.25 0.25 0.5 0.5\n");
    program_expect("val --predictions texts --data set 2>&1", 3, "p2.txt:1: five numbers");
    put("texts/p2.txt", "\n2 0.25 0.25 0.5 0.5 0.5\n");
    program_expect("val --predictions texts --data set 2>&1", 3, "p2.txt:2: class 2");
    put("texts/p2.txt", "1 0.25 nan 0.5 0.5 0.5\n");
    program_expect("val --predictions texts --data set 2>&1", 3, "not finite");
    put("texts/p2.txt", "1 0.25 0.5 0.5 0.5 0.5 7\n");
    program_expect("val --predictions texts --data set 2>&1", 3, "were expected");
    put("texts/p2.txt", "cat 0.25 0.5 0.5 0.5 0.5\n");
    program_expect("val --predictions texts --data set 2>&1", 3, "'cat 0.25");
    put("list.json", "[{\"image_id\": 12, \"category_id\": 3, \"bbox\": [1, 1, 2, 2], \"score\": 1}]");
    program_expect("val --predictions list.json --data set 2>&1", 3, "image_id 12");
    put("list.json", "[{\"image_id\": 11, \"category_id\": 4, \"bbox\": [1, 1, 2, 2], \"score\": 1}]");
    program_expect("val --predictions list.json --data set 2>&1", 3, "category_id 4");
}

static void worst_picture_and_confidence(void **state)
{
    (void)state;
    char path[400];
    program_expect(RUN "--worst 5 --worst-dir bad --write-conf --curves curves --sheet sheet.png 2>&1", 0,
                   "1 mistakes");
    snprintf(path, sizeof path, "%s/sheet.png", program_folder);
    assert_true(gn_path_bytes(path) > 1000);
    snprintf(path, sizeof path, "%s/bad/01_p1.jpg", program_folder);
    assert_true(gn_path_bytes(path) > 500);
    snprintf(path, sizeof path, "%s/bad/02_p2.jpg", program_folder);
    assert_false(gn_path_exists(path)); /* nothing wrong with it */
    snprintf(path, sizeof path, "%s/curves/PR_curve.png", program_folder);
    assert_true(gn_path_bytes(path) > 1000);
    gn_graph *g = NULL;
    snprintf(path, sizeof path, "%s/model.onnx", program_folder);
    assert_int_equal(gn_onnx_read(path, gn_ops_registry(), &g, NULL), GN_OK);
    const char *conf = gn_graph_meta_get(g, "gannet.conf");
    assert_non_null(conf);
    assert_true(fabs(atof(conf) - 0.8) < 1e-5);
    gn_graph_destroy(&g);
    /* Measuring does not heed it: mAP wants the unsure ones, too. */
    check_figures(program_json(RUN "--json 2>/dev/null"));
}

static const gn_json *read_document(gn_arena *arena, const char *name)
{
    char path[400], *text = NULL;
    size_t bytes = 0;
    const gn_json *root = NULL;
    snprintf(path, sizeof path, "%s/%s", program_folder, name);
    assert_int_equal(gn_file_read(path, 1u << 22, &text, &bytes, NULL), GN_OK);
    assert_int_equal(gn_json_parse(text, bytes, arena, &root, NULL), GN_OK);
    gn_free(text);
    return root;
}

static int length(const gn_json *array)
{
    int n = 0;
    for (const gn_json *at = array->first; at != NULL; at = at->next)
        n++;
    return n;
}

/* What a report shows: the figures of the model above, as files. */
static void documents(void **state)
{
    (void)state;
    gn_arena *arena = gn_arena_create(0);
    const char *text = NULL;
    char path[400];
    program_expect(RUN "--documents docs --best 1 --best-dir good 2>&1", 0, "best pictures      F1 1.00");
    snprintf(path, sizeof path, "%s/good/01_p2.jpg", program_folder);
    assert_true(gn_path_bytes(path) > 500);
    const gn_json *curves = read_document(arena, "docs/curves.json");
    assert_int_equal(length(gn_json_member(curves, "recall")), 101);
    const gn_json *all = gn_json_member(curves, "classes")->first;
    assert_int_equal(length(gn_json_member(curves, "classes")), 3);
    assert_int_equal(length(gn_json_member(all, "precision")), 101);
    near(all, "ap50", 0.75);
    near(all->next, "ap50", 1);
    near(all, "truths", 2);
    const gn_json *confusion = read_document(arena, "docs/confusion.json");
    assert_int_equal(length(gn_json_member(confusion, "names")), 3);
    assert_true(gn_json_member(confusion, "count")->first->first->number == 1); /* cats that were called cats */
    const gn_json *calibration = read_document(arena, "docs/calibration.json");
    /* In the first picture the sure cat is right, the doubtful one and the dog are not; in the second the dog is. */
    near(calibration, "n", 4);
    near(gn_json_member(calibration, "bins")->first->next->next, "n", 1);
    const gn_json *pictures = read_document(arena, "docs/pictures.json");
    assert_true(gn_json_string(pictures, "metric", &text) && strcmp(text, "f1") == 0);
    const gn_json *first = gn_json_member(pictures, "pictures")->first;
    assert_true(gn_json_string(first, "name", &text) && strcmp(text, "p1.jpg") == 0);
    near(first, "score", 0.6667); /* the dog is wrong, at the best confidence of 0.8 */
    near(first->next, "score", 1);
    /* A single box has no score: no curves, but an overlap per picture; and names can be hidden. */
    program_expect(
        "val mobilenet_v2@0.35 --head box --imgsz 32 --data set --resamples 0 --documents single --hide-names "
        "--worst 2 --worst-dir low 2>&1",
        0, "worst pictures     IoU");
    assert_true(gn_json_string(read_document(arena, "single/curves.json"), "reason", &text));
    assert_true(gn_json_string(read_document(arena, "single/calibration.json"), "reason", &text));
    pictures = read_document(arena, "single/pictures.json");
    assert_true(gn_json_string(pictures, "metric", &text) && strcmp(text, "iou") == 0);
    first = gn_json_member(pictures, "pictures")->first;
    assert_true(gn_json_string(first, "name", &text) && strlen(text) == 16 && strchr(text, '.') == NULL);
    program_expect("val --predictions docs/pictures.json --data set/valid/_annotations.coco.json --documents x 2>&1", 3,
                   "");
    gn_arena_destroy(&arena);
}

static void what_does_not_fit(void **state)
{
    (void)state;
    program_expect(RUN "--min-map50-95 0.76 2>&1", 4, "--min-map50-95");
    put("set/valid/_annotations.coco.json", SET("cow", "cat"));
    near(program_json(RUN "--json 2>/dev/null"), "map50", 0); /* two of two classes meet by number: all wrong */
    put("set/valid/_annotations.coco.json",
        "{\"images\": [{\"id\": 1, \"file_name\": \"p1.jpg\", \"width\": 64, \"height\": 32}], \"categories\": ["
        "{\"id\": 1, \"name\": \"a\"}, {\"id\": 2, \"name\": \"b\"}, {\"id\": 3, \"name\": \"c\"}],"
        "\"annotations\": [{\"id\": 1, \"image_id\": 1, \"category_id\": 3, \"bbox\": [1, 1, 5, 5]}]}");
    program_expect(RUN "2>&1", 3, "2 classes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures),
        cmocka_unit_test(detections_scored_again),
        cmocka_unit_test(detections_for_a_set),
        cmocka_unit_test(worst_picture_and_confidence),
        cmocka_unit_test(documents),
        cmocka_unit_test(what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
