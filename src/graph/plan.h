/* The planner: order, memory layouts and one arena with an offset for every temporary, all fixed before the first run.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_GRAPH_PLAN_H
#define GN_GRAPH_PLAN_H

#include "graph/op.h"

/* What the planner asks a backend: all may be NULL. */
typedef struct gn_plan_target {
    /* Extra buffers that live for one step only (partial sums, packed gradients' weights), in bytes. */
    size_t (*step_scratch_bytes)(void *ctx, const gn_graph *graph, const gn_node *node);
    /* May this op take input i in plain layout although its rule says NHWC (e.g. the first convolution)? */
    bool (*takes_plain)(void *ctx, const gn_graph *graph, const gn_node *node, int i);
    void *ctx;
    /* Can this op read input i (write output i) where its channels are a slice of every pixel of a larger N,H,W,C picture?  NULL: nobody
     * can, and Concat and Split copy. */
    bool (*takes_slice)(void *ctx, const gn_graph *graph, const gn_node *node, int i, bool is_output);
} gn_plan_target;

typedef enum gn_place {
    GN_PLACE_NONE,  /* never used */
    GN_PLACE_ARENA, /* offset into the arena */
    GN_PLACE_INPUT, /* caller's memory */
    GN_PLACE_DATA,  /* the value's own tensor (CONST, STATE) */
    GN_PLACE_STATE, /* written straight into the tensor of the state that it updates; `of` names that value */
} gn_place;

typedef struct gn_plan_value {
    gn_place place;
    gn_layout layout;
    size_t offset, bytes;
    int of;          /* value whose memory this one shares (views, slices, in-place, state updates), or -1 */
    int first, last; /* steps between which it is live; -1 when never */
    bool is_slice;   /* some of the channels of `of`, as a member of a Concat or a part of a Split */
    size_t shift;    /* of a slice: bytes from the beginning of the picture that holds it */
    int stride;      /* of a slice: elements from a pixel to the next; 0: dense */
} gn_plan_value;

typedef struct gn_plan_step {
    int node;
    size_t scratch_offset, scratch_bytes;
} gn_plan_step;

typedef struct gn_plan {
    int n_steps;
    gn_plan_step *steps;
    int n_values;
    gn_plan_value *values;
    size_t arena_bytes; /* size of the arena */
    size_t live_bytes;  /* largest sum of live values and scratch at any step: a lower bound of arena_bytes */
    int peak_step;      /* where that is */
} gn_plan;

/* Plans `graph`; inserts layout conversions (gannet.ToNhwc, gannet.ToPlain) into it where rules differ, and copies (Identity) where an
 * update cannot be written straight into its state.
 * GN_ESHAPE: a shape is not known, or an update's is not its state's.  GN_EFORMAT: a cycle, or two updates of one state. */
gn_status gn_plan_create(gn_graph *graph, const gn_plan_target *target, gn_plan **plan_out, gn_error *err);
void gn_plan_destroy(gn_plan **plan);
/* One line per step: node, shapes, layouts, offsets. */
void gn_plan_to_text(const gn_plan *plan, const gn_graph *graph, gn_text *text);

#endif
