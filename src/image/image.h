/* Pictures in memory: 8-bit grey or RGB, decoded from JPEG, PNG and WebP, encoded to JPEG and PNG.
 * Every picture that enters or leaves the program passes here.
 * Sources: JPEG ITU-T T.81, Exif 2.32 (orientation), PNG third edition, the WebP container specification.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_IMAGE_IMAGE_H
#define GN_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Largest picture that is decoded unless the caller says otherwise. */
#define GN_IMAGE_MAX_PIXELS 100000000
/* Largest picture file that is read. */
#define GN_IMAGE_MAX_FILE_BYTES ((size_t)512 << 20)

/* Rows from the top, pixels interleaved.  stride_bytes >= width*channels.
 * full_width, full_height: size of the picture before scaled decoding, after orientation (else equal to width, height); box
 * coordinates of a label refer to it.  owned: data came from gn_alloc and goes with the image. */
typedef struct gn_image {
    int width, height;
    int channels; /* 1 grey, 3 RGB */
    size_t stride_bytes;
    uint8_t *data;
    bool owned;
    int full_width, full_height;
} gn_image;

/* All zero: full size and the default limit.
 * max_pixels: larger pictures are refused by their header, before memory is taken for them; 0: GN_IMAGE_MAX_PIXELS.
 * need_width, need_height: the smallest displayed size that is still of use; 0: full size.  A JPEG is then decoded at the
 * smallest of 1/8, 1/4, 1/2 and the whole that is not below it, so that an antialiased resize can go on from there. */
typedef struct gn_decode_options {
    int64_t max_pixels;
    int need_width, need_height;
} gn_decode_options;

/* What gn_image_size tells from a header alone: displayed size, after orientation.  format: "JPEG", "PNG", "WebP". */
typedef struct gn_image_info {
    int width, height;
    int orientation; /* EXIF, 1..8; 1 when absent or senseless */
    const char *format;
} gn_image_info;

/* Owned picture, zeroed (black).  GN_EINVAL: sides outside 1..65535 or channels other than 1 and 3.  GN_ENOMEM. */
gn_status gn_image_create(int width, int height, int channels, gn_image *image_out);
/* Borrowed view of packed rows; `data` must outlive it. */
gn_image gn_image_view(int width, int height, int channels, uint8_t *data);
/* Owned copy with packed rows. */
gn_status gn_image_copy(const gn_image *src, gn_image *image_out);
/* Frees owned data and zeroes the struct; fine on a zeroed one. */
void gn_image_deinit(gn_image *image);

/* Decodes a picture, recognised by its first bytes, into owned packed RGB, turned upright by its EXIF orientation.
 * Grey becomes RGB; CMYK and YCCK (Adobe's inverted convention) become RGB by (ink complement)*(black complement);
 * 16-bit samples are rounded to 8; alpha is dropped, as Pillow's convert("RGB") and OpenCV do; gamma and profiles are ignored.
 * name_for_errors: stands in error lines.  opt: NULL for defaults.
 * GN_EFORMAT: not a picture, damaged, or a JPEG that ends early.  GN_ELIMIT: more pixels than allowed.
 * GN_EUNSUPPORTED: an animated WebP.  GN_ENOMEM.  Thread-safe. */
gn_status gn_image_decode(const void *bytes, size_t n, const char *name_for_errors, const gn_decode_options *opt,
                          gn_image *image_out, gn_error *err);
/* The same from a file.  Also GN_ENOENT, GN_EIO. */
gn_status gn_image_load(const char *path, const gn_decode_options *opt, gn_image *image_out, gn_error *err);

/* Size, orientation and format from the header, without decoding pixels.  Errors as gn_image_decode, without a size limit. */
gn_status gn_image_size(const void *bytes, size_t n, const char *name_for_errors, gn_image_info *info_out,
                        gn_error *err);
gn_status gn_image_size_of_file(const char *path, gn_image_info *info_out, gn_error *err);

/* quality: 1..100 (4:2:0 below 90, 4:4:4 from 90 on).  bytes_out: owned, gn_free.  GN_EINVAL, GN_ENOMEM. */
gn_status gn_image_encode_jpeg(const gn_image *image, int quality, void **bytes_out, size_t *n_out);
/* bytes_out: owned, gn_free.  GN_ENOMEM. */
gn_status gn_image_encode_png(const gn_image *image, void **bytes_out, size_t *n_out);
/* Writes the file atomically, its format chosen by .jpg .jpeg or .png (quality is for JPEG).
 * GN_EINVAL: another extension.  GN_EIO, GN_ENOMEM. */
gn_status gn_image_save(const char *path, const gn_image *image, int quality, gn_error *err);

/* Whether a file name ends like a picture that can be decoded (.jpg .jpeg .png .webp, any case). */
bool gn_image_has_known_extension(const char *path);

/* Perceptual difference hash: grey, shrunk to 9x8, one bit per horizontal neighbour pair (left darker than right).
 * Near duplicates differ in few of the 64 bits.  0 when out of memory. */
uint64_t gn_image_fingerprint(const gn_image *image);

#endif
