/* The settings of a training run as text: what a resumed run must share, and what the model file says about its making.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_TRAIN_SETTINGS_H
#define GN_CLI_TRAIN_SETTINGS_H

#include <stdbool.h>

#include "cli/cli_args.h"
#include "gannet/data_api.h"

/* Whether an option may change between the parts of a run without changing what is trained. */
bool gn_train_is_free(const char *option);
/* All settings but those, and the data set's hash: what must be the same when a run is resumed.  GN_ENOMEM. */
gn_status gn_train_settings_text(const gn_args *args, const gn_dataset *dataset, gn_text *out);
/* The command that trains the same weights: every setting that decides them and is not the table's default.  The same for a run in one
 * go, one in several parts, and one from a trial.  GN_ENOMEM. */
gn_status gn_train_provenance(const gn_args *args, gn_text *out);

#endif
