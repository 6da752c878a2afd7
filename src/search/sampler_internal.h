/* What the samplers share: the question asked, and drawing single values.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_SAMPLER_INTERNAL_H
#define GN_SEARCH_SAMPLER_INTERNAL_H

#include "base/memory.h"
#include "base/rng.h"
#include "search/sampler.h"

/* The arguments of gn_sampler_propose, and what lives as long as the call. */
typedef struct sampler_call {
    const gn_sampler *options;
    const gn_param *params;
    size_t n_params;
    int n_objectives;
    const gn_observation *history;
    size_t n;
    uint64_t number;
    gn_arena *arena;
    gn_rng rng;
} sampler_call;

/* The value at u (0..1) of the parameter's range: even in the value, the logarithm or the choices. */
double gn_param_value_at(const gn_param *param, double u);
/* The way back: where in the range a value stands, 0..1.  Not for choices. */
double gn_param_place_of(const gn_param *param, double value);
/* A point at random.  point_out: [n_params]. */
void gn_draw_uniform(sampler_call *call, double *point_out);
/* Of a finished observation: a value for every objective. */
bool gn_observation_is_good(const gn_observation *o, int n_objectives);

/* The samplers that look at the history.  They live in the call's arena; every draw is another point.  GN_ENOMEM. */
typedef struct tpe tpe;
gn_status gn_tpe_create(sampler_call *call, tpe **tpe_out);
gn_status gn_tpe_draw(tpe *t, double *point_out);
typedef struct nsga2 nsga2;
gn_status gn_nsga2_create(sampler_call *call, nsga2 **nsga2_out);
gn_status gn_nsga2_draw(nsga2 *s, double *point_out);

#endif
