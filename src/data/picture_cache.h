/* What is known about the pictures of a split: the decoded ones that are kept, and why some cannot be decoded.
 * All functions but create and destroy may be called from any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DATA_PICTURE_CACHE_H
#define GN_DATA_PICTURE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "image/image.h"

typedef struct gn_picture_cache gn_picture_cache;

/* n pictures, of which at most `limit_bytes` are kept: the first ones for good, and when these fill the limit less `recent_bytes`, the latest
 * ones in turn, each until newer ones need its place.  recent_bytes: 0..limit_bytes.  GN_ENOMEM. */
gn_status gn_picture_cache_create(int64_t n, size_t limit_bytes, size_t recent_bytes, gn_picture_cache **cache_out);
void gn_picture_cache_destroy(gn_picture_cache **cache);

/* The kept picture, or NULL; it stays until gn_picture_cache_release is called once for it.  *is_broken_out: it cannot be decoded, as was noted
 * before. */
const gn_image *gn_picture_cache_find(gn_picture_cache *cache, int64_t index, bool *is_broken_out);
void gn_picture_cache_release(gn_picture_cache *cache, int64_t index);
/* Keeps an owned picture when there is room and no other thread was first: then true, and the cache owns it. */
bool gn_picture_cache_keep(gn_picture_cache *cache, int64_t index, const gn_image *picture);
/* Notes why a picture cannot be decoded; the first note stays.  GN_ENOMEM. */
gn_status gn_picture_cache_note(gn_picture_cache *cache, int64_t index, const char *message);

size_t gn_picture_cache_bytes(gn_picture_cache *cache);
int64_t gn_picture_cache_broken(gn_picture_cache *cache);
/* The k-th broken picture by index; false when there are fewer.  *message_out is borrowed and stays as long as the cache. */
bool gn_picture_cache_broken_nth(gn_picture_cache *cache, int64_t k, int64_t *index_out, const char **message_out);

#endif
