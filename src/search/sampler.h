/* Which point of the space to try next: grid, random, TPE, NSGA-II.  Deciding is a pure function of what the study holds: the same
 * arguments give the same point, so resuming after a kill is free and several workers may decide one after the other.
 * docs/search-methods.md has the formulas, the papers and what was compared.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_SAMPLER_H
#define GN_SEARCH_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "search/params.h"

#define GN_SAMPLER_MAX_CANDIDATES 10000
#define GN_SAMPLER_MAX_POPULATION 10000
#define GN_SAMPLER_MAX_HISTORY    1000000

typedef enum gn_sampler_kind {
    GN_SAMPLER_GRID,   /* every point of a finite space once, in the order of gn_params_point */
    GN_SAMPLER_RANDOM, /* uniform, or uniform in the logarithm */
    GN_SAMPLER_TPE,    /* tree-structured Parzen estimators, for one objective or several */
    GN_SAMPLER_NSGA2   /* evolution by Pareto rank and crowding, for several objectives above all */
} gn_sampler_kind;

typedef struct gn_sampler {
    gn_sampler_kind kind;
    uint64_t seed;
    int n_startup;    /* TPE: observations before the estimators are used; NSGA-II: population 0, drawn at random */
    int n_candidates; /* TPE: points drawn per proposal, of which the best is taken */
    int population;   /* NSGA-II: parents */
    /* Is this point worth training (does its network keep the budget)?  NULL: every point is.  One that is not is drawn again. */
    bool (*is_feasible)(void *ctx, const double *point);
    void *ctx;
} gn_sampler;

typedef struct gn_observation {
    const double *point; /* [n_params] */
    const double *value; /* [n_objectives], smaller is better; NULL while it runs; with a NaN in it: failed */
    int rung; /* rungs finished: values of higher rungs were trained longer, and rank before those of lower ones */
} gn_observation;

/* The defaults of a kind with the seed given: no feasibility, and the numbers of docs/search-methods.md. */
gn_sampler gn_sampler_default(gn_sampler_kind kind, uint64_t seed);

/* "grid", "random", "tpe", "nsga2".  Parsing is false for anything else. */
const char *gn_sampler_name(gn_sampler_kind kind);
bool gn_sampler_parse(const char *name, gn_sampler_kind *kind_out);

/* Proposes a point.
 * params: [n_params], n_params 1..GN_PARAMS_MAX.  n_objectives: 1..GN_OBJECTIVES_MAX.
 * history: [n], in the order of proposal; its points come from this space, running and failed ones among them.
 * number: how many proposals were made before: it chooses the random stream, and is where the grid is entered.
 * point_out: [n_params], written on success.
 * In a finite space no point of the history is proposed again.
 * GN_ENOENT: the space is exhausted: no point is left that the history does not hold and that is_feasible takes (in an infinite
 * space: none was found in 10,000 draws).  GN_EINVAL: parameters or options are outside their ranges, or a grid over a REAL
 * parameter.  GN_ENOMEM.
 * Thread-safe; is_feasible is called from within. */
gn_status gn_sampler_propose(const gn_sampler *options, const gn_param *params, size_t n_params, int n_objectives,
                             const gn_observation *history, size_t n, uint64_t number, double *point_out,
                             gn_error *err);

#endif
