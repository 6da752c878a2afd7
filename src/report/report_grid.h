/* A table of short texts, as aligned text, Markdown or LaTeX.  Not for other folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_REPORT_REPORT_GRID_H
#define GN_REPORT_REPORT_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/text.h"

#define GN_GRID_MAX_COLUMNS 24
#define GN_GRID_CELL_BYTES  400

/* Columns are added first, then rows; cells of a row that were not set are empty.  A failed allocation shows in `failed`. */
typedef struct gn_grid {
    gn_arena *arena; /* borrowed */
    struct {
        const char *name; /* in the arena */
        bool is_left;
    } column[GN_GRID_MAX_COLUMNS];
    int n_columns;
    const char *(*cell)[GN_GRID_MAX_COLUMNS]; /* [n_rows]; owned */
    size_t n_rows, capacity;
    bool failed;
} gn_grid;

void gn_grid_init(gn_grid *grid, gn_arena *arena);
void gn_grid_deinit(gn_grid *grid);
/* Its number.  is_left: aligned at the left.  A column beyond the last is ignored (-1). */
int gn_grid_column(gn_grid *grid, const char *name, bool is_left);
void gn_grid_row(gn_grid *grid);
/* Into the last row.  column -1: ignored. */
void gn_grid_cell(gn_grid *grid, int column, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Fixed decimals, "-" for NaN; with limits "0.512 [0.48, 0.55]". */
void gn_grid_number(gn_grid *grid, int column, int decimals, double value);
void gn_grid_interval(gn_grid *grid, int column, int decimals, double value, double low, double high);
/* "1.23 M", "-" when negative. */
void gn_grid_count(gn_grid *grid, int column, int64_t n);
/* Takes a column away when no row has anything but "-" and "" in it. */
void gn_grid_drop_empty(gn_grid *grid, int column);

void gn_grid_text(const gn_grid *grid, gn_text *out);
void gn_grid_markdown(const gn_grid *grid, gn_text *out);
/* A table environment in the way of booktabs, with caption and label; all texts are escaped. */
void gn_grid_latex(const gn_grid *grid, const char *caption, const char *label, gn_text *out);

/* Escaped for running text. */
void gn_markdown_add(gn_text *out, const char *s);
void gn_latex_add(gn_text *out, const char *s);
/* "12.3 k"; dst: at least 32 bytes. */
void gn_report_count_text(int64_t n, char *dst);

#endif
