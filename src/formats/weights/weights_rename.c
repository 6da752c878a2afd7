/* Renaming of tensors by patterns.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/weights/weights.h"

#define MAX_STARS 9

/* What the stars of a pattern stand for. */
typedef struct capture {
    const char *text;
    size_t n;
} capture;

/* {2}, {1+6}, {1-6} */
typedef struct reference {
    int star; /* 1 is the first */
    int64_t plus;
    bool is_number; /* the text is a number to which `plus` is added */
    size_t length;  /* of its text */
} reference;

static int count_stars(const char *s)
{
    int n = 0;
    for (; *s; s++)
        n += *s == '*';
    return n;
}

static bool parse_reference(const char *s, reference *out)
{
    if (s[0] != '{' || s[1] < '1' || s[1] > '9')
        return false;
    *out = (reference){.star = s[1] - '0', .length = 3};
    if (s[2] == '}')
        return true;
    char *end = NULL;
    if ((s[2] != '+' && s[2] != '-') || s[3] < '0' || s[3] > '9')
        return false;
    out->plus = strtoll(s + 2, &end, 10);
    out->is_number = true;
    out->length = (size_t)(end - s) + 1;
    return *end == '}' && out->length < 16;
}

gn_status gn_weights_rename_parse(const char *text, gn_arena *arena, gn_weights_rename *rename_out, gn_error *err)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return gn_fail(err, GN_EUSAGE, "a renaming should read OLD=NEW, found \"%.100s\"", text);
    char *from = gn_arena_strdup(arena, text);
    if (!from)
        return gn_fail(err, GN_ENOMEM, "no memory for a renaming");
    from[equals - text] = '\0';
    const char *to = from + (equals - text) + 1;
    const int stars = count_stars(from);
    int used = count_stars(to);
    for (const char *s = strchr(to, '{'); s; s = strchr(s + 1, '{')) {
        reference r;
        if (!parse_reference(s, &r))
            return gn_fail(err, GN_EUSAGE,
                           "renaming \"%.100s\": {1} to {9}, {1+6} or {1-6} were expected after the =", text);
        used = r.star > used ? r.star : used;
    }
    if (stars > MAX_STARS || used > stars)
        return gn_fail(err, GN_EUSAGE, "renaming \"%.100s\": there are %d * before the = (at most %d), and %d after it",
                       text, stars, MAX_STARS, used);
    *rename_out = (gn_weights_rename){.from = from, .to = to};
    return GN_OK;
}

/* The earliest place of a text in [s, end); NULL: none. */
static const char *find(const char *s, const char *end, const char *text, size_t n)
{
    for (; (size_t)(end - s) >= n; s++)
        if (memcmp(s, text, n) == 0)
            return s;
    return NULL;
}

/* Each star takes as little as it can; the last one what is left. */
static bool match(const char *pattern, const char *name, capture *captures)
{
    const char *star = strchr(pattern, '*'), *end = name + strlen(name);
    if (!star)
        return strcmp(pattern, name) == 0;
    const size_t first = (size_t)(star - pattern);
    if (strncmp(pattern, name, first) != 0)
        return false;
    name += first;
    for (int i = 0;; i++) {
        const char *text = star + 1;
        star = strchr(text, '*');
        if (!star) {
            const size_t n = strlen(text);
            if ((size_t)(end - name) < n || memcmp(end - n, text, n) != 0)
                return false;
            captures[i] = (capture){name, (size_t)(end - name) - n};
            return true;
        }
        const size_t n = (size_t)(star - text);
        const char *at = find(name, end, text, n);
        if (!at)
            return false;
        captures[i] = (capture){name, (size_t)(at - name)};
        name = at + n;
    }
}

/* False when a number is to be added to what is none. */
static bool write_reference(gn_text *t, const reference *r, const capture *c)
{
    char digits[20];
    int64_t x;
    if (!r->is_number) {
        gn_text_add_bytes(t, c->text, c->n);
        return true;
    }
    if (c->n == 0 || c->n > 9)
        return false;
    snprintf(digits, sizeof digits, "%.*s", (int)c->n, c->text);
    if (!gn_parse_i64(digits, &x))
        return false;
    gn_text_printf(t, "%" PRId64, x + r->plus);
    return true;
}

static bool write_name(gn_text *t, const char *to, const capture *captures)
{
    int star = 0;
    while (*to) {
        reference r;
        if (*to == '*') {
            gn_text_add_bytes(t, captures[star].text, captures[star].n);
            star++;
            to++;
        } else if (parse_reference(to, &r)) {
            if (!write_reference(t, &r, &captures[r.star - 1]))
                return false;
            to += r.length;
        } else {
            gn_text_add_bytes(t, to++, 1);
        }
    }
    return true;
}

const char *gn_weights_rename_apply(const gn_weights_rename *renames, size_t n, const char *name, gn_arena *arena)
{
    for (size_t i = 0; i < n; i++) {
        capture captures[MAX_STARS] = {{0}};
        if (!match(renames[i].from, name, captures))
            continue;
        if (!renames[i].to[0])
            return "";
        gn_text t;
        gn_text_init(&t);
        const char *made = NULL;
        const bool is_made = write_name(&t, renames[i].to, captures);
        if (!t.failed && is_made)
            made = gn_arena_strdup(arena, t.data ? t.data : "");
        const bool failed = t.failed;
        gn_text_deinit(&t);
        if (is_made || failed)
            return made;
    }
    return name;
}
