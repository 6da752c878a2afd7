/* Rewrites of a graph.  Each keeps what the outputs mean and renews the order of nodes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_GRAPH_PASSES_H
#define GN_GRAPH_PASSES_H

#include "graph/op.h"

/* Removes nodes whose results reach neither an output nor an update. */
gn_status gn_pass_prune(gn_graph *graph);
/* Conv [+ BatchNormalization] [+ Silu|HardSwish|LeakyRelu] [+ Add] [+ Relu|Clip] become one gannet.FusedConv where nobody else reads what lies between, and nothing
 * in the normalisation is renewed by this graph.  For a training graph: after differentiation. */
gn_status gn_pass_fuse(gn_graph *graph, gn_error *err);
/* For inference: constants folded, Dropout and Identity bypassed, convolutions fused with what follows them.  Shapes must be inferred. */
gn_status gn_pass_inference(gn_graph *graph, gn_error *err);
/* For training: what is known from shapes folded, nodes replaced by their training forms; BatchNormTrain followed by one activation
 * only (Relu, Clip, Silu, HardSwish, LeakyRelu) becomes one node. */
gn_status gn_pass_training(gn_graph *graph, gn_error *err);
/* x * Sigmoid(x) becomes gannet.Silu, x * HardSigmoid(x) HardSwish, where nobody else reads the gate.  Part of the passes for training
 * and inference, which take these activations into what is in front of them. */
gn_status gn_pass_join_activations(gn_graph *graph, gn_error *err);
/* Evaluates nodes whose inputs are all constant (by their references); results much larger than what they are made of are left to be
 * computed in each run.  Shapes must be inferred. */
gn_status gn_pass_fold_constants(gn_graph *graph, gn_error *err);
/* The same, taking states that this graph does not renew for constants: for inference, with the weights of now. */
gn_status gn_pass_fold_weights(gn_graph *graph, gn_error *err);
/* Values that are known from the shapes of now become constants, and the nodes that computed them vanish: the graph then holds for
 * these shapes only. */
gn_status gn_pass_fold_shapes(gn_graph *graph, gn_error *err);
/* For a backend that is about to plan the graph, after differentiation: Transpose between N,C,H,W and N,H,W,C becomes a view
 * (gannet.ChannelsLast, gannet.ChannelsFirst), Reshape, Transpose, Reshape becomes gannet.ChannelShuffle, normalisation with fixed
 * statistics gannet.ScaleShift, rows times one matrix gannet.Linear, and formulas in simpler operators become HardSwish, Gelu,
 * LayerNormalization, GlobalAveragePool; what is known from shapes becomes constant, so the graph holds for its shapes of now only.
 * Value ids stay valid.  Shapes must be inferred. */
gn_status gn_pass_lower(gn_graph *graph, gn_error *err);
/* Replaces every use of value `from` (in nodes, outputs and updates) by `to`. */
void gn_graph_replace_uses(gn_graph *graph, int from, int to);

#endif
