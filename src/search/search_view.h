/* What a person sees of a search while it runs: how far it is, who trains, what is best, what is to be expected.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_SEARCH_VIEW_H
#define GN_SEARCH_SEARCH_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "search/stopping.h"

/* Running trials that a view lists. */
#define GN_SEARCH_VIEW_RUNNING 64

typedef struct gn_search_running {
    int64_t trial;
    const char *label;
    int rung;              /* from 0: the one it trains for */
    int64_t epoch, epochs; /* trained, and aim */
    double metric;         /* of its best epoch so far, as the objective has it; NaN before the first */
    double seconds;        /* in this attempt */
} gn_search_running;

/* Strings are borrowed for the call.  NaN where nothing is known. */
typedef struct gn_search_view {
    const char *objective;
    int n_rungs;
    int rung_epochs[GN_STOPPING_MAX_RUNGS],
        rung_done[GN_STOPPING_MAX_RUNGS]; /* epochs in all, and trials that have finished the rung */
    int n_trials, n_done, n_failed, n_screened, n_waiting;
    const gn_search_running *running;
    int n_running;
    const char *best_label; /* NULL: none yet */
    double best_metric, best_ms;
    int64_t epochs_done, epochs_total; /* of training, all trials; the total is an estimate */
    double seconds, seconds_left;
    double gain; /* by which the best may still rise if it goes on as over its last doubling of epochs */
} gn_search_view;

typedef void (*gn_search_show_fn)(void *ctx, const gn_search_view *view);

#endif
