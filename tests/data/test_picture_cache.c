/* The cache of decoded pictures: its limit, what stays and what goes, and pictures in use.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "data/picture_cache.h"

#define N     20
#define BYTES ((size_t)10 * 10 * 3) /* of one picture */

static gn_image picture(int shade)
{
    gn_image image;
    assert_int_equal(gn_image_create(10, 10, 3, &image), GN_OK);
    memset(image.data, shade, BYTES);
    return image;
}

static bool offer(gn_picture_cache *c, int64_t index)
{
    gn_image image = picture((int)index);
    const bool is_kept = gn_picture_cache_keep(c, index, &image);
    if (!is_kept)
        gn_image_deinit(&image);
    return is_kept;
}

/* Whether picture `index` is there, with its own pixels. */
static bool has(gn_picture_cache *c, int64_t index)
{
    bool is_broken;
    const gn_image *found = gn_picture_cache_find(c, index, &is_broken);
    assert_false(is_broken);
    if (found == NULL)
        return false;
    assert_int_equal(found->data[0], index);
    assert_int_equal(found->data[BYTES - 1], index);
    gn_picture_cache_release(c, index);
    return true;
}

static void test_first_ones_stay(void **state)
{
    (void)state;
    gn_picture_cache *c = NULL;
    assert_int_equal(gn_picture_cache_create(N, 4 * BYTES + 10, 0, &c), GN_OK);
    for (int64_t i = 0; i < N; i++) {
        assert_int_equal(offer(c, i), i < 4);
        assert_true(gn_picture_cache_bytes(c) <= 4 * BYTES);
    }
    for (int64_t i = 0; i < N; i++)
        assert_int_equal(has(c, i), i < 4);
    assert_false(offer(c, 0)); /* there already */
    gn_picture_cache_destroy(&c);
    assert_null(c);
}

/* Two for good, and three in turn. */
static void test_latest_ones_take_turns(void **state)
{
    (void)state;
    gn_picture_cache *c = NULL;
    assert_int_equal(gn_picture_cache_create(N, 5 * BYTES, 3 * BYTES, &c), GN_OK);
    for (int64_t round = 0; round < 3; round++)
        for (int64_t i = 0; i < N; i++) {
            assert_int_equal(offer(c, i), round == 0 || i > 1);
            assert_true(gn_picture_cache_bytes(c) <= 5 * BYTES);
            if (i < 5)
                continue;
            for (int64_t k = 0; k < N; k++)
                assert_int_equal(has(c, k), k < 2 || (k <= i && k > i - 3));
        }
    gn_picture_cache_destroy(&c);
}

static void test_used_ones_stay(void **state)
{
    (void)state;
    gn_picture_cache *c = NULL;
    assert_int_equal(gn_picture_cache_create(N, 2 * BYTES, 2 * BYTES, &c), GN_OK);
    assert_true(offer(c, 0) && offer(c, 1));
    bool is_broken;
    const gn_image *used = gn_picture_cache_find(c, 0, &is_broken);
    assert_non_null(used);
    assert_false(offer(c, 2)); /* the oldest is in use */
    assert_int_equal(used->data[5], 0);
    gn_picture_cache_release(c, 0);
    assert_true(offer(c, 2));
    assert_true(!has(c, 0) && has(c, 1) && has(c, 2));
    gn_picture_cache_destroy(&c);
}

static void test_larger_than_all(void **state)
{
    (void)state;
    gn_picture_cache *c = NULL;
    assert_int_equal(gn_picture_cache_create(N, BYTES - 1, BYTES - 1, &c), GN_OK);
    assert_false(offer(c, 0));
    assert_int_equal(gn_picture_cache_bytes(c), 0);
    gn_picture_cache_destroy(&c);
    assert_int_equal(gn_picture_cache_create(N, 0, 0, &c), GN_OK);
    assert_false(offer(c, 3));
    gn_picture_cache_destroy(&c);
}

static void test_broken_ones(void **state)
{
    (void)state;
    gn_picture_cache *c = NULL;
    assert_int_equal(gn_picture_cache_create(N, BYTES, 0, &c), GN_OK);
    assert_int_equal(gn_picture_cache_note(c, 7, "ends early"), GN_OK);
    assert_int_equal(gn_picture_cache_note(c, 3, "no picture"), GN_OK);
    assert_int_equal(gn_picture_cache_note(c, 7, "something else"), GN_OK);
    assert_int_equal(gn_picture_cache_broken(c), 2);
    int64_t index;
    const char *message;
    assert_true(gn_picture_cache_broken_nth(c, 0, &index, &message));
    assert_int_equal(index, 3);
    assert_true(gn_picture_cache_broken_nth(c, 1, &index, &message));
    assert_int_equal(index, 7);
    assert_string_equal(message, "ends early");
    assert_false(gn_picture_cache_broken_nth(c, 2, &index, &message));
    bool is_broken;
    assert_null(gn_picture_cache_find(c, 7, &is_broken));
    assert_true(is_broken);
    gn_picture_cache_destroy(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_ones_stay), cmocka_unit_test(test_latest_ones_take_turns),
        cmocka_unit_test(test_used_ones_stay),  cmocka_unit_test(test_larger_than_all),
        cmocka_unit_test(test_broken_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
