/* YOLO label files: one object per line, "class cx cy w h" in fractions of the picture, or a polygon whose bounding box counts.
 * A line that cannot be used is noted and skipped, never the end of the file.
 * SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdarg.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "data/dataset_private.h"

#define KEPT_PROBLEMS   100
#define COLUMN_BYTES    64 /* a longer number is refused */
#define POLYGON_COLUMNS 7  /* class and three points */

static const char *last_of(const char *s, const char *word)
{
    const char *at = NULL;
    for (const char *p = strstr(s, word); p != NULL; p = strstr(p + 1, word))
        at = p;
    return at;
}

gn_status gn_label_path(const char *picture, char *dst)
{
    const char *word = "/images/";
    const char *at = last_of(picture, word);
    if (at == NULL) {
        word = "/JPEGImages/";
        at = last_of(picture, word);
    }
    const char *dot = strrchr(picture, '.');
    const char *slash = strrchr(picture, '/');
    const size_t end = dot != NULL && (slash == NULL || dot > slash) ? (size_t)(dot - picture) : strlen(picture);
    const char *rest = at != NULL ? at + strlen(word) : picture;
    const size_t head = at != NULL ? (size_t)(at - picture) : 0;
    const size_t rest_n = end > (size_t)(rest - picture) ? end - (size_t)(rest - picture) : 0;
    const int n = snprintf(dst, GN_DATA_PATH_BYTES, "%.*s%s%.*s.txt", (int)head, picture, at != NULL ? "/labels/" : "",
                           (int)rest_n, rest);
    return n > 0 && n < GN_DATA_PATH_BYTES ? GN_OK : GN_ELIMIT;
}

void gn_labels_deinit(gn_labels *labels)
{
    gn_free(labels->box);
    gn_free(labels->cls);
    gn_free(labels->problem);
    memset(labels, 0, sizeof *labels);
}

/* What is wrong with a line, as text for a person. */
typedef struct line_check {
    char message[160];
    bool is_bad;
    double out_x, out_y; /* how far the box reaches out of the picture, in fractions */
} line_check;

__attribute__((format(printf, 2, 3))) static bool bad(line_check *check, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(check->message, sizeof check->message, fmt, args);
    va_end(args);
    check->is_bad = true;
    return false;
}

/* The next blank-separated word of [*p, end); false at the end. */
static bool next_word(const char **p, const char *end, const char **word, size_t *n)
{
    const char *s = *p;
    while (s < end && isspace((unsigned char)*s))
        s++;
    const char *from = s;
    while (s < end && !isspace((unsigned char)*s))
        s++;
    *word = from;
    *n = (size_t)(s - from);
    *p = s;
    return *n > 0;
}

/* Any float that strtod knows, NaN and Inf included, so that the message can tell them from garbage. */
static bool parse_number(const char *word, size_t n, double *out)
{
    char text[COLUMN_BYTES];
    if (n >= sizeof text)
        return false;
    memcpy(text, word, n);
    text[n] = '\0';
    char *end;
    *out = strtod(text, &end);
    return end == text + n && n > 0 && strpbrk(text, "xX") == NULL;
}

static bool check_class(double value, int n_classes, line_check *check, int32_t *cls)
{
    if (!(value >= 0) || value > GN_DATASET_MAX_CLASSES - 1 || value != floor(value))
        return bad(check, "class %g is not a whole number from 0 on", value);
    if (n_classes > 0 && value > n_classes - 1)
        return bad(check, "class %g, but there %s %d class%s (0..%d)", value, n_classes == 1 ? "is" : "are", n_classes,
                   n_classes == 1 ? "" : "es", n_classes - 1);
    *cls = (int32_t)value;
    return true;
}

static bool check_fraction(double value, int column, line_check *check)
{
    if (isnan(value))
        return bad(check, "column %d is NaN", column);
    if (value < 0 || value > 1)
        return bad(check, "column %d is %g, outside 0..1", column, value);
    return true;
}

static bool box_from_centre(const double v[4], line_check *check, gn_box *box)
{
    for (int i = 0; i < 4; i++) {
        if (i >= 2 && v[i] <= 0)
            return bad(check, "%s size: %s %g", v[i] < 0 ? "negative" : "empty", i == 2 ? "width" : "height", v[i]);
        if (!check_fraction(v[i], i + 2, check))
            return false;
    }
    const gn_box whole = {(float)(v[0] - v[2] / 2), (float)(v[1] - v[3] / 2), (float)(v[0] + v[2] / 2),
                          (float)(v[1] + v[3] / 2)};
    *box = gn_box_clip(&whole, 1, 1);
    check->out_x = fmax(-(double)whole.x1, (double)whole.x2 - 1);
    check->out_y = fmax(-(double)whole.y1, (double)whole.y2 - 1);
    if (!(box->x1 < box->x2) || !(box->y1 < box->y2))
        return bad(check, "empty size: %g x %g", v[2], v[3]);
    return true;
}

/* One label line into class and box.  A polygon is read point by point. */
static bool parse_line(const char *line, const char *end, int n_classes, line_check *check, int32_t *cls, gn_box *box)
{
    double v[4] = {0}, value = 0;
    double low[2] = {1, 1}, high[2] = {0, 0};
    int columns = 0;
    bool in_range = true; /* of a polygon's points; judged once the columns are counted */
    line_check range = {{0}, false, 0, 0};
    const char *word;
    size_t n;
    while (next_word(&line, end, &word, &n)) {
        if (!parse_number(word, n, &value))
            return bad(check, "column %d is '%.*s', not a number", columns + 1, (int)(n < 32 ? n : 32), word);
        if (columns == 0 && !check_class(value, n_classes, check, cls))
            return false;
        if (columns >= 1 && columns <= 4)
            v[columns - 1] = value;
        if (columns >= 1) {
            in_range = in_range && check_fraction(value, columns + 1, &range);
            const int axis = (columns - 1) % 2;
            low[axis] = fmin(low[axis], value);
            high[axis] = fmax(high[axis], value);
        }
        columns++;
    }
    if (columns == 5)
        return box_from_centre(v, check, box);
    if (columns < POLYGON_COLUMNS || columns % 2 == 0)
        return bad(check, "%d column%s; expected 5 (class cx cy w h)", columns, columns == 1 ? "" : "s");
    if (!in_range)
        return bad(check, "%s", range.message);
    *box = (gn_box){(float)low[0], (float)low[1], (float)high[0], (float)high[1]};
    if (!(box->x1 < box->x2) || !(box->y1 < box->y2))
        return bad(check, "empty size: the polygon has no area");
    return true;
}

static bool is_duplicate(const gn_labels *labels, int32_t cls, const gn_box *box)
{
    for (int i = 0; i < labels->n; i++)
        if (labels->cls[i] == cls && memcmp(&labels->box[i], box, sizeof *box) == 0)
            return true;
    return false;
}

static gn_status note(gn_labels *labels, int64_t line, const char *message)
{
    if (labels->n_problems >= KEPT_PROBLEMS)
        return GN_OK;
    GN_TRY(
        gn_grow(&labels->problem, &labels->problem_capacity, (size_t)labels->n_problems + 1, sizeof *labels->problem));
    gn_label_problem *p = &labels->problem[labels->n_problems++];
    p->line = line;
    snprintf(p->message, sizeof p->message, "%s", message);
    return GN_OK;
}

static gn_status add(gn_labels *labels, int32_t cls, const gn_box *box)
{
    if (is_duplicate(labels, cls, box)) {
        labels->duplicates++;
        return GN_OK;
    }
    GN_TRY(gn_grow(&labels->box, &labels->box_capacity, (size_t)labels->n + 1, sizeof *labels->box));
    GN_TRY(gn_grow(&labels->cls, &labels->cls_capacity, (size_t)labels->n + 1, sizeof *labels->cls));
    labels->box[labels->n] = *box;
    labels->cls[labels->n++] = cls;
    return GN_OK;
}

static gn_status note_clipped(gn_labels *labels, int64_t line, const line_check *check)
{
    const bool is_out = (labels->slack_x > 0 && check->out_x > labels->slack_x) ||
                        (labels->slack_y > 0 && check->out_y > labels->slack_y);
    if (!is_out)
        return GN_OK;
    labels->n_clipped++;
    return note(labels, line, "the box reaches outside the picture; cut off there");
}

static bool is_blank(const char *s, const char *end)
{
    while (s < end && isspace((unsigned char)*s))
        s++;
    return s == end;
}

gn_status gn_labels_parse(const char *text, size_t n, int n_classes, gn_labels *labels)
{
    if (n > GN_LABEL_MAX_BYTES)
        return GN_ELIMIT;
    const char *end = text + n;
    int64_t line = 1;
    for (const char *s = text; s < end; line++) {
        const char *eol = memchr(s, '\n', (size_t)(end - s));
        const char *stop = eol != NULL ? eol : end;
        line_check check = {.is_bad = false};
        int32_t cls = 0;
        gn_box box = {0};
        const bool blank = is_blank(s, stop);
        const bool good = !blank && parse_line(s, stop, n_classes, &check, &cls, &box);
        if (good && labels->n >= GN_LABEL_MAX_BOXES) {
            labels->n_bad_lines++;
            return note(labels, line, "more than 10000 boxes; the rest of the file is not read");
        }
        if (good) {
            GN_TRY(add(labels, cls, &box));
            GN_TRY(note_clipped(labels, line, &check));
        }
        if (check.is_bad) {
            labels->n_bad_lines++;
            GN_TRY(note(labels, line, check.message));
        }
        s = eol != NULL ? eol + 1 : end;
    }
    return GN_OK;
}
