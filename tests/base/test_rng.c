/* Philox against its published known answers, and the distributions drawn from it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"

/* Known-answer vectors published with Random123. */
static void known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t out[4];
        gn_philox(cases[i].counter, cases[i].key, out);
        assert_memory_equal(out, cases[i].out, sizeof out);
    }
}

static void lanes_are_blocks(void **state)
{
    (void)state;
    const uint32_t key[2] = {0x243f6a88, 0x85a308d3};
    const uint64_t first = UINT64_C(0x7fffffffd); /* carries into the second word */
    uint32_t lanes[4 * GN_PHILOX_LANES];
    gn_philox_lanes(first, key, lanes);
    for (uint64_t i = 0; i < GN_PHILOX_LANES; i++) {
        const uint32_t counter[4] = {(uint32_t)(first + i), (uint32_t)((first + i) >> 32), 0, 0};
        uint32_t expected[4];
        gn_philox(counter, key, expected);
        assert_memory_equal(lanes + 4 * i, expected, sizeof expected);
    }
}

static void stream_follows_the_counter(void **state)
{
    (void)state;
    const uint64_t seed = UINT64_C(0x123456789abcdef0), stream = UINT64_C(0xfedcba9876543210);
    const uint32_t key[2] = {0x9abcdef0, 0x12345678};
    gn_rng rng;
    gn_rng_init(&rng, seed, stream);
    for (uint32_t block = 0; block < 3; block++) {
        const uint32_t counter[4] = {block, 0, 0x76543210, 0xfedcba98};
        uint32_t expected[4];
        gn_philox(counter, key, expected);
        for (int i = 0; i < 4; i++)
            assert_int_equal(gn_rng_u32(&rng), expected[i]);
    }
    gn_rng other;
    gn_rng_init(&other, seed, stream + 1);
    gn_rng_init(&rng, seed, stream);
    assert_int_not_equal(gn_rng_u64(&rng), gn_rng_u64(&other));
}

static void counter_carries(void **state)
{
    (void)state;
    gn_rng rng;
    gn_rng_init(&rng, 1, 2);
    rng.counter[0] = UINT32_MAX;
    gn_rng_u32(&rng);
    assert_int_equal(rng.counter[0], 0);
    assert_int_equal(rng.counter[1], 1);
}

static void uniform_and_normal_moments(void **state)
{
    (void)state;
    enum { N = 200000 };
    gn_rng rng;
    gn_rng_init(&rng, 7, 0);
    double sum = 0, square = 0;
    for (int i = 0; i < N; i++) {
        const double x = gn_rng_uniform(&rng);
        assert_true(x >= 0 && x < 1);
        sum += x;
        square += x * x;
    }
    /* Five standard errors: 0.289/sqrt(N) of the mean, 0.298/sqrt(N) of the mean square. */
    assert_true(fabs(sum / N - 0.5) < 5 * 0.289 / sqrt(N));
    assert_true(fabs(square / N - 1.0 / 3) < 5 * 0.298 / sqrt(N));
    sum = square = 0;
    for (int i = 0; i < N; i++) {
        const double x = gn_rng_normal(&rng);
        sum += x;
        square += x * x;
    }
    assert_true(fabs(sum / N) < 5 / sqrt(N));
    assert_true(fabs(square / N - 1) < 5 * sqrt(2.0 / N));
}

static void below_is_even(void **state)
{
    (void)state;
    enum { N = 70000 };
    gn_rng rng;
    gn_rng_init(&rng, 11, 3);
    int count[7] = {0};
    for (int i = 0; i < N; i++) {
        const int64_t x = gn_rng_below(&rng, 7);
        assert_in_range(x, 0, 6);
        count[x]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(count[i], 10000 - 500, 10000 + 500);
    assert_int_equal(gn_rng_below(&rng, 1), 0);
    assert_true(gn_rng_below(&rng, INT64_MAX) >= 0);
}

static void range_excludes_its_end(void **state)
{
    (void)state;
    gn_rng rng;
    gn_rng_init(&rng, 5, 5);
    const float lo = 1.0f, hi = nextafterf(nextafterf(1.0f, 2.0f), 2.0f);
    for (int i = 0; i < 1000; i++) {
        const float x = gn_rng_range(&rng, lo, hi);
        assert_true(x >= lo && x < hi);
    }
    assert_true(gn_rng_range(&rng, 2.0f, 2.0f) == 2.0f);
}

static void shuffle_permutes(void **state)
{
    (void)state;
    int64_t a[100], b[100];
    int seen[100] = {0};
    for (int i = 0; i < 100; i++)
        a[i] = b[i] = i;
    gn_rng rng;
    gn_rng_init(&rng, 1, 1);
    gn_rng_shuffle(&rng, a, 100);
    gn_rng_init(&rng, 1, 1);
    gn_rng_shuffle(&rng, b, 100);
    assert_memory_equal(a, b, sizeof a);
    int moved = 0;
    for (int i = 0; i < 100; i++) {
        seen[a[i]]++;
        moved += a[i] != i;
    }
    for (int i = 0; i < 100; i++)
        assert_int_equal(seen[i], 1);
    assert_true(moved > 80);
}

static void mixing_tells_pairs_apart(void **state)
{
    (void)state;
    uint64_t seen[400];
    int n = 0;
    for (uint64_t a = 0; a < 20; a++)
        for (uint64_t b = 0; b < 20; b++)
            seen[n++] = gn_rng_mix(a, b);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < i; k++)
            assert_true(seen[i] != seen[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(lanes_are_blocks),
        cmocka_unit_test(stream_follows_the_counter),
        cmocka_unit_test(counter_carries),
        cmocka_unit_test(uniform_and_normal_moments),
        cmocka_unit_test(below_is_even),
        cmocka_unit_test(range_excludes_its_end),
        cmocka_unit_test(shuffle_permutes),
        cmocka_unit_test(mixing_tells_pairs_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
