/* Layers of the first three YOLOs, numbered as Darknet numbers the sections of their files: tensors are called as `gannet import` calls
 * those of a .cfg, so that its weights fit.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_ZOO_DARKNET_MODULES_H
#define GN_ZOO_DARKNET_MODULES_H

#include "zoo/detectors.h"

/* Filters at the caller's width: a multiple of 8. */
int gn_dark_channels(const gn_blocks *b, int K);
/* "layers.i.what" */
const char *gn_dark_name(gn_blocks *b, int i, const char *what);
/* Convolution, normalisation and LeakyReLU of 0.1 as layer i; K is scaled by the caller's width. */
gn_feature gn_dark_conv(gn_blocks *b, int i, gn_feature x, int K, int kernel, int stride);
/* 2x2 at stride 2 */
gn_feature gn_dark_pool(gn_blocks *b, int i, gn_feature x);
/* 1x1 with a bias, nothing behind it; K is meant as it is */
gn_feature gn_dark_output(gn_blocks *b, int i, gn_feature x, int K);
/* x twice as large as layer i, then `other` behind it as layer i + 1 */
gn_feature gn_dark_up(gn_blocks *b, int i, gn_feature x, gn_feature other);

/* Raw map `map` of a detector with anchors that are told in pixels: layer i, with objectness that begins at the prior of YOLOv5. */
void gn_dark_detect(gn_blocks *b, int i, int map, gn_feature x, const float (*anchor)[2], gn_detector_build *d);

#endif
