/* The draws of one sample.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/sample_draw.h"

#include <math.h>

#include "base/rng.h"

#define CROP_MIN_SIDE 0.6 /* of the input's side */
#define RNG_AUGMENT   0x61756721u
#define RNG_MIXED_IN  0x6d697821u
/* Shape of the Beta distribution that mixup draws its share from, as YOLO trainers have it. */
#define MIXUP_SHAPE 32

static double symmetric(gn_rng *rng)
{
    return 2 * gn_rng_uniform(rng) - 1;
}

/* Gamma(MIXUP_SHAPE, 1): a sum of exponentials. */
static double gamma_draw(gn_rng *rng)
{
    double sum = 0;
    for (int i = 0; i < MIXUP_SHAPE; i++)
        sum -= log(1 - gn_rng_uniform(rng));
    return sum;
}

static void draw_for_one_object(const gn_augment *a, gn_rng *rng, gn_draws *d)
{
    d->flip = gn_rng_uniform(rng) < a->fliplr;
    d->zoom = fmax(1 + a->scale * symmetric(rng), GN_ZOOM_MIN);
    d->shift_x = a->translate * symmetric(rng);
    d->shift_y = a->translate * symmetric(rng);
    d->hue = (float)(a->hsv_h * symmetric(rng));
    d->sat = (float)(1 + a->hsv_s * symmetric(rng));
    d->val = (float)(1 + a->hsv_v * symmetric(rng));
    d->brightness = (float)(1 + a->brightness * symmetric(rng));
    d->contrast = (float)(1 + a->contrast * symmetric(rng));
    const bool crop = gn_rng_uniform(rng) < a->crop;
    const double side = CROP_MIN_SIDE + (1 - CROP_MIN_SIDE) * gn_rng_uniform(rng);
    d->crop_side = crop ? side : 1;
    d->crop_x = gn_rng_uniform(rng);
    d->crop_y = gn_rng_uniform(rng);
    d->erase = gn_rng_uniform(rng) < a->erase;
    d->erase_area = 0.02 + 0.18 * gn_rng_uniform(rng);
    d->erase_aspect = exp(symmetric(rng) * log(3.0));
    d->erase_x = gn_rng_uniform(rng);
    d->erase_y = gn_rng_uniform(rng);
    d->pad_x = (int)(gn_rng_uniform(rng) * (2 * a->pad_crop + 1)) - a->pad_crop;
    d->pad_y = (int)(gn_rng_uniform(rng) * (2 * a->pad_crop + 1)) - a->pad_crop;
    const double area = a->resized_crop + (1 - a->resized_crop) * gn_rng_uniform(rng);
    const double aspect = exp(symmetric(rng) * log(4.0 / 3.0));
    d->window_w = a->resized_crop > 0 ? fmin(sqrt(area * aspect), 1) : 1;
    d->window_h = a->resized_crop > 0 ? fmin(sqrt(area / aspect), 1) : 1;
}

static void draw_for_many_objects(const gn_augment *a, gn_rng *rng, gn_draws *d)
{
    d->flip_v = gn_rng_uniform(rng) < a->flipud;
    d->degrees = a->degrees * symmetric(rng);
    d->shear_x = a->shear * symmetric(rng);
    d->shear_y = a->shear * symmetric(rng);
    d->bend_x = a->perspective * symmetric(rng);
    d->bend_y = a->perspective * symmetric(rng);
    d->mosaic = gn_rng_uniform(rng) < a->mosaic;
    d->mosaic_x = 0.5 + gn_rng_uniform(rng);
    d->mosaic_y = 0.5 + gn_rng_uniform(rng);
    for (int i = 0; i < GN_MOSAIC_TILES - 1; i++)
        d->partner[i] = gn_rng_uniform(rng);
    d->mixup = gn_rng_uniform(rng) < a->mixup;
    d->mixup_partner = gn_rng_uniform(rng);
    d->mixup_share = 1;
    if (d->mixup) {
        const double own = gamma_draw(rng), other = gamma_draw(rng);
        d->mixup_share = own / (own + other);
    }
}

gn_draws gn_sample_draw(const gn_augment *augment, uint64_t seed, int64_t epoch, int64_t index, gn_draw_stream stream)
{
    gn_rng rng;
    gn_rng_init(&rng, seed,
                gn_rng_mix(gn_rng_mix((uint64_t)epoch, (uint64_t)index),
                           stream == GN_DRAW_SAMPLE ? RNG_AUGMENT : RNG_MIXED_IN));
    gn_draws d;
    draw_for_one_object(augment, &rng, &d);
    draw_for_many_objects(augment, &rng, &d);
    return d;
}
