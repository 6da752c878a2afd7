/* Detections of another program for a data set; see set_predictions.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "measure/set_predictions.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/coco_json.h"

/* ---- a text file per picture ---- */

/* Six numbers and nothing else; GN_EDATA otherwise, with the reason. */
static gn_status parse_line(const char *line, const char *path, int64_t number, double x[6], gn_error *err)
{
    int n = 0;
    const char *at = line;
    for (char *end; n < 7; n++, at = end) {
        const double value = strtod(at, &end);
        if (end == at)
            break;
        if (!isfinite(value))
            return gn_fail_at(err, GN_EDATA, path, number, "number %d is not finite", n + 1);
        if (n < 6)
            x[n] = value;
    }
    while (*at == ' ' || *at == '\t' || *at == '\r')
        at++;
    if (n == 5 && *at == '\0')
        return gn_fail_at(err, GN_EDATA, path, number,
                          "five numbers: the confidence is missing (class cx cy w h confidence)");
    if (n != 6 || *at != '\0')
        return gn_fail_at(err, GN_EDATA, path, number, "'%.60s': class cx cy w h confidence were expected", line);
    return GN_OK;
}

static gn_status add_line(gn_scored_split *out, const char *line, const char *path, int64_t number,
                          const gn_sample *sample, gn_error *err)
{
    double x[6];
    GN_TRY(parse_line(line, path, number, x, err));
    if (x[0] != floor(x[0]) || x[0] < 0 || x[0] >= out->n_classes)
        return gn_fail_at(err, GN_EDATA, path, number, "class %g: the set has 0 to %d", x[0], (int)out->n_classes - 1);
    if (gn_grow(&out->det, &out->det_capacity, (size_t)out->n_det + 1, sizeof *out->det) != GN_OK)
        return gn_fail(err, GN_ENOMEM, "no memory for detections");
    const double w = sample->width, h = sample->height;
    out->det[out->n_det++] = (gn_detection){.image = out->n_images,
                                            .cls = (int32_t)x[0],
                                            .score = x[5],
                                            .box = {(x[1] - x[3] / 2) * w, (x[2] - x[4] / 2) * h, x[3] * w, x[4] * h}};
    return GN_OK;
}

static gn_status add_lines(gn_scored_split *out, char *text, const char *path, const gn_sample *sample, gn_error *err)
{
    int64_t number = 0;
    for (char *line = text, *next; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        if (++number > GN_PREDICTIONS_MAX_LINES)
            return gn_fail_at(err, GN_ELIMIT, path, number, "more than %d lines", GN_PREDICTIONS_MAX_LINES);
        if (line[strspn(line, " \t\r")] != '\0')
            GN_TRY(add_line(out, line, path, number, sample, err));
    }
    return GN_OK;
}

static gn_status stem_of(const gn_sample *sample, char *dst, size_t bytes)
{
    const char *name = gn_path_name(sample->path);
    const size_t n = strlen(name) - strlen(gn_path_ext(name));
    if (n + 1 > bytes)
        return GN_ELIMIT;
    memcpy(dst, name, n);
    dst[n] = '\0';
    return GN_OK;
}

static gn_status read_text(gn_scored_split *out, const char *folder, const gn_sample *sample, bool *found_out,
                           gn_error *err)
{
    char stem[256], name[264], path[1024], *text = NULL;
    size_t bytes;
    *found_out = false;
    if (stem_of(sample, stem, sizeof stem) != GN_OK)
        return GN_OK;
    snprintf(name, sizeof name, "%s.txt", stem);
    if (gn_path_join(folder, name, path, sizeof path) != GN_OK || !gn_path_exists(path))
        return GN_OK;
    *found_out = true;
    GN_TRY(gn_file_read(path, GN_PREDICTIONS_MAX_BYTES, &text, &bytes, err));
    gn_status status = strlen(text) == bytes ? add_lines(out, text, path, sample, err)
                                             : gn_fail_at(err, GN_EDATA, path, 0, "holds zero bytes: no text");
    gn_free(text);
    return status;
}

/* ---- a list ---- */

typedef struct numbered {
    int64_t id, image;
} numbered;

static int compare_numbered(const void *pa, const void *pb)
{
    const numbered *a = pa, *b = pb;
    return (a->id > b->id) - (a->id < b->id);
}

/* Numbers of the split's pictures, rising; those without one are left out. */
static int64_t number_pictures(const gn_dataset *dataset, gn_split split, numbered *list)
{
    const int64_t count = gn_dataset_count(dataset, split);
    int64_t n = 0, id;
    char stem[256];
    for (int64_t i = 0; i < count; i++) {
        const gn_sample *sample = gn_dataset_sample(dataset, split, i);
        if (sample->id >= 0)
            list[n++] = (numbered){sample->id, i};
        else if (stem_of(sample, stem, sizeof stem) == GN_OK && gn_parse_i64(stem, &id))
            list[n++] = (numbered){id, i};
    }
    if (n > 0)
        qsort(list, (size_t)n, sizeof *list, compare_numbered);
    return n;
}

static gn_status add_item(gn_scored_split *out, const gn_dataset *dataset, const gn_coco_detection *d,
                          const numbered *list, int64_t n, const char *path, gn_error *err)
{
    const numbered wanted = {d->image_id, 0};
    const numbered *found = n > 0 ? bsearch(&wanted, list, (size_t)n, sizeof *list, compare_numbered) : NULL;
    int32_t cls = 0;
    while (cls < out->n_classes && gn_dataset_category_id(dataset, cls) != d->category_id)
        cls++;
    if (found == NULL)
        return gn_fail_at(err, GN_EDATA, path, d->line, "image_id %" PRId64 " is no picture of the split", d->image_id);
    if (cls == out->n_classes)
        return gn_fail_at(err, GN_EDATA, path, d->line, "category_id %" PRId64 " is no class of the set",
                          d->category_id);
    if (!isfinite(d->x) || !isfinite(d->y) || !isfinite(d->w) || !isfinite(d->h) || !isfinite(d->score))
        return gn_fail_at(err, GN_EDATA, path, d->line, "a box or score is not finite");
    out->det[out->n_det++] =
        (gn_detection){.image = found->image, .cls = cls, .score = d->score, .box = {d->x, d->y, d->w, d->h}};
    return GN_OK;
}

static gn_status read_list(gn_scored_split *out, const gn_dataset *dataset, gn_split split, const char *path,
                           gn_error *err)
{
    gn_coco_detections items = {0};
    GN_TRY(gn_coco_detections_read(path, &items, err));
    gn_status status = GN_OK;
    numbered *list = gn_alloc(((size_t)gn_dataset_count(dataset, split) + 1) * sizeof *list);
    out->det = gn_alloc(((size_t)items.n + 1) * sizeof *out->det);
    if (list == NULL || out->det == NULL)
        status = gn_fail(err, GN_ENOMEM, "no memory for detections");
    else if (items.n_bad > 0)
        status = gn_fail_at(err, GN_EDATA, path, items.n_problems > 0 ? items.problem[0].line : 0, "%s",
                            items.n_problems > 0 ? items.problem[0].message : "a detection lacks something");
    const int64_t n = status == GN_OK ? number_pictures(dataset, split, list) : 0;
    for (int64_t i = 0; i < items.n && status == GN_OK; i++)
        status = add_item(out, dataset, &items.item[i], list, n, path, err);
    gn_free(list);
    gn_coco_detections_deinit(&items);
    return status;
}

/* ---- both ---- */

static gn_status read_pictures(gn_scored_split *out, const gn_dataset *dataset, gn_split split, const char *folder,
                               gn_error *err)
{
    const int64_t count = gn_dataset_count(dataset, split);
    int64_t files = 0;
    int32_t *same = gn_alloc(((size_t)out->n_classes + 1) * sizeof *same);
    if (same == NULL)
        return gn_fail(err, GN_ENOMEM, "no memory for detections");
    for (int32_t c = 0; c < out->n_classes; c++)
        same[c] = c;
    gn_status status = GN_OK;
    for (int64_t i = 0; i < count && status == GN_OK; i++) {
        const gn_sample *sample = gn_dataset_sample(dataset, split, i);
        bool found = false;
        if (folder != NULL)
            status = read_text(out, folder, sample, &found, err);
        files += found;
        gn_scored_split_add_truths(out, sample, same);
        out->sample[out->n_images++] = i;
    }
    gn_free(same);
    if (status == GN_OK && folder != NULL && files == 0)
        status = gn_fail_at(err, GN_EDATA, folder, 0, "holds no text file for any picture of the split");
    return status;
}

gn_status gn_set_predictions_read(const gn_dataset *dataset, gn_split split, const char *path,
                                  gn_scored_split *scored_out, gn_error *err)
{
    gn_scored_split out = {
        .n_classes = gn_dataset_classes(dataset), .infer_ms = (double)NAN, .postprocess_ms = (double)NAN};
    if (gn_dataset_has_labels(dataset))
        return gn_fail(err, GN_EDATA, "the pictures of %s have a class each; boxes were expected",
                       gn_dataset_path(dataset));
    const bool is_folder = gn_path_is_dir(path);
    gn_status status = gn_scored_split_reserve(&out, dataset, split);
    if (status != GN_OK)
        gn_fail(err, status, "no memory for the boxes of %s", gn_dataset_path(dataset));
    if (status == GN_OK && !is_folder)
        status = read_list(&out, dataset, split, path, err);
    if (status == GN_OK)
        status = read_pictures(&out, dataset, split, is_folder ? path : NULL, err);
    if (status == GN_OK)
        *scored_out = out;
    else
        gn_scored_split_deinit(&out);
    return status;
}
