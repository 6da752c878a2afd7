/* The tables and sentences that Markdown, LaTeX and the terminal share.  Not for other folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_REPORT_REPORT_TABLES_H
#define GN_REPORT_REPORT_TABLES_H

#include "report/report_grid.h"
#include "report/report_model.h"

/* Each fills an empty grid; GN_ENOMEM shows in grid->failed. */

/* All trials by place, for a terminal. */
void gn_table_trials(const gn_report_model *model, gn_grid *grid);
/* Each network by its best trial: validation loss, mean IoU, mAP on validation and test, latency, MACs, parameters.  At most
 * `limit` rows; with a first column that names the study when `study` is not NULL (rows are then added to what is there). */
void gn_table_networks(const gn_report_model *const *models, size_t n, size_t limit, gn_grid *grid);
/* What was left after each stage. */
void gn_table_funnel(const gn_report_model *model, gn_grid *grid);
/* What failed, what was screened out, and why; equal reasons as one row. */
void gn_table_losses(const gn_report_model *model, gn_grid *grid);

/* Three sentences: what was asked, what won with which figures, what it beat and whether the difference is one. */
void gn_report_sentences(const gn_report_model *model, gn_text *out);
/* What a reader calls a metric: "mean IoU". */
const char *gn_report_metric_name(const char *metric);
/* The command line that trains a trial again, with an option per knob; its parts are quoted for a shell. */
void gn_report_train_command(const gn_report_model *model, const gn_report_trial *trial, gn_text *out);

#endif
