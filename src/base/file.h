/* Files: read whole with a limit, replace atomically, make folders, list folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_BASE_FILE_H
#define GN_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

/* Whole file into an owned block (gn_free), with a NUL after the last byte.
 * GN_ENOENT, GN_EIO, GN_ELIMIT (larger than max_bytes), GN_ENOMEM. */
gn_status gn_file_read(const char *path, size_t max_bytes, char **data_out, size_t *bytes_out, gn_error *err);

/* Replace `path`: written to a temporary file beside it, synced, renamed; the old file stays on any failure.
 * GN_EINVAL: the name of a folder or a device, or too long; GN_EIO (also when the folder is missing); GN_ENOMEM. */
gn_status gn_file_write(const char *path, const void *data, size_t bytes, gn_error *err);

/* The same in pieces: open, write any number of times, then commit or abandon (which remove the temporary file).  commit and
 * abandon free the writer and set it NULL; after a failed write only abandon or commit (which then fails) may follow. */
typedef struct gn_writer gn_writer;
gn_status gn_writer_open(const char *path, gn_writer **writer_out, gn_error *err);
gn_status gn_writer_write(gn_writer *writer, const void *data, size_t bytes, gn_error *err);
gn_status gn_writer_commit(gn_writer **writer, gn_error *err);
void gn_writer_abandon(gn_writer **writer);

bool gn_path_exists(const char *path);
bool gn_path_is_dir(const char *path);
int64_t gn_path_bytes(const char *path); /* size of a file, -1 when there is none */
/* Folder and its parents; fine when it exists. */
gn_status gn_make_dirs(const char *path, gn_error *err);
/* A file, or a folder with all that is in it; links are removed, never followed.  Takes no memory of ours, for want of which it may be
 * called.  False when something is left. */
bool gn_remove_tree(const char *path);
/* base/name unless name is absolute; caller's buffer.  GN_ELIMIT when it does not fit. */
gn_status gn_path_join(const char *base, const char *name, char *dst, size_t dst_bytes);
/* Part after the last '/', and extension with its dot ("" when none); pointers into `path`. */
const char *gn_path_name(const char *path);
const char *gn_path_ext(const char *path);
/* Folder part ("." when none) into the caller's buffer. */
void gn_path_dir(const char *path, char *dst, size_t dst_bytes);
/* Names in a folder, sorted bytewise, without . and ..; strings live in `arena`. */
gn_status gn_list_dir(const char *path, gn_arena *arena, const char ***names_out, size_t *n_out, gn_error *err);
/* 64-bit content hash (FNV-1a), for telling files and settings apart, not for security. */
uint64_t gn_hash64(const void *data, size_t bytes, uint64_t seed);

#endif
