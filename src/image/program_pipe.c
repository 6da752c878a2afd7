/* Another program at the end of a pipe.
 * SPDX-License-Identifier: Apache-2.0 */
#include "image/program_pipe.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"

#define BUFFER_BYTES   ((size_t)1 << 16)
#define LOG_TAIL_BYTES 2048

extern char **environ;

struct gn_program_pipe {
    pid_t pid;
    int fd;    /* our end */
    FILE *log; /* what it prints as errors; without a name */
    const char *program;
    size_t at, n; /* read but not taken yet */
    char buffer[BUFFER_BYTES];
};

/* The child's three streams; `other` is its end of the pipe. */
static int add_streams(posix_spawn_file_actions_t *actions, bool is_source, int other, int log_fd)
{
    int failed = posix_spawn_file_actions_adddup2(actions, other, is_source ? 1 : 0);
    if (!failed)
        failed = posix_spawn_file_actions_addopen(actions, is_source ? 0 : 1, "/dev/null",
                                                  is_source ? O_RDONLY : O_WRONLY, 0);
    return failed ? failed : posix_spawn_file_actions_adddup2(actions, log_fd, 2);
}

/* Signals as a program expects them at its start, whatever this one has done with them. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE);
    sigaddset(&signals, SIGXFSZ);
    int failed = posix_spawnattr_setsigdefault(attributes, &signals);
    if (!failed)
        failed = posix_spawnattr_setpgroup(attributes, 0);
    return failed ? failed : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

/* An errno value, 0 when it runs. */
static int spawn(gn_program_pipe *p, const char *const *argv, bool is_source, int other)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed)
        return failed;
    failed = posix_spawnattr_init(&attributes);
    if (!failed) {
        failed = add_streams(&actions, is_source, other, fileno(p->log));
        if (!failed)
            failed = set_attributes(&attributes);
        if (!failed)
            failed = posix_spawnp(&p->pid, argv[0], &actions, &attributes, (char *const *)(uintptr_t)argv, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

/* A socket, so that writing to a program that has ended is an error and no signal. */
static bool make_ends(int fd[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0)
        return false;
    for (int i = 0; i < 2; i++)
        if (fcntl(fd[i], F_SETFD, FD_CLOEXEC) != 0) {
            close(fd[0]);
            close(fd[1]);
            return false;
        }
    return true;
}

gn_status gn_program_pipe_open(const char *const *argv, bool is_source, gn_program_pipe **pipe_out, gn_error *err)
{
    int fd[2] = {-1, -1};
    gn_program_pipe *p = gn_calloc(1, sizeof *p);
    if (!p)
        return gn_fail(err, GN_ENOMEM, "no memory to start %s", argv[0]);
    p->program = argv[0];
    p->fd = -1;
    int failed = 0;
    p->log = tmpfile();
    if (!p->log || fcntl(fileno(p->log), F_SETFD, FD_CLOEXEC) != 0 || !make_ends(fd))
        failed = errno ? errno : EIO;
    if (!failed) {
        p->fd = fd[0];
        failed = spawn(p, argv, is_source, fd[1]);
        close(fd[1]);
    }
    if (!failed) {
        *pipe_out = p;
        return GN_OK;
    }
    if (p->fd >= 0)
        close(p->fd);
    if (p->log)
        fclose(p->log);
    gn_free(p);
    if (failed == ENOENT)
        return gn_fail(err, GN_EUNSUPPORTED,
                       "the program %s, which reads and writes videos, is not installed (it is in the package ffmpeg)",
                       argv[0]);
    return gn_fail(err, GN_EIO, "starting %s: %s", argv[0], strerror(failed));
}

size_t gn_program_pipe_read(gn_program_pipe *p, void *dst, size_t n)
{
    size_t done = 0;
    while (done < n) {
        if (p->at == p->n) {
            const ssize_t got = read(p->fd, p->buffer, sizeof p->buffer);
            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0)
                break;
            p->at = 0;
            p->n = (size_t)got;
        }
        const size_t step = n - done < p->n - p->at ? n - done : p->n - p->at;
        memcpy((char *)dst + done, p->buffer + p->at, step);
        p->at += step;
        done += step;
    }
    return done;
}

bool gn_program_pipe_write(gn_program_pipe *p, const void *src, size_t n)
{
    for (size_t done = 0; done < n;) {
        const ssize_t sent = send(p->fd, (const char *)src + done, n - done, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        done += (size_t)sent;
    }
    return true;
}

/* The last line that it printed, without control characters. */
static void last_line(FILE *log, char *dst, size_t dst_bytes)
{
    char tail[LOG_TAIL_BYTES];
    size_t n = 0, end, begin, len = 0;
    if (fseek(log, 0, SEEK_END) == 0) {
        const long size = ftell(log), from = size > LOG_TAIL_BYTES ? size - LOG_TAIL_BYTES : 0;
        if (fseek(log, from, SEEK_SET) == 0)
            n = fread(tail, 1, sizeof tail, log);
    }
    for (end = n; end > 0 && isspace((unsigned char)tail[end - 1]);)
        end--;
    for (begin = end; begin > 0 && tail[begin - 1] != '\n' && tail[begin - 1] != '\r';)
        begin--;
    for (size_t i = begin; i < end && len + 1 < dst_bytes; i++)
        if ((unsigned char)tail[i] >= 0x20 && tail[i] != 0x7F)
            dst[len++] = tail[i];
    dst[len] = '\0';
}

bool gn_program_pipe_close(gn_program_pipe **pipe, bool is_abandoned, char *why, size_t why_bytes)
{
    gn_program_pipe *p = *pipe;
    int status = 0;
    if (!p)
        return true;
    *pipe = NULL;
    if (is_abandoned)
        kill(p->pid, SIGKILL);
    close(p->fd);
    pid_t got;
    do
        got = waitpid(p->pid, &status, 0);
    while (got < 0 && errno == EINTR);
    const bool is_fine = got == p->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!is_fine && why_bytes > 0) {
        last_line(p->log, why, why_bytes);
        if (why[0] == '\0' && got == p->pid && WIFSIGNALED(status))
            snprintf(why, why_bytes, "%s ended by signal %d", p->program, WTERMSIG(status));
        else if (why[0] == '\0')
            snprintf(why, why_bytes, "%s ended with exit code %d", p->program,
                     got == p->pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    }
    fclose(p->log);
    gn_free(p);
    return is_fine;
}
