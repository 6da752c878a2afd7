/* Rotation, shear and perspective of one source picture into the input: for every row of the input, the pixels that the picture covers, and
 * for each of them a bilinear look into the picture.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "data/sample_scene.h"

/* A base that is denser than this many of its pixels per pixel of the input is halved first. */
#define HALVE_BELOW_ZOOM 0.6
#define HALVINGS_MAX     4
#define FRACTION_BITS    16
#define FRACTION_ONE     (1 << FRACTION_BITS)

size_t gn_scene_project_scratch_bytes(int base_side_max)
{
    const size_t half = (size_t)base_side_max / 2 + 1;
    return 2 * (half * half * 3 + 64);
}

/* dst: floor(width / 2) x floor(height / 2), at least 1 x 1. */
static void halve(const gn_image *src, gn_image *dst)
{
    for (int y = 0; y < dst->height; y++) {
        const uint8_t *a = src->data + (size_t)(2 * y) * src->stride_bytes;
        const uint8_t *b = 2 * y + 1 < src->height ? a + src->stride_bytes : a;
        uint8_t *to = dst->data + (size_t)y * dst->stride_bytes;
        for (int x = 0; x < dst->width; x++, a += 6, b += 6, to += 3) {
            const int next = 2 * x + 1 < src->width ? 3 : 0;
            for (int c = 0; c < 3; c++)
                to[c] = (uint8_t)((a[c] + a[next + c] + b[c] + b[next + c] + 2) >> 2);
        }
    }
}

/* First pixel at whose centre the form is on its second side, and whether that side is the non-negative one; the same for both
 * neighbours of an edge, so that every pixel has one owner. */
static int crossing(const double form[3], double y, bool *is_rising_out)
{
    const double rest = form[1] * y + form[2];
    *is_rising_out = form[0] > 0 || (form[0] == 0 && rest >= 0);
    if (form[0] == 0)
        return -1; /* one side for the whole row */
    const double at = fmin(fmax(-rest / form[0] - 0.5, -2), 1e6);
    return form[0] > 0 ? (int)ceil(at) : (int)floor(at) + 1;
}

/* Pixels first..end-1 of a row inside all edges. */
static void row_span(const double edge[GN_SCENE_EDGES][3], double y, int width, int *first, int *end)
{
    *first = 0;
    *end = width;
    for (int i = 0; i < GN_SCENE_EDGES; i++) {
        bool is_rising;
        const int at = crossing(edge[i], y, &is_rising);
        const bool wants_high = i % 2 == 0;
        if (is_rising == wants_high)
            *first = at > *first ? at : *first;
        else
            *end = at < *end ? at : *end;
    }
}

static inline int clamp_int(int x, int low, int high)
{
    return x < low ? low : x > high ? high : x;
}

/* u, v: of pixel centres, with FRACTION_BITS of fraction. */
static inline void look(const gn_image *base, int u, int v, uint8_t *dst)
{
    u = clamp_int(u, 0, (base->width - 1) << FRACTION_BITS);
    v = clamp_int(v, 0, (base->height - 1) << FRACTION_BITS);
    const int x = u >> FRACTION_BITS, y = v >> FRACTION_BITS;
    const int fx = (u >> (FRACTION_BITS - 8)) & 255, fy = (v >> (FRACTION_BITS - 8)) & 255;
    const uint8_t *a = base->data + (size_t)y * base->stride_bytes + (size_t)x * 3;
    const uint8_t *b = y + 1 < base->height ? a + base->stride_bytes : a;
    const int next = x + 1 < base->width ? 3 : 0;
    for (int c = 0; c < 3; c++) {
        const int top = a[c] * (256 - fx) + a[next + c] * fx;
        const int bottom = b[c] * (256 - fx) + b[next + c] * fx;
        dst[c] = (uint8_t)((top * (256 - fy) + bottom * fy + 32768) >> 16);
    }
}

/* Fixed-point position of a coordinate, centres at whole numbers; far outside ends at the border. */
static inline int fixed(double coordinate)
{
    return (int)(fmin(fmax(coordinate - 0.5, -8), 32000) * FRACTION_ONE);
}

static void affine_row(const gn_image *base, const double m[9], int first, int end, double y, uint8_t *dst)
{
    for (int x = first; x < end; x++, dst += 3) {
        const double cx = x + 0.5;
        look(base, fixed(m[0] * cx + m[1] * y + m[2]), fixed(m[3] * cx + m[4] * y + m[5]), dst);
    }
}

static void projective_row(const gn_image *base, const double m[9], int first, int end, double y, uint8_t *dst)
{
    for (int x = first; x < end; x++, dst += 3) {
        const double cx = x + 0.5, w = 1 / (m[6] * cx + m[7] * y + m[8]);
        look(base, fixed((m[0] * cx + m[1] * y + m[2]) * w), fixed((m[3] * cx + m[4] * y + m[5]) * w), dst);
    }
}

void gn_scene_project(const gn_image *base, const double to_base[9], const double edge[GN_SCENE_EDGES][3], double zoom,
                      void *scratch, gn_image *dst)
{
    double m[9];
    for (int i = 0; i < 9; i++)
        m[i] = to_base[i];
    gn_image from = *base;
    uint8_t *room = scratch,
            *other = room + gn_scene_project_scratch_bytes(base->width > base->height ? base->width : base->height) / 2;
    for (int i = 0; i < HALVINGS_MAX && zoom < HALVE_BELOW_ZOOM && from.width > 1 && from.height > 1; i++, zoom *= 2) {
        gn_image half = gn_image_view(from.width / 2, from.height / 2, 3, room);
        halve(&from, &half);
        from = half;
        uint8_t *t = room;
        room = other;
        other = t;
        for (int k = 0; k < 6; k++)
            m[k] /= 2;
    }
    const bool is_affine = m[6] == 0 && m[7] == 0;
    for (int y = 0; y < dst->height; y++) {
        int first, end;
        row_span(edge, y + 0.5, dst->width, &first, &end);
        uint8_t *to = dst->data + (size_t)y * dst->stride_bytes + (size_t)first * 3;
        if (is_affine)
            affine_row(&from, m, first, end, y + 0.5, to);
        else
            projective_row(&from, m, first, end, y + 0.5, to);
    }
}
