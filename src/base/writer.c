/* Atomic replacement of a file: a temporary file beside it, synced, renamed over it, and the folder synced.  Whatever fails,
 * and whenever the process dies, the old file is whole.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define BUFFER_BYTES 65536
#define TEMP_TRIES   100

struct gn_writer {
    char path[PATH_MAX];           /* the file to be replaced, symbolic links followed */
    char temp_path[PATH_MAX + 64]; /* beside it */
    int fd;
    bool has_failed;
    size_t n_buffered;
    unsigned char buffer[BUFFER_BYTES];
};

static atomic_uint temp_counter; /* makes names unique within the process */

static gn_status fail_errno(gn_error *err, const char *path, const char *doing)
{
    return gn_fail_at(err, GN_EIO, path, 0, "cannot %s: %s", doing, strerror(errno));
}

/* Resolves links, so that the file that a link names is replaced and not the link; refuses devices and folders. */
static gn_status resolve_target(gn_writer *writer, const char *path, mode_t *mode_out, gn_error *err)
{
    struct stat st;
    const bool exists = stat(path, &st) == 0;
    if (exists && !S_ISREG(st.st_mode))
        return gn_fail_at(err, GN_EINVAL, path, 0, "cannot write the file: the name belongs to a folder or a device");
    char *real = exists ? realpath(path, writer->path) : NULL;
    if (!real) {
        if (strlen(path) >= sizeof writer->path)
            return gn_fail_at(err, GN_EINVAL, path, 0, "cannot write the file: the name is longer than %d bytes",
                              PATH_MAX - 1);
        memcpy(writer->path, path, strlen(path) + 1);
    }
    *mode_out = exists ? st.st_mode & 0777 : 0;
    return GN_OK;
}

static gn_status open_temp(gn_writer *writer, gn_error *err)
{
    for (int i = 0; i < TEMP_TRIES; i++) {
        snprintf(writer->temp_path, sizeof writer->temp_path, "%s.tmp-%ld-%u", writer->path, (long)getpid(),
                 atomic_fetch_add(&temp_counter, 1));
        writer->fd = open(writer->temp_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (writer->fd >= 0 || errno != EEXIST)
            break;
    }
    return writer->fd >= 0 ? GN_OK : fail_errno(err, writer->path, "write the file");
}

gn_status gn_writer_open(const char *path, gn_writer **writer_out, gn_error *err)
{
    gn_writer *writer = gn_alloc(sizeof *writer);
    if (!writer)
        return gn_fail_at(err, GN_ENOMEM, path, 0, "no memory to write the file");
    writer->fd = -1;
    writer->has_failed = false;
    writer->n_buffered = 0;
    mode_t mode = 0;
    gn_status status = resolve_target(writer, path, &mode, err);
    if (status == GN_OK)
        status = open_temp(writer, err);
    if (status == GN_OK && mode != 0 && fchmod(writer->fd, mode) != 0)
        status = fail_errno(err, path, "set the file's permissions");
    if (status != GN_OK) {
        if (writer->fd >= 0)
            unlink(writer->temp_path);
        if (writer->fd >= 0)
            close(writer->fd);
        gn_free(writer);
        return status;
    }
    *writer_out = writer;
    return GN_OK;
}

static gn_status write_all(gn_writer *writer, const unsigned char *data, size_t bytes, gn_error *err)
{
    while (bytes > 0) {
        const ssize_t n = write(writer->fd, data, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = ENOSPC; /* nothing taken and no reason given */
            writer->has_failed = true;
            return fail_errno(err, writer->path, "write the file");
        }
        data += n;
        bytes -= (size_t)n;
    }
    return GN_OK;
}

static gn_status flush(gn_writer *writer, gn_error *err)
{
    const size_t n = writer->n_buffered;
    writer->n_buffered = 0;
    return write_all(writer, writer->buffer, n, err);
}

gn_status gn_writer_write(gn_writer *writer, const void *data, size_t bytes, gn_error *err)
{
    if (writer->has_failed)
        return gn_fail_at(err, GN_EIO, writer->path, 0, "cannot write the file: an earlier write to it failed");
    if (bytes > BUFFER_BYTES - writer->n_buffered)
        GN_TRY(flush(writer, err));
    if (bytes >= BUFFER_BYTES)
        return write_all(writer, data, bytes, err);
    if (bytes > 0)
        memcpy(writer->buffer + writer->n_buffered, data, bytes);
    writer->n_buffered += bytes;
    return GN_OK;
}

/* After a crash the new name must be on disk too.  A file system that cannot sync folders is not an error. */
static void sync_folder(const char *path)
{
    char dir[PATH_MAX];
    gn_path_dir(path, dir, sizeof dir);
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

static gn_status finish(gn_writer *writer, gn_error *err)
{
    if (writer->has_failed)
        return gn_fail_at(err, GN_EIO, writer->path, 0, "cannot write the file: an earlier write to it failed");
    GN_TRY(flush(writer, err));
    if (fsync(writer->fd) != 0)
        return fail_errno(err, writer->path, "write the file");
    const int fd = writer->fd;
    writer->fd = -1;
    if (close(fd) != 0)
        return fail_errno(err, writer->path, "write the file");
    if (rename(writer->temp_path, writer->path) != 0)
        return fail_errno(err, writer->path, "put the new file in its place");
    return GN_OK;
}

gn_status gn_writer_commit(gn_writer **writer, gn_error *err)
{
    const gn_status status = finish(*writer, err);
    if (status != GN_OK) {
        gn_writer_abandon(writer);
        return status;
    }
    sync_folder((*writer)->path);
    gn_free(*writer);
    *writer = NULL;
    return GN_OK;
}

void gn_writer_abandon(gn_writer **writer)
{
    if (!writer || !*writer)
        return;
    if ((*writer)->fd >= 0)
        close((*writer)->fd);
    unlink((*writer)->temp_path);
    gn_free(*writer);
    *writer = NULL;
}

gn_status gn_file_write(const char *path, const void *data, size_t bytes, gn_error *err)
{
    gn_writer *writer = NULL;
    GN_TRY(gn_writer_open(path, &writer, err));
    const gn_status status = gn_writer_write(writer, data, bytes, err);
    if (status != GN_OK) {
        gn_writer_abandon(&writer);
        return status;
    }
    return gn_writer_commit(&writer, err);
}
