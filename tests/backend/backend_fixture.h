/* Runs one graph by the CPU backend and by the interpreter in f64, on the same random data, and compares.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_BACKEND_FIXTURE_H
#define GN_TESTS_BACKEND_FIXTURE_H

#include "backend/backend.h"
#include "graph/graph.h"

/* Data of one input; made from a seed unless a test writes it. */
typedef struct bound_input {
    int value;
    gn_tensor *data;
} bound_input;

typedef struct fixture_run {
    gn_graph *graph; /* a copy, planned */
    gn_device *device;
    gn_exec *exec;
    int n_inputs;
    bound_input inputs[16];
} fixture_run;

/* Normal numbers (deviation 1) from `seed` and the values' names: in every f32 state that is all zeros or ones (running variances get
 * 0.5..1.5), so that nothing cancels by accident. */
void fixture_fill_states(gn_graph *graph, uint64_t seed);
/* A network of the zoo with its shapes for a batch and its states filled. */
gn_graph *fixture_network(const char *model, const char *head, int batch, int size_px);
/* f32: normal numbers; s64: {seed, 3}; "train.hyper", "train.target", ...: sensible numbers for a training step. */
void fixture_fill_input(const gn_graph *graph, int value, gn_tensor *data, uint64_t seed);

/* Copies `graph`, compiles it for n_threads and binds its inputs.  Fails the test with the message when that fails. */
void fixture_open(fixture_run *run, const gn_graph *graph, int n_threads, uint64_t seed);
/* As fixture_open on a device that is there. */
void fixture_open_on(fixture_run *run, gn_device *device, const gn_graph *graph, uint64_t seed);
void fixture_run_once(fixture_run *run);
void fixture_close(fixture_run *run);

/* Largest |difference| over the outputs and updated states of `graph`, each divided by the largest |number| of its expected value (at
 * least 1e-6), between the backend and the interpreter after `n_runs` runs; prints the worst value's name when it exceeds `tolerance`. */
double fixture_difference(const gn_graph *graph, int n_threads, int n_runs, uint64_t seed, double tolerance);

#endif
