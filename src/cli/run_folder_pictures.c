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

typedef struct figure {
    const char *column, *label;
} figure;

#define MAX_SERIES 6

/* The columns that the table has, in this order; returns how many. */
static size_t series_list(const table *t, const figure *figures, size_t n, gn_plot_series *out)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        found += series_of(t, figures[i].column, figures[i].label, &out[found]);
    return found;
}

#define SERIES(t, list, out) series_list(t, list, sizeof list / sizeof list[0], out)

static gn_status draw_curves(const char *run_dir, gn_error *err)
{
    static const figure losses[] = {{"train/loss", "training"}, {"val/loss", "validation"}};
    static const figure terms[] = {{"train/box_loss", "boxes"},
                                   {"train/obj_loss", "objectness"},
                                   {"train/cls_loss", "classes"},
                                   {"train/dfl_loss", "sides"}};
    static const figure figures[] = {{"val/mean_iou", "mean IoU"},   {"val/box_precision50", "box precision@50"},
                                     {"val/precision", "precision"}, {"val/recall", "recall"},
                                     {"val/map50", "mAP50"},         {"val/top1", "top-1"},
                                     {"val/top5", "top-5"}};
    static const figure rates[] = {{"lr", NULL}};
    char csv[1100], png[1100];
    table t;
    snprintf(csv, sizeof csv, "%s/results.csv", run_dir);
    snprintf(png, sizeof png, "%s/curves.png", run_dir);
    GN_TRY(read_table(csv, &t, err));
    gn_plot_series loss[MAX_SERIES], term[MAX_SERIES], quality[MAX_SERIES + 2], rate[1];
    gn_plot panels[4] = {
        {.title = "loss", .series = loss, .n_series = SERIES(&t, losses, loss)},
        {.title = "validation", .series = quality, .n_series = SERIES(&t, figures, quality)},
        {.title = "learning rate", .series = rate, .n_series = SERIES(&t, rates, rate)},
        {.title = "terms of the loss", .series = term, .n_series = SERIES(&t, terms, term)},
    };
    if (panels[3].n_series > 0) /* of detectors alone, which have one mAP more to show */
        panels[1].n_series += series_of(&t, "val/map50_95", "mAP50-95", &quality[panels[1].n_series]);
    const size_t n_panels = panels[3].n_series > 0 ? 4 : 3;
    for (size_t i = 0; i < n_panels; i++) {
        panels[i].x_label = "epoch";
        panels[i].has_y_zero = true;
    }
    gn_status status = t.n > 0 ? gn_plot_save(png, panels, n_panels, n_panels == 4 ? 2 : 3, 420, 320, err) : GN_OK;
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
