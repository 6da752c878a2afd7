/* Options of the loader: defaults and ranges.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "data/loader_private.h"

gn_loader_options gn_loader_default_options(void)
{
    return (gn_loader_options){
        .imgsz_w = 224,
        .imgsz_h = 224,
        .mean = {0.485f, 0.456f, 0.406f},
        .std = {0.229f, 0.224f, 0.225f},
        .batch = 16,
        .workers = 1,
        .cache_bytes = (size_t)1 << 30,
        .stride = 32,
    };
}

static gn_status check_range(const char *name, double value, double low, double high, gn_error *err)
{
    if (value >= low && value <= high)
        return GN_OK;
    return gn_fail(err, GN_EINVAL, "%s is %g; it must lie in %g..%g", name, value, low, high);
}

static gn_status check_ranges(const gn_loader_options *o, gn_error *err)
{
    const gn_augment *a = &o->augment;
    const struct {
        const char *name;
        double value, low, high;
    } ranges[] = {
        {"imgsz", o->imgsz_w, 8, 4096},
        {"imgsz", o->imgsz_h, 8, 4096},
        {"batch", o->batch, 1, 4096},
        {"workers", o->workers, 0, GN_LOADER_MAX_WORKERS},
        {"limit", (double)o->limit, 0, 1e15},
        {"stride", o->stride, 1, 1024},
        {"multi_scale", o->multi_scale, 0, 0.9},
        {"epochs", (double)o->epochs, 0, 1e15},
        {"close_mosaic", (double)o->close_mosaic, 0, 1e15},
        {"fliplr", a->fliplr, 0, 1},
        {"flipud", a->flipud, 0, 1},
        {"scale", a->scale, 0, 0.9},
        {"translate", a->translate, 0, 0.9},
        {"degrees", a->degrees, 0, 180},
        {"shear", a->shear, 0, 60},
        {"perspective", a->perspective, 0, 0.001},
        {"mosaic", a->mosaic, 0, 1},
        {"mixup", a->mixup, 0, 1},
        {"hsv_h", a->hsv_h, 0, 1},
        {"hsv_s", a->hsv_s, 0, 1},
        {"hsv_v", a->hsv_v, 0, 1},
        {"brightness", a->brightness, 0, 1},
        {"contrast", a->contrast, 0, 1},
        {"crop", a->crop, 0, 1},
        {"erase", a->erase, 0, 1},
        {"pad_crop", a->pad_crop, 0, 256},
        {"resized_crop", a->resized_crop, 0, 1},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        GN_TRY(check_range(ranges[i].name, ranges[i].value, ranges[i].low, ranges[i].high, err));
    return GN_OK;
}

gn_status gn_loader_check_options(const gn_dataset *dataset, const gn_loader_options *o, gn_error *err)
{
    GN_TRY(check_ranges(o, err));
    for (int c = 0; c < 3; c++)
        if (!isfinite(o->mean[c]) || !(o->std[c] > 0))
            return gn_fail(err, GN_EINVAL, "channel %d: mean %g, deviation %g; the deviation must be above 0", c,
                           (double)o->mean[c], (double)o->std[c]);
    if ((o->augment.mosaic > 0 || o->augment.mixup > 0) && gn_dataset_has_labels(dataset))
        return gn_fail(err, GN_EINVAL,
                       "mosaic and mixup put the boxes of several pictures together; %s has a class per picture",
                       gn_dataset_path(dataset));
    if (o->rect && (o->shuffle || o->multi_scale > 0))
        return gn_fail(err, GN_EINVAL, "rect sorts pictures by their shape; it does not go with %s",
                       o->shuffle ? "shuffle" : "multi_scale");
    if (o->rect && (o->fit != GN_FIT_LETTERBOX || o->imgsz_w != o->imgsz_h))
        return gn_fail(err, GN_EINVAL, "rect is for letterboxed pictures and one imgsz, not %d x %d%s", o->imgsz_w,
                       o->imgsz_h, o->fit != GN_FIT_LETTERBOX ? ", stretched" : "");
    return GN_OK;
}
