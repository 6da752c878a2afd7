/* The median rule (Golovin et al. 2017, "Google Vizier", section 3.2.2): a trial stops at a rung when its best score so far is below the
 * median of the others at that rung.  The others are the trials of lower number, whether or not they went on: so a decision that was
 * made with all earlier trials present is never made anew.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "search/pareto.h"
#include "search/stopping_internal.h"

/* --- a running median: the lower half of the numbers in one heap, the upper half in another ------------------------------- */

/* The largest number first; the upper half holds its numbers negated. */
typedef struct heap {
    double *item;
    size_t n;
} heap;

static void heap_put(heap *h, double x)
{
    size_t at = h->n++;
    for (; at > 0 && h->item[(at - 1) / 2] < x; at = (at - 1) / 2)
        h->item[at] = h->item[(at - 1) / 2];
    h->item[at] = x;
}

static double heap_take(heap *h)
{
    const double top = h->item[0], last = h->item[--h->n];
    size_t at = 0;
    for (size_t child = 1; child < h->n; child = 2 * at + 1) {
        if (child + 1 < h->n && h->item[child + 1] > h->item[child])
            child++;
        if (h->item[child] <= last)
            break;
        h->item[at] = h->item[child];
        at = child;
    }
    h->item[at] = last;
    return top;
}

typedef struct halves {
    heap lower, upper;
} halves;

static void halves_put(halves *m, double x)
{
    heap_put(&m->lower, x);
    heap_put(&m->upper, -heap_take(&m->lower));
    if (m->upper.n > m->lower.n)
        heap_put(&m->lower, -heap_take(&m->upper));
}

/* Of at least one number. */
static double halves_median(const halves *m)
{
    return m->lower.n > m->upper.n ? m->lower.item[0] : (m->lower.item[0] - m->upper.item[0]) / 2;
}

/* --- the rule ------------------------------------------------------------------------------------------------------- */

static int by_trial(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return (x->trial > y->trial) - (x->trial < y->trial);
}

static double best_so_far(const gn_standing *s, int rung)
{
    double best = -INFINITY;
    for (int r = s->bracket; r <= rung; r++)
        if (s->score[r] > best)
            best = s->score[r];
    return best;
}

/* With is_pareto: those at the rung whom nobody beats in score and cost go on whatever the median says. */
static gn_status mark_front(const decision *d, int rung, bool *is_front)
{
    double *value = gn_arena_alloc(d->arena, (d->n + 1) * 2 * sizeof *value);
    size_t *index = gn_arena_alloc(d->arena, (d->n + 1) * sizeof *index);
    int *rank = gn_arena_alloc(d->arena, (d->n + 1) * sizeof *rank);
    size_t m = 0;
    if (value == NULL || index == NULL || rank == NULL)
        return GN_ENOMEM;
    for (size_t i = 0; i < d->n; i++) {
        const gn_standing *s = &d->list[i];
        is_front[i] = false;
        if (s->n_rungs <= rung || isnan(s->score[rung]) || isnan(s->cost))
            continue;
        value[2 * m] = -s->score[rung];
        value[2 * m + 1] = s->cost;
        index[m++] = i;
    }
    GN_TRY(gn_pareto_rank(value, m, 2, rank, d->arena));
    for (size_t i = 0; i < m; i++)
        is_front[index[i]] = rank[i] == 0;
    return GN_OK;
}

static void judge_rung(const decision *d, const ranked *order, int rung, halves *m, const bool *is_front, bool *goes_on)
{
    m->lower.n = m->upper.n = 0;
    for (size_t k = 0; k < d->n; k++) {
        const size_t i = order[k].index;
        const gn_standing *s = &d->list[i];
        if (s->n_rungs <= rung || isnan(s->score[rung]))
            continue;
        const bool is_judged =
            goes_on[i] && s->n_rungs == rung + 1 && m->lower.n + m->upper.n >= (size_t)d->rule->grace;
        if (is_judged && best_so_far(s, rung) < halves_median(m) && !is_front[i])
            goes_on[i] = false;
        halves_put(m, s->score[rung]);
    }
}

gn_status gn_stopping_median(const decision *d, bool *goes_on)
{
    ranked *order = gn_arena_alloc(d->arena, (d->n + 1) * sizeof *order);
    bool *is_front = gn_arena_alloc(d->arena, d->n + 1);
    halves m = {.lower.item = gn_arena_alloc(d->arena, (d->n + 1) * sizeof(double)),
                .upper.item = gn_arena_alloc(d->arena, (d->n + 1) * sizeof(double))};
    bool is_pausing[GN_STOPPING_MAX_RUNGS] = {false};
    if (order == NULL || is_front == NULL || m.lower.item == NULL || m.upper.item == NULL)
        return GN_ENOMEM;
    for (size_t i = 0; i < d->n; i++) {
        order[i] = (ranked){.trial = d->list[i].trial, .index = i};
        if (goes_on[i])
            is_pausing[d->list[i].n_rungs - 1] = true;
    }
    qsort(order, d->n, sizeof *order, by_trial);
    for (int rung = 0; rung + 1 < d->rule->n_ladder; rung++) {
        if (is_pausing[rung] && d->rule->is_pareto)
            GN_TRY(mark_front(d, rung, is_front));
        if (is_pausing[rung])
            judge_rung(d, order, rung, &m, is_front, goes_on);
    }
    return GN_OK;
}
