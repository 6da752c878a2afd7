/* Whether two trials of a study can be told apart by the pictures that they were judged with.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_REPORT_REPORT_COMPARE_H
#define GN_REPORT_REPORT_COMPARE_H

#include "report/report_model.h"

/* is_known: there is something to decide by.  is_level: they cannot be told apart.
 * difference, low, high: a minus b in the objective with its 95% interval, where scores per picture tell it, else NaN.
 * method: how it was decided, for people; a constant. */
typedef struct gn_report_difference {
    bool is_known, is_level;
    double difference, low, high;
    const char *method;
} gn_report_difference;

/* By the paired bootstrap over pictures when both trials have the document `val_pictures` for the same pictures and metric, which
 * sees far smaller differences; else by whether the 95% intervals of their objective overlap. */
void gn_report_compare(const gn_report_model *model, const gn_report_trial *a, const gn_report_trial *b,
                       gn_report_difference *out);
/* How many other trials cannot be told from `trial`. */
size_t gn_report_count_level(const gn_report_model *model, const gn_report_trial *trial);

/* The mean of a[i] - b[i] over the n pictures where neither is NaN, with its 95% percentile interval over `resamples` bootstraps.
 * NaN without such a picture, and for resamples < 1.  Source: Efron and Tibshirani 1993, chapter 13, on differences of pairs.
 * Pictures are drawn from the stream `seed`: the same input gives the same bits.  GN_ENOMEM. */
gn_status gn_paired_bootstrap(const double *a, const double *b, size_t n, int resamples, uint64_t seed,
                              double *difference_out, double *low_out, double *high_out);

#endif
