/* Single-box metrics, accuracy of classifiers, and the percentile bootstrap (Efron 1979) over pictures; see metrics.h.  COCO average precision is in
 * coco_ap.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/metrics.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"
#include "detect/bootstrap.h"

double gn_single_iou(const gn_box *pred, const gn_box *truth, int64_t n_truth)
{
    double best = -1;
    for (int64_t i = 0; i < n_truth; i++) {
        const double iou = gn_box_iou(pred, &truth[i]);
        if (iou > best)
            best = iou;
    }
    return best;
}

gn_single_metrics gn_single_metrics_of(const double *ious, int64_t n_images)
{
    gn_single_metrics m = {.images = n_images};
    double sum = 0;
    for (int64_t i = 0; i < n_images; i++) {
        if (ious[i] < 0)
            continue;
        m.counted++;
        sum += ious[i];
        if (ious[i] > 0.5)
            m.true_positives++;
    }
    m.false_positives = m.counted - m.true_positives;
    m.mean_iou = m.counted > 0 ? sum / (double)m.counted : (double)NAN;
    m.box_precision50 = m.counted > 0 ? (double)m.true_positives / (double)m.counted : (double)NAN;
    return m;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear interpolation between order statistics; x sorted, n > 0, q 0..1. */
static double quantile(const double *x, int n, double q)
{
    const double at = q * (n - 1);
    const int i = (int)at;
    return i + 1 < n ? x[i] + (at - i) * (x[i + 1] - x[i]) : x[n - 1];
}

gn_interval gn_bootstrap_interval(double value, double *resampled, int n)
{
    gn_interval interval = {value, (double)NAN, (double)NAN};
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (!isnan(resampled[i]))
            resampled[kept++] = resampled[i];
    if (kept == 0)
        return interval;
    qsort(resampled, (size_t)kept, sizeof *resampled, compare_doubles);
    interval.low = quantile(resampled, kept, 0.025);
    interval.high = quantile(resampled, kept, 0.975);
    return interval;
}

gn_status gn_single_bootstrap(const double *ious, int64_t n_images, int resamples, uint64_t seed,
                              gn_interval *mean_iou_out, gn_interval *box_precision50_out)
{
    if (resamples < 1 || resamples > GN_BOOTSTRAP_MAX_RESAMPLES || n_images < 0)
        return GN_EINVAL;
    gn_status status = GN_ENOMEM;
    double *counted = gn_alloc(((size_t)n_images + 1) * sizeof *counted);
    double *mean = gn_alloc((size_t)resamples * sizeof *mean);
    double *precision = gn_alloc((size_t)resamples * sizeof *precision);
    if (counted == NULL || mean == NULL || precision == NULL)
        goto cleanup;

    int64_t n = 0;
    for (int64_t i = 0; i < n_images; i++)
        if (ious[i] >= 0)
            counted[n++] = ious[i];
    for (int r = 0; r < resamples; r++) {
        gn_rng rng;
        gn_rng_init(&rng, seed, (uint64_t)r);
        double sum = 0;
        int64_t hits = 0;
        for (int64_t i = 0; i < n; i++) {
            const double iou = counted[gn_rng_below(&rng, n)];
            sum += iou;
            hits += iou > 0.5;
        }
        mean[r] = n > 0 ? sum / (double)n : (double)NAN;
        precision[r] = n > 0 ? (double)hits / (double)n : (double)NAN;
    }
    const gn_single_metrics m = gn_single_metrics_of(ious, n_images);
    *mean_iou_out = gn_bootstrap_interval(m.mean_iou, mean, resamples);
    *box_precision50_out = gn_bootstrap_interval(m.box_precision50, precision, resamples);
    status = GN_OK;

cleanup:
    gn_free(counted);
    gn_free(mean);
    gn_free(precision);
    return status;
}

int32_t gn_top_rank(const float *logits, int64_t n, int64_t label)
{
    int32_t rank = 0;
    for (int64_t c = 0; c < n; c++) {
        if (isnan(logits[c]))
            return -1;
        rank += logits[c] > logits[label] || (logits[c] == logits[label] && c < label);
    }
    return rank;
}

gn_top_metrics gn_top_metrics_of(const int32_t *ranks, int64_t n)
{
    int64_t first = 0, fifth = 0;
    for (int64_t i = 0; i < n; i++) {
        first += ranks[i] == 0;
        fifth += ranks[i] >= 0 && ranks[i] < 5;
    }
    return (gn_top_metrics){
        .images = n,
        .top1 = n > 0 ? (double)first / (double)n : (double)NAN,
        .top5 = n > 0 ? (double)fifth / (double)n : (double)NAN,
    };
}

gn_status gn_top_bootstrap(const int32_t *ranks, int64_t n, int resamples, uint64_t seed, gn_interval *top1_out,
                           gn_interval *top5_out)
{
    if (resamples < 1 || resamples > GN_BOOTSTRAP_MAX_RESAMPLES || n < 0)
        return GN_EINVAL;
    double *top1 = gn_alloc((size_t)resamples * sizeof *top1), *top5 = gn_alloc((size_t)resamples * sizeof *top5);
    if (top1 == NULL || top5 == NULL) {
        gn_free(top1);
        gn_free(top5);
        return GN_ENOMEM;
    }
    for (int r = 0; r < resamples; r++) {
        gn_rng rng;
        gn_rng_init(&rng, seed, (uint64_t)r);
        int64_t first = 0, fifth = 0;
        for (int64_t i = 0; i < n; i++) {
            const int32_t rank = ranks[gn_rng_below(&rng, n)];
            first += rank == 0;
            fifth += rank >= 0 && rank < 5;
        }
        top1[r] = n > 0 ? (double)first / (double)n : (double)NAN;
        top5[r] = n > 0 ? (double)fifth / (double)n : (double)NAN;
    }
    const gn_top_metrics m = gn_top_metrics_of(ranks, n);
    *top1_out = gn_bootstrap_interval(m.top1, top1, resamples);
    *top5_out = gn_bootstrap_interval(m.top5, top5, resamples);
    gn_free(top1);
    gn_free(top5);
    return GN_OK;
}
