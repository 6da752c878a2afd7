/* Reads Ultralytics' data.yaml (path, train/val/test as folder, list or several of these, names, nc) and plain folders with images/
 * and labels/.
 * SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "data/dataset_private.h"
#include "data/yaml_doc.h"
#include "image/image.h"

#define WALK_MAX_DEPTH 16

/* Every picture under a folder, in bytewise order of the names, files before sub-folders of a later name as they come. */
static gn_status walk(gn_dataset *d, const char *folder, gn_split split, int32_t label, int depth, gn_error *err)
{
    const char **names;
    size_t n;
    GN_TRY(gn_data_list(d, folder, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        char path[GN_DATA_PATH_BYTES];
        if (names[i][0] == '.' || gn_path_join(folder, names[i], path, sizeof path) != GN_OK)
            continue;
        if (gn_image_has_known_extension(names[i])) {
            gn_data_entry *entry;
            GN_TRY(gn_dataset_add_entry(d, path, split, &entry));
            entry->label = label;
        } else if (depth < WALK_MAX_DEPTH && gn_data_is_dir(d, path)) {
            GN_TRY(walk(d, path, split, label, depth + 1, err));
        }
    }
    return GN_OK;
}

gn_status gn_data_add_folder(gn_dataset *d, const char *folder, gn_split split, int32_t label, gn_error *err)
{
    return walk(d, folder, split, label, 0, err);
}

bool gn_data_locate(const gn_dataset *d, const char *folder, const char *root, const char *name, char *dst)
{
    const char *const bases[] = {folder, root, "."};
    for (int i = 0; i < 3; i++)
        if (bases[i] != NULL && gn_path_join(bases[i], name, dst, GN_DATA_PATH_BYTES) == GN_OK &&
            gn_data_exists(d, dst))
            return true;
    return gn_path_join(folder, name, dst, GN_DATA_PATH_BYTES) == GN_OK && false;
}

/* One line of a list of pictures: [line, end) without the line's end. */
static gn_status add_listed(gn_dataset *d, const char *list, const char *folder, const char *root, gn_split split,
                            const char *line, size_t n, int64_t number)
{
    while (n > 0 && isspace((unsigned char)line[n - 1]))
        n--;
    while (n > 0 && isspace((unsigned char)*line)) {
        line++;
        n--;
    }
    if (n == 0)
        return GN_OK;
    char name[GN_DATA_PATH_BYTES], path[GN_DATA_PATH_BYTES];
    if (n >= sizeof name || memchr(line, 0, n) != NULL) {
        d->counts.bad_list_lines++;
        return gn_dataset_note(d, list, number, "this line is no file name");
    }
    memcpy(name, line, n);
    name[n] = '\0';
    if (!gn_image_has_known_extension(name)) {
        d->counts.bad_list_lines++;
        return gn_dataset_note(d, list, number, "'%.200s' does not end like a picture (.jpg .jpeg .png .webp)", name);
    }
    if (!gn_data_locate(d, folder, root, name, path)) {
        d->counts.missing_pictures++;
        return gn_dataset_note(d, list, number, "there is no picture '%.200s'", name);
    }
    gn_data_entry *entry;
    GN_TRY(gn_dataset_add_entry(d, path, split, &entry));
    entry->source = list;
    entry->line = number;
    return GN_OK;
}

gn_status gn_data_add_list(gn_dataset *d, const char *path, const char *root, gn_split split, gn_error *err)
{
    char *text = NULL;
    size_t n = 0;
    char folder[GN_DATA_PATH_BYTES];
    gn_path_dir(path, folder, sizeof folder);
    const char *list = gn_arena_strdup(d->arena, path);
    if (list == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory reading %s", path);
    GN_TRY(gn_data_read(d, path, GN_LIST_MAX_BYTES, &text, &n, err));
    gn_status status = GN_OK;
    int64_t line = 1;
    for (const char *s = text, *end = text + n; s < end && status == GN_OK; line++) {
        const char *eol = memchr(s, '\n', (size_t)(end - s));
        const char *stop = eol != NULL ? eol : end;
        if (line > GN_LIST_MAX_LINES)
            status = gn_fail_at(err, GN_ELIMIT, path, line, "more than %d lines", GN_LIST_MAX_LINES);
        else
            status = add_listed(d, list, folder, root, split, s, (size_t)(stop - s), line);
        s = eol != NULL ? eol + 1 : end;
    }
    gn_free(text);
    return status;
}

/* What data.yaml gives for a split: a folder or a list, relative to the root. */
static gn_status add_source(gn_dataset *d, const gn_yaml *yaml, const char *root, gn_split split,
                            const gn_yaml_node *node, gn_error *err)
{
    const char *name = gn_yaml_text(node);
    if (name == NULL)
        return gn_fail_at(err, GN_EFORMAT, gn_yaml_name(yaml), gn_yaml_line(node),
                          "%s must be a folder, a list file or a list of these", gn_split_name(split));
    char path[GN_DATA_PATH_BYTES];
    bool found = gn_data_locate(d, root, NULL, name, path);
    /* Exporters write ../train/images into a data.yaml that lies beside train/; Ultralytics reads that as train/images. */
    if (!found && gn_has_prefix(name, "../"))
        found = gn_data_locate(d, root, NULL, name + 3, path);
    if (!found) {
        const char *file = gn_arena_strdup(d->arena, gn_yaml_name(yaml));
        d->counts.missing_pictures++;
        return gn_dataset_note(d, file != NULL ? file : "data.yaml", gn_yaml_line(node),
                               "%s: there is no folder or list '%.200s' in %.150s", gn_split_name(split), name, root);
    }
    if (gn_data_is_dir(d, path))
        return gn_data_add_folder(d, path, split, -1, err);
    return gn_data_add_list(d, path, root, split, err);
}

static gn_status add_split(gn_dataset *d, const gn_yaml *yaml, const char *root, gn_split split,
                           const gn_yaml_node *node, gn_error *err)
{
    if (gn_yaml_kind_of(node) == GN_YAML_NULL)
        return GN_OK;
    d->has_split[split] = true;
    if (gn_yaml_kind_of(node) != GN_YAML_SEQUENCE)
        return add_source(d, yaml, root, split, node, err);
    for (int64_t i = 0; i < gn_yaml_count(node); i++)
        GN_TRY(add_source(d, yaml, root, split, gn_yaml_item(node, i), err));
    return GN_OK;
}

static gn_status set_name(gn_dataset *d, const gn_yaml *yaml, int64_t i, const gn_yaml_node *node, gn_error *err)
{
    const char *name = gn_yaml_text(node);
    if (name == NULL)
        return gn_fail_at(err, GN_EFORMAT, gn_yaml_name(yaml), gn_yaml_line(node),
                          "the name of class %lld must be text", (long long)i);
    if (d->class_name[i] != NULL)
        return gn_fail_at(err, GN_EFORMAT, gn_yaml_name(yaml), gn_yaml_line(node), "class %lld is named twice",
                          (long long)i);
    d->class_name[i] = gn_arena_strdup(d->arena, name);
    return d->class_name[i] != NULL ? GN_OK : gn_fail(err, GN_ENOMEM, "out of memory");
}

static gn_status read_names(gn_dataset *d, const gn_yaml *yaml, gn_error *err)
{
    const gn_yaml_node *root = gn_yaml_root(yaml);
    const gn_yaml_node *names = gn_yaml_find(root, "names");
    const int64_t n = gn_yaml_count(names);
    if (n == 0)
        return gn_fail_at(err, GN_EFORMAT, gn_yaml_name(yaml), gn_yaml_line(names != NULL ? names : root),
                          "no `names`; expected the class names as a list or a map, e.g. names: {0: face}");
    if (n > GN_DATASET_MAX_CLASSES)
        return gn_fail_at(err, GN_ELIMIT, gn_yaml_name(yaml), gn_yaml_line(names), "more than %d classes",
                          GN_DATASET_MAX_CLASSES);
    d->class_name = gn_arena_alloc(d->arena, (size_t)n * sizeof *d->class_name);
    if (d->class_name == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    for (int64_t i = 0; i < n; i++) {
        int64_t cls = i;
        const char *key = gn_yaml_key(names, i);
        const gn_yaml_node *value = gn_yaml_item(names, i);
        if (key != NULL && (!gn_parse_i64(key, &cls) || cls < 0 || cls >= n))
            return gn_fail_at(err, GN_EFORMAT, gn_yaml_name(yaml), gn_yaml_line(value),
                              "names: the key '%.60s' is not one of 0..%lld", key, (long long)(n - 1));
        GN_TRY(set_name(d, yaml, cls, value, err));
    }
    d->n_classes = (int)n;
    int64_t nc = n;
    GN_TRY(gn_yaml_get_i64(yaml, root, "nc", &nc, err));
    if (nc != n)
        return gn_fail_at(err, GN_EFORMAT, gn_yaml_name(yaml), gn_yaml_line(gn_yaml_find(root, "nc")),
                          "nc is %lld, but `names` holds %lld", (long long)nc, (long long)n);
    return GN_OK;
}

/* `category_ids`, which gannet writes beside `names` when it converts from COCO: the numbers that the classes had there. */
static gn_status read_category_ids(gn_dataset *d, const gn_yaml *yaml, gn_error *err)
{
    const gn_yaml_node *ids = gn_yaml_find(gn_yaml_root(yaml), "category_ids");
    if (ids == NULL)
        return GN_OK;
    if (gn_yaml_kind_of(ids) != GN_YAML_SEQUENCE || gn_yaml_count(ids) != d->n_classes)
        return gn_fail_at(err, GN_EFORMAT, gn_yaml_name(yaml), gn_yaml_line(ids),
                          "category_ids must be a list of %d numbers, one for each name", d->n_classes);
    d->category_id = gn_arena_alloc(d->arena, (size_t)d->n_classes * sizeof *d->category_id);
    if (d->category_id == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    for (int c = 0; c < d->n_classes; c++)
        if (!gn_yaml_as_i64(gn_yaml_item(ids, c), &d->category_id[c]))
            return gn_fail_at(err, GN_EFORMAT, gn_yaml_name(yaml), gn_yaml_line(ids), "category_ids: number %d is none",
                              c);
    return GN_OK;
}

/* The set's root: `path`, as seen from data.yaml or else from the current folder; without one, data.yaml's folder. */
static gn_status find_root(const gn_dataset *d, const gn_yaml *yaml, char *root, gn_error *err)
{
    char folder[GN_DATA_PATH_BYTES];
    gn_path_dir(gn_yaml_name(yaml), folder, sizeof folder);
    const char *path = ".";
    const gn_yaml_node *top = gn_yaml_root(yaml);
    GN_TRY(gn_yaml_get_text(yaml, top, "path", &path, err));
    if (strcmp(path, ".") == 0) {
        memcpy(root, folder, sizeof folder);
        return GN_OK;
    }
    if (gn_data_locate(d, folder, NULL, path, root) && gn_data_is_dir(d, root))
        return GN_OK;
    return gn_fail_at(err, GN_EDATA, gn_yaml_name(yaml), gn_yaml_line(gn_yaml_find(top, "path")),
                      "path: there is no folder '%.200s'", path);
}

static gn_status open_yaml(const gn_dataset *d, const char *path, gn_yaml **yaml_out, gn_error *err)
{
    char *text = NULL;
    size_t n = 0;
    GN_TRY(gn_data_read(d, path, GN_YAML_MAX_BYTES, &text, &n, err));
    const gn_status status = gn_yaml_parse(text, n, path, yaml_out, err);
    gn_free(text);
    return status;
}

gn_status gn_data_yaml_read(gn_dataset *d, const char *yaml_path, gn_error *err)
{
    static const struct {
        const char *key;
        gn_split split;
    } keys[] = {
        {"train", GN_SPLIT_TRAIN},    {"val", GN_SPLIT_VAL},   {"valid", GN_SPLIT_VAL},
        {"validation", GN_SPLIT_VAL}, {"test", GN_SPLIT_TEST},
    };
    gn_yaml *yaml = NULL;
    char root[GN_DATA_PATH_BYTES];
    GN_TRY(open_yaml(d, yaml_path, &yaml, err));
    const gn_yaml_node *top = gn_yaml_root(yaml);
    gn_status status;
    if (gn_yaml_kind_of(top) != GN_YAML_MAP) {
        status = gn_fail_at(err, GN_EFORMAT, yaml_path, gn_yaml_line(top),
                            "a data set description must be a map with train, val and names");
        goto cleanup;
    }
    status = read_names(d, yaml, err);
    if (status == GN_OK)
        status = read_category_ids(d, yaml, err);
    if (status == GN_OK)
        status = find_root(d, yaml, root, err);
    for (size_t i = 0; i < sizeof keys / sizeof *keys && status == GN_OK; i++)
        if (!d->has_split[keys[i].split])
            status = add_split(d, yaml, root, keys[i].split, gn_yaml_find(top, keys[i].key), err);
    if (status == GN_OK && !d->has_split[GN_SPLIT_TRAIN] && !d->has_split[GN_SPLIT_VAL] && !d->has_split[GN_SPLIT_TEST])
        status = gn_fail_at(err, GN_EFORMAT, yaml_path, gn_yaml_line(top),
                            "no `train`, `val` or `test`: which pictures belong to the set?");

cleanup:
    gn_yaml_destroy(&yaml);
    return status;
}

gn_status gn_data_read_names(gn_dataset *d, const char *path, gn_error *err)
{
    char *text = NULL;
    size_t n = 0, capacity = 0;
    const char **names = NULL;
    int count = 0;
    GN_TRY(gn_data_read(d, path, GN_YAML_MAX_BYTES, &text, &n, err));
    gn_status status = GN_OK;
    char *save = NULL;
    for (char *line = strtok_r(text, "\r\n", &save); line != NULL; line = strtok_r(NULL, "\r\n", &save)) {
        status =
            count < GN_DATASET_MAX_CLASSES ? gn_grow(&names, &capacity, (size_t)count + 1, sizeof *names) : GN_ELIMIT;
        if (status != GN_OK)
            break;
        names[count++] = gn_arena_strdup(d->arena, line);
        if (names[count - 1] == NULL)
            status = GN_ENOMEM;
    }
    if (status == GN_OK && count > 0) {
        d->class_name = gn_arena_alloc(d->arena, (size_t)count * sizeof *names);
        if (d->class_name != NULL)
            memcpy(d->class_name, names, (size_t)count * sizeof *names);
        d->n_classes = count;
        status = d->class_name != NULL ? GN_OK : GN_ENOMEM;
    }
    gn_free(names);
    gn_free(text);
    return status == GN_OK ? GN_OK : gn_fail_at(err, status, path, count, "cannot read the class names");
}

/* Class names from classes.txt when there is such a file. */
static gn_status read_classes_txt(gn_dataset *d, const char *folder, gn_error *err)
{
    char path[GN_DATA_PATH_BYTES];
    if (gn_path_join(folder, "classes.txt", path, sizeof path) != GN_OK || !gn_data_exists(d, path))
        return GN_OK;
    return gn_data_read_names(d, path, err);
}

/* folder/{train,val,valid,test}/images and folder/images/{train,val,valid,test}, else folder/images as one unsplit set. */
gn_status gn_data_folder_read(gn_dataset *d, const char *folder, gn_error *err)
{
    static const struct {
        const char *name;
        gn_split split;
    } kinds[] = {
        {"train/images", GN_SPLIT_TRAIN}, {"val/images", GN_SPLIT_VAL},     {"valid/images", GN_SPLIT_VAL},
        {"test/images", GN_SPLIT_TEST},   {"images/train", GN_SPLIT_TRAIN}, {"images/val", GN_SPLIT_VAL},
        {"images/valid", GN_SPLIT_VAL},   {"images/test", GN_SPLIT_TEST},
    };
    char path[GN_DATA_PATH_BYTES];
    bool found = false;
    GN_TRY(read_classes_txt(d, folder, err));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (d->has_split[kinds[i].split] || gn_path_join(folder, kinds[i].name, path, sizeof path) != GN_OK ||
            !gn_data_is_dir(d, path))
            continue;
        d->has_split[kinds[i].split] = found = true;
        GN_TRY(gn_data_add_folder(d, path, kinds[i].split, -1, err));
    }
    if (found)
        return GN_OK;
    d->has_split[GN_SPLIT_TRAIN] = true;
    if (gn_path_join(folder, "images", path, sizeof path) == GN_OK && gn_data_is_dir(d, path))
        return gn_data_add_folder(d, path, GN_SPLIT_TRAIN, -1, err);
    return gn_data_add_folder(d, folder, GN_SPLIT_TRAIN, -1, err);
}
