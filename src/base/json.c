/* A recursive-descent reader of JSON whose depth and size are bounded.  Source: RFC 8259.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <stdint.h>
#include <string.h>

#include "base/text.h"

typedef struct reader {
    const char *text;
    size_t bytes;
    size_t at;
    int depth;
    int64_t values;
    gn_arena *arena;
    gn_error *err;
} reader;

static gn_status read_value(reader *r, gn_json *value);

static gn_status refuse(const reader *r, const char *what)
{
    return gn_fail_offset(r->err, GN_EFORMAT, "", (int64_t)r->at, "reading JSON: %s", what);
}

static gn_status no_memory(const reader *r)
{
    return gn_fail(r->err, GN_ENOMEM, "reading JSON: out of memory");
}

static int peek(const reader *r)
{
    return r->at < r->bytes ? (unsigned char)r->text[r->at] : -1;
}

static void skip_space(reader *r)
{
    int c = peek(r);
    while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        r->at++;
        c = peek(r);
    }
}

static bool take(reader *r, char c)
{
    if (peek(r) != (unsigned char)c)
        return false;
    r->at++;
    return true;
}

static bool hex4(reader *r, uint32_t *out)
{
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) {
        const int c = peek(r);
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (uint32_t)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            digit = (uint32_t)(c - 'A' + 10);
        else
            return false;
        code = code * 16 + digit;
        r->at++;
    }
    *out = code;
    return true;
}

static size_t put_utf8(uint32_t code, char *dst)
{
    if (code < 0x80) {
        dst[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        dst[0] = (char)(0xC0 | (code >> 6));
        dst[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        dst[0] = (char)(0xE0 | (code >> 12));
        dst[1] = (char)(0x80 | ((code >> 6) & 0x3F));
        dst[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    dst[0] = (char)(0xF0 | (code >> 18));
    dst[1] = (char)(0x80 | ((code >> 12) & 0x3F));
    dst[2] = (char)(0x80 | ((code >> 6) & 0x3F));
    dst[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* After "\u": one code point, of a surrogate pair too; a lone surrogate becomes U+FFFD. */
static bool read_code_point(reader *r, uint32_t *out)
{
    uint32_t code = 0, low = 0;
    if (!hex4(r, &code))
        return false;
    if (code >= 0xDC00 && code <= 0xDFFF)
        code = 0xFFFD;
    if (code >= 0xD800 && code <= 0xDBFF) {
        const size_t before = r->at;
        if (take(r, '\\') && take(r, 'u') && hex4(r, &low) && low >= 0xDC00 && low <= 0xDFFF) {
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        } else {
            r->at = before;
            code = 0xFFFD;
        }
    }
    *out = code;
    return true;
}

/* After the backslash; at most 4 bytes are written, and an escape is never shorter in the text. */
static gn_status read_escape(reader *r, char *dst, size_t *len)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    const int c = peek(r);
    const char *found = c > 0 ? strchr(from, c) : NULL;
    if (found != NULL) {
        r->at++;
        dst[(*len)++] = to[found - from];
        return GN_OK;
    }
    uint32_t code = 0;
    if (!take(r, 'u') || !read_code_point(r, &code))
        return refuse(r, "an escape in a string is none of JSON's");
    *len += put_utf8(code, dst + *len);
    return GN_OK;
}

static gn_status read_string(reader *r, const char **out)
{
    if (!take(r, '"'))
        return refuse(r, "expected a string in double quotes");
    const char *begin = r->text + r->at;
    const char *end = memchr(begin, '"', r->bytes - r->at);
    while (end != NULL) {
        size_t slashes = 0;
        while (end - slashes > begin && end[-1 - (ptrdiff_t)slashes] == '\\')
            slashes++;
        if (slashes % 2 == 0)
            break;
        end = memchr(end + 1, '"', r->bytes - (size_t)(end + 1 - r->text));
    }
    if (end == NULL)
        return refuse(r, "a string has no end");
    char *dst = gn_arena_alloc(r->arena, (size_t)(end - begin) + 5);
    if (dst == NULL)
        return no_memory(r);
    size_t len = 0;
    while (r->text + r->at < end) {
        const char c = r->text[r->at++];
        if ((unsigned char)c < 0x20)
            return refuse(r, "a control character stands in a string");
        if (c == '\\')
            GN_TRY(read_escape(r, dst, &len));
        else
            dst[len++] = c;
    }
    r->at++;
    dst[len] = '\0';
    *out = dst;
    return GN_OK;
}

static void skip_digits(reader *r, int *count)
{
    while (peek(r) >= '0' && peek(r) <= '9') {
        r->at++;
        (*count)++;
    }
}

static gn_status read_number(reader *r, gn_json *value)
{
    const size_t begin = r->at;
    int whole = 0, fraction = 1, exponent = 1;
    take(r, '-');
    const bool leading_zero = peek(r) == '0';
    skip_digits(r, &whole);
    if (take(r, '.')) {
        fraction = 0;
        skip_digits(r, &fraction);
    }
    if (peek(r) == 'e' || peek(r) == 'E') {
        r->at++;
        if (!take(r, '+'))
            take(r, '-');
        exponent = 0;
        skip_digits(r, &exponent);
    }
    if (whole == 0 || fraction == 0 || exponent == 0 || (leading_zero && whole > 1))
        return refuse(r, "expected a value");
    const size_t n = r->at - begin;
    char *text = gn_arena_alloc(r->arena, n + 1);
    if (text == NULL)
        return no_memory(r);
    memcpy(text, r->text + begin, n);
    value->kind = GN_JSON_NUMBER;
    value->text = text;
    if (!gn_parse_f64(text, &value->number))
        return refuse(r, "a number is too large");
    return GN_OK;
}

static gn_status read_word(reader *r, const char *word, gn_json_kind kind, double number, gn_json *value)
{
    const size_t n = strlen(word);
    if (r->bytes - r->at < n || memcmp(r->text + r->at, word, n) != 0)
        return refuse(r, "expected a value");
    r->at += n;
    value->kind = kind;
    value->number = number;
    return GN_OK;
}

/* Items of an array or members of an object, after the opening bracket. */
static gn_status read_children(reader *r, char close, bool has_keys, gn_json *parent)
{
    gn_json **tail = &parent->first;
    skip_space(r);
    if (take(r, close))
        return GN_OK;
    for (;;) {
        gn_json *child = gn_arena_alloc(r->arena, sizeof *child);
        if (child == NULL)
            return no_memory(r);
        skip_space(r);
        if (has_keys) {
            GN_TRY(read_string(r, &child->key));
            skip_space(r);
            if (!take(r, ':'))
                return refuse(r, "expected a colon after a member's name");
        }
        GN_TRY(read_value(r, child));
        *tail = child;
        tail = &child->next;
        skip_space(r);
        if (take(r, close))
            return GN_OK;
        if (!take(r, ','))
            return refuse(r, "expected a comma or the closing bracket");
    }
}

static gn_status read_nested(reader *r, gn_json *value)
{
    const bool is_object = peek(r) == '{';
    if (r->depth >= GN_JSON_MAX_DEPTH)
        return gn_fail_offset(r->err, GN_ELIMIT, "", (int64_t)r->at, "reading JSON: nested deeper than %d",
                              GN_JSON_MAX_DEPTH);
    r->at++;
    r->depth++;
    value->kind = is_object ? GN_JSON_OBJECT : GN_JSON_ARRAY;
    GN_TRY(read_children(r, is_object ? '}' : ']', is_object, value));
    r->depth--;
    return GN_OK;
}

static gn_status read_value(reader *r, gn_json *value)
{
    if (++r->values > GN_JSON_MAX_VALUES)
        return gn_fail(r->err, GN_ELIMIT, "reading JSON: more than %d values", GN_JSON_MAX_VALUES);
    value->text = "";
    skip_space(r);
    switch (peek(r)) {
    case '{':
    case '[':
        return read_nested(r, value);
    case '"':
        value->kind = GN_JSON_STRING;
        return read_string(r, &value->text);
    case 't':
        return read_word(r, "true", GN_JSON_BOOL, 1, value);
    case 'f':
        return read_word(r, "false", GN_JSON_BOOL, 0, value);
    case 'n':
        return read_word(r, "null", GN_JSON_NULL, 0, value);
    default:
        return read_number(r, value);
    }
}

gn_status gn_json_parse(const char *text, size_t bytes, gn_arena *arena, const gn_json **root_out, gn_error *err)
{
    reader r = {.text = text, .bytes = bytes, .arena = arena, .err = err};
    gn_json *root = gn_arena_alloc(arena, sizeof *root);
    if (root == NULL)
        return no_memory(&r);
    GN_TRY(read_value(&r, root));
    skip_space(&r);
    if (r.at != bytes)
        return refuse(&r, "something follows after the value");
    *root_out = root;
    return GN_OK;
}

static const gn_json *member_of(const gn_json *object, const char *name, size_t n)
{
    if (object == NULL || object->kind != GN_JSON_OBJECT)
        return NULL;
    for (const gn_json *m = object->first; m != NULL; m = m->next)
        if (strlen(m->key) == n && memcmp(m->key, name, n) == 0)
            return m;
    return NULL;
}

const gn_json *gn_json_member(const gn_json *object, const char *name)
{
    return member_of(object, name, strlen(name));
}

const gn_json *gn_json_at(const gn_json *root, const char *path)
{
    while (root != NULL) {
        const char *dot = strchr(path, '.');
        if (dot == NULL)
            return gn_json_member(root, path);
        root = member_of(root, path, (size_t)(dot - path));
        path = dot + 1;
    }
    return NULL;
}

bool gn_json_number(const gn_json *root, const char *path, double *out)
{
    const gn_json *value = gn_json_at(root, path);
    if (value == NULL || (value->kind != GN_JSON_NUMBER && value->kind != GN_JSON_BOOL))
        return false;
    *out = value->number;
    return true;
}

bool gn_json_string(const gn_json *root, const char *path, const char **out)
{
    const gn_json *value = gn_json_at(root, path);
    if (value == NULL || value->kind != GN_JSON_STRING)
        return false;
    *out = value->text;
    return true;
}
