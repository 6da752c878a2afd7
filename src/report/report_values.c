/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report_values.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- scalars --------------------------------------------------------------------------------------------------------- */

void gn_report_add_string(gn_text *out, const char *s)
{
    const size_t from = out->len;
    gn_text_add_json(out, s);
    if (out->failed || memchr(out->data + from, '<', out->len - from) == NULL)
        return;
    char *quoted = gn_strdup(out->data + from);
    if (quoted == NULL) {
        out->failed = true;
        return;
    }
    out->len = from;
    for (const char *p = quoted; *p != '\0'; p++) {
        if (*p == '<')
            gn_text_add(out, "\\u003c");
        else
            gn_text_add_bytes(out, p, 1);
    }
    gn_free(quoted);
}

/* The password of an address that begins at s (just behind "://"): *from is its first byte; its length, 0 without one. */
static size_t password_at(const char *s, const char **from)
{
    const size_t authority = strcspn(s, "/?# \t\"'");
    const char *at = NULL;
    for (size_t i = 0; i < authority; i++)
        if (s[i] == '@')
            at = s + i;
    const char *colon = at != NULL ? memchr(s, ':', (size_t)(at - s)) : NULL;
    if (colon == NULL)
        return 0;
    *from = colon + 1;
    return (size_t)(at - colon - 1);
}

void gn_report_add_public(gn_text *out, const char *s)
{
    gn_text text;
    gn_text_init(&text);
    const char *rest = s;
    for (const char *mark; (mark = strstr(rest, "://")) != NULL;) {
        const char *password = mark + 3;
        const size_t n = password_at(mark + 3, &password);
        gn_text_add_bytes(&text, rest, (size_t)(password - rest));
        gn_text_add(&text, n > 0 ? "***" : "");
        rest = password + n;
    }
    gn_text_add(&text, rest);
    if (text.failed)
        out->failed = true;
    else
        gn_report_add_string(out, text.data);
    gn_text_deinit(&text);
}

void gn_report_add_number(gn_text *out, double x, int digits)
{
    char text[40];
    if (!isfinite(x)) {
        gn_text_add(out, "null");
        return;
    }
    /* %g drops trailing zeros, so 0.5 stays short whatever `digits` is. */
    snprintf(text, sizeof text, "%.*g", digits, x);
    gn_text_add(out, strcmp(text, "-0") == 0 ? "0" : text);
}

void gn_report_add_base64(gn_text *out, const unsigned char *data, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char quad[4];
    for (size_t i = 0; i < n; i += 3) {
        const uint32_t b =
            (uint32_t)data[i] << 16 | (i + 1 < n ? (uint32_t)data[i + 1] << 8 : 0) | (i + 2 < n ? data[i + 2] : 0);
        quad[0] = digits[b >> 18];
        quad[1] = digits[b >> 12 & 63];
        quad[2] = i + 1 < n ? digits[b >> 6 & 63] : '=';
        quad[3] = i + 2 < n ? digits[b & 63] : '=';
        gn_text_add_bytes(out, quad, 4);
    }
}

void gn_report_add_key(gn_text *out, const char *key, bool *is_first)
{
    gn_text_add(out, *is_first ? "" : ",");
    *is_first = false;
    gn_report_add_string(out, key);
    gn_text_add(out, ":");
}

void gn_report_put_string(gn_text *out, const char *key, const char *s, bool *is_first)
{
    gn_report_add_key(out, key, is_first);
    gn_report_add_string(out, s);
}

/* --- columns --------------------------------------------------------------------------------------------------------- */

static uint64_t hash_of(const char *s)
{
    uint64_t hash = 1469598103934665603u; /* FNV-1a */
    for (; *s != '\0'; s++)
        hash = (hash ^ (unsigned char)*s) * 1099511628211u;
    return hash;
}

/* number_out[i]: of the i-th string among the distinct ones; -1 for NULL.  slots: a table of 2^bits numbers, all -1. */
static size_t number_strings(const char *const *strings, size_t n, int64_t *slot, size_t n_slots, const char **distinct,
                             int64_t *number_out)
{
    size_t n_distinct = 0;
    for (size_t i = 0; i < n; i++) {
        if (strings[i] == NULL) {
            number_out[i] = -1;
            continue;
        }
        size_t at = (size_t)hash_of(strings[i]) & (n_slots - 1);
        while (slot[at] >= 0 && strcmp(distinct[slot[at]], strings[i]) != 0)
            at = (at + 1) & (n_slots - 1);
        if (slot[at] < 0) {
            distinct[n_distinct] = strings[i];
            slot[at] = (int64_t)n_distinct++;
        }
        number_out[i] = slot[at];
    }
    return n_distinct;
}

void gn_report_add_dictionary(gn_text *out, const char *const *strings, size_t n)
{
    size_t n_slots = 16;
    while (n_slots < n * 2)
        n_slots *= 2;
    gn_arena *arena = gn_arena_create(0);
    int64_t *slot = arena != NULL ? gn_arena_alloc(arena, n_slots * sizeof *slot) : NULL;
    int64_t *number = arena != NULL ? gn_arena_alloc(arena, (n + 1) * sizeof *number) : NULL;
    const char **distinct = arena != NULL ? gn_arena_alloc(arena, (n + 1) * sizeof *distinct) : NULL;
    if (slot == NULL || number == NULL || distinct == NULL) {
        out->failed = true;
        gn_arena_destroy(&arena);
        return;
    }
    for (size_t i = 0; i < n_slots; i++)
        slot[i] = -1;
    const size_t n_distinct = number_strings(strings, n, slot, n_slots, distinct, number);
    gn_text_add(out, "{\"values\":[");
    for (size_t i = 0; i < n_distinct; i++) {
        gn_text_add(out, i > 0 ? "," : "");
        gn_report_add_string(out, distinct[i]);
    }
    gn_text_add(out, "],\"index\":[");
    for (size_t i = 0; i < n; i++)
        gn_text_printf(out, "%s%" PRId64, i > 0 ? "," : "", number[i]);
    gn_text_add(out, "]}");
    gn_arena_destroy(&arena);
}

/* The field as a number; -1 and NaN say that there is none. */
static double number_in(const gn_report_column *column, const char *field)
{
    double real = NAN;
    int64_t whole = 0;
    int small = 0;
    switch (column->kind) {
    case GN_COLUMN_INT:
        memcpy(&small, field, sizeof small);
        return small;
    case GN_COLUMN_INT64:
        memcpy(&whole, field, sizeof whole);
        return (double)whole;
    case GN_COLUMN_BOOL:
        return *(const bool *)field ? 1 : 0;
    case GN_COLUMN_REAL:
        memcpy(&real, field, sizeof real);
        return real;
    case GN_COLUMN_TEXT:
        break;
    }
    return NAN;
}

static bool is_absent(const gn_report_column *column, double x)
{
    return column->kind == GN_COLUMN_REAL ? !isfinite(x) : x == -1;
}

static void add_texts(gn_text *out, const gn_report_column *column, const char *field, size_t n, size_t stride)
{
    const char **strings = gn_alloc((n + 1) * sizeof *strings);
    if (strings == NULL) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++)
        memcpy(&strings[i], field + i * stride, sizeof strings[i]);
    gn_report_add_key(out, column->name, &(bool){true});
    gn_report_add_dictionary(out, strings, n);
    gn_free(strings);
}

void gn_report_add_column(gn_text *out, const gn_report_column *column, const void *rows, size_t n, size_t stride,
                          bool *is_first)
{
    const char *field = (const char *)rows + column->offset;
    size_t n_there = 0;
    for (size_t i = 0; i < n && column->kind != GN_COLUMN_TEXT; i++)
        n_there += !is_absent(column, number_in(column, field + i * stride));
    if (column->kind != GN_COLUMN_TEXT && n_there == 0)
        return;
    if (!*is_first)
        gn_text_add(out, ",");
    *is_first = false;
    if (column->kind == GN_COLUMN_TEXT) {
        add_texts(out, column, field, n, stride);
        return;
    }
    gn_report_add_key(out, column->name, &(bool){true});
    for (size_t i = 0; i < n; i++) {
        const double x = number_in(column, field + i * stride);
        gn_text_add(out, i > 0 ? "," : "[");
        gn_report_add_number(out, is_absent(column, x) ? NAN : x, column->kind == GN_COLUMN_REAL ? column->digits : 17);
    }
    gn_text_add(out, "]");
}
