/* Sets written as YOLO, COCO and VOC, and read again: what comes back bit for bit, what is rounded, what is lost and said to be.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "data/dataset_write.h"
#include "data_fixture.h"
#include "set_checks.h"

static gn_write_report convert(void *const *state, const char *from, gn_data_format format, gn_data_pictures pictures,
                               const char *to)
{
    gn_dataset *d = set_open(fixture_path(state, from));
    gn_write_report report = {0};
    gn_error err = {0};
    if (gn_dataset_write(d, format, pictures, fixture_path(state, to), &report, &err) != GN_OK)
        fail_msg("%s to %s: %s", from, to, err.message);
    gn_dataset_close(&d);
    return report;
}

typedef struct likeness {
    bool picture_ids, box_ids, flags, areas;
    double pixels; /* how far a corner may move; 0: the same bits */
} likeness;

static const char *stem_of(const gn_sample *s, size_t *n)
{
    const char *name = gn_path_name(s->path);
    *n = strlen(name) - strlen(gn_path_ext(name));
    return name;
}

static void same_sample(const gn_sample *a, const gn_sample *b, const likeness *like)
{
    size_t n, m;
    const char *x = stem_of(a, &n), *y = stem_of(b, &m);
    assert_true(n == m && strncmp(x, y, n) == 0);
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->n_boxes, b->n_boxes);
    if (like->picture_ids)
        assert_int_equal(a->id, b->id);
    for (int i = 0; i < a->n_boxes; i++) {
        assert_int_equal(a->cls[i], b->cls[i]);
        if (like->pixels == 0)
            assert_memory_equal(&a->box[i], &b->box[i], sizeof a->box[i]);
        assert_true(fabs((double)(a->box[i].x1 - b->box[i].x1)) * a->width <= like->pixels + 1e-4);
        assert_true(fabs((double)(a->box[i].y2 - b->box[i].y2)) * a->height <= like->pixels + 1e-4);
        assert_true(fabs((double)(a->box[i].x2 - b->box[i].x2)) * a->width <= like->pixels + 1e-4);
        assert_true(fabs((double)(a->box[i].y1 - b->box[i].y1)) * a->height <= like->pixels + 1e-4);
        if (like->box_ids)
            assert_int_equal(a->box_id[i], b->box_id[i]);
        if (like->flags)
            assert_int_equal(a->flags != NULL ? a->flags[i] : 0, b->flags != NULL ? b->flags[i] : 0);
        if (like->areas)
            assert_true(a->area[i] == b->area[i]);
    }
}

static void same_set(void *const *state, const char *one, const char *other, bool category_ids, likeness like)
{
    gn_dataset *a = set_open(fixture_path(state, one)), *b = set_open(fixture_path(state, other));
    assert_int_equal(gn_dataset_problem_count(b), 0);
    assert_int_equal(gn_dataset_classes(a), gn_dataset_classes(b));
    for (int c = 0; c < gn_dataset_classes(a); c++) {
        assert_string_equal(gn_dataset_class_name(a, c), gn_dataset_class_name(b, c));
        if (category_ids)
            assert_int_equal(gn_dataset_category_id(a, c), gn_dataset_category_id(b, c));
    }
    for (int s = 0; s < GN_SPLIT_COUNT; s++) {
        assert_int_equal(gn_dataset_count(a, (gn_split)s), gn_dataset_count(b, (gn_split)s));
        for (int64_t i = 0; i < gn_dataset_count(a, (gn_split)s); i++)
            same_sample(gn_dataset_sample(a, (gn_split)s, i), gn_dataset_sample(b, (gn_split)s, i), &like);
    }
    gn_dataset_close(&a);
    gn_dataset_close(&b);
}

/* Random boxes on the grids that people's files have: hundredths of a pixel, millionths of a picture, whole pixels. */
static void test_numbers(void **state)
{
    (void)state;
    gn_rng rng;
    gn_rng_init(&rng, 11, 0);
    for (int trial = 0; trial < 20000; trial++) {
        const int width = 50 + (int)gn_rng_below(&rng, 4000), height = 50 + (int)gn_rng_below(&rng, 4000);
        const double x = (double)gn_rng_below(&rng, 100 * width - 200) / 100,
                     y = (double)gn_rng_below(&rng, 100 * height - 200) / 100;
        const double w = (double)(1 + gn_rng_below(&rng, (int64_t)((width - x) * 100))) / 100;
        const double h = (double)(1 + gn_rng_below(&rng, (int64_t)((height - y) * 100))) / 100;
        const double right = fmin(x + w, width), bottom = fmin(y + h, height);
        const gn_box box = {(float)(x / width), (float)(y / height), (float)(right / width), (float)(bottom / height)};
        char text[128], want[128];
        double got[4];
        gn_write_coco_box(&box, width, height, text);
        assert_int_equal(sscanf(text, "%lf, %lf, %lf, %lf", &got[0], &got[1], &got[2], &got[3]), 4);
        snprintf(want, sizeof want, "%.2f %.2f %.2f %.2f", x, y, w, h);
        if (fabs(got[0] - x) > 1e-12 || fabs(got[1] - y) > 1e-12 || fabs(got[2] - w) > 1e-12 ||
            fabs(got[3] - h) > 1e-12)
            fail_msg("%s came back as %s (%d x %d)", want, text, width, height);
        /* Whatever the box, both ways give its bits again. */
        const gn_box again = {(float)(got[0] / width), (float)(got[1] / height),
                              (float)(fmin(got[0] + got[2], width) / width),
                              (float)(fmin(got[1] + got[3], height) / height)};
        assert_memory_equal(&again, &box, sizeof box);
        gn_write_yolo_box(&box, text);
        assert_int_equal(sscanf(text, "%lf %lf %lf %lf", &got[0], &got[1], &got[2], &got[3]), 4);
        const gn_box whole = {(float)(got[0] - got[2] / 2), (float)(got[1] - got[3] / 2), (float)(got[0] + got[2] / 2),
                              (float)(got[1] + got[3] / 2)};
        const gn_box back = gn_box_clip(&whole, 1, 1);
        assert_memory_equal(&back, &box, sizeof box);
        int corner[4];
        gn_write_voc_corners(&box, width, height, corner);
        assert_true(corner[0] >= 1 && corner[0] <= corner[2] && corner[2] <= width);
        assert_true(corner[1] >= 1 && corner[1] <= corner[3] && corner[3] <= height);
        if (w >= 1)
            assert_true(fabs(corner[0] - 1 - x) <= 0.5001 && fabs(corner[2] - right) <= 0.5001);
    }
}

static void test_yolo_digits(void **state)
{
    (void)state;
    gn_rng rng;
    gn_rng_init(&rng, 12, 0);
    for (int trial = 0; trial < 20000; trial++) {
        char text[128], want[128];
        const int64_t w = 1 + gn_rng_below(&rng, 999999), c = w / 2 + 1 + gn_rng_below(&rng, 1000000 - w);
        const double cx = (double)c / 1e6, size = (double)w / 1e6;
        if (cx + size / 2 > 1 || cx - size / 2 < 0)
            continue;
        const gn_box box = {(float)(cx - size / 2), 0.25f, (float)(cx + size / 2), 0.75f};
        double got_c, got_y, got_w, got_h;
        gn_write_yolo_box(&box, text);
        assert_int_equal(sscanf(text, "%lf %lf %lf %lf", &got_c, &got_y, &got_w, &got_h), 4);
        snprintf(want, sizeof want, "%.6f 0.5 %.6f 0.5", cx, size);
        if (fabs(got_c - cx) > 1e-12 || fabs(got_w - size) > 1e-12 || got_y != 0.5 || got_h != 0.5)
            fail_msg("%s came back as %s", want, text);
    }
}

static const char coco[] =
    "{\"categories\": [{\"id\": 18, \"name\": \"dog & \\\"cat\\\" <3\"}, {\"id\": 1, \"name\": \"person\"}, {\"id\": "
    "44, \"name\": \"none\"}],"
    "\"images\": [{\"id\": 5000000000, \"file_name\": \"a.png\", \"width\": 100, \"height\": 50},"
    "{\"id\": 7, \"file_name\": \"sub/a.png\"}, {\"id\": 8, \"file_name\": \"empty.png\"}],"
    "\"annotations\": ["
    "{\"id\": 900100000042, \"image_id\": 7, \"category_id\": 18, \"bbox\": [1.37, 2.04, 33.33, 21.9], \"area\": "
    "123.4567891, \"iscrowd\": 0},"
    "{\"id\": 3, \"image_id\": 5000000000, \"category_id\": 1, \"bbox\": [0, 0, 100, 50], \"area\": 77, \"iscrowd\": "
    "1},"
    "{\"id\": 4, \"image_id\": 5000000000, \"category_id\": 18, \"bbox\": [99.2, 3.01, 0.6, 0.33], \"area\": 0.2, "
    "\"difficult\": 1},"
    "{\"id\": 5, \"image_id\": 5000000000, \"category_id\": 18, \"bbox\": [10, 10, 20.5, 20.5], \"area\": 0.1, "
    "\"truncated\": 1}]}";

static void draw_coco(void *const *state)
{
    fixture_picture(state, "c/images/val/a.png", 100, 50, 1);
    fixture_picture(state, "c/images/val/sub/a.png", 64, 48, 2);
    fixture_picture(state, "c/images/val/empty.png", 64, 48, 3);
    fixture_write(state, "c/annotations/instances_val.json", coco);
}

/* COCO to COCO loses nothing, and the second file has the very bytes of the first. */
static void test_coco_to_coco(void **state)
{
    draw_coco(state);
    const gn_write_report r = convert(state, "c", GN_DATA_COCO, GN_PICTURES_LINK, "c2");
    assert_true(r.pictures == 3 && r.boxes == 4 && r.renamed == 1 && r.dropped_crowds == 0);
    assert_true(r.lost_box_ids == 0 && r.lost_picture_ids == 0 && r.lost_flags == 0 && r.lost_areas == 0);
    convert(state, "c2", GN_DATA_COCO, GN_PICTURES_COPY, "c3");
    same_set(state, "c2", "c3", true, (likeness){true, true, true, true, 0});
    char *a = NULL, *b = NULL;
    size_t n, m;
    assert_int_equal(gn_file_read(fixture_path(state, "c2/annotations/instances_val.json"), 100000, &a, &n, NULL),
                     GN_OK);
    assert_int_equal(gn_file_read(fixture_path(state, "c3/annotations/instances_val.json"), 100000, &b, &m, NULL),
                     GN_OK);
    assert_true(n == m && memcmp(a, b, n) == 0);
    assert_non_null(strstr(a, "\"bbox\": [1.37, 2.04, 33.33, 21.9], \"area\": 123.4567891, \"iscrowd\": 0"));
    assert_non_null(strstr(a, "\"bbox\": [99.2, 3.01, 0.6, 0.33]"));
    assert_non_null(strstr(a, "\"id\": 900100000042, \"image_id\": 7, \"category_id\": 18"));
    gn_free(a);
    gn_free(b);
    struct stat st;
    assert_true(lstat(fixture_path(state, "c2/images/val/a.png"), &st) == 0 && S_ISLNK(st.st_mode));
    assert_true(lstat(fixture_path(state, "c3/images/val/a_2.png"), &st) == 0 && S_ISREG(st.st_mode));
}

static void test_coco_to_voc_to_coco(void **state)
{
    draw_coco(state);
    const gn_write_report r = convert(state, "c", GN_DATA_VOC, GN_PICTURES_LINK, "v");
    assert_true(r.boxes == 4 && r.lost_category_ids && r.lost_box_ids == 0 && r.rounded_boxes == 3);
    convert(state, "c", GN_DATA_COCO, GN_PICTURES_LINK, "c2"); /* has the names of the pictures that v has */
    convert(state, "v", GN_DATA_COCO, GN_PICTURES_LINK, "c3");
    same_set(state, "c2", "c3", false, (likeness){true, true, true, true, 0.9});
    convert(state, "c3", GN_DATA_VOC, GN_PICTURES_LINK, "v2"); /* once rounded, it stays */
    same_set(state, "v", "v2", true, (likeness){true, true, true, true, 0});
}

static void test_coco_to_yolo_to_coco(void **state)
{
    draw_coco(state);
    const gn_write_report r = convert(state, "c", GN_DATA_YOLO, GN_PICTURES_LINK, "y");
    assert_true(r.boxes == 3 && r.dropped_crowds == 1 && r.lost_flags == 2 && r.lost_box_ids == 3 && r.lost_areas == 3);
    assert_int_equal(r.lost_picture_ids, 3);
    convert(state, "y", GN_DATA_COCO, GN_PICTURES_LINK, "c2");
    gn_dataset *d = set_open(fixture_path(state, "c2"));
    assert_int_equal(gn_dataset_category_id(d, 1), 18);
    const gn_sample *a = set_sample(d, GN_SPLIT_VAL, "/a_2.png");
    assert_true(a->n_boxes == 1 && a->cls[0] == 1);
    gn_dataset_close(&d);
    char *text = NULL;
    size_t n;
    assert_int_equal(gn_file_read(fixture_path(state, "c2/annotations/instances_val.json"), 100000, &text, &n, NULL),
                     GN_OK);
    assert_non_null(strstr(text, "\"bbox\": [1.37, 2.04, 33.33, 21.9]")); /* the digits are those of the beginning */
    assert_non_null(strstr(text, "\"bbox\": [99.2, 3.01, 0.6, 0.33]"));
    gn_free(text);
}

static void test_yolo_to_coco_to_yolo(void **state)
{
    fixture_picture(state, "images/train/a.jpg", 333, 217, 1);
    fixture_picture(state, "images/train/b.jpg", 64, 48, 2);
    fixture_picture(state, "images/val/c.jpg", 64, 48, 3);
    fixture_write(state, "labels/train/a.txt",
                  "1 0.481719 0.634028 0.403438 0.712\n0 0.0000005 0.5 0.000001 1\n1 0.5 0.5 1 1\n");
    fixture_write(state, "labels/val/c.txt", "0 0.338196781 0.336809 0.2762519 0.5\n");
    fixture_write(state, "data.yaml", "path: .\ntrain: images/train\nval: images/val\nnames: {0: 'a: b', 1: \"c\"}\n");
    convert(state, "data.yaml", GN_DATA_COCO, GN_PICTURES_LINK, "c");
    convert(state, "c", GN_DATA_YOLO, GN_PICTURES_COPY, "y");
    same_set(state, "data.yaml", "y", true, (likeness){.pixels = 0});
    char *text = NULL;
    size_t n;
    assert_int_equal(gn_file_read(fixture_path(state, "y/labels/train/a.txt"), 1000, &text, &n, NULL), GN_OK);
    assert_string_equal(text, "1 0.481719 0.634028 0.403438 0.712\n0 0.0000005 0.5 0.000001 1\n1 0.5 0.5 1 1\n");
    gn_free(text);
    assert_int_equal(gn_file_read(fixture_path(state, "y/labels/val/c.txt"), 1000, &text, &n, NULL), GN_OK);
    assert_true(gn_path_exists(fixture_path(state, "y/labels/train/b.txt")));
    gn_free(text);
    convert(state, "y", GN_DATA_VOC, GN_PICTURES_NONE, "v");
    assert_false(gn_path_exists(fixture_path(state, "v/JPEGImages/a.jpg")));
    assert_true(gn_path_exists(fixture_path(state, "v/Annotations/a.xml")));
}

/* Nothing is written over, and what fails leaves nothing behind. */
static void test_refusals(void **state)
{
    fixture_simple_set(state, "p", 3);
    fixture_write(state, "full/x", "");
    fixture_write(state, "file", "");
    gn_dataset *d = set_open(fixture_path(state, "data.yaml"));
    gn_write_report r;
    gn_error err = {0};
    assert_int_equal(gn_dataset_write(d, GN_DATA_YOLO, GN_PICTURES_LINK, fixture_path(state, "full"), &r, &err),
                     GN_EINVAL);
    assert_non_null(strstr(err.message, "not empty"));
    assert_int_equal(gn_dataset_write(d, GN_DATA_YOLO, GN_PICTURES_LINK, fixture_path(state, "file"), &r, &err),
                     GN_EINVAL);
    remove(fixture_path(state, "images/p1.png"));
    assert_int_equal(gn_dataset_write(d, GN_DATA_COCO, GN_PICTURES_COPY, fixture_path(state, "out"), &r, &err),
                     GN_ENOENT);
    gn_arena *arena = gn_arena_create(0);
    const char **names;
    size_t n;
    assert_int_equal(gn_list_dir(fixture_path(state, "."), arena, &names, &n, NULL), GN_OK);
    for (size_t i = 0; i < n; i++)
        assert_null(strstr(names[i], "out"));
    gn_arena_destroy(&arena);
    gn_dataset_close(&d);
    for (int i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "classes/train/%c/%d.png", i % 2 ? 'a' : 'b', i);
        fixture_picture(state, name, 24, 16, (unsigned)i);
    }
    d = set_open(fixture_path(state, "classes"));
    assert_int_equal(gn_dataset_write(d, GN_DATA_COCO, GN_PICTURES_COPY, fixture_path(state, "out"), &r, &err),
                     GN_EUNSUPPORTED);
    gn_dataset_close(&d);
}

/* Out of an archive pictures are copied; into an empty folder that is there already. */
static void test_from_zip(void **state)
{
    draw_coco(state);
    fixture_zip_folder(state, "c.zip", "c", "");
    fixture_write(state, "y/x", "");
    remove(fixture_path(state, "y/x"));
    convert(state, "c.zip", GN_DATA_YOLO, GN_PICTURES_LINK, "y");
    convert(state, "c", GN_DATA_YOLO, GN_PICTURES_LINK, "y2");
    same_set(state, "y", "y2", true, (likeness){.pixels = 0});
}

/* All of COCO's first 128 pictures there and back. */
static void test_real_coco128(void **state)
{
    char path[1024];
    if (fixture_real_data() == NULL)
        skip();
    snprintf(path, sizeof path, "%s/coco128/data.yaml", fixture_real_data());
    if (!gn_path_exists(path))
        skip();
    gn_dataset *d = set_open(path);
    gn_write_report r;
    assert_int_equal(gn_dataset_write(d, GN_DATA_YOLO, GN_PICTURES_LINK, fixture_path(state, "y"), &r, NULL), GN_OK);
    assert_int_equal(gn_dataset_write(d, GN_DATA_COCO, GN_PICTURES_LINK, fixture_path(state, "c"), &r, NULL), GN_OK);
    gn_dataset_close(&d);
    convert(state, "c", GN_DATA_YOLO, GN_PICTURES_LINK, "y2");
    same_set(state, "y", "y2", true, (likeness){.pixels = 0});
    convert(state, "y2", GN_DATA_COCO, GN_PICTURES_LINK, "c2");
    same_set(state, "c", "c2", true, (likeness){.pixels = 0});
    /* Its train and val are the same pictures: VOC has one of each. */
    assert_int_equal(convert(state, "c", GN_DATA_VOC, GN_PICTURES_LINK, "v").pictures, 256);
    d = set_open(path);
    assert_int_equal(gn_dataset_write(d, GN_DATA_VOC, GN_PICTURES_LINK, fixture_path(state, "v2"), &r, NULL), GN_OK);
    assert_int_equal(r.pictures, 128);
    gn_dataset_close(&d);
}

/* The numbers of categories in data.yaml must fit its names. */
static void test_category_ids(void **state)
{
    fixture_simple_set(state, "p", 2);
    fixture_write(state, "ids.yaml", "train: images\nnames: [a, b]\ncategory_ids: [7, 3]\n");
    gn_dataset *d = set_open(fixture_path(state, "ids.yaml"));
    assert_true(gn_dataset_category_id(d, 0) == 7 && gn_dataset_category_id(d, 1) == 3);
    gn_dataset_close(&d);
    fixture_write(state, "few.yaml", "train: images\nnames: [a, b]\ncategory_ids: [7]\n");
    set_refuse(fixture_path(state, "few.yaml"), GN_EFORMAT, "few.yaml:3: category_ids must be a list of 2 numbers");
    fixture_write(state, "text.yaml", "train: images\nnames: [a, b]\ncategory_ids: [7, x]\n");
    set_refuse(fixture_path(state, "text.yaml"), GN_EFORMAT, "number 1 is none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_yolo_digits),
        cmocka_unit_test_setup_teardown(test_coco_to_coco, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_coco_to_voc_to_coco, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_coco_to_yolo_to_coco, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_yolo_to_coco_to_yolo, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_refusals, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_from_zip, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_category_ids, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_real_coco128, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
