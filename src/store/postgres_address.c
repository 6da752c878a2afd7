/* Taking postgresql:// addresses apart.  Source of their form: PostgreSQL's manual, "Connection URIs".
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/postgres_address.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

/* Where user, password, host and database end and parameters begin.  Whatever stands before the last '@' is taken for user and
 * password, so that one with unescaped '/' or '?' in it is not shown either. */
static const char *server_end(const char *where)
{
    const char *at = strrchr(where, '@');
    return at != NULL ? at + strcspn(at, "?") : where + strcspn(where, "?");
}

/* Copies that part with *** in place of the password, and returns its end. */
static const char *add_server(const char *where, gn_text *shown)
{
    const char *user = strstr(where, "//") + 2, *at = strrchr(user, '@');
    const char *colon = at != NULL ? memchr(user, ':', (size_t)(at - user)) : NULL;
    const char *end = server_end(where), *from = where;
    if (colon != NULL) {
        gn_text_add_bytes(shown, where, (size_t)(colon - where));
        gn_text_add(shown, ":***");
        from = at;
    }
    gn_text_add_bytes(shown, from, (size_t)(end - from));
    return end;
}

static bool is_study_name(const char *name, size_t bytes)
{
    if (bytes == 0 || bytes > GN_STUDY_NAME_MAX || (name[0] >= '0' && name[0] <= '9') || memcmp(name, "pg_", 3) == 0)
        return false;
    for (size_t i = 0; i < bytes; i++)
        if (!(name[i] >= 'a' && name[i] <= 'z') && !(name[i] >= '0' && name[i] <= '9') && name[i] != '_')
            return false;
    return true;
}

/* NAME=VALUE of `bytes` bytes, with *** as the value of a password. */
static void show_parameter(const char *pair, size_t bytes, gn_text *shown)
{
    const char *value = memchr(pair, '=', bytes);
    const bool is_secret = value != NULL && value - pair >= 8 && memcmp(value - 8, "password", 8) == 0;
    gn_text_add_bytes(shown, pair, is_secret ? (size_t)(value - pair) : bytes);
    gn_text_add(shown, is_secret ? "=***" : "");
}

/* One NAME=VALUE of `bytes` bytes, for libpq or for us. */
static gn_status add_parameter(const char *pair, size_t bytes, gn_postgres_address *address, gn_text *url,
                               gn_error *err)
{
    static const char own[] = "study=";
    const char separator[2] = {strchr(url->data, '?') != NULL ? '&' : '?', '\0'};
    if (bytes < sizeof own - 1 || memcmp(pair, own, sizeof own - 1) != 0) {
        gn_text_add(url, separator);
        gn_text_add_bytes(url, pair, bytes);
        return GN_OK;
    }
    const char *name = pair + sizeof own - 1;
    const size_t name_bytes = bytes - (sizeof own - 1);
    if (!is_study_name(name, name_bytes))
        return gn_fail(err, GN_EINVAL,
                       "the name of the study in the address is \"%.*s\"; it may have up to %d small letters, digits "
                       "and _, and begin with none of a digit and pg_",
                       (int)(name_bytes > 80 ? 80 : name_bytes), name, GN_STUDY_NAME_MAX);
    memcpy(address->study, name, name_bytes);
    address->study[name_bytes] = '\0';
    return GN_OK;
}

static void show_address(const char *where, gn_text *shown)
{
    const char *at = add_server(where, shown);
    while (*at != '\0') {
        gn_text_add_bytes(shown, at++, 1);
        const size_t bytes = strcspn(at, "&");
        show_parameter(at, bytes, shown);
        at += bytes;
    }
}

static gn_status split(const char *where, gn_postgres_address *address, gn_text *url, gn_text *shown, gn_error *err)
{
    show_address(where, shown);
    const char *at = server_end(where);
    gn_text_add_bytes(url, where, (size_t)(at - where));
    while (*at != '\0' && !url->failed) {
        at++;
        const size_t bytes = strcspn(at, "&");
        if (bytes > 0)
            GN_TRY(add_parameter(at, bytes, address, url, err));
        at += bytes;
    }
    address->url = url->failed ? NULL : gn_strdup(url->data);
    address->shown = shown->failed ? NULL : gn_strdup(shown->data);
    if (address->url == NULL || address->shown == NULL)
        return gn_fail(err, GN_ENOMEM, "opening the study: out of memory");
    return GN_OK;
}

gn_status gn_postgres_address_parse(const char *where, gn_postgres_address *address, gn_error *err)
{
    gn_text url, shown;
    gn_text_init(&url);
    gn_text_init(&shown);
    *address = (gn_postgres_address){.study = "gannet"};
    const gn_status status = split(where, address, &url, &shown, err);
    gn_text_deinit(&url);
    gn_text_deinit(&shown);
    return status;
}

/* The first address in `text`; NULL when there is none. */
static const char *find_address(const char *text)
{
    const char *a = strstr(text, "postgresql://"), *b = strstr(text, "postgres://");
    return a == NULL || (b != NULL && b < a) ? b : a;
}

void gn_postgres_hide_passwords(const char *text, gn_text *out)
{
    gn_text address;
    gn_text_init(&address);
    for (const char *at; (at = find_address(text)) != NULL;) {
        const size_t bytes = strcspn(at, " \t\n\"'");
        gn_text_add_bytes(out, text, (size_t)(at - text));
        address.len = 0;
        gn_text_add_bytes(&address, at, bytes);
        if (address.failed)
            out->failed = true;
        else
            show_address(address.data, out);
        text = at + bytes;
    }
    gn_text_add(out, text);
    gn_text_deinit(&address);
}

void gn_postgres_address_deinit(gn_postgres_address *address)
{
    gn_free(address->url);
    gn_free(address->shown);
    *address = (gn_postgres_address){0};
}
