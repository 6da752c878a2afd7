/* What a request for a network means, and the metadata that travel with it: shared by the files of gn_zoo_build.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_ZOO_ZOO_PLAN_H
#define GN_ZOO_ZOO_PLAN_H

#include "zoo/detectors.h"
#include "zoo/head.h"
#include "zoo/zoo.h"

typedef struct gn_zoo_plan {
    const gn_architecture *architecture; /* NULL: a detector that brings its own layers */
    const gn_detector_design *detector;  /* NULL: no detector */
    double width;
    gn_head_kind head;
    gn_act act;
} gn_zoo_plan;

size_t gn_zoo_detector_count(void);
const gn_detector_design *gn_zoo_detector_at(size_t i);
/* NULL: none of that name.  *backbone_out: what stands behind "retinanet_", NULL for the others; untouched where there is none. */
const gn_detector_design *gn_zoo_find_detector(const char *name, const char **backbone_out);
/* The smallest square that works. */
int gn_zoo_smallest_detector_px(const gn_zoo_plan *p);

/* Both sides are multiples of the stride, and not too large. */
gn_status gn_zoo_check_detector_size(const gn_zoo_options *options, const gn_zoo_plan *p, gn_error *err);
/* Builds raw maps from the picture and what decodes them behind; outputs, their names and the metadata of detectors are set. */
gn_status gn_zoo_build_detector(gn_blocks *b, gn_feature x, const gn_zoo_options *options, const gn_zoo_plan *p,
                                gn_error *err);

#endif
