/* A running search on the terminal: a table that is drawn anew in place; in a log, plain lines now and then.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_SEARCH_SCREEN_H
#define GN_CLI_SEARCH_SCREEN_H

#include "gannet/search_api.h"

/* State of one screen; all zero at first. */
typedef struct search_screen {
    int n_lines; /* of the table that stands on the terminal now */
    int64_t told_ns;
} search_screen;

/* gn_search_show_fn and the `say` of a search; ctx: a search_screen. */
void search_screen_show(void *ctx, const gn_search_view *view);
void search_screen_say(void *ctx, const char *line);
/* Takes the table away. */
void search_screen_end(search_screen *screen);
/* The table as lines that end with '\n', none longer than `columns`; for search_screen_show and its test. */
void search_screen_table(const gn_search_view *view, int columns, gn_text *out);

#endif
