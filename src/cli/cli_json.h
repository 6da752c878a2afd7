/* Writer for the one JSON object that --json prints.  Key NULL inside arrays.
 *
 *     gn_jsonw j;
 *     gn_jsonw_init(&j);                        {
 *     gn_jsonw_num(&j, "map50", 0.61);            "map50": 0.61,
 *     gn_jsonw_object(&j, "latency_ms");          "latency_ms": {
 *     gn_jsonw_num(&j, "p90", 14.2);                "p90": 14.2
 *     gn_jsonw_end(&j);                           }
 *     status = gn_jsonw_print(&j);              }
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_JSON_H
#define GN_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"

#define GN_JSONW_MAX_DEPTH 32

typedef struct gn_jsonw {
    gn_text text;
    int depth;                          /* open objects and arrays, the outermost included */
    char closer[GN_JSONW_MAX_DEPTH];    /* '}' or ']' of each */
    bool has_items[GN_JSONW_MAX_DEPTH]; /* a comma is due before the next item */
} gn_jsonw;

void gn_jsonw_init(gn_jsonw *j);
void gn_jsonw_deinit(gn_jsonw *j);
void gn_jsonw_object(gn_jsonw *j, const char *key);
void gn_jsonw_array(gn_jsonw *j, const char *key);
void gn_jsonw_end(gn_jsonw *j);                                     /* closes the innermost object or array */
void gn_jsonw_str(gn_jsonw *j, const char *key, const char *value); /* NULL gives null */
void gn_jsonw_int(gn_jsonw *j, const char *key, int64_t value);
void gn_jsonw_num(gn_jsonw *j, const char *key,
                  double value); /* shortest text that reads back; NaN and Inf give null */
void gn_jsonw_bool(gn_jsonw *j, const char *key, bool value);
void gn_jsonw_null(gn_jsonw *j, const char *key);
/* Closes all, writes the object and a newline to standard output, frees.  GN_ENOMEM, GN_EIO. */
gn_status gn_jsonw_print(gn_jsonw *j);
/* Closes all and returns the text, valid until deinit; NULL when out of memory. */
const char *gn_jsonw_text(gn_jsonw *j);

#endif
