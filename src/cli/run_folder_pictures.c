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

enum {
    COLUMN_EPOCH,
    COLUMN_TIME,
    COLUMN_TRAIN_LOSS,
    COLUMN_VAL_LOSS,
    COLUMN_IOU,
    COLUMN_PRECISION50,
    COLUMN_MAP50,
    COLUMN_MAP,
    COLUMN_LR,
    COLUMNS
};

#define GN_SAMPLE_PICTURES 16

/* Rows of results.csv by column; an empty cell is NaN.  *n_out rows; owned block, column c begins at c * *n_out. */
static gn_status read_columns(const char *path, double **columns_out, size_t *n_out, gn_error *err)
{
    char *text = NULL;
    size_t bytes, rows = 0, row = 0;
    GN_TRY(gn_file_read(path, (size_t)64 << 20, &text, &bytes, err));
    for (const char *c = text; *c; c++)
        rows += *c == '\n';
    rows = rows > 0 ? rows - 1 : 0; /* the first line names the columns */
    double *columns = gn_calloc(rows * COLUMNS + 1, sizeof *columns);
    if (!columns) {
        gn_free(text);
        return gn_fail(err, GN_ENOMEM, "reading %s: out of memory", path);
    }
    for (char *line = strchr(text, '\n'); line && line[1] && row < rows; row++) {
        char *cell = line + 1;
        line = strchr(cell, '\n');
        for (int c = 0; c < COLUMNS; c++) {
            char *stop = cell;
            double x = strtod(cell, &stop);
            columns[(size_t)c * rows + row] = stop == cell ? NAN : x;
            cell = stop + (*stop == ',');
        }
    }
    gn_free(text);
    *columns_out = columns;
    *n_out = rows;
    return GN_OK;
}

static gn_status draw_curves(const char *run_dir, gn_error *err)
{
    char csv[1100], png[1100];
    double *columns = NULL;
    size_t n = 0;
    snprintf(csv, sizeof csv, "%s/results.csv", run_dir);
    snprintf(png, sizeof png, "%s/curves.png", run_dir);
    GN_TRY(read_columns(csv, &columns, &n, err));
    const double *x = columns;
    const gn_plot_series loss[2] = {{.label = "training", .x = x, .y = columns + COLUMN_TRAIN_LOSS * n, .n = n},
                                    {.label = "validation", .x = x, .y = columns + COLUMN_VAL_LOSS * n, .n = n}};
    const gn_plot_series quality[3] = {
        {.label = "mean IoU", .x = x, .y = columns + COLUMN_IOU * n, .n = n},
        {.label = "box precision@50", .x = x, .y = columns + COLUMN_PRECISION50 * n, .n = n},
        {.label = "mAP50", .x = x, .y = columns + COLUMN_MAP50 * n, .n = n}};
    const gn_plot_series rate = {.x = x, .y = columns + COLUMN_LR * n, .n = n};
    const gn_plot panels[3] = {
        {.title = "loss", .x_label = "epoch", .series = loss, .n_series = 2, .has_y_zero = true},
        {.title = "validation", .x_label = "epoch", .series = quality, .n_series = 3, .has_y_zero = true},
        {.title = "learning rate", .x_label = "epoch", .series = &rate, .n_series = 1, .has_y_zero = true},
    };
    gn_status status = n > 0 ? gn_plot_save(png, panels, 3, 3, 420, 320, err) : GN_OK;
    gn_free(columns);
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
