/* Colour changes for augmentation: brightness, contrast, saturation, hue; gains in HSV.
 * Source: A. R. Smith, "Color gamut transform pairs", SIGGRAPH 1978 (the HSV hexcone).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "image/resize.h"

static inline float clamp_unit(float x)
{
    return x < 0.0f ? 0.0f : x > 1.0f ? 1.0f : x;
}

static inline uint8_t to_u8(float x) /* x: 0..255 scale, rounded and clipped */
{
    x += 0.5f;
    return (uint8_t)(x < 0.0f ? 0.0f : x > 255.0f ? 255.0f : x);
}

static inline float luma(const uint8_t *p)
{
    return 0.299f * (float)p[0] + 0.587f * (float)p[1] + 0.114f * (float)p[2];
}

/* hue: turns, 0..1; saturation: 0..1; value: 0..255. */
static void rgb_to_hsv(const uint8_t *p, float hsv[3])
{
    const float r = p[0], g = p[1], b = p[2];
    const float high = fmaxf(r, fmaxf(g, b));
    const float low = fminf(r, fminf(g, b));
    const float range = high - low;
    float hue = 0.0f;
    if (range > 0.0f) {
        if (high == r)
            hue = (g - b) / range;
        else if (high == g)
            hue = 2.0f + (b - r) / range;
        else
            hue = 4.0f + (r - g) / range;
        hue /= 6.0f;
    }
    hsv[0] = hue < 0.0f ? hue + 1.0f : hue;
    hsv[1] = high > 0.0f ? range / high : 0.0f;
    hsv[2] = high;
}

static void hsv_to_rgb(const float hsv[3], uint8_t *p)
{
    const float sextant = hsv[0] * 6.0f;
    const int k = (int)sextant;
    const float f = sextant - (float)k;
    const float v = hsv[2];
    const float low = v * (1.0f - hsv[1]);
    const float falling = v * (1.0f - hsv[1] * f);
    const float rising = v * (1.0f - hsv[1] * (1.0f - f));
    const float channel[6][3] = {{v, rising, low},  {falling, v, low}, {low, v, rising},
                                 {low, falling, v}, {rising, low, v},  {v, low, falling}};
    for (int c = 0; c < 3; c++)
        p[c] = to_u8(channel[k % 6][c]);
}

void gn_image_hsv(gn_image *image, float hue_shift, float sat_gain, float val_gain)
{
    GN_ASSERT(image->channels == 3);
    for (int y = 0; y < image->height; y++) {
        uint8_t *p = image->data + (size_t)y * image->stride_bytes;
        for (int x = 0; x < image->width; x++, p += 3) {
            float hsv[3];
            rgb_to_hsv(p, hsv);
            hsv[0] += hue_shift;
            hsv[0] -= floorf(hsv[0]);
            hsv[1] = clamp_unit(hsv[1] * sat_gain);
            hsv[2] = fminf(fmaxf(hsv[2] * val_gain, 0.0f), 255.0f);
            hsv_to_rgb(hsv, p);
        }
    }
}

/* p = base + factor * (p - base): base is one grey for all pixels, or each pixel's own. */
static void blend(gn_image *image, float factor, bool is_own_grey, float base)
{
    for (int y = 0; y < image->height; y++) {
        uint8_t *p = image->data + (size_t)y * image->stride_bytes;
        for (int x = 0; x < image->width; x++, p += 3) {
            const float grey = is_own_grey ? luma(p) : base;
            for (int c = 0; c < 3; c++)
                p[c] = to_u8(grey + factor * ((float)p[c] - grey));
        }
    }
}

static float mean_grey(const gn_image *image)
{
    double sum = 0.0;
    for (int y = 0; y < image->height; y++) {
        const uint8_t *p = image->data + (size_t)y * image->stride_bytes;
        for (int x = 0; x < image->width; x++, p += 3)
            sum += (double)luma(p);
    }
    return (float)(sum / ((double)image->width * image->height));
}

void gn_image_jitter(gn_image *image, float brightness, float contrast, float saturation, float hue)
{
    GN_ASSERT(image->channels == 3);
    if (brightness != 1.0f)
        blend(image, brightness, false, 0.0f);
    if (contrast != 1.0f)
        blend(image, contrast, false, mean_grey(image));
    if (saturation != 1.0f)
        blend(image, saturation, true, 0.0f);
    if (hue != 0.0f)
        gn_image_hsv(image, hue, 1.0f, 1.0f);
}
