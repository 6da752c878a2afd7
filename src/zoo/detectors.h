/* The detectors: each builds its raw maps and says what stands in them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_ZOO_DETECTORS_H
#define GN_ZOO_DETECTORS_H

#include "detect/detector.h"
#include "zoo/architectures.h"

/* What a detector is told, and what it answers. */
typedef struct gn_detector_build {
    /* `classes` is given, the rest is the design's to fill in. */
    gn_detector detector;
    gn_feature raw[GN_DETECTOR_MAX_MAPS]; /* as many as detector.n_maps */
    const gn_architecture *backbone;      /* of retinanet_<backbone>; else NULL */
    int neck_channels, head_convs;        /* of RetinaNet; 0: as its backbone wants them */
} gn_detector_build;

typedef struct gn_detector_design {
    const char *name;
    const char *line;    /* for a list */
    bool takes_width;    /* name@0.5 scales the number of channels */
    int stride;          /* both sides of the input are multiples of it */
    int largest_px;      /* 0: no limit of its own */
    int default_px;      /* the size that it was published at */
    const void *table;   /* as in gn_architecture */
    float norm_epsilon;  /* of BatchNormalization; 0: 1e-5 */
    float norm_momentum; /* 0: 0.1 */
    /* Stride of an input of that size; NULL: `stride`, whatever the size. */
    int (*stride_at)(int width_px, int height_px);
    /* x: the picture [N,3,H,W], 0..1.  Tells with gn_block_head_begins where the head begins. */
    void (*build)(gn_blocks *b, gn_feature x, gn_detector_build *d);
} gn_detector_design;

#define GN_DETECTOR_DESIGN(name) extern const gn_detector_design gn_detector_design_##name;
#include "zoo/detectors.def"
#undef GN_DETECTOR_DESIGN

#endif
