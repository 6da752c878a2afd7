/* The synthetic face set: same seed same bytes, exact boxes, shares, files on disk.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/progress.h"
#include "draw/synth.h"
#include "draw/synth_person.h"
#include "draw/synth_set.h"

/* One picture with its boxes. */
typedef struct sample {
    gn_image image;
    gn_draw_box boxes[GN_SYNTH_MAX_FACES];
    int n;
} sample;

static sample draw_sample(uint64_t seed, int64_t index)
{
    sample s;
    assert_int_equal(gn_synth_face(NULL, seed, index, &s.image, s.boxes, &s.n), GN_OK);
    return s;
}

static uint64_t hash_of(const gn_image *image)
{
    return gn_hash64(image->data, image->stride_bytes * (size_t)image->height, 0);
}

static void test_same_seed_same_bytes(void **state)
{
    (void)state;
    for (int64_t index = 0; index < 12; index++) {
        sample a = draw_sample(7, index);
        sample other = draw_sample(7, index + 100); /* drawing something else in between changes nothing */
        sample b = draw_sample(7, index);
        sample c = draw_sample(8, index);
        assert_int_equal(a.image.width, b.image.width);
        assert_true(hash_of(&a.image) == hash_of(&b.image));
        assert_int_equal(a.n, b.n);
        for (int i = 0; i < a.n; i++)
            assert_memory_equal(&a.boxes[i], &b.boxes[i], sizeof a.boxes[i]);
        assert_true(hash_of(&a.image) != hash_of(&c.image));
        assert_true(hash_of(&a.image) != hash_of(&other.image));
        gn_image_deinit(&a.image);
        gn_image_deinit(&b.image);
        gn_image_deinit(&c.image);
        gn_image_deinit(&other.image);
    }
}

static void test_boxes_lie_inside_and_shares_hold(void **state)
{
    (void)state;
    enum { N = 150 };
    int empty = 0, several = 0;
    double smallest = 1.0, largest = 0.0;
    for (int64_t index = 0; index < N; index++) {
        sample s = draw_sample(1, index);
        assert_true(s.image.width >= 160 && s.image.width <= 480);
        assert_true(s.image.height >= 160 && s.image.height <= 480);
        assert_true(s.n >= 0 && s.n <= GN_SYNTH_MAX_FACES);
        empty += s.n == 0;
        several += s.n > 1;
        for (int i = 0; i < s.n; i++) {
            const gn_draw_box *b = &s.boxes[i];
            assert_true(b->x1 >= 0.0f && b->y1 >= 0.0f);
            assert_true(b->x2 <= (float)s.image.width && b->y2 <= (float)s.image.height);
            assert_true(b->x2 - b->x1 > 4.0f && b->y2 - b->y1 > 4.0f);
            const double share = (double)(b->y2 - b->y1) / fmin(s.image.width, s.image.height);
            smallest = fmin(smallest, share);
            largest = fmax(largest, share);
            for (int k = 0; k < i; k++) {
                const gn_draw_box *o = &s.boxes[k];
                assert_true(b->x1 >= o->x2 || o->x1 >= b->x2 || b->y1 >= o->y2 || o->y1 >= b->y2);
            }
        }
        gn_image_deinit(&s.image);
    }
    assert_true(empty >= N * 3 / 100 && empty <= N * 15 / 100);
    assert_true(several >= N * 2 / 100 && several <= N * 14 / 100);
    assert_true(smallest < 0.18 && largest > 0.6);
}

/* Whether a point in face units lies in a closed polygon (even-odd rule). */
static bool is_inside(const double (*polygon)[2], int n, double x, double y)
{
    bool inside = false;
    for (int i = 0, k = n - 1; i < n; k = i++)
        if ((polygon[i][1] > y) != (polygon[k][1] > y) &&
            x < (polygon[k][0] - polygon[i][0]) * (y - polygon[i][1]) / (polygon[k][1] - polygon[i][1]) + polygon[i][0])
            inside = !inside;
    return inside;
}

/* Asks of every pixel whether its middle lies on the open face, turning it back by the pose, and compares the extent of those
 * that do with the box. */
static void test_box_equals_extent_of_pixels(void **state)
{
    (void)state;
    for (uint64_t k = 0; k < 25; k++) {
        gn_rng rng;
        gn_rng_init(&rng, 5, k);
        gn_synth_person p;
        gn_synth_person_init(&p, &rng, 110.0, 110.0, 140.0);
        p.has_left_ear = p.has_right_ear = false; /* they are no part of the polygon */
        const gn_draw_box box = gn_synth_person_box(&p);
        int x1 = 220, y1 = 220, x2 = 0, y2 = 0;
        for (int y = 0; y < 220; y++)
            for (int x = 0; x < 220; x++) {
                const double dx = (x + 0.5 - p.x) / p.unit_px, dy = (y + 0.5 - p.y) / p.unit_px;
                const double u = dx * cos(p.tilt) + dy * sin(p.tilt), v = dy * cos(p.tilt) - dx * sin(p.tilt);
                if (!is_inside(p.open_face, p.n_open, u, v))
                    continue;
                x1 = x < x1 ? x : x1;
                y1 = y < y1 ? y : y1;
                x2 = x + 1 > x2 ? x + 1 : x2;
                y2 = y + 1 > y2 ? y + 1 : y2;
            }
        assert_true(fabs((double)box.x1 - x1) < 1.5 && fabs((double)box.x2 - x2) < 1.5);
        assert_true(fabs((double)box.y1 - y1) < 1.5 && fabs((double)box.y2 - y2) < 1.5);
    }
}

/* A hat lowers the upper edge of the box, and hair beside the face hides the ears. */
static void test_box_follows_the_looks(void **state)
{
    (void)state;
    int n_covered = 0, n_bald = 0;
    for (uint64_t k = 0; k < 300; k++) {
        gn_rng rng;
        gn_rng_init(&rng, 6, k);
        gn_synth_person p;
        gn_synth_person_init(&p, &rng, 0.0, 0.0, 200.0);
        if (p.hair_kind == GN_SYNTH_HAIR_LONG) {
            assert_false(p.has_left_ear);
            assert_false(p.has_right_ear);
        }
        p.tilt = 0.0;
        const gn_draw_box box = gn_synth_person_box(&p);
        assert_true(box.y2 > 99.0f && box.y2 < 101.0f); /* the chin */
        if (p.headwear == GN_SYNTH_HEAD_CAP) {
            assert_true(box.y1 > -70.0f);
            n_covered++;
        } else if (p.hair_kind == GN_SYNTH_HAIR_BALD && p.headwear == GN_SYNTH_HEAD_BARE) {
            assert_true(box.y1 < -99.0f);
            n_bald++;
        }
    }
    assert_true(n_covered > 5 && n_bald > 5);
}

/* Light, contrast and noise leave something to see. */
static void test_pictures_are_not_flat(void **state)
{
    (void)state;
    for (int64_t index = 0; index < 40; index++) {
        sample s = draw_sample(3, index);
        double sum = 0.0, square = 0.0;
        const size_t n = s.image.stride_bytes * (size_t)s.image.height;
        for (size_t i = 0; i < n; i++) {
            sum += s.image.data[i];
            square += (double)s.image.data[i] * s.image.data[i];
        }
        const double mean = sum / (double)n;
        assert_true(mean > 12.0 && mean < 245.0);
        assert_true(sqrt(square / (double)n - mean * mean) > 4.0);
        gn_image_deinit(&s.image);
    }
}

static void test_bad_options_are_refused(void **state)
{
    (void)state;
    gn_image image;
    gn_draw_box boxes[GN_SYNTH_MAX_FACES];
    int n;
    gn_synth_options o;
    assert_int_equal(gn_synth_face(NULL, 0, -1, &image, boxes, &n), GN_EINVAL);
    gn_synth_options_init(&o);
    o.min_side_px = 32;
    assert_int_equal(gn_synth_face(&o, 0, 0, &image, boxes, &n), GN_EINVAL);
    gn_synth_options_init(&o);
    o.min_side_px = 500;
    assert_int_equal(gn_synth_face(&o, 0, 0, &image, boxes, &n), GN_EINVAL);
    gn_synth_options_init(&o);
    o.empty_frac = NAN;
    assert_int_equal(gn_synth_face(&o, 0, 0, &image, boxes, &n), GN_EINVAL);
}

static void test_options_are_followed(void **state)
{
    (void)state;
    gn_synth_options o = {.min_side_px = 96, .max_side_px = 128, .empty_frac = 0.0, .several_frac = 0.0};
    for (int64_t i = 0; i < 30; i++) {
        sample s;
        assert_int_equal(gn_synth_face(&o, 0, i, &s.image, s.boxes, &s.n), GN_OK);
        assert_true(s.image.width >= 96 && s.image.width <= 128);
        assert_int_equal(s.n, 1);
        gn_image_deinit(&s.image);
    }
    o.empty_frac = 1.0;
    sample s;
    assert_int_equal(gn_synth_face(&o, 0, 0, &s.image, s.boxes, &s.n), GN_OK);
    assert_int_equal(s.n, 0);
    gn_image_deinit(&s.image);
}

/* Lets the k-th allocation fail. */
typedef struct failing_heap {
    int left, live;
} failing_heap;

static void *failing_alloc(void *ctx, size_t bytes, size_t align)
{
    failing_heap *heap = ctx;
    if (heap->left-- <= 0)
        return NULL;
    heap->live++;
    return aligned_alloc(align, (bytes + align - 1) / align * align);
}

static void failing_free(void *ctx, void *ptr)
{
    ((failing_heap *)ctx)->live--;
    free(ptr);
}

static void test_out_of_memory_at_every_allocation(void **state)
{
    (void)state;
    gn_status status = GN_ENOMEM;
    for (int k = 0; status != GN_OK; k++) {
        assert_true(k < 30);
        failing_heap heap = {.left = k};
        const gn_allocator allocator = {failing_alloc, failing_free, &heap};
        gn_set_allocator(&allocator);
        sample s = {0};
        status = gn_synth_face(NULL, 0, 1, &s.image, s.boxes, &s.n);
        assert_true(status == GN_OK || status == GN_ENOMEM);
        gn_image_deinit(&s.image);
        assert_int_equal(heap.live, 0);
        gn_set_allocator(NULL);
    }
}

/* --- on disk --- */

static char *scratch_dir(char *dst, size_t bytes)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(dst, bytes, "%s/gn_synth_XXXXXX", tmp == NULL ? "/tmp" : tmp);
    assert_non_null(mkdtemp(dst));
    return dst;
}

/* Removes what gn_synth_set_write left. */
static void remove_set(const char *dir)
{
    static const char *const parts[] = {"images/train", "images/val", "images/test",
                                        "labels/train", "labels/val", "labels/test",
                                        "images",       "labels",     ""};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char folder[300], path[600];
        const char **names;
        size_t n;
        snprintf(folder, sizeof folder, "%s/%s", dir, parts[i]);
        gn_arena *arena = gn_arena_create(0);
        if (gn_list_dir(folder, arena, &names, &n, NULL) == GN_OK)
            for (size_t k = 0; k < n; k++) {
                snprintf(path, sizeof path, "%s/%s", folder, names[k]);
                remove(path);
            }
        gn_arena_destroy(&arena);
        rmdir(folder);
    }
}

static char *read_text(const char *dir, const char *name)
{
    char path[400];
    char *text;
    size_t n;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(gn_file_read(path, 1 << 24, &text, &n, NULL), GN_OK);
    return text;
}

static void test_set_on_disk(void **state)
{
    (void)state;
    char dir[256], path[300];
    gn_synth_set set;
    gn_synth_counts counts;
    gn_error err = {0};
    scratch_dir(dir, sizeof dir);
    gn_synth_set_init(&set);
    set.n_images = 41;
    set.split[0] = 0.5;
    set.split[1] = 0.25;
    set.split[2] = 0.25;
    gn_pool *pool = NULL;
    assert_int_equal(gn_pool_create(2, &pool), GN_OK);
    assert_int_equal(gn_synth_set_write(dir, &set, pool, &counts, &err), GN_OK);
    gn_pool_destroy(&pool);
    assert_int_equal(counts.images[0], 21); /* 10 + 10 rounded, train takes the rest */
    assert_int_equal(counts.images[1], 10);
    assert_int_equal(counts.images[2], 10);

    char *yaml = read_text(dir, "data.yaml");
    assert_non_null(strstr(yaml, "val: images/val\n"));
    assert_non_null(strstr(yaml, "0: face\n"));
    gn_free(yaml);

    int64_t boxes = 0;
    for (int64_t i = 0; i < 41; i++) {
        const char *split = i < 21 ? "train" : i < 31 ? "val" : "test";
        char name[64];
        snprintf(name, sizeof name, "labels/%s/%06lld.txt", split, (long long)i);
        char *labels = read_text(dir, name);
        sample s = draw_sample(0, i);
        const char *line = labels;
        for (int k = 0; k < s.n; k++, boxes++) {
            int class_id;
            double cx, cy, w, h;
            assert_int_equal(sscanf(line, "%d %lf %lf %lf %lf", &class_id, &cx, &cy, &w, &h), 5);
            assert_int_equal(class_id, 0);
            assert_true(fabs((cx - w / 2) * s.image.width - (double)s.boxes[k].x1) < 0.01);
            assert_true(fabs((cy + h / 2) * s.image.height - (double)s.boxes[k].y2) < 0.01);
            line = strchr(line, '\n') + 1;
        }
        assert_int_equal(*line, '\0');
        gn_free(labels);
        gn_image got;
        snprintf(path, sizeof path, "%s/images/%s/%06lld.jpg", dir, split, (long long)i);
        assert_int_equal(gn_image_load(path, NULL, &got, &err), GN_OK);
        assert_int_equal(got.width, s.image.width);
        assert_int_equal(got.height, s.image.height);
        gn_image_deinit(&got);
        gn_image_deinit(&s.image);
    }
    assert_int_equal(counts.boxes, boxes);

    assert_int_equal(gn_synth_set_write(dir, &set, NULL, &counts, &err), GN_EEXIST);
    assert_non_null(strstr(err.message, "--exist-ok"));
    char before[64], after[64];
    char *bytes = read_text(dir, "labels/train/000000.txt");
    snprintf(before, sizeof before, "%.60s", bytes);
    gn_free(bytes);
    set.is_exist_ok = true;
    assert_int_equal(gn_synth_set_write(dir, &set, NULL, &counts, &err), GN_OK);
    bytes = read_text(dir, "labels/train/000000.txt");
    snprintf(after, sizeof after, "%.60s", bytes);
    gn_free(bytes);
    assert_string_equal(before, after);
    remove_set(dir);
}

static void test_set_refuses_and_stops(void **state)
{
    (void)state;
    char dir[256];
    gn_synth_set set;
    gn_synth_counts counts;
    gn_error err = {0};
    scratch_dir(dir, sizeof dir);
    gn_synth_set_init(&set);
    set.split[0] = 0.9;
    assert_int_equal(gn_synth_set_write(dir, &set, NULL, &counts, &err), GN_EINVAL);
    assert_non_null(strstr(err.message, "1.2"));
    gn_synth_set_init(&set);
    set.n_images = 0;
    assert_int_equal(gn_synth_set_write(dir, &set, NULL, &counts, &err), GN_EINVAL);
    set.n_images = 10;
    set.look.max_side_px = 5000;
    assert_int_equal(gn_synth_set_write(dir, &set, NULL, &counts, &err), GN_EINVAL);
    gn_synth_set_init(&set);
    gn_stop_request();
    assert_int_equal(gn_synth_set_write(dir, &set, NULL, &counts, &err), GN_ECANCELED);
    gn_stop_clear();
    char path[300];
    snprintf(path, sizeof path, "%s/data.yaml", dir);
    assert_false(gn_path_exists(path)); /* an unfinished set has no data.yaml */
    remove_set(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_bytes),
        cmocka_unit_test(test_boxes_lie_inside_and_shares_hold),
        cmocka_unit_test(test_box_equals_extent_of_pixels),
        cmocka_unit_test(test_box_follows_the_looks),
        cmocka_unit_test(test_pictures_are_not_flat),
        cmocka_unit_test(test_bad_options_are_refused),
        cmocka_unit_test(test_options_are_followed),
        cmocka_unit_test(test_out_of_memory_at_every_allocation),
        cmocka_unit_test(test_set_on_disk),
        cmocka_unit_test(test_set_refuses_and_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
