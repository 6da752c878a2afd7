/* The lock file of measurements.
 * SPDX-License-Identifier: Apache-2.0 */
#include "measure/machine_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/progress.h"

#define POLL_NS 50000000

struct gn_machine_lock {
    int fd;
};

static void lock_path(char *path, size_t bytes)
{
    const char *given = getenv("GANNET_LOCK"), *runtime = getenv("XDG_RUNTIME_DIR");
    if (given && *given)
        snprintf(path, bytes, "%s", given);
    else if (runtime && *runtime && access(runtime, W_OK) == 0)
        snprintf(path, bytes, "%s/gannet.lock", runtime);
    else
        snprintf(path, bytes, "/tmp/gannet-%lu.lock", (unsigned long)getuid());
}

gn_status gn_machine_lock_take(gn_machine_use use, double wait_seconds, gn_machine_lock **lock_out, gn_error *err)
{
    char path[1024];
    lock_path(path, sizeof path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return gn_fail_at(err, GN_EIO, path, 0, "the lock of measurements cannot be opened: %s", strerror(errno));
    int64_t end = gn_now_ns() + (int64_t)(wait_seconds * 1e9);
    while (flock(fd, (use == GN_MACHINE_MEASURE ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
        gn_status status = GN_OK;
        if (errno != EWOULDBLOCK && errno != EINTR)
            status = gn_fail_at(err, GN_EIO, path, 0, "the lock of measurements cannot be taken: %s", strerror(errno));
        else if (gn_stop_requested())
            status = gn_fail(err, GN_ECANCELED, "interrupted while waiting for another gannet process");
        else if (gn_now_ns() >= end)
            status = gn_fail(err, GN_EBUSY,
                             use == GN_MACHINE_MEASURE
                                 ? "another gannet process trains or measures on this machine; a latency "
                                   "measured now would be wrong: try again when it has ended"
                                 : "another gannet process measures a latency on this machine");
        if (status != GN_OK) {
            close(fd);
            return status;
        }
        gn_sleep_ns(POLL_NS);
    }
    gn_machine_lock *lock = gn_calloc(1, sizeof *lock);
    if (!lock) {
        close(fd);
        return gn_fail(err, GN_ENOMEM, "no memory for the lock of measurements");
    }
    lock->fd = fd;
    *lock_out = lock;
    return GN_OK;
}

void gn_machine_lock_give(gn_machine_lock **lock)
{
    if (!lock || !*lock)
        return;
    close((*lock)->fd); /* the file stays: removing it would race with others */
    gn_free(*lock);
    *lock = NULL;
}
