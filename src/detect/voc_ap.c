/* Average precision in the way of PASCAL VOC; see metrics.h.
 * Source: Everingham et al. 2010, "The PASCAL Visual Object Classes Challenge", and its development kits of 2007 and 2012.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "detect/coco_table.h"
#include "detect/score_order.h"

typedef struct voc {
    const gn_coco_input *in;
    double iou_min;
    int64_t *det;         /* [n_det] by class, then falling score */
    int64_t *first_det;   /* [n_classes + 1] */
    int64_t *truth;       /* [n_truth] by picture */
    int64_t *first_truth; /* [n_images + 1] */
    double *score;
    int32_t *key;
    bool *is_taken; /* [n_truth] */
    double *recall, *precision, *truths /* [n_classes] to be found */;
} voc;

static void voc_deinit(voc *v)
{
    gn_free(v->det);
    gn_free(v->first_det);
    gn_free(v->truth);
    gn_free(v->first_truth);
    gn_free(v->score);
    gn_free(v->key);
    gn_free(v->is_taken);
    gn_free(v->recall);
    gn_free(v->precision);
    gn_free(v->truths);
}

static gn_status voc_alloc(voc *v)
{
    const gn_coco_input *in = v->in;
    const size_t n_det = (size_t)in->n_det + 1, n_truth = (size_t)in->n_truth + 1;
    v->det = gn_alloc(n_det * sizeof *v->det);
    v->first_det = gn_alloc(((size_t)in->n_classes + 1) * sizeof *v->first_det);
    v->truth = gn_alloc(n_truth * sizeof *v->truth);
    v->first_truth = gn_alloc(((size_t)in->n_images + 1) * sizeof *v->first_truth);
    v->score = gn_alloc(n_det * sizeof *v->score);
    v->key = gn_alloc((n_det > n_truth ? n_det : n_truth) * sizeof *v->key);
    v->is_taken = gn_calloc(n_truth, sizeof *v->is_taken);
    v->recall = gn_alloc((n_det + 1) * sizeof *v->recall);
    v->precision = gn_alloc((n_det + 1) * sizeof *v->precision);
    v->truths = gn_calloc((size_t)in->n_classes + 1, sizeof *v->truths);
    const bool is_whole = v->det && v->first_det && v->truth && v->first_truth && v->score && v->key && v->is_taken &&
                          v->recall && v->precision && v->truths;
    return is_whole ? GN_OK : GN_ENOMEM;
}

static gn_status voc_init(voc *v)
{
    const gn_coco_input *in = v->in;
    GN_TRY(voc_alloc(v));
    for (int64_t i = 0; i < in->n_truth; i++) {
        v->truth[i] = i;
        v->key[i] = (int32_t)in->truth[i].image;
        v->truths[in->truth[i].cls] += !in->truth[i].is_crowd && !in->truth[i].is_ignored;
    }
    GN_TRY(gn_order_by_key(v->key, (int32_t)in->n_images, v->truth, in->n_truth, v->first_truth));
    for (int64_t i = 0; i < in->n_det; i++) {
        v->det[i] = i;
        v->key[i] = in->det[i].cls;
        v->score[i] = in->det[i].score;
    }
    GN_TRY(gn_order_by_score(v->score, v->det, in->n_det));
    return gn_order_by_key(v->key, in->n_classes, v->det, in->n_det, v->first_det);
}

/* 1 right, 0 wrong, -1 does not count. */
static int judge(voc *v, const gn_detection *d)
{
    double most = -1;
    int64_t best = -1;
    for (int64_t k = v->first_truth[d->image]; k < v->first_truth[d->image + 1]; k++) {
        const gn_truth *g = &v->in->truth[v->truth[k]];
        const double iou = g->cls == d->cls ? gn_rect_iou(&d->box, &g->box) : -1;
        if (iou <= most)
            continue;
        most = iou;
        best = v->truth[k];
    }
    if (best < 0 || most < v->iou_min)
        return 0;
    if (v->in->truth[best].is_crowd || v->in->truth[best].is_ignored)
        return -1;
    if (v->is_taken[best])
        return 0;
    v->is_taken[best] = true;
    return 1;
}

/* Mean over 11 recalls of the highest precision at or beyond each.  recall, precision: [n]. */
static double ap11_of(const double *recall, const double *precision, int64_t n)
{
    double sum = 0;
    for (int r = 0; r <= 10; r++) {
        double highest = 0;
        for (int64_t i = n - 1; i >= 0 && recall[i] >= r / 10.0; i--)
            highest = fmax(highest, precision[i]);
        sum += highest;
    }
    return sum / 11;
}

/* Area under the falling envelope; precision becomes the envelope. */
static double area_of(const double *recall, double *precision, int64_t n)
{
    double area = 0;
    for (int64_t i = n - 1; i > 0; i--)
        precision[i - 1] = fmax(precision[i - 1], precision[i]);
    for (int64_t i = 0; i < n; i++)
        area += (recall[i] - (i > 0 ? recall[i - 1] : 0)) * precision[i];
    return area;
}

static gn_voc_class class_of(voc *v, int32_t cls)
{
    gn_voc_class out = {.ap11 = (double)NAN, .ap_area = (double)NAN, .truths = (int64_t)v->truths[cls]};
    if (v->truths[cls] == 0)
        return out;
    double tp = 0, fp = 0;
    int64_t n = 0;
    for (int64_t i = v->first_det[cls]; i < v->first_det[cls + 1]; i++) {
        const int what = judge(v, &v->in->det[v->det[i]]);
        if (what < 0)
            continue;
        tp += what;
        fp += 1 - what;
        v->recall[n] = tp / v->truths[cls];
        v->precision[n++] = tp / (tp + fp);
    }
    out.ap11 = ap11_of(v->recall, v->precision, n);
    out.ap_area = area_of(v->recall, v->precision, n);
    return out;
}

gn_status gn_voc_evaluate(const gn_coco_input *input, double iou_min, gn_voc_class *classes_out, double *ap11_out,
                          double *ap_area_out)
{
    if (!gn_coco_input_is_valid(input))
        return GN_EINVAL;
    voc v = {.in = input, .iou_min = iou_min};
    const gn_status status = voc_init(&v);
    double ap11 = 0, area = 0, n = 0;
    for (int32_t k = 0; status == GN_OK && k < input->n_classes; k++) {
        classes_out[k] = class_of(&v, k);
        if (classes_out[k].truths == 0)
            continue;
        ap11 += classes_out[k].ap11;
        area += classes_out[k].ap_area;
        n++;
    }
    voc_deinit(&v);
    if (status != GN_OK)
        return status;
    *ap11_out = n > 0 ? ap11 / n : (double)NAN;
    *ap_area_out = n > 0 ? area / n : (double)NAN;
    return GN_OK;
}
