/* COCO's JSON: values, kinds of damage, cut files, limits of memory, and the real file that pycocotools ships.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "data/coco_json.h"
#include "data/json_pull.h"
#include "data_fixture.h"

static const char small[] =
    "{\"info\": {\"year\": 2014, \"x\": [null, true, false, {\"a\": [1e3, -2.5E-2]}]},\n"
    " \"annotations\": [\n"
    "  {\"id\": 11, \"image_id\": 42, \"category_id\": 18, \"bbox\": [473.07, 395.93, 38.65, 28.67], \"area\": 702.1,\n"
    "   \"iscrowd\": 0, \"segmentation\": [[510.66, 423.01, 511.72]]},\n"
    "  {\"id\": 900100259571, \"image_id\": 42, \"category_id\": 1, \"bbox\": [1, 419, 600.0, 1e1], \"iscrowd\": 1,\n"
    "   \"segmentation\": {\"counts\": [272, 2], \"size\": [240, 320]}, \"ignore\": 1, \"difficult\": true},\n"
    "  {\"image_id\": \"7\", \"category_id\": 1.0, \"bbox\": [NaN, -1, 0, 5]},\n"
    "  {\"id\": 12, \"category_id\": 1, \"bbox\": [1, 2, 3, 4]},\n"
    "  {\"id\": 13, \"image_id\": 42, \"category_id\": 1, \"bbox\": [1, 2, 3]},\n"
    "  {\"id\": 14, \"image_id\": 42, \"category_id\": 1, \"bbox\": null}],\n"
    " \"images\": [{\"id\": 42, \"file_name\": \"a/\\u00e9\\ud83d\\ude00.jpg\", \"width\": 640, \"height\": 480},\n"
    "  {\"id\": 7, \"width\": -3}, {\"file_name\": \"x.jpg\"}],\n"
    " \"categories\": [{\"id\": 18, \"name\": \"dog\", \"supercategory\": \"animal\"}, {\"id\": 1}, {\"name\": "
    "\"b\"}]}\n";

static void test_values(void **state)
{
    (void)state;
    gn_coco_file f;
    assert_int_equal(gn_coco_file_parse(small, sizeof small - 1, "small.json", &f, NULL), GN_OK);
    assert_int_equal(f.n_images, 2);
    assert_int_equal(f.n_categories, 2);
    assert_int_equal(f.n_annotations, 3);
    assert_int_equal(f.n_bad, 5);
    assert_int_equal(f.n_problems, 5);
    assert_string_equal(f.problem[0].message, "annotation 12 has no image_id");
    assert_int_equal(f.problem[0].line, 8);
    assert_string_equal(f.problem[1].message, "annotation 13 has no bbox of 4 numbers");
    assert_string_equal(f.problem[4].message, "category 'b' has no id");
    const gn_coco_annotation *a = f.annotation;
    assert_true(a[0].id == 11 && a[0].image_id == 42 && a[0].category_id == 18 && !a[0].is_crowd);
    assert_true(a[0].x == 473.07 && a[0].y == 395.93 && a[0].w == 38.65 && a[0].h == 28.67 && a[0].area == 702.1);
    assert_true(a[1].id == 900100259571 && a[1].is_crowd && a[1].is_ignored && a[1].is_difficult && a[1].h == 10);
    assert_true(a[1].area == -1 && a[1].line == 5);
    assert_true(a[2].id == -1 && a[2].image_id == 7 && a[2].category_id == 1 && a[2].x != a[2].x && a[2].y == -1);
    assert_string_equal(f.image[0].file_name, "a/\xc3\xa9\xf0\x9f\x98\x80.jpg");
    assert_true(f.image[0].width == 640 && f.image[0].height == 480);
    assert_true(f.image[1].width == 0 && f.image[1].height == 0 && f.image[1].file_name[0] == '\0');
    assert_string_equal(f.category[1].name, "1");
    gn_coco_file_deinit(&f);
}

/* Cut at any byte it is an error that names the file, and never a crash; only the whole is a file. */
static void test_every_cut(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof small - 2; n++) {
        char *copy = malloc(n + 1);
        memcpy(copy, small, n);
        gn_coco_file f;
        gn_error err = {0};
        assert_int_equal(gn_coco_file_parse(copy, n, "cut.json", &f, &err), GN_EFORMAT);
        assert_string_equal(err.file, "cut.json");
        free(copy);
    }
}

static void test_damage(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "ends here"},
        {"[]", "this JSON is a list"},
        {"7", "expected an object"},
        {"{}", "no \"images\""},
        {"{\"images\": []}", "no \"annotations\""},
        {"{\"images\": {}, \"annotations\": []}", "expected an array"},
        {"{\"images\": [7], \"annotations\": []}", "expected an object"},
        {"{\"images\": [], \"annotations\": []} x", "nothing more"},
        {"{\"images\": [], \"annotations\": [],}", "a name in quotes"},
        {"{\"images\": [,], \"annotations\": []}", "an object"},
        {"{\"images\": [{\"id\": 1 \"x\": 2}], \"annotations\": []}", "',' or '}'"},
        {"{\"images\": [{\"id\": 01}], \"annotations\": 5}", "an array"},
        {"{\"images\": [{\"file_name\": \"a\nb\"}], \"annotations\": []}", "the rest of a text"},
        {"{\"images\": [{\"file_name\": \"\\q\"}], \"annotations\": []}", "after a backslash"},
        {"{\"images\": [{\"file_name\": \"\\u12g4\"}], \"annotations\": []}", "hexadecimal"},
        {"{\"images\": [{\"id\": -}], \"annotations\": []}", "a digit"},
        {"{\"images\": [{\"x\": nul}], \"annotations\": []}", "null"},
        {"\xff\xfe{", "0xff"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gn_coco_file f;
        gn_error err = {0};
        assert_int_equal(gn_coco_file_parse(cases[i].text, strlen(cases[i].text), "bad.json", &f, &err), GN_EFORMAT);
        if (strstr(err.message, cases[i].message) == NULL)
            fail_msg("case %zu: '%s' lacks '%s'", i, err.message, cases[i].message);
    }
}

static void test_depth_and_length(void **state)
{
    (void)state;
    const size_t n = 200000;
    char *text = malloc(n + 64);
    gn_coco_file f;
    gn_error err = {0};
    memcpy(text, "{\"x\":", 5);
    memset(text + 5, '[', n);
    assert_int_equal(gn_coco_file_parse(text, n, "deep.json", &f, &err), GN_ELIMIT);
    memcpy(text, "{\"images\":[{\"file_name\":\"", 25);
    memset(text + 25, 'a', n);
    assert_int_equal(gn_coco_file_parse(text, n, "long.json", &f, &err), GN_ELIMIT);
    memcpy(text, "{\"images\":[{\"id\":", 17);
    memset(text + 17, '7', n);
    assert_int_equal(gn_coco_file_parse(text, n, "digits.json", &f, &err), GN_ELIMIT);
    free(text);
}

/* 64 MB of outlines that end in the middle: one line, and no more memory than a piece of the file. */
static void test_large_cut_file(void **state)
{
    const char *path = fixture_path(state, "large.json");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs("{\"images\": [{\"id\": 1}], \"annotations\": [{\"id\": 1, \"image_id\": 1, \"segmentation\": [[1", file);
    static char block[1 << 16];
    for (size_t i = 0; i < sizeof block; i += 8)
        memcpy(block + i, ", 123.45", 8);
    for (int i = 0; i < 1024; i++)
        assert_int_equal(fwrite(block, 1, sizeof block, file), sizeof block);
    fclose(file);
    const uint64_t before = gn_memory_stats_get().live_bytes;
    gn_coco_file f;
    gn_error err = {0};
    assert_int_equal(gn_coco_file_read(path, &f, &err), GN_EFORMAT);
    assert_non_null(strstr(err.message, "is the file complete?"));
    assert_true(err.offset > (64 << 20));
    assert_true(gn_memory_stats_get().live_bytes == before);
    assert_true(gn_memory_stats_get().peak_bytes < (8u << 20));
}

static void test_detections(void **state)
{
    (void)state;
    const char *text =
        "[{\"image_id\": 42, \"category_id\": 18, \"bbox\": [258.15, 41.29, 348.26, 243.78], \"score\": 0.236},\n"
        " {\"image_id\": \"000000000042\", \"category_id\": 1, \"bbox\": [1,2,3,4], \"score\": 1},\n"
        " {\"image_id\": \"abc\", \"category_id\": 1, \"bbox\": [1,2,3,4], \"score\": 1},\n"
        " {\"image_id\": 1, \"category_id\": 1, \"bbox\": [1,2,3,4]}]";
    gn_coco_detections d;
    assert_int_equal(gn_coco_detections_parse(text, strlen(text), "d.json", &d, NULL), GN_OK);
    assert_int_equal(d.n, 3);
    assert_int_equal(d.n_bad, 1);
    assert_null(d.item[1].image_name);
    assert_true(d.item[2].image_id == -1 && strcmp(d.item[2].image_name, "abc") == 0);
    assert_true(d.item[0].score == 0.236 && d.item[0].x == 258.15 && d.item[0].category_id == 18);
    assert_int_equal(d.item[1].image_id, 42);
    assert_int_equal(d.problem[0].line, 4);
    gn_coco_detections_deinit(&d);
    gn_error err = {0};
    assert_int_equal(gn_coco_detections_parse("{}", 2, "d.json", &d, &err), GN_EFORMAT);
    assert_non_null(strstr(err.message, "expected a list of detections"));
    assert_int_equal(gn_coco_detections_parse("[]", 2, "d.json", &d, &err), GN_OK);
    assert_int_equal(d.n, 0);
    gn_coco_detections_deinit(&d);
}

static void test_looks_like(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is;
    } cases[] = {{"{\"info\": {}, \"images\": [", true},
                 {"{\"categories\": 5", true},
                 {"{\"shapes\": []}", false},
                 {"[{\"images\": []}]", false},
                 {"images", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool is = !cases[i].is;
        assert_int_equal(gn_coco_file_is(cases[i].text, strlen(cases[i].text), &is), GN_OK);
        assert_int_equal(is, cases[i].is);
    }
}

/* The numbers were counted with Python's json. */
static void test_real_file(void **state)
{
    (void)state;
    char path[1024];
    if (fixture_real_data() == NULL)
        skip();
    snprintf(path, sizeof path, "%s/coco_eval/cocoapi/instances_val2014_100.json", fixture_real_data());
    if (!gn_path_exists(path))
        skip();
    gn_coco_file f;
    assert_int_equal(gn_coco_file_read(path, &f, NULL), GN_OK);
    assert_int_equal(f.n_images, 100);
    assert_int_equal(f.n_categories, 80);
    assert_int_equal(f.n_bad, 0);
    int64_t crowds = 0;
    double area = 0, corners = 0;
    for (int64_t i = 0; i < f.n_annotations; i++) {
        crowds += f.annotation[i].is_crowd;
        area += f.annotation[i].area;
        corners += f.annotation[i].x + f.annotation[i].y + f.annotation[i].w + f.annotation[i].h;
    }
    assert_int_equal(f.n_annotations, 839);
    assert_int_equal(crowds, 9);
    assert_float_equal(area, 9155024.0064, 1e-3);
    assert_float_equal(corners, 532272.3, 1e-3);
    gn_coco_file_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_depth_and_length),
        cmocka_unit_test_setup_teardown(test_large_cut_file, fixture_setup, fixture_teardown),
        cmocka_unit_test(test_detections),
        cmocka_unit_test(test_looks_like),
        cmocka_unit_test(test_real_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
