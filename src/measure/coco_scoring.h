/* Scoring of somebody else's detections: COCO's ground truth and a list of detections, read from files and brought together.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_MEASURE_COCO_SCORING_H
#define GN_MEASURE_COCO_SCORING_H

#include "data/coco_json.h"
#include "measure/accuracy.h"

/* What the numbers of a gn_scored_split stand for.  Pictures and classes are in the order of their ids. */
typedef struct gn_coco_scoring {
    gn_coco_file file;
    gn_scored_split scored;  /* sample: the index of each picture in file.image */
    const char **class_name; /* [scored.n_classes] borrowed from `file` */
    int64_t *category_id;    /* [scored.n_classes] */
    int64_t unknown_images, unknown_categories,
        repeated_ids; /* of the ground truth: annotations that point nowhere and were left out; images
                                                               * and categories whose id came before, which were left out too */
} gn_coco_scoring;

/* Reads both files.  Truth is taken as pycocotools does: iscrowd makes a crowd ("ignore" alone has no effect), sizes of objects are those
 * of `area`, or of the box where there is none; "difficult" ones are ignored.
 * GN_EDATA names the line of a detection whose image or category the ground truth does not have, that lacks a key, or whose numbers are
 * not finite; errors of gn_coco_file_read and gn_coco_detections_read. */
gn_status gn_coco_scoring_read(const char *truth_path, const char *detections_path, gn_coco_scoring *scoring_out,
                               gn_error *err);
void gn_coco_scoring_deinit(gn_coco_scoring *scoring);

#endif
