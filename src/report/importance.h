/* Which knobs mattered: functional ANOVA on a random forest (Hutter, Hoos and Leyton-Brown 2014, "An Efficient Approach for Assessing
 * Hyperparameter Importance").  A forest is fitted to (configuration, score); each tree cuts the space into boxes of constant score, so
 * that the mean over all other factors, and its variance, is an exact sum over boxes.  A factor's share is that variance over the
 * variance of the whole.
 * Chosen over PED-ANOVA (Watanabe et al. 2023), which asks where good trials lie, because its shares are those of the variance, which
 * can be checked against functions whose shares are known, and because it tells interactions; trials of unequal training are kept apart
 * by comparing only those that were trained for the same epochs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_REPORT_IMPORTANCE_H
#define GN_REPORT_IMPORTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define GN_FACTOR_MAX_LEVELS  128
#define GN_IMPORTANCE_FACTORS 16
#define GN_IMPORTANCE_PAIRS   6

/* n_levels: of a category, whose values are 0..n_levels-1 (at most GN_FACTOR_MAX_LEVELS); 0: a number, scaled to 0..1 so that equal
 * lengths weigh the same. */
typedef struct gn_factor {
    int n_levels;
} gn_factor;

typedef struct gn_importance_pair {
    int first, second; /* factors */
    double share;      /* beyond what both explain by themselves */
} gn_importance_pair;

/* share: of the variance, mean over trees; spread: its standard deviation over trees.  pairs: interactions of the four factors with
 * the largest shares, largest first.  r2: how well the forest predicts trials that a tree was not fitted to (1: perfectly; 0 or less:
 * not at all, and the shares mean nothing). */
typedef struct gn_importance {
    double share[GN_IMPORTANCE_FACTORS], spread[GN_IMPORTANCE_FACTORS];
    gn_importance_pair pair[GN_IMPORTANCE_PAIRS];
    int n_pairs;
    double r2;
} gn_importance;

/* factors: n_factors, 1..GN_IMPORTANCE_FACTORS.  x: [n, n_factors]; NaN where a factor does not apply (a tree asks for it only where
 * all trials have it, so that its share counts where it applies).  y: [n], finite.  trees: 1..1000.  Deterministic for a seed.
 * GN_EINVAL: counts or levels out of range, or all y are equal.  GN_ENOMEM. */
gn_status gn_importance_compute(const gn_factor *factors, int n_factors, const double *x, const double *y, int n,
                                int trees, uint64_t seed, gn_importance *out);

#endif
