/* The synthetic face set on disk, in the folders and label files that YOLO trainers read.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DRAW_SYNTH_SET_H
#define GN_DRAW_SYNTH_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/status.h"
#include "draw/synth.h"

/* Parts of a set, in this order. */
enum { GN_SYNTH_TRAIN, GN_SYNTH_VAL, GN_SYNTH_TEST, GN_SYNTH_SPLITS };

/* n_images: 1..1,000,000.  split: shares of train, val and test, each 0..1, sum 1; counts are rounded and train takes the rest.
 * quality: of the JPEG files, 1..100.  is_exist_ok: write into a folder that holds something; files of the same name are
 * replaced, others stay. */
typedef struct gn_synth_set {
    gn_synth_options look;
    int64_t n_images;
    uint64_t seed;
    double split[GN_SYNTH_SPLITS];
    int quality;
    bool is_exist_ok;
} gn_synth_set;

/* What was written. */
typedef struct gn_synth_counts {
    int64_t images[GN_SYNTH_SPLITS];
    int64_t boxes;
    int64_t empty; /* pictures without a face */
} gn_synth_counts;

/* 480 pictures, seed 0, 0.7 0.15 0.15, quality 90. */
void gn_synth_set_init(gn_synth_set *set);

/* Writes dir/images/{train,val,test}/000000.jpg ..., dir/labels/.../000000.txt (class cx cy w h in 0..1; empty for a picture
 * without a face) and, last, dir/data.yaml.  Same settings, same bytes, for any number of threads.
 * pool: may be NULL.  Tells progress; looks for a stop request between batches.
 * GN_EINVAL: settings out of range.  GN_EEXIST: the folder is not empty.  GN_ECANCELED, GN_EIO, GN_ENOMEM. */
gn_status gn_synth_set_write(const char *dir, const gn_synth_set *set, gn_pool *pool, gn_synth_counts *counts_out,
                             gn_error *err);

#endif
