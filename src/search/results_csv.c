/* Following the results.csv that a training run appends to, one line per epoch.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "search/process_runner.h"

/* Enough for 100,000 epochs. */
#define CSV_MAX_BYTES   ((size_t)32 << 20)
#define CSV_MAX_COLUMNS 32

static const struct {
    const char *name;
    size_t offset;
} columns[] = {
    {"time", offsetof(gn_epoch, seconds)},
    {"train/loss", offsetof(gn_epoch, train_loss)},
    {"val/loss", offsetof(gn_epoch, val_loss)},
    {"val/mean_iou", offsetof(gn_epoch, mean_iou)},
    {"val/box_precision50", offsetof(gn_epoch, box_precision50)},
    {"val/map50", offsetof(gn_epoch, map50)},
    {"val/map50_95", offsetof(gn_epoch, map50_95)},
    {"lr", offsetof(gn_epoch, lr)},
};
#define N_COLUMNS (sizeof columns / sizeof columns[0])

/* Cuts the line into its cells; blanks around them go. */
static int split_cells(char *line, char *cell[CSV_MAX_COLUMNS])
{
    int n = 0;
    while (n < CSV_MAX_COLUMNS) {
        line += strspn(line, " \t");
        cell[n++] = line;
        char *comma = strchr(line, ',');
        char *end = comma != NULL ? comma : line + strlen(line);
        for (char *p = end; p > line && strchr(" \t\r", p[-1]) != NULL; p--)
            p[-1] = '\0';
        if (comma == NULL)
            break;
        *comma = '\0';
        line = comma + 1;
    }
    return n;
}

static bool read_row(char *line, char *const header[CSV_MAX_COLUMNS], int n_header, int64_t trial, gn_epoch *out)
{
    char *cell[CSV_MAX_COLUMNS];
    const int n = split_cells(line, cell);
    *out = (gn_epoch){.trial = trial,
                      .seconds = NAN,
                      .train_loss = NAN,
                      .val_loss = NAN,
                      .mean_iou = NAN,
                      .box_precision50 = NAN,
                      .map50 = NAN,
                      .map50_95 = NAN,
                      .lr = NAN};
    for (int c = 0; c < n && c < n_header; c++) {
        double value = NAN;
        if (!gn_parse_f64(cell[c], &value))
            continue;
        if (strcmp(header[c], "epoch") == 0)
            out->epoch = (int64_t)value;
        for (size_t k = 0; k < N_COLUMNS; k++)
            if (strcmp(header[c], columns[k].name) == 0)
                memcpy((char *)out + columns[k].offset, &value, sizeof value);
    }
    return out->epoch >= 1;
}

void gn_results_csv_follow(const char *path, int64_t trial, int64_t *n_seen, gn_search_epoch_fn on_epoch, void *ctx)
{
    char *data = NULL, *header[CSV_MAX_COLUMNS];
    size_t bytes = 0;
    int n_header = 0;
    int64_t row = 0;
    if (gn_file_read(path, CSV_MAX_BYTES, &data, &bytes, NULL) != GN_OK)
        return;
    for (char *line = data, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        gn_epoch epoch;
        *end = '\0';
        if (n_header == 0) {
            n_header = split_cells(line, header);
            continue;
        }
        if (row++ < *n_seen)
            continue;
        *n_seen = row;
        if (read_row(line, header, n_header, trial, &epoch))
            on_epoch(ctx, &epoch);
    }
    gn_free(data);
}
