/* The loader: contents of a batch, boxes that follow every transform, the same bits for any number of workers and from any starting
 * batch, the cache, and pictures that cannot be decoded.
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

#include "base/clock.h"
#include "base/file.h"
#include "data/batch.h"
#include "data/sample_prepare.h"
#include "data_fixture.h"
#include "image/image.h"
#include "image/resize.h"

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.9g, want %.9g (tolerance %g)", got, want, tolerance);
}

static gn_dataset *open_set(void *const *state)
{
    gn_dataset_options options = gn_dataset_default_options();
    options.val_frac = options.test_frac = 0;
    gn_dataset *d = NULL;
    assert_int_equal(gn_dataset_open(fixture_path(state, "data.yaml"), &options, &d, NULL), GN_OK);
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
    o.imgsz_w = 32;
    o.imgsz_h = 24;
    o.batch = 4;
    o.workers = 0;
    return o;
}

static void test_plain_batch(void **state)
{
    fixture_simple_set(state, "p", 6);
    fixture_write(state, "labels/p5.txt", "");
    gn_dataset *d = open_set(state);
    const gn_loader_options o = small_options();
    gn_loader *l = make_loader(d, &o);
    assert_int_equal(gn_loader_images(l), 6);
    assert_int_equal(gn_loader_batches(l), 2);
    gn_batch b;
    assert_int_equal(gn_loader_next(l, &b), GN_OK);
    assert_int_equal(b.n, 0); /* no epoch has begun */
    assert_int_equal(gn_loader_begin_epoch(l, 0, 0), GN_OK);
    assert_int_equal(gn_loader_next(l, &b), GN_OK);
    assert_int_equal(b.n, 4);
    float *want = malloc(3 * 24 * 32 * sizeof *want);
    gn_image image;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(b.sample[i], i);
        const gn_sample *s = gn_dataset_sample(d, GN_SPLIT_TRAIN, i);
        assert_int_equal(gn_image_load(s->path, NULL, &image, NULL), GN_OK);
        assert_int_equal(gn_resize_f32(&image, 32, 24, o.mean, o.std, GN_PIXELS_CHW, want), GN_OK);
        assert_memory_equal(want, b.images + (size_t)i * 3 * 24 * 32, 3 * 24 * 32 * sizeof *want);
        gn_image_deinit(&image);
        assert_memory_equal(b.boxes + 4 * i, s->box, sizeof(gn_box));
        assert_true(b.has_box[i] == 1 && b.weight[i] == 1);
    }
    free(want);
    assert_int_equal(gn_loader_next(l, &b), GN_OK);
    assert_int_equal(b.n, 2);
    assert_true(b.has_box[1] == 0 && b.weight[1] == 1 && b.boxes[4] == 0);
    assert_int_equal(gn_loader_next(l, &b), GN_OK);
    assert_int_equal(b.n, 0);
    gn_loader_destroy(&l);
    assert_null(l);
    gn_dataset_close(&d);
}

static void test_order(void **state)
{
    fixture_simple_set(state, "p", 10);
    gn_dataset *d = open_set(state);
    gn_loader_options o = small_options();
    o.shuffle = true;
    o.drop_last = true;
    gn_loader *l = make_loader(d, &o);
    assert_int_equal(gn_loader_images(l), 8);
    int64_t order[3][8];
    for (int e = 0; e < 3; e++) {
        gn_batch b;
        int n = 0, seen[10] = {0};
        assert_int_equal(gn_loader_begin_epoch(l, e % 2, 0), GN_OK); /* epochs 0, 1, 0 */
        while (gn_loader_next(l, &b) == GN_OK && b.n > 0)
            for (int i = 0; i < b.n; i++) {
                assert_int_equal(seen[b.sample[i]]++, 0);
                order[e][n++] = b.sample[i];
            }
        assert_int_equal(n, 8);
    }
    assert_memory_equal(order[0], order[2], sizeof order[0]);
    assert_memory_not_equal(order[0], order[1], sizeof order[0]);
    assert_int_equal(gn_loader_begin_epoch(l, 0, 3), GN_EINVAL);
    assert_int_equal(gn_loader_begin_epoch(l, -1, 0), GN_EINVAL);
    gn_loader_destroy(&l);
    gn_dataset_close(&d);
}

static uint64_t hash_batch(const gn_batch *b, const gn_loader_options *o, uint64_t h)
{
    const size_t n = (size_t)b->n;
    h = gn_hash64(b->images, n * 3 * (size_t)o->imgsz_w * (size_t)o->imgsz_h * sizeof(float), h);
    h = gn_hash64(b->boxes, n * 4 * sizeof(float), h);
    h = gn_hash64(b->has_box, n * sizeof(float), h);
    h = gn_hash64(b->weight, n * sizeof(float), h);
    return gn_hash64(b->sample, n * sizeof(int64_t), h);
}

/* Hashes of all batches of the epochs, each epoch begun at `first`. */
static int hash_epochs(const gn_dataset *d, const gn_loader_options *o, int epochs, int64_t first, uint64_t *hash)
{
    gn_loader *l = make_loader(d, o);
    int n = 0;
    for (int e = 0; e < epochs; e++) {
        assert_int_equal(gn_loader_begin_epoch(l, e, first), GN_OK);
        gn_batch b;
        while (gn_loader_next(l, &b) == GN_OK && b.n > 0)
            hash[n++] = hash_batch(&b, o, 1);
    }
    gn_loader_destroy(&l);
    return n;
}

static gn_augment every_augmentation(void)
{
    return (gn_augment){.fliplr = 0.5,
                        .scale = 0.5,
                        .translate = 0.2,
                        .hsv_h = 0.015,
                        .hsv_s = 0.7,
                        .hsv_v = 0.4,
                        .brightness = 0.2,
                        .contrast = 0.2,
                        .crop = 0.5,
                        .erase = 0.3};
}

static void test_same_bits(void **state)
{
    fixture_simple_set(state, "p", 13);
    gn_dataset *d = open_set(state);
    gn_loader_options o = small_options();
    o.shuffle = true;
    for (int fit = 0; fit < 2; fit++)
        for (int augmented = 0; augmented < 3; augmented++) {
            o.fit = (gn_fit)fit;
            memset(&o.augment, 0, sizeof o.augment);
            if (augmented == 1)
                o.augment.fliplr = o.augment.hsv_v = 0.5;
            if (augmented == 2)
                o.augment = every_augmentation();
            uint64_t want[12], got[12];
            o.workers = 0;
            o.cache_bytes = 1 << 20;
            assert_int_equal(hash_epochs(d, &o, 3, 0, want), 12);
            for (int workers = 0; workers <= 3; workers++)
                for (size_t cache = 0; cache <= 20000; cache += 10000) { /* nothing, some, all */
                    o.workers = workers;
                    o.cache_bytes = cache;
                    assert_int_equal(hash_epochs(d, &o, 3, 0, got), 12);
                    assert_memory_equal(want, got, sizeof want);
                }
            /* From batch 2 of each epoch on. */
            assert_int_equal(hash_epochs(d, &o, 3, 2, got), 6);
            for (int e = 0; e < 3; e++)
                assert_memory_equal(&want[4 * e + 2], &got[2 * e], 2 * sizeof *want);
            if (augmented > 0)
                assert_true(want[0] != want[4]);
        }
    gn_dataset_close(&d);
}

/* Leaving an epoch early, while workers are busy, and going on elsewhere. */
static void test_leaving_early(void **state)
{
    fixture_simple_set(state, "p", 12);
    gn_dataset *d = open_set(state);
    gn_loader_options o = small_options();
    o.shuffle = true;
    o.batch = 2;
    uint64_t want[12];
    assert_int_equal(hash_epochs(d, &o, 2, 0, want), 12);
    o.workers = 3;
    gn_loader *l = make_loader(d, &o);
    for (int round = 0; round < 20; round++) {
        gn_batch b;
        assert_int_equal(gn_loader_begin_epoch(l, round % 2, round % 6), GN_OK);
        assert_int_equal(gn_loader_next(l, &b), GN_OK);
        assert_true(hash_batch(&b, &o, 1) == want[6 * (round % 2) + round % 6]);
    }
    gn_loader_destroy(&l);
    gn_dataset_close(&d);
}

/* A white square on black, so that its place can be read back from the pixels.  Its box is 0.25..0.5 x 0.25..0.75. */
static void write_square(void *const *state, const char *name, int width, int height)
{
    gn_image image;
    assert_int_equal(gn_image_create(width, height, 3, &image), GN_OK);
    for (int y = height / 4; y < height * 3 / 4; y++)
        memset(image.data + (size_t)y * image.stride_bytes + (size_t)(width / 4) * 3, 255, (size_t)(width / 4) * 3);
    char path[128];
    snprintf(path, sizeof path, "images/%s.png", name);
    fixture_write(state, path, "");
    assert_int_equal(gn_image_save(fixture_path(state, path), &image, 95, NULL), GN_OK);
    gn_image_deinit(&image);
    snprintf(path, sizeof path, "labels/%s.txt", name);
    fixture_write(state, path, "0 0.375 0.5 0.25 0.5\n");
    fixture_write(state, "data.yaml", "train: images\nnames: [square]\n");
}

/* Box of the pixels above half white in 0..1; black, grey 114 and white are told apart by the red plane. */
static gn_box find_white(const float *image, int width, int height)
{
    gn_box box = {1, 1, 0, 0};
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            if (image[y * width + x] > 0.75f) {
                box.x1 = fminf(box.x1, (float)x / (float)width);
                box.x2 = fmaxf(box.x2, (float)(x + 1) / (float)width);
                box.y1 = fminf(box.y1, (float)y / (float)height);
                box.y2 = fmaxf(box.y2, (float)(y + 1) / (float)height);
            }
    return box;
}

static gn_loader_options raw_options(void)
{
    gn_loader_options o = gn_loader_default_options();
    o.imgsz_w = 96;
    o.imgsz_h = 80;
    o.batch = 1;
    o.workers = 0;
    for (int c = 0; c < 3; c++) {
        o.mean[c] = 0;
        o.std[c] = 1;
    }
    return o;
}

static void test_boxes_follow(void **state)
{
    write_square(state, "s", 240, 160);
    gn_dataset *d = open_set(state);
    const gn_box truth_px = {60, 40, 120, 120};
    int flips = 0, kept = 0;
    for (int fit = 0; fit < 2; fit++)
        for (int kind = 0; kind < 4; kind++) {
            gn_loader_options o = raw_options();
            o.fit = (gn_fit)fit;
            o.augment.fliplr = kind > 0 ? 0.5 : 0;
            o.augment.scale = kind == 2 ? 0.5 : 0;
            o.augment.translate = kind == 2 ? 0.2 : 0;
            o.augment.crop = kind == 3 ? 1 : 0;
            gn_loader *l = make_loader(d, &o);
            for (int epoch = 0; epoch < 40; epoch++) {
                gn_batch b;
                assert_int_equal(gn_loader_begin_epoch(l, epoch, 0), GN_OK);
                assert_int_equal(gn_loader_next(l, &b), GN_OK);
                flips += b.geometry->flipped;
                if (b.has_box[0] == 0)
                    continue;
                kept++;
                const gn_box seen = find_white(b.images, o.imgsz_w, o.imgsz_h), *box = (const gn_box *)b.boxes;
                assert_near(box->x1, seen.x1, 1.3 / o.imgsz_w);
                assert_near(box->x2, seen.x2, 1.3 / o.imgsz_w);
                assert_near(box->y1, seen.y1, 1.3 / o.imgsz_h);
                assert_near(box->y2, seen.y2, 1.3 / o.imgsz_h);
                const gn_box in = gn_geometry_to_input(b.geometry, o.imgsz_w, o.imgsz_h, &truth_px),
                             cut = gn_box_clip(&in, 1, 1);
                assert_near(gn_box_iou(&cut, box), 1, 1e-4);
                const gn_box back = gn_geometry_to_picture(b.geometry, o.imgsz_w, o.imgsz_h, &in);
                assert_near(gn_box_iou(&back, &truth_px), 1, 1e-4);
            }
            gn_loader_destroy(&l);
        }
    assert_in_range(flips, 80, 160); /* half of 240 */
    assert_true(kept > 280);
    gn_dataset_close(&d);
}

/* Shifted so far that less than a quarter of the box is left: no target. */
static void test_cut_boxes(void **state)
{
    write_square(state, "s", 240, 160);
    gn_dataset *d = open_set(state);
    gn_loader_options o = raw_options();
    o.augment.translate = 0.9;
    gn_loader *l = make_loader(d, &o);
    int dropped = 0, cut = 0;
    for (int epoch = 0; epoch < 200; epoch++) {
        gn_batch b;
        assert_int_equal(gn_loader_begin_epoch(l, epoch, 0), GN_OK);
        assert_int_equal(gn_loader_next(l, &b), GN_OK);
        const gn_box whole = {60, 40, 120, 120}, in = gn_geometry_to_input(b.geometry, o.imgsz_w, o.imgsz_h, &whole);
        const gn_box clipped = gn_box_clip(&in, 1, 1);
        const double visible = gn_box_area(&clipped) / gn_box_area(&in);
        if (fabs(visible - GN_AUGMENT_KEEP_FRAC) > 1e-3)
            assert_int_equal(b.has_box[0] != 0, visible > GN_AUGMENT_KEEP_FRAC);
        dropped += b.has_box[0] == 0;
        cut += b.has_box[0] != 0 && visible < 1;
        assert_true(b.weight[0] == 1);
    }
    assert_true(dropped > 20 && cut > 20);
    gn_loader_destroy(&l);
    gn_dataset_close(&d);
}

static void test_largest_box(void **state)
{
    fixture_simple_set(state, "p", 1);
    fixture_write(state, "labels/p0.txt", "0 0.1 0.1 0.1 0.1\n0 0.6 0.5 0.4 0.5\n0 0.3 0.3 0.2 0.2\n");
    gn_dataset *d = open_set(state);
    const gn_loader_options o = small_options();
    gn_loader *l = make_loader(d, &o);
    gn_batch b;
    assert_int_equal(gn_loader_begin_epoch(l, 0, 0), GN_OK);
    assert_int_equal(gn_loader_next(l, &b), GN_OK);
    assert_near(b.boxes[0], 0.4, 1e-6);
    assert_near(b.boxes[3], 0.75, 1e-6);
    gn_loader_destroy(&l);
    gn_dataset_close(&d);
}

/* Zoom 1 through the warp is the resize itself, up to rounding. */
static void test_warp_against_resize(void **state)
{
    fixture_picture(state, "a.png", 90, 70, 3);
    gn_image image, want;
    assert_int_equal(gn_image_load(fixture_path(state, "a.png"), NULL, &image, NULL), GN_OK);
    static const int sizes[][2] = {{90, 70}, {45, 35}, {30, 64}, {200, 100}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int w = sizes[i][0], h = sizes[i][1];
        assert_int_equal(gn_resize_u8(&image, w, h, &want), GN_OK);
        uint8_t *got = malloc((size_t)(w * h * 3));
        void *scratch = malloc(gn_sample_warp_scratch_bytes(200, 90));
        const gn_axis_map x = {(double)w / 90, 0}, y = {(double)h / 70, 0};
        gn_sample_warp(&image, x, y, w, h, scratch, got);
        /* Away from the border, where the warp blends with grey and the resize does not. */
        for (int row = h / 5; row < h - h / 5; row++)
            for (int k = w / 5 * 3; k < (w - w / 5) * 3; k++)
                assert_near(got[row * w * 3 + k], want.data[(size_t)row * want.stride_bytes + (size_t)k], 1);
        free(scratch);
        free(got);
        gn_image_deinit(&want);
    }
    gn_image_deinit(&image);
}

static void test_undecodable_picture(void **state)
{
    fixture_simple_set(state, "p", 4);
    fixture_picture(state, "images/p2.jpg", 200, 150, 5);
    remove(fixture_path(state, "images/p2.png"));
    char *bytes;
    size_t n;
    assert_int_equal(gn_file_read(fixture_path(state, "images/p2.jpg"), 1 << 20, &bytes, &n, NULL), GN_OK);
    fixture_write_bytes(state, "images/p2.jpg", bytes, n / 2);
    gn_free(bytes);
    gn_dataset *d = open_set(state);
    for (int workers = 0; workers < 2; workers++) {
        gn_loader_options o = small_options();
        o.workers = workers;
        gn_loader *l = make_loader(d, &o);
        for (int epoch = 0; epoch < 2; epoch++) {
            gn_batch b;
            assert_int_equal(gn_loader_begin_epoch(l, epoch, 0), GN_OK);
            assert_int_equal(gn_loader_next(l, &b), GN_OK);
            for (int i = 0; i < 4; i++)
                assert_true(b.weight[i] == (i == 2 ? 0 : 1) && b.has_box[i] == b.weight[i]);
            assert_true(isfinite(b.images[2 * 3 * 32 * 24]));
        }
        assert_int_equal(gn_loader_problem_count(l), 1);
        assert_non_null(strstr(gn_loader_problem(l, 0)->file, "p2.jpg"));
        assert_true(strlen(gn_loader_problem(l, 0)->message) > 5);
        assert_null(gn_loader_problem(l, 1));
        gn_loader_destroy(&l);
    }
    gn_dataset_close(&d);
}

static void test_cache_limit(void **state)
{
    fixture_simple_set(state, "p", 8);
    gn_dataset *d = open_set(state);
    gn_loader_options o = small_options();
    o.cache_bytes = 3 * 32 * 24 * 3;
    gn_loader *l = make_loader(d, &o);
    gn_batch b;
    assert_int_equal(gn_loader_begin_epoch(l, 0, 0), GN_OK);
    while (gn_loader_next(l, &b) == GN_OK && b.n > 0)
        assert_true(gn_loader_cache_bytes(l) <= o.cache_bytes);
    assert_int_equal(gn_loader_cache_bytes(l), o.cache_bytes);
    gn_loader_destroy(&l);
    gn_dataset_close(&d);
}

static void refuse(const gn_dataset *d, const gn_loader_options *o, gn_status status, const char *word)
{
    gn_loader *l = NULL;
    gn_error err = {0};
    assert_int_equal(gn_loader_create(d, o, &l, &err), status);
    if (strstr(err.message, word) == NULL)
        fail_msg("'%s' lacks '%s'", err.message, word);
}

static void test_refused_options(void **state)
{
    fixture_simple_set(state, "p", 3);
    gn_dataset *d = open_set(state);
    gn_loader_options o = small_options();
    o.imgsz_w = 7;
    refuse(d, &o, GN_EINVAL, "imgsz is 7");
    o = small_options();
    o.augment.scale = 1.5;
    refuse(d, &o, GN_EINVAL, "scale is 1.5");
    o = small_options();
    o.augment.fliplr = NAN;
    refuse(d, &o, GN_EINVAL, "fliplr");
    o = small_options();
    o.std[1] = 0;
    refuse(d, &o, GN_EINVAL, "deviation");
    o = small_options();
    o.split = GN_SPLIT_VAL;
    refuse(d, &o, GN_EDATA, "val split");
    o = small_options();
    o.drop_last = true;
    refuse(d, &o, GN_EDATA, "fewer than one batch");
    gn_dataset_close(&d);
}

/* What the loader costs once its cache is warm, on the real photos. */
static void test_speed(void **state)
{
    (void)state;
    const char *data = fixture_real_data();
    if (data == NULL)
        skip();
    char path[1024];
    snprintf(path, sizeof path, "%s/faces_one/data.yaml", data);
    gn_dataset *d = NULL;
    assert_int_equal(gn_dataset_open(path, NULL, &d, NULL), GN_OK);
    gn_loader_options o = gn_loader_default_options();
    o.imgsz_w = o.imgsz_h = 128;
    o.batch = 32;
    o.workers = 0;
    o.limit = 320;
    o.augment.fliplr = 0.5;
    gn_loader *l = make_loader(d, &o);
    double best_ms = 1e9;
    for (int epoch = 0; epoch < 4; epoch++) {
        gn_batch b;
        const int64_t start = gn_now_ns();
        assert_int_equal(gn_loader_begin_epoch(l, epoch, 0), GN_OK);
        while (gn_loader_next(l, &b) == GN_OK && b.n > 0)
            continue;
        best_ms = fmin(best_ms, (double)(gn_now_ns() - start) * 1e-6 / 10);
    }
    print_message("warm batch of 32 x 128 x 128: %.2f ms\n", best_ms);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(best_ms < 20); /* about 1.5 ms alone; the bound leaves room for a loaded machine and debug builds */
#endif
    gn_loader_destroy(&l);
    gn_dataset_close(&d);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_plain_batch),         T(test_order),           T(test_same_bits),
        T(test_leaving_early),       T(test_boxes_follow),    T(test_cut_boxes),
        T(test_largest_box),         T(test_cache_limit),     T(test_warp_against_resize),
        T(test_undecodable_picture), T(test_refused_options), cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
