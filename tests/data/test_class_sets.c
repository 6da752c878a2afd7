/* Sets whose pictures have a class each: folders per class, CIFAR's binary files, and both of them and sets of boxes in a zip; what is
 * refused, and what a batch holds.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/batch.h"
#include "data/data_archive.h"
#include "data_fixture.h"
#include "image/image.h"

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

static gn_dataset *open_with(void *const *state, const char *name, const gn_dataset_options *options)
{
    gn_dataset *d = NULL;
    gn_error err = {0};
    if (gn_dataset_open(fixture_path(state, name), options, &d, &err) != GN_OK)
        fail_msg("%s: %s", name, err.message);
    return d;
}

static gn_dataset *open_set(void *const *state, const char *name)
{
    return open_with(state, name, NULL);
}

static void refuse(void *const *state, const char *name, gn_status status, const char *word)
{
    gn_dataset *d = NULL;
    gn_error err = {0};
    const gn_status got = gn_dataset_open(fixture_path(state, name), NULL, &d, &err);
    char line[1200];
    gn_error_line(&err, line, sizeof line);
    if (got != status || strstr(line, word) == NULL)
        fail_msg("%s: %s, '%s'; expected %s with '%s'", name, gn_status_name(got), line, gn_status_name(status), word);
    assert_null(d);
}

/* n pictures DIR/CLASS/0.png, 1.png, ... */
static void draw_class(void *const *state, const char *dir, const char *cls, int n, unsigned seed)
{
    for (int i = 0; i < n; i++) {
        char name[200];
        snprintf(name, sizeof name, "%s/%s/%d.png", dir, cls, i);
        fixture_picture(state, name, 24, 16, seed + (unsigned)i);
    }
}

static int64_t count_label(const gn_dataset *d, gn_split split, int32_t label)
{
    int64_t n = 0;
    for (int64_t i = 0; i < gn_dataset_count(d, split); i++)
        n += gn_dataset_sample(d, split, i)->label == label;
    return n;
}

/* --- folders --- */

static void draw_split_folders(void *const *state, const char *dir)
{
    char path[100];
    snprintf(path, sizeof path, "%s/train", dir);
    draw_class(state, path, "dog", 3, 10);
    draw_class(state, path, "cat", 4, 20);
    snprintf(path, sizeof path, "%s/val", dir);
    draw_class(state, path, "cat", 2, 30);
    snprintf(path, sizeof path, "%s/test", dir);
    draw_class(state, path, "dog", 1, 40);
    draw_class(state, path, "emu", 2, 50);
}

static void check_split_folders(const gn_dataset *d)
{
    assert_true(gn_dataset_has_labels(d));
    assert_int_equal(gn_dataset_classes(d), 3);
    assert_string_equal(gn_dataset_class_name(d, 0), "cat");
    assert_string_equal(gn_dataset_class_name(d, 1), "dog");
    assert_string_equal(gn_dataset_class_name(d, 2), "emu");
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 7);
    assert_int_equal(count_label(d, GN_SPLIT_TRAIN, 0), 4);
    assert_int_equal(count_label(d, GN_SPLIT_TRAIN, 1), 3);
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_VAL), 2);
    assert_int_equal(count_label(d, GN_SPLIT_VAL, 0), 2);
    assert_int_equal(count_label(d, GN_SPLIT_TEST, 1), 1);
    assert_int_equal(count_label(d, GN_SPLIT_TEST, 2), 2);
    assert_false(gn_dataset_is_split_made(d));
    assert_int_equal(gn_dataset_problem_counts(d).missing_labels, 0);
    const gn_sample *s = gn_dataset_sample(d, GN_SPLIT_TRAIN, 0);
    assert_int_equal(s->width, 24);
    assert_int_equal(s->height, 16);
    assert_int_equal(s->n_boxes, 0);
}

static void test_folders_with_splits(void **state)
{
    draw_split_folders(state, "set");
    fixture_write(state, "set/train/cat/notes.txt", "not a picture\n");
    gn_dataset *d = open_set(state, "set");
    assert_string_equal(gn_dataset_format(d), "class folders");
    check_split_folders(d);
    gn_dataset_close(&d);
}

/* No split is named: all three are made, each class in every one; a test split that is named stays what it is. */
static void test_folders_are_split(void **state)
{
    draw_class(state, "set", "a", 20, 100);
    draw_class(state, "set", "b", 20, 200);
    gn_dataset *d = open_set(state, "set");
    assert_true(gn_dataset_is_split_made(d));
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_VAL), 6);
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TEST), 6);
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 28);
    for (int s = 0; s < GN_SPLIT_COUNT; s++)
        for (int c = 0; c < 2; c++)
            assert_true(count_label(d, (gn_split)s, c) > 0);
    gn_dataset_close(&d);

    draw_class(state, "half/train", "a", 20, 100);
    draw_class(state, "half/train", "b", 20, 200);
    draw_class(state, "half/test", "a", 3, 300);
    d = open_set(state, "half");
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 34);
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_VAL), 6);
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TEST), 3);
    gn_dataset_close(&d);
}

/* Folders with label files beside the pictures, and images/ with labels/, are sets of boxes as before. */
static void test_boxes_stay_boxes(void **state)
{
    draw_class(state, "set", "monday", 2, 1);
    draw_class(state, "set", "tuesday", 2, 5);
    fixture_write(state, "set/monday/0.txt", "0 0.5 0.5 0.25 0.25\n");
    gn_dataset *d = open_set(state, "set");
    assert_string_equal(gn_dataset_format(d), "folder");
    assert_false(gn_dataset_has_labels(d));
    assert_int_equal(gn_dataset_sample(d, GN_SPLIT_TRAIN, 0)->label, -1);
    gn_dataset_close(&d);
}

static void test_hash_knows_the_class(void **state)
{
    draw_class(state, "one", "a", 3, 1);
    draw_class(state, "one", "b", 1, 9);
    draw_class(state, "two", "a", 2, 1);
    draw_class(state, "two", "b", 1, 9);
    fixture_picture(state, "two/b/2.png", 24, 16, 3); /* a/2.png of the other set */
    gn_dataset_options o = gn_dataset_default_options();
    o.val_frac = o.test_frac = 0;
    gn_dataset *one = open_with(state, "one", &o), *two = open_with(state, "two", &o);
    assert_true(gn_dataset_hash(one) != gn_dataset_hash(two));
    gn_dataset_close(&one);
    gn_dataset_close(&two);
}

/* --- CIFAR --- */

/* Record i: labels, then red = 10*i + x, green = y, blue = 7. */
static void write_cifar(void *const *state, const char *name, int n, int label_bytes, const uint8_t *labels)
{
    const size_t record = 3072 + (size_t)label_bytes;
    uint8_t *bytes = gn_calloc((size_t)n, record);
    assert_non_null(bytes);
    for (int i = 0; i < n; i++) {
        uint8_t *p = bytes + (size_t)i * record;
        memcpy(p, labels + i * label_bytes, (size_t)label_bytes);
        p += label_bytes;
        for (int y = 0; y < 32; y++)
            for (int x = 0; x < 32; x++) {
                p[y * 32 + x] = (uint8_t)(10 * i + x);
                p[1024 + y * 32 + x] = (uint8_t)y;
                p[2048 + y * 32 + x] = 7;
            }
    }
    fixture_write_bytes(state, name, bytes, (size_t)n * record);
    gn_free(bytes);
}

static void check_record(const gn_sample *s, int i)
{
    gn_image image = {0};
    gn_error err = {0};
    if (gn_sample_decode(s, NULL, &image, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(image.width, 32);
    assert_int_equal(image.height, 32);
    const uint8_t *p = image.data + 5 * image.stride_bytes + 3 * 9; /* x 9, y 5 */
    assert_int_equal(p[0], 10 * i + 9);
    assert_int_equal(p[1], 5);
    assert_int_equal(p[2], 7);
    gn_image_deinit(&image);
}

static void test_cifar10(void **state)
{
    const uint8_t first[] = {3, 0, 9}, second[] = {1, 12}, test[] = {6, 6};
    write_cifar(state, "c/data_batch_1.bin", 3, 1, first);
    write_cifar(state, "c/data_batch_2.bin", 2, 1, second); /* there is no class 12 */
    write_cifar(state, "c/test_batch.bin", 2, 1, test);
    gn_dataset_options o = gn_dataset_default_options();
    o.val_frac = o.test_frac = 0;
    gn_dataset *d = open_with(state, "c", &o);
    assert_string_equal(gn_dataset_format(d), "CIFAR-10");
    assert_int_equal(gn_dataset_classes(d), 10);
    assert_string_equal(gn_dataset_class_name(d, 3), "cat");
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 4);
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TEST), 2);
    assert_int_equal(gn_dataset_sample(d, GN_SPLIT_TRAIN, 0)->label, 3);
    assert_int_equal(gn_dataset_sample(d, GN_SPLIT_TRAIN, 2)->label, 9);
    assert_int_equal(gn_dataset_sample(d, GN_SPLIT_TRAIN, 3)->label, 1);
    check_record(gn_dataset_sample(d, GN_SPLIT_TRAIN, 2), 2);
    check_record(gn_dataset_sample(d, GN_SPLIT_TRAIN, 3), 0);
    assert_int_equal(gn_dataset_problem_counts(d).bad_label_lines, 1);
    assert_int_equal(gn_dataset_problem(d, 0)->line, 2);
    assert_non_null(strstr(gn_dataset_problem(d, 0)->message, "label 12"));
    gn_dataset_close(&d);
    /* val is taken out of train, test stays */
    const uint8_t many[40] = {0};
    write_cifar(state, "c/data_batch_2.bin", 20, 1, many);
    d = open_set(state, "c");
    assert_true(gn_dataset_count(d, GN_SPLIT_VAL) > 0);
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TEST), 2);
    gn_dataset_close(&d);
}

static void test_cifar100(void **state)
{
    const uint8_t train[] = {4, 30, 19, 99}, test[] = {0, 1};
    write_cifar(state, "x/cifar-100-binary/train.bin", 2, 2, train);
    write_cifar(state, "x/cifar-100-binary/test.bin", 1, 2, test);
    fixture_write(state, "x/cifar-100-binary/coarse_label_names.txt", "aquatic_mammals\nfish\n");
    gn_dataset_options o = gn_dataset_default_options();
    o.val_frac = o.test_frac = 0;
    gn_dataset *d = open_with(state, "x", &o); /* the folder around the authors' folder */
    assert_string_equal(gn_dataset_format(d), "CIFAR-100");
    assert_int_equal(gn_dataset_classes(d), 100);
    assert_int_equal(gn_dataset_sample(d, GN_SPLIT_TRAIN, 0)->label, 30);
    assert_int_equal(gn_dataset_sample(d, GN_SPLIT_TRAIN, 1)->label, 99);
    check_record(gn_dataset_sample(d, GN_SPLIT_TRAIN, 1), 1);
    gn_dataset_close(&d);
    o.coarse_labels = true;
    d = open_with(state, "x/cifar-100-binary", &o);
    assert_int_equal(gn_dataset_classes(d), 20);
    assert_string_equal(gn_dataset_class_name(d, 1), "fish");
    assert_int_equal(gn_dataset_sample(d, GN_SPLIT_TRAIN, 0)->label, 4);
    assert_int_equal(gn_dataset_sample(d, GN_SPLIT_TRAIN, 1)->label, 19);
    gn_dataset_close(&d);
}

static void test_cifar_cut_off(void **state)
{
    fixture_write(state, "c/data_batch_1.bin", "short");
    refuse(state, "c", GN_EFORMAT, "3073");
    fixture_write(state, "h/train.bin", "");
    refuse(state, "h", GN_EFORMAT, "3074");
}

/* --- zips --- */

static void test_zip_of_class_folders(void **state)
{
    draw_split_folders(state, "set");
    fixture_zip_folder(state, "flat.zip", "set", "");
    fixture_zip_folder(state, "wrapped.zip", "set", "a_folder_around");
    gn_dataset *disk = open_set(state, "set"), *flat = open_set(state, "flat.zip"),
               *wrapped = open_set(state, "wrapped.zip");
    assert_string_equal(gn_dataset_format(flat), "zip of class folders");
    check_split_folders(flat);
    check_split_folders(wrapped);
    assert_true(gn_dataset_hash(disk) == gn_dataset_hash(flat));
    assert_true(gn_dataset_hash(disk) == gn_dataset_hash(wrapped));
    for (int64_t i = 0; i < gn_dataset_count(disk, GN_SPLIT_TRAIN); i++) {
        gn_image a = {0}, b = {0};
        assert_int_equal(gn_sample_decode(gn_dataset_sample(disk, GN_SPLIT_TRAIN, i), NULL, &a, NULL), GN_OK);
        assert_int_equal(gn_sample_decode(gn_dataset_sample(flat, GN_SPLIT_TRAIN, i), NULL, &b, NULL), GN_OK);
        assert_memory_equal(a.data, b.data, a.stride_bytes * (size_t)a.height);
        gn_image_deinit(&a);
        gn_image_deinit(&b);
    }
    gn_dataset_close(&disk);
    gn_dataset_close(&flat);
    gn_dataset_close(&wrapped);
}

static void test_zip_of_cifar(void **state)
{
    const uint8_t train[] = {3, 4, 5}, test[] = {6};
    write_cifar(state, "c/data_batch_1.bin", 3, 1, train);
    write_cifar(state, "c/test_batch.bin", 1, 1, test);
    fixture_zip_folder(state, "c.zip", "c", "cifar-10-batches-bin");
    gn_dataset_options o = gn_dataset_default_options();
    o.val_frac = 0;
    gn_dataset *d = open_with(state, "c.zip", &o);
    assert_string_equal(gn_dataset_format(d), "zip of CIFAR-10");
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN) + gn_dataset_count(d, GN_SPLIT_TEST), 4);
    check_record(gn_dataset_sample(d, GN_SPLIT_TRAIN, 2), 2);
    gn_dataset_close(&d);
}

static void test_zip_of_boxes(void **state)
{
    fixture_simple_set(state, "p", 6);
    fixture_write(state, "data.yaml", "path: .\ntrain: images\nnames: [face]\n");
    const gn_dataset_options none = {.dup_distance = 4};
    gn_dataset *disk = open_with(state, "data.yaml", &none);
    const uint64_t hash = gn_dataset_hash(disk);
    gn_dataset_close(&disk);
    fixture_member m[16];
    size_t n = 0;
    static char names[12][64];
    for (int i = 0; i < 6; i++) {
        snprintf(names[2 * i], 64, "images/p%d.png", i);
        snprintf(names[2 * i + 1], 64, "labels/p%d.txt", i);
        for (int k = 0; k < 2; k++, n++)
            m[n] = (fixture_member){.name = names[n], .file = names[n]};
    }
    m[n++] = (fixture_member){.name = "data.yaml", .file = "data.yaml"};
    fixture_zip(state, "boxes.zip", m, n);
    gn_dataset *d = open_with(state, "boxes.zip", &none);
    assert_string_equal(gn_dataset_format(d), "zip of data.yaml");
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 6);
    assert_int_equal(gn_dataset_sample(d, GN_SPLIT_TRAIN, 0)->n_boxes, 1);
    assert_true(gn_dataset_hash(d) == hash);
    gn_dataset_close(&d);

    fixture_write(state, "boxes.csv", "image,x1,y1,x2,y2\nimages/p0.png,1,2,30,40\nimages/p1.png,,,,\n");
    m[n - 1] = (fixture_member){.name = "boxes.csv", .file = "boxes.csv"};
    fixture_zip(state, "csv.zip", m, n);
    d = open_with(state, "csv.zip", &none);
    assert_string_equal(gn_dataset_format(d), "zip of csv");
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 2);
    gn_dataset_close(&d);
}

/* A data.yaml in an archive sees the archive only, wherever it points. */
static void test_zip_sees_nothing_else(void **state)
{
    fixture_simple_set(state, "p", 2);
    char yaml[700];
    snprintf(yaml, sizeof yaml, "path: %s\ntrain: images\nnames: [face]\n", fixture_path(state, "."));
    const fixture_member outside[] = {{.name = "data.yaml", .bytes = yaml, .n = strlen(yaml)}};
    fixture_zip(state, "outside.zip", outside, 1);
    refuse(state, "outside.zip", GN_EDATA, "there is no folder");
    const char list[] = "../images/p0.png\n/etc/hostname.png\n";
    const char listed[] = "train: list.txt\nnames: [face]\n";
    const fixture_member up[] = {{.name = "data.yaml", .bytes = listed, .n = sizeof listed - 1},
                                 {.name = "list.txt", .bytes = list, .n = sizeof list - 1}};
    fixture_zip(state, "up.zip", up, 2);
    refuse(state, "up.zip", GN_EDATA, "there is no picture '../images/p0.png'");
}

static void test_refused_zips(void **state)
{
    fixture_picture(state, "a.png", 24, 16, 1);
    const fixture_member climbing[] = {{.name = "train/../../x.png", .file = "a.png"}};
    fixture_zip(state, "climbing.zip", climbing, 1);
    refuse(state, "climbing.zip", GN_EFORMAT, "'train/../../x.png'");
    const fixture_member absolute[] = {{.name = "/x.png", .file = "a.png"}};
    fixture_zip(state, "absolute.zip", absolute, 1);
    refuse(state, "absolute.zip", GN_EFORMAT, "outside");
    const fixture_member twice[] = {{.name = "c/x.png", .file = "a.png"}, {.name = "c/./x.png", .file = "a.png"}};
    fixture_zip(state, "twice.zip", twice, 2);
    refuse(state, "twice.zip", GN_EFORMAT, "two members");
    fixture_zip(state, "empty.zip", NULL, 0);
    refuse(state, "empty.zip", GN_EDATA, "no picture");
    fixture_write(state, "text.zip", "this is no zip");
    refuse(state, "text.zip", GN_EFORMAT, "no zip file");
}

/* Members that claim to be huge, are encrypted, packed by an unknown method or damaged are left out, each with its line. */
static void test_bad_members(void **state)
{
    fixture_picture(state, "a.png", 24, 16, 1);
    const char packed[40] = {0};
    const fixture_member m[] = {
        {.name = "a/good.png", .file = "a.png"},
        {.name = "b/bomb.png", .bytes = packed, .n = sizeof packed, .claims = 60u << 20, .method = 8},
        {.name = "b/huge.png", .bytes = packed, .n = sizeof packed, .claims = 3000000000u, .method = 8},
        {.name = "b/locked.png", .bytes = packed, .n = sizeof packed, .flags = 1},
        {.name = "b/unknown.png", .bytes = packed, .n = sizeof packed, .method = 77},
        {.name = "b/cut.png", .bytes = packed, .n = sizeof packed, .claims = 41},
    };
    fixture_zip(state, "bad.zip", m, sizeof m / sizeof m[0]);
    const gn_dataset_options none = {.dup_distance = 4};
    const uint64_t before = gn_memory_stats_get().peak_bytes;
    gn_dataset *d = open_with(state, "bad.zip", &none);
    assert_true(gn_memory_stats_get().peak_bytes - before < (20u << 20));
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 1);
    assert_int_equal(gn_dataset_problem_counts(d).unreadable_pictures, 5);
    static const char *const words[] = {"packed ones", "cut.png", "at most", "encrypted", "unpacked"};
    static const char *const files[] = {"bomb", "cut", "huge", "locked", "unknown"};
    for (int i = 0; i < 5; i++) {
        const gn_problem *p = gn_dataset_problem(d, i);
        if (strstr(p->file, files[i]) == NULL || strstr(p->message, words[i]) == NULL)
            fail_msg("%s: %s", p->file, p->message);
    }
    gn_dataset_close(&d);
}

static void test_archive_as_folder(void **state)
{
    const fixture_member m[] = {{.name = "a/x.txt", .bytes = "one", .n = 3},
                                {.name = "a-b/y.txt", .bytes = "two", .n = 3},
                                {.name = "a/sub/z.txt", .bytes = "", .n = 0},
                                {.name = "top.txt", .bytes = "top", .n = 3}};
    fixture_zip(state, "f.zip", m, 4);
    gn_archive *a = NULL;
    gn_arena *arena = gn_arena_create(0);
    const char **names = NULL;
    size_t n = 0;
    assert_int_equal(gn_archive_open(fixture_path(state, "f.zip"), &a, NULL), GN_OK);
    assert_int_equal(gn_archive_list(a, "", arena, &names, &n, NULL), GN_OK);
    assert_int_equal(n, 3);
    assert_string_equal(names[0], "a");
    assert_string_equal(names[1], "a-b");
    assert_string_equal(names[2], "top.txt");
    assert_int_equal(gn_archive_list(a, "./a/", arena, &names, &n, NULL), GN_OK);
    assert_int_equal(n, 2);
    assert_string_equal(names[0], "sub");
    assert_true(gn_archive_is_dir(a, "a/sub"));
    assert_false(gn_archive_is_dir(a, "a/x.txt"));
    assert_false(gn_archive_is_dir(a, "a/su"));
    assert_int_equal(gn_archive_find(a, "a"), -1);
    assert_int_equal(gn_archive_find(a, "a/../top.txt"), -1);
    assert_int_equal(gn_archive_list(a, "nowhere", arena, &names, &n, NULL), GN_ENOENT);
    char *text = NULL;
    assert_int_equal(gn_archive_read(a, gn_archive_find(a, "a-b/./y.txt"), 3, &text, &n, NULL), GN_OK);
    assert_string_equal(text, "two");
    gn_free(text);
    assert_int_equal(gn_archive_read(a, gn_archive_find(a, "a/x.txt"), 2, &text, &n, NULL), GN_ELIMIT);
    gn_archive_close(&a);
    gn_arena_destroy(&arena);
}

/* --- batches --- */

static void check_batches(const gn_dataset *d, int workers)
{
    gn_loader_options o = gn_loader_default_options();
    o.imgsz_w = o.imgsz_h = 16;
    o.batch = 3;
    o.workers = workers;
    o.shuffle = true;
    gn_loader *l = NULL;
    gn_batch b;
    int64_t seen = 0;
    assert_int_equal(gn_loader_create(d, &o, &l, NULL), GN_OK);
    assert_int_equal(gn_loader_begin_epoch(l, 1, 0), GN_OK);
    while (gn_loader_next(l, &b) == GN_OK && b.n > 0)
        for (int i = 0; i < b.n; i++, seen++) {
            assert_int_equal(b.label[i], gn_dataset_sample(d, GN_SPLIT_TRAIN, b.sample[i])->label);
            assert_true(b.weight[i] == 1.0f && b.has_box[i] == 0.0f);
        }
    assert_int_equal(seen, 7);
    gn_loader_destroy(&l);
}

static void test_batches_carry_classes(void **state)
{
    draw_split_folders(state, "set");
    fixture_zip_folder(state, "set.zip", "set", "");
    gn_dataset *d = open_set(state, "set.zip");
    check_batches(d, 0);
    check_batches(d, 3);
    gn_dataset_close(&d);
}

/* A padded crop moves the picture by whole pixels, at most the padding; what was outside is grey. */
static void test_padded_crop(void **state)
{
    const uint8_t labels[20] = {0};
    write_cifar(state, "c/data_batch_1.bin", 20, 1, labels);
    const gn_dataset_options none = {.dup_distance = 4};
    gn_dataset *d = open_with(state, "c", &none);
    gn_loader_options o = gn_loader_default_options();
    o.imgsz_w = o.imgsz_h = 32;
    o.batch = 20;
    o.workers = 0;
    o.mean[0] = o.mean[1] = o.mean[2] = 0;
    o.std[0] = o.std[1] = o.std[2] = 1;
    o.augment.pad_crop = 4;
    gn_loader *l = NULL;
    gn_batch b;
    int lowest = 99, highest = -99;
    assert_int_equal(gn_loader_create(d, &o, &l, NULL), GN_OK);
    assert_int_equal(gn_loader_begin_epoch(l, 0, 0), GN_OK);
    assert_int_equal(gn_loader_next(l, &b), GN_OK);
    for (int i = 0; i < b.n; i++) {
        const float *red = b.images + (size_t)i * 3072, *green = red + 1024, *blue = green + 1024;
        /* the middle pixel shows x = 16 - shift: red is 10*record + x, green y, blue 7 */
        const int record = (int)b.sample[i];
        const int dx = 10 * record + 16 - (int)(red[16 * 32 + 16] * 255 + 0.5f);
        const int dy = 16 - (int)(green[16 * 32 + 16] * 255 + 0.5f);
        assert_true(dx >= -4 && dx <= 4 && dy >= -4 && dy <= 4);
        for (int y = 0; y < 32; y++)
            for (int x = 0; x < 32; x++) {
                const int px = x - dx, py = y - dy, at = y * 32 + x;
                const bool is_in = px >= 0 && px < 32 && py >= 0 && py < 32;
                assert_int_equal((int)(red[at] * 255 + 0.5f), is_in ? 10 * record + px : 114);
                assert_int_equal((int)(green[at] * 255 + 0.5f), is_in ? py : 114);
                assert_int_equal((int)(blue[at] * 255 + 0.5f), is_in ? 7 : 114);
            }
        lowest = dx < lowest ? dx : lowest;
        highest = dx > highest ? dx : highest;
    }
    assert_true(lowest < 0 && highest > 0);
    gn_loader_destroy(&l);
    gn_dataset_close(&d);
}

/* A resized crop shows a part of the picture only, never anything outside it, and its shape is within 3:4 to 4:3. */
static void test_resized_crop(void **state)
{
    const uint8_t labels[20] = {0};
    write_cifar(state, "c/data_batch_1.bin", 20, 1, labels);
    const gn_dataset_options none = {.dup_distance = 4};
    gn_dataset *d = open_with(state, "c", &none);
    gn_loader_options o = gn_loader_default_options();
    o.imgsz_w = o.imgsz_h = 32;
    o.batch = 20;
    o.workers = 0;
    o.augment.resized_crop = 0.25;
    gn_loader *l = NULL;
    gn_batch b;
    assert_int_equal(gn_loader_create(d, &o, &l, NULL), GN_OK);
    assert_int_equal(gn_loader_begin_epoch(l, 0, 0), GN_OK);
    assert_int_equal(gn_loader_next(l, &b), GN_OK);
    double least = 2, most = 0;
    for (int i = 0; i < b.n; i++) {
        const gn_geometry *g = &b.geometry[i];
        const double w = g->scale_x, h = g->scale_y; /* side of the window as a fraction of the picture's */
        assert_true(g->offset_x >= -1e-9 && g->offset_x + 32 * w <= 32 + 1e-9);
        assert_true(g->offset_y >= -1e-9 && g->offset_y + 32 * h <= 32 + 1e-9);
        assert_true(w * h >= 0.25 * 0.999 && w / h > 0.74 && w / h < 1.34);
        least = w * h < least ? w * h : least;
        most = w * h > most ? w * h : most;
        assert_int_equal((int)(b.images[(size_t)i * 3072 + 2048] * o.std[2] * 255 + o.mean[2] * 255 + 0.5f), 7);
    }
    assert_true(least < 0.5 && most > 0.6);
    gn_loader_destroy(&l);
    gn_dataset_close(&d);
}

static void test_real_zip(void **state)
{
    (void)state;
    char path[1024];
    const char *real = fixture_real_data();
    if (real != NULL)
        snprintf(path, sizeof path, "%s/cifar10/cifar10_images.zip", real);
    if (real == NULL || !gn_path_exists(path))
        skip();
    gn_dataset_options o = gn_dataset_default_options();
    o.val_frac = o.test_frac = 0;
    gn_dataset *d = NULL;
    gn_error err = {0};
    if (gn_dataset_open(path, &o, &d, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 50000);
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TEST), 10000);
    assert_int_equal(gn_dataset_classes(d), 10);
    for (int c = 0; c < 10; c++)
        assert_int_equal(count_label(d, GN_SPLIT_TEST, c), 1000);
    gn_dataset_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_folders_with_splits),
        T(test_folders_are_split),
        T(test_boxes_stay_boxes),
        T(test_hash_knows_the_class),
        T(test_cifar10),
        T(test_cifar100),
        T(test_cifar_cut_off),
        T(test_zip_of_class_folders),
        T(test_zip_of_cifar),
        T(test_zip_of_boxes),
        T(test_zip_sees_nothing_else),
        T(test_refused_zips),
        T(test_bad_members),
        T(test_archive_as_folder),
        T(test_batches_carry_classes),
        T(test_padded_crop),
        T(test_resized_crop),
        cmocka_unit_test(test_real_zip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
