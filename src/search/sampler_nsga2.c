/* NSGA-II (Deb et al. 2002): parents are the best by front and crowding distance; two tournaments choose a pair, which is crossed and
 * mutated.  There are no generations: every proposal takes its parents from all that is finished by then.  So the sampler is a function of
 * the history alone, never waits for a generation to end, and uses a good child at once.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/pareto.h"
#include "search/sampler_internal.h"

#define CROSSOVER_CHANCE 0.9
#define ETA_CROSSOVER    15.0
#define ETA_MUTATION     20.0

typedef struct parent {
    size_t index; /* in the history */
    int rung, front;
    double crowding;
} parent;

struct nsga2 {
    sampler_call *call;
    parent *parents; /* best first */
    size_t n;
};

/* --- parents -------------------------------------------------------------------------------------------------------- */

static int by_merit(const void *a, const void *b)
{
    const parent *x = a, *y = b;
    if (x->rung != y->rung)
        return x->rung > y->rung ? -1 : 1;
    if (x->front != y->front)
        return x->front < y->front ? -1 : 1;
    if (x->crowding != y->crowding)
        return x->crowding > y->crowding ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static double *rows_of(const sampler_call *call, const parent *list, size_t n)
{
    const size_t m = (size_t)call->n_objectives;
    double *rows = gn_arena_alloc(call->arena, (n + 1) * m * sizeof *rows);
    for (size_t i = 0; rows != NULL && i < n; i++)
        memcpy(rows + i * m, call->history[list[i].index].value, m * sizeof *rows);
    return rows;
}

/* Sets the fronts of list: [n], all of one rung, and in each front the crowding distances; sorts by them. */
static gn_status rank_rung(const sampler_call *call, parent *list, size_t n)
{
    const int m = call->n_objectives;
    int *front = gn_arena_alloc(call->arena, (n + 1) * sizeof *front);
    double *crowding = gn_arena_alloc(call->arena, (n + 1) * sizeof *crowding);
    const double *rows = rows_of(call, list, n);
    if (front == NULL || crowding == NULL || rows == NULL)
        return GN_ENOMEM;
    GN_TRY(gn_pareto_rank(rows, n, m, front, call->arena));
    for (size_t i = 0; i < n; i++)
        list[i].front = front[i];
    qsort(list, n, sizeof *list, by_merit);
    for (size_t begin = 0, end; begin < n; begin = end) {
        for (end = begin; end < n && list[end].front == list[begin].front;)
            end++;
        const double *of_front = rows_of(call, list + begin, end - begin);
        if (of_front == NULL)
            return GN_ENOMEM;
        GN_TRY(gn_pareto_crowding(of_front, end - begin, m, crowding, call->arena));
        for (size_t i = begin; i < end; i++)
            list[i].crowding = crowding[i - begin];
    }
    qsort(list, n, sizeof *list, by_merit);
    return GN_OK;
}

gn_status gn_nsga2_create(sampler_call *call, nsga2 **nsga2_out)
{
    nsga2 *s = gn_arena_alloc(call->arena, sizeof *s);
    parent *list = gn_arena_alloc(call->arena, (call->n + 1) * sizeof *list);
    if (s == NULL || list == NULL)
        return GN_ENOMEM;
    *s = (nsga2){.call = call, .parents = list};
    for (size_t i = 0; i < call->n; i++)
        if (gn_observation_is_good(&call->history[i], call->n_objectives))
            list[s->n++] = (parent){.index = i, .rung = call->history[i].rung};
    qsort(list, s->n, sizeof *list, by_merit);
    for (size_t begin = 0, end; begin < s->n; begin = end) {
        for (end = begin; end < s->n && list[end].rung == list[begin].rung;)
            end++;
        GN_TRY(rank_rung(call, list + begin, end - begin));
    }
    *nsga2_out = s;
    return GN_OK;
}

/* --- children ------------------------------------------------------------------------------------------------------- */

/* The better of two drawn at random: parents are sorted, so it is the one with the lower index. */
static const double *tournament(const nsga2 *s)
{
    const size_t population = (size_t)s->call->options->population;
    const int64_t n = (int64_t)(s->n < population ? s->n : population);
    const int64_t a = gn_rng_below(&s->call->rng, n), b = gn_rng_below(&s->call->rng, n);
    return s->call->history[s->parents[a < b ? a : b].index].point;
}

/* Simulated binary crossover within bounds (Deb, Agrawal 1995): a child of a and b, near to one of them the more often the larger
 * ETA_CROSSOVER.  All in 0..1. */
static double cross(double a, double b, gn_rng *rng)
{
    const double u = gn_rng_uniform(rng), low = fmin(a, b), high = fmax(a, b);
    const bool is_lower = gn_rng_uniform(rng) < 0.5;
    if (high - low < 1e-14)
        return a;
    const double room = is_lower ? low : 1 - high;
    const double beta = 1 + 2 * room / (high - low), alpha = 2 - pow(beta, -(ETA_CROSSOVER + 1));
    const double spread =
        u <= 1 / alpha ? pow(u * alpha, 1 / (ETA_CROSSOVER + 1)) : pow(1 / (2 - u * alpha), 1 / (ETA_CROSSOVER + 1));
    const double shift = 0.5 * spread * (high - low), middle = 0.5 * (low + high);
    return is_lower ? middle - shift : middle + shift;
}

/* Polynomial mutation within bounds (Deb, Goyal 1996), in 0..1. */
static double mutate(double x, gn_rng *rng)
{
    const double u = gn_rng_uniform(rng), power = 1 / (ETA_MUTATION + 1);
    if (u < 0.5)
        return x + pow(2 * u + (1 - 2 * u) * pow(1 - x, ETA_MUTATION + 1), power) - 1;
    return x + 1 - pow(2 * (1 - u) + 2 * (u - 0.5) * pow(x, ETA_MUTATION + 1), power);
}

/* One parameter of the child. */
static double inherit(const nsga2 *s, size_t index, double a, double b, bool is_crossed)
{
    gn_rng *rng = &s->call->rng;
    const gn_param *p = &s->call->params[index];
    const bool is_mutated = gn_rng_uniform(rng) * (double)s->call->n_params < 1;
    if (isnan(a) && isnan(b))
        return gn_param_value_at(p, gn_rng_uniform(rng));
    if (isnan(a) || isnan(b))
        a = b = isnan(a) ? b : a;
    if (p->kind == GN_PARAM_CHOICE) {
        if (is_mutated)
            return gn_param_value_at(p, gn_rng_uniform(rng));
        return is_crossed && gn_rng_uniform(rng) < 0.5 ? b : a;
    }
    double u = gn_param_place_of(p, a);
    if (is_crossed && gn_rng_uniform(rng) < 0.5)
        u = cross(u, gn_param_place_of(p, b), rng);
    if (is_mutated)
        u = mutate(u, rng);
    return gn_param_value_at(p, fmin(1, fmax(0, u)));
}

gn_status gn_nsga2_draw(nsga2 *s, double *point_out)
{
    const size_t needed = (size_t)s->call->options->n_startup;
    if (s->n < needed || s->n < 2) {
        gn_draw_uniform(s->call, point_out);
        return GN_OK;
    }
    const double *a = tournament(s), *b = tournament(s);
    const bool is_crossed = gn_rng_uniform(&s->call->rng) < CROSSOVER_CHANCE;
    for (size_t i = 0; i < s->call->n_params; i++)
        point_out[i] = gn_param_applies(s->call->params, i, point_out) ? inherit(s, i, a[i], b[i], is_crossed) : NAN;
    return GN_OK;
}
