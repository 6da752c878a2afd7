/* A data set from Open Images' CSV of boxes: ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,...
 * in fractions of the picture.  Groups become crowds.  Labels like /m/01g317 get their names from a class-descriptions CSV beside the
 * file (or in metadata/classes.csv above it).
 * Source: storage.googleapis.com/openimages, "Data formats", V4 to V7.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "data/dataset_private.h"

#define MAX_COLUMNS 64
#define HEAD_BYTES  4096
#define N_PLACES    12

enum { COL_IMAGE, COL_LABEL, COL_X1, COL_X2, COL_Y1, COL_Y2, COL_TRUNCATED, COL_GROUP, COL_COUNT };

static const char *const column_names[COL_COUNT] = {"ImageID", "LabelName", "XMin",        "XMax",
                                                    "YMin",    "YMax",      "IsTruncated", "IsGroupOf"};
#define COL_NEEDED 6 /* the first ones */

typedef struct oi_reader {
    gn_dataset *d;
    const char *file;
    gn_split split;
    int column[COL_COUNT];
    int n_columns;
    char place[N_PLACES][GN_DATA_PATH_BYTES];
    int n_places, last_place;
    gn_string_set pictures, labels; /* value: entry, -2 for one that is not there; number of the label */
    const char **label;             /* [n_labels] in the order in which they were met */
    size_t n_labels, labels_capacity;
    gn_box_rows rows;
} oi_reader;

/* Fields of a line, cut in place; Open Images quotes nothing but names. */
static int split_line(char *line, char *field[MAX_COLUMNS])
{
    int n = 0;
    for (char *s = line; n < MAX_COLUMNS;) {
        field[n++] = s;
        char *comma = strchr(s, ',');
        if (comma == NULL)
            break;
        *comma = '\0';
        s = comma + 1;
    }
    return n;
}

static bool take_header(char *line, int column[COL_COUNT], int *n_columns)
{
    char *field[MAX_COLUMNS];
    const int n = split_line(line, field);
    for (int c = 0; c < COL_COUNT; c++)
        column[c] = -1;
    for (int i = 0; i < n; i++)
        for (int c = 0; c < COL_COUNT; c++)
            if (strcmp(field[i], column_names[c]) == 0)
                column[c] = i;
    *n_columns = n;
    for (int c = 0; c < COL_NEEDED; c++)
        if (column[c] < 0)
            return false;
    return true;
}

/* The next line without its end; NULL at the end. */
static char *next_line(char **at, char *end)
{
    if (*at >= end)
        return NULL;
    char *from = *at, *eol = memchr(from, '\n', (size_t)(end - from));
    char *stop = eol != NULL ? eol : end;
    *at = eol != NULL ? eol + 1 : end;
    if (stop > from && stop[-1] == '\r')
        stop--;
    *stop = '\0';
    return from;
}

gn_status gn_open_images_is(gn_dataset *d, const char *csv_path, bool *is_out)
{
    *is_out = false;
    char head[HEAD_BYTES + 1], *text = NULL, *at = head;
    size_t n = 0;
    int column[COL_COUNT], columns;
    if (d->archive != NULL) {
        const gn_status status = gn_data_read(d, csv_path, GN_LIST_MAX_BYTES, &text, &n, NULL);
        if (status != GN_OK)
            return status == GN_ENOMEM ? status : GN_OK;
        n = n < HEAD_BYTES ? n : HEAD_BYTES;
        memcpy(head, text, n);
        gn_free(text);
    } else {
        FILE *file = fopen(csv_path, "rb");
        if (file == NULL)
            return GN_OK;
        n = fread(head, 1, HEAD_BYTES, file);
        fclose(file);
    }
    char *line = next_line(&at, head + n);
    *is_out = line != NULL && take_header(line, column, &columns);
    return GN_OK;
}

static void add_place(oi_reader *r, const char *base, const char *name)
{
    if (r->n_places < N_PLACES && gn_path_join(base, name, r->place[r->n_places], GN_DATA_PATH_BYTES) == GN_OK &&
        gn_data_is_dir(r->d, r->place[r->n_places]))
        r->n_places++;
}

static void find_places(oi_reader *r)
{
    static const char *const splits[GN_SPLIT_COUNT][2] = {
        {"train", "images/train"}, {"validation", "images/validation"}, {"test", "images/test"}};
    char here[GN_DATA_PATH_BYTES], above[GN_DATA_PATH_BYTES];
    gn_path_dir(r->file, here, sizeof here);
    if (strcmp(gn_path_name(here), ".") == 0)
        snprintf(above, sizeof above, "..");
    else
        gn_path_dir(here, above, sizeof above);
    const char *const bases[] = {here, above};
    for (size_t b = 0; b < 2; b++) {
        add_place(r, bases[b], splits[r->split][0]);
        add_place(r, bases[b], splits[r->split][1]);
        add_place(r, bases[b], "images");
        add_place(r, bases[b], "data");
        add_place(r, bases[b], "");
    }
}

static gn_status find_picture(oi_reader *r, const char *name, int64_t line, int64_t *entry_out)
{
    gn_dataset *d = r->d;
    char path[GN_DATA_PATH_BYTES];
    *entry_out = gn_string_set_find(&r->pictures, name);
    if (*entry_out != -1)
        return GN_OK;
    const char *kept = gn_arena_strdup(d->arena, name);
    if (kept == NULL)
        return GN_ENOMEM;
    for (int i = 0; i < r->n_places && name[0] != '\0'; i++) {
        const int place = (r->last_place + i) % r->n_places;
        if (!gn_data_find_stem(d, r->place[place], name, strlen(name), path))
            continue;
        gn_data_entry *e;
        r->last_place = place;
        GN_TRY(gn_dataset_add_entry(d, path, r->split, &e));
        e->has_boxes = e->clips = true;
        e->source = r->file;
        e->line = line;
        e->ref_width = e->ref_height = 1;
        *entry_out = (int64_t)d->n_entries - 1;
        return gn_string_set_put(&r->pictures, kept, *entry_out);
    }
    *entry_out = -2;
    d->counts.missing_pictures++;
    GN_TRY(gn_string_set_put(&r->pictures, kept, -2));
    return gn_dataset_note(d, r->file, line, "there is no picture '%.200s' (.jpg .jpeg .png .webp)", name);
}

static gn_status number_of_label(oi_reader *r, const char *name, int32_t *cls_out)
{
    int64_t cls = gn_string_set_find(&r->labels, name);
    if (cls < 0) {
        const char *kept = gn_arena_strdup(r->d->arena, name);
        cls = (int64_t)r->n_labels;
        if (kept == NULL)
            return GN_ENOMEM;
        if (cls >= GN_DATASET_MAX_CLASSES)
            return GN_ELIMIT;
        GN_TRY(gn_grow(&r->label, &r->labels_capacity, r->n_labels + 1, sizeof *r->label));
        r->label[r->n_labels++] = kept;
        GN_TRY(gn_string_set_put(&r->labels, kept, cls));
    }
    *cls_out = (int32_t)cls;
    return GN_OK;
}

static bool is_set(const oi_reader *r, char *const *field, int column)
{
    return r->column[column] >= 0 && strcmp(field[r->column[column]], "1") == 0;
}

static gn_status add_line(oi_reader *r, char *line, int64_t number)
{
    gn_dataset *d = r->d;
    char *field[MAX_COLUMNS];
    const int n = split_line(line, field);
    gn_box_row row = {.line = number, .id = -1, .area = -1};
    double v[4];
    if (n != r->n_columns) {
        d->counts.bad_label_lines++;
        return gn_dataset_note(d, r->file, number, "%d columns; the header has %d", n, r->n_columns);
    }
    for (int i = 0; i < 4; i++)
        if (!gn_parse_f64(field[r->column[COL_X1 + i]], &v[i])) {
            d->counts.bad_label_lines++;
            return gn_dataset_note(d, r->file, number, "'%.40s' is no %s", field[r->column[COL_X1 + i]],
                                   column_names[COL_X1 + i]);
        }
    GN_TRY(find_picture(r, field[r->column[COL_IMAGE]], number, &row.entry));
    if (row.entry < 0) {
        d->counts.orphan_boxes++;
        return GN_OK;
    }
    row.x1 = v[0];
    row.x2 = v[1];
    row.y1 = v[2];
    row.y2 = v[3];
    row.flags = (uint8_t)((is_set(r, field, COL_GROUP) ? GN_BOX_CROWD : 0) |
                          (is_set(r, field, COL_TRUNCATED) ? GN_BOX_TRUNCATED : 0));
    GN_TRY(number_of_label(r, field[r->column[COL_LABEL]], &row.cls));
    return gn_box_rows_add(&r->rows, &row);
}

/* --- names ---------------------------------------------------------------------------------------------------------- */

/* The lines "label,name" of a table of names; a first line "LabelName,DisplayName" names nothing. */
static gn_status take_names(oi_reader *r, const char *path, const char **name)
{
    char *text = NULL;
    size_t n = 0;
    gn_error why = {0};
    const gn_status got = gn_data_read(r->d, path, GN_LIST_MAX_BYTES, &text, &n, &why);
    if (got != GN_OK)
        return got == GN_ENOMEM ? got : GN_OK;
    gn_status status = GN_OK;
    char *at = text;
    for (char *line = next_line(&at, text + n); line != NULL && status == GN_OK; line = next_line(&at, text + n)) {
        char *comma = strchr(line, ',');
        if (comma == NULL)
            continue;
        *comma = '\0';
        const int64_t i = gn_string_set_find(&r->labels, line);
        char *value = comma + 1;
        const size_t length = strlen(value);
        if (length >= 2 && value[0] == '"' && value[length - 1] == '"') {
            value[length - 1] = '\0';
            value++;
        }
        if (i >= 0 && value[0] != '\0') {
            name[i] = gn_arena_strdup(r->d->arena, value);
            status = name[i] != NULL ? GN_OK : GN_ENOMEM;
        }
    }
    gn_free(text);
    return status;
}

static gn_status find_names(oi_reader *r, const char **name)
{
    static const char *const above[] = {".", "..", "../metadata"};
    char here[GN_DATA_PATH_BYTES], folder[GN_DATA_PATH_BYTES], path[GN_DATA_PATH_BYTES];
    gn_path_dir(r->file, here, sizeof here);
    for (size_t k = 0; k < sizeof above / sizeof *above; k++) {
        const char **names;
        size_t n;
        if (gn_path_join(here, above[k], folder, sizeof folder) != GN_OK || !gn_data_is_dir(r->d, folder))
            continue;
        GN_TRY(gn_data_names(r->d, folder, &names, &n));
        for (size_t i = 0; i < n; i++)
            if ((strstr(names[i], "class-descriptions") != NULL || strcmp(names[i], "classes.csv") == 0) &&
                gn_has_suffix(names[i], ".csv") && gn_path_join(folder, names[i], path, sizeof path) == GN_OK)
                return take_names(r, path, name);
    }
    return GN_OK;
}

typedef struct label_place {
    const char *label, *name;
    int32_t met;
} label_place;

static int compare_labels(const void *pa, const void *pb)
{
    const label_place *a = pa, *b = pb;
    const int order = strcmp(a->name, b->name);
    return order != 0 ? order : strcmp(a->label, b->label);
}

/* Classes in bytewise order of their names. */
static gn_status number_classes(oi_reader *r)
{
    gn_dataset *d = r->d;
    const size_t n = r->n_labels;
    const char **name = gn_arena_alloc(d->arena, (n + 1) * sizeof *name);
    label_place *order = gn_alloc((n + 1) * sizeof *order);
    int32_t *number = gn_alloc((n + 1) * sizeof *number);
    gn_status status = name != NULL && order != NULL && number != NULL ? find_names(r, name) : GN_ENOMEM;
    if (status == GN_OK) {
        for (size_t i = 0; i < n; i++)
            order[i] = (label_place){r->label[i], name[i] != NULL ? name[i] : r->label[i], (int32_t)i};
        qsort(order, n, sizeof *order, compare_labels);
        for (size_t i = 0; i < n; i++) {
            name[i] = order[i].name;
            number[order[i].met] = (int32_t)i;
        }
        for (size_t i = 0; i < r->rows.n; i++)
            r->rows.row[i].cls = number[r->rows.row[i].cls];
        d->class_name = name;
        d->n_classes = (int)n;
    }
    gn_free(order);
    gn_free(number);
    return status;
}

static gn_status read_lines(oi_reader *r, char *text, size_t n, gn_error *err)
{
    char *at = text, *end = text + n, *line = next_line(&at, end);
    if (line == NULL || !take_header(line, r->column, &r->n_columns))
        return gn_fail_at(err, GN_EFORMAT, r->file, 1,
                          "the header lacks a column of ImageID,LabelName,XMin,XMax,YMin,YMax");
    int64_t number = 1;
    while ((line = next_line(&at, end)) != NULL) {
        number++;
        if (number > GN_LIST_MAX_LINES)
            return gn_fail_at(err, GN_ELIMIT, r->file, number, "more than %d lines", GN_LIST_MAX_LINES);
        if (line[0] != '\0')
            GN_TRY(add_line(r, line, number));
    }
    return GN_OK;
}

gn_status gn_open_images_read(gn_dataset *d, const char *csv_path, gn_error *err)
{
    oi_reader r = {.d = d, .split = gn_data_split_of_name(gn_path_name(csv_path))};
    char *text = NULL;
    size_t n = 0;
    r.file = gn_arena_strdup(d->arena, csv_path);
    if (r.file == NULL)
        return GN_ENOMEM;
    find_places(&r);
    GN_TRY(gn_data_read(d, csv_path, GN_LIST_MAX_BYTES, &text, &n, err));
    d->has_split[r.split] = true;
    gn_status status = read_lines(&r, text, n, err);
    if (status == GN_OK && r.n_labels == 0)
        status = gn_fail_at(err, GN_EDATA, csv_path, 0, "no box of this file has its picture beside it%s%.200s",
                            d->n_problems > 0 ? "; the first problem: " : "",
                            d->n_problems > 0 ? d->problem[0].message : "");
    if (status == GN_OK)
        status = number_classes(&r);
    if (status == GN_OK)
        status = gn_box_rows_give(d, &r.rows);
    gn_box_rows_deinit(&r.rows);
    gn_string_set_deinit(&r.pictures);
    gn_string_set_deinit(&r.labels);
    gn_free(r.label);
    gn_free(text);
    return status;
}
