/* Matching of detections to true boxes with the rules of pycocotools, for all thresholds and sizes at once.
 * Everything is ordered in linear time; a detection that overlaps no true box by half is never looked at again.
 * Source: Lin et al. 2014, "Microsoft COCO"; the evaluation of cocodataset.org/#detection-eval.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "detect/coco_table.h"
#include "detect/score_order.h"

#define DEFAULT_MAX_DETS 100
#define ALL_THRESHOLDS   ((1u << GN_COCO_THRESHOLDS) - 1)

static const double size_from[GN_COCO_SIZES] = {0, 0, 32.0 * 32, 96.0 * 96};
static const double size_to[GN_COCO_SIZES] = {1e10, 32.0 * 32, 96.0 * 96, 1e10};

double gn_coco_iou_threshold(int t)
{
    /* As numpy.linspace(.5, .95, 10) rounds them. */
    return t == GN_COCO_THRESHOLDS - 1 ? 0.95 : 0.5 + t * ((0.95 - 0.5) / (GN_COCO_THRESHOLDS - 1));
}

gn_rect gn_rect_of(const gn_box *box)
{
    return (gn_rect){(double)box->x1, (double)box->y1, fmax((double)box->x2 - (double)box->x1, 0),
                     fmax((double)box->y2 - (double)box->y1, 0)};
}

static double intersection(const gn_rect *a, const gn_rect *b)
{
    const double w = fmin(a->w + a->x, b->w + b->x) - fmax(a->x, b->x);
    if (!(w > 0))
        return 0;
    const double h = fmin(a->h + a->y, b->h + b->y) - fmax(a->y, b->y);
    return h > 0 ? w * h : 0;
}

double gn_rect_iou(const gn_rect *a, const gn_rect *b)
{
    const double i = intersection(a, b);
    return i > 0 ? i / (a->w * a->h + b->w * b->h - i) : 0;
}

static bool rect_is_finite(const gn_rect *r)
{
    return isfinite(r->x) && isfinite(r->y) && isfinite(r->w) && isfinite(r->h);
}

bool gn_coco_input_is_valid(const gn_coco_input *in)
{
    if (in->n_det < 0 || in->n_truth < 0 || in->n_images < 0 || in->n_images >= INT32_MAX || in->n_classes < 0 ||
        in->n_classes >= INT32_MAX || in->max_dets < 0)
        return false;
    for (int64_t i = 0; i < in->n_det; i++) {
        const gn_detection *d = &in->det[i];
        if (d->image < 0 || d->image >= in->n_images || d->cls < 0 || d->cls >= in->n_classes || !isfinite(d->score) ||
            !rect_is_finite(&d->box))
            return false;
    }
    for (int64_t i = 0; i < in->n_truth; i++) {
        const gn_truth *g = &in->truth[i];
        if (g->image < 0 || g->image >= in->n_images || g->cls < 0 || g->cls >= in->n_classes ||
            !rect_is_finite(&g->box) || (g->has_area && !isfinite(g->area)))
            return false;
    }
    return true;
}

/* A true box while its picture and class are matched. */
typedef struct true_box {
    gn_rect box;
    bool is_crowd;
    uint8_t ignored;               /* bit s */
    uint16_t taken[GN_COCO_SIZES]; /* bit t */
} true_box;

/* What a detection turned out to be, by its place in the input. */
typedef struct outcome {
    int32_t rank;
    float iou;
    uint16_t hit[GN_COCO_SIZES], ignored[GN_COCO_SIZES];
} outcome;

/* Everything while the table is made. */
typedef struct matching {
    const gn_coco_input *in;
    int max_dets;
    int64_t *det_order, *truth_order; /* by class and picture; detections then by falling score */
    int32_t *det_image, *det_cls, *truth_image, *truth_cls;
    double *det_score;
    outcome *outcome; /* [n_det] */
    /* Of one picture and class, room for the largest: */
    true_box *g;
    int32_t *near[2]; /* true boxes that overlap one detection by half: in order; then those to be found first */
    double *iou;
} matching;

/* One detection at threshold t: the best true box in `list` as pycocotools looks for it; -1: none. */
static int32_t best_true_box(const matching *m, const int32_t *list, int32_t n, int t, gn_coco_size s)
{
    double least = gn_coco_iou_threshold(t);
    int32_t best = -1;
    for (int32_t k = 0; k < n; k++) {
        const true_box *g = &m->g[list[k]];
        if ((g->taken[s] >> t & 1) != 0 && !g->is_crowd)
            continue;
        if (best >= 0 && (m->g[best].ignored >> s & 1) == 0 && (g->ignored >> s & 1) != 0)
            break;
        if (m->iou[list[k]] < least)
            continue;
        least = m->iou[list[k]];
        best = list[k];
    }
    return best;
}

static void match_size(matching *m, int32_t n_near, gn_coco_size s, outcome *o)
{
    int32_t n = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int32_t k = 0; k < n_near; k++)
            if ((m->g[m->near[0][k]].ignored >> s & 1) == pass)
                m->near[1][n++] = m->near[0][k];
    for (int t = 0; t < GN_COCO_THRESHOLDS; t++) {
        const int32_t best = best_true_box(m, m->near[1], n, t, s);
        if (best < 0)
            continue;
        const uint16_t bit = (uint16_t)(1u << t);
        m->g[best].taken[s] |= bit;
        if ((m->g[best].ignored >> s & 1) != 0)
            o->ignored[s] |= bit;
        else
            o->hit[s] |= bit;
        if (t == 0 && s == GN_COCO_ALL)
            o->iou = (o->hit[s] & 1) != 0 ? (float)m->iou[best] : 0;
    }
}

static void match_detection(matching *m, const gn_rect *box, int64_t n_g, outcome *o)
{
    const double area = box->w * box->h;
    int32_t n_near = 0;
    for (int64_t k = 0; k < n_g; k++) {
        const double i = intersection(box, &m->g[k].box);
        if (!(i > 0))
            continue;
        m->iou[k] = i / (m->g[k].is_crowd ? area : area + m->g[k].box.w * m->g[k].box.h - i);
        if (m->iou[k] >= 0.5)
            m->near[0][n_near++] = (int32_t)k;
    }
    for (int s = 0; s < GN_COCO_SIZES; s++) {
        if (n_near > 0)
            match_size(m, n_near, (gn_coco_size)s, o);
        if (area < size_from[s] || area > size_to[s])
            o->ignored[s] |= (uint16_t)(ALL_THRESHOLDS & ~(unsigned)o->hit[s]);
    }
}

/* Detections and true boxes of one picture and class. */
static void match_group(matching *m, const int64_t *det, int64_t n_det, const int64_t *truth, int64_t n_truth)
{
    for (int64_t k = 0; k < n_truth; k++) {
        const gn_truth *g = &m->in->truth[truth[k]];
        const double area = g->has_area ? g->area : g->box.w * g->box.h;
        m->g[k] = (true_box){.box = g->box, .is_crowd = g->is_crowd};
        for (int s = 0; s < GN_COCO_SIZES; s++)
            if (g->is_crowd || g->is_ignored || area < size_from[s] || area > size_to[s])
                m->g[k].ignored |= (uint8_t)(1u << s);
    }
    for (int64_t i = 0; i < n_det; i++) {
        outcome *o = &m->outcome[det[i]];
        o->rank = i < m->max_dets ? (int32_t)i : -1;
        if (i < m->max_dets)
            match_detection(m, &m->in->det[det[i]].box, n_truth, o);
    }
}

/* Whether a (class, picture) comes before another. */
static bool is_before(int32_t cls, int32_t image, int32_t other_cls, int32_t other_image)
{
    return cls < other_cls || (cls == other_cls && image < other_image);
}

static void match_all(matching *m)
{
    const gn_coco_input *in = m->in;
    int64_t g = 0;
    for (int64_t i = 0, end; i < in->n_det; i = end) {
        const int32_t cls = m->det_cls[m->det_order[i]], image = m->det_image[m->det_order[i]];
        for (end = i + 1;
             end < in->n_det && m->det_cls[m->det_order[end]] == cls && m->det_image[m->det_order[end]] == image;)
            end++;
        while (g < in->n_truth &&
               is_before(m->truth_cls[m->truth_order[g]], m->truth_image[m->truth_order[g]], cls, image))
            g++;
        int64_t g_end = g;
        while (g_end < in->n_truth && m->truth_cls[m->truth_order[g_end]] == cls &&
               m->truth_image[m->truth_order[g_end]] == image)
            g_end++;
        match_group(m, m->det_order + i, end - i, m->truth_order + g, g_end - g);
    }
}

/* The largest number of true boxes of one picture and class. */
static int64_t largest_group(const matching *m)
{
    int64_t largest = 0, run = 0;
    for (int64_t i = 0; i < m->in->n_truth; i++) {
        const int64_t a = m->truth_order[i], b = i > 0 ? m->truth_order[i - 1] : a;
        run = m->truth_cls[a] == m->truth_cls[b] && m->truth_image[a] == m->truth_image[b] ? run + 1 : 1;
        largest = run > largest ? run : largest;
    }
    return largest;
}

static void matching_deinit(matching *m)
{
    gn_free(m->det_order);
    gn_free(m->truth_order);
    gn_free(m->det_image);
    gn_free(m->det_cls);
    gn_free(m->truth_image);
    gn_free(m->truth_cls);
    gn_free(m->det_score);
    gn_free(m->outcome);
    gn_free(m->g);
    gn_free(m->near[0]);
    gn_free(m->near[1]);
    gn_free(m->iou);
}

static gn_status matching_alloc(matching *m)
{
    const size_t n_det = (size_t)m->in->n_det + 1, n_truth = (size_t)m->in->n_truth + 1;
    m->det_order = gn_alloc(n_det * sizeof *m->det_order);
    m->truth_order = gn_alloc(n_truth * sizeof *m->truth_order);
    m->det_image = gn_alloc(n_det * sizeof *m->det_image);
    m->det_cls = gn_alloc(n_det * sizeof *m->det_cls);
    m->truth_image = gn_alloc(n_truth * sizeof *m->truth_image);
    m->truth_cls = gn_alloc(n_truth * sizeof *m->truth_cls);
    m->det_score = gn_alloc(n_det * sizeof *m->det_score);
    m->outcome = gn_calloc(n_det, sizeof *m->outcome);
    const bool is_whole = m->det_order && m->truth_order && m->det_image && m->det_cls && m->truth_image &&
                          m->truth_cls && m->det_score && m->outcome;
    return is_whole ? GN_OK : GN_ENOMEM;
}

static gn_status matching_init(matching *m, const gn_coco_input *in)
{
    *m = (matching){.in = in, .max_dets = in->max_dets > 0 ? in->max_dets : DEFAULT_MAX_DETS};
    GN_TRY(matching_alloc(m));
    for (int64_t i = 0; i < in->n_det; i++) {
        m->det_order[i] = i;
        m->det_image[i] = (int32_t)in->det[i].image;
        m->det_cls[i] = in->det[i].cls;
        m->det_score[i] = in->det[i].score;
    }
    for (int64_t i = 0; i < in->n_truth; i++) {
        m->truth_order[i] = i;
        m->truth_image[i] = (int32_t)in->truth[i].image;
        m->truth_cls[i] = in->truth[i].cls;
    }
    GN_TRY(gn_order_by_score(m->det_score, m->det_order, in->n_det));
    GN_TRY(gn_order_by_key(m->det_image, (int32_t)in->n_images, m->det_order, in->n_det, NULL));
    GN_TRY(gn_order_by_key(m->det_cls, in->n_classes, m->det_order, in->n_det, NULL));
    GN_TRY(gn_order_by_key(m->truth_image, (int32_t)in->n_images, m->truth_order, in->n_truth, NULL));
    GN_TRY(gn_order_by_key(m->truth_cls, in->n_classes, m->truth_order, in->n_truth, NULL));
    const size_t group = (size_t)largest_group(m) + 1;
    m->g = gn_alloc(group * sizeof *m->g);
    m->near[0] = gn_alloc(group * sizeof *m->near[0]);
    m->near[1] = gn_alloc(group * sizeof *m->near[1]);
    m->iou = gn_alloc(group * sizeof *m->iou);
    return m->g && m->near[0] && m->near[1] && m->iou ? GN_OK : GN_ENOMEM;
}

/* ---- the table ---- */

static gn_status table_alloc(gn_coco *c, int64_t n, int64_t n_truth)
{
    const size_t rows = (size_t)n + 1, truths = (size_t)n_truth + 1, classes = (size_t)c->n_classes + 1;
    c->n = n;
    c->n_truth = n_truth;
    c->first = gn_calloc(classes, sizeof *c->first);
    c->first_truth = gn_calloc(classes, sizeof *c->first_truth);
    c->score = gn_alloc(rows * sizeof *c->score);
    c->image = gn_alloc(rows * sizeof *c->image);
    c->rank = gn_alloc(rows * sizeof *c->rank);
    c->iou = gn_alloc(rows * sizeof *c->iou);
    bool is_whole = c->first && c->first_truth && c->score && c->image && c->rank && c->iou;
    for (int s = 0; s < GN_COCO_SIZES; s++) {
        c->hit[s] = gn_alloc(rows * sizeof *c->hit[s]);
        c->ignored[s] = gn_alloc(rows * sizeof *c->ignored[s]);
        is_whole = is_whole && c->hit[s] && c->ignored[s];
    }
    c->truth_image = gn_alloc(truths * sizeof *c->truth_image);
    c->truth_ignored = gn_calloc(truths, sizeof *c->truth_ignored);
    return is_whole && c->truth_image && c->truth_ignored ? GN_OK : GN_ENOMEM;
}

static void fill_truths(gn_coco *c, const matching *m)
{
    for (int64_t i = 0; i < c->n_truth; i++) {
        const gn_truth *g = &m->in->truth[m->truth_order[i]];
        const double area = g->has_area ? g->area : g->box.w * g->box.h;
        c->truth_image[i] = (int32_t)g->image;
        c->first_truth[g->cls + 1] = i + 1;
        for (int s = 0; s < GN_COCO_SIZES; s++)
            if (g->is_crowd || g->is_ignored || area < size_from[s] || area > size_to[s])
                c->truth_ignored[i] |= (uint8_t)(1u << s);
    }
    for (int32_t k = 0; k < c->n_classes; k++)
        if (c->first_truth[k + 1] < c->first_truth[k])
            c->first_truth[k + 1] = c->first_truth[k];
}

/* Takes the matched detections over, from by class, picture and score to by class, score and picture. */
static gn_status fill_table(gn_coco *c, matching *m)
{
    int64_t n = 0;
    for (int64_t i = 0; i < m->in->n_det; i++)
        if (m->outcome[m->det_order[i]].rank >= 0)
            m->det_order[n++] = m->det_order[i];
    GN_TRY(table_alloc(c, n, m->in->n_truth));
    GN_TRY(gn_order_by_score(m->det_score, m->det_order, n));
    GN_TRY(gn_order_by_key(m->det_cls, c->n_classes, m->det_order, n, c->first));
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = m->det_order[i];
        const outcome *o = &m->outcome[k];
        c->score[i] = m->det_score[k];
        c->image[i] = m->det_image[k];
        c->rank[i] = o->rank;
        c->iou[i] = o->iou;
        for (int s = 0; s < GN_COCO_SIZES; s++) {
            c->hit[s][i] = o->hit[s];
            c->ignored[s][i] = o->ignored[s];
        }
    }
    fill_truths(c, m);
    return GN_OK;
}

void gn_coco_destroy(gn_coco **coco)
{
    gn_coco *c = *coco;
    if (c == NULL)
        return;
    gn_free(c->first);
    gn_free(c->first_truth);
    gn_free(c->score);
    gn_free(c->image);
    gn_free(c->rank);
    gn_free(c->iou);
    for (int s = 0; s < GN_COCO_SIZES; s++) {
        gn_free(c->hit[s]);
        gn_free(c->ignored[s]);
    }
    gn_free(c->truth_image);
    gn_free(c->truth_ignored);
    gn_free(c);
    *coco = NULL;
}

gn_status gn_coco_create(const gn_coco_input *input, gn_coco **coco_out)
{
    if (!gn_coco_input_is_valid(input))
        return GN_EINVAL;
    matching m;
    gn_coco *c = gn_calloc(1, sizeof *c);
    if (c == NULL)
        return GN_ENOMEM;
    c->n_classes = input->n_classes;
    c->n_images = input->n_images;
    c->n_given = input->n_det;
    gn_status status = matching_init(&m, input);
    if (status == GN_OK) {
        match_all(&m);
        status = fill_table(c, &m);
    }
    matching_deinit(&m);
    if (status == GN_OK)
        *coco_out = c;
    else
        gn_coco_destroy(&c);
    return status;
}
