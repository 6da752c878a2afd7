/* The IR: a list of nodes in topological order over named values, with ONNX's operator names, attributes and logical shapes
 * (N,C,H,W).  Models, training steps and inference are all such graphs.
 * A graph owns its nodes, names and the tensors given to it; a clone may share tensors with its original.
 * Not thread-safe while it is changed; a const graph may be shared.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_GRAPH_GRAPH_H
#define GN_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "tensor/tensor.h"

typedef struct gn_graph gn_graph;
typedef struct gn_op_def gn_op_def;           /* graph/op.h */
typedef struct gn_op_registry gn_op_registry; /* graph/op.h */

/* ---- attributes ---- */

typedef enum gn_attr_type {
    GN_ATTR_INT,
    GN_ATTR_FLOAT,
    GN_ATTR_STRING,
    GN_ATTR_INTS,
    GN_ATTR_FLOATS,
    GN_ATTR_TENSOR
} gn_attr_type;

/* name and what the pointers show belong to the graph's arena once a node holds the attribute. */
typedef struct gn_attr {
    const char *name;
    gn_attr_type type;
    int n; /* elements of ints and floats */
    union {
        int64_t i;
        float f;
        const char *s;
        const int64_t *ints;
        const float *floats;
        const gn_tensor *t;
    } u;
} gn_attr;

gn_attr gn_attr_int(const char *name, int64_t i);
gn_attr gn_attr_float(const char *name, float f);
gn_attr gn_attr_string(const char *name, const char *s);
gn_attr gn_attr_ints(const char *name, const int64_t *ints, int n);
gn_attr gn_attr_floats(const char *name, const float *floats, int n);

/* ---- values and nodes ---- */

typedef enum gn_value_kind {
    GN_VALUE_INPUT, /* bound by the caller for each run */
    GN_VALUE_CONST, /* data never changes */
    GN_VALUE_STATE, /* data lives on between runs: weights, running statistics, optimiser state */
    GN_VALUE_TEMP,  /* result of a node */
} gn_value_kind;

typedef struct gn_value {
    const char *name; /* unique in the graph, never empty */
    gn_value_kind kind;
    bool trainable; /* STATE only: an optimiser may change it */
    gn_dtype dtype;
    gn_shape shape;  /* logical; dim -1 = not known yet */
    gn_tensor *data; /* CONST and STATE: contents, plain layout; else NULL */
    /* TEMP: contents that follow from constants and from the shapes of inputs alone (a dimension taken from Shape), as of the last
     * inference; else NULL.  Small ones only.  Owned by the value. */
    gn_tensor *known;
    int producer; /* node, or -1 */
} gn_value;

typedef struct gn_node {
    const gn_op_def *op;
    const char *name; /* for messages and export; unique, never empty */
    int n_in, n_out;
    int *in;  /* value ids; -1 = optional input left out */
    int *out; /* value ids; -1 = optional output left out */
    int n_attrs;
    gn_attr *attrs;
} gn_node;

gn_status gn_graph_create(const gn_op_registry *registry, gn_graph **graph_out);
void gn_graph_destroy(gn_graph **graph);
/* Deep copy of structure; CONST and STATE tensors are borrowed from `graph`, which must outlive the clone, unless copy_data.
 * Value and node ids are kept. */
gn_status gn_graph_clone(const gn_graph *graph, bool copy_data, gn_graph **clone_out);

int gn_graph_value_count(const gn_graph *graph);
int gn_graph_node_count(const gn_graph *graph);
/* Borrowed; valid until the graph is destroyed.  The non-const forms are for passes and builders. */
const gn_value *gn_graph_value(const gn_graph *graph, int value);
gn_value *gn_graph_value_mut(gn_graph *graph, int value);
const gn_node *gn_graph_node(const gn_graph *graph, int node);
gn_node *gn_graph_node_mut(gn_graph *graph, int node);
/* -1 when there is none of that name. */
int gn_graph_find_value(const gn_graph *graph, const char *name);
gn_arena *gn_graph_arena(gn_graph *graph);
const gn_op_registry *gn_graph_registry(const gn_graph *graph);

int gn_graph_input_count(const gn_graph *graph);
int gn_graph_input(const gn_graph *graph, int i);
int gn_graph_output_count(const gn_graph *graph);
int gn_graph_output(const gn_graph *graph, int i);

/* Adding.  `name` NULL or taken already: a unique one is made ("base", "base.2", ...).  Ids, or a negative number on failure with
 * the reason in the graph's sticky error (gn_graph_error): builders check once at the end. */
int gn_graph_add_input(gn_graph *graph, const char *name, gn_dtype dtype, const gn_shape *shape);
/* The graph takes a copy of `tensor`'s contents. */
int gn_graph_add_const(gn_graph *graph, const char *name, const gn_tensor *tensor);
int gn_graph_add_const_f32(gn_graph *graph, const char *name, int n,
                           const float *x); /* shape [n]; n 0: scalar of x[0] */
int gn_graph_add_const_s64(gn_graph *graph, const char *name, int n, const int64_t *x);
/* State with owned, zeroed contents. */
int gn_graph_add_state(gn_graph *graph, const char *name, gn_dtype dtype, const gn_shape *shape, bool trainable);
/* State with the contents of `tensor`, which the graph owns from then on (not when this fails). */
int gn_graph_add_state_of(gn_graph *graph, const char *name, gn_tensor *tensor, bool trainable);
/* Every state of `graph` that has the name, type and shape of one of `owner`'s becomes the same tensor; its own is freed.  `owner` must
 * outlive the graph. */
void gn_graph_share_states(gn_graph *graph, const gn_graph *owner);
/* Appends a node; its inputs exist already.  Shapes of the outputs are inferred at once where the inputs' are known.
 * Returns the node id.  Attributes are copied into the arena. */
int gn_graph_add_node(gn_graph *graph, const char *op, const char *domain, const char *name, const int *in, int n_in,
                      int n_out, const gn_attr *attrs, int n_attrs);
/* The usual case: one output; returns its value id. */
int gn_graph_add_op(gn_graph *graph, const char *op, const char *domain, const char *name, const int *in, int n_in,
                    const gn_attr *attrs, int n_attrs);
/* Names output `i` of a node (before anything refers to it by name). */
gn_status gn_graph_rename_value(gn_graph *graph, int value, const char *name);
gn_status gn_graph_add_output(gn_graph *graph, int value);
void gn_graph_clear_outputs(gn_graph *graph);
/* After a run `state` holds what `value` holds; the planner lets the producer of `value` write there directly. */
gn_status gn_graph_add_update(gn_graph *graph, int state, int value);
int gn_graph_update_count(const gn_graph *graph);
void gn_graph_update(const gn_graph *graph, int i, int *state_out, int *value_out);

/* Free-form strings that travel with a model (ONNX metadata_props).  get: NULL when absent. */
gn_status gn_graph_meta_set(gn_graph *graph, const char *key, const char *value);
const char *gn_graph_meta_get(const gn_graph *graph, const char *key);
int gn_graph_meta_count(const gn_graph *graph);
void gn_graph_meta_at(const gn_graph *graph, int i, const char **key_out, const char **value_out);

/* First failure of any gn_graph_add_* call, GN_OK when none; fills `err`. */
gn_status gn_graph_error(const gn_graph *graph, gn_error *err);
/* For builders and shape rules: record a failure (the first one stays). */
gn_status gn_graph_set_error(gn_graph *graph, gn_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Attributes of a node with ONNX's defaults given by the caller. */
const gn_attr *gn_node_attr(const gn_node *node, const char *name); /* NULL when absent */
int64_t gn_node_int(const gn_node *node, const char *name, int64_t fallback);
float gn_node_float(const gn_node *node, const char *name, float fallback);
const char *gn_node_string(const gn_node *node, const char *name, const char *fallback);
/* Copies up to `n` ints; fills with `fallback` when absent.  Returns how many the attribute has (0 when absent). */
int gn_node_ints(const gn_node *node, const char *name, int64_t *dst, int n, int64_t fallback);
gn_status gn_node_set_attr(gn_graph *graph, gn_node *node, const gn_attr *attr); /* adds or replaces */

/* ---- shapes ---- */

/* Sets an input's shape, e.g. another batch size; gn_graph_infer then renews every shape that follows. */
gn_status gn_graph_set_input_shape(gn_graph *graph, int input, const gn_shape *shape);
/* Shape and type of every value from those of inputs, constants and state; the contents of small values that depend on nothing but
 * shapes and constants become known on the way.  GN_ESHAPE names the node, its inputs' shapes and what was expected. */
gn_status gn_graph_infer(gn_graph *graph, gn_error *err);
/* Shapes, types and known contents of the results of nodes become unknown again, as before gn_graph_infer. */
void gn_graph_forget_shapes(gn_graph *graph);
/* Structure is sound: inputs defined before use, arity and attribute types right, names unique. */
gn_status gn_graph_check(const gn_graph *graph, gn_error *err);

/* ---- text ---- */

/* Readable form of structure, constants and metadata (contents of state are left out); round-trips. */
void gn_graph_to_text(const gn_graph *graph, gn_text *text);
gn_status gn_graph_from_text(const char *text, size_t bytes, const gn_op_registry *registry, gn_graph **graph_out,
                             gn_error *err);

#endif
