/* Reads JSON piece by piece, so that a file of any size takes a fixed amount of memory: the caller walks through objects and arrays,
 * takes what it knows and skips the rest.  The first failure stays: later calls do nothing and answer "no more", and
 * gn_pull_status tells at the end.
 * Source: RFC 8259; besides, NaN, Infinity and -Infinity are numbers, because Python's json writes them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DATA_JSON_PULL_H
#define GN_DATA_JSON_PULL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Nesting, and bytes of a string or key that is taken (skipped ones may be of any length). */
#define GN_PULL_MAX_DEPTH  64
#define GN_PULL_MAX_STRING 65535

typedef enum gn_pull_kind {
    GN_PULL_NONE = 0, /* after a failure */
    GN_PULL_NULL,
    GN_PULL_BOOL,
    GN_PULL_NUMBER,
    GN_PULL_STRING,
    GN_PULL_ARRAY,
    GN_PULL_OBJECT,
} gn_pull_kind;

typedef struct gn_json_pull gn_json_pull;

/* path: read in pieces while it is walked through.  err: filled by the first failure, may be NULL, must outlive the reader.
 * GN_ENOENT, GN_EIO, GN_ENOMEM. */
gn_status gn_pull_open(const char *path, gn_json_pull **pull_out, gn_error *err);
/* bytes: [n], must outlive the reader; name: for messages, copied. */
gn_status gn_pull_open_memory(const char *bytes, size_t n, const char *name, gn_json_pull **pull_out, gn_error *err);
void gn_pull_close(gn_json_pull **pull);

/* GN_OK so far, or what stopped the reading: GN_EFORMAT with the byte, GN_ELIMIT, GN_EIO, GN_ENOMEM. */
gn_status gn_pull_status(const gn_json_pull *pull);
int64_t gn_pull_line(const gn_json_pull *pull); /* 1-based, of the last byte taken */

/* Kind of the value ahead; it is not taken. */
gn_pull_kind gn_pull_peek(gn_json_pull *pull);
/* Goes into the object or array ahead; a value of another kind is a failure. */
void gn_pull_enter(gn_json_pull *pull, gn_pull_kind kind);
/* Whether the object or array holds another member or item, whose value is then ahead; at its end it is left. */
bool gn_pull_more(gn_json_pull *pull);
/* Key of the member that gn_pull_more found; valid until the next call. */
const char *gn_pull_key(const gn_json_pull *pull);

/* Takes the value ahead when it is of the kind asked for; any other one is skipped, and false tells. */
bool gn_pull_number(gn_json_pull *pull, double *out);
bool gn_pull_i64(gn_json_pull *pull, int64_t *out); /* a whole number, also as text "7" or 7.0 */
bool gn_pull_bool(gn_json_pull *pull, bool *out);   /* numbers too: not 0 */
bool gn_pull_string(gn_json_pull *pull,
                    const char **out); /* UTF-8, valid until the next call; an escaped NUL ends it */
void gn_pull_skip(gn_json_pull *pull);

/* After the top value: anything but white space is a failure.  Returns gn_pull_status. */
gn_status gn_pull_end(gn_json_pull *pull);

#endif
