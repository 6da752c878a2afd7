/* Allocation, its counters, arenas, and what happens when the k-th allocation fails.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/text.h"

static void blocks_are_aligned_and_padded(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes < 300; bytes += 7) {
        unsigned char *block = gn_alloc(bytes);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % GN_ALIGN_BYTES, 0);
        for (size_t i = 0; i < GN_PAD_BYTES; i++)
            assert_int_equal(block[bytes + i], 0);
        gn_free(block);
    }
    gn_free(NULL);
}

static void counters_follow(void **state)
{
    (void)state;
    const gn_memory_stats before = gn_memory_stats_get();
    void *a = gn_alloc(1000), *b = gn_calloc(10, 10);
    const gn_memory_stats during = gn_memory_stats_get();
    assert_int_equal(during.live_bytes - before.live_bytes, 1100);
    assert_int_equal(during.allocations - before.allocations, 2);
    assert_true(during.peak_bytes >= during.live_bytes);
    gn_free(a);
    gn_free(b);
    assert_int_equal(gn_memory_stats_get().live_bytes, before.live_bytes);
    assert_true(gn_memory_stats_get().peak_bytes >= during.peak_bytes);
}

static void realloc_keeps_content(void **state)
{
    (void)state;
    char *block = gn_realloc(NULL, 4);
    memcpy(block, "abc", 4);
    block = gn_realloc(block, 100000);
    assert_string_equal(block, "abc");
    block = gn_realloc(block, 2);
    assert_memory_equal(block, "ab", 2);
    gn_free(block);
}

static void sizes_do_not_overflow(void **state)
{
    (void)state;
    size_t out = 77;
    assert_false(gn_mul_size(SIZE_MAX / 2, 3, &out));
    assert_false(gn_add_size(SIZE_MAX, 1, &out));
    assert_int_equal(out, 77);
    assert_true(gn_mul_size(0, SIZE_MAX, &out));
    assert_int_equal(out, 0);
    assert_null(gn_alloc(SIZE_MAX - 10));
    assert_null(gn_calloc(SIZE_MAX / 4, 8));
    int *array = NULL;
    size_t capacity = 0;
    assert_int_equal(gn_grow(&array, &capacity, SIZE_MAX / 2, sizeof *array), GN_ENOMEM);
    assert_null(array);
    assert_int_equal(capacity, 0);
}

static void arrays_grow(void **state)
{
    (void)state;
    int *array = NULL;
    size_t capacity = 0;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(gn_grow(&array, &capacity, (size_t)i + 1, sizeof *array), GN_OK);
        array[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(array[i], i);
    assert_true(capacity >= 1000 && capacity <= 2048);
    gn_free(array);
}

static void arena_blocks_are_zeroed_and_apart(void **state)
{
    (void)state;
    const uint64_t live = gn_memory_stats_get().live_bytes;
    gn_arena *arena = gn_arena_create(1024);
    unsigned char *blocks[200];
    for (size_t i = 0; i < 200; i++) {
        const size_t bytes = i % 9 == 0 ? 5000 : i;
        blocks[i] = gn_arena_alloc(arena, bytes);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % (bytes >= 4096 ? 64 : 16), 0);
        for (size_t k = 0; k < bytes; k++)
            assert_int_equal(blocks[i][k], 0);
        memset(blocks[i], (int)i, bytes);
    }
    for (size_t i = 0; i < 200; i++) {
        const size_t bytes = i % 9 == 0 ? 5000 : i;
        for (size_t k = 0; k < bytes; k++)
            assert_int_equal(blocks[i][k], i);
    }
    assert_string_equal(gn_arena_strdup(arena, "text"), "text");
    assert_string_equal(gn_arena_printf(arena, "%s-%d", "layer", 3), "layer-3");
    assert_null(gn_arena_alloc(arena, SIZE_MAX));
    gn_arena_destroy(&arena);
    assert_null(arena);
    assert_int_equal(gn_memory_stats_get().live_bytes, live);
}

/* --- failing allocations --- */

typedef struct countdown {
    int left; /* allocations that still succeed */
    int live;
} countdown;

static void *countdown_alloc(void *ctx, size_t bytes, size_t align)
{
    countdown *count = ctx;
    if (count->left-- <= 0)
        return NULL;
    count->live++;
    void *ptr = NULL;
    return posix_memalign(&ptr, align, bytes) == 0 ? ptr : NULL;
}

static void countdown_free(void *ctx, void *ptr)
{
    ((countdown *)ctx)->live--;
    free(ptr);
}

static gn_status use_everything(void)
{
    gn_status status = GN_OK;
    gn_arena *arena = gn_arena_create(0);
    gn_pool *pool = NULL;
    gn_text text;
    gn_text_init(&text);
    gn_text_printf(&text, "%0200d", 1);
    const char **names = NULL;
    size_t n = 0;
    if (!arena || text.failed)
        status = GN_ENOMEM;
    if (status == GN_OK)
        status = gn_pool_create(2, &pool);
    if (status == GN_OK)
        status = gn_list_dir("/", arena, &names, &n, NULL);
    char *data = NULL;
    if (status == GN_OK)
        status = gn_file_read("/proc/self/status", 1 << 20, &data, &n, NULL);
    gn_free(data);
    gn_pool_destroy(&pool);
    gn_text_deinit(&text);
    gn_arena_destroy(&arena);
    return status;
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    bool has_succeeded = false;
    int k = 0;
    for (; k < 200 && !has_succeeded; k++) {
        countdown count = {.left = k};
        const gn_allocator failing = {countdown_alloc, countdown_free, &count};
        gn_set_allocator(&failing);
        const gn_status status = use_everything();
        gn_set_allocator(NULL);
        assert_int_equal(count.live, 0);
        assert_true(status == GN_OK || status == GN_ENOMEM);
        has_succeeded = status == GN_OK;
    }
    assert_true(has_succeeded);
    assert_true(k > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_padded),
        cmocka_unit_test(counters_follow),
        cmocka_unit_test(realloc_keeps_content),
        cmocka_unit_test(sizes_do_not_overflow),
        cmocka_unit_test(arrays_grow),
        cmocka_unit_test(arena_blocks_are_zeroed_and_apart),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
