/* Zip files through libzip.
 * Source: the end-of-directory records are those of PKWARE's APPNOTE 6.3, sections 4.3.14 to 4.3.16.
 * SPDX-License-Identifier: Apache-2.0 */
#include "formats/weights/zip_archive.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

#define END_BYTES     22
#define MAX_COMMENT   65535
#define END64_BYTES   56
#define LOCATOR_BYTES 20

struct gn_zip {
    zip_t *handle;
    const gn_byte_source *source;
    uint64_t count;
};

/* ---- how many entries there are, before libzip takes memory for them ---- */

static uint64_t little(const uint8_t *p, int bytes)
{
    uint64_t x = 0;
    for (int i = 0; i < bytes; i++)
        x |= (uint64_t)p[i] << (8 * i);
    return x;
}

/* The 64-bit record of the directory's end, when the 16-bit one says that it could not hold the number. */
static gn_status count_entries_64(const gn_byte_source *source, uint64_t end_at, uint64_t *count, gn_error *err)
{
    uint8_t locator[LOCATOR_BYTES], end[END64_BYTES];
    if (end_at < LOCATOR_BYTES)
        return GN_OK;
    GN_TRY(gn_byte_source_read(source, end_at - LOCATOR_BYTES, locator, sizeof locator, err));
    if (memcmp(locator, "PK\6\7", 4) != 0)
        return GN_OK;
    GN_TRY(gn_byte_source_read(source, little(locator + 8, 8), end, sizeof end, err));
    if (memcmp(end, "PK\6\6", 4) == 0)
        *count = little(end + 32, 8);
    return GN_OK;
}

static gn_status check_count(const gn_byte_source *source, gn_error *err)
{
    const uint64_t n = source->bytes < END_BYTES + MAX_COMMENT ? source->bytes : END_BYTES + MAX_COMMENT;
    uint64_t count = 0;
    gn_status status = GN_OK;
    uint8_t *tail = gn_alloc((size_t)n);
    if (!tail)
        return gn_fail_at(err, GN_ENOMEM, source->name, 0, "no memory to read the zip file");
    status = gn_byte_source_read(source, source->bytes - n, tail, n, err);
    for (uint64_t i = n < END_BYTES ? 0 : n - END_BYTES + 1; i-- > 0 && status == GN_OK;)
        if (memcmp(tail + i, "PK\5\6", 4) == 0) {
            count = little(tail + i + 10, 2);
            if (count == 0xFFFF)
                status = count_entries_64(source, source->bytes - n + i, &count, err);
            break;
        }
    gn_free(tail);
    if (status == GN_OK && count > GN_ZIP_MAX_ENTRIES)
        return gn_fail_at(err, GN_ELIMIT, source->name, 0, "the zip file has %" PRIu64 " entries, at most %d are read",
                          count, GN_ZIP_MAX_ENTRIES);
    return status;
}

/* ---- libzip ---- */

static gn_status fail_zip(const gn_byte_source *source, zip_error_t *error, gn_error *err)
{
    const int code = zip_error_code_zip(error);
    const gn_status status = code == ZIP_ER_MEMORY                                               ? GN_ENOMEM
                             : code == ZIP_ER_READ || code == ZIP_ER_SEEK || code == ZIP_ER_OPEN ? GN_EIO
                                                                                                 : GN_EFORMAT;
    return gn_fail_at(err, status, source->name, 0, "not a readable zip file: %s%s", zip_error_strerror(error),
                      code == ZIP_ER_NOZIP ? " (is it truncated?)" : "");
}

static zip_t *open_handle(const gn_byte_source *source, zip_error_t *error)
{
    if (source->fd >= 0) {
        const int fd = dup(source->fd); /* libzip closes what it is given */
        int code = 0;
        zip_t *handle = fd >= 0 ? zip_fdopen(fd, 0, &code) : NULL;
        if (!handle) {
            zip_error_init_with_code(error, fd >= 0 ? code : ZIP_ER_OPEN);
            if (fd >= 0)
                close(fd);
        }
        return handle;
    }
    zip_source_t *bytes = zip_source_buffer_create(source->memory, source->bytes, 0, error);
    zip_t *handle = bytes ? zip_open_from_source(bytes, ZIP_RDONLY, error) : NULL;
    if (bytes && !handle)
        zip_source_free(bytes);
    return handle;
}

gn_status gn_zip_open(const gn_byte_source *source, gn_zip **zip_out, gn_error *err)
{
    GN_TRY(check_count(source, err));
    gn_zip *zip = gn_calloc(1, sizeof *zip);
    if (!zip)
        return gn_fail_at(err, GN_ENOMEM, source->name, 0, "no memory to read the zip file");
    zip_error_t error;
    zip_error_init(&error);
    zip->source = source;
    zip->handle = open_handle(source, &error);
    if (!zip->handle) {
        const gn_status status = fail_zip(source, &error, err);
        zip_error_fini(&error);
        gn_free(zip);
        return status;
    }
    zip_error_fini(&error);
    const zip_int64_t count = zip_get_num_entries(zip->handle, 0);
    zip->count = count > 0 ? (uint64_t)count : 0;
    *zip_out = zip;
    return GN_OK;
}

void gn_zip_close(gn_zip **zip)
{
    if (!zip || !*zip)
        return;
    zip_discard((*zip)->handle);
    gn_free(*zip);
    *zip = NULL;
}

uint64_t gn_zip_count(const gn_zip *zip)
{
    return zip->count;
}

const char *gn_zip_name(const gn_zip *zip, uint64_t entry)
{
    const char *name = zip_get_name(zip->handle, entry, 0);
    return name ? name : "";
}

gn_status gn_zip_find(const gn_zip *zip, const char *name, uint64_t *entry_out, uint64_t *bytes_out, gn_error *err)
{
    const zip_int64_t at = zip_name_locate(zip->handle, name, 0);
    zip_stat_t st;
    if (at < 0)
        return GN_ENOENT;
    if (zip_stat_index(zip->handle, (zip_uint64_t)at, 0, &st) != 0)
        return fail_zip(zip->source, zip_get_error(zip->handle), err);
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD;
    if ((st.valid & needed) != needed)
        return gn_fail_at(err, GN_EFORMAT, zip->source->name, 0, "entry '%.200s' of the zip file lacks its size", name);
    if (st.comp_method != ZIP_CM_STORE || ((st.valid & ZIP_STAT_ENCRYPTION_METHOD) && st.encryption_method))
        return gn_fail_at(
            err, GN_EUNSUPPORTED, zip->source->name, 0,
            "entry '%.200s' of the zip file is compressed or encrypted; PyTorch stores its entries as they "
            "are, and only such are read (unpack, and pack with zip -0)",
            name);
    if (st.size > zip->source->bytes)
        return gn_fail_at(err, GN_EFORMAT, zip->source->name, 0,
                          "entry '%.200s' of the zip file claims %" PRIu64 " bytes, the whole file has %" PRIu64, name,
                          (uint64_t)st.size, zip->source->bytes);
    *entry_out = (uint64_t)at;
    *bytes_out = st.size;
    return GN_OK;
}

static gn_status fail_entry(const gn_zip *zip, uint64_t entry, const char *why, gn_error *err)
{
    return gn_fail_at(err, GN_EFORMAT, zip->source->name, 0, "entry '%.200s' of the zip file cannot be read: %s",
                      gn_zip_name(zip, entry), why);
}

gn_status gn_zip_read(const gn_zip *zip, uint64_t entry, uint64_t offset, void *dst, uint64_t n, gn_error *err)
{
    zip_file_t *file = zip_fopen_index(zip->handle, entry, 0);
    if (!file)
        return fail_entry(zip, entry, zip_error_strerror(zip_get_error(zip->handle)), err);
    gn_status status = GN_OK;
    if (offset > 0 && zip_fseek(file, (zip_int64_t)offset, SEEK_SET) != 0)
        status = fail_entry(zip, entry, zip_file_strerror(file), err);
    char *to = dst;
    uint64_t left = n;
    while (left > 0 && status == GN_OK) {
        const zip_int64_t got = zip_fread(file, to, left);
        if (got <= 0) {
            status = fail_entry(zip, entry, got < 0 ? zip_file_strerror(file) : "it ends too early", err);
            break;
        }
        to += got;
        left -= (uint64_t)got;
    }
    char beyond; /* libzip compares the checksum when it sees the end */
    if (status == GN_OK && offset == 0 && zip_fread(file, &beyond, 1) < 0)
        status = fail_entry(zip, entry, zip_file_strerror(file), err);
    zip_fclose(file);
    return status;
}
