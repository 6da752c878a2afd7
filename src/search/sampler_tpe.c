/* TPE: what trials did well and what did not each become a density; of some draws from the good one the point with the largest ratio of
 * the two is proposed (Bergstra et al. 2011, section 4.2).  Parameters that apply together form a group with estimators of its own, over
 * the observations where it applies; groups are drawn from the roots to the leaves, so the space may be a tree.  With several objectives
 * "good" means the first fronts, and of a front that is cut the subset with most hypervolume (Ozaki et al. 2020).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/pareto.h"
#include "search/parzen.h"
#include "search/sampler_internal.h"

/* Of n observations the best GOOD_SHARE * n are good; with one objective at most MAX_GOOD. */
#define GOOD_SHARE 0.15
#define MAX_GOOD   25
/* The newest so many of the others count whole, older ones less. */
#define N_FRESH 25

/* A finished observation where a group applies. */
typedef struct entry {
    size_t index; /* in the history */
    int rung, front;
    double value; /* one objective */
} entry;

/* Parameters with the same parent and the same choices of it. */
typedef struct group {
    size_t *dims;
    size_t n;
    gn_parzen *good, *others; /* NULL: not yet fitted */
} group;

struct tpe {
    sampler_call *call;
    group groups[GN_PARAMS_MAX];
    size_t n_groups;
    size_t n_finished;
    double *candidate;
};

/* --- groups --------------------------------------------------------------------------------------------------------- */

static bool same_condition(const gn_param *params, size_t a, size_t b)
{
    const gn_param *x = &params[a], *y = &params[b];
    if (x->parent != y->parent || x->parent < 0)
        return x->parent == y->parent;
    return memcmp(x->when, y->when, (size_t)params[x->parent].n_choices * sizeof *x->when) == 0;
}

static gn_status make_groups(tpe *t)
{
    const sampler_call *call = t->call;
    for (size_t i = 0; i < call->n_params; i++) {
        size_t g = 0;
        while (g < t->n_groups && !same_condition(call->params, t->groups[g].dims[0], i))
            g++;
        group *at = &t->groups[g];
        if (g == t->n_groups) {
            *at = (group){.dims = gn_arena_alloc(call->arena, (call->n_params - i) * sizeof *at->dims)};
            if (at->dims == NULL)
                return GN_ENOMEM;
            t->n_groups++;
        }
        at->dims[at->n++] = i;
    }
    return GN_OK;
}

/* --- who is good ---------------------------------------------------------------------------------------------------- */

static int by_merit(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->rung != y->rung)
        return x->rung > y->rung ? -1 : 1;
    if (x->front != y->front)
        return x->front < y->front ? -1 : 1;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static bool same_class(const entry *a, const entry *b)
{
    return a->rung == b->rung && a->front == b->front;
}

/* The values of entries as rows: [n,m]; NULL when out of memory. */
static double *rows_of(const tpe *t, const entry *list, size_t n)
{
    const size_t m = (size_t)t->call->n_objectives;
    double *rows = gn_arena_alloc(t->call->arena, (n + 1) * m * sizeof *rows);
    for (size_t i = 0; rows != NULL && i < n; i++)
        memcpy(rows + i * m, t->call->history[list[i].index].value, m * sizeof *rows);
    return rows;
}

/* A little beyond the worst of the rows in every objective. */
static void reference_of(const double *rows, size_t n, int m, double *reference)
{
    for (int k = 0; k < m; k++) {
        double worst = rows[k];
        for (size_t i = 1; i < n; i++)
            worst = fmax(worst, rows[i * (size_t)m + (size_t)k]);
        reference[k] = fmax(1.1 * worst, 0.9 * worst);
    }
}

/* Entries by falling merit; with several objectives by front within each rung. */
static gn_status order_entries(const tpe *t, entry *list, size_t n)
{
    qsort(list, n, sizeof *list, by_merit);
    for (size_t begin = 0, end; t->call->n_objectives > 1 && begin < n; begin = end) {
        for (end = begin; end < n && list[end].rung == list[begin].rung;)
            end++;
        const double *rows = rows_of(t, list + begin, end - begin);
        int *front = gn_arena_alloc(t->call->arena, (end - begin) * sizeof *front);
        if (rows == NULL || front == NULL)
            return GN_ENOMEM;
        GN_TRY(gn_pareto_rank(rows, end - begin, t->call->n_objectives, front, t->call->arena));
        for (size_t i = begin; i < end; i++)
            list[i].front = front[i - begin];
    }
    if (t->call->n_objectives > 1)
        qsort(list, n, sizeof *list, by_merit);
    return GN_OK;
}

/* Where the first n_good entries cut a front in two, those of it that keep most hypervolume come first. */
static gn_status settle_cut(const tpe *t, entry *list, size_t n, size_t n_good)
{
    size_t begin = n_good, end = n_good;
    if (t->call->n_objectives < 2 || n_good == 0 || n_good == n || !same_class(&list[n_good - 1], &list[n_good]))
        return GN_OK;
    while (begin > 0 && same_class(&list[begin - 1], &list[n_good]))
        begin--;
    while (end < n && same_class(&list[end], &list[n_good]))
        end++;
    const size_t k = n_good - begin, width = end - begin;
    double reference[GN_OBJECTIVES_MAX];
    const double *rows = rows_of(t, list + begin, width);
    size_t *chosen = gn_arena_alloc(t->call->arena, width * sizeof *chosen);
    if (rows == NULL || chosen == NULL)
        return GN_ENOMEM;
    reference_of(rows, width, t->call->n_objectives, reference);
    GN_TRY(gn_hypervolume_subset(rows, width, t->call->n_objectives, reference, k, chosen, t->call->arena));
    for (size_t i = 0; i < k; i++)
        list[begin + chosen[i]]
            .front--; /* sorts before the rest of its front; a front above it is whole, and wholly good */
    qsort(list + begin, width, sizeof *list, by_merit);
    return GN_OK;
}

/* --- weights -------------------------------------------------------------------------------------------------------- */

static int by_age(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

/* Observations in the order of proposal: the newest N_FRESH weigh 1, older ones fall to 1/n for the first. */
static void weigh_by_age(double *weight, size_t n)
{
    for (size_t i = 0; i < n; i++)
        weight[i] = 1;
    for (size_t i = 0; n > N_FRESH + 1 && i < n - N_FRESH; i++)
        weight[i] = 1.0 / (double)n + (1 - 1.0 / (double)n) * (double)i / (double)(n - N_FRESH - 1);
}

/* --- fitting -------------------------------------------------------------------------------------------------------- */

/* Joint estimators find valleys that lie across the parameters, single ones are sharper along each: proposals alternate.  With several
 * objectives, where good points lie along a front, single ones did better throughout. */
static bool is_joint(const sampler_call *call)
{
    return call->n_objectives == 1 && call->number % 2 == 0;
}

static gn_status fit(const tpe *t, const group *g, entry *list, size_t n, gn_parzen **out)
{
    const sampler_call *call = t->call;
    double *weight = gn_arena_alloc(call->arena, (n + 1) * sizeof *weight);
    const double **points = gn_arena_alloc(call->arena, (n + 1) * sizeof *points);
    if (weight == NULL || points == NULL)
        return GN_ENOMEM;
    qsort(list, n, sizeof *list, by_age);
    weigh_by_age(weight, n);
    for (size_t i = 0; i < n; i++)
        points[i] = call->history[list[i].index].point;
    return gn_parzen_fit(call->arena, call->params, g->dims, g->n, points, weight, n, is_joint(call), out);
}

/* Splits the observations where the group applies.  Failed ones and running ones are among the others: near a running one nothing
 * more is tried until it is known. */
static gn_status fit_group(const tpe *t, group *g)
{
    const sampler_call *call = t->call;
    entry *list = gn_arena_alloc(call->arena, (call->n + 1) * sizeof *list);
    size_t n = 0, n_finished = 0;
    if (list == NULL)
        return GN_ENOMEM;
    for (int pass = 0; pass < 2; pass++) { /* finished ones first */
        for (size_t i = 0; i < call->n; i++) {
            const gn_observation *o = &call->history[i];
            const bool is_good = gn_observation_is_good(o, call->n_objectives);
            if (is_good == (pass == 0) && !isnan(o->point[g->dims[0]]))
                list[n++] = (entry){i, o->rung, 0, is_good && call->n_objectives == 1 ? o->value[0] : 0};
        }
        n_finished = pass == 0 ? n : n_finished;
    }
    size_t n_good = (size_t)ceil(GOOD_SHARE * (double)n_finished);
    if (call->n_objectives == 1 && n_good > MAX_GOOD)
        n_good = MAX_GOOD;
    GN_TRY(order_entries(t, list, n_finished));
    GN_TRY(settle_cut(t, list, n_finished, n_good));
    GN_TRY(fit(t, g, list, n_good, &g->good));
    return fit(t, g, list + n_good, n - n_good, &g->others);
}

/* --- proposing ------------------------------------------------------------------------------------------------------ */

gn_status gn_tpe_create(sampler_call *call, tpe **tpe_out)
{
    tpe *t = gn_arena_alloc(call->arena, sizeof *t);
    if (t == NULL)
        return GN_ENOMEM;
    t->call = call;
    t->candidate = gn_arena_alloc(call->arena, call->n_params * sizeof *t->candidate);
    if (t->candidate == NULL)
        return GN_ENOMEM;
    for (size_t i = 0; i < call->n; i++)
        t->n_finished += gn_observation_is_good(&call->history[i], call->n_objectives);
    *tpe_out = t;
    return make_groups(t);
}

/* Of some draws from the good estimator the one with the best ratio; the dims of the group are written to point. */
static void draw_group(const tpe *t, const group *g, double *point)
{
    double best = -INFINITY;
    for (int c = 0; c < t->call->options->n_candidates; c++) {
        gn_parzen_draw(g->good, &t->call->rng, t->candidate);
        const double ratio =
            gn_parzen_log_density(g->good, t->candidate) - gn_parzen_log_density(g->others, t->candidate);
        if (c > 0 && !(ratio > best))
            continue;
        best = ratio;
        for (size_t i = 0; i < g->n; i++)
            point[g->dims[i]] = t->candidate[g->dims[i]];
    }
}

gn_status gn_tpe_draw(tpe *t, double *point_out)
{
    if (t->n_finished < (size_t)t->call->options->n_startup) {
        gn_draw_uniform(t->call, point_out);
        return GN_OK;
    }
    for (size_t k = 0; k < t->n_groups; k++) {
        group *g = &t->groups[k];
        if (!gn_param_applies(t->call->params, g->dims[0], point_out)) {
            for (size_t i = 0; i < g->n; i++)
                point_out[g->dims[i]] = NAN;
            continue;
        }
        if (g->good == NULL)
            GN_TRY(fit_group(t, g));
        draw_group(t, g, point_out);
    }
    return GN_OK;
}
