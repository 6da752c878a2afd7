/* The plots of a study; see report_plots.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report_plots.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "draw/bar_plot.h"
#include "draw/plot.h"
#include "report/report_knobs.h"
#include "report/report_plots_private.h"
#include "report/report_tables.h"

#define WIDTH       640
#define HEIGHT      420
#define MAX_CURVES  10 /* best trials with a learning curve of their own; the others are pale */
#define MAX_FAINT   200
#define MAX_ROWS    60 /* of the plot of all trials: networks, or families when there are more */
#define MAX_HEAT    24
#define LABEL_BYTES 120

gn_status gn_plot_path(const char *folder, const char *name, const char *ending, char *dst, size_t bytes, gn_error *err)
{
    char file[200];
    snprintf(file, sizeof file, "%s.%s", name, ending);
    const gn_status status = gn_path_join(folder, file, dst, bytes);
    return status == GN_OK ? status : gn_fail(err, status, "the path of %s in %s is too long", file, folder);
}

gn_status gn_plot_both(const gn_plot *plot, const char *folder, const char *name, gn_error *err)
{
    char path[1024];
    GN_TRY(gn_plot_path(folder, name, "svg", path, sizeof path, err));
    GN_TRY(gn_plot_save_scaled(path, plot, WIDTH, HEIGHT, 1, err));
    GN_TRY(gn_plot_path(folder, name, "png", path, sizeof path, err));
    return gn_plot_save_scaled(path, plot, WIDTH, HEIGHT, GN_PLOT_SCALE, err);
}

static gn_status out_of_memory(gn_error *err)
{
    return gn_fail(err, GN_ENOMEM, "drawing the plots: out of memory");
}

/* --- accuracy against a cost -------------------------------------------------------------------------------------------- */

typedef double (*cost_fn)(const gn_report_trial *t);

static double latency_of(const gn_report_trial *t)
{
    return t->latency_ms;
}

static double macs_of(const gn_report_trial *t)
{
    return t->network != NULL && t->network->macs > 0 ? (double)t->network->macs : NAN;
}

static double params_of(const gn_report_trial *t)
{
    return t->network != NULL && t->network->params > 0 ? (double)t->network->params : NAN;
}

/* Points of all trials with both figures, by rising cost; how many. */
typedef struct point {
    double cost, score;
    const gn_report_trial *trial;
} point;

static int compare_points(const void *a, const void *b)
{
    const point *x = a, *y = b;
    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    return (x->trial->row->id > y->trial->row->id) - (x->trial->row->id < y->trial->row->id);
}

/* The front as steps: no cheaper trial is as good.  Room: 2 n + 1 each; how many corners. */
static size_t make_steps(const gn_report_model *m, const point *list, size_t n, double *x, double *y)
{
    size_t k = 0;
    double best = NAN;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(best) && gn_report_utility(m, list[i].score) <= gn_report_utility(m, best))
            continue;
        /* Of equal cost the best counts. */
        if (i + 1 < n && list[i + 1].cost == list[i].cost &&
            gn_report_utility(m, list[i + 1].score) > gn_report_utility(m, list[i].score))
            continue;
        if (!isnan(best)) {
            x[k] = list[i].cost;
            y[k++] = best;
        }
        best = list[i].score;
        x[k] = list[i].cost;
        y[k++] = best;
    }
    if (k > 0 && n > 0 && list[n - 1].cost > x[k - 1]) {
        x[k] = list[n - 1].cost;
        y[k++] = best;
    }
    return k;
}

static gn_status plot_cost(const gn_report_model *m, cost_fn cost, const char *x_label, const char *name,
                           const char *folder, size_t *n_out, gn_error *err)
{
    const size_t room = 2 * m->n_trials + 2;
    point *list = gn_arena_alloc(m->arena, room * sizeof *list);
    double *data = gn_arena_alloc(m->arena, 10 * room * sizeof *data);
    size_t n = 0, n_rest = 0, n_done = 0;
    char title[160], y_label[80];
    if (list == NULL || data == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < m->n_trials; i++)
        if (isfinite(cost(&m->trial[i])) && isfinite(m->trial[i].score))
            list[n++] = (point){cost(&m->trial[i]), m->trial[i].score, &m->trial[i]};
    if (n == 0)
        return GN_OK;
    qsort(list, n, sizeof *list, compare_points);
    double *const rest_x = data, *const rest_y = data + room, *const done_x = data + 2 * room,
                  *const done_y = data + 3 * room, *const low = data + 4 * room, *const high = data + 5 * room,
                  *const front_x = data + 6 * room, *const front_y = data + 7 * room;
    const int last = m->n_stages > 0 ? m->stage[m->n_stages - 1].stage : 0;
    for (size_t i = 0; i < n; i++) {
        if (list[i].trial->row->stage < last) {
            rest_x[n_rest] = list[i].cost;
            rest_y[n_rest++] = list[i].score;
            continue;
        }
        done_x[n_done] = list[i].cost;
        done_y[n_done] = list[i].score;
        low[n_done] = list[i].trial->low;
        high[n_done++] = list[i].trial->high;
    }
    const size_t n_front = make_steps(m, list, n, front_x, front_y);
    const double winner_x = m->leader != NULL ? cost(m->leader) : NAN,
                 winner_y = m->leader != NULL ? m->leader->score : NAN;
    const gn_plot_series series[] = {
        {.label = n_rest > 0 ? "stopped earlier" : NULL,
         .x = rest_x,
         .y = rest_y,
         .n = n_rest,
         .is_scatter = true,
         .is_faint = true,
         .has_colour = true,
         .colour = {120, 120, 130}},
        {.label = n_done > 0 ? "through the last stage" : NULL,
         .x = done_x,
         .y = done_y,
         .low = low,
         .high = high,
         .n = n_done,
         .is_scatter = true,
         .has_colour = true,
         .colour = {56, 115, 178}},
        {.label = "Pareto front",
         .x = front_x,
         .y = front_y,
         .n = n_front,
         .is_dashed = true,
         .has_colour = true,
         .colour = {60, 60, 60}},
        {.label = m->winner != NULL ? "winner" : "best so far",
         .x = &winner_x,
         .y = &winner_y,
         .n = 1,
         .is_scatter = true,
         .has_colour = true,
         .colour = {200, 60, 40}},
    };
    snprintf(y_label, sizeof y_label, "%s (validation)", gn_report_metric_name(m->objective));
    snprintf(title, sizeof title, "%zu trials of %zu networks", m->n_trials, m->n_networks);
    const bool is_latency = cost == latency_of;
    const gn_plot plot = {.title = title,
                          .x_label = x_label,
                          .y_label = y_label,
                          .series = series,
                          .n_series = sizeof series / sizeof series[0],
                          .is_log_x = !is_latency || list[n - 1].cost > 10 * list[0].cost,
                          .has_x_mark = is_latency && !isnan(m->budget_ms),
                          .x_mark = m->budget_ms,
                          .x_mark_label = "budget"};
    (*n_out)++;
    return gn_plot_both(&plot, folder, name, err);
}

/* --- all trials at a glance --------------------------------------------------------------------------------------------- */

static const gn_colour stage_colours[] = {
    {170, 175, 185}, {110, 170, 220}, {40, 100, 180}, {20, 50, 110}, {120, 60, 150}};
enum { N_STAGE_COLOURS = sizeof stage_colours / sizeof stage_colours[0] };

static gn_colour colour_of_stage(int stage)
{
    const int i = stage < 1 ? 0 : stage > N_STAGE_COLOURS ? N_STAGE_COLOURS - 1 : stage - 1;
    return stage_colours[i];
}

/* Rows by their best trial: each network's model, or families where models are too many. */
static size_t list_rows(const gn_report_model *m, bool is_family, const char **row, size_t limit)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n_trials && m->by_place[i]->place > 0; i++) {
        const char *name = is_family ? m->by_place[i]->family : m->by_place[i]->model;
        size_t k = 0;
        while (k < n && strcmp(row[k], name) != 0)
            k++;
        if (k < n)
            continue;
        if (n == limit)
            return limit + 1;
        row[n++] = name;
    }
    return n;
}

static gn_status plot_all(const gn_report_model *m, const char *folder, size_t *n_out, gn_error *err)
{
    const char *row[MAX_ROWS], *legend[N_STAGE_COLOURS];
    char path[1024], title[120], legend_text[N_STAGE_COLOURS][40];
    bool is_family = false;
    gn_dot *dot = gn_arena_alloc(m->arena, (m->n_trials + 1) * sizeof *dot);
    size_t n_rows = list_rows(m, false, row, MAX_ROWS), n = 0, n_legend = 0;
    if (dot == NULL)
        return out_of_memory(err);
    if (n_rows > MAX_ROWS) {
        is_family = true;
        n_rows = list_rows(m, true, row, MAX_ROWS);
        n_rows = n_rows > MAX_ROWS ? MAX_ROWS : n_rows;
    }
    if (n_rows == 0)
        return GN_OK;
    for (size_t i = m->n_trials; i-- > 0;) { /* the best lie on top */
        const gn_report_trial *t = m->by_place[i];
        size_t k = 0;
        while (t->place > 0 && k < n_rows && strcmp(row[k], is_family ? t->family : t->model) != 0)
            k++;
        if (t->place > 0 && k < n_rows)
            dot[n++] =
                (gn_dot){t->score, k, t->is_winner ? (gn_colour){200, 60, 40} : colour_of_stage(t->row->stage), false};
    }
    for (; n_legend < m->n_stages && n_legend < N_STAGE_COLOURS; n_legend++) {
        snprintf(legend_text[n_legend], sizeof legend_text[0], "%" PRId64 " epochs", m->stage[n_legend].epochs);
        legend[n_legend] = legend_text[n_legend];
    }
    snprintf(title, sizeof title, "All %zu trials with a result", n);
    const gn_dot_plot plot = {.title = title,
                              .x_label = gn_report_metric_name(m->objective),
                              .row_name = row,
                              .n_rows = n_rows,
                              .dot = dot,
                              .n_dots = n,
                              .legend = legend,
                              .legend_colour = stage_colours,
                              .n_legend = n_legend,
                              .is_log_x = m->is_minimised,
                              .width = 760};
    (*n_out)++;
    GN_TRY(gn_plot_path(folder, "all_trials", "svg", path, sizeof path, err));
    GN_TRY(gn_dot_plot_save(path, &plot, 1, err));
    GN_TRY(gn_plot_path(folder, "all_trials", "png", path, sizeof path, err));
    return gn_dot_plot_save(path, &plot, GN_PLOT_SCALE, err);
}

/* --- learning curves ---------------------------------------------------------------------------------------------------- */

static double epoch_figure(const gn_epoch *e, const char *objective)
{
    if (strcmp(objective, "mean_iou") == 0)
        return e->mean_iou;
    if (strcmp(objective, "box_precision50") == 0)
        return e->box_precision50;
    if (strcmp(objective, "map50") == 0)
        return e->map50;
    if (strcmp(objective, "map50_95") == 0)
        return e->map50_95;
    return e->val_loss;
}

static gn_status plot_learning(const gn_report_model *m, const char *folder, size_t *n_out, gn_error *err)
{
    gn_plot_series series[MAX_FAINT + MAX_CURVES];
    char label[MAX_CURVES][LABEL_BYTES], y_label[80];
    size_t n = 0, n_named = 0;
    size_t with_epochs = 0;
    for (size_t i = 0; i < m->n_trials; i++)
        with_epochs += m->by_place[i]->n_epochs > 0;
    if (with_epochs == 0)
        return GN_OK;
    /* The worst first, so that the best lie on top. */
    for (size_t i = m->n_trials; i-- > 0;) {
        const gn_report_trial *t = m->by_place[i];
        const bool is_named = i < MAX_CURVES && t->place > 0;
        if (t->n_epochs == 0 || (!is_named && n >= MAX_FAINT))
            continue;
        double *x = gn_arena_alloc(m->arena, 2 * t->n_epochs * sizeof *x);
        if (x == NULL)
            return out_of_memory(err);
        for (size_t e = 0; e < t->n_epochs; e++) {
            x[e] = (double)t->epoch[e].epoch;
            x[t->n_epochs + e] = epoch_figure(&t->epoch[e], m->objective);
        }
        series[n] = (gn_plot_series){.x = x,
                                     .y = x + t->n_epochs,
                                     .n = t->n_epochs,
                                     .is_faint = !is_named,
                                     .has_colour = true,
                                     .colour = is_named ? gn_colour_nth((int)i) : (gn_colour){150, 150, 155}};
        if (is_named) {
            /* All knobs of a large space would cover the curves. */
            const bool is_short = strlen(t->label) <= 36;
            snprintf(label[n_named], LABEL_BYTES, "%" PRId64 ": %.40s", t->row->id, is_short ? t->label : t->model);
            series[n].label = label[n_named++];
        }
        n++;
    }
    snprintf(y_label, sizeof y_label, "%s (validation)", gn_report_metric_name(m->objective));
    const gn_plot plot = {.title = "Learning curves of the best trials; the others are pale",
                          .x_label = "epoch",
                          .y_label = y_label,
                          .series = series,
                          .n_series = n};
    (*n_out)++;
    return gn_plot_both(&plot, folder, "learning_curves", err);
}

/* --- importance and funnel ---------------------------------------------------------------------------------------------- */

static gn_status save_bars(const gn_bar_plot *plot, const char *folder, const char *name, gn_error *err)
{
    char path[1024];
    GN_TRY(gn_plot_path(folder, name, "svg", path, sizeof path, err));
    GN_TRY(gn_bar_plot_save(path, plot, 1, err));
    GN_TRY(gn_plot_path(folder, name, "png", path, sizeof path, err));
    return gn_bar_plot_save(path, plot, GN_PLOT_SCALE, err);
}

static gn_status plot_importance(const gn_report_model *m, const char *folder, size_t *n_out, gn_error *err)
{
    enum { ROWS = GN_IMPORTANCE_FACTORS + GN_IMPORTANCE_PAIRS };
    gn_report_shares shares;
    gn_bar bar[ROWS];
    char name[ROWS][LABEL_BYTES], text[ROWS][24], title[160];
    size_t n = 0;
    GN_TRY(gn_report_shares_of(m, &shares, err));
    if (!shares.is_known)
        return GN_OK;
    for (int i = 0; i < shares.n_knobs + shares.n_pairs; i++) {
        const gn_report_share *s = &shares.list[i];
        if (s->other != NULL && s->share < 0.01)
            continue;
        snprintf(name[n], LABEL_BYTES, "%.50s%s%.50s", s->knob, s->other != NULL ? " with " : "",
                 s->other != NULL ? s->other : "");
        snprintf(text[n], sizeof text[n], "%.1f %%", s->share * 100);
        bar[n] = (gn_bar){name[n], text[n], s->share * 100, s->spread * 100};
        n++;
    }
    snprintf(title, sizeof title, "Which knobs mattered: fANOVA over %zu trials after %" PRId64 " epochs (R2 %.2f)",
             shares.n_trials, shares.epochs, shares.r2);
    const gn_bar_plot plot = {
        .title = title, .x_label = "share of the variance, %", .bar = bar, .n = n, .width = WIDTH};
    (*n_out)++;
    return save_bars(&plot, folder, "importance", err);
}

static gn_status plot_funnel(const gn_report_model *m, const char *folder, size_t *n_out, gn_error *err)
{
    enum { MAX_STAGES = 24 };
    gn_bar bar[MAX_STAGES + 2];
    char name[MAX_STAGES][64], text[MAX_STAGES + 2][64];
    size_t n = 0;
    if (m->n_stages == 0)
        return GN_OK;
    snprintf(text[n], sizeof text[n], "%zu", m->n_trials);
    bar[n] = (gn_bar){"asked for", text[n], (double)m->n_trials, NAN};
    n++;
    if (m->n_screened > 0) {
        snprintf(text[n], sizeof text[n], "%zu", m->n_trials - m->n_screened);
        bar[n] = (gn_bar){"within the budget", text[n], (double)(m->n_trials - m->n_screened), NAN};
        n++;
    }
    for (size_t i = 0; i < m->n_stages && i < MAX_STAGES; i++, n++) {
        snprintf(name[i], sizeof name[i], "stage %d (%" PRId64 " epochs)", m->stage[i].stage, m->stage[i].epochs);
        snprintf(text[n], sizeof text[n], "%zu of %zu networks", m->stage[i].n_trials, m->stage[i].n_networks);
        bar[n] = (gn_bar){name[i], text[n], (double)m->stage[i].n_trials, NAN};
    }
    const gn_bar_plot plot = {
        .title = "What was left after each stage", .x_label = "trials", .bar = bar, .n = n, .width = WIDTH};
    (*n_out)++;
    return save_bars(&plot, folder, "funnel", err);
}

/* --- heat map of two knobs ---------------------------------------------------------------------------------------------- */

/* The knobs of the map: the rate and the batch where both vary, else the two that matter most among those with few values. */
static bool choose_knobs(const gn_report_model *m, size_t *row, size_t *column)
{
    static const char *const wanted[] = {"batch", "lr0", "model", "optimizer", "imgsz"};
    size_t found[2], n = 0;
    for (size_t w = 0; w < sizeof wanted / sizeof wanted[0] && n < 2; w++)
        for (size_t k = 0; k < m->n_knobs && n < 2; k++)
            if (strcmp(m->knob[k].name, wanted[w]) == 0 && m->knob[k].is_varied && m->knob[k].n_values <= MAX_HEAT)
                found[n++] = k;
    for (size_t k = 0; k < m->n_knobs && n < 2; k++)
        if (m->knob[k].is_varied && m->knob[k].n_values <= MAX_HEAT && (n == 0 || found[0] != k))
            found[n++] = k;
    if (n < 2)
        return false;
    /* The rate lies along x; without it what has fewer values, since names of rows have more room. */
    const bool is_rate = strcmp(m->knob[found[0]].name, "lr0") == 0 || strcmp(m->knob[found[1]].name, "lr0") == 0;
    const bool is_swapped =
        is_rate ? strcmp(m->knob[found[0]].name, "lr0") == 0 : m->knob[found[1]].n_values > m->knob[found[0]].n_values;
    *row = is_swapped ? found[1] : found[0];
    *column = is_swapped ? found[0] : found[1];
    return true;
}

static int compare_values(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    double i, k;
    if (gn_parse_f64(*x, &i) && gn_parse_f64(*y, &k))
        return (i > k) - (i < k);
    return strcmp(*x, *y);
}

static size_t list_values(const gn_report_model *m, size_t knob, const char **value)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n_trials; i++) {
        const char *text = m->trial[i].value[knob];
        size_t k = 0;
        while (text != NULL && k < n && strcmp(value[k], text) != 0)
            k++;
        if (text != NULL && k == n && n < MAX_HEAT)
            value[n++] = text;
    }
    qsort(value, n, sizeof *value, compare_values);
    return n;
}

/* The best score of each pair of values after the first stage, where all were trained equally long. */
static gn_status plot_heat(const gn_report_model *m, const char *folder, size_t *n_out, gn_error *err)
{
    const char *row_name[MAX_HEAT], *column_name[MAX_HEAT];
    double value[MAX_HEAT * MAX_HEAT];
    size_t row = 0, column = 0;
    char path[1024], title[120];
    bool is_any = false;
    if (!choose_knobs(m, &row, &column))
        return GN_OK;
    const size_t rows = list_values(m, row, row_name), columns = list_values(m, column, column_name);
    for (size_t i = 0; i < rows * columns; i++)
        value[i] = NAN;
    for (size_t i = 0; i < m->n_trials; i++) {
        const gn_report_trial *t = &m->trial[i];
        const double score = t->first != NULL ? gn_result_metric(t->first, m->objective) : NAN;
        for (size_t r = 0; r < rows && isfinite(score); r++)
            for (size_t c = 0; c < columns; c++) {
                double *cell = &value[r * columns + c];
                if (t->value[row] == NULL || t->value[column] == NULL || strcmp(t->value[row], row_name[r]) != 0 ||
                    strcmp(t->value[column], column_name[c]) != 0)
                    continue;
                *cell = isnan(*cell) || gn_report_utility(m, score) > gn_report_utility(m, *cell) ? score : *cell;
                is_any = true;
            }
    }
    if (!is_any)
        return GN_OK;
    snprintf(title, sizeof title, "Best %s after the first stage", gn_report_metric_name(m->objective));
    const gn_heat_plot plot = {.title = title,
                               .x_label = m->knob[column].name,
                               .y_label = m->knob[row].name,
                               .row_name = row_name,
                               .column_name = column_name,
                               .value = value,
                               .rows = rows,
                               .columns = columns};
    (*n_out)++;
    GN_TRY(gn_plot_path(folder, "knobs", "svg", path, sizeof path, err));
    GN_TRY(gn_heat_plot_save(path, &plot, 1, err));
    GN_TRY(gn_plot_path(folder, "knobs", "png", path, sizeof path, err));
    return gn_heat_plot_save(path, &plot, GN_PLOT_SCALE, err);
}

gn_status gn_report_plots(const gn_report_model *m, const char *folder, size_t *n_out, gn_error *err)
{
    GN_TRY(plot_cost(m, latency_of, "latency of a whole answer, ms (p90)", "latency", folder, n_out, err));
    GN_TRY(plot_cost(m, macs_of, "MACs", "macs", folder, n_out, err));
    GN_TRY(plot_cost(m, params_of, "parameters", "params", folder, n_out, err));
    GN_TRY(plot_all(m, folder, n_out, err));
    GN_TRY(plot_learning(m, folder, n_out, err));
    GN_TRY(plot_importance(m, folder, n_out, err));
    GN_TRY(plot_funnel(m, folder, n_out, err));
    GN_TRY(plot_heat(m, folder, n_out, err));
    return gn_report_winner_plots(m, folder, n_out, err);
}
