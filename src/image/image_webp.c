/* WebP through libwebp: still pictures to RGB.
 * SPDX-License-Identifier: Apache-2.0 */
#include <webp/decode.h>

#include "image/codec.h"

gn_status gn_webp_probe(const gn_encoded *src, gn_probe *probe_out, gn_error *err)
{
    WebPBitstreamFeatures features;
    if (WebPGetFeatures(src->bytes, src->n, &features) != VP8_STATUS_OK || features.width < 1 || features.height < 1)
        return gn_fail_at(err, GN_EFORMAT, src->name, 0, "the WebP header is damaged or cut off (%zu bytes)", src->n);
    if (features.has_animation)
        return gn_fail_at(err, GN_EUNSUPPORTED, src->name, 0, "is an animated WebP; only still pictures are read");
    probe_out->width = features.width;
    probe_out->height = features.height;
    return GN_OK;
}

gn_status gn_webp_decode(const gn_encoded *src, const gn_probe *probe, gn_image *image_out, gn_error *err)
{
    gn_image image;
    const gn_status status = gn_image_create(probe->width, probe->height, 3, &image);
    if (status != GN_OK)
        return gn_fail_at(err, status, src->name, 0, "no memory for a picture of %d x %d", probe->width, probe->height);
    const size_t bytes = image.stride_bytes * (size_t)image.height;
    if (WebPDecodeRGBInto(src->bytes, src->n, image.data, bytes, (int)image.stride_bytes) == NULL) {
        gn_image_deinit(&image);
        return gn_fail_at(err, GN_EFORMAT, src->name, 0, "the WebP is damaged or cut off (%zu bytes)", src->n);
    }
    *image_out = image;
    return GN_OK;
}
