/* From thousands of candidates to the objects of a picture: those above a confidence are gathered in one scan, ordered by score, and
 * thinned out.  Equal scores keep the order of the candidates, and no step depends on the machine's vector width, so the same numbers
 * give the same objects everywhere.  Memory grows with the candidates, never with their pairs, and stays for the next picture.
 * Sources: greedy - Felzenszwalb et al. 2010; DIoU - Zheng et al. 2020 (AAAI); soft - Bodla et al. 2017; fusion - Solovyev et al. 2019
 * (weighted boxes fusion).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DETECT_NMS_H
#define GN_DETECT_NMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "detect/box.h"

typedef enum gn_nms_kind {
    GN_NMS_GREEDY = 0,    /* a box goes when IoU with a better one is above the threshold */
    GN_NMS_DIOU,          /* the same with IoU - d^2/c^2, the distance of the centres by the enclosing diagonal */
    GN_NMS_SOFT_LINEAR,   /* no box goes: where IoU is above the threshold its score falls to score * (1 - IoU) */
    GN_NMS_SOFT_GAUSSIAN, /* score * exp(-IoU^2 / sigma), whatever the threshold */
    GN_NMS_FUSION, /* boxes above the threshold become one: the mean of them by score, with the mean of their scores */
    GN_NMS_KINDS,
} gn_nms_kind;

/* "greedy", "diou", "soft", "soft_gaussian", "fusion".  Static storage. */
const char *gn_nms_kind_name(gn_nms_kind kind);
/* False for an unknown name. */
bool gn_nms_kind_parse(const char *name, gn_nms_kind *out);

typedef struct gn_nms_options {
    gn_nms_kind kind;
    float iou;          /* threshold, 0..1 */
    float conf;         /* scores that soft suppression brings below are left out, 0..1 */
    float sigma;        /* of the gaussian, above 0; 0: 0.5 */
    bool is_agnostic;   /* boxes of different classes suppress each other */
    int max_det;        /* objects of a picture, at least 1 */
    int max_candidates; /* the best ones that are looked at; 0: 30000 */
} gn_nms_options;

/* One candidate or object.  source: number of the candidate in the detector's output (of the best of those that were fused). */
typedef struct gn_candidate {
    gn_box box; /* x1 <= x2, y1 <= y2 */
    float score;
    int32_t cls;
    int32_t source;
} gn_candidate;

typedef struct gn_nms gn_nms;

/* GN_ENOMEM. */
gn_status gn_nms_create(gn_nms **nms_out);
void gn_nms_destroy(gn_nms **nms);

/* Forgets all candidates; the memory stays. */
void gn_nms_clear(gn_nms *nms);
/* Adds a candidate; one whose box has a side that is no finite number, or whose score is no number, is left out.  GN_ENOMEM. */
gn_status gn_nms_add(gn_nms *nms, const gn_candidate *candidate);
/* Adds from a detector's output for one picture, boxes [n,4] and scores [n,classes], all candidates whose score is at least conf and above
 * 0: each with its best class (of equal ones the first), or with every such class (is_multi_label).  n: below 2^31.  GN_ENOMEM. */
gn_status gn_nms_add_scores(gn_nms *nms, const float *boxes, const float *scores, size_t n, int classes, float conf,
                            bool is_multi_label);
size_t gn_nms_count(const gn_nms *nms);

/* Thins out the candidates added since the last clearing.  out: room for max_det; *n_out are written, by falling score.
 * GN_EINVAL: an option out of its range; GN_ENOMEM. */
gn_status gn_nms_run(gn_nms *nms, const gn_nms_options *options, gn_candidate *out, int *n_out, gn_error *err);

#endif
