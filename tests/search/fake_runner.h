/* A runner that trains nothing: scores follow from model and learning rate, and it can be told to fail, to stop or to die.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_SEARCH_FAKE_RUNNER_H
#define GN_TESTS_SEARCH_FAKE_RUNNER_H

#include "search/runner.h"

typedef struct fake_runner {
    int n_measured, n_trained, n_evaluated, n_scored, n_running, max_running;
    char jobs[4096];        /* "3@10 ": trial 3 was trained to epoch 10 */
    int die_at_job;         /* SIGKILL to this process when the n-th job is looked at; 0: never */
    int die_at_measurement; /* the same for the n-th measurement */
    int stop_at_job;        /* asks the search to stop when the n-th job is looked at */
    int n_stopped;
    bool has_trained_while_measuring;
    bool is_failing_all;
    const char *failing_model; /* its trials fail */
    const char *slow_model;    /* p90 of 50 ms; others 5 ms */
    const char *unmeasurable_model;
    const char *crashing_model;     /* its first training is killed from outside */
    const char *endless_model;      /* its trainings never end */
    int target_away_at_measurement; /* the target cannot be reached at the n-th measurement; 0: never */
    bool has_crashed;
    bool is_quick; /* trainings have ended when they are first looked at */
    const char *hash;
    bool has_test_split;
} fake_runner;

gn_search_runner fake_runner_table(fake_runner *fake);
/* The score after so many epochs: rises with epochs, best for lr0 = 0.01 and for models late in the alphabet. */
double fake_score(const char *model, const char *lr0, int epochs);

#endif
