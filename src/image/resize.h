/* Geometry and colour changes between a decoded picture and a network's input: antialiased resize, letterbox, affine warp,
 * flip, colour jitter.
 * Continuous coordinates: pixel i covers [i, i+1), so boxes and pixels move by the same formula.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_IMAGE_RESIZE_H
#define GN_IMAGE_RESIZE_H

#include <stdint.h>

#include "base/status.h"
#include "image/image.h"

/* Order of the floats of one picture. */
typedef enum gn_pixel_order {
    GN_PIXELS_CHW = 0, /* planes */
    GN_PIXELS_HWC = 1, /* interleaved */
} gn_pixel_order;

/* Stretches to dst_w x dst_h with the triangle filter whose support grows when shrinking (antialiased bilinear), horizontal
 * pass first, each pass rounded to 8 bits: bit for bit what Pillow's Image.resize(BILINEAR) gives.
 * image_out: owned, src's channels.  GN_EINVAL: a side below 1 or above 65535.  GN_ENOMEM.  Thread-safe. */
gn_status gn_resize_u8(const gn_image *src, int dst_w, int dst_h, gn_image *image_out);

/* The same resize, then (x/255 - mean)/stddev in f32 per channel.
 * src: 3 channels.  mean, stddev: 3 values each, NULL: 0 and 1.  dst: dst_w*dst_h*3 floats in `order`. */
gn_status gn_resize_f32(const gn_image *src, int dst_w, int dst_h, const float *mean, const float *stddev,
                        gn_pixel_order order, float *dst);

/* Only the normalisation: src (3 channels) keeps its size. */
gn_status gn_normalise_f32(const gn_image *src, const float *mean, const float *stddev, gn_pixel_order order,
                           float *dst);

/* Where a picture lies in a letterboxed input. */
typedef struct gn_letterbox {
    int src_w, src_h; /* the picture */
    int dst_w, dst_h; /* the input */
    double scale;     /* min(dst_w/src_w, dst_h/src_h) */
    int new_w, new_h; /* the picture after scaling, ties to even */
    int pad_x, pad_y; /* left and top margin; the odd pixel goes right and down */
} gn_letterbox;

/* Grey that fills the margins. */
#define GN_LETTERBOX_FILL 114

/* Geometry that Ultralytics uses: margins round(d - 0.1) and round(d + 0.1) of half the rest d.
 * Sides are 1..65535 (asserted). */
gn_letterbox gn_letterbox_make(int src_w, int src_h, int dst_w, int dst_h);
/* box: x1 y1 x2 y2 in pixels of the picture -> of the input, and back (clipped to the picture). */
void gn_letterbox_map(const gn_letterbox *lb, const float box[4], float mapped_out[4]);
void gn_letterbox_unmap(const gn_letterbox *lb, const float box[4], float mapped_out[4]);
/* src is resized as by gn_resize_u8 and set into grey.  src may be smaller than lb->src_w x src_h (scaled decoding), since it is
 * stretched to new_w x new_h. */
gn_status gn_letterbox_u8(const gn_image *src, const gn_letterbox *lb, gn_image *image_out);

/* dst(x,y) = src(m0*x + m1*y + m2, m3*x + m4*y + m5) in continuous coordinates, bilinear, `fill` outside the picture.
 * image_out: owned, src's channels.  GN_EINVAL: sides outside 1..65535 or m not finite.  GN_ENOMEM. */
gn_status gn_image_warp_affine_u8(const gn_image *src, int dst_w, int dst_h, const float m[6], uint8_t fill,
                                  gn_image *image_out);

/* Mirrors left and right, in place. */
void gn_image_flip_h(gn_image *image);

/* Colour jitter in place, in this order: brightness (factor), contrast (factor, about the mean grey), saturation (factor,
 * about each pixel's grey), hue (shift in turns, -0.5..0.5).  1,1,1,0 changes nothing.  image: 3 channels.
 * Formulas as torchvision's ColorJitter. */
void gn_image_jitter(gn_image *image, float brightness, float contrast, float saturation, float hue);

/* Gains in HSV, in place: hue + shift turns, saturation * sat_gain, value * val_gain, clipped.  image: 3 channels.
 * As the random HSV augmentation of YOLO trainers (there the shift is a draw times hsv_h, the gains 1 + a draw times hsv_s, hsv_v). */
void gn_image_hsv(gn_image *image, float hue_shift, float sat_gain, float val_gain);

#endif
