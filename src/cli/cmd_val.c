/* gannet val: accuracy of a model on a split of a data set.
 * SPDX-License-Identifier: Apache-2.0 */

#include <string.h>

#include "cli/accuracy_output.h"
#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "cli/cli_progress.h"
#include "cli/model_source.h"
#include "cli/prediction_sheet.h"
#include "gannet/data_api.h"
#include "gannet/measure_api.h"
#include "gannet/run_api.h"

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
    {.name = "sheet",
     .type = GN_OPT_STRING,
     .metavar = "FILE",
     .help = "contact sheet with true and predicted boxes or classes (.jpg or .png)"},
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
    .usage = "MODEL --data D [--split val] [options]",
    .about =
        "Runs a model over a split and tells every metric of accuracy, with 95% bootstrap intervals over pictures.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_positional = 1,
    .max_positional = 1,
    .examples = "  gannet val runs/train/best.onnx --data faces/data.yaml --split test\n"
                "  gannet val best.onnx --data faces --min-iou 0.6 --json\n"
                "  gannet val classifier.onnx --data cifar10_images.zip --split test --min-top1 0.9\n",
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

static gn_status measure(const gn_args *args, gn_session *session, const gn_dataset *dataset, gn_split split,
                         gn_accuracy *out, gn_error *err)
{
    gn_loader *loader = NULL;
    gn_accuracy_options o = gn_accuracy_default_options();
    o.beta = gn_args_double(args, "beta");
    o.resamples = gn_args_int(args, "resamples");
    o.shows_progress = true;
    GN_TRY(gn_accuracy_loader(session, dataset, split, gn_args_int(args, "batch"), gn_args_int(args, "workers"),
                              &loader, err));
    gn_status status = gn_measure_accuracy(session, dataset, split, loader, &o, out, NULL, NULL, err);
    gn_cli_progress_end();
    int64_t n = gn_loader_problem_count(loader);
    for (int64_t i = 0; i < n; i++)
        gn_cli_say("skipped %s: %s\n", gn_loader_problem(loader, i)->file, gn_loader_problem(loader, i)->message);
    gn_loader_destroy(&loader);
    return status;
}

static gn_status show(const gn_args *args, gn_split split, const gn_accuracy *a, gn_error *err)
{
    if (!gn_args_flag(args, "json")) {
        gn_cli_say_accuracy(a);
        return GN_OK;
    }
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_str(&j, "model", gn_args_positional(args, 0));
    gn_jsonw_str(&j, "data", gn_args_str(args, "data"));
    gn_jsonw_str(&j, "split", gn_split_name(split));
    gn_cli_json_accuracy(&j, a);
    gn_status status = gn_jsonw_print(&j);
    return status == GN_OK ? status : gn_fail(err, status, "the result cannot be written to standard output");
}

static gn_status validate(const gn_args *args, gn_accuracy *a, gn_error *err)
{
    if (!gn_args_has(args, "data"))
        return gn_fail(err, GN_EUSAGE, "--data is missing: the pictures that the model is judged by");
    gn_graph *graph = NULL;
    gn_session *session = NULL;
    gn_dataset *dataset = NULL;
    gn_split split = GN_SPLIT_VAL;
    gn_dataset_options data = gn_dataset_default_options();
    data.coarse_labels = strcmp(gn_args_str(args, "labels"), "coarse") == 0;
    gn_split_parse(gn_args_str(args, "split"), &split);
    gn_status status = gn_cli_model_load(gn_args_positional(args, 0), args, &graph, err);
    if (status == GN_OK)
        status = gn_session_take_graph(&graph, &(gn_session_options){.threads = gn_cli_threads(args)}, &session, err);
    if (status == GN_OK)
        status = gn_dataset_open(gn_args_str(args, "data"), &data, &dataset, err);
    if (status == GN_OK)
        status = measure(args, session, dataset, split, a, err);
    if (status == GN_OK && gn_args_has(args, "sheet"))
        status = gn_cli_prediction_sheet(session, dataset, split, 16, gn_args_str(args, "sheet"), err);
    if (status == GN_OK)
        status = show(args, split, a, err);
    gn_dataset_close(&dataset);
    gn_session_close(&session);
    return status;
}

static int run(int argc, char **argv)
{
    gn_args *args = NULL;
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &args, &code))
        return code;
    gn_error err = {0};
    gn_accuracy a;
    gn_status status = validate(args, &a, &err);
    if (status != GN_OK) {
        code = gn_cli_fail(args, &err);
    } else if (check_floors(args, &a, &err) != GN_OK) {
        gn_cli_say("gannet: val: %s\n", err.message); /* the object on standard output is complete already */
        code = gn_cli_exit_code(err.status);
    }
    gn_args_destroy(&args);
    return code;
}

const gn_verb gn_verb_val = {"val", "accuracy of a model on a data set", "Look", run};
