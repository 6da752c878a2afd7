/* Telling trials apart; see report_compare.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report_compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

#define RESAMPLES 2000
#define DOCUMENT  "val_pictures"

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear interpolation between order statistics; x sorted. */
static double quantile(const double *x, int n, double q)
{
    const double at = q * (n - 1);
    const int i = (int)at;
    return i + 1 < n ? x[i] + (at - i) * (x[i + 1] - x[i]) : x[n - 1];
}

gn_status gn_paired_bootstrap(const double *a, const double *b, size_t n, int resamples, uint64_t seed,
                              double *difference_out, double *low_out, double *high_out)
{
    *difference_out = *low_out = *high_out = NAN;
    if (resamples < 1)
        return GN_OK;
    double *difference = gn_alloc((n + 1) * sizeof *difference), *mean = gn_alloc((size_t)resamples * sizeof *mean);
    int64_t kept = 0;
    double sum = 0;
    if (difference == NULL || mean == NULL) {
        gn_free(difference);
        gn_free(mean);
        return GN_ENOMEM;
    }
    for (size_t i = 0; i < n; i++)
        if (!isnan(a[i]) && !isnan(b[i])) {
            difference[kept] = a[i] - b[i];
            sum += difference[kept++];
        }
    for (int r = 0; r < resamples && kept > 0; r++) {
        gn_rng rng;
        gn_rng_init(&rng, seed, (uint64_t)r);
        mean[r] = 0;
        for (int64_t i = 0; i < kept; i++)
            mean[r] += difference[gn_rng_below(&rng, kept)];
        mean[r] /= (double)kept;
    }
    if (kept > 0) {
        qsort(mean, (size_t)resamples, sizeof *mean, compare_doubles);
        *difference_out = sum / (double)kept;
        *low_out = quantile(mean, resamples, 0.025);
        *high_out = quantile(mean, resamples, 0.975);
    }
    gn_free(difference);
    gn_free(mean);
    return GN_OK;
}

/* Scores per picture of a trial's document, in its order; NULL without.  *metric_out: what they are. */
static double *read_scores(const gn_report_model *m, const gn_report_trial *t, const char **metric_out,
                           const gn_json **list_out, size_t *n_out)
{
    const gn_json *root = gn_report_document_of(m, t, DOCUMENT), *list = gn_json_member(root, "pictures");
    size_t n = 0;
    if (list == NULL || !gn_json_string(root, "metric", metric_out))
        return NULL;
    for (const gn_json *p = list->first; p != NULL; p = p->next)
        n++;
    double *score = gn_alloc((n + 1) * sizeof *score);
    *n_out = 0;
    for (const gn_json *p = list->first; p != NULL && score != NULL; p = p->next) {
        score[*n_out] = NAN;
        gn_json_number(p, "score", &score[(*n_out)++]);
    }
    *list_out = list;
    return score;
}

static bool are_same_pictures(const gn_json *a, const gn_json *b)
{
    const gn_json *x = a->first, *y = b->first;
    for (; x != NULL && y != NULL; x = x->next, y = y->next) {
        const char *name_x = "", *name_y = "";
        gn_json_string(x, "name", &name_x);
        gn_json_string(y, "name", &name_y);
        if (strcmp(name_x, name_y) != 0)
            return false;
    }
    return x == NULL && y == NULL;
}

/* False when the trials have no scores for the same pictures. */
static bool compare_pairs(const gn_report_model *m, const gn_report_trial *a, const gn_report_trial *b,
                          gn_report_difference *out)
{
    const char *metric_a = "", *metric_b = "";
    const gn_json *list_a = NULL, *list_b = NULL;
    size_t n_a = 0, n_b = 0;
    bool is_done = false;
    if (gn_report_document_of(m, a, DOCUMENT) == NULL || gn_report_document_of(m, b, DOCUMENT) == NULL)
        return false;
    double *score_a = read_scores(m, a, &metric_a, &list_a, &n_a);
    double *score_b = read_scores(m, b, &metric_b, &list_b, &n_b);
    if (score_a != NULL && score_b != NULL && n_a == n_b && strcmp(metric_a, metric_b) == 0 &&
        are_same_pictures(list_a, list_b) &&
        gn_paired_bootstrap(score_a, score_b, n_a, RESAMPLES, 0, &out->difference, &out->low, &out->high) == GN_OK &&
        !isnan(out->difference)) {
        is_done = true;
        out->is_known = true;
        out->is_level = out->low <= 0 && out->high >= 0;
        out->method = "paired bootstrap over the validation pictures";
    }
    gn_free(score_a);
    gn_free(score_b);
    return is_done;
}

static bool has_interval(const gn_report_trial *t)
{
    return !isnan(t->low) && !isnan(t->high);
}

void gn_report_compare(const gn_report_model *m, const gn_report_trial *a, const gn_report_trial *b,
                       gn_report_difference *out)
{
    *out = (gn_report_difference){.difference = NAN, .low = NAN, .high = NAN, .method = "no intervals are known"};
    if (compare_pairs(m, a, b, out) || !has_interval(a) || !has_interval(b))
        return;
    out->is_known = true;
    out->is_level = a->low <= b->high && b->low <= a->high;
    out->method = out->is_level ? "their 95% intervals overlap" : "their 95% intervals do not overlap";
}

size_t gn_report_count_level(const gn_report_model *m, const gn_report_trial *trial)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n_trials; i++) {
        gn_report_difference d;
        if (&m->trial[i] == trial || m->trial[i].place == 0)
            continue;
        gn_report_compare(m, trial, &m->trial[i], &d);
        n += d.is_known && d.is_level;
    }
    return n;
}
