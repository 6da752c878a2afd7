/* Data sets from COCO's JSON: layouts, sparse categories, crowds, numbers, and everything that does not fit together.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"
#include "data_fixture.h"
#include "set_checks.h"

#define CATEGORIES                                                                                                     \
    "\"categories\": [{\"id\": 90, \"name\": \"toothbrush\"}, {\"id\": 1, \"name\": \"person\"}, "                     \
    "{\"id\": 3, \"name\": \"car\"}]"

static const char good[] =
    "{\"images\": [\n"
    " {\"id\": 42, \"file_name\": \"a.png\", \"width\": 100, \"height\": 50},\n"
    " {\"id\": 7, \"file_name\": \"b.png\", \"width\": 64, \"height\": 64},\n"
    " {\"id\": 9, \"file_name\": \"c.png\", \"width\": 64, \"height\": 64}],\n"
    "\"annotations\": [\n"
    " {\"id\": 1001, \"image_id\": 42, \"category_id\": 90, \"bbox\": [10.5, 5.25, 20, 30], \"area\": 412.5, "
    "\"iscrowd\": 0},\n"
    " {\"id\": 900100000042, \"image_id\": 42, \"category_id\": 1, \"bbox\": [0, 0, 100, 50], \"area\": 4000, "
    "\"iscrowd\": 1},\n"
    " {\"id\": 1002, \"image_id\": 7, \"category_id\": 1, \"bbox\": [1, 2, 3, 4]}],\n" CATEGORIES "}";

static void draw_three(void *const *state, const char *folder)
{
    char name[128];
    snprintf(name, sizeof name, "%s/a.png", folder);
    fixture_picture(state, name, 100, 50, 1);
    snprintf(name, sizeof name, "%s/b.png", folder);
    fixture_picture(state, name, 64, 64, 2);
    snprintf(name, sizeof name, "%s/c.png", folder);
    fixture_picture(state, name, 64, 64, 3);
}

static void check_good(const gn_dataset *d, gn_split split)
{
    assert_int_equal(gn_dataset_problem_count(d), 0);
    assert_int_equal(gn_dataset_count(d, split), 3);
    assert_int_equal(gn_dataset_classes(d), 3);
    assert_string_equal(gn_dataset_class_name(d, 0), "person");
    assert_string_equal(gn_dataset_class_name(d, 1), "car"); /* no picture has it */
    assert_string_equal(gn_dataset_class_name(d, 2), "toothbrush");
    assert_int_equal(gn_dataset_category_id(d, 0), 1);
    assert_int_equal(gn_dataset_category_id(d, 2), 90);
    const gn_sample *a = set_sample(d, split, "a.png"), *b = set_sample(d, split, "b.png");
    assert_int_equal(a->id, 42);
    assert_int_equal(a->n_boxes, 2);
    assert_int_equal(a->cls[0], 2);
    assert_true(set_box_is(a, 0, 10.5, 5.25, 30.5, 35.25));
    assert_true(a->flags != NULL && a->flags[0] == 0 && a->flags[1] == GN_BOX_CROWD);
    assert_true(a->box_id[0] == 1001 && a->box_id[1] == 900100000042);
    assert_true(a->area[0] == 412.5 && a->area[1] == 4000);
    assert_null(b->flags);
    assert_null(b->area);
    assert_int_equal(b->id, 7);
    const gn_sample *c = set_sample(d, split, "c.png"); /* without labels: background */
    assert_int_equal(c->n_boxes, 0);
    assert_int_equal(c->id, 9);
    assert_int_equal(gn_dataset_problem_counts(d).missing_labels, 0);
}

/* The same file wherever people put it and its pictures. */
static void test_layouts(void **state)
{
    static const struct {
        const char *json, *pictures, *open;
        gn_split split;
    } layouts[] = {
        {"one/any.json", "one", "one/any.json", GN_SPLIT_TRAIN},
        {"two/annotations/instances_val2017.json", "two/val2017", "two", GN_SPLIT_VAL},
        {"three/annotations/instances_train2017.json", "three/images/train2017", "three", GN_SPLIT_TRAIN},
        {"four/annotations/instances_test.json", "four/images", "four", GN_SPLIT_TEST},
        {"five/valid/_annotations.coco.json", "five/valid", "five", GN_SPLIT_VAL},
        {"six/labels.json", "six/data", "six/labels.json", GN_SPLIT_TRAIN},
        {"nine/result.json", "nine/images", "nine", GN_SPLIT_TRAIN},
        {"seven/annotations/instances_val2017.json", "seven/val2017", "seven/annotations/instances_val2017.json",
         GN_SPLIT_VAL},
        {"eight/annotations/instances_val.json", "eight/images/val", "eight", GN_SPLIT_VAL},
    };
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        fixture_write(state, layouts[i].json, good);
        draw_three(state, layouts[i].pictures);
        gn_dataset *d = set_open(fixture_path(state, layouts[i].open));
        assert_string_equal(gn_dataset_format(d), "COCO");
        check_good(d, layouts[i].split);
        gn_dataset_close(&d);
    }
    fixture_write(state, "nine/package.json", "{\"name\": \"no set\"}"); /* other JSON beside it is nothing to it */
    gn_dataset *n = set_open(fixture_path(state, "nine"));
    check_good(n, GN_SPLIT_TRAIN);
    gn_dataset_close(&n);
    fixture_write(state, "two/annotations/other.json", "{\"name\": \"no set\"}");
    fixture_zip_folder(state, "set.zip", "two", "wrapped/");
    gn_dataset *d = set_open(fixture_path(state, "set.zip"));
    assert_string_equal(gn_dataset_format(d), "zip of COCO");
    check_good(d, GN_SPLIT_VAL);
    gn_dataset_close(&d);
}

static void test_two_files(void **state)
{
    fixture_write(state, "annotations/instances_train.json", good);
    draw_three(state, "images/train");
    fixture_write(state, "annotations/instances_val.json",
                  "{\"categories\": [{\"id\": 2, \"name\": \"bicycle\"}, {\"id\": 1, \"name\": \"person\"}],"
                  "\"images\": [{\"id\": 42, \"file_name\": \"d.png\"}],"
                  "\"annotations\": [{\"id\": 1001, \"image_id\": 42, \"category_id\": 2, \"bbox\": [1, 1, 2, 2]}]}");
    fixture_picture(state, "images/val/d.png", 40, 40, 4);
    fixture_write(state, "annotations/captions_val.json", "{\"images\": [], \"annotations\": []}");
    gn_dataset *d = set_open(fixture_path(state, "."));
    assert_int_equal(gn_dataset_classes(d), 4); /* 1, 2, 3, 90 */
    assert_string_equal(gn_dataset_class_name(d, 1), "bicycle");
    assert_int_equal(set_sample(d, GN_SPLIT_TRAIN, "a.png")->cls[0], 3);
    assert_int_equal(set_sample(d, GN_SPLIT_VAL, "d.png")->cls[0], 1);
    assert_int_equal(gn_dataset_problem_counts(d).duplicate_ids, 0); /* numbers are a file's own */
    gn_dataset_close(&d);
    fixture_write(
        state, "annotations/instances_val.json",
        "{\"categories\": [{\"id\": 1, \"name\": \"face\"}], \"images\": [{\"id\": 1, \"file_name\": \"d.png\"}],"
        "\"annotations\": []}");
    set_refuse(fixture_path(state, "."), GN_EFORMAT, "category 1 is named");
}

static void test_everything_wrong(void **state)
{
    draw_three(state, ".");
    fixture_write(
        state, "bad.json",
        "{\"images\": [\n"
        " {\"id\": 1, \"file_name\": \"a.png\", \"width\": 100, \"height\": 50},\n"
        " {\"id\": 1, \"file_name\": \"b.png\"},\n"                                   /* 3: the number again */
        " {\"id\": 2, \"file_name\": \"gone.png\"},\n"                                /* 4 */
        " {\"id\": 3, \"file_name\": \"b.png\", \"width\": 64, \"height\": 32},\n"    /* 5: another shape */
        " {\"id\": 4, \"file_name\": \"c.png\", \"width\": 128, \"height\": 128}],\n" /* twice the size */
        "\"annotations\": [\n"
        " {\"id\": 1, \"image_id\": 1, \"category_id\": 1, \"bbox\": [-20, 10, 40, 20]},\n" /* 8: cut */
        " {\"id\": 2, \"image_id\": 1, \"category_id\": 1, \"bbox\": [10, 10, 0, 20]},\n"   /* 9: empty */
        " {\"id\": 3, \"image_id\": 1, \"category_id\": 1, \"bbox\": [200, 10, 5, 5]},\n"   /* 10: outside */
        " {\"id\": 4, \"image_id\": 1, \"category_id\": 8, \"bbox\": [1, 1, 5, 5]},\n"      /* 11: category */
        " {\"id\": 5, \"image_id\": 77, \"category_id\": 1, \"bbox\": [1, 1, 5, 5]},\n"     /* 12: image */
        " {\"id\": 6, \"image_id\": 2, \"category_id\": 1, \"bbox\": [1, 1, 5, 5]},\n"      /* not there */
        " {\"id\": 1, \"image_id\": 1, \"category_id\": 3, \"bbox\": [1, 1, 5, 5]},\n"      /* 14: again */
        " {\"id\": 7, \"image_id\": 1, \"category_id\": 1, \"bbox\": [NaN, 1, 5, 5]},\n"    /* 15 */
        " {\"id\": 8, \"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 1, 5]},\n"         /* 16 */
        " {\"id\": 9, \"image_id\": 1, \"category_id\": 1, \"bbox\": [99.5, 10, 1, 5]},\n"  /* half a pixel: fine */
        " {\"id\": 10, \"image_id\": 4, \"category_id\": 1, \"bbox\": [64, 0, 64, 128]}],\n" CATEGORIES "}");
    gn_dataset *d = set_open(fixture_path(state, "bad.json"));
    const gn_problem_counts c = gn_dataset_problem_counts(d);
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 2);
    const gn_sample *a = set_sample(d, GN_SPLIT_TRAIN, "a.png");
    assert_int_equal(a->n_boxes, 3);
    assert_true(set_box_is(a, 0, 0, 10, 20, 30));
    assert_true(set_box_is(a, 2, 99.5, 10, 100, 15));
    assert_true(set_box_is(set_sample(d, GN_SPLIT_TRAIN, "c.png"), 0, 32, 0, 64, 64));
    assert_int_equal(c.clipped_boxes, 1);
    assert_int_equal(c.empty_boxes, 1);
    assert_int_equal(c.orphan_boxes, 2);
    assert_int_equal(c.duplicate_ids, 2);
    assert_int_equal(c.missing_pictures, 1);
    assert_int_equal(c.wrong_sizes, 1);
    assert_int_equal(c.rescaled_pictures, 1);
    assert_int_equal(c.bad_label_lines, 4); /* outside, category, NaN, three numbers */
    assert_true(set_has_problem(d, "bad.json", 3, "image 1 stands twice"));
    assert_true(set_has_problem(d, "bad.json", 4, "gone.png"));
    assert_true(set_has_problem(d, "bad.json", 5, "64 x 32 pixels, but has 64 x 64"));
    assert_true(set_has_problem(d, "bad.json", 8, "annotation 1 reaches outside the picture of 100 x 50 pixels; cut"));
    assert_true(set_has_problem(d, "bad.json", 9, "has no area"));
    assert_true(set_has_problem(d, "bad.json", 10, "reaches outside"));
    assert_true(set_has_problem(d, "bad.json", 11, "category 8"));
    assert_true(set_has_problem(d, "bad.json", 12, "image 77, which the file does not list"));
    assert_true(set_has_problem(d, "bad.json", 14, "annotation 1 stands twice"));
    assert_true(set_has_problem(d, "bad.json", 15, "is no box"));
    assert_true(set_has_problem(d, "bad.json", 16, "bbox of 4 numbers"));
    gn_dataset_close(&d);
}

/* A picture none of whose boxes can be used is no background. */
static void test_spoilt(void **state)
{
    draw_three(state, ".");
    fixture_write(state, "s.json",
                  "{\"images\": [{\"id\": 1, \"file_name\": \"a.png\"}, {\"id\": 2, \"file_name\": \"b.png\"}],"
                  "\"annotations\": [{\"id\": 1, \"image_id\": 1, \"category_id\": 1, \"bbox\": [5, 5, 0, 0]},"
                  "{\"id\": 2, \"image_id\": 2, \"category_id\": 1, \"bbox\": [5, 5, 9, 9]}]," CATEGORIES "}");
    gn_dataset *d = set_open(fixture_path(state, "s.json"));
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 1);
    assert_int_equal(gn_dataset_problem_counts(d).spoilt_pictures, 1);
    gn_dataset_close(&d);
}

static void test_refusals(void **state)
{
    fixture_write(state, "cut.json", "{\"images\": [{\"id\": 1, \"file_na");
    set_refuse(fixture_path(state, "cut.json"), GN_EFORMAT, "is the file complete?");
    fixture_write(state, "other.json", "{\"version\": \"5.0\", \"shapes\": []}");
    set_refuse(fixture_path(state, "other.json"), GN_EFORMAT, "no \"images\"");
    fixture_write(state, "detections.json", "[{\"image_id\": 1}]");
    set_refuse(fixture_path(state, "detections.json"), GN_EFORMAT, "as detections are written");
    fixture_write(state, "lost.json", good);
    set_refuse(fixture_path(state, "lost.json"), GN_EDATA, "none of its pictures is there");
    draw_three(state, ".");
    fixture_write(state, "classless.json",
                  "{\"images\": [{\"id\": 1, \"file_name\": \"a.png\"}], \"annotations\": []}");
    set_refuse(fixture_path(state, "classless.json"), GN_EDATA, "no category");
    fixture_write(state, "folder.json/x", "");
    set_refuse(fixture_path(state, "folder.json"), GN_EDATA, "no picture");
}

/* 5,000 pictures and 36,000 boxes: the size of COCO's val, on one small picture that is linked 5,000 times. */
static void test_large(void **state)
{
    gn_text t;
    gn_text_init(&t);
    fixture_picture(state, "images/p0.png", 64, 48, 1);
    gn_text_add(&t, "{\"images\": [");
    for (int i = 0; i < 2000; i++)
        gn_text_printf(&t, "%s{\"id\": %d, \"file_name\": \"p0.png\", \"width\": 64, \"height\": 48}", i > 0 ? "," : "",
                       3 * i);
    gn_text_add(&t, "], \"annotations\": [");
    for (int i = 0; i < 36000; i++)
        gn_text_printf(&t, "%s{\"id\": %d, \"image_id\": %d, \"category_id\": 1, \"bbox\": [%d, %d, %d, 5.5]}",
                       i > 0 ? "," : "", i, 3 * (i % 2000), i % 50, i % 40, 1 + i % 13);
    gn_text_add(&t, "]," CATEGORIES "}");
    fixture_write(state, "l.json", t.data);
    gn_text_deinit(&t);
    gn_dataset *d = set_open(fixture_path(state, "l.json"));
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 1); /* the same picture, taken once */
    assert_int_equal(gn_dataset_problem_counts(d).duplicate_pictures, 1999);
    assert_int_equal(gn_dataset_sample(d, GN_SPLIT_TRAIN, 0)->n_boxes, 18);
    gn_dataset_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_layouts, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_two_files, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_everything_wrong, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_spoilt, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_refusals, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_large, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
