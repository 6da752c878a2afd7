/* Figures of scored detections; see val_result.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/val_result.h"

#include <math.h>

#include "base/memory.h"

#define VOC_IOU 0.5

gn_val_result gn_val_result_nothing(void)
{
    return (gn_val_result){.accuracy = gn_accuracy_nothing(),
                           .voc_ap11 = (double)NAN,
                           .voc_ap = (double)NAN,
                           .preprocess_ms = (double)NAN};
}

void gn_val_result_deinit(gn_val_result *result)
{
    gn_scored_split_deinit(&result->scored);
    gn_free(result->classes);
    gn_free(result->voc);
    gn_free(result->names);
    gn_free(result->picture);
    gn_free(result->picture_score);
    gn_free(result->answer);
    gn_arena_destroy(&result->arena);
    *result = gn_val_result_nothing();
}

static gn_status name_classes(gn_val_result *r, const char *const *names, int n_names)
{
    for (int32_t k = 0; k < r->scored.n_classes; k++) {
        r->names[k] = k < n_names ? names[k] : gn_arena_printf(r->arena, "%d", (int)k);
        if (r->names[k] == NULL)
            return GN_ENOMEM;
    }
    return GN_OK;
}

/* Hits and mistakes of every picture at the best confidence, and their F1; a picture with nothing to find and nothing found is right. */
static gn_status score_pictures(gn_val_result *r)
{
    const gn_coco_input input = gn_scored_split_input(&r->scored);
    const size_t n = (size_t)input.n_images;
    gn_coco *coco = NULL;
    r->picture = gn_calloc(n + 1, sizeof *r->picture);
    r->picture_score = gn_alloc((n + 1) * sizeof *r->picture_score);
    if (!r->picture || !r->picture_score)
        return GN_ENOMEM;
    GN_TRY(gn_coco_create(&input, &coco));
    gn_coco_pictures(coco, r->has_boxes ? 0 : r->accuracy.coco.confidence, r->picture);
    gn_coco_destroy(&coco);
    for (size_t i = 0; i < n; i++) {
        const gn_coco_picture *p = &r->picture[i];
        const double all = 2.0 * p->hits + p->wrong + p->missed;
        r->picture_score[i] = all > 0 ? 2.0 * p->hits / all : 1;
    }
    return GN_OK;
}

gn_status gn_val_result_take_boxes(gn_val_result *result, const gn_scored_picture *pictures, int64_t n,
                                   const gn_dataset *dataset, gn_split split, bool has_scores, gn_error *err)
{
    gn_val_result *r = result;
    int32_t *one_class = gn_calloc((size_t)gn_dataset_classes(dataset) + 1, sizeof *one_class);
    r->names = gn_calloc(1, sizeof *r->names);
    r->scored.det = gn_calloc((size_t)n + 1, sizeof *r->scored.det);
    gn_status status = one_class && r->names && r->scored.det ? GN_OK : GN_ENOMEM;
    if (status == GN_OK)
        status = gn_scored_split_reserve(&r->scored, dataset, split);
    for (int64_t i = 0; i < n && status == GN_OK; i++) {
        gn_scored_split_add_truths(&r->scored, gn_dataset_sample(dataset, split, pictures[i].sample), one_class);
        r->scored.det[r->scored.n_det++] = (gn_detection){
            .image = i, .cls = 0, .score = (double)pictures[i].score, .box = gn_rect_of(&pictures[i].box)};
        r->scored.sample[r->scored.n_images++] = pictures[i].sample;
    }
    r->scored.n_classes = 1;
    r->has_boxes = true;
    r->has_scores = has_scores;
    if (status == GN_OK) {
        r->names[0] = gn_dataset_classes(dataset) == 1 ? gn_dataset_class_name(dataset, 0) : "object";
        status = score_pictures(r);
    }
    for (int64_t i = 0; i < n && status == GN_OK; i++)
        r->picture_score[i] = pictures[i].iou >= 0 ? pictures[i].iou : (double)NAN;
    gn_free(one_class);
    return status == GN_OK ? status : gn_fail(err, status, "scoring the pictures: %s", gn_status_sentence(status));
}

gn_status gn_val_result_take(gn_val_result *result, gn_scored_split *scored, const char *const *names, int n_names,
                             const gn_accuracy_options *options, gn_error *err)
{
    gn_val_result *r = result;
    const size_t n = (size_t)scored->n_classes + 1;
    r->scored = *scored;
    *scored = (gn_scored_split){.n_images = 0};
    r->has_objects = r->has_scores = true;
    r->classes = gn_calloc(n, sizeof *r->classes);
    r->voc = gn_calloc(n, sizeof *r->voc);
    r->names = gn_calloc(n, sizeof *r->names);
    r->arena = gn_arena_create(0);
    if (!r->classes || !r->voc || !r->names || !r->arena || name_classes(r, names, n_names) != GN_OK)
        return gn_fail(err, GN_ENOMEM, "no memory for the figures of %d classes", (int)r->scored.n_classes);
    GN_TRY(gn_accuracy_of_split(&r->scored, options, &r->accuracy, r->classes, err));
    const gn_coco_input input = gn_scored_split_input(&r->scored);
    gn_status status = score_pictures(r);
    if (status != GN_OK)
        return gn_fail(err, status, "scoring the pictures: %s", gn_status_sentence(status));
    status = gn_voc_evaluate(&input, VOC_IOU, r->voc, &r->voc_ap11, &r->voc_ap);
    return status == GN_OK ? status
                           : gn_fail(err, status, "counting as PASCAL VOC does: %s", gn_status_sentence(status));
}
