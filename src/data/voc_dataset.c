/* A data set from PASCAL VOC's folders: Annotations/, JPEGImages/ and ImageSets/Main/ (one VOC20xx folder or several), XML files beside
 * the pictures in train/, valid/, test/, or one folder of XML files with the pictures in it or beside it.
 * Corners count pixels from 1 and both ends belong to the box, as VOC's kit says, so a box covers xmin - 1 to xmax; a set in which any
 * xmin or ymin is below 1 cannot mean that and is read as it stands.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "data/dataset_private.h"
#include "data/voc_xml.h"

#define LOOK_BYTES  4096
#define MAX_FOLDERS 32
#define N_PLACES    6

/* A folder of XML files. */
typedef struct voc_folder {
    char xml[GN_DATA_PATH_BYTES];
    char lists[GN_DATA_PATH_BYTES];           /* ImageSets/Main; "" when there is none */
    char place[N_PLACES][GN_DATA_PATH_BYTES]; /* where pictures may lie */
    int n_places, last_place;
    gn_split split;
} voc_folder;

typedef struct voc_set {
    gn_dataset *d;
    voc_folder *folder; /* [n] */
    int n;
    gn_string_set classes;
    const char **name; /* [n_names] in the order in which they were met */
    size_t n_names, names_capacity;
    gn_box_rows rows;
    bool counts_from_0;
    bool has_class_list;
} voc_set;

/* --- which folders -------------------------------------------------------------------------------------------------- */

/* Whether a folder holds XML files, the first of which is an annotation. */
static gn_status holds_annotations(gn_dataset *d, const char *folder, bool *holds_out)
{
    const char **names;
    size_t n;
    char path[GN_DATA_PATH_BYTES], *text = NULL;
    *holds_out = false;
    if (!gn_data_is_dir(d, folder))
        return GN_OK;
    GN_TRY(gn_data_names(d, folder, &names, &n));
    for (size_t i = 0; i < n; i++) {
        if (names[i][0] == '.' || !gn_has_suffix(names[i], ".xml") ||
            gn_path_join(folder, names[i], path, sizeof path) != GN_OK)
            continue;
        const gn_status status = gn_data_read(d, path, GN_VOC_MAX_BYTES, &text, &n, NULL);
        if (status != GN_OK)
            return status == GN_ENOMEM ? status : GN_OK;
        *holds_out = strstr(text, "<annotation") != NULL;
        gn_free(text);
        return GN_OK;
    }
    return GN_OK;
}

static void add_place(const gn_dataset *d, voc_folder *f, const char *base, const char *name)
{
    if (f->n_places < N_PLACES && gn_path_join(base, name, f->place[f->n_places], GN_DATA_PATH_BYTES) == GN_OK &&
        gn_data_is_dir(d, f->place[f->n_places]))
        f->n_places++;
}

static gn_status add_folder(voc_set *set, const char *base, const char *xml, gn_split split)
{
    static const char *const pictures[] = {"JPEGImages", "images", "Images", "."};
    if (set->n >= MAX_FOLDERS)
        return GN_OK;
    voc_folder *f = &set->folder[set->n];
    bool holds = false;
    memset(f, 0, sizeof *f);
    if (gn_path_join(base, xml, f->xml, sizeof f->xml) == GN_OK)
        GN_TRY(holds_annotations(set->d, f->xml, &holds));
    if (!holds)
        return GN_OK;
    if (strcmp(xml, ".") == 0)
        snprintf(f->xml, sizeof f->xml, "%s", base);
    f->split = split;
    add_place(set->d, f, f->xml, "");
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++)
        add_place(set->d, f, base, pictures[i]);
    if (gn_path_join(base, "ImageSets/Main", f->lists, sizeof f->lists) != GN_OK || !gn_data_is_dir(set->d, f->lists))
        f->lists[0] = '\0';
    set->n++;
    return GN_OK;
}

/* BASE/Annotations, or BASE/train and its kin. */
static gn_status find_at(voc_set *set, const char *base)
{
    static const struct {
        const char *name;
        gn_split split;
    } kinds[] = {{"Annotations", GN_SPLIT_TRAIN}, {"annotations", GN_SPLIT_TRAIN}, {"train", GN_SPLIT_TRAIN},
                 {"val", GN_SPLIT_VAL},           {"valid", GN_SPLIT_VAL},         {"test", GN_SPLIT_TEST}};
    const int before = set->n;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        GN_TRY(add_folder(set, base, kinds[i].name, kinds[i].split));
        if (i < 2 && set->n > before)
            return GN_OK;
    }
    return GN_OK;
}

/* BASE as it is, or the VOC20xx folders in it or in its VOCdevkit. */
static gn_status find_folders(voc_set *set, const char *base)
{
    static const char *const kits[] = {".", "VOCdevkit"};
    GN_TRY(find_at(set, base));
    for (size_t k = 0; k < 2 && set->n == 0; k++) {
        char kit[GN_DATA_PATH_BYTES], path[GN_DATA_PATH_BYTES];
        const char **names;
        size_t n;
        if (gn_path_join(base, kits[k], kit, sizeof kit) != GN_OK || !gn_data_is_dir(set->d, kit))
            continue;
        GN_TRY(gn_data_names(set->d, kit, &names, &n));
        for (size_t i = 0; i < n; i++)
            if (gn_has_prefix(names[i], "VOC") && strcmp(names[i], "VOCdevkit") != 0 &&
                gn_path_join(kit, names[i], path, sizeof path) == GN_OK && gn_data_is_dir(set->d, path))
                GN_TRY(find_at(set, path));
    }
    if (set->n > 0)
        return GN_OK;
    /* XML files alone: the pictures lie among them, or in a folder beside. */
    GN_TRY(add_folder(set, base, ".", GN_SPLIT_TRAIN));
    if (set->n > 0) {
        char above[GN_DATA_PATH_BYTES];
        gn_path_dir(set->folder[0].xml, above, sizeof above);
        add_place(set->d, &set->folder[0], above, "images");
        add_place(set->d, &set->folder[0], above, "JPEGImages");
        add_place(set->d, &set->folder[0], above, ".");
    }
    return GN_OK;
}

gn_status gn_voc_is(gn_dataset *d, const char *folder, bool *is_out)
{
    voc_set set = {.d = d, .folder = gn_calloc(MAX_FOLDERS, sizeof *set.folder)};
    if (set.folder == NULL)
        return GN_ENOMEM;
    const gn_status status = find_folders(&set, folder);
    gn_free(set.folder);
    *is_out = set.n > 0;
    return status;
}

/* --- one annotation ------------------------------------------------------------------------------------------------- */

static bool find_in_place(const gn_dataset *d, const char *place, const char *filename, const char *stem,
                          size_t stem_bytes, char *path)
{
    const char *name = gn_path_name(filename);
    const size_t name_stem = strlen(name) - strlen(gn_path_ext(name));
    if (name[0] != '\0' && gn_image_has_known_extension(name) &&
        gn_path_join(place, name, path, GN_DATA_PATH_BYTES) == GN_OK && gn_data_exists(d, path))
        return true;
    return gn_data_find_stem(d, place, stem, stem_bytes, path) ||
           (name_stem > 0 && gn_data_find_stem(d, place, name, name_stem, path));
}

/* The picture of an annotation: as its <filename> says, or with its own stem, whatever the ending. */
static bool find_picture(const gn_dataset *d, voc_folder *f, const char *filename, const char *stem, size_t stem_bytes,
                         char *path)
{
    for (int i = 0; i < f->n_places; i++) {
        const int place = (f->last_place + i) % f->n_places;
        if (find_in_place(d, f->place[place], filename, stem, stem_bytes, path)) {
            f->last_place = place;
            return true;
        }
    }
    return false;
}

/* Number of a class by its name, new ones at the end; -1 when out of memory. */
static gn_status class_of(voc_set *set, const char *name, int32_t *cls_out)
{
    int64_t cls = gn_string_set_find(&set->classes, name);
    if (cls < 0) {
        cls = (int64_t)set->n_names;
        if (cls >= GN_DATASET_MAX_CLASSES)
            return GN_ELIMIT;
        GN_TRY(gn_grow(&set->name, &set->names_capacity, set->n_names + 1, sizeof *set->name));
        set->name[set->n_names++] = name;
        GN_TRY(gn_string_set_put(&set->classes, name, cls));
    }
    *cls_out = (int32_t)cls;
    return GN_OK;
}

static gn_status add_object(voc_set *set, const gn_voc_object *o, const char *file, gn_box_row *row)
{
    static const char *const names[] = {"xmin", "ymin", "xmax", "ymax"};
    const char *lacks = o->name[0] == '\0' ? "name" : NULL;
    for (int i = 0; i < 4 && lacks == NULL; i++)
        lacks = o->has_corner[i] ? NULL : names[i];
    if (lacks != NULL) {
        set->d->counts.bad_label_lines++;
        return gn_dataset_note(set->d, file, o->line, "the object has no <%s> that can be used", lacks);
    }
    row->line = o->line;
    row->x1 = o->corner[0];
    row->y1 = o->corner[1];
    row->x2 = o->corner[2];
    row->y2 = o->corner[3];
    row->flags = (uint8_t)((o->is_difficult ? GN_BOX_DIFFICULT : 0) | (o->is_truncated ? GN_BOX_TRUNCATED : 0) |
                           (o->is_crowd ? GN_BOX_CROWD : 0));
    row->id = o->id;
    row->area = o->area;
    set->counts_from_0 = set->counts_from_0 || row->x1 < 1 || row->y1 < 1;
    GN_TRY(class_of(set, o->name, &row->cls));
    return gn_box_rows_add(&set->rows, row);
}

static gn_status add_annotation(voc_set *set, voc_folder *f, const char *xml_path, gn_split split, const gn_voc_file *v,
                                gn_error *err)
{
    gn_dataset *d = set->d;
    char path[GN_DATA_PATH_BYTES];
    const char *stem = gn_path_name(xml_path);
    const char *file = gn_arena_strdup(d->arena, xml_path);
    if (file == NULL)
        return GN_ENOMEM;
    if (!find_picture(d, f, v->filename, stem, strlen(stem) - strlen(gn_path_ext(stem)), path)) {
        d->counts.missing_pictures++;
        return gn_dataset_note(d, file, 0, "there is no picture '%.200s' and none of that stem", v->filename);
    }
    gn_data_entry *e;
    GN_TRY(gn_dataset_add_entry(d, path, split, &e));
    e->has_boxes = e->clips = true;
    e->source = file;
    e->id = v->id;
    if (v->width > 0 && v->height > 0) {
        e->ref_width = v->width;
        e->ref_height = v->height;
    }
    gn_box_row row = {.entry = (int64_t)d->n_entries - 1};
    const int64_t bad = d->counts.bad_label_lines;
    const size_t before = set->rows.n;
    for (int64_t i = 0; i < v->n_objects; i++) {
        const gn_status status = add_object(set, &v->object[i], file, &row);
        if (status == GN_ELIMIT)
            gn_fail_at(err, status, file, 0, "more than %d names of classes", GN_DATASET_MAX_CLASSES);
        GN_TRY(status);
    }
    /* Nothing but objects that cannot be used: no background. */
    if (d->counts.bad_label_lines > bad && set->rows.n == before) {
        d->counts.spoilt_pictures++;
        d->n_entries--;
    }
    return GN_OK;
}

static gn_status read_annotation(voc_set *set, voc_folder *f, const char *xml_path, gn_split split, gn_error *err)
{
    gn_dataset *d = set->d;
    char *text = NULL;
    size_t n = 0;
    gn_error why = {0};
    gn_voc_file v;
    gn_status status = gn_data_read(d, xml_path, GN_VOC_MAX_BYTES, &text, &n, &why);
    const bool was_read = status == GN_OK;
    if (status == GN_OK)
        status = gn_voc_parse(text, n, xml_path, d->arena, &v, &why);
    if (status == GN_OK) {
        status = add_annotation(set, f, xml_path, split, &v, err);
        gn_voc_file_deinit(&v);
    } else if (status != GN_ENOMEM) {
        const char *file = gn_arena_strdup(d->arena, xml_path);
        d->counts.bad_label_lines += was_read;
        d->counts.spoilt_pictures++;
        status = file != NULL ? gn_dataset_note(d, file, why.line, "%s", why.message) : GN_ENOMEM;
    }
    if (was_read)
        gn_free(text);
    return status;
}

/* --- the set -------------------------------------------------------------------------------------------------------- */

/* Stems of a list, one per line and perhaps a number behind it. */
static gn_status read_list(voc_set *set, voc_folder *f, const char *path, gn_split split, gn_error *err)
{
    gn_dataset *d = set->d;
    char *text = NULL, *save = NULL;
    size_t n = 0;
    GN_TRY(gn_data_read(d, path, GN_LIST_MAX_BYTES, &text, &n, err));
    const char *list = gn_arena_strdup(d->arena, path);
    gn_status status = list != NULL ? GN_OK : GN_ENOMEM;
    int64_t line = 0;
    for (char *s = text, *end = text + n; s < end && status == GN_OK;) {
        char *eol = memchr(s, '\n', (size_t)(end - s));
        char xml[GN_DATA_PATH_BYTES];
        if (eol != NULL)
            *eol = '\0';
        line++;
        const char *stem = strtok_r(s, " \t\r", &save);
        if (stem != NULL &&
            (snprintf(xml, sizeof xml, "%s/%s.xml", f->xml, stem) >= (int)sizeof xml || !gn_data_exists(d, xml))) {
            d->counts.bad_list_lines++;
            status = gn_dataset_note(d, list, line, "there is no annotation '%.200s.xml'", stem);
        } else if (stem != NULL) {
            status = read_annotation(set, f, xml, split, err);
        }
        s = eol != NULL ? eol + 1 : end;
    }
    gn_free(text);
    d->has_split[split] = true;
    return status;
}

/* As ImageSets/Main says; *any_out: whether it says anything. */
static gn_status read_lists(voc_set *set, voc_folder *f, bool *any_out, gn_error *err)
{
    static const struct {
        const char *name;
        gn_split split;
    } lists[] = {{"train.txt", GN_SPLIT_TRAIN},
                 {"val.txt", GN_SPLIT_VAL},
                 {"test.txt", GN_SPLIT_TEST},
                 {"trainval.txt", GN_SPLIT_TRAIN}};
    char path[GN_DATA_PATH_BYTES];
    bool has[4] = {false};
    for (size_t i = 0; i < 4; i++)
        has[i] = f->lists[0] != '\0' && gn_path_join(f->lists, lists[i].name, path, sizeof path) == GN_OK &&
                 gn_data_exists(set->d, path);
    if (has[0])
        has[3] = false;
    *any_out = has[0] || has[1] || has[2] || has[3];
    for (size_t i = 0; i < 4; i++)
        if (has[i] && gn_path_join(f->lists, lists[i].name, path, sizeof path) == GN_OK)
            GN_TRY(read_list(set, f, path, lists[i].split, err));
    return GN_OK;
}

static gn_status read_folder(voc_set *set, voc_folder *f, gn_error *err)
{
    const char **names;
    size_t n;
    bool any = false;
    GN_TRY(read_lists(set, f, &any, err));
    if (any)
        return GN_OK;
    set->d->has_split[f->split] = true;
    GN_TRY(gn_data_list(set->d, f->xml, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        char path[GN_DATA_PATH_BYTES];
        if (names[i][0] != '.' && gn_has_suffix(names[i], ".xml") &&
            gn_path_join(f->xml, names[i], path, sizeof path) == GN_OK)
            GN_TRY(read_annotation(set, f, path, f->split, err));
    }
    return GN_OK;
}

typedef struct class_place {
    const char *name;
    int32_t met;
} class_place;

static int compare_classes(const void *pa, const void *pb)
{
    return strcmp(((const class_place *)pa)->name, ((const class_place *)pb)->name);
}

/* Classes in the order of classes.txt and, after it, bytewise: VOC's own twenty then have their usual numbers. */
static gn_status number_classes(voc_set *set)
{
    gn_dataset *d = set->d;
    const size_t fixed = set->has_class_list ? (size_t)d->n_classes : 0, n = set->n_names;
    class_place *order = gn_alloc((n + 1) * sizeof *order);
    int32_t *number = gn_alloc((n + 1) * sizeof *number);
    const char **names = gn_arena_alloc(d->arena, (n + 1) * sizeof *names);
    gn_status status = order != NULL && number != NULL && names != NULL ? GN_OK : GN_ENOMEM;
    if (status == GN_OK) {
        for (size_t i = 0; i < n; i++)
            order[i] = (class_place){set->name[i], (int32_t)i};
        qsort(order + fixed, n - fixed, sizeof *order, compare_classes);
        for (size_t i = 0; i < n; i++) {
            names[i] = order[i].name;
            number[order[i].met] = (int32_t)i;
        }
        for (size_t i = 0; i < set->rows.n; i++)
            set->rows.row[i].cls = number[set->rows.row[i].cls];
        d->class_name = names;
        d->n_classes = (int)n;
    }
    gn_free(order);
    gn_free(number);
    return status;
}

static gn_status read_class_list(voc_set *set, const char *folder, gn_error *err)
{
    gn_dataset *d = set->d;
    char path[GN_DATA_PATH_BYTES];
    if (gn_path_join(folder, "classes.txt", path, sizeof path) != GN_OK || !gn_data_exists(d, path))
        return GN_OK;
    GN_TRY(gn_data_read_names(d, path, err));
    for (int i = 0; i < d->n_classes; i++) {
        int32_t cls;
        GN_TRY(class_of(set, d->class_name[i], &cls));
        if (cls != i)
            return gn_fail_at(err, GN_EFORMAT, path, i + 1, "class '%.60s' stands twice", d->class_name[i]);
    }
    set->has_class_list = true;
    return GN_OK;
}

gn_status gn_voc_read(gn_dataset *d, const char *folder, gn_error *err)
{
    voc_set set = {.d = d, .folder = gn_calloc(MAX_FOLDERS, sizeof *set.folder)};
    gn_status status = set.folder != NULL ? GN_OK : GN_ENOMEM;
    if (status == GN_OK) {
        status = find_folders(&set, folder);
        if (status == GN_OK)
            status = read_class_list(&set, folder, err);
    }
    for (int i = 0; i < set.n && status == GN_OK; i++)
        status = read_folder(&set, &set.folder[i], err);
    if (status == GN_OK)
        status = number_classes(&set);
    if (status == GN_OK && set.n_names == 0)
        status =
            gn_fail_at(err, GN_EDATA, folder, 0, "no annotation in this set has an object (%lld files cannot be used)",
                       (long long)d->counts.spoilt_pictures);
    if (status == GN_OK) {
        for (size_t i = 0; i < set.rows.n && !set.counts_from_0; i++) {
            set.rows.row[i].x1 -= 1;
            set.rows.row[i].y1 -= 1;
        }
        status = gn_box_rows_give(d, &set.rows);
    }
    gn_box_rows_deinit(&set.rows);
    gn_string_set_deinit(&set.classes);
    gn_free(set.name);
    gn_free(set.folder);
    return status;
}
