/* Proposing points: the grid, random draws, and what is the same for all samplers: checks, feasibility, no point twice.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/sampler_internal.h"

/* Draws before a sampler gives up: on a finite space the points that are left are looked through then. */
#define MAX_DRAWS        10000
#define MAX_DRAWS_FINITE 200
/* Points of a finite space that are looked through for one that is left. */
#define MAX_WALK (UINT64_C(1) << 20)

static const char *const kind_name[] = {"grid", "random", "tpe", "nsga2"};
#define N_KINDS (sizeof kind_name / sizeof *kind_name)

gn_sampler gn_sampler_default(gn_sampler_kind kind, uint64_t seed)
{
    return (gn_sampler){.kind = kind,
                        .seed = seed,
                        .n_startup = kind == GN_SAMPLER_NSGA2 ? 50 : 10,
                        .n_candidates = 48,
                        .population = 50};
}

const char *gn_sampler_name(gn_sampler_kind kind)
{
    return (size_t)kind < N_KINDS ? kind_name[kind] : "?";
}

bool gn_sampler_parse(const char *name, gn_sampler_kind *kind_out)
{
    for (size_t i = 0; i < N_KINDS; i++)
        if (strcmp(name, kind_name[i]) == 0) {
            *kind_out = (gn_sampler_kind)i;
            return true;
        }
    return false;
}

/* --- drawing -------------------------------------------------------------------------------------------------------- */

static double within(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* The ends of a parameter's range as a line of even probability.  Whole numbers own half a unit on either side, so that the ends are
 * as likely as the others. */
static void line_of(const gn_param *p, double *low_out, double *high_out)
{
    const double half = p->kind == GN_PARAM_INT ? 0.5 : 0;
    *low_out = p->is_log ? log(p->low - half) : p->low - half;
    *high_out = p->is_log ? log(p->high + half) : p->high + half;
}

double gn_param_value_at(const gn_param *p, double u)
{
    double low, high;
    if (p->kind == GN_PARAM_CHOICE)
        return within(floor(u * p->n_choices), 0, p->n_choices - 1);
    line_of(p, &low, &high);
    const double at = low + u * (high - low), x = p->is_log ? exp(at) : at;
    return within(p->kind == GN_PARAM_INT ? floor(x + 0.5) : x, p->low, p->high);
}

double gn_param_place_of(const gn_param *p, double value)
{
    double low, high;
    line_of(p, &low, &high);
    return high > low ? ((p->is_log ? log(value) : value) - low) / (high - low) : 0;
}

void gn_draw_uniform(sampler_call *call, double *point_out)
{
    for (size_t i = 0; i < call->n_params; i++)
        point_out[i] = gn_param_applies(call->params, i, point_out)
                           ? gn_param_value_at(&call->params[i], gn_rng_uniform(&call->rng))
                           : NAN;
}

bool gn_observation_is_good(const gn_observation *o, int n_objectives)
{
    for (int k = 0; o->value != NULL && k < n_objectives; k++)
        if (isnan(o->value[k]))
            return false;
    return o->value != NULL;
}

static bool is_known(const sampler_call *call, const double *point)
{
    for (size_t i = 0; i < call->n; i++)
        if (gn_points_equal(call->history[i].point, point, call->n_params))
            return true;
    return false;
}

static bool is_feasible(const sampler_call *call, const double *point)
{
    return call->options->is_feasible == NULL || call->options->is_feasible(call->options->ctx, point);
}

/* --- finite spaces -------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The first point from number `start` on, round to before it, that history does not hold and that is feasible. */
static gn_status walk(const sampler_call *call, uint64_t count, uint64_t start, double *point_out, gn_error *err)
{
    uint64_t *used = gn_arena_alloc(call->arena, (call->n + 1) * sizeof *used);
    double *point = gn_arena_alloc(call->arena, call->n_params * sizeof *point);
    size_t n_used = 0;
    if (used == NULL || point == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    for (size_t i = 0; i < call->n; i++)
        if (gn_params_hold(call->params, call->n_params, call->history[i].point))
            used[n_used++] = gn_params_number(call->params, call->n_params, call->history[i].point);
    qsort(used, n_used, sizeof *used, by_number);
    for (uint64_t step = 0; step < count && step < MAX_WALK; step++) {
        const uint64_t at = start < count - step ? start + step : start - (count - step);
        if (bsearch(&at, used, n_used, sizeof *used, by_number) != NULL)
            continue;
        gn_params_point(call->params, call->n_params, at, point);
        if (is_feasible(call, point)) {
            memcpy(point_out, point, call->n_params * sizeof *point);
            return GN_OK;
        }
    }
    return gn_fail(err, GN_ENOENT, "the space is exhausted: of its %llu points none is left to try%s",
                   (unsigned long long)count, call->options->is_feasible != NULL ? " that keeps the budget" : "");
}

static gn_status propose_grid(const sampler_call *call, uint64_t count, double *point_out, gn_error *err)
{
    if (count == UINT64_MAX)
        for (size_t i = 0; i < call->n_params; i++)
            if (call->params[i].kind == GN_PARAM_REAL && call->params[i].low < call->params[i].high)
                return gn_fail(err, GN_EINVAL,
                               "a grid over the continuous range of %s: give a list of values, or a range with a "
                               "count, or another sampler",
                               call->params[i].name != NULL ? call->params[i].name : "a parameter");
    if (count == UINT64_MAX)
        return gn_fail(err, GN_EINVAL, "a grid of more than 2^63 points: take another sampler");
    if (call->number >= count)
        return gn_fail(err, GN_ENOENT, "the grid is exhausted: all of its %llu points were proposed",
                       (unsigned long long)count);
    return walk(call, count, call->number, point_out, err);
}

/* --- proposing ------------------------------------------------------------------------------------------------------ */

static gn_status check(const sampler_call *call, gn_error *err)
{
    const gn_sampler *o = call->options;
    if ((size_t)o->kind >= N_KINDS)
        return gn_fail(err, GN_EINVAL, "a sampler of unknown kind %d", (int)o->kind);
    if (call->n_objectives < 1 || call->n_objectives > GN_OBJECTIVES_MAX)
        return gn_fail(err, GN_EINVAL, "a search with %d objectives; expected 1 to %d", call->n_objectives,
                       GN_OBJECTIVES_MAX);
    if (call->n > GN_SAMPLER_MAX_HISTORY)
        return gn_fail(err, GN_EINVAL, "a sampler with %zu observations; expected at most %d", call->n,
                       GN_SAMPLER_MAX_HISTORY);
    if (o->n_startup < 0 || o->n_candidates < 1 || o->n_candidates > GN_SAMPLER_MAX_CANDIDATES || o->population < 2 ||
        o->population > GN_SAMPLER_MAX_POPULATION)
        return gn_fail(err, GN_EINVAL,
                       "a sampler with %d points at the start, %d candidates and a population of %d; expected at "
                       "least 0, 1 to %d and 2 to %d",
                       o->n_startup, o->n_candidates, o->population, GN_SAMPLER_MAX_CANDIDATES,
                       GN_SAMPLER_MAX_POPULATION);
    return gn_params_check(call->params, call->n_params, err);
}

/* The sampler's own way of drawing, with what it made of the history. */
typedef struct drawer {
    sampler_call *call;
    tpe *tpe;
    nsga2 *nsga2;
} drawer;

static gn_status drawer_init(drawer *d, sampler_call *call)
{
    *d = (drawer){.call = call};
    if (call->options->kind == GN_SAMPLER_TPE)
        return gn_tpe_create(call, &d->tpe);
    return call->options->kind == GN_SAMPLER_NSGA2 ? gn_nsga2_create(call, &d->nsga2) : GN_OK;
}

static gn_status draw_one(const drawer *d, double *point_out)
{
    if (d->tpe != NULL)
        return gn_tpe_draw(d->tpe, point_out);
    if (d->nsga2 != NULL)
        return gn_nsga2_draw(d->nsga2, point_out);
    gn_draw_uniform(d->call, point_out);
    return GN_OK;
}

/* Draws until a point is new and feasible. */
static gn_status propose_drawn(sampler_call *call, uint64_t count, double *point_out, gn_error *err)
{
    const int max_draws = count == UINT64_MAX ? MAX_DRAWS : MAX_DRAWS_FINITE;
    double *point = gn_arena_alloc(call->arena, call->n_params * sizeof *point);
    drawer d;
    if (point == NULL || drawer_init(&d, call) != GN_OK)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    for (int draw = 0; draw < max_draws; draw++) {
        if (draw_one(&d, point) != GN_OK)
            return gn_fail(err, GN_ENOMEM, "out of memory");
        if (!is_known(call, point) && is_feasible(call, point)) {
            memcpy(point_out, point, call->n_params * sizeof *point);
            return GN_OK;
        }
    }
    if (count != UINT64_MAX)
        return walk(call, count, gn_rng_u64(&call->rng) % count, point_out, err);
    return gn_fail(err, GN_ENOENT, "of %d points drawn none %s", max_draws,
                   call->options->is_feasible != NULL ? "keeps the budget" : "is new");
}

gn_status gn_sampler_propose(const gn_sampler *options, const gn_param *params, size_t n_params, int n_objectives,
                             const gn_observation *history, size_t n, uint64_t number, double *point_out, gn_error *err)
{
    sampler_call call = {.options = options,
                         .params = params,
                         .n_params = n_params,
                         .n_objectives = n_objectives,
                         .history = history,
                         .n = n,
                         .number = number};
    GN_TRY(check(&call, err));
    const uint64_t count = gn_params_count(params, n_params);
    gn_rng_init(&call.rng, options->seed, gn_rng_mix(number, (uint64_t)options->kind));
    call.arena = gn_arena_create(0);
    if (call.arena == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    gn_status status;
    if (options->kind == GN_SAMPLER_GRID)
        status = propose_grid(&call, count, point_out, err);
    else
        status = propose_drawn(&call, count, point_out, err);
    gn_arena_destroy(&call.arena);
    return status;
}
