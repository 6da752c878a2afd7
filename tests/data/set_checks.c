/* Questions to data sets; see set_checks.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "set_checks.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

gn_dataset *set_open(const char *path)
{
    gn_dataset_options options = gn_dataset_default_options();
    options.val_frac = options.test_frac = 0;
    gn_dataset *d = NULL;
    gn_error err = {0};
    if (gn_dataset_open(path, &options, &d, &err) != GN_OK) {
        char line[1024];
        gn_error_line(&err, line, sizeof line);
        fail_msg("cannot open %s: %s", path, line);
    }
    return d;
}

void set_refuse(const char *path, gn_status status, const char *word)
{
    gn_dataset *d = NULL;
    gn_error err = {0};
    char line[1024];
    const gn_status got = gn_dataset_open(path, NULL, &d, &err);
    gn_error_line(&err, line, sizeof line);
    if (got != status || strstr(line, word) == NULL)
        fail_msg("%s: %s, '%s'; expected %s with '%s'", path, gn_status_name(got), line, gn_status_name(status), word);
    assert_null(d);
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

bool set_has_problem(const gn_dataset *d, const char *file, int64_t line, const char *word)
{
    for (int64_t i = 0; i < gn_dataset_problem_count(d); i++) {
        const gn_problem *p = gn_dataset_problem(d, i);
        if (ends_with(p->file, file) && (line < 0 || p->line == line) && strstr(p->message, word) != NULL)
            return true;
    }
    return false;
}

const gn_sample *set_sample(const gn_dataset *d, gn_split split, const char *name)
{
    for (int64_t i = 0; i < gn_dataset_count(d, split); i++)
        if (ends_with(gn_dataset_sample(d, split, i)->path, name))
            return gn_dataset_sample(d, split, i);
    fail_msg("there is no sample %s in %s", name, gn_split_name(split));
    return NULL;
}

bool set_box_is(const gn_sample *s, int i, double x1, double y1, double x2, double y2)
{
    const gn_box *b = &s->box[i];
    return i < s->n_boxes && fabs((double)b->x1 * s->width - x1) < 1e-4 &&
           fabs((double)b->y1 * s->height - y1) < 1e-4 && fabs((double)b->x2 * s->width - x2) < 1e-4 &&
           fabs((double)b->y2 * s->height - y2) < 1e-4;
}
