/* PyTorch checkpoints: what PyTorch itself reads from the same files, in both forms, and of other people's files.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
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
#include "format_fixture.h"
#include "formats/weights/weights.h"

#define GOLDEN GN_SOURCE_DIR "/tests/golden/"

static char *golden; /* checkpoints.txt */

static const char *data_folder(void)
{
    const char *folder = getenv("GANNET_DATA");
    return folder && folder[0] ? folder : GN_SOURCE_DIR "/../shared/data";
}

static gn_weights *open_file(const char *path, const char *key)
{
    gn_weights *w = NULL;
    gn_error err = {0};
    if (gn_weights_open(path, key, &w, &err) != GN_OK)
        fail_msg("%s: %s", path, err.message);
    return w;
}

/* The sum of (1 + place) * value, as doubles; adds each number that is added. */
static double total(const gn_weights *w, size_t i)
{
    const gn_weight *item = gn_weights_at(w, i);
    gn_tensor *t = NULL;
    gn_error err = {0};
    double sum = 0;
    assert_int_equal(gn_tensor_create(GN_DTYPE_F64, &item->shape, &t), GN_OK);
    if (gn_weights_read(w, i, t, &err) != GN_OK)
        fail_msg("%s: %s", item->name, err.message);
    for (int64_t k = 0; k < gn_tensor_count(t); k++)
        sum += (double)(k + 1) * gn_tensor_get(t, k);
    gn_tensor_destroy(&t);
    return sum;
}

static bool is_near(double a, double b)
{
    return fabs(a - b) <= 1e-9 + 1e-9 * fmax(fabs(a), fabs(b));
}

/* Every line of a checkpoint made for the tests. */
static void test_made(void **ctx)
{
    (void)ctx;
    char file[128] = "", path[512];
    gn_weights *w = NULL;
    size_t lines = 0, n_files = 0, seen = 0;
    for (const char *line = golden; line; line = strchr(line, '\n')) {
        char name[128], tensor[128], type[16], shape[64], got[128];
        double sum;
        size_t i;
        line += *line == '\n';
        if (sscanf(line, "%127s %127s %15s %63s %lf", name, tensor, type, shape, &sum) != 5 ||
            strncmp(name, "checkpoint_", 11) != 0)
            continue;
        if (strcmp(name, file) != 0) {
            if (w)
                assert_int_equal(gn_weights_count(w), seen);
            gn_weights_close(&w);
            snprintf(file, sizeof file, "%s", name);
            snprintf(path, sizeof path, GOLDEN "%s", name);
            w = open_file(path, NULL);
            assert_string_equal(gn_weights_form(w),
                                strstr(name, "legacy") ? "PyTorch checkpoint (legacy form)" : "PyTorch checkpoint");
            n_files++;
            seen = 0;
        }
        if (!gn_weights_find(w, tensor, &i))
            fail_msg("%s has no %s", name, tensor);
        gn_shape_format(&gn_weights_at(w, i)->shape, got);
        assert_string_equal(got, shape);
        assert_string_equal(gn_weight_type_name(gn_weights_at(w, i)->type), type);
        if (!is_near(total(w, i), sum))
            fail_msg("%s %s: %.17g, %.17g was expected", name, tensor, total(w, i), sum);
        seen++;
        lines++;
    }
    gn_weights_close(&w);
    assert_int_equal(n_files, 8);
    assert_true(lines > 60);
}

static uint64_t list_hash(const gn_weights *w)
{
    gn_text t;
    char shape[128];
    gn_text_init(&t);
    for (size_t i = 0; i < gn_weights_count(w); i++) {
        const gn_weight *item = gn_weights_at(w, i);
        gn_shape_format(&item->shape, shape);
        gn_text_printf(&t, "%s %s %s\n", item->name, gn_weight_type_name(item->type), shape);
    }
    const uint64_t hash = gn_hash64(t.data, t.len, 0);
    gn_text_deinit(&t);
    return hash;
}

/* Names, types, shapes and contents of other people's checkpoints. */
static void test_people(void **ctx)
{
    (void)ctx;
    int n_files = 0;
    for (const char *line = golden; line; line = strchr(line, '\n')) {
        char name[128], path[512];
        int64_t tensors, numbers;
        uint64_t hash;
        double sum, got = 0;
        line += *line == '\n';
        if (sscanf(line, "%127s %" SCNd64 " %" SCNd64 " %lf %" SCNx64, name, &tensors, &numbers, &sum, &hash) != 5)
            continue;
        snprintf(path, sizeof path, "%s/models/%s", data_folder(), name);
        if (!gn_path_exists(path))
            continue;
        gn_weights *w = open_file(path, NULL);
        assert_int_equal(gn_weights_count(w), tensors);
        for (size_t i = 0; i < gn_weights_count(w); i++) {
            numbers -= gn_shape_count(&gn_weights_at(w, i)->shape);
            got += total(w, i);
        }
        assert_int_equal(numbers, 0);
        if (!is_near(got, sum))
            fail_msg("%s: %.17g, %.17g was expected", name, got, sum);
        if (list_hash(w) != hash)
            fail_msg("%s: other names, types or shapes than PyTorch's", name);
        gn_weights_close(&w);
        n_files++;
    }
    if (n_files == 0)
        skip();
    assert_int_equal(n_files, 6);
}

/* Another part than the usual one; a part that is not there. */
static void test_key(void **ctx)
{
    (void)ctx;
    size_t i, k;
    gn_error err = {0};
    gn_weights *model = open_file(GOLDEN "checkpoint_whole_zip.pth", NULL);
    gn_weights *ema = open_file(GOLDEN "checkpoint_whole_zip.pth", "ema"), *none = NULL;
    assert_string_equal(gn_weights_key(model), "model");
    assert_string_equal(gn_weights_key(ema), "ema");
    assert_int_equal(gn_weights_count(model), gn_weights_count(ema));
    assert_true(gn_weights_find(model, "0.weight", &i) && gn_weights_find(ema, "0.weight", &k));
    assert_true(is_near(2 * total(model, i), total(ema, k)));
    assert_int_equal(gn_weights_open(GOLDEN "checkpoint_whole_zip.pth", "args", &none, &err), GN_EDATA);
    assert_int_equal(gn_weights_open(GOLDEN "checkpoint_whole_zip.pth", "absent", &none, &err), GN_EDATA);
    assert_non_null(strstr(err.message, "absent"));
    gn_weights_close(&model);
    gn_weights_close(&ema);
}

/* Elements of other types as f32, and whole numbers beyond 2^53 to the last digit. */
static void test_types(void **ctx)
{
    (void)ctx;
    static const char *const same[] = {"real.float64", "real.float16", "real.bfloat16"};
    static const double tolerance[] = {1e-6, 1e-3, 8e-3};
    gn_weights *w = open_file(GOLDEN "checkpoint_everyday_legacy.pth", NULL);
    gn_error err = {0};
    size_t i;
    for (int k = 0; k < 3; k++) {
        gn_tensor *x = NULL, *y = NULL;
        assert_true(gn_weights_find(w, same[k], &i));
        const gn_shape shape = gn_weights_at(w, i)->shape;
        assert_int_equal(gn_tensor_create(GN_DTYPE_F32, &shape, &x), GN_OK);
        assert_int_equal(gn_tensor_create(GN_DTYPE_F64, &shape, &y), GN_OK);
        assert_int_equal(gn_weights_read(w, i, x, &err), GN_OK);
        assert_int_equal(gn_weights_read(w, i, y, &err), GN_OK);
        for (int64_t n = 0; n < gn_tensor_count(x); n++) {
            assert_true(fabs(gn_tensor_get(x, n)) > 1e-3 && fabs(gn_tensor_get(x, n)) < 5);
            assert_true(fabs(gn_tensor_get(x, n) - gn_tensor_get(y, n)) <= tolerance[k]);
        }
        gn_tensor_destroy(&x);
        gn_tensor_destroy(&y);
    }
    int64_t big[2] = {0};
    const gn_shape two = gn_shape_make(1, 2);
    gn_tensor t = gn_tensor_view(GN_DTYPE_S64, &two, big);
    assert_true(gn_weights_find(w, "big", &i));
    assert_int_equal(gn_weights_read(w, i, &t, &err), GN_OK);
    assert_true(big[0] == (INT64_C(1) << 62) + 1 && big[1] == -(INT64_C(1) << 62) - 1);
    gn_weights_close(&w);
}

static gn_status open_and_read(void *path)
{
    gn_weights *w = NULL;
    gn_error err = {0};
    gn_tensor *t = NULL;
    GN_TRY(gn_weights_open(path, NULL, &w, &err));
    gn_status status = GN_OK;
    for (size_t i = 0; i < gn_weights_count(w) && status == GN_OK; i++) {
        status = gn_tensor_create(GN_DTYPE_F32, &gn_weights_at(w, i)->shape, &t);
        if (status == GN_OK)
            status = gn_weights_read(w, i, t, &err);
        gn_tensor_destroy(&t);
    }
    gn_weights_close(&w);
    return status;
}

static void test_out_of_memory(void **ctx)
{
    (void)ctx;
    char legacy[] = GOLDEN "checkpoint_views_legacy.pth", zip[] = GOLDEN "checkpoint_views_zip.pth";
    gn_free(golden);
    golden = NULL;
    assert_true(fixture_fail_each_allocation(open_and_read, legacy) > 10);
    assert_true(fixture_fail_each_allocation(open_and_read, zip) > 10);
}

static int setup(void **ctx)
{
    (void)ctx;
    size_t n;
    return gn_file_read(GOLDEN "checkpoints.txt", 1 << 20, &golden, &n, NULL) == GN_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made),  cmocka_unit_test(test_people),        cmocka_unit_test(test_key),
        cmocka_unit_test(test_types), cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
