/* The loader: turns samples of a data set into batches of normalised float pictures with their target box, in an order and with
 * augmentation that depend on (seed, epoch, index) only, prepared ahead by worker threads, pictures cached after the first epoch.
 *
 * Augmentation: names and ranges are Ultralytics'; zooms and shifts are antialiased, and show grey 114 outside the picture.
 * Cache: with flips and colours only, a picture is kept at its final size; with scale, translate or crop it is kept at up to 1.5
 * times that size (never above its own) and resampled from there.  One that is in the cache and one that is not give the same bits.
 * A loader belongs to one thread at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DATA_BATCH_H
#define GN_DATA_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "data/dataset.h"
#include "detect/box.h"

typedef enum gn_fit {
    GN_FIT_STRETCH = 0, /* antialiased resize to imgsz, aspect not kept */
    GN_FIT_LETTERBOX,   /* aspect kept, centred, grey 114 around */
} gn_fit;

/* All zero: none. */
typedef struct gn_augment {
    double fliplr;     /* probability 0..1 of a horizontal flip */
    double flipud;     /* probability 0..1 of a vertical flip */
    double scale;      /* 0..0.9: zoom factor drawn from 1-scale .. 1+scale around the centre */
    double translate;  /* 0..0.9: shift drawn from -translate .. translate of the width and of the height */
    double hsv_h;      /* 0..1: hue shift +- hsv_h turns of the colour circle */
    double hsv_s;      /* 0..1: saturation factor 1 +- hsv_s */
    double hsv_v;      /* 0..1: value factor 1 +- hsv_v */
    double brightness; /* 0..1: brightness factor 1 +- brightness */
    double contrast;   /* 0..1: contrast factor 1 +- contrast about the mean grey */
    double
        crop; /* 0..1: probability of a random crop (zoom 1..1/0.6, aspect kept) that keeps the centre of the target box */
    double erase; /* 0..1: probability of a grey rectangle of 2..20% of the area */
    int pad_crop; /* 0..256: pixels of grey around the input, of which a window of its size is cut (whole pixels) */
    double resized_crop; /* 0..1: smallest area of a window, 3:4 to 4:3, that is blown up to the whole; 0: none */
    double degrees;      /* 0..180: rotation drawn from -degrees .. degrees, about the centre */
    double shear;        /* 0..60: slant of either axis drawn from -shear .. shear degrees */
    double perspective;  /* 0..0.001: tilt of either axis, per pixel of the input */
    double
        mosaic; /* probability 0..1 of four pictures around a point on a canvas of twice the size, of which a part is shown */
    double mixup; /* probability 0..1 of another entry being blended in, with a share drawn from Beta(32, 32) */
} gn_augment;

/* A cut target box is kept when at least this fraction of its area is still in the picture. */
#define GN_AUGMENT_KEEP_FRAC 0.25

/* Of the list of all boxes (gn_batch.truth), a box that was moved stays when more than this fraction of its area is in the picture, its sides
 * are longer than so many pixels of the input, and one is less than so many times the other. */
#define GN_TRUTH_KEEP_FRAC  0.1
#define GN_TRUTH_MIN_SIDE   2
#define GN_TRUTH_MAX_ASPECT 100
/* Most boxes of one entry of a batch, however many its pictures have. */
#define GN_TRUTH_MAX 1000

typedef struct gn_loader_options {
    gn_split split;
    int imgsz_w, imgsz_h; /* 8..4096; default 224 */
    gn_fit fit;
    float mean[3], std[3]; /* RGB of 0..1; default ImageNet's */
    int batch;             /* 1..4096; default 16 */
    bool drop_last;        /* drop a last partial batch */
    bool shuffle;
    uint64_t seed;
    gn_augment augment;
    int workers;          /* 0: in the caller; 1..64 threads; default 1 */
    size_t cache_bytes;   /* decoded pictures kept; 0: none; default 1 GiB */
    int64_t limit;        /* use only the first `limit` pictures of the split; 0: all */
    int64_t epochs;       /* of the whole training, for close_mosaic; 0: not known, mosaics to the end */
    int64_t close_mosaic; /* the last so many epochs have neither mosaic nor mixup */
    double
        multi_scale; /* 0..0.9: each batch's size is drawn from the multiples of `stride` in 1-multi_scale .. 1+multi_scale of imgsz;
                           * 0: all have imgsz */
    bool
        rect; /* pictures sorted by height : width, each batch as large as its pictures need, in multiples of `stride`; letterbox, no shuffle */
    int stride; /* 1..1024; default 32 */
} gn_loader_options;

gn_loader_options gn_loader_default_options(void);

/* How a box in the network's input maps back: x_picture_px = x_input_px * scale_x + offset_x (and y alike); flipped: first
 * x_input_px = imgsz_w - x_input_px.  width, height: the upright picture, pixels.  An input that is more than one upright picture, zoomed and
 * shifted (a mosaic, rotated, flipped upside down) has none: all zero. */
typedef struct gn_geometry {
    double scale_x, scale_y, offset_x, offset_y;
    int width, height;
    bool flipped;
} gn_geometry;

/* Filled by gn_loader_next; pointers belong to the loader and are valid until the next call on it. */
typedef struct gn_batch {
    int n;               /* pictures in this batch, <= options.batch */
    int width, height;   /* W, H of this batch: imgsz, but with multi_scale or rect */
    const float *images; /* [n,3,H,W] plain, RGB, (x/255 - mean) / std */
    const float *
        boxes; /* [n,4] the box with the largest visible area as x1 y1 x2 y2 in 0..1 of the network's input; 0 without one */
    const float *has_box; /* [n] 1: boxes holds a target; 0: background, or the box was cut away */
    const float *
        weight; /* [n] 1; 0 for a picture that could not be decoded (grey, no box): it must not count in a loss or metric */
    const int64_t *label;        /* [n] class of the whole picture; -1: none */
    const int64_t *sample;       /* [n] index for gn_dataset_sample */
    const gn_geometry *geometry; /* [n] */
    const float *
        truth; /* [n,truth_capacity,5] every box that is a target: x1 y1 x2 y2 in 0..1 of the network's input, class number; zeros behind the
                * last.  Crowds are none */
    const int64_t *n_truth; /* [n] rows that count, 0..truth_capacity */
    int truth_capacity;     /* gn_loader_truth_capacity */
} gn_batch;

typedef struct gn_loader gn_loader;

/* dataset: borrowed, must outlive the loader.  GN_EINVAL: an option out of its range, with a message.  GN_EDATA: the split is empty, or holds
 * fewer pictures than one batch with drop_last.  GN_ENOMEM. */
gn_status gn_loader_create(const gn_dataset *dataset, const gn_loader_options *options, gn_loader **loader_out,
                           gn_error *err);
void gn_loader_destroy(gn_loader **loader);

int64_t gn_loader_images(const gn_loader *loader);  /* pictures per epoch (with drop_last: in whole batches) */
int64_t gn_loader_batches(const gn_loader *loader); /* batches per epoch */
/* W and H of a batch before it is made.  batch: 0..batches-1.  GN_EINVAL, GN_ENOMEM. */
gn_status gn_loader_batch_size(const gn_loader *loader, int64_t epoch, int64_t batch, int *width_out, int *height_out);
/* Rows of gn_batch.truth per picture: as many as the pictures of the split can need (the same for every batch and worker), 1..GN_TRUTH_MAX. */
int gn_loader_truth_capacity(const gn_loader *loader);
/* Boxes left out so far since a picture had more than fit; the smallest go first. */
int64_t gn_loader_truth_dropped(const gn_loader *loader);

/* Start epoch `epoch` (>= 0, any order) at batch `first_batch` (>= 0; for going on in the middle of an epoch). */
gn_status gn_loader_begin_epoch(gn_loader *loader, int64_t epoch, int64_t first_batch);
/* The next batch; after the last one *batch has n 0 and the status is GN_OK.  GN_ENOMEM. */
gn_status gn_loader_next(gn_loader *loader, gn_batch *batch);

/* Pictures that failed to decode so far; the list is by file, each once. */
int64_t gn_loader_problem_count(const gn_loader *loader);
/* i: 0..count-1; sorted by sample index.  Borrowed until the next call on the loader. */
const gn_problem *gn_loader_problem(gn_loader *loader, int64_t i);
/* Bytes of decoded pictures kept now. */
size_t gn_loader_cache_bytes(const gn_loader *loader);

/* Box from the network's input (0..1) to pixels of the upright picture, and back. */
gn_box gn_geometry_to_picture(const gn_geometry *geometry, int imgsz_w, int imgsz_h, const gn_box *box);
gn_box gn_geometry_to_input(const gn_geometry *geometry, int imgsz_w, int imgsz_h, const gn_box *box_px);

#endif
