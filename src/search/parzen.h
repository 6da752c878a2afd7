/* Parzen estimators: a density over some parameters of a space as a mixture of one kernel per observation and one, the prior, that is
 * as wide as the ranges.  TPE compares two of them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_PARZEN_H
#define GN_SEARCH_PARZEN_H

#include <stddef.h>

#include "base/memory.h"
#include "base/rng.h"
#include "search/params.h"

typedef struct gn_parzen gn_parzen;

/* Builds an estimator over params[dims[0..n_dims-1]], all of which apply to every point.
 * points: [n], each the whole point of the space.  weights: [n], > 0; NULL: all 1.  The prior weighs 1.
 * is_joint: the kernels are products over all dims, so that what goes together stays together; else every parameter has a mixture of
 * its own.
 * Lives in the arena; the parameters are borrowed.  GN_ENOMEM.
 * A kernel is a normal distribution cut off at the ends of the range, in the logarithm for logarithmic parameters; for whole numbers the
 * mass of the unit around each; for choices the observed one with weight 1 and each with 1/(n+1) more.  A kernel is as wide as its
 * centre is far from the farther of its two neighbours, at least range/min(100, n+2) and at most the range.
 * Source: Bergstra et al. 2011, "Algorithms for hyper-parameter optimization", section 4; Watanabe 2023, "Tree-structured Parzen
 * estimator: understanding its algorithm components", sections 3.3 and B, for the widths and the kernels of choices. */
gn_status gn_parzen_fit(gn_arena *arena, const gn_param *params, const size_t *dims, size_t n_dims,
                        const double *const *points, const double *weights, size_t n, bool is_joint,
                        gn_parzen **parzen_out);

/* One draw from the mixture.  point: the whole point of the space, of which the dims are written. */
void gn_parzen_draw(const gn_parzen *parzen, gn_rng *rng, double *point);

/* Logarithm of the density (for choices and whole numbers: the probability) at the dims of a point. */
double gn_parzen_log_density(const gn_parzen *parzen, const double *point);

#endif
