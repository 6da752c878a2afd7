/* gannet import: a model or weights from elsewhere as a model of ours: checked, in the operator forms of opset 13, with metadata.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "cli/import_weights.h"
#include "cli/model_source.h"
#include "gannet/detect_api.h"
#include "gannet/formats_api.h"
#include "gannet/graph_api.h"
#include "gannet/run_api.h"

static const gn_opt options[] = {
    GN_OPT_ROW_MODEL_OUT,
    {.name = "list", .type = GN_OPT_FLAG, .help = "print the names, types and shapes of the tensors instead"},
    {.name = "model",
     .type = GN_OPT_STRING,
     .metavar = "NAME",
     .group = "Weights",
     .help = "network of the zoo that the weights are for"},
    {.name = "head",
     .type = GN_OPT_STRING,
     .choices = "box|box+score|classify|features|detect",
     .help = "its head (default: classify; of a detector: detect)"},
    {.name = "classes",
     .type = GN_OPT_INT,
     .min = 1,
     .max = 100000,
     .help = "classes of head classify or of a detector (default: what the file's last layer has)"},
    {.name = "activation", .type = GN_OPT_STRING, .metavar = "NAME", .help = "its activation (default: its own)"},
    {.name = "rename",
     .type = GN_OPT_LIST,
     .metavar = "OLD=NEW",
     .help = "other names: * stands for any text, {1+6} in NEW for the first * plus 6; an empty NEW drops"},
    {.name = "partial", .type = GN_OPT_FLAG, .help = "take what fits, begin the rest anew"},
    {.name = "key", .type = GN_OPT_STRING, .metavar = "KEY", .help = "part of the checkpoint, such as ema"},
    {.name = "raw",
     .type = GN_OPT_FLAG,
     .group = "Darknet",
     .help = "outputs are the maps before the detection layers, and nothing is decoded"},
    {.name = "epsilon",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "1e-5",
     .min = 1e-12,
     .max = 1,
     .help = "added to variances: 1e-5 as Darknet does; OpenCV's reader of the same files adds 1e-6"},
    {.name = "task",
     .type = GN_OPT_STRING,
     .choices = "box|classify|detect",
     .group = "What the file does not say",
     .help = "what the model answers"},
    {.name = "decode",
     .type = GN_OPT_STRING,
     .choices = "box_xyxy01|box_xyxy01_score|none",
     .help = "how its output is read"},
    {.name = "fit",
     .type = GN_OPT_STRING,
     .choices = "stretch|letterbox",
     .help = "how a picture is brought to its size"},
    {.name = "mean", .type = GN_OPT_STRING, .metavar = "R,G,B", .help = "subtracted from colours in 0..1"},
    {.name = "std", .type = GN_OPT_STRING, .metavar = "R,G,B", .help = "by which they are divided then"},
    {.name = "names",
     .type = GN_OPT_STRING,
     .metavar = "FILE|JSON",
     .help = "class names: a file with one per line, or a JSON list"},
    GN_OPT_ROW_IMGSZ,
    GN_OPT_ROW_JSON,
    GN_OPT_ROW_CFG,
};

static const gn_args_spec spec = {
    .verb = "import",
    .usage = "FILE -o M.onnx [options]\n"
             "W.pth --model NAME -o M.onnx [options]\n"
             "W.pth -o W.safetensors\n"
             "NET.cfg [NET.weights] -o M.onnx [--raw] [--names FILE]\n"
             "FILE --list",
    .about =
        "Reads a model or weights of another tool, checks them, and writes what Gannet keeps: ONNX models at opset "
        "13,\n"
        "trainable, with metadata that say how pictures go in and how the output is read.  It takes ONNX models "
        "(opset 7\n"
        "to 21), Darknet's .cfg with .weights, and, for a network of the zoo, PyTorch checkpoints (.pth, .pt, .th) and "
        "safetensors.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_positional = 1,
    .max_positional = 2,
    .examples = "  gannet import resnet18.onnx --task classify --imgsz 224 -o r18.onnx\n"
                "  gannet import resnet18.pth --model resnet18 -o r18.onnx\n"
                "  gannet import theirs.pth --list\n"
                "  gannet import darknet19.cfg darknet19.weights -o d19.onnx\n",
};

/* ---- metadata ---- */

/* A JSON list as it is, or the lines of a file; as many as a detector has classes. */
static gn_status set_names(const char *names, gn_graph *graph, gn_error *err)
{
    const char *line = gn_graph_meta_get(graph, "gannet.detector");
    gn_detector detector = {0};
    gn_text json;
    int n = 0;
    if (names[0] == '[')
        return gn_graph_meta_set(graph, "gannet.names", names);
    if (line)
        GN_TRY(gn_detector_parse(line, &detector, err));
    gn_text_init(&json);
    gn_status status = gn_darknet_names_read(names, &json, &n, err);
    if (status == GN_OK && line && n != detector.classes)
        status = gn_fail_at(err, GN_EFORMAT, names, 0, "it names %d classes, the detector has %d", n, detector.classes);
    if (status == GN_OK)
        status = gn_graph_meta_set(graph, "gannet.names", json.data);
    gn_text_deinit(&json);
    return status;
}

static gn_status set_metadata(const gn_args *args, gn_graph *graph, gn_error *err)
{
    static const char *const keys[] = {"task", "decode", "fit", "mean", "std"};
    char key[64];
    gn_cli_size size;
    gn_arena *arena = NULL;
    GN_TRY(gn_cli_parse_imgsz(gn_args_str(args, "imgsz"), &size, err));
    gn_status status = gn_graph_meta_set(graph, "gannet.version", "1");
    for (size_t i = 0; i < sizeof keys / sizeof *keys && status == GN_OK; i++) {
        snprintf(key, sizeof key, "gannet.%s", keys[i]);
        if (gn_args_has(args, keys[i]))
            status = gn_graph_meta_set(graph, key, gn_args_str(args, keys[i]));
    }
    if (status == GN_OK && gn_args_has(args, "names"))
        status = set_names(gn_args_str(args, "names"), graph, err);
    if (status == GN_OK && size.width) {
        snprintf(key, sizeof key, "%d,%d", size.width, size.height);
        status = gn_graph_meta_set(graph, "gannet.imgsz", key);
    }
    if (status != GN_OK)
        return err && err->status != GN_OK ? status : gn_fail(err, status, "no memory for the model's metadata");
    gn_model_info info; /* reads everything once, so that a wrong value is found now */
    arena = gn_arena_create(0);
    status = arena ? gn_model_info_read(graph, arena, &info, err) : gn_fail(err, GN_ENOMEM, "out of memory");
    gn_arena_destroy(&arena);
    return status;
}

/* ---- from the file to the output ---- */

typedef enum file_form { FORM_ONNX, FORM_DARKNET, FORM_WEIGHTS } file_form;

static file_form form_of(const char *path)
{
    return gn_has_suffix(path, ".onnx") ? FORM_ONNX : gn_has_suffix(path, ".cfg") ? FORM_DARKNET : FORM_WEIGHTS;
}

/* What the command line asks for must fit together before anything is read. */
static gn_status check_request(const gn_args *args, file_form form, gn_error *err)
{
    const char *path = gn_args_str(args, "output");
    if (gn_args_n_positional(args) > 1 && form != FORM_DARKNET)
        return gn_fail(err, GN_EUSAGE, "one file was expected; two are a Darknet .cfg and its .weights");
    if (form == FORM_WEIGHTS && gn_has_suffix(gn_args_positional(args, 0), ".weights"))
        return gn_fail(err, GN_EUSAGE,
                       "a Darknet .weights file has no names; give its .cfg before it: NET.cfg NET.weights");
    if (form != FORM_WEIGHTS && gn_args_has(args, "model"))
        return gn_fail(err, GN_EUSAGE, "--model is for files of weights; this file is a model itself");
    if (gn_args_flag(args, "list"))
        return GN_OK;
    if (!path || (!gn_has_suffix(path, ".onnx") && !gn_has_suffix(path, ".safetensors")))
        return gn_fail(err, GN_EUSAGE, "-o M.onnx is missing: where the model goes (or -o W.safetensors)");
    if (form == FORM_WEIGHTS && gn_has_suffix(path, ".onnx") && !gn_args_has(args, "model"))
        return gn_fail(err, GN_EUSAGE,
                       "--model NAME is missing: the network that the weights are for (or -o W.safetensors)");
    return GN_OK;
}

static gn_status write_model(const gn_args *args, gn_graph *graph, const char *path, gn_error *err)
{
    GN_TRY(set_metadata(args, graph, err));
    return gn_onnx_write(graph, path, NULL, err);
}

/* The weights in `weights`: of a file, or of the model `graph` when there is one. */
static gn_status use_weights(const gn_args *args, const gn_weights *weights, gn_import_counts *counts, gn_error *err)
{
    const char *path = gn_args_str(args, "output");
    if (gn_args_flag(args, "list"))
        return gn_import_list(args, weights, err);
    if (!gn_args_has(args, "model"))
        return gn_import_convert(args, weights, true, path, err);
    gn_graph *graph = NULL;
    gn_weights *loaded = NULL;
    GN_TRY(gn_import_network(args, weights, &graph, counts, err));
    gn_status status;
    if (gn_has_suffix(path, ".onnx")) {
        status = write_model(args, graph, path, err);
    } else {
        status = gn_weights_open_graph(graph, path, &loaded, err);
        if (status == GN_OK)
            status = gn_import_convert(args, loaded, false, path, err);
        gn_weights_close(&loaded);
    }
    gn_graph_destroy(&graph);
    return status;
}

/* A whole model: to an ONNX file, or what it holds as a list or as safetensors. */
static gn_status use_model(const gn_args *args, gn_graph *graph, gn_import_counts *counts, gn_error *err)
{
    const char *path = gn_args_str(args, "output");
    gn_weights *weights = NULL;
    if (!gn_args_flag(args, "list") && gn_has_suffix(path, ".onnx"))
        return write_model(args, graph, path, err);
    GN_TRY(gn_weights_open_graph(graph, gn_args_positional(args, 0), &weights, err));
    const gn_status status = use_weights(args, weights, counts, err);
    gn_weights_close(&weights);
    return status;
}

static gn_status import_onnx(const gn_args *args, gn_import_counts *counts, gn_error *err)
{
    gn_graph *graph = NULL;
    GN_TRY(gn_onnx_read(gn_args_positional(args, 0), NULL, &graph, err));
    const gn_status status = use_model(args, graph, counts, err);
    gn_graph_destroy(&graph);
    return status;
}

static gn_status import_darknet(const gn_args *args, gn_import_counts *counts, gn_error *err)
{
    const gn_darknet_options darknet = {.is_raw = gn_args_flag(args, "raw"),
                                        .is_partial = gn_args_flag(args, "partial"),
                                        .epsilon = (float)gn_args_double(args, "epsilon")};
    const char *weights = gn_args_n_positional(args) > 1 ? gn_args_positional(args, 1) : NULL;
    gn_graph *graph = NULL;
    gn_text notes;
    gn_text_init(&notes);
    gn_status status = gn_darknet_read(gn_args_positional(args, 0), weights, &darknet, &notes, &graph, err);
    if (status == GN_OK) {
        if (notes.len)
            gn_cli_say("%s", notes.data);
        if (!weights)
            gn_cli_say("no .weights file: the weights are random\n");
        status = use_model(args, graph, counts, err);
    }
    gn_text_deinit(&notes);
    gn_graph_destroy(&graph);
    return status;
}

static gn_status import_weights(const gn_args *args, gn_import_counts *counts, gn_error *err)
{
    gn_weights *weights = NULL;
    GN_TRY(gn_weights_open(gn_args_positional(args, 0), gn_args_str(args, "key"), &weights, err));
    const gn_status status = use_weights(args, weights, counts, err);
    gn_weights_close(&weights);
    return status;
}

static gn_status say_written(const gn_args *args, const gn_import_counts *counts, gn_error *err)
{
    const char *path = gn_args_str(args, "output");
    if (gn_args_flag(args, "list"))
        return GN_OK;
    gn_cli_say("wrote %s\n", path);
    if (!gn_args_flag(args, "json"))
        return GN_OK;
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_str(&j, "output", path);
    gn_jsonw_int(&j, "bytes", gn_path_bytes(path));
    if (counts->is_counted) {
        gn_jsonw_int(&j, "tensors_loaded", counts->loaded);
        gn_jsonw_int(&j, "tensors_new", counts->fresh);
        gn_jsonw_int(&j, "tensors_left_over", counts->left_over);
    }
    const gn_status status = gn_jsonw_print(&j);
    return status == GN_OK ? GN_OK : gn_fail(err, status, "the result cannot be written to standard output");
}

static int run(int argc, char **argv)
{
    gn_args *args = NULL;
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &args, &code))
        return code;
    gn_error err = {0};
    gn_import_counts counts = {0};
    const file_form form = form_of(gn_args_positional(args, 0));
    gn_status status = check_request(args, form, &err);
    if (status == GN_OK)
        status = form == FORM_ONNX      ? import_onnx(args, &counts, &err)
                 : form == FORM_DARKNET ? import_darknet(args, &counts, &err)
                                        : import_weights(args, &counts, &err);
    if (status == GN_OK)
        status = say_written(args, &counts, &err);
    code = status == GN_OK ? 0 : gn_cli_fail(args, &err);
    gn_args_destroy(&args);
    return code;
}

const gn_verb gn_verb_import = {"import", "takes a model or weights of another tool", "Make", run};
