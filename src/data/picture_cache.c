/* Decoded pictures that are kept, first come, first kept: none is thrown out, so a found one can be used without a lock.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/picture_cache.h"

#include <pthread.h>

#include "base/memory.h"

typedef struct entry {
    gn_image picture; /* data NULL: not kept */
    char *problem;    /* owned: why it cannot be decoded; NULL: it can, or was not tried yet */
} entry;

struct gn_picture_cache {
    pthread_mutex_t lock;
    entry *entry; /* [n] */
    int64_t n;
    size_t bytes, limit_bytes;
};

gn_status gn_picture_cache_create(int64_t n, size_t limit_bytes, gn_picture_cache **cache_out)
{
    gn_picture_cache *c = gn_calloc(1, sizeof *c);
    if (c == NULL)
        return GN_ENOMEM;
    c->entry = gn_calloc((size_t)n, sizeof *c->entry);
    if (c->entry == NULL) {
        gn_free(c);
        return GN_ENOMEM;
    }
    c->n = n;
    c->limit_bytes = limit_bytes;
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
    pthread_mutex_destroy(&c->lock);
    gn_free(c);
    *cache = NULL;
}

const gn_image *gn_picture_cache_find(gn_picture_cache *c, int64_t index, bool *is_broken_out)
{
    const entry *e = &c->entry[index];
    pthread_mutex_lock(&c->lock);
    const gn_image *found = e->picture.data != NULL ? &e->picture : NULL;
    *is_broken_out = e->problem != NULL;
    pthread_mutex_unlock(&c->lock);
    return found;
}

bool gn_picture_cache_keep(gn_picture_cache *c, int64_t index, const gn_image *picture)
{
    const size_t bytes = picture->stride_bytes * (size_t)picture->height;
    entry *e = &c->entry[index];
    pthread_mutex_lock(&c->lock);
    const bool fits = e->picture.data == NULL && bytes <= c->limit_bytes - c->bytes;
    if (fits) {
        e->picture = *picture;
        c->bytes += bytes;
    }
    pthread_mutex_unlock(&c->lock);
    return fits;
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
