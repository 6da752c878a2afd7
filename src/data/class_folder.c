/* Reads pictures that lie in one folder per class: D/train/CLASS, D/val/CLASS, D/test/CLASS, or D/CLASS without splits.
 * Classes are the names of these folders, of all splits, in bytewise order.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/dataset_private.h"
#include "image/image.h"

static const struct {
    const char *name;
    gn_split split;
} splits[] = {
    {"train", GN_SPLIT_TRAIN},    {"val", GN_SPLIT_VAL},   {"valid", GN_SPLIT_VAL},
    {"validation", GN_SPLIT_VAL}, {"test", GN_SPLIT_TEST},
};
#define N_SPLITS (sizeof splits / sizeof splits[0])

/* Names in a folder; one that cannot be listed holds none. */
static gn_status list(const gn_dataset *d, const char *folder, const char ***names_out, size_t *n_out)
{
    const gn_status status = gn_data_list(d, folder, names_out, n_out, NULL);
    if (status != GN_OK)
        *n_out = 0;
    return status == GN_ENOMEM ? status : GN_OK;
}

/* First picture right in a folder, as a path; "" when there is none. */
static gn_status first_picture(const gn_dataset *d, const char *folder, char *dst)
{
    const char **names;
    size_t n;
    GN_TRY(list(d, folder, &names, &n));
    for (size_t i = 0; i < n; i++)
        if (names[i][0] != '.' && gn_image_has_known_extension(names[i]) &&
            gn_path_join(folder, names[i], dst, GN_DATA_PATH_BYTES) == GN_OK)
            return GN_OK;
    dst[0] = '\0';
    return GN_OK;
}

/* Folders of pictures in `folder`; 0 when it holds pictures itself, or one of them has label files beside its pictures. */
static gn_status count_classes(const gn_dataset *d, const char *folder, int *n_out)
{
    const char **names;
    size_t n;
    char path[GN_DATA_PATH_BYTES], picture[GN_DATA_PATH_BYTES], label[GN_DATA_PATH_BYTES];
    int classes = 0;
    *n_out = 0;
    if (!gn_data_is_dir(d, folder))
        return GN_OK;
    GN_TRY(list(d, folder, &names, &n));
    for (size_t i = 0; i < n; i++) {
        if (names[i][0] == '.' || gn_path_join(folder, names[i], path, sizeof path) != GN_OK)
            continue;
        if (strcmp(names[i], "images") == 0 || strcmp(names[i], "labels") == 0 ||
            gn_image_has_known_extension(names[i]))
            return GN_OK;
        if (!gn_data_is_dir(d, path))
            continue;
        GN_TRY(first_picture(d, path, picture));
        if (picture[0] == '\0')
            continue;
        if (gn_label_path(picture, label) == GN_OK && gn_data_exists(d, label))
            return GN_OK;
        classes++;
    }
    *n_out = classes;
    return GN_OK;
}

static gn_status has_splits(const gn_dataset *d, const char *folder, bool *has_out)
{
    char path[GN_DATA_PATH_BYTES];
    *has_out = false;
    for (size_t i = 0; i < N_SPLITS && !*has_out; i++) {
        int n = 0;
        if (gn_path_join(folder, splits[i].name, path, sizeof path) == GN_OK)
            GN_TRY(count_classes(d, path, &n));
        *has_out = n > 0;
    }
    return GN_OK;
}

/* A single class is enough where the folder's name says that it is a split. */
gn_status gn_class_folder_is(gn_dataset *d, const char *folder, bool *is_out)
{
    int n = 0;
    GN_TRY(has_splits(d, folder, is_out));
    if (!*is_out)
        GN_TRY(count_classes(d, folder, &n));
    *is_out = *is_out || n >= 2;
    return GN_OK;
}

typedef struct class_list {
    const char **name;
    size_t n, capacity;
} class_list;

static gn_status gather_names(gn_dataset *d, const char *folder, class_list *all, gn_error *err)
{
    const char **names, *last = NULL;
    size_t n;
    char path[GN_DATA_PATH_BYTES];
    GN_TRY(gn_data_list(d, folder, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (names[i][0] == '.' || gn_path_join(folder, names[i], path, sizeof path) != GN_OK ||
            !gn_data_is_dir(d, path))
            continue;
        if (all->n >= GN_DATASET_MAX_CLASSES)
            return gn_fail_at(err, GN_ELIMIT, folder, 0, "more than %d folders of classes", GN_DATASET_MAX_CLASSES);
        GN_TRY(gn_grow(&all->name, &all->capacity, all->n + 1, sizeof *all->name));
        all->name[all->n++] = last = names[i];
    }
    return last != NULL ? GN_OK : gn_fail_at(err, GN_EDATA, folder, 0, "there is no folder of a class in this split");
}

static int compare_names(const void *pa, const void *pb)
{
    return strcmp(*(const char *const *)pa, *(const char *const *)pb);
}

static gn_status keep_names(gn_dataset *d, class_list *all)
{
    qsort(all->name, all->n, sizeof *all->name, compare_names);
    d->class_name = gn_arena_alloc(d->arena, (all->n + 1) * sizeof *d->class_name);
    if (d->class_name == NULL)
        return GN_ENOMEM;
    for (size_t i = 0; i < all->n; i++)
        if (d->n_classes == 0 || strcmp(d->class_name[d->n_classes - 1], all->name[i]) != 0)
            d->class_name[d->n_classes++] = all->name[i];
    return GN_OK;
}

static gn_status add_split(gn_dataset *d, const char *folder, gn_split split, gn_error *err)
{
    char path[GN_DATA_PATH_BYTES];
    d->has_split[split] = true;
    for (int c = 0; c < d->n_classes; c++)
        if (gn_path_join(folder, d->class_name[c], path, sizeof path) == GN_OK && gn_data_is_dir(d, path))
            GN_TRY(gn_data_add_folder(d, path, split, c, err));
    return GN_OK;
}

gn_status gn_class_folder_read(gn_dataset *d, const char *folder, gn_error *err)
{
    char path[N_SPLITS][GN_DATA_PATH_BYTES];
    bool is_there[N_SPLITS] = {false};
    class_list all = {0};
    bool split = false;
    GN_TRY(has_splits(d, folder, &split));
    gn_status status = split ? GN_OK : gather_names(d, folder, &all, err);
    for (size_t i = 0; i < N_SPLITS && split && status == GN_OK; i++) {
        is_there[i] =
            gn_path_join(folder, splits[i].name, path[i], sizeof path[i]) == GN_OK && gn_data_is_dir(d, path[i]);
        if (is_there[i])
            status = gather_names(d, path[i], &all, err);
    }
    if (status == GN_OK)
        status = keep_names(d, &all);
    gn_free(all.name);
    GN_TRY(status);
    d->has_labels = true;
    if (!split)
        return add_split(d, folder, GN_SPLIT_TRAIN, err);
    for (size_t i = 0; i < N_SPLITS; i++)
        if (is_there[i] && !d->has_split[splits[i].split])
            GN_TRY(add_split(d, path[i], splits[i].split, err));
    return GN_OK;
}
