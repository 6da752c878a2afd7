/* What a Resize node does along each axis: sizes, and for each position of the result the positions of the input that it is made
 * from, with their weights.
 * Source: ONNX Resize (opset 19).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_RESIZE_TAPS_H
#define GN_OPS_RESIZE_TAPS_H

#include "graph/op.h"

typedef struct gn_resize {
    gn_shape x, y;
    double scale[GN_MAX_RANK]; /* result / input, as the node says; 1 for axes that stay */
    double roi_begin[GN_MAX_RANK], roi_end[GN_MAX_RANK];
    int method, coordinates, rounding; /* indices into lists of resize_taps.c */
    bool antialias, exclude_outside;
    double cubic_a, extrapolation;
} gn_resize;

/* Reads a Resize node (X, roi?, scales?, sizes?), or a ResizeGrad (dY in X's place, attribute in_shape).  Scales, sizes and roi are
 * known before a run.  GN_ESHAPE with the node's name. */
gn_status gn_resize_of(const gn_graph *graph, const gn_node *node, gn_resize *out, gn_error *err);

/* Position o of the result is sum over t of weight[o*n + t] * x[index[o*n + t]]; all inside 0..in-1. */
typedef struct gn_resize_axis {
    int64_t in, out;
    int n; /* taps */
    bool is_identity;
    int64_t *index;
    double *weight;
    bool *is_outside; /* per position: the result is the extrapolation value */
} gn_resize_axis;

/* Owned; gn_resize_axis_deinit.  GN_ENOMEM. */
gn_status gn_resize_axis_init(const gn_resize *resize, int d, gn_resize_axis *axis);
void gn_resize_axis_deinit(gn_resize_axis *axis);

#endif
