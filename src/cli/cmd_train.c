/* gannet train: trains a network of the zoo, or an ONNX model further, on a data set.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/accuracy_output.h"
#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "cli/model_source.h"
#include "cli/run_folder_pictures.h"
#include "cli/train_from_trial.h"
#include "cli/train_options.h"
#include "cli/train_settings.h"
#include "cli/train_weights.h"
#include "gannet/train_api.h"
#include "gannet/formats_api.h"
#include "gannet/graph_api.h"
#include "gannet/measure_api.h"
#include "gannet/run_api.h"
#include "gannet/zoo_api.h"

/* ---- the model ---- */

static gn_status set_names(gn_graph *graph, const gn_dataset *dataset)
{
    gn_text json;
    gn_text_init(&json);
    gn_text_add(&json, "[");
    for (int i = 0; i < gn_dataset_classes(dataset); i++) {
        if (i > 0)
            gn_text_add(&json, ",");
        gn_text_add_json(&json, gn_dataset_class_name(dataset, i));
    }
    gn_text_add(&json, "]");
    gn_status status = json.failed ? GN_ENOMEM : gn_graph_meta_set(graph, "gannet.names", json.data);
    gn_text_deinit(&json);
    return status;
}

/* "a,b,c" of an option or of the model's metadata. */
static gn_status read_triple(const char *from, const char *text, float dst[3], gn_error *err)
{
    char rest[128], *save = NULL;
    double x[3] = {0};
    int n = 0;
    snprintf(rest, sizeof rest, "%s", text);
    for (char *word = strtok_r(rest, ",", &save); word; word = strtok_r(NULL, ",", &save), n++)
        if (n >= 3 || !gn_parse_f64(word, &x[n]) || fabs(x[n]) > 1e6)
            n = 3;
    if (n != 3)
        return gn_fail(err, GN_EUSAGE, "%s %.100s: three numbers between commas were expected, for R, G and B", from,
                       text);
    for (int i = 0; i < 3; i++)
        dst[i] = (float)x[i];
    return GN_OK;
}

/* Normalisation: as asked for, else the model's own, else ImageNet's. */
static gn_status set_normalisation(const gn_args *args, const gn_graph *graph, gn_loader_options *o, gn_error *err)
{
    const char *mean = gn_graph_meta_get(graph, "gannet.mean"), *std = gn_graph_meta_get(graph, "gannet.std");
    if (gn_args_has(args, "mean"))
        GN_TRY(read_triple("--mean", gn_args_str(args, "mean"), o->mean, err));
    else if (mean)
        GN_TRY(read_triple("metadata gannet.mean", mean, o->mean, err));
    if (gn_args_has(args, "std"))
        return read_triple("--std", gn_args_str(args, "std"), o->std, err);
    return std ? read_triple("metadata gannet.std", std, o->std, err) : GN_OK;
}

static gn_status set_metadata(gn_graph *graph, const gn_args *args, const gn_dataset *dataset,
                              const gn_train_options *o)
{
    char text[128];
    snprintf(text, sizeof text, "%d,%d", o->loader.imgsz_w, o->loader.imgsz_h);
    GN_TRY(gn_graph_meta_set(graph, "gannet.imgsz", text));
    GN_TRY(gn_graph_meta_set(graph, "gannet.fit", gn_args_str(args, "fit")));
    snprintf(text, sizeof text, "%.9g,%.9g,%.9g", (double)o->loader.mean[0], (double)o->loader.mean[1],
             (double)o->loader.mean[2]);
    GN_TRY(gn_graph_meta_set(graph, "gannet.mean", text));
    snprintf(text, sizeof text, "%.9g,%.9g,%.9g", (double)o->loader.std[0], (double)o->loader.std[1],
             (double)o->loader.std[2]);
    GN_TRY(gn_graph_meta_set(graph, "gannet.std", text));
    gn_text command;
    gn_text_init(&command);
    gn_status status = gn_train_provenance(args, &command);
    if (status == GN_OK)
        status = gn_graph_meta_set(graph, "gannet.train", command.data);
    gn_text_deinit(&command);
    GN_TRY(status);
    return set_names(graph, dataset);
}

/* A file says itself what it answers with; where it does not, --head does. */
static gn_status open_file(const gn_args *args, gn_graph **model_out, gn_error *err)
{
    gn_graph *model = NULL;
    GN_TRY(gn_onnx_read(gn_args_str(args, "model"), gn_ops_registry(), &model, err));
    gn_status status = GN_OK;
    if (!gn_graph_meta_get(model, "gannet.task") && strcmp(gn_args_str(args, "head"), "classify") == 0)
        status = gn_graph_meta_set(model, "gannet.task", "classify");
    if (status == GN_OK)
        status = gn_detector_restore_tail(model, err);
    if (status == GN_OK)
        *model_out = model;
    else
        gn_graph_destroy(&model);
    return status;
}

/* --head auto is what the name says. */
static const char *head_of(const gn_args *args, bool is_detector)
{
    const char *head = gn_args_str(args, "head");
    return strcmp(head, "auto") != 0 ? head : is_detector ? "detect" : "box";
}

static gn_status build_model(const gn_args *args, const gn_train_options *o, const gn_dataset *dataset,
                             bool is_detector, gn_graph **model_out, gn_error *err)
{
    const gn_zoo_options zoo = {.model = gn_args_str(args, "model"),
                                .activation = gn_args_str(args, "activation"),
                                .head = head_of(args, is_detector),
                                .classes = gn_dataset_classes(dataset),
                                .width_px = o->loader.imgsz_w,
                                .height_px = o->loader.imgsz_h,
                                .seed = o->loader.seed};
    return gn_zoo_build(&zoo, model_out, err);
}

/* ---- the run folder ---- */

/* runs/train, or the first of runs/train2, runs/train3, ... that does not exist. */
static gn_status make_run_dir(const gn_args *args, char *dir, size_t dir_bytes, gn_error *err)
{
    const char *project = gn_args_str(args, "project"), *name = gn_args_str(args, "name");
    bool reuse = gn_args_flag(args, "exist-ok") || gn_args_flag(args, "resume");
    for (int i = 1; i < 100000; i++) {
        char numbered[512];
        snprintf(numbered, sizeof numbered, i == 1 ? "%.480s" : "%.480s%d", name, i);
        gn_status status = gn_path_join(project, numbered, dir, dir_bytes);
        if (status != GN_OK)
            return gn_fail(err, status, "run folder %s/%s: its path is too long", project, name);
        if (reuse || !gn_path_exists(dir))
            return gn_make_dirs(dir, err);
    }
    return gn_fail(err, GN_EEXIST, "run folder %s/%s: all numbers are taken", project, name);
}

static gn_status write_args(const gn_args *args, const char *dir, gn_error *err)
{
    char path[1100];
    gn_text yaml;
    gn_text_init(&yaml);
    gn_args_yaml(args, &yaml);
    snprintf(path, sizeof path, "%s/args.yaml", dir);
    gn_status status = yaml.failed ? gn_fail(err, GN_ENOMEM, "writing %s: out of memory", path)
                                   : gn_file_write(path, yaml.data, yaml.len, err);
    gn_text_deinit(&yaml);
    return status;
}

/* ---- telling ---- */

/* What the validation of an epoch found, with two spaces behind it. */
static void val_text(const gn_epoch_record *r, char *dst, size_t dst_bytes)
{
    const gn_accuracy *a = &r->val;
    if (r->is_detector)
        snprintf(dst, dst_bytes, "P %.3f  R %.3f  mAP50 %.4f  mAP50-95 %.4f  ", a->coco.precision, a->coco.recall,
                 a->map50.value, a->coco.map50_95);
    else if (a->is_classifier)
        snprintf(dst, dst_bytes, "val loss %.5f  top-1 %.4f  top-5 %.4f  ", a->loss, a->top1.value, a->top5.value);
    else
        snprintf(dst, dst_bytes, "val loss %.5f  mean IoU %.4f  precision50 %.4f  mAP50 %.4f  ", a->loss,
                 a->mean_iou.value, a->box_precision50.value, a->map50.value);
}

static void tell_epoch(void *ctx, const gn_epoch_record *r)
{
    const gn_train_options *o = ctx;
    char parts[128] = "", val[128] = "";
    if (r->is_detector)
        snprintf(parts, sizeof parts, " (box %.4f, obj %.4f, cls %.4f, dfl %.4f)", r->parts[0], r->parts[1],
                 r->parts[2], r->parts[3]);
    if (o->has_val)
        val_text(r, val, sizeof val);
    gn_cli_say("epoch %3d/%d  loss %.*f%s  %slr %.2e  %.0f pictures/s%s\n", r->epoch, o->epochs, r->is_detector ? 4 : 5,
               r->train_loss, parts, val, r->lr, r->images_per_s, o->has_val && r->is_best ? "  *" : "");
}

/* How good the best epoch was, with intervals. */
static void best_text(const gn_accuracy *a, char *dst, size_t dst_bytes)
{
    if (a->is_classifier)
        snprintf(dst, dst_bytes, "top-1 %.4f [%.4f, %.4f], top-5 %.4f", a->top1.value, a->top1.low, a->top1.high,
                 a->top5.value);
    else if (a->is_detector)
        snprintf(dst, dst_bytes,
                 "mAP50-95 %.4f [%.4f, %.4f], mAP50 %.4f [%.4f, %.4f], precision %.3f and recall %.3f at confidence "
                 "%.3f",
                 a->map50_95.value, a->map50_95.low, a->map50_95.high, a->map50.value, a->map50.low, a->map50.high,
                 a->coco.precision, a->coco.recall, a->coco.confidence);
    else
        snprintf(dst, dst_bytes, "mean IoU %.4f [%.4f, %.4f], precision50 %.4f, mAP50 %.4f", a->mean_iou.value,
                 a->mean_iou.low, a->mean_iou.high, a->box_precision50.value, a->map50.value);
}

static void tell_best(const gn_train_options *o, const gn_train_result *r)
{
    char best[256];
    if (o->has_val) {
        best_text(&r->best, best, sizeof best);
        gn_cli_say("best epoch %d: %s; %.0f pictures/s; %s\n", r->best_epoch, best, r->images_per_s, r->best_path);
    } else {
        gn_cli_say("%d of %d epochs, not validated; %.0f pictures/s; %s\n", r->epochs_done, o->epochs, r->images_per_s,
                   r->best_path);
    }
}

static void tell_problems(const gn_dataset *dataset)
{
    int64_t n = gn_dataset_problem_count(dataset);
    for (int64_t i = 0; i < n && i < 5; i++) {
        const gn_problem *p = gn_dataset_problem(dataset, i);
        if (p->line > 0)
            gn_cli_say("skipped: %s:%" PRId64 ": %s\n", p->file, p->line, p->message);
        else
            gn_cli_say("skipped: %s: %s\n", p->file, p->message);
    }
    if (n > 5)
        gn_cli_say("skipped: %" PRId64 " more; `gannet data` lists them all\n", n - 5);
}

static gn_status print_json(const gn_train_result *r, const char *dir)
{
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_str(&j, "run_dir", dir);
    gn_jsonw_str(&j, "best", r->best_path);
    gn_jsonw_int(&j, "epochs", r->epochs_done);
    gn_jsonw_int(&j, "best_epoch", r->best_epoch);
    gn_jsonw_num(&j, "images_per_s", r->images_per_s);
    gn_jsonw_num(&j, "seconds", r->seconds);
    gn_jsonw_int(&j, "arena_bytes", (int64_t)r->arena_bytes);
    gn_jsonw_bool(&j, "stopped_early", r->stopped_early);
    gn_jsonw_int(&j, "frozen_tensors", r->n_frozen);
    gn_cli_json_accuracy(&j, &r->best);
    return gn_jsonw_print(&j);
}

/* ---- the verb ---- */

typedef struct training {
    gn_args *args;
    gn_dataset *dataset;
    gn_graph *model;
    gn_train_options options;
    gn_text settings;
    float *class_weight;   /* [classes], or NULL */
    gn_machine_lock *lock; /* nothing measures on this machine while we train */
    char dir[1024];
} training;

/* How long to wait for a measurement to end. */
#define GN_LOCK_WAIT_SECONDS 120.0

/* A checkpoint holds all weights: what they began with does not matter any more. */
static bool is_resumed(const training *t)
{
    char path[1100];
    snprintf(path, sizeof path, "%s/last.safetensors", t->dir);
    return gn_args_flag(t->args, "resume") && gn_path_exists(path);
}

/* "auto": a class counts the more the rarer it is, by 1 / its share of boxes, from a fifth to five times. */
static gn_status class_weights(training *t, gn_error *err)
{
    const int classes = gn_dataset_classes(t->dataset);
    size_t n = 0;
    const char *const *items = gn_args_list(t->args, "class-weights", &n);
    if (n == 0)
        return GN_OK;
    const bool is_auto = n == 1 && strcmp(items[0], "auto") == 0;
    if (!is_auto && n != (size_t)classes)
        return gn_fail(err, GN_EUSAGE, "--class-weights has %zu numbers, and %s has %d classes", n,
                       gn_dataset_path(t->dataset), classes);
    t->class_weight = gn_calloc((size_t)classes, sizeof *t->class_weight);
    if (!t->class_weight)
        return gn_fail(err, GN_ENOMEM, "no memory for the classes' weights");
    double total = 0;
    for (int64_t i = 0; is_auto && i < gn_dataset_count(t->dataset, GN_SPLIT_TRAIN); i++) {
        const gn_sample *sample = gn_dataset_sample(t->dataset, GN_SPLIT_TRAIN, i);
        for (int k = 0; k < sample->n_boxes; k++, total++)
            t->class_weight[sample->cls[k]]++;
    }
    for (int c = 0; c < classes; c++) {
        double weight = 1;
        if (is_auto)
            weight = fmin(fmax(total / (classes * fmax((double)t->class_weight[c], 1)), 0.2), 5);
        else if (!gn_parse_f64(items[c], &weight) || weight < 0 || weight > 1000)
            return gn_fail(err, GN_EUSAGE, "--class-weights: \"%.40s\" is no number from 0 to 1000", items[c]);
        t->class_weight[c] = (float)weight;
    }
    t->options.rule.detection.class_weight = t->class_weight;
    t->options.rule.detection.n_class_weights = classes;
    return GN_OK;
}

/* Side of a detector's input where its file does not say it. */
#define FILE_SIDE 320

/* Reads a model file, or looks the name up in the zoo; defaults follow from what it is.  Then the settings, then the model. */
static gn_status open_model(training *t, gn_error *err)
{
    gn_args *args = t->args;
    const char *name = gn_args_str(args, "model");
    const bool is_file = gn_cli_is_model_file(name);
    if (is_file)
        GN_TRY(open_file(args, &t->model, err));
    gn_zoo_entry entry = {0};
    const bool is_detector = is_file ? gn_train_is_detector(t->model) : gn_zoo_find(name, &entry) && entry.is_detector;
    if (is_detector) {
        char imgsz[64];
        const char *own = is_file ? gn_graph_meta_get(t->model, "gannet.imgsz") : NULL;
        snprintf(imgsz, sizeof imgsz, "%d", is_file ? FILE_SIDE : entry.default_px);
        if (own)
            snprintf(imgsz, sizeof imgsz, "%s", own);
        const char *model = is_file ? gn_graph_meta_get(t->model, "gannet.model") : name;
        GN_TRY(gn_train_detector_defaults(args, imgsz, gn_dataset_classes(t->dataset),
                                          model && strncmp(model, "yolov1", 6) == 0, err));
    }
    GN_TRY(gn_train_options_of(args, &t->options, err));
    GN_TRY(class_weights(t, err));
    const gn_cli_size size = {t->options.loader.imgsz_w, t->options.loader.imgsz_h};
    return is_file ? gn_cli_model_resize(t->model, size, err)
                   : build_model(args, &t->options, t->dataset, is_detector, &t->model, err);
}

static gn_status prepare(training *t, gn_error *err)
{
    char data_hash[17];
    GN_TRY(gn_train_from_trial(t->args, data_hash, err));
    if (!gn_args_str(t->args, "data") || !gn_args_str(t->args, "model"))
        return gn_fail(err, GN_EUSAGE, "--data and --model are needed; `gannet train --help` shows how");
    gn_dataset_options data = gn_dataset_default_options();
    data.coarse_labels = strcmp(gn_args_str(t->args, "labels"), "coarse") == 0;
    GN_TRY(gn_dataset_open(gn_args_str(t->args, "data"), &data, &t->dataset, err));
    gn_train_compare_data(data_hash, gn_dataset_hash(t->dataset));
    GN_TRY(open_model(t, err));
    GN_TRY(set_normalisation(t->args, t->model, &t->options.loader, err));
    tell_problems(t->dataset);
    int64_t images = gn_dataset_count(t->dataset, GN_SPLIT_TRAIN);
    if (images > 0 && images < t->options.loader.batch) {
        gn_cli_say("the training split holds %" PRId64 " pictures: the batch is made that small\n", images);
        t->options.loader.batch = (int)images;
    }
    GN_TRY(set_metadata(t->model, t->args, t->dataset, &t->options));
    GN_TRY(gn_train_settings_text(t->args, t->dataset, &t->settings));
    GN_TRY(make_run_dir(t->args, t->dir, sizeof t->dir, err));
    if (!is_resumed(t))
        GN_TRY(gn_train_weights_load(t->args, t->model, err));
    t->options.run_dir = t->dir;
    t->options.settings = t->settings.data;
    return write_args(t->args, t->dir, err);
}

static gn_status train(training *t, gn_error *err)
{
    gn_train_result result;
    GN_TRY(prepare(t, err));
    GN_TRY(gn_machine_lock_take(GN_MACHINE_WORK, GN_LOCK_WAIT_SECONDS, &t->lock, err));
    gn_cli_say("training %s on %" PRId64 " pictures, %d threads, in %s\n", gn_args_str(t->args, "model"),
               gn_dataset_count(t->dataset, GN_SPLIT_TRAIN), t->options.threads, t->dir);
    GN_TRY(gn_train_run(t->model, t->dataset, &t->options, tell_epoch, &t->options, &result, err));
    tell_best(&t->options, &result);
    if (gn_args_flag(t->args, "pictures"))
        GN_TRY(gn_cli_run_pictures(t->dir, result.best_path, t->dataset, t->options.threads, err));
    return gn_args_flag(t->args, "json") ? print_json(&result, t->dir) : GN_OK;
}

static int run(int argc, char **argv)
{
    training t = {0};
    int code = 0;
    if (!gn_cli_begin(&gn_train_spec, argc, argv, &t.args, &code))
        return code;
    gn_error err = {0};
    gn_text_init(&t.settings);
    gn_status status = train(&t, &err);
    if (status != GN_OK) {
        if (err.status == GN_OK)
            gn_fail(&err, status, "%s", gn_status_sentence(status));
        code = gn_cli_fail(t.args, &err);
    }
    gn_machine_lock_give(&t.lock);
    gn_text_deinit(&t.settings);
    gn_graph_destroy(&t.model);
    gn_free(t.class_weight);
    gn_dataset_close(&t.dataset);
    gn_args_destroy(&t.args);
    return code;
}

const gn_verb gn_verb_train = {"train", "trains a network on labelled pictures", "Make", run};
