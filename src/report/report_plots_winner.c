/* Plots of the winner on the test pictures, from its documents: precision over recall, calibration, confusion.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "draw/matrix_plot.h"
#include "report/report_plots_private.h"

#define MAX_POINTS  1000
#define MAX_CLASSES 20 /* with a curve of their own */
#define MAX_NAMES   101
#define LABEL_BYTES 64

/* Numbers of an array, NaN for anything else; how many. */
static size_t read_numbers(const gn_json *array, double *dst, size_t room)
{
    size_t n = 0;
    for (const gn_json *at = array != NULL ? array->first : NULL; at != NULL && n < room; at = at->next)
        dst[n++] = at->kind == GN_JSON_NUMBER ? at->number : NAN;
    return n;
}

static gn_status plot_precision(const gn_report_model *m, const gn_json *curves, const char *folder, size_t *n_out,
                                gn_error *err)
{
    gn_plot_series series[MAX_CLASSES + 1];
    char label[MAX_CLASSES + 1][LABEL_BYTES];
    size_t n = 0;
    double *recall = gn_arena_alloc(m->arena, MAX_POINTS * sizeof *recall);
    const size_t points = recall != NULL ? read_numbers(gn_json_member(curves, "recall"), recall, MAX_POINTS) : 0;
    const gn_json *classes = gn_json_member(curves, "classes");
    for (const gn_json *c = classes != NULL ? classes->first : NULL; c != NULL && n <= MAX_CLASSES; c = c->next) {
        double *precision = gn_arena_alloc(m->arena, MAX_POINTS * sizeof *precision), ap = NAN;
        const char *name = "?";
        if (precision == NULL || read_numbers(gn_json_member(c, "precision"), precision, MAX_POINTS) != points)
            continue;
        gn_json_string(c, "name", &name);
        gn_json_number(c, "ap50", &ap);
        snprintf(label[n], LABEL_BYTES, "%.40s (AP %.3f)", name, ap);
        series[n] = (gn_plot_series){.label = label[n], .x = recall, .y = precision, .n = points};
        n++;
    }
    if (n == 0 || points == 0)
        return GN_OK;
    const gn_plot plot = {.title = "Precision over recall on the test pictures, IoU 0.5",
                          .x_label = "recall",
                          .y_label = "precision",
                          .series = series,
                          .n_series = n,
                          .has_y_zero = true};
    (*n_out)++;
    return gn_plot_both(&plot, folder, "precision_recall", err);
}

static gn_status plot_calibration(const gn_json *document, const char *folder, size_t *n_out, gn_error *err)
{
    static const double diagonal[2] = {0, 1};
    double confidence[64], accuracy[64], ece = NAN;
    const gn_json *bins = gn_json_member(document, "bins");
    size_t n = 0;
    for (const gn_json *b = bins != NULL ? bins->first : NULL; b != NULL && n < 64; b = b->next)
        if (gn_json_number(b, "confidence", &confidence[n]) && gn_json_number(b, "accuracy", &accuracy[n]))
            n++;
    if (n == 0)
        return GN_OK;
    gn_json_number(document, "ece", &ece);
    char title[120];
    snprintf(title, sizeof title, "Calibration on the test pictures, expected error %.3f", ece);
    const gn_plot_series series[] = {
        {.label = "perfect",
         .x = diagonal,
         .y = diagonal,
         .n = 2,
         .is_dashed = true,
         .has_colour = true,
         .colour = {130, 130, 130}},
        {.x = confidence, .y = accuracy, .n = n, .is_scatter = true, .has_colour = true, .colour = {56, 115, 178}},
        {.label = "winner", .x = confidence, .y = accuracy, .n = n, .has_colour = true, .colour = {56, 115, 178}},
    };
    const gn_plot plot = {.title = title,
                          .x_label = "mean score",
                          .y_label = "share that is right",
                          .series = series,
                          .n_series = sizeof series / sizeof series[0],
                          .has_y_zero = true};
    (*n_out)++;
    return gn_plot_both(&plot, folder, "calibration", err);
}

static gn_status plot_confusion(const gn_report_model *m, const gn_json *document, const char *folder, size_t *n_out,
                                gn_error *err)
{
    const char *name[MAX_NAMES];
    char path[1024];
    size_t side = 0, n = 0;
    const gn_json *names = gn_json_member(document, "names"), *rows = gn_json_member(document, "count");
    for (const gn_json *at = names != NULL ? names->first : NULL; at != NULL && side < MAX_NAMES; at = at->next)
        name[side++] = at->text;
    int64_t *count = gn_arena_alloc(m->arena, (side * side + 1) * sizeof *count);
    for (const gn_json *row = rows != NULL ? rows->first : NULL; row != NULL && count != NULL; row = row->next)
        for (const gn_json *at = row->first; at != NULL && n < side * side; at = at->next)
            count[n++] = at->number >= 0 && at->number < 1e15 ? (int64_t)at->number : 0;
    if (side == 0 || n != side * side)
        return GN_OK;
    const gn_matrix_plot plot = {.title = "Confusion on the test pictures",
                                 .x_label = "true",
                                 .y_label = "predicted",
                                 .names = name,
                                 .count = count,
                                 .side = (int)side,
                                 .scale = GN_PLOT_SCALE};
    (*n_out)++;
    GN_TRY(gn_plot_path(folder, "confusion", "svg", path, sizeof path, err));
    GN_TRY(gn_matrix_plot_save(path, &plot, err));
    GN_TRY(gn_plot_path(folder, "confusion", "png", path, sizeof path, err));
    return gn_matrix_plot_save(path, &plot, err);
}

gn_status gn_report_winner_plots(const gn_report_model *m, const char *folder, size_t *n_out, gn_error *err)
{
    if (m->leader == NULL)
        return GN_OK;
    GN_TRY(plot_precision(m, gn_report_document_of(m, m->leader, "test_curves"), folder, n_out, err));
    GN_TRY(plot_calibration(gn_report_document_of(m, m->leader, "test_calibration"), folder, n_out, err));
    return plot_confusion(m, gn_report_document_of(m, m->leader, "test_confusion"), folder, n_out, err);
}
