/* Entries made of several pictures: boxes enclose the pixels of their objects after every augmentation, the same bits for any number of
 * workers and from the middle of an epoch, closing epochs, and batches of other sizes.
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
#include "data/sample_scene.h"
#include "data_fixture.h"
#include "image/image.h"

#define SIDE   160
#define COLOUR 7 /* colours of full and no red, green, blue, but black */

static gn_dataset *open_set(void *const *state)
{
    gn_dataset_options options = gn_dataset_default_options();
    options.val_frac = options.test_frac = 0;
    options.dup_distance = 0;
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

static gn_loader_options raw_options(void)
{
    gn_loader_options o = gn_loader_default_options();
    o.imgsz_w = o.imgsz_h = SIDE;
    o.fit = GN_FIT_LETTERBOX;
    o.batch = 4;
    o.workers = 0;
    for (int c = 0; c < 3; c++) {
        o.mean[c] = 0;
        o.std[c] = 1;
    }
    return o;
}

/* A rectangle of colour `bits` (1 red, 2 green, 4 blue) on black, class bits - 1. */
static void write_coloured(void *const *state, const char *name, int width, int height, int bits, gn_box at)
{
    gn_image image;
    assert_int_equal(gn_image_create(width, height, 3, &image), GN_OK);
    for (int y = (int)at.y1; y < (int)at.y2; y++)
        for (int x = (int)at.x1; x < (int)at.x2; x++)
            for (int c = 0; c < 3; c++)
                image.data[(size_t)y * image.stride_bytes + (size_t)x * 3 + (size_t)c] = bits >> c & 1 ? 255 : 0;
    char path[64], label[128];
    snprintf(path, sizeof path, "images/%s.png", name);
    fixture_write(state, path, "");
    assert_int_equal(gn_image_save(fixture_path(state, path), &image, 95, NULL), GN_OK);
    gn_image_deinit(&image);
    const double w = width, h = height;
    snprintf(label, sizeof label, "%d %.7f %.7f %.7f %.7f\n", bits - 1, (double)(at.x1 + at.x2) / 2 / w,
             (double)(at.y1 + at.y2) / 2 / h, (double)(at.x2 - at.x1) / w, (double)(at.y2 - at.y1) / h);
    snprintf(path, sizeof path, "labels/%s.txt", name);
    fixture_write(state, path, label);
}

/* Seven pictures of different shapes and sizes, smaller and larger than the input. */
static gn_dataset *coloured_set(void *const *state)
{
    static const int sizes[COLOUR][2] = {{160, 160}, {120, 90},  {200, 300}, {480, 360},
                                         {100, 160}, {150, 150}, {640, 200}};
    for (int i = 0; i < COLOUR; i++) {
        const int w = sizes[i][0], h = sizes[i][1];
        char name[16];
        snprintf(name, sizeof name, "p%d", i);
        const gn_box at = {floorf((float)w * 0.2f), floorf((float)h * 0.3f), floorf((float)w * 0.7f),
                           floorf((float)h * 0.8f)};
        write_coloured(state, name, w, h, i + 1, at);
    }
    fixture_write(state, "data.yaml", "train: images\nnames: [a, b, c, d, e, f, g]\n");
    return open_set(state);
}

/* Box around the pixels of one colour that lie within `reach` pixels of `around`; number of such pixels. */
static int find_colour(const float *image, int width, int height, int bits, const float *around, float reach,
                       double found[4])
{
    int n = 0;
    found[0] = found[1] = 1e9;
    found[2] = found[3] = -1e9;
    const size_t plane = (size_t)width * (size_t)height;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const float *p = image + (size_t)y * (size_t)width + (size_t)x;
            const int seen = (p[0] > 0.5f) | (p[plane] > 0.5f) << 1 | (p[2 * plane] > 0.5f) << 2;
            const float u = (float)x + 0.5f, v = (float)y + 0.5f;
            if (seen != bits || u < around[0] * (float)width - reach || v < around[1] * (float)height - reach ||
                u > around[2] * (float)width + reach || v > around[3] * (float)height + reach)
                continue;
            n++;
            found[0] = fmin(found[0], x);
            found[1] = fmin(found[1], y);
            found[2] = fmax(found[2], x + 1);
            found[3] = fmax(found[3], y + 1);
        }
    return n;
}

static bool touches_border(const float *row)
{
    return row[0] <= 0 || row[1] <= 0 || row[2] >= 1 || row[3] >= 1;
}

/* Every row of the batch against the pixels; rows of a class that stands there twice are left alone, and turned boxes that are cut, since a cut
 * box is the box around the turned one, cut.  Returns rows compared. */
static int check_rows(const gn_batch *b, bool is_turned, double tolerance)
{
    int compared = 0;
    for (int i = 0; i < b->n; i++) {
        const float *rows = b->truth + (size_t)i * (size_t)b->truth_capacity * 5;
        int count[COLOUR] = {0};
        for (int k = 0; k < b->n_truth[i]; k++)
            count[(int)rows[5 * k + 4]]++;
        for (int k = 0; k < b->n_truth[i]; k++) {
            const float *row = rows + 5 * k;
            const int cls = (int)row[4];
            assert_true(row[0] >= 0 && row[1] >= 0 && row[2] <= 1 && row[3] <= 1 && row[0] < row[2] && row[1] < row[3]);
            if (count[cls] > 1 || (is_turned && touches_border(row)))
                continue;
            double found[4];
            const float *image = b->images + (size_t)i * 3 * (size_t)b->width * (size_t)b->height;
            if (find_colour(image, b->width, b->height, cls + 1, row, 4, found) == 0)
                fail_msg("class %d: no pixel of its colour in its box", cls);
            for (int e = 0; e < 4; e++) {
                const double want = row[e] * (double)(e % 2 == 0 ? b->width : b->height);
                if (fabs(found[e] - want) > tolerance)
                    fail_msg("class %d, edge %d: pixels end at %g, the box at %g (input %d x %d)", cls, e, found[e],
                             want, b->width, b->height);
            }
            compared++;
        }
    }
    return compared;
}

static void check_augmentation(const gn_dataset *d, const char *name, const gn_augment *a, double tolerance, int least)
{
    gn_loader_options o = raw_options();
    o.augment = *a;
    o.shuffle = true;
    gn_loader *l = make_loader(d, &o);
    int compared = 0;
    for (int epoch = 0; epoch < 12; epoch++) {
        gn_batch b;
        assert_int_equal(gn_loader_begin_epoch(l, epoch, 0), GN_OK);
        while (gn_loader_next(l, &b) == GN_OK && b.n > 0)
            compared += check_rows(&b, a->degrees > 0 || a->shear > 0 || a->perspective > 0, tolerance);
    }
    if (compared < least)
        fail_msg("%s: only %d boxes were compared", name, compared);
    gn_loader_destroy(&l);
}

static void test_boxes_enclose_pixels(void **state)
{
    gn_dataset *d = coloured_set(state);
    const struct {
        const char *name;
        gn_augment augment;
        double tolerance; /* pixels */
    } cases[] = {
        {"flipud", {.flipud = 1}, 1.2},
        {"both flips", {.flipud = 0.5, .fliplr = 0.5}, 1.2},
        {"zoom and shift", {.flipud = 0.5, .scale = 0.5, .translate = 0.2}, 1.2},
        {"crop", {.flipud = 0.5, .crop = 1}, 1.2},
        {"degrees", {.degrees = 20}, 2},
        {"all around", {.degrees = 180, .scale = 0.3}, 2},
        {"shear", {.shear = 15, .fliplr = 0.5}, 2},
        {"perspective", {.perspective = 0.001, .flipud = 0.5}, 2},
        {"mosaic", {.mosaic = 1}, 1.2},
        {"mosaic, zoom and shift", {.mosaic = 1, .scale = 0.5, .translate = 0.1, .fliplr = 0.5}, 1.2},
        {"half mosaics", {.mosaic = 0.5, .scale = 0.9, .flipud = 0.5}, 1.2},
        {"all", {.mosaic = 0.7, .scale = 0.5, .translate = 0.1, .degrees = 10, .shear = 5, .perspective = 5e-4}, 2.2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_augmentation(d, cases[i].name, &cases[i].augment, cases[i].tolerance, 40);
    gn_dataset_close(&d);
}

/* A small square goes where the formula says, step by step: centre, perspective, rotation with zoom, shear, shift. */
static void test_order_of_the_steps(void **state)
{
    write_coloured(state, "s", SIDE, SIDE, 1, (gn_box){50, 60, 56, 66});
    fixture_write(state, "data.yaml", "train: images\nnames: [a, b, c, d, e, f, g]\n");
    gn_dataset *d = open_set(state);
    gn_loader_options o = raw_options();
    o.augment = (gn_augment){
        .degrees = 90, .shear = 25, .perspective = 0.001, .scale = 0.4, .translate = 0.2, .fliplr = 0.5, .flipud = 0.5};
    gn_loader *l = make_loader(d, &o);
    int compared = 0;
    const double half = SIDE / 2.0, radians = acos(-1.0) / 180;
    for (int epoch = 0; epoch < 60; epoch++) {
        gn_batch b;
        assert_int_equal(gn_loader_begin_epoch(l, epoch, 0), GN_OK);
        assert_int_equal(gn_loader_next(l, &b), GN_OK);
        const gn_draws w = gn_sample_draw(&o.augment, o.seed, epoch, 0, GN_DRAW_SAMPLE);
        const double x = 53 - half, y = 63 - half, depth = w.bend_x * x + w.bend_y * y + 1;
        const double c = cos(w.degrees * radians), s = sin(w.degrees * radians);
        const double turned_x = w.zoom * (c * x + s * y), turned_y = w.zoom * (c * y - s * x);
        const double slant_x = turned_x + tan(w.shear_x * radians) * turned_y;
        const double slant_y = turned_y + tan(w.shear_y * radians) * turned_x;
        double u = (slant_x / depth + half + w.shift_x * SIDE) / SIDE,
               v = (slant_y / depth + half + w.shift_y * SIDE) / SIDE;
        u = w.flip ? 1 - u : u;
        v = w.flip_v ? 1 - v : v;
        if (b.n_truth[0] == 0 || touches_border(b.truth))
            continue;
        const double got_u = (double)(b.truth[0] + b.truth[2]) / 2, got_v = (double)(b.truth[1] + b.truth[3]) / 2;
        if (fabs(got_u - u) * SIDE > 0.3 || fabs(got_v - v) * SIDE > 0.3)
            fail_msg("epoch %d: centre at %g %g instead of %g %g", epoch, got_u * SIDE, got_v * SIDE, u * SIDE,
                     v * SIDE);
        compared++;
    }
    assert_true(compared > 30);
    gn_loader_destroy(&l);
    gn_dataset_close(&d);
}

/* The four pictures meet where the draw says, each with the right corner: with nothing but mosaic the input is the middle of the canvas. */
static void test_mosaic_layout(void **state)
{
    for (int i = 0; i < COLOUR; i++) {
        char name[16];
        snprintf(name, sizeof name, "q%d", i);
        write_coloured(state, name, SIDE, SIDE, i + 1, (gn_box){0, 0, SIDE, SIDE});
    }
    fixture_write(state, "data.yaml", "train: images\nnames: [a, b, c, d, e, f, g]\n");
    gn_dataset *d = open_set(state);
    gn_loader_options o = raw_options();
    o.batch = COLOUR;
    o.augment.mosaic = 1;
    gn_loader *l = make_loader(d, &o);
    gn_batch b;
    assert_int_equal(gn_loader_begin_epoch(l, 3, 0), GN_OK);
    assert_int_equal(gn_loader_next(l, &b), GN_OK);
    gn_sample_plan plan;
    gn_sample_plan_init(&plan, &o);
    const int64_t order[COLOUR] = {0, 1, 2, 3, 4, 5, 6};
    for (int i = 0; i < COLOUR; i++) {
        gn_scene scene;
        gn_scene_draw(&plan, 3, order, COLOUR, i, &scene);
        assert_int_equal(scene.n_sources, 4);
        assert_int_equal(scene.source[0], i);
        const int cx = (int)floor(scene.draws[0].mosaic_x * SIDE) - SIDE / 2;
        const int cy = (int)floor(scene.draws[0].mosaic_y * SIDE) - SIDE / 2;
        assert_in_range(cx, 0, SIDE);
        assert_in_range(cy, 0, SIDE);
        const float *image = b.images + (size_t)i * 3 * SIDE * SIDE;
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                const float *p = image + y * SIDE + x;
                const int seen = (p[0] > 0.5f) | (p[SIDE * SIDE] > 0.5f) << 1 | (p[2 * SIDE * SIDE] > 0.5f) << 2;
                const int64_t want = scene.source[(x >= cx) + 2 * (y >= cy)] + 1;
                if (seen != want)
                    fail_msg("entry %d, pixel %d %d: colour %d instead of %d", i, x, y, seen, (int)want);
            }
    }
    gn_loader_destroy(&l);
    gn_dataset_close(&d);
}

/* A white and a black picture: an entry is as bright as the share of the white one, and has the boxes of both. */
static void test_mixup(void **state)
{
    write_coloured(state, "w", SIDE, SIDE, 7, (gn_box){0, 0, SIDE, SIDE});
    gn_image black;
    assert_int_equal(gn_image_create(SIDE, SIDE, 3, &black), GN_OK);
    fixture_write(state, "images/x.png", "");
    assert_int_equal(gn_image_save(fixture_path(state, "images/x.png"), &black, 95, NULL), GN_OK);
    gn_image_deinit(&black);
    fixture_write(state, "labels/x.txt", "0 0.5 0.5 0.5 0.5\n");
    fixture_write(state, "data.yaml", "train: images\nnames: [a, b, c, d, e, f, g]\n");
    gn_dataset *d = open_set(state);
    gn_loader_options o = raw_options();
    o.batch = 1;
    o.augment.mixup = 0.5;
    gn_loader *l = make_loader(d, &o);
    assert_int_equal(gn_loader_truth_capacity(l), 2);
    int mixed = 0;
    double sum = 0, squares = 0;
    for (int epoch = 0; epoch < 400; epoch++) {
        gn_batch b;
        assert_int_equal(gn_loader_begin_epoch(l, epoch, 0), GN_OK);
        assert_int_equal(gn_loader_next(l, &b), GN_OK);
        const double bright = b.images[(SIDE + 1) * SIDE / 2];
        assert_true(b.weight[0] == 1);
        if (b.n_truth[0] == 1) {
            assert_true(bright == 1);
            continue;
        }
        assert_int_equal(b.n_truth[0], 2);
        assert_true(b.truth[4] == 6 && b.truth[9] == 0);
        assert_true(bright > 0.2 && bright < 0.8);
        mixed++;
        sum += bright;
        squares += bright * bright;
    }
    const double mean = sum / mixed, deviation = sqrt(squares / mixed - mean * mean);
    assert_in_range(mixed, 160, 240);
    assert_true(fabs(mean - 0.5) < 0.02);
    assert_true(fabs(deviation - 0.5 / sqrt(65)) < 0.012); /* of Beta(32, 32) */
    gn_loader_destroy(&l);
    gn_dataset_close(&d);
}

static uint64_t hash_batch(const gn_batch *b)
{
    const size_t n = (size_t)b->n;
    uint64_t h = gn_hash64(b->images, n * 3 * (size_t)b->width * (size_t)b->height * sizeof(float), 1);
    h = gn_hash64(b->truth, n * (size_t)b->truth_capacity * 5 * sizeof(float), h);
    h = gn_hash64(b->n_truth, n * sizeof(int64_t), h);
    h = gn_hash64(b->boxes, n * 4 * sizeof(float), h);
    h = gn_hash64(b->weight, n * sizeof(float), h);
    return gn_hash64(b->sample, n * sizeof(int64_t), h);
}

/* Hashes of the batches of `epochs` epochs, each begun at batch `first`. */
static int hash_epochs(const gn_dataset *d, const gn_loader_options *o, int epochs, int64_t first, uint64_t *hash)
{
    gn_loader *l = make_loader(d, o);
    int n = 0;
    for (int e = 0; e < epochs; e++) {
        gn_batch b;
        assert_int_equal(gn_loader_begin_epoch(l, e, first), GN_OK);
        while (gn_loader_next(l, &b) == GN_OK && b.n > 0)
            hash[n++] = hash_batch(&b);
    }
    gn_loader_destroy(&l);
    return n;
}

static gn_augment everything(void)
{
    return (gn_augment){.mosaic = 0.7,
                        .mixup = 0.3,
                        .degrees = 5,
                        .shear = 3,
                        .perspective = 3e-4,
                        .scale = 0.5,
                        .translate = 0.1,
                        .fliplr = 0.5,
                        .flipud = 0.2,
                        .hsv_h = 0.015,
                        .hsv_s = 0.7,
                        .hsv_v = 0.4};
}

static void test_same_bits(void **state)
{
    fixture_simple_set(state, "p", 13);
    gn_dataset *d = open_set(state);
    gn_loader_options o = raw_options();
    o.imgsz_w = 64;
    o.imgsz_h = 48;
    o.shuffle = true;
    for (int kind = 0; kind < 2; kind++) {
        o.augment = everything();
        if (kind == 1)
            o.augment.degrees = o.augment.shear = o.augment.perspective = 0;
        o.multi_scale = kind == 1 ? 0.5 : 0;
        o.stride = 8;
        uint64_t want[12], got[12];
        o.workers = 0;
        o.cache_bytes = 1 << 20;
        assert_int_equal(hash_epochs(d, &o, 3, 0, want), 12);
        assert_true(want[0] != want[4] && want[0] != want[1]);
        for (int workers = 0; workers <= 4; workers++)
            for (size_t cache = 0; cache <= 30000; cache += 15000) { /* nothing, some, more */
                o.workers = workers;
                o.cache_bytes = cache;
                assert_int_equal(hash_epochs(d, &o, 3, 0, got), 12);
                assert_memory_equal(want, got, sizeof want);
            }
        assert_int_equal(hash_epochs(d, &o, 3, 2, got), 6);
        for (int e = 0; e < 3; e++)
            assert_memory_equal(&want[4 * e + 2], &got[2 * e], 2 * sizeof *want);
        o.seed = 1;
        assert_int_equal(hash_epochs(d, &o, 1, 0, got), 4);
        assert_true(got[0] != want[0]);
        o.seed = 0;
    }
    gn_dataset_close(&d);
}

static void test_close_mosaic(void **state)
{
    fixture_simple_set(state, "p", 8);
    gn_dataset *d = open_set(state);
    gn_loader_options o = raw_options();
    o.augment = everything();
    o.augment.mosaic = o.augment.mixup = 1;
    uint64_t open[8], closing[8], closed[8];
    assert_int_equal(hash_epochs(d, &o, 4, 0, open), 8);
    o.epochs = 4;
    o.close_mosaic = 2;
    assert_int_equal(hash_epochs(d, &o, 4, 0, closing), 8);
    o.close_mosaic = 4;
    assert_int_equal(hash_epochs(d, &o, 4, 0, closed), 8);
    assert_memory_equal(closing, open, 4 * sizeof *open);
    assert_memory_equal(closing + 4, closed + 4, 4 * sizeof *open);
    for (int i = 0; i < 8; i++)
        assert_true(open[i] != closed[i]);
    gn_loader *l = make_loader(d, &o); /* closed: one box per picture of the set */
    assert_int_equal(gn_loader_truth_capacity(l), 8);
    gn_batch b;
    assert_int_equal(gn_loader_begin_epoch(l, 0, 0), GN_OK);
    while (gn_loader_next(l, &b) == GN_OK && b.n > 0)
        for (int i = 0; i < b.n; i++)
            assert_in_range(b.n_truth[i], 0, 1);
    gn_loader_destroy(&l);
    gn_dataset_close(&d);
}

/* A picture that cannot be decoded leaves its quarter grey and without boxes; the entry counts while another one is there. */
static void test_broken_partner(void **state)
{
    fixture_simple_set(state, "p", 2);
    fixture_picture(state, "images/p1.jpg", 200, 150, 5);
    remove(fixture_path(state, "images/p1.png"));
    char *bytes;
    size_t n;
    assert_int_equal(gn_file_read(fixture_path(state, "images/p1.jpg"), 1 << 20, &bytes, &n, NULL), GN_OK);
    fixture_write_bytes(state, "images/p1.jpg", bytes, n / 2);
    gn_free(bytes);
    gn_dataset *d = open_set(state);
    gn_loader_options o = raw_options();
    o.batch = 2;
    o.augment.mosaic = 1;
    gn_loader *l = make_loader(d, &o);
    for (int epoch = 0; epoch < 3; epoch++) {
        gn_batch b;
        assert_int_equal(gn_loader_begin_epoch(l, epoch, 0), GN_OK);
        assert_int_equal(gn_loader_next(l, &b), GN_OK);
        assert_int_equal(b.n, 2);
        assert_true(b.weight[0] == 1 && b.weight[1] == 1);
        assert_true(b.n_truth[0] <= 1); /* its own; its three partners are the broken one */
        assert_true(b.n_truth[1] <= 3);
    }
    assert_int_equal(gn_loader_problem_count(l), 1);
    gn_loader_destroy(&l);
    o.augment = (gn_augment){.degrees = 5};
    l = make_loader(d, &o);
    gn_batch b;
    assert_int_equal(gn_loader_begin_epoch(l, 0, 0), GN_OK);
    assert_int_equal(gn_loader_next(l, &b), GN_OK);
    assert_true(b.weight[0] == 1 && b.weight[1] == 0 && b.n_truth[1] == 0);
    const size_t pixels = (size_t)3 * SIDE * SIDE;
    for (size_t i = pixels; i < 2 * pixels; i++)
        assert_true(fabsf(b.images[i] - 114.0f / 255) < 1e-6f);
    gn_loader_destroy(&l);
    gn_dataset_close(&d);
}

/* Pictures of one pixel, one line, one column, through everything: nothing is read or written beyond them, and what counts is finite. */
static void test_thin_pictures(void **state)
{
    static const int sizes[][2] = {{1, 1}, {700, 1}, {1, 700}, {3, 2}, {900, 7}, {2, 900}};
    for (int i = 0; i < 6; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        const int w = sizes[i][0], h = sizes[i][1];
        write_coloured(state, name, w, h, 1 + i % COLOUR, (gn_box){0, 0, (float)w, (float)h});
    }
    fixture_write(state, "data.yaml", "train: images\nnames: [a, b, c, d, e, f, g]\n");
    gn_dataset *d = open_set(state);
    for (int kind = 0; kind < 6; kind++) {
        gn_loader_options o = raw_options();
        o.fit = kind % 2 == 0 ? GN_FIT_LETTERBOX : GN_FIT_STRETCH;
        o.augment = everything();
        o.augment.scale = 0.9;
        if (kind < 4)
            o.augment.degrees = o.augment.shear = o.augment.perspective = 0;
        if (kind < 2)
            o.augment.mosaic = o.augment.mixup = 0;
        o.multi_scale = kind < 2 ? 0.9 : 0;
        gn_loader *l = make_loader(d, &o);
        for (int epoch = 0; epoch < 6; epoch++) {
            gn_batch b;
            assert_int_equal(gn_loader_begin_epoch(l, epoch, 0), GN_OK);
            while (gn_loader_next(l, &b) == GN_OK && b.n > 0) {
                const size_t n = (size_t)b.n * 3 * (size_t)b.width * (size_t)b.height;
                for (size_t i = 0; i < n; i++)
                    assert_true(b.images[i] >= 0 && b.images[i] <= 1);
                for (int i = 0; i < b.n; i++)
                    assert_true(b.weight[i] == 1);
            }
        }
        gn_loader_destroy(&l);
    }
    gn_dataset_close(&d);
}

static void test_multi_scale(void **state)
{
    gn_dataset *d = coloured_set(state);
    gn_loader_options o = raw_options();
    o.batch = 2;
    o.multi_scale = 0.5;
    o.augment.mosaic = 0.5;
    gn_loader *l = make_loader(d, &o);
    int seen[16] = {0}, kinds = 0, compared = 0;
    for (int epoch = 0; epoch < 30; epoch++) {
        gn_batch b;
        assert_int_equal(gn_loader_begin_epoch(l, epoch, 0), GN_OK);
        for (int64_t k = 0; gn_loader_next(l, &b) == GN_OK && b.n > 0; k++) {
            int width, height;
            assert_int_equal(gn_loader_batch_size(l, epoch, k, &width, &height), GN_OK);
            assert_true(b.width == width && b.height == height && width == height && width % 32 == 0);
            assert_in_range(width, 64,
                            256); /* 160 * 0.5 = 80 lies in the third multiple, 160 * 1.5 = 240 in the eighth */
            seen[width / 32]++;
            compared += check_rows(&b, false, 1.2);
        }
    }
    for (int i = 2; i <= 7; i++) {
        assert_true(seen[i] > 0);
        kinds += seen[i];
    }
    assert_int_equal(kinds, 30 * 4);
    assert_true(compared > 100);
    gn_loader_destroy(&l);
    gn_dataset_close(&d);
}

/* Sizes worked out by hand: imgsz 160, stride 32, half a stride of grey. */
static void test_rect(void **state)
{
    gn_dataset *d = coloured_set(state);
    gn_loader_options o = raw_options();
    o.rect = true;
    o.batch = 2;
    gn_loader *l = make_loader(d, &o);
    /* Height : width of the set is 1, .75, 1.5, .75, 1.6, 1, .3125: sorted .3125 .75 | .75 1 | 1 1.5 | 1.6. */
    static const int64_t order[COLOUR] = {6, 1, 3, 0, 5, 2, 4};
    static const int sizes[4][2] = {{192, 160}, {192, 192}, {192, 192}, {128, 192}};
    gn_batch b;
    assert_int_equal(gn_loader_begin_epoch(l, 0, 0), GN_OK);
    int at = 0, compared = 0;
    for (int k = 0; gn_loader_next(l, &b) == GN_OK && b.n > 0; k++) {
        assert_int_equal(b.width, sizes[k][0]);
        assert_int_equal(b.height, sizes[k][1]);
        for (int i = 0; i < b.n; i++) {
            assert_int_equal(b.sample[i], order[at++]);
            const gn_sample *s = gn_dataset_sample(d, GN_SPLIT_TRAIN, b.sample[i]);
            const gn_box px = {s->box[0].x1 * (float)s->width, s->box[0].y1 * (float)s->height,
                               s->box[0].x2 * (float)s->width, s->box[0].y2 * (float)s->height};
            const gn_box in = gn_geometry_to_input(&b.geometry[i], b.width, b.height, &px);
            assert_true(gn_box_iou(&in, (const gn_box *)(const void *)(b.truth + (size_t)i * 5)) > 0.999);
            const double longer = s->width > s->height ? s->width : s->height;
            assert_true(fabs(1 / b.geometry[i].scale_x - SIDE / longer) < 1e-9);
        }
        compared += check_rows(&b, false, 1.2);
    }
    assert_int_equal(at, COLOUR);
    assert_int_equal(compared, COLOUR);
    gn_loader_destroy(&l);
    gn_dataset_close(&d);
}

static void refuse(const gn_dataset *d, const gn_loader_options *o, const char *word)
{
    gn_loader *l = NULL;
    gn_error err = {0};
    assert_int_equal(gn_loader_create(d, o, &l, &err), GN_EINVAL);
    if (strstr(err.message, word) == NULL)
        fail_msg("'%s' lacks '%s'", err.message, word);
}

static void test_refused_options(void **state)
{
    fixture_simple_set(state, "p", 3);
    gn_dataset *d = open_set(state);
    gn_loader_options o = raw_options();
    o.augment.mosaic = 1.5;
    refuse(d, &o, "mosaic is 1.5");
    o = raw_options();
    o.augment.perspective = 0.1;
    refuse(d, &o, "perspective");
    o = raw_options();
    o.rect = o.shuffle = true;
    refuse(d, &o, "shuffle");
    o = raw_options();
    o.rect = true;
    o.imgsz_w = 64;
    refuse(d, &o, "rect");
    o = raw_options();
    o.stride = 0;
    refuse(d, &o, "stride is 0");
    gn_dataset_close(&d);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_boxes_enclose_pixels),
        T(test_order_of_the_steps),
        T(test_mosaic_layout),
        T(test_mixup),
        T(test_same_bits),
        T(test_close_mosaic),
        T(test_broken_partner),
        T(test_thin_pictures),
        T(test_multi_scale),
        T(test_rect),
        T(test_refused_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
