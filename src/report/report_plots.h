/* The plots of a study as files for papers.  Not for other folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_REPORT_REPORT_PLOTS_H
#define GN_REPORT_REPORT_PLOTS_H

#include "report/report_model.h"

/* NAME.svg and NAME.png in the folder, which exists, for every plot that the study has something for; *n_out counts names up. */
gn_status gn_report_plots(const gn_report_model *model, const char *folder, size_t *n_out, gn_error *err);

#endif
