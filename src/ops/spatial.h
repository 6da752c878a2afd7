/* Geometry of convolutions and pooling windows: ONNX attributes, checked and put together with the operands' shapes.
 * The backends read it too, so that attributes are understood in one place.
 * Source: ONNX operators Conv, MaxPool, AveragePool (opset 13); ceil_mode as PyTorch has it (a window must begin inside the picture
 * or its top and left padding).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_SPATIAL_H
#define GN_OPS_SPATIAL_H

#include "graph/op.h"

/* x: [N,C,H,W]; y: [N,K,P,Q] (pools: K = C, group = C); filter or window R x S.  For window row r, output row p reads input row
 * p*stride_h - pad_top + r*dil_h. */
typedef struct gn_spatial {
    int64_t N, C, H, W, K, P, Q, R, S;
    int64_t stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right, dil_h, dil_w;
    int64_t group;
    bool count_include_pad; /* AveragePool */
    bool overhangs;         /* pools with ceil_mode: the last window hangs over the padding behind the picture */
} gn_spatial;

/* Geometry of Conv, FusedConv (inputs X, W), ConvGradData (dY, W) or ConvGradWeight (dY, X); of MaxPool, AveragePool and their
 * training forms (X) and gradients (dY, attribute in_hw), known by the operator's name.  Shapes of the inputs must be known.
 * GN_ESHAPE with the node's name. */
gn_status gn_spatial_conv(const gn_graph *graph, const gn_node *node, gn_spatial *out, gn_error *err);
gn_status gn_spatial_pool(const gn_graph *graph, const gn_node *node, gn_spatial *out, gn_error *err);

/* auto_pad SAME_UPPER or SAME_LOWER: writes the pads for the shape that input 0 has now into the node's attribute `pads`, which is what
 * everybody reads.  For shape rules; `w`: shape of the filter, NULL where the attribute kernel_shape tells. */
gn_status gn_spatial_auto_pad(gn_graph *graph, const gn_node *node, const gn_shape *w, gn_error *err);

/* Range of window rows (or columns) that fall into 0..extent-1: r in [*begin, *end). */
static inline void gn_spatial_range(int64_t origin, int64_t dil, int64_t window, int64_t extent, int64_t *begin,
                                    int64_t *end)
{
    *begin = origin >= 0 ? 0 : (-origin + dil - 1) / dil;
    *end = extent <= origin ? 0 : (extent - origin + dil - 1) / dil;
    if (*end > window)
        *end = window;
}

#endif
