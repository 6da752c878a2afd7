/* What batches cost before training sees them.
 *     loader_speed DATA [IMGSZ [WORKERS]]
 * Prints pictures per second of mosaic batches as detectors train on them (letterbox, mosaic, zoom, shift, flip, colours), first with every
 * picture decoded from its file, then from the cache; and, from the cache with one thread, how the time divides into resampling, colours and
 * the way from bytes to normalised floats, each measured as what it adds in processor time.  The best of three epochs counts.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "data/batch.h"

#define EPOCHS 3

static gn_loader_options options_of(int imgsz, int workers)
{
    gn_loader_options o = gn_loader_default_options();
    o.imgsz_w = o.imgsz_h = imgsz;
    o.fit = GN_FIT_LETTERBOX;
    o.shuffle = true;
    o.workers = workers;
    for (int c = 0; c < 3; c++) {
        o.mean[c] = 0;
        o.std[c] = 1;
    }
    return o;
}

/* Seconds per picture of the first epoch and of the best of the later ones; work: the processor's, of all threads. */
typedef struct cost {
    double cold, warm, cold_work, warm_work;
} cost;

static gn_status measure(const gn_dataset *d, const gn_loader_options *o, cost *c, gn_error *err)
{
    gn_loader *l = NULL;
    GN_TRY(gn_loader_create(d, o, &l, err));
    gn_status status = GN_OK;
    c->warm = c->warm_work = 1e9;
    for (int epoch = 0; epoch <= EPOCHS && status == GN_OK; epoch++) {
        const int64_t start = gn_now_ns();
        const clock_t before = clock();
        gn_batch b = {.n = 1};
        status = gn_loader_begin_epoch(l, epoch, 0);
        while (status == GN_OK && b.n > 0)
            status = gn_loader_next(l, &b);
        const double n = (double)gn_loader_images(l), each = (double)(gn_now_ns() - start) * 1e-9 / n;
        const double work = (double)(clock() - before) / CLOCKS_PER_SEC / n;
        if (epoch == 0) {
            c->cold = each;
            c->cold_work = work;
            continue;
        }
        c->warm = each < c->warm ? each : c->warm;
        c->warm_work = work < c->warm_work ? work : c->warm_work;
    }
    gn_loader_destroy(&l);
    return status;
}

static gn_status report(const gn_dataset *d, int imgsz, int workers, gn_error *err)
{
    const gn_augment colours = {.hsv_h = 0.015, .hsv_s = 0.7, .hsv_v = 0.4};
    const gn_augment moves = {.mosaic = 1, .scale = 0.5, .translate = 0.1, .fliplr = 0.5};
    gn_augment all = moves;
    all.hsv_h = colours.hsv_h;
    all.hsv_s = colours.hsv_s;
    all.hsv_v = colours.hsv_v;
    gn_loader_options o = options_of(imgsz, workers);
    cost both, whole, moved, plain;
    o.augment = all;
    GN_TRY(measure(d, &o, &both, err));
    printf("mosaic batches of %d px, %d worker%s: %.0f pictures per second decoded, %.0f from the cache\n", imgsz,
           workers, workers == 1 ? "" : "s", 1 / both.cold, 1 / both.warm);
    o.workers = 0;
    GN_TRY(measure(d, &o, &whole, err));
    o.augment = moves;
    GN_TRY(measure(d, &o, &moved, err));
    o.augment = (gn_augment){0};
    GN_TRY(measure(d, &o, &plain, err));
    const double all_of = whole.warm_work;
    printf("processor time per picture: %.2f ms decoded, %.2f ms from the cache: resampling %.0f%%, colours %.0f%%, "
           "floats "
           "%.0f%%\n",
           whole.cold_work * 1e3, all_of * 1e3, 100 * (moved.warm_work - plain.warm_work) / all_of,
           100 * (all_of - moved.warm_work) / all_of, 100 * plain.warm_work / all_of);
    return GN_OK;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: loader_speed DATA [IMGSZ [WORKERS]]\n");
        return 2;
    }
    gn_error err = {0};
    gn_dataset *d = NULL;
    gn_status status = gn_dataset_open(argv[1], NULL, &d, &err);
    if (status == GN_OK)
        status = report(d, argc > 2 ? atoi(argv[2]) : 640, argc > 3 ? atoi(argv[3]) : 1, &err);
    if (status != GN_OK)
        fprintf(stderr, "loader_speed: %s\n", err.message);
    gn_dataset_close(&d);
    return status == GN_OK ? 0 : 1;
}
