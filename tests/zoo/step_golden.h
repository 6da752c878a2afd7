/* The golden files of one training step (tests/golden/step_<model>.txt), and the graph of that step.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_STEP_GOLDEN_H
#define GN_TESTS_STEP_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "graph/graph.h"

#define STEP_SAMPLES 3
/* Norms below this are truly zero and judged absolutely. */
#define STEP_TRULY_ZERO 1e-12

typedef struct step_tensor {
    char name[96];
    bool is_grad; /* gradient of a weight; else a running statistic after the step */
    double norm;
    int64_t index[STEP_SAMPLES];
    double value[STEP_SAMPLES];
    double f32_error; /* PyTorch's own in f32, relative to the norm (absolute where truly zero) */
} step_tensor;

typedef struct step_golden {
    int size_px, batch;
    uint64_t seed;
    bool is_drawn; /* weights by one rule for all instead of the architecture's own beginning */
    double loss;
    int n;
    step_tensor *tensors;
} step_golden;

/* Runs `test` once for each model that has a golden file in the tree, or, where the environment names one, in the folder
 * GN_STEP_FOLDER (make_step_golden.py --long); its state is the model's name.  The exit status. */
int step_golden_run(CMUnitTestFunction test);
/* Reads the file of a model; fails the test when it cannot. */
step_golden step_golden_read(const char *model);
void step_golden_free(step_golden *golden);
const step_tensor *step_golden_find(const step_golden *golden, const char *name, bool is_grad);

/* The training step of a model with a box head, gradients included. */
typedef struct step_graph {
    gn_graph *graph;
    int images, targets, weights; /* inputs: [N,3,H,W], [N,4], [N] */
    int loss;
    int n; /* trainable states and their gradients */
    int *params, *grads;
} step_graph;
step_graph step_graph_make(const char *model, const step_golden *golden);
void step_graph_free(step_graph *step);
/* Weights by one rule for all networks: matrices normal by He et al., scales around 1, shifts around 0 (draw() of make_step_golden.py). */
void step_draw_weights(gn_graph *graph, uint64_t seed);
void step_draw_row(gn_tensor *row, uint64_t seed, const char *name, bool is_around_one);

/* Contents of the inputs, f32; owned by the caller (gn_tensor_destroy). */
gn_tensor *step_images(const step_golden *golden);
gn_tensor *step_targets(const step_golden *golden);
gn_tensor *step_weights(const step_golden *golden);

#endif
