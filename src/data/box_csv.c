/* Reads a CSV of boxes: image,x1,y1,x2,y2[,class] in pixels, one box per line; a line with empty coordinates is a picture without a
 * box.  A header line is optional; with one, the columns may stand in any order (also xmin ymin xmax ymax, filename, label).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/text.h"
#include "data/dataset_private.h"

#define MAX_COLUMNS 64

enum { COL_IMAGE, COL_X1, COL_Y1, COL_X2, COL_Y2, COL_CLASS, COL_COUNT };

/* One box as it stands in the file; its class is numbered at the end. */
typedef struct csv_row {
    gn_box_row at;
    const char *cls; /* NULL: none given */
    bool has_box;
} csv_row;

typedef struct csv_reader {
    gn_dataset *d;
    const char *file;
    char folder[GN_DATA_PATH_BYTES];
    int column[COL_COUNT]; /* place of each, -1: not there */
    gn_string_set pictures, missing, classes;
    bool classes_are_numbers;
    csv_row *row;
    size_t n_rows, capacity;
} csv_reader;

/* Split [line, end) at commas in place; quotes as in RFC 4180.  Returns the number of fields, at most MAX_COLUMNS. */
static int split_fields(char *line, char *end, char *field[MAX_COLUMNS])
{
    int n = 0;
    while (n < MAX_COLUMNS) {
        while (line < end && (*line == ' ' || *line == '\t'))
            line++;
        char *dst = line;
        field[n++] = line;
        if (line < end && *line == '"') {
            for (line++; line < end && (*line != '"' || (line + 1 < end && line[1] == '"')); line++) {
                line += *line == '"';
                *dst++ = *line;
            }
            while (line < end && *line != ',')
                line++;
        } else {
            while (line < end && *line != ',')
                *dst++ = *line++;
            while (dst > field[n - 1] && (dst[-1] == ' ' || dst[-1] == '\t' || dst[-1] == '\r'))
                dst--;
        }
        const bool more = line < end;
        line++;
        *dst = '\0';
        if (!more)
            break;
    }
    return n;
}

static int column_of(const char *name)
{
    static const char *const names[COL_COUNT][5] = {
        {"image", "filename", "file", "path", "image_path"},
        {"x1", "xmin", "left", "x_min", NULL},
        {"y1", "ymin", "top", "y_min", NULL},
        {"x2", "xmax", "right", "x_max", NULL},
        {"y2", "ymax", "bottom", "y_max", NULL},
        {"class", "label", "name", "category", "class_id"},
    };
    for (int c = 0; c < COL_COUNT; c++)
        for (int i = 0; i < 5 && names[c][i] != NULL; i++)
            if (strcasecmp(name, names[c][i]) == 0)
                return c;
    return -1;
}

/* Takes a header line: true when it names the columns, false when it looks like data. */
static bool take_header(csv_reader *r, char *const *field, int n, gn_status *status, gn_error *err)
{
    *status = GN_OK;
    double number;
    if (n < 5 || gn_parse_f64(field[1], &number) || (field[1][0] == '\0' && field[2][0] == '\0'))
        return false;
    for (int c = 0; c < COL_COUNT; c++)
        r->column[c] = -1;
    for (int i = 0; i < n; i++) {
        const int c = column_of(field[i]);
        if (c >= 0 && r->column[c] < 0)
            r->column[c] = i;
    }
    for (int c = 0; c < COL_CLASS; c++)
        if (r->column[c] < 0)
            *status =
                gn_fail_at(err, GN_EFORMAT, r->file, 1,
                           "the header lacks a column; expected image,x1,y1,x2,y2[,class], found '%.60s,%.60s,...'",
                           field[0], field[1]);
    return true;
}

static gn_status skip_line(csv_reader *r, int64_t line, const char *message)
{
    r->d->counts.bad_label_lines++;
    return gn_dataset_note(r->d, r->file, line, "%s", message);
}

/* Entry of a picture; -1 when the file is not there, which is noted once per picture. */
static gn_status find_picture(csv_reader *r, const char *name, int64_t line, int64_t *entry_out)
{
    *entry_out = gn_string_set_find(&r->pictures, name);
    if (*entry_out >= 0 || gn_string_set_find(&r->missing, name) >= 0)
        return GN_OK;
    char path[GN_DATA_PATH_BYTES];
    const char *kept = gn_arena_strdup(r->d->arena, name);
    if (kept == NULL)
        return GN_ENOMEM;
    bool found = gn_path_join(r->folder, name, path, sizeof path) == GN_OK && gn_data_exists(r->d, path);
    if (!found && gn_path_join(r->folder, "images", path, sizeof path) == GN_OK) {
        const size_t used = strlen(path);
        found = snprintf(path + used, sizeof path - used, "/%s", name) < (int)(sizeof path - used) &&
                gn_data_exists(r->d, path);
    }
    if (!found) {
        r->d->counts.missing_pictures++;
        GN_TRY(gn_string_set_put(&r->missing, kept, 0));
        return gn_dataset_note(r->d, r->file, line, "there is no picture '%.200s'", name);
    }
    gn_data_entry *entry;
    GN_TRY(gn_dataset_add_entry(r->d, path, GN_SPLIT_TRAIN, &entry));
    entry->has_boxes = true;
    entry->source = r->file;
    entry->line = line;
    *entry_out = (int64_t)r->d->n_entries - 1;
    return gn_string_set_put(&r->pictures, kept, *entry_out);
}

static gn_status add_row(csv_reader *r, char *const *field, int n, int64_t line)
{
    char message[160];
    for (int c = 0; c < COL_CLASS; c++)
        if (r->column[c] >= n) {
            snprintf(message, sizeof message, "%d column%s; expected image,x1,y1,x2,y2[,class]", n, n == 1 ? "" : "s");
            return skip_line(r, line, message);
        }
    if (field[r->column[COL_IMAGE]][0] == '\0')
        return skip_line(r, line, "no picture is named");
    double v[4];
    bool is_empty = true;
    for (int c = 0; c < 4; c++)
        is_empty = is_empty && field[r->column[COL_X1 + c]][0] == '\0';
    for (int c = 0; c < 4 && !is_empty; c++)
        if (!gn_parse_f64(field[r->column[COL_X1 + c]], &v[c]) || fabs(v[c]) > 1e6) {
            snprintf(message, sizeof message, "'%.40s' is not a coordinate in pixels", field[r->column[COL_X1 + c]]);
            return skip_line(r, line, message);
        }
    if (!is_empty && (v[2] <= v[0] || v[3] <= v[1])) {
        snprintf(message, sizeof message, "%s size: %g x %g", v[2] < v[0] || v[3] < v[1] ? "negative" : "empty",
                 v[2] - v[0], v[3] - v[1]);
        return skip_line(r, line, message);
    }
    csv_row row = {.at = {.line = line, .id = -1, .area = -1}, .has_box = !is_empty};
    GN_TRY(find_picture(r, field[r->column[COL_IMAGE]], line, &row.at.entry));
    if (row.at.entry < 0)
        return GN_OK;
    if (!is_empty) {
        row.at.x1 = v[0];
        row.at.y1 = v[1];
        row.at.x2 = v[2];
        row.at.y2 = v[3];
    }
    const int c = r->column[COL_CLASS];
    if (c >= 0 && c < n && field[c][0] != '\0') {
        row.cls = gn_arena_strdup(r->d->arena, field[c]);
        if (row.cls == NULL)
            return GN_ENOMEM;
    }
    GN_TRY(gn_grow(&r->row, &r->capacity, r->n_rows + 1, sizeof *r->row));
    r->row[r->n_rows++] = row;
    return GN_OK;
}

static gn_status read_rows(csv_reader *r, char *text, size_t n, gn_error *err)
{
    int64_t line = 1;
    for (char *s = text, *end = text + n; s < end; line++) {
        char *eol = memchr(s, '\n', (size_t)(end - s));
        char *stop = eol != NULL ? eol : end;
        char *field[MAX_COLUMNS];
        if (line > GN_LIST_MAX_LINES)
            return gn_fail_at(err, GN_ELIMIT, r->file, line, "more than %d lines", GN_LIST_MAX_LINES);
        const int fields = split_fields(s, stop, field);
        const bool is_blank = fields == 1 && field[0][0] == '\0';
        gn_status status = GN_OK;
        if (!is_blank && !(line == 1 && take_header(r, field, fields, &status, err)))
            status = add_row(r, field, fields, line);
        GN_TRY(status);
        s = eol != NULL ? eol + 1 : end;
    }
    return GN_OK;
}

/* Classes are numbers when all of them are; otherwise names, numbered as they first appear; without any, one class "object". */
static gn_status name_classes(csv_reader *r)
{
    int64_t highest = 0, count = 0, number;
    for (size_t i = 0; i < r->n_rows; i++) {
        const char *cls = r->row[i].cls;
        if (cls == NULL)
            continue;
        if (!gn_parse_i64(cls, &number) || number < 0 || number >= GN_DATASET_MAX_CLASSES)
            r->classes_are_numbers = false;
        else if (number > highest)
            highest = number;
        if (gn_string_set_find(&r->classes, cls) < 0)
            GN_TRY(gn_string_set_put(&r->classes, cls, count++));
    }
    if (!r->classes_are_numbers && count > GN_DATASET_MAX_CLASSES)
        return GN_ELIMIT;
    const int64_t n = count == 0 ? 1 : r->classes_are_numbers ? highest + 1 : count;
    r->d->n_classes = (int)n;
    r->d->class_name = gn_arena_alloc(r->d->arena, (size_t)n * sizeof *r->d->class_name);
    if (r->d->class_name == NULL)
        return GN_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        r->d->class_name[i] = count == 0 ? "object" : gn_arena_printf(r->d->arena, "%lld", (long long)i);
    for (size_t i = 0; i < r->n_rows && !r->classes_are_numbers; i++)
        if (r->row[i].cls != NULL)
            r->d->class_name[gn_string_set_find(&r->classes, r->row[i].cls)] = r->row[i].cls;
    for (int64_t i = 0; i < n; i++)
        if (r->d->class_name[i] == NULL)
            return GN_ENOMEM;
    return GN_OK;
}

static int32_t class_of(const csv_reader *r, const csv_row *row)
{
    int64_t number = 0;
    if (row->cls == NULL)
        return 0;
    if (!r->classes_are_numbers || !gn_parse_i64(row->cls, &number))
        number = gn_string_set_find(&r->classes, row->cls);
    return (int32_t)number;
}

/* Hand each picture its boxes. */
static gn_status give_boxes(csv_reader *r)
{
    gn_box_rows rows = {0};
    gn_status status = GN_OK;
    for (size_t i = 0; i < r->n_rows && status == GN_OK; i++) {
        if (!r->row[i].has_box)
            continue;
        r->row[i].at.cls = class_of(r, &r->row[i]);
        status = gn_box_rows_add(&rows, &r->row[i].at);
    }
    if (status == GN_OK)
        status = gn_box_rows_give(r->d, &rows);
    gn_box_rows_deinit(&rows);
    return status;
}

gn_status gn_box_csv_read(gn_dataset *d, const char *csv_path, gn_error *err)
{
    csv_reader r = {.d = d, .column = {0, 1, 2, 3, 4, 5}, .classes_are_numbers = true};
    char *text = NULL;
    size_t n = 0;
    r.file = gn_arena_strdup(d->arena, csv_path);
    if (r.file == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory reading %s", csv_path);
    gn_path_dir(csv_path, r.folder, sizeof r.folder);
    GN_TRY(gn_data_read(d, csv_path, GN_LIST_MAX_BYTES, &text, &n, err));
    d->has_split[GN_SPLIT_TRAIN] = true;
    gn_status status = read_rows(&r, text, n, err);
    if (status == GN_OK)
        status = name_classes(&r);
    if (status == GN_OK)
        status = give_boxes(&r);
    if (status == GN_ENOMEM)
        gn_fail(err, status, "out of memory reading %s", csv_path);
    gn_string_set_deinit(&r.pictures);
    gn_string_set_deinit(&r.missing);
    gn_string_set_deinit(&r.classes);
    gn_free(r.row);
    gn_free(text);
    return status;
}
