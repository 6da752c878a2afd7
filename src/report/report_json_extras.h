/* What the page's JSON takes from the model that all formats share: importance of knobs, documents.  Not for other folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_REPORT_REPORT_JSON_EXTRAS_H
#define GN_REPORT_REPORT_JSON_EXTRAS_H

#include "base/text.h"
#include "store/study.h"

/* Appends ,"importance": {"why": null or why nothing is known, "n_trials", "epochs", "r2", "shares": [{"knob", "with", "share",
 * "spread"}]},"documents": [{"trial", "name", "value"}], the documents those of the leader and of the best trials of the next networks.
 * What the store gives, GN_ENOMEM. */
gn_status gn_report_add_extras(gn_study *study, gn_text *out, gn_error *err);

#endif
