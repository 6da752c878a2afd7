/* How nodes of any opset become nodes that Gannet's operators understand.  Not for other folders.
 * Source: ONNX, Changelog.md of the operator sets.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_ONNX_ONNX_RULES_H
#define GN_FORMATS_ONNX_ONNX_RULES_H

#include "graph/op.h"

/* A node on its way into the graph.  in and attrs have room for GN_ONNX_ROOM more entries. */
#define GN_ONNX_ROOM        4
#define GN_ONNX_MAX_RESULTS 2
typedef struct gn_onnx_node {
    const char *op, *name;
    int n_in, n_out;
    int *in;
    int n_attrs;
    gn_attr *attrs;
    /* A rule that emitted nodes itself says which values the outputs are; result[0] -1: the node is still to be added. */
    int result[GN_ONNX_MAX_RESULTS];
} gn_onnx_node;

typedef gn_status (*gn_onnx_rule)(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err);

/* Is there a rule for this operator? (It may become others.) */
bool gn_onnx_has_rule(const char *op);
/* Brings a node of `opset` into the form of opset 13, in which lists of axes are an attribute of Reduce* except ReduceSum; may add
 * constants and nodes to `graph`.  GN_EUNSUPPORTED names the node: a form that Gannet's operators do not have. */
gn_status gn_onnx_normalise(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err);

/* ---- for the rules ---- */

const gn_attr *gn_onnx_attr(const gn_onnx_node *node, const char *name); /* NULL when absent */
int64_t gn_onnx_int(const gn_onnx_node *node, const char *name, int64_t fallback);
void gn_onnx_drop(gn_onnx_node *node, const char *name);
/* Replaces or adds an attribute; what it points to must live as long as the graph. */
void gn_onnx_put(gn_onnx_node *node, gn_attr attr);
bool gn_onnx_has(const gn_onnx_node *node, int i); /* input i is there */
gn_status gn_onnx_unsupported(const gn_onnx_node *node, gn_error *err, const char *what);
/* Shape of input i; NULL when it is left out or not known yet. */
const gn_shape *gn_onnx_shape(const gn_graph *graph, const gn_onnx_node *node, int i);
/* Contents of input i where it is known without a run; else NULL. */
const gn_tensor *gn_onnx_known(const gn_graph *graph, const gn_onnx_node *node, int i);
/* Appends a node named "name.part" (the node's own name without a part); its value, or negative (the graph's sticky error). */
int gn_onnx_emit_node(gn_graph *graph, const gn_onnx_node *node, const char *op, const char *part, const int *in,
                      int n_in, const gn_attr *attrs, int n_attrs);
int gn_onnx_emit_ints(gn_graph *graph, const gn_onnx_node *node, const char *part, const int64_t *x, int n);
/* The node is done: output 0 is `value` (negative: the graph's sticky error). */
gn_status gn_onnx_done(gn_graph *graph, gn_onnx_node *node, int value, gn_error *err);

/* Rules that emit more than the node itself (onnx_expand.c). */
gn_status gn_onnx_rule_softmax(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err);
gn_status gn_onnx_rule_mish(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err);
gn_status gn_onnx_rule_sum(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err);
gn_status gn_onnx_rule_cast_like(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err);
gn_status gn_onnx_rule_global_max_pool(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err);
gn_status gn_onnx_rule_dropout(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err);
/* Convolutions and pools of rank 3 as pictures of height 1; called before the operator's own rule. */
gn_status gn_onnx_rule_one_dimension(gn_graph *graph, int64_t opset, gn_onnx_node *node, gn_error *err);

#endif
