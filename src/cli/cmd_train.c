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
#include "cli/train_weights.h"
#include "gannet/train_api.h"
#include "gannet/formats_api.h"
#include "gannet/graph_api.h"
#include "gannet/measure_api.h"
#include "gannet/zoo_api.h"

static const gn_opt options[] = {
    {.name = "data",
     .type = GN_OPT_STRING,
     .metavar = "D",
     .group = "What",
     .help = "data set: data.yaml, a folder, a CSV of boxes, CIFAR, or a zip of these"},
    {.name = "labels",
     .type = GN_OPT_STRING,
     .init = "fine",
     .choices = "fine|coarse",
     .help = "which of CIFAR-100's labels"},
    {.name = "model",
     .type = GN_OPT_STRING,
     .metavar = "M",
     .help = "network of the zoo (mobilenet_v2@0.35, resnet18, ...) or an ONNX file"},
    {.name = "head",
     .type = GN_OPT_STRING,
     .init = "box",
     .choices = "box|box+score|classify",
     .help = "what the network answers with"},
    {.name = "activation",
     .type = GN_OPT_STRING,
     .metavar = "NAME",
     .help = "activation of a network of the zoo (default: its own)"},
    {.name = "imgsz",
     .type = GN_OPT_STRING,
     .metavar = "N|W,H",
     .init = "128",
     .help = "size of the network's input in pixels"},
    {.name = "fit",
     .type = GN_OPT_STRING,
     .init = "stretch",
     .choices = "stretch|letterbox",
     .help = "how a picture is brought to that size"},
    {.name = "mean",
     .type = GN_OPT_STRING,
     .metavar = "R,G,B",
     .help = "subtracted from colours in 0..1 (default: the model's; ImageNet's)"},
    {.name = "std", .type = GN_OPT_STRING, .metavar = "R,G,B", .help = "by which they are divided then (likewise)"},
    GN_OPT_ROWS_WEIGHTS,
    {.name = "freeze",
     .type = GN_OPT_STRING,
     .metavar = "backbone|N",
     .init = "none",
     .help = "leave the backbone, or the first N layers, as they are"},
    {.name = "lr-backbone",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "1",
     .min = 0,
     .max = 1000,
     .help = "the backbone's learning rate as a factor of the rate"},
    {.name = "epochs",
     .type = GN_OPT_INT,
     .metavar = "N",
     .group = "Course",
     .init = "40",
     .min = 1,
     .max = 100000,
     .help = "passes over the pictures"},
    {.name = "batch",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "32",
     .min = 1,
     .max = 4096,
     .help = "pictures per step"},
    {.name = "optimizer",
     .type = GN_OPT_STRING,
     .init = "adamw",
     .choices = "sgd|adam|adamw",
     .help = "rule of the step"},
    {.name = "lr0",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "0.002",
     .min = 0,
     .max = 100,
     .help = "learning rate"},
    {.name = "lrf",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "0.01",
     .min = 0,
     .max = 1,
     .help = "final rate as a fraction of lr0 (linear, cosine)"},
    {.name = "schedule",
     .type = GN_OPT_STRING,
     .metavar = "S",
     .init = "cosine",
     .help = "constant, linear, cosine, step, or pieces EPOCH:RATE,..."},
    {.name = "schedule-epochs",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "0",
     .min = 0,
     .max = 100000,
     .help = "epoch at which linear and cosine end, 0: with the run"},
    {.name = "step-epochs",
     .type = GN_OPT_DOUBLE,
     .init = "30",
     .min = 1,
     .max = 100000,
     .help = "length of a step of schedule `step`"},
    {.name = "gamma",
     .type = GN_OPT_DOUBLE,
     .init = "0.1",
     .min = 0,
     .max = 1,
     .help = "factor per step of schedule `step`"},
    {.name = "warmup-epochs",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "2",
     .min = 0,
     .max = 1000,
     .help = "climb to the rate over so many epochs"},
    {.name = "warmup-lr",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "0",
     .min = 0,
     .max = 100,
     .help = "rate at the very start"},
    {.name = "momentum",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "0.9",
     .min = 0,
     .max = 0.9999,
     .help = "SGD's momentum, Adam's beta1"},
    {.name = "nesterov", .type = GN_OPT_FLAG, .help = "Nesterov's momentum with sgd"},
    {.name = "beta2",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "0.999",
     .min = 0,
     .max = 0.99999,
     .help = "Adam's second decay"},
    {.name = "weight-decay",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "0.01",
     .min = 0,
     .max = 10,
     .help = "decay of weights"},
    {.name = "decay-all", .type = GN_OPT_FLAG, .help = "decay BatchNormalization and biases too"},
    {.name = "clip",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "10",
     .min = 0,
     .max = 1e9,
     .help = "largest norm of the gradient, 0: no limit"},
    {.name = "ema", .type = GN_OPT_FLAG, .init = "true", .help = "keep and validate a moving average of the weights"},
    {.name = "ema-decay",
     .type = GN_OPT_DOUBLE,
     .init = "0.9999",
     .min = 0,
     .max = 1,
     .help = "its decay, reached as 1-exp(-step/ema-tau)"},
    {.name = "ema-tau", .type = GN_OPT_DOUBLE, .init = "300", .min = 1, .max = 1e9, .help = "steps of that climb"},
    {.name = "patience",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "0",
     .min = 0,
     .max = 100000,
     .help = "stop after N epochs without a better one, 0: never"},
    {.name = "best",
     .type = GN_OPT_STRING,
     .init = "auto",
     .choices = "auto|iou|map|top1|loss",
     .help = "which epoch is the best; auto: iou of boxes, top1 of classes"},
    {.name = "val", .type = GN_OPT_FLAG, .init = "true", .help = "validate after each epoch"},
    {.name = "seed",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "0",
     .min = 0,
     .max = 9e15,
     .help = "of weights, order and augmentation"},
    {.name = "l1",
     .type = GN_OPT_STRING,
     .group = "Loss",
     .init = "smooth_l1",
     .choices = "smooth_l1|mse|none",
     .help = "loss on coordinates"},
    {.name = "l1-gain", .type = GN_OPT_DOUBLE, .init = "1", .min = 0, .max = 1000, .help = "its factor"},
    {.name = "beta",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "0.1",
     .min = 0,
     .max = 10,
     .help = "smooth-L1 is quadratic below this"},
    {.name = "iou",
     .type = GN_OPT_STRING,
     .init = "giou",
     .choices = "iou|giou|diou|ciou|none",
     .help = "loss on overlap"},
    {.name = "iou-gain", .type = GN_OPT_DOUBLE, .init = "0.1", .min = 0, .max = 1000, .help = "its factor"},
    {.name = "score-gain",
     .type = GN_OPT_DOUBLE,
     .init = "0.1",
     .min = 0,
     .max = 1000,
     .help = "factor of the score's cross-entropy (head box+score)"},
    {.name = "label-smoothing",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "0",
     .min = 0,
     .max = 0.9,
     .help = "share of the target spread over all classes (head classify)"},
    {.name = "fliplr",
     .type = GN_OPT_DOUBLE,
     .metavar = "P",
     .group = "Augmentation",
     .init = "0.5",
     .min = 0,
     .max = 1,
     .help = "probability of a horizontal flip"},
    {.name = "scale",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "0.3",
     .min = 0,
     .max = 0.9,
     .help = "zoom by 1-X .. 1+X"},
    {.name = "translate",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "0.1",
     .min = 0,
     .max = 0.9,
     .help = "shift by up to X of the size"},
    {.name = "hsv-h", .type = GN_OPT_DOUBLE, .init = "0.015", .min = 0, .max = 1, .help = "change of hue"},
    {.name = "hsv-s", .type = GN_OPT_DOUBLE, .init = "0.4", .min = 0, .max = 1, .help = "change of saturation"},
    {.name = "hsv-v", .type = GN_OPT_DOUBLE, .init = "0.4", .min = 0, .max = 1, .help = "change of brightness (value)"},
    {.name = "brightness",
     .type = GN_OPT_DOUBLE,
     .init = "0",
     .min = 0,
     .max = 1,
     .help = "change of brightness (all channels)"},
    {.name = "contrast", .type = GN_OPT_DOUBLE, .init = "0", .min = 0, .max = 1, .help = "change of contrast"},
    {.name = "crop",
     .type = GN_OPT_DOUBLE,
     .metavar = "P",
     .init = "0",
     .min = 0,
     .max = 1,
     .help = "probability of a random crop around the target"},
    {.name = "pad-crop",
     .type = GN_OPT_INT,
     .metavar = "PX",
     .init = "0",
     .min = 0,
     .max = 256,
     .help = "cut the input out of the picture padded by so many pixels"},
    {.name = "resized-crop",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "0",
     .min = 0,
     .max = 1,
     .help = "blow up a window of X to 1 of the area, 3:4 to 4:3, 0: none"},
    {.name = "erase",
     .type = GN_OPT_DOUBLE,
     .metavar = "P",
     .init = "0",
     .min = 0,
     .max = 1,
     .help = "probability of a grey rectangle"},
    {.name = "threads",
     .type = GN_OPT_INT,
     .metavar = "N",
     .group = "Machine",
     .min = 1,
     .max = 256,
     .env = "GANNET_THREADS",
     .help = "CPU threads (default: all cores this process may use)"},
    {.name = "workers",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "1",
     .min = 0,
     .max = 64,
     .help = "threads that prepare pictures"},
    {.name = "cache",
     .type = GN_OPT_BYTES,
     .metavar = "BYTES",
     .init = "1GiB",
     .min = 0,
     .max = 1e13,
     .help = "decoded pictures kept in memory"},
    {.name = "device", .type = GN_OPT_STRING, .init = "cpu", .choices = "cpu", .help = "where training runs"},
    {.name = "project",
     .type = GN_OPT_STRING,
     .metavar = "DIR",
     .group = "Run folder",
     .init = "runs",
     .help = "folder of runs"},
    {.name = "name",
     .type = GN_OPT_STRING,
     .metavar = "NAME",
     .init = "train",
     .help = "run folder in it; taken: NAME2, NAME3, ..."},
    {.name = "exist-ok", .type = GN_OPT_FLAG, .help = "use the folder although it exists"},
    {.name = "resume", .type = GN_OPT_FLAG, .help = "go on in the folder where an interrupted run stopped"},
    {.name = "pictures", .type = GN_OPT_FLAG, .init = "true", .help = "write curves and sample pictures at the end"},
    GN_OPT_ROW_JSON,
    GN_OPT_ROW_CFG,
};

static const gn_args_spec spec = {
    .verb = "train",
    .usage = "--data D --model M [options]",
    .about =
        "Trains a network on labelled pictures.  The run folder receives best.onnx (the epoch with the best "
        "validation), last.onnx,\n"
        "last.safetensors (for --resume), results.csv, args.yaml, curves.png and samples.jpg.  Ctrl-C saves and stops.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .examples =
        "  gannet train --data faces/data.yaml --model mobilenet_v2@0.35 --imgsz 128 --epochs 60\n"
        "  gannet train --data faces/data.yaml --model runs/train/best.onnx --lr0 1e-4   # further from there\n"
        "  gannet train --data photos/ --model resnet18 --head classify --weights resnet18.pth --freeze backbone\n"
        "  gannet train --cfg runs/train/args.yaml --name again                          # the same run\n",
};

/* ---- options to settings ---- */

static gn_augment augment_of(const gn_args *a)
{
    return (gn_augment){
        .fliplr = gn_args_double(a, "fliplr"),
        .scale = gn_args_double(a, "scale"),
        .translate = gn_args_double(a, "translate"),
        .hsv_h = gn_args_double(a, "hsv-h"),
        .hsv_s = gn_args_double(a, "hsv-s"),
        .hsv_v = gn_args_double(a, "hsv-v"),
        .brightness = gn_args_double(a, "brightness"),
        .contrast = gn_args_double(a, "contrast"),
        .crop = gn_args_double(a, "crop"),
        .erase = gn_args_double(a, "erase"),
        .pad_crop = gn_args_int(a, "pad-crop"),
        .resized_crop = gn_args_double(a, "resized-crop"),
    };
}

static gn_train_rule rule_of(const gn_args *a)
{
    const char *l1 = gn_args_str(a, "l1"), *iou = gn_args_str(a, "iou"), *optimizer = gn_args_str(a, "optimizer");
    gn_train_rule rule = gn_train_default_options().rule;
    rule.loss = (gn_box_loss){
        .l1_gain = strcmp(l1, "none") == 0 ? 0.0 : gn_args_double(a, "l1-gain"),
        .beta = gn_args_double(a, "beta"),
        .is_mse = strcmp(l1, "mse") == 0,
        .iou_gain = strcmp(iou, "none") == 0 ? 0.0 : gn_args_double(a, "iou-gain"),
        .iou_kind = iou,
        .score_gain = gn_args_double(a, "score-gain"),
    };
    rule.label_smoothing = gn_args_double(a, "label-smoothing");
    rule.has_lr_backbone = gn_args_double(a, "lr-backbone") != 1.0;
    rule.lr_backbone = gn_args_double(a, "lr-backbone");
    rule.optimizer = strcmp(optimizer, "sgd") == 0    ? GN_OPTIMIZER_SGD
                     : strcmp(optimizer, "adam") == 0 ? GN_OPTIMIZER_ADAM
                                                      : GN_OPTIMIZER_ADAMW;
    rule.momentum = gn_args_double(a, "momentum");
    rule.nesterov = gn_args_flag(a, "nesterov");
    rule.beta2 = gn_args_double(a, "beta2");
    rule.weight_decay = gn_args_double(a, "weight-decay");
    rule.decays_all = gn_args_flag(a, "decay-all");
    rule.clip_norm = gn_args_double(a, "clip");
    rule.has_ema = gn_args_flag(a, "ema");
    return rule;
}

static gn_best_by best_of(const char *name)
{
    static const struct {
        const char *name;
        gn_best_by by;
    } known[] = {{"iou", GN_BEST_IOU}, {"map", GN_BEST_MAP}, {"top1", GN_BEST_TOP1}, {"loss", GN_BEST_LOSS}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i].name) == 0)
            return known[i].by;
    return GN_BEST_AUTO;
}

static gn_status options_of(const gn_args *a, gn_train_options *o, gn_error *err)
{
    *o = gn_train_default_options();
    o->epochs = gn_args_int(a, "epochs");
    o->rule = rule_of(a);
    GN_TRY(gn_freeze_parse(gn_args_str(a, "freeze"), &o->rule.freeze, err));
    GN_TRY(gn_schedule_parse(gn_args_str(a, "schedule"), &o->schedule, err));
    o->schedule_epochs = gn_args_int(a, "schedule-epochs");
    o->schedule.lr0 = gn_args_double(a, "lr0");
    o->schedule.lrf = gn_args_double(a, "lrf");
    o->schedule.warmup_epochs = gn_args_double(a, "warmup-epochs");
    o->schedule.warmup_lr = gn_args_double(a, "warmup-lr");
    o->schedule.step_epochs = gn_args_double(a, "step-epochs");
    o->schedule.gamma = gn_args_double(a, "gamma");
    o->ema_decay = gn_args_double(a, "ema-decay");
    o->ema_tau = gn_args_double(a, "ema-tau");
    o->patience = gn_args_int(a, "patience");
    o->best_by = best_of(gn_args_str(a, "best"));
    o->threads = gn_cli_threads(a);
    o->has_val = gn_args_flag(a, "val");
    o->resume = gn_args_flag(a, "resume");
    gn_cli_size size;
    GN_TRY(gn_cli_parse_imgsz(gn_args_str(a, "imgsz"), &size, err));
    o->loader.imgsz_w = size.width;
    o->loader.imgsz_h = size.height;
    o->loader.fit = strcmp(gn_args_str(a, "fit"), "letterbox") == 0 ? GN_FIT_LETTERBOX : GN_FIT_STRETCH;
    o->loader.batch = gn_args_int(a, "batch");
    o->loader.seed = (uint64_t)gn_args_int64(a, "seed");
    o->loader.workers = gn_args_int(a, "workers");
    o->loader.cache_bytes = (size_t)gn_args_int64(a, "cache");
    o->loader.augment = augment_of(a);
    return GN_OK;
}

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
    gn_args_command(args, &command);
    gn_status status = command.failed ? GN_ENOMEM : gn_graph_meta_set(graph, "gannet.train", command.data);
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
        *model_out = model;
    else
        gn_graph_destroy(&model);
    return status;
}

static gn_status open_model(const gn_args *args, const gn_train_options *o, int classes, gn_graph **model_out,
                            gn_error *err)
{
    const char *name = gn_args_str(args, "model");
    if (gn_cli_is_model_file(name))
        return open_file(args, model_out, err);
    const gn_zoo_options zoo = {.model = name,
                                .activation = gn_args_str(args, "activation"),
                                .head = gn_args_str(args, "head"),
                                .classes = classes,
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

/* What must be the same when a run is resumed: all settings but those that may change on the way. */
static gn_status settings_text(const gn_args *args, const gn_dataset *dataset, gn_text *out)
{
    static const char *const free_to_change[] = {
        "epochs:",   "threads:", "workers:",  "cache:",    "project:", "name:",
        "exist_ok:", "resume:",  "pictures:", "patience:", "data:",    "device:"};
    gn_text yaml;
    gn_text_init(&yaml);
    gn_args_yaml(args, &yaml);
    for (char *line = yaml.data; line && *line;) {
        char *end = strchr(line, '\n');
        size_t n = end ? (size_t)(end - line) : strlen(line);
        bool is_free = false;
        for (size_t i = 0; i < sizeof free_to_change / sizeof *free_to_change; i++)
            is_free = is_free || strncmp(line, free_to_change[i], strlen(free_to_change[i])) == 0;
        if (!is_free) {
            gn_text_add_bytes(out, line, n);
            gn_text_add(out, "\n");
        }
        line += n + (end != NULL);
    }
    gn_text_printf(out, "data_hash: %016" PRIx64 "\n", gn_dataset_hash(dataset));
    bool failed = yaml.failed || out->failed;
    gn_text_deinit(&yaml);
    return failed ? GN_ENOMEM : GN_OK;
}

/* ---- telling ---- */

static void tell_epoch(void *ctx, const gn_epoch_record *r)
{
    const int *epochs = ctx;
    if (r->val.is_classifier) {
        gn_cli_say("epoch %3d/%d  loss %.5f  val loss %.5f  top-1 %.4f  top-5 %.4f  lr %.2e  %.0f pictures/s%s\n",
                   r->epoch, *epochs, r->train_loss, r->val.loss, r->val.top1.value, r->val.top5.value, r->lr,
                   r->images_per_s, r->is_best ? "  *" : "");
        return;
    }
    gn_cli_say("epoch %3d/%d  loss %.5f  val loss %.5f  mean IoU %.4f  precision50 %.4f  mAP50 %.4f  lr %.2e  %.0f "
               "pictures/s%s\n",
               r->epoch, *epochs, r->train_loss, r->val.loss, r->val.mean_iou.value, r->val.box_precision50.value,
               r->val.map50.value, r->lr, r->images_per_s, r->is_best ? "  *" : "");
}

static void tell_best(const gn_train_result *r)
{
    const gn_accuracy *a = &r->best;
    if (a->is_classifier)
        gn_cli_say("best epoch %d: top-1 %.4f [%.4f, %.4f], top-5 %.4f; %.0f pictures/s; %s\n", r->best_epoch,
                   a->top1.value, a->top1.low, a->top1.high, a->top5.value, r->images_per_s, r->best_path);
    else
        gn_cli_say("best epoch %d: mean IoU %.4f [%.4f, %.4f], precision50 %.4f, mAP50 %.4f; %.0f pictures/s; %s\n",
                   r->best_epoch, a->mean_iou.value, a->mean_iou.low, a->mean_iou.high, a->box_precision50.value,
                   a->map50.value, r->images_per_s, r->best_path);
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

static gn_status prepare(training *t, gn_error *err)
{
    if (!gn_args_str(t->args, "data") || !gn_args_str(t->args, "model"))
        return gn_fail(err, GN_EUSAGE, "--data and --model are needed; `gannet train --help` shows how");
    GN_TRY(options_of(t->args, &t->options, err));
    gn_dataset_options data = gn_dataset_default_options();
    data.coarse_labels = strcmp(gn_args_str(t->args, "labels"), "coarse") == 0;
    GN_TRY(gn_dataset_open(gn_args_str(t->args, "data"), &data, &t->dataset, err));
    GN_TRY(open_model(t->args, &t->options, gn_dataset_classes(t->dataset), &t->model, err));
    GN_TRY(set_normalisation(t->args, t->model, &t->options.loader, err));
    tell_problems(t->dataset);
    int64_t images = gn_dataset_count(t->dataset, GN_SPLIT_TRAIN);
    if (images > 0 && images < t->options.loader.batch) {
        gn_cli_say("the training split holds %" PRId64 " pictures: the batch is made that small\n", images);
        t->options.loader.batch = (int)images;
    }
    GN_TRY(set_metadata(t->model, t->args, t->dataset, &t->options));
    GN_TRY(settings_text(t->args, t->dataset, &t->settings));
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
    GN_TRY(gn_train_run(t->model, t->dataset, &t->options, tell_epoch, &t->options.epochs, &result, err));
    tell_best(&result);
    if (gn_args_flag(t->args, "pictures"))
        GN_TRY(gn_cli_run_pictures(t->dir, result.best_path, t->dataset, t->options.threads, err));
    return gn_args_flag(t->args, "json") ? print_json(&result, t->dir) : GN_OK;
}

static int run(int argc, char **argv)
{
    training t = {0};
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &t.args, &code))
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
    gn_dataset_close(&t.dataset);
    gn_args_destroy(&t.args);
    return code;
}

const gn_verb gn_verb_train = {"train", "trains a network on labelled pictures", "Make", run};
