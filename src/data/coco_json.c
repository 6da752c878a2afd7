/* COCO's JSON; see coco_json.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/coco_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "data/json_pull.h"

/* What one entry of a list lacks, or false. */
typedef struct problem_list {
    gn_arena *arena;
    gn_coco_problem **problem;
    size_t *capacity;
    int64_t *n, *n_bad;
} problem_list;

__attribute__((format(printf, 3, 4))) static gn_status note(const problem_list *list, int64_t line, const char *fmt,
                                                            ...)
{
    char message[256];
    ++*list->n_bad;
    if (*list->n >= GN_COCO_MAX_PROBLEMS)
        return GN_OK;
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    const char *kept = gn_arena_strdup(list->arena, message);
    if (kept == NULL)
        return GN_ENOMEM;
    GN_TRY(gn_grow(list->problem, list->capacity, (size_t)*list->n + 1, sizeof **list->problem));
    (*list->problem)[(*list->n)++] = (gn_coco_problem){.line = line, .message = kept};
    return GN_OK;
}

/* Four numbers; anything else is skipped and false. */
static bool take_box(gn_json_pull *p, double box[4])
{
    if (gn_pull_peek(p) != GN_PULL_ARRAY) {
        gn_pull_skip(p);
        return false;
    }
    int n = 0;
    bool ok = true;
    gn_pull_enter(p, GN_PULL_ARRAY);
    while (gn_pull_more(p)) {
        double value = 0;
        ok = gn_pull_number(p, &value) && ok;
        if (n < 4)
            box[n] = value;
        n += n < 5;
    }
    return ok && n == 4;
}

static bool take_flag(gn_json_pull *p)
{
    bool value = false;
    return gn_pull_bool(p, &value) && value;
}

static int take_side(gn_json_pull *p)
{
    double value = 0;
    return gn_pull_number(p, &value) && value >= 1 && value <= 1e6 && value == floor(value) ? (int)value : 0;
}

static const char *take_text(gn_json_pull *p, gn_arena *arena, gn_status *status)
{
    const char *s = NULL;
    if (!gn_pull_string(p, &s))
        return NULL;
    const char *kept = gn_arena_strdup(arena, s);
    if (kept == NULL)
        *status = GN_ENOMEM;
    return kept;
}

/* --- ground truth --------------------------------------------------------------------------------------------------- */

static problem_list problems_of(gn_coco_file *f)
{
    return (problem_list){f->arena, &f->problem, &f->problem_capacity, &f->n_problems, &f->n_bad};
}

static gn_status take_image(gn_json_pull *p, gn_coco_file *f)
{
    gn_coco_image image = {.file_name = "", .line = gn_pull_line(p)};
    bool has_id = false;
    gn_status status = GN_OK;
    gn_pull_enter(p, GN_PULL_OBJECT);
    while (status == GN_OK && gn_pull_more(p)) {
        const char *key = gn_pull_key(p);
        if (strcmp(key, "id") == 0) {
            has_id = gn_pull_i64(p, &image.id);
        } else if (strcmp(key, "file_name") == 0) {
            const char *name = take_text(p, f->arena, &status);
            image.file_name = name != NULL ? name : "";
        } else if (strcmp(key, "width") == 0) {
            image.width = take_side(p);
        } else if (strcmp(key, "height") == 0) {
            image.height = take_side(p);
        } else {
            gn_pull_skip(p);
        }
    }
    GN_TRY(status);
    GN_TRY(gn_pull_status(p));
    const problem_list list = problems_of(f);
    if (!has_id)
        return note(&list, image.line, "image %" PRId64 " of the list has no id", f->n_images + f->n_bad + 1);
    if (f->n_images >= GN_COCO_MAX_IMAGES)
        return GN_ELIMIT;
    GN_TRY(gn_grow(&f->image, &f->image_capacity, (size_t)f->n_images + 1, sizeof *f->image));
    f->image[f->n_images++] = image;
    return GN_OK;
}

static gn_status take_category(gn_json_pull *p, gn_coco_file *f)
{
    gn_coco_category category = {.name = NULL};
    const int64_t line = gn_pull_line(p);
    bool has_id = false;
    gn_status status = GN_OK;
    gn_pull_enter(p, GN_PULL_OBJECT);
    while (status == GN_OK && gn_pull_more(p)) {
        const char *key = gn_pull_key(p);
        if (strcmp(key, "id") == 0)
            has_id = gn_pull_i64(p, &category.id);
        else if (strcmp(key, "name") == 0)
            category.name = take_text(p, f->arena, &status);
        else
            gn_pull_skip(p);
    }
    GN_TRY(status);
    GN_TRY(gn_pull_status(p));
    const problem_list list = problems_of(f);
    if (!has_id)
        return note(&list, line, "category '%.100s' has no id", category.name != NULL ? category.name : "");
    if (f->n_categories >= GN_COCO_MAX_CATEGORIES)
        return GN_ELIMIT;
    if (category.name == NULL)
        category.name = gn_arena_printf(f->arena, "%" PRId64, category.id);
    if (category.name == NULL)
        return GN_ENOMEM;
    GN_TRY(gn_grow(&f->category, &f->category_capacity, (size_t)f->n_categories + 1, sizeof *f->category));
    f->category[f->n_categories++] = category;
    return GN_OK;
}

/* What an annotation has besides what is stored. */
typedef struct annotation_keys {
    bool image, category, box;
} annotation_keys;

static void take_annotation_member(gn_json_pull *p, gn_coco_annotation *a, annotation_keys *has)
{
    const char *key = gn_pull_key(p);
    if (strcmp(key, "id") == 0) {
        if (!gn_pull_i64(p, &a->id))
            a->id = -1;
    } else if (strcmp(key, "image_id") == 0) {
        has->image = gn_pull_i64(p, &a->image_id);
    } else if (strcmp(key, "category_id") == 0) {
        has->category = gn_pull_i64(p, &a->category_id);
    } else if (strcmp(key, "bbox") == 0) {
        double box[4] = {0};
        has->box = take_box(p, box);
        a->x = box[0];
        a->y = box[1];
        a->w = box[2];
        a->h = box[3];
    } else if (strcmp(key, "area") == 0) {
        double area;
        a->area = gn_pull_number(p, &area) && area >= 0 && isfinite(area) ? area : -1;
    } else if (strcmp(key, "iscrowd") == 0) {
        a->is_crowd = take_flag(p);
    } else if (strcmp(key, "difficult") == 0) {
        a->is_difficult = take_flag(p);
    } else if (strcmp(key, "truncated") == 0) {
        a->is_truncated = take_flag(p);
    } else if (strcmp(key, "ignore") == 0) {
        a->is_ignored = take_flag(p);
    } else {
        gn_pull_skip(p);
    }
}

static gn_status take_annotation(gn_json_pull *p, gn_coco_file *f)
{
    gn_coco_annotation a = {.id = -1, .area = -1, .line = gn_pull_line(p)};
    annotation_keys has = {0};
    gn_pull_enter(p, GN_PULL_OBJECT);
    while (gn_pull_more(p))
        take_annotation_member(p, &a, &has);
    GN_TRY(gn_pull_status(p));
    const problem_list list = problems_of(f);
    const char *lacks = !has.image ? "image_id" : !has.category ? "category_id" : !has.box ? "bbox of 4 numbers" : NULL;
    if (lacks != NULL)
        return note(&list, a.line, "annotation %" PRId64 " has no %s", a.id, lacks);
    if (f->n_annotations >= GN_COCO_MAX_ANNOTATIONS)
        return GN_ELIMIT;
    GN_TRY(gn_grow(&f->annotation, &f->annotation_capacity, (size_t)f->n_annotations + 1, sizeof *f->annotation));
    f->annotation[f->n_annotations++] = a;
    return GN_OK;
}

typedef gn_status (*take_fn)(gn_json_pull *p, gn_coco_file *f);

static gn_status take_list(gn_json_pull *p, gn_coco_file *f, take_fn take)
{
    gn_pull_enter(p, GN_PULL_ARRAY);
    while (gn_pull_more(p))
        GN_TRY(take(p, f));
    return gn_pull_status(p);
}

static gn_status take_file(gn_json_pull *p, gn_coco_file *f, const char *name, gn_error *err)
{
    if (gn_pull_peek(p) == GN_PULL_ARRAY)
        return gn_fail_at(
            err, GN_EFORMAT, name, 1,
            "this JSON is a list, as detections are written; expected COCO's ground truth, an object with "
            "images, categories and annotations");
    gn_status status = GN_OK;
    gn_pull_enter(p, GN_PULL_OBJECT);
    while (status == GN_OK && gn_pull_more(p)) {
        const char *key = gn_pull_key(p);
        if (strcmp(key, "images") == 0) {
            f->has_images = true;
            status = take_list(p, f, take_image);
        } else if (strcmp(key, "categories") == 0) {
            f->has_categories = true;
            status = take_list(p, f, take_category);
        } else if (strcmp(key, "annotations") == 0) {
            f->has_annotations = true;
            status = take_list(p, f, take_annotation);
        } else {
            gn_pull_skip(p);
        }
    }
    GN_TRY(status);
    GN_TRY(gn_pull_end(p));
    if (!f->has_images || !f->has_annotations)
        return gn_fail_at(err, GN_EFORMAT, name, 0,
                          "this JSON has no \"%s\"; expected COCO's ground truth, an object with images, categories "
                          "and annotations",
                          f->has_images ? "annotations" : "images");
    return GN_OK;
}

/* Fills `err` where nothing has done so yet. */
static gn_status explain(const gn_json_pull *p, gn_status status, const char *name, gn_error *err)
{
    if (status == GN_OK || gn_pull_status(p) != GN_OK || status == GN_EFORMAT)
        return status;
    if (status == GN_ELIMIT)
        return gn_fail_at(err, status, name, gn_pull_line(p),
                          "more than %d images, %d categories or %d annotations are not read", GN_COCO_MAX_IMAGES,
                          GN_COCO_MAX_CATEGORIES, GN_COCO_MAX_ANNOTATIONS);
    return gn_fail(err, status, "out of memory reading %s", name);
}

static gn_status read_file(gn_json_pull *p, const char *name, gn_coco_file *file_out, gn_error *err)
{
    gn_coco_file f = {.arena = gn_arena_create((size_t)1 << 20)};
    gn_status status = f.arena != NULL ? take_file(p, &f, name, err) : GN_ENOMEM;
    status = explain(p, status, name, err);
    if (status != GN_OK) {
        gn_coco_file_deinit(&f);
        return status;
    }
    *file_out = f;
    return GN_OK;
}

gn_status gn_coco_file_read(const char *path, gn_coco_file *file_out, gn_error *err)
{
    gn_json_pull *p = NULL;
    GN_TRY(gn_pull_open(path, &p, err));
    const gn_status status = read_file(p, path, file_out, err);
    gn_pull_close(&p);
    return status;
}

gn_status gn_coco_file_parse(const char *bytes, size_t n, const char *name, gn_coco_file *file_out, gn_error *err)
{
    gn_json_pull *p = NULL;
    GN_TRY(gn_pull_open_memory(bytes, n, name, &p, err));
    const gn_status status = read_file(p, name, file_out, err);
    gn_pull_close(&p);
    return status;
}

void gn_coco_file_deinit(gn_coco_file *file)
{
    gn_free(file->image);
    gn_free(file->category);
    gn_free(file->annotation);
    gn_free(file->problem);
    gn_arena_destroy(&file->arena);
    memset(file, 0, sizeof *file);
}

gn_status gn_coco_file_is(const char *bytes, size_t n, bool *is_out)
{
    gn_json_pull *p = NULL;
    bool is = false;
    GN_TRY(gn_pull_open_memory(bytes, n, "", &p, NULL));
    if (gn_pull_peek(p) == GN_PULL_OBJECT) {
        gn_pull_enter(p, GN_PULL_OBJECT);
        while (!is && gn_pull_more(p)) {
            const char *key = gn_pull_key(p);
            is = strcmp(key, "images") == 0 || strcmp(key, "annotations") == 0 || strcmp(key, "categories") == 0;
            if (!is)
                gn_pull_skip(p);
        }
    }
    const gn_status status = gn_pull_status(p);
    gn_pull_close(&p);
    *is_out = is;
    return status == GN_ENOMEM ? status : GN_OK;
}

/* --- detections ----------------------------------------------------------------------------------------------------- */

/* A number, also as text, or the name of a picture, which follows itself often. */
static bool take_image_id(gn_json_pull *p, gn_coco_detections *d, gn_coco_detection *item, gn_status *status)
{
    const char *text = NULL;
    if (gn_pull_peek(p) != GN_PULL_STRING)
        return gn_pull_i64(p, &item->image_id);
    if (!gn_pull_string(p, &text) || text[0] == '\0')
        return false;
    item->image_name = NULL;
    if (gn_parse_i64(text, &item->image_id))
        return true;
    item->image_id = -1;
    const char *last = d->n > 0 ? d->item[d->n - 1].image_name : NULL;
    item->image_name = last != NULL && strcmp(last, text) == 0 ? last : gn_arena_strdup(d->arena, text);
    if (item->image_name == NULL)
        *status = GN_ENOMEM;
    return true;
}

static gn_status take_detection(gn_json_pull *p, gn_coco_detections *d)
{
    gn_coco_detection item = {.line = gn_pull_line(p)};
    gn_status status = GN_OK;
    bool has_image = false, has_category = false, has_box = false, has_score = false;
    double box[4] = {0};
    gn_pull_enter(p, GN_PULL_OBJECT);
    while (status == GN_OK && gn_pull_more(p)) {
        const char *key = gn_pull_key(p);
        if (strcmp(key, "image_id") == 0)
            has_image = take_image_id(p, d, &item, &status);
        else if (strcmp(key, "category_id") == 0)
            has_category = gn_pull_i64(p, &item.category_id);
        else if (strcmp(key, "bbox") == 0)
            has_box = take_box(p, box);
        else if (strcmp(key, "score") == 0)
            has_score = gn_pull_number(p, &item.score);
        else
            gn_pull_skip(p);
    }
    GN_TRY(status);
    GN_TRY(gn_pull_status(p));
    item.x = box[0];
    item.y = box[1];
    item.w = box[2];
    item.h = box[3];
    const problem_list list = {d->arena, &d->problem, &d->problem_capacity, &d->n_problems, &d->n_bad};
    const char *lacks = !has_image      ? "image_id"
                        : !has_category ? "category_id"
                        : !has_box      ? "bbox of 4 numbers"
                        : !has_score    ? "score"
                                        : NULL;
    if (lacks != NULL)
        return note(&list, item.line, "detection %" PRId64 " has no %s", d->n + d->n_bad + 1, lacks);
    if (d->n >= GN_COCO_MAX_ANNOTATIONS)
        return GN_ELIMIT;
    GN_TRY(gn_grow(&d->item, &d->item_capacity, (size_t)d->n + 1, sizeof *d->item));
    d->item[d->n++] = item;
    return GN_OK;
}

static gn_status take_detections(gn_json_pull *p, gn_coco_detections *d, const char *name, gn_error *err)
{
    if (gn_pull_peek(p) == GN_PULL_OBJECT)
        return gn_fail_at(
            err, GN_EFORMAT, name, 1,
            "this JSON is an object; expected a list of detections, [{\"image_id\": 1, \"category_id\": 1, "
            "\"bbox\": [x, y, w, h], \"score\": 0.9}, ...]");
    gn_pull_enter(p, GN_PULL_ARRAY);
    while (gn_pull_more(p))
        GN_TRY(take_detection(p, d));
    return gn_pull_end(p);
}

static gn_status read_detections(gn_json_pull *p, const char *name, gn_coco_detections *out, gn_error *err)
{
    gn_coco_detections d = {.arena = gn_arena_create(0)};
    gn_status status = d.arena != NULL ? take_detections(p, &d, name, err) : GN_ENOMEM;
    status = explain(p, status, name, err);
    if (status != GN_OK) {
        gn_coco_detections_deinit(&d);
        return status;
    }
    *out = d;
    return GN_OK;
}

gn_status gn_coco_detections_read(const char *path, gn_coco_detections *detections_out, gn_error *err)
{
    gn_json_pull *p = NULL;
    GN_TRY(gn_pull_open(path, &p, err));
    const gn_status status = read_detections(p, path, detections_out, err);
    gn_pull_close(&p);
    return status;
}

gn_status gn_coco_detections_parse(const char *bytes, size_t n, const char *name, gn_coco_detections *detections_out,
                                   gn_error *err)
{
    gn_json_pull *p = NULL;
    GN_TRY(gn_pull_open_memory(bytes, n, name, &p, err));
    const gn_status status = read_detections(p, name, detections_out, err);
    gn_pull_close(&p);
    return status;
}

void gn_coco_detections_deinit(gn_coco_detections *detections)
{
    gn_free(detections->item);
    gn_free(detections->problem);
    gn_arena_destroy(&detections->arena);
    memset(detections, 0, sizeof *detections);
}
