/* Networks by name: graphs with torchvision's tensor names, initial weights, and the metadata that travels with a model.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_ZOO_ZOO_H
#define GN_ZOO_ZOO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "graph/graph.h"

#define GN_ZOO_LARGEST_PX 8192

/* What to build.  Strings are borrowed for the call. */
typedef struct gn_zoo_options {
    const char *
        model; /* a name of gn_zoo_names; "mobilenet_v2@0.35" (width 0.1..1.4) where the entry takes it; "resnet18+silu"
                              * exchanges the activations (activation.h) */
    const char *head;        /* "box", "box+score", "classify", "features"; of a detector "detect", and of no other */
    int classes;             /* classify, detect: 1..100000; the other heads: ignored */
    int width_px, height_px; /* of the network's input, at most GN_ZOO_LARGEST_PX each */
    uint64_t seed;           /* of the initial weights; they depend on (seed, tensor name) only */
    const char *activation;  /* the same as "+silu" in model, and stronger; NULL or "": none */
    int neck_channels; /* of retinanet_<backbone>: channels of the pyramid, 1..1024; 0: by the backbone's width, 64..256 */
    int head_convs; /* of retinanet_<backbone>: convolutions in front of each output, 1..8; 0: 2, or 4 from 128 channels on */
    bool no_weights;        /* weights stay 0: for shapes, counts and costs */
    const char *names_json; /* class names as a JSON list; NULL: ["object"], or "0", "1", ... */
} gn_zoo_options;

/* box head, 224 x 224, seed 0; the model is to be filled in. */
gn_zoo_options gn_zoo_options_default(void);

/* Builds a network: input "images" f32 [?,3,H,W] plain; output "boxes" [?,4], or [?,5] with the logit of the score as the fifth, or
 * "logits" [?,classes], or "map8", "map16", "map32" [?,C,H/8,W/8] ... (sizes as the architecture rounds them).  A detector ends in
 * "boxes" [?,A,4] x1 y1 x2 y2 in pixels of its input and "scores" [?,A,classes] in 0..1, made by gannet.DetectDecode from its raw maps
 * "raw0", "raw1", ... (detect/detector.h); its metadata say with gannet.detector and gannet.raw what they are.
 * Weights are STATE, running statistics STATE that no optimiser changes; metadata gannet.* is set.
 * The caller owns the graph.
 * GN_EINVAL: an unknown model (the message names the nearest), head or activation, a head that does not go with the model, a width, number of
 * classes or size out of range, a size that does not divide into a detector's cells (the message names the nearest that works), a picture
 * that is too small (the message names the smallest that works).  GN_ENOMEM. */
gn_status gn_zoo_build(const gn_zoo_options *options, gn_graph **graph_out, gn_error *err);

/* One line of a list of architectures; strings are static. */
typedef struct gn_zoo_entry {
    const char *name, *line;
    int smallest_px;   /* smallest width and height */
    int feature_width; /* numbers per picture that a head gets; 0: of a detector */
    int takes_width;   /* name@0.35 is understood */
    int is_detector;   /* takes the head "detect", and no other */
    int default_px;    /* width and height that it was published at */
} gn_zoo_entry;
/* Backbones first, then detectors. */
size_t gn_zoo_count(void);
gn_zoo_entry gn_zoo_at(size_t i);
/* The entry of `model`, with width and activation if it has them; false: there is none. */
bool gn_zoo_find(const char *model, gn_zoo_entry *entry_out);
/* Whether `model`, with width and activation if it has them, is one that gn_zoo_build knows. */
bool gn_zoo_knows(const char *model);
/* Numbers per picture that a head gets, at the model's width.  GN_EINVAL as gn_zoo_build, and for a detector. */
gn_status gn_zoo_feature_width(const char *model, int *width_out, gn_error *err);
/* All names; *n_out of them, static. */
const char *const *gn_zoo_names(size_t *n_out);

#endif
