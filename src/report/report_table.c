/* The trials of a study as a table of aligned text.
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report.h"
#include "report/report_tables.h"

gn_status gn_report_table(gn_study *study, gn_text *out, gn_error *err)
{
    gn_report_model *model = NULL;
    gn_grid grid;
    GN_TRY(gn_report_model_load(study, &model, err));
    gn_grid_init(&grid, model->arena);
    gn_table_trials(model, &grid);
    gn_grid_text(&grid, out);
    const bool has_failed = grid.failed || out->failed;
    gn_grid_deinit(&grid);
    gn_report_model_destroy(&model);
    return has_failed ? gn_fail(err, GN_ENOMEM, "making the table: out of memory") : GN_OK;
}
