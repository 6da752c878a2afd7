/* The JSON object of --json.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Comma, line break and key before a value. */
static void begin_item(gn_jsonw *j, const char *key)
{
    GN_ASSERT(j->depth > 0);
    if (j->has_items[j->depth - 1])
        gn_text_add(&j->text, ", ");
    j->has_items[j->depth - 1] = true;
    if (!key)
        return;
    gn_text_add_json(&j->text, key);
    gn_text_add(&j->text, ": ");
}

static void push(gn_jsonw *j, char opener, char closer)
{
    GN_ASSERT(j->depth < GN_JSONW_MAX_DEPTH);
    gn_text_add_bytes(&j->text, &opener, 1);
    j->closer[j->depth] = closer;
    j->has_items[j->depth] = false;
    j->depth++;
}

void gn_jsonw_init(gn_jsonw *j)
{
    memset(j, 0, sizeof *j);
    gn_text_init(&j->text);
    push(j, '{', '}');
}

void gn_jsonw_deinit(gn_jsonw *j)
{
    gn_text_deinit(&j->text);
}

void gn_jsonw_object(gn_jsonw *j, const char *key)
{
    begin_item(j, key);
    push(j, '{', '}');
}

void gn_jsonw_array(gn_jsonw *j, const char *key)
{
    begin_item(j, key);
    push(j, '[', ']');
}

void gn_jsonw_end(gn_jsonw *j)
{
    GN_ASSERT(j->depth > 0);
    gn_text_add_bytes(&j->text, &j->closer[--j->depth], 1);
}

void gn_jsonw_str(gn_jsonw *j, const char *key, const char *value)
{
    begin_item(j, key);
    if (value)
        gn_text_add_json(&j->text, value);
    else
        gn_text_add(&j->text, "null");
}

void gn_jsonw_int(gn_jsonw *j, const char *key, int64_t value)
{
    begin_item(j, key);
    gn_text_printf(&j->text, "%" PRId64, value);
}

void gn_jsonw_num(gn_jsonw *j, const char *key, double value)
{
    if (!isfinite(value)) {
        gn_jsonw_null(j, key);
        return;
    }
    char digits[40];
    /* 17 digits always read back; fewer do for most numbers that people meet. */
    for (int precision = 6; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    begin_item(j, key);
    gn_text_add(&j->text, digits);
}

void gn_jsonw_bool(gn_jsonw *j, const char *key, bool value)
{
    begin_item(j, key);
    gn_text_add(&j->text, value ? "true" : "false");
}

void gn_jsonw_null(gn_jsonw *j, const char *key)
{
    begin_item(j, key);
    gn_text_add(&j->text, "null");
}

const char *gn_jsonw_text(gn_jsonw *j)
{
    while (j->depth > 0)
        gn_jsonw_end(j);
    return j->text.failed ? NULL : j->text.data;
}

gn_status gn_jsonw_print(gn_jsonw *j)
{
    const char *text = gn_jsonw_text(j);
    gn_status status = GN_OK;
    if (!text)
        status = GN_ENOMEM;
    else if (printf("%s\n", text) < 0 || fflush(stdout) != 0)
        status = GN_EIO;
    gn_jsonw_deinit(j);
    return status;
}
