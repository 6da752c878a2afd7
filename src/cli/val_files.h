/* Files that `gannet val` leaves about detections: curves, the confusion matrix, and the detections themselves.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_VAL_FILES_H
#define GN_CLI_VAL_FILES_H

#include "cli/val_result.h"
#include "gannet/data_api.h"

/* Drawn in the folder (made when missing): PR_curve.png, P_curve.png, R_curve.png, F1_curve.png, confusion_matrix.png. */
gn_status gn_val_write_curves(const gn_val_result *result, const char *folder, gn_error *err);

/* COCO's list of results.  Pictures and classes have the set's own numbers; a picture without one is called by its file's name without
 * ending, a number where that is one. */
gn_status gn_val_write_json(const gn_val_result *result, const gn_model_info *info, const gn_dataset *dataset,
                            gn_split split, const char *path, gn_error *err);

#endif
