/* Writer for the one JSON object that --json prints.  Key NULL inside arrays.
 *
 *     gn_json j;
 *     gn_json_init(&j);                        {
 *     gn_json_num(&j, "map50", 0.61);            "map50": 0.61,
 *     gn_json_object(&j, "latency_ms");          "latency_ms": {
 *     gn_json_num(&j, "p90", 14.2);                "p90": 14.2
 *     gn_json_end(&j);                           }
 *     status = gn_json_print(&j);              }
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_JSON_H
#define GN_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"

#define GN_JSON_MAX_DEPTH 32

typedef struct gn_json {
    gn_text text;
    int depth;                         /* open objects and arrays, the outermost included */
    char closer[GN_JSON_MAX_DEPTH];    /* '}' or ']' of each */
    bool has_items[GN_JSON_MAX_DEPTH]; /* a comma is due before the next item */
} gn_json;

void gn_json_init(gn_json *j);
void gn_json_deinit(gn_json *j);
void gn_json_object(gn_json *j, const char *key);
void gn_json_array(gn_json *j, const char *key);
void gn_json_end(gn_json *j); /* closes the innermost object or array */
void gn_json_str(gn_json *j, const char *key, const char *value); /* NULL gives null */
void gn_json_int(gn_json *j, const char *key, int64_t value);
void gn_json_num(gn_json *j, const char *key, double value); /* shortest text that reads back; NaN and Inf give null */
void gn_json_bool(gn_json *j, const char *key, bool value);
void gn_json_null(gn_json *j, const char *key);
/* Closes all, writes the object and a newline to standard output, frees.  GN_ENOMEM, GN_EIO. */
gn_status gn_json_print(gn_json *j);
/* Closes all and returns the text, valid until deinit; NULL when out of memory. */
const char *gn_json_text(gn_json *j);

#endif
