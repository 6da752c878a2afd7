/* Looks at every picture of a data set (its header, or all of it on request) and at its label file, and notes what is wrong.
 * Pictures are looked at by a pool; everything that is kept is put together in the order of the entries.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/pool.h"
#include "base/progress.h"
#include "data/dataset_private.h"
#include "image/image.h"

#define SCAN_BLOCK         1024 /* entries between two looks at the stop flag */
#define FINGERPRINT_NEED_W 72   /* enough of a JPEG for a 9 x 8 hash */
#define FINGERPRINT_NEED_H 64

typedef struct scan_job {
    gn_data_entry *entry; /* of this block */
    bool verify, with_fingerprints;
    atomic_bool is_out_of_memory; /* the picture is not to blame */
} scan_job;

static gn_status look_at(const scan_job *job, gn_data_entry *e, gn_error *err)
{
    const gn_sample sample = {.path = e->path, .source = e->picture_source, .item = e->item};
    const bool decodes = job->verify || job->with_fingerprints;
    const bool is_file = e->picture_source == NULL;
    gn_image_info info;
    gn_image image = {0};
    gn_decode_options opt = {0};
    if (!job->verify) {
        opt.need_width = FINGERPRINT_NEED_W;
        opt.need_height = FINGERPRINT_NEED_H;
    }
    /* What lies in an archive is unpacked once for both. */
    GN_TRY(gn_data_look(&sample, &opt, &info, decodes && !is_file ? &image : NULL, err));
    gn_status status = GN_OK;
    if ((int64_t)info.width * info.height > GN_IMAGE_MAX_PIXELS)
        status = gn_fail(err, GN_ELIMIT, "%d x %d pixels; at most %d million are decoded", info.width, info.height,
                         GN_IMAGE_MAX_PIXELS / 1000000);
    e->width = info.width;
    e->height = info.height;
    if (status == GN_OK && decodes && is_file)
        status = gn_image_load(e->path, &opt, &image, err);
    if (status == GN_OK && job->with_fingerprints)
        e->fingerprint = gn_image_fingerprint(&image);
    gn_image_deinit(&image);
    return status;
}

static void scan_task(void *ctx, int task, int thread)
{
    (void)thread;
    scan_job *job = ctx;
    gn_data_entry *e = &job->entry[task];
    gn_error err = {0};
    const gn_status status = look_at(job, e, &err);
    if (status != GN_OK)
        e->problem = gn_strdup(err.message[0] != '\0' ? err.message : gn_status_sentence(status));
    e->is_usable = status == GN_OK;
    if (status == GN_ENOMEM || (status != GN_OK && e->problem == NULL))
        atomic_store(&job->is_out_of_memory, true);
}

static gn_status scan_pictures(gn_dataset *d, bool with_fingerprints)
{
    gn_pool *pool = NULL;
    GN_TRY(gn_pool_create(gn_cpu_count(), &pool));
    gn_status status = GN_OK;
    const int64_t start = gn_now_ns();
    for (size_t first = 0; first < d->n_entries && status == GN_OK; first += SCAN_BLOCK) {
        const size_t left = d->n_entries - first;
        scan_job job = {.entry = &d->entry[first], .verify = d->options.verify, .with_fingerprints = with_fingerprints};
        gn_pool_run(pool, (int)(left < SCAN_BLOCK ? left : SCAN_BLOCK), scan_task, &job);
        const gn_progress progress = {
            .what = "looking at the pictures",
            .done = (int64_t)(left < SCAN_BLOCK ? d->n_entries : first + SCAN_BLOCK),
            .total = (int64_t)d->n_entries,
            .unit = "pictures",
            .seconds = (double)(gn_now_ns() - start) * 1e-9,
            .note = "",
        };
        gn_progress_tell(&progress);
        if (atomic_load(&job.is_out_of_memory))
            status = GN_ENOMEM;
        else if (gn_stop_requested())
            status = GN_ECANCELED;
    }
    gn_pool_destroy(&pool);
    return status;
}

/* Marks pictures that stand twice in a split, and counts those in several splits. */
static gn_status drop_duplicates(gn_dataset *d)
{
    gn_string_set seen[GN_SPLIT_COUNT] = {{0}};
    gn_status status = GN_OK;
    for (size_t i = 0; i < d->n_entries && status == GN_OK; i++) {
        gn_data_entry *e = &d->entry[i];
        if (gn_string_set_find(&seen[e->split], e->path) >= 0) {
            d->counts.duplicate_pictures++;
            e->is_usable = false;
            gn_free(e->problem);
            e->problem = NULL;
            continue;
        }
        for (int s = 0; s < GN_SPLIT_COUNT; s++)
            d->counts.split_overlap += s != (int)e->split && gn_string_set_find(&seen[s], e->path) >= 0;
        status = gn_string_set_put(&seen[e->split], e->path, (int64_t)i);
    }
    for (int s = 0; s < GN_SPLIT_COUNT; s++)
        gn_string_set_deinit(&seen[s]);
    return status;
}

static gn_status note_unreadable(gn_dataset *d)
{
    for (size_t i = 0; i < d->n_entries; i++) {
        gn_data_entry *e = &d->entry[i];
        if (e->problem == NULL)
            continue;
        d->counts.unreadable_pictures++;
        GN_TRY(gn_dataset_note(d, e->path, 0, "%s", e->problem));
    }
    return GN_OK;
}

static gn_status keep_labels(gn_dataset *d, gn_data_entry *e, const gn_labels *labels, const char *file)
{
    d->counts.duplicate_lines += labels->duplicates;
    d->counts.bad_label_lines += labels->n_bad_lines;
    d->counts.clipped_boxes += labels->n_clipped;
    const char *kept = labels->n_problems > 0 ? gn_arena_strdup(d->arena, file) : file;
    for (int64_t i = 0; i < labels->n_problems; i++)
        GN_TRY(gn_dataset_note(d, kept != NULL ? kept : e->path, labels->problem[i].line, "%s",
                               labels->problem[i].message));
    if (labels->n == 0) {
        if (labels->n_bad_lines > 0)
            gn_entry_spoil(d, e);
        return GN_OK;
    }
    e->box = gn_arena_alloc(d->arena, (size_t)labels->n * sizeof *e->box);
    e->cls = gn_arena_alloc(d->arena, (size_t)labels->n * sizeof *e->cls);
    if (e->box == NULL || e->cls == NULL)
        return GN_ENOMEM;
    memcpy(e->box, labels->box, (size_t)labels->n * sizeof *e->box);
    memcpy(e->cls, labels->cls, (size_t)labels->n * sizeof *e->cls);
    e->n_boxes = labels->n;
    return GN_OK;
}

/* In labels/ instead of images/, or else beside the picture, as Darknet's sets have it. */
static bool find_labels(const gn_dataset *d, const char *picture, char path[GN_DATA_PATH_BYTES])
{
    if (gn_label_path(picture, path) == GN_OK && gn_data_exists(d, path))
        return true;
    const size_t n = strlen(picture) - strlen(gn_path_ext(picture));
    return snprintf(path, GN_DATA_PATH_BYTES, "%.*s.txt", (int)n, picture) < GN_DATA_PATH_BYTES &&
           gn_data_exists(d, path);
}

static gn_status read_labels(gn_dataset *d, gn_data_entry *e)
{
    char path[GN_DATA_PATH_BYTES];
    if (!find_labels(d, e->path, path)) {
        d->counts.missing_labels++;
        return GN_OK;
    }
    char *text = NULL;
    size_t n = 0;
    gn_error err = {0};
    gn_status status = gn_data_read(d, path, GN_LABEL_MAX_BYTES, &text, &n, &err);
    if (status == GN_ENOMEM)
        return status;
    if (status != GN_OK) {
        const char *kept = gn_arena_strdup(d->arena, path);
        gn_entry_spoil(d, e);
        return gn_dataset_note(d, kept != NULL ? kept : e->path, 0, "the label file cannot be used: %s", err.message);
    }
    gn_labels labels = {.slack_x = 1.0 / e->width, .slack_y = 1.0 / e->height}; /* a pixel */
    status = gn_labels_parse(text, n, d->n_classes, &labels);
    if (status == GN_OK)
        status = keep_labels(d, e, &labels, path);
    gn_labels_deinit(&labels);
    gn_free(text);
    return status;
}

/* Names "0", "1", ... when only the labels tell how many classes there are. */
static gn_status name_classes(gn_dataset *d)
{
    int32_t highest = 0;
    for (size_t i = 0; i < d->n_entries; i++)
        for (int k = 0; k < d->entry[i].n_boxes; k++)
            if (d->entry[i].cls[k] > highest)
                highest = d->entry[i].cls[k];
    d->class_name = gn_arena_alloc(d->arena, ((size_t)highest + 1) * sizeof *d->class_name);
    if (d->class_name == NULL)
        return GN_ENOMEM;
    d->n_classes = highest + 1;
    for (int32_t c = 0; c <= highest; c++) {
        d->class_name[c] = gn_arena_printf(d->arena, "%d", (int)c);
        if (d->class_name[c] == NULL)
            return GN_ENOMEM;
    }
    return GN_OK;
}

static gn_status scan_labels(gn_dataset *d)
{
    for (size_t i = 0; i < d->n_entries; i++) {
        gn_data_entry *e = &d->entry[i];
        if (e->is_usable && e->label < 0)
            GN_TRY(e->has_boxes ? gn_entry_check_boxes(d, e) : read_labels(d, e));
        if (i % SCAN_BLOCK == 0 && gn_stop_requested())
            return GN_ECANCELED;
    }
    return d->n_classes == 0 ? name_classes(d) : GN_OK;
}

gn_status gn_dataset_scan(gn_dataset *d, bool with_fingerprints, gn_error *err)
{
    gn_status status = scan_pictures(d, with_fingerprints);
    if (status == GN_OK)
        status = drop_duplicates(d);
    if (status == GN_OK)
        status = note_unreadable(d);
    if (status == GN_OK)
        status = scan_labels(d);
    for (size_t i = 0; i < d->n_entries; i++) {
        gn_free(d->entry[i].problem);
        d->entry[i].problem = NULL;
    }
    return status == GN_OK
               ? GN_OK
               : gn_fail(err, status, "looking at the pictures of %s: %s", d->path, gn_status_sentence(status));
}
