/* The state of a running search, shared by the files that carry out its steps.  Trials are kept in memory beside the study; every
 * change goes to both.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_SEARCH_INTERNAL_H
#define GN_SEARCH_SEARCH_INTERNAL_H

#include "base/memory.h"
#include "search/search.h"
#include "store/study.h"

/* A trial with what the steps need at hand. */
typedef struct candidate {
    gn_trial row;
    gn_network network;
    const char *label; /* what tells it from the others, e.g. "resnet18 lr0=0.01" */
    const char *folder;
    double score[GN_STAGES_MAX]; /* by stage finished; higher is better; NaN without */
    int64_t epochs_seen;         /* of the current attempt's results */
    double macs;                 /* 1 when unknown: cost of an epoch relative to others */
} candidate;

typedef struct search {
    const gn_search_options *options;
    const gn_search_runner *runner;
    gn_study *study;
    gn_arena *arena;
    candidate *list;
    size_t n;
    int64_t started_ns;
    /* Speed of training so far in this run, for the time that is left. */
    double busy_seconds, cost_done;
    gn_status event_status; /* a failure inside a callback */
    gn_error event_error;
} search;

void gn_search_say(search *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
gn_status gn_search_set_state(search *s, candidate *c, gn_trial_state state, const char *reason, gn_error *err);
/* A metric as a score: higher is better. */
double gn_search_score(const search *s, double metric);

/* search_measure.c: latency of every network without one, then screening. */
gn_status gn_search_measure(search *s, gn_error *err);
/* search_train.c: all stages, from where they are. */
gn_status gn_search_train(search *s, gn_error *err);

#endif
