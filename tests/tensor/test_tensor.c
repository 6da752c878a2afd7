/* Shapes, element types and buffers.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "tensor/tensor.h"

static void dtypes(void **state)
{
    (void)state;
    for (int i = GN_DTYPE_NONE; i <= GN_DTYPE_BOOL; i++) {
        gn_dtype parsed;
        assert_true(gn_dtype_parse(gn_dtype_name((gn_dtype)i), &parsed));
        assert_int_equal(parsed, i);
    }
    gn_dtype kept = GN_DTYPE_S8;
    assert_false(gn_dtype_parse("f33", &kept));
    assert_int_equal(kept, GN_DTYPE_S8);
    assert_int_equal(gn_dtype_bytes(GN_DTYPE_NONE), 0);
    assert_int_equal(gn_dtype_bytes(GN_DTYPE_F16), 2);
    assert_int_equal(gn_dtype_bytes(GN_DTYPE_S64), 8);
    assert_int_equal(gn_dtype_bytes((gn_dtype)99), 0);
}

static void counts(void **state)
{
    (void)state;
    gn_shape s = gn_shape_make(4, 1, 3, 224, 224);
    assert_int_equal(gn_shape_count(&s), 150528);
    s = gn_shape_make(0);
    assert_int_equal(gn_shape_count(&s), 1);
    s = gn_shape_make(2, 0, 5);
    assert_int_equal(gn_shape_count(&s), 0);
    s = gn_shape_make(2, -1, 5);
    assert_int_equal(gn_shape_count(&s), -1);
    assert_false(gn_shape_known(&s));
    const int64_t huge[3] = {INT64_MAX, INT64_MAX, 2}, edge[2] = {1 << 20, 1 << 20}, beyond[3] = {1 << 20, 1 << 20, 2};
    s = gn_shape_of(3, huge);
    assert_int_equal(gn_shape_count(&s), -1);
    s = gn_shape_of(2, edge);
    assert_int_equal(gn_shape_count(&s), INT64_C(1) << 40);
    s = gn_shape_of(3, beyond);
    assert_int_equal(gn_shape_count(&s), -1);
}

static void check_broadcast(gn_shape a, gn_shape b, gn_status status, const char *expected)
{
    gn_shape out = gn_shape_make(1, 7);
    char text[128];
    assert_int_equal(gn_shape_broadcast(&a, &b, &out), status);
    gn_shape_format(&out, text);
    assert_string_equal(text, expected);
}

static void broadcasting(void **state)
{
    (void)state;
    check_broadcast(gn_shape_make(4, 2, 3, 4, 5), gn_shape_make(0), GN_OK, "[2,3,4,5]");
    check_broadcast(gn_shape_make(1, 5), gn_shape_make(4, 2, 3, 4, 5), GN_OK, "[2,3,4,5]");
    check_broadcast(gn_shape_make(3, 1, 4, 1), gn_shape_make(3, 3, 1, 5), GN_OK, "[3,4,5]");
    check_broadcast(gn_shape_make(2, 0, 1), gn_shape_make(2, 1, 4), GN_OK, "[0,4]");
    check_broadcast(gn_shape_make(2, -1, 1), gn_shape_make(2, 1, 4), GN_OK, "[?,4]");
    check_broadcast(gn_shape_make(2, -1, 1), gn_shape_make(2, 6, 4), GN_OK, "[6,4]");
    check_broadcast(gn_shape_make(2, 2, 3), gn_shape_make(2, 3, 3), GN_ESHAPE, "[7]");
}

static void formats(void **state)
{
    (void)state;
    char text[128];
    gn_shape s = gn_shape_make(0);
    gn_shape_format(&s, text);
    assert_string_equal(text, "[]");
    const int64_t large[GN_MAX_RANK] = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX,
                                        INT64_MAX, INT64_MAX, INT64_MAX, -1};
    s = gn_shape_of(GN_MAX_RANK, large);
    gn_shape_format(&s, text);
    assert_true(strlen(text) < sizeof text);
}

static void owning(void **state)
{
    (void)state;
    const uint64_t live = gn_memory_stats_get().live_bytes;
    const gn_shape s = gn_shape_make(2, 2, 3);
    gn_tensor *a = NULL, *b = NULL;
    assert_int_equal(gn_tensor_create(GN_DTYPE_F32, &s, &a), GN_OK);
    assert_int_equal(gn_tensor_count(a), 6);
    assert_int_equal(gn_tensor_bytes(a), 24);
    for (int i = 0; i < 6; i++)
        assert_true(gn_tensor_get(a, i) == 0);
    gn_tensor_set(a, 4, 1.5);
    a->layout = GN_LAYOUT_NHWC;
    assert_int_equal(gn_tensor_copy(a, &b), GN_OK);
    gn_tensor_set(a, 4, 2.5);
    assert_true(gn_tensor_get(b, 4) == 1.5);
    assert_int_equal(b->layout, GN_LAYOUT_NHWC);
    float data[6] = {1, 2, 3, 4, 5, 6};
    gn_tensor view = gn_tensor_view(GN_DTYPE_F32, &s, data);
    assert_true(gn_tensor_get(&view, 5) == 6);
    gn_tensor_destroy(&a);
    gn_tensor_destroy(&b);
    assert_null(a);
    assert_int_equal(gn_memory_stats_get().live_bytes, live);
    const gn_shape unknown = gn_shape_make(1, -1);
    assert_int_equal(gn_tensor_create(GN_DTYPE_F32, &unknown, &a), GN_EINVAL);
    assert_int_equal(gn_tensor_create(GN_DTYPE_NONE, &s, &a), GN_EINVAL);
}

static double through(gn_dtype dtype, double x)
{
    unsigned char cell[8];
    const gn_shape one = gn_shape_make(0);
    gn_tensor view = gn_tensor_view(dtype, &one, cell);
    gn_tensor_set(&view, 0, x);
    return gn_tensor_get(&view, 0);
}

static void integers_round_and_saturate(void **state)
{
    (void)state;
    assert_true(through(GN_DTYPE_S8, 300) == 127);
    assert_true(through(GN_DTYPE_S8, -300) == -128);
    assert_true(through(GN_DTYPE_S8, 2.5) == 2); /* ties to even */
    assert_true(through(GN_DTYPE_S8, 3.5) == 4);
    assert_true(through(GN_DTYPE_U8, -1) == 0);
    assert_true(through(GN_DTYPE_U8, 255.4) == 255);
    assert_true(through(GN_DTYPE_S32, 1e300) == INT32_MAX);
    assert_true(through(GN_DTYPE_S64, -1e300) == -0x1p63);
    assert_true(through(GN_DTYPE_S32, (double)NAN) == 0);
    assert_true(through(GN_DTYPE_BOOL, -0.5) == 1);
    assert_true(through(GN_DTYPE_F64, 0.1) == 0.1);
}

static void halves(void **state)
{
    (void)state;
    static const struct {
        double x;
        uint16_t bits;
    } cases[] = {
        {0, 0},
        {1, 0x3C00},
        {-2, 0xC000},
        {65504, 0x7BFF},
        {65519, 0x7BFF},
        {65520, 0x7C00},
        {0x1p-24, 1},
        {0x1p-25, 0},
        {0x1.8p-25, 1},
        {0x1p-14, 0x0400},
        {0x1.ff8p-15, 0x03FF},
        {0x1.ffcp-15, 0x0400},
        {1 + 0x1p-11, 0x3C00},
        {1 + 0x3p-11, 0x3C02},
        {(double)INFINITY, 0x7C00},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint16_t cell;
        const gn_shape one = gn_shape_make(0);
        gn_tensor view = gn_tensor_view(GN_DTYPE_F16, &one, &cell);
        gn_tensor_set(&view, 0, cases[i].x);
        assert_int_equal(cell, cases[i].bits);
    }
    /* Every finite half survives the way to double and back. */
    for (uint32_t bits = 0; bits < 65536; bits++) {
        uint16_t cell = (uint16_t)bits;
        const gn_shape one = gn_shape_make(0);
        gn_tensor view = gn_tensor_view(GN_DTYPE_F16, &one, &cell);
        const double x = gn_tensor_get(&view, 0);
        if (isnan(x))
            continue;
        gn_tensor_set(&view, 0, x);
        assert_int_equal(cell, bits);
    }
}

/* Integers beyond 2^53 do not survive doubles. */
static void large_integers_stay_exact(void **state)
{
    (void)state;
    int64_t a[2] = {INT64_MAX - 1, INT64_MIN + 1}, b[2] = {0};
    uint64_t u[1] = {UINT64_MAX - 5}, v[1] = {0};
    uint8_t bytes[2] = {0};
    const gn_shape two = gn_shape_make(1, 2), one = gn_shape_make(0);
    gn_tensor ta = gn_tensor_view(GN_DTYPE_S64, &two, a), tb = gn_tensor_view(GN_DTYPE_S64, &two, b);
    gn_tensor tu = gn_tensor_view(GN_DTYPE_U64, &one, u), tv = gn_tensor_view(GN_DTYPE_U64, &one, v);
    gn_tensor small = gn_tensor_view(GN_DTYPE_U8, &two, bytes), truth = gn_tensor_view(GN_DTYPE_BOOL, &two, bytes);
    gn_tensor_move(&tb, 0, &ta, 1);
    gn_tensor_move(&tb, 1, &ta, 0);
    assert_true(b[0] == INT64_MIN + 1 && b[1] == INT64_MAX - 1);
    gn_tensor_set_s64(&tv, 0, gn_tensor_get_s64(&tu, 0));
    assert_true(v[0] == UINT64_MAX - 5);
    gn_tensor_set_s64(&small, 0, 258);
    gn_tensor_set_s64(&small, 1, -1);
    assert_int_equal(bytes[0], 2);
    assert_int_equal(bytes[1], 255);
    gn_tensor_move(&truth, 0, &ta, 0);
    assert_int_equal(bytes[0], 1);
    gn_tensor_set(&tv, 0, 1e30);
    assert_true(v[0] == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtypes),       cmocka_unit_test(counts),
        cmocka_unit_test(broadcasting), cmocka_unit_test(formats),
        cmocka_unit_test(owning),       cmocka_unit_test(integers_round_and_saturate),
        cmocka_unit_test(halves),       cmocka_unit_test(large_integers_stay_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
