/* PNG through libpng: every colour type and depth to 8-bit RGB, and encoding.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

#include "base/memory.h"
#include "image/codec.h"

/* Everything that must survive libpng's long jumps. */
typedef struct png_source {
    const gn_encoded *src;
    size_t at;
    const gn_probe *probe;
    png_structp png;
    png_infop info;
    gn_image image;
    png_bytep *rows;
    gn_status status;
    char message[128];
    jmp_buf on_error;
} png_source;

static void raise_error(png_structp png, png_const_charp message)
{
    png_source *source = png_get_error_ptr(png);
    snprintf(source->message, sizeof source->message, "%s", message);
    longjmp(source->on_error, 1);
}

static void ignore_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void read_bytes(png_structp png, png_bytep dst, size_t n)
{
    png_source *source = png_get_io_ptr(png);
    if (n > source->src->n - source->at)
        png_error(png, "the file ends early");
    memcpy(dst, source->src->bytes + source->at, n);
    source->at += n;
}

/* Asks libpng for 8-bit RGB whatever is stored. */
static void request_rgb8(png_source *source)
{
    png_structp png = source->png;
    const png_byte type = png_get_color_type(png, source->info);
    if (png_get_bit_depth(png, source->info) == 16)
        png_set_scale_16(png);
    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(png);
    if (type == PNG_COLOR_TYPE_GRAY || type == PNG_COLOR_TYPE_GRAY_ALPHA) {
        png_set_expand_gray_1_2_4_to_8(png);
        png_set_gray_to_rgb(png);
    }
    png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, source->info);
}

/* False when libpng raised an error or memory ran out; source->status and ->message say which. */
static bool read_picture(png_source *source)
{
    source->status = GN_EFORMAT;
    if (setjmp(source->on_error) != 0)
        return false;
    png_set_read_fn(source->png, source, read_bytes);
    png_set_user_limits(source->png, GN_IMAGE_MAX_SIDE, GN_IMAGE_MAX_SIDE);
    png_read_info(source->png, source->info);
    if (png_get_image_width(source->png, source->info) != (png_uint_32)source->probe->width ||
        png_get_image_height(source->png, source->info) != (png_uint_32)source->probe->height)
        png_error(source->png, "two headers disagree");
    request_rgb8(source);

    source->status = gn_image_create(source->probe->width, source->probe->height, 3, &source->image);
    if (source->status != GN_OK)
        return false;
    source->status = GN_ENOMEM;
    source->rows = gn_alloc((size_t)source->image.height * sizeof *source->rows);
    if (source->rows == NULL)
        return false;
    for (int y = 0; y < source->image.height; y++)
        source->rows[y] = source->image.data + (size_t)y * source->image.stride_bytes;
    source->status = GN_EFORMAT;
    if (png_get_rowbytes(source->png, source->info) != source->image.stride_bytes)
        png_error(source->png, "unexpected pixel format");
    png_read_image(source->png, source->rows);
    png_read_end(source->png, NULL);
    source->status = GN_OK;
    return true;
}

gn_status gn_png_decode(const gn_encoded *src, const gn_probe *probe, gn_image *image_out, gn_error *err)
{
    png_source source = {.src = src, .probe = probe, .status = GN_ENOMEM};
    source.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, raise_error, ignore_warning);
    if (source.png != NULL)
        source.info = png_create_info_struct(source.png);
    const bool is_read = source.info != NULL && read_picture(&source);
    png_destroy_read_struct(&source.png, &source.info, NULL);
    gn_free(source.rows);
    if (is_read) {
        *image_out = source.image;
        return GN_OK;
    }
    gn_image_deinit(&source.image);
    if (source.status == GN_EFORMAT)
        return gn_fail_offset(err, GN_EFORMAT, src->name, (int64_t)source.at,
                              "the PNG is damaged or cut off (%zu bytes): %s", src->n, source.message);
    return gn_fail_at(err, source.status, src->name, 0, "cannot hold a picture of %d x %d: %s", probe->width,
                      probe->height, gn_status_sentence(source.status));
}

gn_status gn_image_encode_png(const gn_image *image, void **bytes_out, size_t *n_out)
{
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)image->width,
                     .height = (png_uint_32)image->height,
                     .format = image->channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB};
    png_alloc_size_t n = PNG_IMAGE_PNG_SIZE_MAX(png);
    void *bytes = gn_alloc(n);
    if (bytes == NULL)
        return GN_ENOMEM;
    /* stride of 8-bit samples is counted in bytes */
    if (!png_image_write_to_memory(&png, bytes, &n, 0, image->data, (png_int_32)image->stride_bytes, NULL)) {
        png_image_free(&png);
        gn_free(bytes);
        return GN_ENOMEM;
    }
    *bytes_out = bytes;
    *n_out = n;
    return GN_OK;
}
