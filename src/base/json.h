/* A read-only JSON tree, parsed into an arena: what one process of ours tells another, and what the study holds as text.
 * Writing JSON is gn_text_add_json's business.  Source: RFC 8259.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_BASE_JSON_H
#define GN_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"
#include "base/status.h"

/* Nesting and number of values that are read; more is GN_ELIMIT. */
#define GN_JSON_MAX_DEPTH  32
#define GN_JSON_MAX_VALUES 1000000

typedef enum gn_json_kind {
    GN_JSON_NULL = 0,
    GN_JSON_BOOL,
    GN_JSON_NUMBER,
    GN_JSON_STRING,
    GN_JSON_ARRAY,
    GN_JSON_OBJECT,
} gn_json_kind;

/* One value.  Members of an object and items of an array hang on `first` and go on through `next`, in the order of the text. */
typedef struct gn_json {
    gn_json_kind kind;
    const char *key; /* of a member; NULL otherwise */
    const char
        *text; /* of a string: UTF-8, NUL-terminated (an escaped NUL ends it); of a number: as written; "" otherwise */
    double number; /* of a number; 1 for true; 0 otherwise */
    struct gn_json *first;
    struct gn_json *next;
} gn_json;

/* Parse exactly one value with nothing but white space around it.  Everything lives in `arena`.
 * GN_EFORMAT with the byte offset, GN_ELIMIT, GN_ENOMEM. */
gn_status gn_json_parse(const char *text, size_t bytes, gn_arena *arena, const gn_json **root_out, gn_error *err);

/* Member by name; NULL when `object` is NULL, no object, or has none of this name. */
const gn_json *gn_json_member(const gn_json *object, const char *name);
/* Value under a path of names, e.g. "latency_ms.p90"; NULL when there is none. */
const gn_json *gn_json_at(const gn_json *root, const char *path);
/* The number (true counts as 1, false as 0) or string under a path; false, and *out untouched, when it is absent or of another kind. */
bool gn_json_number(const gn_json *root, const char *path, double *out);
bool gn_json_string(const gn_json *root, const char *path, const char **out);

#endif
