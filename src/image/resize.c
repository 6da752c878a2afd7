/* Antialiased resize with the triangle filter, in fixed point: bit for bit Pillow's bilinear resize, so that networks see here
 * what they saw in trainings that used Pillow.  Two passes, horizontal first, each with precomputed weights per output column
 * or row; the inner loops are plain so that the compiler vectorises them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "image/resize.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"
#include "image/codec.h"

/* Weights are integers with 22 fraction bits: 255 * 2^22 < 2^30, and two bits stay for the sum's overshoot. */
enum { WEIGHT_BITS = 22 };
#define HALF (1 << (WEIGHT_BITS - 1))

/* Weights of one axis: output i is the sum of taps[i*max_taps + k] * input[first[i] + k], k < count[i]. */
typedef struct axis_filter {
    int max_taps;
    int *first, *count;
    int32_t *taps;
} axis_filter;

static void filter_deinit(axis_filter *filter)
{
    gn_free(filter->first);
    gn_free(filter->count);
    gn_free(filter->taps);
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

/* Output i covers scale input pixels around (i + 0.5) * scale; the filter reaches support to each side. */
static void filter_row(axis_filter *filter, int i, int src_n, double scale, double support, double *weight)
{
    const double filter_scale = scale < 1.0 ? 1.0 : scale;
    const double centre = (i + 0.5) * scale;
    const double shrink = 1.0 / filter_scale;
    int first = (int)(centre - support + 0.5);
    int last = (int)(centre + support + 0.5);
    first = first < 0 ? 0 : first;
    last = last > src_n ? src_n : last;
    const int count = last - first;
    double sum = 0.0;
    for (int k = 0; k < count; k++) {
        weight[k] = triangle((k + first - centre + 0.5) * shrink);
        sum += weight[k];
    }
    int32_t *taps = filter->taps + (size_t)i * (size_t)filter->max_taps;
    for (int k = 0; k < count; k++) {
        const double w = sum != 0.0 ? weight[k] / sum : weight[k];
        taps[k] = (int32_t)(w * (1 << WEIGHT_BITS) + 0.5); /* weights of a triangle are never negative */
    }
    filter->first[i] = first;
    filter->count[i] = count;
}

static gn_status filter_init(axis_filter *filter, int src_n, int dst_n)
{
    const double scale = (double)src_n / dst_n;
    const double support = scale < 1.0 ? 1.0 : scale; /* of the triangle: 1 */
    gn_status status = GN_ENOMEM;
    double *weight = NULL;
    *filter = (axis_filter){.max_taps = (int)ceil(support) * 2 + 1};
    filter->first = gn_calloc((size_t)dst_n, sizeof *filter->first);
    filter->count = gn_calloc((size_t)dst_n, sizeof *filter->count);
    size_t n_taps = 0;
    if (!gn_mul_size((size_t)dst_n, (size_t)filter->max_taps, &n_taps))
        goto cleanup;
    filter->taps = gn_calloc(n_taps, sizeof *filter->taps);
    weight = gn_calloc((size_t)filter->max_taps, sizeof *weight);
    if (filter->first == NULL || filter->count == NULL || filter->taps == NULL || weight == NULL)
        goto cleanup;
    for (int i = 0; i < dst_n; i++)
        filter_row(filter, i, src_n, scale, support, weight);
    status = GN_OK;

cleanup:
    gn_free(weight);
    if (status != GN_OK) {
        filter_deinit(filter);
        memset(filter, 0, sizeof *filter);
    }
    return status;
}

static inline uint8_t clip8(int32_t sum)
{
    const int32_t v = sum >> WEIGHT_BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void shrink_row_grey(const axis_filter *filter, const uint8_t *src, int dst_n, uint8_t *dst)
{
    for (int i = 0; i < dst_n; i++) {
        const int32_t *taps = filter->taps + (size_t)i * (size_t)filter->max_taps;
        const uint8_t *p = src + filter->first[i];
        int32_t sum = HALF;
        for (int k = 0; k < filter->count[i]; k++)
            sum += taps[k] * p[k];
        dst[i] = clip8(sum);
    }
}

static void shrink_row_rgb(const axis_filter *filter, const uint8_t *src, int dst_n, uint8_t *dst)
{
    for (int i = 0; i < dst_n; i++) {
        const int32_t *taps = filter->taps + (size_t)i * (size_t)filter->max_taps;
        const uint8_t *p = src + (ptrdiff_t)filter->first[i] * 3;
        int32_t r = HALF, g = HALF, b = HALF;
        for (int k = 0; k < filter->count[i]; k++, p += 3) {
            r += taps[k] * p[0];
            g += taps[k] * p[1];
            b += taps[k] * p[2];
        }
        dst[3 * i] = clip8(r);
        dst[3 * i + 1] = clip8(g);
        dst[3 * i + 2] = clip8(b);
    }
}

static gn_status resize_horizontal(const gn_image *src, int dst_w, gn_image *image_out)
{
    axis_filter filter;
    gn_image dst;
    GN_TRY(gn_image_create(dst_w, src->height, src->channels, &dst));
    const gn_status status = filter_init(&filter, src->width, dst_w);
    if (status != GN_OK) {
        gn_image_deinit(&dst);
        return status;
    }
    for (int y = 0; y < src->height; y++) {
        const uint8_t *from = src->data + (size_t)y * src->stride_bytes;
        uint8_t *to = dst.data + (size_t)y * dst.stride_bytes;
        if (src->channels == 3)
            shrink_row_rgb(&filter, from, dst_w, to);
        else
            shrink_row_grey(&filter, from, dst_w, to);
    }
    filter_deinit(&filter);
    *image_out = dst;
    return GN_OK;
}

static void add_row(int32_t weight, const uint8_t *src, size_t n, int32_t *sum)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += weight * src[i];
}

static gn_status resize_vertical(const gn_image *src, int dst_h, gn_image *image_out)
{
    const size_t row_elems = (size_t)src->width * (size_t)src->channels;
    axis_filter filter = {0};
    gn_image dst = {0};
    gn_status status = gn_image_create(src->width, dst_h, src->channels, &dst);
    int32_t *sum = gn_alloc(row_elems * sizeof *sum);
    if (status == GN_OK)
        status = sum == NULL ? GN_ENOMEM : filter_init(&filter, src->height, dst_h);
    if (status != GN_OK)
        goto cleanup;
    for (int y = 0; y < dst_h; y++) {
        const int32_t *taps = filter.taps + (size_t)y * (size_t)filter.max_taps;
        for (size_t i = 0; i < row_elems; i++)
            sum[i] = HALF;
        for (int k = 0; k < filter.count[y]; k++)
            add_row(taps[k], src->data + (size_t)(filter.first[y] + k) * src->stride_bytes, row_elems, sum);
        uint8_t *to = dst.data + (size_t)y * dst.stride_bytes;
        for (size_t i = 0; i < row_elems; i++)
            to[i] = clip8(sum[i]);
    }

cleanup:
    gn_free(sum);
    filter_deinit(&filter);
    if (status == GN_OK)
        *image_out = dst;
    else
        gn_image_deinit(&dst);
    return status;
}

gn_status gn_resize_u8(const gn_image *src, int dst_w, int dst_h, gn_image *image_out)
{
    if (dst_w < 1 || dst_h < 1 || dst_w > GN_IMAGE_MAX_SIDE || dst_h > GN_IMAGE_MAX_SIDE)
        return GN_EINVAL;
    gn_image result = *src;
    bool has_result = false; /* result is ours, not src */
    if (dst_w != src->width) {
        GN_TRY(resize_horizontal(src, dst_w, &result));
        has_result = true;
    }
    if (dst_h != src->height || !has_result) {
        gn_image second;
        const gn_status status =
            dst_h != src->height ? resize_vertical(&result, dst_h, &second) : gn_image_copy(src, &second);
        if (has_result)
            gn_image_deinit(&result);
        if (status != GN_OK)
            return status;
        result = second;
    }
    result.full_width = src->full_width;
    result.full_height = src->full_height;
    *image_out = result;
    return GN_OK;
}

/* table[c][v] = (v/255 - mean) / stddev, in the order of f32 operations that PyTorch's ToTensor and Normalize use. */
static void normalise_table(const float *mean, const float *stddev, float table[3][256])
{
    for (int c = 0; c < 3; c++) {
        const float m = mean == NULL ? 0.0f : mean[c];
        const float s = stddev == NULL ? 1.0f : stddev[c];
        for (int v = 0; v < 256; v++)
            table[c][v] = ((float)v / 255.0f - m) / s;
    }
}

gn_status gn_normalise_f32(const gn_image *src, const float *mean, const float *stddev, gn_pixel_order order,
                           float *dst)
{
    if (src->channels != 3)
        return GN_EINVAL;
    float table[3][256];
    normalise_table(mean, stddev, table);
    const size_t plane = (size_t)src->width * (size_t)src->height;
    for (int y = 0; y < src->height; y++) {
        const uint8_t *p = src->data + (size_t)y * src->stride_bytes;
        const size_t row = (size_t)y * (size_t)src->width;
        for (size_t x = 0; x < (size_t)src->width; x++, p += 3) {
            for (size_t c = 0; c < 3; c++) {
                const size_t at = order == GN_PIXELS_CHW ? c * plane + row + x : (row + x) * 3 + c;
                dst[at] = table[c][p[c]];
            }
        }
    }
    return GN_OK;
}

gn_status gn_resize_f32(const gn_image *src, int dst_w, int dst_h, const float *mean, const float *stddev,
                        gn_pixel_order order, float *dst)
{
    gn_image resized;
    if (src->channels != 3)
        return GN_EINVAL;
    if (src->width == dst_w && src->height == dst_h)
        return gn_normalise_f32(src, mean, stddev, order, dst);
    GN_TRY(gn_resize_u8(src, dst_w, dst_h, &resized));
    const gn_status status = gn_normalise_f32(&resized, mean, stddev, order, dst);
    gn_image_deinit(&resized);
    return status;
}
