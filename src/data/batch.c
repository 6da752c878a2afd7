/* The loader: order of an epoch, a ring of batches that worker threads fill ahead, and the cache of decoded pictures.
 * A batch is built by one thread from (epoch, batch index) alone, so neither the number of workers nor the moment matters.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/batch.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/pool.h"
#include "base/rng.h"
#include "data/sample_prepare.h"

#define MAX_WORKERS 64
#define RNG_ORDER   0x6f726465u

/* What is known about one picture.  Only the thread that builds its batch touches it (each picture stands in one batch per epoch),
 * but for the message, which the lock guards. */
typedef struct picture_state {
    gn_image cached; /* data NULL: not kept */
    char *problem;   /* owned: why it cannot be decoded; NULL: it can, or was not tried yet */
} picture_state;

typedef struct batch_slot {
    float *images, *boxes, *has_box, *weight, *truth;
    int64_t *sample, *label, *n_truth;
    gn_geometry *geometry;
    int n;
    int64_t batch; /* which one lies here; -1: none */
    gn_status status;
} batch_slot;

typedef struct worker {
    gn_loader *loader;
    void *scratch;
    pthread_t thread;
    bool is_running;
} worker;

struct gn_loader {
    const gn_dataset *dataset;
    gn_loader_options options;
    gn_sample_plan plan;
    int64_t n_pictures; /* of the split, after the limit */
    int64_t n_images, n_batches;
    int truth_capacity;
    atomic_llong truth_dropped;
    int64_t *order; /* [n_pictures] of this epoch */
    int64_t epoch;
    picture_state *state; /* [n_pictures] */
    atomic_size_t cache_bytes;
    gn_problem problem; /* last one handed out */

    batch_slot *slot; /* [n_slots]; batch b lies in slot b % n_slots */
    int n_slots;
    worker *worker; /* [max(workers, 1)] */
    int n_workers;  /* threads */
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    int64_t next_build, next_take;
    int n_busy;
    bool is_paused, is_quitting;
};

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
    };
}

static gn_status check_range(const char *name, double value, double low, double high, gn_error *err)
{
    if (value >= low && value <= high)
        return GN_OK;
    return gn_fail(err, GN_EINVAL, "%s is %g; it must lie in %g..%g", name, value, low, high);
}

static gn_status check_options(const gn_loader_options *o, gn_error *err)
{
    const struct {
        const char *name;
        double value, low, high;
    } ranges[] = {
        {"imgsz", o->imgsz_w, 8, 4096},
        {"imgsz", o->imgsz_h, 8, 4096},
        {"batch", o->batch, 1, 4096},
        {"workers", o->workers, 0, MAX_WORKERS},
        {"limit", (double)o->limit, 0, 1e15},
        {"fliplr", o->augment.fliplr, 0, 1},
        {"scale", o->augment.scale, 0, 0.9},
        {"translate", o->augment.translate, 0, 0.9},
        {"hsv_h", o->augment.hsv_h, 0, 1},
        {"hsv_s", o->augment.hsv_s, 0, 1},
        {"hsv_v", o->augment.hsv_v, 0, 1},
        {"brightness", o->augment.brightness, 0, 1},
        {"contrast", o->augment.contrast, 0, 1},
        {"crop", o->augment.crop, 0, 1},
        {"erase", o->augment.erase, 0, 1},
        {"pad_crop", o->augment.pad_crop, 0, 256},
        {"resized_crop", o->augment.resized_crop, 0, 1},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        GN_TRY(check_range(ranges[i].name, ranges[i].value, ranges[i].low, ranges[i].high, err));
    for (int c = 0; c < 3; c++)
        if (!isfinite(o->mean[c]) || !(o->std[c] > 0))
            return gn_fail(err, GN_EINVAL, "channel %d: mean %g, deviation %g; the deviation must be above 0", c,
                           (double)o->mean[c], (double)o->std[c]);
    return GN_OK;
}

/* --- one batch ------------------------------------------------------------------------------------------------------ */

/* Keeps a decoded picture when there is room for it; then the cache owns it. */
static bool keep(gn_loader *l, picture_state *state, const gn_image *base)
{
    const size_t bytes = base->stride_bytes * (size_t)base->height;
    if (atomic_fetch_add(&l->cache_bytes, bytes) + bytes > l->options.cache_bytes) {
        atomic_fetch_sub(&l->cache_bytes, bytes);
        return false;
    }
    state->cached = *base;
    return true;
}

static gn_status note_failure(gn_loader *l, picture_state *state, const gn_error *err)
{
    char *message = gn_strdup(err->message[0] != '\0' ? err->message : gn_status_sentence(err->status));
    pthread_mutex_lock(&l->lock);
    state->problem = message;
    pthread_mutex_unlock(&l->lock);
    return message != NULL ? GN_OK : GN_ENOMEM;
}

static gn_status build_sample(gn_loader *l, worker *w, batch_slot *slot, int row, int64_t index)
{
    const gn_sample *sample = gn_dataset_sample(l->dataset, l->options.split, index);
    picture_state *state = &l->state[index];
    gn_image loaded = {0};
    const gn_image *base = state->cached.data != NULL ? &state->cached : NULL;
    if (base == NULL && state->problem == NULL) {
        gn_error err = {0};
        const gn_status status = gn_sample_load(&l->plan, sample, &loaded, &err);
        if (status == GN_ENOMEM)
            return status;
        if (status != GN_OK)
            GN_TRY(note_failure(l, state, &err));
        else
            base = &loaded;
    }
    const size_t pixels = (size_t)l->plan.width * (size_t)l->plan.height * 3;
    gn_truth_list truth = {
        .row = slot->truth + (size_t)row * (size_t)l->truth_capacity * 5,
        .capacity = l->truth_capacity,
    };
    const gn_sample_target target = {
        .image = slot->images + (size_t)row * pixels,
        .box = slot->boxes + 4 * (size_t)row,
        .has_box = &slot->has_box[row],
        .weight = &slot->weight[row],
        .label = &slot->label[row],
        .geometry = &slot->geometry[row],
        .truth = &truth,
    };
    gn_sample_write(&l->plan, sample, base, l->epoch, index, w->scratch, &target);
    slot->sample[row] = index;
    slot->n_truth[row] = truth.n;
    atomic_fetch_add(&l->truth_dropped, truth.dropped);
    if (base == &loaded && !keep(l, state, &loaded))
        gn_image_deinit(&loaded);
    return GN_OK;
}

static gn_status build_batch(gn_loader *l, worker *w, int64_t batch)
{
    batch_slot *slot = &l->slot[batch % l->n_slots];
    const int64_t first = batch * l->options.batch;
    const int64_t left = l->n_images - first;
    slot->n = (int)(left < l->options.batch ? left : l->options.batch);
    gn_status status = GN_OK;
    for (int i = 0; i < slot->n && status == GN_OK; i++)
        status = build_sample(l, w, slot, i, l->order[first + i]);
    return status;
}

/* --- threads -------------------------------------------------------------------------------------------------------- */

/* A batch may be built while its slot is neither waiting for the caller nor in the caller's hands. */
static bool can_build(const gn_loader *l)
{
    return !l->is_paused && l->next_build < l->n_batches && l->next_build <= l->next_take + l->n_slots - 2;
}

static void *work(void *arg)
{
    worker *w = arg;
    gn_loader *l = w->loader;
    gn_flush_denormals();
    pthread_mutex_lock(&l->lock);
    while (!l->is_quitting) {
        if (!can_build(l)) {
            pthread_cond_wait(&l->work, &l->lock);
            continue;
        }
        const int64_t batch = l->next_build++;
        l->n_busy++;
        pthread_mutex_unlock(&l->lock);
        const gn_status status = build_batch(l, w, batch);
        pthread_mutex_lock(&l->lock);
        l->n_busy--;
        l->slot[batch % l->n_slots].status = status;
        l->slot[batch % l->n_slots].batch = batch;
        pthread_cond_broadcast(&l->done);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static void stop_workers(gn_loader *l)
{
    pthread_mutex_lock(&l->lock);
    l->is_quitting = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->n_workers; i++)
        if (l->worker[i].is_running)
            pthread_join(l->worker[i].thread, NULL);
}

/* Workers leave signals to the threads of the program. */
static gn_status start_workers(gn_loader *l)
{
    for (int i = 0; i < l->n_workers; i++) {
        if (pthread_create(&l->worker[i].thread, NULL, work, &l->worker[i]) != 0)
            return GN_ENOMEM;
        l->worker[i].is_running = true;
    }
    return GN_OK;
}

/* --- life ----------------------------------------------------------------------------------------------------------- */

static gn_status create_slot(const gn_loader *l, batch_slot *slot)
{
    const size_t n = (size_t)l->options.batch;
    const size_t pixels = (size_t)l->plan.width * (size_t)l->plan.height * 3;
    size_t floats;
    if (!gn_mul_size(n, pixels * sizeof(float), &floats))
        return GN_ENOMEM;
    slot->images = gn_alloc(floats);
    slot->boxes = gn_calloc(n * 4, sizeof *slot->boxes);
    slot->has_box = gn_calloc(n, sizeof *slot->has_box);
    slot->weight = gn_calloc(n, sizeof *slot->weight);
    slot->sample = gn_calloc(n, sizeof *slot->sample);
    slot->label = gn_calloc(n, sizeof *slot->label);
    slot->geometry = gn_calloc(n, sizeof *slot->geometry);
    slot->truth = gn_calloc(n * (size_t)l->truth_capacity * 5, sizeof *slot->truth);
    slot->n_truth = gn_calloc(n, sizeof *slot->n_truth);
    slot->batch = -1;
    const bool ok = slot->images != NULL && slot->boxes != NULL && slot->has_box != NULL && slot->weight != NULL &&
                    slot->sample != NULL && slot->label != NULL && slot->geometry != NULL && slot->truth != NULL &&
                    slot->n_truth != NULL;
    return ok ? GN_OK : GN_ENOMEM;
}

static void destroy_slot(batch_slot *slot)
{
    gn_free(slot->images);
    gn_free(slot->boxes);
    gn_free(slot->has_box);
    gn_free(slot->weight);
    gn_free(slot->sample);
    gn_free(slot->label);
    gn_free(slot->geometry);
    gn_free(slot->truth);
    gn_free(slot->n_truth);
}

static gn_status create_buffers(gn_loader *l)
{
    const int n_scratch = l->n_workers > 0 ? l->n_workers : 1;
    l->order = gn_calloc((size_t)l->n_pictures, sizeof *l->order);
    l->state = gn_calloc((size_t)l->n_pictures, sizeof *l->state);
    l->slot = gn_calloc((size_t)l->n_slots, sizeof *l->slot);
    l->worker = gn_calloc((size_t)n_scratch, sizeof *l->worker);
    if (l->order == NULL || l->state == NULL || l->slot == NULL || l->worker == NULL)
        return GN_ENOMEM;
    for (int i = 0; i < l->n_slots; i++)
        GN_TRY(create_slot(l, &l->slot[i]));
    for (int i = 0; i < n_scratch; i++) {
        l->worker[i].loader = l;
        l->worker[i].scratch = gn_alloc(gn_sample_scratch_bytes(&l->plan));
        if (l->worker[i].scratch == NULL)
            return GN_ENOMEM;
    }
    return start_workers(l);
}

/* Most boxes that any entry of a batch can have. */
static int find_truth_capacity(const gn_loader *l)
{
    int most = 1;
    for (int64_t i = 0; i < l->n_pictures; i++) {
        const int n = gn_sample_targets(gn_dataset_sample(l->dataset, l->options.split, i));
        most = n > most ? n : most;
    }
    return most < GN_TRUTH_MAX ? most : GN_TRUTH_MAX;
}

gn_status gn_loader_create(const gn_dataset *dataset, const gn_loader_options *options, gn_loader **loader_out,
                           gn_error *err)
{
    GN_TRY(check_options(options, err));
    int64_t n = gn_dataset_count(dataset, options->split);
    if (n == 0)
        return gn_fail(err, GN_EDATA, "the %s split of %s is empty", gn_split_name(options->split),
                       gn_dataset_path(dataset));
    if (options->limit > 0 && options->limit < n)
        n = options->limit;
    if (options->drop_last && n < options->batch)
        return gn_fail(err, GN_EDATA, "the %s split of %s has %lld pictures, fewer than one batch of %d",
                       gn_split_name(options->split), gn_dataset_path(dataset), (long long)n, options->batch);
    gn_loader *l = gn_calloc(1, sizeof *l);
    if (l == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory for the loader");
    l->dataset = dataset;
    l->options = *options;
    gn_sample_plan_init(&l->plan, options);
    l->n_pictures = n;
    l->n_images = options->drop_last ? n / options->batch * options->batch : n;
    l->n_batches = (l->n_images + options->batch - 1) / options->batch;
    l->truth_capacity = find_truth_capacity(l);
    l->n_workers = options->workers;
    l->n_slots = options->workers > 0 ? options->workers + 2 : 1;
    l->next_build = l->next_take = l->n_batches; /* nothing to do before the first epoch begins */
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->done, NULL);
    const gn_status status = create_buffers(l);
    if (status != GN_OK) {
        gn_loader_destroy(&l);
        return gn_fail(err, status, "out of memory for batches of %d pictures of %d x %d", options->batch,
                       options->imgsz_w, options->imgsz_h);
    }
    *loader_out = l;
    return GN_OK;
}

void gn_loader_destroy(gn_loader **loader)
{
    if (loader == NULL || *loader == NULL)
        return;
    gn_loader *l = *loader;
    const int n_scratch = l->n_workers > 0 ? l->n_workers : 1;
    if (l->worker != NULL)
        stop_workers(l);
    for (int i = 0; i < n_scratch && l->worker != NULL; i++)
        gn_free(l->worker[i].scratch);
    for (int i = 0; i < l->n_slots && l->slot != NULL; i++)
        destroy_slot(&l->slot[i]);
    for (int64_t i = 0; i < l->n_pictures && l->state != NULL; i++) {
        gn_image_deinit(&l->state[i].cached);
        gn_free(l->state[i].problem);
    }
    gn_free(l->worker);
    gn_free(l->slot);
    gn_free(l->state);
    gn_free(l->order);
    pthread_cond_destroy(&l->done);
    pthread_cond_destroy(&l->work);
    pthread_mutex_destroy(&l->lock);
    gn_free(l);
    *loader = NULL;
}

int64_t gn_loader_images(const gn_loader *loader)
{
    return loader->n_images;
}

int64_t gn_loader_batches(const gn_loader *loader)
{
    return loader->n_batches;
}

int gn_loader_truth_capacity(const gn_loader *loader)
{
    return loader->truth_capacity;
}

int64_t gn_loader_truth_dropped(const gn_loader *loader)
{
    return atomic_load(&((gn_loader *)(uintptr_t)loader)->truth_dropped);
}

static void make_order(gn_loader *l)
{
    for (int64_t i = 0; i < l->n_pictures; i++)
        l->order[i] = i;
    if (!l->options.shuffle)
        return;
    gn_rng rng;
    gn_rng_init(&rng, l->options.seed, gn_rng_mix((uint64_t)l->epoch, RNG_ORDER));
    gn_rng_shuffle(&rng, l->order, l->n_pictures);
}

gn_status gn_loader_begin_epoch(gn_loader *loader, int64_t epoch, int64_t first_batch)
{
    gn_loader *l = loader;
    if (epoch < 0 || first_batch < 0 || first_batch > l->n_batches)
        return GN_EINVAL;
    pthread_mutex_lock(&l->lock);
    l->is_paused = true;
    while (l->n_busy > 0)
        pthread_cond_wait(&l->done, &l->lock);
    l->epoch = epoch;
    make_order(l);
    for (int i = 0; i < l->n_slots; i++)
        l->slot[i].batch = -1;
    l->next_build = l->next_take = first_batch;
    l->is_paused = false;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    return GN_OK;
}

/* Waits for a worker's batch, or builds it here when there are no workers. */
static gn_status take(gn_loader *l, batch_slot *slot)
{
    if (l->n_workers == 0) {
        const gn_status status = build_batch(l, &l->worker[0], l->next_take);
        l->next_take++;
        return status;
    }
    pthread_mutex_lock(&l->lock);
    while (slot->batch != l->next_take)
        pthread_cond_wait(&l->done, &l->lock);
    const gn_status status = slot->status;
    l->next_take++;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    return status;
}

gn_status gn_loader_next(gn_loader *loader, gn_batch *batch)
{
    gn_loader *l = loader;
    memset(batch, 0, sizeof *batch);
    if (l->next_take >= l->n_batches)
        return GN_OK;
    batch_slot *slot = &l->slot[l->next_take % l->n_slots];
    GN_TRY(take(l, slot));
    *batch = (gn_batch){
        .n = slot->n,
        .images = slot->images,
        .boxes = slot->boxes,
        .has_box = slot->has_box,
        .weight = slot->weight,
        .label = slot->label,
        .sample = slot->sample,
        .geometry = slot->geometry,
        .truth = slot->truth,
        .n_truth = slot->n_truth,
        .truth_capacity = l->truth_capacity,
    };
    return GN_OK;
}

int64_t gn_loader_problem_count(const gn_loader *loader)
{
    gn_loader *l = (gn_loader *)(uintptr_t)loader; /* the lock changes, the loader's meaning does not */
    int64_t n = 0;
    pthread_mutex_lock(&l->lock);
    for (int64_t i = 0; i < l->n_pictures; i++)
        n += l->state[i].problem != NULL;
    pthread_mutex_unlock(&l->lock);
    return n;
}

const gn_problem *gn_loader_problem(gn_loader *loader, int64_t i)
{
    gn_loader *l = loader;
    int64_t n = 0;
    const gn_problem *found = NULL;
    pthread_mutex_lock(&l->lock);
    for (int64_t k = 0; k < l->n_pictures && found == NULL; k++) {
        if (l->state[k].problem == NULL || n++ != i)
            continue;
        l->problem = (gn_problem){
            .file = gn_dataset_sample(l->dataset, l->options.split, k)->path,
            .message = l->state[k].problem,
        };
        found = &l->problem;
    }
    pthread_mutex_unlock(&l->lock);
    return found;
}

size_t gn_loader_cache_bytes(const gn_loader *loader)
{
    return atomic_load(&((gn_loader *)(uintptr_t)loader)->cache_bytes);
}

/* --- geometry ------------------------------------------------------------------------------------------------------- */

gn_box gn_geometry_to_picture(const gn_geometry *g, int imgsz_w, int imgsz_h, const gn_box *box)
{
    const double x1 = (g->flipped ? 1 - (double)box->x2 : (double)box->x1) * imgsz_w;
    const double x2 = (g->flipped ? 1 - (double)box->x1 : (double)box->x2) * imgsz_w;
    return (gn_box){
        (float)(x1 * g->scale_x + g->offset_x),
        (float)((double)box->y1 * imgsz_h * g->scale_y + g->offset_y),
        (float)(x2 * g->scale_x + g->offset_x),
        (float)((double)box->y2 * imgsz_h * g->scale_y + g->offset_y),
    };
}

gn_box gn_geometry_to_input(const gn_geometry *g, int imgsz_w, int imgsz_h, const gn_box *box_px)
{
    const double x1 = ((double)box_px->x1 - g->offset_x) / g->scale_x / imgsz_w;
    const double x2 = ((double)box_px->x2 - g->offset_x) / g->scale_x / imgsz_w;
    return (gn_box){
        (float)(g->flipped ? 1 - x2 : x1),
        (float)(((double)box_px->y1 - g->offset_y) / g->scale_y / imgsz_h),
        (float)(g->flipped ? 1 - x1 : x2),
        (float)(((double)box_px->y2 - g->offset_y) / g->scale_y / imgsz_h),
    };
}
