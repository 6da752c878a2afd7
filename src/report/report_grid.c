/* Tables as text, Markdown and LaTeX; see report_grid.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report_grid.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void gn_grid_init(gn_grid *grid, gn_arena *arena)
{
    memset(grid, 0, sizeof *grid);
    grid->arena = arena;
}

void gn_grid_deinit(gn_grid *grid)
{
    gn_free(grid->cell);
    memset(grid, 0, sizeof *grid);
}

int gn_grid_column(gn_grid *grid, const char *name, bool is_left)
{
    GN_ASSERT(grid->n_rows == 0);
    if (grid->n_columns == GN_GRID_MAX_COLUMNS)
        return -1;
    const char *copy = gn_arena_strdup(grid->arena, name);
    if (copy == NULL) {
        grid->failed = true;
        return -1;
    }
    grid->column[grid->n_columns].name = copy;
    grid->column[grid->n_columns].is_left = is_left;
    return grid->n_columns++;
}

void gn_grid_row(gn_grid *grid)
{
    if (grid->failed || gn_grow(&grid->cell, &grid->capacity, grid->n_rows + 1, sizeof *grid->cell) != GN_OK) {
        grid->failed = true;
        return;
    }
    for (int c = 0; c < GN_GRID_MAX_COLUMNS; c++)
        grid->cell[grid->n_rows][c] = "";
    grid->n_rows++;
}

void gn_grid_cell(gn_grid *grid, int column, const char *fmt, ...)
{
    char text[GN_GRID_CELL_BYTES];
    va_list args;
    if (column < 0 || grid->failed)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    const char *copy = gn_arena_strdup(grid->arena, text);
    if (copy == NULL)
        grid->failed = true;
    else
        grid->cell[grid->n_rows - 1][column] = copy;
}

void gn_grid_number(gn_grid *grid, int column, int decimals, double value)
{
    if (isnan(value))
        gn_grid_cell(grid, column, "-");
    else
        gn_grid_cell(grid, column, "%.*f", decimals, value);
}

void gn_grid_interval(gn_grid *grid, int column, int decimals, double value, double low, double high)
{
    if (isnan(value) || isnan(low) || isnan(high))
        gn_grid_number(grid, column, decimals, value);
    else
        gn_grid_cell(grid, column, "%.*f [%.*f, %.*f]", decimals, value, decimals, low, decimals, high);
}

void gn_report_count_text(int64_t n, char *dst)
{
    static const char *const unit[] = {"", " k", " M", " G", " T"};
    double x = (double)n;
    int i = 0;
    for (; x >= 1000 && i < 4; i++)
        x /= 1000;
    if (n < 0)
        snprintf(dst, 32, "-");
    else
        snprintf(dst, 32, i == 0 ? "%.0f%s" : "%.3g%s", x, unit[i]);
}

void gn_grid_count(gn_grid *grid, int column, int64_t n)
{
    char text[32];
    gn_report_count_text(n, text);
    gn_grid_cell(grid, column, "%s", text);
}

void gn_grid_drop_empty(gn_grid *grid, int column)
{
    if (column < 0)
        return;
    for (size_t i = 0; i < grid->n_rows; i++)
        if (grid->cell[i][column][0] != '\0' && strcmp(grid->cell[i][column], "-") != 0)
            return;
    grid->n_columns--;
    for (int c = column; c < grid->n_columns; c++) {
        grid->column[c] = grid->column[c + 1];
        for (size_t i = 0; i < grid->n_rows; i++)
            grid->cell[i][c] = grid->cell[i][c + 1];
    }
}

/* --- aligned text ------------------------------------------------------------------------------------------------------ */

/* Columns of a terminal that a string takes: its code points. */
static int width_of(const char *s)
{
    int n = 0;
    for (; *s != '\0'; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

static const char *cell_at(const gn_grid *grid, size_t line, int c)
{
    return line == 0 ? grid->column[c].name : grid->cell[line - 1][c];
}

static void text_line(const gn_grid *grid, size_t line, const int *width, gn_text *out)
{
    for (int c = 0; c < grid->n_columns; c++) {
        const char *cell = cell_at(grid, line, c);
        const int pad = width[c] - width_of(cell);
        const bool is_last = c + 1 == grid->n_columns;
        if (c > 0)
            gn_text_add(out, "  ");
        if (grid->column[c].is_left)
            gn_text_printf(out, "%s%*s", cell, is_last ? 0 : pad, "");
        else
            gn_text_printf(out, "%*s%s", pad, "", cell);
    }
    gn_text_add(out, "\n");
}

void gn_grid_text(const gn_grid *grid, gn_text *out)
{
    int width[GN_GRID_MAX_COLUMNS] = {0};
    for (size_t i = 0; i <= grid->n_rows; i++)
        for (int c = 0; c < grid->n_columns; c++)
            if (width_of(cell_at(grid, i, c)) > width[c])
                width[c] = width_of(cell_at(grid, i, c));
    text_line(grid, 0, width, out);
    for (int c = 0; c < grid->n_columns; c++) {
        gn_text_add(out, c > 0 ? "  " : "");
        for (int k = 0; k < width[c]; k++)
            gn_text_add(out, "-");
    }
    gn_text_add(out, "\n");
    for (size_t i = 1; i <= grid->n_rows; i++)
        text_line(grid, i, width, out);
}

/* --- Markdown ---------------------------------------------------------------------------------------------------------- */

/* What Markdown or HTML within it would take for more than a letter. */
void gn_markdown_add(gn_text *out, const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s == '\n' || *s == '\r' || *s == '\t')
            gn_text_add(out, " ");
        else if (*s == '<')
            gn_text_add(out, "&lt;");
        else if (*s == '&')
            gn_text_add(out, "&amp;");
        else if (strchr("\\`*_[]|~", *s) != NULL)
            gn_text_printf(out, "\\%c", *s);
        else
            gn_text_add_bytes(out, s, 1);
    }
}

void gn_grid_markdown(const gn_grid *grid, gn_text *out)
{
    for (size_t i = 0; i <= grid->n_rows; i++) {
        gn_text_add(out, "|");
        for (int c = 0; c < grid->n_columns; c++) {
            gn_text_add(out, " ");
            gn_markdown_add(out, cell_at(grid, i, c));
            gn_text_add(out, " |");
        }
        gn_text_add(out, "\n");
        if (i > 0)
            continue;
        gn_text_add(out, "|");
        for (int c = 0; c < grid->n_columns; c++)
            gn_text_add(out, grid->column[c].is_left ? "---|" : "---:|");
        gn_text_add(out, "\n");
    }
}

/* --- LaTeX ------------------------------------------------------------------------------------------------------------- */

void gn_latex_add(gn_text *out, const char *s)
{
    static const struct {
        char from;
        const char *to;
    } escapes[] = {
        {'\\', "\\textbackslash{}"},
        {'~', "\\textasciitilde{}"},
        {'^', "\\textasciicircum{}"},
        {'<', "\\textless{}"},
        {'>', "\\textgreater{}"},
        {'|', "\\textbar{}"},
        {'"', "\\textquotedbl{}"},
        {'\n', " "},
        {'\r', " "},
        {'\t', " "},
    };
    for (; *s != '\0'; s++) {
        const char *to = NULL;
        for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++)
            to = escapes[i].from == *s ? escapes[i].to : to;
        if (to != NULL)
            gn_text_add(out, to);
        else if (strchr("#$%&_{}", *s) != NULL)
            gn_text_printf(out, "\\%c", *s);
        else if ((unsigned char)*s >= 0x20)
            gn_text_add_bytes(out, s, 1);
    }
}

void gn_grid_latex(const gn_grid *grid, const char *caption, const char *label, gn_text *out)
{
    gn_text_add(out, "\\begin{table}\n\\centering\n\\caption{");
    gn_latex_add(out, caption);
    gn_text_printf(out, "}\n\\label{tab:%s}\n\\begin{tabular}{", label);
    for (int c = 0; c < grid->n_columns; c++)
        gn_text_add(out, grid->column[c].is_left ? "l" : "r");
    gn_text_add(out, "}\n\\toprule\n");
    for (size_t i = 0; i <= grid->n_rows; i++) {
        for (int c = 0; c < grid->n_columns; c++) {
            gn_text_add(out, c > 0 ? " & " : "");
            gn_latex_add(out, cell_at(grid, i, c));
        }
        gn_text_add(out, i == 0 ? " \\\\\n\\midrule\n" : " \\\\\n");
    }
    gn_text_add(out, "\\bottomrule\n\\end{tabular}\n\\end{table}\n");
}
