/* Status codes of every fallible function, and the error record about the *input* that goes with them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_BASE_STATUS_H
#define GN_BASE_STATUS_H

#include <stddef.h>
#include <stdint.h>

typedef enum gn_status {
#define GN_STATUS(code, name, sentence) GN_##name = code,
#include "base/status.def"
#undef GN_STATUS
} gn_status;

/* What went wrong, about the input: which file, which line or byte offset, what was found and expected.
 * file: empty when no file is concerned; line, column: 1-based, 0 when unknown; offset: bytes, -1 when unknown. */
typedef struct gn_error {
    gn_status status;
    char message[512];
    char file[256];
    int64_t line;
    int64_t column;
    int64_t offset;
} gn_error;

/* Name ("EFORMAT") and sentence of a status.  Static storage; "?" for an unknown code. */
const char *gn_status_name(gn_status status);
const char *gn_status_sentence(gn_status status);

/* Fill `err` (may be NULL) and return `status`.  The message is cut at the record's size. */
gn_status gn_fail(gn_error *err, gn_status status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* As gn_fail, naming a file and a 1-based line (0: unknown). */
gn_status gn_fail_at(gn_error *err, gn_status status, const char *file, int64_t line, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* As gn_fail_at, with the 1-based column of the line too (0: unknown). */
gn_status gn_fail_mark(gn_error *err, gn_status status, const char *file, int64_t line, int64_t column, const char *fmt,
                       ...) __attribute__((format(printf, 6, 7)));
/* As gn_fail, naming a file and a byte offset (-1: unknown). */
gn_status gn_fail_offset(gn_error *err, gn_status status, const char *file, int64_t offset, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* Put "what: " before the message already in `err`, so that callers add what they were doing. */
void gn_error_prefix(gn_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Forget what `err` holds. */
void gn_error_clear(gn_error *err);
/* One line for a person: "file:line:column: message" with the parts that are known.  Always ends in NUL. */
void gn_error_line(const gn_error *err, char *dst, size_t dst_bytes);

/* Forward a failure to the caller. */
#define GN_TRY(expr)                                                                                                   \
    do {                                                                                                               \
        gn_status gn_try_status_ = (expr);                                                                             \
        if (gn_try_status_ != GN_OK)                                                                                   \
            return gn_try_status_;                                                                                     \
    } while (0)

/* Our own bugs only, never bad input.  On in all builds but the edge runtime's release. */
void gn_assert_failed(const char *condition, const char *file, int line);
#ifdef GN_NO_ASSERT
#define GN_ASSERT(cond) ((void)0)
#else
#define GN_ASSERT(cond) ((cond) ? (void)0 : gn_assert_failed(#cond, __FILE__, __LINE__))
#endif

#endif
