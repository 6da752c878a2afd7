/* Bytes of a file or of memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "formats/weights/byte_source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One call reads at most this much, whatever the system's own limit is. */
#define PIECE_BYTES ((uint64_t)1 << 30)

static gn_status fail_errno(gn_error *err, const char *path, const char *doing)
{
    const int code = errno;
    return gn_fail_at(err, code == ENOENT || code == ENOTDIR ? GN_ENOENT : GN_EIO, path, 0, "cannot %s: %s", doing,
                      strerror(code));
}

static gn_status look_at(int fd, const char *path, uint64_t max_bytes, uint64_t *bytes_out, gn_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail_errno(err, path, "look at the file");
    if (!S_ISREG(st.st_mode))
        return gn_fail_at(err, GN_EIO, path, 0, "this is no ordinary file, one was expected");
    if ((uint64_t)st.st_size > max_bytes)
        return gn_fail_at(err, GN_ELIMIT, path, 0,
                          "the file is larger than %" PRIu64 " bytes, the limit for this kind of file", max_bytes);
    *bytes_out = (uint64_t)st.st_size;
    return GN_OK;
}

gn_status gn_byte_source_open(const char *path, uint64_t max_bytes, gn_byte_source *source_out, gn_error *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fail_errno(err, path, "open the file");
    uint64_t bytes = 0;
    const gn_status status = look_at(fd, path, max_bytes, &bytes, err);
    if (status != GN_OK) {
        close(fd);
        return status;
    }
    *source_out = (gn_byte_source){.name = path, .bytes = bytes, .fd = fd};
    return GN_OK;
}

gn_byte_source gn_byte_source_memory(const void *bytes, uint64_t n, const char *name)
{
    return (gn_byte_source){.name = name, .bytes = n, .fd = -1, .memory = bytes};
}

void gn_byte_source_close(gn_byte_source *source)
{
    if (source->fd >= 0)
        close(source->fd);
    source->fd = -1;
}

gn_status gn_byte_source_read(const gn_byte_source *source, uint64_t offset, void *dst, uint64_t n, gn_error *err)
{
    if (offset > source->bytes || n > source->bytes - offset)
        return gn_fail_offset(err, GN_EFORMAT, source->name, (int64_t)source->bytes,
                              "the file ends here, %" PRIu64 " more bytes were expected (is it truncated?)",
                              offset > source->bytes ? n : n - (source->bytes - offset));
    if (source->fd < 0) {
        if (n)
            memcpy(dst, source->memory + offset, n);
        return GN_OK;
    }
    char *to = dst;
    while (n > 0) {
        const ssize_t got = pread(source->fd, to, n < PIECE_BYTES ? n : PIECE_BYTES, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(err, source->name, "read the file");
        if (got == 0)
            return gn_fail_offset(err, GN_EFORMAT, source->name, (int64_t)offset, "the file became shorter meanwhile");
        to += got;
        offset += (uint64_t)got;
        n -= (uint64_t)got;
    }
    return GN_OK;
}
