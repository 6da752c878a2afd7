/* What a camera does to a drawn scene: uneven light, colour temperature, contrast, vignette, blur and noise.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "draw/synth_scene.h"

/* Lots for one picture. */
typedef struct camera {
    double gain[3], contrast, gamma, saturation;
    double light_x, light_y, light; /* gain varies by 1 +- light across the picture */
    double vignette;
    double noise; /* deviation in grey levels */
    uint32_t noise_seed;
} camera;

static camera draw_camera(gn_rng *rng)
{
    camera c = {.contrast = gn_synth_range(rng, 0.75, 1.15), .gamma = gn_synth_range(rng, 0.65, 1.15)};
    if (gn_synth_chance(rng, 0.07))
        c.contrast = gn_synth_range(rng, 0.45, 0.75);
    const double brightness = gn_synth_range(rng, 0.85, 1.3);
    const double warmth = gn_synth_range(rng, -0.14, 0.14);
    c.gain[0] = brightness * (1.0 + warmth);
    c.gain[1] = brightness * gn_synth_range(rng, 0.97, 1.03);
    c.gain[2] = brightness * (1.0 - warmth);
    c.saturation = gn_synth_chance(rng, 0.1) ? 0.0 : gn_synth_range(rng, 0.6, 1.15);
    const double angle = gn_synth_range(rng, 0.0, 2.0 * GN_SYNTH_PI);
    c.light_x = cos(angle);
    c.light_y = sin(angle);
    c.light = gn_synth_chance(rng, 0.6) ? gn_synth_range(rng, 0.0, 0.45) : 0.0;
    c.vignette = gn_synth_chance(rng, 0.4) ? gn_synth_range(rng, 0.1, 0.6) : 0.0;
    c.noise = gn_synth_chance(rng, 0.7) ? gn_synth_range(rng, 0.5, 3.0) : gn_synth_range(rng, 3.0, 9.0);
    c.noise_seed = gn_rng_u32(rng);
    return c;
}

/* Hash of a pixel's number: noise that depends on nothing else.  Finaliser of MurmurHash3 (A. Appleby, public domain). */
static inline uint32_t scramble(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x85EBCA6Bu;
    x ^= x >> 13;
    x *= 0xC2B2AE35u;
    return x ^ x >> 16;
}

/* About normal, deviation 1: sum of the four bytes, mean 510, deviation 147.8. */
static inline float bell(uint32_t bits)
{
    const int sum = (int)(bits & 255) + (int)(bits >> 8 & 255) + (int)(bits >> 16 & 255) + (int)(bits >> 24);
    return (float)(sum - 510) * (1.0f / 147.8f);
}

static inline uint8_t to_u8(float x)
{
    x += 0.5f;
    return (uint8_t)(x < 0.0f ? 0.0f : x > 255.0f ? 255.0f : x);
}

/* Gain of light and vignette at a pixel. */
static float light_at(const camera *c, double u, double v) /* u, v: -1..1 */
{
    const double slope = 1.0 + c->light * 0.7 * (u * c->light_x + v * c->light_y);
    return (float)(slope * (1.0 - c->vignette * 0.5 * (u * u + v * v)));
}

static void expose(const camera *c, gn_image *image)
{
    float curve[3][256]; /* gain, gamma and contrast per channel */
    for (int k = 0; k < 3; k++)
        for (int v = 0; v < 256; v++) {
            const double lit = pow(fmin(1.0, v / 255.0 * c->gain[k]), c->gamma);
            curve[k][v] = (float)(255.0 * (0.5 + (lit - 0.5) * c->contrast));
        }
    const float saturation = (float)c->saturation;
    const float noise = (float)c->noise;
    uint32_t number = c->noise_seed;
    for (int y = 0; y < image->height; y++) {
        uint8_t *p = image->data + (size_t)y * image->stride_bytes;
        const double v = 2.0 * (y + 0.5) / image->height - 1.0;
        for (int x = 0; x < image->width; x++, p += 3) {
            const float light = light_at(c, 2.0 * (x + 0.5) / image->width - 1.0, v);
            const float rgb[3] = {curve[0][p[0]] * light, curve[1][p[1]] * light, curve[2][p[2]] * light};
            const float grey = 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
            const uint32_t bits = scramble(number++);
            const float common = noise * bell(bits); /* luminance noise, and half as much of colour */
            for (int k = 0; k < 3; k++) {
                const float own =
                    0.5f * noise * bell(scramble(bits + (uint32_t)k + 1u)) * (saturation > 0.0f ? 1.0f : 0.0f);
                p[k] = to_u8(grey + saturation * (rgb[k] - grey) + common + own);
            }
        }
    }
}

/* One row or column of (1 2 1)/4, ends repeated; step in bytes between neighbours of one channel. */
static void soften_line(uint8_t *line, int n, size_t step, uint8_t *copy)
{
    for (int i = 0; i < n; i++)
        copy[i] = line[(size_t)i * step];
    for (int i = 0; i < n; i++) {
        const int before = copy[i > 0 ? i - 1 : 0];
        const int after = copy[i + 1 < n ? i + 1 : n - 1];
        line[(size_t)i * step] = (uint8_t)((before + 2 * copy[i] + after + 2) / 4);
    }
}

/* Rows of a picture are softened in one go: out of three neighbouring rows. */
static void soften_columns(gn_image *image, uint8_t *rows)
{
    const size_t n = image->stride_bytes;
    uint8_t *before = rows, *here = rows + n;
    memcpy(before, image->data, n);
    for (int y = 0; y < image->height; y++) {
        uint8_t *row = image->data + (size_t)y * n;
        const uint8_t *after = y + 1 < image->height ? row + n : row;
        memcpy(here, row, n);
        for (size_t i = 0; i < n; i++)
            row[i] = (uint8_t)((before[i] + 2 * here[i] + after[i] + 2) / 4);
        uint8_t *t = before;
        before = here;
        here = t;
    }
}

/* times: passes of a small blur; sigma grows with their root.  along_x, along_y: which directions (one alone: motion blur). */
static gn_status soften(gn_image *image, int times, bool along_x, bool along_y)
{
    const size_t longest = image->stride_bytes > (size_t)image->height ? image->stride_bytes : (size_t)image->height;
    uint8_t *scratch = gn_alloc(2 * longest);
    if (scratch == NULL)
        return GN_ENOMEM;
    for (int t = 0; t < times; t++) {
        for (int y = 0; along_x && y < image->height; y++)
            for (size_t c = 0; c < 3; c++)
                soften_line(image->data + (size_t)y * image->stride_bytes + c, image->width, 3, scratch);
        if (along_y)
            soften_columns(image, scratch);
    }
    gn_free(scratch);
    return GN_OK;
}

gn_status gn_synth_finish(gn_rng *rng, gn_image *image)
{
    const camera c = draw_camera(rng);
    const double lot = gn_rng_uniform(rng);
    const int side = image->width < image->height ? image->width : image->height;
    const int scale = 1 + side / 200; /* larger pictures take more passes for the same look */
    if (lot < 0.72)
        GN_TRY(soften(image, 1, true, true));
    else if (lot < 0.9)
        GN_TRY(soften(image, scale * (1 + gn_synth_pick(rng, 3)), true, true));
    else if (lot < 0.96)
        GN_TRY(soften(image, scale * (3 + gn_synth_pick(rng, 6)), lot < 0.93, lot >= 0.93));
    expose(&c, image);
    return GN_OK;
}
