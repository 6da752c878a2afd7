/* Who trains next, and how long: stages, successive halving, ASHA, Hyperband, the median rule, or everybody to the end.  One ladder
 * of rungs (epochs in all) serves them all; a trial pauses at every rung, and this decides whether it goes on.
 * Deciding is a pure function of the standings: nothing is remembered between calls, so a search that was killed goes on where it was.
 * docs/search-methods.md has the papers and the rules.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_STOPPING_H
#define GN_SEARCH_STOPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define GN_STOPPING_MAX_RUNGS  64
#define GN_STOPPING_MAX_EPOCHS 100000
#define GN_STOPPING_MAX_KEEP   100000
#define GN_STOPPING_MAX_ETA    100
#define GN_STOPPING_MAX_TRIALS 1000000

typedef enum gn_stopping_kind {
    GN_STOPPING_NONE, /* every trial to the end */
    GN_STOPPING_STAGES, /* of each stage `keep` networks go on, each by its best trial; a stage ends before the next begins */
    GN_STOPPING_HALVING,   /* of each rung the best 1/eta go on; a rung ends before the next begins */
    GN_STOPPING_ASHA,      /* as soon as a trial is among the best 1/eta of those that finished its rung, it goes on */
    GN_STOPPING_HYPERBAND, /* ASHA in several brackets: bracket b starts at rung b */
    GN_STOPPING_MEDIAN /* a trial stops when its best so far is worse than the median of the earlier trials at its rung */
} gn_stopping_kind;

typedef struct gn_stopping {
    gn_stopping_kind kind;
    int n_ladder;                      /* rungs, 1..GN_STOPPING_MAX_RUNGS */
    int epochs[GN_STOPPING_MAX_RUNGS]; /* trained in all when the rung is finished; rising */
    int keep[GN_STOPPING_MAX_RUNGS];   /* STAGES: networks that go on from each rung, never rising; 0 for the last */
    int eta;                           /* HALVING, ASHA, HYPERBAND: one of so many goes on; 2..GN_STOPPING_MAX_ETA */
    int grace;                         /* MEDIAN: no trial stops before so many earlier ones reached its rung; 1.. */
    int64_t n_trials;                  /* to start in all, 1..GN_STOPPING_MAX_TRIALS */
    bool is_pareto; /* rank by (score, cost): Pareto rank, then crowding distance; else by score alone */
} gn_stopping;

/* Where a trial stands.  Every trial that was ever started is given, in any order. */
typedef struct gn_standing {
    int64_t trial;   /* its number; rises with the time of starting; ties go to the lower one */
    int64_t network; /* trials with the same number train the same network */
    int bracket;     /* as gn_next said when it was started */
    int n_rungs;     /* rungs finished, counted on the whole ladder: `bracket` when it begins */
    int aim; /* rungs that it was last sent for: rung + 1 of the gn_next that moved it; more than n_rungs with a trial
                          * that was interrupted on its way, which then goes on before all others; 0: not known, it is judged anew */
    bool is_running;     /* on its way to its next rung */
    bool is_out;         /* failed, or screened out: never goes on */
    const double *score; /* [n_ladder], higher is better; NaN where not reached, or without value: NaN never goes on */
    double cost;         /* with is_pareto: the other objective (latency), smaller is better; NaN: worse than any */
} gn_standing;

typedef enum gn_next_kind {
    GN_NEXT_START,    /* a new trial in `bracket`, up to `rung` */
    GN_NEXT_CONTINUE, /* list[index], up to `rung` */
    GN_NEXT_WAIT,     /* nothing can be decided before a running trial reaches its rung */
    GN_NEXT_END       /* the search is over: nothing runs, nothing goes on */
} gn_next_kind;

typedef struct gn_next {
    gn_next_kind kind;
    size_t index; /* CONTINUE */
    int bracket;  /* START, CONTINUE */
    int rung;     /* START, CONTINUE: train until epochs[rung] epochs are done in all */
} gn_next;

/* What to do with a free worker.  Ask again for the next free worker, with the started one marked as running.
 * GN_EINVAL: the rule does not pass gn_stopping_check, or a standing is outside the ladder.  GN_ENOMEM.  Thread-safe. */
gn_status gn_stopping_next(const gn_stopping *rule, const gn_standing *list, size_t n, gn_next *next_out,
                           gn_error *err);

/* A rule from single settings, as a command line has them.  Ladder: with eta, min_epochs * eta^k below max_epochs, then max_epochs
 * (a rung nearer to max_epochs than a factor of sqrt(eta) is left out); median: every min_epochs epochs, then max_epochs; none:
 * max_epochs alone.  0 for min_epochs, eta or n_trials: the default (max_epochs/16 at least 1, or for the median max_epochs/10; 4; 40).
 * Not for stages, which gn_stopping_parse reads.  GN_EINVAL says which setting is outside its range. */
gn_status gn_stopping_make(gn_stopping_kind kind, int min_epochs, int max_epochs, int eta, int64_t n_trials,
                           gn_stopping *rule_out, gn_error *err);

/* GN_EINVAL: a rule that no text could say.  What gn_stopping_make and gn_stopping_parse give passes. */
gn_status gn_stopping_check(const gn_stopping *rule, gn_error *err);

/* "none", "stages", "halving", "asha", "hyperband", "median".  Parsing is false for anything else. */
const char *gn_stopping_name(gn_stopping_kind kind);
bool gn_stopping_parse_kind(const char *name, gn_stopping_kind *kind_out);

/* The text form, for facts and command lines:
 *     10:8,30:2,60              stages (also "stages:10:8,30:2,60")
 *     asha:4-60/4               min_epochs-max_epochs/eta; halving and hyperband alike
 *     median:4-60               every 4 epochs to 60
 *     none:60
 * each followed by any of " trials=40", " grace=5" (median) and " pareto".  GN_EINVAL, with what was expected. */
gn_status gn_stopping_parse(const char *text, gn_stopping *rule_out, gn_error *err);
/* As gn_stopping_parse reads it.  dst holds at least GN_STOPPING_TEXT bytes. */
#define GN_STOPPING_TEXT (GN_STOPPING_MAX_RUNGS * 14 + 64)
void gn_stopping_format(const gn_stopping *rule, char *dst);

/* Why list[index] stands where it stands, for a report, such as "stopped after 4 epochs: not among the best third of its rung".
 * Nothing about failed or screened trials but that ("failed or screened out before 4 epochs").  dst: [dst_bytes], 128 are enough. */
void gn_stopping_verdict(const gn_stopping *rule, const gn_standing *list, size_t n, size_t index, char *dst,
                         size_t dst_bytes);

/* Epochs still to train, estimated: trials not yet started are counted in, and of each rung as many go on as the rule lets through
 * when nobody fails (median: half of those behind the grace).  A running trial counts as not yet trained beyond its last rung. */
double gn_stopping_epochs_left(const gn_stopping *rule, const gn_standing *list, size_t n);

#endif
