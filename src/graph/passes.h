/* Rewrites of a graph.  Each keeps what the outputs mean and renews the order of nodes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_GRAPH_PASSES_H
#define GN_GRAPH_PASSES_H

#include "graph/op.h"

/* Removes nodes whose results reach neither an output nor an update. */
gn_status gn_pass_prune(gn_graph *graph);
/* Conv [+ BatchNormalization] [+ Add] [+ Relu|Clip] become one gannet.FusedConv where nobody else reads what lies between, and nothing
 * in the normalisation is renewed by this graph.  For a training graph: after differentiation. */
gn_status gn_pass_fuse(gn_graph *graph, gn_error *err);
/* For inference: constants folded, Dropout and Identity bypassed, convolutions fused with what follows them.  Shapes must be inferred. */
gn_status gn_pass_inference(gn_graph *graph, gn_error *err);
/* For training: nodes replaced by their training forms; BatchNormTrain followed by Relu or Clip only becomes one node. */
gn_status gn_pass_training(gn_graph *graph, gn_error *err);
/* Evaluates nodes whose inputs are all constant (by their references). */
gn_status gn_pass_fold_constants(gn_graph *graph, gn_error *err);
/* Replaces every use of value `from` (in nodes, outputs and updates) by `to`. */
void gn_graph_replace_uses(gn_graph *graph, int from, int to);

#endif
