/* Zip files as PyTorch writes them: entries that are stored, not compressed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_WEIGHTS_ZIP_ARCHIVE_H
#define GN_FORMATS_WEIGHTS_ZIP_ARCHIVE_H

#include <stdbool.h>

#include "formats/weights/byte_source.h"

#define GN_ZIP_MAX_ENTRIES 250000

typedef struct gn_zip gn_zip;

/* `source` must outlive the archive.  GN_EFORMAT, GN_ELIMIT, GN_EIO, GN_ENOMEM. */
gn_status gn_zip_open(const gn_byte_source *source, gn_zip **zip_out, gn_error *err);
void gn_zip_close(gn_zip **zip);

uint64_t gn_zip_count(const gn_zip *zip);
/* Borrowed, valid until close; "" when it has none. */
const char *gn_zip_name(const gn_zip *zip, uint64_t entry);
/* Number and size of the entry of this name.  GN_ENOENT without a message: there is none.  GN_EUNSUPPORTED: it is compressed or
 * encrypted; GN_EFORMAT: it claims more than the file has. */
gn_status gn_zip_find(const gn_zip *zip, const char *name, uint64_t *entry_out, uint64_t *bytes_out, gn_error *err);
/* n bytes from `offset` of an entry.  Of a whole entry the checksum is compared.  GN_EFORMAT, GN_EIO, GN_ENOMEM. */
gn_status gn_zip_read(const gn_zip *zip, uint64_t entry, uint64_t offset, void *dst, uint64_t n, gn_error *err);

#endif
