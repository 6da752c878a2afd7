/* A hash table from strings to numbers, for telling which pictures were seen.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/file.h"
#include "data/dataset_private.h"

static size_t slot_of(const gn_string_set *set, const char *key)
{
    size_t i = (size_t)gn_hash64(key, strlen(key), 0) & (set->capacity - 1);
    while (set->slot[i].key != NULL && strcmp(set->slot[i].key, key) != 0)
        i = (i + 1) & (set->capacity - 1);
    return i;
}

int64_t gn_string_set_find(const gn_string_set *set, const char *key)
{
    if (set->capacity == 0)
        return -1;
    const size_t i = slot_of(set, key);
    return set->slot[i].key != NULL ? set->slot[i].value : -1;
}

static gn_status grow(gn_string_set *set)
{
    gn_string_set bigger = {.capacity = set->capacity > 0 ? set->capacity * 2 : 256};
    bigger.slot = gn_calloc(bigger.capacity, sizeof *bigger.slot);
    if (bigger.slot == NULL)
        return GN_ENOMEM;
    for (size_t i = 0; i < set->capacity; i++)
        if (set->slot[i].key != NULL)
            bigger.slot[slot_of(&bigger, set->slot[i].key)] = set->slot[i];
    bigger.n = set->n;
    gn_free(set->slot);
    *set = bigger;
    return GN_OK;
}

gn_status gn_string_set_put(gn_string_set *set, const char *key, int64_t value)
{
    if (2 * (set->n + 1) > set->capacity)
        GN_TRY(grow(set));
    struct gn_string_slot *slot = &set->slot[slot_of(set, key)];
    set->n += slot->key == NULL;
    slot->key = key;
    slot->value = value;
    return GN_OK;
}

void gn_string_set_deinit(gn_string_set *set)
{
    gn_free(set->slot);
    memset(set, 0, sizeof *set);
}
