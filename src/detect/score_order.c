/* Radix sort by score and counting sort by key; see score_order.h.  Both keep the order of equals, as a merge sort does.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/score_order.h"

#include <string.h>

#include "base/memory.h"

#define DIGIT_BITS 11
#define DIGITS     6 /* 6 * 11 bits hold 64 */
#define DIGIT_MAX  (1 << DIGIT_BITS)

typedef struct keyed {
    uint64_t key;
    int64_t index;
} keyed;

/* A number that rises as the score falls. */
static uint64_t falling_key(double score)
{
    const double x = score + 0.0; /* -0 becomes 0 */
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint64_t rising = bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
    return ~rising;
}

static int digit_of(uint64_t key, int d)
{
    return (int)(key >> (d * DIGIT_BITS) & (DIGIT_MAX - 1));
}

/* One pass; false when all keys have the same digit, and nothing was moved. */
static int pass(const keyed *from, keyed *to, int64_t n, int d, int64_t *count)
{
    memset(count, 0, DIGIT_MAX * sizeof *count);
    for (int64_t i = 0; i < n; i++)
        count[digit_of(from[i].key, d)]++;
    if (count[digit_of(from[0].key, d)] == n)
        return 0;
    int64_t at = 0;
    for (int v = 0; v < DIGIT_MAX; v++) {
        const int64_t here = count[v];
        count[v] = at;
        at += here;
    }
    for (int64_t i = 0; i < n; i++)
        to[count[digit_of(from[i].key, d)]++] = from[i];
    return 1;
}

gn_status gn_order_by_score(const double *score, int64_t *order, int64_t n)
{
    if (n < 2)
        return GN_OK;
    gn_status status = GN_ENOMEM;
    keyed *a = gn_alloc((size_t)n * sizeof *a), *b = gn_alloc((size_t)n * sizeof *b);
    int64_t *count = gn_alloc(DIGIT_MAX * sizeof *count);
    if (a == NULL || b == NULL || count == NULL)
        goto cleanup;
    for (int64_t i = 0; i < n; i++)
        a[i] = (keyed){.key = falling_key(score[order[i]]), .index = order[i]};
    for (int d = 0; d < DIGITS; d++) {
        if (!pass(a, b, n, d, count))
            continue;
        keyed *swap = a;
        a = b;
        b = swap;
    }
    for (int64_t i = 0; i < n; i++)
        order[i] = a[i].index;
    status = GN_OK;

cleanup:
    gn_free(a);
    gn_free(b);
    gn_free(count);
    return status;
}

gn_status gn_order_by_key(const int32_t *key, int32_t n_keys, int64_t *order, int64_t n, int64_t *first_out)
{
    gn_status status = GN_ENOMEM;
    int64_t *first = gn_calloc((size_t)n_keys + 1, sizeof *first);
    int64_t *sorted = gn_alloc(((size_t)n + 1) * sizeof *sorted);
    if (first == NULL || sorted == NULL)
        goto cleanup;
    for (int64_t i = 0; i < n; i++)
        first[key[order[i]] + 1]++;
    for (int32_t k = 0; k < n_keys; k++)
        first[k + 1] += first[k];
    if (first_out != NULL)
        memcpy(first_out, first, ((size_t)n_keys + 1) * sizeof *first);
    for (int64_t i = 0; i < n; i++)
        sorted[first[key[order[i]]]++] = order[i];
    if (n > 0)
        memcpy(order, sorted, (size_t)n * sizeof *order);
    status = GN_OK;

cleanup:
    gn_free(first);
    gn_free(sorted);
    return status;
}
