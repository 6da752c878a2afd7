/* Cases of operators, each declared once as a small graph and run in several ways: against hand-written results, gradients against
 * central differences, costs, and (by the tests of a backend) kernels against references.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_OP_CASES_H
#define GN_TESTS_OP_CASES_H

#include <stdint.h>

#include "ops/interpret.h"

typedef struct op_case {
    const char *name;
    /* See op_case_parse. */
    const char *graph;
    /* "x 1 2 3; w 4 5": values of inputs and states; those not named are drawn from lo..hi. */
    const char *given;
    /* "1 2 3; 4": elements of output 0, then of output 1, ...; NULL: nothing written down. */
    const char *expect;
    /* "x w": by which inputs and states the gradient is checked; NULL: not differentiable. */
    const char *grad;
    /* Drawn values keep 0.05 away from these numbers, where the operator has kinks ("0 6"). */
    const char *kinks;
    double lo, hi; /* both 0: -2..2 */
    int distinct;  /* drawn values differ by at least 0.01, so that a maximum stays where it is */
    int64_t macs;  /* of all nodes; checked when not 0 */
    int64_t elementwise;
    double tolerance; /* of f32 against f64, relative to the largest element; 0: 1e-5 */
} op_case;

extern const op_case op_cases[];
extern const int n_op_cases;

/* Text form of a graph without its first line; ' stands for ", and a node without attributes needs no {}. */
gn_status op_case_parse(const char *lines, gn_graph **graph_out, gn_error *err);
/* The graph of a case, with shapes inferred; fails the test on an error. */
gn_graph *op_case_graph(const op_case *c);
/* Values of INPUT or STATE `value` in f64: given or drawn (the same for every call).  Caller frees with gn_free. */
double *op_case_values(const op_case *c, const gn_graph *graph, int value);
/* Sets all inputs and states of an interpreter. */
void op_case_bind(const op_case *c, const gn_graph *graph, gn_interpret *it);
/* Value ids of the names in `list` ("x w"); returns how many. */
int op_case_names(const gn_graph *graph, const char *list, int *ids, int max);
/* Numbers of one ;-separated group of `text`; returns how many, -1 when there is no such group. */
int op_case_numbers(const char *text, int group, double *dst, int max);

#endif
