/* Reading files whole, listing and making folders, and small path helpers.  Writing stands in writer.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096
/* First guess for what has no size, such as a pipe. */
#define READ_START_BYTES 65536

static gn_status status_of_errno(int code)
{
    switch (code) {
    case ENOENT:
    case ENOTDIR:
        return GN_ENOENT;
    case EEXIST:
        return GN_EEXIST;
    case ENOMEM:
        return GN_ENOMEM;
    default:
        return GN_EIO;
    }
}

static gn_status fail_errno(gn_error *err, const char *path, const char *doing)
{
    const int code = errno;
    return gn_fail_at(err, status_of_errno(code), path, 0, "cannot %s: %s", doing, strerror(code));
}

static gn_status fail_too_large(gn_error *err, const char *path, size_t max_bytes)
{
    return gn_fail_at(err, GN_ELIMIT, path, 0, "the file is larger than %zu bytes, the limit for this kind of file",
                      max_bytes);
}

/* Reads to the end; the block has room for one more byte than max_bytes at most, which tells that there is more. */
static gn_status read_all(int fd, const char *path, size_t first_bytes, size_t max_bytes, char **data_out,
                          size_t *bytes_out, gn_error *err)
{
    size_t capacity = first_bytes + 2, n = 0;
    char *data = gn_alloc(capacity);
    gn_status status = data ? GN_OK : gn_fail_at(err, GN_ENOMEM, path, 0, "no memory to read the file");
    while (status == GN_OK) {
        if (capacity - n < 2 && gn_grow(&data, &capacity, capacity + 1, 1) != GN_OK) {
            status = gn_fail_at(err, GN_ENOMEM, path, 0, "no memory to read the file");
            break;
        }
        const ssize_t got = read(fd, data + n, capacity - n - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = fail_errno(err, path, "read the file");
        if (got <= 0)
            break;
        n += (size_t)got;
        if (n > max_bytes)
            status = fail_too_large(err, path, max_bytes);
    }
    if (status != GN_OK) {
        gn_free(data);
        return status;
    }
    data[n] = '\0';
    *data_out = data;
    *bytes_out = n;
    return GN_OK;
}

gn_status gn_file_read(const char *path, size_t max_bytes, char **data_out, size_t *bytes_out, gn_error *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, path, "open the file");
    struct stat st;
    gn_status status;
    if (fstat(fd, &st) != 0)
        status = fail_errno(err, path, "look at the file");
    else if (S_ISDIR(st.st_mode))
        status = gn_fail_at(err, GN_EIO, path, 0, "this is a folder, a file was expected");
    else if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > max_bytes)
        status = fail_too_large(err, path, max_bytes);
    else
        status = read_all(fd, path, S_ISREG(st.st_mode) ? (size_t)st.st_size : READ_START_BYTES, max_bytes, data_out,
                          bytes_out, err);
    close(fd);
    return status;
}

bool gn_path_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool gn_path_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int64_t gn_path_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (int64_t)st.st_size : -1;
}

static gn_status make_dir(const char *path, gn_error *err)
{
    if (mkdir(path, 0777) == 0)
        return GN_OK;
    if (errno == EEXIST && gn_path_is_dir(path))
        return GN_OK;
    return fail_errno(err, path, "make the folder");
}

gn_status gn_make_dirs(const char *path, gn_error *err)
{
    char part[PATH_BYTES];
    const size_t len = strlen(path);
    if (len == 0 || len >= sizeof part)
        return gn_fail_at(err, GN_EINVAL, path, 0,
                          "cannot make the folder: its name has %zu bytes, 1 to %d are allowed", len, PATH_BYTES - 1);
    if (gn_path_is_dir(path))
        return GN_OK;
    memcpy(part, path, len + 1);
    for (size_t i = 1; i < len; i++) {
        if (part[i] != '/')
            continue;
        part[i] = '\0';
        GN_TRY(make_dir(part, err));
        part[i] = '/';
    }
    return make_dir(part, err);
}

gn_status gn_path_join(const char *base, const char *name, char *dst, size_t dst_bytes)
{
    int n;
    const size_t len = strlen(base);
    if (name[0] == '/' || len == 0)
        n = snprintf(dst, dst_bytes, "%s", name);
    else
        n = snprintf(dst, dst_bytes, "%s%s%s", base, base[len - 1] == '/' ? "" : "/", name);
    return n >= 0 && (size_t)n < dst_bytes ? GN_OK : GN_ELIMIT;
}

const char *gn_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *gn_path_ext(const char *path)
{
    const char *name = gn_path_name(path);
    const char *dot = strrchr(name, '.');
    /* ".profile" is a name, not an extension. */
    return dot && dot != name ? dot : name + strlen(name);
}

void gn_path_dir(const char *path, char *dst, size_t dst_bytes)
{
    if (dst_bytes == 0)
        return;
    const char *slash = strrchr(path, '/');
    if (!slash)
        snprintf(dst, dst_bytes, ".");
    else if (slash == path)
        snprintf(dst, dst_bytes, "/");
    else
        snprintf(dst, dst_bytes, "%.*s", (int)(slash - path), path);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_dot_name(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static gn_status read_names(DIR *dir, gn_arena *arena, const char ***names, size_t *n, const char *path, gn_error *err)
{
    size_t capacity = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry)
            return errno ? fail_errno(err, path, "list the folder") : GN_OK;
        if (is_dot_name(entry->d_name))
            continue;
        const char *name = gn_arena_strdup(arena, entry->d_name);
        if (!name || gn_grow(names, &capacity, *n + 1, sizeof **names) != GN_OK)
            return gn_fail_at(err, GN_ENOMEM, path, 0, "no memory to list the folder");
        (*names)[(*n)++] = name;
    }
}

gn_status gn_list_dir(const char *path, gn_arena *arena, const char ***names_out, size_t *n_out, gn_error *err)
{
    DIR *dir = opendir(path);
    if (!dir)
        return fail_errno(err, path, "open the folder");
    const char **names = NULL;
    size_t n = 0;
    gn_status status = read_names(dir, arena, &names, &n, path, err);
    const char **kept = NULL;
    if (status == GN_OK) {
        kept = gn_arena_alloc(arena, (n + 1) * sizeof *kept);
        if (!kept)
            status = gn_fail_at(err, GN_ENOMEM, path, 0, "no memory to list the folder");
    }
    if (status == GN_OK) {
        if (n > 0) {
            memcpy(kept, names, n * sizeof *kept);
            qsort(kept, n, sizeof *kept, compare_names);
        }
        *names_out = kept;
        *n_out = n;
    }
    gn_free(names);
    closedir(dir);
    return status;
}

uint64_t gn_hash64(const void *data, size_t bytes, uint64_t seed)
{
    const unsigned char *p = data;
    uint64_t hash = UINT64_C(0xCBF29CE484222325) ^ seed;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ p[i]) * UINT64_C(0x100000001B3);
    return hash;
}

/* Folders deeper than this are nobody's run. */
#define TREE_MAX_DEPTH 16
#define TREE_MAX_PATH  4096

static bool remove_tree(const char *path, int depth)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT;
    if (!S_ISDIR(st.st_mode))
        return unlink(path) == 0;
    DIR *dir = depth < TREE_MAX_DEPTH ? opendir(path) : NULL;
    for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir)) {
        char child[TREE_MAX_PATH];
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            gn_path_join(path, entry->d_name, child, sizeof child) == GN_OK)
            remove_tree(child, depth + 1);
    }
    if (dir != NULL)
        closedir(dir);
    return rmdir(path) == 0;
}

bool gn_remove_tree(const char *path)
{
    return remove_tree(path, 0);
}
