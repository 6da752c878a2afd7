/* What an operator tells about itself: arity, shape rule, cost, gradient as nodes, plain reference.  `ops` fills one gn_op_def per
 * file; everything else asks through the registry.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_GRAPH_OP_H
#define GN_GRAPH_OP_H

#include "graph/graph.h"

/* One run of a node on plain buffers, for references: in[i] is NULL when the input is left out.  Element types: f32 or f64 for
 * real data (all alike), s64 for shapes and indices, and whatever other type the operator allows.  out[i] has its shape and memory already; NULL when left out. */
typedef struct gn_ref_call {
    const gn_graph *graph;
    const gn_node *node;
    const gn_tensor *const *in;
    gn_tensor *const *out;
} gn_ref_call;

/* MACs: multiply-accumulates of convolutions and matrix products (what torchvision prints as GFLOPS); other arithmetic is counted in
 * `elementwise`.  bytes: read plus written, each operand once, at its dtype. */
typedef struct gn_cost {
    int64_t macs;
    int64_t elementwise;
    int64_t bytes;
} gn_cost;

typedef struct gn_grad gn_grad; /* graph/autodiff.h */

/* How an operator wants its rank-4 operands laid out in memory. */
typedef enum gn_layout_rule {
    GN_LAYOUT_RULE_PLAIN = 0, /* every operand plain */
    GN_LAYOUT_RULE_NHWC,      /* rank-4 operands named by nhwc_in / nhwc_out are N,H,W,C; the others plain */
    GN_LAYOUT_RULE_SAME,      /* elementwise: all rank-4 operands in one layout, whichever */
} gn_layout_rule;

#define GN_INPLACE_NONE 0u

struct gn_op_def {
    const char *name;   /* ONNX's, or ours */
    const char *domain; /* "" for ONNX's own, "gannet" for ours */
    int min_in, max_in; /* max_in -1: variadic */
    int min_out, max_out;
    gn_layout_rule layout;
    uint32_t nhwc_in, nhwc_out; /* bit i: operand i is an activation (RULE_NHWC) */
    uint32_t inplace_in;        /* bit i: output 0 may be written over input i when shape, type and layout agree */
    bool is_view; /* output 0 is input 0's plain memory under another shape (Reshape, Flatten, Identity, ...) */
    bool renews;  /* outputs that update states may be written over the inputs that they renew (optimisers) */
    bool is_host; /* runs on the host between device steps (label assignment) */
    /* Reads the shapes of its inputs, never their contents (Shape, Size): its results are known as soon as shapes are; the reference
     * gets inputs whose data is NULL. */
    bool reads_shapes;
    /* Sets shape and dtype of every output.  in/out shapes are known (no -1) when it is called.  Failure: gn_graph_set_error-like
     * message through err: what the node is, what was found, what was expected. */
    gn_status (*infer)(gn_graph *graph, const gn_node *node, gn_error *err);
    void (*cost)(const gn_graph *graph, const gn_node *node, gn_cost *cost_out); /* NULL: only bytes are counted */
    /* Emits nodes for the gradient (graph/autodiff.h).  NULL: not differentiable (its inputs get no gradient). */
    gn_status (*grad)(gn_grad *grad, const gn_node *node);
    /* Replaces the node by its training form (BatchNormalization, Dropout): emits nodes and returns the value that takes the place
     * of output 0.  NULL: the same in training. */
    gn_status (*training)(gn_graph *graph, const gn_node *node, int *value_out, gn_error *err);
    /* Specification: computes every present output.  f32 and f64 alike (through gn_tensor_get-like access). */
    gn_status (*reference)(const gn_ref_call *call);
};

/* defs: NULL-terminated list of all operators. */
struct gn_op_registry {
    const gn_op_def *const *defs;
};
/* NULL when unknown.  domain NULL or "ai.onnx" mean "". */
const gn_op_def *gn_op_find(const gn_op_registry *registry, const char *domain, const char *name);

/* Helpers for shape rules. */
const gn_shape *gn_in_shape(const gn_graph *graph, const gn_node *node, int i); /* NULL when left out */
gn_dtype gn_in_dtype(const gn_graph *graph, const gn_node *node, int i);
bool gn_has_in(const gn_node *node, int i);
bool gn_has_out(const gn_node *node, int i);
void gn_set_out(gn_graph *graph, const gn_node *node, int i, gn_dtype dtype,
                const gn_shape *shape); /* ignores outputs left out */
/* Contents of an input that are known before a run (shapes, axes, scales): those of a constant, or of a small value that follows
 * from shapes and constants alone.  NULL: left out, or not known. */
const gn_tensor *gn_in_known(const gn_graph *graph, const gn_node *node, int i);
/* The same for an s64 or s32 input: number of elements copied (up to n), or -1 when it is not known or of another type. */
int gn_in_const_s64(const gn_graph *graph, const gn_node *node, int i, int64_t *dst, int n);
/* Calls the shape rule of one node whose inputs are known, and evaluates it where that needs no run. */
gn_status gn_node_infer(gn_graph *graph, const gn_node *node, gn_error *err);
/* Shape failure with the node's op and name in front. */
gn_status gn_shape_fail(gn_error *err, const gn_node *node, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Bytes of all present operands of a node, each once. */
int64_t gn_node_bytes(const gn_graph *graph, const gn_node *node);
/* Cost of one node (its op's rule, bytes filled in), and of a whole graph. */
void gn_node_cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out);
void gn_graph_cost(const gn_graph *graph, gn_cost *cost_out);

#endif
