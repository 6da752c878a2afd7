/* A data set from Darknet's .data file: lines `key = value` with classes, train, valid and names; the lists hold pictures, whose label
 * files lie in labels/ instead of images/ or JPEGImages/, or beside them.
 * Source: Darknet, cfg/coco.data and cfg/voc.data.
 * SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "data/dataset_private.h"

#define MAX_BYTES 65536

typedef struct data_keys {
    char *classes, *train, *valid, *test, *names;
    int64_t line[5];
} data_keys;

static char *trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    for (size_t n = strlen(s); n > 0 && isspace((unsigned char)s[n - 1]); n--)
        s[n - 1] = '\0';
    return s;
}

/* Keys point into `text`.  Unknown ones (backup, eval, results, ...) say nothing about the data. */
static gn_status take_keys(const char *path, char *text, data_keys *k, gn_error *err)
{
    const struct {
        const char *name;
        char **value;
    } known[] = {
        {"classes", &k->classes}, {"train", &k->train}, {"valid", &k->valid}, {"test", &k->test}, {"names", &k->names}};
    int64_t number = 0;
    for (char *at = text; at != NULL;) {
        char *line = at, *eol = strchr(at, '\n');
        if (eol != NULL)
            *eol = '\0';
        at = eol != NULL ? eol + 1 : NULL;
        number++;
        line = trim(line);
        if (line[0] == '\0' || line[0] == '#' || line[0] == ';')
            continue;
        char *equals = strchr(line, '=');
        if (equals == NULL)
            return gn_fail_at(err, GN_EFORMAT, path, number, "found '%.60s', expected key = value", line);
        *equals = '\0';
        const char *key = trim(line);
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (strcmp(key, known[i].name) == 0) {
                *known[i].value = trim(equals + 1);
                k->line[i] = number;
            }
    }
    return GN_OK;
}

/* Names of the classes, as many as `classes` says. */
static gn_status take_names(gn_dataset *d, const char *path, const char *folder, const char *above, const data_keys *k,
                            gn_error *err)
{
    char names[GN_DATA_PATH_BYTES];
    int64_t n = 0;
    if (k->classes != NULL && (!gn_parse_i64(k->classes, &n) || n < 1 || n > GN_DATASET_MAX_CLASSES))
        return gn_fail_at(err, GN_EFORMAT, path, k->line[0], "classes: found '%.60s', expected a number from 1 on",
                          k->classes);
    if (k->names != NULL) {
        if (!gn_data_locate(d, folder, above, k->names, names))
            return gn_fail_at(err, GN_EDATA, path, k->line[4], "names: there is no file '%.200s' in %.150s or above it",
                              k->names, folder);
        GN_TRY(gn_data_read_names(d, names, err));
        if (n > 0 && d->n_classes != n)
            return gn_fail_at(err, GN_EFORMAT, path, k->line[0], "classes is %lld, but %.200s holds %d names",
                              (long long)n, names, d->n_classes);
        return GN_OK;
    }
    if (n == 0)
        return gn_fail_at(err, GN_EFORMAT, path, 0, "neither classes nor names: how many classes are there?");
    d->class_name = gn_arena_alloc(d->arena, (size_t)n * sizeof *d->class_name);
    if (d->class_name == NULL)
        return GN_ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        d->class_name[i] = gn_arena_printf(d->arena, "%lld", (long long)i);
        if (d->class_name[i] == NULL)
            return GN_ENOMEM;
    }
    d->n_classes = (int)n;
    return GN_OK;
}

static gn_status read_text(gn_dataset *d, const char *path, char *text, gn_error *err)
{
    char folder[GN_DATA_PATH_BYTES], above[GN_DATA_PATH_BYTES], list[GN_DATA_PATH_BYTES];
    data_keys k = {0};
    GN_TRY(take_keys(path, text, &k, err));
    gn_path_dir(path, folder, sizeof folder);
    if (gn_path_join(folder, "..", above, sizeof above) != GN_OK)
        return gn_fail_at(err, GN_ELIMIT, path, 0, "the path is too long");
    GN_TRY(take_names(d, path, folder, above, &k, err));
    const struct {
        const char *value;
        gn_split split;
        int64_t line;
    } lists[] = {
        {k.train, GN_SPLIT_TRAIN, k.line[1]}, {k.valid, GN_SPLIT_VAL, k.line[2]}, {k.test, GN_SPLIT_TEST, k.line[3]}};
    for (size_t i = 0; i < 3; i++) {
        if (lists[i].value == NULL)
            continue;
        if (!gn_data_locate(d, folder, above, lists[i].value, list)) {
            const char *file = gn_arena_strdup(d->arena, path);
            d->counts.missing_pictures++;
            GN_TRY(gn_dataset_note(d, file != NULL ? file : "", lists[i].line,
                                   "%s: there is no list '%.200s' in %.150s or above it", gn_split_name(lists[i].split),
                                   lists[i].value, folder));
            continue;
        }
        d->has_split[lists[i].split] = true;
        GN_TRY(gn_data_is_dir(d, list) ? gn_data_add_folder(d, list, lists[i].split, -1, err)
                                       : gn_data_add_list(d, list, above, lists[i].split, err));
    }
    if (k.train == NULL && k.valid == NULL && k.test == NULL)
        return gn_fail_at(err, GN_EFORMAT, path, 0, "neither train nor valid: which pictures belong to the set?");
    return GN_OK;
}

gn_status gn_darknet_data_read(gn_dataset *d, const char *path, gn_error *err)
{
    char *text = NULL;
    size_t n = 0;
    GN_TRY(gn_data_read(d, path, MAX_BYTES, &text, &n, err));
    const gn_status status =
        strlen(text) == n ? read_text(d, path, text, err) : gn_fail_at(err, GN_EFORMAT, path, 0, "this is no text");
    gn_free(text);
    return status;
}
