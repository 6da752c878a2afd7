/* What a report shows about a model beside its figures, as JSON files: curves, confusion, calibration, a score for every picture.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_VAL_DOCUMENTS_H
#define GN_CLI_VAL_DOCUMENTS_H

#include "cli/val_result.h"
#include "gannet/data_api.h"

/* Writes curves.json, confusion.json, calibration.json and pictures.json into the folder, which is made when missing.  docs/val.md tells
 * their keys.  names: of classes, for a classifier; NULL otherwise.  hides_names: pictures are called by a hash of their file's name. */
gn_status gn_val_write_documents(const gn_val_result *result, const gn_dataset *dataset, gn_split split,
                                 const char *const *names, int n_names, bool hides_names, const char *folder,
                                 gn_error *err);

#endif
