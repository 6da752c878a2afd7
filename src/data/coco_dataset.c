/* A data set from COCO's JSON: one file, or a folder with a file per split.  Sparse category ids become classes in the order of the ids,
 * whether a picture has them or not; crowds, areas and numbers are kept; what does not fit together is counted and noted.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "data/coco_json.h"
#include "data/dataset_private.h"

#define MAX_FILES      64
#define LOOK_BYTES     65536
#define MAX_LOOKS      100 /* at JSON files of a folder; a set with a JSON per picture is another kind */
#define TRIED_PICTURES 20  /* that tell in which folder the pictures lie */

/* A number and the place of what it names. */
typedef struct id_place {
    int64_t id;
    int64_t place;
} id_place;

typedef struct coco_source {
    char path[GN_DATA_PATH_BYTES];
    gn_split split;
    gn_coco_file file;
    bool is_read;
} coco_source;

typedef struct coco_set {
    gn_dataset *d;
    coco_source *source; /* [n] */
    int n;
    id_place *category; /* [n_categories] by id; place: class */
    int64_t n_categories;
} coco_set;

static int compare_ids(const void *pa, const void *pb)
{
    const id_place *a = pa, *b = pb;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

/* The first one with this number, or NULL. */
static const id_place *find_id(const id_place *list, int64_t n, int64_t id)
{
    int64_t low = 0, high = n;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (list[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && list[low].id == id ? &list[low] : NULL;
}

/* --- which files ---------------------------------------------------------------------------------------------------- */

/* The beginning of a file, which is enough to see what it is.  Of an archive a member is unpacked as a whole. */
static gn_status read_head(const gn_dataset *d, const char *path, char *head, size_t *n_out)
{
    *n_out = 0;
    if (d->archive == NULL) {
        FILE *file = fopen(path, "rb");
        *n_out = file != NULL ? fread(head, 1, LOOK_BYTES, file) : 0;
        if (file != NULL)
            fclose(file);
        return GN_OK;
    }
    char *bytes = NULL;
    size_t n = 0;
    const gn_status status = gn_data_read(d, path, GN_LIST_MAX_BYTES, &bytes, &n, NULL);
    if (status != GN_OK)
        return status == GN_ENOMEM ? status : GN_OK;
    *n_out = n < LOOK_BYTES ? n : LOOK_BYTES;
    memcpy(head, bytes, *n_out);
    gn_free(bytes);
    return GN_OK;
}

static gn_status is_coco_file(const gn_dataset *d, const char *path, bool *is_out)
{
    size_t n = 0;
    *is_out = false;
    if (!gn_has_suffix(path, ".json"))
        return GN_OK;
    char *head = gn_alloc(LOOK_BYTES);
    if (head == NULL)
        return GN_ENOMEM;
    gn_status status = read_head(d, path, head, &n);
    if (status == GN_OK && n > 0)
        status = gn_coco_file_is(head, n, is_out);
    gn_free(head);
    return status;
}

static gn_status add_source(coco_set *set, const char *path, gn_split split, gn_error *err)
{
    if (set->n >= MAX_FILES)
        return gn_fail_at(err, GN_ELIMIT, path, 0, "more than %d COCO files in one data set", MAX_FILES);
    coco_source *s = &set->source[set->n++];
    snprintf(s->path, sizeof s->path, "%s", path);
    s->split = split;
    return GN_OK;
}

/* FOLDER/instances_*.json, or else any file there that is COCO's. */
static gn_status find_in_folder(coco_set *set, const char *folder, gn_error *err)
{
    char path[GN_DATA_PATH_BYTES];
    const char **names;
    size_t n;
    if (!gn_data_is_dir(set->d, folder))
        return GN_OK;
    GN_TRY(gn_data_names(set->d, folder, &names, &n));
    for (int pass = 0, looks = 0; pass < 2 && set->n == 0; pass++)
        for (size_t i = 0; i < n && looks < MAX_LOOKS; i++) {
            bool is = false;
            if (names[i][0] != '.' && gn_has_suffix(names[i], ".json") &&
                (pass == 1 || gn_has_prefix(names[i], "instances")) &&
                gn_path_join(folder, names[i], path, sizeof path) == GN_OK) {
                looks++;
                GN_TRY(is_coco_file(set->d, path, &is));
            }
            if (is)
                GN_TRY(add_source(set, path, gn_data_split_of_name(names[i]), err));
        }
    return GN_OK;
}

/* FOLDER/SPLIT/_annotations.coco.json, and FOLDER/_annotations.coco.json. */
static gn_status find_beside_pictures(coco_set *set, const char *folder, gn_error *err)
{
    static const char *const folders[] = {"train", "val", "valid", "test", "."};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char path[GN_DATA_PATH_BYTES];
        const int n = strcmp(folders[i], ".") == 0
                          ? snprintf(path, sizeof path, "%s/_annotations.coco.json", folder)
                          : snprintf(path, sizeof path, "%s/%s/_annotations.coco.json", folder, folders[i]);
        if (n < (int)sizeof path && gn_data_exists(set->d, path))
            GN_TRY(add_source(set, path, gn_data_split_of_name(folders[i]), err));
    }
    return GN_OK;
}

static gn_status find_files(coco_set *set, const char *path, gn_error *err)
{
    if (!gn_data_is_dir(set->d, path))
        return add_source(set, path, gn_data_split_of_name(gn_path_name(path)), err);
    char annotations[GN_DATA_PATH_BYTES];
    GN_TRY(gn_path_join(path, "annotations", annotations, sizeof annotations));
    GN_TRY(find_in_folder(set, annotations, err));
    if (set->n == 0)
        GN_TRY(find_beside_pictures(set, path, err));
    return set->n > 0 ? GN_OK : find_in_folder(set, path, err);
}

gn_status gn_coco_is(gn_dataset *d, const char *path, bool *is_out)
{
    if (!gn_data_is_dir(d, path))
        return is_coco_file(d, path, is_out);
    coco_set set = {.d = d, .source = gn_calloc(MAX_FILES, sizeof *set.source)};
    if (set.source == NULL)
        return GN_ENOMEM;
    const gn_status status = find_files(&set, path, NULL);
    gn_free(set.source);
    *is_out = set.n > 0;
    return status == GN_ENOMEM ? status : GN_OK;
}

/* --- categories ----------------------------------------------------------------------------------------------------- */

/* All categories of all files by id; name: of each place.  One id is one class, whichever file names it. */
static gn_status gather_categories(coco_set *set, const char **name, gn_error *err)
{
    int64_t n = 0;
    for (int k = 0; k < set->n; k++) {
        const gn_coco_file *f = &set->source[k].file;
        for (int64_t i = 0; i < f->n_categories; i++) {
            set->category[n] = (id_place){f->category[i].id, n};
            name[n++] = f->category[i].name;
        }
    }
    qsort(set->category, (size_t)n, sizeof *set->category, compare_ids);
    for (int64_t i = 0; i < n; i++) {
        const id_place *c = &set->category[i];
        id_place *last = set->n_categories > 0 ? &set->category[set->n_categories - 1] : NULL;
        if (last == NULL || last->id != c->id) {
            set->category[set->n_categories++] = *c;
            continue;
        }
        if (strcmp(name[last->place], name[c->place]) != 0)
            return gn_fail_at(err, GN_EFORMAT, set->source[set->n - 1].path, 0,
                              "category %" PRId64 " is named '%.60s' and '%.60s'; a number must mean one class", c->id,
                              name[last->place], name[c->place]);
        set->d->counts.duplicate_ids += set->n == 1;
    }
    if (set->n_categories > GN_DATASET_MAX_CLASSES)
        return gn_fail_at(err, GN_ELIMIT, set->source[0].path, 0, "more than %d categories", GN_DATASET_MAX_CLASSES);
    return GN_OK;
}

static gn_status keep_categories(coco_set *set, gn_error *err)
{
    gn_dataset *d = set->d;
    size_t most = 1;
    for (int k = 0; k < set->n; k++)
        most += (size_t)set->source[k].file.n_categories;
    const char **name = gn_alloc(most * sizeof *name);
    set->category = gn_alloc(most * sizeof *set->category);
    gn_status status = name != NULL && set->category != NULL ? gather_categories(set, name, err) : GN_ENOMEM;
    if (status == GN_OK && set->n_categories == 0)
        status = gn_fail_at(err, GN_EDATA, set->source[0].path, 0, "there is no category in this set");
    const size_t n = (size_t)set->n_categories;
    if (status == GN_OK) {
        d->class_name = gn_arena_alloc(d->arena, n * sizeof *d->class_name);
        d->category_id = gn_arena_alloc(d->arena, n * sizeof *d->category_id);
        status = d->class_name != NULL && d->category_id != NULL ? GN_OK : GN_ENOMEM;
    }
    for (size_t i = 0; i < n && status == GN_OK; i++) {
        d->class_name[i] = gn_arena_strdup(d->arena, name[set->category[i].place]);
        d->category_id[i] = set->category[i].id;
        set->category[i].place = (int64_t)i;
        status = d->class_name[i] != NULL ? GN_OK : GN_ENOMEM;
    }
    d->n_classes = status == GN_OK ? (int)n : 0;
    gn_free(name);
    return status;
}

/* --- pictures ------------------------------------------------------------------------------------------------------- */

/* Whether one of the first pictures lies in `folder`. */
static bool holds_pictures(const gn_dataset *d, const gn_coco_file *f, const char *folder)
{
    char path[GN_DATA_PATH_BYTES];
    for (int64_t i = 0; i < f->n_images && i < TRIED_PICTURES; i++)
        if (f->image[i].file_name[0] != '\0' &&
            gn_path_join(folder, f->image[i].file_name, path, sizeof path) == GN_OK && gn_data_exists(d, path))
            return true;
    return false;
}

/* "train2017" of "instances_train2017.json"; "" when the name has no such part. */
static void name_part(const char *path, char *dst, size_t dst_bytes)
{
    const char *name = gn_path_name(path);
    const char *from = strrchr(name, '_');
    snprintf(dst, dst_bytes, "%s", from != NULL ? from + 1 : name);
    char *dot = strrchr(dst, '.');
    if (dot != NULL)
        *dot = '\0';
}

/* The folder above `here`; a path that is relative to the current folder goes on with "..". */
static void folder_above(const char *here, char above[GN_DATA_PATH_BYTES])
{
    const char *name = gn_path_name(here);
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        snprintf(above, GN_DATA_PATH_BYTES, "%.*s/..", GN_DATA_PATH_BYTES - 8, here);
    else
        gn_path_dir(here, above, GN_DATA_PATH_BYTES);
}

/* Where the pictures of a file lie: beside it, or in the folders that COCO and its kin use.  false: nowhere. */
static bool find_pictures(const gn_dataset *d, const coco_source *s, char folder[GN_DATA_PATH_BYTES])
{
    char here[GN_DATA_PATH_BYTES], above[GN_DATA_PATH_BYTES], part[256];
    gn_path_dir(s->path, here, sizeof here);
    folder_above(here, above);
    name_part(s->path, part, sizeof part);
    const char *split = gn_split_name(s->split);
    const char *const bases[] = {here, above};
    const struct {
        const char *before, *word, *after;
    } tries[] = {{"", "", ""},        {"/", part, ""},         {"/images/", part, ""},
                 {"/", split, ""},    {"/images/", split, ""}, {"/", split, "/images"},
                 {"/images", "", ""}, {"/data", "", ""}};
    for (size_t b = 0; b < 2; b++)
        for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
            if (snprintf(folder, GN_DATA_PATH_BYTES, "%s%s%s%s", bases[b], tries[i].before, tries[i].word,
                         tries[i].after) < GN_DATA_PATH_BYTES &&
                holds_pictures(d, &s->file, folder))
                return true;
    memcpy(folder, here, sizeof here);
    return false;
}

/* Pictures of one file while they are added. */
typedef struct coco_pictures {
    coco_set *set;
    const coco_source *source;
    const char *file; /* its name, kept */
    char folder[GN_DATA_PATH_BYTES];
    id_place *image; /* [n] by id; place: entry, or -1 when the picture is not there */
    int64_t n;
} coco_pictures;

static gn_status add_image(coco_pictures *p, const gn_coco_image *image, int64_t *entry_out)
{
    gn_dataset *d = p->set->d;
    char path[GN_DATA_PATH_BYTES];
    *entry_out = -1;
    if (image->file_name[0] == '\0' || gn_path_join(p->folder, image->file_name, path, sizeof path) != GN_OK ||
        !gn_data_exists(d, path)) {
        d->counts.missing_pictures++;
        return gn_dataset_note(d, p->file, image->line, "image %" PRId64 ": there is no picture '%.200s' in %.150s",
                               image->id, image->file_name, p->folder);
    }
    gn_data_entry *e;
    GN_TRY(gn_dataset_add_entry(d, path, p->source->split, &e));
    e->has_boxes = e->clips = true;
    e->source = p->file;
    e->line = image->line;
    e->id = image->id;
    if (image->width > 0 && image->height > 0) {
        e->ref_width = image->width;
        e->ref_height = image->height;
    }
    *entry_out = (int64_t)d->n_entries - 1;
    return GN_OK;
}

/* Entries for all images but those whose id stood before. */
static gn_status add_images(coco_pictures *p)
{
    const gn_coco_file *f = &p->source->file;
    gn_dataset *d = p->set->d;
    p->image = gn_alloc(((size_t)f->n_images + 1) * sizeof *p->image);
    if (p->image == NULL)
        return GN_ENOMEM;
    for (int64_t i = 0; i < f->n_images; i++)
        p->image[i] = (id_place){f->image[i].id, i};
    qsort(p->image, (size_t)f->n_images, sizeof *p->image, compare_ids);
    int64_t *entry = gn_alloc(((size_t)f->n_images + 1) * sizeof *entry);
    if (entry == NULL)
        return GN_ENOMEM;
    memset(entry, 0, ((size_t)f->n_images + 1) * sizeof *entry);
    gn_status status = GN_OK;
    for (int64_t i = 1; i < f->n_images && status == GN_OK; i++)
        if (p->image[i].id == p->image[i - 1].id) {
            const gn_coco_image *again = &f->image[p->image[i].place];
            entry[p->image[i].place] = -1;
            d->counts.duplicate_ids++;
            status = gn_dataset_note(d, p->file, again->line, "image %" PRId64 " stands twice; '%.200s' is left out",
                                     again->id, again->file_name);
        }
    for (int64_t i = 0; i < f->n_images && status == GN_OK; i++)
        if (entry[i] == 0)
            status = add_image(p, &f->image[i], &entry[i]);
    for (int64_t i = 0; i < f->n_images; i++)
        if (i == 0 || p->image[i].id != p->image[i - 1].id)
            p->image[p->n++] = (id_place){p->image[i].id, entry[p->image[i].place]};
    gn_free(entry);
    return status;
}

/* --- annotations ---------------------------------------------------------------------------------------------------- */

static gn_status count_repeated_ids(coco_pictures *p)
{
    const gn_coco_file *f = &p->source->file;
    gn_dataset *d = p->set->d;
    id_place *list = gn_alloc(((size_t)f->n_annotations + 1) * sizeof *list);
    if (list == NULL)
        return GN_ENOMEM;
    int64_t n = 0;
    for (int64_t i = 0; i < f->n_annotations; i++)
        if (f->annotation[i].id >= 0)
            list[n++] = (id_place){f->annotation[i].id, i};
    qsort(list, (size_t)n, sizeof *list, compare_ids);
    gn_status status = GN_OK;
    for (int64_t i = 1; i < n && status == GN_OK; i++)
        if (list[i].id == list[i - 1].id) {
            d->counts.duplicate_ids++;
            status = gn_dataset_note(d, p->file, f->annotation[list[i].place].line,
                                     "annotation %" PRId64 " stands twice", list[i].id);
        }
    gn_free(list);
    return status;
}

static gn_status add_annotation(coco_pictures *p, const gn_coco_annotation *a, gn_box_rows *rows, bool *told_orphan)
{
    gn_dataset *d = p->set->d;
    const id_place *image = find_id(p->image, p->n, a->image_id);
    if (image == NULL || image->place < 0) {
        d->counts.orphan_boxes++;
        const bool tell = image == NULL && !*told_orphan;
        *told_orphan = *told_orphan || tell;
        return tell ? gn_dataset_note(d, p->file, a->line,
                                      "annotation %" PRId64 " is of image %" PRId64 ", which the file does not list",
                                      a->id, a->image_id)
                    : GN_OK;
    }
    const id_place *category = find_id(p->set->category, p->set->n_categories, a->category_id);
    if (category == NULL) {
        d->counts.bad_label_lines++;
        return gn_dataset_note(d, p->file, a->line,
                               "annotation %" PRId64 " has category %" PRId64 ", which the file does not list", a->id,
                               a->category_id);
    }
    const gn_box_row row = {
        .entry = image->place,
        .line = a->line,
        .x1 = a->x,
        .y1 = a->y,
        .x2 = a->x + a->w,
        .y2 = a->y + a->h,
        .cls = (int32_t)category->place,
        .flags = (uint8_t)((a->is_crowd ? GN_BOX_CROWD : 0) | (a->is_difficult ? GN_BOX_DIFFICULT : 0) |
                           (a->is_truncated ? GN_BOX_TRUNCATED : 0)),
        .id = a->id,
        .area = a->area,
    };
    return gn_box_rows_add(rows, &row);
}

static gn_status add_file(coco_set *set, coco_source *s, gn_box_rows *rows, gn_error *err)
{
    gn_dataset *d = set->d;
    coco_pictures p = {.set = set, .source = s, .file = gn_arena_strdup(d->arena, s->path)};
    if (p.file == NULL)
        return GN_ENOMEM;
    if (!find_pictures(d, s, p.folder) && s->file.n_images > 0)
        return gn_fail_at(err, GN_EDATA, s->path, 0,
                          "none of its pictures is there: '%.200s' is looked for beside it and in the folders "
                          "that go with it, such as images/ and images/%s/",
                          s->file.image[0].file_name, gn_split_name(s->split));
    d->has_split[s->split] = true;
    d->counts.bad_label_lines += s->file.n_bad;
    gn_status status = add_images(&p);
    for (int64_t i = 0; i < s->file.n_problems && status == GN_OK; i++)
        status = gn_dataset_note(d, p.file, s->file.problem[i].line, "%s", s->file.problem[i].message);
    if (status == GN_OK)
        status = count_repeated_ids(&p);
    bool told_orphan = false;
    for (int64_t i = 0; i < s->file.n_annotations && status == GN_OK; i++)
        status = add_annotation(&p, &s->file.annotation[i], rows, &told_orphan);
    gn_free(p.image);
    return status;
}

static gn_status read_source(const gn_dataset *d, coco_source *s, gn_error *err)
{
    gn_status status;
    if (d->archive == NULL) {
        status = gn_coco_file_read(s->path, &s->file, err);
    } else {
        char *bytes = NULL;
        size_t n = 0;
        GN_TRY(gn_data_read(d, s->path, GN_LIST_MAX_BYTES, &bytes, &n, err));
        status = gn_coco_file_parse(bytes, n, s->path, &s->file, err);
        gn_free(bytes);
    }
    s->is_read = status == GN_OK;
    return status;
}

gn_status gn_coco_read(gn_dataset *d, const char *path, gn_error *err)
{
    coco_set set = {.d = d, .source = gn_calloc(MAX_FILES, sizeof *set.source)};
    gn_box_rows rows = {0};
    gn_status status = set.source != NULL ? find_files(&set, path, err) : GN_ENOMEM;
    for (int k = 0; k < set.n && status == GN_OK; k++)
        status = read_source(d, &set.source[k], err);
    if (status == GN_OK)
        status = keep_categories(&set, err);
    for (int k = 0; k < set.n && status == GN_OK; k++)
        status = add_file(&set, &set.source[k], &rows, err);
    if (status == GN_OK)
        status = gn_box_rows_give(d, &rows);
    for (int k = 0; k < set.n; k++)
        if (set.source[k].is_read)
            gn_coco_file_deinit(&set.source[k].file);
    gn_box_rows_deinit(&rows);
    gn_free(set.category);
    gn_free(set.source);
    return status;
}
