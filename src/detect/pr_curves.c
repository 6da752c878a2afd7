/* What depends on the confidence threshold: the confidence with the best F1, curves of precision, recall and F1, and the optimal LRP
 * error; all at IoU 0.5.
 * Source of LRP: Oksuz, Cam, Akbas and Kalkan 2018, "Localization Recall Precision (LRP)".
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "detect/coco_table.h"
#include "detect/score_order.h"

/* Counts of one class while the confidence threshold falls. */
typedef struct tally {
    double truths, tp, fp;
} tally;

static double tally_f1(const tally *c)
{
    return c->truths > 0 ? 2 * c->tp / (c->tp + c->fp + c->truths) : 0;
}

static void tally_add(tally *c, const gn_coco *coco, int64_t i)
{
    if ((coco->ignored[GN_COCO_ALL][i] & 1) != 0)
        return;
    if ((coco->hit[GN_COCO_ALL][i] & 1) != 0)
        c->tp++;
    else
        c->fp++;
}

/* Everything while the detections of all classes are walked down by score. */
typedef struct walk {
    const gn_coco *coco;
    int64_t *order; /* [n] rows by falling score */
    int32_t *cls;   /* [n] */
    tally *tallies; /* [n_classes] */
    double n_counted;
} walk;

static void walk_deinit(walk *w)
{
    gn_free(w->order);
    gn_free(w->cls);
    gn_free(w->tallies);
}

static gn_status walk_init(walk *w, const gn_coco *coco)
{
    *w = (walk){.coco = coco};
    w->order = gn_alloc(((size_t)coco->n + 1) * sizeof *w->order);
    w->cls = gn_alloc(((size_t)coco->n + 1) * sizeof *w->cls);
    w->tallies = gn_calloc((size_t)coco->n_classes + 1, sizeof *w->tallies);
    if (w->order == NULL || w->cls == NULL || w->tallies == NULL)
        return GN_ENOMEM;
    for (int32_t k = 0; k < coco->n_classes; k++) {
        w->tallies[k].truths = gn_coco_count_truths(coco, k, GN_COCO_ALL, NULL);
        w->n_counted += w->tallies[k].truths > 0;
        for (int64_t i = coco->first[k]; i < coco->first[k + 1]; i++) {
            w->order[i] = i;
            w->cls[i] = k;
        }
    }
    return gn_order_by_score(coco->score, w->order, coco->n);
}

/* The confidence at the end of each run of equal scores with the highest mean F1. */
static double best_confidence(walk *w, double *f1_out)
{
    double f1_sum = 0, best = 0, confidence = 0;
    for (int64_t i = 0; i < w->coco->n; i++) {
        const int64_t row = w->order[i];
        tally *c = &w->tallies[w->cls[row]];
        f1_sum -= tally_f1(c);
        tally_add(c, w->coco, row);
        f1_sum += tally_f1(c);
        const double score = w->coco->score[row];
        const bool run_ends = i + 1 == w->coco->n || w->coco->score[w->order[i + 1]] != score;
        const double f1 = f1_sum / w->n_counted;
        if (!run_ends || f1 <= best + 1e-12)
            continue;
        best = f1;
        confidence = score;
    }
    *f1_out = best;
    return confidence;
}

/* Precision and recall of each class with a true box at a confidence, and their means.  has_any: one of the scores was best. */
static void measure_at(const gn_coco *coco, double confidence, bool has_any, gn_coco_metrics *metrics,
                       gn_coco_class *classes)
{
    double n = 0;
    for (int32_t k = 0; k < coco->n_classes; k++) {
        tally c = {.truths = gn_coco_count_truths(coco, k, GN_COCO_ALL, NULL)};
        if (c.truths == 0)
            continue;
        for (int64_t i = coco->first[k]; has_any && i < coco->first[k + 1] && coco->score[i] >= confidence; i++)
            tally_add(&c, coco, i);
        const double precision = c.tp + c.fp > 0 ? c.tp / (c.tp + c.fp) : 0, recall = c.tp / c.truths;
        metrics->precision += precision;
        metrics->recall += recall;
        n++;
        if (classes == NULL)
            continue;
        classes[k].precision = precision;
        classes[k].recall = recall;
        classes[k].f1 = tally_f1(&c);
    }
    metrics->precision /= n;
    metrics->recall /= n;
}

gn_status gn_coco_best_confidence(const gn_coco *coco, gn_coco_metrics *metrics, gn_coco_class *classes)
{
    walk w;
    const gn_status status = walk_init(&w, coco);
    metrics->precision = metrics->recall = metrics->f1 = metrics->confidence = 0;
    if (status == GN_OK && w.n_counted > 0) {
        metrics->confidence = best_confidence(&w, &metrics->f1);
        measure_at(coco, metrics->confidence, metrics->f1 > 0, metrics, classes);
    } else {
        metrics->precision = metrics->recall = metrics->f1 = (double)NAN;
    }
    walk_deinit(&w);
    return status;
}

double gn_coco_class_lrp(const gn_coco *c, int32_t cls, double *confidence_out)
{
    const double truths = gn_coco_count_truths(c, cls, GN_COCO_ALL, NULL);
    double tp = 0, fp = 0, error = 0, best = 1;
    *confidence_out = 1;
    for (int64_t i = c->first[cls]; i < c->first[cls + 1]; i++) {
        if ((c->hit[GN_COCO_ALL][i] & 1) != 0) {
            tp++;
            error += (1 - (double)c->iou[i]) / 0.5;
        } else if ((c->ignored[GN_COCO_ALL][i] & 1) == 0) {
            fp++;
        }
        const bool run_ends = i + 1 == c->first[cls + 1] || c->score[i + 1] != c->score[i];
        const double lrp = (error + fp + (truths - tp)) / (fp + truths); /* tp + fp + missed = fp + truths */
        if (!run_ends || lrp >= best)
            continue;
        best = lrp;
        *confidence_out = c->score[i];
    }
    return best;
}

void gn_coco_pictures(const gn_coco *c, double confidence, gn_coco_picture *pictures_out)
{
    for (int64_t i = 0; i < c->n_images; i++)
        pictures_out[i] = (gn_coco_picture){0};
    for (int64_t i = 0; i < c->n_truth; i++)
        pictures_out[c->truth_image[i]].missed += (c->truth_ignored[i] & 1) == 0;
    for (int64_t i = 0; i < c->n; i++) {
        gn_coco_picture *p = &pictures_out[c->image[i]];
        if (c->score[i] < confidence || (c->ignored[GN_COCO_ALL][i] & 1) != 0)
            continue;
        const bool is_hit = (c->hit[GN_COCO_ALL][i] & 1) != 0;
        p->hits += is_hit;
        p->missed -= is_hit;
        p->wrong += !is_hit;
    }
}

/* ---- curves ---- */

static void fill_nan(gn_coco_curves *curves)
{
    for (int i = 0; i < GN_CURVE_POINTS; i++)
        curves->precision[i] = curves->recall[i] = curves->f1[i] = curves->envelope[i] = (double)NAN;
}

static double at_point(int i)
{
    return (double)i / (GN_CURVE_POINTS - 1);
}

/* The highest precision at a recall of at least i / 999, for a class with `truths` boxes. */
static void fill_envelope(const gn_coco *c, int32_t cls, double truths, double *envelope)
{
    tally all = {.truths = truths};
    for (int i = 0; i < GN_CURVE_POINTS; i++)
        envelope[i] = 0;
    for (int64_t i = c->first[cls]; i < c->first[cls + 1]; i++) {
        tally_add(&all, c, i);
        if ((c->hit[GN_COCO_ALL][i] & 1) == 0)
            continue;
        int point = (int)(all.tp / truths * (GN_CURVE_POINTS - 1) + 1e-9);
        point = point < GN_CURVE_POINTS ? point : GN_CURVE_POINTS - 1;
        envelope[point] = fmax(envelope[point], all.tp / (all.tp + all.fp));
    }
    for (int i = GN_CURVE_POINTS - 2; i >= 0; i--)
        envelope[i] = fmax(envelope[i], envelope[i + 1]);
}

/* False when the class has no true box. */
static bool class_curves(const gn_coco *c, int32_t cls, gn_coco_curves *out)
{
    tally now = {.truths = gn_coco_count_truths(c, cls, GN_COCO_ALL, NULL)};
    if (now.truths == 0)
        return false;
    int64_t at = c->first[cls];
    for (int i = GN_CURVE_POINTS - 1; i >= 0; i--) {
        for (; at < c->first[cls + 1] && c->score[at] >= at_point(i); at++)
            tally_add(&now, c, at);
        out->precision[i] = now.tp + now.fp > 0 ? now.tp / (now.tp + now.fp) : 1;
        out->recall[i] = now.tp / now.truths;
        out->f1[i] = tally_f1(&now);
    }
    fill_envelope(c, cls, now.truths, out->envelope);
    return true;
}

static void add_curve(double *sum, const double *x)
{
    for (int i = 0; i < GN_CURVE_POINTS; i++)
        sum[i] += x[i];
}

static void divide_curve(double *sum, double n)
{
    for (int i = 0; i < GN_CURVE_POINTS; i++)
        sum[i] /= n;
}

static gn_status mean_curves(const gn_coco *coco, gn_coco_curves *out)
{
    gn_coco_curves *one = gn_alloc(sizeof *one);
    if (one == NULL)
        return GN_ENOMEM;
    double n = 0;
    memset(out, 0, sizeof *out);
    for (int32_t k = 0; k < coco->n_classes; k++) {
        if (!class_curves(coco, k, one))
            continue;
        n++;
        add_curve(out->precision, one->precision);
        add_curve(out->recall, one->recall);
        add_curve(out->f1, one->f1);
        add_curve(out->envelope, one->envelope);
    }
    divide_curve(out->precision, n); /* 0 / 0 is the NaN that is wanted */
    divide_curve(out->recall, n);
    divide_curve(out->f1, n);
    divide_curve(out->envelope, n);
    gn_free(one);
    return GN_OK;
}

gn_status gn_coco_curves_of(const gn_coco *coco, int32_t cls, gn_coco_curves *curves_out)
{
    if (cls < -1 || cls >= coco->n_classes)
        return GN_EINVAL;
    if (cls < 0)
        return mean_curves(coco, curves_out);
    if (!class_curves(coco, cls, curves_out))
        fill_nan(curves_out);
    return GN_OK;
}
