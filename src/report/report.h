/* Reports, made from the study alone: one HTML page that is complete in itself, the same facts as JSON, and a table for a terminal.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_REPORT_REPORT_H
#define GN_REPORT_REPORT_H

#include "base/status.h"
#include "base/text.h"
#include "store/study.h"

/* Everything the page shows, as one JSON object appended to `out`.  It holds no '<', so it may stand inside a script element.
 * What the store gives, GN_ENOMEM. */
gn_status gn_report_json(gn_study *study, gn_text *out, gn_error *err);

/* The page with `json` from gn_report_json in it, appended to `out`. */
void gn_report_page(const char *json, gn_text *out);

/* Reads the study and writes the page (atomically).  *bytes_out (may be NULL): its size. */
gn_status gn_report_write(const char *study_path, const char *html_path, size_t *bytes_out, gn_error *err);

/* All trials as aligned text, best first, the winner marked, for a terminal; appended to `out`. */
gn_status gn_report_table(gn_study *study, gn_text *out, gn_error *err);

#endif
