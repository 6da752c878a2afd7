/* Options that say which kernels compute a model's layers: the cost model's, measured ones, or those of a plan.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_KERNEL_OPTIONS_H
#define GN_CLI_KERNEL_OPTIONS_H

#include "cli/cli_args.h"
#include "gannet/measure_api.h"

#define GN_OPT_ROWS_KERNELS                                                                                            \
    {.name = "tune",                                                                                                   \
     .type = GN_OPT_FLAG,                                                                                              \
     .group = "Kernels",                                                                                               \
     .help = "measure which kernel is the fastest for each layer on this machine; kept for later runs"},               \
    {                                                                                                                  \
        .name = "plan", .type = GN_OPT_STRING, .metavar = "FILE", .help = "the kernels of a plan (bench --plan-out)"   \
    }

/* What was done about kernels. */
typedef struct gn_kernels_used {
    bool is_planned, is_tuned, from_cache;
    gn_tuning tuning; /* of this run, unless from the cache */
} gn_kernels_used;

/* Fixes the kernels of the plan that `session` prepared last as --plan or --tune say, before its weights are freed; without them nothing is
 * done.  What went wrong with the cache is a warning.  GN_EUSAGE: both; errors of gn_kernel_plan_read, gn_kernel_plan_apply, gn_tune. */
gn_status gn_cli_choose_kernels(const gn_args *args, gn_session *session, gn_kernels_used *used_out, gn_error *err);

#endif
