/* gannet val: accuracy of a model on a split of a data set.
 * SPDX-License-Identifier: Apache-2.0 */

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "cli/accuracy_output.h"
#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "cli/cli_progress.h"
#include "cli/model_source.h"
#include "cli/prediction_sheet.h"
#include "cli/val_documents.h"
#include "cli/val_files.h"
#include "cli/val_pictures.h"
#include "cli/val_result.h"
#include "gannet/data_api.h"
#include "gannet/formats_api.h"
#include "gannet/measure_api.h"
#include "gannet/run_api.h"

#define TIMED_PICTURES 16
#define SHEET_PICTURES 16

static const gn_opt options[] = {
    {.name = "data",
     .type = GN_OPT_STRING,
     .metavar = "D",
     .group = "Data",
     .help = "data set: data.yaml, a folder, a CSV of boxes, CIFAR, or a zip of these"},
    {.name = "labels",
     .type = GN_OPT_STRING,
     .init = "fine",
     .choices = "fine|coarse",
     .help = "which of CIFAR-100's labels"},
    {.name = "split", .type = GN_OPT_STRING, .init = "val", .choices = "train|val|test", .help = "which pictures"},
    {.name = "batch",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "32",
     .min = 1,
     .max = 4096,
     .help = "pictures per run"},
    {.name = "workers",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "1",
     .min = 0,
     .max = 64,
     .help = "threads that prepare pictures"},
    {.name = "conf",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .min = 0,
     .max = 1,
     .group = "Detectors",
     .help = "least score of an object (default 0.001: mAP wants them all)"},
    {.name = "iou",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .min = 0,
     .max = 1,
     .help = "boxes of one class that overlap more are one object (default 0.7)"},
    {.name = "max-det",
     .type = GN_OPT_INT,
     .metavar = "N",
     .min = 1,
     .max = GN_PREDICTION_MAX,
     .help = "objects per picture (default 300)"},
    {.name = "beta",
     .type = GN_OPT_DOUBLE,
     .init = "0.1",
     .min = 0,
     .max = 10,
     .group = "Metrics",
     .help = "of the smooth-L1 loss"},
    {.name = "resamples",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "1000",
     .min = 0,
     .max = 100000,
     .help = "of the bootstrap intervals, 0: none"},
    {.name = "predictions",
     .type = GN_OPT_STRING,
     .metavar = "FILE",
     .help =
         "score these detections (COCO's list of results) instead of a model's; --data is then COCO's ground truth"},
    {.name = "sheet",
     .type = GN_OPT_STRING,
     .metavar = "FILE",
     .help = "contact sheet with true and predicted boxes or classes (.jpg or .png)"},
    {.name = "curves",
     .type = GN_OPT_STRING,
     .metavar = "FOLDER",
     .group = "Files about the answers",
     .help = "curves over confidence and recall, and the confusion matrix (.png)"},
    {.name = "worst",
     .type = GN_OPT_INT,
     .metavar = "N",
     .min = 1,
     .max = 1000,
     .help = "draw the N worst pictures, with true boxes (green) and predictions (orange)"},
    {.name = "worst-dir", .type = GN_OPT_STRING, .metavar = "FOLDER", .init = "worst", .help = "where they go"},
    {.name = "best", .type = GN_OPT_INT, .metavar = "N", .min = 1, .max = 1000, .help = "the same, of the N best"},
    {.name = "best-dir", .type = GN_OPT_STRING, .metavar = "FOLDER", .init = "best", .help = "where these go"},
    {.name = "documents",
     .type = GN_OPT_STRING,
     .metavar = "FOLDER",
     .help = "curves, confusion, calibration and a score per picture as JSON files"},
    {.name = "hide-names", .type = GN_OPT_FLAG, .help = "pictures are called by a hash there"},
    {.name = "save-json", .type = GN_OPT_STRING, .metavar = "FILE", .help = "all detections as COCO's list of results"},
    {.name = "write-conf",
     .type = GN_OPT_FLAG,
     .help = "write the confidence with the best F1 into the model file, where predict finds it"},
    {.name = "min-map50",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .min = 0,
     .max = 1,
     .group = "Floors (exit code 4 below)",
     .help = "mAP at IoU 0.5"},
    {.name = "min-map50-95",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .min = 0,
     .max = 1,
     .help = "mAP at IoU 0.5 to 0.95"},
    {.name = "min-iou", .type = GN_OPT_DOUBLE, .metavar = "X", .min = 0, .max = 1, .help = "mean IoU"},
    {.name = "min-precision50", .type = GN_OPT_DOUBLE, .metavar = "X", .min = 0, .max = 1, .help = "box_precision50"},
    {.name = "min-top1", .type = GN_OPT_DOUBLE, .metavar = "X", .min = 0, .max = 1, .help = "top-1 of a classifier"},
    {.name = "min-top5", .type = GN_OPT_DOUBLE, .metavar = "X", .min = 0, .max = 1, .help = "top-5 of a classifier"},
    GN_OPT_ROW_THREADS,
    GN_OPT_ROWS_MODEL,
    GN_OPT_ROW_JSON,
    GN_OPT_ROW_CFG,
};

static const gn_args_spec spec = {
    .verb = "val",
    .usage = "MODEL --data D [--split val] [options]\n--predictions DETECTIONS.json|FOLDER --data INSTANCES.json|D "
             "[options]",
    .about = "Runs a model over a split and tells every metric of accuracy, with 95% bootstrap intervals over "
             "pictures; or scores\n"
             "the detections of another program.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_positional = 0,
    .max_positional = 1,
    .examples = "  gannet val runs/train/best.onnx --data faces/data.yaml --split test\n"
                "  gannet val best.onnx --data faces --min-iou 0.6 --json\n"
                "  gannet val classifier.onnx --data cifar10_images.zip --split test --min-top1 0.9\n"
                "  gannet val --predictions detections.json --data instances_val2017.json\n",
};

/* A figure that is not known (NaN) lies below every floor. */
static gn_status check_floors(const gn_args *args, const gn_accuracy *a, gn_error *err)
{
    const struct {
        const char *option;
        double value;
    } floors[] = {
        {"min-map50", a->map50.value},  {"min-map50-95", a->coco.map50_95},
        {"min-iou", a->mean_iou.value}, {"min-precision50", a->box_precision50.value},
        {"min-top1", a->top1.value},    {"min-top5", a->top5.value},
    };
    for (size_t i = 0; i < sizeof floors / sizeof *floors; i++)
        if (gn_args_has(args, floors[i].option) && !(floors[i].value >= gn_args_double(args, floors[i].option)))
            return gn_fail(err, GN_EFLOOR, "--%s %g: the model reaches %.4f", floors[i].option,
                           gn_args_double(args, floors[i].option), floors[i].value);
    return GN_OK;
}

static gn_accuracy_options accuracy_options(const gn_args *args)
{
    gn_accuracy_options o = gn_accuracy_default_options();
    o.beta = gn_args_double(args, "beta");
    o.resamples = gn_args_int(args, "resamples");
    o.shows_progress = true;
    return o;
}

static gn_status show(const gn_args *args, const char *split, const gn_val_result *r, gn_error *err)
{
    if (!gn_args_flag(args, "json")) {
        if (r->has_objects)
            gn_cli_say_classes(&r->accuracy, r->classes, r->names, r->scored.n_classes);
        gn_cli_say_accuracy(&r->accuracy);
        if (r->has_objects)
            gn_cli_say("  %-18s %.4f (11 points: %.4f)\n", "VOC AP", r->voc_ap, r->voc_ap11);
        if (isfinite(r->preprocess_ms))
            gn_cli_say("  %-18s %.1f ms to prepare, %.1f ms to run, %.1f ms to sort out boxes\n", "per picture",
                       r->preprocess_ms, r->scored.infer_ms, r->scored.postprocess_ms);
        return GN_OK;
    }
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_str(&j, "model", gn_args_n_positional(args) > 0 ? gn_args_positional(args, 0) : NULL);
    gn_jsonw_str(&j, "data", gn_args_str(args, "data"));
    gn_jsonw_str(&j, "split", split);
    gn_cli_json_accuracy(&j, &r->accuracy);
    if (r->has_objects) {
        gn_jsonw_num(&j, "voc_ap11", r->voc_ap11);
        gn_jsonw_num(&j, "voc_ap", r->voc_ap);
        if (gn_args_has(args, "predictions")) {
            gn_jsonw_object(&j, "seconds");
            gn_jsonw_num(&j, "read", r->read_s);
            gn_jsonw_num(&j, "score", r->score_s);
            gn_jsonw_end(&j);
        }
        gn_jsonw_object(&j, "speed_ms");
        gn_jsonw_num(&j, "preprocess", r->preprocess_ms);
        gn_jsonw_num(&j, "infer", r->scored.infer_ms);
        gn_jsonw_num(&j, "postprocess", r->scored.postprocess_ms);
        gn_jsonw_end(&j);
        gn_cli_json_classes(&j, r->classes, r->voc, r->names, r->scored.n_classes);
    }
    gn_status status = gn_jsonw_print(&j);
    return status == GN_OK ? status : gn_fail(err, status, "the result cannot be written to standard output");
}

static gn_status refuse(const gn_args *args, const char *const *names, size_t n, const char *why, gn_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (gn_args_is_set(args, names[i]))
            return gn_fail(err, GN_EUSAGE, "--%s %s", names[i], why);
    return GN_OK;
}

/* ---- detections of another program ---- */

static void warn_of_truth(const gn_coco_scoring *s, const char *path)
{
    if (s->file.n_bad > 0)
        gn_cli_say("%s: %" PRId64 " entries were left out (line %" PRId64 ": %s)\n", path, s->file.n_bad,
                   s->file.n_problems > 0 ? s->file.problem[0].line : 0,
                   s->file.n_problems > 0 ? s->file.problem[0].message : "");
    if (s->unknown_images > 0)
        gn_cli_say("%s: %" PRId64 " annotations of images that are not listed were left out\n", path,
                   s->unknown_images);
    if (s->unknown_categories > 0)
        gn_cli_say("%s: %" PRId64 " annotations of categories that are not listed were left out\n", path,
                   s->unknown_categories);
    if (s->repeated_ids > 0)
        gn_cli_say("%s: %" PRId64 " images or categories have the id of another and were left out\n", path,
                   s->repeated_ids);
}

/* The best and the worst pictures, and what is known of each. */
static gn_status write_pictures(const gn_args *args, const gn_dataset *dataset, gn_split split, const gn_val_result *r,
                                const char *const *names, int n_names, gn_error *err)
{
    if (gn_args_has(args, "worst"))
        GN_TRY(gn_val_write_pictures(r, dataset, split, false, gn_args_int(args, "worst"),
                                     gn_args_str(args, "worst-dir"), err));
    if (gn_args_has(args, "best"))
        GN_TRY(gn_val_write_pictures(r, dataset, split, true, gn_args_int(args, "best"), gn_args_str(args, "best-dir"),
                                     err));
    if (gn_args_has(args, "documents"))
        GN_TRY(gn_val_write_documents(r, dataset, split, names, n_names, gn_args_flag(args, "hide-names"),
                                      gn_args_str(args, "documents"), err));
    return GN_OK;
}

static const char *const of_pictures[] = {"worst", "best", "documents"};

/* COCO's ground truth as it stands in its file, which needs no pictures. */
static gn_status score_against_json(const gn_args *args, gn_val_result *r, gn_error *err)
{
    gn_coco_scoring s;
    const gn_accuracy_options o = accuracy_options(args);
    const int64_t begin = gn_now_ns();
    GN_TRY(gn_coco_scoring_read(gn_args_str(args, "data"), gn_args_str(args, "predictions"), &s, err));
    const int64_t ready = gn_now_ns();
    warn_of_truth(&s, gn_args_str(args, "data"));
    gn_status status = gn_val_result_take(r, &s.scored, s.class_name, (int)s.scored.n_classes, &o, err);
    r->read_s = (double)(ready - begin) * 1e-9;
    r->score_s = (double)(gn_now_ns() - ready) * 1e-9;
    if (status == GN_OK)
        status = refuse(args, of_pictures, sizeof of_pictures / sizeof *of_pictures,
                        "needs the pictures: --data must be a data set, not the JSON alone", err);
    if (status == GN_OK && gn_args_has(args, "curves"))
        status = gn_val_write_curves(r, gn_args_str(args, "curves"), err);
    if (status == GN_OK)
        status = show(args, NULL, r, err);
    gn_coco_scoring_deinit(&s);
    return status;
}

static gn_status score_against_set(const gn_args *args, gn_val_result *r, gn_error *err)
{
    const gn_accuracy_options o = accuracy_options(args);
    const gn_dataset_options data = gn_dataset_default_options();
    gn_dataset *dataset = NULL;
    gn_scored_split scored = {.n_images = 0};
    gn_split split = GN_SPLIT_VAL;
    const int64_t begin = gn_now_ns();
    gn_split_parse(gn_args_str(args, "split"), &split);
    GN_TRY(gn_dataset_open(gn_args_str(args, "data"), &data, &dataset, err));
    const int n = gn_dataset_classes(dataset);
    const char **names = gn_alloc(((size_t)n + 1) * sizeof *names);
    for (int c = 0; names && c < n; c++)
        names[c] = gn_dataset_class_name(dataset, c);
    gn_status status = names ? GN_OK : gn_fail(err, GN_ENOMEM, "no memory for class names");
    if (status == GN_OK)
        status = gn_set_predictions_read(dataset, split, gn_args_str(args, "predictions"), &scored, err);
    const int64_t ready = gn_now_ns();
    if (status == GN_OK)
        status = gn_val_result_take(r, &scored, names, n, &o, err);
    r->read_s = (double)(ready - begin) * 1e-9;
    r->score_s = (double)(gn_now_ns() - ready) * 1e-9;
    if (status == GN_OK && gn_args_has(args, "curves"))
        status = gn_val_write_curves(r, gn_args_str(args, "curves"), err);
    if (status == GN_OK)
        status = write_pictures(args, dataset, split, r, NULL, 0, err);
    if (status == GN_OK)
        status = show(args, gn_split_name(split), r, err);
    gn_free(names);
    gn_dataset_close(&dataset);
    return status;
}

static gn_status score_predictions(const gn_args *args, gn_val_result *r, gn_error *err)
{
    static const char *const of_models[] = {"save-json", "write-conf", "sheet"};
    const char *data = gn_args_str(args, "data");
    GN_TRY(refuse(args, of_models, sizeof of_models / sizeof *of_models, "goes with a MODEL, not with --predictions",
                  err));
    if (gn_has_suffix(data, ".json") && !gn_path_is_dir(data))
        return score_against_json(args, r, err);
    return score_against_set(args, r, err);
}

/* ---- a model ---- */

/* Of a classifier, or of a model that answers with one box. */
static gn_status measure_answers(gn_session *session, const gn_dataset *dataset, gn_split split, gn_loader *loader,
                                 const gn_accuracy_options *o, gn_val_result *r, gn_error *err)
{
    const gn_decode decode = gn_session_info(session)->decode;
    GN_TRY(gn_measure_accuracy(session, dataset, split, loader, o, &r->accuracy, &r->answer, &r->n_answers, err));
    if (decode == GN_DECODE_CLASSES)
        return GN_OK;
    const gn_status status =
        gn_val_result_take_boxes(r, r->answer, r->n_answers, dataset, split, decode == GN_DECODE_BOX_SCORE, err);
    gn_free(r->answer);
    r->answer = NULL;
    r->n_answers = 0;
    return status;
}

static gn_status measure(const gn_args *args, gn_session *session, const gn_dataset *dataset, gn_split split,
                         gn_val_result *r, gn_error *err)
{
    gn_loader *loader = NULL;
    const gn_accuracy_options o = accuracy_options(args);
    const gn_model_info *info = gn_session_info(session);
    GN_TRY(gn_accuracy_loader(session, dataset, split, gn_args_int(args, "batch"), gn_args_int(args, "workers"),
                              &loader, err));
    gn_status status;
    if (info->decode == GN_DECODE_DETECT) {
        gn_scored_split scored = {.n_images = 0};
        status = gn_measure_detections(session, dataset, split, loader, &o, &scored, err);
        if (status == GN_OK)
            status = gn_val_result_take(r, &scored, info->names, info->n_names, &o, err);
        gn_scored_split_deinit(&scored);
    } else {
        status = measure_answers(session, dataset, split, loader, &o, r, err);
    }
    gn_cli_progress_end();
    int64_t n = gn_loader_problem_count(loader);
    for (int64_t i = 0; i < n; i++)
        gn_cli_say("skipped %s: %s\n", gn_loader_problem(loader, i)->file, gn_loader_problem(loader, i)->message);
    gn_loader_destroy(&loader);
    return status;
}

/* Mean time to bring a decoded picture to the model's size, over a few pictures of the split; those that cannot be read are left out. */
static void time_preprocess(gn_session *session, const gn_dataset *dataset, gn_split split, gn_val_result *r)
{
    const gn_model_info *info = gn_session_info(session);
    const gn_decode_options decode = gn_session_decode_options(session);
    const int64_t count = gn_dataset_count(dataset, split);
    float *input = gn_alloc((size_t)info->imgsz_w * (size_t)info->imgsz_h * 3 * sizeof *input);
    int64_t ns = 0, n = 0;
    for (int64_t i = 0; input && i < TIMED_PICTURES && i < count; i++) {
        gn_image image;
        if (gn_sample_decode(gn_dataset_sample(dataset, split, i * count / TIMED_PICTURES % count), &decode, &image,
                             NULL) != GN_OK)
            continue;
        const int64_t begin = gn_now_ns();
        if (gn_session_preprocess(session, &image, input, NULL) == GN_OK) {
            ns += gn_now_ns() - begin;
            n++;
        }
        gn_image_deinit(&image);
    }
    gn_free(input);
    r->preprocess_ms = n > 0 ? (double)ns * 1e-6 / (double)n : (double)NAN;
}

static gn_session_options session_options(const gn_args *args, const gn_graph *model)
{
    const gn_session_options plain = {.threads = gn_cli_threads(args)};
    const char *decode = gn_graph_meta_get(model, "gannet.decode");
    if (!decode || strcmp(decode, "detect") != 0)
        return plain;
    gn_session_options o = gn_accuracy_session_options(plain);
    if (gn_args_has(args, "conf"))
        o.conf = (float)gn_args_double(args, "conf");
    if (gn_args_has(args, "iou"))
        o.iou = (float)gn_args_double(args, "iou");
    if (gn_args_has(args, "max-det"))
        o.max_det = gn_args_int(args, "max-det");
    return o;
}

/* The file as it is, with another confidence among its metadata. */
static gn_status write_confidence(const gn_args *args, double confidence, gn_error *err)
{
    const char *path = gn_args_positional(args, 0);
    char text[32];
    gn_graph *model = NULL;
    if (!gn_cli_is_model_file(path))
        return gn_fail(err, GN_EUSAGE, "--write-conf: %s is no model file", path);
    snprintf(text, sizeof text, "%.9g", confidence); /* reads back as the very f32 score */
    GN_TRY(gn_onnx_read(path, gn_ops_registry(), &model, err));
    gn_status status = gn_graph_meta_set(model, "gannet.conf", text);
    if (status == GN_OK)
        status = gn_onnx_write(model, path, NULL, err);
    else
        gn_fail(err, status, "%s: %s", path, gn_status_sentence(status));
    if (status == GN_OK)
        gn_cli_say("  %-18s %s, in %s\n", "confidence", text, path);
    gn_graph_destroy(&model);
    return status;
}

static gn_status write_files(const gn_args *args, const gn_session *session, const gn_dataset *dataset, gn_split split,
                             const gn_val_result *r, gn_error *err)
{
    static const char *const of_detectors[] = {"curves", "save-json", "write-conf"};
    static const char *const of_boxes[] = {"worst", "best"};
    const gn_model_info *info = gn_session_info(session);
    if (!r->has_objects && !r->has_boxes)
        GN_TRY(refuse(args, of_boxes, sizeof of_boxes / sizeof *of_boxes, "is for models that answer with boxes", err));
    GN_TRY(write_pictures(args, dataset, split, r, info->names, info->n_names, err));
    if (!r->has_objects)
        return refuse(args, of_detectors, sizeof of_detectors / sizeof *of_detectors, "is for detectors", err);
    if (gn_args_has(args, "curves"))
        GN_TRY(gn_val_write_curves(r, gn_args_str(args, "curves"), err));
    if (gn_args_has(args, "save-json"))
        GN_TRY(gn_val_write_json(r, gn_session_info(session), dataset, split, gn_args_str(args, "save-json"), err));
    if (gn_args_flag(args, "write-conf"))
        GN_TRY(write_confidence(args, r->accuracy.coco.confidence, err));
    return GN_OK;
}

static gn_status validate_model(const gn_args *args, gn_val_result *r, gn_error *err)
{
    gn_graph *graph = NULL;
    gn_session *session = NULL;
    gn_dataset *dataset = NULL;
    gn_split split = GN_SPLIT_VAL;
    gn_dataset_options data = gn_dataset_default_options();
    gn_session_options opened = {0};
    data.coarse_labels = strcmp(gn_args_str(args, "labels"), "coarse") == 0;
    gn_split_parse(gn_args_str(args, "split"), &split);
    gn_status status = gn_cli_model_load(gn_args_positional(args, 0), args, &graph, err);
    if (status == GN_OK) {
        opened = session_options(args, graph);
        status = gn_session_take_graph(&graph, &opened, &session, err);
    }
    if (status == GN_OK)
        status = gn_dataset_open(gn_args_str(args, "data"), &data, &dataset, err);
    if (status == GN_OK)
        status = measure(args, session, dataset, split, r, err);
    if (status == GN_OK && r->has_objects)
        time_preprocess(session, dataset, split, r);
    if (status == GN_OK)
        status = write_files(args, session, dataset, split, r, err);
    if (status == GN_OK && gn_args_has(args, "sheet"))
        status = gn_cli_prediction_sheet_above(session, dataset, split, SHEET_PICTURES,
                                               r->has_objects ? r->accuracy.coco.confidence : 0,
                                               gn_args_str(args, "sheet"), err);
    if (status == GN_OK)
        status = show(args, gn_split_name(split), r, err);
    gn_dataset_close(&dataset);
    gn_session_close(&session);
    return status;
}

static gn_status validate(const gn_args *args, gn_val_result *r, gn_error *err)
{
    const bool has_model = gn_args_n_positional(args) > 0, has_predictions = gn_args_has(args, "predictions");
    if (has_model == has_predictions)
        return gn_fail(err, GN_EUSAGE, "%s",
                       has_model ? "a model and --predictions: one of them can be judged at a time"
                                 : "a MODEL is missing, or --predictions: what is to be judged");
    if (!gn_args_has(args, "data"))
        return gn_fail(err, GN_EUSAGE, "--data is missing: the pictures that %s judged by",
                       has_model ? "the model is" : "the predictions are");
    return has_model ? validate_model(args, r, err) : score_predictions(args, r, err);
}

static int run(int argc, char **argv)
{
    gn_args *args = NULL;
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &args, &code))
        return code;
    gn_error err = {0};
    gn_val_result r = gn_val_result_nothing();
    gn_status status = validate(args, &r, &err);
    if (status != GN_OK) {
        code = gn_cli_fail(args, &err);
    } else if (check_floors(args, &r.accuracy, &err) != GN_OK) {
        gn_cli_say("gannet: val: %s\n", err.message); /* the object on standard output is complete already */
        code = gn_cli_exit_code(err.status);
    }
    gn_val_result_deinit(&r);
    gn_args_destroy(&args);
    return code;
}

const gn_verb gn_verb_val = {"val", "accuracy of a model on a data set", "Look", run};
