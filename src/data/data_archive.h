/* A zip file as a folder that is only read: members by name, folders that its names imply, and the bytes of a member, which any number
 * of threads may ask for.
 * Source: PKWARE's APPNOTE 6.3.10, read by libzip.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DATA_DATA_ARCHIVE_H
#define GN_DATA_DATA_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

/* Limits: more members, longer names, and members that claim to be more than GN_ARCHIVE_MAX_RATIO times what they take in the file (no
 * method that is in use packs tighter), or GN_ARCHIVE_LARGE_RATIO times when larger than GN_ARCHIVE_LARGE_BYTES (no picture and no list
 * is packed tighter), are refused. */
#define GN_ARCHIVE_MAX_MEMBERS    4000000
#define GN_ARCHIVE_MAX_NAME_BYTES 1024
#define GN_ARCHIVE_MAX_RATIO      1100
#define GN_ARCHIVE_LARGE_RATIO    100
#define GN_ARCHIVE_LARGE_BYTES    ((size_t)1 << 20)
/* Largest member that is read, pictures and all else. */
#define GN_ARCHIVE_MAX_MEMBER_BYTES ((size_t)64 << 20)

typedef struct gn_archive gn_archive;

/* GN_EFORMAT: no zip; a member whose name is absolute or has a part "..".  GN_ELIMIT, GN_ENOENT, GN_ENOMEM. */
gn_status gn_archive_open(const char *path, gn_archive **archive_out, gn_error *err);
void gn_archive_close(gn_archive **archive);

/* Names are given without a leading '/'; "" is the top; parts "." and empty parts do not count.  A name with ".." is not there. */
int64_t gn_archive_find(const gn_archive *archive, const char *name); /* member, or -1 */
bool gn_archive_is_dir(const gn_archive *archive, const char *name);
/* Names in a folder, sorted bytewise; strings live in `arena`.  GN_ENOENT, GN_ENOMEM. */
gn_status gn_archive_list(const gn_archive *archive, const char *name, gn_arena *arena, const char ***names_out,
                          size_t *n_out, gn_error *err);
/* A member's bytes in an owned block, with a NUL after the last.  GN_ELIMIT: larger than max_bytes, or packed tighter than the limit;
 * GN_EUNSUPPORTED: encrypted, or a method that is not known; GN_EFORMAT: damaged; GN_ENOMEM. */
gn_status gn_archive_read(gn_archive *archive, int64_t member, size_t max_bytes, char **data_out, size_t *bytes_out,
                          gn_error *err);

#endif
