/* Choosing kernels by measuring: every possible kernel of every layer, inside whole runs of the network, so that caches are what they will be.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_MEASURE_TUNE_H
#define GN_MEASURE_TUNE_H

#include "run/kernel_plan.h"

typedef struct gn_tuning {
    int layers, distinct; /* layers with a choice, and different ones among them */
    int kernels;          /* measured, over all different layers */
    int changed;          /* different layers that another kernel than the cost model's computes from now on */
    double model_ms;      /* sum of all layers by the cost model's kernels, lower quartiles */
    double tuned_ms;      /* by the chosen ones */
    double best_ms;       /* by the fastest measured for each: what cost model or noise may still lose */
} gn_tuning;

/* Measures and fixes the kernels of the plan that `session` ran or prepared last; in about `seconds` or less (0: 20).  Layers of the same
 * shape get the same kernel; a layer leaves the cost model's only for a gain of more than two percent.  Call it before
 * gn_session_release_weights; take gn_machine_lock_take first.  GN_ECANCELED, and then the cost model's kernels; GN_ENOMEM; errors of the run. */
gn_status gn_tune(gn_session *session, double seconds, gn_tuning *tuning_out, gn_error *err);

/* The plan that was measured before on this machine, from the cache, or a new one that is kept there.  *from_cache_out: which.  note: why a
 * plan in the cache was not used, or why the new one cannot be kept; "" when all is well.  Errors of gn_tune. */
gn_status gn_tune_cached(gn_session *session, double seconds, gn_tuning *tuning_out, bool *from_cache_out, char *note,
                         size_t note_bytes, gn_error *err);

/* Numbers in the range of normalised pictures for a run of `batch`; the caller's (gn_free), NULL when there is no memory. */
float *gn_made_up_input(const gn_session *session, int batch);

#endif
