/* The trials of a study as a table of aligned text.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "report/report.h"

#define MAX_COLUMNS 14
#define CELL_BYTES  160

typedef struct row {
    const gn_trial *trial;
    const gn_measurement *network; /* NULL: none */
    const gn_result *val, *test;   /* of the last stage; NULL: none */
    const gn_json *config;
    double score; /* higher is better; NaN */
    bool is_winner;
} row;

typedef struct table {
    gn_arena *arena;
    row *rows;
    size_t n;
    const char *objective;
    char (*cell)[MAX_COLUMNS][CELL_BYTES]; /* [n + 1]: the first line holds the names */
    int n_columns;
    bool is_left[MAX_COLUMNS];
} table;

static gn_status out_of_memory(gn_error *err)
{
    return gn_fail(err, GN_ENOMEM, "making the table: out of memory");
}

/* --- rows ------------------------------------------------------------------------------------------------------------ */

static gn_status load_rows(gn_study *study, table *t, gn_error *err)
{
    gn_trial *trial = NULL;
    gn_measurement *network = NULL;
    gn_result *result = NULL;
    size_t n_networks = 0, n_results = 0;
    const char *winner = NULL;
    GN_TRY(gn_study_trials(study, t->arena, &trial, &t->n, err));
    GN_TRY(gn_study_measurements(study, t->arena, &network, &n_networks, err));
    GN_TRY(gn_study_results(study, t->arena, &result, &n_results, err));
    GN_TRY(gn_study_fact_of(study, "objective", t->arena, &t->objective, err));
    GN_TRY(gn_study_fact_of(study, "winner", t->arena, &winner, err));
    if (t->objective == NULL)
        t->objective = "mean_iou";
    t->rows = gn_arena_alloc(t->arena, (t->n + 1) * sizeof *t->rows);
    if (t->rows == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < t->n; i++) {
        row *r = &t->rows[i];
        r->trial = &trial[i];
        r->is_winner = winner != NULL && strtoll(winner, NULL, 10) == trial[i].id;
        GN_TRY(gn_json_parse(trial[i].config, strlen(trial[i].config), t->arena, &r->config, err));
        for (size_t k = 0; k < n_networks; k++)
            if (network[k].id == trial[i].measurement_id)
                r->network = &network[k];
        /* Results come by rising stage: the last one stays. */
        for (size_t k = 0; k < n_results; k++)
            if (result[k].trial == trial[i].id)
                *(strcmp(result[k].split, "val") == 0 ? &r->val : &r->test) = &result[k];
        r->score = r->val != NULL ? gn_result_metric(r->val, t->objective) : NAN;
        if (strcmp(t->objective, "loss") == 0)
            r->score = -r->score;
    }
    return GN_OK;
}

/* The winner, then by falling score, then what has no result. */
static int by_score(const void *a, const void *b)
{
    const row *x = a, *y = b;
    if (x->is_winner != y->is_winner)
        return x->is_winner ? -1 : 1;
    const bool x_has = !isnan(x->score), y_has = !isnan(y->score);
    if (x_has != y_has)
        return x_has ? -1 : 1;
    if (x_has && x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->trial->id > y->trial->id) - (x->trial->id < y->trial->id);
}

/* --- cells ----------------------------------------------------------------------------------------------------------- */

static int add_column(table *t, const char *name, bool is_left)
{
    GN_ASSERT(t->n_columns < MAX_COLUMNS);
    snprintf(t->cell[0][t->n_columns], CELL_BYTES, "%s", name);
    t->is_left[t->n_columns] = is_left;
    return t->n_columns++;
}

static void format_count(int64_t n, char *dst)
{
    static const char *const unit[] = {"", " k", " M", " G", " T"};
    double x = (double)n;
    int i = 0;
    for (; x >= 1000 && i < 4; i++)
        x /= 1000;
    if (n < 0)
        snprintf(dst, CELL_BYTES, "-");
    else
        snprintf(dst, CELL_BYTES, i == 0 ? "%.0f%s" : "%.3g%s", x, unit[i]);
}

/* One decimal column; left out when no row has a figure. */
static void add_figures(table *t, const char *name, int decimals, double (*get)(const row *r, const char *key),
                        const char *key)
{
    bool is_any = false;
    for (size_t i = 0; i < t->n; i++)
        is_any = is_any || !isnan(get(&t->rows[i], key));
    if (!is_any || t->n_columns == MAX_COLUMNS)
        return;
    const int c = add_column(t, name, false);
    for (size_t i = 0; i < t->n; i++) {
        const double x = get(&t->rows[i], key);
        if (isnan(x))
            snprintf(t->cell[i + 1][c], CELL_BYTES, "-");
        else
            snprintf(t->cell[i + 1][c], CELL_BYTES, "%.*f", decimals, x);
    }
}

static double get_val(const row *r, const char *key)
{
    return r->val != NULL ? gn_result_metric(r->val, key) : NAN;
}

static double get_test(const row *r, const char *key)
{
    return r->test != NULL ? gn_result_metric(r->test, key) : NAN;
}

static double get_p90(const row *r, const char *key)
{
    (void)key;
    return r->network != NULL ? r->network->total_p90_ms : NAN;
}

/* Keys other than the model whose values differ between trials. */
static bool is_varied(const table *t, const char *key)
{
    const char *first = NULL, *value = NULL;
    for (size_t i = 0; i < t->n; i++) {
        value = NULL;
        if (!gn_json_string(t->rows[i].config, key, &value))
            continue;
        if (first == NULL)
            first = value;
        else if (strcmp(first, value) != 0)
            return true;
    }
    return false;
}

static void add_config_columns(table *t)
{
    const int model = add_column(t, "model", true);
    for (size_t i = 0; i < t->n; i++) {
        const char *name = "-";
        gn_json_string(t->rows[i].config, "model", &name);
        snprintf(t->cell[i + 1][model], CELL_BYTES, "%s", name);
    }
    int n_options = 0;
    for (const gn_json *m = t->n > 0 ? t->rows[0].config->first : NULL; m != NULL && n_options < 4; m = m->next) {
        if (strcmp(m->key, "model") == 0 || !is_varied(t, m->key))
            continue;
        const int c = add_column(t, m->key, false);
        n_options++;
        for (size_t i = 0; i < t->n; i++) {
            const char *value = "-";
            gn_json_string(t->rows[i].config, m->key, &value);
            snprintf(t->cell[i + 1][c], CELL_BYTES, "%s", value);
        }
    }
}

static void add_size_columns(table *t)
{
    const int params = add_column(t, "params", false), macs = add_column(t, "MACs", false);
    for (size_t i = 0; i < t->n; i++) {
        format_count(t->rows[i].network != NULL ? t->rows[i].network->params : -1, t->cell[i + 1][params]);
        format_count(t->rows[i].network != NULL ? t->rows[i].network->macs : -1, t->cell[i + 1][macs]);
    }
}

static void add_state_column(table *t)
{
    const int c = add_column(t, "state", true);
    for (size_t i = 0; i < t->n; i++) {
        const gn_trial *trial = t->rows[i].trial;
        char *cell = t->cell[i + 1][c];
        if (t->rows[i].is_winner)
            snprintf(cell, CELL_BYTES, "winner");
        else if (trial->state == GN_TRIAL_DONE)
            snprintf(cell, CELL_BYTES, "stage %d", trial->stage);
        else
            snprintf(cell, CELL_BYTES, "%s%s%.60s",
                     trial->state == GN_TRIAL_SCREENED ? "over budget" : gn_trial_state_name(trial->state),
                     trial->state == GN_TRIAL_FAILED ? ": " : "", trial->state == GN_TRIAL_FAILED ? trial->reason : "");
    }
}

static void fill_cells(table *t)
{
    const int id = add_column(t, "trial", false);
    for (size_t i = 0; i < t->n; i++)
        snprintf(t->cell[i + 1][id], CELL_BYTES, "%s%" PRId64, t->rows[i].is_winner ? "* " : "", t->rows[i].trial->id);
    add_config_columns(t);
    add_figures(t, "p90 ms", 2, get_p90, NULL);
    add_size_columns(t);
    add_figures(t, t->objective, 3, get_val, t->objective);
    const char *const second = strcmp(t->objective, "mean_iou") == 0 ? "box_precision50" : "map50";
    if (strcmp(t->objective, second) != 0)
        add_figures(t, second, 3, get_val, second);
    char name[64];
    snprintf(name, sizeof name, "%.40s test", t->objective);
    add_figures(t, name, 3, get_test, t->objective);
    add_state_column(t);
}

/* --- text ------------------------------------------------------------------------------------------------------------ */

/* Columns of a terminal that a string takes: its code points. */
static int width_of(const char *s)
{
    int n = 0;
    for (; *s != '\0'; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

static void write_line(const table *t, size_t line, const int *width, gn_text *out)
{
    for (int c = 0; c < t->n_columns; c++) {
        const char *cell = t->cell[line][c];
        const int pad = width[c] - width_of(cell);
        const bool is_last = c + 1 == t->n_columns;
        if (c > 0)
            gn_text_add(out, "  ");
        if (t->is_left[c])
            gn_text_printf(out, "%s%*s", cell, is_last ? 0 : pad, "");
        else
            gn_text_printf(out, "%*s%s", pad, "", cell);
    }
    gn_text_add(out, "\n");
}

static void write_table(const table *t, gn_text *out)
{
    int width[MAX_COLUMNS] = {0};
    for (size_t i = 0; i <= t->n; i++)
        for (int c = 0; c < t->n_columns; c++)
            if (width_of(t->cell[i][c]) > width[c])
                width[c] = width_of(t->cell[i][c]);
    write_line(t, 0, width, out);
    for (int c = 0; c < t->n_columns; c++) {
        gn_text_add(out, c > 0 ? "  " : "");
        for (int k = 0; k < width[c]; k++)
            gn_text_add(out, "-");
    }
    gn_text_add(out, "\n");
    for (size_t i = 1; i <= t->n; i++)
        write_line(t, i, width, out);
}

gn_status gn_report_table(gn_study *study, gn_text *out, gn_error *err)
{
    table t = {.arena = gn_arena_create(0)};
    if (t.arena == NULL)
        return out_of_memory(err);
    gn_status status = load_rows(study, &t, err);
    if (status != GN_OK)
        goto cleanup;
    t.cell = gn_arena_alloc(t.arena, (t.n + 1) * sizeof *t.cell);
    if (t.cell == NULL) {
        status = out_of_memory(err);
        goto cleanup;
    }
    qsort(t.rows, t.n, sizeof *t.rows, by_score);
    fill_cells(&t);
    write_table(&t, out);
    if (out->failed)
        status = out_of_memory(err);

cleanup:
    gn_arena_destroy(&t.arena);
    return status;
}
