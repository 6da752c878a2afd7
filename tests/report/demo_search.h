/* Made-up searches of any size, for looking at reports and for timing them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_REPORT_DEMO_SEARCH_H
#define GN_TESTS_REPORT_DEMO_SEARCH_H

#include "store/study.h"

typedef struct demo_search {
    int n_trials; /* 84: 21 networks by 4 learning rates in three stages; others: drawn knobs on four rungs, a third goes on */
    uint64_t seed;       /* another seed is another device and other scores */
    const char *picture; /* a JPEG file for the winner's pictures; NULL: none */
    bool is_running;     /* the last trials still run, and there is no winner yet */
} demo_search;

/* Writes the study at `path`, which must not exist. */
gn_status demo_search_write(const char *path, const demo_search *options, gn_error *err);

#endif
