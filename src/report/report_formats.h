/* One function per format that a report can be written in.  Not for other folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_REPORT_REPORT_FORMATS_H
#define GN_REPORT_REPORT_FORMATS_H

#include "base/text.h"
#include "report/report_model.h"

/* Each appends n studies to `out`; a failed allocation shows in out->failed.  GN_ENOMEM. */
gn_status gn_report_markdown(const gn_report_model *const *models, size_t n, gn_text *out, gn_error *err);
gn_status gn_report_latex(const gn_report_model *const *models, size_t n, gn_text *out, gn_error *err);
gn_status gn_report_csv(const gn_report_model *const *models, size_t n, gn_text *out, gn_error *err);
gn_status gn_report_export(const gn_report_model *const *models, size_t n, gn_text *out, gn_error *err);

#endif
