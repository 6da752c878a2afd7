/* `gannet val --predictions`: figures of COCO's own pair of files, figures by hand, floors, pictures, and what it says of broken files.
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
#include "program_fixture.h"

static double number(const gn_json *root, const char *path)
{
    double x = -1;
    if (!gn_json_number(root, path, &x))
        fail_msg("no number %s in %s", path, program_output);
    return x;
}

static void put(const char *name, const char *text)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", program_folder, name);
    assert_int_equal(gn_file_write(path, text, strlen(text), NULL), GN_OK);
}

/* Ids are sparse and in no order; picture 9 is empty; a crowd of cats. */
static const char truth[] =
    "{\"images\": [{\"id\": 40, \"file_name\": \"b.jpg\"}, {\"id\": 7, \"file_name\": \"a.jpg\"}, {\"id\": 9}],\n"
    " \"categories\": [{\"id\": 18, \"name\": \"dog\"}, {\"id\": 17, \"name\": \"cat\"}],\n"
    " \"annotations\": [\n"
    "  {\"id\": 1, \"image_id\": 7, \"category_id\": 18, \"bbox\": [10, 10, 20, 20], \"area\": 300, \"iscrowd\": 0},\n"
    "  {\"id\": 2, \"image_id\": 40, \"category_id\": 18, \"bbox\": [0, 0, 100, 100], \"area\": 9500, \"iscrowd\": "
    "0},\n"
    "  {\"id\": 3, \"image_id\": 40, \"category_id\": 17, \"bbox\": [200, 0, 50, 50], \"area\": 2400, \"iscrowd\": "
    "0},\n"
    "  {\"id\": 4, \"image_id\": 7, \"category_id\": 17, \"bbox\": [100, 100, 80, 80], \"area\": 5000, \"iscrowd\": "
    "1}]}\n";

static const char dets[] = "[{\"image_id\": 7, \"category_id\": 18, \"bbox\": [10, 10, 20, 20], \"score\": 0.9},\n"
                           " {\"image_id\": 40, \"category_id\": 18, \"bbox\": [300, 300, 10, 10], \"score\": 0.8},\n"
                           " {\"image_id\": 40, \"category_id\": 18, \"bbox\": [0, 0, 100, 70], \"score\": 0.7},\n"
                           " {\"image_id\": 7, \"category_id\": 17, \"bbox\": [110, 110, 20, 20], \"score\": 0.95},\n"
                           " {\"image_id\": 40, \"category_id\": 17, \"bbox\": [200, 0, 50, 50], \"score\": 0.5}]\n";

static int setup(void **ctx)
{
    (void)ctx;
    if (!program_begin("scores"))
        return -1;
    put("truth.json", truth);
    put("dets.json", dets);
    return 0;
}

static int teardown(void **ctx)
{
    (void)ctx;
    return program_end();
}

#define RUN "val --predictions dets.json --data truth.json --resamples 0 "

static void near(const gn_json *root, const char *key, double want)
{
    if (fabs(number(root, key) - want) > 1e-9)
        fail_msg("%s is %.12g, %.12g was expected", key, number(root, key), want);
}

static void figures_by_hand(void **state)
{
    (void)state;
    const gn_json *root = program_json(RUN "--json 2>/dev/null");
    near(root, "images", 3);
    near(root, "images_with_box", 2);
    near(root, "instances", 3);
    near(root, "detections", 5);
    /* Dogs: 1 up to recall 0.5, then 2/3 (0.7 of overlap: up to IoU 0.7); cats: all found, the crowd swallows one. */
    const double both = (51 + 50 * 2.0 / 3) / 101, half = 51.0 / 101;
    near(root, "map50", (both + 1) / 2);
    near(root, "map75", (half + 1) / 2);
    near(root, "map50_95", ((5 * both + 5 * half) / 10 + 1) / 2);
    near(root, "ap_small", 1); /* the dog of 300 square pixels */
    near(root, "ap_medium", 1);
    near(root, "confidence", 0.5);
    const gn_json *cat = gn_json_member(root, "classes")->first;
    assert_string_equal(gn_json_member(cat, "name")->text, "cat"); /* by rising id */
    near(cat, "map50_95", 1);
    near(cat, "voc_ap", 0.5); /* VOC knows no crowds: the detection in it is wrong */
    near(cat->next, "map50", both);
    assert_null(cat->next->next);
    assert_non_null(gn_json_member(root, "seconds"));
}

static void table_and_floors(void **state)
{
    (void)state;
    program_expect(RUN "2>&1", 0, "mAP50-95");
    assert_non_null(strstr(program_output, "dog"));
    program_expect(RUN "--min-map50 0.9 2>&1", 0, "all");
    program_expect(RUN "--min-map50 0.95 2>&1", 4, "--min-map50 0.95");
    program_expect(RUN "--min-map50-95 0.9 2>&1", 4, "--min-map50-95 0.9");
    program_expect("val --predictions dets.json --data truth.json --resamples 20 --json 2>/dev/null", 0,
                   "\"map50_95\": [");
}

static void drawn_curves(void **state)
{
    (void)state;
    static const char *const files[] = {"PR_curve.png", "P_curve.png", "R_curve.png", "F1_curve.png",
                                        "confusion_matrix.png"};
    program_expect(RUN "--curves new/curves 2>&1", 0, "all");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[400];
        snprintf(path, sizeof path, "%s/new/curves/%s", program_folder, files[i]);
        assert_true(gn_path_bytes(path) > 1000);
    }
}

static void usage(void **state)
{
    (void)state;
    program_expect("val --predictions dets.json 2>&1", 2, "--data");
    program_expect("val --data truth.json 2>&1", 2, "MODEL");
    program_expect("val model.onnx --predictions dets.json --data truth.json 2>&1", 2, "one of them");
    program_expect(RUN "--worst 3 2>&1", 2, "--worst");
    program_expect(RUN "--sheet x.png 2>&1", 2, "--sheet");
    program_expect(RUN "--save-json x.json 2>&1", 2, "--save-json");
}

/* One clear line, and exit code 3. */
static void broken(const char *name, const char *text, const char *word)
{
    char line[300];
    put(name, text);
    snprintf(line, sizeof line, "val --predictions %s --data truth.json 2>&1", name);
    program_expect(line, 3, word);
    const char *end = strchr(program_output, '\n');
    assert_true(end != NULL && end[1] == '\0');
    assert_non_null(strstr(program_output, name));
}

static void broken_results(void **state)
{
    (void)state;
    broken("image.json",
           "[{\"image_id\": 7, \"category_id\": 18, \"bbox\": [1, 1, 2, 2], \"score\": 1},\n"
           " {\"image_id\": 8, \"category_id\": 18, \"bbox\": [1, 1, 2, 2], \"score\": 1}]",
           "image_id 8");
    assert_non_null(strstr(program_output, "image.json:2"));
    broken("category.json", "[{\"image_id\": 7, \"category_id\": 1, \"bbox\": [1, 1, 2, 2], \"score\": 1}]",
           "category_id 1");
    broken("nan.json", "[{\"image_id\": 7, \"category_id\": 18, \"bbox\": [1, NaN, 2, 2], \"score\": 1}]", "nan.json");
    broken("huge.json", "[{\"image_id\": 7, \"category_id\": 18, \"bbox\": [1, 1e999, 2, 2], \"score\": 1}]",
           "huge.json");
    broken("box.json", "[{\"image_id\": 7, \"category_id\": 18, \"bbox\": [1, 1, 2], \"score\": 1}]", "bbox");
    broken("score.json", "[{\"image_id\": 7, \"category_id\": 18, \"bbox\": [1, 1, 2, 2]}]", "score");
    char cut[200];
    snprintf(cut, sizeof cut, "%.150s", dets);
    broken("cut.json", cut, "cut.json");
    broken("empty.json", "", "empty.json");
    broken("object.json", "{\"a\": 1}", "object.json");
    program_expect("val --predictions absent.json --data truth.json 2>&1", 3, "absent.json");
}

static void broken_truth(void **state)
{
    (void)state;
    put("cut_truth.json", "{\"images\": [{\"id\": 1");
    program_expect("val --predictions dets.json --data cut_truth.json 2>&1", 3, "cut_truth.json");
    put("no_images.json", "{\"images\": [], \"categories\": [{\"id\": 1, \"name\": \"a\"}], \"annotations\": []}");
    program_expect("val --predictions dets.json --data no_images.json 2>&1", 3, "no images");
    put("list.json", "[1, 2]");
    program_expect("val --predictions dets.json --data list.json 2>&1", 3, "list.json");
    /* Annotations that point nowhere are left out and told; no detection at all is a score of 0. */
    put("loose.json",
        "{\"images\": [{\"id\": 7}], \"categories\": [{\"id\": 18, \"name\": \"dog\"}], \"annotations\": ["
        "{\"id\": 1, \"image_id\": 7, \"category_id\": 18, \"bbox\": [1, 1, 5, 5], \"area\": 25},"
        "{\"id\": 2, \"image_id\": 99, \"category_id\": 18, \"bbox\": [1, 1, 5, 5], \"area\": 25}]}");
    put("none.json", "[]");
    program_expect("val --predictions none.json --data loose.json 2>&1", 0,
                   "1 annotations of images that are not listed");
    const gn_json *root = program_json("val --predictions none.json --data loose.json --json 2>/dev/null");
    near(root, "map50_95", 0);
    near(root, "ar_100", 0);
}

/* Twelve numbers of pycocotools' own test. */
static void coco_pair(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        double value;
    } expected[] = {
        {"map50_95", .5046},  {"map50", .6970},    {"map75", .5730},     {"ap_small", .5856},
        {"ap_medium", .5194}, {"ap_large", .5014}, {"ar_1", .3868},      {"ar_10", .5937},
        {"ar_100", .5954},    {"ar_small", .6398}, {"ar_medium", .5664}, {"ar_large", .5643},
    };
    const char *data = getenv("GANNET_DATA");
    char line[2500], pair[1000];
    snprintf(pair, sizeof pair, "%s/coco_eval/cocoapi", data && *data ? data : GN_SOURCE_DIR "/../shared/data");
    if (!gn_path_is_dir(pair)) {
        print_message("skipped: no %s\n", pair);
        skip();
    }
    snprintf(line, sizeof line,
             "val --predictions %s/instances_val2014_fakebbox100_results.json --data %s/instances_val2014_100.json "
             "--resamples 0 --json 2>/dev/null",
             pair, pair);
    const gn_json *root = program_json(line);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (fabs(number(root, expected[i].key) - expected[i].value) > 0.00005)
            fail_msg("%s is %.6f, %.4f was expected", expected[i].key, number(root, expected[i].key),
                     expected[i].value);
    near(root, "images", 100);
    near(root, "instances", 830);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_by_hand), cmocka_unit_test(table_and_floors), cmocka_unit_test(drawn_curves),
        cmocka_unit_test(usage),           cmocka_unit_test(broken_results),   cmocka_unit_test(broken_truth),
        cmocka_unit_test(coco_pair),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
