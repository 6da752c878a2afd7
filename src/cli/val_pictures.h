/* The best and the worst pictures of a split, drawn with true and predicted boxes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_VAL_PICTURES_H
#define GN_CLI_VAL_PICTURES_H

#include "cli/val_result.h"
#include "gannet/data_api.h"

/* The n pictures with the highest (is_best) or the lowest score (result->picture_score; of equal ones those with more hits, or more
 * mistakes), drawn in the folder as 01_NAME.jpg, ... with true boxes (green) and predictions (orange), and listed for people.  A detector's
 * pictures without a mistake are not among its worst; pictures without a true box are not among the best. */
gn_status gn_val_write_pictures(const gn_val_result *result, const gn_dataset *dataset, gn_split split, bool is_best,
                                int n, const char *folder, gn_error *err);

#endif
