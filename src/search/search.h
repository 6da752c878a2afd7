/* The search: every candidate's latency is measured first, what keeps the budget trains in stages, the best that remains is
 * evaluated once on the test split.  All facts go to the study as they happen, so the same call goes on after any interruption.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_SEARCH_H
#define GN_SEARCH_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "search/runner.h"
#include "search/space.h"
#include "search/stages.h"

/* Workers that may run together. */
#define GN_SEARCH_MAX_JOBS 64

/* Strings are borrowed for the call. */
typedef struct gn_search_options {
    const gn_space *space; /* every config must have model, head and imgsz */
    gn_stages stages;
    const char *data;
    const char *target;
    double budget_ms;       /* p90 of preprocessing, network and postprocessing together; 0: no budget */
    const char *objective;  /* a metric of `gannet val`, e.g. "mean_iou"; "loss" is minimised, all others maximised */
    int64_t seed;           /* of trials whose config has none */
    int jobs;               /* workers at a time, 1..GN_SEARCH_MAX_JOBS */
    const char *out_folder; /* made when absent: trials/, best.onnx */
    const char *study_path;
    const char *command;     /* the command line, kept for the report */
    bool is_retrying_failed; /* trials and measurements that failed before are tried again */
    /* (optional) Tells a person, line by line, what happens. */
    void (*say)(void *ctx, const char *line);
    void *say_ctx;
} gn_search_options;

typedef struct gn_search_outcome {
    int64_t winner; /* trial */
    char winner_label[160];
    double score;        /* on val */
    double total_p90_ms; /* NaN when not measured */
    bool is_latency_valid;
    gn_metrics val, test; /* test: empty when the data set has no usable test split */
    char best_path[512];
    int n_trials, n_done, n_failed, n_screened;
} gn_search_outcome;

/* The objective for a head when none is asked for: mean_iou for box heads, top1 for classify, map50_95 for others. */
const char *gn_search_objective_for(const char *head);

/* Runs the search to its end, or to where it was interrupted.
 * GN_EBUSY: another process writes the study.  GN_EINVAL: the study was made with other settings (which, and both values).
 * GN_EFLOOR: no network keeps the budget (the nearest is named).  GN_EWORKER: every trial failed (with the first cause).
 * GN_ECANCELED: asked to stop; workers have ended in good order, the same call goes on.  Also what the space, the data set, the
 * study or the file system give. */
gn_status gn_search_run(const gn_search_options *options, const gn_search_runner *runner,
                        gn_search_outcome *outcome_out, gn_error *err);

#endif
