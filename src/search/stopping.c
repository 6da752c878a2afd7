/* Deciding who trains next.  Every rule sees the standings alone: which trials finished a rung, and how they rank there.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/pareto.h"
#include "search/stopping_internal.h"

/* --- who finished a rung, and in which order ----------------------------------------------------------------------------- */

static int by_rank(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->merit != y->merit)
        return x->merit > y->merit ? -1 : 1;
    return (x->trial > y->trial) - (x->trial < y->trial);
}

static int by_network(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->network != y->network)
        return x->network < y->network ? -1 : 1;
    return by_rank(a, b);
}

/* Ranks by (score, cost): front, and within it the crowding distance.  Trials without cost come behind all others, by score. */
static gn_status rank_by_pareto(const decision *d, ranked *list, size_t n)
{
    double *value = gn_arena_alloc(d->arena, (n + 1) * 2 * sizeof *value);
    double *front = gn_arena_alloc(d->arena, (n + 1) * 2 * sizeof *front);
    double *crowding = gn_arena_alloc(d->arena, (n + 1) * sizeof *crowding);
    int *rank = gn_arena_alloc(d->arena, (n + 1) * sizeof *rank);
    if (value == NULL || front == NULL || crowding == NULL || rank == NULL)
        return GN_ENOMEM;
    size_t m = 0;
    for (size_t i = 0; i < n; i++) { /* those with a cost to the front */
        const ranked at = list[i];
        const double cost = d->list[at.index].cost;
        if (isnan(cost)) {
            list[i].rank = INT32_MAX;
            continue;
        }
        value[2 * m] = -at.merit;
        value[2 * m + 1] = cost;
        list[i] = list[m];
        list[m++] = at;
    }
    GN_TRY(gn_pareto_rank(value, m, 2, rank, d->arena));
    for (size_t i = 0; i < m; i++)
        list[i].rank = rank[i];
    qsort(list, m, sizeof *list, by_rank);
    for (size_t begin = 0, end; begin < m; begin = end) {
        for (end = begin; end < m && list[end].rank == list[begin].rank; end++) {
            front[2 * (end - begin)] = -list[end].merit;
            front[2 * (end - begin) + 1] = d->list[list[end].index].cost;
        }
        GN_TRY(gn_pareto_crowding(front, end - begin, 2, crowding, d->arena));
        for (size_t i = begin; i < end; i++)
            list[i].merit = crowding[i - begin];
    }
    return GN_OK;
}

/* Of each network its best trial, to the front; returns their number. */
static size_t keep_networks(ranked *list, size_t n)
{
    size_t kept = 0;
    qsort(list, n, sizeof *list, by_network);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || list[i].network != list[i - 1].network)
            list[kept++] = list[i];
    return kept;
}

gn_status gn_stopping_rank(const decision *d, int bracket, int rung, standing_order *order_out)
{
    ranked *list = gn_arena_alloc(d->arena, (d->n + 1) * sizeof *list);
    if (list == NULL)
        return GN_ENOMEM;
    *order_out = (standing_order){.list = list};
    for (size_t i = 0; i < d->n; i++) {
        const gn_standing *s = &d->list[i];
        if (s->bracket != bracket || s->n_rungs <= rung)
            continue;
        order_out->n_finished++;
        if (!isnan(s->score[rung]))
            list[order_out->n++] =
                (ranked){.merit = s->score[rung], .trial = s->trial, .network = s->network, .index = i};
    }
    if (d->rule->kind == GN_STOPPING_STAGES)
        order_out->n = keep_networks(list, order_out->n);
    if (d->rule->is_pareto)
        GN_TRY(rank_by_pareto(d, list, order_out->n));
    qsort(list, order_out->n, sizeof *list, by_rank);
    return GN_OK;
}

size_t gn_stopping_places(const gn_stopping *rule, int rung, const standing_order *order)
{
    size_t places = order->n_finished / (size_t)(rule->eta > 0 ? rule->eta : 1);
    if (rule->kind == GN_STOPPING_STAGES)
        places = (size_t)rule->keep[rung];
    else if (rule->kind == GN_STOPPING_HALVING && places == 0)
        places = 1;
    return places < order->n ? places : order->n;
}

/* --- steps that all rules share ------------------------------------------------------------------------------------- */

static bool may_go_on(const decision *d, const gn_standing *s)
{
    return !s->is_running && !s->is_out && s->n_rungs < d->rule->n_ladder;
}

static gn_next go_on(const decision *d, size_t index)
{
    const gn_standing *s = &d->list[index];
    return (gn_next){.kind = GN_NEXT_CONTINUE, .index = index, .bracket = s->bracket, .rung = s->n_rungs};
}

/* A trial that was on its way when something interrupted it, the lowest first. */
static bool find_interrupted(const decision *d, gn_next *next_out)
{
    size_t found = d->n;
    for (size_t i = 0; i < d->n; i++) {
        const gn_standing *s = &d->list[i];
        if (may_go_on(d, s) && (s->n_rungs == s->bracket || s->aim > s->n_rungs) &&
            (found == d->n || s->trial < d->list[found].trial))
            found = i;
    }
    if (found < d->n)
        *next_out = go_on(d, found);
    return found < d->n;
}

static bool is_anyone_running(const decision *d, int bracket)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->list[i].is_running && (bracket < 0 || d->list[i].bracket == bracket))
            return true;
    return false;
}

/* Someone is there who paused at this rung. */
static bool is_anyone_at(const decision *d, int bracket, int rung)
{
    for (size_t i = 0; i < d->n; i++) {
        const gn_standing *s = &d->list[i];
        if (s->bracket == bracket && s->n_rungs == rung + 1 && may_go_on(d, s) && !isnan(s->score[rung]))
            return true;
    }
    return false;
}

static gn_next wait_or_end(const decision *d)
{
    return (gn_next){.kind = is_anyone_running(d, -1) ? GN_NEXT_WAIT : GN_NEXT_END};
}

/* A bracket of which nobody reached the end and nobody is on the way: its best trial at its highest rung goes on. */
static gn_status rescue(const decision *d, int bracket, gn_next *next_out, bool *is_found)
{
    const int top = d->rule->n_ladder;
    *is_found = false;
    if (is_anyone_running(d, bracket))
        return GN_OK;
    for (size_t i = 0; i < d->n; i++)
        if (d->list[i].bracket == bracket && d->list[i].n_rungs == top && !isnan(d->list[i].score[top - 1]))
            return GN_OK;
    for (int rung = top - 2; rung >= bracket && !*is_found; rung--) {
        standing_order order;
        if (!is_anyone_at(d, bracket, rung))
            continue;
        GN_TRY(gn_stopping_rank(d, bracket, rung, &order));
        for (size_t i = 0; i < order.n && !*is_found; i++)
            if (d->list[order.list[i].index].n_rungs == rung + 1 && may_go_on(d, &d->list[order.list[i].index])) {
                *next_out = go_on(d, order.list[i].index);
                *is_found = true;
            }
    }
    return GN_OK;
}

/* --- none, and the median rule ---------------------------------------------------------------------------------------- */

static gn_status next_of_each(const decision *d, gn_next *next_out)
{
    bool *goes_on = gn_arena_alloc(d->arena, d->n + 1);
    if (goes_on == NULL)
        return GN_ENOMEM;
    for (size_t i = 0; i < d->n; i++) {
        const gn_standing *s = &d->list[i];
        goes_on[i] = may_go_on(d, s) && s->n_rungs > 0 && !isnan(s->score[s->n_rungs - 1]);
    }
    if (d->rule->kind == GN_STOPPING_MEDIAN)
        GN_TRY(gn_stopping_median(d, goes_on));
    size_t found = d->n;
    for (size_t i = 0; i < d->n; i++)
        if (goes_on[i] && (found == d->n || d->list[i].trial < d->list[found].trial))
            found = i;
    if (found < d->n)
        *next_out = go_on(d, found);
    else if ((int64_t)d->n < d->rule->n_trials)
        *next_out = (gn_next){.kind = GN_NEXT_START};
    else
        *next_out = wait_or_end(d);
    return GN_OK;
}

/* --- with barriers: stages, halving ---------------------------------------------------------------------------------- */

/* Of those whom the rung lets through: one who is not yet sent on, or that one is still running. */
static gn_status next_of_rung(const decision *d, int rung, gn_next *next_out, bool *is_decided)
{
    standing_order order;
    GN_TRY(gn_stopping_rank(d, 0, rung, &order));
    const size_t places = gn_stopping_places(d->rule, rung, &order);
    bool is_running = false;
    for (size_t i = 0; i < places; i++) {
        const gn_standing *s = &d->list[order.list[i].index];
        if (s->n_rungs == rung + 1 && may_go_on(d, s)) {
            *next_out = go_on(d, order.list[i].index);
            *is_decided = true;
            return GN_OK;
        }
        is_running = is_running || s->is_running;
    }
    *is_decided = is_running;
    if (is_running)
        *next_out = (gn_next){.kind = GN_NEXT_WAIT};
    return GN_OK;
}

static gn_status next_with_barriers(const decision *d, gn_next *next_out)
{
    bool is_decided = false;
    if ((int64_t)d->n < d->rule->n_trials) {
        *next_out = (gn_next){.kind = GN_NEXT_START};
        return GN_OK;
    }
    for (size_t i = 0; i < d->n; i++)
        if (d->list[i].is_running && d->list[i].n_rungs == 0) {
            *next_out = (gn_next){.kind = GN_NEXT_WAIT};
            return GN_OK;
        }
    for (int rung = 0; rung + 1 < d->rule->n_ladder; rung++) {
        GN_TRY(next_of_rung(d, rung, next_out, &is_decided));
        if (is_decided)
            return GN_OK;
    }
    if (d->rule->kind == GN_STOPPING_HALVING)
        GN_TRY(rescue(d, 0, next_out, &is_decided));
    if (!is_decided)
        *next_out = wait_or_end(d);
    return GN_OK;
}

/* --- without barriers: ASHA, Hyperband ------------------------------------------------------------------------------- */

/* The best trial of the rung that is let through and not yet sent on. */
static gn_status promote(const decision *d, int bracket, int rung, gn_next *next_out, bool *is_found)
{
    standing_order order;
    *is_found = false;
    if (!is_anyone_at(d, bracket, rung))
        return GN_OK;
    GN_TRY(gn_stopping_rank(d, bracket, rung, &order));
    const size_t places = gn_stopping_places(d->rule, rung, &order);
    for (size_t i = 0; i < places && !*is_found; i++) {
        const gn_standing *s = &d->list[order.list[i].index];
        if (s->n_rungs == rung + 1 && may_go_on(d, s)) {
            *next_out = go_on(d, order.list[i].index);
            *is_found = true;
        }
    }
    return GN_OK;
}

static int n_brackets(const gn_stopping *rule)
{
    return rule->kind == GN_STOPPING_HYPERBAND ? rule->n_ladder : 1;
}

/* Hyperband's share of bracket b, which has h = n_ladder-1-b halvings: ceil(n_ladder / (h+1) * eta^h) of all (Li et al. 2017, algorithm
 * 1, line 3). */
double gn_stopping_share(const gn_stopping *rule, int bracket)
{
    double total = 0, own = 0;
    for (int b = 0; b < n_brackets(rule); b++) {
        const int h = rule->n_ladder - 1 - b;
        const double size = ceil((double)rule->n_ladder / (h + 1) * pow(rule->eta, h));
        total += size;
        if (b == bracket)
            own = size;
    }
    return n_brackets(rule) == 1 ? 1 : own / total;
}

/* The bracket that is furthest behind its share when one more trial is counted. */
static int next_bracket(const decision *d)
{
    int64_t started[GN_STOPPING_MAX_RUNGS] = {0};
    int best = 0;
    double most = -INFINITY;
    for (size_t i = 0; i < d->n; i++)
        started[d->list[i].bracket]++;
    for (int b = 0; b < n_brackets(d->rule); b++) {
        const double behind = gn_stopping_share(d->rule, b) * (double)(d->n + 1) - (double)started[b];
        if (behind > most + 1e-9) {
            most = behind;
            best = b;
        }
    }
    return best;
}

static gn_status next_without_barriers(const decision *d, gn_next *next_out)
{
    const int brackets = n_brackets(d->rule);
    bool is_found = false;
    for (int rung = d->rule->n_ladder - 2; rung >= 0; rung--)
        for (int b = 0; b < brackets && b <= rung; b++) {
            GN_TRY(promote(d, b, rung, next_out, &is_found));
            if (is_found)
                return GN_OK;
        }
    if ((int64_t)d->n < d->rule->n_trials) {
        const int bracket = next_bracket(d);
        *next_out = (gn_next){.kind = GN_NEXT_START, .bracket = bracket, .rung = bracket};
        return GN_OK;
    }
    for (int b = 0; b < brackets; b++) {
        GN_TRY(rescue(d, b, next_out, &is_found));
        if (is_found)
            return GN_OK;
    }
    *next_out = wait_or_end(d);
    return GN_OK;
}

/* --- deciding ------------------------------------------------------------------------------------------------------- */

static gn_status check_standings(const gn_stopping *rule, const gn_standing *list, size_t n, gn_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const gn_standing *s = &list[i];
        if (s->bracket < 0 || s->bracket >= n_brackets(rule) || s->n_rungs < s->bracket ||
            s->n_rungs > rule->n_ladder || s->score == NULL)
            return gn_fail(err, GN_EINVAL,
                           "trial %lld stands in bracket %d with %d rungs finished; expected one of %d brackets, and "
                           "at most %d rungs",
                           (long long)s->trial, s->bracket, s->n_rungs, n_brackets(rule), rule->n_ladder);
    }
    return GN_OK;
}

gn_status gn_stopping_next(const gn_stopping *rule, const gn_standing *list, size_t n, gn_next *next_out, gn_error *err)
{
    GN_TRY(gn_stopping_check(rule, err));
    GN_TRY(check_standings(rule, list, n, err));
    decision d = {.rule = rule, .list = list, .n = n};
    gn_next next = {0};
    if (find_interrupted(&d, &next)) {
        *next_out = next;
        return GN_OK;
    }
    d.arena = gn_arena_create(0);
    gn_status status = d.arena != NULL ? GN_OK : GN_ENOMEM;
    if (status == GN_OK && (rule->kind == GN_STOPPING_NONE || rule->kind == GN_STOPPING_MEDIAN))
        status = next_of_each(&d, &next);
    else if (status == GN_OK && (rule->kind == GN_STOPPING_STAGES || rule->kind == GN_STOPPING_HALVING))
        status = next_with_barriers(&d, &next);
    else if (status == GN_OK)
        status = next_without_barriers(&d, &next);
    gn_arena_destroy(&d.arena);
    if (status != GN_OK)
        return gn_fail(err, status, "deciding who trains next: out of memory");
    *next_out = next;
    return GN_OK;
}
