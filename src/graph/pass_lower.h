/* What the rules of gn_pass_lower share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_GRAPH_PASS_LOWER_H
#define GN_GRAPH_PASS_LOWER_H

#include "graph/pass_internal.h"

typedef struct gn_lowering {
    gn_graph *graph;
    int *uses;       /* per value, before the round began */
    size_t n_values; /* how many those are */
    bool changed;
} gn_lowering;

/* Is the node ONNX's operator `name`?  NULL is none. */
bool gn_lower_is(const gn_node *node, const char *name);
/* The node that makes `value` when it is ONNX's operator `name`, else NULL. */
const gn_node *gn_lower_producer(const gn_lowering *l, int value, const char *name);
/* The node that alone reads `value` when it is ONNX's operator `name`, else -1. */
int gn_lower_user(const gn_lowering *l, int value, const char *name);
/* Contents are there and stay as they are; and are the one number x, within a millionth. */
bool gn_lower_is_fixed(const gn_lowering *l, int value);
bool gn_lower_is_scalar(const gn_lowering *l, int value, double x);
/* A new node takes the place of output 0 of `node`; its value, negative on failure (the graph's sticky error). */
int gn_lower_replace(gn_lowering *l, int node, const char *domain, const char *op, const int *in, int n_in,
                     const gn_attr *attrs, int n_attrs);

/* Formulas spelled in simpler operators (pass_lower_formulas.c); `node` is where the formula ends. */
gn_status gn_lower_hard_swish(gn_lowering *l, int node);
gn_status gn_lower_silu(gn_lowering *l, int node);
gn_status gn_lower_gelu(gn_lowering *l, int node);
gn_status gn_lower_layer_norm(gn_lowering *l, int node); /* the division in it */

#endif
