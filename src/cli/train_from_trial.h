/* gannet train --from-trial: the run of one trial of a study, alone and to the same bits.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_TRAIN_FROM_TRIAL_H
#define GN_CLI_TRAIN_FROM_TRIAL_H

#include <stdint.h>

#include "cli/cli_args.h"

/* Takes config, data set, seed, epochs and schedule of the trial that --from-trial names for every option that was not given, and says
 * which options that were given make it another run.  Nothing without --from-trial.
 * data_hash_out: 17 bytes, the data set's hash as the study has it; "" when unknown.
 * GN_EUSAGE: not F.db:N.  GN_ENOENT: no such study or trial.  GN_EUNSUPPORTED: a config with an option that training lacks. */
gn_status gn_train_from_trial(gn_args *args, char *data_hash_out, gn_error *err);
/* Says so when the data set is not the one that the trial saw. */
void gn_train_compare_data(const char *data_hash, uint64_t hash);

#endif
