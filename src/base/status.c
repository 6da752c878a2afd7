/* Status names and the error record about the input; the bottom of everything, used by every other folder.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct status_entry {
    gn_status code;
    const char *name;
    const char *sentence;
} status_entry;

static const status_entry status_table[] = {
#define GN_STATUS(code, name, sentence) {GN_##name, #name, sentence},
#include "base/status.def"
#undef GN_STATUS
};

static const status_entry *status_find(gn_status status)
{
    for (size_t i = 0; i < sizeof status_table / sizeof status_table[0]; i++)
        if (status_table[i].code == status)
            return &status_table[i];
    return NULL;
}

const char *gn_status_name(gn_status status)
{
    const status_entry *entry = status_find(status);
    return entry ? entry->name : "?";
}

const char *gn_status_sentence(gn_status status)
{
    const status_entry *entry = status_find(status);
    return entry ? entry->sentence : "?";
}

/* A long path keeps its end, which tells more than its beginning. */
static void set_file(gn_error *err, const char *file)
{
    const size_t len = file ? strlen(file) : 0;
    const size_t room = sizeof err->file - 1;
    if (len <= room)
        memcpy(err->file, file ? file : "", len + 1);
    else
        snprintf(err->file, sizeof err->file, "...%s", file + (len - (room - 3)));
}

__attribute__((format(printf, 6, 0))) static gn_status fill(gn_error *err, gn_status status, const char *file,
                                                            int64_t line, int64_t offset, const char *fmt, va_list args)
{
    if (!err)
        return status;
    /* Formatted aside first: an argument may point into the record itself. */
    char message[sizeof err->message];
    char name[sizeof err->file + 8];
    vsnprintf(message, sizeof message, fmt, args);
    if (file == err->file) {
        memcpy(name, err->file, sizeof err->file);
        file = name;
    }
    err->status = status;
    memcpy(err->message, message, sizeof message);
    set_file(err, file);
    err->line = line;
    err->column = 0;
    err->offset = offset;
    return status;
}

gn_status gn_fail(gn_error *err, gn_status status, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fill(err, status, NULL, 0, -1, fmt, args);
    va_end(args);
    return status;
}

gn_status gn_fail_at(gn_error *err, gn_status status, const char *file, int64_t line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fill(err, status, file, line, -1, fmt, args);
    va_end(args);
    return status;
}

gn_status gn_fail_mark(gn_error *err, gn_status status, const char *file, int64_t line, int64_t column, const char *fmt,
                       ...)
{
    va_list args;
    va_start(args, fmt);
    fill(err, status, file, line, -1, fmt, args);
    va_end(args);
    if (err)
        err->column = column;
    return status;
}

gn_status gn_fail_offset(gn_error *err, gn_status status, const char *file, int64_t offset, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fill(err, status, file, 0, offset, fmt, args);
    va_end(args);
    return status;
}

void gn_error_prefix(gn_error *err, const char *fmt, ...)
{
    if (!err)
        return;
    char text[sizeof err->message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    const size_t len = strlen(text);
    if (len + 2 >= sizeof text) {
        memcpy(err->message, text, sizeof text);
        return;
    }
    snprintf(text + len, sizeof text - len, ": %s", err->message);
    memcpy(err->message, text, sizeof text);
}

void gn_error_clear(gn_error *err)
{
    if (!err)
        return;
    memset(err, 0, sizeof *err);
    err->offset = -1;
}

void gn_error_line(const gn_error *err, char *dst, size_t dst_bytes)
{
    if (dst_bytes == 0)
        return;
    const char *message = err->message[0] ? err->message : gn_status_sentence(err->status);
    if (!err->file[0])
        snprintf(dst, dst_bytes, "%s", message);
    else if (err->line > 0 && err->column > 0)
        snprintf(dst, dst_bytes, "%s:%" PRId64 ":%" PRId64 ": %s", err->file, err->line, err->column, message);
    else if (err->line > 0)
        snprintf(dst, dst_bytes, "%s:%" PRId64 ": %s", err->file, err->line, message);
    else if (err->offset >= 0)
        snprintf(dst, dst_bytes, "%s: at byte %" PRId64 ": %s", err->file, err->offset, message);
    else
        snprintf(dst, dst_bytes, "%s: %s", err->file, message);
}

/* The one place that ends the process: the state is known to be wrong, so nothing after it could be trusted. */
void gn_assert_failed(const char *condition, const char *file, int line)
{
    char text[512];
    const int n =
        snprintf(text, sizeof text, "gannet: internal error: %s:%d: %s does not hold\n", file, line, condition);
    if (n > 0) {
        const size_t len = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
        const ssize_t written = write(STDERR_FILENO, text, len);
        (void)written;
    }
    abort();
}
