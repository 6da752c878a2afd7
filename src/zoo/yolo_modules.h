/* Modules of YOLOv5 and YOLOv8, with the tensor names that their published weights have.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_ZOO_YOLO_MODULES_H
#define GN_ZOO_YOLO_MODULES_H

#include "zoo/detectors.h"

/* How one member of a family differs from its largest form. */
typedef struct gn_yolo_scale {
    double depth, width; /* of repeats and channels */
    int most;            /* channels before they are scaled */
} gn_yolo_scale;

/* The design of a member of a family whose file has a `build`; behind its line stand depth, width and most. */
#define GN_YOLO_MEMBER(id, about, ...)                                                                                 \
    static const gn_yolo_scale id##_scale = {__VA_ARGS__};                                                             \
    const gn_detector_design gn_detector_design_##id = {.name = #id,                                                   \
                                                        .line = about,                                                 \
                                                        .takes_width = true,                                           \
                                                        .stride = 32,                                                  \
                                                        .default_px = 640,                                             \
                                                        .table = &id##_scale,                                          \
                                                        .norm_epsilon = 1e-3f,                                         \
                                                        .norm_momentum = 0.03f,                                        \
                                                        .build = build}

/* Sides in pixels at strides 8, 16 and 32, found on COCO: of YOLOv3 and YOLOv5. */
extern const float gn_yolo_coco_anchors[3][GN_DETECTOR_MAX_ANCHORS][2];

/* Repeats and channels (a multiple of 8, rounded up) at b->table's scale and the caller's width. */
int gn_yolo_repeats(const gn_blocks *b, int n);
int gn_yolo_channels(const gn_blocks *b, int wish);

/* Convolution path.conv, normalisation path.bn, SiLU. */
gn_feature gn_yolo_conv(gn_blocks *b, const char *path, gn_feature x, int K, int kernel, int stride);
/* Two convolutions of the same width, path.cv1 and path.cv2, the second 3x3; x is added where has_shortcut. */
gn_feature gn_yolo_bottleneck(gn_blocks *b, const char *path, gn_feature x, int first_kernel, bool has_shortcut);
/* "Spatial pyramid pooling, fast": three 5x5 max poolings in a row, all four put together. */
gn_feature gn_yolo_sppf(gn_blocks *b, const char *path, gn_feature x, int K);
/* 1x1 convolution with a bias: the last layer of a head. */
gn_feature gn_yolo_output(gn_blocks *b, const char *path, gn_feature x, int K);
/* "model.i" */
const char *gn_yolo_layer(gn_blocks *b, int i);

/* The logit of meeting an object in one of a map's cells: 8 objects per picture of 640 px. */
double gn_yolo_objectness_prior(int stride);

#endif
