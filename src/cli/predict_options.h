/* Which of a model's boxes are told: the options of predict, and the session that they ask for.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_PREDICT_OPTIONS_H
#define GN_CLI_PREDICT_OPTIONS_H

#include "cli/cli_args.h"
#include "gannet/run_api.h"

#define GN_OPT_ROWS_PREDICT                                                                                            \
    {.name = "conf",                                                                                                   \
     .type = GN_OPT_DOUBLE,                                                                                            \
     .metavar = "X",                                                                                                   \
     .min = 0,                                                                                                         \
     .max = 1,                                                                                                         \
     .group = "Boxes",                                                                                                 \
     .help = "leave out boxes with a lower score (default: the model's)"},                                             \
        {.name = "iou",                                                                                                \
         .type = GN_OPT_DOUBLE,                                                                                        \
         .metavar = "X",                                                                                               \
         .min = 0,                                                                                                     \
         .max = 1,                                                                                                     \
         .help = "leave out boxes that overlap a better one by more (default: the model's)"},                          \
        {.name = "max-det",                                                                                            \
         .type = GN_OPT_INT,                                                                                           \
         .metavar = "N",                                                                                               \
         .init = "300",                                                                                                \
         .min = 1,                                                                                                     \
         .max = GN_PREDICTION_MAX,                                                                                     \
         .help = "at most so many boxes per picture"},                                                                 \
        {.name = "classes",                                                                                            \
         .type = GN_OPT_LIST,                                                                                          \
         .metavar = "C,...",                                                                                           \
         .help = "only these classes, by name or number from 0"},                                                      \
        {.name = "agnostic-nms", .type = GN_OPT_FLAG, .help = "boxes of different classes count as overlapping, too"}, \
        {.name = "nms",                                                                                                \
         .type = GN_OPT_STRING,                                                                                        \
         .init = "greedy",                                                                                             \
         .choices = "greedy|diou|soft|soft_gaussian|fusion",                                                           \
         .help = "how overlapping boxes are thinned out"},                                                             \
    {                                                                                                                  \
        .name = "multi-label", .type = GN_OPT_FLAG, .help = "a box may be of several classes"                          \
    }

/* What is done behind the session. */
typedef struct gn_predict_options {
    bool *is_wanted; /* [n_classes]; NULL: every class is */
    int n_classes;
    int max_det;
} gn_predict_options;

/* Loads MODEL (the first argument) and opens it for one picture at a time.
 * GN_EUSAGE: a class that the model does not have; errors of gn_cli_model_load and gn_session_open. */
gn_status gn_predict_options_open(gn_predict_options *options, const gn_args *args, gn_session **session_out,
                                  gn_error *err);
/* Keeps the wanted classes, up to max_det objects. */
void gn_predict_options_filter(const gn_predict_options *options, gn_prediction *p);
void gn_predict_options_deinit(gn_predict_options *options);

#endif
