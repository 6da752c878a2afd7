/* Average precision and recall as pycocotools counts them from matched detections: 101 recall points, means over classes.
 * The highest precision at or beyond a recall is always reached at a hit, so that only hits are kept as points.
 * Source: Lin et al. 2014, "Microsoft COCO"; the evaluation of cocodataset.org/#detection-eval.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "detect/coco_table.h"

#define RECALL_POINTS 101
#define EPS           2.220446049250313e-16 /* keeps 0/0 out of the precision, as numpy.spacing(1) does */

double gn_coco_count_truths(const gn_coco *c, int32_t cls, gn_coco_size size, const int32_t *weight)
{
    int64_t n = 0;
    for (int64_t i = c->first_truth[cls]; i < c->first_truth[cls + 1]; i++)
        if ((c->truth_ignored[i] >> size & 1) == 0)
            n += weight != NULL ? weight[c->truth_image[i]] : 1;
    return (double)n;
}

void gn_coco_scratch_deinit(gn_coco_scratch *scratch)
{
    gn_free(scratch->tp[0]);
    *scratch = (gn_coco_scratch){0};
}

gn_status gn_coco_scratch_init(gn_coco_scratch *scratch, const gn_coco *c)
{
    /* No class has more hits than true boxes. */
    int64_t most = 0;
    for (int32_t k = 0; k < c->n_classes; k++)
        if (c->first_truth[k + 1] - c->first_truth[k] > most)
            most = c->first_truth[k + 1] - c->first_truth[k];
    const size_t length = (size_t)most + 1;
    double *block = gn_alloc(length * 2 * GN_COCO_THRESHOLDS * sizeof *block);
    if (block == NULL)
        return GN_ENOMEM;
    for (int t = 0; t < GN_COCO_THRESHOLDS; t++) {
        scratch->tp[t] = block + (size_t)(2 * t) * length;
        scratch->fp[t] = block + (size_t)(2 * t + 1) * length;
    }
    return GN_OK;
}

/* Mean over 101 recalls of the highest precision at or beyond each.  tp, fp: [n] at the hits; fp becomes the precision. */
static double area_under(const double *tp, double *fp, int64_t n, double n_truth)
{
    for (int64_t i = 0; i < n; i++)
        fp[i] = tp[i] / (fp[i] + tp[i] + EPS);
    for (int64_t i = n - 1; i > 0; i--)
        if (fp[i] > fp[i - 1])
            fp[i - 1] = fp[i];
    double sum = 0;
    int64_t at = 0;
    for (int r = 0; r < RECALL_POINTS; r++) {
        const double point = r == RECALL_POINTS - 1 ? 1.0 : r * 0.01; /* numpy.linspace(0, 1, 101) */
        while (at < n && tp[at] / n_truth < point)
            at++;
        if (at == n)
            break;
        sum += fp[at];
    }
    return sum / RECALL_POINTS;
}

bool gn_coco_class_ap(const gn_coco *c, int32_t cls, gn_coco_size size, int n_thresholds, const int32_t *weight,
                      gn_coco_scratch *scratch, double *ap_out, double *recall_out)
{
    const double n_truth = gn_coco_count_truths(c, cls, size, weight);
    if (n_truth == 0)
        return false;
    const uint16_t *hit = c->hit[size], *ignored = c->ignored[size];
    double tp[GN_COCO_THRESHOLDS] = {0}, fp[GN_COCO_THRESHOLDS] = {0};
    int64_t n[GN_COCO_THRESHOLDS] = {0}, plain = 0; /* plain: wrong at every threshold */
    for (int64_t i = c->first[cls]; i < c->first[cls + 1]; i++) {
        const int32_t w = weight != NULL ? weight[c->image[i]] : 1;
        if ((hit[i] | ignored[i]) == 0) {
            plain += w;
            continue;
        }
        if (w == 0)
            continue;
        for (int t = 0; t < n_thresholds; t++) {
            if ((hit[i] >> t & 1) != 0) {
                tp[t] += w;
                scratch->tp[t][n[t]] = tp[t];
                scratch->fp[t][n[t]++] = fp[t] + (double)plain;
            } else if ((ignored[i] >> t & 1) == 0) {
                fp[t] += w;
            }
        }
    }
    for (int t = 0; t < n_thresholds; t++) {
        ap_out[t] = area_under(scratch->tp[t], scratch->fp[t], n[t], n_truth);
        recall_out[t] = tp[t] / n_truth;
    }
    return true;
}

/* Recall over thresholds of a class with at most max_dets detections per picture, all sizes. */
static double recall_at(const gn_coco *c, int32_t cls, int max_dets, double n_truth)
{
    int64_t hits = 0;
    for (int64_t i = c->first[cls]; i < c->first[cls + 1]; i++)
        for (unsigned bits = c->rank[i] < max_dets ? c->hit[GN_COCO_ALL][i] : 0; bits != 0; bits &= bits - 1)
            hits++;
    return (double)hits / n_truth / GN_COCO_THRESHOLDS;
}

static double mean_of(const double *x)
{
    double sum = 0;
    for (int t = 0; t < GN_COCO_THRESHOLDS; t++)
        sum += x[t];
    return sum / GN_COCO_THRESHOLDS;
}

static int64_t count_images(const gn_coco *c, int32_t cls)
{
    int64_t n = 0;
    int32_t last = -1;
    for (int64_t i = c->first_truth[cls]; i < c->first_truth[cls + 1]; i++) {
        if ((c->truth_ignored[i] & 1) != 0 || c->truth_image[i] == last)
            continue;
        last = c->truth_image[i];
        n++;
    }
    return n;
}

static gn_coco_class class_nothing(void)
{
    const double none = (double)NAN;
    gn_coco_class k = {.precision = none, .recall = none, .f1 = none, .lrp = none, .lrp_confidence = none};
    for (int t = 0; t < GN_COCO_THRESHOLDS; t++)
        k.ap[t] = none;
    for (int s = 0; s < GN_COCO_SIZES; s++)
        k.map_of_size[s] = k.ar_of_size[s] = none;
    return k;
}

/* Sums over classes while they are counted, and of how many. */
typedef struct sums {
    double ap[GN_COCO_THRESHOLDS], recall[GN_COCO_THRESHOLDS];
    double map_of_size[GN_COCO_SIZES], ar_of_size[GN_COCO_SIZES], n_of_size[GN_COCO_SIZES];
    double ar1, ar10, lrp;
} sums;

static void add_class(const gn_coco *c, int32_t cls, gn_coco_scratch *scratch, sums *sum, gn_coco_class *out)
{
    double ap[GN_COCO_THRESHOLDS], recall[GN_COCO_THRESHOLDS];
    for (int s = 0; s < GN_COCO_SIZES; s++) {
        if (!gn_coco_class_ap(c, cls, (gn_coco_size)s, GN_COCO_THRESHOLDS, NULL, scratch, ap, recall))
            continue;
        out->map_of_size[s] = mean_of(ap);
        out->ar_of_size[s] = mean_of(recall);
        sum->map_of_size[s] += out->map_of_size[s];
        sum->ar_of_size[s] += out->ar_of_size[s];
        sum->n_of_size[s]++;
        for (int t = 0; t < GN_COCO_THRESHOLDS && s == GN_COCO_ALL; t++) {
            out->ap[t] = ap[t];
            sum->ap[t] += ap[t];
            sum->recall[t] += recall[t];
        }
    }
    const double n_truth = gn_coco_count_truths(c, cls, GN_COCO_ALL, NULL);
    if (n_truth == 0)
        return;
    out->truths = (int64_t)n_truth;
    out->images = count_images(c, cls);
    out->lrp = gn_coco_class_lrp(c, cls, &out->lrp_confidence);
    sum->lrp += out->lrp;
    sum->ar1 += recall_at(c, cls, 1, n_truth);
    sum->ar10 += recall_at(c, cls, 10, n_truth);
}

/* 0 classes give NaN. */
static void divide(const sums *sum, gn_coco_metrics *m)
{
    const double n = sum->n_of_size[GN_COCO_ALL], none = (double)NAN;
    for (int t = 0; t < GN_COCO_THRESHOLDS; t++) {
        m->map[t] = n > 0 ? sum->ap[t] / n : none;
        m->ar[t] = n > 0 ? sum->recall[t] / n : none;
    }
    for (int s = 0; s < GN_COCO_SIZES; s++) {
        m->map_of_size[s] = sum->n_of_size[s] > 0 ? sum->map_of_size[s] / sum->n_of_size[s] : none;
        m->ar_of_size[s] = sum->n_of_size[s] > 0 ? sum->ar_of_size[s] / sum->n_of_size[s] : none;
    }
    m->map50_95 = m->map_of_size[GN_COCO_ALL];
    m->map50 = m->map[0];
    m->map75 = m->map[5];
    m->map95 = m->map[9];
    m->ar1 = n > 0 ? sum->ar1 / n : none;
    m->ar10 = n > 0 ? sum->ar10 / n : none;
    m->lrp = n > 0 ? sum->lrp / n : none;
}

gn_status gn_coco_measure(const gn_coco *c, gn_coco_metrics *metrics_out, gn_coco_class *classes_out)
{
    gn_coco_scratch scratch;
    gn_coco_metrics m = {.images = c->n_images, .detections = c->n_given};
    sums sum = {0};
    GN_TRY(gn_coco_scratch_init(&scratch, c));
    for (int32_t k = 0; k < c->n_classes; k++) {
        gn_coco_class one = class_nothing();
        add_class(c, k, &scratch, &sum, &one);
        m.truths += one.truths;
        if (classes_out != NULL)
            classes_out[k] = one;
    }
    gn_coco_scratch_deinit(&scratch);
    divide(&sum, &m);
    GN_TRY(gn_coco_best_confidence(c, &m, classes_out));
    *metrics_out = m;
    return GN_OK;
}

gn_status gn_coco_evaluate(const gn_coco_input *input, gn_coco_metrics *metrics_out, gn_coco_class *classes_out)
{
    gn_coco *c = NULL;
    GN_TRY(gn_coco_create(input, &c));
    const gn_status status = gn_coco_measure(c, metrics_out, classes_out);
    gn_coco_destroy(&c);
    return status;
}
