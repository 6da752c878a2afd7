/* --plan and --tune.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/kernel_options.h"

#include <stdio.h>

#include "base/log.h"

static gn_status use_plan(const char *path, gn_session *session, gn_error *err)
{
    gn_kernel_plan *plan = NULL;
    GN_TRY(gn_kernel_plan_read(path, &plan, err));
    const gn_status status = gn_kernel_plan_apply(plan, session, err);
    if (status != GN_OK && err && !*err->file)
        snprintf(err->file, sizeof err->file, "%s", path);
    gn_kernel_plan_destroy(&plan);
    return status;
}

gn_status gn_cli_choose_kernels(const gn_args *args, gn_session *session, gn_kernels_used *used_out, gn_error *err)
{
    gn_kernels_used used = {.is_planned = gn_args_has(args, "plan"), .is_tuned = gn_args_flag(args, "tune")};
    if (used.is_planned && used.is_tuned)
        return gn_fail(err, GN_EUSAGE, "--plan fixes the kernels that --tune would choose: give one of them");
    if (used.is_planned)
        GN_TRY(use_plan(gn_args_str(args, "plan"), session, err));
    if (used.is_tuned) {
        char note[4096 + sizeof err->message];
        GN_TRY(gn_tune_cached(session, 0, &used.tuning, &used.from_cache, note, sizeof note, err));
        if (*note)
            gn_warn("%s", note);
    }
    *used_out = used;
    return GN_OK;
}
