/* Files about detections; see val_files.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/val_files.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/cli_args.h"
#include "draw/matrix_plot.h"
#include "draw/plot.h"

#define MAX_CURVES       20 /* classes that get a line of their own */
#define CURVE_W          900
#define CURVE_H          600
#define MATRIX_CONF      0.25
#define MATRIX_IOU       0.45
#define LABEL_BYTES      48
#define JSON_CHUNK_BYTES 65536

static gn_status join(const char *folder, const char *name, char *path, size_t bytes, gn_error *err)
{
    const gn_status status = gn_path_join(folder, name, path, bytes);
    return status == GN_OK ? status : gn_fail(err, status, "the path of %s in %s is too long", name, folder);
}

/* ---- curves ---- */

typedef enum curve_kind { CURVE_PR = 0, CURVE_P, CURVE_R, CURVE_F1, CURVE_KINDS } curve_kind;

static const struct {
    const char *file, *title, *x_label, *y_label;
} curve_text[CURVE_KINDS] = {
    {"PR_curve.png", "Precision over recall, IoU 0.5", "recall", "precision"},
    {"P_curve.png", "Precision over confidence, IoU 0.5", "confidence", "precision"},
    {"R_curve.png", "Recall over confidence, IoU 0.5", "confidence", "recall"},
    {"F1_curve.png", "F1 over confidence, IoU 0.5", "confidence", "F1"},
};

static const double *curve_of(const gn_coco_curves *c, curve_kind kind)
{
    switch (kind) {
    case CURVE_P:
        return c->precision;
    case CURVE_R:
        return c->recall;
    case CURVE_F1:
        return c->f1;
    case CURVE_PR:
    case CURVE_KINDS:
        break;
    }
    return c->envelope;
}

/* The curves of up to MAX_CURVES classes, then of the mean. */
typedef struct curve_set {
    gn_coco_curves *curves; /* [n] */
    char (*label)[LABEL_BYTES + 64];
    gn_plot_series *series;
    double x[GN_CURVE_POINTS];
    int n;
} curve_set;

static void curve_set_deinit(curve_set *s)
{
    gn_free(s->curves);
    gn_free(s->label);
    gn_free(s->series);
}

static gn_status curve_set_init(curve_set *s, const gn_val_result *r, const gn_coco *coco)
{
    const size_t room = MAX_CURVES + 1;
    *s = (curve_set){0};
    s->curves = gn_alloc(room * sizeof *s->curves);
    s->label = gn_calloc(room, sizeof *s->label);
    s->series = gn_calloc(room, sizeof *s->series);
    if (!s->curves || !s->label || !s->series)
        return GN_ENOMEM;
    for (int i = 0; i < GN_CURVE_POINTS; i++)
        s->x[i] = (double)i / (GN_CURVE_POINTS - 1);
    int64_t counted = 0;
    for (int32_t k = 0; k < r->scored.n_classes; k++)
        counted += r->classes[k].truths > 0;
    for (int32_t k = 0; k < r->scored.n_classes && counted > 1 && counted <= MAX_CURVES; k++) {
        if (r->classes[k].truths == 0)
            continue;
        GN_TRY(gn_coco_curves_of(coco, k, &s->curves[s->n]));
        snprintf(s->label[s->n], sizeof s->label[0], "%.40s %.3f", r->names[k], r->classes[k].ap[0]);
        s->n++;
    }
    GN_TRY(gn_coco_curves_of(coco, -1, &s->curves[s->n++]));
    return GN_OK;
}

static gn_status save_curve(curve_set *s, const gn_val_result *r, curve_kind kind, const char *folder, gn_error *err)
{
    char path[1024];
    const gn_coco_metrics *m = &r->accuracy.coco;
    GN_TRY(join(folder, curve_text[kind].file, path, sizeof path, err));
    for (int i = 0; i < s->n; i++)
        s->series[i] =
            (gn_plot_series){.label = s->label[i], .x = s->x, .y = curve_of(&s->curves[i], kind), .n = GN_CURVE_POINTS};
    if (kind == CURVE_F1)
        snprintf(s->label[s->n - 1], sizeof s->label[0], "all: %.3f at %.3f", m->f1, m->confidence);
    else
        snprintf(s->label[s->n - 1], sizeof s->label[0], "all: mAP50 %.3f", r->accuracy.map50.value);
    s->series[s->n - 1].has_colour = true;
    s->series[s->n - 1].colour = (gn_colour){20, 40, 160};
    const gn_plot plot = {.title = curve_text[kind].title,
                          .x_label = curve_text[kind].x_label,
                          .y_label = curve_text[kind].y_label,
                          .series = s->series,
                          .n_series = (size_t)s->n,
                          .has_y_zero = true};
    return gn_plot_save(path, &plot, 1, 1, CURVE_W, CURVE_H, err);
}

static gn_status save_matrix(const gn_val_result *r, const char *folder, gn_error *err)
{
    const gn_coco_input input = gn_scored_split_input(&r->scored);
    const size_t side = (size_t)r->scored.n_classes + 1;
    char path[1024];
    if (side > GN_MATRIX_MAX_SIDE) {
        gn_cli_say("  no confusion matrix: %zu classes are too many to draw\n", side - 1);
        return GN_OK;
    }
    GN_TRY(join(folder, "confusion_matrix.png", path, sizeof path, err));
    int64_t *count = gn_alloc(side * side * sizeof *count);
    const char **names = gn_alloc(side * sizeof *names);
    gn_status status = count && names ? GN_OK : GN_ENOMEM;
    if (status == GN_OK)
        status = gn_confusion_matrix(&input, MATRIX_CONF, MATRIX_IOU, count);
    if (status == GN_OK) {
        for (size_t i = 0; i + 1 < side; i++)
            names[i] = r->names[i];
        names[side - 1] = "background";
        const gn_matrix_plot plot = {.title = "Confidence above 0.25, IoU above 0.45",
                                     .x_label = "true",
                                     .y_label = "predicted",
                                     .names = names,
                                     .count = count,
                                     .side = (int)side};
        status = gn_matrix_plot_save(path, &plot, err);
    } else {
        gn_fail(err, status, "counting the confusion matrix: %s", gn_status_sentence(status));
    }
    gn_free(count);
    gn_free(names);
    return status;
}

gn_status gn_val_write_curves(const gn_val_result *result, const char *folder, gn_error *err)
{
    const gn_coco_input input = gn_scored_split_input(&result->scored);
    gn_coco *coco = NULL;
    curve_set set = {0};
    GN_TRY(gn_make_dirs(folder, err));
    gn_status status = gn_coco_create(&input, &coco);
    if (status == GN_OK)
        status = curve_set_init(&set, result, coco);
    if (status != GN_OK)
        gn_fail(err, status, "counting curves: %s", gn_status_sentence(status));
    for (int kind = 0; kind < CURVE_KINDS && status == GN_OK; kind++)
        status = save_curve(&set, result, (curve_kind)kind, folder, err);
    if (status == GN_OK)
        status = save_matrix(result, folder, err);
    curve_set_deinit(&set);
    gn_coco_destroy(&coco);
    return status;
}

/* ---- detections as JSON ---- */

/* The picture's own number, else its name without ending: a number where that is one. */
static void add_image_id(gn_text *json, const gn_sample *sample)
{
    char stem[300];
    int64_t number;
    const char *file = gn_path_name(sample->path);
    const size_t n = strlen(file) - strlen(gn_path_ext(file));
    snprintf(stem, sizeof stem, "%.*s", n < sizeof stem ? (int)n : (int)sizeof stem - 1, file);
    if (sample->id >= 0)
        gn_text_printf(json, "%" PRId64, sample->id);
    else if (gn_parse_i64(stem, &number))
        gn_text_printf(json, "%" PRId64, number);
    else
        gn_text_add_json(json, stem);
}

/* Class of the model -> the set's own number of it. */
static gn_status map_categories(const gn_val_result *r, const gn_model_info *info, const gn_dataset *dataset,
                                int64_t *category)
{
    const int n = gn_dataset_classes(dataset);
    int32_t *map = gn_alloc(((size_t)n + 1) * sizeof *map);
    if (!map)
        return GN_ENOMEM;
    gn_class_map_make(info, dataset, map);
    for (int32_t k = 0; k < r->scored.n_classes; k++)
        category[k] = -1;
    for (int c = 0; c < n; c++)
        if (map[c] >= 0 && map[c] < r->scored.n_classes)
            category[map[c]] = gn_dataset_category_id(dataset, c);
    gn_free(map);
    return GN_OK;
}

static gn_status write_detections(const gn_val_result *r, const gn_dataset *dataset, gn_split split,
                                  const int64_t *category, gn_writer *writer, gn_text *json, gn_error *err)
{
    int64_t written = 0;
    gn_text_add(json, "[");
    for (int64_t i = 0; i < r->scored.n_det; i++) {
        const gn_detection *d = &r->scored.det[i];
        if (category[d->cls] < 0)
            continue; /* a class that the set does not have */
        gn_text_add(json, written++ > 0 ? ",\n {\"image_id\": " : "\n {\"image_id\": ");
        add_image_id(json, gn_dataset_sample(dataset, split, r->scored.sample[d->image]));
        gn_text_printf(json, ", \"category_id\": %" PRId64 ", \"bbox\": [%.9g, %.9g, %.9g, %.9g], \"score\": %.9g}",
                       category[d->cls], d->box.x, d->box.y, d->box.w, d->box.h, d->score);
        if (json->failed)
            return gn_fail(err, GN_ENOMEM, "no memory to write detections");
        if (json->len < JSON_CHUNK_BYTES)
            continue;
        GN_TRY(gn_writer_write(writer, json->data, json->len, err));
        gn_text_deinit(json);
        gn_text_init(json);
    }
    gn_text_add(json, "\n]\n");
    return json->failed ? gn_fail(err, GN_ENOMEM, "no memory to write detections")
                        : gn_writer_write(writer, json->data, json->len, err);
}

gn_status gn_val_write_json(const gn_val_result *result, const gn_model_info *info, const gn_dataset *dataset,
                            gn_split split, const char *path, gn_error *err)
{
    gn_text json;
    gn_writer *writer = NULL;
    int64_t *category = gn_alloc(((size_t)result->scored.n_classes + 1) * sizeof *category);
    if (!category || map_categories(result, info, dataset, category) != GN_OK) {
        gn_free(category);
        return gn_fail(err, GN_ENOMEM, "no memory to write detections");
    }
    gn_text_init(&json);
    gn_status status = gn_writer_open(path, &writer, err);
    if (status == GN_OK)
        status = write_detections(result, dataset, split, category, writer, &json, err);
    if (status == GN_OK)
        status = gn_writer_commit(&writer, err);
    else if (writer)
        gn_writer_abandon(&writer);
    gn_text_deinit(&json);
    gn_free(category);
    return status;
}
