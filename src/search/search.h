/* The search: every candidate's latency is measured first, what keeps the budget trains as far as the rule lets it, the best
 * that remains is evaluated once on the test split.  All facts go to the study as they happen, and every decision is a function of
 * what the study holds, so the same call goes on after any interruption, and several workers can share a study.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_SEARCH_H
#define GN_SEARCH_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "search/runner.h"
#include "search/sampler.h"
#include "search/stopping.h"
#include "search/search_view.h"
#include "search/space.h"

/* Workers that may run together. */
#define GN_SEARCH_MAX_JOBS 64
/* Trials that a search may be asked for. */
#define GN_SEARCH_MAX_TRIALS 100000

/* What a network must keep on the target; 0: no limit. */
typedef struct gn_budget {
    double latency_ms; /* p90 of preprocessing, network and postprocessing together */
    double memory_mb;  /* peak of the process while it runs, in 10^6 bytes */
    double size_mb;    /* weights, in 10^6 bytes */
    double energy_mj;  /* of one inference, where the device tells it */
} gn_budget;

/* Strings are borrowed for the call. */
typedef struct gn_search_options {
    const gn_space *space; /* every config must have model, head and imgsz */
    gn_stopping stopping;  /* who trains how long */
    int64_t n_trials;      /* to start; 0: all of a finite space */
    gn_sampler_kind sampler;
    const char *data;
    const char *target;
    gn_budget budget;
    const char *objective;   /* a metric of `gannet val`, e.g. "mean_iou"; "loss" is minimised, all others maximised */
    int64_t seed;            /* of trials whose config has none, and of the sampler */
    int jobs;                /* workers at a time, 1..GN_SEARCH_MAX_JOBS */
    double time_s;           /* the search ends with its best after so long; 0: no limit */
    double trial_s;          /* a trial that takes longer in one go has failed; 0: no limit */
    double lease_s;          /* how long a worker of a shared study may be silent before its trial goes back; 0: 60 */
    const char *out_folder;  /* made when absent: trials/, best.onnx */
    const char *study_path;  /* or the URL of a shared study */
    const char *worker;      /* who trains, e.g. "host:1234" */
    const char *command;     /* the command line, kept for the report */
    bool is_retrying_failed; /* trials and measurements that failed before are tried again */
    bool is_worker; /* helps a search that somebody else began: sets no facts but its own, measures and trains */
    bool is_without_pictures; /* the study keeps no photographs */
    const char *space_text;   /* what a worker elsewhere builds the same space from; kept as it is */
    /* (optional) Tells a person, line by line, what happens. */
    void (*say)(void *ctx, const char *line);
    void *say_ctx;
    gn_search_show_fn show; /* (optional) a few times a second */
    void *show_ctx;
} gn_search_options;

typedef struct gn_search_outcome {
    int64_t winner; /* trial; 0: none here (a worker that helped) */
    char winner_label[160];
    double score;        /* the objective on val */
    double total_p90_ms; /* NaN when not measured */
    bool is_latency_valid;
    gn_metrics val, test; /* test: empty when the data set has no usable test split */
    char best_path[512];
    int n_trials, n_done, n_failed, n_screened;
    int64_t images; /* pictures trained on, all trials together; 0 when unknown */
    double seconds; /* of this call */
    bool is_out_of_time;
} gn_search_outcome;

/* The objective for a head when none is asked for: mean_iou for box heads, top1 for classify, map50_95 for others. */
const char *gn_search_objective_for(const char *head);

/* The --best of `gannet train` under which a trial's best epoch is that of an objective. */
const char *gn_search_best_for(const char *objective);

/* Runs the search to its end, or to where it was interrupted.
 * GN_EBUSY: another process writes the study.  GN_EINVAL: the study was made with other settings (which, and both values).
 * GN_EFLOOR: no network keeps the budget (the nearest is named).  GN_EWORKER: every trial failed (with the first cause), or the
 * target cannot be measured.  GN_ECANCELED: asked to stop; workers have ended in good order, the same call goes on.  Also what the
 * space, the data set, the study or the file system give. */
gn_status gn_search_run(const gn_search_options *options, const gn_search_runner *runner,
                        gn_search_outcome *outcome_out, gn_error *err);

#endif
