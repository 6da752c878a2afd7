/* Comparing by several objectives at once: nondominated sorting, crowding distance, hypervolume and the subset that keeps most of it.
 * Smaller is better everywhere; a value is a row of m numbers, and a dominates b when it is nowhere larger and somewhere smaller.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_PARETO_H
#define GN_SEARCH_PARETO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

#define GN_PARETO_MAX_OBJECTIVES 8

/* a, b: [m]. */
bool gn_pareto_dominates(const double *a, const double *b, int m);

/* The front that each row belongs to: 0 for rows that nothing dominates, 1 for those that only front 0 dominates, ...  Equal rows
 * share a front.
 * value: [n,m] without NaN, m 1..GN_PARETO_MAX_OBJECTIVES.  rank_out: [n].  scratch: grows by O(n).  GN_ENOMEM.
 * n log n for two objectives, else up to m n^2.
 * Source: Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II", section III A, for what is computed; Zhang et
 * al. 2015, "An efficient approach to nondominated sorting", for how: rows by falling rank of their first objective, each into the first
 * front without a row that dominates it. */
gn_status gn_pareto_rank(const double *value, size_t n, int m, int *rank_out, gn_arena *scratch);

/* The rows of front 0, in the order of their first objective.  index_out: [n], *n_out entries are written. */
gn_status gn_pareto_front(const double *value, size_t n, int m, size_t *index_out, size_t *n_out, gn_arena *scratch);

/* How far the neighbours of each row lie apart, summed over the objectives, each divided by its range; INFINITY for rows at an end.
 * value: [n,m], the rows of one front, without NaN.  distance_out: [n].  Source: Deb et al. 2002, section III B. */
gn_status gn_pareto_crowding(const double *value, size_t n, int m, double *distance_out, gn_arena *scratch);

/* Volume of what the rows dominate, bounded by the reference point; rows that do not dominate it add nothing.
 * value: [n,m], any rows, without NaN; reference: [m].  Exact: a sweep for two objectives (n log n), else by exclusive volumes (While,
 * Bradstreet, Barone 2012, "A fast way of calculating exact hypervolumes": WFG), which grows fast with n and m. */
gn_status gn_hypervolume(const double *value, size_t n, int m, const double *reference, double *volume_out,
                         gn_arena *scratch);

/* k rows that together keep much of the hypervolume: each time the row that adds most, ties to the lower index.  At least 1-1/e of
 * the largest that k rows can have.  index_out: [k], k <= n.
 * Source: Guerreiro, Fonseca, Paquete 2016, "Greedy hypervolume subset selection in low dimensions". */
gn_status gn_hypervolume_subset(const double *value, size_t n, int m, const double *reference, size_t k,
                                size_t *index_out, gn_arena *scratch);

#endif
