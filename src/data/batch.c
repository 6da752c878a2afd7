/* The loader: order of an epoch, a ring of batches that worker threads fill ahead, and the cache of decoded pictures.
 * A batch is built by one thread from (epoch, batch index) alone, so neither the number of workers nor the moment matters.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/batch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "base/pool.h"
#include "data/loader_private.h"
#include "data/picture_cache.h"
#include "data/sample_prepare.h"
#include "data/sample_scene.h"

/* Of the cache: what is left for the latest pictures when entries are made of several. */
#define RECENT_SHARE 4

typedef struct batch_slot {
    float *images, *boxes, *has_box, *weight, *truth;
    int64_t *sample, *label, *n_truth;
    gn_geometry *geometry;
    int n, width, height;
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
    gn_sample_plan plan; /* at imgsz */
    int64_t n_pictures;  /* of the split, after the limit */
    int64_t n_images, n_batches;
    int truth_capacity;
    atomic_llong truth_dropped;
    int64_t *order; /* [n_pictures] of this epoch */
    int64_t epoch;
    gn_picture_cache *cache;
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

/* --- one batch ------------------------------------------------------------------------------------------------------ */

/* The pictures of one entry while it is made.  loaded: those that this entry had to decode, data NULL: none; is_cached: the cache's. */
typedef struct entry_pictures {
    gn_scene_source source[GN_SCENE_SOURCES];
    gn_image loaded[GN_SCENE_SOURCES];
    int64_t index[GN_SCENE_SOURCES];
    bool is_cached[GN_SCENE_SOURCES];
    int n;
} entry_pictures;

static gn_status decode(gn_loader *l, const gn_sample_plan *plan, const gn_sample *sample, int64_t index,
                        gn_image *image_out)
{
    gn_error err = {0};
    const gn_status status = gn_sample_load(plan, sample, image_out, &err);
    if (status == GN_OK || status == GN_ENOMEM)
        return status;
    return gn_picture_cache_note(l->cache, index,
                                 err.message[0] != '\0' ? err.message : gn_status_sentence(err.status));
}

/* Adds picture `index`: from the cache, from what this entry has decoded already, or from its file. */
static gn_status add_picture(gn_loader *l, const gn_sample_plan *plan, entry_pictures *p, int64_t index)
{
    const int at = p->n++;
    gn_scene_source *source = &p->source[at];
    p->index[at] = index;
    p->loaded[at] = (gn_image){0};
    *source = (gn_scene_source){.sample = gn_dataset_sample(l->dataset, l->options.split, index)};
    bool is_broken;
    source->base = gn_picture_cache_find(l->cache, index, &is_broken);
    p->is_cached[at] = source->base != NULL;
    if (source->base != NULL || is_broken)
        return GN_OK;
    for (int i = 0; i < at; i++)
        if (p->index[i] == index && p->source[i].base != NULL) {
            source->base = p->source[i].base;
            return GN_OK;
        }
    GN_TRY(decode(l, plan, source->sample, index, &p->loaded[at]));
    source->base = p->loaded[at].data != NULL ? &p->loaded[at] : NULL;
    return GN_OK;
}

/* Gives what was decoded to the cache, or back to the memory. */
static void release_pictures(gn_loader *l, entry_pictures *p)
{
    for (int i = 0; i < p->n; i++)
        if (p->is_cached[i])
            gn_picture_cache_release(l->cache, p->index[i]);
    for (int i = 0; i < p->n; i++)
        if (p->loaded[i].data != NULL && !gn_picture_cache_keep(l->cache, p->index[i], &p->loaded[i]))
            gn_image_deinit(&p->loaded[i]);
}

static gn_status build_scene(gn_loader *l, worker *w, const gn_sample_plan *plan, int64_t position,
                             const gn_sample_target *target)
{
    gn_scene scene;
    entry_pictures pictures = {.n = 0};
    gn_scene_draw(plan, l->epoch, l->order, l->n_pictures, position, &scene);
    gn_status status = GN_OK;
    for (int i = 0; i < scene.n_sources && status == GN_OK; i++)
        status = add_picture(l, &l->plan, &pictures, scene.source[i]);
    if (status == GN_OK)
        gn_scene_write(plan, &scene, pictures.source, w->scratch, target);
    release_pictures(l, &pictures);
    return status;
}

static gn_status build_single(gn_loader *l, worker *w, const gn_sample_plan *plan, int64_t position,
                              const gn_sample_target *target)
{
    entry_pictures pictures = {.n = 0};
    const gn_status status = add_picture(l, plan, &pictures, l->order[position]);
    if (status == GN_OK)
        gn_sample_write(plan, pictures.source[0].sample, pictures.source[0].base, l->epoch, l->order[position],
                        w->scratch, target);
    release_pictures(l, &pictures);
    return status;
}

static gn_status build_entry(gn_loader *l, worker *w, const gn_sample_plan *plan, batch_slot *slot, int row,
                             int64_t position)
{
    const size_t pixels = (size_t)plan->width * (size_t)plan->height * 3;
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
    GN_TRY(plan->is_scene ? build_scene(l, w, plan, position, &target) : build_single(l, w, plan, position, &target));
    slot->sample[row] = l->order[position];
    slot->n_truth[row] = truth.n;
    atomic_fetch_add(&l->truth_dropped, truth.dropped);
    return GN_OK;
}

/* The plan of one batch: its size, and no mosaics in the last epochs. */
static gn_sample_plan plan_of_batch(const gn_loader *l, int64_t batch, const batch_slot *slot)
{
    const gn_loader_options *o = &l->options;
    const gn_batch_size size = gn_batch_size_of(l->dataset, o, l->epoch, batch, l->order + batch * o->batch, slot->n);
    gn_sample_plan plan = l->plan;
    gn_sample_plan_resize(&plan, size.width, size.height, size.fit_width, size.fit_height);
    if (o->epochs > 0 && l->epoch >= o->epochs - o->close_mosaic)
        plan.augment.mosaic = plan.augment.mixup = 0;
    return plan;
}

static gn_status build_batch(gn_loader *l, worker *w, int64_t batch)
{
    batch_slot *slot = &l->slot[batch % l->n_slots];
    const int64_t first = batch * l->options.batch;
    const int64_t left = l->n_images - first;
    slot->n = (int)(left < l->options.batch ? left : l->options.batch);
    const gn_sample_plan plan = plan_of_batch(l, batch, slot);
    slot->width = plan.width;
    slot->height = plan.height;
    gn_status status = GN_OK;
    for (int i = 0; i < slot->n && status == GN_OK; i++)
        status = build_entry(l, w, &plan, slot, i, first + i);
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
    const gn_batch_size most = gn_batch_size_most(&l->options);
    const size_t pixels = (size_t)most.width * (size_t)most.height * 3;
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

static size_t scratch_bytes(const gn_loader *l)
{
    const gn_batch_size most = gn_batch_size_most(&l->options);
    gn_sample_plan plan = l->plan;
    gn_sample_plan_resize(&plan, most.width, most.height, most.fit_width, most.fit_height);
    return plan.is_scene ? gn_scene_scratch_bytes(&plan) : gn_sample_scratch_bytes(&plan);
}

static gn_status create_buffers(gn_loader *l)
{
    const int n_scratch = l->n_workers > 0 ? l->n_workers : 1;
    l->order = gn_calloc((size_t)l->n_pictures, sizeof *l->order);
    l->slot = gn_calloc((size_t)l->n_slots, sizeof *l->slot);
    l->worker = gn_calloc((size_t)n_scratch, sizeof *l->worker);
    if (l->order == NULL || l->slot == NULL || l->worker == NULL)
        return GN_ENOMEM;
    const bool has_partners = l->options.augment.mosaic > 0 || l->options.augment.mixup > 0;
    const size_t recent = has_partners ? l->options.cache_bytes / RECENT_SHARE : 0;
    GN_TRY(gn_picture_cache_create(l->n_pictures, l->options.cache_bytes, recent, &l->cache));
    for (int i = 0; i < l->n_slots; i++)
        GN_TRY(create_slot(l, &l->slot[i]));
    const size_t scratch = scratch_bytes(l);
    for (int i = 0; i < n_scratch; i++) {
        l->worker[i].loader = l;
        l->worker[i].scratch = gn_alloc(scratch);
        if (l->worker[i].scratch == NULL)
            return GN_ENOMEM;
    }
    return start_workers(l);
}

/* Most boxes that any entry of a batch can have: of as many pictures as it may be made of. */
static int find_truth_capacity(const gn_loader *l)
{
    int most = 1;
    for (int64_t i = 0; i < l->n_pictures; i++) {
        const int n = gn_sample_targets(gn_dataset_sample(l->dataset, l->options.split, i));
        most = n > most ? n : most;
    }
    const gn_augment *a = &l->options.augment;
    const int64_t all = (int64_t)most * (a->mosaic > 0 ? GN_MOSAIC_TILES : 1) * (a->mixup > 0 ? GN_SCENE_LAYERS : 1);
    return all < GN_TRUTH_MAX ? (int)all : GN_TRUTH_MAX;
}

gn_status gn_loader_create(const gn_dataset *dataset, const gn_loader_options *options, gn_loader **loader_out,
                           gn_error *err)
{
    GN_TRY(gn_loader_check_options(dataset, options, err));
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
    gn_picture_cache_destroy(&l->cache);
    gn_free(l->worker);
    gn_free(l->slot);
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

/* Only shapes ask for the order. */
static gn_status size_by_shape(const gn_loader *l, int64_t epoch, int64_t batch, gn_batch_size *size_out)
{
    int64_t *order = gn_calloc((size_t)l->n_pictures, sizeof *order);
    if (order == NULL)
        return GN_ENOMEM;
    const gn_loader_options *o = &l->options;
    const int64_t first = batch * o->batch, left = l->n_images - first;
    const gn_status status = gn_epoch_order(l->dataset, o, epoch, l->n_pictures, order);
    if (status == GN_OK)
        *size_out =
            gn_batch_size_of(l->dataset, o, epoch, batch, order + first, (int)(left < o->batch ? left : o->batch));
    gn_free(order);
    return status;
}

gn_status gn_loader_batch_size(const gn_loader *l, int64_t epoch, int64_t batch, int *width_out, int *height_out)
{
    if (epoch < 0 || batch < 0 || batch >= l->n_batches)
        return GN_EINVAL;
    gn_batch_size size;
    if (l->options.rect)
        GN_TRY(size_by_shape(l, epoch, batch, &size));
    else
        size = gn_batch_size_of(l->dataset, &l->options, epoch, batch, NULL, 0);
    *width_out = size.width;
    *height_out = size.height;
    return GN_OK;
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
    const gn_status status = gn_epoch_order(l->dataset, &l->options, epoch, l->n_pictures, l->order);
    for (int i = 0; i < l->n_slots; i++)
        l->slot[i].batch = -1;
    l->next_build = l->next_take = status == GN_OK ? first_batch : l->n_batches;
    l->is_paused = false;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    return status;
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
        .width = slot->width,
        .height = slot->height,
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
    return gn_picture_cache_broken(loader->cache);
}

const gn_problem *gn_loader_problem(gn_loader *loader, int64_t i)
{
    int64_t index;
    const char *message;
    if (!gn_picture_cache_broken_nth(loader->cache, i, &index, &message))
        return NULL;
    loader->problem = (gn_problem){
        .file = gn_dataset_sample(loader->dataset, loader->options.split, index)->path,
        .message = message,
    };
    return &loader->problem;
}

size_t gn_loader_cache_bytes(const gn_loader *loader)
{
    return gn_picture_cache_bytes(loader->cache);
}
