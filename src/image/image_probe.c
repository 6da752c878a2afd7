/* Which format a picture has, how large it is and how it must be turned, from its headers alone.  Everything is bounds-checked:
 * the bytes may come from anywhere.
 * Sources: JPEG ITU-T T.81 annex B, PNG third edition, TIFF 6.0 section 2, Exif 2.32.
 * SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "image/codec.h"

static uint32_t be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
    return be16(p) << 16 | be16(p + 2);
}

static uint32_t le16(const uint8_t *p)
{
    return (uint32_t)p[1] << 8 | p[0];
}

static uint32_t le32(const uint8_t *p)
{
    return le16(p + 2) << 16 | le16(p);
}

int gn_exif_orientation(const uint8_t *tiff, size_t n)
{
    enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, ENTRY_BYTES = 12 };
    if (n < 8)
        return 1;
    const bool is_little = memcmp(tiff, "II*\0", 4) == 0;
    if (!is_little && memcmp(tiff, "MM\0*", 4) != 0)
        return 1;
    const size_t ifd = is_little ? le32(tiff + 4) : be32(tiff + 4);
    if (ifd > n - 2)
        return 1;
    const size_t count = is_little ? le16(tiff + ifd) : be16(tiff + ifd);
    for (size_t i = 0; i < count; i++) {
        const size_t at = ifd + 2 + i * ENTRY_BYTES;
        if (at + ENTRY_BYTES > n)
            return 1;
        const uint8_t *entry = tiff + at;
        const uint32_t tag = is_little ? le16(entry) : be16(entry);
        const uint32_t type = is_little ? le16(entry + 2) : be16(entry + 2);
        if (tag != TAG_ORIENTATION || type != TYPE_SHORT)
            continue;
        const uint32_t value = is_little ? le16(entry + 8) : be16(entry + 8);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* SOF0..SOF15 without DHT (C4), JPG (C8) and DAC (CC). */
static bool is_frame_header(int marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

static bool has_no_payload(int marker)
{
    return marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8);
}

static void read_jpeg_segment(int marker, const uint8_t *payload, size_t n, gn_probe *probe)
{
    if (is_frame_header(marker) && n >= 6 && probe->width == 0) {
        probe->height = (int)be16(payload + 1);
        probe->width = (int)be16(payload + 3);
    } else if (marker == 0xE1 && n > 6 && memcmp(payload, "Exif\0\0", 6) == 0) {
        const int orientation = gn_exif_orientation(payload + 6, n - 6);
        if (probe->orientation == 1)
            probe->orientation = orientation;
    }
}

static gn_status probe_jpeg(const gn_encoded *src, gn_probe *probe, gn_error *err)
{
    const uint8_t *const p = src->bytes;
    size_t at = 2;
    while (at + 4 <= src->n) {
        if (p[at] != 0xFF) { /* stray bytes between segments are skipped, as decoders do */
            at++;
            continue;
        }
        const int marker = p[at + 1];
        if (marker == 0xFF) {
            at++;
            continue;
        }
        if (marker == 0xDA || marker == 0xD9)
            break;
        if (marker == 0 || has_no_payload(marker)) {
            at += 2;
            continue;
        }
        const size_t segment_bytes = be16(p + at + 2);
        if (segment_bytes < 2 || at + 2 + segment_bytes > src->n)
            break;
        read_jpeg_segment(marker, p + at + 4, segment_bytes - 2, probe);
        at += 2 + segment_bytes;
    }
    if (probe->width < 1 || probe->height < 1)
        return gn_fail_offset(err, GN_EFORMAT, src->name, (int64_t)at,
                              "begins like a JPEG but has no frame header (of %zu bytes): damaged or cut off", src->n);
    return GN_OK;
}

static gn_status probe_png(const gn_encoded *src, gn_probe *probe, gn_error *err)
{
    enum { SIGNATURE_BYTES = 8, CHUNK_FRAME_BYTES = 12 };
    const uint8_t *const p = src->bytes;
    if (src->n < 33 || memcmp(p + 12, "IHDR", 4) != 0)
        return gn_fail_offset(err, GN_EFORMAT, src->name, SIGNATURE_BYTES,
                              "begins like a PNG but has no IHDR chunk: damaged or cut off");
    const uint32_t width = be32(p + 16);
    const uint32_t height = be32(p + 20);
    if (width < 1 || height < 1 || width > INT32_MAX || height > INT32_MAX)
        return gn_fail_offset(err, GN_EFORMAT, src->name, 16, "PNG header says %lu x %lu pixels", (unsigned long)width,
                              (unsigned long)height);
    probe->width = (int)width;
    probe->height = (int)height;
    size_t at = SIGNATURE_BYTES;
    while (at + CHUNK_FRAME_BYTES <= src->n) {
        const size_t payload = be32(p + at);
        if (payload > src->n - at - CHUNK_FRAME_BYTES)
            break;
        if (memcmp(p + at + 4, "eXIf", 4) == 0) {
            probe->orientation = gn_exif_orientation(p + at + 8, payload);
            break;
        }
        at += CHUNK_FRAME_BYTES + payload;
    }
    return GN_OK;
}

static gn_status probe_webp(const gn_encoded *src, gn_probe *probe, gn_error *err)
{
    enum { RIFF_HEADER_BYTES = 12, CHUNK_HEADER_BYTES = 8 };
    GN_TRY(gn_webp_probe(src, probe, err));
    const uint8_t *const p = src->bytes;
    size_t at = RIFF_HEADER_BYTES;
    while (at + CHUNK_HEADER_BYTES <= src->n) {
        const size_t payload = le32(p + at + 4);
        if (payload > src->n - at - CHUNK_HEADER_BYTES)
            break;
        if (memcmp(p + at, "EXIF", 4) == 0) {
            const uint8_t *exif = p + at + CHUNK_HEADER_BYTES;
            /* some writers keep JPEG's prefix */
            const bool has_prefix = payload > 6 && memcmp(exif, "Exif\0\0", 6) == 0;
            probe->orientation =
                has_prefix ? gn_exif_orientation(exif + 6, payload - 6) : gn_exif_orientation(exif, payload);
            break;
        }
        at += CHUNK_HEADER_BYTES + payload + (payload & 1);
    }
    return GN_OK;
}

/* The first bytes as text when they are text, else as hexadecimal; dst holds at least 64 bytes. */
static void describe_start(const gn_encoded *src, char *dst, size_t dst_bytes)
{
    enum { SHOWN = 12 };
    const size_t n = src->n < SHOWN ? src->n : SHOWN;
    bool is_text = true;
    for (size_t i = 0; i < n; i++)
        is_text = is_text && isprint(src->bytes[i]) && src->bytes[i] != '"';
    size_t len = 0;
    if (is_text && n > 0) {
        snprintf(dst, dst_bytes, "\"%.*s\"", (int)n, (const char *)src->bytes);
        return;
    }
    dst[0] = '\0';
    for (size_t i = 0; i < n && len + 4 < dst_bytes; i++)
        len += (size_t)snprintf(dst + len, dst_bytes - len, i == 0 ? "%02x" : " %02x", src->bytes[i]);
}

gn_status gn_probe_picture(const gn_encoded *src, gn_probe *probe_out, gn_error *err)
{
    gn_probe probe = {.orientation = 1};
    gn_status status;
    if (src->n == 0)
        return gn_fail_at(err, GN_EFORMAT, src->name, 0, "is empty, not a JPEG, PNG or WebP picture");
    if (src->n >= 3 && memcmp(src->bytes, "\xFF\xD8\xFF", 3) == 0) {
        probe.format = GN_PICTURE_JPEG;
        status = probe_jpeg(src, &probe, err);
    } else if (src->n >= 8 && memcmp(src->bytes, "\x89PNG\r\n\x1a\n", 8) == 0) {
        probe.format = GN_PICTURE_PNG;
        status = probe_png(src, &probe, err);
    } else if (src->n >= 12 && memcmp(src->bytes, "RIFF", 4) == 0 && memcmp(src->bytes + 8, "WEBP", 4) == 0) {
        probe.format = GN_PICTURE_WEBP;
        status = probe_webp(src, &probe, err);
    } else {
        char start[64];
        describe_start(src, start, sizeof start);
        return gn_fail_at(err, GN_EFORMAT, src->name, 0, "is not a JPEG, PNG or WebP picture (starts with %s)", start);
    }
    if (status == GN_OK)
        *probe_out = probe;
    return status;
}
