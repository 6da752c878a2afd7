/* Colour changes for augmentation: brightness, contrast, saturation, hue; gains in HSV.
 * Source: A. R. Smith, "Color gamut transform pairs", SIGGRAPH 1978 (the HSV hexcone).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cpu.h"
#include "base/status.h"
#include "image/resize.h"

static inline uint8_t to_u8(float x) /* x: 0..255 scale, rounded and clipped */
{
    x += 0.5f;
    return (uint8_t)(x < 0.0f ? 0.0f : x > 255.0f ? 255.0f : x);
}

static inline float luma(const uint8_t *p)
{
    return 0.299f * (float)p[0] + 0.587f * (float)p[1] + 0.114f * (float)p[2];
}

/* Pixels that are changed at a time: colours as planes, so that the loop over them has no branches and can be made of vectors. */
#define BLOCK 64

typedef struct planes {
    uint8_t r[BLOCK], g[BLOCK], b[BLOCK];
} planes;

static inline float at_most(float x, float most) /* 0..most */
{
    x = x > 0.0f ? x : 0.0f;
    return x < most ? x : most;
}

/* The hexcone: hue as turns from 0 to 1, saturation 0..1, value 0..255; changed, and back.  The channels lie between `none` and v; which of
 * them falls or rises follows from the sixth of the circle, 0..6. */
static inline __attribute__((always_inline)) void change_hsv(planes *p, float hue_shift, float sat_gain, float val_gain)
{
    for (int i = 0; i < BLOCK; i++) {
        const float r = p->r[i], g = p->g[i], b = p->b[i];
        const float high_gb = g > b ? g : b, low_gb = g < b ? g : b;
        const float high = r > high_gb ? r : high_gb, low = r < low_gb ? r : low_gb;
        const float range = high - low;
        const float gb = g - b, br = b - r, rg = r - g;
        const float across_g = high == g ? br : rg, across = high == r ? gb : across_g;
        const float sector_g = high == g ? 2.0f : 4.0f, sector = high == r ? 0.0f : sector_g;
        const float divisor = range > 0.0f ? range : 1.0f, brightest = high > 0.0f ? high : 1.0f;
        const float turn = (sector + across / divisor) / 6.0f;
        const float moved = turn + (turn < 0.0f ? 1.0f : 0.0f) + hue_shift;
        const float whole = (float)(int)moved;
        const float hue = moved - (whole - (moved < whole ? 1.0f : 0.0f));
        const float sat = at_most(range / brightest * sat_gain, 1.0f), v = at_most(high * val_gain, 255.0f);
        const float sextant = hue * 6.0f, sixth = (float)(int)sextant;
        const float f = sextant - sixth;
        const float none = v * (1.0f - sat);
        const float falling = v * (1.0f - sat * f);
        const float rising = v * (1.0f - sat * (1.0f - f));
        const float r4 = sixth == 4.0f ? rising : v, r1 = sixth == 1.0f ? falling : none;
        const float g0 = sixth < 1.0f ? rising : v, g3 = sixth == 3.0f ? falling : none;
        const float b2 = sixth == 2.0f ? rising : v, b5 = sixth == 5.0f ? falling : none;
        const float r23 = sixth < 1.0f ? v : r1, g12 = sixth < 3.0f ? g0 : g3, b34 = sixth < 5.0f ? b2 : b5;
        const float red = sixth > 3.0f ? r4 : r23, green = sixth == 6.0f ? rising : g12;
        const float b25 = sixth == 6.0f ? none : b34;
        const float blue = sixth < 2.0f ? none : b25;
        p->r[i] = (uint8_t)(int)(red + 0.5f);
        p->g[i] = (uint8_t)(int)(green + 0.5f);
        p->b[i] = (uint8_t)(int)(blue + 0.5f);
    }
}

/* The same for longer vectors, with the same bits: nothing is fused. */
typedef void change_fn(planes *p, float hue_shift, float sat_gain, float val_gain);

static void change_hsv_plain(planes *p, float hue_shift, float sat_gain, float val_gain)
{
    change_hsv(p, hue_shift, sat_gain, val_gain);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void change_hsv_avx2(planes *p, float hue_shift, float sat_gain, float val_gain)
{
    change_hsv(p, hue_shift, sat_gain, val_gain);
}
#endif

static change_fn *choose_change(void)
{
#if defined(__x86_64__)
    const gn_cpu_level level = gn_cpu_current();
    if (level >= GN_CPU_AVX2 && level < GN_CPU_NEON)
        return change_hsv_avx2;
#endif
    return change_hsv_plain;
}

void gn_image_hsv(gn_image *image, float hue_shift, float sat_gain, float val_gain)
{
    GN_ASSERT(image->channels == 3);
    if (!(fabsf(hue_shift) < 2.0f))
        hue_shift -= floorf(hue_shift);
    change_fn *change = choose_change();
    planes p = {{0}, {0}, {0}};
    for (int y = 0; y < image->height; y++) {
        uint8_t *row = image->data + (size_t)y * image->stride_bytes;
        for (int x = 0; x < image->width; x += BLOCK, row += 3 * BLOCK) {
            const int n = image->width - x < BLOCK ? image->width - x : BLOCK;
            for (int i = 0; i < n; i++) {
                p.r[i] = row[3 * i];
                p.g[i] = row[3 * i + 1];
                p.b[i] = row[3 * i + 2];
            }
            change(&p, hue_shift, sat_gain, val_gain);
            for (int i = 0; i < n; i++) {
                row[3 * i] = p.r[i];
                row[3 * i + 1] = p.g[i];
                row[3 * i + 2] = p.b[i];
            }
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
