/* Curves and sample pictures of a finished training run.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_folder_pictures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/prediction_sheet.h"
#include "draw/plot.h"

#define MAX_COLUMNS 32

/* results.csv by column. */
typedef struct table {
    char *names; /* owned: the first line, cut at its commas */
    const char *name[MAX_COLUMNS];
    int n_columns;
    double *value; /* owned: column c begins at c * n; an empty cell is NaN */
    size_t n;      /* rows */
} table;

#define GN_SAMPLE_PICTURES 16

static void table_deinit(table *t)
{
    gn_free(t->names);
    gn_free(t->value);
}

static gn_status read_table(const char *path, table *t, gn_error *err)
{
    char *text = NULL, *save = NULL;
    size_t bytes, rows = 0, row = 0;
    *t = (table){0};
    GN_TRY(gn_file_read(path, (size_t)64 << 20, &text, &bytes, err));
    for (const char *c = text; *c; c++)
        rows += *c == '\n';
    rows = rows > 0 ? rows - 1 : 0; /* the first line names the columns */
    char *line = strchr(text, '\n');
    if (line)
        *line++ = '\0';
    t->names = gn_strdup(text);
    t->value = gn_calloc(rows * MAX_COLUMNS + 1, sizeof *t->value);
    if (!t->names || !t->value) {
        gn_free(text);
        table_deinit(t);
        return gn_fail(err, GN_ENOMEM, "reading %s: out of memory", path);
    }
    for (char *word = strtok_r(t->names, ",\r", &save); word && t->n_columns < MAX_COLUMNS;
         word = strtok_r(NULL, ",\r", &save))
        t->name[t->n_columns++] = word;
    t->n = rows;
    for (; line && *line && row < rows; row++) {
        char *cell = line;
        line = strchr(line, '\n');
        if (line)
            *line++ = '\0';
        for (int c = 0; c < t->n_columns; c++) {
            char *stop = cell;
            double x = strtod(cell, &stop);
            t->value[(size_t)c * rows + row] = stop == cell ? NAN : x;
            cell = stop + (*stop == ',');
        }
    }
    gn_free(text);
    return GN_OK;
}

/* A column as a series; false when there is none of that name. */
static bool series_of(const table *t, const char *column, const char *label, gn_plot_series *out)
{
    for (int c = 0; c < t->n_columns; c++)
        if (strcmp(t->name[c], column) == 0) {
            *out = (gn_plot_series){.label = label, .x = t->value, .y = t->value + (size_t)c * t->n, .n = t->n};
            return true;
        }
    return false;
}

static gn_status draw_curves(const char *run_dir, gn_error *err)
{
    static const char *const figures[][2] = {{"val/mean_iou", "mean IoU"},
                                             {"val/box_precision50", "box precision@50"},
                                             {"val/map50", "mAP50"},
                                             {"val/top1", "top-1"},
                                             {"val/top5", "top-5"}};
    char csv[1100], png[1100];
    table t;
    snprintf(csv, sizeof csv, "%s/results.csv", run_dir);
    snprintf(png, sizeof png, "%s/curves.png", run_dir);
    GN_TRY(read_table(csv, &t, err));
    gn_plot_series loss[2], quality[5], rate = {0};
    size_t n_loss = 0, n_quality = 0;
    n_loss += series_of(&t, "train/loss", "training", &loss[n_loss]);
    n_loss += series_of(&t, "val/loss", "validation", &loss[n_loss]);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        n_quality += series_of(&t, figures[i][0], figures[i][1], &quality[n_quality]);
    const bool has_rate = series_of(&t, "lr", NULL, &rate);
    const gn_plot panels[3] = {
        {.title = "loss", .x_label = "epoch", .series = loss, .n_series = n_loss, .has_y_zero = true},
        {.title = "validation", .x_label = "epoch", .series = quality, .n_series = n_quality, .has_y_zero = true},
        {.title = "learning rate", .x_label = "epoch", .series = &rate, .n_series = has_rate, .has_y_zero = true},
    };
    gn_status status = t.n > 0 ? gn_plot_save(png, panels, 3, 3, 420, 320, err) : GN_OK;
    table_deinit(&t);
    return status;
}

gn_status gn_cli_run_pictures(const char *run_dir, const char *model_path, const gn_dataset *dataset, int threads,
                              gn_error *err)
{
    GN_TRY(draw_curves(run_dir, err));
    if (gn_dataset_count(dataset, GN_SPLIT_VAL) == 0)
        return GN_OK;
    char path[1100];
    gn_session *session = NULL;
    const gn_session_options options = {.threads = threads};
    snprintf(path, sizeof path, "%s/samples.jpg", run_dir);
    GN_TRY(gn_session_open(model_path, &options, &session, err));
    gn_status status = gn_cli_prediction_sheet(session, dataset, GN_SPLIT_VAL, GN_SAMPLE_PICTURES, path, err);
    gn_session_close(&session);
    return status;
}
