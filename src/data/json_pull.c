/* The piecewise JSON reader; see json_pull.h.  One byte is looked at ahead; a piece of the file is refilled when it is used up.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/json_pull.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#define PIECE_BYTES  ((size_t)256 << 10)
#define NUMBER_BYTES 512 /* a longer number is refused */
#define END          (-1)

struct gn_json_pull {
    int fd; /* -1: memory */
    char *name;
    char *piece; /* owned, of a file */
    const char *at, *stop;
    int64_t read_bytes; /* up to `stop` */
    int64_t line;
    gn_status status;
    gn_error *err;
    char stack[GN_PULL_MAX_DEPTH]; /* '{' or '[' */
    bool is_first[GN_PULL_MAX_DEPTH];
    int depth;
    char *text; /* owned: the string taken last */
    size_t text_bytes, text_capacity;
};

/* --- bytes ---------------------------------------------------------------------------------------------------------- */

static int64_t offset_of(const gn_json_pull *p)
{
    return p->read_bytes - (p->stop - p->at);
}

__attribute__((format(printf, 3, 4))) static void fail(gn_json_pull *p, gn_status status, const char *fmt, ...)
{
    if (p->status != GN_OK)
        return;
    char message[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    p->status = gn_fail_offset(p->err, status, p->name, offset_of(p), "%s", message);
}

static bool refill(gn_json_pull *p)
{
    if (p->fd < 0 || p->status != GN_OK)
        return false;
    ssize_t got;
    do
        got = read(p->fd, p->piece, PIECE_BYTES);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        fail(p, GN_EIO, "cannot be read: %s", strerror(errno));
    if (got <= 0)
        return false;
    p->at = p->piece;
    p->stop = p->piece + got;
    p->read_bytes += got;
    return true;
}

/* The byte ahead, or END. */
static int peek(gn_json_pull *p)
{
    if (p->at == p->stop && !refill(p))
        return END;
    return (unsigned char)*p->at;
}

static int take(gn_json_pull *p)
{
    const int c = peek(p);
    if (c != END)
        p->at++;
    return c;
}

/* The first byte that is no white space, not taken. */
static int skip_space(gn_json_pull *p)
{
    for (;;) {
        const int c = peek(p);
        if (c == '\n')
            p->line++;
        else if (c != ' ' && c != '\t' && c != '\r')
            return c;
        p->at++;
    }
}

static void fail_at_byte(gn_json_pull *p, int c, const char *expected)
{
    if (c == END)
        fail(p, GN_EFORMAT, "the JSON ends here, where %s is expected; is the file complete?", expected);
    else if (c > 0x20 && c < 0x7f)
        fail(p, GN_EFORMAT, "found '%c' in the JSON of line %lld, expected %s", c, (long long)p->line, expected);
    else
        fail(p, GN_EFORMAT, "found byte 0x%02x in the JSON of line %lld, expected %s", (unsigned)c, (long long)p->line,
             expected);
}

/* --- opening -------------------------------------------------------------------------------------------------------- */

static gn_json_pull *create(const char *name, gn_error *err)
{
    gn_json_pull *p = gn_calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->fd = -1;
    p->line = 1;
    p->err = err;
    p->name = gn_strdup(name);
    if (p->name == NULL)
        gn_pull_close(&p);
    return p;
}

gn_status gn_pull_open(const char *path, gn_json_pull **pull_out, gn_error *err)
{
    gn_json_pull *p = create(path, err);
    if (p != NULL)
        p->piece = gn_alloc(PIECE_BYTES);
    gn_status status = GN_OK;
    if (p == NULL || p->piece == NULL)
        status = gn_fail(err, GN_ENOMEM, "out of memory reading %s", path);
    else if (gn_path_is_dir(path))
        status = gn_fail_at(err, GN_EIO, path, 0, "this is a folder, not a JSON file");
    else if ((p->fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        status =
            gn_fail_at(err, errno == ENOENT ? GN_ENOENT : GN_EIO, path, 0, "cannot be opened: %s", strerror(errno));
    if (status != GN_OK) {
        gn_pull_close(&p);
        return status;
    }
    *pull_out = p;
    return GN_OK;
}

gn_status gn_pull_open_memory(const char *bytes, size_t n, const char *name, gn_json_pull **pull_out, gn_error *err)
{
    gn_json_pull *p = create(name, err);
    if (p == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory reading %s", name);
    p->at = bytes;
    p->stop = bytes + n;
    p->read_bytes = (int64_t)n;
    *pull_out = p;
    return GN_OK;
}

void gn_pull_close(gn_json_pull **pull)
{
    if (pull == NULL || *pull == NULL)
        return;
    gn_json_pull *p = *pull;
    if (p->fd >= 0)
        close(p->fd);
    gn_free(p->name);
    gn_free(p->piece);
    gn_free(p->text);
    gn_free(p);
    *pull = NULL;
}

gn_status gn_pull_status(const gn_json_pull *pull)
{
    return pull->status;
}

int64_t gn_pull_line(const gn_json_pull *pull)
{
    return pull->line;
}

/* --- strings -------------------------------------------------------------------------------------------------------- */

static void keep(gn_json_pull *p, const char *bytes, size_t n)
{
    if (p->text_bytes + n > GN_PULL_MAX_STRING) {
        fail(p, GN_ELIMIT, "a text of more than %d bytes", GN_PULL_MAX_STRING);
        return;
    }
    if (gn_grow(&p->text, &p->text_capacity, p->text_bytes + n + 1, 1) != GN_OK) {
        fail(p, GN_ENOMEM, "out of memory for a text");
        return;
    }
    memcpy(p->text + p->text_bytes, bytes, n);
    p->text_bytes += n;
    p->text[p->text_bytes] = '\0';
}

/* Four hexadecimal digits; -1 after a failure. */
static int take_hex(gn_json_pull *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        const int c = peek(p);
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) {
            fail_at_byte(p, c, "four hexadecimal digits after \\u");
            return -1;
        }
        p->at++;
        value = 16 * value + digit;
    }
    return value;
}

static size_t utf8_of(uint32_t code, char dst[4])
{
    if (code < 0x80) {
        dst[0] = (char)code;
        return 1;
    }
    const int tail = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned lead[] = {0, 0xc0, 0xe0, 0xf0};
    for (int i = tail; i > 0; i--) {
        dst[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    dst[0] = (char)(lead[tail] | code);
    return (size_t)tail + 1;
}

/* \uXXXX, where a high surrogate goes with a following low one; a lone one becomes U+FFFD. */
static void take_unicode(gn_json_pull *p, bool keeps)
{
    int code = take_hex(p);
    if (code < 0)
        return;
    uint32_t point = (uint32_t)code;
    if (code >= 0xd800 && code < 0xdc00) {
        point = 0xfffd;
        if (peek(p) == '\\') {
            p->at++;
            if (peek(p) != 'u') {
                fail_at_byte(p, peek(p), "the second half of a surrogate pair");
                return;
            }
            p->at++;
            const int low = take_hex(p);
            if (low >= 0xdc00 && low < 0xe000)
                point = 0x10000 + (((uint32_t)code - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
        }
    } else if (code >= 0xdc00 && code < 0xe000) {
        point = 0xfffd;
    }
    char bytes[4];
    const size_t n = utf8_of(point, bytes);
    if (keeps)
        keep(p, bytes, n);
}

static void take_escape(gn_json_pull *p, bool keeps)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const int c = take(p);
    const char *found = c != END && c != 0 ? strchr(from, c) : NULL;
    if (c == 'u')
        take_unicode(p, keeps);
    else if (found == NULL)
        fail_at_byte(p, c, "one of \"\\/bfnrtu after a backslash");
    else if (keeps)
        keep(p, &to[found - from], 1);
}

/* The rest of a string whose opening quote was taken. */
static void take_string(gn_json_pull *p, bool keeps)
{
    p->text_bytes = 0;
    if (keeps)
        keep(p, "", 0);
    while (p->status == GN_OK) {
        if (peek(p) == END) {
            fail_at_byte(p, END, "the end of a text");
            return;
        }
        const char *from = p->at;
        while (p->at < p->stop && *p->at != '"' && *p->at != '\\' && (unsigned char)*p->at >= 0x20)
            p->at++;
        if (keeps && p->at > from)
            keep(p, from, (size_t)(p->at - from));
        if (p->at == p->stop)
            continue;
        if (*p->at == '"') {
            p->at++;
            return;
        }
        if (*p->at == '\\') {
            p->at++;
            take_escape(p, keeps);
        } else {
            fail_at_byte(p, (unsigned char)*p->at, "the rest of a text");
        }
    }
}

/* --- scalars -------------------------------------------------------------------------------------------------------- */

static void take_word(gn_json_pull *p, const char *word)
{
    for (const char *w = word; *w != '\0' && p->status == GN_OK; w++) {
        const int c = peek(p);
        if (c != *w)
            fail_at_byte(p, c, word);
        else
            p->at++;
    }
}

static size_t take_digits(gn_json_pull *p, char *dst, size_t used)
{
    const size_t before = used;
    for (int c = peek(p); c >= '0' && c <= '9'; c = peek(p)) {
        if (used + 8 > NUMBER_BYTES) {
            fail(p, GN_ELIMIT, "a number of more than %d digits", NUMBER_BYTES - 8);
            return used;
        }
        dst[used++] = (char)c;
        p->at++;
    }
    if (used == before)
        fail_at_byte(p, peek(p), "a digit");
    return used;
}

/* The number's text; NUL-terminated.  "nan" and "inf" as strtod knows them. */
static void take_number(gn_json_pull *p, char text[NUMBER_BYTES])
{
    size_t n = 0;
    if (peek(p) == '-') {
        text[n++] = '-';
        p->at++;
    }
    const int c = peek(p);
    if (c == 'N' || c == 'I') {
        take_word(p, c == 'N' ? "NaN" : "Infinity");
        memcpy(text + n, c == 'N' ? "nan" : "inf", 4);
        return;
    }
    n = take_digits(p, text, n);
    if (peek(p) == '.') {
        text[n++] = '.';
        p->at++;
        n = take_digits(p, text, n);
    }
    if (peek(p) == 'e' || peek(p) == 'E') {
        text[n++] = 'e';
        p->at++;
        if (peek(p) == '+' || peek(p) == '-')
            text[n++] = (char)take(p);
        n = take_digits(p, text, n);
    }
    text[n] = '\0';
}

/* strtod, with a short way for what most numbers are: digits that fit a double and a power of ten that is one, whose quotient is
 * rounded once and therefore exactly as strtod does it. */
static double value_of(const char *text)
{
    static const double ten[] = {1e0, 1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7, 1e8,
                                 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16};
    int64_t digits = 0;
    int n = 0, behind = 0;
    bool has_point = false;
    const char *s = text + (*text == '-');
    for (; (*s >= '0' && *s <= '9') || (*s == '.' && !has_point); s++) {
        if (*s == '.') {
            has_point = true;
            continue;
        }
        if (++n > 15)
            return strtod(text, NULL);
        digits = 10 * digits + (*s - '0');
        behind += has_point;
    }
    if (*s != '\0' || n == 0)
        return strtod(text, NULL);
    const double value = (double)digits / ten[behind];
    return *text == '-' ? -value : value;
}

gn_pull_kind gn_pull_peek(gn_json_pull *p)
{
    if (p->status != GN_OK)
        return GN_PULL_NONE;
    const int c = skip_space(p);
    switch (c) {
    case '{':
        return GN_PULL_OBJECT;
    case '[':
        return GN_PULL_ARRAY;
    case '"':
        return GN_PULL_STRING;
    case 't':
    case 'f':
        return GN_PULL_BOOL;
    case 'n':
        return GN_PULL_NULL;
    default:
        if (c == '-' || c == 'N' || c == 'I' || (c >= '0' && c <= '9'))
            return GN_PULL_NUMBER;
        fail_at_byte(p, c, "a value");
        return GN_PULL_NONE;
    }
}

bool gn_pull_number(gn_json_pull *p, double *out)
{
    char text[NUMBER_BYTES];
    if (gn_pull_peek(p) != GN_PULL_NUMBER) {
        gn_pull_skip(p);
        return false;
    }
    take_number(p, text);
    if (p->status != GN_OK)
        return false;
    *out = value_of(text);
    return true;
}

bool gn_pull_i64(gn_json_pull *p, int64_t *out)
{
    char text[NUMBER_BYTES];
    const gn_pull_kind kind = gn_pull_peek(p);
    if (kind == GN_PULL_STRING) {
        const char *s;
        return gn_pull_string(p, &s) && gn_parse_i64(s, out);
    }
    if (kind != GN_PULL_NUMBER) {
        gn_pull_skip(p);
        return false;
    }
    take_number(p, text);
    if (p->status != GN_OK || gn_parse_i64(text, out))
        return p->status == GN_OK;
    const double value = value_of(text);
    if (!(fabs(value) < 9e15) || value != floor(value))
        return false;
    *out = (int64_t)value;
    return true;
}

bool gn_pull_bool(gn_json_pull *p, bool *out)
{
    double number;
    if (gn_pull_peek(p) == GN_PULL_NUMBER) {
        const bool ok = gn_pull_number(p, &number);
        if (ok)
            *out = number != 0;
        return ok;
    }
    if (gn_pull_peek(p) != GN_PULL_BOOL) {
        gn_pull_skip(p);
        return false;
    }
    const bool value = peek(p) == 't';
    take_word(p, value ? "true" : "false");
    if (p->status == GN_OK)
        *out = value;
    return p->status == GN_OK;
}

bool gn_pull_string(gn_json_pull *p, const char **out)
{
    if (gn_pull_peek(p) != GN_PULL_STRING) {
        gn_pull_skip(p);
        return false;
    }
    p->at++;
    take_string(p, true);
    if (p->status == GN_OK)
        *out = p->text;
    return p->status == GN_OK;
}

/* --- structure ------------------------------------------------------------------------------------------------------ */

void gn_pull_enter(gn_json_pull *p, gn_pull_kind kind)
{
    GN_ASSERT(kind == GN_PULL_OBJECT || kind == GN_PULL_ARRAY);
    const int c = p->status == GN_OK ? skip_space(p) : END;
    if (p->status != GN_OK)
        return;
    if (c != (kind == GN_PULL_OBJECT ? '{' : '[')) {
        fail_at_byte(p, c, kind == GN_PULL_OBJECT ? "an object" : "an array");
        return;
    }
    if (p->depth >= GN_PULL_MAX_DEPTH) {
        fail(p, GN_ELIMIT, "the JSON is nested more than %d deep", GN_PULL_MAX_DEPTH);
        return;
    }
    p->at++;
    p->stack[p->depth] = (char)c;
    p->is_first[p->depth++] = true;
}

bool gn_pull_more(gn_json_pull *p)
{
    if (p->status != GN_OK)
        return false;
    GN_ASSERT(p->depth > 0);
    const bool is_object = p->stack[p->depth - 1] == '{';
    int c = skip_space(p);
    if (c == (is_object ? '}' : ']')) {
        p->at++;
        p->depth--;
        return false;
    }
    if (!p->is_first[p->depth - 1]) {
        if (c != ',') {
            fail_at_byte(p, c, is_object ? "',' or '}'" : "',' or ']'");
            return false;
        }
        p->at++;
        c = skip_space(p);
    }
    p->is_first[p->depth - 1] = false;
    if (!is_object)
        return p->status == GN_OK;
    if (c != '"') {
        fail_at_byte(p, c, "a name in quotes");
        return false;
    }
    p->at++;
    take_string(p, true);
    c = p->status == GN_OK ? skip_space(p) : END;
    if (p->status == GN_OK && c != ':')
        fail_at_byte(p, c, "':'");
    if (p->status != GN_OK)
        return false;
    p->at++;
    return true;
}

const char *gn_pull_key(const gn_json_pull *p)
{
    return p->text != NULL ? p->text : "";
}

void gn_pull_skip(gn_json_pull *p)
{
    char text[NUMBER_BYTES];
    const gn_pull_kind kind = gn_pull_peek(p);
    switch (kind) {
    case GN_PULL_OBJECT:
    case GN_PULL_ARRAY:
        /* As deep as GN_PULL_MAX_DEPTH at most. */
        gn_pull_enter(p, kind);
        while (gn_pull_more(p))
            gn_pull_skip(p);
        break;
    case GN_PULL_STRING:
        p->at++;
        take_string(p, false);
        break;
    case GN_PULL_NUMBER:
        take_number(p, text);
        break;
    case GN_PULL_BOOL:
        take_word(p, peek(p) == 't' ? "true" : "false");
        break;
    case GN_PULL_NULL:
        take_word(p, "null");
        break;
    case GN_PULL_NONE:
        break;
    }
}

gn_status gn_pull_end(gn_json_pull *p)
{
    if (p->status != GN_OK)
        return p->status;
    const int c = skip_space(p);
    if (c != END)
        fail_at_byte(p, c, "nothing more after the end");
    return p->status;
}
