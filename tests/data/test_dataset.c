/* Opening data sets: every format, every kind of damage, the splits that are made, and the real sets where they are.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "data/dataset.h"
#include "data_fixture.h"

#define GOOD_LABEL "0 0.5 0.5 0.25 0.5\n"

static gn_dataset *open_set(void *const *state, const char *name)
{
    gn_dataset *d = NULL;
    gn_error err = {0};
    if (gn_dataset_open(fixture_path(state, name), NULL, &d, &err) != GN_OK) {
        char line[1024];
        gn_error_line(&err, line, sizeof line);
        fail_msg("cannot open %s: %s", name, line);
    }
    return d;
}

/* Expects a refusal whose line holds `word`. */
static void refuse(void *const *state, const char *name, gn_status status, const char *word)
{
    gn_dataset *d = NULL;
    gn_error err = {0};
    char line[1024];
    const gn_status got = gn_dataset_open(fixture_path(state, name), NULL, &d, &err);
    gn_error_line(&err, line, sizeof line);
    if (got != status || strstr(line, word) == NULL)
        fail_msg("%s: %s, '%s'; expected %s with '%s'", name, gn_status_name(got), line, gn_status_name(status), word);
    assert_null(d);
}

/* Whether a problem about `file` (end of its path) and `line` holds `word`. */
static bool has_problem(const gn_dataset *d, const char *file, int64_t line, const char *word)
{
    for (int64_t i = 0; i < gn_dataset_problem_count(d); i++) {
        const gn_problem *p = gn_dataset_problem(d, i);
        const size_t n = strlen(p->file), m = strlen(file);
        if (n >= m && strcmp(p->file + n - m, file) == 0 && p->line == line && strstr(p->message, word) != NULL)
            return true;
    }
    return false;
}

static void test_lists_and_folders(void **state)
{
    fixture_simple_set(state, "p", 6);
    fixture_picture(state, "more/images/q.jpg", 80, 40, 99);
    fixture_write(state, "more/labels/q.txt", "1 0.5 0.5 0.25 0.5\n0 0.2 0.2 0.1 0.1\n");
    fixture_write(state, "train.txt", "images/p0.png\n./images/p1.png\r\n\n  images/p2.png\n");
    fixture_write(state, "sub/val.txt", "../images/p3.png\nimages/p4.png\n");
    fixture_write(state, "set.yaml",
                  "path: .\ntrain: [train.txt, more/images]\nval: sub/val.txt\ntest:\nnames: {1: cat, 0: face}\nnc: "
                  "2\ndownload: x\n");
    gn_dataset *d = open_set(state, "set.yaml");
    assert_string_equal(gn_dataset_format(d), "data.yaml");
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 4);
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_VAL), 2);
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TEST), 0);
    assert_false(gn_dataset_is_split_made(d));
    assert_int_equal(gn_dataset_classes(d), 2);
    assert_string_equal(gn_dataset_class_name(d, 1), "cat");
    assert_null(gn_dataset_class_name(d, 2));
    assert_int_equal(gn_dataset_problem_count(d), 0);
    const gn_sample *s = gn_dataset_sample(d, GN_SPLIT_TRAIN, 3);
    assert_int_equal(s->width, 80);
    assert_int_equal(s->height, 40);
    assert_int_equal(s->n_boxes, 2);
    assert_int_equal(s->cls[0], 1);
    assert_true(fabs((double)s->box[0].x1 - 0.375) < 1e-6 && fabs((double)s->box[0].y2 - 0.75) < 1e-6);
    gn_dataset_close(&d);
    assert_null(d);
}

static void test_folder_layouts(void **state)
{
    fixture_picture(state, "a/train/images/1.png", 64, 48, 1);
    fixture_write(state, "a/train/labels/1.txt", "3 0.5 0.5 0.1 0.1\n");
    fixture_picture(state, "a/valid/images/2.png", 64, 48, 2);
    gn_dataset *d = open_set(state, "a");
    assert_string_equal(gn_dataset_format(d), "folder");
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 1);
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_VAL), 1);
    assert_int_equal(gn_dataset_classes(d), 4);
    assert_string_equal(gn_dataset_class_name(d, 3), "3");
    assert_int_equal(gn_dataset_problem_counts(d).missing_labels, 1);
    gn_dataset_close(&d);
    /* Roboflow's data.yaml names ../train/images although train/ lies beside it. */
    fixture_write(state, "a/data.yaml",
                  "train: ../train/images\nval: ../valid/images\nnc: 4\nnames: ['a', 'b', 'c', 'd']\n");
    d = open_set(state, "a");
    assert_string_equal(gn_dataset_format(d), "data.yaml");
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 1);
    gn_dataset_close(&d);
    fixture_picture(state, "b/images/1.png", 64, 48, 1);
    fixture_write(state, "b/labels/1.txt", GOOD_LABEL);
    fixture_write(state, "b/classes.txt", "face\r\nhand\n");
    d = open_set(state, "b");
    assert_int_equal(gn_dataset_classes(d), 2);
    assert_string_equal(gn_dataset_class_name(d, 0), "face");
    gn_dataset_close(&d);
}

static void test_damaged_pictures_and_labels(void **state)
{
    fixture_simple_set(state, "p", 4);
    fixture_write(state, "labels/p1.txt",
                  "0 0.5 0.5 0.25 0.5\n7 0.5 0.5 0.1 0.1\n0 1.5 0.5 0.1 0.1\n0 0.5 0.5 -0.1 0.1\n0 nan 0.5 0.1 0.1\n"
                  "0 0.5 0.5 0.1\n0 0.5 0.5 0.25 0.5\n");
    fixture_write(state, "labels/p2.txt", "7 0.5 0.5 0.1 0.1\n"); /* nothing usable: not a background picture */
    fixture_write(state, "labels/p3.txt", "");                    /* background */
    fixture_write(state, "images/text.jpg", "this is not a picture\n");
    fixture_write(state, "images/empty.png", "");
    fixture_write(state, "list.txt",
                  "images/p0.png\nimages/p1.png\nimages/p2.png\nimages/p3.png\nimages/gone.jpg\nimages/text.jpg\n"
                  "images/empty.png\nnotes.md\nimages/p0.png\n");
    fixture_write(state, "set.yaml", "train: list.txt\nval: list.txt\nnames: [face]\n");
    gn_dataset *d = open_set(state, "set.yaml");
    const gn_problem_counts c = gn_dataset_problem_counts(d);
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 3);
    assert_int_equal(c.missing_pictures, 2); /* in train and in val */
    assert_int_equal(c.unreadable_pictures, 4);
    assert_int_equal(c.bad_list_lines, 2);
    assert_int_equal(c.bad_label_lines, 12);
    assert_int_equal(c.duplicate_lines, 2);
    assert_int_equal(c.spoilt_pictures, 2);
    assert_int_equal(c.duplicate_pictures, 2);
    assert_int_equal(c.split_overlap, 6);
    assert_int_equal(gn_dataset_sample(d, GN_SPLIT_TRAIN, 1)->n_boxes, 1);
    assert_int_equal(gn_dataset_sample(d, GN_SPLIT_TRAIN, 2)->n_boxes, 0);
    assert_true(has_problem(d, "list.txt", 5, "images/gone.jpg"));
    assert_true(has_problem(d, "list.txt", 8, "notes.md"));
    assert_true(has_problem(d, "images/text.jpg", 0, ""));
    assert_true(has_problem(d, "labels/p1.txt", 2, "class 7"));
    assert_true(has_problem(d, "labels/p1.txt", 3, "outside 0..1"));
    assert_true(has_problem(d, "labels/p1.txt", 4, "negative size"));
    assert_true(has_problem(d, "labels/p1.txt", 5, "NaN"));
    assert_true(has_problem(d, "labels/p1.txt", 6, "4 columns"));
    gn_dataset_close(&d);
}

/* A JPEG cut in its middle has a good header: found when every picture is decoded, else by the loader. */
static void test_truncated_picture(void **state)
{
    fixture_simple_set(state, "p", 3);
    fixture_picture(state, "images/cut.jpg", 200, 150, 5);
    char *bytes;
    size_t n;
    assert_int_equal(gn_file_read(fixture_path(state, "images/cut.jpg"), 1 << 20, &bytes, &n, NULL), GN_OK);
    fixture_write_bytes(state, "images/cut.jpg", bytes, n / 2);
    gn_free(bytes);
    fixture_write(state, "labels/cut.txt", GOOD_LABEL);
    fixture_write(state, "data.yaml", "train: images\nval: images\nnames: [face]\n");
    gn_dataset_options options = gn_dataset_default_options();
    options.verify = true;
    gn_dataset *d = NULL;
    assert_int_equal(gn_dataset_open(fixture_path(state, "data.yaml"), &options, &d, NULL), GN_OK);
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 3);
    assert_true(has_problem(d, "images/cut.jpg", 0, ""));
    gn_dataset_close(&d);
}

/* A PNG header that claims 30,000 x 30,000 pixels is refused by that header. */
static void test_huge_picture(void **state)
{
    fixture_simple_set(state, "p", 2);
    static const unsigned char header[] = {0x89, 'P',  'N', 'G', '\r', '\n', 0x1a, '\n', 0,    0,    0,
                                           13,   'I',  'H', 'D', 'R',  0,    0,    0x75, 0x30, 0,    0,
                                           0x75, 0x30, 8,   2,   0,    0,    0,    0x8f, 0x5a, 0x93, 0xb2,
                                           0,    0,    0,   0,   'I',  'D',  'A',  'T'};
    fixture_write_bytes(state, "images/huge.png", header, sizeof header);
    fixture_write(state, "labels/huge.txt", GOOD_LABEL);
    fixture_write(state, "data.yaml", "train: images\nval: images\nnames: [face]\n");
    gn_dataset *d = open_set(state, "data.yaml");
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 2);
    assert_true(has_problem(d, "images/huge.png", 0, "30000 x 30000"));
    gn_dataset_close(&d);
}

static void test_refused_sets(void **state)
{
    fixture_picture(state, "images/a.png", 64, 48, 1);
    refuse(state, "nowhere", GN_ENOENT, "nowhere");
    fixture_write(state, "empty/x.txt", "");
    refuse(state, "empty", GN_EDATA, "no picture");
    fixture_write(state, "set.zip", "PK");
    refuse(state, "set.zip", GN_EFORMAT, "no zip file");
    fixture_write(state, "set.tar", "x");
    refuse(state, "set.tar", GN_EUNSUPPORTED, "data.yaml");

    fixture_write(state, "tab.yaml", "train: images\nnames:\n\t- face\n");
    refuse(state, "tab.yaml", GN_EFORMAT, "tab.yaml:3:");
    fixture_write(state, "cycle.yaml", "train: images\nnames: &n [face, *n]\n");
    refuse(state, "cycle.yaml", GN_EFORMAT, "cycle");
    fixture_write(state, "unnamed.yaml", "train: images\nnc: 1\n");
    refuse(state, "unnamed.yaml", GN_EFORMAT, "no `names`");
    fixture_write(state, "nc.yaml", "train: images\nnc: 3\nnames: [face]\n");
    refuse(state, "nc.yaml", GN_EFORMAT, "nc.yaml:2: nc is 3");
    fixture_write(state, "gap.yaml", "train: images\nnames: {0: a, 2: b}\n");
    refuse(state, "gap.yaml", GN_EFORMAT, "'2'");
    fixture_write(state, "text.yaml", "just text\n");
    refuse(state, "text.yaml", GN_EFORMAT, "map");
    fixture_write(state, "nosplit.yaml", "names: [face]\n");
    refuse(state, "nosplit.yaml", GN_EFORMAT, "train");
    fixture_write(state, "root.yaml", "path: elsewhere\ntrain: images\nnames: [face]\n");
    refuse(state, "root.yaml", GN_EDATA, "elsewhere");
    fixture_write(state, "nofolder.yaml", "train: pictures\nnames: [face]\n");
    refuse(state, "nofolder.yaml", GN_EDATA, "'pictures'");

    fixture_write(state, "list.txt", "images/x.jpg\nimages/y.jpg\n");
    fixture_write(state, "gone.yaml", "train: list.txt\nnames: [face]\n");
    refuse(state, "gone.yaml", GN_EDATA, "list.txt:1:");
    fixture_write(state, "unlabelled.yaml", "train: images\nnames: [face]\n");
    refuse(state, "unlabelled.yaml", GN_EDATA, "labels/a.txt");
    fixture_write(state, "labels/a.txt", "7 0.5 0.5 0.1 0.1\n");
    refuse(state, "unlabelled.yaml", GN_EDATA, "class 7");
}

static void test_csv(void **state)
{
    fixture_picture(state, "a.png", 100, 50, 1);
    fixture_picture(state, "pics/b c.png", 200, 100, 2);
    fixture_picture(state, "d.png", 64, 64, 3);
    fixture_write(state, "boxes.csv",
                  "image,x1,y1,x2,y2,class\n"
                  "a.png,10,5,60,45,dog\n"
                  "\"pics/b c.png\", 20, 10, 40, 30 ,\"cat, big\"\r\n"
                  "a.png,0,0,100.5,50,dog\n"
                  "d.png,,,,\n"
                  "a.png,50,5,40,45,dog\n"
                  "a.png,10,5,300,45,dog\n"
                  "a.png,10,5,NaN,45,dog\n"
                  "a.png,10,5\n"
                  "gone.png,1,1,2,2,dog\n"
                  "a.png,10,5,60,45,dog\n");
    gn_dataset_options options = gn_dataset_default_options();
    options.val_frac = options.test_frac = 0;
    gn_dataset *d = NULL;
    assert_int_equal(gn_dataset_open(fixture_path(state, "boxes.csv"), &options, &d, NULL), GN_OK);
    assert_string_equal(gn_dataset_format(d), "csv");
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 3);
    assert_int_equal(gn_dataset_classes(d), 2);
    assert_string_equal(gn_dataset_class_name(d, 0), "dog");
    assert_string_equal(gn_dataset_class_name(d, 1), "cat, big");
    const gn_sample *a = gn_dataset_sample(d, GN_SPLIT_TRAIN, 0), *b = gn_dataset_sample(d, GN_SPLIT_TRAIN, 1);
    assert_int_equal(a->n_boxes, 2);
    assert_true(a->box[0].x1 == 0.1f && a->box[0].y1 == 0.1f && a->box[0].x2 == 0.6f && a->box[0].y2 == 0.9f);
    assert_true(a->box[1].x2 == 1);
    assert_int_equal(b->cls[0], 1);
    assert_true(b->box[0].x2 == 0.2f);
    assert_int_equal(gn_dataset_sample(d, GN_SPLIT_TRAIN, 2)->n_boxes, 0);
    const gn_problem_counts c = gn_dataset_problem_counts(d);
    assert_int_equal(c.bad_label_lines, 4);
    assert_int_equal(c.missing_pictures, 1);
    assert_int_equal(c.duplicate_lines, 1);
    assert_true(has_problem(d, "boxes.csv", 6, "negative size"));
    assert_true(has_problem(d, "boxes.csv", 7, "outside the picture"));
    assert_true(has_problem(d, "boxes.csv", 8, "'NaN'"));
    assert_true(has_problem(d, "boxes.csv", 9, "3 columns"));
    assert_true(has_problem(d, "boxes.csv", 10, "gone.png"));
    gn_dataset_close(&d);
}

static void test_csv_variants(void **state)
{
    fixture_picture(state, "a.png", 100, 50, 1);
    gn_dataset *d;
    fixture_write(state, "plain.csv", "a.png,10,5,60,45\n"); /* no header, no class */
    d = open_set(state, "plain.csv");
    assert_int_equal(gn_dataset_classes(d), 1);
    gn_dataset_close(&d);
    fixture_write(state, "numbers.csv", "a.png,10,5,60,45,2\na.png,10,5,60,40,0\n");
    d = open_set(state, "numbers.csv");
    assert_int_equal(gn_dataset_classes(d), 3);
    assert_int_equal(gn_dataset_sample(d, GN_SPLIT_TRAIN, 0)->cls[0], 2);
    gn_dataset_close(&d);
    fixture_write(state, "other.csv",
                  "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,100,50,face,10,5,60,45\n");
    d = open_set(state, "other.csv");
    assert_string_equal(gn_dataset_class_name(d, 0), "face");
    assert_true(gn_dataset_sample(d, GN_SPLIT_TRAIN, 0)->box[0].y2 == 0.9f);
    gn_dataset_close(&d);
    fixture_write(state, "header.csv", "image,left,top,w,h\na.png,10,5,60,45\n");
    refuse(state, "header.csv", GN_EFORMAT, "header.csv:1:");
    fixture_write(state, "nothing.csv", "");
    refuse(state, "nothing.csv", GN_EDATA, "no picture");
}

/* 60 pictures, of which 20 are copies at another size and compression of 20 others. */
static void test_made_split(void **state)
{
    char name[64];
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "images/p%02u.png", i);
        fixture_picture(state, name, 90, 80, i + 1);
        snprintf(name, sizeof name, "labels/p%02u.txt", i);
        fixture_write(state, name, GOOD_LABEL);
    }
    for (unsigned i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "images/z%02u.jpg", i);
        fixture_picture(state, name, 180, 160, i + 1);
        snprintf(name, sizeof name, "labels/z%02u.txt", i);
        fixture_write(state, name, GOOD_LABEL);
    }
    fixture_write(state, "data.yaml", "train: images\nnames: [face]\n");
    gn_dataset *d = open_set(state, "data.yaml"), *again = open_set(state, "data.yaml");
    assert_true(gn_dataset_is_split_made(d));
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN) + gn_dataset_count(d, GN_SPLIT_VAL) +
                         gn_dataset_count(d, GN_SPLIT_TEST),
                     60);
    assert_in_range(gn_dataset_count(d, GN_SPLIT_VAL), 7, 9);
    assert_in_range(gn_dataset_count(d, GN_SPLIT_TEST), 7, 9);
    assert_true(gn_dataset_hash(d) == gn_dataset_hash(again));
    int side[40] = {0};
    for (int s = 0; s < GN_SPLIT_COUNT; s++)
        for (int64_t i = 0; i < gn_dataset_count(d, (gn_split)s); i++)
            side[atoi(gn_path_name(gn_dataset_sample(d, (gn_split)s, i)->path) + 1)] |= 1 << s;
    for (int i = 0; i < 40; i++)
        if (side[i] != 1 && side[i] != 2 && side[i] != 4)
            fail_msg("picture %d and its copy are in different splits", i);
    gn_dataset_close(&again);
    gn_dataset_options options = gn_dataset_default_options();
    options.seed = 1;
    assert_int_equal(gn_dataset_open(fixture_path(state, "data.yaml"), &options, &again, NULL), GN_OK);
    assert_true(gn_dataset_hash(d) != gn_dataset_hash(again));
    gn_dataset_close(&again);
    gn_dataset_close(&d);
    options.val_frac = 0.6;
    assert_int_equal(gn_dataset_open(fixture_path(state, "data.yaml"), &options, &again, NULL), GN_EINVAL);
}

/* The same picture throughout must not end in an empty validation split. */
static void test_split_of_copies(void **state)
{
    char name[64];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "images/p%02d.png", i);
        fixture_picture(state, name, 90, 80, 1);
        snprintf(name, sizeof name, "labels/p%02d.txt", i);
        fixture_write(state, name, GOOD_LABEL);
    }
    gn_dataset *d = open_set(state, "");
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_VAL), 3);
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TEST), 3);
    gn_dataset_close(&d);
}

static void test_hash(void **state)
{
    fixture_simple_set(state, "p", 3);
    fixture_write(state, "data.yaml", "train: images\nval: images\nnames: [face]\n");
    gn_dataset *d = open_set(state, "data.yaml");
    const uint64_t before = gn_dataset_hash(d);
    gn_dataset_close(&d);
    fixture_write(state, "labels/p1.txt", "0 0.5 0.5 0.25 0.51\n");
    d = open_set(state, "data.yaml");
    assert_true(gn_dataset_hash(d) != before);
    gn_dataset_close(&d);
}

static void test_single_class(void **state)
{
    fixture_picture(state, "images/1.png", 64, 48, 1);
    fixture_write(state, "labels/1.txt", "3 0.5 0.5 0.1 0.1\n");
    gn_dataset_options options = gn_dataset_default_options();
    options.single_class = true;
    gn_dataset *d = NULL;
    assert_int_equal(gn_dataset_open(fixture_path(state, ""), &options, &d, NULL), GN_OK);
    assert_int_equal(gn_dataset_classes(d), 1);
    assert_int_equal(gn_dataset_sample(d, GN_SPLIT_TRAIN, 0)->cls[0], 0);
    gn_dataset_close(&d);
}

static void test_real_sets(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t count[3];
    } sets[] = {{"faces_one/data.yaml", {1125, 116, 30}}, {"faces", {682, 85, 86}}, {"coco128", {128, 128, 0}}};
    const char *data = fixture_real_data();
    if (data == NULL)
        skip();
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", data, sets[i].name);
        gn_dataset *d = NULL;
        assert_int_equal(gn_dataset_open(path, NULL, &d, NULL), GN_OK);
        for (int s = 0; s < 3; s++)
            assert_int_equal(gn_dataset_count(d, (gn_split)s), sets[i].count[s]);
        assert_int_equal(gn_dataset_problem_count(d), 0);
        for (int s = 0; s < 3 && i == 0; s++)
            for (int64_t k = 0; k < sets[i].count[s]; k++)
                assert_int_equal(gn_dataset_sample(d, (gn_split)s, k)->n_boxes, 1);
        gn_dataset_close(&d);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_lists_and_folders),
        T(test_folder_layouts),
        T(test_damaged_pictures_and_labels),
        T(test_truncated_picture),
        T(test_huge_picture),
        T(test_refused_sets),
        T(test_csv),
        T(test_csv_variants),
        T(test_made_split),
        T(test_split_of_copies),
        T(test_hash),
        T(test_single_class),
        cmocka_unit_test(test_real_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
