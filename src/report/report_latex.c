/* The report's tables for a paper: LaTeX, in the way of the package booktabs.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "report/report_formats.h"
#include "report/report_knobs.h"
#include "report/report_tables.h"

/* What fits a page. */
#define MAX_NETWORKS 40

static void add_grid(gn_grid *grid, const char *caption, const char *label, gn_text *out)
{
    out->failed = out->failed || grid->failed;
    if (grid->n_rows > 0) {
        gn_grid_latex(grid, caption, label, out);
        gn_text_add(out, "\n");
    }
    gn_grid_deinit(grid);
}

static gn_status add_shares(const gn_report_model *m, const char *label, gn_text *out, gn_error *err)
{
    gn_report_shares shares;
    gn_grid grid;
    char caption[300];
    GN_TRY(gn_report_shares_of(m, &shares, err));
    if (!shares.is_known)
        return GN_OK;
    gn_grid_init(&grid, m->arena);
    const int knob = gn_grid_column(&grid, "knob", true), share = gn_grid_column(&grid, "share of the variance", false);
    for (int i = 0; i < shares.n_knobs + shares.n_pairs; i++) {
        const gn_report_share *s = &shares.list[i];
        if (s->other != NULL && s->share < 0.01)
            continue;
        gn_grid_row(&grid);
        gn_grid_cell(&grid, knob, "%s%s%s", s->knob, s->other != NULL ? " with " : "",
                     s->other != NULL ? s->other : "");
        gn_grid_cell(&grid, share, "%.1f %%", s->share * 100);
    }
    snprintf(caption, sizeof caption, "Importance of knobs by functional ANOVA over %zu trials (forest: R2 %.2f).",
             shares.n_trials, shares.r2);
    add_grid(&grid, caption, label, out);
    return GN_OK;
}

static gn_status add_study(const gn_report_model *m, size_t number, gn_text *out, gn_error *err)
{
    gn_grid grid;
    char label[40];
    gn_text sentences;
    gn_text_init(&sentences);
    gn_report_sentences(m, &sentences);
    if (!sentences.failed)
        gn_latex_add(out, sentences.data);
    out->failed = out->failed || sentences.failed;
    gn_text_deinit(&sentences);
    gn_text_add(out, "\n\n");
    gn_grid_init(&grid, m->arena);
    gn_table_funnel(m, &grid);
    snprintf(label, sizeof label, "stages-%zu", number);
    add_grid(&grid, "Trials and networks after each stage.", label, out);
    snprintf(label, sizeof label, "importance-%zu", number);
    return add_shares(m, label, out, err);
}

gn_status gn_report_latex(const gn_report_model *const *models, size_t n, gn_text *out, gn_error *err)
{
    gn_grid grid;
    gn_text_add(out, "% \\usepackage{booktabs}\n\n");
    gn_grid_init(&grid, models[0]->arena);
    gn_table_networks(models, n, MAX_NETWORKS, &grid);
    add_grid(&grid, "Networks, each by its best trial; in brackets the 95 % bootstrap interval over pictures.",
             "networks", out);
    for (size_t i = 0; i < n; i++)
        GN_TRY(add_study(models[i], i + 1, out, err));
    return GN_OK;
}
