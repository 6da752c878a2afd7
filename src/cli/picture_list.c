/* Lists of pictures from files and folders.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/picture_list.h"

#include <stdbool.h>

#include "base/file.h"
#include "gannet/image_api.h"

#define MAX_DEPTH 16

static gn_status append(gn_picture_list *list, const char *path, gn_error *err)
{
    char *copy = gn_arena_strdup(list->arena, path);
    if (!copy || gn_grow(&list->path, &list->capacity, list->n + 1, sizeof *list->path) != GN_OK)
        return gn_fail(err, GN_ENOMEM, "no memory for the list of pictures");
    list->path[list->n++] = copy;
    return GN_OK;
}

static gn_status add_folder(gn_picture_list *list, const char *folder, int depth, gn_error *err)
{
    if (depth > MAX_DEPTH)
        return gn_fail_at(err, GN_ELIMIT, folder, 0, "folders are nested more than %d deep", MAX_DEPTH);
    const char **names = NULL;
    size_t n = 0;
    GN_TRY(gn_list_dir(folder, list->arena, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        const char *path = gn_arena_printf(list->arena, "%s/%s", folder, names[i]);
        if (!path)
            return gn_fail(err, GN_ENOMEM, "no memory for the list of pictures");
        if (gn_path_is_dir(path))
            GN_TRY(add_folder(list, path, depth + 1, err));
        else if (gn_image_has_known_extension(path) || gn_video_has_known_extension(path))
            GN_TRY(append(list, path, err));
    }
    return GN_OK;
}

gn_status gn_picture_list_add(gn_picture_list *list, const char *source, gn_error *err)
{
    if (!list->arena && !(list->arena = gn_arena_create(0)))
        return gn_fail(err, GN_ENOMEM, "no memory for the list of pictures");
    if (!gn_path_exists(source))
        return gn_fail_at(err, GN_ENOENT, source, 0, "no such picture, video or folder");
    if (!gn_path_is_dir(source))
        return append(list, source, err);
    size_t before = list->n;
    GN_TRY(add_folder(list, source, 1, err));
    if (list->n == before)
        return gn_fail_at(err, GN_EDATA, source, 0, "no picture (.jpg .jpeg .png .webp) or video is in this folder");
    return GN_OK;
}

gn_status gn_picture_list_add_name(gn_picture_list *list, const char *name, gn_error *err)
{
    if (!list->arena && !(list->arena = gn_arena_create(0)))
        return gn_fail(err, GN_ENOMEM, "no memory for the list of pictures");
    return append(list, name, err);
}

void gn_picture_list_deinit(gn_picture_list *list)
{
    gn_free(list->path);
    gn_arena_destroy(&list->arena);
    *list = (gn_picture_list){0};
}
