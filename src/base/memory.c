/* The process-wide allocator and arenas.  Every block carries a header with its size, so that live and peak bytes are known
 * and a block can grow; and a tail of GN_PAD_BYTES zeros that kernels may read.
 * Two globals live here: the allocator (set before anything else) and the counters.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Occupies GN_ALIGN_BYTES in front of the block. */
typedef struct block_header {
    size_t bytes; /* as asked for */
    uint64_t magic;
} block_header;

#define HEADER_BYTES GN_ALIGN_BYTES
#define BLOCK_LIVE   UINT64_C(0x676e2d6c69766521)
#define BLOCK_FREE   UINT64_C(0x676e2d6672656564)

/* Large blocks (weights, arenas, files) lie on pages of this size where the system has them: a page fault for each 4 KiB is half of
 * what loading a model costs otherwise, and kernels that walk through megabytes miss fewer translations of addresses. */
#define HUGE_PAGE_BYTES ((size_t)2 << 20)

static void *libc_alloc(void *ctx, size_t bytes, size_t align)
{
    (void)ctx;
    void *ptr = NULL;
#ifdef MADV_HUGEPAGE
    if (bytes >= HUGE_PAGE_BYTES && posix_memalign(&ptr, HUGE_PAGE_BYTES, bytes) == 0) {
        /* whole pages only, so that no memory is taken for what lies behind the block; a refusal changes nothing */
        (void)madvise(ptr, bytes / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES, MADV_HUGEPAGE);
        return ptr;
    }
#endif
    return posix_memalign(&ptr, align, bytes) == 0 ? ptr : NULL;
}

static void libc_free(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static const gn_allocator libc_allocator = {libc_alloc, libc_free, NULL};
static gn_allocator process_allocator = {libc_alloc, libc_free, NULL};
static _Atomic uint64_t count_allocations, count_live, count_peak;

void gn_set_allocator(const gn_allocator *allocator)
{
    process_allocator = allocator ? *allocator : libc_allocator;
}

static block_header *header_of(void *ptr)
{
    return (block_header *)(void *)((unsigned char *)ptr - HEADER_BYTES);
}

static void count_add(size_t bytes)
{
    atomic_fetch_add_explicit(&count_allocations, 1, memory_order_relaxed);
    const uint64_t live = atomic_fetch_add_explicit(&count_live, bytes, memory_order_relaxed) + bytes;
    uint64_t peak = atomic_load_explicit(&count_peak, memory_order_relaxed);
    while (live > peak &&
           !atomic_compare_exchange_weak_explicit(&count_peak, &peak, live, memory_order_relaxed, memory_order_relaxed))
        ;
}

void *gn_alloc(size_t bytes)
{
    size_t total;
    if (!gn_add_size(bytes, HEADER_BYTES + GN_PAD_BYTES, &total))
        return NULL;
    unsigned char *base = process_allocator.alloc(process_allocator.ctx, total, GN_ALIGN_BYTES);
    if (!base)
        return NULL;
    block_header *header = (block_header *)(void *)base;
    header->bytes = bytes;
    header->magic = BLOCK_LIVE;
    memset(base + HEADER_BYTES + bytes, 0, GN_PAD_BYTES);
    count_add(bytes);
    return base + HEADER_BYTES;
}

void *gn_calloc(size_t count, size_t elem_bytes)
{
    size_t bytes;
    if (!gn_mul_size(count, elem_bytes, &bytes))
        return NULL;
    void *ptr = gn_alloc(bytes);
    if (ptr)
        memset(ptr, 0, bytes);
    return ptr;
}

void *gn_realloc(void *ptr, size_t bytes)
{
    if (!ptr)
        return gn_alloc(bytes);
    void *grown = gn_alloc(bytes);
    if (!grown)
        return NULL;
    const size_t old_bytes = header_of(ptr)->bytes;
    memcpy(grown, ptr, old_bytes < bytes ? old_bytes : bytes);
    gn_free(ptr);
    return grown;
}

void gn_free(void *ptr)
{
    if (!ptr)
        return;
    block_header *header = header_of(ptr);
    GN_ASSERT(header->magic == BLOCK_LIVE);
    header->magic = BLOCK_FREE;
    atomic_fetch_sub_explicit(&count_live, header->bytes, memory_order_relaxed);
    process_allocator.free(process_allocator.ctx, header);
}

char *gn_strdup(const char *s)
{
    const size_t bytes = strlen(s) + 1;
    char *copy = gn_alloc(bytes);
    if (copy)
        memcpy(copy, s, bytes);
    return copy;
}

bool gn_mul_size(size_t a, size_t b, size_t *out)
{
    if (b != 0 && a > SIZE_MAX / b)
        return false;
    *out = a * b;
    return true;
}

bool gn_add_size(size_t a, size_t b, size_t *out)
{
    if (a > SIZE_MAX - b)
        return false;
    *out = a + b;
    return true;
}

gn_memory_stats gn_memory_stats_get(void)
{
    gn_memory_stats stats = {
        .allocations = atomic_load_explicit(&count_allocations, memory_order_relaxed),
        .live_bytes = atomic_load_explicit(&count_live, memory_order_relaxed),
        .peak_bytes = atomic_load_explicit(&count_peak, memory_order_relaxed),
    };
    return stats;
}

gn_status gn_grow(void *array, size_t *capacity, size_t count_needed, size_t elem_bytes)
{
    if (count_needed <= *capacity)
        return GN_OK;
    size_t larger = *capacity < 8 ? 8 : *capacity;
    while (larger < count_needed)
        if (!gn_mul_size(larger, 2, &larger))
            return GN_ENOMEM;
    size_t bytes;
    if (!gn_mul_size(larger, elem_bytes, &bytes))
        return GN_ENOMEM;
    void *old;
    memcpy(&old, array, sizeof old); /* T** read as void*, whatever T is */
    void *grown = gn_realloc(old, bytes);
    if (!grown)
        return GN_ENOMEM;
    memcpy(array, &grown, sizeof grown);
    *capacity = larger;
    return GN_OK;
}

/* --- arenas --- */

#define ARENA_ALIGN 16
#define ARENA_LARGE 4096
#define ARENA_CHUNK 65536

typedef struct arena_chunk {
    struct arena_chunk *next;
    size_t used, bytes;
    unsigned char *data;
} arena_chunk;

struct gn_arena {
    arena_chunk *chunks; /* newest first; blocks are cut from the first one */
    size_t chunk_bytes;
};

gn_arena *gn_arena_create(size_t chunk_bytes)
{
    gn_arena *arena = gn_calloc(1, sizeof *arena);
    if (arena)
        arena->chunk_bytes = chunk_bytes ? chunk_bytes : ARENA_CHUNK;
    return arena;
}

void gn_arena_destroy(gn_arena **arena)
{
    if (!arena || !*arena)
        return;
    for (arena_chunk *chunk = (*arena)->chunks; chunk;) {
        arena_chunk *next = chunk->next;
        gn_free(chunk->data);
        gn_free(chunk);
        chunk = next;
    }
    gn_free(*arena);
    *arena = NULL;
}

static arena_chunk *chunk_create(size_t bytes)
{
    arena_chunk *chunk = gn_calloc(1, sizeof *chunk);
    if (!chunk)
        return NULL;
    chunk->data = gn_calloc(1, bytes);
    chunk->bytes = bytes;
    if (!chunk->data) {
        gn_free(chunk);
        return NULL;
    }
    return chunk;
}

/* A block that would waste most of a chunk gets one of its own, behind the one being filled. */
static void *arena_alloc_large(gn_arena *arena, size_t bytes)
{
    arena_chunk *chunk = chunk_create(bytes);
    if (!chunk)
        return NULL;
    chunk->used = bytes;
    if (arena->chunks) {
        chunk->next = arena->chunks->next;
        arena->chunks->next = chunk;
    } else {
        arena->chunks = chunk;
    }
    return chunk->data;
}

void *gn_arena_alloc(gn_arena *arena, size_t bytes)
{
    const size_t align = bytes >= ARENA_LARGE ? GN_ALIGN_BYTES : ARENA_ALIGN;
    size_t rounded;
    if (!gn_add_size(bytes, align, &rounded))
        return NULL;
    if (rounded > arena->chunk_bytes / 2)
        return arena_alloc_large(arena, bytes);
    arena_chunk *chunk = arena->chunks;
    size_t start = chunk ? (chunk->used + align - 1) / align * align : 0;
    if (!chunk || start > chunk->bytes || chunk->bytes - start < bytes) {
        chunk = chunk_create(arena->chunk_bytes);
        if (!chunk)
            return NULL;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
        start = 0;
    }
    /* An empty block still takes a byte, so that two blocks never share an address. */
    chunk->used = start + (bytes ? bytes : 1);
    return chunk->data + start;
}

char *gn_arena_strdup(gn_arena *arena, const char *s)
{
    const size_t bytes = strlen(s) + 1;
    char *copy = gn_arena_alloc(arena, bytes);
    if (copy)
        memcpy(copy, s, bytes);
    return copy;
}

char *gn_arena_printf(gn_arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0)
        return NULL;
    char *text = gn_arena_alloc(arena, (size_t)len + 1);
    if (!text)
        return NULL;
    va_start(args, fmt);
    vsnprintf(text, (size_t)len + 1, fmt, args);
    va_end(args);
    return text;
}
