/* The options of gannet train: the table, what detectors have other defaults for, and how they become settings.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/train_options.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/model_source.h"
#include "cli/train_weights.h"

static const gn_opt gn_train_opts[] = {
    {.name = "data",
     .type = GN_OPT_STRING,
     .metavar = "D",
     .group = "What",
     .help = "data set; `gannet data --help` lists the forms"},
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
     .init = "auto",
     .choices = "auto|box|box+score|classify|detect",
     .help = "what the network answers with; auto: box, and detect for detectors"},
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
    {.name = "from-trial",
     .type = GN_OPT_STRING,
     .metavar = "F.db:N",
     .help = "the run of a study's trial, alone: its options, data, seed and epochs"},
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
    {.name = "warmup-bias-lr",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .min = 0,
     .max = 100,
     .help = "rate of biases at the very start (default: that of all)"},
    {.name = "warmup-momentum",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "0",
     .min = 0,
     .max = 0.9999,
     .help = "SGD's momentum at the very start, 0: the full one"},
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
     .help = "share of the target spread over all classes (classify, detect)"},
    {.name = "box",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .group = "Loss of detectors (defaults are the detector's own)",
     .min = 0,
     .max = 1000,
     .help = "factor of the boxes' term"},
    {.name = "cls",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .min = 0,
     .max = 1000,
     .help = "factor of the classes' term"},
    {.name = "obj", .type = GN_OPT_DOUBLE, .metavar = "X", .min = 0, .max = 1000, .help = "factor of objectness"},
    {.name = "dfl",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .min = 0,
     .max = 1000,
     .help = "factor of the sides' distribution (yolov8)"},
    {.name = "box-loss", .type = GN_OPT_STRING, .metavar = "KIND", .help = "another loss of boxes, where there is one"},
    {.name = "focal-gamma", .type = GN_OPT_DOUBLE, .metavar = "X", .min = 0, .max = 10, .help = "focal loss: exponent"},
    {.name = "focal-alpha",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .min = 0,
     .max = 1,
     .help = "focal loss: weight of positives"},
    {.name = "class-weights",
     .type = GN_OPT_LIST,
     .metavar = "X,X,...",
     .help = "how much each class counts, or `auto`: the rarer the more"},
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
    {.name = "mosaic",
     .type = GN_OPT_DOUBLE,
     .metavar = "P",
     .init = "0",
     .min = 0,
     .max = 1,
     .help = "probability of four pictures in one"},
    {.name = "close-mosaic",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "0",
     .min = 0,
     .max = 100000,
     .help = "no mosaic and mixup in the last N epochs"},
    {.name = "mixup",
     .type = GN_OPT_DOUBLE,
     .metavar = "P",
     .init = "0",
     .min = 0,
     .max = 1,
     .help = "probability of two pictures blended"},
    {.name = "degrees",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "0",
     .min = 0,
     .max = 180,
     .help = "turn by up to X degrees"},
    {.name = "shear",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "0",
     .min = 0,
     .max = 45,
     .help = "shear by up to X degrees"},
    {.name = "perspective",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "0",
     .min = 0,
     .max = 0.001,
     .help = "tilt by up to X per pixel"},
    {.name = "multi-scale",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "0",
     .min = 0,
     .max = 0.9,
     .help = "another size for each batch, 1-X .. 1+X of imgsz (detectors)"},
    {.name = "flipud",
     .type = GN_OPT_DOUBLE,
     .metavar = "P",
     .init = "0",
     .min = 0,
     .max = 1,
     .help = "probability of a vertical flip"},
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
const gn_args_spec gn_train_spec = {
    .verb = "train",
    .usage = "--data D --model M [options]\n--from-trial F.db:N [options]",
    .about =
        "Trains a network on labelled pictures.  The run folder receives best.onnx (the epoch with the best "
        "validation), last.onnx,\n"
        "last.safetensors (for --resume), results.csv, args.yaml, curves.png and samples.jpg.  Ctrl-C saves and stops.",
    .options = gn_train_opts,
    .n_options = sizeof gn_train_opts / sizeof gn_train_opts[0],
    .examples =
        "  gannet train --data faces/data.yaml --model mobilenet_v2@0.35 --imgsz 128 --epochs 60\n"
        "  gannet train --data faces/data.yaml --model runs/train/best.onnx --lr0 1e-4   # further from there\n"
        "  gannet train --data photos/ --model resnet18 --head classify --weights resnet18.pth --freeze backbone\n"
        "  gannet train --data faces/data.yaml --model yolov8n --imgsz 320                # a detector of many boxes\n"
        "  gannet train --cfg runs/train/args.yaml --name again                          # the same run\n"
        "  gannet train --from-trial runs/search/study.db:17                             # as the search trained it\n",
};

/* ---- detectors ---- */

/* Ultralytics' recipe for small sets, whose rate falls with the number of classes.  YOLOv1's linear layers, with their many weights and linear
 * answers, want a seventh of it. */
#define RATE        0.002
#define RATE_YOLOV1 0.0003

gn_status gn_train_detector_defaults(gn_args *args, const char *imgsz, int classes, bool is_yolov1, gn_error *err)
{
    static const char *const others[][2] = {
        {"epochs", "100"},   {"batch", "16"},        {"fit", "letterbox"}, {"schedule", "linear"},
        {"lrf", "0.01"},     {"warmup-epochs", "3"}, {"momentum", "0.9"},  {"weight-decay", "0.0005"},
        {"ema-tau", "2000"}, {"hsv-s", "0.7"},       {"translate", "0.1"}, {"scale", "0.5"},
        {"mosaic", "1"},     {"close-mosaic", "10"},
    };
    char rate[32];
    snprintf(rate, sizeof rate, "%.6g", (is_yolov1 ? RATE_YOLOV1 : RATE) * 5 / (4 + classes));
    GN_TRY(gn_args_set_default(args, "lr0", rate, err));
    GN_TRY(gn_args_set_default(args, "imgsz", imgsz, err));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        GN_TRY(gn_args_set_default(args, others[i][0], others[i][1], err));
    return GN_OK;
}

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
        .mosaic = gn_args_double(a, "mosaic"),
        .mixup = gn_args_double(a, "mixup"),
        .degrees = gn_args_double(a, "degrees"),
        .shear = gn_args_double(a, "shear"),
        .perspective = gn_args_double(a, "perspective"),
        .flipud = gn_args_double(a, "flipud"),
    };
}

/* NaN: the detector's own. */
static double own_or(const gn_args *a, const char *name)
{
    return gn_args_has(a, name) ? gn_args_double(a, name) : NAN;
}

static gn_detection_loss detection_of(const gn_args *a)
{
    gn_detection_loss loss = gn_detection_loss_default();
    loss.box = own_or(a, "box");
    loss.cls = own_or(a, "cls");
    loss.obj = own_or(a, "obj");
    loss.dfl = own_or(a, "dfl");
    loss.focal_gamma = own_or(a, "focal-gamma");
    loss.focal_alpha = own_or(a, "focal-alpha");
    loss.box_loss = gn_args_str(a, "box-loss");
    return loss;
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
    rule.detection = detection_of(a);
    rule.label_smoothing = gn_args_double(a, "label-smoothing");
    rule.has_lr_backbone = gn_args_double(a, "lr-backbone") != 1.0;
    rule.lr_backbone = gn_args_double(a, "lr-backbone");
    rule.has_lr_bias = gn_args_has(a, "warmup-bias-lr");
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

gn_status gn_train_options_of(const gn_args *a, gn_train_options *o, gn_error *err)
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
    o->schedule.warmup_bias_lr = gn_args_has(a, "warmup-bias-lr") ? gn_args_double(a, "warmup-bias-lr") : 0.0;
    o->schedule.warmup_momentum = gn_args_double(a, "warmup-momentum");
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
    o->loader.close_mosaic = gn_args_int(a, "close-mosaic");
    o->loader.multi_scale = gn_args_double(a, "multi-scale");
    return GN_OK;
}
