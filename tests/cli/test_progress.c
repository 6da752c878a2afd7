/* Progress on a terminal and in a log, and the two signals of Ctrl-C.
 * SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "cli/cli_args.h"
#include "cli/cli_progress.h"

static void tell(int64_t done, int64_t total, double seconds)
{
    const gn_progress event = {
        .what = "epoch 3/40", .done = done, .total = total, .unit = "batches", .seconds = seconds, .note = "loss 0.5"};
    gn_progress_tell(&event);
}

/* Runs `work` with standard error bound to `fd` and takes what was written from `read_fd`. */
static void with_stderr(int fd, int read_fd, void (*work)(void), char *text, size_t text_bytes)
{
    fflush(stderr);
    const int kept = dup(STDERR_FILENO);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
    work();
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(fd);
    size_t n = 0;
    for (ssize_t got; n + 1 < text_bytes && (got = read(read_fd, text + n, text_bytes - 1 - n)) > 0;)
        n += (size_t)got; /* a terminal hands over what it has so far; it ends with EIO, a pipe with 0 */
    text[n] = '\0';
    close(read_fd);
}

static void show_on_terminal(void)
{
    setenv("TERM", "xterm", 1);
    gn_cli_progress_begin(false);
    tell(1, 10, 2.0);
    tell(2, 10, 2.1); /* too soon after the first */
    tell(10, 10, 20.0);
    gn_cli_say("after\n");
}

static void terminal_line_rewrites_itself(void **state)
{
    (void)state;
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        skip();
    const int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0);
    char text[4096];
    with_stderr(terminal, master, show_on_terminal, text, sizeof text);
    assert_non_null(strstr(text, "\repoch 3/40  1/10 batches  0.50 batches/s  18.0 s left  loss 0.5\033[K"));
    assert_null(strstr(text, "2/10"));
    assert_non_null(strstr(text, "10/10 batches  0.50 batches/s  loss 0.5\033[K\r\nafter"));
}

static void show_in_log(void)
{
    gn_cli_progress_begin(false);
    tell(1, 10, 2.0);
    tell(10, 10, 20.0);
}

static void show_quietly(void)
{
    gn_cli_progress_begin(true);
    tell(10, 10, 20.0);
}

static void log_stays_short(void **state)
{
    (void)state;
    char text[512];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    with_stderr(ends[1], ends[0], show_in_log, text, sizeof text);
    assert_string_equal(text, "");
    assert_int_equal(pipe(ends), 0);
    with_stderr(ends[1], ends[0], show_quietly, text, sizeof text);
    assert_string_equal(text, "");
}

static void first_signal_asks_second_ends(void **state)
{
    (void)state;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGINT, SIG_DFL);
        gn_cli_signals_begin();
        raise(SIGINT);
        if (!gn_stop_requested() || gn_cli_signal() != SIGINT || gn_cli_exit_code(GN_ECANCELED) != 128 + SIGINT)
            _exit(1);
        raise(SIGTERM);
        _exit(2);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    assert_false(gn_stop_requested());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terminal_line_rewrites_itself),
        cmocka_unit_test(log_stays_short),
        cmocka_unit_test(first_signal_asks_second_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
