/* The end of a detector's graph: the operator DetectDecode, what its node says, and how it is put behind raw maps.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_DETECT_DECODE_H
#define GN_OPS_DETECT_DECODE_H

#include "detect/decode.h"
#include "graph/op.h"

/* A node DetectDecode whose operands have their shapes. */
typedef struct gn_detect_decode {
    gn_detector detector;
    int64_t batch;
    gn_decode_map map[GN_DETECTOR_MAX_MAPS];
    int64_t first[GN_DETECTOR_MAX_MAPS + 1]; /* number of each map's first candidate; then of all */
} gn_detect_decode;

/* Reads the attribute and checks it against the operands.  GN_ESHAPE names the node and what was expected. */
gn_status gn_detect_decode_of(const gn_graph *graph, const gn_node *node, gn_detect_decode *out, gn_error *err);

/* Appends a node DetectDecode.  raw: the detector's n_maps maps.  images: the network's input, whose size in pixels yolov1 needs;
 * read by no other kind.  boxes f32 [N,A,4], scores f32 [N,A,C].  Failures are the graph's sticky error. */
gn_status gn_detect_add_decode(gn_graph *graph, const gn_detector *d, const int *raw, int images, int *boxes_out,
                               int *scores_out);
/* Makes a model of a graph that ends in raw maps: names them "raw0", ..., appends the decoding, makes "boxes" and "scores" the outputs
 * (the only ones), and says so in the metadata (gannet.task, head, decode, detector, raw).  images: the network's input. */
gn_status gn_detect_finish(gn_graph *graph, const gn_detector *d, const int *raw, int images, gn_error *err);

#endif
