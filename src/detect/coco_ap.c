/* COCO average precision with the rules of pycocotools: greedy matching per picture and class, 101 recall points, crowds.
 * Source: Lin et al. 2014, "Microsoft COCO"; the evaluation of cocodataset.org/#detection-eval.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "detect/bootstrap.h"
#include "detect/metrics.h"

#define RECALL_POINTS    101
#define DEFAULT_MAX_DETS 100
#define EPS              2.220446049250313e-16 /* keeps 0/0 out of the precision, as numpy.spacing(1) does */

/* A detection after matching: bit t of hit / ignored tells what it is at threshold t. */
typedef struct match {
    int64_t image;
    int64_t order; /* place in the input; among equals of one picture the earlier one wins */
    int32_t cls;
    float score;
    uint16_t hit, ignored;
    bool dropped; /* beyond max_dets */
    gn_box box;
} match;

typedef struct true_box {
    int64_t image, order;
    int32_t cls;
    bool ignored, crowd;
    uint16_t taken; /* bit t: matched at threshold t */
    gn_box box;
} true_box;

/* Everything matched, ready to be counted. */
typedef struct evaluation {
    match *m; /* [n_m], by class, then falling score, then picture */
    int64_t n_m;
    true_box *g; /* [n_g], by class, picture, those to be found first */
    int64_t n_g;
    int64_t *first_m, *first_g; /* [n_classes + 1] */
    int32_t n_classes;
    int64_t n_images;
} evaluation;

static double iou_threshold(int t)
{
    /* As numpy.linspace(.5, .95, 10) rounds them. */
    return t == GN_COCO_THRESHOLDS - 1 ? 0.95 : 0.5 + t * ((0.95 - 0.5) / (GN_COCO_THRESHOLDS - 1));
}

static int by_group(int32_t a_cls, int32_t b_cls, int64_t a_image, int64_t b_image)
{
    if (a_cls != b_cls)
        return a_cls < b_cls ? -1 : 1;
    return (a_image > b_image) - (a_image < b_image);
}

static int compare_for_matching(const void *pa, const void *pb)
{
    const match *a = pa, *b = pb;
    const int group = by_group(a->cls, b->cls, a->image, b->image);
    if (group != 0)
        return group;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

static int compare_for_counting(const void *pa, const void *pb)
{
    const match *a = pa, *b = pb;
    if (a->dropped != b->dropped)
        return a->dropped ? 1 : -1;
    if (a->cls != b->cls)
        return a->cls < b->cls ? -1 : 1;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    if (a->image != b->image)
        return a->image < b->image ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

static int compare_true_boxes(const void *pa, const void *pb)
{
    const true_box *a = pa, *b = pb;
    const int group = by_group(a->cls, b->cls, a->image, b->image);
    if (group != 0)
        return group;
    if (a->ignored != b->ignored)
        return a->ignored ? 1 : -1;
    return (a->order > b->order) - (a->order < b->order);
}

static bool box_is_finite(const gn_box *box)
{
    return isfinite(box->x1) && isfinite(box->y1) && isfinite(box->x2) && isfinite(box->y2);
}

static bool is_valid(const gn_coco_input *in)
{
    if (in->n_det < 0 || in->n_truth < 0 || in->n_images < 0 || in->n_classes < 0 || in->max_dets < 0)
        return false;
    for (int64_t i = 0; i < in->n_det; i++) {
        const gn_detection *d = &in->det[i];
        if (d->image < 0 || d->image >= in->n_images || d->cls < 0 || d->cls >= in->n_classes || !isfinite(d->score) ||
            !box_is_finite(&d->box))
            return false;
    }
    for (int64_t i = 0; i < in->n_truth; i++) {
        const gn_truth *g = &in->truth[i];
        if (g->image < 0 || g->image >= in->n_images || g->cls < 0 || g->cls >= in->n_classes ||
            !box_is_finite(&g->box))
            return false;
    }
    return true;
}

/* IoU; for a crowd the detection's own area stands in the denominator. */
static double overlap(const gn_box *det, const true_box *g)
{
    if (!g->crowd)
        return gn_box_iou(det, &g->box);
    const double w = fmin((double)det->x2, (double)g->box.x2) - fmax((double)det->x1, (double)g->box.x1);
    const double h = fmin((double)det->y2, (double)g->box.y2) - fmax((double)det->y1, (double)g->box.y1);
    return w > 0 && h > 0 ? w * h / gn_box_area(det) : 0;
}

/* The best true box for one detection at threshold t: free ones that count first, ignored ones only when none of those fits. */
static true_box *best_true_box(const gn_box *det, true_box *g, int64_t n, int t)
{
    double least = fmin(iou_threshold(t), 1 - 1e-10);
    true_box *best = NULL;
    for (int64_t i = 0; i < n; i++) {
        if ((g[i].taken >> t & 1) != 0 && !g[i].crowd)
            continue;
        if (best != NULL && !best->ignored && g[i].ignored)
            break;
        const double iou = overlap(det, &g[i]);
        if (iou < least)
            continue;
        least = iou;
        best = &g[i];
    }
    return best;
}

/* Match the detections of one picture and class, which come by falling score. */
static void match_group(match *m, int64_t n_m, true_box *g, int64_t n_g, int max_dets)
{
    for (int64_t i = 0; i < n_m; i++) {
        m[i].dropped = i >= max_dets;
        if (m[i].dropped)
            continue;
        for (int t = 0; t < GN_COCO_THRESHOLDS; t++) {
            true_box *best = best_true_box(&m[i].box, g, n_g, t);
            if (best == NULL)
                continue;
            const uint16_t bit = (uint16_t)(1u << t);
            best->taken |= bit;
            if (best->ignored)
                m[i].ignored |= bit;
            else
                m[i].hit |= bit;
        }
    }
}

static void match_all(evaluation *e, int max_dets)
{
    int64_t g = 0;
    for (int64_t i = 0, end; i < e->n_m; i = end) {
        const match *first = &e->m[i];
        for (end = i; end < e->n_m && e->m[end].cls == first->cls && e->m[end].image == first->image;)
            end++;
        while (g < e->n_g && by_group(e->g[g].cls, first->cls, e->g[g].image, first->image) < 0)
            g++;
        int64_t g_end = g;
        while (g_end < e->n_g && e->g[g_end].cls == first->cls && e->g[g_end].image == first->image)
            g_end++;
        match_group(&e->m[i], end - i, &e->g[g], g_end - g, max_dets);
    }
}

static void index_classes(evaluation *e)
{
    int64_t m = 0, g = 0;
    for (int32_t c = 0; c <= e->n_classes; c++) {
        while (m < e->n_m && e->m[m].cls < c)
            m++;
        while (g < e->n_g && e->g[g].cls < c)
            g++;
        e->first_m[c] = m;
        e->first_g[c] = g;
    }
}

static void evaluation_deinit(evaluation *e)
{
    gn_free(e->m);
    gn_free(e->g);
    gn_free(e->first_m);
    gn_free(e->first_g);
}

static gn_status evaluation_init(evaluation *e, const gn_coco_input *in)
{
    memset(e, 0, sizeof *e);
    if (!is_valid(in))
        return GN_EINVAL;
    e->n_classes = in->n_classes;
    e->n_images = in->n_images;
    e->n_m = in->n_det;
    e->n_g = in->n_truth;
    e->m = gn_calloc((size_t)in->n_det + 1, sizeof *e->m);
    e->g = gn_calloc((size_t)in->n_truth + 1, sizeof *e->g);
    e->first_m = gn_calloc((size_t)in->n_classes + 1, sizeof *e->first_m);
    e->first_g = gn_calloc((size_t)in->n_classes + 1, sizeof *e->first_g);
    if (e->m == NULL || e->g == NULL || e->first_m == NULL || e->first_g == NULL) {
        evaluation_deinit(e);
        return GN_ENOMEM;
    }
    for (int64_t i = 0; i < in->n_det; i++) {
        const gn_detection *d = &in->det[i];
        e->m[i] = (match){.image = d->image, .order = i, .cls = d->cls, .score = d->score, .box = d->box};
    }
    for (int64_t i = 0; i < in->n_truth; i++) {
        const gn_truth *g = &in->truth[i];
        e->g[i] = (true_box){.image = g->image,
                             .order = i,
                             .cls = g->cls,
                             .ignored = g->is_crowd || g->is_ignored,
                             .crowd = g->is_crowd,
                             .box = g->box};
    }
    qsort(e->m, (size_t)e->n_m, sizeof *e->m, compare_for_matching);
    qsort(e->g, (size_t)e->n_g, sizeof *e->g, compare_true_boxes);
    match_all(e, in->max_dets > 0 ? in->max_dets : DEFAULT_MAX_DETS);
    qsort(e->m, (size_t)e->n_m, sizeof *e->m, compare_for_counting);
    while (e->n_m > 0 && e->m[e->n_m - 1].dropped)
        e->n_m--;
    index_classes(e);
    return GN_OK;
}

/* True boxes of a class that are to be found.  weight: how often each picture counts; NULL: once. */
static double count_truths(const evaluation *e, int32_t cls, const int32_t *weight)
{
    double n = 0;
    for (int64_t i = e->first_g[cls]; i < e->first_g[cls + 1]; i++)
        if (!e->g[i].ignored)
            n += weight != NULL ? weight[e->g[i].image] : 1;
    return n;
}

/* Average precision of one class at threshold t; NaN without a true box.  curve: scratch, f64 [2, n_m].
 * A picture of weight k is k equal pictures: within such a run of equal detections only the last point of the curve matters. */
static double class_ap(const evaluation *e, int32_t cls, int t, const int32_t *weight, double *curve,
                       double *recall_out)
{
    const double n_truth = count_truths(e, cls, weight);
    if (n_truth == 0) {
        *recall_out = (double)NAN;
        return (double)NAN;
    }
    double *recall = curve, *precision = curve + e->n_m;
    double tp = 0, fp = 0;
    int64_t n = 0;
    for (int64_t i = e->first_m[cls]; i < e->first_m[cls + 1]; i++) {
        const double w = weight != NULL ? weight[e->m[i].image] : 1;
        if (w == 0 || (e->m[i].ignored >> t & 1) != 0)
            continue;
        if ((e->m[i].hit >> t & 1) != 0)
            tp += w;
        else
            fp += w;
        recall[n] = tp / n_truth;
        precision[n++] = tp / (tp + fp + EPS);
    }
    *recall_out = n > 0 ? recall[n - 1] : 0;
    for (int64_t i = n - 1; i > 0; i--)
        if (precision[i] > precision[i - 1])
            precision[i - 1] = precision[i];
    double sum = 0;
    int64_t at = 0;
    for (int r = 0; r < RECALL_POINTS; r++) {
        const double point = r == RECALL_POINTS - 1 ? 1.0 : r * 0.01;
        while (at < n && recall[at] < point)
            at++;
        if (at == n)
            break;
        sum += precision[at];
    }
    return sum / RECALL_POINTS;
}

/* Mean over the classes that have a true box; NaN when none has. */
static double mean_ap(const evaluation *e, int t, const int32_t *weight, double *curve, double *class_ap_out,
                      double *ar_out)
{
    double sum = 0, recall_sum = 0;
    int64_t n = 0;
    for (int32_t c = 0; c < e->n_classes; c++) {
        double recall;
        const double ap = class_ap(e, c, t, weight, curve, &recall);
        if (class_ap_out != NULL)
            class_ap_out[(size_t)c * GN_COCO_THRESHOLDS + (size_t)t] = ap;
        if (isnan(ap))
            continue;
        sum += ap;
        recall_sum += recall;
        n++;
    }
    *ar_out = n > 0 ? recall_sum / (double)n : (double)NAN;
    return n > 0 ? sum / (double)n : (double)NAN;
}

/* Counts of one class while the confidence threshold falls. */
typedef struct tally {
    double truths, tp, fp;
} tally;

static double tally_f1(const tally *c)
{
    return c->truths > 0 ? 2 * c->tp / (c->tp + c->fp + c->truths) : 0;
}

static int compare_by_score(const void *pa, const void *pb)
{
    const match *a = *(const match *const *)pa, *b = *(const match *const *)pb;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return (a > b) - (a < b);
}

/* Precision and recall of the classes that have a true box, averaged. */
static void average_tally(const tally *tallies, int32_t n_classes, double *precision_out, double *recall_out)
{
    double precision = 0, recall = 0, n = 0;
    for (int32_t c = 0; c < n_classes; c++) {
        const tally *a = &tallies[c];
        if (a->truths == 0)
            continue;
        n++;
        precision += a->tp + a->fp > 0 ? a->tp / (a->tp + a->fp) : 0;
        recall += a->tp / a->truths;
    }
    *precision_out = precision / n;
    *recall_out = recall / n;
}

/* Walk down the detections by score; at the end of each run of equal scores look at the mean F1. */
static void walk_confidence(const match *const *order, int64_t n, tally *tallies, int32_t n_classes, double n_counted,
                            gn_coco_metrics *metrics)
{
    double f1_sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const match *m = order[i];
        tally *c = &tallies[m->cls];
        if ((m->ignored & 1) == 0) {
            f1_sum -= tally_f1(c);
            if ((m->hit & 1) != 0)
                c->tp++;
            else
                c->fp++;
            f1_sum += tally_f1(c);
        }
        const bool run_ends = i + 1 == n || order[i + 1]->score != m->score;
        const double f1 = f1_sum / n_counted;
        if (!run_ends || f1 <= metrics->f1 + 1e-12)
            continue;
        metrics->f1 = f1;
        metrics->confidence = (double)m->score;
        average_tally(tallies, n_classes, &metrics->precision, &metrics->recall);
    }
}

static gn_status best_f1(const evaluation *e, gn_coco_metrics *metrics)
{
    gn_status status = GN_ENOMEM;
    tally *tallies = gn_calloc((size_t)e->n_classes + 1, sizeof *tallies);
    const match **order = gn_alloc(((size_t)e->n_m + 1) * sizeof *order);
    if (tallies == NULL || order == NULL)
        goto cleanup;
    double n_counted = 0;
    for (int32_t c = 0; c < e->n_classes; c++) {
        tallies[c].truths = count_truths(e, c, NULL);
        n_counted += tallies[c].truths > 0;
        metrics->truths += (int64_t)tallies[c].truths;
    }
    for (int64_t i = 0; i < e->n_m; i++)
        order[i] = &e->m[i];
    qsort(order, (size_t)e->n_m, sizeof *order, compare_by_score);
    if (n_counted > 0)
        walk_confidence(order, e->n_m, tallies, e->n_classes, n_counted, metrics);
    else
        metrics->precision = metrics->recall = metrics->f1 = (double)NAN;
    status = GN_OK;

cleanup:
    gn_free(tallies);
    gn_free(order);
    return status;
}

gn_status gn_coco_evaluate(const gn_coco_input *input, gn_coco_metrics *metrics_out, double *class_ap_out)
{
    evaluation e;
    GN_TRY(evaluation_init(&e, input));
    gn_coco_metrics m = {.images = input->n_images, .detections = input->n_det};
    gn_status status = GN_ENOMEM;
    double *curve = gn_alloc(((size_t)e.n_m + 1) * 2 * sizeof *curve);
    if (curve == NULL)
        goto cleanup;
    for (int t = 0; t < GN_COCO_THRESHOLDS; t++) {
        m.map[t] = mean_ap(&e, t, NULL, curve, class_ap_out, &m.ar[t]);
        m.map50_95 += m.map[t] / GN_COCO_THRESHOLDS;
    }
    m.map50 = m.map[0];
    m.map75 = m.map[5];
    m.map95 = m.map[9];
    status = best_f1(&e, &m);
    if (status == GN_OK)
        *metrics_out = m;

cleanup:
    gn_free(curve);
    evaluation_deinit(&e);
    return status;
}

gn_status gn_coco_bootstrap_map50(const gn_coco_input *input, int resamples, uint64_t seed, gn_interval *map50_out)
{
    if (resamples < 1 || resamples > GN_BOOTSTRAP_MAX_RESAMPLES)
        return GN_EINVAL;
    evaluation e;
    GN_TRY(evaluation_init(&e, input));
    gn_status status = GN_ENOMEM;
    double *curve = gn_alloc(((size_t)e.n_m + 1) * 2 * sizeof *curve);
    double *value = gn_alloc((size_t)resamples * sizeof *value);
    int32_t *weight = gn_alloc(((size_t)e.n_images + 1) * sizeof *weight);
    if (curve == NULL || value == NULL || weight == NULL)
        goto cleanup;
    double ar;
    for (int r = 0; r < resamples; r++) {
        gn_rng rng;
        gn_rng_init(&rng, seed, (uint64_t)r);
        memset(weight, 0, (size_t)e.n_images * sizeof *weight);
        for (int64_t i = 0; i < e.n_images; i++)
            weight[gn_rng_below(&rng, e.n_images)]++;
        value[r] = mean_ap(&e, 0, weight, curve, NULL, &ar);
    }
    *map50_out = gn_bootstrap_interval(mean_ap(&e, 0, NULL, curve, NULL, &ar), value, resamples);
    status = GN_OK;

cleanup:
    gn_free(curve);
    gn_free(value);
    gn_free(weight);
    evaluation_deinit(&e);
    return status;
}
