/* The report as Markdown: what was asked, what won, all networks compared, what was left after each stage, what was lost and why,
 * which knobs mattered, and how to get the winner again.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "report/report_formats.h"
#include "report/report_knobs.h"
#include "report/report_tables.h"

/* Networks in the table; the rest is in the CSV. */
#define MAX_NETWORKS 40

typedef void (*fill_fn)(const gn_report_model *model, gn_grid *grid);

/* A heading and the table below it; neither when it has no row. */
static void add_table(const gn_report_model *m, const char *heading, fill_fn fill, gn_text *out)
{
    gn_grid grid;
    gn_grid_init(&grid, m->arena);
    fill(m, &grid);
    out->failed = out->failed || grid.failed;
    if (grid.n_rows > 0) {
        gn_text_printf(out, "\n%s\n\n", heading);
        gn_grid_markdown(&grid, out);
    }
    gn_grid_deinit(&grid);
}

static void add_networks(const gn_report_model *const *models, size_t n, const char *heading, gn_text *out)
{
    gn_grid grid;
    gn_grid_init(&grid, models[0]->arena);
    gn_table_networks(models, n, MAX_NETWORKS, &grid);
    out->failed = out->failed || grid.failed;
    gn_text_printf(out, "\n%s\n\n", heading);
    if (grid.n_rows == 0)
        gn_text_add(out, "No network has a result.\n");
    else {
        gn_grid_markdown(&grid, out);
        gn_text_add(
            out, "\nEach network by its best trial; in brackets the 95 % bootstrap interval over pictures; latency of "
                 "preprocessing, network and postprocessing together.\n");
    }
    if (grid.n_rows >= MAX_NETWORKS)
        gn_text_printf(out, "The first %d networks of each study are shown.\n", MAX_NETWORKS);
    gn_grid_deinit(&grid);
}

static void add_front(const gn_report_model *m, gn_text *out)
{
    if (m->n_front == 0)
        return;
    gn_text_add(out, "\n### Accuracy against latency\n\nNo other trial is faster and better than these:\n\n");
    for (size_t i = 0; i < m->n_front; i++) {
        gn_text_printf(out, "- %.2f ms, %s %.4f: ", m->front[i]->latency_ms, gn_report_metric_name(m->objective),
                       m->front[i]->score);
        gn_markdown_add(out, m->front[i]->label);
        gn_text_add(out, "\n");
    }
    if (!isnan(m->hypervolume))
        gn_text_printf(out, "\nHypervolume (%s from 0, latency up to %g ms): %.4f ms\n",
                       gn_report_metric_name(m->objective), m->hypervolume_ms, m->hypervolume);
}

static gn_status add_shares(const gn_report_model *m, gn_text *out, gn_error *err)
{
    gn_report_shares shares;
    GN_TRY(gn_report_shares_of(m, &shares, err));
    gn_text_add(out, "\n### Which knobs mattered\n\n");
    if (!shares.is_known) {
        gn_text_printf(out, "Not known: %s.\n", shares.why);
        return GN_OK;
    }
    gn_text_add(out, "| knob | share of the variance | spread |\n|---|---:|---:|\n");
    for (int i = 0; i < shares.n_knobs + shares.n_pairs; i++) {
        const gn_report_share *s = &shares.list[i];
        if (s->other != NULL && s->share < 0.01)
            continue;
        gn_text_add(out, "| ");
        gn_markdown_add(out, s->knob);
        if (s->other != NULL) {
            gn_text_add(out, " with ");
            gn_markdown_add(out, s->other);
        }
        gn_text_printf(out, " | %.1f %% |", s->share * 100);
        gn_text_printf(out, isnan(s->spread) ? " |\n" : " %.1f %% |\n", s->spread * 100);
    }
    gn_text_printf(out,
                   "\nFunctional ANOVA over %zu trials after %" PRId64
                   " epochs; the forest explains %.0f %% of the variance of "
                   "trials it has not seen%s.\n",
                   shares.n_trials, shares.epochs, fmax(0, shares.r2) * 100,
                   shares.r2 < 0.3 ? ", too little for these shares to be trusted" : "");
    return GN_OK;
}

static void add_again(const gn_report_model *m, gn_text *out)
{
    static const char *const facts[] = {"data",   "data_hash", "space",          "stages",     "schedule", "sampler",
                                        "target", "seed",      "gannet_version", "compiler",   "cpu",      "cpu_level",
                                        "cores",  "jobs",      "created_at",     "finished_at"};
    gn_text_add(out, "\n### How to get it again\n\n```sh\n");
    for (size_t i = 0; i < m->n_commands; i++)
        gn_text_printf(out, "%s\n", m->command[i].line);
    if (m->leader != NULL) {
        gn_text_printf(out, "# %s alone:\n", m->winner != NULL ? "the winner" : "the best so far");
        gn_report_train_command(m, m->leader, out);
        gn_text_add(out, "\n");
    }
    gn_text_add(out, "```\n\n");
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        const char *value = gn_report_fact(m, facts[i]);
        if (value == NULL || value[0] == '\0')
            continue;
        gn_text_printf(out, "- %s: ", facts[i]);
        gn_markdown_add(out, value);
        gn_text_add(out, "\n");
    }
}

static gn_status add_study(const gn_report_model *m, gn_text *out, gn_error *err)
{
    gn_text sentences;
    gn_text_add(out, "\n## ");
    gn_markdown_add(out, gn_path_name(m->path));
    gn_text_add(out, "\n\n");
    gn_text_init(&sentences);
    gn_report_sentences(m, &sentences);
    if (!sentences.failed)
        gn_markdown_add(out, sentences.data);
    out->failed = out->failed || sentences.failed;
    gn_text_deinit(&sentences);
    gn_text_add(out, "\n");
    add_networks(&m, 1, "### Networks compared", out);
    add_front(m, out);
    add_table(m, "### The stages", gn_table_funnel, out);
    add_table(m, "### Failed, or never trained", gn_table_losses, out);
    GN_TRY(add_shares(m, out, err));
    add_again(m, out);
    return GN_OK;
}

gn_status gn_report_markdown(const gn_report_model *const *models, size_t n, gn_text *out, gn_error *err)
{
    gn_text_add(out, "# Search report\n");
    if (n > 1)
        add_networks(models, n, "## Studies compared", out);
    for (size_t i = 0; i < n; i++)
        GN_TRY(add_study(models[i], out, err));
    return GN_OK;
}
