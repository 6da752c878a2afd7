/* The state of a running search, shared by the files that carry out its steps.  Trials are kept in memory beside the study; every
 * change goes to both.  In a study that several workers share, the memory is brought up to date before each decision.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_SEARCH_INTERNAL_H
#define GN_SEARCH_SEARCH_INTERNAL_H

#include "base/memory.h"
#include "search/search.h"
#include "store/study.h"

/* How long a shared study may be away. */
#define GN_SEARCH_RECONNECT_SECONDS 600.0

/* A network of the space with what its measurement says. */
typedef struct network_fact {
    gn_network network;
    int64_t measurement;    /* 0: not measured yet */
    double total_p90_ms;    /* NaN without */
    double macs;            /* 1 when unknown: cost of an epoch relative to others */
    gn_trial_state verdict; /* WAITING: may train; SCREENED, FAILED */
    const char *reason;
} network_fact;

/* A trial with what the steps need at hand. */
typedef struct candidate {
    gn_trial row;
    const network_fact *network;
    const char *label; /* what tells it from the others, e.g. "resnet18 lr0=0.01" */
    const char *folder;
    const double *point;                 /* in the sampler's parameters; NULL: the config is not of this space */
    double score[GN_STOPPING_MAX_RUNGS]; /* by rung finished; higher is better; NaN without */
    int64_t epochs_seen;                 /* that the study knows */
    double best_seen;                    /* the objective's best score over these epochs; NaN before the first */
    int n_crashes;                       /* in this run */
    double value[2];                     /* what the sampler sees; scratch */
} candidate;

typedef struct search {
    const gn_search_options *options;
    const gn_search_runner *runner;
    gn_study *study;
    gn_arena *arena;
    const char *study_id;
    int64_t n_train_images; /* of the data set; 0: unknown */
    candidate **list;       /* by trial; entries do not move */
    size_t n, capacity;
    network_fact *networks;
    size_t n_networks;
    const gn_param *params; /* of the sampler; NULL for the grid */
    size_t n_params;
    gn_stopping stopping; /* with the number of trials that are to start */
    bool is_shared;       /* several workers write the study */
    bool is_exhausted;    /* the sampler has no point left */
    int64_t started_ns;
    int64_t deadline_ns; /* INT64_MAX without a limit */
    bool is_out_of_time;
    /* Speed of training so far in this run, for the time that is left. */
    double busy_seconds, cost_done;
    double gain;            /* of the leader, when its last rung ended; NaN: not known yet */
    gn_status event_status; /* a failure inside a callback */
    gn_error event_error;
} search;

void gn_search_say(search *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
gn_status gn_search_set_state(search *s, candidate *c, gn_trial_state state, const char *reason, gn_error *err);
/* A metric as a score: higher is better; and back. */
double gn_search_score(const search *s, double metric);
double gn_search_metric(const search *s, double score);

/* search_settings.c: compares the settings with those of the study, or writes them; then where it runs. */
gn_status gn_search_keep_settings(search *s, gn_error *err);
gn_status gn_search_keep_machine(search *s, gn_error *err);

/* search_trials.c */
/* The networks of the space, the study's trials, and for a grid those that it lacks. */
gn_status gn_search_list(search *s, gn_error *err);
/* Brings the list up to date with what other workers wrote. */
gn_status gn_search_refresh(search *s, gn_error *err);
/* The next trial that never began: of a grid the first that waits, else what the sampler proposes.  *out NULL: none is left. */
gn_status gn_search_propose(search *s, int bracket, candidate **out, gn_error *err);
/* An epoch becomes known: of an earlier run, or just now. */
void gn_search_see_epoch(search *s, candidate *c, const gn_epoch *epoch);
/* Whether the trial's checkpoint lies on this machine. */
bool gn_search_is_here(const search *s, const candidate *c);
/* Makes the trial's folder, and marks whose it is. */
gn_status gn_search_mark_folder(const search *s, const candidate *c, gn_error *err);
/* Whether a trial ever began. */
bool gn_search_has_begun(const candidate *c);
/* The standings of all that began, [n] with the index of each in the list; in `arena`. */
gn_status gn_search_standings(const search *s, gn_arena *arena, gn_standing **list_out, size_t **index_out,
                              size_t *n_out, gn_error *err);

/* search_measure.c: latency of every network without one, then who may train. */
gn_status gn_search_measure(search *s, gn_error *err);
/* search_loop.c: trains until the rule has nothing more to do, time is up, or it is asked to stop. */
gn_status gn_search_train(search *s, gn_error *err);
/* search_winner.c: the best of all, its model and its figures on the test split. */
gn_status gn_search_conclude(search *s, gn_search_outcome *outcome, gn_error *err);
/* search_estimate.c: who leads, seconds that are left (NaN: unknown), and by how much the leader may still rise. */
const candidate *gn_search_leader(const search *s, double *score_out);
double gn_search_epochs_left(const search *s);
double gn_search_seconds_left(const search *s, double busy_seconds);
gn_status gn_search_estimate_gain(search *s, gn_error *err);
/* Epochs trained so far, all trials. */
int64_t gn_search_epochs_seen(const search *s);

#endif
