/* Percentile bootstrap (Efron 1979) of average precision over pictures: detections are matched once, pictures are drawn with
 * replacement, and the matched ones counted again with how often their picture was drawn.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "detect/bootstrap.h"
#include "detect/coco_table.h"

/* Mean over classes of AP at IoU 0.5, and over all thresholds when n_thresholds is more than 1; NaN without a true box. */
static void mean_aps(const gn_coco *c, int n_thresholds, const int32_t *weight, gn_coco_scratch *scratch,
                     double *map50_out, double *map50_95_out)
{
    double ap[GN_COCO_THRESHOLDS], recall[GN_COCO_THRESHOLDS], first = 0, all = 0;
    int64_t n = 0;
    for (int32_t k = 0; k < c->n_classes; k++) {
        if (!gn_coco_class_ap(c, k, GN_COCO_ALL, n_thresholds, weight, scratch, ap, recall))
            continue;
        n++;
        first += ap[0];
        for (int t = 0; t < n_thresholds; t++)
            all += ap[t] / n_thresholds;
    }
    *map50_out = n > 0 ? first / (double)n : (double)NAN;
    *map50_95_out = n > 0 ? all / (double)n : (double)NAN;
}

static void draw_pictures(int32_t *weight, int64_t n_images, uint64_t seed, int r)
{
    gn_rng rng;
    gn_rng_init(&rng, seed, (uint64_t)r);
    memset(weight, 0, (size_t)n_images * sizeof *weight);
    for (int64_t i = 0; i < n_images; i++)
        weight[gn_rng_below(&rng, n_images)]++;
}

gn_status gn_coco_bootstrap(const gn_coco *c, int resamples, uint64_t seed, gn_interval *map50_out,
                            gn_interval *map50_95_out)
{
    if (resamples < 1 || resamples > GN_BOOTSTRAP_MAX_RESAMPLES)
        return GN_EINVAL;
    gn_status status = GN_ENOMEM;
    const int n_thresholds = map50_95_out != NULL ? GN_COCO_THRESHOLDS : 1;
    gn_coco_scratch scratch = {{0}, {0}};
    double *map50 = gn_alloc((size_t)resamples * sizeof *map50),
           *map50_95 = gn_alloc((size_t)resamples * sizeof *map50_95);
    int32_t *weight = gn_alloc(((size_t)c->n_images + 1) * sizeof *weight);
    if (map50 == NULL || map50_95 == NULL || weight == NULL || gn_coco_scratch_init(&scratch, c) != GN_OK)
        goto cleanup;
    for (int r = 0; r < resamples; r++) {
        draw_pictures(weight, c->n_images, seed, r);
        mean_aps(c, n_thresholds, weight, &scratch, &map50[r], &map50_95[r]);
    }
    double value50, value50_95;
    mean_aps(c, n_thresholds, NULL, &scratch, &value50, &value50_95);
    if (map50_out != NULL)
        *map50_out = gn_bootstrap_interval(value50, map50, resamples);
    if (map50_95_out != NULL)
        *map50_95_out = gn_bootstrap_interval(value50_95, map50_95, resamples);
    status = GN_OK;

cleanup:
    gn_free(map50);
    gn_free(map50_95);
    gn_free(weight);
    gn_coco_scratch_deinit(&scratch);
    return status;
}
