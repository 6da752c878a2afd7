/* Reports, made from the study alone: one HTML page that is complete in itself, the same facts as JSON, and a table for a terminal.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_REPORT_REPORT_H
#define GN_REPORT_REPORT_H

#include "base/status.h"
#include "base/text.h"
#include "store/study.h"

/* Everything the page shows of n studies (compared on one page when there are several), as one JSON object appended to `out`;
 * report_json.c says what stands where.  has_pictures: the photos of the study, too.  It holds no '<', so it may stand inside a script
 * element, and no password of an address.
 * What the store gives, GN_ENOMEM. */
gn_status gn_report_json(gn_study *const *studies, size_t n, bool has_pictures, gn_text *out, gn_error *err);

/* The page with `json` from gn_report_json in it, appended to `out`.  live_url: NULL, or the address (of the same server as the page)
 * from which the page fetches such JSON anew every few seconds; only then may it connect anywhere. */
void gn_report_page(const char *json, const char *live_url, gn_text *out);

/* Reads the studies and writes the page (atomically).  *bytes_out (may be NULL): its size. */
gn_status gn_report_write_all(const char *const *study_paths, size_t n, bool has_pictures, const char *html_path,
                              size_t *bytes_out, gn_error *err);
/* The same for one study, with its pictures. */
gn_status gn_report_write(const char *study_path, const char *html_path, size_t *bytes_out, gn_error *err);

/* All trials as aligned text, best first, the winner marked, for a terminal; appended to `out`. */
gn_status gn_report_table(gn_study *study, gn_text *out, gn_error *err);

#endif
