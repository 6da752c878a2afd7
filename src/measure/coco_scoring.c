/* COCO's ground truth and detections, brought together; see coco_scoring.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "measure/coco_scoring.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

/* An id and where its owner stands in the file. */
typedef struct numbered {
    int64_t id, index;
} numbered;

static int compare_numbered(const void *pa, const void *pb)
{
    const numbered *a = pa, *b = pb;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

/* Ids in rising order, each once; the first of equals stays. */
typedef struct id_list {
    numbered *item;
    int64_t n;
} id_list;

static int64_t sort_ids(id_list *list)
{
    int64_t kept = 0;
    if (list->n > 0)
        qsort(list->item, (size_t)list->n, sizeof *list->item, compare_numbered);
    for (int64_t i = 0; i < list->n; i++)
        if (kept == 0 || list->item[kept - 1].id != list->item[i].id)
            list->item[kept++] = list->item[i];
    const int64_t repeated = list->n - kept;
    list->n = kept;
    return repeated;
}

/* Place of an id; -1: not there. */
static int64_t find_id(const id_list *list, int64_t id)
{
    int64_t low = 0, high = list->n;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (list->item[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < list->n && list->item[low].id == id ? low : -1;
}

static gn_status list_ids(const gn_coco_file *file, id_list *images, id_list *categories, int64_t *repeated_out)
{
    images->item = gn_alloc(((size_t)file->n_images + 1) * sizeof *images->item);
    categories->item = gn_alloc(((size_t)file->n_categories + 1) * sizeof *categories->item);
    if (!images->item || !categories->item)
        return GN_ENOMEM;
    for (int64_t i = 0; i < file->n_images; i++)
        images->item[images->n++] = (numbered){file->image[i].id, i};
    for (int64_t i = 0; i < file->n_categories; i++)
        categories->item[categories->n++] = (numbered){file->category[i].id, i};
    *repeated_out = sort_ids(images);
    *repeated_out += sort_ids(categories);
    return GN_OK;
}

static gn_status take_truth(gn_coco_scoring *s, const id_list *images, const id_list *categories)
{
    gn_scored_split *out = &s->scored;
    out->n_images = images->n;
    out->n_classes = (int32_t)categories->n;
    out->sample = gn_alloc(((size_t)images->n + 1) * sizeof *out->sample);
    out->truth = gn_alloc(((size_t)s->file.n_annotations + 1) * sizeof *out->truth);
    s->class_name = gn_alloc(((size_t)categories->n + 1) * sizeof *s->class_name);
    s->category_id = gn_alloc(((size_t)categories->n + 1) * sizeof *s->category_id);
    if (!out->sample || !out->truth || !s->class_name || !s->category_id)
        return GN_ENOMEM;
    for (int64_t i = 0; i < images->n; i++)
        out->sample[i] = images->item[i].index;
    for (int64_t i = 0; i < categories->n; i++) {
        s->class_name[i] = s->file.category[categories->item[i].index].name;
        s->category_id[i] = categories->item[i].id;
    }
    for (int64_t i = 0; i < s->file.n_annotations; i++) {
        const gn_coco_annotation *a = &s->file.annotation[i];
        const int64_t image = find_id(images, a->image_id), cls = find_id(categories, a->category_id);
        s->unknown_images += image < 0;
        s->unknown_categories += image >= 0 && cls < 0;
        if (image < 0 || cls < 0)
            continue;
        out->truth[out->n_truth++] = (gn_truth){.image = image,
                                                .cls = (int32_t)cls,
                                                .is_crowd = a->is_crowd,
                                                .is_ignored = a->is_difficult,
                                                .has_area = a->area >= 0,
                                                .area = a->area,
                                                .box = {a->x, a->y, a->w, a->h}};
    }
    return GN_OK;
}

static gn_status take_detection(gn_coco_scoring *s, const gn_coco_detection *d, const id_list *images,
                                const id_list *categories, const char *truth_path, const char *path, gn_error *err)
{
    const int64_t image = find_id(images, d->image_id), cls = find_id(categories, d->category_id);
    if (image < 0)
        return gn_fail_at(err, GN_EDATA, path, d->line, "image_id %" PRId64 " is no image of %s", d->image_id,
                          truth_path);
    if (cls < 0)
        return gn_fail_at(err, GN_EDATA, path, d->line,
                          "category_id %" PRId64 " is no category of %s (its ids go from %" PRId64 " to %" PRId64
                          "; class numbers of a model must be mapped to them first)",
                          d->category_id, truth_path, categories->n > 0 ? categories->item[0].id : 0,
                          categories->n > 0 ? categories->item[categories->n - 1].id : 0);
    if (!isfinite(d->x) || !isfinite(d->y) || !isfinite(d->w) || !isfinite(d->h) || !isfinite(d->score))
        return gn_fail_at(err, GN_EDATA, path, d->line, "a box or score is not finite");
    s->scored.det[s->scored.n_det++] =
        (gn_detection){.image = image, .cls = (int32_t)cls, .score = d->score, .box = {d->x, d->y, d->w, d->h}};
    return GN_OK;
}

static gn_status take_detections(gn_coco_scoring *s, const gn_coco_detections *list, const id_list *images,
                                 const id_list *categories, const char *truth_path, const char *path, gn_error *err)
{
    if (list->n_bad > 0)
        return gn_fail_at(err, GN_EDATA, path, list->n_problems > 0 ? list->problem[0].line : 0, "%s%s",
                          list->n_problems > 0 ? list->problem[0].message : "a detection lacks something",
                          list->n_bad > 1 ? " (and more of the kind)" : "");
    s->scored.det = gn_alloc(((size_t)list->n + 1) * sizeof *s->scored.det);
    if (!s->scored.det)
        return GN_ENOMEM;
    for (int64_t i = 0; i < list->n; i++)
        GN_TRY(take_detection(s, &list->item[i], images, categories, truth_path, path, err));
    return GN_OK;
}

void gn_coco_scoring_deinit(gn_coco_scoring *scoring)
{
    gn_scored_split_deinit(&scoring->scored);
    gn_free(scoring->class_name);
    gn_free(scoring->category_id);
    gn_coco_file_deinit(&scoring->file);
    scoring->class_name = NULL;
    scoring->category_id = NULL;
}

gn_status gn_coco_scoring_read(const char *truth_path, const char *detections_path, gn_coco_scoring *scoring_out,
                               gn_error *err)
{
    gn_coco_scoring s = {.scored = {.infer_ms = NAN, .postprocess_ms = NAN}};
    gn_coco_detections list = {0};
    id_list images = {0}, categories = {0};
    bool has_list = false;
    GN_TRY(gn_coco_file_read(truth_path, &s.file, err));
    gn_status status = list_ids(&s.file, &images, &categories, &s.repeated_ids);
    if (status == GN_OK)
        status = take_truth(&s, &images, &categories);
    if (status == GN_OK && (images.n == 0 || categories.n == 0))
        status = gn_fail_at(err, GN_EDATA, truth_path, 0, "holds no %s, so that nothing can be scored",
                            images.n == 0 ? "images" : "categories");
    if (status == GN_OK)
        status = gn_coco_detections_read(detections_path, &list, err);
    has_list = status == GN_OK;
    if (status == GN_OK)
        status = take_detections(&s, &list, &images, &categories, truth_path, detections_path, err);
    if (status == GN_ENOMEM)
        gn_fail(err, status, "no memory for the boxes of %s", truth_path);
    if (has_list)
        gn_coco_detections_deinit(&list);
    gn_free(images.item);
    gn_free(categories.item);
    if (status == GN_OK)
        *scoring_out = s;
    else
        gn_coco_scoring_deinit(&s);
    return status;
}
