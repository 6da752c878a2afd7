/* What the files that draw a study's plots share.  Not for other folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_REPORT_REPORT_PLOTS_PRIVATE_H
#define GN_REPORT_REPORT_PLOTS_PRIVATE_H

#include "draw/plot.h"
#include "report/report_model.h"

/* Pixels of a PNG per unit: what a printed column wants. */
#define GN_PLOT_SCALE 2.0

/* folder/name.ending */
gn_status gn_plot_path(const char *folder, const char *name, const char *ending, char *dst, size_t bytes,
                       gn_error *err);
/* NAME.svg and NAME.png. */
gn_status gn_plot_both(const gn_plot *plot, const char *folder, const char *name, gn_error *err);
/* Of the leader's documents: precision-recall, calibration, confusion. */
gn_status gn_report_winner_plots(const gn_report_model *model, const char *folder, size_t *n_out, gn_error *err);

#endif
