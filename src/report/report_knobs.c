/* A study's trials as the table from which importance is computed; see report_knobs.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report_knobs.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define TREES      64
#define MAX_TRIALS 1000
/* A number with at most so many values weighs each of them the same; with more it weighs lengths. */
#define FEW_VALUES 16
/* Fewer trials than this, or than four for each knob, tell nothing. */
#define LEAST_TRIALS 12

typedef struct table {
    gn_factor factor[GN_IMPORTANCE_FACTORS];
    size_t knob[GN_IMPORTANCE_FACTORS]; /* of the model */
    int n_factors;
    const gn_report_trial **trial;
    size_t n;
    double *x, *y;
} table;

/* The number of epochs after which most trials have their first result. */
static int64_t common_epochs(const gn_report_model *m)
{
    int64_t best = 0;
    size_t most = 0;
    for (size_t s = 0; s < m->n_stages; s++) {
        size_t n = 0;
        for (size_t i = 0; i < m->n_trials; i++)
            n += m->trial[i].first != NULL && m->trial[i].first->epochs == m->stage[s].epochs;
        if (n > most) {
            most = n;
            best = m->stage[s].epochs;
        }
    }
    return best;
}

static void choose_trials(const gn_report_model *m, int64_t epochs, table *t)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n_trials; i++) {
        const gn_report_trial *trial = &m->trial[i];
        if (trial->first != NULL && trial->first->epochs == epochs &&
            isfinite(gn_result_metric(trial->first, m->objective)))
            t->trial[n++] = trial;
    }
    t->n = n < MAX_TRIALS ? n : MAX_TRIALS;
    for (size_t i = 0; i < t->n; i++)
        t->trial[i] = t->trial[i * n / t->n];
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_numbers(const void *a, const void *b)
{
    double x = 0, y = 0;
    gn_parse_f64(*(const char *const *)a, &x);
    gn_parse_f64(*(const char *const *)b, &y);
    return (x > y) - (x < y);
}

/* The values of a knob among the chosen trials, distinct and in order; how many. */
static size_t list_values(const gn_report_model *m, const table *t, size_t knob, const char **value)
{
    int (*const compare)(const void *, const void *) = m->knob[knob].is_number ? compare_numbers : compare_text;
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < t->n; i++)
        if (t->trial[i]->value[knob] != NULL)
            value[n++] = t->trial[i]->value[knob];
    if (n > 0)
        qsort(value, n, sizeof *value, compare);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || compare(&value[kept - 1], &value[i]) != 0)
            value[kept++] = value[i];
    return kept;
}

static double scaled(const gn_report_knob *knob, const char *text, double low, double high)
{
    double x = 0;
    gn_parse_f64(text, &x);
    const double at = knob->is_log ? (log(x) - log(low)) / (log(high) - log(low)) : (x - low) / (high - low);
    return fmin(1, fmax(0, at));
}

/* Column `c` of x from the knob's values in order. */
static void fill_column(const gn_report_model *m, table *t, int c, const char *const *value, size_t n)
{
    const gn_report_knob *knob = &m->knob[t->knob[c]];
    const bool is_long = knob->is_number && n > FEW_VALUES;
    double low = 0, high = 1;
    t->factor[c].n_levels = knob->is_number ? 0 : (int)(n < GN_FACTOR_MAX_LEVELS ? n : GN_FACTOR_MAX_LEVELS);
    if (is_long) {
        gn_parse_f64(value[0], &low);
        gn_parse_f64(value[n - 1], &high);
    }
    for (size_t i = 0; i < t->n; i++) {
        const char *text = t->trial[i]->value[t->knob[c]];
        double *x = &t->x[i * (size_t)t->n_factors + (size_t)c];
        *x = NAN;
        if (text == NULL)
            continue;
        if (is_long) {
            *x = scaled(knob, text, low, high);
            continue;
        }
        const char *const *at =
            bsearch(&text, value, n, sizeof *value, knob->is_number ? compare_numbers : compare_text);
        const size_t rank = at != NULL ? (size_t)(at - value) : 0;
        *x = knob->is_number ? ((double)rank + 0.5) / (double)n
                             : (double)(rank < GN_FACTOR_MAX_LEVELS ? rank : GN_FACTOR_MAX_LEVELS - 1);
    }
}

static gn_status fill_table(const gn_report_model *m, table *t, gn_error *err)
{
    const char **value = gn_alloc((t->n + 1) * sizeof *value);
    t->y = gn_alloc((t->n + 1) * sizeof *t->y);
    for (size_t k = 0; value != NULL && k < m->n_knobs && t->n_factors < GN_IMPORTANCE_FACTORS; k++)
        if (m->knob[k].is_varied && list_values(m, t, k, value) > 1)
            t->knob[t->n_factors++] = k;
    t->x = gn_alloc((t->n + 1) * ((size_t)t->n_factors + 1) * sizeof *t->x);
    if (value == NULL || t->x == NULL || t->y == NULL) {
        gn_free(value);
        return gn_fail(err, GN_ENOMEM, "computing what mattered: out of memory");
    }
    for (int c = 0; c < t->n_factors; c++)
        fill_column(m, t, c, value, list_values(m, t, t->knob[c], value));
    for (size_t i = 0; i < t->n; i++)
        t->y[i] = gn_report_utility(m, gn_result_metric(t->trial[i]->first, m->objective));
    gn_free(value);
    return GN_OK;
}

static int compare_shares(const void *a, const void *b)
{
    const gn_report_share *x = a, *y = b;
    return x->share != y->share ? (x->share > y->share ? -1 : 1) : strcmp(x->knob, y->knob);
}

static void tell(const gn_report_model *m, const table *t, const gn_importance *found, gn_report_shares *out)
{
    for (int c = 0; c < t->n_factors; c++)
        out->list[out->n_knobs++] =
            (gn_report_share){m->knob[t->knob[c]].name, NULL, found->share[c], found->spread[c]};
    qsort(out->list, (size_t)out->n_knobs, sizeof *out->list, compare_shares);
    for (int i = 0; i < found->n_pairs; i++) {
        const gn_importance_pair *p = &found->pair[i];
        out->list[out->n_knobs + out->n_pairs++] =
            (gn_report_share){m->knob[t->knob[p->first]].name, m->knob[t->knob[p->second]].name, p->share, NAN};
    }
    out->r2 = found->r2;
    out->is_known = true;
}

gn_status gn_report_shares_of(const gn_report_model *m, gn_report_shares *out, gn_error *err)
{
    table t = {.trial = gn_alloc((m->n_trials + 1) * sizeof *t.trial)};
    gn_importance found;
    memset(out, 0, sizeof *out);
    out->r2 = NAN;
    if (t.trial == NULL)
        return gn_fail(err, GN_ENOMEM, "computing what mattered: out of memory");
    out->epochs = common_epochs(m);
    choose_trials(m, out->epochs, &t);
    out->n_trials = t.n;
    gn_status status = fill_table(m, &t, err);
    const size_t least = t.n_factors * 4 > LEAST_TRIALS ? (size_t)t.n_factors * 4 : LEAST_TRIALS;
    if (status == GN_OK && t.n_factors == 0)
        snprintf(out->why, sizeof out->why, "no knob varies between the %zu trials with a result", t.n);
    else if (status == GN_OK && t.n < least)
        snprintf(out->why, sizeof out->why,
                 "%zu trials with a result after the same epochs are too few to tell (%d knobs want %zu)", t.n,
                 t.n_factors, least);
    else if (status == GN_OK) {
        status = gn_importance_compute(t.factor, t.n_factors, t.x, t.y, (int)t.n, TREES, 0, &found);
        if (status == GN_OK)
            tell(m, &t, &found, out);
        else if (status == GN_EINVAL) { /* of valid input: no tree found anything */
            snprintf(out->why, sizeof out->why, "all %zu trials score the same", t.n);
            status = GN_OK;
        } else
            gn_fail(err, status, "computing what mattered: %s", gn_status_sentence(status));
    }
    gn_free(t.trial);
    gn_free(t.x);
    gn_free(t.y);
    return status;
}
