/* Pictures in memory and the way in and out of files: creation, decoding by format, orientation.
 * SPDX-License-Identifier: Apache-2.0 */
#include "image/image.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "image/codec.h"
#include "image/resize.h"

gn_status gn_image_create(int width, int height, int channels, gn_image *image_out)
{
    if (width < 1 || height < 1 || width > GN_IMAGE_MAX_SIDE || height > GN_IMAGE_MAX_SIDE)
        return GN_EINVAL;
    if (channels != 1 && channels != 3)
        return GN_EINVAL;
    const size_t stride_bytes = (size_t)width * (size_t)channels;
    uint8_t *data = gn_calloc((size_t)height, stride_bytes);
    if (data == NULL)
        return GN_ENOMEM;
    *image_out = (gn_image){.width = width,
                            .height = height,
                            .channels = channels,
                            .stride_bytes = stride_bytes,
                            .data = data,
                            .owned = true,
                            .full_width = width,
                            .full_height = height};
    return GN_OK;
}

gn_image gn_image_view(int width, int height, int channels, uint8_t *data)
{
    return (gn_image){.width = width,
                      .height = height,
                      .channels = channels,
                      .stride_bytes = (size_t)width * (size_t)channels,
                      .data = data,
                      .owned = false,
                      .full_width = width,
                      .full_height = height};
}

gn_status gn_image_copy(const gn_image *src, gn_image *image_out)
{
    gn_image copy;
    GN_TRY(gn_image_create(src->width, src->height, src->channels, &copy));
    copy.full_width = src->full_width;
    copy.full_height = src->full_height;
    for (int y = 0; y < src->height; y++)
        memcpy(copy.data + (size_t)y * copy.stride_bytes, src->data + (size_t)y * src->stride_bytes, copy.stride_bytes);
    *image_out = copy;
    return GN_OK;
}

void gn_image_deinit(gn_image *image)
{
    if (image == NULL)
        return;
    if (image->owned)
        gn_free(image->data);
    memset(image, 0, sizeof *image);
}

/* Start of stored pixel (0,0) and the byte steps that one column and one row to the right and down on display take through
 * the stored picture (Exif 2.32, tag 274: where row 0 and column 0 of the stored picture are on display). */
typedef struct gn_orient_walk {
    size_t first;
    ptrdiff_t step_x, step_y;
} gn_orient_walk;

static gn_orient_walk orient_walk(const gn_image *src, int orientation)
{
    const ptrdiff_t px = src->channels;
    const ptrdiff_t row = (ptrdiff_t)src->stride_bytes;
    const size_t right = (size_t)(src->width - 1) * (size_t)src->channels;
    const size_t bottom = (size_t)(src->height - 1) * src->stride_bytes;
    switch (orientation) {
    case 2:
        return (gn_orient_walk){right, -px, row};
    case 3:
        return (gn_orient_walk){right + bottom, -px, -row};
    case 4:
        return (gn_orient_walk){bottom, px, -row};
    case 5:
        return (gn_orient_walk){0, row, px};
    case 6:
        return (gn_orient_walk){bottom, -row, px};
    case 7:
        return (gn_orient_walk){right + bottom, -row, -px};
    case 8:
        return (gn_orient_walk){right, row, -px};
    default:
        return (gn_orient_walk){0, px, row};
    }
}

/* Replaces *image by itself turned upright. */
static gn_status turn_upright(gn_image *image, int orientation)
{
    if (orientation <= 1 || orientation > 8)
        return GN_OK;
    const bool is_swapped = orientation >= 5;
    gn_image turned;
    GN_TRY(gn_image_create(is_swapped ? image->height : image->width, is_swapped ? image->width : image->height,
                           image->channels, &turned));
    turned.full_width = is_swapped ? image->full_height : image->full_width;
    turned.full_height = is_swapped ? image->full_width : image->full_height;
    const gn_orient_walk walk = orient_walk(image, orientation);
    const uint8_t *const first = image->data + walk.first;
    for (int y = 0; y < turned.height; y++) {
        uint8_t *dst = turned.data + (size_t)y * turned.stride_bytes;
        const uint8_t *const row = first + y * walk.step_y;
        for (int x = 0; x < turned.width; x++, dst += image->channels)
            memcpy(dst, row + x * walk.step_x, (size_t)image->channels);
    }
    gn_image_deinit(image);
    *image = turned;
    return GN_OK;
}

static gn_status decode_stored(const gn_encoded *src, const gn_probe *probe, const gn_decode_options *opt,
                               gn_image *image_out, gn_error *err)
{
    const bool is_swapped = probe->orientation >= 5;
    switch (probe->format) {
    case GN_PICTURE_JPEG:
        return gn_jpeg_decode(src, probe, is_swapped ? opt->need_height : opt->need_width,
                              is_swapped ? opt->need_width : opt->need_height, image_out, err);
    case GN_PICTURE_PNG:
        return gn_png_decode(src, probe, image_out, err);
    case GN_PICTURE_WEBP:
        return gn_webp_decode(src, probe, image_out, err);
    case GN_PICTURE_UNKNOWN:
        break;
    }
    return gn_fail_at(err, GN_EFORMAT, src->name, 0, "is not a JPEG, PNG or WebP picture");
}

gn_status gn_image_decode(const void *bytes, size_t n, const char *name_for_errors, const gn_decode_options *opt,
                          gn_image *image_out, gn_error *err)
{
    static const gn_decode_options defaults = {0};
    const gn_encoded src = {bytes, n, name_for_errors == NULL ? "" : name_for_errors};
    if (opt == NULL)
        opt = &defaults;
    gn_probe probe;
    GN_TRY(gn_probe_picture(&src, &probe, err));

    const int64_t limit = opt->max_pixels > 0 ? opt->max_pixels : GN_IMAGE_MAX_PIXELS;
    if ((int64_t)probe.width * probe.height > limit || probe.width > GN_IMAGE_MAX_SIDE ||
        probe.height > GN_IMAGE_MAX_SIDE)
        return gn_fail_at(err, GN_ELIMIT, src.name, 0,
                          "the picture is %d x %d, the limit is %lld pixels and %d per side; shrink it", probe.width,
                          probe.height, (long long)limit, GN_IMAGE_MAX_SIDE);

    gn_image image;
    GN_TRY(decode_stored(&src, &probe, opt, &image, err));
    const gn_status status = turn_upright(&image, probe.orientation);
    if (status != GN_OK) {
        gn_image_deinit(&image);
        return gn_fail_at(err, status, src.name, 0, "out of memory while turning a picture of %d x %d", probe.width,
                          probe.height);
    }
    *image_out = image;
    return GN_OK;
}

gn_status gn_image_load(const char *path, const gn_decode_options *opt, gn_image *image_out, gn_error *err)
{
    char *bytes = NULL;
    size_t n = 0;
    GN_TRY(gn_file_read(path, GN_IMAGE_MAX_FILE_BYTES, &bytes, &n, err));
    const gn_status status = gn_image_decode(bytes, n, path, opt, image_out, err);
    gn_free(bytes);
    return status;
}

gn_status gn_image_size(const void *bytes, size_t n, const char *name_for_errors, gn_image_info *info_out,
                        gn_error *err)
{
    static const char *const format_name[] = {"?", "JPEG", "PNG", "WebP"};
    const gn_encoded src = {bytes, n, name_for_errors == NULL ? "" : name_for_errors};
    gn_probe probe;
    GN_TRY(gn_probe_picture(&src, &probe, err));
    const bool is_swapped = probe.orientation >= 5;
    *info_out = (gn_image_info){.width = is_swapped ? probe.height : probe.width,
                                .height = is_swapped ? probe.width : probe.height,
                                .orientation = probe.orientation,
                                .format = format_name[probe.format]};
    return GN_OK;
}

gn_status gn_image_size_of_file(const char *path, gn_image_info *info_out, gn_error *err)
{
    char *bytes = NULL;
    size_t n = 0;
    GN_TRY(gn_file_read(path, GN_IMAGE_MAX_FILE_BYTES, &bytes, &n, err));
    const gn_status status = gn_image_size(bytes, n, path, info_out, err);
    gn_free(bytes);
    return status;
}

/* Whether `ext` (with its dot) is `lower`, in any case. */
static bool ext_is(const char *ext, const char *lower)
{
    size_t i = 0;
    for (; ext[i] != '\0' && lower[i] != '\0'; i++) {
        const char c = ext[i];
        if ((c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c) != lower[i])
            return false;
    }
    return ext[i] == lower[i];
}

bool gn_image_has_known_extension(const char *path)
{
    const char *ext = gn_path_ext(path);
    return ext_is(ext, ".jpg") || ext_is(ext, ".jpeg") || ext_is(ext, ".png") || ext_is(ext, ".webp");
}

gn_status gn_image_save(const char *path, const gn_image *image, int quality, gn_error *err)
{
    const char *ext = gn_path_ext(path);
    void *bytes = NULL;
    size_t n = 0;
    gn_status status;
    if (ext_is(ext, ".png"))
        status = gn_image_encode_png(image, &bytes, &n);
    else if (ext_is(ext, ".jpg") || ext_is(ext, ".jpeg"))
        status = gn_image_encode_jpeg(image, quality, &bytes, &n);
    else
        return gn_fail_at(err, GN_EINVAL, path, 0, "cannot save a picture as \"%s\": use .jpg, .jpeg or .png", ext);
    if (status != GN_OK)
        return gn_fail_at(err, status, path, 0, "cannot encode a picture of %d x %d: %s", image->width, image->height,
                          gn_status_sentence(status));
    status = gn_file_write(path, bytes, n, err);
    gn_free(bytes);
    return status;
}

/* 9x8 greys: 8 comparisons per row, 8 rows. */
enum { HASH_COLUMNS = 9, HASH_ROWS = 8 };

uint64_t gn_image_fingerprint(const gn_image *image)
{
    gn_image small;
    if (gn_resize_u8(image, HASH_COLUMNS, HASH_ROWS, &small) != GN_OK)
        return 0;
    uint64_t hash = 0;
    for (int y = 0; y < HASH_ROWS; y++) {
        int grey[HASH_COLUMNS];
        const uint8_t *row = small.data + (size_t)y * small.stride_bytes;
        for (int x = 0; x < HASH_COLUMNS; x++) {
            const uint8_t *p = row + x * small.channels;
            /* ITU-R BT.601 luma in thousandths */
            grey[x] = small.channels == 3 ? 299 * p[0] + 587 * p[1] + 114 * p[2] : 1000 * p[0];
        }
        for (int x = 0; x + 1 < HASH_COLUMNS; x++)
            hash = (hash << 1) | (uint64_t)(grey[x] < grey[x + 1]);
    }
    gn_image_deinit(&small);
    return hash;
}
