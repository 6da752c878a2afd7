/* Decoded pictures that are kept: the first ones for good, since an epoch comes to each picture once and the newest are the last that are asked
 * for again; the latest ones in a queue, since partners of mosaics are asked for again soon.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/picture_cache.h"

#include <pthread.h>

#include "base/memory.h"

typedef struct entry {
    gn_image picture; /* data NULL: not kept */
    int users;        /* it is not thrown out while somebody uses it */
    char *problem;    /* owned: why it cannot be decoded; NULL: it can, or was not tried yet */
} entry;

struct gn_picture_cache {
    pthread_mutex_t lock;
    entry *entry; /* [n] */
    int64_t n;
    size_t bytes, limit_bytes;
    size_t first_bytes; /* what may be kept for good */
    int64_t *queue;     /* [n] ring of the latest ones' indices */
    int64_t oldest, queued;
};

gn_status gn_picture_cache_create(int64_t n, size_t limit_bytes, size_t recent_bytes, gn_picture_cache **cache_out)
{
    gn_picture_cache *c = gn_calloc(1, sizeof *c);
    if (c == NULL)
        return GN_ENOMEM;
    c->entry = gn_calloc((size_t)n, sizeof *c->entry);
    c->queue = gn_calloc((size_t)n, sizeof *c->queue);
    if (c->entry == NULL || c->queue == NULL) {
        gn_free(c->entry);
        gn_free(c->queue);
        gn_free(c);
        return GN_ENOMEM;
    }
    c->n = n;
    c->limit_bytes = limit_bytes;
    c->first_bytes = limit_bytes - recent_bytes;
    pthread_mutex_init(&c->lock, NULL);
    *cache_out = c;
    return GN_OK;
}

void gn_picture_cache_destroy(gn_picture_cache **cache)
{
    if (cache == NULL || *cache == NULL)
        return;
    gn_picture_cache *c = *cache;
    for (int64_t i = 0; i < c->n; i++) {
        gn_image_deinit(&c->entry[i].picture);
        gn_free(c->entry[i].problem);
    }
    gn_free(c->entry);
    gn_free(c->queue);
    pthread_mutex_destroy(&c->lock);
    gn_free(c);
    *cache = NULL;
}

const gn_image *gn_picture_cache_find(gn_picture_cache *c, int64_t index, bool *is_broken_out)
{
    entry *e = &c->entry[index];
    pthread_mutex_lock(&c->lock);
    const gn_image *found = e->picture.data != NULL ? &e->picture : NULL;
    e->users += found != NULL;
    *is_broken_out = e->problem != NULL;
    pthread_mutex_unlock(&c->lock);
    return found;
}

void gn_picture_cache_release(gn_picture_cache *c, int64_t index)
{
    pthread_mutex_lock(&c->lock);
    GN_ASSERT(c->entry[index].users > 0);
    c->entry[index].users--;
    pthread_mutex_unlock(&c->lock);
}

static size_t bytes_of(const gn_image *picture)
{
    return picture->stride_bytes * (size_t)picture->height;
}

/* Throws out the oldest of the latest ones until `bytes` fit; false when one is in use, or none is left. */
static bool make_room(gn_picture_cache *c, size_t bytes)
{
    while (bytes > c->limit_bytes - c->bytes) {
        entry *e = &c->entry[c->queue[c->oldest]];
        if (c->queued == 0 || e->users > 0)
            return false;
        c->bytes -= bytes_of(&e->picture);
        gn_image_deinit(&e->picture);
        c->oldest = (c->oldest + 1) % c->n;
        c->queued--;
    }
    return true;
}

bool gn_picture_cache_keep(gn_picture_cache *c, int64_t index, const gn_image *picture)
{
    const size_t bytes = bytes_of(picture);
    entry *e = &c->entry[index];
    bool is_kept = false;
    pthread_mutex_lock(&c->lock);
    if (e->picture.data == NULL) {
        const bool is_first = c->bytes < c->first_bytes && bytes <= c->first_bytes - c->bytes;
        is_kept = is_first || make_room(c, bytes);
        if (is_kept && !is_first)
            c->queue[(c->oldest + c->queued++) % c->n] = index;
    }
    if (is_kept) {
        e->picture = *picture;
        c->bytes += bytes;
    }
    pthread_mutex_unlock(&c->lock);
    return is_kept;
}

gn_status gn_picture_cache_note(gn_picture_cache *c, int64_t index, const char *message)
{
    char *copy = gn_strdup(message);
    if (copy == NULL)
        return GN_ENOMEM;
    entry *e = &c->entry[index];
    pthread_mutex_lock(&c->lock);
    const bool is_first = e->problem == NULL;
    if (is_first)
        e->problem = copy;
    pthread_mutex_unlock(&c->lock);
    if (!is_first)
        gn_free(copy);
    return GN_OK;
}

size_t gn_picture_cache_bytes(gn_picture_cache *c)
{
    pthread_mutex_lock(&c->lock);
    const size_t bytes = c->bytes;
    pthread_mutex_unlock(&c->lock);
    return bytes;
}

int64_t gn_picture_cache_broken(gn_picture_cache *c)
{
    int64_t n = 0;
    pthread_mutex_lock(&c->lock);
    for (int64_t i = 0; i < c->n; i++)
        n += c->entry[i].problem != NULL;
    pthread_mutex_unlock(&c->lock);
    return n;
}

bool gn_picture_cache_broken_nth(gn_picture_cache *c, int64_t k, int64_t *index_out, const char **message_out)
{
    bool is_found = false;
    pthread_mutex_lock(&c->lock);
    for (int64_t i = 0; i < c->n && !is_found; i++) {
        if (c->entry[i].problem == NULL || k-- > 0)
            continue;
        *index_out = i;
        *message_out = c->entry[i].problem;
        is_found = true;
    }
    pthread_mutex_unlock(&c->lock);
    return is_found;
}
