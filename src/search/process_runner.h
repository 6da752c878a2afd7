/* The runner that gives every job a process of its own: this program again, with the verbs train, bench, info, val and predict.  A
 * crash or an out-of-memory kill costs one trial.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_PROCESS_RUNNER_H
#define GN_SEARCH_PROCESS_RUNNER_H

#include "base/status.h"
#include "search/runner.h"

typedef struct gn_process_runner gn_process_runner;

/* Strings are copied. */
typedef struct gn_process_runner_options {
    const char *program;    /* NULL: the running program */
    const char *data;       /* data set */
    const char *target;     /* whose latency counts, e.g. "cpu?threads=1" */
    const char *log_folder; /* exists; logs and outputs of measurements and evaluations */
} gn_process_runner_options;

gn_status gn_process_runner_create(const gn_process_runner_options *options, gn_process_runner **runner_out,
                                   gn_error *err);
void gn_process_runner_destroy(gn_process_runner **runner);
/* Valid as long as the runner. */
gn_search_runner gn_process_runner_table(gn_process_runner *runner);

/* Rows of a results.csv that come after the first `*n_seen`, given to on_epoch; *n_seen moves on.  Columns are found by their
 * names; a last line without its end is left for the next time.  Nothing happens when the file is absent. */
void gn_results_csv_follow(const char *path, int64_t trial, int64_t *n_seen, gn_search_epoch_fn on_epoch, void *ctx);

#endif
