/* Bytes at any place of a file or of a block of memory, so that large files are read where they are needed and nowhere else.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_WEIGHTS_BYTE_SOURCE_H
#define GN_FORMATS_WEIGHTS_BYTE_SOURCE_H

#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

/* name: stands in error lines; borrowed. */
typedef struct gn_byte_source {
    const char *name;
    uint64_t bytes;
    int fd;                /* of a file, else -1 */
    const uint8_t *memory; /* borrowed; NULL for a file */
} gn_byte_source;

/* path is borrowed as the name.  GN_ENOENT, GN_EIO, GN_ELIMIT (larger than max_bytes). */
gn_status gn_byte_source_open(const char *path, uint64_t max_bytes, gn_byte_source *source_out, gn_error *err);
gn_byte_source gn_byte_source_memory(const void *bytes, uint64_t n, const char *name);
void gn_byte_source_close(gn_byte_source *source);
/* Exactly n bytes from `offset` on.  GN_EFORMAT: they end before; GN_EIO. */
gn_status gn_byte_source_read(const gn_byte_source *source, uint64_t offset, void *dst, uint64_t n, gn_error *err);

#endif
