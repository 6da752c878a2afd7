/* The training loop.
 * SPDX-License-Identifier: Apache-2.0 */
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/progress.h"
#include "formats/onnx/onnx_format.h"
#include "train/trainer_state.h"

gn_train_options gn_train_default_options(void)
{
    gn_train_options o = {
        .epochs = 40,
        .loader = gn_loader_default_options(),
        .rule = {.detection = gn_detection_loss_default(),
                 .loss = {.l1_gain = 1.0, .beta = 0.1, .iou_kind = "giou", .score_gain = 1.0},
                 .optimizer = GN_OPTIMIZER_ADAM,
                 .momentum = 0.9,
                 .beta2 = 0.999,
                 .epsilon = 1e-8},
        .schedule = {.kind = GN_SCHEDULE_CONSTANT, .lr0 = 1e-3, .lrf = 0.01, .step_epochs = 30, .gamma = 0.1},
        .ema_decay = 0.9999,
        .ema_tau = 2000,
        .threads = 1,
        .val_batch = 32,
        .has_val = true,
    };
    o.loader.split = GN_SPLIT_TRAIN;
    o.loader.shuffle = true;
    o.loader.drop_last = true;
    return o;
}

/* ---- setting up ---- */

/* Labels of the set and answer of the model are of one kind. */
static gn_status check_labels(const gn_trainer *t, gn_error *err)
{
    const bool is_classifier = gn_train_is_classifier(t->model), has_labels = gn_dataset_has_labels(t->dataset);
    const char *path = gn_dataset_path(t->dataset);
    if (is_classifier != has_labels)
        return gn_fail_at(err, GN_EDATA, path, 0, "%s",
                          has_labels ? "its pictures have a class each and no boxes: train a model with --head classify"
                                     : "its pictures have boxes, which a classifier cannot learn: use a box head");
    return GN_OK;
}

/* Once the step's graph is made, and with it the shape of the answer. */
static gn_status check_classes(const gn_trainer *t, gn_error *err)
{
    const int n = gn_dataset_classes(t->dataset);
    if (t->step_graph.n_classes == 0 || t->step_graph.n_classes == n)
        return GN_OK;
    return gn_fail_at(err, GN_EDATA, gn_dataset_path(t->dataset), 0, "it has %d classes and the model tells %d apart",
                      n, t->step_graph.n_classes);
}

static gn_status check_best(const gn_trainer *t, gn_error *err)
{
    const bool is_classifier = gn_train_is_classifier(t->model);
    const gn_best_by by = t->options->best_by;
    if (gn_train_is_detector(t->model))
        return by == GN_BEST_MAP
                   ? GN_OK
                   : gn_fail(err, GN_EUSAGE, "the best epoch of a detector is chosen by map: leave --best away");
    if (is_classifier ? by == GN_BEST_IOU || by == GN_BEST_MAP : by == GN_BEST_TOP1)
        return gn_fail(err, GN_EUSAGE, "the best epoch of a %s cannot be chosen by %s: use %s or loss",
                       is_classifier ? "classifier" : "box model", is_classifier ? "boxes" : "classes",
                       is_classifier ? "top1" : "iou, map");
    return GN_OK;
}

static gn_status check_memory(const gn_trainer *t, gn_error *err)
{
    const gn_train_options *o = t->options;
    gn_train_memory m;
    /* The largest size that multi-scale training may draw. */
    const double most = 1 + o->loader.multi_scale, stride = o->loader.stride;
    const int width = (int)(ceil(o->loader.imgsz_w * most / stride) * stride);
    const int height = (int)(ceil(o->loader.imgsz_h * most / stride) * stride);
    const bool varies = o->loader.multi_scale > 0;
    GN_TRY(gn_train_memory_of(t->model, o->loader.batch, varies ? width : o->loader.imgsz_w,
                              varies ? height : o->loader.imgsz_h, &o->rule, &m, err));
    size_t need = m.arena_bytes + m.optimizer_bytes + m.weight_bytes;
    size_t have = o->memory_limit_bytes ? o->memory_limit_bytes : gn_memory_available();
    if (have == 0 || need <= have)
        return GN_OK;
    char need_text[32], have_text[32];
    gn_format_bytes(need, need_text);
    gn_format_bytes(have, have_text);
    return gn_fail(err, GN_ENOMEM,
                   "training at batch %d and %dx%d px takes %s of memory; %s is free: use a smaller --batch or --imgsz",
                   o->loader.batch, o->loader.imgsz_w, o->loader.imgsz_h, need_text, have_text);
}

/* A clone of the model whose states are the averaged ones where the run keeps such. */
static gn_status make_eval_model(gn_trainer *t)
{
    GN_TRY(gn_graph_clone(t->model, false, &t->eval_model));
    if (!t->options->rule.has_ema)
        return GN_OK;
    for (int v = 0; v < gn_graph_value_count(t->eval_model); v++) {
        gn_value *value = gn_graph_value_mut(t->eval_model, v);
        if (value->kind != GN_VALUE_STATE)
            continue;
        char name[512];
        snprintf(name, sizeof name, "ema.%s", value->name);
        int average = gn_graph_find_value(t->step_graph.graph, name);
        if (average >= 0)
            value->data->data = gn_graph_value(t->step_graph.graph, average)->data->data;
    }
    return GN_OK;
}

static gn_status open_loaders(gn_trainer *t, gn_error *err)
{
    const gn_train_options *o = t->options;
    GN_TRY(gn_loader_create(t->dataset, &o->loader, &t->loader, err));
    t->options->rule.detection.truths = gn_loader_truth_capacity(t->loader);
    if (!o->has_val)
        return GN_OK;
    gn_loader_options val = o->loader;
    val.split = GN_SPLIT_VAL;
    val.augment = (gn_augment){0};
    val.shuffle = val.drop_last = false;
    val.multi_scale = 0;
    int64_t images = gn_dataset_count(t->dataset, GN_SPLIT_VAL);
    val.batch = images > 0 && images < o->val_batch ? (int)images : o->val_batch;
    return gn_loader_create(t->dataset, &val, &t->val_loader, err);
}

static gn_status set_up(gn_trainer *t, gn_error *err)
{
    const gn_train_options *o = t->options;
    GN_TRY(check_labels(t, err));
    GN_TRY(check_best(t, err));
    GN_TRY(open_loaders(t, err));
    GN_TRY(check_memory(t, err));
    GN_TRY(gn_train_graph_build(t->model, o->loader.batch, o->loader.imgsz_w, o->loader.imgsz_h, &o->rule,
                                &t->step_graph, err));
    GN_TRY(check_classes(t, err));
    GN_TRY(gn_backend_cpu.open(o->threads, &t->device, err));
    GN_TRY(gn_backend_cpu.compile(t->device, t->step_graph.graph, &t->exec, err));
    GN_TRY(make_eval_model(t));
    char path[1024];
    GN_TRY(gn_trainer_path(t, "last.safetensors", path, sizeof path, err));
    if (o->resume && gn_path_exists(path))
        GN_TRY(gn_checkpoint_load(t, path, err));
    return GN_OK;
}

static void tear_down(gn_trainer *t)
{
    gn_trainer_free_sizes(t);
    gn_backend_cpu.destroy(&t->exec);
    gn_backend_cpu.close(&t->device);
    gn_graph_destroy(&t->eval_model);
    gn_train_graph_deinit(&t->step_graph);
    gn_loader_destroy(&t->loader);
    gn_loader_destroy(&t->val_loader);
    gn_text_deinit(&t->csv);
}

/* ---- steps ---- */

void gn_trainer_hyper(const gn_trainer *t, float hyper[GN_HYPER_COUNT])
{
    const gn_train_options *o = t->options;
    double epoch = t->epoch + (double)t->batch / (double)gn_loader_batches(t->loader), n = (double)t->step + 1.0;
    /* The operator holds its betas in f32; its bias corrections must be those of the same numbers. */
    memset(hyper, 0, GN_HYPER_COUNT * sizeof *hyper);
    hyper[GN_HYPER_LR] = (float)gn_schedule_lr(&o->schedule, epoch);
    hyper[GN_HYPER_BIAS1] = (float)(1.0 - pow((double)(float)o->rule.momentum, n));
    hyper[GN_HYPER_BIAS2] = (float)(1.0 - pow((double)(float)o->rule.beta2, n));
    hyper[GN_HYPER_FIRST] = t->step == 0 ? 1.0f : 0.0f;
    hyper[GN_HYPER_BIAS_LR] = (float)gn_schedule_bias_lr(&o->schedule, epoch);
    hyper[GN_HYPER_MOMENTUM_LESS] =
        (float)(o->rule.momentum - gn_schedule_momentum(&o->schedule, epoch, o->rule.momentum));
    hyper[GN_HYPER_EMA_DECAY] = (float)(o->ema_decay * (1.0 - exp(-n / o->ema_tau)));
}

static void bind(gn_exec *exec, int value, const void *data)
{
    if (value >= 0)
        gn_backend_cpu.bind(exec, value, data);
}

/* has_box marks targets, label the class; a picture that could not be decoded has neither box nor weight. */
static gn_status run_step(gn_trainer *t, const gn_batch *batch, double *loss_out, gn_error *err)
{
    float hyper[GN_HYPER_COUNT];
    int64_t rng[2] = {(int64_t)t->options->loader.seed, t->step};
    const gn_train_graph *g = NULL;
    gn_exec *exec = NULL;
    GN_TRY(gn_trainer_step_of(t, batch->width, batch->height, &g, &exec, err));
    gn_trainer_hyper(t, hyper);
    bind(exec, g->images, batch->images);
    bind(exec, g->target, batch->boxes);
    bind(exec, g->has_box, batch->has_box);
    bind(exec, g->label, batch->label);
    bind(exec, g->weight, batch->weight);
    bind(exec, g->truth, batch->truth);
    bind(exec, g->n_truth, batch->n_truth);
    bind(exec, g->hyper, hyper);
    bind(exec, g->rng, rng);
    GN_TRY(gn_backend_cpu.run(exec, err));
    double loss = (double)*(const float *)gn_backend_cpu.output(exec, 0);
    double norm = (double)*(const float *)gn_backend_cpu.output(exec, 1);
    t->lr = (double)hyper[GN_HYPER_LR];
    if (!isfinite(loss) || !isfinite(norm))
        return gn_fail(err, GN_EDIVERGED,
                       "training diverged at step %lld (epoch %d) with learning rate %g: the loss is %g, the "
                       "gradient's norm %g; use a "
                       "smaller --lr0, --warmup-epochs, or --clip; the last good checkpoint is kept in %s",
                       (long long)t->step + 1, t->epoch + 1, t->lr, loss, norm, t->options->run_dir);
    if (t->step_graph.truth >= 0) {
        const float *parts = gn_backend_cpu.output(exec, 2);
        for (int i = 0; i < GN_LOSS_PARTS; i++)
            t->parts_sum[i] += (double)parts[i];
    }
    *loss_out = loss;
    return GN_OK;
}

static void tell_step(const gn_trainer *t, int64_t begin_ns, int64_t first_batch, double mean_loss)
{
    char what[64], note[64];
    int64_t batch = t->options->loader.batch;
    snprintf(what, sizeof what, "epoch %d/%d", t->epoch + 1, t->options->epochs);
    snprintf(note, sizeof note, "loss %.5f", mean_loss);
    gn_progress progress = {.what = what,
                            .done = (t->batch - first_batch) * batch,
                            .total = (gn_loader_batches(t->loader) - first_batch) * batch,
                            .unit = "pictures",
                            .seconds = (double)(gn_now_ns() - begin_ns) * 1e-9,
                            .note = note};
    gn_progress_tell(&progress);
}

static gn_status save_and_stop(gn_trainer *t, gn_error *err)
{
    char path[1024];
    GN_TRY(gn_trainer_path(t, "last.safetensors", path, sizeof path, err));
    GN_TRY(gn_checkpoint_save(t, path, err));
    return gn_fail(
        err, GN_ECANCELED,
        "interrupted in epoch %d after step %lld; everything is saved: the same command with --resume goes on",
        t->epoch + 1, (long long)t->step);
}

/* The rest of the epoch under way.  images_per_s_out: of what this call trained. */
static gn_status train_epoch(gn_trainer *t, double *images_per_s_out, gn_error *err)
{
    int64_t begin = gn_now_ns(), images = 0, first_batch = t->batch;
    GN_TRY(gn_loader_begin_epoch(t->loader, t->epoch, t->batch));
    for (;;) {
        gn_batch batch;
        double loss = 0.0;
        GN_TRY(gn_loader_next(t->loader, &batch));
        if (batch.n < t->options->loader
                          .batch) /* the end; the step's plan has one batch size, a smaller last batch is left out */
            break;
        GN_TRY(run_step(t, &batch, &loss, err));
        t->batch++;
        t->step++;
        t->loss_sum += loss;
        images += batch.n;
        tell_step(t, begin, first_batch, t->loss_sum / (double)t->batch);
        if (gn_stop_requested()) {
            t->seconds += (double)(gn_now_ns() - begin) * 1e-9;
            return save_and_stop(t, err);
        }
    }
    double seconds = (double)(gn_now_ns() - begin) * 1e-9;
    t->seconds += seconds;
    *images_per_s_out = seconds > 0 ? (double)images / seconds : 0.0;
    return GN_OK;
}

/* ---- validation ---- */

static gn_status validate(gn_trainer *t, int resamples, gn_accuracy *out, gn_error *err)
{
    const gn_train_options *o = t->options;
    *out = gn_accuracy_nothing();
    out->is_classifier = gn_train_is_classifier(t->model);
    if (!o->has_val)
        return GN_OK;
    int64_t begin = gn_now_ns();
    gn_session *session = NULL;
    const gn_session_options session_options = gn_accuracy_session_options(
        (gn_session_options){.threads = o->threads, .imgsz_w = o->loader.imgsz_w, .imgsz_h = o->loader.imgsz_h});
    GN_TRY(gn_session_open_graph(t->eval_model, &session_options, &session, err));
    gn_accuracy_options accuracy = gn_accuracy_default_options();
    accuracy.beta = o->rule.loss.beta;
    accuracy.resamples = resamples;
    gn_status status =
        gn_measure_accuracy(session, t->dataset, GN_SPLIT_VAL, t->val_loader, &accuracy, out, NULL, NULL, err);
    gn_session_close(&session);
    t->seconds += (double)(gn_now_ns() - begin) * 1e-9;
    return status;
}

/* Larger is better. */
static double value_of(const gn_train_options *o, const gn_accuracy *a)
{
    if (!o->has_val)
        return NAN;
    switch (o->best_by) {
    case GN_BEST_TOP1:
        return a->top1.value;
    case GN_BEST_MAP:
        return a->coco.map50_95;
    case GN_BEST_LOSS:
        return -a->loss;
    case GN_BEST_AUTO:
    case GN_BEST_IOU:
        break;
    }
    return a->mean_iou.value;
}

static gn_status end_epoch(gn_trainer *t, double images_per_s, gn_train_result *result, gn_error *err)
{
    gn_epoch_record record = {.epoch = t->epoch + 1, .lr = t->lr, .images_per_s = images_per_s};
    record.is_detector = gn_train_is_detector(t->model);
    record.train_loss = t->batch > 0 ? t->loss_sum / (double)t->batch : NAN;
    for (int i = 0; i < GN_LOSS_PARTS; i++)
        record.parts[i] = t->batch > 0 ? t->parts_sum[i] / (double)t->batch : NAN;
    gn_status status = validate(t, 0, &record.val, err);
    if (status == GN_ECANCELED) /* all steps of the epoch are done: the resumed run begins with the validation */
        return save_and_stop(t, err);
    GN_TRY(status);
    double value = value_of(t->options, &record.val);
    record.seconds = t->seconds;
    record.is_best = t->best_epoch == 0 || !t->options->has_val || value > t->best_value;
    if (record.is_best) {
        t->best_epoch = record.epoch;
        t->best_value = value;
        result->best = record.val;
        GN_TRY(gn_trainer_write_model(t, "best.onnx", &record.val, err));
    }
    GN_TRY(gn_trainer_write_results(t, &record, err));
    t->epoch++;
    t->batch = 0;
    t->loss_sum = 0.0;
    memset(t->parts_sum, 0, sizeof t->parts_sum);
    char path[1024];
    GN_TRY(gn_trainer_path(t, "last.safetensors", path, sizeof path, err));
    GN_TRY(gn_checkpoint_save(t, path, err));
    if (t->on_epoch)
        t->on_epoch(t->ctx, &record);
    return GN_OK;
}

/* ---- the run ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool is_patience_over(const gn_trainer *t)
{
    return t->options->patience > 0 && t->options->has_val && t->epoch - t->best_epoch >= t->options->patience;
}

static gn_status run_epochs(gn_trainer *t, gn_train_result *result, gn_error *err)
{
    double *rates = gn_calloc((size_t)t->options->epochs + 1, sizeof *rates);
    size_t n_rates = 0;
    gn_status status = rates ? GN_OK : GN_ENOMEM;
    while (status == GN_OK && t->epoch < t->options->epochs && !is_patience_over(t)) {
        double rate = 0.0;
        status = train_epoch(t, &rate, err);
        if (status == GN_OK)
            status = end_epoch(t, rate, result, err);
        if (status == GN_OK && rate > 0)
            rates[n_rates++] = rate;
        if (status == GN_OK && gn_stop_requested() && t->epoch < t->options->epochs)
            status = gn_fail(err, GN_ECANCELED,
                             "interrupted after epoch %d; everything is saved: the same command with --resume goes on",
                             t->epoch);
    }
    if (n_rates > 0) {
        qsort(rates, n_rates, sizeof *rates, by_size);
        result->images_per_s = rates[n_rates / 2];
    }
    gn_free(rates);
    return status;
}

/* The best epoch once more, from its file, with intervals. */
static gn_status measure_best(gn_trainer *t, gn_train_result *result, gn_error *err)
{
    if (!t->options->has_val)
        return GN_OK;
    gn_session *session = NULL;
    const gn_session_options options =
        gn_accuracy_session_options((gn_session_options){.threads = t->options->threads});
    GN_TRY(gn_session_open(result->best_path, &options, &session, err));
    gn_accuracy_options accuracy = gn_accuracy_default_options();
    accuracy.beta = t->options->rule.loss.beta;
    gn_status status = gn_measure_accuracy(session, t->dataset, GN_SPLIT_VAL, t->val_loader, &accuracy, &result->best,
                                           NULL, NULL, err);
    gn_session_close(&session);
    return status;
}

gn_status gn_train_run(gn_graph *model, const gn_dataset *dataset, const gn_train_options *options,
                       gn_epoch_fn on_epoch, void *ctx, gn_train_result *result_out, gn_error *err)
{
    gn_train_options own = *options;
    own.schedule.epochs = own.schedule_epochs > 0 ? own.schedule_epochs : own.epochs;
    own.loader.epochs = (int64_t)own.schedule.epochs;
    own.loader.stride = gn_train_stride(model, own.loader.stride);
    if (own.best_by == GN_BEST_AUTO)
        own.best_by = gn_train_is_classifier(model) ? GN_BEST_TOP1
                      : gn_train_is_detector(model) ? GN_BEST_MAP
                                                    : GN_BEST_AUTO;
    gn_trainer t = {.model = model, .dataset = dataset, .options = &own, .on_epoch = on_epoch, .ctx = ctx};
    gn_train_result result = {0};
    gn_text_init(&t.csv);
    gn_status status = set_up(&t, err);
    if (status == GN_OK) {
        result.resumed = t.step > 0;
        result.n_frozen = t.step_graph.n_frozen;
        result.arena_bytes = gn_backend_cpu.plan(t.exec)->arena_bytes;
        status = gn_trainer_path(&t, "best.onnx", result.best_path, sizeof result.best_path, err);
    }
    if (status == GN_OK)
        status = gn_trainer_path(&t, "last.onnx", result.last_path, sizeof result.last_path, err);
    if (status == GN_OK)
        status = run_epochs(&t, &result, err);
    if (status == GN_OK)
        status = gn_onnx_write(t.eval_model, result.last_path, NULL, err);
    if (status == GN_OK)
        status = measure_best(&t, &result, err);
    if (status == GN_OK) {
        result.epochs_done = t.epoch;
        result.best_epoch = t.best_epoch;
        result.seconds = t.seconds;
        result.stopped_early = t.epoch < own.epochs;
        *result_out = result;
    }
    tear_down(&t);
    return status;
}
