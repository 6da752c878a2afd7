/* Makes validation and test splits for a set that has none.  Pictures that look alike (few differing bits of a perceptual hash), or
 * whose names say that they were made from one original, stay on one side, so that the splits do not leak.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/dataset_private.h"

#define ALL_PAIRS_MAX 30000 /* above, only equal hashes are compared */
#define BLANK_HASHES  8     /* a hash with this few or this many bits set tells nothing: a nearly flat picture */

/* A usable picture on its way into a split. */
typedef struct split_item {
    size_t entry;
    int64_t parent; /* union-find */
    uint64_t key;   /* order of its group, from name and seed */
    uint64_t stem;  /* hash of the name of the original */
    uint64_t fingerprint;
} split_item;

static int64_t find_root(split_item *item, int64_t i)
{
    while (item[i].parent != i) {
        item[i].parent = item[item[i].parent].parent;
        i = item[i].parent;
    }
    return i;
}

/* The lower index becomes the root, so that the result does not depend on the order of joining. */
static void join(split_item *item, int64_t a, int64_t b)
{
    a = find_root(item, a);
    b = find_root(item, b);
    if (a < b)
        item[b].parent = a;
    else
        item[a].parent = b;
}

static int count_bits(uint64_t x)
{
    int n = 0;
    for (; x != 0; x &= x - 1)
        n++;
    return n;
}

static bool is_telling(uint64_t fingerprint)
{
    const int bits = count_bits(fingerprint);
    return bits > BLANK_HASHES && bits < 64 - BLANK_HASHES;
}

/* Exporters write NAME.rf.HASH.jpg for every augmented copy of NAME: equal stems belong together. */
static uint64_t hash_stem(const gn_data_entry *e)
{
    const char *name = gn_path_name(e->path);
    const char *cut = strstr(name, ".rf.");
    const size_t n = cut != NULL ? (size_t)(cut - name) : strlen(name);
    return gn_hash64(name, n, (uint64_t)(e->label + 1));
}

/* Order of a picture among others: the same name in folders of two classes names two pictures. */
static uint64_t hash_order(const gn_data_entry *e, uint64_t seed)
{
    const char *name = gn_path_name(e->path);
    if (e->label < 0)
        return gn_hash64(name, strlen(name), seed);
    /* Names of classes count alike (0000.jpg, 0001.jpg, ...): only well mixed numbers deal each class its share. */
    uint64_t h = gn_hash64(name, strlen(name), seed + (uint64_t)e->label);
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
    return h ^ (h >> 33);
}

static int compare_hashes(const void *pa, const void *pb)
{
    const uint64_t *a = pa, *b = pb;
    if (a[0] != b[0])
        return a[0] < b[0] ? -1 : 1;
    return (a[1] > b[1]) - (a[1] < b[1]);
}

/* Joins items whose value (stem or fingerprint) is equal. */
static gn_status join_equal(split_item *item, int64_t n, bool by_stem)
{
    uint64_t(*pair)[2] = gn_alloc(((size_t)n + 1) * sizeof *pair);
    if (pair == NULL)
        return GN_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        pair[i][0] = by_stem ? item[i].stem : item[i].fingerprint;
        pair[i][1] = (uint64_t)i;
    }
    qsort(pair, (size_t)n, sizeof *pair, compare_hashes);
    for (int64_t i = 1; i < n; i++)
        if (pair[i][0] == pair[i - 1][0] && (by_stem || is_telling(pair[i][0])))
            join(item, (int64_t)pair[i][1], (int64_t)pair[i - 1][1]);
    gn_free(pair);
    return GN_OK;
}

static gn_status group(split_item *item, int64_t n, int distance)
{
    for (int64_t i = 0; i < n; i++)
        item[i].parent = i;
    GN_TRY(join_equal(item, n, true));
    if (distance < 0)
        return GN_OK;
    GN_TRY(join_equal(item, n, false));
    if (n > ALL_PAIRS_MAX || distance == 0)
        return GN_OK;
    for (int64_t i = 0; i < n; i++) {
        if (!is_telling(item[i].fingerprint))
            continue;
        for (int64_t k = i + 1; k < n; k++)
            if (count_bits(item[i].fingerprint ^ item[k].fingerprint) <= distance && is_telling(item[k].fingerprint))
                join(item, i, k);
    }
    return GN_OK;
}

typedef struct split_group {
    uint64_t key;
    int64_t root, size;
} split_group;

static int compare_groups(const void *pa, const void *pb)
{
    const split_group *a = pa, *b = pb;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->root > b->root) - (a->root < b->root);
}

/* Deals whole groups, in an order drawn from names and seed: test until it has its share, then val, the rest is train.  A group that
 * would overfill a split goes on to the next. */
static gn_status deal(gn_dataset *d, split_item *item, int64_t n, int64_t want_val, int64_t want_test,
                      int64_t got[GN_SPLIT_COUNT])
{
    split_group *groups = gn_calloc((size_t)n + 1, sizeof *groups);
    if (groups == NULL)
        return GN_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        const int64_t root = find_root(item, i);
        groups[root].root = root;
        groups[root].size++;
        if (groups[root].size == 1 || item[i].key < groups[root].key)
            groups[root].key = item[i].key;
    }
    int64_t n_groups = 0;
    for (int64_t i = 0; i < n; i++)
        if (groups[i].size > 0)
            groups[n_groups++] = groups[i];
    qsort(groups, (size_t)n_groups, sizeof *groups, compare_groups);
    memset(got, 0, GN_SPLIT_COUNT * sizeof *got);
    /* The chosen split lands in the root's key, which is not needed any more. */
    for (int64_t i = 0; i < n_groups; i++) {
        gn_split split = GN_SPLIT_TRAIN;
        if (got[GN_SPLIT_TEST] + groups[i].size <= want_test)
            split = GN_SPLIT_TEST;
        else if (got[GN_SPLIT_VAL] + groups[i].size <= want_val)
            split = GN_SPLIT_VAL;
        got[split] += groups[i].size;
        item[groups[i].root].key = (uint64_t)split;
    }
    for (int64_t i = 0; i < n; i++)
        d->entry[item[i].entry].split = (gn_split)item[find_root(item, i)].key;
    gn_free(groups);
    return GN_OK;
}

static int64_t share(double frac, int64_t n)
{
    const int64_t k = (int64_t)(frac * (double)n + 0.5);
    return frac > 0 && k == 0 && n >= 2 ? 1 : k;
}

static void fill_items(const gn_dataset *d, split_item *item, int64_t *n_out)
{
    int64_t n = 0;
    for (size_t i = 0; i < d->n_entries; i++) {
        const gn_data_entry *e = &d->entry[i];
        if (!e->is_usable || e->split != GN_SPLIT_TRAIN)
            continue;
        item[n++] = (split_item){
            .entry = i,
            .key = hash_order(e, d->options.seed),
            .stem = hash_stem(e),
            .fingerprint = e->fingerprint,
        };
    }
    *n_out = n;
}

gn_status gn_dataset_make_splits(gn_dataset *d)
{
    split_item *item = gn_alloc((d->n_entries + 1) * sizeof *item);
    if (item == NULL)
        return GN_ENOMEM;
    int64_t n;
    int64_t got[GN_SPLIT_COUNT];
    gn_status status = GN_OK;
    /* Alike first; when everything hangs together so that nothing can be taken out, equal pictures only, then names only. */
    const int distances[] = {d->options.dup_distance, 0, -1};
    fill_items(d, item, &n);
    const int64_t want_val = share(d->options.val_frac, n);
    int64_t want_test = d->has_split[GN_SPLIT_TEST] ? 0 : share(d->options.test_frac, n);
    if (2 * (want_val + want_test) > n && n < 4) /* so few pictures: one to train on comes before one to test on */
        want_test = 0;
    for (int i = 0; i < 3 && status == GN_OK; i++) {
        for (int64_t k = 0; k < n; k++)
            item[k].key = hash_order(&d->entry[item[k].entry], d->options.seed);
        status = group(item, n, distances[i]);
        if (status == GN_OK)
            status = deal(d, item, n, want_val, want_test, got);
        if (2 * got[GN_SPLIT_VAL] >= want_val && 2 * got[GN_SPLIT_TEST] >= want_test)
            break;
    }
    gn_free(item);
    if (status == GN_OK)
        d->split_made = true;
    return status;
}
