/* Map from names to ids used by the graph for values and nodes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/file.h"
#include "graph/graph_internal.h"

static const char gone[] = "";

static size_t slot_of(const gn_name_map *map, const char *name)
{
    return (size_t)gn_hash64(name, strlen(name), 0) & (map->capacity - 1);
}

int gn_name_map_find(const gn_name_map *map, const char *name)
{
    if (map->capacity == 0)
        return -1;
    for (size_t i = slot_of(map, name); map->names[i]; i = (i + 1) & (map->capacity - 1))
        if (map->names[i] != gone && strcmp(map->names[i], name) == 0)
            return map->ids[i];
    return -1;
}

static void insert(gn_name_map *map, const char *name, int id)
{
    size_t i = slot_of(map, name);
    while (map->names[i])
        i = (i + 1) & (map->capacity - 1);
    map->names[i] = name;
    map->ids[i] = id;
}

static gn_status enlarge(gn_name_map *map)
{
    gn_name_map bigger = {0};
    bigger.capacity = map->capacity ? map->capacity * 2 : 256;
    bigger.names = gn_calloc(bigger.capacity, sizeof *bigger.names);
    bigger.ids = gn_calloc(bigger.capacity, sizeof *bigger.ids);
    if (!bigger.names || !bigger.ids) {
        gn_name_map_deinit(&bigger);
        return GN_ENOMEM;
    }
    for (size_t i = 0; i < map->capacity; i++)
        if (map->names[i] && map->names[i] != gone) {
            insert(&bigger, map->names[i], map->ids[i]);
            bigger.count++;
        }
    gn_name_map_deinit(map);
    *map = bigger;
    return GN_OK;
}

gn_status gn_name_map_put(gn_name_map *map, const char *name, int id)
{
    if (2 * (map->count + 1) > map->capacity)
        GN_TRY(enlarge(map));
    insert(map, name, id);
    map->count++;
    return GN_OK;
}

void gn_name_map_set(gn_name_map *map, const char *name, int id)
{
    if (map->capacity == 0)
        return;
    for (size_t i = slot_of(map, name); map->names[i]; i = (i + 1) & (map->capacity - 1))
        if (map->names[i] != gone && strcmp(map->names[i], name) == 0) {
            map->names[i] = name;
            map->ids[i] = id;
            return;
        }
}

void gn_name_map_remove(gn_name_map *map, const char *name)
{
    if (map->capacity == 0)
        return;
    for (size_t i = slot_of(map, name); map->names[i]; i = (i + 1) & (map->capacity - 1))
        if (map->names[i] != gone && strcmp(map->names[i], name) == 0) {
            map->names[i] = gone; /* a tombstone keeps later entries reachable */
            return;
        }
}

void gn_name_map_deinit(gn_name_map *map)
{
    gn_free(map->names);
    gn_free(map->ids);
    memset(map, 0, sizeof *map);
}
