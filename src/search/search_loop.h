/* The workers of a running search, shared by the loop and by what a person is shown of it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_SEARCH_LOOP_H
#define GN_SEARCH_SEARCH_LOOP_H

#include "search/search_internal.h"

/* A trial under way.  search NULL: free. */
typedef struct slot {
    search *search;
    candidate *candidate;
    void *run; /* NULL: has ended */
    int rung, attempt;
    int64_t started_ns, beat_ns; /* begin, and last heartbeat */
    int64_t epoch;               /* trained */
    gn_epoch *epochs;            /* [n_epochs] known, but not in the study yet */
    size_t n_epochs, epoch_capacity;
    bool has_ended; /* outcome is filled */
    gn_train_outcome outcome;
} slot;

typedef struct loop {
    search *search;
    slot slots[GN_SEARCH_MAX_JOBS];
    bool is_over; /* the rule had nothing more to do when it was last asked */
    bool has_news; /* a worker ended at the last look */
    int64_t shown_ns, ask_ns;
} loop;

/* search_show.c: tells a person how it goes. */
void gn_search_show(const loop *l);

#endif
