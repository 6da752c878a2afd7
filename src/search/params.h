/* The parameters of a search as numbers: what a sampler sees of a space.  A point is one double per parameter: the number of the
 * choice, or the value; NaN where the parameter does not apply.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_PARAMS_H
#define GN_SEARCH_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define GN_PARAMS_MAX        256
#define GN_PARAM_MAX_CHOICES 100000
#define GN_OBJECTIVES_MAX    8
/* Whole numbers are exact in a double up to here. */
#define GN_PARAM_MAX_INT 9007199254740992.0

typedef enum gn_param_kind {
    GN_PARAM_CHOICE, /* without order: models, optimisers */
    GN_PARAM_INT,
    GN_PARAM_REAL
} gn_param_kind;

typedef struct gn_param {
    const char *name; /* borrowed */
    gn_param_kind kind;
    int n_choices;    /* CHOICE: values 0..n_choices-1 */
    double low, high; /* INT, REAL: inclusive; low <= high */
    bool is_log;      /* INT, REAL: even in the logarithm; low > 0 */
    int parent; /* index of an earlier CHOICE parameter that decides whether this one applies; -1: it always does */
    const bool *when; /* [choices of parent], borrowed: the choices with which this one applies; NULL with parent -1 */
} gn_param;

/* GN_EINVAL, naming the parameter: more than GN_PARAMS_MAX, no choice, a range that is empty or not finite, a logarithm from 0 or
 * below, a parent that is not an earlier CHOICE. */
gn_status gn_params_check(const gn_param *params, size_t n_params, gn_error *err);

/* Does params[index] apply, given the values of the parameters before it?  Not when its parent does not. */
bool gn_param_applies(const gn_param *params, size_t index, const double *point);

/* Is every number of point where it may be: a value of the parameter, NaN exactly where it does not apply? */
bool gn_params_hold(const gn_param *params, size_t n_params, const double *point);

/* The same point?  NaN equals NaN. */
bool gn_points_equal(const double *a, const double *b, size_t n_params);

/* How many different points there are: CHOICE and INT are counted, parameters that do not apply count once.  UINT64_MAX: more than
 * 2^63, or a REAL parameter with low < high (whether or not it always applies). */
uint64_t gn_params_count(const gn_param *params, size_t n_params);

/* The points of a finite space have numbers 0..count-1: mixed radix over the parameters without parent, the last running fastest;
 * within a choice, over the parameters that apply with it.  n_params <= GN_PARAMS_MAX; gn_params_count must not be UINT64_MAX.
 * point_out: [n_params]. */
void gn_params_point(const gn_param *params, size_t n_params, uint64_t number, double *point_out);
/* The way back, for a point that gn_params_hold. */
uint64_t gn_params_number(const gn_param *params, size_t n_params, const double *point);

#endif
