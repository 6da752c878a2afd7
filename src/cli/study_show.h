/* How `gannet study` shows trials: a table, one trial in full, JSON.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_STUDY_SHOW_H
#define GN_CLI_STUDY_SHOW_H

#include "cli/cli_json.h"
#include "gannet/report_api.h"
#include "gannet/store_api.h"

/* Trials as a table on standard output. */
void gn_study_print_table(const gn_report_model *model, const gn_report_trial *const *list, size_t n);
/* One trial with its config, results, attempts and documents.  The study is still open. */
gn_status gn_study_print_trial(gn_study *study, const gn_report_model *model, const gn_report_trial *trial,
                               gn_error *err);

/* The members of a trial's object; what a table shows. */
void gn_study_json_trial(gn_jsonw *j, const gn_report_model *model, const gn_report_trial *trial);
/* And what only the full view has: results, attempts, documents. */
gn_status gn_study_json_details(gn_jsonw *j, gn_study *study, const gn_report_model *model,
                                const gn_report_trial *trial, gn_error *err);

#endif
