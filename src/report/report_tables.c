/* Tables and sentences shared by the formats; see report_tables.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report_tables.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/report_compare.h"

/* Knobs that get a column of their own in a table for people. */
#define MAX_KNOB_COLUMNS 4

const char *gn_report_metric_name(const char *metric)
{
    static const char *const names[][2] = {
        {"mean_iou", "mean IoU"}, {"box_precision50", "box precision@50"},
        {"map50", "mAP50"},       {"map75", "mAP75"},
        {"map50_95", "mAP50-95"}, {"top1", "top-1"},
        {"top5", "top-5"},        {"loss", "loss"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i][0], metric) == 0)
            return names[i][1];
    return metric;
}

/* The figure beside the objective. */
static const char *second_metric(const gn_report_model *m)
{
    return strcmp(m->objective, "mean_iou") == 0 ? "box_precision50" : "map50";
}

static double metric_of(const gn_result *result, const char *name)
{
    return result != NULL ? gn_result_metric(result, name) : NAN;
}

/* --- all trials, for a terminal ----------------------------------------------------------------------------------------- */

static void put_state(const gn_report_trial *t, gn_grid *grid, int column)
{
    const gn_trial *row = t->row;
    if (t->is_winner)
        gn_grid_cell(grid, column, "winner");
    else if (row->state == GN_TRIAL_DONE)
        gn_grid_cell(grid, column, "stage %d", row->stage);
    else
        gn_grid_cell(grid, column, "%s%s%.60s",
                     row->state == GN_TRIAL_SCREENED ? "over budget" : gn_trial_state_name(row->state),
                     row->state == GN_TRIAL_FAILED ? ": " : "", row->state == GN_TRIAL_FAILED ? row->reason : "");
}

void gn_table_trials(const gn_report_model *m, gn_grid *grid)
{
    char name[80];
    size_t knob[MAX_KNOB_COLUMNS];
    int knob_column[MAX_KNOB_COLUMNS], n_knobs = 0;
    const int id = gn_grid_column(grid, "trial", false), model = gn_grid_column(grid, "model", true);
    for (size_t k = 0; k < m->n_knobs && n_knobs < MAX_KNOB_COLUMNS; k++) {
        if (!m->knob[k].is_varied || strcmp(m->knob[k].name, "model") == 0)
            continue;
        knob_column[n_knobs] = gn_grid_column(grid, m->knob[k].name, false);
        knob[n_knobs++] = k;
    }
    const int p90 = gn_grid_column(grid, "p90 ms", false), params = gn_grid_column(grid, "params", false),
              macs = gn_grid_column(grid, "MACs", false), score = gn_grid_column(grid, m->objective, false);
    const char *second = second_metric(m);
    const int other = strcmp(m->objective, second) != 0 ? gn_grid_column(grid, second, false) : -1;
    snprintf(name, sizeof name, "%.60s test", m->objective);
    const int test = gn_grid_column(grid, name, false), state = gn_grid_column(grid, "state", true);
    for (size_t i = 0; i < m->n_trials; i++) {
        const gn_report_trial *t = m->by_place[i];
        gn_grid_row(grid);
        gn_grid_cell(grid, id, "%s%" PRId64, t->is_winner ? "* " : "", t->row->id);
        gn_grid_cell(grid, model, "%s", t->model);
        for (int k = 0; k < n_knobs; k++)
            gn_grid_cell(grid, knob_column[k], "%s", t->value[knob[k]] != NULL ? t->value[knob[k]] : "-");
        gn_grid_number(grid, p90, 2, t->latency_ms);
        gn_grid_count(grid, params, t->network != NULL ? t->network->params : -1);
        gn_grid_count(grid, macs, t->network != NULL ? t->network->macs : -1);
        gn_grid_number(grid, score, 3, t->score);
        gn_grid_number(grid, other, 3, metric_of(t->val, second));
        gn_grid_number(grid, test, 3, metric_of(t->test, m->objective));
        put_state(t, grid, state);
    }
    const int figures[] = {test, other, score, p90};
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        gn_grid_drop_empty(grid, figures[i]);
}

/* --- networks compared -------------------------------------------------------------------------------------------------- */

/* A metric of networks: its column, and where it is found. */
typedef struct network_column {
    const char *title, *metric;
    bool is_test;
    int column;
} network_column;

static network_column network_columns[] = {
    {"val loss", "loss", false, 0},
    {"mean IoU", "mean_iou", false, 0},
    {"precision@50", "box_precision50", false, 0},
    {"top-1", "top1", false, 0},
    {"mAP50 val", "map50", false, 0},
    {"mAP50-95 val", "map50_95", false, 0},
    {"mean IoU test", "mean_iou", true, 0},
    {"mAP50 test", "map50", true, 0},
    {"mAP50-95 test", "map50_95", true, 0},
    {"top-1 test", "top1", true, 0},
};
enum { N_NETWORK_COLUMNS = sizeof network_columns / sizeof network_columns[0] };

static void put_network(const gn_report_trial *t, const network_column *columns, gn_grid *grid)
{
    for (int c = 0; c < N_NETWORK_COLUMNS; c++) {
        double value, low, high;
        gn_report_metric(columns[c].is_test ? t->test : t->val, columns[c].metric, &value, &low, &high);
        gn_grid_interval(grid, columns[c].column, strcmp(columns[c].metric, "loss") == 0 ? 4 : 3, value, low, high);
    }
}

void gn_table_networks(const gn_report_model *const *models, size_t n, size_t limit, gn_grid *grid)
{
    network_column columns[N_NETWORK_COLUMNS];
    memcpy(columns, network_columns, sizeof columns);
    const int study = n > 1 ? gn_grid_column(grid, "study", true) : -1;
    const int model = gn_grid_column(grid, "network", true), trial = gn_grid_column(grid, "trial", false);
    for (int c = 0; c < N_NETWORK_COLUMNS; c++)
        columns[c].column = gn_grid_column(grid, columns[c].title, false);
    const int p50 = gn_grid_column(grid, "p50 ms", false), p90 = gn_grid_column(grid, "p90 ms", false),
              macs = gn_grid_column(grid, "MACs", false), params = gn_grid_column(grid, "params", false);
    for (size_t k = 0; k < n; k++) {
        const gn_report_model *m = models[k];
        const gn_report_trial **best = gn_arena_alloc(m->arena, (m->n_trials + 1) * sizeof *best);
        if (best == NULL) {
            grid->failed = true;
            return;
        }
        const size_t found = gn_report_best_of_networks(m, best);
        for (size_t i = 0; i < found && i < limit; i++) {
            const gn_report_trial *t = best[i];
            if (t->place == 0)
                continue;
            gn_grid_row(grid);
            gn_grid_cell(grid, study, "%s", gn_path_name(m->path));
            gn_grid_cell(grid, model, "%s%s", t->model, t->is_winner ? " (winner)" : "");
            gn_grid_cell(grid, trial, "%" PRId64, t->row->id);
            put_network(t, columns, grid);
            gn_grid_number(grid, p50, 2, t->network != NULL ? t->network->total_p50_ms : NAN);
            gn_grid_number(grid, p90, 2, t->latency_ms);
            gn_grid_count(grid, macs, t->network != NULL ? t->network->macs : -1);
            gn_grid_count(grid, params, t->network != NULL ? t->network->params : -1);
        }
    }
    for (int c = N_NETWORK_COLUMNS - 1; c >= 0; c--)
        gn_grid_drop_empty(grid, columns[c].column);
}

/* --- funnel and losses -------------------------------------------------------------------------------------------------- */

void gn_table_funnel(const gn_report_model *m, gn_grid *grid)
{
    const int what = gn_grid_column(grid, "stage", true), epochs = gn_grid_column(grid, "epochs", false),
              trials = gn_grid_column(grid, "trials", false), networks = gn_grid_column(grid, "networks", false),
              best = gn_grid_column(grid, "best so far", true);
    gn_grid_row(grid);
    gn_grid_cell(grid, what, "asked for");
    gn_grid_cell(grid, trials, "%zu", m->n_trials);
    gn_grid_cell(grid, networks, "%zu", m->n_networks);
    if (m->n_screened > 0) {
        gn_grid_row(grid);
        gn_grid_cell(grid, what, "within the budget");
        gn_grid_cell(grid, trials, "%zu", m->n_trials - m->n_screened);
    }
    for (size_t i = 0; i < m->n_stages; i++) {
        const gn_report_stage *s = &m->stage[i];
        gn_grid_row(grid);
        gn_grid_cell(grid, what, "%d", s->stage);
        gn_grid_cell(grid, epochs, "%" PRId64, s->epochs);
        gn_grid_cell(grid, trials, "%zu", s->n_trials);
        gn_grid_cell(grid, networks, "%zu", s->n_networks);
        gn_grid_cell(grid, best, "%s: %.4f", s->best != NULL ? s->best->label : "-", s->best_score);
    }
}

static int compare_reasons(const void *a, const void *b)
{
    const gn_report_trial *x = *(const gn_report_trial *const *)a, *y = *(const gn_report_trial *const *)b;
    if (x->row->state != y->row->state)
        return x->row->state < y->row->state ? -1 : 1;
    const int by_reason = strcmp(x->row->reason, y->row->reason);
    return by_reason != 0 ? by_reason : (x->row->id > y->row->id) - (x->row->id < y->row->id);
}

void gn_table_losses(const gn_report_model *m, gn_grid *grid)
{
    const gn_report_trial **list = gn_arena_alloc(m->arena, (m->n_trials + 1) * sizeof *list);
    const int state = gn_grid_column(grid, "what", true), trials = gn_grid_column(grid, "trials", false),
              reason = gn_grid_column(grid, "reason", true), first = gn_grid_column(grid, "for example", true);
    size_t n = 0;
    if (list == NULL) {
        grid->failed = true;
        return;
    }
    for (size_t i = 0; i < m->n_trials; i++)
        if (m->trial[i].row->state == GN_TRIAL_FAILED || m->trial[i].row->state == GN_TRIAL_SCREENED)
            list[n++] = &m->trial[i];
    if (n > 0)
        qsort(list, n, sizeof *list, compare_reasons);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && list[end]->row->state == list[i]->row->state &&
                          strcmp(list[end]->row->reason, list[i]->row->reason) == 0;)
            end++;
        gn_grid_row(grid);
        gn_grid_cell(grid, state, "%s", list[i]->row->state == GN_TRIAL_FAILED ? "failed" : "never trained");
        gn_grid_cell(grid, trials, "%zu", end - i);
        gn_grid_cell(grid, reason, "%.300s", list[i]->row->reason);
        gn_grid_cell(grid, first, "trial %" PRId64 ": %s", list[i]->row->id, list[i]->label);
    }
}

/* --- sentences ---------------------------------------------------------------------------------------------------------- */

static void add_score(const gn_report_model *m, const gn_report_trial *t, gn_text *out)
{
    gn_text_printf(out, "%s %.4f", gn_report_metric_name(m->objective), t->score);
    if (!isnan(t->low) && !isnan(t->high))
        gn_text_printf(out, " (95%% interval %.4f to %.4f)", t->low, t->high);
}

static void add_question(const gn_report_model *m, gn_text *out)
{
    const char *data = gn_report_fact(m, "data"), *about = gn_report_fact(m, "data_about"),
               *target = gn_report_fact(m, "target");
    gn_text_printf(out, "Asked for: the detector with the %s %s on %s%s%s%s", m->is_minimised ? "lowest" : "highest",
                   gn_report_metric_name(m->objective), data != NULL ? data : "its data", about != NULL ? " (" : "",
                   about != NULL ? about : "", about != NULL ? ")" : "");
    if (!isnan(m->budget_ms))
        gn_text_printf(out, " that answers within %g ms", m->budget_ms);
    gn_text_printf(out, " on %s; %zu trials of %zu networks.", target != NULL ? target : "its target", m->n_trials,
                   m->n_networks);
}

static void add_answer(const gn_report_model *m, gn_text *out)
{
    const gn_report_trial *t = m->leader;
    if (t == NULL) {
        gn_text_add(out, m->n_failed > 0 && m->n_failed + m->n_screened == m->n_trials
                             ? "No trial came to a result: all that was trained failed."
                             : "No trial has a result yet.");
        return;
    }
    gn_text_printf(out, "%s trial %" PRId64 ", %s, with ", m->winner != NULL ? "The winner is" : "So far the best is",
                   t->row->id, t->label);
    add_score(m, t, out);
    gn_text_add(out, " on the validation pictures");
    const double test = metric_of(t->test, m->objective);
    if (!isnan(test))
        gn_text_printf(out, " and %.4f on the test pictures", test);
    if (!isnan(t->latency_ms))
        gn_text_printf(out, ", and answers in %.2f ms (p90%s)", t->latency_ms,
                       t->network->is_valid ? "" : "; the measurement was disturbed");
    gn_text_add(out, ".");
}

static void add_margin(const gn_report_model *m, gn_text *out)
{
    const gn_report_trial *next = m->n_trials > 1 && m->by_place[1]->place > 0 ? m->by_place[1] : NULL;
    gn_text_printf(out, "%zu trials ended well, %zu failed, %zu were over the budget and never trained", m->n_done,
                   m->n_failed, m->n_screened);
    if (m->n_open > 0)
        gn_text_printf(out, ", %zu are not at their end", m->n_open);
    if (m->leader == NULL || next == NULL) {
        gn_text_add(out, ".");
        return;
    }
    gn_report_difference d;
    gn_report_compare(m, m->leader, next, &d);
    gn_text_printf(out, "; the next best is %s with ", next->label);
    add_score(m, next, out);
    if (d.is_known && d.is_level) {
        const size_t n_level = gn_report_count_level(m, m->leader);
        gn_text_printf(out, ", which cannot be told from the %s by these pictures (%s)",
                       m->winner != NULL ? "winner" : "best", d.method);
        if (n_level > 1)
            gn_text_printf(out, ", nor can %zu other trials", n_level - 1);
    } else if (d.is_known) {
        gn_text_printf(out, ", which is worse beyond chance (%s)", d.method);
    }
    gn_text_add(out, ".");
}

void gn_report_sentences(const gn_report_model *m, gn_text *out)
{
    add_question(m, out);
    gn_text_add(out, " ");
    add_answer(m, out);
    gn_text_add(out, " ");
    add_margin(m, out);
}

/* A word of a command line, in single quotes where a shell would take it apart. */
static void add_word(gn_text *out, const char *word)
{
    if (word[0] != '\0' &&
        word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-")] == '\0') {
        gn_text_add(out, word);
        return;
    }
    gn_text_add(out, "'");
    for (; *word != '\0'; word++)
        if (*word == '\'')
            gn_text_add(out, "'\\''");
        else
            gn_text_add_bytes(out, word, 1);
    gn_text_add(out, "'");
}

void gn_report_train_command(const gn_report_model *m, const gn_report_trial *t, gn_text *out)
{
    const char *data = gn_report_fact(m, "data");
    gn_text_add(out, "gannet train --data ");
    add_word(out, data != NULL ? data : "DATA");
    for (size_t k = 0; k < m->n_knobs; k++)
        if (t->value[k] != NULL) {
            gn_text_printf(out, " --%s ", m->knob[k].name);
            add_word(out, t->value[k]);
        }
    gn_text_printf(out, " --epochs %" PRId64 " --seed %" PRId64, t->val != NULL ? t->val->epochs : (int64_t)1,
                   t->row->seed);
}
