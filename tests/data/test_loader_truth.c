/* All boxes of a picture in a batch: they follow flips, zooms and letterboxes, crowds are left out, the room for them is known beforehand,
 * and the smallest go first when a picture has too many.
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
#include "data/batch.h"
#include "data/sample_truth.h"
#include "data_fixture.h"

static gn_dataset *open_set(void *const *state)
{
    gn_dataset_options options = gn_dataset_default_options();
    options.val_frac = options.test_frac = 0;
    gn_dataset *d = NULL;
    gn_error err = {0};
    if (gn_dataset_open(fixture_path(state, "data.yaml"), &options, &d, &err) != GN_OK)
        fail_msg("%s", err.message);
    return d;
}

static gn_loader *make_loader(const gn_dataset *d, const gn_loader_options *o)
{
    gn_loader *l = NULL;
    gn_error err = {0};
    if (gn_loader_create(d, o, &l, &err) != GN_OK)
        fail_msg("%s", err.message);
    return l;
}

static gn_loader_options small_options(void)
{
    gn_loader_options o = gn_loader_default_options();
    o.imgsz_w = o.imgsz_h = 64;
    o.fit = GN_FIT_LETTERBOX;
    o.batch = 2;
    o.workers = 0;
    return o;
}

static void first_batch(gn_loader *l, int64_t epoch, gn_batch *b)
{
    assert_int_equal(gn_loader_begin_epoch(l, epoch, 0), GN_OK);
    assert_int_equal(gn_loader_next(l, b), GN_OK);
    assert_true(b->n > 0);
}

static void assert_row(const float *row, double x1, double y1, double x2, double y2, double cls)
{
    const double want[5] = {x1, y1, x2, y2, cls};
    for (int i = 0; i < 5; i++)
        if (fabs(row[i] - want[i]) > 1e-6)
            fail_msg("value %d of a row is %g instead of %g", i, (double)row[i], want[i]);
}

/* A picture of 64 x 48 in an input of 64 x 64 has 8 pixels of grey above and below. */
static void test_letterbox_and_flip(void **state)
{
    fixture_simple_set(state, "p", 3);
    fixture_write(state, "labels/p0.txt", "1 0.25 0.5 0.5 1\n0 0.75 0.25 0.25 0.5\n");
    fixture_write(state, "labels/p1.txt", "");
    fixture_write(state, "labels/p2.txt", "1 0.5 0.5 0.5 0.5\n0 0.5 0.5 0.25 0.25\n1 0.9 0.9 0.1 0.1\n");
    fixture_write(state, "data.yaml", "train: images\nnames: [a, b]\n");
    gn_dataset *d = open_set(state);
    for (int flip = 0; flip < 2; flip++) {
        gn_loader_options o = small_options();
        o.augment.fliplr = flip;
        gn_loader *l = make_loader(d, &o);
        assert_int_equal(gn_loader_truth_capacity(l), 3);
        gn_batch b;
        first_batch(l, 0, &b);
        assert_int_equal(b.truth_capacity, 3);
        assert_int_equal(b.n_truth[0], 2);
        assert_int_equal(b.n_truth[1], 0);
        if (flip == 0) {
            assert_row(b.truth, 0, 0.125, 0.5, 0.875, 1);
            assert_row(b.truth + 5, 0.625, 0.125, 0.875, 0.5, 0);
        } else {
            assert_row(b.truth, 0.5, 0.125, 1, 0.875, 1);
            assert_row(b.truth + 5, 0.125, 0.125, 0.375, 0.5, 0);
        }
        for (int i = 2; i < 6; i++) /* the last row of the first picture, and the second picture */
            assert_row(b.truth + (size_t)i * 5, 0, 0, 0, 0, 0);
        assert_int_equal(gn_loader_next(l, &b), GN_OK);
        assert_int_equal(b.n_truth[0], 3);
        assert_int_equal(gn_loader_truth_dropped(l), 0);
        gn_loader_destroy(&l);
    }
    gn_dataset_close(&d);
}

/* Zooms and shifts: a row is where gn_batch.geometry says, when enough of it is left. */
static void test_moved(void **state)
{
    fixture_simple_set(state, "p", 1);
    fixture_write(state, "labels/p0.txt", "0 0.2 0.2 0.3 0.3\n0 0.7 0.7 0.4 0.2\n0 0.5 0.95 0.2 0.03\n");
    gn_dataset *d = open_set(state);
    gn_loader_options o = small_options();
    o.imgsz_w = o.imgsz_h = 128;
    o.augment = (gn_augment){.fliplr = 0.5, .scale = 0.5, .translate = 0.5};
    gn_loader *l = make_loader(d, &o);
    const gn_sample *s = gn_dataset_sample(d, GN_SPLIT_TRAIN, 0);
    int kept = 0, cut = 0, gone = 0;
    for (int epoch = 0; epoch < 100; epoch++) {
        gn_batch b;
        first_batch(l, epoch, &b);
        int row = 0;
        for (int i = 0; i < s->n_boxes; i++) {
            const gn_box px = {s->box[i].x1 * 64, s->box[i].y1 * 48, s->box[i].x2 * 64, s->box[i].y2 * 48};
            const gn_box in = gn_geometry_to_input(b.geometry, 128, 128, &px), seen = gn_box_clip(&in, 1, 1);
            const double visible = gn_box_area(&seen) / gn_box_area(&in);
            const double w = (double)(seen.x2 - seen.x1) * 128, h = (double)(seen.y2 - seen.y1) * 128;
            assert_true(fabs(visible - GN_TRUTH_KEEP_FRAC) > 1e-6 && fabs(w - 2) > 1e-4 && fabs(h - 2) > 1e-4);
            if (visible < GN_TRUTH_KEEP_FRAC || w < GN_TRUTH_MIN_SIDE || h < GN_TRUTH_MIN_SIDE) {
                gone++;
                continue;
            }
            const gn_box *got = (const gn_box *)(const void *)(b.truth + (size_t)row++ * 5);
            assert_true(gn_box_iou(got, &seen) > 0.999);
            kept++;
            cut += visible < 0.99;
        }
        assert_int_equal(b.n_truth[0], row);
    }
    assert_true(kept > 100 && cut > 20 && gone > 20);
    gn_loader_destroy(&l);
    gn_dataset_close(&d);
}

static void test_list_drops_the_smallest(void **state)
{
    (void)state;
    float rows[3 * 5];
    gn_truth_list list = {.row = rows, .capacity = 3};
    for (int i = 0; i < 7; i++) { /* sides .1 .2 .3 .4 .3 .2 .1 */
        const float side = 0.1f * (float)(i < 4 ? i + 1 : 7 - i);
        const gn_box box = {0, 0, side, side};
        gn_truth_add(&list, &box, i);
    }
    assert_int_equal(list.n, 3);
    assert_int_equal(list.dropped, 4);
    for (int i = 0; i < 3; i++)
        assert_true(rows[5 * i + 4] == (float)(i + 2)); /* 2, 3 and 4, in their order */
}

static void test_capacity_is_bounded(void **state)
{
    fixture_simple_set(state, "p", 2);
    char *text = malloc(64 * 1200);
    size_t at = 0;
    for (int i = 0; i < 1200; i++) /* all of another place; the later, the larger */
        at += (size_t)sprintf(text + at, "0 %.5f 0.5 %.5f 0.5\n", 0.3 + i * 1e-4, 0.1 + i * 1e-4);
    fixture_write(state, "labels/p1.txt", text);
    free(text);
    gn_dataset *d = open_set(state);
    const gn_loader_options o = small_options();
    gn_loader *l = make_loader(d, &o);
    assert_int_equal(gn_loader_truth_capacity(l), GN_TRUTH_MAX);
    gn_batch b;
    first_batch(l, 0, &b);
    assert_int_equal(b.n_truth[0], 1);
    assert_int_equal(b.n_truth[1], GN_TRUTH_MAX);
    assert_int_equal(gn_loader_truth_dropped(l), 200);
    const float *row = b.truth + (size_t)GN_TRUTH_MAX * 5;
    assert_true(fabs((double)(row[2] - row[0]) - 0.12) < 1e-5); /* the 200 smallest are the first 200 */
    gn_loader_destroy(&l);
    gn_dataset_close(&d);
}

static void test_crowds_are_no_targets(void **state)
{
    (void)state;
    const gn_box box[3] = {{0, 0, 1, 1}, {0, 0, 0.5f, 0.5f}, {0.5f, 0.5f, 1, 1}};
    const uint8_t flags[3] = {GN_BOX_CROWD, GN_BOX_DIFFICULT, 0};
    gn_sample s = {.box = box, .n_boxes = 3};
    assert_int_equal(gn_sample_targets(&s), 3);
    s.flags = flags;
    assert_int_equal(gn_sample_targets(&s), 2);
    assert_false(gn_sample_is_target(&s, 0));
    assert_true(gn_sample_is_target(&s, 1) && gn_sample_is_target(&s, 2));
}

static uint64_t hash_epochs(const gn_dataset *d, const gn_loader_options *o, int64_t first)
{
    gn_loader *l = make_loader(d, o);
    uint64_t hash = 1;
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        gn_batch b;
        assert_int_equal(gn_loader_begin_epoch(l, epoch, first), GN_OK);
        while (gn_loader_next(l, &b) == GN_OK && b.n > 0) {
            const size_t n = (size_t)b.n;
            hash = gn_hash64(b.truth, n * (size_t)b.truth_capacity * 5 * sizeof(float), hash);
            hash = gn_hash64(b.n_truth, n * sizeof(int64_t), hash);
        }
    }
    gn_loader_destroy(&l);
    return hash;
}

static void test_same_bits(void **state)
{
    fixture_simple_set(state, "p", 11);
    fixture_write(state, "labels/p3.txt", "0 0.2 0.2 0.3 0.3\n0 0.7 0.7 0.4 0.2\n0 0.5 0.9 0.2 0.1\n");
    gn_dataset *d = open_set(state);
    gn_loader_options o = small_options();
    o.shuffle = true;
    o.augment = (gn_augment){.fliplr = 0.5, .scale = 0.5, .translate = 0.2};
    const uint64_t want = hash_epochs(d, &o, 0), rest = hash_epochs(d, &o, 2);
    assert_true(want != rest);
    for (o.workers = 1; o.workers <= 3; o.workers++) {
        assert_true(hash_epochs(d, &o, 0) == want);
        assert_true(hash_epochs(d, &o, 2) == rest);
    }
    gn_dataset_close(&d);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_letterbox_and_flip),
        T(test_moved),
        cmocka_unit_test(test_list_drops_the_smallest),
        T(test_capacity_is_bounded),
        cmocka_unit_test(test_crowds_are_no_targets),
        T(test_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
