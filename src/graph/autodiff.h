/* Reverse-mode differentiation: appends to a graph the nodes that compute the gradient of a scalar.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_GRAPH_AUTODIFF_H
#define GN_GRAPH_AUTODIFF_H

#include "graph/op.h"

/* Appends gradient nodes of `loss` (one element).  grads_out[i]: value id of d loss / d wrt[i], or -1 when it does not depend on it.
 * GN_EUNSUPPORTED names a node on the way that has no gradient. */
gn_status gn_graph_differentiate(gn_graph *graph, int loss, const int *wrt, int n_wrt, int *grads_out, gn_error *err);

/* For the gradient rules of operators. */
gn_graph *gn_grad_graph(gn_grad *grad);
/* Value id of the gradient that arrives at output i, or -1 when none does. */
int gn_grad_of_out(gn_grad *grad, const gn_node *node, int i);
/* False when nothing that is asked for depends on input i: its gradient need not be emitted. */
bool gn_grad_wants(gn_grad *grad, const gn_node *node, int i);
/* Hand over the gradient value of input i (added to what other consumers gave). */
gn_status gn_grad_give(gn_grad *grad, const gn_node *node, int i, int value);

#endif
