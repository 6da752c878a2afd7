/* Opens a data set, whatever its format, and keeps its splits, boxes and problems; see dataset.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "data/dataset_private.h"

#define ARCHIVE_MAX_WRAPPERS 4 /* folders around the set in an archive */

static const char *const split_names[GN_SPLIT_COUNT] = {"train", "val", "test"};

const char *gn_split_name(gn_split split)
{
    return split_names[split];
}

bool gn_split_parse(const char *name, gn_split *out)
{
    for (int i = 0; i < GN_SPLIT_COUNT; i++)
        if (strcmp(name, split_names[i]) == 0) {
            *out = (gn_split)i;
            return true;
        }
    return false;
}

gn_dataset_options gn_dataset_default_options(void)
{
    return (gn_dataset_options){.val_frac = 0.15, .test_frac = 0.15, .dup_distance = 4};
}

gn_status gn_dataset_note(gn_dataset *d, const char *file, int64_t line, const char *fmt, ...)
{
    if (d->n_problems >= GN_PROBLEMS_MAX)
        return GN_OK;
    char message[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    const char *kept = gn_arena_strdup(d->arena, message);
    if (kept == NULL)
        return GN_ENOMEM;
    GN_TRY(gn_grow(&d->problem, &d->problems_capacity, d->n_problems + 1, sizeof *d->problem));
    d->problem[d->n_problems++] = (gn_problem){.file = file, .line = line, .message = kept};
    return GN_OK;
}

gn_status gn_dataset_add_entry(gn_dataset *d, const char *path, gn_split split, gn_data_entry **entry_out)
{
    const char *kept = gn_arena_strdup(d->arena, path);
    if (kept == NULL)
        return GN_ENOMEM;
    GN_TRY(gn_grow(&d->entry, &d->entries_capacity, d->n_entries + 1, sizeof *d->entry));
    gn_data_entry *e = &d->entry[d->n_entries++];
    *e = (gn_data_entry){.path = kept, .split = split, .label = -1, .id = -1};
    if (d->archive != NULL) {
        e->picture_source = d->archive_source;
        e->item = gn_archive_find(d->archive, path + strlen(d->path) + 1);
    }
    *entry_out = e;
    return GN_OK;
}

static gn_status check_options(const gn_dataset_options *o, gn_error *err)
{
    if (!(o->val_frac >= 0 && o->val_frac <= 0.5) || !(o->test_frac >= 0 && o->test_frac <= 0.5))
        return gn_fail(err, GN_EINVAL, "val_frac %g and test_frac %g must lie in 0..0.5", o->val_frac, o->test_frac);
    if (o->dup_distance < 0 || o->dup_distance > 64)
        return gn_fail(err, GN_EINVAL, "dup_distance %d must lie in 0..64", o->dup_distance);
    return GN_OK;
}

static gn_status read_csv(gn_dataset *d, const char *path, gn_error *err)
{
    bool is = false;
    GN_TRY(gn_open_images_is(d, path, &is));
    if (is) {
        d->format = "Open Images";
        return gn_open_images_read(d, path, err);
    }
    d->format = "csv";
    return gn_box_csv_read(d, path, err);
}

/* A folder of the disk or of an archive. */
static gn_status read_folder(gn_dataset *d, const char *path, gn_error *err)
{
    char yaml[GN_DATA_PATH_BYTES];
    GN_TRY(gn_path_join(path, "data.yaml", yaml, sizeof yaml));
    if (gn_data_exists(d, yaml)) {
        d->format = "data.yaml";
        return gn_data_yaml_read(d, yaml, err);
    }
    bool is = false;
    GN_TRY(gn_coco_is(d, path, &is));
    if (is) {
        d->format = "COCO";
        return gn_coco_read(d, path, err);
    }
    GN_TRY(gn_voc_is(d, path, &is));
    if (is) {
        d->format = "VOC";
        return gn_voc_read(d, path, err);
    }
    GN_TRY(gn_wider_is(d, path, &is));
    if (is) {
        d->format = "WIDER FACE";
        return gn_wider_read(d, path, err);
    }
    if (gn_cifar_is(d, path))
        return gn_cifar_read(d, path, err);
    bool has_classes = false;
    GN_TRY(gn_class_folder_is(d, path, &has_classes));
    if (has_classes) {
        d->format = "class folders";
        return gn_class_folder_read(d, path, err);
    }
    d->format = "folder";
    return gn_data_folder_read(d, path, err);
}

/* Archives often hold one folder that holds everything: goes down to where something is to be seen, or to a table of boxes. */
static gn_status find_top(const gn_dataset *d, char path[GN_DATA_PATH_BYTES], gn_error *err)
{
    for (int depth = 0; depth < ARCHIVE_MAX_WRAPPERS; depth++) {
        const char **names, *only = NULL, *csv = NULL;
        size_t n, seen = 0, tables = 0;
        char next[GN_DATA_PATH_BYTES];
        GN_TRY(gn_data_list(d, path, &names, &n, err));
        for (size_t i = 0; i < n; i++) {
            if (names[i][0] == '.' || strcmp(names[i], "__MACOSX") == 0)
                continue;
            only = names[i];
            seen++;
            if (gn_has_suffix(names[i], ".csv")) {
                csv = names[i];
                tables++;
            }
        }
        const char *down = tables == 1 ? csv : seen == 1 ? only : NULL;
        gn_split split;
        if (down == NULL || gn_split_parse(down, &split) || strcmp(down, "images") == 0 ||
            gn_path_join(path, down, next, sizeof next) != GN_OK)
            return GN_OK;
        if (!gn_data_is_dir(d, next) && tables != 1)
            return GN_OK;
        memcpy(path, next, sizeof next);
        if (!gn_data_is_dir(d, path))
            return GN_OK;
    }
    return GN_OK;
}

static gn_status read_archive(gn_dataset *d, const char *path, gn_error *err)
{
    char top[GN_DATA_PATH_BYTES], yaml[GN_DATA_PATH_BYTES];
    GN_TRY(gn_archive_open(path, &d->archive, err));
    GN_TRY(gn_data_add_archive(d));
    if (snprintf(top, sizeof top, "%s", path) >= (int)sizeof top)
        return gn_fail_at(err, GN_ELIMIT, path, 0, "the path of this archive is too long");
    GN_TRY(find_top(d, top, err));
    const bool has_yaml = gn_path_join(top, "data.yaml", yaml, sizeof yaml) == GN_OK && gn_data_exists(d, yaml);
    if (!has_yaml && gn_has_suffix(top, ".csv")) {
        GN_TRY(read_csv(d, top, err));
    } else {
        GN_TRY(read_folder(d, top, err));
    }
    d->format = gn_arena_printf(d->arena, "zip of %s", d->format);
    return d->format != NULL ? GN_OK : GN_ENOMEM;
}

/* Recognises the format by looking, and collects the entries. */
static gn_status read_entries(gn_dataset *d, const char *path, gn_error *err)
{
    if (!gn_path_exists(path))
        return gn_fail_at(
            err, GN_ENOENT, path, 0,
            "there is no such data set; expected a data.yaml, a folder, a COCO .json, a .csv of boxes, a Darknet "
            ".data, a list of WIDER FACE or a .zip");
    if (gn_path_is_dir(path))
        return read_folder(d, path, err);
    if (gn_has_suffix(path, ".yaml") || gn_has_suffix(path, ".yml")) {
        d->format = "data.yaml";
        return gn_data_yaml_read(d, path, err);
    }
    if (gn_has_suffix(path, ".json")) {
        d->format = "COCO";
        return gn_coco_read(d, path, err);
    }
    if (gn_has_suffix(path, ".csv"))
        return read_csv(d, path, err);
    if (gn_has_suffix(path, ".data")) {
        d->format = "Darknet .data";
        return gn_darknet_data_read(d, path, err);
    }
    bool is = false;
    GN_TRY(gn_wider_is(d, path, &is));
    if (is) {
        d->format = "WIDER FACE";
        return gn_wider_read(d, path, err);
    }
    if (gn_has_suffix(path, ".zip"))
        return read_archive(d, path, err);
    return gn_fail_at(
        err, GN_EUNSUPPORTED, path, 0,
        "not a known kind of data set; expected a data.yaml, a folder, a COCO .json, a .csv of boxes, a Darknet "
        ".data, a list of WIDER FACE or a .zip");
}

static bool any_flag(const gn_data_entry *e)
{
    for (int i = 0; e->flags != NULL && i < e->n_boxes; i++)
        if (e->flags[i] != 0)
            return true;
    return false;
}

/* Copies the usable entries into arrays per split. */
static gn_status finish_splits(gn_dataset *d)
{
    for (size_t i = 0; i < d->n_entries; i++)
        if (d->entry[i].is_usable)
            d->split[d->entry[i].split].n++;
    for (int s = 0; s < GN_SPLIT_COUNT; s++) {
        d->split[s].sample = gn_arena_alloc(d->arena, ((size_t)d->split[s].n + 1) * sizeof(gn_sample));
        if (d->split[s].sample == NULL)
            return GN_ENOMEM;
        d->split[s].n = 0;
    }
    for (size_t i = 0; i < d->n_entries; i++) {
        const gn_data_entry *e = &d->entry[i];
        if (!e->is_usable)
            continue;
        if (d->options.single_class && e->n_boxes > 0)
            memset(e->cls, 0, (size_t)e->n_boxes * sizeof *e->cls);
        const int32_t label = d->options.single_class && e->label > 0 ? 0 : e->label;
        gn_data_split *split = &d->split[e->split];
        split->sample[split->n++] = (gn_sample){.path = e->path,
                                                .box = e->box,
                                                .cls = e->cls,
                                                .flags = any_flag(e) ? e->flags : NULL,
                                                .box_id = e->box_id,
                                                .area = e->area,
                                                .n_boxes = e->n_boxes,
                                                .width = e->width,
                                                .height = e->height,
                                                .id = e->id,
                                                .label = label,
                                                .source = e->picture_source,
                                                .item = e->item};
    }
    if (d->options.single_class) {
        d->n_classes = 1;
        d->category_id = NULL;
    }
    gn_free(d->entry);
    d->entry = NULL;
    return GN_OK;
}

static uint64_t hash_i64(int64_t value, uint64_t seed)
{
    return gn_hash64(&value, sizeof value, seed);
}

static uint64_t hash_sample(const gn_sample *s, uint64_t h)
{
    const char *name = gn_path_name(s->path);
    h = gn_hash64(name, strlen(name) + 1, h);
    h = hash_i64(s->width, h);
    h = hash_i64(s->height, h);
    h = hash_i64(s->n_boxes, h);
    if (s->label >= 0)
        h = hash_i64(s->label, h);
    if (s->n_boxes > 0) {
        h = gn_hash64(s->box, (size_t)s->n_boxes * sizeof *s->box, h);
        h = gn_hash64(s->cls, (size_t)s->n_boxes * sizeof *s->cls, h);
        if (s->flags != NULL)
            h = gn_hash64(s->flags, (size_t)s->n_boxes * sizeof *s->flags, h);
    }
    return h;
}

static uint64_t hash_dataset(const gn_dataset *d)
{
    uint64_t h = 0;
    for (int c = 0; c < d->n_classes; c++)
        h = gn_hash64(d->class_name[c], strlen(d->class_name[c]) + 1, h);
    for (int s = 0; s < GN_SPLIT_COUNT; s++) {
        h = hash_i64(d->split[s].n, h);
        for (int64_t i = 0; i < d->split[s].n; i++)
            h = hash_sample(&d->split[s].sample[i], h);
    }
    return h;
}

/* Refuses a set in which nothing is left to work with, naming the first cause. */
static gn_status check_content(const gn_dataset *d, gn_error *err)
{
    int64_t pictures = 0, boxes = 0;
    const gn_sample *first = NULL;
    for (int s = GN_SPLIT_COUNT - 1; s >= 0; s--)
        for (int64_t i = d->split[s].n - 1; i >= 0; i--) {
            first = &d->split[s].sample[i];
            pictures++;
            boxes += first->n_boxes;
        }
    if (pictures > 0 && (boxes > 0 || d->has_labels))
        return GN_OK;
    if (pictures > 0 && d->n_problems == 0) {
        char label[GN_DATA_PATH_BYTES];
        if (gn_label_path(first->path, label) != GN_OK)
            label[0] = '\0';
        return gn_fail_at(err, GN_EDATA, d->path, 0,
                          "none of the %lld pictures has a box; the first one's labels are looked for in %.300s",
                          (long long)pictures, label);
    }
    if (d->n_problems == 0)
        return gn_fail_at(err, GN_EDATA, d->path, 0, "there is no picture (.jpg .jpeg .png .webp) in this data set");
    const gn_problem *p = &d->problem[0];
    return gn_fail_at(err, GN_EDATA, p->file, p->line, "no usable %s is left in %.150s (%zu problem%s); the first: %s",
                      pictures > 0 ? "box" : "picture", d->path, d->n_problems, d->n_problems == 1 ? "" : "s",
                      p->message);
}

static gn_status open_into(gn_dataset *d, const char *path, gn_error *err)
{
    d->path = gn_arena_strdup(d->arena, path);
    if (d->path == NULL)
        return GN_ENOMEM;
    GN_TRY(read_entries(d, path, err));
    const bool wanted = d->options.val_frac > 0 || d->options.test_frac > 0;
    const bool make = wanted && !d->has_split[GN_SPLIT_VAL] && d->has_split[GN_SPLIT_TRAIN];
    GN_TRY(gn_dataset_scan(d, make, err));
    if (make)
        GN_TRY(gn_dataset_make_splits(d));
    GN_TRY(finish_splits(d));
    d->hash = hash_dataset(d);
    return check_content(d, err);
}

gn_status gn_dataset_open(const char *path, const gn_dataset_options *options, gn_dataset **dataset_out, gn_error *err)
{
    const gn_dataset_options used = options != NULL ? *options : gn_dataset_default_options();
    GN_TRY(check_options(&used, err));
    gn_error_clear(err);
    gn_dataset *d = gn_calloc(1, sizeof *d);
    gn_status status = GN_ENOMEM;
    if (d != NULL) {
        d->options = used;
        d->arena = gn_arena_create(0);
        if (d->arena != NULL)
            status = open_into(d, path, err);
    }
    if (status == GN_OK) {
        *dataset_out = d;
        return GN_OK;
    }
    if (err != NULL && err->status == GN_OK)
        gn_fail_at(err, status, path, 0, "opening the data set: %s", gn_status_sentence(status));
    gn_dataset_close(&d);
    return status;
}

void gn_dataset_close(gn_dataset **dataset)
{
    if (dataset == NULL || *dataset == NULL)
        return;
    gn_dataset *d = *dataset;
    gn_free(d->entry);
    gn_free(d->problem);
    gn_data_close_sources(d);
    gn_arena_destroy(&d->arena);
    gn_free(d);
    *dataset = NULL;
}

const char *gn_dataset_path(const gn_dataset *dataset)
{
    return dataset->path;
}

const char *gn_dataset_format(const gn_dataset *dataset)
{
    return dataset->format;
}

int gn_dataset_classes(const gn_dataset *dataset)
{
    return dataset->n_classes;
}

bool gn_dataset_has_labels(const gn_dataset *dataset)
{
    return dataset->has_labels;
}

const char *gn_dataset_class_name(const gn_dataset *dataset, int cls)
{
    return cls >= 0 && cls < dataset->n_classes ? dataset->class_name[cls] : NULL;
}

int64_t gn_dataset_category_id(const gn_dataset *dataset, int cls)
{
    GN_ASSERT(cls >= 0 && cls < dataset->n_classes);
    return dataset->category_id != NULL ? dataset->category_id[cls] : (int64_t)cls + 1;
}

bool gn_dataset_is_split_made(const gn_dataset *dataset)
{
    return dataset->split_made;
}

int64_t gn_dataset_count(const gn_dataset *dataset, gn_split split)
{
    return dataset->split[split].n;
}

const gn_sample *gn_dataset_sample(const gn_dataset *dataset, gn_split split, int64_t i)
{
    GN_ASSERT(i >= 0 && i < dataset->split[split].n);
    return &dataset->split[split].sample[i];
}

int64_t gn_dataset_problem_count(const gn_dataset *dataset)
{
    return (int64_t)dataset->n_problems;
}

const gn_problem *gn_dataset_problem(const gn_dataset *dataset, int64_t i)
{
    GN_ASSERT(i >= 0 && (size_t)i < dataset->n_problems);
    return &dataset->problem[i];
}

gn_problem_counts gn_dataset_problem_counts(const gn_dataset *dataset)
{
    return dataset->counts;
}

uint64_t gn_dataset_hash(const gn_dataset *dataset)
{
    return dataset->hash;
}
