/* Class names: read, and found beside a .cfg.
 * SPDX-License-Identifier: Apache-2.0 */
#include "formats/darknet/darknet_names.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"

#define MAX_BYTES      ((size_t)1 << 20)
#define MAX_PATH_BYTES 4096

static gn_status add_names(const char *path, const char *text, size_t bytes, gn_text *json, int *n_out, gn_error *err)
{
    int n = 0, n_empty = 0;
    if (memchr(text, '\0', bytes))
        return gn_fail_at(err, GN_EFORMAT, path, 0, "no list of class names: it has a NUL byte");
    gn_text_add(json, "[");
    for (size_t at = 0; at < bytes;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        size_t first = at, last = end ? (size_t)(end - text) : bytes;
        at = last + 1;
        while (first < last && strchr(" \t\r", text[first]))
            first++;
        while (last > first && strchr(" \t\r", text[last - 1]))
            last--;
        if (first == last) {
            n_empty++;
            continue;
        }
        char name[256];
        for (; n_empty > 0; n_empty--, n++) /* lines left empty in between are classes too */
            gn_text_add(json, n ? ",\"\"" : "\"\"");
        snprintf(name, sizeof name, "%.*s", (int)(last - first < sizeof name ? last - first : sizeof name - 1),
                 text + first);
        gn_text_add(json, n++ ? "," : "");
        gn_text_add_json(json, name);
        if (n > GN_DARKNET_MAX_NAMES)
            return gn_fail_at(err, GN_ELIMIT, path, 0, "more than %d class names", GN_DARKNET_MAX_NAMES);
    }
    gn_text_add(json, "]");
    if (n == 0)
        return gn_fail_at(err, GN_EFORMAT, path, 0, "it has no class names; one per line was expected");
    if (json->failed)
        return gn_fail_at(err, GN_ENOMEM, path, 0, "no memory for class names");
    if (n_out)
        *n_out = n;
    return GN_OK;
}

gn_status gn_darknet_names_read(const char *path, gn_text *json_out, int *n_out, gn_error *err)
{
    char *text = NULL;
    size_t bytes = 0;
    GN_TRY(gn_file_read(path, MAX_BYTES, &text, &bytes, err));
    const gn_status status = add_names(path, text, bytes, json_out, n_out, err);
    gn_free(text);
    return status;
}

/* The names of `path` when there are `classes` of them, else nothing; only a lack of memory is a failure. */
static gn_status read_if_fits(const char *path, int classes, gn_text *json, bool *fits)
{
    int n = 0;
    gn_text_init(json);
    const gn_status status = gn_darknet_names_read(path, json, &n, NULL);
    *fits = status == GN_OK && n == classes;
    if (!*fits)
        gn_text_deinit(json);
    return status == GN_ENOMEM ? status : GN_OK;
}

static gn_status search(const char *folder, int classes, gn_arena *arena, char *path, size_t path_bytes, gn_text *found)
{
    const char **names = NULL;
    char candidate[MAX_PATH_BYTES];
    size_t n = 0;
    int n_found = 0;
    if (gn_list_dir(folder, arena, &names, &n, NULL) != GN_OK)
        return GN_OK;
    for (size_t i = 0; i < n; i++) {
        gn_text json;
        bool fits = false;
        if (!gn_has_suffix(names[i], ".names") || gn_path_join(folder, names[i], candidate, sizeof candidate) != GN_OK)
            continue;
        GN_TRY(read_if_fits(candidate, classes, &json, &fits));
        if (!fits)
            continue;
        gn_text_deinit(found);
        *found = json;
        n_found++;
        snprintf(path, path_bytes, "%s", candidate);
    }
    if (n_found != 1)
        path[0] = '\0';
    return GN_OK;
}

gn_status gn_darknet_names_find(const char *cfg_path, int classes, char *path, size_t path_bytes, gn_text *json_out)
{
    char folder[MAX_PATH_BYTES];
    gn_text found;
    bool fits = false;
    const size_t stem = strlen(cfg_path) - strlen(gn_path_ext(cfg_path));
    gn_arena *arena = gn_arena_create(0);
    if (!arena)
        return GN_ENOMEM;
    path[0] = '\0';
    snprintf(folder, sizeof folder, "%.*s.names", (int)(stem < MAX_PATH_BYTES - 8 ? stem : 0), cfg_path);
    gn_status status = read_if_fits(folder, classes, &found, &fits);
    if (status == GN_OK && fits) {
        snprintf(path, path_bytes, "%s", folder);
    } else if (status == GN_OK) {
        gn_path_dir(cfg_path, folder, sizeof folder);
        status = search(folder, classes, arena, path, path_bytes, &found);
    }
    if (status == GN_OK && path[0])
        gn_text_add(json_out, found.data);
    gn_text_deinit(&found);
    gn_arena_destroy(&arena);
    return status;
}
