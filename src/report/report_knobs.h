/* Which knobs of a study mattered, as reports tell it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_REPORT_REPORT_KNOBS_H
#define GN_REPORT_REPORT_KNOBS_H

#include "report/importance.h"
#include "report/report_model.h"

typedef struct gn_report_share {
    const char *knob, *other; /* other: NULL, or the second knob of an interaction */
    double share, spread;     /* spread: NaN for an interaction */
} gn_report_share;

/* is_known: shares follow, largest first, knobs before interactions.  Otherwise `why` says why not: too few trials, or nothing varies.
 * n_trials: that were compared, all after the same number of epochs.  r2: see gn_importance. */
typedef struct gn_report_shares {
    bool is_known;
    char why[160];
    size_t n_trials;
    int64_t epochs;
    double r2;
    int n_knobs, n_pairs;
    gn_report_share list[GN_IMPORTANCE_FACTORS + GN_IMPORTANCE_PAIRS];
} gn_report_shares;

/* Compares trials by the objective after their first stage, so that all were trained equally long; of more than 1000 an even sample.
 * GN_ENOMEM. */
gn_status gn_report_shares_of(const gn_report_model *model, gn_report_shares *out, gn_error *err);

#endif
