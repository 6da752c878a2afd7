/* JPEG through the TurboJPEG API: scaled decoding to RGB, and encoding.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>

#include <turbojpeg.h>

#include "base/memory.h"
#include "image/codec.h"

/* Smallest of 1/8, 1/4 and 1/2 whose scaled sides are not below the needed ones; 1 when a side is 0 (full size).  The scales between
 * are left out: libjpeg-turbo has no vector code for their transforms, so that 7/8 takes twice the time of the whole picture. */
static tjscalingfactor choose_scale(int width, int height, int need_width, int need_height)
{
    tjscalingfactor scale = {1, 1};
    if (need_width < 1 || need_height < 1)
        return scale;
    for (int m = 1; m < 8; m *= 2) {
        const tjscalingfactor candidate = {m, 8};
        if (TJSCALED(width, candidate) >= need_width && TJSCALED(height, candidate) >= need_height)
            return candidate;
    }
    return scale;
}

/* A picture that ends early decodes with a warning and a grey rest; it counts as damaged.  Other warnings (stray bytes before a
 * marker and the like) leave a whole picture. */
static bool is_premature_end(const char *message)
{
    return strstr(message, "remature end") != NULL;
}

/* rgb = (255 - ink) * (255 - black) / 255, with both stored inverted. */
static void cmyk_row_to_rgb(const uint8_t *cmyk, int width, uint8_t *rgb)
{
    for (int x = 0; x < width; x++, cmyk += 4, rgb += 3)
        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)((cmyk[c] * cmyk[3] + 127) / 255);
}

static gn_status decompress(tjhandle tj, const gn_encoded *src, gn_image *image, uint8_t *dst, int pixel_format,
                            gn_error *err)
{
    const int flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS;
    if (tjDecompress2(tj, src->bytes, (unsigned long)src->n, dst, image->width, 0, image->height, pixel_format,
                      flags) == 0)
        return GN_OK;
    const char *message = tjGetErrorStr2(tj);
    if (tjGetErrorCode(tj) == TJERR_WARNING && !is_premature_end(message))
        return GN_OK;
    return gn_fail_at(err, GN_EFORMAT, src->name, 0, "the JPEG is damaged or cut off (%zu bytes): %s", src->n, message);
}

static gn_status decompress_cmyk(tjhandle tj, const gn_encoded *src, gn_image *image, gn_error *err)
{
    const size_t row_bytes = (size_t)image->width * 4;
    uint8_t *cmyk = gn_calloc((size_t)image->height, row_bytes);
    if (cmyk == NULL)
        return gn_fail_at(err, GN_ENOMEM, src->name, 0, "out of memory for %d x %d CMYK pixels", image->width,
                          image->height);
    const gn_status status = decompress(tj, src, image, cmyk, TJPF_CMYK, err);
    if (status == GN_OK)
        for (int y = 0; y < image->height; y++)
            cmyk_row_to_rgb(cmyk + (size_t)y * row_bytes, image->width, image->data + (size_t)y * image->stride_bytes);
    gn_free(cmyk);
    return status;
}

gn_status gn_jpeg_decode(const gn_encoded *src, const gn_probe *probe, int need_width, int need_height,
                         gn_image *image_out, gn_error *err)
{
    gn_image image = {0};
    gn_status status;
    int width = 0, height = 0, subsampling = 0, colour_space = 0;
    tjhandle tj = tjInitDecompress();
    if (tj == NULL)
        return gn_fail_at(err, GN_ENOMEM, src->name, 0, "cannot start the JPEG decoder: out of memory");
    if (tjDecompressHeader3(tj, src->bytes, (unsigned long)src->n, &width, &height, &subsampling, &colour_space) != 0 &&
        tjGetErrorCode(tj) != TJERR_WARNING) {
        status = gn_fail_at(err, GN_EFORMAT, src->name, 0, "the JPEG header is damaged: %s", tjGetErrorStr2(tj));
        goto cleanup;
    }
    /* the limit on pixels was checked with the probe's figures, so the decoder must agree with them */
    if (width != probe->width || height != probe->height) {
        status = gn_fail_at(err, GN_EFORMAT, src->name, 0, "the JPEG has two frame headers: %d x %d and %d x %d",
                            probe->width, probe->height, width, height);
        goto cleanup;
    }
    const tjscalingfactor scale = choose_scale(width, height, need_width, need_height);
    status = gn_image_create(TJSCALED(width, scale), TJSCALED(height, scale), 3, &image);
    if (status != GN_OK) {
        status = gn_fail_at(err, status, src->name, 0, "no memory for a picture of %d x %d", width, height);
        goto cleanup;
    }
    image.full_width = width;
    image.full_height = height;
    if (colour_space == TJCS_CMYK || colour_space == TJCS_YCCK)
        status = decompress_cmyk(tj, src, &image, err);
    else
        status = decompress(tj, src, &image, image.data, TJPF_RGB, err);

cleanup:
    tjDestroy(tj);
    if (status == GN_OK)
        *image_out = image;
    else
        gn_image_deinit(&image);
    return status;
}

gn_status gn_image_encode_jpeg(const gn_image *image, int quality, void **bytes_out, size_t *n_out)
{
    if (quality < 1 || quality > 100)
        return GN_EINVAL;
    const int subsampling = image->channels == 1 ? TJSAMP_GRAY : quality >= 90 ? TJSAMP_444 : TJSAMP_420;
    gn_status status = GN_ENOMEM;
    unsigned char *bytes = NULL;
    tjhandle tj = tjInitCompress();
    if (tj == NULL)
        return GN_ENOMEM;
    unsigned long n = tjBufSize(image->width, image->height, subsampling);
    if (n == (unsigned long)-1) {
        status = GN_EINVAL;
        goto cleanup;
    }
    bytes = gn_alloc(n);
    if (bytes == NULL)
        goto cleanup;
    /* decides the same in every version, unlike the fast transform */
    const int flags = TJFLAG_ACCURATEDCT | TJFLAG_NOREALLOC;
    const int pixel_format = image->channels == 1 ? TJPF_GRAY : TJPF_RGB;
    if (tjCompress2(tj, image->data, image->width, (int)image->stride_bytes, image->height, pixel_format, &bytes, &n,
                    subsampling, quality, flags) == 0)
        status = GN_OK;

cleanup:
    tjDestroy(tj);
    if (status == GN_OK) {
        *bytes_out = bytes;
        *n_out = n;
    } else {
        gn_free(bytes);
    }
    return status;
}
