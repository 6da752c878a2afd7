/* Affine warp and mirror, for augmentation.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "image/codec.h"
#include "image/resize.h"

/* Pixel (x,y), or NULL outside. */
static const uint8_t *pixel_at(const gn_image *image, int x, int y)
{
    if (x < 0 || y < 0 || x >= image->width || y >= image->height)
        return NULL;
    return image->data + (size_t)y * image->stride_bytes + (size_t)x * (size_t)image->channels;
}

/* Bilinear mix of the four pixels around (u,v), where pixel centres have whole coordinates; `fill` stands for those outside. */
static void sample_bilinear(const gn_image *src, float u, float v, uint8_t fill, uint8_t *dst)
{
    /* far outside, also where the conversion to int would overflow */
    if (!(u > -1.0f && v > -1.0f && u < (float)src->width && v < (float)src->height)) {
        for (int c = 0; c < src->channels; c++)
            dst[c] = fill;
        return;
    }
    const int x = (int)floorf(u);
    const int y = (int)floorf(v);
    const float fx = u - (float)x;
    const float fy = v - (float)y;
    const uint8_t *const corner[4] = {pixel_at(src, x, y), pixel_at(src, x + 1, y), pixel_at(src, x, y + 1),
                                      pixel_at(src, x + 1, y + 1)};
    const float weight[4] = {(1.0f - fx) * (1.0f - fy), fx * (1.0f - fy), (1.0f - fx) * fy, fx * fy};
    for (int c = 0; c < src->channels; c++) {
        float sum = 0.5f;
        for (int k = 0; k < 4; k++)
            sum += weight[k] * (float)(corner[k] == NULL ? fill : corner[k][c]);
        dst[c] = (uint8_t)(sum > 255.0f ? 255.0f : sum);
    }
}

gn_status gn_image_warp_affine_u8(const gn_image *src, int dst_w, int dst_h, const float m[6], uint8_t fill,
                                  gn_image *image_out)
{
    gn_image dst;
    for (int i = 0; i < 6; i++)
        if (!isfinite(m[i]))
            return GN_EINVAL;
    GN_TRY(gn_image_create(dst_w, dst_h, src->channels, &dst));
    for (int y = 0; y < dst_h; y++) {
        uint8_t *to = dst.data + (size_t)y * dst.stride_bytes;
        const float cy = (float)y + 0.5f;
        for (int x = 0; x < dst_w; x++, to += dst.channels) {
            const float cx = (float)x + 0.5f;
            const float u = m[0] * cx + m[1] * cy + m[2] - 0.5f;
            const float v = m[3] * cx + m[4] * cy + m[5] - 0.5f;
            sample_bilinear(src, u, v, fill, to);
        }
    }
    *image_out = dst;
    return GN_OK;
}

void gn_image_flip_h(gn_image *image)
{
    const size_t px = (size_t)image->channels;
    for (int y = 0; y < image->height; y++) {
        uint8_t *left = image->data + (size_t)y * image->stride_bytes;
        uint8_t *right = left + (size_t)(image->width - 1) * px;
        for (; left < right; left += px, right -= px)
            for (size_t c = 0; c < px; c++) {
                const uint8_t t = left[c];
                left[c] = right[c];
                right[c] = t;
            }
    }
}
