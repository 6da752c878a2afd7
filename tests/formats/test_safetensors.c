/* safetensors: what is written comes back, the layout is the published one, and broken files are refused with
 * their reason.
 * SPDX-License-Identifier: Apache-2.0 */
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
#include "format_fixture.h"
#include "formats/weights/safetensors.h"

static gn_tensor *tensor(gn_dtype dtype, gn_shape shape, uint64_t seed)
{
    gn_tensor *t = NULL;
    assert_int_equal(gn_tensor_create(dtype, &shape, &t), GN_OK);
    for (int64_t i = 0; i < gn_tensor_count(t); i++)
        gn_tensor_set(t, i, 100 * fixture_number(seed, i));
    return t;
}

static void test_round_trip(void **ctx)
{
    (void)ctx;
    gn_tensor *t[6] = {
        tensor(GN_DTYPE_U8, gn_shape_make(1, 3), 1),     tensor(GN_DTYPE_F32, gn_shape_make(4, 2, 3, 1, 5), 2),
        tensor(GN_DTYPE_S64, gn_shape_make(0), 3),       tensor(GN_DTYPE_F64, gn_shape_make(2, 3, 3), 4),
        tensor(GN_DTYPE_F32, gn_shape_make(2, 0, 7), 5), tensor(GN_DTYPE_F16, gn_shape_make(1, 9), 6),
    };
    const gn_safetensors_entry entries[6] = {{"a", t[0]}, {"b.weight", t[1]}, {"step", t[2]},
                                             {"d", t[3]}, {"none", t[4]},     {"half\"\\\n", t[5]}};
    const gn_safetensors_meta meta[2] = {{"epoch", "7"}, {"settings", "{\"lr0\": 0.1}"}};
    const char *path = fixture_path("w.safetensors");
    gn_error err = {0};
    assert_int_equal(gn_safetensors_write(path, entries, 6, meta, 2, &err), GN_OK);
    gn_safetensors *file = NULL;
    if (gn_safetensors_open(path, &file, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(gn_safetensors_count(file), 6);
    for (int i = 0; i < 6; i++) {
        const gn_tensor *got = gn_safetensors_find(file, entries[i].name);
        assert_non_null(got);
        assert_int_equal(got->dtype, t[i]->dtype);
        assert_true(gn_shape_equal(&got->shape, &t[i]->shape));
        assert_int_equal((uintptr_t)got->data % gn_dtype_bytes(got->dtype), 0);
        if (gn_tensor_bytes(got))
            assert_memory_equal(got->data, t[i]->data, gn_tensor_bytes(got));
    }
    assert_null(gn_safetensors_find(file, "b.bias"));
    assert_string_equal(gn_safetensors_meta_get(file, "settings"), "{\"lr0\": 0.1}");
    assert_null(gn_safetensors_meta_get(file, "nothing"));
    const char *name = NULL;
    gn_safetensors_at(file, 0, &name);
    assert_string_equal(name, "a");
    gn_safetensors_close(&file);
    assert_null(file);
    /* Same contents in another order: same bytes. */
    const gn_safetensors_entry turned[6] = {entries[5], entries[3], entries[1], entries[0], entries[2], entries[4]};
    const char *other = fixture_path("turned.safetensors");
    assert_int_equal(gn_safetensors_write(other, turned, 6, meta, 2, &err), GN_OK);
    char *x = NULL, *y = NULL;
    size_t n_x = 0, n_y = 0;
    assert_int_equal(gn_file_read(path, 1 << 20, &x, &n_x, &err), GN_OK);
    assert_int_equal(gn_file_read(other, 1 << 20, &y, &n_y, &err), GN_OK);
    assert_int_equal(n_x, n_y);
    assert_memory_equal(x, y, n_x);
    gn_free(x);
    gn_free(y);
    for (int i = 0; i < 6; i++)
        gn_tensor_destroy(&t[i]);
}

static void test_bad_entries(void **ctx)
{
    (void)ctx;
    gn_tensor *t = tensor(GN_DTYPE_F32, gn_shape_make(1, 2), 1);
    const gn_safetensors_entry twice[2] = {{"a", t}, {"a", t}}, reserved[1] = {{"__metadata__", t}};
    const char *path = fixture_path("never.safetensors");
    gn_error err = {0};
    assert_int_equal(gn_safetensors_write(path, twice, 2, NULL, 0, &err), GN_EINVAL);
    assert_int_equal(gn_safetensors_write(path, reserved, 1, NULL, 0, &err), GN_EINVAL);
    assert_false(gn_path_exists(path));
    gn_tensor_destroy(&t);
}

/* A file of the given header and `n_data` bytes 0, 1, 2, ... */
static gn_status open_header(const char *header, size_t n_data, gn_safetensors **file_out, gn_error *err)
{
    gn_text t;
    gn_text_init(&t);
    uint64_t length = strlen(header);
    gn_text_add_bytes(&t, &length, 8);
    gn_text_add(&t, header);
    for (size_t i = 0; i < n_data; i++) {
        uint8_t byte = (uint8_t)i;
        gn_text_add_bytes(&t, &byte, 1);
    }
    *err = (gn_error){0};
    *file_out = NULL;
    gn_status status = gn_safetensors_open_bytes(t.data, t.len, "x.safetensors", file_out, err);
    gn_text_deinit(&t);
    return status;
}

#define T(name, dtype, shape, a, b)                                                                                    \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #a "," #b "]}"

static void test_foreign_file(void **ctx)
{
    (void)ctx;
    /* Header of odd length and a byte tensor first: the f32 data is misaligned in the file. */
    gn_safetensors *file = NULL;
    gn_error err;
    assert_int_equal(open_header("{" T("u", "U8", "[3]", 0, 3) "," T("f", "F32", "[1,1]", 3, 7) "} ", 7, &file, &err),
                     GN_OK);
    const gn_tensor *f = gn_safetensors_find(file, "f");
    assert_int_equal((uintptr_t)f->data % 4, 0);
    const uint8_t want[4] = {3, 4, 5, 6};
    assert_memory_equal(f->data, want, 4);
    gn_safetensors_close(&file);
}

static void test_broken_files(void **ctx)
{
    (void)ctx;
    static const struct {
        const char *header;
        size_t n_data;
        gn_status status;
        const char *word;
    } cases[] = {
        {"{" T("a", "F32", "[2]", 0, 8) "}", 7, GN_EFORMAT, "outside the file"},
        {"{" T("a", "F32", "[3]", 0, 8) "}", 8, GN_EFORMAT, "do not fit"},
        {"{" T("a", "F32", "[2]", 0, 8) "," T("b", "F32", "[2]", 4, 12) "}", 12, GN_EFORMAT, "overlaps"},
        {"{" T("a", "F32", "[1]", 0, 4) "," T("b", "F32", "[1]", 8, 12) "}", 12, GN_EFORMAT, "gap"},
        {"{" T("a", "F32", "[1]", 0, 4) "}", 9, GN_EFORMAT, "belong to none"},
        {"{" T("a", "F32", "[1]", 0, 4) "," T("a", "F32", "[1]", 4, 8) "}", 8, GN_EFORMAT, "twice"},
        {"{" T("a", "BF16", "[1]", 0, 2) "}", 2, GN_EUNSUPPORTED, "bf16"},
        {"{" T("a", "F32", "[-1]", 0, 4) "}", 4, GN_EFORMAT, "whole number"},
        {"{" T("a", "F32", "[1.5]", 0, 6) "}", 6, GN_EFORMAT, "whole number"},
        {"{" T("a", "F32", "[1099511627776,1099511627776]", 0, 4) "}", 4, GN_ELIMIT, "overflows"},
        {"{" T("a", "F32", "[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4, GN_ELIMIT, "dimensions"},
        {"{" T("a", "F32", "[1]", 4, 0) "}", 4, GN_EFORMAT, "outside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, GN_EFORMAT, "data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, GN_EFORMAT, "data_offsets"},
        {"{\"a\":3}", 0, GN_EFORMAT, "dtype"},
        {"{\"__metadata__\":{\"k\":1}}", 0, GN_EFORMAT, "map of strings"},
        {"[]", 0, GN_EFORMAT, "JSON object"},
        {"{\"a\"", 0, GN_EFORMAT, "JSON"},
        {"", 0, GN_EFORMAT, "JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gn_safetensors *file = NULL;
        gn_error err;
        gn_status status = open_header(cases[i].header, cases[i].n_data, &file, &err);
        assert_null(file);
        if (status != cases[i].status || !strstr(err.message, cases[i].word))
            fail_msg("case %zu: %s: %s", i, gn_status_name(status), err.message);
        assert_string_equal(err.file, "x.safetensors");
    }
}

static void test_lengths(void **ctx)
{
    (void)ctx;
    static const uint64_t lengths[] = {UINT64_MAX, (uint64_t)1 << 40, 3, 9};
    static const gn_status want[] = {GN_ELIMIT, GN_ELIMIT, GN_EFORMAT, GN_EFORMAT};
    gn_safetensors *file = NULL;
    gn_error err = {0};
    for (size_t i = 0; i < 4; i++) {
        char bytes[16] = {0};
        memcpy(bytes, &lengths[i], 8);
        memcpy(bytes + 8, "{}      ", 8);
        assert_int_equal(gn_safetensors_open_bytes(bytes, 16, "n", &file, &err), want[i]);
    }
    assert_int_equal(gn_safetensors_open_bytes("abc", 3, "n", &file, &err), GN_EFORMAT);
    assert_int_equal(gn_safetensors_open(fixture_path("absent"), &file, &err), GN_ENOENT);
    assert_null(file);
}

static int teardown(void **ctx)
{
    (void)ctx;
    fixture_remove_folder();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_bad_entries), cmocka_unit_test(test_foreign_file),
        cmocka_unit_test(test_broken_files), cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
