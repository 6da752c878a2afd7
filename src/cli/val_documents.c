/* JSON files about a model's answers; see val_documents.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/val_documents.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/cli_json.h"

#define CURVE_POINTS     101 /* of the 1000 that are counted */
#define MAX_CURVES       80  /* classes with a curve of their own */
#define MAX_CONFUSION    101 /* classes beyond which no matrix is written */
#define CONFUSION_CONF   0.25
#define CONFUSION_IOU    0.45
#define CALIBRATION_FROM 0.1 /* detections below are left out */

/* Four digits after the point: what a plot can show, in a third of the bytes. */
static void put_short(gn_jsonw *j, const char *key, double x)
{
    gn_jsonw_num(j, key, isfinite(x) ? round(x * 1e4) / 1e4 : x);
}

/* Writes and frees. */
static gn_status save(gn_jsonw *j, const char *folder, const char *name, gn_error *err)
{
    char path[1024];
    const char *text = gn_jsonw_text(j);
    gn_status status = gn_path_join(folder, name, path, sizeof path);
    if (text == NULL)
        status = gn_fail(err, GN_ENOMEM, "no memory to write %s", name);
    else if (status != GN_OK)
        gn_fail(err, status, "the path of %s in %s is too long", name, folder);
    else
        status = gn_file_write(path, text, strlen(text), err);
    gn_jsonw_deinit(j);
    return status;
}

static gn_status save_inapplicable(const char *why, const char *folder, const char *name, gn_error *err)
{
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_bool(&j, "applicable", false);
    gn_jsonw_str(&j, "reason", why);
    return save(&j, folder, name, err);
}

/* --- curves --------------------------------------------------------------------------------------------------------- */

static int point_at(int i)
{
    return (i * (GN_CURVE_POINTS - 1) + (CURVE_POINTS - 1) / 2) / (CURVE_POINTS - 1);
}

static void put_points(gn_jsonw *j, const char *key, const double *values)
{
    gn_jsonw_array(j, key);
    for (int i = 0; i < CURVE_POINTS; i++)
        put_short(j, NULL, values != NULL ? values[point_at(i)] : (double)point_at(i) / (GN_CURVE_POINTS - 1));
    gn_jsonw_end(j);
}

/* cls -1: the mean. */
static gn_status put_curve(gn_jsonw *j, const gn_val_result *r, const gn_coco *coco, int32_t cls, gn_coco_curves *room)
{
    GN_TRY(gn_coco_curves_of(coco, cls, room));
    gn_jsonw_object(j, NULL);
    gn_jsonw_str(j, "name", cls < 0 ? "all" : r->names[cls]);
    gn_jsonw_int(j, "truths", cls < 0 ? r->accuracy.coco.truths : r->classes[cls].truths);
    put_short(j, "ap50", cls < 0 ? r->accuracy.coco.map50 : r->classes[cls].ap[0]);
    put_points(j, "precision", room->envelope);
    put_points(j, "p_conf", room->precision);
    put_points(j, "r_conf", room->recall);
    put_points(j, "f1_conf", room->f1);
    gn_jsonw_end(j);
    return GN_OK;
}

static gn_status write_curves(const gn_val_result *r, const gn_coco *coco, const char *folder, gn_error *err)
{
    gn_jsonw j;
    int32_t n = 0;
    gn_coco_curves *room = gn_alloc(sizeof *room);
    gn_status status = room != NULL ? GN_OK : GN_ENOMEM;
    gn_jsonw_init(&j);
    gn_jsonw_bool(&j, "applicable", true);
    gn_jsonw_num(&j, "iou", 0.5);
    put_short(&j, "best_confidence", r->accuracy.coco.confidence);
    put_points(&j, "recall", NULL);
    put_points(&j, "confidence", NULL);
    gn_jsonw_array(&j, "classes");
    if (status == GN_OK)
        status = put_curve(&j, r, coco, -1, room);
    for (int32_t k = 0; k < r->scored.n_classes && r->scored.n_classes > 1 && n < MAX_CURVES && status == GN_OK; k++)
        if (r->classes[k].truths > 0) {
            status = put_curve(&j, r, coco, k, room);
            n++;
        }
    gn_free(room);
    if (status != GN_OK) {
        gn_jsonw_deinit(&j);
        return gn_fail(err, status, "counting curves: %s", gn_status_sentence(status));
    }
    return save(&j, folder, "curves.json", err);
}

/* --- confusion ------------------------------------------------------------------------------------------------------ */

static gn_status save_matrix(gn_jsonw *j, const char *const *names, int n_names, const char *last, const int64_t *count,
                             const char *folder, gn_error *err)
{
    const int side = n_names + (last != NULL);
    gn_jsonw_array(j, "names");
    for (int i = 0; i < n_names; i++)
        gn_jsonw_str(j, NULL, names[i]);
    if (last != NULL)
        gn_jsonw_str(j, NULL, last);
    gn_jsonw_end(j);
    gn_jsonw_array(j, "count");
    for (int row = 0; row < side; row++) {
        gn_jsonw_array(j, NULL);
        for (int c = 0; c < side; c++)
            gn_jsonw_int(j, NULL, count[row * side + c]);
        gn_jsonw_end(j);
    }
    gn_jsonw_end(j);
    return save(j, folder, "confusion.json", err);
}

static gn_status write_confusion(const gn_val_result *r, const char *folder, gn_error *err)
{
    const gn_coco_input input = gn_scored_split_input(&r->scored);
    const size_t side = (size_t)r->scored.n_classes + 1;
    gn_jsonw j;
    if (r->scored.n_classes >= MAX_CONFUSION)
        return save_inapplicable("the classes are too many to show", folder, "confusion.json", err);
    int64_t *count = gn_alloc(side * side * sizeof *count);
    gn_status status = count != NULL ? gn_confusion_matrix(&input, CONFUSION_CONF, CONFUSION_IOU, count) : GN_ENOMEM;
    if (status != GN_OK) {
        gn_free(count);
        return gn_fail(err, status, "counting the confusion matrix: %s", gn_status_sentence(status));
    }
    gn_jsonw_init(&j);
    gn_jsonw_bool(&j, "applicable", true);
    gn_jsonw_num(&j, "confidence", CONFUSION_CONF);
    gn_jsonw_num(&j, "iou", CONFUSION_IOU);
    status = save_matrix(&j, r->names, (int)side - 1, "background", count, folder, err);
    gn_free(count);
    return status;
}

static gn_status write_class_confusion(const gn_val_result *r, const char *const *names, int n_names,
                                       const char *folder, gn_error *err)
{
    gn_jsonw j;
    if (n_names < 1 || n_names >= MAX_CONFUSION)
        return save_inapplicable(n_names < 1 ? "the classes have no names" : "the classes are too many to show", folder,
                                 "confusion.json", err);
    int64_t *count = gn_calloc((size_t)n_names * (size_t)n_names, sizeof *count);
    if (count == NULL)
        return gn_fail(err, GN_ENOMEM, "no memory for the confusion matrix");
    for (int64_t i = 0; i < r->n_answers; i++)
        if (r->answer[i].cls < n_names && r->answer[i].label < n_names)
            count[r->answer[i].cls * n_names + r->answer[i].label]++;
    gn_jsonw_init(&j);
    gn_jsonw_bool(&j, "applicable", true);
    const gn_status status = save_matrix(&j, names, n_names, NULL, count, folder, err);
    gn_free(count);
    return status;
}

/* --- calibration ---------------------------------------------------------------------------------------------------- */

static gn_status save_calibration(const gn_calibration *c, const char *what, const char *folder, gn_error *err)
{
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_bool(&j, "applicable", true);
    gn_jsonw_str(&j, "what", what);
    gn_jsonw_int(&j, "n", c->n);
    put_short(&j, "ece", c->ece);
    put_short(&j, "mce", c->mce);
    put_short(&j, "brier", c->brier);
    gn_jsonw_array(&j, "bins");
    for (int b = 0; b < GN_CALIBRATION_BINS; b++) {
        gn_jsonw_object(&j, NULL);
        gn_jsonw_num(&j, "low", c->bin[b].low);
        gn_jsonw_num(&j, "high", c->bin[b].high);
        gn_jsonw_int(&j, "n", c->bin[b].n);
        put_short(&j, "confidence", c->bin[b].confidence);
        put_short(&j, "accuracy", c->bin[b].accuracy);
        gn_jsonw_end(&j);
    }
    gn_jsonw_end(&j);
    return save(&j, folder, "calibration.json", err);
}

static gn_status write_calibration(const gn_coco *coco, bool is_detector, const char *folder, gn_error *err)
{
    gn_calibration c;
    const gn_status status = gn_coco_calibration(coco, is_detector ? CALIBRATION_FROM : 0, &c);
    if (status != GN_OK)
        return gn_fail(err, status, "counting calibration: %s", gn_status_sentence(status));
    return save_calibration(&c,
                            is_detector ? "detections that score 0.1 or more and are right (IoU 0.5)"
                                        : "boxes that are right (IoU 0.5)",
                            folder, err);
}

static gn_status write_class_calibration(const gn_val_result *r, const char *folder, gn_error *err)
{
    gn_calibration c;
    double *score = gn_alloc(((size_t)r->n_answers + 1) * sizeof *score);
    bool *is_right = gn_alloc(((size_t)r->n_answers + 1) * sizeof *is_right);
    if (score != NULL && is_right != NULL) {
        for (int64_t i = 0; i < r->n_answers; i++) {
            score[i] = (double)r->answer[i].score;
            is_right[i] = r->answer[i].cls == r->answer[i].label;
        }
        gn_calibration_of(score, is_right, r->n_answers, &c);
    }
    const gn_status status = score != NULL && is_right != NULL
                                 ? save_calibration(&c, "pictures whose class is right", folder, err)
                                 : gn_fail(err, GN_ENOMEM, "no memory for calibration");
    gn_free(score);
    gn_free(is_right);
    return status;
}

/* --- pictures ------------------------------------------------------------------------------------------------------- */

static void put_name(gn_jsonw *j, const gn_sample *sample, bool hides_names)
{
    char hash[20];
    const char *name = gn_path_name(sample->path);
    snprintf(hash, sizeof hash, "%016" PRIx64, gn_hash64(name, strlen(name), 0));
    gn_jsonw_str(j, "name", hides_names ? hash : name);
}

static gn_status write_pictures(const gn_val_result *r, const gn_dataset *dataset, gn_split split, bool hides_names,
                                const char *folder, gn_error *err)
{
    const int64_t n = r->n_answers > 0 ? r->n_answers : r->scored.n_images;
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_str(&j, "metric", r->n_answers > 0 ? "correct" : r->has_boxes ? "iou" : "f1");
    gn_jsonw_num(&j, "confidence", r->has_objects ? r->accuracy.coco.confidence : (double)NAN);
    gn_jsonw_array(&j, "pictures");
    for (int64_t i = 0; i < n; i++) {
        const int64_t sample = r->n_answers > 0 ? r->answer[i].sample : r->scored.sample[i];
        gn_jsonw_object(&j, NULL);
        put_name(&j, gn_dataset_sample(dataset, split, sample), hides_names);
        if (r->n_answers > 0)
            gn_jsonw_int(&j, "score", r->answer[i].cls == r->answer[i].label);
        else
            put_short(&j, "score", r->picture_score[i]);
        gn_jsonw_end(&j);
    }
    gn_jsonw_end(&j);
    return save(&j, folder, "pictures.json", err);
}

/* --- all ------------------------------------------------------------------------------------------------------------ */

static gn_status write_of_boxes(const gn_val_result *r, const char *folder, gn_error *err)
{
    static const char no_score[] = "the head answers with one box without a score";
    const gn_coco_input input = gn_scored_split_input(&r->scored);
    gn_coco *coco = NULL;
    GN_TRY(write_confusion(r, folder, err));
    if (!r->has_scores) {
        GN_TRY(save_inapplicable(no_score, folder, "curves.json", err));
        return save_inapplicable(no_score, folder, "calibration.json", err);
    }
    gn_status status = gn_coco_create(&input, &coco);
    if (status != GN_OK)
        return gn_fail(err, status, "counting curves: %s", gn_status_sentence(status));
    status = write_curves(r, coco, folder, err);
    if (status == GN_OK)
        status = write_calibration(coco, r->has_objects, folder, err);
    gn_coco_destroy(&coco);
    return status;
}

gn_status gn_val_write_documents(const gn_val_result *result, const gn_dataset *dataset, gn_split split,
                                 const char *const *names, int n_names, bool hides_names, const char *folder,
                                 gn_error *err)
{
    GN_TRY(gn_make_dirs(folder, err));
    if (result->n_answers > 0) {
        GN_TRY(save_inapplicable("a classifier has no boxes", folder, "curves.json", err));
        GN_TRY(write_class_confusion(result, names, n_names, folder, err));
        GN_TRY(write_class_calibration(result, folder, err));
    } else {
        GN_TRY(write_of_boxes(result, folder, err));
    }
    return write_pictures(result, dataset, split, hides_names, folder, err);
}
