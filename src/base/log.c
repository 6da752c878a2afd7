/* Log lines to the sink that the program has set.  The sink and the level are process-wide and set before threads start.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static struct {
    gn_log_sink sink;
    void *ctx;
    int level;
} log_state;

void gn_log_set(gn_log_sink sink, void *ctx, int level)
{
    log_state.sink = sink;
    log_state.ctx = ctx;
    log_state.level = level;
}

int gn_log_level(void)
{
    return log_state.sink ? log_state.level : 0;
}

__attribute__((format(printf, 2, 0))) static void send(int level, const char *fmt, va_list args)
{
    char line[1024];
    vsnprintf(line, sizeof line, fmt, args);
    log_state.sink(log_state.ctx, level, line);
}

void gn_log(int level, const char *fmt, ...)
{
    if (!log_state.sink || level > log_state.level)
        return;
    va_list args;
    va_start(args, fmt);
    send(level, fmt, args);
    va_end(args);
}

void gn_warn(const char *fmt, ...)
{
    if (!log_state.sink)
        return;
    va_list args;
    va_start(args, fmt);
    send(0, fmt, args);
    va_end(args);
}
