/* Starting, watching and ending a worker process.  Linux: the kernel kills the worker when its parent dies, and prefers it over the
 * parent when memory runs out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "search/child.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

/* Exit code of a worker whose program could not be run; as the shell has it. */
#define EXIT_CANNOT_RUN 127
/* How much of the end of a log is searched for its last line. */
#define LOG_TAIL_BYTES 4096

struct gn_child {
    pid_t pid;
    int64_t started_ns;
    bool has_ended;
    gn_child_end end;
};

/* Between fork and exec: async-signal-safe calls only. */
static void become_worker(const gn_child_spec *spec, pid_t parent, int in_fd, int out_fd, int log_fd)
{
    /* A group of its own, so that Ctrl-C in the terminal reaches the search alone, which then stops its workers in order. */
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_CANNOT_RUN); /* the parent died before the line above */
    const int oom_fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (oom_fd >= 0) {
        const ssize_t ignored = write(oom_fd, "500", 3);
        (void)ignored;
        close(oom_fd);
    }
    if (dup2(in_fd, 0) < 0 || dup2(out_fd, 1) < 0 || dup2(log_fd, 2) < 0)
        _exit(EXIT_CANNOT_RUN);
    execv(spec->program, (char *const *)(uintptr_t)spec->argv);
    _exit(EXIT_CANNOT_RUN);
}

static gn_status open_files(const gn_child_spec *spec, int fd[3], gn_error *err)
{
    fd[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    fd[1] = open(spec->out_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    fd[2] = open(spec->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd[0] < 0)
        return gn_fail_at(err, GN_EIO, "/dev/null", 0, "starting a worker: %s", strerror(errno));
    if (fd[1] < 0)
        return gn_fail_at(err, GN_EIO, spec->out_path, 0, "starting a worker: its output cannot be written: %s",
                          strerror(errno));
    if (fd[2] < 0)
        return gn_fail_at(err, GN_EIO, spec->log_path, 0, "starting a worker: its log cannot be written: %s",
                          strerror(errno));
    return GN_OK;
}

gn_status gn_child_start(const gn_child_spec *spec, gn_child **child_out, gn_error *err)
{
    int fd[3] = {-1, -1, -1};
    gn_child *child = gn_calloc(1, sizeof *child);
    gn_status status = GN_OK;
    if (child == NULL) {
        status = gn_fail(err, GN_ENOMEM, "starting a worker: out of memory");
        goto cleanup;
    }
    status = open_files(spec, fd, err);
    if (status != GN_OK)
        goto cleanup;
    child->started_ns = gn_now_ns();
    const pid_t parent = getpid();
    child->pid = fork();
    if (child->pid == 0)
        become_worker(spec, parent, fd[0], fd[1], fd[2]);
    if (child->pid < 0) {
        status = gn_fail(err, GN_EWORKER, "starting a worker: %s", strerror(errno));
        goto cleanup;
    }
    setpgid(child->pid, child->pid); /* in both processes: whichever comes first */
    *child_out = child;
    child = NULL;

cleanup:
    for (int i = 0; i < 3; i++)
        if (fd[i] >= 0)
            close(fd[i]);
    gn_free(child);
    return status;
}

bool gn_child_ended(gn_child *child, gn_child_end *end_out)
{
    int status = 0;
    if (!child->has_ended) {
        const pid_t got = waitpid(child->pid, &status, WNOHANG);
        if (got == 0 || (got < 0 && errno == EINTR))
            return false;
        child->has_ended = true;
        child->end.seconds = (double)(gn_now_ns() - child->started_ns) * 1e-9;
        child->end.exit_code = got == child->pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        child->end.signal = got == child->pid && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    }
    *end_out = child->end;
    return true;
}

void gn_child_signal(gn_child *child, bool kill_it)
{
    gn_child_end end;
    if (!gn_child_ended(child, &end))
        kill(-child->pid, kill_it ? SIGKILL : SIGTERM);
}

bool gn_child_wait(gn_child *child, double seconds, gn_child_end *end_out)
{
    const int64_t until = gn_now_ns() + (int64_t)(seconds * 1e9);
    while (!gn_child_ended(child, end_out)) {
        if (gn_now_ns() >= until)
            return false;
        gn_sleep_ns(10 * 1000 * 1000);
    }
    return true;
}

void gn_child_destroy(gn_child **child)
{
    gn_child_end end;
    if (*child == NULL)
        return;
    gn_child_signal(*child, true);
    while (!gn_child_wait(*child, 60, &end))
        gn_child_signal(*child, true);
    gn_free(*child);
    *child = NULL;
}

/* --- why ---------------------------------------------------------------------------------------------------------- */

/* The last line that says something, without control characters; "" when there is none. */
static void last_line(const char *path, char *dst, size_t dst_bytes)
{
    char tail[LOG_TAIL_BYTES + 1];
    dst[0] = '\0';
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    const off_t size = lseek(fd, 0, SEEK_END);
    const off_t from = size > LOG_TAIL_BYTES ? size - LOG_TAIL_BYTES : 0;
    const ssize_t n = pread(fd, tail, LOG_TAIL_BYTES, from);
    close(fd);
    if (n <= 0)
        return;
    ssize_t end = n;
    while (end > 0 && isspace((unsigned char)tail[end - 1]))
        end--;
    ssize_t begin = end;
    while (begin > 0 && tail[begin - 1] != '\n' && tail[begin - 1] != '\r')
        begin--;
    size_t len = 0;
    for (ssize_t i = begin; i < end && len + 1 < dst_bytes; i++)
        if ((unsigned char)tail[i] >= 0x20 && tail[i] != 0x7F)
            dst[len++] = tail[i];
    dst[len] = '\0';
}

static const char *signal_hint(int number)
{
    switch (number) {
    case SIGKILL:
        return " (SIGKILL: most often the system ran out of memory; a smaller batch or imgsz needs less)";
    case SIGSEGV:
        return " (SIGSEGV: a crash)";
    case SIGABRT:
        return " (SIGABRT: a crash)";
    case SIGBUS:
        return " (SIGBUS: a crash, or a full disk)";
    case SIGFPE:
        return " (SIGFPE: a crash)";
    case SIGILL:
        return " (SIGILL: a crash)";
    case SIGTERM:
        return " (SIGTERM: somebody asked it to stop)";
    default:
        return "";
    }
}

void gn_child_reason(const gn_child_end *end, const char *log_path, char *dst, size_t dst_bytes)
{
    char line[256], how[160];
    last_line(log_path, line, sizeof line);
    if (end->signal != 0)
        snprintf(how, sizeof how, "killed by signal %d%s", end->signal, signal_hint(end->signal));
    else if (end->exit_code == EXIT_CANNOT_RUN)
        snprintf(how, sizeof how, "the worker could not be run");
    else
        snprintf(how, sizeof how, "exit code %d", end->exit_code);
    snprintf(dst, dst_bytes, "%s%s%s", how, line[0] != '\0' ? ": " : "", line);
}
