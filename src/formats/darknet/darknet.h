/* Networks of Darknet: a .cfg that names the layers and a .weights with their numbers become a graph.
 * Source: the source code of Darknet (J. Redmon, public domain) and of its fork by A. Bochkovskiy define both.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_DARKNET_DARKNET_H
#define GN_FORMATS_DARKNET_DARKNET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "graph/graph.h"

/* Limits of what is read. */
#define GN_DARKNET_MAX_CFG_BYTES     ((size_t)1 << 20)
#define GN_DARKNET_MAX_WEIGHTS_BYTES ((size_t)2 << 30)
#define GN_DARKNET_MAX_LAYERS        1000
#define GN_DARKNET_MAX_NUMBERS       ((int64_t)400000000)
/* Numbers that a .weights file does not hold. */
#define GN_DARKNET_MAX_RANDOM_NUMBERS ((int64_t)150000000)

/* All zero means the defaults. */
typedef struct gn_darknet_options {
    bool is_raw;     /* what a detection layer would read becomes an output, and nothing is decoded */
    bool is_partial; /* a .weights file may end after any layer; those behind it get random weights */
    uint64_t seed;   /* of random weights */
    float epsilon;   /* under the square root with a variance; 0: 1e-5, as Darknet has it (other readers have 1e-6) */
    int64_t max_numbers; /* of all weights together; 0: what the file has, or the limits above */
} gn_darknet_options;

/* Reads a network: input "images" f32 [?,C,H,W], RGB in 0..1; weights are STATE, named "layers.<number>.conv.weight" and so on, the
 * number being Darknet's.  The outputs are the last layer's result ("logits" when a softmax came last, which is then left to whoever
 * reads them); with detection layers "boxes" and "scores" as detect/detector.h says, behind the raw maps "raw0", ...; with is_raw those
 * maps as the layers have them ("map<number>").  Metadata gannet.* is set.  weights_path NULL: random weights.  notes: lines about what
 * was left out; may be NULL.  A detector gets its class names from a .names file beside the .cfg (gn_darknet_names_find).  The caller
 * owns the graph.
 * GN_EFORMAT: a line that cannot be read, a value out of range, layers that do not fit (with the line), a .weights file of another length;
 * GN_EUNSUPPORTED: a layer, option or activation; GN_ELIMIT; GN_ENOENT; GN_EIO; GN_ENOMEM. */
gn_status gn_darknet_read(const char *cfg_path, const char *weights_path, const gn_darknet_options *options,
                          gn_text *notes, gn_graph **graph_out, gn_error *err);
/* The same from memory; weights NULL: random ones.  The names stand in error lines. */
gn_status gn_darknet_read_bytes(const char *cfg, size_t cfg_bytes, const char *cfg_name, const void *weights,
                                size_t weights_bytes, const char *weights_name, const gn_darknet_options *options,
                                gn_text *notes, gn_graph **graph_out, gn_error *err);

#endif
