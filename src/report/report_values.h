/* Values of the page's JSON: strings that are safe inside a script element, short numbers, columns, base64.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_REPORT_REPORT_VALUES_H
#define GN_REPORT_REPORT_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/text.h"

/* A string in quotes, '<' as \u003c, so that no text ends the script element or opens a comment in it. */
void gn_report_add_string(gn_text *out, const char *s);
/* The same, with the passwords of addresses (scheme://user:password@host) left out. */
void gn_report_add_public(gn_text *out, const char *s);
/* The shortest decimal that is x to `digits` (1..17) significant digits; null for NaN and Inf. */
void gn_report_add_number(gn_text *out, double x, int digits);
void gn_report_add_base64(gn_text *out, const unsigned char *data, size_t n);

/* Members of an object: writes `,` unless *is_first, and the key. */
void gn_report_add_key(gn_text *out, const char *key, bool *is_first);
void gn_report_put_string(gn_text *out, const char *key, const char *s, bool *is_first);

/* --- columns ---------------------------------------------------------------------------------------------------------
 * A table is written as one array per column, which is a third of the size of an array of objects.  A column of a field with the
 * same offset in each of n structs that lie `stride` bytes apart. */
typedef struct gn_report_column {
    const char *name;
    size_t offset;
    enum { GN_COLUMN_INT, GN_COLUMN_INT64, GN_COLUMN_BOOL, GN_COLUMN_REAL, GN_COLUMN_TEXT } kind;
    int digits; /* REAL: significant digits */
} gn_report_column;

/* "name":[...].  A column of nothing but NaN or -1 is left out.  TEXT becomes {"values":[...],"index":[...]}: each distinct string
 * once, in the order of appearance.  GN_ENOMEM shows as out->failed. */
void gn_report_add_column(gn_text *out, const gn_report_column *column, const void *rows, size_t n, size_t stride,
                          bool *is_first);
/* {"values":[...],"index":[...]} of n strings; NULL: index -1. */
void gn_report_add_dictionary(gn_text *out, const char *const *strings, size_t n);

#endif
