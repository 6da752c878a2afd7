/* What deciding, explaining and estimating share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_STOPPING_INTERNAL_H
#define GN_SEARCH_STOPPING_INTERNAL_H

#include "base/memory.h"
#include "search/stopping.h"

typedef struct decision {
    const gn_stopping *rule;
    const gn_standing *list;
    size_t n;
    gn_arena *arena;
} decision;

/* A trial among those of its rung: by rising rank, then falling merit, then rising trial. */
typedef struct ranked {
    int rank;
    double merit;
    int64_t trial, network;
    size_t index; /* in the list of standings */
} ranked;

/* Those who finished a rung with a score, best first; with stages of each network its best trial. */
typedef struct standing_order {
    ranked *list;
    size_t n;
    size_t n_finished; /* also those without score */
} standing_order;

/* Trials that failed after the rung keep their place in it: nobody moves up for them. */
gn_status gn_stopping_rank(const decision *d, int bracket, int rung, standing_order *order_out);
/* How many of the order go on. */
size_t gn_stopping_places(const gn_stopping *rule, int rung, const standing_order *order);
/* Hyperband: the share of all trials that start in this bracket; 1 for other rules. */
double gn_stopping_share(const gn_stopping *rule, int bracket);
/* The median rule: takes the mark from those of goes_on (trials that pause) that stop. */
gn_status gn_stopping_median(const decision *d, bool *goes_on);

#endif
