/* Names of outputs: a table of those taken, by hash.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/output_names.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/file.h"

typedef struct entry {
    const char *name; /* NULL: free */
    size_t next;      /* the number to try for the next source of this name */
} entry;

typedef struct table {
    entry *entries;
    size_t mask;
} table;

/* Where `name` stands, or would. */
static entry *find(const table *t, const char *name)
{
    size_t at = (size_t)gn_hash64(name, strlen(name), 0) & t->mask;
    while (t->entries[at].name && strcmp(t->entries[at].name, name) != 0)
        at = (at + 1) & t->mask;
    return &t->entries[at];
}

static char *own_name(const char *source, gn_arena *arena)
{
    const char *file = gn_path_name(source), *ext = gn_path_ext(source);
    const size_t n = strlen(file) - strlen(ext);
    return n > 0 ? gn_arena_printf(arena, "%.*s", (int)(n < 200 ? n : 200), file) : gn_arena_strdup(arena, "picture");
}

/* "name-2", "name-3", ...: the first that is free. */
static const char *numbered(const table *t, entry *same, gn_arena *arena)
{
    for (;; same->next++) {
        char *name = gn_arena_printf(arena, "%s-%zu", same->name, same->next);
        if (!name)
            return NULL;
        entry *free_place = find(t, name);
        if (free_place->name)
            continue;
        *free_place = (entry){name, 2};
        same->next++;
        return name;
    }
}

static bool fill(const table *t, const char *const *sources, size_t n, gn_arena *arena, const char **names)
{
    for (size_t i = 0; i < n; i++) {
        char *name = own_name(sources[i], arena);
        if (!name)
            return false;
        entry *e = find(t, name);
        names[i] = e->name ? NULL : name;
        if (!e->name)
            *e = (entry){name, 2};
    }
    for (size_t i = 0; i < n; i++) {
        if (names[i])
            continue;
        const char *name = own_name(sources[i], arena);
        names[i] = name ? numbered(t, find(t, name), arena) : NULL;
        if (!names[i])
            return false;
    }
    return true;
}

gn_status gn_output_names(const char *const *sources, size_t n, gn_arena *arena, const char ***names_out, gn_error *err)
{
    size_t room = 16;
    while (room < 4 * n) /* each source takes one place at most */
        room *= 2;
    table t = {.entries = gn_calloc(room, sizeof *t.entries), .mask = room - 1};
    const char **names = gn_arena_alloc(arena, (n + 1) * sizeof *names);
    const bool is_done = t.entries && names && fill(&t, sources, n, arena, names);
    gn_free(t.entries);
    if (!is_done)
        return gn_fail(err, GN_ENOMEM, "no memory for the names of outputs");
    *names_out = names;
    return GN_OK;
}
