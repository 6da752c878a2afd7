/* Geometry of convolutions, transposed convolutions and pools over one, two or three dimensions, with auto_pad; the plain form of
 * what ops/spatial.h knows for pictures.
 * Source: ONNX Conv (opset 11), ConvTranspose (opset 11), MaxPool (opset 12), AveragePool (opset 19), LpPool (opset 18).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_WINDOWS_H
#define GN_OPS_WINDOWS_H

#include "graph/op.h"

#define GN_MAX_SPATIAL 3

/* x: [N,C,in...], y: [N,K,out...].  Fewer than three dimensions are filled up with ones in front, so that loops are always threefold;
 * `spatial` says how many there are.  Output position p reads input positions p*stride - begin + r*dil.
 * For a transposed convolution x is the larger side, [N,C,in...] its result and [N,K,out...] its input. */
typedef struct gn_windows {
    int spatial;
    int64_t N, C, K, group;
    int64_t in[GN_MAX_SPATIAL], out[GN_MAX_SPATIAL], window[GN_MAX_SPATIAL], stride[GN_MAX_SPATIAL];
    int64_t begin[GN_MAX_SPATIAL], end[GN_MAX_SPATIAL], dil[GN_MAX_SPATIAL];
} gn_windows;

/* Conv (X, W); a pool (X, attribute kernel_shape); ConvTranspose (X, W).  GN_ESHAPE with the node's name. */
gn_status gn_windows_conv(const gn_graph *graph, const gn_node *node, gn_windows *out, gn_error *err);
gn_status gn_windows_pool(const gn_graph *graph, const gn_node *node, gn_windows *out, gn_error *err);
gn_status gn_windows_transposed(const gn_graph *graph, const gn_node *node, gn_windows *out, gn_error *err);

/* [N, channels, sizes...] with the node's number of dimensions. */
gn_shape gn_windows_shape(const gn_windows *g, int64_t channels, const int64_t sizes[GN_MAX_SPATIAL]);
int64_t gn_windows_volume(const int64_t sizes[GN_MAX_SPATIAL]);

/* Walks the positions of one window that lie inside the input: *tap (position in the window, row-major) and *at (plain index in
 * one channel of the input).  Begin with *tap = -1; false at the end. */
bool gn_windows_next(const gn_windows *g, const int64_t origin[GN_MAX_SPATIAL], int64_t *tap, int64_t *at);
/* Where the window of output o (plain index in one channel) begins in the input; may be negative. */
void gn_windows_origin(const gn_windows *g, int64_t o, int64_t origin[GN_MAX_SPATIAL]);

/* y = conv(x, w) + bias, less the zero points of x and w (which quantised forms have); bias may be NULL. */
void gn_windows_convolve(const gn_windows *g, const gn_tensor *x, const gn_tensor *w, const gn_tensor *bias,
                         double x_zero, const gn_tensor *w_zero, gn_tensor *y);

#endif
