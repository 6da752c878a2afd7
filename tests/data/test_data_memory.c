/* Every allocation fails once: opening data sets and loading batches then say so, lose nothing, and crash never.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "data/batch.h"
#include "data/yaml_doc.h"
#include "data_fixture.h"
#include "detect/metrics.h"

static atomic_long allocations_left;

static void *failing_alloc(void *ctx, size_t bytes, size_t align)
{
    (void)ctx;
    if (atomic_fetch_sub(&allocations_left, 1) <= 0)
        return NULL;
    return aligned_alloc(align, (bytes + align - 1) / align * align);
}

static void failing_free(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

typedef gn_status (*work_fn)(void *const *state);

/* Runs the work with 0, 1, 2, ... allocations until it succeeds. */
static void exhaust(void *const *state, work_fn work)
{
    const gn_allocator failing = {failing_alloc, failing_free, NULL};
    gn_set_allocator(&failing);
    gn_status status = GN_ENOMEM;
    long k = 0;
    for (; k < 5000 && status != GN_OK; k++) {
        const uint64_t before = gn_memory_stats_get().live_bytes;
        atomic_store(&allocations_left, k);
        status = work(state);
        if (status != GN_OK && status != GN_ENOMEM)
            fail_msg("allocation %ld failed: %s", k, gn_status_name(status));
        assert_int_equal(gn_memory_stats_get().live_bytes, before);
    }
    gn_set_allocator(NULL);
    assert_int_equal(status, GN_OK);
    assert_true(k > 5);
}

static gn_status open_yaml_set(void *const *state)
{
    gn_dataset *d = NULL;
    gn_error err = {0};
    const gn_status status = gn_dataset_open(fixture_path(state, "data.yaml"), NULL, &d, &err);
    gn_dataset_close(&d);
    return status;
}

static gn_status open_csv_set(void *const *state)
{
    gn_dataset *d = NULL;
    gn_error err = {0};
    const gn_status status = gn_dataset_open(fixture_path(state, "boxes.csv"), NULL, &d, &err);
    gn_dataset_close(&d);
    return status;
}

static gn_status open_named(void *const *state, const char *name)
{
    gn_dataset *d = NULL;
    gn_error err = {0};
    gn_image image = {0};
    gn_status status = gn_dataset_open(fixture_path(state, name), NULL, &d, &err);
    if (status == GN_OK)
        status = gn_sample_decode(gn_dataset_sample(d, GN_SPLIT_TRAIN, 0), NULL, &image, &err);
    gn_image_deinit(&image);
    gn_dataset_close(&d);
    return status;
}

static gn_status open_class_folders(void *const *state)
{
    return open_named(state, "classes");
}

static gn_status open_class_zip(void *const *state)
{
    return open_named(state, "classes.zip");
}

static gn_status open_cifar(void *const *state)
{
    return open_named(state, "cifar");
}

static gn_status open_cifar_zip(void *const *state)
{
    return open_named(state, "cifar.zip");
}

static gn_status load_batches(void *const *state)
{
    gn_dataset *d = NULL;
    gn_loader *l = NULL;
    gn_error err = {0};
    gn_loader_options o = gn_loader_default_options();
    o.imgsz_w = o.imgsz_h = 32;
    o.batch = 2;
    o.augment.scale = 0.3;
    o.augment.hsv_v = 0.3;
    gn_status status = gn_dataset_open(fixture_path(state, "data.yaml"), NULL, &d, &err);
    if (status == GN_OK)
        status = gn_loader_create(d, &o, &l, &err);
    if (status == GN_OK)
        status = gn_loader_begin_epoch(l, 0, 0);
    gn_batch b = {.n = 1};
    while (status == GN_OK && b.n > 0)
        status = gn_loader_next(l, &b);
    gn_loader_destroy(&l);
    gn_dataset_close(&d);
    return status;
}

static gn_status evaluate(void *const *state)
{
    (void)state;
    static const gn_truth truth[] = {{.image = 0, .box = {0, 0, 10, 10}}};
    static const gn_detection det[] = {{.image = 0, .score = 0.9f, .box = {0, 0, 10, 10}}};
    const gn_coco_input in = {.det = det, .n_det = 1, .truth = truth, .n_truth = 1, .n_images = 1, .n_classes = 1};
    static const double ious[] = {0.5, 0.6};
    gn_coco_metrics m;
    gn_interval a, b;
    gn_coco *coco = NULL;
    GN_TRY(gn_coco_evaluate(&in, &m, NULL));
    GN_TRY(gn_coco_create(&in, &coco));
    const gn_status status = gn_coco_bootstrap(coco, 10, 1, &a, &b);
    gn_coco_destroy(&coco);
    GN_TRY(status);
    return gn_single_bootstrap(ious, 2, 10, 1, &a, &b);
}

static void test_memory_runs_out(void **state)
{
    fixture_simple_set(state, "p", 8);
    fixture_write(state, "labels/p1.txt", "0 0.5 0.5 0.25 0.5\n7 0.5 0.5 0.1 0.1\n");
    fixture_write(state, "boxes.csv",
                  "images/p0.png,1,1,20,20,a\nimages/p1.png,1,1,20,20,b\nimages/p2.png,1,1,20,20,a\n");
    for (int i = 0; i < 6; i++) {
        char name[64];
        snprintf(name, sizeof name, "classes/train/%c/%d.png", i % 2 ? 'a' : 'b', i);
        fixture_picture(state, name, 24, 16, (unsigned)i);
    }
    fixture_zip_folder(state, "classes.zip", "classes", "around");
    uint8_t records[2 * 3073] = {3};
    fixture_write_bytes(state, "cifar/data_batch_1.bin", records, sizeof records);
    fixture_zip_folder(state, "cifar.zip", "cifar", "");
    exhaust(state, open_class_folders);
    exhaust(state, open_class_zip);
    exhaust(state, open_cifar);
    exhaust(state, open_cifar_zip);
    exhaust(state, open_yaml_set);
    exhaust(state, open_csv_set);
    exhaust(state, load_batches);
    exhaust(state, evaluate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memory_runs_out, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
