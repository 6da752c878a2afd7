/* A folder, a small space, options and a look into the study, for tests of the search with a runner that trains nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_SEARCH_SEARCH_FIXTURE_H
#define GN_TESTS_SEARCH_SEARCH_FIXTURE_H

#include "fake_runner.h"
#include "search/search.h"

extern char search_folder[256], search_study_path[300]; /* of the running test */
extern char search_said[8192];                          /* the lines that the search told */

int search_make_folder(void **state);
int search_remove_folder(void **state);

/* Three networks a, b, c at two rates. */
gn_space *search_make_space(void);
/* The same networks and a continuous rate: a space without an end. */
gn_space *search_make_endless_space(void);
/* Two stages, 4:2,10, and a budget of 15 ms. */
gn_search_options search_options_for(const gn_space *space);
gn_status search_run(fake_runner *fake, gn_search_options *o, gn_search_outcome *outcome, gn_error *err);

typedef struct search_snapshot {
    gn_arena *arena; /* the caller's */
    gn_trial *trial;
    gn_epoch *epoch;
    gn_result *result;
    gn_measurement *measurement;
    size_t n_trials, n_epochs, n_results, n_measurements;
} search_snapshot;

search_snapshot search_read_study(void);

#endif
