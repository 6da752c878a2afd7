/* Small questions that several passes ask.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_GRAPH_PASS_INTERNAL_H
#define GN_GRAPH_PASS_INTERNAL_H

#include "graph/graph.h"

/* Relu, or Clip with constant bounds: fills the bounds (-inf, inf where open). */
bool gn_node_is_clamp(const gn_graph *graph, const gn_node *node, float *lo, float *hi);
/* Silu, HardSwish or LeakyRelu: fills the attributes `activation` and `alpha` of the node that takes it in; how many.  0: another. */
int gn_node_curve_attrs(const gn_node *node, gn_attr attrs[2]);
/* The one node that reads `value`, or -1 when there are none or several uses (outputs and updates count as uses). */
int gn_single_user(const gn_graph *graph, const int *uses, int value);
/* Is `value` what some state becomes after a run?  Does `state` become something else after a run? */
bool gn_is_update(const gn_graph *graph, int value);
bool gn_is_renewed(const gn_graph *graph, int state);

#endif
