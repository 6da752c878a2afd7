/* Small graphs, and what the interpreter makes of them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_GRAPH_FIXTURE_H
#define GN_TESTS_GRAPH_FIXTURE_H

#include "graph/graph.h"
#include "ops/interpret.h"

gn_graph *fixture_graph(void);
int fixture_input(gn_graph *graph, const char *name, gn_shape shape);
/* State with normal numbers. */
int fixture_state(gn_graph *graph, const char *name, gn_shape shape);
/* One node of domain "" with one result; fails the test with the graph's message. */
int fixture_op(gn_graph *graph, const char *name, const int *in, int n_in, const gn_attr *attrs, int n_attrs);
int fixture_unary(gn_graph *graph, const char *name, int a);
int fixture_binary(gn_graph *graph, const char *name, int a, int b);
int fixture_conv(gn_graph *graph, int x, int w, int bias, int pad);
/* BatchNormalization with states "<name>.weight", ... */
int fixture_batch_norm(gn_graph *graph, const char *name, int x);
/* Nodes with that operator. */
int fixture_count(const gn_graph *graph, const char *op);

/* A network of the zoo at a size, shapes inferred, running statistics and normalisation away from 0 and 1. */
gn_graph *fixture_network(const char *model, const char *head, int batch, int size_px);
/* Normal numbers in every f32 state that is all zeros or ones (0.5..1.5 where the name has "var"). */
void fixture_fill_states(gn_graph *graph);

/* Interpreter in f64 on inputs from normal numbers (s64: 3); fails the test on an error. */
gn_interpret *fixture_interpret(const gn_graph *graph);
/* Largest difference of the outputs of two graphs with the same inputs, relative to the largest number. */
double fixture_output_difference(const gn_graph *a, const gn_graph *b);

#endif
