/* Every allocation fails once while sets of each format are recognised and read: GN_ENOMEM, nothing lost, no other set seen in it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/coco_json.h"
#include "data/dataset_write.h"
#include "data_fixture.h"
#include "set_checks.h"

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

static gn_status open_once(const char *path, int64_t pictures)
{
    gn_dataset_options options = gn_dataset_default_options();
    options.val_frac = options.test_frac = 0;
    gn_dataset *d = NULL;
    gn_error err = {0};
    const gn_status status = gn_dataset_open(path, &options, &d, &err);
    if (status == GN_OK)
        assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), pictures);
    gn_dataset_close(&d);
    return status;
}

static gn_status read_detections(const char *path, int64_t n)
{
    gn_coco_detections d;
    gn_error err = {0};
    const gn_status status = gn_coco_detections_read(path, &d, &err);
    if (status != GN_OK)
        return status;
    assert_int_equal(d.n, n);
    gn_coco_detections_deinit(&d);
    return GN_OK;
}

/* Reads and writes; what failed leaves no folder.  Pictures whose links cannot be kept in memory are no reason to crash either. */
static gn_status convert(const char *path, int64_t format)
{
    gn_dataset *d = NULL;
    gn_write_report report;
    gn_error err = {0};
    char folder[1024];
    gn_dataset_options options = gn_dataset_default_options();
    options.val_frac = options.test_frac = 0;
    GN_TRY(gn_dataset_open(path, &options, &d, &err));
    snprintf(folder, sizeof folder, "%s.out%d", path, (int)format);
    const gn_status status = gn_dataset_write(d, (gn_data_format)format, GN_PICTURES_COPY, folder, &report, &err);
    assert_int_equal(gn_path_is_dir(folder), status == GN_OK);
    snprintf(folder, sizeof folder, "%s.out%d.part-%ld-0", path, (int)format, (long)getpid());
    assert_false(gn_path_exists(folder));
    gn_dataset_close(&d);
    return status;
}

static void exhaust(const char *path, int64_t n, gn_status (*work)(const char *, int64_t))
{
    const gn_allocator failing = {failing_alloc, failing_free, NULL};
    gn_set_allocator(&failing);
    gn_status status = GN_ENOMEM;
    long k = 0;
    for (; k < 5000 && status != GN_OK; k++) {
        const uint64_t before = gn_memory_stats_get().live_bytes;
        atomic_store(&allocations_left, k);
        status = work(path, n);
        if (status != GN_OK && status != GN_ENOMEM)
            fail_msg("%s, allocation %ld failed: %s", path, k, gn_status_name(status));
        assert_int_equal(gn_memory_stats_get().live_bytes, before);
    }
    gn_set_allocator(NULL);
    assert_int_equal(status, GN_OK);
    assert_true(k > 5);
}

#define XML                                                                                                            \
    "<annotation><filename>a.png</filename><object><name>x</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>9</xmax>"   \
    "<ymax>9</ymax></bndbox></object><object><name>y</name></object></annotation>"

static void test_memory_runs_out(void **state)
{
    for (int i = 0; i < 3; i++) {
        static const char *const folders[] = {"coco/train2017", "voc/JPEGImages", "WIDER_train/images", "oi/train",
                                              "dark"};
        for (size_t k = 0; k < sizeof folders / sizeof *folders; k++) {
            char name[64];
            snprintf(name, sizeof name, "%s/%c.png", folders[k], 'a' + i);
            fixture_picture(state, name, 24, 16, (unsigned)i);
        }
    }
    fixture_write(
        state, "coco/annotations/instances_train2017.json",
        "{\"images\": [{\"id\": 1, \"file_name\": \"a.png\"}, {\"id\": 2, \"file_name\": \"b.png\"},"
        "{\"id\": 2, \"file_name\": \"c.png\"}, {\"id\": 5, \"file_name\": \"d.png\"}], \"annotations\": ["
        "{\"id\": 1, \"image_id\": 1, \"category_id\": 7, \"bbox\": [1, 1, 5, 5], \"iscrowd\": 1, \"area\": 4},"
        "{\"id\": 1, \"image_id\": 2, \"category_id\": 7, \"bbox\": [1, 1, 5, 50]}, {\"id\": 3},"
        "{\"image_id\": 9, \"category_id\": 7, \"bbox\": [1, 1, 5, 5]}],"
        "\"categories\": [{\"id\": 7}, {\"id\": 3, \"name\": \"b\"}]}");
    fixture_write(state, "voc/Annotations/a.xml", XML);
    fixture_write(state, "voc/Annotations/b.xml", XML);
    fixture_write(state, "voc/Annotations/c.xml", "<annotation><ob");
    fixture_write(state, "voc/ImageSets/Main/train.txt", "a\nb\nc\nd\n");
    fixture_write(state, "voc/classes.txt", "y\n");
    fixture_write(state, "wider_face_split/wider_face_train_bbx_gt.txt",
                  "a.png\n1\n1 2 3 4 0 0 0 1 0 0\nb.png\n0\n0 0 0 0\nd.png\n1\n1 2 3 4\n");
    fixture_write(state, "oi/class-descriptions.csv", "/m/1,Cat\n");
    fixture_write(state, "oi/train.csv",
                  "ImageID,LabelName,XMin,XMax,YMin,YMax,IsGroupOf\na,/m/1,0,0.5,0,0.5,1\nb,/m/2,0,0.5,0,0.5,0\n"
                  "z,/m/1,0,0.5,0,0.5,1\nb,/m/2,0,x,0,0.5,0\n");
    fixture_write(state, "dark/a.txt", "1 0.5 0.5 0.5 0.5\n");
    fixture_write(state, "list.txt", "dark/a.png\ndark/b.png\n");
    fixture_write(state, "dark.names", "x\ny\n");
    fixture_write(state, "dark.data", "classes=2\ntrain=list.txt\nvalid=none.txt\nnames=dark.names\n");
    fixture_write(state, "dark2.data", "classes=2\ntrain=list.txt\n");
    fixture_zip_folder(state, "coco.zip", "coco", "");
    fixture_write(state, "d.json", "[{\"image_id\": 1, \"category_id\": 1, \"bbox\": [1,2,3,4], \"score\": 1}, {}]");
    exhaust(fixture_path(state, "coco"), 2, open_once);
    exhaust(fixture_path(state, "coco.zip"), 2, open_once);
    exhaust(fixture_path(state, "voc"), 1, open_once); /* both files name a.png */
    exhaust(fixture_path(state, "."), 2, open_once);
    exhaust(fixture_path(state, "oi/train.csv"), 2, open_once);
    exhaust(fixture_path(state, "dark.data"), 2, open_once);
    exhaust(fixture_path(state, "dark2.data"), 2, open_once);
    exhaust(fixture_path(state, "d.json"), 1, read_detections);
    for (int64_t format = GN_DATA_YOLO; format <= GN_DATA_VOC; format++)
        exhaust(fixture_path(state, "coco"), format, convert);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memory_runs_out, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
