/* A growing byte string, and small helpers on C strings.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_BASE_TEXT_H
#define GN_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* data: always NUL-terminated once anything was appended; len excludes the NUL.  A failed append sets `failed` and later
 * appends do nothing, so that a writer checks once at the end. */
typedef struct gn_text {
    char *data;
    size_t len;
    size_t capacity;
    bool failed;
} gn_text;

void gn_text_init(gn_text *t);
void gn_text_deinit(gn_text *t);
void gn_text_add(gn_text *t, const char *s);
void gn_text_add_bytes(gn_text *t, const void *bytes, size_t n);
void gn_text_printf(gn_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "s" in JSON quotes with escapes; invalid UTF-8 becomes U+FFFD. */
void gn_text_add_json(gn_text *t, const char *s);

bool gn_has_suffix(const char *s, const char *suffix);
bool gn_has_prefix(const char *s, const char *prefix);
/* Whole-string numbers: false on anything left over, on overflow, and (for floats) on NaN or Inf. */
bool gn_parse_i64(const char *s, int64_t *out);
bool gn_parse_f64(const char *s, double *out);
/* "1.2 MB", "3.4 GB": decimal units.  dst holds at least 32 bytes. */
void gn_format_bytes(uint64_t bytes, char *dst);
/* "1:02:03" or "12.3 s".  dst holds at least 32 bytes. */
void gn_format_seconds(double seconds, char *dst);
/* Levenshtein distance, for "did you mean". */
size_t gn_edit_distance(const char *a, const char *b);
/* The candidate nearest to `word`, or NULL when none is near (distance > 1 + length/3). */
const char *gn_nearest(const char *word, const char *const *candidates, size_t n);

#endif
