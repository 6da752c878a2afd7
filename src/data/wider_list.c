/* A data set from WIDER FACE's lists: a picture's name, the number of its faces, then one line per face with x y w h in pixels and six
 * marks (blur, expression, illumination, invalid, occlusion, pose).  A picture without a face has the number 0 and a line of zeros.
 * Invalid faces are kept as difficult ones.
 * Source: Yang et al. 2016, "WIDER FACE", readme.txt of wider_face_split.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "data/dataset_private.h"
#include "image/image.h"

#define MAX_LISTS      8
#define COLUMNS        10
#define COLUMN_INVALID 7
#define LOOK_BYTES     4096

typedef struct wider_reader {
    gn_dataset *d;
    const char *file;
    gn_split split;
    char place[6][GN_DATA_PATH_BYTES]; /* where pictures may lie */
    int n_places;
    gn_box_rows *rows;
    char *at, *end;
    int64_t line; /* of the line taken last */
} wider_reader;

/* The next line without its end and blanks, NUL-terminated; NULL at the end. */
static char *next_line(wider_reader *r)
{
    if (r->at >= r->end)
        return NULL;
    char *from = r->at;
    char *eol = memchr(from, '\n', (size_t)(r->end - from));
    char *stop = eol != NULL ? eol : r->end;
    r->at = eol != NULL ? eol + 1 : r->end;
    r->line++;
    while (stop > from && (stop[-1] == ' ' || stop[-1] == '\r' || stop[-1] == '\t'))
        stop--;
    *stop = '\0';
    return from + strspn(from, " \t");
}

/* Numbers of a line, at most `most`; -1 when something else stands there. */
static int parse_numbers(const char *line, double *value, int most)
{
    int n = 0;
    while (*line != '\0' && n < most) {
        char *end;
        value[n] = strtod(line, &end);
        if (end == line || (*end != ' ' && *end != '\t' && *end != '\0'))
            return -1;
        n++;
        line = end + strspn(end, " \t");
    }
    return n;
}

static bool looks_like_list(const char *text, size_t n)
{
    char head[LOOK_BYTES + 1];
    double v[COLUMNS];
    const size_t used = n < LOOK_BYTES ? n : LOOK_BYTES;
    memcpy(head, text, used);
    head[used] = '\0';
    wider_reader r = {.at = head, .end = head + used};
    const char *name = next_line(&r);
    if (name == NULL || !gn_image_has_known_extension(name))
        return false;
    const char *count = next_line(&r);
    if (count == NULL || parse_numbers(count, v, 2) != 1 || v[0] < 0)
        return false;
    const char *box = next_line(&r);
    return box != NULL && parse_numbers(box, v, COLUMNS) >= 4;
}

static gn_status is_list(const gn_dataset *d, const char *path, bool *is_out)
{
    char *text = NULL;
    size_t n = 0;
    *is_out = false;
    if (!gn_has_suffix(path, ".txt"))
        return GN_OK;
    const gn_status status = gn_data_read(d, path, GN_LIST_MAX_BYTES, &text, &n, NULL);
    if (status != GN_OK)
        return status == GN_ENOMEM ? status : GN_OK;
    *is_out = looks_like_list(text, n);
    gn_free(text);
    return GN_OK;
}

/* The lists of a folder: FOLDER/wider_face_split/... or FOLDER/... named *_bbx_gt.txt. */
static gn_status find_lists(gn_dataset *d, const char *path, char list[MAX_LISTS][GN_DATA_PATH_BYTES], int *found_out)
{
    static const char *const folders[] = {"wider_face_split", "."};
    if (!gn_data_is_dir(d, path)) {
        snprintf(list[0], GN_DATA_PATH_BYTES, "%s", path);
        *found_out = 1;
        return GN_OK;
    }
    int found = 0;
    for (size_t k = 0; k < 2 && found == 0; k++) {
        char folder[GN_DATA_PATH_BYTES];
        const char **names;
        size_t n;
        if (gn_path_join(path, folders[k], folder, sizeof folder) != GN_OK || !gn_data_is_dir(d, folder))
            continue;
        GN_TRY(gn_data_names(d, folder, &names, &n));
        for (size_t i = 0; i < n && found < MAX_LISTS; i++) {
            bool is = false;
            if (gn_has_suffix(names[i], "_bbx_gt.txt") &&
                gn_path_join(folder, names[i], list[found], GN_DATA_PATH_BYTES) == GN_OK)
                GN_TRY(is_list(d, list[found], &is));
            found += is;
        }
    }
    *found_out = found;
    return GN_OK;
}

gn_status gn_wider_is(gn_dataset *d, const char *path, bool *is_out)
{
    char list[MAX_LISTS][GN_DATA_PATH_BYTES];
    if (!gn_data_is_dir(d, path))
        return is_list(d, path, is_out);
    int n = 0;
    GN_TRY(find_lists(d, path, list, &n));
    *is_out = n > 0;
    return GN_OK;
}

static void add_place(wider_reader *r, const char *base, const char *name)
{
    if (gn_path_join(base, name, r->place[r->n_places], GN_DATA_PATH_BYTES) == GN_OK &&
        gn_data_is_dir(r->d, r->place[r->n_places]))
        r->n_places++;
}

static void find_places(wider_reader *r)
{
    char here[GN_DATA_PATH_BYTES], above[GN_DATA_PATH_BYTES], name[64];
    gn_path_dir(r->file, here, sizeof here);
    if (strcmp(gn_path_name(here), ".") == 0)
        snprintf(above, sizeof above, "..");
    else
        gn_path_dir(here, above, sizeof above);
    snprintf(name, sizeof name, "WIDER_%s/images", gn_split_name(r->split));
    add_place(r, above, name);
    add_place(r, here, name);
    add_place(r, here, "images");
    add_place(r, above, "images");
    add_place(r, here, "");
    add_place(r, above, "");
}

static gn_status add_picture(wider_reader *r, const char *name, int64_t *entry_out)
{
    char path[GN_DATA_PATH_BYTES];
    *entry_out = -1;
    for (int i = 0; i < r->n_places; i++) {
        if (gn_path_join(r->place[i], name, path, sizeof path) != GN_OK || !gn_data_exists(r->d, path))
            continue;
        gn_data_entry *e;
        GN_TRY(gn_dataset_add_entry(r->d, path, r->split, &e));
        e->has_boxes = e->clips = true;
        e->source = r->file;
        e->line = r->line;
        *entry_out = (int64_t)r->d->n_entries - 1;
        return GN_OK;
    }
    r->d->counts.missing_pictures++;
    return gn_dataset_note(r->d, r->file, r->line, "there is no picture '%.200s'", name);
}

static gn_status add_face(wider_reader *r, int64_t entry, const char *line, bool *was_bad)
{
    double v[COLUMNS] = {0};
    const int n = parse_numbers(line, v, COLUMNS);
    if (n < 4) {
        *was_bad = true;
        r->d->counts.bad_label_lines++;
        return gn_dataset_note(r->d, r->file, r->line, "'%.60s' is no face; expected x y w h and six marks", line);
    }
    if (entry < 0) {
        r->d->counts.orphan_boxes++;
        return GN_OK;
    }
    const gn_box_row row = {
        .entry = entry,
        .line = r->line,
        .x1 = v[0],
        .y1 = v[1],
        .x2 = v[0] + v[2],
        .y2 = v[1] + v[3],
        .flags = v[COLUMN_INVALID] != 0 ? GN_BOX_DIFFICULT : 0,
        .id = -1,
        .area = -1,
    };
    return gn_box_rows_add(r->rows, &row);
}

/* One picture with its faces.  A number that does not fit what follows makes the rest unreadable, so it ends the reading. */
static gn_status read_picture(wider_reader *r, const char *name, gn_error *err)
{
    int64_t entry, count = 0;
    if (!gn_image_has_known_extension(name))
        return gn_fail_at(err, GN_EFORMAT, r->file, r->line, "found '%.60s', expected the name of a picture", name);
    GN_TRY(add_picture(r, name, &entry));
    const char *number = next_line(r);
    if (number == NULL || !gn_parse_i64(number, &count) || count < 0)
        return gn_fail_at(err, GN_EFORMAT, r->file, r->line, "found '%.60s', expected the number of faces",
                          number != NULL ? number : "the end of the list");
    bool was_bad = false;
    const size_t before = r->rows->n;
    for (int64_t i = 0; i < count; i++) {
        const char *line = next_line(r);
        if (line == NULL)
            return gn_fail_at(err, GN_EFORMAT, r->file, r->line,
                              "the list ends with face %lld of %lld; is the file complete?", (long long)i,
                              (long long)count);
        if (gn_image_has_known_extension(line))
            return gn_fail_at(err, GN_EFORMAT, r->file, r->line,
                              "found a picture's name where face %lld of %lld stands", (long long)i + 1,
                              (long long)count);
        GN_TRY(add_face(r, entry, line, &was_bad));
    }
    if (was_bad && entry >= 0 && r->rows->n == before) {
        r->d->n_entries--;
        r->d->counts.spoilt_pictures++;
    }
    return GN_OK;
}

static gn_status read_list(gn_dataset *d, const char *path, gn_box_rows *rows, gn_error *err)
{
    wider_reader r = {.d = d, .split = gn_data_split_of_name(gn_path_name(path)), .rows = rows};
    char *text = NULL;
    size_t n = 0;
    r.file = gn_arena_strdup(d->arena, path);
    if (r.file == NULL)
        return GN_ENOMEM;
    find_places(&r);
    GN_TRY(gn_data_read(d, path, GN_LIST_MAX_BYTES, &text, &n, err));
    r.at = text;
    r.end = text + n;
    d->has_split[r.split] = true;
    gn_status status = GN_OK;
    double zeros[COLUMNS];
    bool may_be_zeros = false; /* behind a picture without a face */
    for (const char *line = next_line(&r); line != NULL && status == GN_OK; line = next_line(&r)) {
        const bool is_zeros = may_be_zeros && parse_numbers(line, zeros, COLUMNS) >= 4;
        may_be_zeros = false;
        if (line[0] == '\0' || is_zeros)
            continue;
        const size_t before = rows->n;
        status = read_picture(&r, line, err);
        may_be_zeros = rows->n == before;
    }
    gn_free(text);
    return status;
}

gn_status gn_wider_read(gn_dataset *d, const char *path, gn_error *err)
{
    char list[MAX_LISTS][GN_DATA_PATH_BYTES];
    gn_box_rows rows = {0};
    gn_status status = GN_OK;
    int n = 0;
    GN_TRY(find_lists(d, path, list, &n));
    d->class_name = gn_arena_alloc(d->arena, sizeof *d->class_name);
    if (d->class_name == NULL)
        return GN_ENOMEM;
    d->class_name[0] = "face";
    d->n_classes = 1;
    for (int i = 0; i < n && status == GN_OK; i++)
        status = read_list(d, list[i], &rows, err);
    if (status == GN_OK)
        status = gn_box_rows_give(d, &rows);
    gn_box_rows_deinit(&rows);
    return status;
}
