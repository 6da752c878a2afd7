/* Axis-aligned zoom and shift with a triangle filter whose support grows when shrinking, vertical pass first (rows of the base are
 * weighted together while they are still long and contiguous), then horizontal.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "data/sample_prepare.h"

#define FILL 114.0f
/* Base pixels to each side that a filter may reach; a base is at most GN_BASE_OVERSIZE / GN_ZOOM_MIN times as dense as the output. */
#define SUPPORT_MAX 16.0
#define TAPS_MAX    34

/* Taps of one output position: base positions first..first+n-1 with their weights; the rest of the weight falls outside. */
typedef struct taps {
    int first, n;
    float outside;
    float *weight;
} taps;

/* Support in base pixels to each side. */
static double support_of(gn_axis_map map)
{
    return fmin(map.scale < 1 ? 1 / map.scale : 1, SUPPORT_MAX);
}

/* Weights of output position `at` over a base of `side` pixels. */
static void make_taps(gn_axis_map map, int at, int side, taps *t)
{
    const double centre = (at + 0.5 - map.shift) / map.scale;
    const double support = support_of(map);
    const int low = (int)floor(fmax(fmin(centre - support, side + 1e6), -1e6) + 0.5);
    const int high = (int)floor(fmax(fmin(centre + support, side + 1e6), -1e6) + 0.5); /* exclusive */
    double total = 0, inside = 0;
    t->first = low < 0 ? 0 : low;
    t->n = 0;
    for (int i = low; i < high; i++) {
        const double w = 1 - fabs((i + 0.5 - centre) / support);
        if (w <= 0) {
            if (i >= 0 && i < side && t->n == 0)
                t->first = i + 1;
            continue;
        }
        total += w;
        if (i < 0 || i >= side)
            continue;
        inside += w;
        t->weight[t->n++] = (float)w;
    }
    for (int k = 0; k < t->n; k++)
        t->weight[k] = (float)(t->weight[k] / total);
    t->outside = total > 0 ? (float)((total - inside) / total) : 1;
}

size_t gn_sample_warp_scratch_bytes(int dst_side_max, int base_side_max)
{
    return (size_t)dst_side_max * (sizeof(taps) + TAPS_MAX * sizeof(float)) + /* horizontal */
           TAPS_MAX * sizeof(float) + (size_t)base_side_max * 3 * sizeof(float);
}

static uint8_t round_u8(float x)
{
    return (uint8_t)(x <= 0 ? 0 : x >= 255 ? 255 : x + 0.5f);
}

static void blend_rows(const gn_image *base, const taps *t, float *row)
{
    const size_t n = (size_t)base->width * 3;
    const float fill = t->outside * FILL;
    for (size_t i = 0; i < n; i++)
        row[i] = fill;
    for (int k = 0; k < t->n; k++) {
        const uint8_t *src = base->data + (size_t)(t->first + k) * base->stride_bytes;
        const float w = t->weight[k];
        for (size_t i = 0; i < n; i++)
            row[i] += w * (float)src[i];
    }
}

static void blend_columns(const float *row, const taps *column, int width, uint8_t *dst)
{
    for (int x = 0; x < width; x++) {
        const taps *t = &column[x];
        const float *src = row + (size_t)t->first * 3;
        float sum[3] = {t->outside * FILL, t->outside * FILL, t->outside * FILL};
        for (int k = 0; k < t->n; k++, src += 3) {
            sum[0] += t->weight[k] * src[0];
            sum[1] += t->weight[k] * src[1];
            sum[2] += t->weight[k] * src[2];
        }
        for (int c = 0; c < 3; c++)
            *dst++ = round_u8(sum[c]);
    }
}

void gn_sample_warp(const gn_image *base, gn_axis_map x, gn_axis_map y, int width, int height, void *scratch,
                    uint8_t *dst)
{
    taps *column = scratch;
    float *weights = (float *)(void *)(column + width);
    for (int i = 0; i < width; i++) {
        column[i].weight = weights;
        make_taps(x, i, base->width, &column[i]);
        weights += column[i].n;
    }
    taps line = {.weight = weights};
    float *row = weights + TAPS_MAX;
    for (int i = 0; i < height; i++) {
        make_taps(y, i, base->height, &line);
        if (line.n > 0)
            blend_rows(base, &line, row);
        if (line.n > 0)
            blend_columns(row, column, width, dst);
        else
            memset(dst, (int)FILL, (size_t)width * 3);
        dst += (size_t)width * 3;
    }
}
