/* Detections of another program for the pictures of a data set: a folder with a text file per picture, as YOLO's tools write them, or
 * COCO's list of results where the set knows the numbers of its pictures.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_MEASURE_SET_PREDICTIONS_H
#define GN_MEASURE_SET_PREDICTIONS_H

#include "measure/accuracy.h"

/* Limits of one text file. */
#define GN_PREDICTIONS_MAX_BYTES ((size_t)16 << 20)
#define GN_PREDICTIONS_MAX_LINES 100000

/* path, a folder: FOLDER/STEM.txt holds lines "class cx cy w h confidence", 0..1 of the picture, class numbers of the set; a picture without a
 * file has no detections.  path, a file: a list as gn_coco_detections_read takes it; image_id is the set's own number of a picture, else
 * its file's name without ending; category_id the set's own number of a class.
 * GN_EDATA names the file and line of what cannot be used; no file of the folder belongs to a picture; the set has a class per picture.
 * GN_ENOENT; GN_EIO; GN_EFORMAT; GN_ELIMIT; GN_ENOMEM. */
gn_status gn_set_predictions_read(const gn_dataset *dataset, gn_split split, const char *path,
                                  gn_scored_split *scored_out, gn_error *err);

#endif
