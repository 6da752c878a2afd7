/* What the parts of image/ share: the header probe and one decoder per format.  Not for other folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_IMAGE_CODEC_H
#define GN_IMAGE_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "image/image.h"

#define GN_IMAGE_MAX_SIDE 65535

typedef enum gn_picture_format {
    GN_PICTURE_UNKNOWN = 0,
    GN_PICTURE_JPEG,
    GN_PICTURE_PNG,
    GN_PICTURE_WEBP,
} gn_picture_format;

/* Encoded bytes and what error lines call them. */
typedef struct gn_encoded {
    const uint8_t *bytes;
    size_t n;
    const char *name;
} gn_encoded;

/* Stored size (before orientation) and orientation 1..8. */
typedef struct gn_probe {
    gn_picture_format format;
    int width, height;
    int orientation;
} gn_probe;

/* Reads headers only.  GN_EFORMAT names what was found. */
gn_status gn_probe_picture(const gn_encoded *src, gn_probe *probe_out, gn_error *err);

/* EXIF orientation in a TIFF block (as in JPEG's APP1 after "Exif\0\0", PNG's eXIf, WebP's EXIF); 1 when there is none. */
int gn_exif_orientation(const uint8_t *tiff, size_t n);

/* Decoders: packed RGB as stored, not yet turned.  need_width, need_height: as stored, 0: full size. */
gn_status gn_jpeg_decode(const gn_encoded *src, const gn_probe *probe, int need_width, int need_height,
                         gn_image *image_out, gn_error *err);
gn_status gn_png_decode(const gn_encoded *src, const gn_probe *probe, gn_image *image_out, gn_error *err);
gn_status gn_webp_decode(const gn_encoded *src, const gn_probe *probe, gn_image *image_out, gn_error *err);

/* Size of a WebP stream.  GN_EFORMAT. */
gn_status gn_webp_probe(const gn_encoded *src, gn_probe *probe_out, gn_error *err);

#endif
