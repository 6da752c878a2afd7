/* Growing byte strings, whole-string number parsing, and sizes and times as people write them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

void gn_text_init(gn_text *t)
{
    memset(t, 0, sizeof *t);
}

void gn_text_deinit(gn_text *t)
{
    gn_free(t->data);
    memset(t, 0, sizeof *t);
}

static bool text_reserve(gn_text *t, size_t extra)
{
    size_t needed;
    if (t->failed)
        return false;
    if (!gn_add_size(t->len, extra, &needed) || !gn_add_size(needed, 1, &needed) ||
        gn_grow(&t->data, &t->capacity, needed, 1) != GN_OK)
        t->failed = true;
    return !t->failed;
}

void gn_text_add_bytes(gn_text *t, const void *bytes, size_t n)
{
    if (!text_reserve(t, n))
        return;
    if (n)
        memcpy(t->data + t->len, bytes, n);
    t->len += n;
    t->data[t->len] = '\0';
}

void gn_text_add(gn_text *t, const char *s)
{
    gn_text_add_bytes(t, s, strlen(s));
}

void gn_text_printf(gn_text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0) {
        t->failed = true;
        return;
    }
    if (!text_reserve(t, (size_t)len))
        return;
    va_start(args, fmt);
    vsnprintf(t->data + t->len, (size_t)len + 1, fmt, args);
    va_end(args);
    t->len += (size_t)len;
}

/* Bytes of the well-formed UTF-8 sequence at `s` (RFC 3629, section 4), 0 when it is none. */
static size_t utf8_length(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    const bool tail1 = (s[1] & 0xC0) == 0x80;
    if (s[0] >= 0xC2 && s[0] <= 0xDF)
        return tail1 ? 2 : 0;
    if (!tail1 || (s[2] & 0xC0) != 0x80)
        return 0;
    if (s[0] == 0xE0)
        return s[1] >= 0xA0 ? 3 : 0;
    if (s[0] == 0xED)
        return s[1] <= 0x9F ? 3 : 0;
    if (s[0] >= 0xE1 && s[0] <= 0xEF)
        return 3;
    if ((s[3] & 0xC0) != 0x80)
        return 0;
    if (s[0] == 0xF0)
        return s[1] >= 0x90 ? 4 : 0;
    if (s[0] >= 0xF1 && s[0] <= 0xF3)
        return 4;
    return s[0] == 0xF4 && s[1] <= 0x8F ? 4 : 0;
}

/* Adds the character at `p` and says how many bytes it took: one, replaced by U+FFFD, where there is no character. */
static size_t add_character(gn_text *t, const unsigned char *p)
{
    const size_t n = utf8_length(p);
    if (n == 0)
        gn_text_add(t, "\xEF\xBF\xBD");
    else
        gn_text_add_bytes(t, p, n);
    return n > 0 ? n : 1;
}

void gn_text_add_utf8(gn_text *t, const char *s)
{
    gn_text_add(t, ""); /* also of an empty string there are data */
    for (const unsigned char *p = (const unsigned char *)s; *p != '\0';) {
        size_t plain = 0;
        while (p[plain] != '\0' && p[plain] < 0x80)
            plain++;
        gn_text_add_bytes(t, p, plain);
        p += plain;
        if (*p != '\0')
            p += add_character(t, p);
    }
}

static const char *json_escape(unsigned char c)
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    default:
        return NULL;
    }
}

void gn_text_add_json(gn_text *t, const char *s)
{
    gn_text_add(t, "\"");
    for (const unsigned char *p = (const unsigned char *)s; *p;) {
        const char *escape = json_escape(*p);
        size_t n = 1;
        if (escape)
            gn_text_add(t, escape);
        else if (*p < 0x20)
            gn_text_printf(t, "\\u%04x", (unsigned)*p);
        else
            n = add_character(t, p);
        p += n;
    }
    gn_text_add(t, "\"");
}

bool gn_has_suffix(const char *s, const char *suffix)
{
    const size_t len = strlen(s), n = strlen(suffix);
    return n <= len && memcmp(s + len - n, suffix, n) == 0;
}

bool gn_has_prefix(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* strtod and strtoll skip blanks, and strtod takes hexadecimal, "inf" and "nan": none of these is a number in our files. */
static bool only_chars(const char *s, const char *allowed)
{
    return *s && s[strspn(s, allowed)] == '\0';
}

bool gn_parse_i64(const char *s, int64_t *out)
{
    if (!only_chars(s, "+-0123456789"))
        return false;
    char *end;
    errno = 0;
    const long long x = strtoll(s, &end, 10);
    if (errno || *end || end == s)
        return false;
    *out = x;
    return true;
}

bool gn_parse_f64(const char *s, double *out)
{
    if (!only_chars(s, "+-.0123456789eE"))
        return false;
    char *end;
    const double x = strtod(s, &end);
    if (*end || end == s || !isfinite(x))
        return false;
    *out = x;
    return true;
}

void gn_format_bytes(uint64_t bytes, char *dst)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    if (bytes < 1000) {
        snprintf(dst, 32, "%" PRIu64 " B", bytes);
        return;
    }
    double x = (double)bytes / 1000.0;
    size_t unit = 0;
    for (; x >= 999.95 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        x /= 1000.0;
    snprintf(dst, 32, "%.1f %s", x, units[unit]);
}

void gn_format_seconds(double seconds, char *dst)
{
    if (!isfinite(seconds) || seconds < 0 || seconds > 1e9) {
        snprintf(dst, 32, "?");
        return;
    }
    if (seconds < 59.95) {
        snprintf(dst, 32, "%.1f s", seconds);
        return;
    }
    const long long total = llround(seconds);
    const int h = (int)(total / 3600), m = (int)(total / 60 % 60), s = (int)(total % 60);
    if (h > 0)
        snprintf(dst, 32, "%d:%02d:%02d", h, m, s);
    else
        snprintf(dst, 32, "%d:%02d", m, s);
}

/* Longest word that is compared; longer ones are near nothing. */
#define EDIT_MAX 128

size_t gn_edit_distance(const char *a, const char *b)
{
    const size_t na = strlen(a), nb = strlen(b);
    if (nb >= EDIT_MAX || na >= EDIT_MAX)
        return na > nb ? na : nb;
    size_t row[EDIT_MAX + 1];
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0]; /* distance of a[0..i-1), b[0..j-1) */
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            const size_t above = row[j];
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[nb];
}

const char *gn_nearest(const char *word, const char *const *candidates, size_t n)
{
    const size_t limit = 1 + strlen(word) / 3;
    const char *best = NULL;
    size_t best_distance = limit + 1;
    for (size_t i = 0; i < n; i++) {
        const size_t distance = gn_edit_distance(word, candidates[i]);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidates[i];
        }
    }
    return best;
}
