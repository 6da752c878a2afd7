/* Log lines by frequency: 1 once per process, 2 per session or graph, 3 per node, 4 per batch, 5 per kernel call.
 * The library never prints: a line goes to the sink that the program has set (none by default).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_BASE_LOG_H
#define GN_BASE_LOG_H

typedef void (*gn_log_sink)(void *ctx, int level, const char *line);
/* level: highest frequency that is passed on, 0 = nothing.  Set once, before threads start. */
void gn_log_set(gn_log_sink sink, void *ctx, int level);
int gn_log_level(void);
void gn_log(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A warning a person should see at any level, e.g. a skipped picture. */
void gn_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
