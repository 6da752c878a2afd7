/* Progress on standard error and the signals that ask for a stop.  State of the program, not of the library.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_progress.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

/* Between two drawings on a terminal, and between two lines in a log. */
#define REDRAW_NS INT64_C(100000000)
#define LOG_NS    INT64_C(10000000000)

static struct {
    bool is_terminal, is_quiet;
    bool is_line_open; /* the cursor stands behind a line that may be rewritten */
    int64_t last_ns;   /* of the last drawing */
} screen;

static volatile sig_atomic_t stop_signal;
static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};

int gn_cli_progress_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void format_event(const gn_progress *p, char *dst, size_t dst_bytes)
{
    char rate[64] = "", left[48] = "", text[32];
    if (p->seconds > 0.2 && p->done > 0) {
        const double per_second = (double)p->done / p->seconds;
        snprintf(rate, sizeof rate, "  %.*f %s/s", per_second < 10 ? 2 : 0, per_second, p->unit);
        if (p->total > p->done) {
            gn_format_seconds((double)(p->total - p->done) / per_second, text);
            snprintf(left, sizeof left, "  %s left", text);
        }
    }
    const bool has_note = p->note && p->note[0];
    if (p->total > 0)
        snprintf(dst, dst_bytes, "%s  %lld/%lld %s%s%s%s%s", p->what, (long long)p->done, (long long)p->total, p->unit,
                 rate, left, has_note ? "  " : "", has_note ? p->note : "");
    else
        snprintf(dst, dst_bytes, "%s  %lld %s%s%s%s", p->what, (long long)p->done, p->unit, rate, has_note ? "  " : "",
                 has_note ? p->note : "");
}

static void show(void *ctx, const gn_progress *p)
{
    (void)ctx;
    const int64_t now_ns = gn_now_ns();
    const bool is_end = p->total > 0 && p->done >= p->total;
    const int64_t pause_ns = screen.is_terminal ? REDRAW_NS : LOG_NS;
    if (now_ns - screen.last_ns < pause_ns && !(screen.is_terminal && is_end))
        return;
    screen.last_ns = now_ns;
    char line[512];
    format_event(p, line, sizeof line);
    if (!screen.is_terminal) {
        fprintf(stderr, "%s\n", line);
        return;
    }
    const int columns = gn_cli_progress_columns();
    fprintf(stderr, "\r%.*s\033[K", columns > 1 ? columns - 1 : 1, line);
    screen.is_line_open = true;
    if (is_end)
        gn_cli_progress_end();
    fflush(stderr);
}

void gn_cli_progress_begin(bool is_quiet)
{
    const char *term = getenv("TERM");
    screen.is_terminal = isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
    screen.is_line_open = false;
    screen.is_quiet = is_quiet;
    screen.last_ns = gn_now_ns();
    if (screen.is_terminal)
        screen.last_ns -= REDRAW_NS;
    gn_progress_set(is_quiet ? NULL : show, NULL);
}

void gn_cli_progress_end(void)
{
    if (screen.is_line_open)
        fputc('\n', stderr);
    screen.is_line_open = false;
}

bool gn_cli_progress_is_terminal(void)
{
    return screen.is_terminal && !screen.is_quiet;
}

void gn_cli_progress_erase(int n_lines)
{
    if (n_lines > 0)
        fprintf(stderr, "\033[%dA\r\033[J", n_lines);
}

/* First signal: ask, and let the next one of any kind act as if nobody listened. */
static void on_signal(int number)
{
    stop_signal = number;
    gn_stop_request();
    for (size_t i = 0; i < sizeof stop_signals / sizeof stop_signals[0]; i++)
        signal(stop_signals[i], SIG_DFL);
}

void gn_cli_signals_begin(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < sizeof stop_signals / sizeof stop_signals[0]; i++) {
        struct sigaction old, action;
        memset(&action, 0, sizeof action);
        action.sa_handler = on_signal;
        action.sa_flags = SA_RESTART;
        sigemptyset(&action.sa_mask);
        /* A program started by nohup keeps ignoring the hang-up. */
        if (sigaction(stop_signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(stop_signals[i], &action, NULL);
    }
}

int gn_cli_signal(void)
{
    return (int)stop_signal;
}
