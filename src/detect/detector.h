/* What a multi-box detector is made of: the kind of its head, its classes, strides and anchors, and how its raw maps are laid out.
 * Decoding, label assignment, losses, the zoo, formats and the session all read this one description.
 *
 * A detector answers with one raw map per stride, [N,K,H,W], before any sigmoid.  Its candidates are numbered map by map, row by row,
 * column by column, anchor by anchor.  Channels K of one cell, by kind:
 *   yolov1     B x (x, y, w, h, confidence), then C classes.  x, y: of the centre, 0..1 of the cell; w, h: square roots of 0..1 of the
 *              picture; all linear.  One map of S x S cells, whatever the size of the input.
 *              score = confidence * class, each at least 0, the product at most 1
 *   yolov2     A x (x, y, w, h, objectness, C classes).  centre = (cell + sigmoid(xy)) * stride, size = anchor * exp(wh);
 *              score = sigmoid(objectness) * softmax(classes), or sigmoid(class) without has_softmax
 *   yolov3     the same with sigmoid(class); centre = (cell + s * sigmoid(xy) - (s - 1) / 2) * stride, s = scale_xy
 *   yolov5     the same with centre = (cell + 2 * sigmoid(xy) - 0.5) * stride, size = anchor * (2 * sigmoid(wh))^2
 *   yolov8     4 x R bins, then C classes.  Distances left, top, right, bottom from the cell's centre (cell + 0.5), in strides: the
 *              mean of softmax over 0..R-1; score = sigmoid(class)
 *   retinanet  A x (dx, dy, dw, dh), then A x C classes.  Anchors are centred on (cell + 0.5) * stride; centre = anchor centre + d * anchor
 *              size, size = anchor size * exp(min(d, log(1000 / 16))); score = sigmoid(class)
 * Sources: Redmon et al. 2016 (YOLO), Redmon and Farhadi 2017 (YOLO9000) and 2018 (YOLOv3), the YOLOv5 and YOLOv8 releases as their papers and
 * documentation state them, Li et al. 2020 (DFL), Lin et al. 2017 (RetinaNet), Girshick et al. 2014 (box deltas).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DETECT_DETECTOR_H
#define GN_DETECT_DETECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"

typedef enum gn_detector_kind {
    GN_DETECTOR_YOLOV1 = 0,
    GN_DETECTOR_YOLOV2,
    GN_DETECTOR_YOLOV3,
    GN_DETECTOR_YOLOV5,
    GN_DETECTOR_YOLOV8,
    GN_DETECTOR_RETINANET,
    GN_DETECTOR_KINDS,
} gn_detector_kind;

#define GN_DETECTOR_MAX_MAPS    5
#define GN_DETECTOR_MAX_ANCHORS 16
#define GN_DETECTOR_MAX_CLASSES 100000

typedef struct gn_detector {
    gn_detector_kind kind;
    int classes; /* C, 1..GN_DETECTOR_MAX_CLASSES */
    int n_maps;
    int stride
        [GN_DETECTOR_MAX_MAPS]; /* pixels of the input per cell; yolov1: 0, its cells are the input's size through the map's */
    int anchors;                /* per cell: A, or yolov1's B; yolov8: 1 */
    float anchor[GN_DETECTOR_MAX_MAPS][GN_DETECTOR_MAX_ANCHORS]
                [2];  /* width, height in pixels of the input; yolov1 and yolov8: none */
    int bins;         /* R of yolov8, 2..64; else 0 */
    float scale_xy;   /* of yolov3, 1..2; else 1 */
    bool has_softmax; /* classes of yolov2 */
} gn_detector;

/* "yolov1", ... "retinanet".  Static storage. */
const char *gn_detector_kind_name(gn_detector_kind kind);
bool gn_detector_kind_parse(const char *name, gn_detector_kind *out);

/* Channels of a raw map. */
int64_t gn_detector_channels(const gn_detector *d);
/* Whether the kind has anchor boxes (yolov2, v3, v5, retinanet). */
bool gn_detector_has_anchors(gn_detector_kind kind);
/* Candidates of a map of height x width cells. */
int64_t gn_detector_candidates(const gn_detector *d, int64_t height, int64_t width);
/* GN_EINVAL, saying which field is out of its range. */
gn_status gn_detector_check(const gn_detector *d, gn_error *err);

/* One line of JSON, for a model's metadata, and back.  GN_EFORMAT: no such line; GN_EINVAL as gn_detector_check.  GN_ENOMEM. */
void gn_detector_format(const gn_detector *d, gn_text *text);
gn_status gn_detector_parse(const char *text, gn_detector *out, gn_error *err);

#endif
