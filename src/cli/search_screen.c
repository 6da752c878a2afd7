/* Drawing a running search.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/search_screen.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/progress.h"
#include "base/text.h"
#include "cli/cli_args.h"
#include "cli/cli_progress.h"

/* Running trials that the table lists; more are counted. */
#define MAX_RUNNING 8
#define LOG_NS      INT64_C(10000000000)

/* One line, cut at the terminal's width. */
static void add_line(gn_text *out, int columns, const char *line)
{
    const size_t n = strlen(line), width = columns > 1 ? (size_t)columns - 1 : 1;
    gn_text_add_bytes(out, line, n < width ? n : width);
    gn_text_add(out, "\n");
}

static void format_time(double seconds, char text[32])
{
    snprintf(text, 32, "?");
    if (!isnan(seconds))
        gn_format_seconds(seconds, text);
}

static void add_head(const gn_search_view *v, int columns, gn_text *out)
{
    char line[400], spent[32], left[32];
    format_time(v->seconds, spent);
    format_time(v->seconds_left, left);
    snprintf(line, sizeof line, "epochs %" PRId64 " of about %" PRId64 ", %s so far, %s left", v->epochs_done,
             v->epochs_total, spent, left);
    add_line(out, columns, line);
}

/* How many trials have come how far. */
static void add_rungs(const gn_search_view *v, int columns, gn_text *out)
{
    char line[600];
    int len = snprintf(line, sizeof line, "trials %d:", v->n_trials);
    for (int k = 0; k < v->n_rungs && len < 500; k++)
        len += snprintf(line + len, sizeof line - (size_t)len, "%s %d at %d epochs", k > 0 ? "," : "", v->rung_done[k],
                        v->rung_epochs[k]);
    if (v->n_failed > 0)
        len += snprintf(line + len, sizeof line - (size_t)len, "; %d failed", v->n_failed);
    if (v->n_screened > 0)
        snprintf(line + len, sizeof line - (size_t)len, "; %d over the budget", v->n_screened);
    add_line(out, columns, line);
}

static void add_running(const gn_search_view *v, int columns, gn_text *out)
{
    char line[400];
    for (int i = 0; i < v->n_running && i < MAX_RUNNING; i++) {
        const gn_search_running *r = &v->running[i];
        char spent[32], metric[64] = "";
        format_time(r->seconds, spent);
        if (!isnan(r->metric))
            snprintf(metric, sizeof metric, "%s %.3f, ", v->objective, r->metric);
        snprintf(line, sizeof line, "  %" PRId64 "  %s  epoch %" PRId64 "/%" PRId64 ", %s%s", r->trial, r->label,
                 r->epoch, r->epochs, metric, spent);
        add_line(out, columns, line);
    }
    if (v->n_running > MAX_RUNNING) {
        snprintf(line, sizeof line, "  and %d more", v->n_running - MAX_RUNNING);
        add_line(out, columns, line);
    }
}

static void add_best(const gn_search_view *v, int columns, gn_text *out)
{
    char line[500];
    if (v->best_label == NULL)
        return;
    int len = snprintf(line, sizeof line, "best   %s: %s %.4f", v->best_label, v->objective, v->best_metric);
    if (!isnan(v->best_ms))
        len += snprintf(line + len, sizeof line - (size_t)len, ", %.2f ms", v->best_ms);
    if (!isnan(v->gain) && v->gain >= 0.0005)
        snprintf(line + len, sizeof line - (size_t)len, "; going on may bring about %.3f", v->gain);
    add_line(out, columns, line);
}

void search_screen_table(const gn_search_view *view, int columns, gn_text *out)
{
    add_head(view, columns, out);
    add_rungs(view, columns, out);
    add_running(view, columns, out);
    add_best(view, columns, out);
}

void search_screen_end(search_screen *screen)
{
    gn_cli_progress_erase(screen->n_lines);
    screen->n_lines = 0;
}

void search_screen_say(void *ctx, const char *line)
{
    search_screen_end(ctx);
    gn_cli_say("%s\n", line);
}

/* In a log one line, and seldom. */
static void log_view(search_screen *screen, const gn_search_view *v)
{
    const int64_t now_ns = gn_now_ns();
    char left[32];
    if (now_ns - screen->told_ns < LOG_NS)
        return;
    screen->told_ns = now_ns;
    format_time(v->seconds_left, left);
    gn_cli_say("%d of %d trials begun, %d running%s%s, epochs %" PRId64 " of about %" PRId64 ", %s left%s%s\n",
               v->n_done + v->n_failed + v->n_running, v->n_trials, v->n_running, v->n_running > 0 ? ": " : "",
               v->n_running > 0 ? v->running[0].label : "", v->epochs_done, v->epochs_total, left,
               v->best_label != NULL ? ", best " : "", v->best_label != NULL ? v->best_label : "");
}

void search_screen_show(void *ctx, const gn_search_view *view)
{
    search_screen *screen = ctx;
    gn_text table;
    if (!gn_cli_progress_is_terminal()) {
        log_view(screen, view);
        return;
    }
    gn_text_init(&table);
    search_screen_table(view, gn_cli_progress_columns(), &table);
    if (!table.failed) {
        search_screen_end(screen);
        gn_cli_say("%s", table.data);
        for (const char *p = table.data; *p != '\0'; p++)
            screen->n_lines += *p == '\n';
    }
    gn_text_deinit(&table);
}
