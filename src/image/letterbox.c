/* Letterbox geometry: a picture scaled to fit, centred on grey, and boxes there and back.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "image/codec.h"
#include "image/resize.h"

static int at_least_one(double x)
{
    return x < 1.0 ? 1 : (int)x;
}

gn_letterbox gn_letterbox_make(int src_w, int src_h, int dst_w, int dst_h)
{
    GN_ASSERT(src_w >= 1 && src_h >= 1 && dst_w >= 1 && dst_h >= 1);
    gn_letterbox lb = {.src_w = src_w, .src_h = src_h, .dst_w = dst_w, .dst_h = dst_h};
    const double scale_x = (double)dst_w / src_w;
    const double scale_y = (double)dst_h / src_h;
    lb.scale = scale_x < scale_y ? scale_x : scale_y;
    lb.new_w = at_least_one(rint(src_w * lb.scale)); /* rint: ties to even, as Python's round */
    lb.new_h = at_least_one(rint(src_h * lb.scale));
    lb.pad_x = (int)rint((dst_w - lb.new_w) / 2.0 - 0.1);
    lb.pad_y = (int)rint((dst_h - lb.new_h) / 2.0 - 0.1);
    return lb;
}

void gn_letterbox_map(const gn_letterbox *lb, const float box[4], float mapped_out[4])
{
    for (int i = 0; i < 4; i++)
        mapped_out[i] = (float)(box[i] * lb->scale + (i % 2 == 0 ? lb->pad_x : lb->pad_y));
}

void gn_letterbox_unmap(const gn_letterbox *lb, const float box[4], float mapped_out[4])
{
    for (int i = 0; i < 4; i++) {
        const double side = i % 2 == 0 ? lb->src_w : lb->src_h;
        const double pad = i % 2 == 0 ? lb->pad_x : lb->pad_y;
        const double v = (box[i] - pad) / lb->scale;
        mapped_out[i] = (float)(v < 0.0 ? 0.0 : v > side ? side : v);
    }
}

gn_status gn_letterbox_u8(const gn_image *src, const gn_letterbox *lb, gn_image *image_out)
{
    gn_image resized;
    gn_image dst;
    GN_TRY(gn_resize_u8(src, lb->new_w, lb->new_h, &resized));
    const gn_status status = gn_image_create(lb->dst_w, lb->dst_h, src->channels, &dst);
    if (status == GN_OK) {
        memset(dst.data, GN_LETTERBOX_FILL, dst.stride_bytes * (size_t)dst.height);
        for (int y = 0; y < resized.height; y++)
            memcpy(dst.data + (size_t)(y + lb->pad_y) * dst.stride_bytes + (size_t)(lb->pad_x * dst.channels),
                   resized.data + (size_t)y * resized.stride_bytes, resized.stride_bytes);
        dst.full_width = src->full_width;
        dst.full_height = src->full_height;
        *image_out = dst;
    }
    gn_image_deinit(&resized);
    return status;
}
