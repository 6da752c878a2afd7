/* The winner of a search on the test split, and scores of pictures, as processes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_PROCESS_EVALUATE_H
#define GN_SEARCH_PROCESS_EVALUATE_H

#include "search/process_runner.h"

/* The members `evaluate` and `score_pictures` of gn_search_runner.  ctx: the gn_process_runner. */
gn_status gn_process_evaluate(void *ctx, const gn_evaluate_job *job, gn_metrics *metrics_out, gn_picture_fn on_picture,
                              void *picture_ctx, gn_error *err);
gn_status gn_process_score_pictures(void *ctx, const gn_evaluate_job *job, gn_error *err);

#endif
