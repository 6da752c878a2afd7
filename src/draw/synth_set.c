/* Writes the synthetic face set: pictures by a pool of threads in batches, label files beside them, data.yaml at the end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "draw/synth_set.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"

/* Pictures between two looks for a stop request: well under a second of work. */
enum { BATCH = 32, PATH_BYTES = 4096 };

static const char *const split_names[GN_SYNTH_SPLITS] = {"train", "val", "test"};

void gn_synth_set_init(gn_synth_set *set)
{
    *set = (gn_synth_set){.n_images = 480, .split = {0.7, 0.15, 0.15}, .quality = 90};
    gn_synth_options_init(&set->look);
}

/* What happened to one picture of a batch. */
typedef struct outcome {
    gn_status status;
    gn_error err;
    int n_boxes;
} outcome;

typedef struct batch {
    const char *dir;
    const gn_synth_set *set;
    const gn_synth_counts *counts;
    int64_t first;
    outcome outcomes[BATCH];
} batch;

static const char *split_of(const gn_synth_counts *counts, int64_t index)
{
    if (index < counts->images[GN_SYNTH_TRAIN])
        return split_names[GN_SYNTH_TRAIN];
    if (index < counts->images[GN_SYNTH_TRAIN] + counts->images[GN_SYNTH_VAL])
        return split_names[GN_SYNTH_VAL];
    return split_names[GN_SYNTH_TEST];
}

static gn_status file_path(const batch *b, const char *kind, int64_t index, const char *ext, char *dst, gn_error *err)
{
    const int n =
        snprintf(dst, PATH_BYTES, "%s/%s/%s/%06lld%s", b->dir, kind, split_of(b->counts, index), (long long)index, ext);
    if (n < 0 || n >= PATH_BYTES)
        return gn_fail_at(err, GN_ELIMIT, b->dir, 0, "the folder's name is too long");
    return GN_OK;
}

/* One line per box, in parts of the picture's width and height; six digits are a thousandth of a pixel. */
static gn_status write_labels(const char *path, const gn_image *image, const gn_draw_box *boxes, int n, gn_error *err)
{
    gn_text text;
    gn_text_init(&text);
    gn_text_add(&text, "");
    for (int i = 0; i < n; i++) {
        const double x1 = (double)boxes[i].x1 / image->width, x2 = (double)boxes[i].x2 / image->width;
        const double y1 = (double)boxes[i].y1 / image->height, y2 = (double)boxes[i].y2 / image->height;
        gn_text_printf(&text, "0 %.6f %.6f %.6f %.6f\n", (x1 + x2) / 2.0, (y1 + y2) / 2.0, x2 - x1, y2 - y1);
    }
    const gn_status status = text.failed ? gn_fail_at(err, GN_ENOMEM, path, 0, "out of memory for labels")
                                         : gn_file_write(path, text.data, text.len, err);
    gn_text_deinit(&text);
    return status;
}

static gn_status write_picture(const batch *b, int64_t index, int *n_boxes_out, gn_error *err)
{
    char path[PATH_BYTES];
    gn_image image;
    gn_draw_box boxes[GN_SYNTH_MAX_FACES];
    int n = 0;
    gn_status status = gn_synth_face(&b->set->look, b->set->seed, index, &image, boxes, &n);
    if (status != GN_OK)
        return gn_fail_at(err, status, b->dir, 0, "cannot draw picture %lld: %s", (long long)index,
                          gn_status_sentence(status));
    status = file_path(b, "images", index, ".jpg", path, err);
    if (status == GN_OK)
        status = gn_image_save(path, &image, b->set->quality, err);
    if (status == GN_OK)
        status = file_path(b, "labels", index, ".txt", path, err);
    if (status == GN_OK)
        status = write_labels(path, &image, boxes, n, err);
    gn_image_deinit(&image);
    *n_boxes_out = n;
    return status;
}

static void batch_task(void *ctx, int task, int thread)
{
    batch *b = ctx;
    outcome *o = &b->outcomes[task];
    (void)thread;
    gn_error_clear(&o->err);
    o->status = write_picture(b, b->first + task, &o->n_boxes, &o->err);
}

static gn_status check_settings(const gn_synth_set *set, gn_error *err)
{
    const gn_synth_options *look = &set->look;
    double sum = 0.0;
    for (int i = 0; i < GN_SYNTH_SPLITS; i++) {
        if (!(set->split[i] >= 0.0 && set->split[i] <= 1.0))
            return gn_fail(err, GN_EINVAL, "the share of %s is %g; expected 0 to 1", split_names[i], set->split[i]);
        sum += set->split[i];
    }
    if (fabs(sum - 1.0) > 1e-6)
        return gn_fail(err, GN_EINVAL, "the shares of train, val and test add up to %g; expected 1", sum);
    if (set->n_images < 1 || set->n_images > 1000000)
        return gn_fail(err, GN_EINVAL, "%lld pictures are asked for; expected 1 to 1,000,000",
                       (long long)set->n_images);
    if (set->quality < 1 || set->quality > 100)
        return gn_fail(err, GN_EINVAL, "the JPEG quality is %d; expected 1 to 100", set->quality);
    if (look->min_side_px < 64 || look->max_side_px > 2048 || look->min_side_px > look->max_side_px)
        return gn_fail(err, GN_EINVAL,
                       "the range of sides is %d to %d pixels; expected within 64 to 2048, the smaller first",
                       look->min_side_px, look->max_side_px);
    if (!(look->empty_frac >= 0.0 && look->several_frac >= 0.0 && look->empty_frac + look->several_frac <= 1.0))
        return gn_fail(err, GN_EINVAL,
                       "shares of pictures without a face (%g) and with several (%g): expected 0 to 1, sum at most 1",
                       look->empty_frac, look->several_frac);
    return GN_OK;
}

static gn_status prepare_folders(const char *dir, const gn_synth_set *set, gn_error *err)
{
    char path[PATH_BYTES];
    if (gn_path_exists(dir) && !set->is_exist_ok) {
        const char **names;
        size_t n = 0;
        gn_arena *arena = gn_arena_create(0);
        if (arena == NULL)
            return gn_fail_at(err, GN_ENOMEM, dir, 0, "out of memory while listing the folder");
        const gn_status status = gn_list_dir(dir, arena, &names, &n, err);
        gn_arena_destroy(&arena);
        GN_TRY(status);
        if (n > 0)
            return gn_fail_at(err, GN_EEXIST, dir, 0,
                              "the folder is not empty (%zu entries); name another one or add --exist-ok", n);
    }
    for (int kind = 0; kind < 2; kind++)
        for (int i = 0; i < GN_SYNTH_SPLITS; i++) {
            const int n = snprintf(path, sizeof path, "%s/%s/%s", dir, kind == 0 ? "images" : "labels", split_names[i]);
            if (n < 0 || n >= (int)sizeof path)
                return gn_fail_at(err, GN_ELIMIT, dir, 0, "the folder's name is too long");
            GN_TRY(gn_make_dirs(path, err));
        }
    return GN_OK;
}

static gn_status write_data_yaml(const char *dir, const gn_synth_set *set, gn_error *err)
{
    char path[PATH_BYTES];
    gn_text text;
    const gn_status joined = gn_path_join(dir, "data.yaml", path, sizeof path);
    if (joined != GN_OK)
        return gn_fail_at(err, joined, dir, 0, "the folder's name is too long");
    gn_text_init(&text);
    gn_text_printf(&text, "# Drawn faces with exact boxes: %lld pictures, seed %llu\n", (long long)set->n_images,
                   (unsigned long long)set->seed);
    gn_text_add(&text, "path: .\ntrain: images/train\nval: images/val\ntest: images/test\nnames:\n  0: face\n");
    const gn_status status = text.failed ? gn_fail_at(err, GN_ENOMEM, path, 0, "out of memory")
                                         : gn_file_write(path, text.data, text.len, err);
    gn_text_deinit(&text);
    return status;
}

/* All pictures, batch by batch.  Of several failures the one with the smallest index is told. */
static gn_status write_pictures(batch *b, gn_pool *pool, gn_synth_counts *counts, gn_error *err)
{
    const int64_t n_images = b->set->n_images;
    const int64_t begin_ns = gn_now_ns();
    for (b->first = 0; b->first < n_images; b->first += BATCH) {
        if (gn_stop_requested())
            return gn_fail_at(err, GN_ECANCELED, b->dir, 0,
                              "stopped after %lld of %lld pictures; add --exist-ok to write them all",
                              (long long)b->first, (long long)n_images);
        const int n = (int)(n_images - b->first < BATCH ? n_images - b->first : BATCH);
        gn_pool_run(pool, n, batch_task, b);
        for (int i = 0; i < n; i++) {
            if (b->outcomes[i].status != GN_OK) {
                if (err != NULL)
                    *err = b->outcomes[i].err;
                return b->outcomes[i].status;
            }
            counts->boxes += b->outcomes[i].n_boxes;
            counts->empty += b->outcomes[i].n_boxes == 0;
        }
        const gn_progress progress = {.what = "drawing",
                                      .done = b->first + n,
                                      .total = n_images,
                                      .unit = "pictures",
                                      .seconds = (double)(gn_now_ns() - begin_ns) * 1e-9,
                                      .note = ""};
        gn_progress_tell(&progress);
    }
    return GN_OK;
}

gn_status gn_synth_set_write(const char *dir, const gn_synth_set *set, gn_pool *pool, gn_synth_counts *counts_out,
                             gn_error *err)
{
    GN_TRY(check_settings(set, err));
    GN_TRY(prepare_folders(dir, set, err));
    gn_synth_counts counts = {0};
    counts.images[GN_SYNTH_VAL] = (int64_t)llrint(set->split[GN_SYNTH_VAL] * (double)set->n_images);
    counts.images[GN_SYNTH_TEST] = (int64_t)llrint(set->split[GN_SYNTH_TEST] * (double)set->n_images);
    if (counts.images[GN_SYNTH_VAL] + counts.images[GN_SYNTH_TEST] > set->n_images) /* both rounded up */
        counts.images[GN_SYNTH_TEST] = set->n_images - counts.images[GN_SYNTH_VAL];
    counts.images[GN_SYNTH_TRAIN] = set->n_images - counts.images[GN_SYNTH_VAL] - counts.images[GN_SYNTH_TEST];

    batch *b = gn_calloc(1, sizeof *b);
    if (b == NULL)
        return gn_fail_at(err, GN_ENOMEM, dir, 0, "out of memory");
    b->dir = dir;
    b->set = set;
    b->counts = &counts;
    gn_status status = write_pictures(b, pool, &counts, err);
    gn_free(b);
    if (status == GN_OK)
        status = write_data_yaml(dir, set, err);
    if (status == GN_OK)
        *counts_out = counts;
    return status;
}
