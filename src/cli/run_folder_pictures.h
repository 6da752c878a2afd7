/* Pictures that a run folder receives when training ends.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_RUN_FOLDER_PICTURES_H
#define GN_CLI_RUN_FOLDER_PICTURES_H

#include "gannet/data_api.h"

/* curves.png from results.csv, and samples.jpg: 16 validation pictures with the true and the predicted box. */
gn_status gn_cli_run_pictures(const char *run_dir, const char *model_path, const gn_dataset *dataset, int threads,
                              gn_error *err);

#endif
