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

gn_status gn_val_result_take(gn_val_result *result, gn_scored_split *scored, const char *const *names, int n_names,
                             const gn_accuracy_options *options, gn_error *err)
{
    gn_val_result *r = result;
    const size_t n = (size_t)scored->n_classes + 1;
    r->scored = *scored;
    *scored = (gn_scored_split){.n_images = 0};
    r->has_objects = true;
    r->classes = gn_calloc(n, sizeof *r->classes);
    r->voc = gn_calloc(n, sizeof *r->voc);
    r->names = gn_calloc(n, sizeof *r->names);
    r->arena = gn_arena_create(0);
    if (!r->classes || !r->voc || !r->names || !r->arena || name_classes(r, names, n_names) != GN_OK)
        return gn_fail(err, GN_ENOMEM, "no memory for the figures of %d classes", (int)r->scored.n_classes);
    GN_TRY(gn_accuracy_of_split(&r->scored, options, &r->accuracy, r->classes, err));
    const gn_coco_input input = gn_scored_split_input(&r->scored);
    const gn_status status = gn_voc_evaluate(&input, VOC_IOU, r->voc, &r->voc_ap11, &r->voc_ap);
    return status == GN_OK ? status
                           : gn_fail(err, status, "counting as PASCAL VOC does: %s", gn_status_sentence(status));
}
