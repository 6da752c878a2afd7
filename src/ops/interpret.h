/* Runs a graph node by node through the operators' references, in plain layout and with every value in its own memory: the oracle
 * for backends, gradient checks and parity with other frameworks.  Not for speed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_INTERPRET_H
#define GN_OPS_INTERPRET_H

#include "graph/graph.h"

typedef struct gn_interpret gn_interpret;

/* graph: shapes inferred; borrowed, must outlive the interpreter and keep its structure.
 * dtype: GN_DTYPE_F32, or GN_DTYPE_F64: then every f32 value of the graph, constants and states included, is held and computed as f64.
 * States are copied: the graph's own are never changed.
 * GN_ESHAPE: a value's shape is not known.  GN_EINVAL: another dtype.  GN_ENOMEM. */
gn_status gn_interpret_create(const gn_graph *graph, gn_dtype dtype, gn_interpret **it_out, gn_error *err);
void gn_interpret_destroy(gn_interpret **it);

/* Fills a value (an input, or a state or constant to be changed) from as many doubles, in plain order. */
void gn_interpret_set(gn_interpret *it, int value, const double *data);
/* As gn_interpret_set from a tensor of the same number of elements and any type. */
gn_status gn_interpret_set_tensor(gn_interpret *it, int value, const gn_tensor *src);
/* Runs all nodes, then carries out the graph's updates of states. */
gn_status gn_interpret_run(gn_interpret *it, gn_error *err);
/* Borrowed; valid until the interpreter is destroyed.  NULL for a value that nothing produces. */
const gn_tensor *gn_interpret_get(const gn_interpret *it, int value);

#endif
