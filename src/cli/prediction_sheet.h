/* Contact sheets of pictures with the true boxes (green) and the predicted ones (orange).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_PREDICTION_SHEET_H
#define GN_CLI_PREDICTION_SHEET_H

#include "gannet/data_api.h"
#include "gannet/run_api.h"

/* Up to `n` pictures of the split, evenly spaced, predicted by `session` and written to `path` (.jpg or .png). */
gn_status gn_cli_prediction_sheet(gn_session *session, const gn_dataset *dataset, gn_split split, int n,
                                  const char *path, gn_error *err);
/* The same; objects that score less than `least` are not drawn, also when the session would tell them. */
gn_status gn_cli_prediction_sheet_above(gn_session *session, const gn_dataset *dataset, gn_split split, int n,
                                        double least, const char *path, gn_error *err);

#endif
