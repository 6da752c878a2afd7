/* Axis-aligned zoom and shift of one source picture into a window of the input.  Vertical pass first, while rows are contiguous and, where a
 * picture is blown up, still short; then horizontally with the same number of taps for every pixel.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "data/sample_scene.h"

/* Base pixels to each side that a filter may reach. */
#define SUPPORT_MAX 16.0
#define TAPS_MAX    34

/* Taps of consecutive output positions over a base of `side` pixels: `count` weights each, that sum to 1. */
typedef struct taps {
    int count;
    int *first;
    float *weight;
} taps;

static double support_of(gn_axis_map map)
{
    return fmin(map.scale < 1 ? 1 / map.scale : 1, SUPPORT_MAX);
}

static int tap_count(gn_axis_map map, int side)
{
    const double support = support_of(map);
    const int n = support > 1 ? (int)ceil(2 * support) + 1 : 2;
    return n < side ? n : side;
}

static int clamp_int(int x, int low, int high)
{
    return x < low ? low : x > high ? high : x;
}

static void make_tap(gn_axis_map map, int at, int side, int count, int *first, float *weight)
{
    const double centre = fmin(fmax((at + 0.5 - map.shift) / map.scale, 0), side);
    const double support = support_of(map);
    *first = clamp_int((int)floor(centre - support + 0.5), 0, side - count);
    double total = 0;
    for (int k = 0; k < count; k++) {
        const double w = fmax(1 - fabs((*first + k + 0.5 - centre) / support), 0);
        weight[k] = (float)w;
        total += w;
    }
    const float share = (float)(1 / total);
    for (int k = 0; k < count; k++)
        weight[k] *= share;
}

/* row[i] = sum over the taps of base rows, for the floats first..first+n-1 of a row. */
static void blend_rows(const gn_image *base, int top, int count, const float *weight, size_t first, size_t n,
                       float *restrict row)
{
    const uint8_t *a = base->data + (size_t)top * base->stride_bytes + first;
    if (count == 1) {
        for (size_t i = 0; i < n; i++)
            row[i] = (float)a[i];
        return;
    }
    const uint8_t *b = a + base->stride_bytes;
    const float wa = weight[0], wb = weight[1];
    for (size_t i = 0; i < n; i++)
        row[i] = wa * (float)a[i] + wb * (float)b[i];
    for (int k = 2; k < count; k++) {
        const uint8_t *src = a + (size_t)k * base->stride_bytes;
        const float w = weight[k];
        for (size_t i = 0; i < n && w > 0; i++)
            row[i] += w * (float)src[i];
    }
}

/* sum is in 0..255 up to rounding. */
static inline void store(const float sum[4], uint8_t *dst)
{
    for (int c = 0; c < 3; c++)
        dst[c] = (uint8_t)(int)(sum[c] + 0.5f);
}

/* Four lanes per pixel: its three channels and one more that is thrown away. */
static void blend_columns(const float *restrict row, const taps *column, int n, uint8_t *restrict dst)
{
    for (int x = 0; x < n; x++, dst += 3) {
        const float *src = row + (size_t)column->first[x] * 3;
        const float *w = column->weight + (size_t)x * (size_t)column->count;
        float sum[4];
        for (int c = 0; c < 4; c++)
            sum[c] = w[0] * src[c];
        for (int k = 1; k < column->count; k++)
            for (int c = 0; c < 4; c++)
                sum[c] += w[k] * src[3 * k + c];
        store(sum, dst);
    }
}

static void blend_columns_2(const float *restrict row, const taps *column, int n, uint8_t *restrict dst)
{
    for (int x = 0; x < n; x++, dst += 3) {
        const float *src = row + (size_t)column->first[x] * 3;
        const float wa = column->weight[2 * x], wb = column->weight[2 * x + 1];
        float sum[4];
        for (int c = 0; c < 4; c++)
            sum[c] = wa * src[c] + wb * src[3 + c];
        store(sum, dst);
    }
}

size_t gn_scene_resample_scratch_bytes(int dst_side_max, int base_side_max)
{
    return (size_t)dst_side_max * (sizeof(int) + TAPS_MAX * sizeof(float)) + 64 +
           ((size_t)base_side_max * 3 + 4) * sizeof(float);
}

void gn_scene_resample(const gn_image *base, gn_axis_map x, gn_axis_map y, gn_pixel_rect rect, void *scratch,
                       gn_image *dst)
{
    const int n = rect.x2 - rect.x1;
    if (n <= 0 || rect.y2 <= rect.y1)
        return;
    taps column = {.count = tap_count(x, base->width), .first = scratch};
    column.weight = (float *)(void *)(column.first + n);
    for (int i = 0; i < n; i++)
        make_tap(x, rect.x1 + i, base->width, column.count, &column.first[i],
                 column.weight + (size_t)i * (size_t)column.count);
    float *row = column.weight + (size_t)n * (size_t)column.count;
    const int left = column.first[0], used = column.first[n - 1] + column.count - left;
    for (int i = 0; i < n; i++)
        column.first[i] -= left;
    const size_t floats = (size_t)used * 3;
    memset(row + floats, 0, 4 * sizeof *row);
    const int count = tap_count(y, base->height);
    for (int i = rect.y1; i < rect.y2; i++) {
        int top;
        float weight[TAPS_MAX];
        make_tap(y, i, base->height, count, &top, weight);
        blend_rows(base, top, count, weight, (size_t)left * 3, floats, row);
        uint8_t *to = dst->data + (size_t)i * dst->stride_bytes + (size_t)rect.x1 * 3;
        if (column.count == 2)
            blend_columns_2(row, &column, n, to);
        else
            blend_columns(row, &column, n, to);
    }
}
