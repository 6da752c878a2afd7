/* Calibration of scores; see calibration.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/calibration.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "detect/coco_table.h"

static int bin_of(double score)
{
    const int bin = (int)ceil(score * GN_CALIBRATION_BINS - 1e-12) - 1;
    return bin < 0 ? 0 : bin < GN_CALIBRATION_BINS ? bin : GN_CALIBRATION_BINS - 1;
}

void gn_calibration_of(const double *score, const bool *is_right, int64_t n, gn_calibration *out)
{
    double sum[GN_CALIBRATION_BINS] = {0}, right[GN_CALIBRATION_BINS] = {0}, brier = 0, error = 0, worst = 0;
    memset(out, 0, sizeof *out);
    for (int64_t i = 0; i < n; i++) {
        const double s = fmin(1, fmax(0, score[i])), off = s - (is_right[i] ? 1 : 0);
        gn_calibration_bin *bin = &out->bin[bin_of(s)];
        bin->n++;
        sum[bin_of(s)] += s;
        right[bin_of(s)] += is_right[i] ? 1 : 0;
        brier += off * off;
    }
    for (int b = 0; b < GN_CALIBRATION_BINS; b++) {
        gn_calibration_bin *bin = &out->bin[b];
        bin->low = (double)b / GN_CALIBRATION_BINS;
        bin->high = (double)(b + 1) / GN_CALIBRATION_BINS;
        bin->confidence = bin->n > 0 ? sum[b] / (double)bin->n : (double)NAN;
        bin->accuracy = bin->n > 0 ? right[b] / (double)bin->n : (double)NAN;
        if (bin->n == 0)
            continue;
        const double gap = fabs(bin->accuracy - bin->confidence);
        error += gap * (double)bin->n;
        worst = fmax(worst, gap);
    }
    out->n = n;
    out->ece = n > 0 ? error / (double)n : (double)NAN;
    out->mce = n > 0 ? worst : (double)NAN;
    out->brier = n > 0 ? brier / (double)n : (double)NAN;
}

gn_status gn_coco_calibration(const gn_coco *coco, double from, gn_calibration *out)
{
    double *score = gn_alloc(((size_t)coco->n + 1) * sizeof *score);
    bool *is_right = gn_alloc(((size_t)coco->n + 1) * sizeof *is_right);
    int64_t n = 0;
    if (score == NULL || is_right == NULL) {
        gn_free(score);
        gn_free(is_right);
        return GN_ENOMEM;
    }
    for (int64_t i = 0; i < coco->n; i++) {
        if (coco->score[i] < from || (coco->ignored[GN_COCO_ALL][i] & 1) != 0)
            continue;
        score[n] = coco->score[i];
        is_right[n++] = (coco->hit[GN_COCO_ALL][i] & 1) != 0;
    }
    gn_calibration_of(score, is_right, n, out);
    gn_free(score);
    gn_free(is_right);
    return GN_OK;
}
