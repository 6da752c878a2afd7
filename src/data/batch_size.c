/* Which pictures stand in a batch, and how large it is.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"
#include "data/loader_private.h"

#define RNG_ORDER 0x6f726465u
#define RNG_SCALE 0x7363616cu
/* Grey that a rectangular batch has beside its pictures, in strides, before it is rounded up. */
#define RECT_PAD 0.5

typedef struct shape {
    double aspect; /* height : width */
    int64_t index;
} shape;

static int by_aspect(const void *a, const void *b)
{
    const shape *x = a, *y = b;
    if (x->aspect != y->aspect)
        return x->aspect < y->aspect ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static double aspect_of(const gn_dataset *dataset, gn_split split, int64_t index)
{
    const gn_sample *s = gn_dataset_sample(dataset, split, index);
    return (double)s->height / s->width;
}

static gn_status sort_by_aspect(const gn_dataset *dataset, gn_split split, int64_t n, int64_t *order)
{
    shape *shapes = gn_calloc((size_t)n, sizeof *shapes);
    if (shapes == NULL)
        return GN_ENOMEM;
    for (int64_t i = 0; i < n; i++)
        shapes[i] = (shape){aspect_of(dataset, split, i), i};
    qsort(shapes, (size_t)n, sizeof *shapes, by_aspect);
    for (int64_t i = 0; i < n; i++)
        order[i] = shapes[i].index;
    gn_free(shapes);
    return GN_OK;
}

gn_status gn_epoch_order(const gn_dataset *dataset, const gn_loader_options *o, int64_t epoch, int64_t n,
                         int64_t *order)
{
    if (o->rect)
        return sort_by_aspect(dataset, o->split, n, order);
    for (int64_t i = 0; i < n; i++)
        order[i] = i;
    if (!o->shuffle)
        return GN_OK;
    gn_rng rng;
    gn_rng_init(&rng, o->seed, gn_rng_mix((uint64_t)epoch, RNG_ORDER));
    gn_rng_shuffle(&rng, order, n);
    return GN_OK;
}

static int round_up(double side, int stride)
{
    return (int)ceil(side / stride - 1e-9) * stride;
}

/* The batch's widest and tallest pictures decide; with a shape on each side of the square, it is square. */
static gn_batch_size rect_size(const gn_dataset *dataset, const gn_loader_options *o, const int64_t *first, int n)
{
    const double least = aspect_of(dataset, o->split, first[0]), most = aspect_of(dataset, o->split, first[n - 1]);
    const double w = least > 1 ? 1 / least : 1, h = most < 1 ? most : 1, pad = RECT_PAD * o->stride;
    return (gn_batch_size){
        .width = round_up(w * o->imgsz_w + pad, o->stride),
        .height = round_up(h * o->imgsz_h + pad, o->stride),
        .fit_width = o->imgsz_w,
        .fit_height = o->imgsz_h,
    };
}

static gn_batch_size square_size(int width, int height)
{
    return (gn_batch_size){width, height, width, height};
}

/* A longer side drawn from the multiples of the stride in 1 - multi_scale .. 1 + multi_scale; the other keeps the aspect. */
static gn_batch_size drawn_size(const gn_loader_options *o, int64_t epoch, int64_t batch)
{
    const int longer = o->imgsz_w > o->imgsz_h ? o->imgsz_w : o->imgsz_h;
    const int64_t low = (int64_t)(longer * (1 - o->multi_scale)) / o->stride;
    const int64_t high = (int64_t)(longer * (1 + o->multi_scale)) / o->stride;
    gn_rng rng;
    gn_rng_init(&rng, o->seed, gn_rng_mix(gn_rng_mix((uint64_t)epoch, (uint64_t)batch), RNG_SCALE));
    const int64_t strides = low + gn_rng_below(&rng, high - low + 1);
    const double factor = (double)((strides > 1 ? strides : 1) * o->stride) / longer;
    return square_size(round_up(o->imgsz_w * factor, o->stride), round_up(o->imgsz_h * factor, o->stride));
}

gn_batch_size gn_batch_size_of(const gn_dataset *dataset, const gn_loader_options *o, int64_t epoch, int64_t batch,
                               const int64_t *first, int n)
{
    if (o->rect)
        return rect_size(dataset, o, first, n);
    if (o->multi_scale > 0)
        return drawn_size(o, epoch, batch);
    return square_size(o->imgsz_w, o->imgsz_h);
}

gn_batch_size gn_batch_size_most(const gn_loader_options *o)
{
    if (o->rect) {
        const int side = round_up(o->imgsz_w + RECT_PAD * o->stride, o->stride);
        return square_size(side, side);
    }
    if (o->multi_scale > 0)
        return square_size(round_up(o->imgsz_w * (1 + o->multi_scale), o->stride),
                           round_up(o->imgsz_h * (1 + o->multi_scale), o->stride));
    return square_size(o->imgsz_w, o->imgsz_h);
}
