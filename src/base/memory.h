/* Allocation: one process-wide allocator that is set before anything else, checked sizes, and arenas.
 * No other file of the library calls malloc.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_BASE_MEMORY_H
#define GN_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Every block from gn_alloc may be read (never written) this many bytes past its end. */
#define GN_PAD_BYTES 64
/* Alignment of every block from gn_alloc and of planned buffers. */
#define GN_ALIGN_BYTES 64

/* Where memory comes from.  alloc returns NULL when there is none; `ctx` is passed through. */
typedef struct gn_allocator {
    void *(*alloc)(void *ctx, size_t bytes, size_t align);
    void (*free)(void *ctx, void *ptr);
    void *ctx;
} gn_allocator;

/* Replace the process-wide allocator (NULL: the C library).  Only while no block is live; tests use it to count and to
 * let the k-th allocation fail. */
void gn_set_allocator(const gn_allocator *allocator);

/* 64-byte aligned block of at least `bytes`; NULL when out of memory.  gn_calloc zeroes. `bytes` 0 gives a valid block. */
void *gn_alloc(size_t bytes);
void *gn_calloc(size_t count, size_t elem_bytes);
/* Grow or shrink; on failure NULL and the old block stays.  Content is kept up to the smaller size. */
void *gn_realloc(void *ptr, size_t bytes);
void gn_free(void *ptr);
/* Owned copy of a string; NULL when out of memory. */
char *gn_strdup(const char *s);

/* a*b without overflow: false when it does not fit (then *out is untouched). */
bool gn_mul_size(size_t a, size_t b, size_t *out);
bool gn_add_size(size_t a, size_t b, size_t *out);

/* Allocations made, and bytes live and at peak, since the start (all threads). */
typedef struct gn_memory_stats {
    uint64_t allocations;
    uint64_t live_bytes;
    uint64_t peak_bytes;
} gn_memory_stats;
gn_memory_stats gn_memory_stats_get(void);

/* Arena: many small blocks freed at once.  Not thread-safe. */
typedef struct gn_arena gn_arena;
gn_arena *gn_arena_create(size_t chunk_bytes); /* 0: 64 KiB.  NULL when out of memory. */
void gn_arena_destroy(gn_arena **arena);
void *gn_arena_alloc(gn_arena *arena,
                     size_t bytes); /* zeroed, 16-byte aligned (64 from 4 KiB on); NULL when out of memory */
char *gn_arena_strdup(gn_arena *arena, const char *s);
char *gn_arena_printf(gn_arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Make room for one more element in a growing array: doubles.  `array` is a T** whose block came from gn_alloc. */
gn_status gn_grow(void *array, size_t *capacity, size_t count_needed, size_t elem_bytes);

#endif
